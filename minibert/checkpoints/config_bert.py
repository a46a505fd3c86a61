"""BERT's config.json. Source: `BertConfig` of transformers 5; its defaults stand in for absent keys."""

from minibert.checkpoints.config_keys import (
    ACTIVATIONS,
    WRITTEN_ACTIVATIONS,
    choice,
    demand,
    flag,
    number,
    refuse,
    whole,
)
from minibert.config import EncoderConfig

IDS = {"pad_id": 0, "mask_id": 103, "cls_id": 101, "sep_id": 102}


def read_bert(raw: dict) -> dict:
    """The EncoderConfig fields that BERT's config.json states, special ids aside.

    Raises:
        ValueError: naming a key whose value our encoder cannot express.

    >>> read_bert({"num_hidden_layers": 6})["layers"]
    6
    """
    demand(raw, "position_embedding_type", ("absolute",), "absolute")
    for key in ("is_decoder", "add_cross_attention"):
        demand(raw, key, (False,), "false (an encoder sees both sides)")
    demand(raw, "pruned_heads", ({},), "none")
    segments = whole(raw, "type_vocab_size", 2)
    if segments != 2:
        refuse("type_vocab_size", segments, "2 (sentence A and sentence B)")
    dropout = number(raw, "hidden_dropout_prob", 0.1)
    return dict(
        vocab_size=whole(raw, "vocab_size", 30522),
        hidden=whole(raw, "hidden_size", 768),
        layers=whole(raw, "num_hidden_layers", 12),
        heads=whole(raw, "num_attention_heads", 12),
        intermediate=whole(raw, "intermediate_size", 3072),
        max_len=whole(raw, "max_position_embeddings", 512),
        norm_eps=number(raw, "layer_norm_eps", 1e-12),
        act=choice(raw, "hidden_act", "gelu", ACTIVATIONS),
        dropout_embed=dropout,
        dropout_attn_probs=number(raw, "attention_probs_dropout_prob", 0.1),
        dropout_attn_out=dropout,
        dropout_mlp_out=dropout,
        dropout_classifier=number(raw, "classifier_dropout", dropout),
        tie=flag(raw, "tie_word_embeddings", True),
        init_std=number(raw, "initializer_range", 0.02),
    )


def write_bert(config: EncoderConfig) -> dict:
    """BERT's config.json for `config`. The ids of [MASK], [CLS] and [SEP] are additions that readers ignore.

    >>> write_bert(EncoderConfig.preset("bert-nano"))["hidden_size"]
    128
    """
    return dict(
        model_type="bert",
        vocab_size=config.vocab_size,
        hidden_size=config.hidden,
        num_hidden_layers=config.layers,
        num_attention_heads=config.heads,
        intermediate_size=config.intermediate,
        max_position_embeddings=config.max_len,
        type_vocab_size=config.segments,
        position_embedding_type="absolute",
        layer_norm_eps=config.norm_eps,
        hidden_act=WRITTEN_ACTIVATIONS[config.act],
        hidden_dropout_prob=config.dropout_attn_out,
        attention_probs_dropout_prob=config.dropout_attn_probs,
        classifier_dropout=config.dropout_classifier,
        tie_word_embeddings=config.tie,
        initializer_range=config.init_std,
        pad_token_id=config.pad_id,
        mask_token_id=config.mask_id,
        cls_token_id=config.cls_id,
        sep_token_id=config.sep_id,
    )
