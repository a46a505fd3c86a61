"""One frozen dataclass that spells BERT, ModernBERT and EuroBERT, and every mixture between them."""

import dataclasses
import math
import warnings
from dataclasses import dataclass

from minibert.presets import PRESETS

CHOICES = {
    "position": ("learned", "rope"),
    "norm": ("layernorm", "rmsnorm"),
    "norm_placement": ("post", "pre"),
    "mlp": ("plain", "glu"),
    "act": ("gelu", "gelu_tanh", "silu"),
    "mlm_head": ("transform", "linear"),
    "pool": ("bert", "cls", "mean", "late"),
    "init": ("normal", "trunc", "megatron"),
}
SIZES = ("vocab_size", "hidden", "layers", "heads", "intermediate", "max_len", "global_every")
RATES = tuple(f"dropout_{place}" for place in ("embed", "attn_probs", "attn_out", "mlp_inner", "mlp_out", "classifier"))
SWITCHES = ("norm_bias", "embed_norm", "skip_first_attn_norm", "final_norm", "bias", "head_bias", "decoder_bias")
SWITCHES += ("tie", "nsp")
SPECIAL_IDS = ("pad_id", "mask_id", "cls_id", "sep_id")


@dataclass(frozen=True)
class EncoderConfig:
    """Every choice that tells one text encoder from another; the defaults are BERT-base.

    Sizes are counts, `dropout_*` are probabilities, `local_window` is the total width of a local layer in tokens:
    128 means 64 to the left, the token itself and 64 to the right, 129 keys in all. Layer `i` attends globally when
    `i % global_every == 0` and locally otherwise. `max_len` is a hard limit with learned positions and a promise of
    the training length with RoPE.

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
    position: str = "learned"
    rope_theta: float | None = None
    rope_theta_local: float | None = None
    global_every: int = 1
    local_window: int | None = None
    segments: int = 2
    norm: str = "layernorm"
    norm_eps: float = 1e-12
    norm_bias: bool = True
    norm_placement: str = "post"
    embed_norm: bool = True
    skip_first_attn_norm: bool = False
    final_norm: bool = False
    mlp: str = "plain"
    act: str = "gelu"
    bias: bool = True
    dropout_embed: float = 0.1
    dropout_attn_probs: float = 0.1
    dropout_attn_out: float = 0.1
    dropout_mlp_inner: float = 0.0
    dropout_mlp_out: float = 0.1
    dropout_classifier: float = 0.1
    mlm_head: str = "transform"
    head_bias: bool = True
    decoder_bias: bool = True
    tie: bool = True
    pool: str = "bert"
    nsp: bool = True
    init: str = "trunc"
    init_std: float = 0.02
    init_cutoff: float = 2.0
    pad_id: int = 0
    mask_id: int = 103
    cls_id: int = 101
    sep_id: int = 102

    def __post_init__(self):
        self._check_ranges()
        self._check_agreement()

    def _check_ranges(self):
        for name in SIZES:
            value = getattr(self, name)
            if type(value) is not int or value < 1:
                raise ValueError(f"{name}={value!r}: expected a whole number of at least 1")
        for name, allowed in CHOICES.items():
            if getattr(self, name) not in allowed:
                raise ValueError(f"{name}={getattr(self, name)!r}: expected one of {', '.join(allowed)}")
        for name in RATES:
            if type(getattr(self, name)) not in (int, float) or not 0.0 <= getattr(self, name) < 1.0:
                raise ValueError(f"{name}={getattr(self, name)!r}: a dropout rate lies in [0, 1)")
        for name in SPECIAL_IDS:
            if type(getattr(self, name)) is not int or not 0 <= getattr(self, name) < self.vocab_size:
                raise ValueError(f"{name}={getattr(self, name)!r}: expected an id below vocab_size={self.vocab_size}")
        for name in SWITCHES:
            if type(getattr(self, name)) is not bool:
                raise ValueError(f"{name}={getattr(self, name)!r}: expected True or False")
        for name in ("norm_eps", "init_std", "init_cutoff"):
            if not _positive(getattr(self, name)):
                raise ValueError(f"{name}={getattr(self, name)!r}: expected a positive number")
        if type(self.segments) is not int or self.segments not in (0, 2):
            raise ValueError(f"segments={self.segments!r}: expected 0 (no segment embedding) or 2 (sentence A and B)")

    def _check_agreement(self):
        def require(condition: bool, message: str):
            if not condition:
                raise ValueError(message)

        groups = self.groups
        require(self.hidden % self.heads == 0, f"hidden={self.hidden} does not divide into heads={self.heads}")
        require(
            type(groups) is int and groups >= 1 and self.heads % groups == 0,
            f"kv_heads={self.kv_heads}: heads={self.heads} must be a multiple of it (each group shares one key head)",
        )
        if self.position == "rope":
            require(self.head_size % 2 == 0, f"head size {self.head_size} is odd: RoPE rotates pairs of channels")
            require(_positive(self.rope_theta), f"rope_theta={self.rope_theta!r}: RoPE needs a positive base")
        else:
            require(self.rope_theta is None, "rope_theta is set, but position='learned' has no rotation: leave it None")
        local = self.global_every > 1
        if (self.layers - 1) % self.global_every:
            layers = f"layers={self.layers}, global_every={self.global_every}"
            warnings.warn(f"{layers}: the last layer is local; published models end on a global one", stacklevel=4)
        require(
            local == (self.local_window is not None),
            f"global_every={self.global_every} and local_window={self.local_window} go together: "
            "every layer global (1, None), or local layers with a window (say 3, 128)",
        )
        if local:
            require(
                type(self.local_window) is int and self.local_window >= 2 and self.local_window % 2 == 0,
                f"local_window={self.local_window!r}: expected an even number of tokens, half of it on each side",
            )
        local_rope = local and self.position == "rope"
        require(
            _positive(self.rope_theta_local) if local_rope else self.rope_theta_local is None,
            f"rope_theta_local={self.rope_theta_local!r}: expected a positive base for a RoPE model with local layers, "
            "else None",
        )
        if self.norm_placement == "post":
            require(not self.skip_first_attn_norm, "skip_first_attn_norm belongs to norm_placement='pre'")
            require(not self.final_norm, "final_norm belongs to norm_placement='pre': post-norm blocks end normalised")
        require(
            self.embed_norm or not self.skip_first_attn_norm,
            "skip_first_attn_norm needs embed_norm: otherwise the first block reads an input nobody normalised",
        )
        require(not (self.norm == "rmsnorm" and self.norm_bias), "RMSNorm has no bias: set norm_bias=False")
        require(not self.nsp or self.pool == "bert", f"nsp needs pool='bert' (the [CLS] pooler), not {self.pool!r}")

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
        """The published family whose block this is: "bert", "modernbert" or "eurobert"; "mixed" for your own."""
        signature = (self.position, self.norm, self.norm_placement, self.mlp, self.mlm_head)
        return {
            ("learned", "layernorm", "post", "plain", "transform"): "bert",
            ("rope", "layernorm", "pre", "glu", "transform"): "modernbert",
            ("rope", "rmsnorm", "pre", "glu", "linear"): "eurobert",
        }.get(signature, "mixed")

    def is_global(self, layer: int) -> bool:
        """Whether `layer` (from 0) sees the whole document. Source: Warner et al. 2024, section 2.1.1."""
        return layer % self.global_every == 0

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


def _positive(value) -> bool:
    return type(value) in (int, float) and value > 0 and math.isfinite(value)
