"""Normalisation: give every token's vector the same scale, so that deep stacks train."""

import torch
from torch import Tensor, nn

from minibert.config import EncoderConfig


def layer_norm_by_hand(x: Tensor, weight: Tensor, bias: Tensor | None, eps: float) -> Tensor:
    """Layer normalisation in four lines: centre, scale to variance 1, stretch, shift. The specification of LayerNorm.

    Shape: x (N, D), weight and bias (D,) -> (N, D). The variance divides by D, not by D - 1.

    Source: Ba et al. 2016, equation 3.

    >>> layer_norm_by_hand(torch.tensor([[1.0, 3.0]]), torch.ones(2), None, eps=0.0).tolist()
    [[-1.0, 1.0]]
    """
    centred = x - x.mean(dim=-1, keepdim=True)
    variance = centred.pow(2).mean(dim=-1, keepdim=True)
    scaled = centred / torch.sqrt(variance + eps) * weight
    return scaled if bias is None else scaled + bias


class LayerNorm(nn.Module):
    """Centre and scale each token's vector: what `layer_norm_by_hand` spells out, by PyTorch's fused kernel.

    Shape: (N, D) -> (N, D).

    Source: Ba et al. 2016; BERT uses eps 1e-12 and a bias, ModernBERT 1e-5 and none.

    >>> LayerNorm(2, eps=1e-5, bias=False)(torch.tensor([[1.0, 3.0]])).round(decimals=3).tolist()
    [[-1.0, 1.0]]
    """

    def __init__(self, width: int, eps: float, bias: bool):
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(width))
        self.bias = nn.Parameter(torch.zeros(width)) if bias else None

    def forward(self, x: Tensor) -> Tensor:
        return nn.functional.layer_norm(x, x.shape[-1:], self.weight, self.bias, self.eps)


class RMSNorm(nn.Module):
    """Scale each token's vector to root mean square 1; no centring, no bias.

    Shape: (N, D) -> (N, D). The mean square is taken in float32 or better, also for half-precision inputs.

    Source: Zhang and Sennrich 2019, equation 4.

    >>> RMSNorm(2, eps=0.0)(torch.tensor([[3.0, 3.0]])).tolist()
    [[1.0, 1.0]]
    """

    def __init__(self, width: int, eps: float):
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(width))

    def forward(self, x: Tensor) -> Tensor:
        wide = x.to(torch.promote_types(x.dtype, torch.float32))
        scaled = wide * torch.rsqrt(wide.pow(2).mean(dim=-1, keepdim=True) + self.eps)
        return self.weight * scaled.to(x.dtype)  # back to x's type first: that is where EuroBERT rounds


def make_norm(config: EncoderConfig) -> nn.Module:
    """The norm a config asks for, D wide.

    >>> make_norm(EncoderConfig.preset("eurobert-nano"))
    RMSNorm()
    """
    if config.norm == "rmsnorm":
        return RMSNorm(config.hidden, config.norm_eps)
    return LayerNorm(config.hidden, config.norm_eps, config.norm_bias)
