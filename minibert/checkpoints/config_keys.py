"""Read single values of a config.json, and refuse by name what our encoder cannot express."""

import math

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


def refuse(key: str, value, expected: str) -> None:
    """Raise the one sentence for a value of config.json that cannot be honoured.

    >>> refuse("is_decoder", True, "false (encoders see both sides)")
    Traceback (most recent call last):
    ...
    ValueError: config.json: is_decoder=True is not supported; expected false (encoders see both sides)
    """
    raise ValueError(f"config.json: {key}={value!r} is not supported; expected {expected}")


def whole(raw: dict, key: str, default: int | None) -> int | None:
    """A whole number; `default` where the key is absent or null.

    >>> whole({"hidden_size": 128}, "hidden_size", 768)
    128
    """
    value = default if raw.get(key) is None else raw[key]
    if value is not None and type(value) is not int:
        refuse(key, value, "a whole number")
    return value


def number(raw: dict, key: str, default: float) -> float:
    """A finite number; `default` where the key is absent or null.

    >>> number({}, "layer_norm_eps", 1e-12)
    1e-12
    """
    value = default if raw.get(key) is None else raw[key]
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        refuse(key, value, "a number")
    return value


def flag(raw: dict, key: str, default: bool) -> bool:
    """True or false; `default` where the key is absent or null.

    >>> flag({"norm_bias": True}, "norm_bias", False)
    True
    """
    value = default if raw.get(key) is None else raw[key]
    if type(value) is not bool:
        refuse(key, value, "true or false")
    return value


def choice(raw: dict, key: str, default: str, meanings: dict[str, str]) -> str:
    """What a word means here; refused when it means nothing.

    >>> choice({"classifier_pooling": "bos"}, "classifier_pooling", "late", {"bos": "cls", "late": "late"})
    'cls'
    """
    value = default if raw.get(key) is None else raw[key]
    if value not in list(meanings):  # a list: `value` may be anything, also unhashable
        refuse(key, value, f"one of {', '.join(meanings)}")
    return meanings[value]


def demand(raw: dict, key: str, allowed: tuple, expected: str) -> None:
    """The key must be absent, null, or have one of the `allowed` values.

    >>> demand({"position_embedding_type": "absolute"}, "position_embedding_type", ("absolute",), "absolute")
    """
    if raw.get(key) is not None and raw[key] not in allowed:
        refuse(key, raw[key], expected)


def same_bias(raw: dict) -> bool:
    """`attention_bias` and `mlp_bias`, which our one `bias` can only express together.

    >>> same_bias({"attention_bias": False, "mlp_bias": False})
    False
    """
    attention, mlp = flag(raw, "attention_bias", False), flag(raw, "mlp_bias", False)
    if attention != mlp:
        refuse("attention_bias", attention, f"the same as mlp_bias ({mlp})")
    return attention


def plain_rope(parameters, key: str) -> dict:
    """RoPE parameters, provided that they are plain: no scaling, the whole head rotated.

    >>> plain_rope({"rope_type": "default", "rope_theta": 10000.0}, "rope_parameters")["rope_theta"]
    10000.0
    """
    parameters = {} if parameters is None else parameters
    if not isinstance(parameters, dict):
        refuse(key, parameters, "an object")
    kind = parameters.get("rope_type", parameters.get("type"))
    if kind not in (None, "default"):
        refuse(f"{key}.rope_type", kind, "default (no scaling)")
    if parameters.get("partial_rotary_factor") not in (None, 1.0):
        refuse(f"{key}.partial_rotary_factor", parameters["partial_rotary_factor"], "1.0 (every channel rotates)")
    return parameters
