"""DistilBERT's folder: BERT under other names, without segments, pooler, and dropout after attention.

Its classifier of texts begins with a dense layer and ReLU. Its three rates of dropout before a classifier are one field
here: the one that the folder's own class uses, `seq_classif_dropout` where it does not say.
Sources: `DistilBertConfig` of transformers 5 and its models; Sanh et al. 2019.
"""

from minibert.checkpoints import bert
from minibert.checkpoints.keys import WRITTEN
from minibert.config import EncoderConfig
from minibert.presets import DISTILBERT

RATES = {"DistilBertForQuestionAnswering": ("qa_dropout", 0.1), "DistilBertForTokenClassification": ("dropout", 0.1)}


def read(keys) -> dict:
    """The EncoderConfig fields that DistilBERT's config.json states.

    Raises:
        ValueError: naming a key whose value our encoder cannot express.

    >>> from minibert.checkpoints.keys import Keys
    >>> read(Keys({"dim": 128}))["hidden"]
    128
    """
    keys.flag("sinusoidal_pos_embds", False)  # how the table of positions began; it is stored like any other
    dropout, stated = keys.number("dropout", 0.1), keys.get("architectures")
    first = stated[0] if isinstance(stated, list) and stated else None
    rate = RATES.get(first if isinstance(first, str) else None, ("seq_classif_dropout", 0.2))
    return DISTILBERT | dict(
        vocab_size=keys.whole("vocab_size", 30522),
        hidden=keys.whole("dim", 768),
        layers=keys.whole("n_layers", 6),
        heads=keys.whole("n_heads", 12),
        intermediate=keys.whole("hidden_dim", 3072),
        max_len=keys.whole("max_position_embeddings", 512),
        act=keys.activation("activation", "gelu"),
        dropout_embed=dropout,
        dropout_attn_probs=keys.number("attention_dropout", 0.1),
        dropout_mlp_out=dropout,
        dropout_classifier=keys.number(*rate),
        tie=keys.flag("tie_word_embeddings", True),
        init_std=keys.number("initializer_range", 0.02),
    )


def write(config: EncoderConfig) -> dict:
    """DistilBERT's config.json for `config`.

    >>> write(EncoderConfig.preset("distilbert-base"))["n_layers"]
    6
    """
    return dict(
        model_type="distilbert",
        vocab_size=config.vocab_size,
        dim=config.hidden,
        n_layers=config.layers,
        n_heads=config.heads,
        hidden_dim=config.intermediate,
        max_position_embeddings=config.max_len,
        sinusoidal_pos_embds=False,
        activation=WRITTEN[config.act],
        dropout=config.dropout_mlp_out,
        attention_dropout=config.dropout_attn_probs,
        qa_dropout=config.dropout_classifier,
        seq_classif_dropout=config.dropout_classifier,
        tie_word_embeddings=config.tie,
        initializer_range=config.init_std,
        pad_token_id=config.pad_id,
        mask_token_id=config.mask_id,
        cls_token_id=config.cls_id,
        sep_token_id=config.sep_id,
    )


# ---- names of weights, ours <- theirs

LAYER = "transformer.layer.{i}."
BODY = {
    **{ours: theirs for ours, theirs in bert.BODY.items() if ours.startswith("embeddings.")},
    **{
        f"blocks.{{i}}.{ours}.{kind}": f"{LAYER}{theirs}.{kind}"
        for ours, theirs in {
            "attention.output": "attention.out_lin",
            "attention_norm": "sa_layer_norm",
            "feed_forward.input": "ffn.lin1",
            "feed_forward.output": "ffn.lin2",
            "feed_forward_norm": "output_layer_norm",
        }.items()
        for kind in ("weight", "bias")
    },
    **{
        f"blocks.{{i}}.attention.query_key_value.{kind}": tuple(f"{LAYER}attention.{x}_lin.{kind}" for x in "qkv")
        for kind in ("weight", "bias")
    },
}
VOCABULARY = {
    "head.dense.weight": "vocab_transform.weight",
    "head.dense.bias": "vocab_transform.bias",
    "head.norm.weight": "vocab_layer_norm.weight",
    "head.norm.bias": "vocab_layer_norm.bias",
    "decoder.weight": "vocab_projector.weight",
    "decoder.bias": "vocab_projector.bias",
}
DENSE = {"pooler.dense.weight": "pre_classifier.weight", "pooler.dense.bias": "pre_classifier.bias"}

NAMES = dict(
    prefix="distilbert.",
    body=BODY,
    heads={
        "MaskedLanguageModel": VOCABULARY,
        "SequenceClassifier": bert.CLASSIFIER | DENSE,
        "TokenClassifier": bert.CLASSIFIER,
        "SpanReader": bert.SPAN,
    },
    tied={"vocab_projector.weight": "embeddings.word_embeddings.weight"},
    architectures={
        "Encoder": "DistilBertModel",
        "MaskedLanguageModel": "DistilBertForMaskedLM",
        "SequenceClassifier": "DistilBertForSequenceClassification",
        "TokenClassifier": "DistilBertForTokenClassification",
        "SpanReader": "DistilBertForQuestionAnswering",
    },
)
