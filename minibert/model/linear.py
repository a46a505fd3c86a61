"""The linear map, and how a CPU does it fast: most of an encoder's time is spent in this one line."""

import platform

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import register_flop_formula

FEWEST = 2**22  # multiplications; below, the way to oneDNN costs more than it saves
HAS_ONEDNN = (
    torch.backends.mkldnn.is_available()
    and platform.machine().lower() in ("x86_64", "amd64")
    and hasattr(torch.ops.mkldnn, "_linear_pointwise")
)


class Linear(nn.Linear):
    """y = x Wᵀ + b, as `nn.Linear`; float32 inference on an x86 CPU goes through oneDNN.

    Shape: (N, D) -> (N, F), from any width to any other.

    Source: Vaswani et al. 2017, section 3; the second way is `onednn_product`.

    >>> Linear(3, 2, bias=False)(torch.ones(5, 3)).shape
    torch.Size([5, 2])
    """

    def forward(self, x: Tensor) -> Tensor:
        plain = x.dtype == torch.float32 and x.device.type == "cpu" and not torch.is_autocast_enabled("cpu")
        is_large = x.dim() == 2 and len(x) * self.weight.numel() >= FEWEST
        if HAS_ONEDNN and plain and is_large and not torch.is_grad_enabled():
            return onednn_product(x, self.weight, self.bias)
        return super().forward(x)


def onednn_product(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """The same product, asked of the library oneDNN; without gradients, where HAS_ONEDNN is true.

    Shape: x (N, in), weight (out, in), bias (out,) -> (N, out), all float32 or all bfloat16.

    PyTorch sends float32 products to the library MKL, which takes up to 1.4 times as long on the AMD processor where
    both were measured (LOG.md). `torch.compile` uses this operation too. It could apply an activation as well; "none",
    its numbers and its kind say that it should not.

    Source: oneDNN's developer guide, the primitive "inner product".

    >>> x, weight = torch.arange(6.0).view(3, 2), torch.tensor([[1.0, 10.0]])
    >>> onednn_product(x, weight, None).flatten().tolist() if HAS_ONEDNN else [10.0, 32.0, 54.0]
    [10.0, 32.0, 54.0]
    """
    return torch.ops.mkldnn._linear_pointwise(x, weight, bias, "none", [], "")


if HAS_ONEDNN:

    @register_flop_formula(torch.ops.mkldnn._linear_pointwise)
    def _operations(x: torch.Size, weight: torch.Size, *_, out_shape: torch.Size, **__) -> int:
        """For PyTorch's FlopCounterMode, which knows its own products only: a multiplication counts as two."""
        return 2 * out_shape.numel() * weight[1]


def pack(weight: Tensor) -> Tensor:
    """A weight laid out as oneDNN reads it, once and for all; as it is where there is no oneDNN for its numbers.

    Shape: (out, in) -> (out, in); only `onednn_product` takes what comes back, if its `is_mkldnn` is true.

    Source: oneDNN's developer guide, "memory format propagation".

    >>> pack(torch.ones(3, 2)).shape
    torch.Size([3, 2])
    """
    knows_bf16 = HAS_ONEDNN and torch.ops.mkldnn._is_mkldnn_bf16_supported()
    if not HAS_ONEDNN or (weight.dtype == torch.bfloat16 and not knows_bf16):
        return weight
    return torch.ops.mkldnn._reorder_linear_weight(weight, 512)  # 512 rows at a time: the number hardly matters
