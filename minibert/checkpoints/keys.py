"""How a config.json of another library is read, key by key, and the words in it that several families share."""

import math

from minibert.config import EncoderConfig

ACTIVATIONS = {
    "gelu": "gelu",
    "gelu_python": "gelu",
    "gelu_pytorch_tanh": "gelu_tanh",
    "gelu_new": "gelu_tanh",
    "gelu_fast": "gelu_tanh",
    "silu": "silu",
    "swish": "silu",
    "relu": "relu",
}
WRITTEN = {"gelu": "gelu", "gelu_tanh": "gelu_pytorch_tanh", "silu": "silu", "relu": "relu"}
FULL, LOCAL = "full_attention", "sliding_attention"


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

    def plain_heads(self, hidden: int, heads: int, key: str = "head_dim") -> None:
        """`key`, where stated, must be what the width divided among the heads gives."""
        size = self.whole(key, None)
        if size is not None and size * heads != hidden:
            self.refuse(key, size, f"hidden_size / num_attention_heads = {hidden}/{heads}")

    def layer_types(self, layers: int, pattern: tuple) -> tuple:
        """The pattern of global and local layers: `pattern`, or the shortest that repeats to the list stated."""
        stated = self.get("layer_types")
        if stated is None:
            return pattern
        names = {FULL: "global", LOCAL: "local"}
        if not isinstance(stated, list) or len(stated) != layers or any(kind not in list(names) for kind in stated):
            self.refuse("layer_types", stated, f"a list of {layers} entries, {FULL} or {LOCAL}")
        kinds = tuple(names[kind] for kind in stated)
        patterns = (pattern, *(kinds[:length] for length in range(1, layers + 1)))
        return next(p for p in patterns if all(kinds[i] == p[i % len(p)] for i in range(layers)))

    def one_theta(self, default: float) -> float:
        """RoPE's base of a model that has one for all layers."""
        key = "rope_scaling" if self.get("rope_scaling") else "rope_parameters"  # the first replaces the second
        parameters = self.rope(self.get(key), key)
        if any(isinstance(value, dict) for value in parameters.raw.values()):
            self.refuse(key, parameters.raw, "one theta for all layers")
        return parameters.number("rope_theta", self.number("rope_theta", default))

    def thetas(self, theta: float, theta_local: float | None) -> tuple[float, float]:
        """RoPE's bases in global and in local layers; `theta_local` None: the same where nothing else is stated."""
        both = self.rope(self.get("rope_scaling"), "rope_scaling")  # what it states, it states for both
        new = self.get("rope_parameters") or {}
        if not isinstance(new, dict) or set(new) - {FULL, LOCAL}:
            self.refuse("rope_parameters", new, f"the two entries {FULL} and {LOCAL}")
        full, local = (self.rope(new.get(kind), f"rope_parameters.{kind}") for kind in (FULL, LOCAL))
        theta = full.number("rope_theta", theta)
        theta_local = local.number("rope_theta", theta if theta_local is None else theta_local)
        return both.number("rope_theta", theta), both.number("rope_theta", theta_local)

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


def written_layer_types(config: EncoderConfig) -> list[str]:
    """The kind of each layer, as `layer_types` lists it.

    >>> written_layer_types(EncoderConfig.preset("modernbert-base"))[:2]
    ['full_attention', 'sliding_attention']
    """
    return [FULL if config.is_global(layer) else LOCAL for layer in range(config.layers)]
