"""ModernBERT's folder: its config.json in the spelling of transformers 4 and of 5, and its weights' names.

Version 5 moved both thetas into `rope_parameters` and the layer pattern into `layer_types`. We read either and write
both, so that no reader falls back to a default theta in silence. Wqkv and Wi are fused like ours, in the same order.
The published models have no biases but the decoder's; the lines for the others serve configs that switch them on.
Sources: `ModernBertConfig` of transformers 4.48 and 5; the released checkpoints and `ModernBertForMaskedLM`.
"""

from minibert.checkpoints.keys import FULL, LOCAL, WRITTEN, written_layer_types
from minibert.config import EncoderConfig
from minibert.presets import MODERNBERT


def read(keys) -> dict:
    """The EncoderConfig fields that ModernBERT's config.json states, special ids aside.

    Raises:
        ValueError: naming a key whose value our encoder cannot express.

    >>> from minibert.checkpoints.keys import Keys
    >>> fields = read(Keys({"global_rope_theta": 80000.0, "num_hidden_layers": 4}))
    >>> fields["rope_theta"], fields["layer_types"], fields["local_window"]
    (80000.0, ('global', 'local', 'local'), 128)
    """
    layers = keys.whole("num_hidden_layers", 22)
    hidden, heads = keys.whole("hidden_size", 768), keys.whole("num_attention_heads", 12)
    keys.plain_heads(hidden, heads)
    every = keys.whole("global_attn_every_n_layers", 3)
    if every < 1:
        keys.refuse("global_attn_every_n_layers", every, "at least 1")
    types = keys.layer_types(layers, ("global", *["local"] * (every - 1)))
    local = "local" in types
    # an old file may state null for local layers: "as in the global ones"
    is_null = "local_rope_theta" in keys.raw and keys.raw["local_rope_theta"] is None
    old_local = None if is_null else keys.number("local_rope_theta", 10_000.0)
    theta, theta_local = keys.thetas(keys.number("global_rope_theta", 160_000.0), old_local)
    window = _window(keys)
    if window < 2:
        keys.refuse("local_attention", window, "at least 2 tokens")
    act, head_act = keys.activation("hidden_activation", "gelu"), keys.activation("classifier_activation", "gelu")
    attention_dropout = keys.number("attention_dropout", 0.0)
    return MODERNBERT | dict(
        vocab_size=keys.whole("vocab_size", 50368),
        hidden=hidden,
        layers=layers,
        heads=heads,
        intermediate=keys.whole("intermediate_size", 1152),
        max_len=keys.whole("max_position_embeddings", 8192),
        rope_theta=theta,
        rope_theta_local=theta_local if local else None,
        layer_types=types,
        local_window=2 * (window // 2) if local else None,  # half of it on each side, rounded down
        norm_eps=keys.number("norm_eps", 1e-5),
        norm_bias=keys.flag("norm_bias", False),
        act=act,
        head_act=None if head_act == act else head_act,
        attention_bias=keys.flag("attention_bias", False),
        mlp_bias=keys.flag("mlp_bias", False),
        dropout_embed=keys.number("embedding_dropout", 0.0),
        dropout_attn_probs=attention_dropout,
        dropout_attn_out=attention_dropout,  # one key for both places
        dropout_mlp_inner=keys.number("mlp_dropout", 0.0),
        dropout_classifier=keys.number("classifier_dropout", 0.0),
        head_bias=keys.flag("classifier_bias", False),
        decoder_bias=keys.flag("decoder_bias", True),
        tie=keys.flag("tie_word_embeddings", True),
        pool=keys.choice("classifier_pooling", "cls", {"cls": "cls", "mean": "mean"}),
        init_std=keys.number("initializer_range", 0.02),
        init_cutoff=keys.number("initializer_cutoff_factor", 2.0),
    )


def write(config: EncoderConfig) -> dict:
    """ModernBERT's config.json for `config`, with old and new keys.

    >>> raw = write(EncoderConfig.preset("modernbert-base"))
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
        layer_types=written_layer_types(config),
        global_attn_every_n_layers=len(config.layer_types),  # what transformers 4 reads; right for Warner's patterns
        local_attention=128 if config.local_window is None else config.local_window,
        norm_eps=config.norm_eps,
        norm_bias=config.norm_bias,
        hidden_activation=WRITTEN[config.act],
        classifier_activation=WRITTEN[config.head_act or config.act],
        attention_bias=config.attention_bias,
        mlp_bias=config.mlp_bias,
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


def _window(keys) -> int:
    """The total width; `sliding_window`, half of it, is another way to say it."""
    half = keys.whole("sliding_window", None)
    window = keys.whole("local_attention", 128 if half is None else 2 * half)
    if half is not None and half != window // 2:
        keys.refuse("sliding_window", half, f"half of local_attention ({window})")
    return window


# ---- names of weights, ours <- theirs

BODY = {
    "embeddings.token.weight": "embeddings.tok_embeddings.weight",
    "embeddings.norm.weight": "embeddings.norm.weight",
    "embeddings.norm.bias": "embeddings.norm.bias",
    "blocks.{i}.attention_norm.weight": "layers.{i}.attn_norm.weight",  # not in layer 0
    "blocks.{i}.attention_norm.bias": "layers.{i}.attn_norm.bias",
    "blocks.{i}.attention.query_key_value.weight": "layers.{i}.attn.Wqkv.weight",
    "blocks.{i}.attention.query_key_value.bias": "layers.{i}.attn.Wqkv.bias",
    "blocks.{i}.attention.output.weight": "layers.{i}.attn.Wo.weight",
    "blocks.{i}.attention.output.bias": "layers.{i}.attn.Wo.bias",
    "blocks.{i}.feed_forward_norm.weight": "layers.{i}.mlp_norm.weight",
    "blocks.{i}.feed_forward_norm.bias": "layers.{i}.mlp_norm.bias",
    "blocks.{i}.feed_forward.gate_up.weight": "layers.{i}.mlp.Wi.weight",
    "blocks.{i}.feed_forward.gate_up.bias": "layers.{i}.mlp.Wi.bias",
    "blocks.{i}.feed_forward.output.weight": "layers.{i}.mlp.Wo.weight",
    "blocks.{i}.feed_forward.output.bias": "layers.{i}.mlp.Wo.bias",
    "final_norm.weight": "final_norm.weight",
    "final_norm.bias": "final_norm.bias",
}
VOCABULARY = {
    "head.dense.weight": "head.dense.weight",
    "head.dense.bias": "head.dense.bias",
    "head.norm.weight": "head.norm.weight",
    "head.norm.bias": "head.norm.bias",
    "decoder.weight": "decoder.weight",
    "decoder.bias": "decoder.bias",
}
CLASSIFIER = {
    "head.head.dense.weight": "head.dense.weight",  # the same transform that stands before the vocabulary
    "head.head.dense.bias": "head.dense.bias",
    "head.head.norm.weight": "head.norm.weight",
    "head.head.norm.bias": "head.norm.bias",
    "head.classifier.weight": "classifier.weight",
    "head.classifier.bias": "classifier.bias",
}

NAMES = dict(
    prefix="model.",
    body=BODY,
    heads={
        "MaskedLanguageModel": VOCABULARY,
        "SequenceClassifier": CLASSIFIER,
        "TokenClassifier": CLASSIFIER,
        "SpanReader": CLASSIFIER,
    },
    tied={"decoder.weight": "embeddings.tok_embeddings.weight"},
    architectures={
        "Encoder": "ModernBertModel",
        "MaskedLanguageModel": "ModernBertForMaskedLM",
        "SequenceClassifier": "ModernBertForSequenceClassification",
        "TokenClassifier": "ModernBertForTokenClassification",
        "SpanReader": "ModernBertForQuestionAnswering",
    },
)
