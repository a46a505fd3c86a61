"""Between config.json and EncoderConfig: a family's keys, the special ids, the labels.

A family's file (`bert.py`, ...) says which key is which field; what they read with is `Keys`.
"""

import dataclasses

from minibert.checkpoints import bert, distilbert, eurobert, modernbert, neobert, nomic_bert, roberta, ultrabert
from minibert.checkpoints.keys import Keys
from minibert.config import EncoderConfig
from minibert.tokenization.json_read import ids_of_added, naming
from minibert.tokenization.vocabulary import NAMES

FAMILIES = {  # `model_type` of a config.json: who reads it; the first that can say a config writes it
    "bert": bert,
    "modernbert": modernbert,
    "eurobert": eurobert,
    "distilbert": distilbert,
    "roberta": roberta,
    "camembert": roberta,
    "xlm-roberta": roberta,
    "nomic_bert": nomic_bert,
    "ultrabert": ultrabert,
    "neobert": neobert,
}
LEFT_OUT = {  # well-known encoders that are something else, and why
    "albert": "its layers share one set of weights, and its embeddings are narrower than its layers",
    "electra": "it tells replaced tokens from real ones, and its embeddings may be narrower than its layers",
    "deberta": "relative positions enter its scores as vectors of their own",
    "deberta-v2": "relative positions enter its scores as vectors of their own",
    "convbert": "half of its heads are convolutions",
    "mobilebert": "its layers are bottlenecks with several feed-forward networks each",
    "mpnet": "it adds a bias for each distance to the scores",
    "funnel": "its sequence becomes shorter from layer to layer",
    "longformer": "chosen tokens attend globally, with weights of their own",
    "big_bird": "its attention is sparse in random blocks",
    "fnet": "it has Fourier transforms in place of attention",
    "squeezebert": "its layers are grouped convolutions",
    "rembert": "its embeddings of input and output differ in width",
    "xlm-roberta-xl": "it is RoBERTa with the norm before each sub-layer",
    "gte": "its biases stand in attention and in the feed-forward layer's second matrix only",
    "new": "its biases stand in attention and in the feed-forward layer's second matrix only",
}
# What their format cannot say and a forward pass in eval mode does not need; kept under a key of our own, "minibert".
UNSAID = {"init", "init_std", "init_cutoff", "nsp", "head_bias"}
UNSAID |= {name for name in EncoderConfig.__dataclass_fields__ if name.startswith("dropout_")}
SIDE_FIELDS = UNSAID | {"kv_heads", "head_act", "layer_types"}  # of which one model has several spellings
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
    keys = Keys(raw)
    if kind is None:
        raise ValueError(f'config.json has no model_type; add one of {", ".join(FAMILIES)} (as "model_type": "bert")')
    if kind not in list(FAMILIES):
        why = f" ({LEFT_OUT[kind]})" if kind in list(LEFT_OUT) else ""
        raise ValueError(
            f"config.json: model_type={kind!r} is not supported{why}; expected one of {', '.join(FAMILIES)}"
        )
    _refuse_other_computations(keys)
    fields = FAMILIES[kind].read(keys)
    fields |= _special_ids(keys, fields, tokenizer or {})
    side = raw.get("minibert", {})
    if not isinstance(side, dict) or set(side) - SIDE_FIELDS:
        keys.refuse("minibert", side, f"an object with some of {', '.join(sorted(SIDE_FIELDS))}")
    return _build(fields | side)


