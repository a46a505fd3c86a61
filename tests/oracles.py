"""Small models with random weights for the tests, and the `transformers` models they are compared with.

`transformers` is imported on first use: most tests do not need it, and it takes seconds.
"""

import torch

from minibert.checkpoints import load_state_dict_from
from minibert.checkpoints.translate import FAMILIES as TABLES
from minibert.config import EncoderConfig

FAMILIES = ("bert", "modernbert", "eurobert")
SMALL = dict(vocab_size=31, hidden=24, heads=4, intermediate=40, pad_id=0, cls_id=1, sep_id=2, mask_id=3, init_std=0.02)


def small_config(family: str, **changes) -> EncoderConfig:
    """A family's config at test size: 2 to 4 layers, 24 wide, a window (4 tokens) shorter than most texts."""
    sizes = {
        "bert": dict(layers=2, max_len=40),
        "modernbert": dict(layers=4, local_window=4, max_len=64),
        "eurobert": dict(layers=2, kv_heads=2, max_len=64),
    }[family]
    return EncoderConfig.preset(f"{family}-nano").replace(**(SMALL | sizes | changes))


def randomize(model: torch.nn.Module, seed: int = 0, std: float = 0.1) -> torch.nn.Module:
    """Random weights everywhere, also in norm gains (around 1) and biases (around 0): fresh ones hide mistakes."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            noise = torch.randn(parameter.shape, generator=generator, dtype=torch.float64) * std
            is_gain = parameter.dim() == 1 and name.endswith("weight")
            parameter.copy_(noise + 1 if is_gain else noise)
    return model


def build(model_class, config: EncoderConfig, seed: int = 0, dtype=torch.float64, **options):
    """A model of ours with random weights, in eval mode."""
    model = model_class(config, **options)
    return randomize(model.to(dtype), seed).eval()


def ragged_batch(config: EncoderConfig, lengths, seed: int = 0, side: str = "right", width: int | None = None):
    """Random texts of the given lengths, padded on one side -> input_ids, attention_mask, segment_ids (or None).

    No real token has the padding's id: `transformers` gives that row of the table no gradient.
    """
    generator = torch.Generator().manual_seed(seed)
    width = width or max(lengths)
    ids = torch.full((len(lengths), width), config.pad_id)
    mask = torch.zeros(len(lengths), width, dtype=torch.long)
    segments = torch.zeros(len(lengths), width, dtype=torch.long)
    for row, length in enumerate(lengths):
        here = slice(0, length) if side == "right" else slice(width - length, width)
        drawn = torch.randint(0, config.vocab_size - 1, (length,), generator=generator)
        ids[row, here] = drawn + (drawn >= config.pad_id)
        mask[row, here] = 1
        segments[row, here] = (torch.arange(length) >= length // 2).long()
    return ids, mask, segments if config.segments > 1 else None


def pack(padded: torch.Tensor, mask: torch.Tensor):
    """The packed form, made with nothing of minibert: (B, T, ...) -> (N, ...)."""
    return padded[mask.bool()]


def borders(mask: torch.Tensor) -> torch.Tensor:
    """cu_seqlens (B + 1,) of a mask, made with nothing of minibert."""
    return torch.cat([torch.zeros(1, dtype=torch.long), mask.sum(1).cumsum(0)]).to(torch.int32)


# ---- transformers

ACTS = {"gelu": "gelu", "gelu_tanh": "gelu_pytorch_tanh", "silu": "silu"}
CLASSES = {
    "Encoder": "Model",
    "MaskedLanguageModel": "ForMaskedLM",
    "PretrainingModel": "ForPreTraining",
    "SequenceClassifier": "ForSequenceClassification",
    "TokenClassifier": "ForTokenClassification",
    "SpanReader": "ForQuestionAnswering",
}


def their_config(config: EncoderConfig, labels: int = 2):
    """The `transformers` config of the same model, attention in its plain ("eager") form."""
    import transformers

    shared = dict(
        vocab_size=config.vocab_size,
        hidden_size=config.hidden,
        num_hidden_layers=config.layers,
        num_attention_heads=config.heads,
        intermediate_size=config.intermediate,
        max_position_embeddings=config.max_len,
        pad_token_id=config.pad_id,
        bos_token_id=config.cls_id,
        eos_token_id=config.sep_id,
        tie_word_embeddings=config.tie,
        num_labels=labels,
        attn_implementation="eager",
    )
    if config.family == "bert":
        return transformers.BertConfig(
            **shared, type_vocab_size=2, layer_norm_eps=config.norm_eps, hidden_act=ACTS[config.act]
        )
    if config.family == "modernbert":
        thetas = {"full_attention": config.rope_theta, "sliding_attention": config.rope_theta_local}
        return transformers.ModernBertConfig(
            **shared,
            cls_token_id=config.cls_id,
            sep_token_id=config.sep_id,
            hidden_activation=ACTS[config.act],
            classifier_activation=ACTS[config.act],
            norm_eps=config.norm_eps,
            norm_bias=config.norm_bias,
            attention_bias=config.attention_bias,
            mlp_bias=config.mlp_bias,
            decoder_bias=config.decoder_bias,
            classifier_bias=config.head_bias,
            classifier_pooling=config.pool,
            local_attention=config.local_window,
            layer_types=[
                "full_attention" if config.is_global(layer) else "sliding_attention" for layer in range(config.layers)
            ],
            rope_parameters={kind: {"rope_type": "default", "rope_theta": theta} for kind, theta in thetas.items()},
        )
    return transformers.EuroBertConfig(
        **shared,
        mask_token_id=config.mask_id,
        num_key_value_heads=config.groups,
        hidden_act=ACTS[config.act],
        rms_norm_eps=config.norm_eps,
        attention_bias=config.attention_bias,
        mlp_bias=config.mlp_bias,
        classifier_pooling="bos" if config.pool == "cls" else config.pool,
        rope_parameters={"rope_type": "default", "rope_theta": config.rope_theta},
    )


def their_model(model_class, config: EncoderConfig, seed: int = 0, dtype=torch.float32, labels: int = 2):
    """The `transformers` model that does what `model_class(config)` does, with random weights, in eval mode."""
    import transformers

    family = {"bert": "Bert", "modernbert": "ModernBert", "eurobert": "EuroBert"}[config.family]
    their_class = getattr(transformers, family + CLASSES[model_class.__name__])
    return randomize(their_class(their_config(config, labels)).to(dtype), seed).eval()


def translated(model_class, config: EncoderConfig, tensors: dict, dtype=torch.float32, **options):
    """Our model filled with tensors under their names, be they weights or gradients."""
    model = model_class(config, **options).to(dtype)
    return load_state_dict_from(model, tensors, table=TABLES[config.family], dtype=dtype).eval()


def both(model_class, config: EncoderConfig, seed: int = 0, dtype=torch.float32, **options):
    """Our model and theirs with the same random weights."""
    theirs = their_model(model_class, config, seed, dtype, **options)
    return translated(model_class, config, theirs.state_dict(), dtype, **options), theirs


def assert_same_gradients(ours, theirs, model_class, atol: float, **options):
    """Compare every gradient: theirs are carried to our names and shapes the way weights are."""
    gradients = {name: p.grad for name, p in theirs.named_parameters() if p.grad is not None}
    dtype = next(ours.parameters()).dtype
    expected = dict(translated(model_class, ours.config, gradients, dtype, **options).named_parameters())
    for name, parameter in ours.named_parameters():
        assert parameter.grad is not None, f"{name} got no gradient"
        assert expected[name].abs().max() > 0, f"{name}: the oracle's gradient is all zeros, nothing to compare"
        difference = (parameter.grad - expected[name]).abs().max().item()
        assert difference <= atol, f"gradient of {name}: off by {difference:.1e}"
