"""NeoBERT's folder: EuroBERT's block, with query, key and value fused head by head and RoPE in neighbouring channels.

Its RoPE rotates channels 2k and 2k + 1 together, ours k and k + K/2: on loading, the rows of queries and keys change
places, and then both compute the same. `intermediate_size` counts a layer without a gate; two thirds of it, rounded up
to a multiple of 8, are the real width. transformers has no such model: a test has the published formulas.
Sources: the released code; Le Breton et al. 2025, section 3.
"""

import torch
from torch import Tensor

from minibert.checkpoints import bert
from minibert.config import EncoderConfig
from minibert.presets import NEOBERT


def read(keys) -> dict:
    """The EncoderConfig fields that NeoBERT's config.json states.

    Raises:
        ValueError: naming a key whose value our encoder cannot express.

    >>> from minibert.checkpoints.keys import Keys
    >>> read(Keys({"intermediate_size": 3072}))["intermediate"]
    2048
    """
    hidden, heads = keys.whole("hidden_size", 768), keys.whole("num_attention_heads", 12)
    keys.plain_heads(hidden, heads, "dim_head")
    keys.demand("hidden_act", ("SwiGLU", "swiglu"), "SwiGLU")
    for key in ("rms_norm", "rope"):
        keys.demand(key, (True,), "true, as in the published model")
    for key in ("ngpt", "tie_word_embeddings"):
        keys.demand(key, (False,), "false, as in the published model")
    return NEOBERT | dict(
        vocab_size=keys.whole("vocab_size", 30522),
        hidden=hidden,
        layers=keys.whole("num_hidden_layers", 28),
        heads=heads,
        intermediate=-(-int(2 * keys.whole("intermediate_size", 3072) / 3) // 8) * 8,
        max_len=keys.whole("max_length", 4096),
        norm_eps=keys.number("norm_eps", 1e-6),
        dropout_classifier=keys.number("classifier_dropout", 0.1),
        init_std=keys.number("decoder_init_range", 0.02),
    )


def write(config: EncoderConfig) -> dict:
    """NeoBERT's config.json for `config`.

    >>> write(EncoderConfig.preset("neobert"))["intermediate_size"]
    3072
    """
    return dict(
        model_type="neobert",
        vocab_size=config.vocab_size,
        hidden_size=config.hidden,
        num_hidden_layers=config.layers,
        num_attention_heads=config.heads,
        dim_head=config.head_size,
        intermediate_size=3 * config.intermediate // 2,
        max_length=config.max_len,
        norm_eps=config.norm_eps,
        classifier_dropout=config.dropout_classifier,
        decoder_init_range=config.init_std,
        embedding_init_range=config.init_std,
        pad_token_id=config.pad_id,
        mask_token_id=config.mask_id,
        cls_token_id=config.cls_id,
        sep_token_id=config.sep_id,
    )


# ---- names of weights, ours <- theirs


def rows(config: EncoderConfig) -> Tensor:
    """Which row of their fused matrix is row 0, 1, 2, ... of ours: (3 H K,).

    >>> rows(EncoderConfig(hidden=8, heads=2, nsp=False, pool="mean")).tolist()[:8]  # 2 queries of 4: 0 2 1 3
    [0, 2, 1, 3, 12, 14, 13, 15]
    """
    theirs = torch.arange(3 * config.hidden).view(config.heads, 3, config.head_size).transpose(0, 1)  # (3, H, K)
    query_key, value = theirs[:2], theirs[2:]
    halves = torch.cat([query_key[..., ::2], query_key[..., 1::2]], dim=-1)  # neighbours, half a head apart
    return torch.cat([halves, value]).flatten()


BODY = {
    "embeddings.token.weight": "encoder.weight",
    "blocks.{i}.attention_norm.weight": "transformer_encoder.{i}.attention_norm.weight",
    "blocks.{i}.attention.query_key_value.weight": "transformer_encoder.{i}.qkv.weight",
    "blocks.{i}.attention.output.weight": "transformer_encoder.{i}.wo.weight",
    "blocks.{i}.feed_forward_norm.weight": "transformer_encoder.{i}.ffn_norm.weight",
    "blocks.{i}.feed_forward.gate_up.weight": "transformer_encoder.{i}.ffn.w12.weight",
    "blocks.{i}.feed_forward.output.weight": "transformer_encoder.{i}.ffn.w3.weight",
    "final_norm.weight": "layer_norm.weight",
}
DENSE = {"pooler.dense.weight": "dense.weight", "pooler.dense.bias": "dense.bias"}

NAMES = dict(
    prefix="model.",
    body=BODY,
    heads={
        "MaskedLanguageModel": {"decoder.weight": "decoder.weight", "decoder.bias": "decoder.bias"},
        "SequenceClassifier": bert.CLASSIFIER | DENSE,
        "TokenClassifier": bert.CLASSIFIER,
        "SpanReader": bert.CLASSIFIER,
    },
    tied={},
    architectures={
        "Encoder": "NeoBERT",
        "MaskedLanguageModel": "NeoBERTLMHead",
        "SequenceClassifier": "NeoBERTForSequenceClassification",
        "TokenClassifier": "TokenClassifier",  # the published code has no such model
        "SpanReader": "SpanReader",
    },
    rows=rows,
)
