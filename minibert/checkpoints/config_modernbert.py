"""ModernBERT's config.json, in the spelling of transformers 4 and of 5.

Version 5 moved both thetas into `rope_parameters` and the layer pattern into `layer_types`. We read either and write
both, so that no reader falls back to a default theta in silence. Source: `ModernBertConfig` of transformers 4.48 and 5.
"""

from minibert.checkpoints.config_keys import (
    ACTIVATIONS,
    WRITTEN_ACTIVATIONS,
    choice,
    flag,
    number,
    plain_rope,
    refuse,
    same_bias,
    whole,
)
from minibert.config import EncoderConfig
from minibert.presets import MODERNBERT

IDS = {name: MODERNBERT[name] for name in ("pad_id", "mask_id", "cls_id", "sep_id")}
FULL, LOCAL = "full_attention", "sliding_attention"


def read_modernbert(raw: dict) -> dict:
    """The EncoderConfig fields that ModernBERT's config.json states, special ids aside.

    Raises:
        ValueError: naming a key whose value our encoder cannot express.

    >>> fields = read_modernbert({"global_rope_theta": 80000.0, "num_hidden_layers": 4})
    >>> fields["rope_theta"], fields["global_every"], fields["local_window"]
    (80000.0, 3, 128)
    """
    layers = whole(raw, "num_hidden_layers", 22)
    every = _global_every(raw, layers)
    theta, theta_local = _thetas(raw)
    window = whole(raw, "local_attention", 128)
    if window < 2:
        refuse("local_attention", window, "at least 2 tokens")
    act = choice(raw, "hidden_activation", "gelu", ACTIVATIONS)
    head_act = choice(raw, "classifier_activation", "gelu", ACTIVATIONS)
    if head_act != act:
        refuse("classifier_activation", raw.get("classifier_activation", "gelu"), "the same as hidden_activation")
    attention_dropout = number(raw, "attention_dropout", 0.0)
    return MODERNBERT | dict(
        vocab_size=whole(raw, "vocab_size", 50368),
        hidden=whole(raw, "hidden_size", 768),
        layers=layers,
        heads=whole(raw, "num_attention_heads", 12),
        intermediate=whole(raw, "intermediate_size", 1152),
        max_len=whole(raw, "max_position_embeddings", 8192),
        rope_theta=theta,
        rope_theta_local=theta_local if every > 1 else None,
        global_every=every,
        local_window=2 * (window // 2) if every > 1 else None,  # half of it on each side, rounded down
        norm_eps=number(raw, "norm_eps", 1e-5),
        norm_bias=flag(raw, "norm_bias", False),
        act=act,
        bias=same_bias(raw),
        dropout_embed=number(raw, "embedding_dropout", 0.0),
        dropout_attn_probs=attention_dropout,
        dropout_attn_out=attention_dropout,  # one key for both places
        dropout_mlp_inner=number(raw, "mlp_dropout", 0.0),
        dropout_classifier=number(raw, "classifier_dropout", 0.0),
        head_bias=flag(raw, "classifier_bias", False),
        decoder_bias=flag(raw, "decoder_bias", True),
        tie=flag(raw, "tie_word_embeddings", True),
        pool=choice(raw, "classifier_pooling", "cls", {"cls": "cls", "mean": "mean"}),
        init_std=number(raw, "initializer_range", 0.02),
        init_cutoff=number(raw, "initializer_cutoff_factor", 2.0),
    )


def write_modernbert(config: EncoderConfig) -> dict:
    """ModernBERT's config.json for `config`, with old and new keys.

    >>> raw = write_modernbert(EncoderConfig.preset("modernbert-base"))
    >>> raw["rope_parameters"]["sliding_attention"]["rope_theta"], raw["local_rope_theta"]
    (10000.0, 10000.0)
    """
    local_theta = 10_000.0 if config.rope_theta_local is None else config.rope_theta_local
    return dict(
        model_type="modernbert",
        vocab_size=config.vocab_size,
        hidden_size=config.hidden,
        num_hidden_layers=config.layers,
        num_attention_heads=config.heads,
        intermediate_size=config.intermediate,
        max_position_embeddings=config.max_len,
        rope_parameters={
            FULL: {"rope_type": "default", "rope_theta": config.rope_theta},
            LOCAL: {"rope_type": "default", "rope_theta": local_theta},
        },
        global_rope_theta=config.rope_theta,
        local_rope_theta=local_theta,
        layer_types=[FULL if config.is_global(layer) else LOCAL for layer in range(config.layers)],
        global_attn_every_n_layers=config.global_every,
        local_attention=128 if config.local_window is None else config.local_window,
        norm_eps=config.norm_eps,
        norm_bias=config.norm_bias,
        hidden_activation=WRITTEN_ACTIVATIONS[config.act],
        classifier_activation=WRITTEN_ACTIVATIONS[config.act],
        attention_bias=config.bias,
        mlp_bias=config.bias,
        embedding_dropout=config.dropout_embed,
        attention_dropout=config.dropout_attn_probs,
        mlp_dropout=config.dropout_mlp_inner,
        classifier_dropout=config.dropout_classifier,
        classifier_bias=config.head_bias,
        decoder_bias=config.decoder_bias,
        tie_word_embeddings=config.tie,
        classifier_pooling=config.pool if config.pool in ("cls", "mean") else "cls",
        initializer_range=config.init_std,
        initializer_cutoff_factor=config.init_cutoff,
        pad_token_id=config.pad_id,
        mask_token_id=config.mask_id,
        cls_token_id=config.cls_id,
        bos_token_id=config.cls_id,
        sep_token_id=config.sep_id,
        eos_token_id=config.sep_id,
    )


def _global_every(raw: dict, layers: int) -> int:
    stated = whole(raw, "global_attn_every_n_layers", 3)
    if stated < 1:
        refuse("global_attn_every_n_layers", stated, "at least 1")
    kinds = raw.get("layer_types")
    if kinds is None:
        return stated
    for every in (stated, *range(1, layers + 1)):
        if kinds == [LOCAL if layer % every else FULL for layer in range(layers)]:
            return every
    refuse("layer_types", kinds, f"{layers} entries, {FULL} in every n-th layer from the first, {LOCAL} elsewhere")


def _thetas(raw: dict) -> tuple[float, float]:
    plain_rope(raw.get("rope_scaling"), "rope_scaling")
    new = raw.get("rope_parameters") or {}
    if not isinstance(new, dict) or set(new) - {FULL, LOCAL}:
        refuse("rope_parameters", new, f"the two entries {FULL} and {LOCAL}")
    full = plain_rope(new.get(FULL), f"rope_parameters.{FULL}")
    local = plain_rope(new.get(LOCAL), f"rope_parameters.{LOCAL}")
    theta = number(full, "rope_theta", number(raw, "global_rope_theta", 160_000.0))
    # an old file may state null: "as in the global layers"
    old_local = theta if "local_rope_theta" in raw else 10_000.0
    return theta, number(local, "rope_theta", number(raw, "local_rope_theta", old_local))
