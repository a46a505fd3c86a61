"""BERT's folder: what its config.json says, and its weights' names as `transformers` writes them.

Sources: `BertConfig` of transformers 5, whose defaults stand in for absent keys; the released checkpoints and
`BertForPreTraining`.
"""

from minibert.checkpoints.keys import WRITTEN
from minibert.config import EncoderConfig


def read(keys) -> dict:
    """The EncoderConfig fields that BERT's config.json states, special ids aside.

    Raises:
        ValueError: naming a key whose value our encoder cannot express.

    >>> from minibert.checkpoints.keys import Keys
    >>> read(Keys({"num_hidden_layers": 6}))["layers"]
    6
    """
    keys.demand("position_embedding_type", ("absolute",), "absolute")
    segments = keys.whole("type_vocab_size", 2)
    if segments < 1:
        keys.refuse("type_vocab_size", segments, "at least 1 (2: sentence A and sentence B)")
    dropout = keys.number("hidden_dropout_prob", 0.1)
    return dict(
        vocab_size=keys.whole("vocab_size", 30522),
        hidden=keys.whole("hidden_size", 768),
        layers=keys.whole("num_hidden_layers", 12),
        heads=keys.whole("num_attention_heads", 12),
        intermediate=keys.whole("intermediate_size", 3072),
        max_len=keys.whole("max_position_embeddings", 512),
        segments=segments,
        norm_eps=keys.number("layer_norm_eps", 1e-12),
        act=keys.activation("hidden_act", "gelu"),
        dropout_embed=dropout,
        dropout_attn_probs=keys.number("attention_probs_dropout_prob", 0.1),
        dropout_attn_out=dropout,
        dropout_mlp_out=dropout,
        dropout_classifier=keys.number("classifier_dropout", dropout),
        tie=keys.flag("tie_word_embeddings", True),
        init_std=keys.number("initializer_range", 0.02),
    )


def write(config: EncoderConfig) -> dict:
    """BERT's config.json for `config`. The ids of [MASK], [CLS] and [SEP] are additions that readers ignore.

    >>> write(EncoderConfig.preset("bert-nano"))["hidden_size"]
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
        hidden_act=WRITTEN[config.act],
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


# ---- names of weights, ours <- theirs

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

NAMES = dict(
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
