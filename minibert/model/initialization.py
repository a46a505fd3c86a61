"""The random numbers a model starts from: three published recipes."""

from collections.abc import Container

import torch
from torch import nn

from minibert.config import EncoderConfig
from minibert.model.norms import LayerNorm, RMSNorm

# Matrices that write into the residual stream; Megatron starts them smaller the deeper the model is.
RESIDUAL_WRITERS = ("attention.output", "feed_forward.output", "head.dense")


def initialize(
    model: nn.Module,
    config: EncoderConfig,
    generator: torch.Generator | None = None,
    only: Container[str] | None = None,
) -> None:
    """Draw every weight of `model` anew, in place; biases become 0, norm gains 1.

    "normal" (EuroBERT): N(0, init_std²). "trunc" (BERT): the same, cut at ± init_cutoff standard deviations and drawn
    again, which leaves a standard deviation of 0.88 init_std at a cut-off of 2. "megatron" (ModernBERT): "trunc", with
    init_std / sqrt(2 L) for the matrices that write into the residual stream and 1 / sqrt(D) for the last layer: a
    classifier, or a decoder of its own (a tied one is the token table and starts as such).

    `only` keeps to the matrices with these parameter names and leaves everything else alone.

    Source: Devlin et al. 2019 (released code); Shoeybi et al. 2019; Warner et al. 2024, appendix A.5.

    >>> linear = nn.Linear(64, 64)
    >>> initialize(linear, EncoderConfig.preset("bert-base"), torch.Generator().manual_seed(0))
    >>> round(linear.weight.std().item(), 3), linear.bias.abs().max().item()
    (0.017, 0.0)
    """
    for name, module in model.named_modules():
        if only is not None and f"{name}.weight" not in only:
            continue
        if isinstance(module, nn.Linear | nn.Embedding):
            _draw(module.weight, name, config, generator)
        elif isinstance(module, LayerNorm | RMSNorm):
            nn.init.ones_(module.weight)
        bias = getattr(module, "bias", None)
        if isinstance(bias, nn.Parameter):
            nn.init.zeros_(bias)


def _draw(weight: nn.Parameter, name: str, config: EncoderConfig, generator: torch.Generator | None) -> None:
    std = config.init_std
    if config.init == "normal":
        nn.init.normal_(weight, std=std, generator=generator)
        return
    if config.init == "megatron":
        if name.endswith(RESIDUAL_WRITERS):
            std /= (2 * config.layers) ** 0.5
        elif name.endswith("classifier") or (name == "decoder" and not config.tie):
            std = config.hidden**-0.5
    bound = config.init_cutoff * std
    nn.init.trunc_normal_(weight, std=std, a=-bound, b=bound, generator=generator)
