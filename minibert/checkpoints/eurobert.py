"""EuroBERT's folder: its config.json in the spelling of transformers 4 and of 5, and its weights' names.

Version 5 moved `rope_theta` into `rope_parameters`. We read either and write both: a reader that finds neither takes
10,000, which is not the published 250,000, and says nothing. The published models have no biases but those of the
classification heads; the lines for the others serve configs that switch them on.
Sources: `EuroBertConfig` of transformers 5; the released checkpoints and `EuroBertForMaskedLM`.
"""

from minibert.checkpoints import bert
from minibert.checkpoints.keys import WRITTEN
from minibert.config import EncoderConfig
from minibert.presets import EUROBERT

POOLING = {"bos": "cls", "mean": "mean", "late": "late"}
POOLED = {ours: theirs for theirs, ours in POOLING.items()}


def read(keys) -> dict:
    """The EncoderConfig fields that EuroBERT's config.json states, special ids aside.

    Raises:
        ValueError: naming a key whose value our encoder cannot express.

    >>> from minibert.checkpoints.keys import Keys
    >>> read(Keys({"rope_theta": 250000, "num_key_value_heads": 6}))["rope_theta"]
    250000
    """
    hidden, heads = keys.whole("hidden_size", 768), keys.whole("num_attention_heads", 12)
    keys.plain_heads(hidden, heads)
    return EUROBERT | dict(
        vocab_size=keys.whole("vocab_size", 128256),
        hidden=hidden,
        layers=keys.whole("num_hidden_layers", 12),
        heads=heads,
        kv_heads=keys.whole("num_key_value_heads", heads),
        intermediate=keys.whole("intermediate_size", 3072),
        max_len=keys.whole("max_position_embeddings", 8192),
        rope_theta=keys.one_theta(10_000.0),
        norm_eps=keys.number("rms_norm_eps", 1e-5),
        act=keys.activation("hidden_act", "silu"),
        attention_bias=keys.flag("attention_bias", False),
        mlp_bias=keys.flag("mlp_bias", False),
        decoder_bias=keys.flag("mlp_bias", False),  # the vocabulary matrix follows the blocks
        dropout_attn_probs=keys.number("attention_dropout", 0.0),
        tie=keys.flag("tie_word_embeddings", False),
        pool=_pooling(keys),
        init_std=keys.number("initializer_range", 0.02),
    )


def write(config: EncoderConfig) -> dict:
    """EuroBERT's config.json for `config`, with old and new keys.

    >>> write(EncoderConfig.preset("eurobert-210m"))["rope_parameters"]
    {'rope_type': 'default', 'rope_theta': 250000.0}
    """
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
        hidden_act=WRITTEN[config.act],
        attention_bias=config.attention_bias,
        mlp_bias=config.mlp_bias,
        attention_dropout=config.dropout_attn_probs,
        tie_word_embeddings=config.tie,
        classifier_pooling=POOLED.get(config.pool, "late"),
        clf_pooling=POOLED.get(config.pool, "late"),
        initializer_range=config.init_std,
        pad_token_id=config.pad_id,
        mask_token_id=config.mask_id,
        bos_token_id=config.cls_id,
        eos_token_id=config.sep_id,
    )


def _pooling(keys) -> str:
    """`clf_pooling` is what the released code calls it, `classifier_pooling` what transformers 5 does."""
    old = keys.choice("clf_pooling", "late", POOLING)
    new = keys.choice("classifier_pooling", POOLED[old], POOLING)
    if keys.get("clf_pooling") is not None and old != new:
        keys.refuse("clf_pooling", keys.get("clf_pooling"), f"the same as classifier_pooling ({POOLED[new]})")
    return new


# ---- names of weights, ours <- theirs

BODY = {
    "embeddings.token.weight": "embed_tokens.weight",
    "blocks.{i}.attention_norm.weight": "layers.{i}.input_layernorm.weight",
    "blocks.{i}.attention.query_key_value.weight": (
        "layers.{i}.self_attn.q_proj.weight",
        "layers.{i}.self_attn.k_proj.weight",
        "layers.{i}.self_attn.v_proj.weight",
    ),
    "blocks.{i}.attention.query_key_value.bias": (
        "layers.{i}.self_attn.q_proj.bias",
        "layers.{i}.self_attn.k_proj.bias",
        "layers.{i}.self_attn.v_proj.bias",
    ),
    "blocks.{i}.attention.output.weight": "layers.{i}.self_attn.o_proj.weight",
    "blocks.{i}.attention.output.bias": "layers.{i}.self_attn.o_proj.bias",
    "blocks.{i}.feed_forward_norm.weight": "layers.{i}.post_attention_layernorm.weight",
    "blocks.{i}.feed_forward.gate_up.weight": (  # gate, the half that is activated, first
        "layers.{i}.mlp.gate_proj.weight",
        "layers.{i}.mlp.up_proj.weight",
    ),
    "blocks.{i}.feed_forward.gate_up.bias": ("layers.{i}.mlp.gate_proj.bias", "layers.{i}.mlp.up_proj.bias"),
    "blocks.{i}.feed_forward.output.weight": "layers.{i}.mlp.down_proj.weight",
    "blocks.{i}.feed_forward.output.bias": "layers.{i}.mlp.down_proj.bias",
    "final_norm.weight": "norm.weight",
}
VOCABULARY = {"decoder.weight": "lm_head.weight", "decoder.bias": "lm_head.bias"}
SEQUENCE_CLASSIFIER = bert.CLASSIFIER | {
    "head.head.dense.weight": "dense.weight",
    "head.head.dense.bias": "dense.bias",
}

NAMES = dict(
    prefix="model.",
    body=BODY,
    heads={
        "MaskedLanguageModel": VOCABULARY,
        "SequenceClassifier": SEQUENCE_CLASSIFIER,
        "TokenClassifier": bert.CLASSIFIER,
        "SpanReader": bert.CLASSIFIER,
    },
    tied={"lm_head.weight": "embed_tokens.weight"},  # only when the config ties them, which no published one does
    architectures={
        "Encoder": "EuroBertModel",
        "MaskedLanguageModel": "EuroBertForMaskedLM",
        "SequenceClassifier": "EuroBertForSequenceClassification",
        "TokenClassifier": "EuroBertForTokenClassification",
        "SpanReader": "SpanReader",  # transformers has no such EuroBERT model
    },
)
