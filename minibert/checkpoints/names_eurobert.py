"""EuroBERT's weight names, as `transformers` writes them.

The published models have no biases but those of the classification heads; the lines for the others serve configs that
switch them on. Source: the released checkpoints and `EuroBertForMaskedLM` of transformers.
"""

from minibert.checkpoints.names import NameTable

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
TOKEN_CLASSIFIER = {"head.classifier.weight": "classifier.weight", "head.classifier.bias": "classifier.bias"}
SEQUENCE_CLASSIFIER = TOKEN_CLASSIFIER | {
    "head.head.dense.weight": "dense.weight",
    "head.head.dense.bias": "dense.bias",
}

EUROBERT = NameTable(
    prefix="model.",
    body=BODY,
    heads={
        "MaskedLanguageModel": VOCABULARY,
        "SequenceClassifier": SEQUENCE_CLASSIFIER,
        "TokenClassifier": TOKEN_CLASSIFIER,
        "SpanReader": TOKEN_CLASSIFIER,
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
