"""RoPE: a token's position turns its queries and keys, so that their product depends on the distance alone."""

import torch
from torch import Tensor


def rotary_tables(positions: Tensor, head_size: int, theta: float, dtype: torch.dtype = torch.float32):
    """Cosine and sine of each position's angles: channel pair k turns by position · theta^(-2k / K).

    Shape: positions (N,) -> cos and sin, each (N, K / 2).

    The angles are computed in float32 or better: in bfloat16 the positions 256 and 257 are the same number.

    Source: Su et al. 2021 (RoFormer), section 3.2.2.

    >>> cos, sin = rotary_tables(torch.tensor([0, 1]), head_size=4, theta=10_000.0)
    >>> cos.shape, round(sin[1, 0].item(), 4)
    (torch.Size([2, 2]), 0.8415)
    """
    wide = torch.promote_types(dtype, torch.float32)
    pair = torch.arange(0, head_size, 2, device=positions.device, dtype=wide)
    frequencies = theta ** (-pair / head_size)  # (K / 2,) turns per position, fast pairs first
    angles = positions.to(wide)[:, None] * frequencies  # (N, K / 2)
    return angles.cos(), angles.sin()


STRIP = 512  # tokens rotated at a time on a CPU: what lies in between stays in its cache


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Turn every pair of channels (k, k + K/2) of x by its position's angle.

    Shape: x (N, H, K), cos and sin (N, K / 2) -> (N, H, K), in x's dtype; the arithmetic is done in that of cos.

    The partner of channel k is k + K/2 (the "half-split" layout of ModernBERT and EuroBERT), not its neighbour. The
    gradient of a turn is the turn back, so nothing but the angles has to be remembered.

    Source: Su et al. 2021, equation 34; the layout follows Black et al. 2022 (GPT-NeoX).

    >>> cos, sin = rotary_tables(torch.tensor([0]), 4, 10_000.0)
    >>> rotate(torch.ones(1, 1, 4), cos, sin).tolist()
    [[[1.0, 1.0, 1.0, 1.0]]]
    """
    return _Rotation.apply(x, cos, sin)


class _Rotation(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        ctx.save_for_backward(cos, sin)
        return _turn(x, cos, sin)

    @staticmethod
    def backward(ctx, gradient: Tensor):
        cos, sin = ctx.saved_tensors
        return rotate(gradient, cos, -sin), None, None  # by `rotate`, so that this too has a gradient


def _turn(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    turned = torch.empty(x.shape, dtype=x.dtype, device=x.device)
    strip = STRIP if x.device.type == "cpu" else len(x)
    strips = (tensor.split(strip) for tensor in (x, cos[:, None], sin[:, None], turned))
    for part, c, s, out in zip(*strips, strict=True):  # (<= strip, H, K); one angle for every head
        first, second = part.to(cos.dtype).chunk(2, dim=-1)  # (strip, H, K / 2) each
        exact = out if out.dtype == cos.dtype else cos.new_empty(out.shape)  # halves are rounded once, at the end
        out_first, out_second = exact.chunk(2, dim=-1)
        torch.mul(first, c, out=out_first).addcmul_(second, s, value=-1)
        torch.mul(second, c, out=out_second).addcmul_(first, s)
        if exact is not out:
            out.copy_(exact)
    return turned
