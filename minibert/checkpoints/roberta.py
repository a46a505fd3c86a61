"""RoBERTa's folder, and those of CamemBERT and XLM-R, which have its keys and its names: BERT's with three changes.

Positions are counted from the row behind the padding's id (1), so that the first two of 514 rows belong to no token.
The vocabulary's head has the exact GELU whatever the blocks have. A text classifier brings its own dense layer with
tanh, which does what BERT's pooler does; the dropout before it is left out here. A model that was opened as one of the
three is saved as that; all three classes compute the same.
Sources: `RobertaConfig`, `CamembertConfig`, `XLMRobertaConfig` of transformers 5 and their models.
"""

from minibert.checkpoints import bert
from minibert.config import EncoderConfig


def read(keys) -> dict:
    """The EncoderConfig fields that a config.json of RoBERTa, CamemBERT or XLM-R states.

    Raises:
        ValueError: naming a key whose value our encoder cannot express.

    >>> from minibert.checkpoints.keys import Keys
    >>> fields = read(Keys({"model_type": "roberta", "max_position_embeddings": 514}))
    >>> fields["max_len"], fields["position_offset"], fields["mask_id"]
    (512, 2, 50264)
    """
    fields = bert.read(keys)
    rows, offset = fields["max_len"], keys.whole("pad_token_id", 1) + 1
    if rows <= offset:
        keys.refuse("max_position_embeddings", rows, f"more than pad_token_id + 1 = {offset} rows, which no token uses")
    vocab_size = keys.whole("vocab_size", 50265 if keys.get("model_type") == "roberta" else 30522)
    return fields | dict(
        vocab_size=vocab_size,
        max_len=rows - offset,
        position_offset=offset,
        head_act="gelu",
        nsp=False,
        pad_id=1,
        mask_id=vocab_size - 1,  # the last token of all published ones
        cls_id=0,
        sep_id=2,
    )


def write(config: EncoderConfig) -> dict:
    """RoBERTa's config.json for `config`.

    >>> write(EncoderConfig.preset("roberta-base"))["max_position_embeddings"]
    514
    """
    return bert.write(config) | dict(
        model_type="roberta",
        max_position_embeddings=config.max_len + config.position_offset,
        bos_token_id=config.cls_id,
        eos_token_id=config.sep_id,
    )


# ---- names of weights, ours <- theirs

VOCABULARY = {
    "head.dense.weight": "lm_head.dense.weight",
    "head.dense.bias": "lm_head.dense.bias",
    "head.norm.weight": "lm_head.layer_norm.weight",
    "head.norm.bias": "lm_head.layer_norm.bias",
    "decoder.weight": "lm_head.decoder.weight",
    "decoder.bias": "lm_head.bias",
}
SEQUENCE_CLASSIFIER = {
    "pooler.dense.weight": "classifier.dense.weight",
    "pooler.dense.bias": "classifier.dense.bias",
    "head.classifier.weight": "classifier.out_proj.weight",
    "head.classifier.bias": "classifier.out_proj.bias",
}

NAMES = dict(
    prefix="roberta.",
    body=bert.BODY,
    heads={
        "MaskedLanguageModel": VOCABULARY,
        "SequenceClassifier": SEQUENCE_CLASSIFIER,
        "TokenClassifier": bert.CLASSIFIER,
        "SpanReader": bert.SPAN,
    },
    tied={"lm_head.decoder.weight": "embeddings.word_embeddings.weight", "lm_head.decoder.bias": "lm_head.bias"},
    architectures={
        "Encoder": "RobertaModel",
        "MaskedLanguageModel": "RobertaForMaskedLM",
        "SequenceClassifier": "RobertaForSequenceClassification",
        "TokenClassifier": "RobertaForTokenClassification",
        "SpanReader": "RobertaForQuestionAnswering",
    },
    untied={"decoder.bias": "lm_head.decoder.bias"},
)
