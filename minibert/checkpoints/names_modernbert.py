"""ModernBERT's weight names, as `transformers` writes them. Wqkv and Wi are fused like ours, in the same order.

The published models have no biases but the decoder's; the lines for the others serve configs that switch them on.
Source: the released checkpoints and `ModernBertForMaskedLM` of transformers.
"""

from minibert.checkpoints.names import NameTable

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

MODERNBERT = NameTable(
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
