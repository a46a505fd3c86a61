"""NomicBERT's folder: BERT with RoPE and a gated feed-forward layer, norms and heads with biases, blocks without.

Read are the keys of transformers 5; the first release had others (`n_embd`, ...), which are refused.
Sources: `NomicBertConfig` of transformers 5 and its models; Nussbaum et al. 2024, section 3.
"""

from minibert.checkpoints import bert, eurobert
from minibert.config import EncoderConfig
from minibert.presets import NOMICBERT


def read(keys) -> dict:
    """The EncoderConfig fields that NomicBERT's config.json states.

    Raises:
        ValueError: naming a key whose value our encoder cannot express.

    >>> from minibert.checkpoints.keys import Keys
    >>> read(Keys({"rope_parameters": {"rope_theta": 500.0}}))["rope_theta"]
    500.0
    """
    if "n_embd" in keys.raw and keys.get("hidden_size") is None:
        keys.refuse(
            "n_embd", keys.raw["n_embd"], "the keys of transformers 5 (hidden_size, ...): save the folder there"
        )
    fields = bert.read(keys)
    keys.plain_heads(fields["hidden"], fields["heads"])
    dropout = keys.number("hidden_dropout_prob", 0.0)
    return (
        NOMICBERT
        | fields
        | dict(
            vocab_size=keys.whole("vocab_size", 30528),
            max_len=keys.whole("max_position_embeddings", 2048),
            rope_theta=keys.one_theta(1_000.0),
            act=keys.activation("hidden_act", "silu"),
            dropout_embed=dropout,
            dropout_attn_probs=keys.number("attention_probs_dropout_prob", 0.0),
            dropout_attn_out=dropout,
            dropout_mlp_out=dropout,
            dropout_classifier=keys.number("classifier_dropout", dropout),
        )
    )


def write(config: EncoderConfig) -> dict:
    """NomicBERT's config.json for `config`.

    >>> write(EncoderConfig.preset("nomicbert"))["rope_parameters"]
    {'rope_type': 'default', 'rope_theta': 1000.0}
    """
    return bert.write(config) | dict(
        model_type="nomic_bert",
        head_dim=config.head_size,
        rope_parameters={"rope_type": "default", "rope_theta": config.rope_theta},
    )


# ---- names of weights, ours <- theirs

LAYER = "encoder.layers.{i}."
BODY = {ours: theirs for ours, theirs in bert.BODY.items() if not ours.startswith("blocks.")} | {
    "embeddings.norm.weight": "emb_ln.weight",
    "embeddings.norm.bias": "emb_ln.bias",
    "blocks.{i}.attention.query_key_value.weight": LAYER + "attn.Wqkv.weight",
    "blocks.{i}.attention.output.weight": LAYER + "attn.out_proj.weight",
    "blocks.{i}.attention_norm.weight": LAYER + "norm1.weight",
    "blocks.{i}.attention_norm.bias": LAYER + "norm1.bias",
    "blocks.{i}.feed_forward.gate_up.weight": (LAYER + "mlp.fc12.weight", LAYER + "mlp.fc11.weight"),
    "blocks.{i}.feed_forward.output.weight": LAYER + "mlp.fc2.weight",
    "blocks.{i}.feed_forward_norm.weight": LAYER + "norm2.weight",
    "blocks.{i}.feed_forward_norm.bias": LAYER + "norm2.bias",
}
IN_MEMORY = {  # what the state_dict of a model of transformers has instead; its folders have the published names
    **{ours: bert.BODY[ours] for ours in ("embeddings.norm.weight", "embeddings.norm.bias")},
    **{ours: theirs for ours, theirs in eurobert.BODY.items() if ours in BODY and "norm" not in ours},
    "blocks.{i}.attention_norm.weight": "layers.{i}.post_attention_layernorm.weight",
    "blocks.{i}.attention_norm.bias": "layers.{i}.post_attention_layernorm.bias",
    "blocks.{i}.feed_forward_norm.weight": "layers.{i}.post_mlp_layernorm.weight",
    "blocks.{i}.feed_forward_norm.bias": "layers.{i}.post_mlp_layernorm.bias",
}
VOCABULARY = bert.VOCABULARY | {
    "head.norm.weight": "cls.predictions.transform.layer_norm.weight",
    "head.norm.bias": "cls.predictions.transform.layer_norm.bias",
}

NAMES = bert.NAMES | dict(
    prefix="nomic_bert.",
    body=BODY,
    or_else=IN_MEMORY,
    old={"bert.": ""},  # the prefix of nomic-bert-2048
    heads={
        "MaskedLanguageModel": VOCABULARY,
        "SequenceClassifier": bert.CLASSIFIER,
        "TokenClassifier": bert.CLASSIFIER,
        "SpanReader": bert.SPAN,
    },
    architectures={
        "Encoder": "NomicBertModel",
        "MaskedLanguageModel": "NomicBertForMaskedLM",
        "SequenceClassifier": "NomicBertForSequenceClassification",
        "TokenClassifier": "NomicBertForTokenClassification",
        "SpanReader": "SpanReader",  # transformers has no such NomicBERT model
    },
)
