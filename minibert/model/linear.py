"""The linear map, and how a CPU does it fast: most of an encoder's time is spent in this one line."""

import platform

import torch
from torch import Tensor, nn

FEWEST_ROWS = 32  # below, preparing the convolution costs more than it saves
HAS_ONEDNN = torch.backends.mkldnn.is_available() and platform.machine().lower() in ("x86_64", "amd64")


class Linear(nn.Linear):
    """y = x Wᵀ + b, as `nn.Linear`; float32 inference on an x86 CPU goes through oneDNN.

    Shape: (N, D) -> (N, F), from any width to any other.

    Source: Vaswani et al. 2017, section 3; the second way is explained in `as_convolution`.

    >>> Linear(3, 2, bias=False)(torch.ones(5, 3)).shape
    torch.Size([5, 2])
    """

    def forward(self, x: Tensor) -> Tensor:
        plain = x.dtype == torch.float32 and x.device.type == "cpu" and not torch.is_autocast_enabled("cpu")
        if HAS_ONEDNN and plain and x.dim() == 2 and len(x) >= FEWEST_ROWS and not torch.is_grad_enabled():
            return as_convolution(x, self.weight, self.bias)
        return super().forward(x)


def as_convolution(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """The same product, as a convolution whose window is a single pixel: the N tokens are the pixels, D the channels.

    Shape: x (N, in), weight (out, in), bias (out,) -> (N, out).

    PyTorch sends float32 products to MKL and convolutions to oneDNN, which was up to 1.4 times as fast on the AMD
    processor where it was measured (LOG.md). All that happens here is a change of names: no number is copied.

    Source: Lin et al. 2013 (Network in Network), section 3.2: a 1 x 1 convolution is a linear map at every pixel.

    >>> x, weight = torch.arange(6.0).view(3, 2), torch.tensor([[1.0, 10.0]])
    >>> as_convolution(x, weight, None).flatten().tolist()
    [10.0, 32.0, 54.0]
    """
    pixels = x.reshape(1, len(x), 1, -1).permute(0, 3, 1, 2)  # (1, in, N, 1), channels last in memory
    mixed = nn.functional.conv2d(pixels, weight[:, :, None, None], bias)  # (1, out, N, 1)
    return mixed.permute(0, 2, 3, 1).reshape(len(x), -1)
