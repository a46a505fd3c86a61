"""One frozen dataclass that spells BERT, ModernBERT, EuroBERT, their relatives, and every mixture between them."""

import dataclasses
import math
import typing
import warnings
from dataclasses import dataclass

from minibert.presets import PRESETS

Activation = typing.Literal["gelu", "gelu_tanh", "silu", "relu"]
Rate, FromZero = typing.NewType("Rate", float), typing.NewType("FromZero", int)
RULES = {  # what a field of this type may hold: a test, and the words for it
    bool: (lambda value: type(value) is bool, "True or False"),
    int: (lambda value: type(value) is int and value >= 1, "a whole number of at least 1"),
    FromZero: (lambda value: type(value) is int and value >= 0, "a whole number of at least 0"),
    float: (lambda value: type(value) in (int, float) and 0 < value < math.inf, "a positive number"),
    Rate: (lambda value: type(value) in (int, float) and 0 <= value < 1, "a dropout rate in [0, 1)"),
    tuple: (
        lambda value: isinstance(value, tuple) and value and all(kind in ("global", "local") for kind in value),
        "a list of 'global' and 'local'",
    ),
}


@dataclass(frozen=True)
class EncoderConfig:
    """Every choice that tells one text encoder from another; the defaults are BERT-base.

    Sizes are counts, `dropout_*` are probabilities. `layer_types` is a pattern that repeats over the layers: with
    ("global", "local", "local"), layers 0, 3, 6, ... see the whole text. `local_window` is the total width of a local
    layer in tokens: 128 means 64 to the left, the token itself and 64 to the right, 129 keys in all. `max_len` is a
    hard limit with learned positions and a promise of the training length with RoPE; the table of learned positions
    has `position_offset` more rows, which no token uses. `head_act` None means `act`; `mlm_head_size` is the width
    inside a two-layer head. `pool` says how a classifier reads a text: by the encoder's pooler ("bert"), by one of
    its own (named after its activation), from the first token, the mean of all, or ("late") the mean of all logits.

    Raises:
        ValueError: a field is out of range, or two fields contradict each other; the message names them.

    Source: Devlin et al. 2019 (section 3, appendix A), Warner et al. 2024 (table 4), Boizard et al. 2025 (table 3).

    >>> config = EncoderConfig.preset("modernbert-base")
    >>> config.head_size, config.groups, [config.is_global(layer) for layer in range(4)]
    (64, 12, [True, False, False, True])
    >>> config.half_window, config.family
    (64, 'modernbert')
    """

    vocab_size: int = 30522
    hidden: int = 768
    layers: int = 12
    heads: int = 12
    intermediate: int = 3072
    kv_heads: int | None = None
    max_len: int = 512
    position: typing.Literal["learned", "rope"] = "learned"
    position_offset: FromZero = 0
    rope_theta: float | None = None
    rope_theta_local: float | None = None
    layer_types: tuple = ("global",)
    local_window: int | None = None
    segments: FromZero = 2
    norm: typing.Literal["layernorm", "rmsnorm"] = "layernorm"
    norm_eps: float = 1e-12
    norm_bias: bool = True
    norm_placement: typing.Literal["post", "pre"] = "post"
    embed_norm: bool = True
    skip_first_attn_norm: bool = False
    final_norm: bool = False
    mlp: typing.Literal["plain", "glu"] = "plain"
    act: Activation = "gelu"
    attention_bias: bool = True
    mlp_bias: bool = True
    dropout_embed: Rate = 0.1
    dropout_attn_probs: Rate = 0.1
    dropout_attn_out: Rate = 0.1
    dropout_mlp_inner: Rate = 0.0
    dropout_mlp_out: Rate = 0.1
    dropout_classifier: Rate = 0.1
    mlm_head: typing.Literal["transform", "linear", "two_layer"] = "transform"
    mlm_head_size: int | None = None
    head_act: Activation | None = None
    head_bias: bool = True
    decoder_bias: bool = True
    tie: bool = True
    pool: typing.Literal["bert", "tanh", "relu", "cls", "mean", "late"] = "bert"
    nsp: bool = True
    init: typing.Literal["normal", "trunc", "megatron"] = "trunc"
    init_std: float = 0.02
    init_cutoff: float = 2.0
    pad_id: FromZero = 0
    mask_id: FromZero = 103
    cls_id: FromZero = 101
    sep_id: FromZero = 102

    def __post_init__(self):
        if isinstance(self.layer_types, list):  # as config files have it
            object.__setattr__(self, "layer_types", tuple(self.layer_types))
        for field in dataclasses.fields(self):
            value, kind, choices = getattr(self, field.name), field.type, typing.get_args(field.type)
            if type(None) in choices:
                kind, choices = choices[0], typing.get_args(choices[0])
                if value is None:
                    continue
            fits, expected = (choices.__contains__, f"one of {', '.join(choices)}") if choices else RULES[kind]
            if not fits(value):
                raise ValueError(f"{field.name}={value!r}: expected {expected}")
        for broken, message in self._contradictions():
            if broken:
                raise ValueError(message)
        if not self.is_global(self.layers - 1):
            layers = f"layers={self.layers}, layer_types={self.layer_types}"
            warnings.warn(f"{layers}: the last layer is local; published models end on a global one", stacklevel=3)

    def _contradictions(self) -> list[tuple]:
        """What must not be true of two fields together, and the message if it is."""
        rope, local, post = self.position == "rope", "local" in self.layer_types, self.norm_placement == "post"
        two_layer, size = self.mlm_head == "two_layer", self.mlm_head_size
        window, theta, ids = self.local_window, self.rope_theta_local, ("pad_id", "mask_id", "cls_id", "sep_id")
        outside = [f"{name}={getattr(self, name)}" for name in ids if getattr(self, name) >= self.vocab_size]
        return [
            (outside, f"{', '.join(outside)}: expected an id below vocab_size={self.vocab_size}"),
            (self.hidden % self.heads, f"hidden={self.hidden} does not divide into heads={self.heads}"),
            (self.heads % self.groups, f"kv_heads={self.kv_heads}: heads={self.heads} must be a multiple of it"),
            (rope and self.head_size % 2, f"head size {self.head_size} is odd: RoPE rotates pairs of channels"),
            (rope == (self.rope_theta is None), f"rope_theta={self.rope_theta}: for position='rope', and only there"),
            (rope and self.position_offset, "position_offset belongs to position='learned'"),
            (local == (window is None), f"local_window={window}: for local layers in layer_types, and only there"),
            (local and (window or 0) % 2, f"local_window={window}: expected an even number, half of it on each side"),
            (
                (local and rope) == (theta is None),
                f"rope_theta_local={theta}: for local layers with RoPE, and only there",
            ),
            (post and self.skip_first_attn_norm, "skip_first_attn_norm belongs to norm_placement='pre'"),
            (post and self.final_norm, "final_norm belongs to norm_placement='pre': post-norm blocks end normalised"),
            (self.skip_first_attn_norm and not self.embed_norm, "skip_first_attn_norm needs embed_norm"),
            (self.norm == "rmsnorm" and self.norm_bias, "RMSNorm has no bias: set norm_bias=False"),
            (self.nsp and self.pool != "bert", f"nsp needs pool='bert' (the [CLS] pooler), not {self.pool!r}"),
            (two_layer == (size is None), f"mlm_head_size={size}: for mlm_head='two_layer', and only there"),
        ]

    @property
    def head_size(self) -> int:
        """K, the channels of one head."""
        return self.hidden // self.heads

    @property
    def groups(self) -> int:
        """G, the number of key/value heads: `kv_heads`, or `heads` when that is None."""
        return self.heads if self.kv_heads is None else self.kv_heads

    @property
    def half_window(self) -> int | None:
        """W, how many tokens a local layer sees on each side (inclusive), or None when all layers are global."""
        return None if self.local_window is None else self.local_window // 2

    @property
    def family(self) -> str:
        """Whose block this is: "bert", "modernbert" or "eurobert" (their relatives, too); "mixed" for another."""
        return {
            ("learned", "layernorm", "post", "plain"): "bert",
            ("rope", "layernorm", "post", "glu"): "bert",  # NomicBERT
            ("rope", "layernorm", "pre", "glu"): "modernbert",
            ("rope", "rmsnorm", "pre", "glu"): "eurobert",
        }.get((self.position, self.norm, self.norm_placement, self.mlp), "mixed")

    def is_global(self, layer: int) -> bool:
        """Whether `layer` (from 0) sees the whole document. Source: Warner et al. 2024, section 2.1.1."""
        return self.layer_types[layer % len(self.layer_types)] == "global"

    def replace(self, **changes) -> "EncoderConfig":
        """A copy with some fields changed, validated again.

        >>> EncoderConfig.preset("bert-nano").replace(layers=2).layers
        2
        """
        unknown = set(changes) - {field.name for field in dataclasses.fields(self)}
        if unknown:
            raise ValueError(f"unknown field(s) {sorted(unknown)}: see EncoderConfig for the names")
        return dataclasses.replace(self, **changes)

    @classmethod
    def preset(cls, name: str) -> "EncoderConfig":
        """A published model, or one of the CPU-sized `*-nano` ones, by name.

        >>> EncoderConfig.preset("eurobert-610m").groups
        6
        """
        if name not in PRESETS:
            raise ValueError(f"no preset {name!r}; there are: {', '.join(PRESETS)}")
        return cls(**PRESETS[name])
