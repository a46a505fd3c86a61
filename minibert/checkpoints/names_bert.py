"""BERT's weight names, as `transformers` writes them.

Source: the released checkpoints and `BertForPreTraining` of transformers.
"""

from minibert.checkpoints.names import NameTable

BODY = {
    "embeddings.token.weight": "embeddings.word_embeddings.weight",
    "embeddings.position.weight": "embeddings.position_embeddings.weight",
    "embeddings.segment.weight": "embeddings.token_type_embeddings.weight",
    "embeddings.norm.weight": "embeddings.LayerNorm.weight",
    "embeddings.norm.bias": "embeddings.LayerNorm.bias",
    "blocks.{i}.attention.query_key_value.weight": (
        "encoder.layer.{i}.attention.self.query.weight",
        "encoder.layer.{i}.attention.self.key.weight",
        "encoder.layer.{i}.attention.self.value.weight",
    ),
    "blocks.{i}.attention.query_key_value.bias": (
        "encoder.layer.{i}.attention.self.query.bias",
        "encoder.layer.{i}.attention.self.key.bias",
        "encoder.layer.{i}.attention.self.value.bias",
    ),
    "blocks.{i}.attention.output.weight": "encoder.layer.{i}.attention.output.dense.weight",
    "blocks.{i}.attention.output.bias": "encoder.layer.{i}.attention.output.dense.bias",
    "blocks.{i}.attention_norm.weight": "encoder.layer.{i}.attention.output.LayerNorm.weight",
    "blocks.{i}.attention_norm.bias": "encoder.layer.{i}.attention.output.LayerNorm.bias",
    "blocks.{i}.feed_forward.input.weight": "encoder.layer.{i}.intermediate.dense.weight",
    "blocks.{i}.feed_forward.input.bias": "encoder.layer.{i}.intermediate.dense.bias",
    "blocks.{i}.feed_forward.output.weight": "encoder.layer.{i}.output.dense.weight",
    "blocks.{i}.feed_forward.output.bias": "encoder.layer.{i}.output.dense.bias",
    "blocks.{i}.feed_forward_norm.weight": "encoder.layer.{i}.output.LayerNorm.weight",
    "blocks.{i}.feed_forward_norm.bias": "encoder.layer.{i}.output.LayerNorm.bias",
    "pooler.dense.weight": "pooler.dense.weight",
    "pooler.dense.bias": "pooler.dense.bias",
}
VOCABULARY = {
    "head.dense.weight": "cls.predictions.transform.dense.weight",
    "head.dense.bias": "cls.predictions.transform.dense.bias",
    "head.norm.weight": "cls.predictions.transform.LayerNorm.weight",
    "head.norm.bias": "cls.predictions.transform.LayerNorm.bias",
    "decoder.weight": "cls.predictions.decoder.weight",
    "decoder.bias": "cls.predictions.bias",
}
NEXT_SENTENCE = {
    "nsp.weight": "cls.seq_relationship.weight",
    "nsp.bias": "cls.seq_relationship.bias",
}
CLASSIFIER = {"head.classifier.weight": "classifier.weight", "head.classifier.bias": "classifier.bias"}
SPAN = {"head.classifier.weight": "qa_outputs.weight", "head.classifier.bias": "qa_outputs.bias"}

BERT = NameTable(
    prefix="bert.",
    body=BODY,
    heads={
        "MaskedLanguageModel": VOCABULARY,
        "PretrainingModel": VOCABULARY | NEXT_SENTENCE,
        "SequenceClassifier": CLASSIFIER,
        "TokenClassifier": CLASSIFIER,
        "SpanReader": SPAN,
    },
    tied={
        "cls.predictions.decoder.weight": "embeddings.word_embeddings.weight",
        "cls.predictions.decoder.bias": "cls.predictions.bias",  # a second copy in old files, never a second bias
    },
    architectures={
        "Encoder": "BertModel",
        "MaskedLanguageModel": "BertForMaskedLM",
        "PretrainingModel": "BertForPreTraining",
        "SequenceClassifier": "BertForSequenceClassification",
        "TokenClassifier": "BertForTokenClassification",
        "SpanReader": "BertForQuestionAnswering",
    },
    untied={"decoder.bias": "cls.predictions.decoder.bias"},  # the copy, then, is the one that is added
)
