"""Between config.json and EncoderConfig: which family a folder belongs to, its special ids and its labels."""

import dataclasses

from minibert.checkpoints import config_bert, config_eurobert, config_modernbert
from minibert.checkpoints.config_keys import refuse, whole
from minibert.config import EncoderConfig
from minibert.tokenization import roles
from minibert.tokenization.json_format import naming
from minibert.tokenization.json_read import ids_of_added

READERS = {
    "bert": (config_bert.read_bert, config_bert.IDS),
    "modernbert": (config_modernbert.read_modernbert, config_modernbert.IDS),
    "eurobert": (config_eurobert.read_eurobert, config_eurobert.IDS),
}
WRITERS = {
    "bert": config_bert.write_bert,
    "modernbert": config_modernbert.write_modernbert,
    "eurobert": config_eurobert.write_eurobert,
}
# What their format cannot say and a forward pass in eval mode does not need; kept under a key of our own, "minibert".
SIDE_FIELDS = {"init", "init_std", "init_cutoff", "nsp", "kv_heads", "head_bias"}
SIDE_FIELDS |= {name for name in EncoderConfig.__dataclass_fields__ if name.startswith("dropout_")}
ID_KEYS = {
    "pad_id": ("pad_token_id",),
    "mask_id": ("mask_token_id",),
    "cls_id": ("cls_token_id", "bos_token_id"),
    "sep_id": ("sep_token_id", "eos_token_id"),
}


def config_from_hf(raw: dict, tokenizer: dict | None = None) -> EncoderConfig:
    """The EncoderConfig that a config.json describes; `tokenizer`, a parsed tokenizer.json, fills in special ids.

    BERT's files do not say which ids [MASK], [CLS] and [SEP] have. Where the config is silent (or names ids beyond
    its own vocabulary), the tokenizer is asked, then the family's published ids are taken if they fit, and as a last
    resort the padding id.

    Raises:
        ValueError: no or an unknown `model_type`, a value our encoder cannot express, or added tokens that are not a
            list of objects with `id` and `content`; the message names the key.

    >>> config_from_hf({"model_type": "bert", "hidden_size": 384, "num_hidden_layers": 6}).layers
    6
    """
    kind = raw.get("model_type")
    if kind == "minibert":
        return _own_config(raw)
    if kind is None:
        raise ValueError(f'config.json has no model_type; add one of {", ".join(READERS)} (as "model_type": "bert")')
    if kind not in list(READERS):
        refuse("model_type", kind, f"one of {', '.join(READERS)}")
    read, ids = READERS[kind]
    fields = read(raw)
    fields |= _special_ids(raw, fields["vocab_size"], ids, tokenizer or {})
    side = raw.get("minibert", {})
    if not isinstance(side, dict) or set(side) - SIDE_FIELDS:
        refuse("minibert", side, f"an object with some of {', '.join(sorted(SIDE_FIELDS))}")
    return _build(fields | side)


def config_to_hf(config: EncoderConfig) -> dict:
    """The config.json for `config`: its family's, where that says everything, else one of our own.

    >>> config_to_hf(EncoderConfig.preset("eurobert-nano"))["num_key_value_heads"]
    2
    >>> config_to_hf(EncoderConfig.preset("eurobert-nano").replace(mlm_head="transform"))["model_type"]
    'minibert'
    """
    own = {"model_type": "minibert", "encoder": dataclasses.asdict(config)}
    if config.family not in WRITERS:
        return own
    raw = WRITERS[config.family](config)
    try:
        back = config_from_hf(raw)
    except ValueError:
        return own
    wanted, got = dataclasses.asdict(config), dataclasses.asdict(back)
    lost = {name: value for name, value in wanted.items() if value != got[name]}
    other_heads = config.groups != back.groups
    other_bias = "head_bias" in lost and config.mlm_head != "linear"  # a linear head has no dense layer to bias
    if set(lost) - SIDE_FIELDS or other_heads or other_bias:
        return own
    return raw | ({"minibert": lost} if lost else {})


def published_family(config: EncoderConfig) -> str:
    """The `model_type` under which `config` is saved; "minibert" where no family can express it.

    >>> published_family(EncoderConfig.preset("bert-nano")), published_family(EncoderConfig(head_bias=False))
    ('bert', 'minibert')
    """
    return config_to_hf(config)["model_type"]


def labels_from_hf(raw: dict) -> tuple[int | None, tuple[str, ...] | None]:
    """How many labels a config.json states, and their names; None where it does not.

    >>> labels_from_hf({"id2label": {"0": "no", "1": "yes"}})
    (2, ('no', 'yes'))
    """
    names = raw.get("id2label")
    if names is None:
        return whole(raw, "num_labels", None), None
    if not isinstance(names, dict) or sorted(names) != sorted(str(i) for i in range(len(names))):
        refuse("id2label", names, 'an object with keys "0", "1", ...')
    return len(names), tuple(str(names[str(i)]) for i in range(len(names)))


def _own_config(raw: dict) -> EncoderConfig:
    fields, known = raw.get("encoder"), {field.name for field in dataclasses.fields(EncoderConfig)}
    if not isinstance(fields, dict) or set(fields) != known:
        refuse("encoder", fields, f"an object with exactly the fields {', '.join(sorted(known))}")
    return _build(fields)


def _build(fields: dict) -> EncoderConfig:
    try:
        return EncoderConfig(**fields)
    except (TypeError, ValueError) as error:
        raise ValueError(f"config.json: {error}") from error


def _special_ids(raw: dict, vocab_size: int, published: dict[str, int], tokenizer: dict) -> dict[str, int]:
    with naming("tokenizer.json"):
        by_name = ids_of_added(tokenizer)
    ids = {}
    for field, keys in ID_KEYS.items():
        stated = [value for key in keys if (value := raw.get(key)) is not None]
        stated = [value[0] if isinstance(value, list) and value else value for value in stated]  # several ends of text
        named = [by_name.get(name) for name in roles.NAMES[field.removesuffix("_id")]]
        candidates = [*stated, *named, published[field]]
        fits = [value for value in candidates if type(value) is int and 0 <= value < vocab_size]
        if field == "pad_id" and stated and stated[0] not in fits:
            refuse("pad_token_id", stated[0], f"an id below vocab_size={vocab_size}")
        ids[field] = fits[0] if fits else ids.get("pad_id", 0)
    return ids