def config_to_hf(config: EncoderConfig) -> dict:
    """The config.json for `config`: its family's, where that says everything, else one of our own.

    >>> config_to_hf(EncoderConfig.preset("eurobert-nano"))["num_key_value_heads"]
    2
    >>> config_to_hf(EncoderConfig.preset("eurobert-nano").replace(mlm_head="transform"))["model_type"]
    'minibert'
    """
    wanted = dataclasses.asdict(config)
    for family in dict.fromkeys(FAMILIES.values()):
        raw = family.write(config)
        try:
            back = config_from_hf(raw)
        except ValueError:
            continue
        changed = {name for name, value in _meaning(back).items() if value != _meaning(config)[name]}
        has_bias = config.mlm_head == "transform" and "head_bias" in changed  # else there is no dense layer to bias
        if not changed - UNSAID and not has_bias:
            lost = {name: value for name, value in wanted.items() if value != getattr(back, name)}
            return raw | ({"minibert": lost} if lost else {})
    return {"model_type": "minibert", "encoder": wanted}


def _meaning(config: EncoderConfig) -> dict:
    """The fields, each in one of its spellings."""
    kinds = tuple(config.is_global(layer) for layer in range(config.layers))
    same = dict(kv_heads=config.groups, head_act=config.head_act or config.act, layer_types=kinds)
    return dataclasses.asdict(config) | same


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
        return Keys(raw).whole("num_labels", None), None
    if not isinstance(names, dict) or sorted(names) != sorted(str(i) for i in range(len(names))):
        Keys(raw).refuse("id2label", names, 'an object with keys "0", "1", ...')
    return len(names), tuple(str(names[str(i)]) for i in range(len(names)))


def _refuse_other_computations(keys: Keys) -> None:
    """Keys of any family that ask for something else than what an encoder computes."""
    for key in ("is_decoder", "is_causal", "is_encoder_decoder", "add_cross_attention"):
        keys.demand(key, (False,), "false (an encoder sees both sides)")
    keys.demand("pruned_heads", ({}, []), "none: every layer has all its heads")
    keys.demand("per_layer_config", ({},), "none: all layers are alike")
    keys.demand("quantization_config", (), "none: weights stored as floating-point numbers")
    keys.demand("partial_rotary_factor", (1, 1.0), "1.0 (every channel rotates)")
    keys.demand("tie_last_hidden_states", (True,), "true (the last hidden states have the final norm applied)")


def _own_config(raw: dict) -> EncoderConfig:
    fields, known = raw.get("encoder"), {field.name for field in dataclasses.fields(EncoderConfig)}
    if isinstance(fields, dict) and {"global_every", "bias"} <= set(fields):  # as written until November 2026
        every, bias = fields["global_every"], fields["bias"]
        new = dict(layer_types=["global"] + ["local"] * (every - 1), attention_bias=bias, mlp_bias=bias)
        new |= dict(position_offset=0, mlm_head_size=None, head_act=None)
        fields = new | {name: value for name, value in fields.items() if name in known}
    if not isinstance(fields, dict) or set(fields) != known:
        Keys(raw).refuse("encoder", fields, f"an object with exactly the fields {', '.join(sorted(known))}")
    return _build(fields)


def _build(fields: dict) -> EncoderConfig:
    try:
        return EncoderConfig(**fields)
    except (TypeError, ValueError) as error:
        raise ValueError(f"config.json: {error}") from error


def _special_ids(keys: Keys, fields: dict, tokenizer: dict) -> dict[str, int]:
    vocab_size = fields["vocab_size"]
    published = {field: EncoderConfig.__dataclass_fields__[field].default for field in ID_KEYS} | fields
    with naming("tokenizer.json"):
        by_name = ids_of_added(tokenizer)
    ids = {}
    for field, names in ID_KEYS.items():
        stated = [value for name in names if (value := keys.get(name)) is not None]
        stated = [value[0] if isinstance(value, list) and value else value for value in stated]  # several ends of text
        named = [by_name.get(name) for name in NAMES[field.removesuffix("_id")]]
        candidates = [*stated, *named, published[field]]
        fits = [value for value in candidates if type(value) is int and 0 <= value < vocab_size]
        if field == "pad_id" and stated and stated[0] not in fits:
            keys.refuse("pad_token_id", stated[0], f"an id below vocab_size={vocab_size}")
        ids[field] = fits[0] if fits else ids.get("pad_id", 0)
    return ids
