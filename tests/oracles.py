"""Small models with random weights for the tests, and the `transformers` models they are compared with.

`transformers` is imported on first use: most tests do not need it, and it takes seconds.
"""

import torch

from minibert.config import EncoderConfig

FAMILIES = ("bert", "modernbert", "eurobert")
SMALL = dict(vocab_size=31, hidden=24, heads=4, intermediate=40, pad_id=0, cls_id=1, sep_id=2, mask_id=3)


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
    return ids, mask, segments if config.segments else None


def pack(padded: torch.Tensor, mask: torch.Tensor):
    """The packed form, made with nothing of minibert: (B, T, ...) -> (N, ...)."""
    return padded[mask.bool()]


def borders(mask: torch.Tensor) -> torch.Tensor:
    """cu_seqlens (B + 1,) of a mask, made with nothing of minibert."""
    return torch.cat([torch.zeros(1, dtype=torch.long), mask.sum(1).cumsum(0)]).to(torch.int32)
