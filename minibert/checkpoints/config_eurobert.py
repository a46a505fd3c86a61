"""EuroBERT's config.json, in the spelling of transformers 4 and of 5.

Version 5 moved `rope_theta` into `rope_parameters`. We read either and write both: a reader that finds neither takes
10,000, which is not the published 250,000, and says nothing. Source: `EuroBertConfig` of transformers 5.
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
from minibert.presets import EUROBERT

IDS = {name: EUROBERT[name] for name in ("pad_id", "mask_id", "cls_id", "sep_id")}
POOLING = {"bos": "cls", "mean": "mean", "late": "late"}


def read_eurobert(raw: dict) -> dict:
    """The EncoderConfig fields that EuroBERT's config.json states, special ids aside.

    Raises:
        ValueError: naming a key whose value our encoder cannot express.

    >>> read_eurobert({"rope_theta": 250000, "num_key_value_heads": 6})["rope_theta"]
    250000
    """
    hidden, heads = whole(raw, "hidden_size", 768), whole(raw, "num_attention_heads", 12)
    head_size = whole(raw, "head_dim", None)
    if head_size is not None and head_size * heads != hidden:
        refuse("head_dim", head_size, f"hidden_size / num_attention_heads = {hidden}/{heads}")
    bias = same_bias(raw)
    return EUROBERT | dict(
        vocab_size=whole(raw, "vocab_size", 128256),
        hidden=hidden,
        layers=whole(raw, "num_hidden_layers", 12),
        heads=heads,
        kv_heads=whole(raw, "num_key_value_heads", heads),
        intermediate=whole(raw, "intermediate_size", 3072),
        max_len=whole(raw, "max_position_embeddings", 8192),
        rope_theta=_theta(raw),
        norm_eps=number(raw, "rms_norm_eps", 1e-5),
        act=choice(raw, "hidden_act", "silu", ACTIVATIONS),
        bias=bias,
        decoder_bias=bias,  # the vocabulary matrix follows mlp_bias
        dropout_attn_probs=number(raw, "attention_dropout", 0.0),
        tie=flag(raw, "tie_word_embeddings", False),
        pool=choice(raw, "classifier_pooling", "late", POOLING),
        init_std=number(raw, "initializer_range", 0.02),
    )


def write_eurobert(config: EncoderConfig) -> dict:
    """EuroBERT's config.json for `config`, with old and new keys.

    >>> write_eurobert(EncoderConfig.preset("eurobert-210m"))["rope_parameters"]
    {'rope_type': 'default', 'rope_theta': 250000.0}
    """
    pooling = {ours: theirs for theirs, ours in POOLING.items()}
    return dict(
        model_type="eurobert",
        vocab_size=config.vocab_size,
        hidden_size=config.hidden,
        num_hidden_layers=config.layers,
        num_attention_heads=config.heads,
        num_key_value_heads=config.groups,
        head_dim=config.head_size,
        intermediate_size=config.intermediate,
        max_position_embeddings=config.max_len,
        rope_parameters={"rope_type": "default", "rope_theta": config.rope_theta},
        rope_theta=config.rope_theta,
        rms_norm_eps=config.norm_eps,
        hidden_act=WRITTEN_ACTIVATIONS[config.act],
        attention_bias=config.bias,
        mlp_bias=config.bias,
        attention_dropout=config.dropout_attn_probs,
        tie_word_embeddings=config.tie,
        classifier_pooling=pooling.get(config.pool, "late"),
        initializer_range=config.init_std,
        pad_token_id=config.pad_id,
        mask_token_id=config.mask_id,
        bos_token_id=config.cls_id,
        eos_token_id=config.sep_id,
    )


def _theta(raw: dict) -> float:
    plain_rope(raw.get("rope_scaling"), "rope_scaling")
    parameters = plain_rope(raw.get("rope_parameters"), "rope_parameters")
    if any(isinstance(value, dict) for value in parameters.values()):
        refuse("rope_parameters", parameters, "one theta for all layers")
    return number(parameters, "rope_theta", number(raw, "rope_theta", 10_000.0))
