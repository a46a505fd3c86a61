"""Between config.json and EncoderConfig: a family's keys, the special ids, the labels.

`bert.py`, `modernbert.py` and `eurobert.py` say which key is which field; what they read with is `Keys`.
"""

import dataclasses
import math

from minibert.checkpoints import bert, eurobert, modernbert
from minibert.config import EncoderConfig
from minibert.tokenization.json_read import ids_of_added, naming
from minibert.tokenization.vocabulary import NAMES

FAMILIES = {"bert": bert, "modernbert": modernbert, "eurobert": eurobert}
ACTIVATIONS = {
    "gelu": "gelu",
    "gelu_python": "gelu",
    "gelu_pytorch_tanh": "gelu_tanh",
    "gelu_new": "gelu_tanh",
    "gelu_fast": "gelu_tanh",
    "silu": "silu",
    "swish": "silu",
}
WRITTEN_ACTIVATIONS = {"gelu": "gelu", "gelu_tanh": "gelu_pytorch_tanh", "silu": "silu"}
# What their format cannot say and a forward pass in eval mode does not need; kept under a key of our own, "minibert".
SIDE_FIELDS = {"init", "init_std", "init_cutoff", "nsp", "kv_heads", "head_bias"}
SIDE_FIELDS |= {name for name in EncoderConfig.__dataclass_fields__ if name.startswith("dropout_")}
ID_KEYS = {
    "pad_id": ("pad_token_id",),
    "mask_id": ("mask_token_id",),
    "cls_id": ("cls_token_id", "bos_token_id"),
    "sep_id": ("sep_token_id", "eos_token_id"),
}


class Keys:
    """The values of a config.json, read key by key; what our encoder cannot express is refused by name.

    A key that is absent or null has its default.

    >>> keys = Keys({"hidden_size": 128, "norm_bias": None, "is_decoder": True})
    >>> keys.whole("hidden_size", 768), keys.whole("num_hidden_layers", 12), keys.flag("norm_bias", False)
    (128, 12, False)
    >>> keys.demand("is_decoder", (False,), "false (an encoder sees both sides)")
    Traceback (most recent call last):
    ...
    ValueError: config.json: is_decoder=True is not supported; expected false (an encoder sees both sides)
    """

    def __init__(self, raw: dict, inside: str = ""):
        self.raw = raw
        self.inside = inside  # of which object of config.json, with a point behind it

    def refuse(self, key: str, value, expected: str) -> None:
        """Raise the one sentence for a value that cannot be honoured."""
        raise ValueError(f"config.json: {self.inside}{key}={value!r} is not supported; expected {expected}")

    def get(self, key: str, default=None):
        """The value as it stands there."""
        value = self.raw.get(key)
        return default if value is None else value

    def whole(self, key: str, default: int | None) -> int | None:
        """A whole number."""
        value = self.get(key, default)
        if value is not None and type(value) is not int:
            self.refuse(key, value, "a whole number")
        return value

    def number(self, key: str, default: float) -> float:
        """A finite number."""
        value = self.get(key, default)
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            self.refuse(key, value, "a number")
        return value

    def flag(self, key: str, default: bool) -> bool:
        """True or false."""
        value = self.get(key, default)
        if type(value) is not bool:
            self.refuse(key, value, "true or false")
        return value

    def choice(self, key: str, default: str, meanings: dict[str, str]) -> str:
        """What a word means here; refused when it means nothing."""
        value = self.get(key, default)
        if value not in list(meanings):  # a list: `value` may be anything, also unhashable
            self.refuse(key, value, f"one of {', '.join(meanings)}")
        return meanings[value]

    def activation(self, key: str, default: str) -> str:
        """Our name of an activation function."""
        return self.choice(key, default, ACTIVATIONS)

    def demand(self, key: str, allowed: tuple, expected: str) -> None:
        """The key must be absent, null, or have one of the `allowed` values."""
        if self.get(key) is not None and self.raw[key] not in allowed:
            self.refuse(key, self.raw[key], expected)

    def plain_heads(self, hidden: int, heads: int) -> None:
        """`head_dim`, where stated, must be what the width divided among the heads gives."""
        size = self.whole("head_dim", None)
        if size is not None and size * heads != hidden:
            self.refuse("head_dim", size, f"hidden_size / num_attention_heads = {hidden}/{heads}")

    def same_bias(self) -> bool:
        """`attention_bias` and `mlp_bias`, which our one `bias` can only express together."""
        attention, mlp = self.flag("attention_bias", False), self.flag("mlp_bias", False)
        if attention != mlp:
            self.refuse("attention_bias", attention, f"the same as mlp_bias ({mlp})")
        return attention

    def rope(self, parameters, key: str) -> "Keys":
        """The RoPE parameters under `key`, provided that they are plain: no scaling, the whole head rotated."""
        parameters = {} if parameters is None else parameters
        if not isinstance(parameters, dict):
            self.refuse(key, parameters, "an object")
        inner = Keys(parameters, inside=f"{key}.")
        kind = inner.get("rope_type", inner.get("type"))
        if kind not in (None, "default"):
            inner.refuse("rope_type", kind, "default (no scaling)")
        inner.demand("partial_rotary_factor", (1.0,), "1.0 (every channel rotates)")
        return inner


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
        keys.refuse("model_type", kind, f"one of {', '.join(FAMILIES)}")
    _refuse_other_computations(keys)
    fields = FAMILIES[kind].read(keys)
    fields |= _special_ids(keys, fields["vocab_size"], FAMILIES[kind].IDS, tokenizer or {})
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
    own = {"model_type": "minibert", "encoder": dataclasses.asdict(config)}
    if config.family not in FAMILIES:
        return own
    raw = FAMILIES[config.family].write(config, act=WRITTEN_ACTIVATIONS[config.act])
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
    if not isinstance(fields, dict) or set(fields) != known:
        Keys(raw).refuse("encoder", fields, f"an object with exactly the fields {', '.join(sorted(known))}")
    return _build(fields)


def _build(fields: dict) -> EncoderConfig:
    try:
        return EncoderConfig(**fields)
    except (TypeError, ValueError) as error:
        raise ValueError(f"config.json: {error}") from error


def _special_ids(keys: Keys, vocab_size: int, published: dict[str, int], tokenizer: dict) -> dict[str, int]:
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
