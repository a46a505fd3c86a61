"""UltraBERT's folder: EuroBERT's block with windows, and a head of two layers before the vocabulary.

`sliding_window` is the radius of a local layer, half of our `local_window`. The first release lists a window and a
theta for each layer (`attention_windows`, `rope_theta`), and its weights have other prefixes; both are read.
Sources: `UltrabertConfig` of transformers 5 and its models.
"""

from minibert.checkpoints import bert, eurobert
from minibert.checkpoints.keys import FULL, LOCAL, written_layer_types
from minibert.config import EncoderConfig
from minibert.presets import EUROBERT

PATTERN = ("local", "local", "global")


def read(keys) -> dict:
    """The EncoderConfig fields that UltraBERT's config.json states.

    Raises:
        ValueError: naming a key whose value our encoder cannot express.

    >>> from minibert.checkpoints.keys import Keys
    >>> fields = read(Keys({"sliding_window": 64, "num_hidden_layers": 6}))
    >>> fields["local_window"], fields["layer_types"]
    (128, ('local', 'local', 'global'))
    """
    keys = _with_new_keys(keys)
    layers, hidden = keys.whole("num_hidden_layers", 32), keys.whole("hidden_size", 4096)
    heads, radius = keys.whole("num_attention_heads", 32), keys.whole("sliding_window", 128)
    keys.plain_heads(hidden, heads)
    if radius < 1:
        keys.refuse("sliding_window", radius, "at least 1 token to each side")
    types = keys.layer_types(layers, PATTERN)
    theta, theta_local = keys.thetas(2_560_000.0, 10_000.0)
    return EUROBERT | dict(
        vocab_size=keys.whole("vocab_size", 32000),
        hidden=hidden,
        layers=layers,
        heads=heads,
        kv_heads=keys.whole("num_key_value_heads", heads),
        intermediate=keys.whole("intermediate_size", 11008),
        max_len=keys.whole("max_position_embeddings", 32768),
        rope_theta=theta,
        rope_theta_local=theta_local if "local" in types else None,
        layer_types=types,
        local_window=2 * radius if "local" in types else None,
        norm_eps=keys.number("rms_norm_eps", 1e-6),
        act=keys.activation("hidden_act", "silu"),
        attention_bias=keys.flag("attention_bias", False),
        mlp_bias=keys.flag("mlp_bias", False),
        dropout_attn_probs=keys.number("attention_dropout", 0.0),
        dropout_classifier=keys.number("classifier_dropout", 0.0),
        mlm_head="two_layer",
        mlm_head_size=keys.whole("prediction_head_size", 768),
        head_act="gelu_tanh",
        tie=keys.flag("tie_word_embeddings", False),
        pool=keys.choice("classifier_pooling", "cls", {"cls": "cls", "mean": "mean"}),
        init_std=keys.number("initializer_range", 0.02),
        pad_id=0,
        mask_id=0,
        cls_id=0,
        sep_id=0,
    )


def write(config: EncoderConfig) -> dict:
    """UltraBERT's config.json for `config`.

    >>> from minibert.presets import EUROBERT
    >>> head = dict(mlm_head="two_layer", mlm_head_size=768, head_act="gelu_tanh", pool="cls")
    >>> write(EncoderConfig(**EUROBERT | head))["prediction_head_size"]
    768
    """
    raw = eurobert.write(config)
    del raw["rope_theta"], raw["clf_pooling"]
    return raw | dict(
        model_type="ultrabert",
        rope_parameters={
            FULL: {"rope_type": "default", "rope_theta": config.rope_theta},
            LOCAL: {"rope_type": "default", "rope_theta": config.rope_theta_local or config.rope_theta},
        },
        layer_types=written_layer_types(config),
        sliding_window=config.half_window or 128,
        prediction_head_size=config.mlm_head_size,
        classifier_dropout=config.dropout_classifier,
        classifier_pooling=config.pool if config.pool in ("cls", "mean") else "cls",
    )


def _with_new_keys(keys):
    """`attention_windows` and `rope_theta`, a number for each layer, said in the newer way."""
    raw = dict(keys.raw)
    windows, thetas = raw.pop("attention_windows", None), raw.pop("rope_theta", None)
    if windows is not None:
        sizes = {window for window in windows if window} if isinstance(windows, list) else {}
        if len(sizes) > 1 or not isinstance(windows, list):
            keys.refuse("attention_windows", windows, "a list with a number or null for each layer, one number in all")
        raw["sliding_window"] = next(iter(sizes), raw.get("sliding_window"))
        if raw.get("layer_types") is None:
            raw["layer_types"] = [LOCAL if window else FULL for window in windows]
    if thetas is not None and raw.get("rope_parameters") is None:
        layers = keys.whole("num_hidden_layers", 32)
        types = raw.get("layer_types") or [
            {"global": FULL, "local": LOCAL}[PATTERN[i % len(PATTERN)]] for i in range(layers)
        ]
        pairs = set(zip(types, thetas, strict=False)) if isinstance(thetas, list) else set()
        if not pairs or len(pairs) != len({kind for kind, _ in pairs}):
            keys.refuse("rope_theta", thetas, "a list with a number for each layer, one for each kind of layer")
        raw["rope_parameters"] = {kind: {"rope_theta": theta} for kind, theta in pairs}
    return type(keys)(raw)


# ---- names of weights, ours <- theirs

VOCABULARY = {
    "head.first.weight": "head.linear1.weight",
    "head.second.weight": "head.linear2.weight",
    "decoder.weight": "head.decoder.weight",
}

NAMES = dict(
    prefix="model.",
    body=eurobert.BODY,
    heads={
        "MaskedLanguageModel": VOCABULARY,
        "SequenceClassifier": bert.CLASSIFIER,
        "TokenClassifier": bert.CLASSIFIER,
        "SpanReader": bert.SPAN,
    },
    tied={"head.decoder.weight": "embed_tokens.weight"},
    architectures={
        "Encoder": "UltrabertModel",
        "MaskedLanguageModel": "UltrabertForMaskedLM",
        "SequenceClassifier": "UltrabertForSequenceClassification",
        "TokenClassifier": "UltrabertForTokenClassification",
        "SpanReader": "UltrabertForQuestionAnswering",
    },
    old={"ultrabert.": "", "cls.": "head.decoder."},
)
