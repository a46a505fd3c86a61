"""Fewer bits in the products of a trained encoder, which makes them several times as fast on a CPU: int8 and bfloat16.

int8 takes a quarter of the memory. A number x is kept as the whole number q = round(x / scale) between -127 and 127;
scale · q is nearly x. One scale must serve all numbers that are added up together: each row of a weight matrix, which
makes one output channel, has its own, and each token's activations have theirs. The weights are rounded once, the
activations at every call ("dynamic").

bfloat16 has float32's range and 8 binary digits. A product bears that: it adds up hundreds of numbers whose errors
partly cancel. A residual stream, to which every layer adds a little, does not: it stays float32, as do the norms.
"""

import copy

import torch
from torch import Tensor, nn

from minibert.model.linear import Linear, onednn_product, pack

LARGEST = 127  # -128 stays unused, so that the range is symmetric and zero is exactly zero


def to_int8(x: Tensor) -> tuple[Tensor, Tensor]:
    """Round each row to int8 by its own scale, so that its largest number becomes 127 or -127.

    Shape: x (N, D) floating point -> (N, D) int8 and the scales (N, 1) float32; a row of zeros has the scale 1.

    Source: Jacob et al. 2018, section 2.1, in the symmetric form.

    >>> rounded, scale = to_int8(torch.tensor([[0.0, 1.0, -2.54], [0.0, 0.0, 0.0]]))
    >>> rounded.tolist(), [round(float(s), 4) for s in scale]
    ([[0, 50, -127], [0, 0, 0]], [0.02, 1.0])
    """
    scale = x.abs().amax(-1, keepdim=True).float() / LARGEST
    scale = torch.where(scale > 0, scale, 1.0)
    return (x / scale).round_().to(torch.int8), scale


class QuantizedLinear(nn.Module):
    """y = x Wᵀ + b with int8 numbers in the product: sums of int8 · int8 in int32, then both scales, then the bias.

    Shape: (N, in) -> (N, out), float32.

    >>> layer = Linear(64, 3)
    >>> x = torch.randn(5, 64)
    >>> bool((QuantizedLinear(layer)(x) - layer(x)).abs().max() < 0.05)
    True
    """

    def __init__(self, linear: nn.Linear):
        super().__init__()
        weight, scale = to_int8(linear.weight.detach())
        self.register_buffer("weight", weight.T.contiguous())  # (in, out)
        self.register_buffer("scale", scale.T.contiguous())  # (1, out)
        self.register_buffer("bias", None if linear.bias is None else linear.bias.detach().clone())

    def forward(self, x: Tensor) -> Tensor:
        rounded, scale = to_int8(x)
        sums = torch._int_mm(rounded, self.weight)  # (N, out) int32
        output = sums.view(torch.float32).copy_(sums)  # the same bytes, now as floats: no second large tensor is needed
        output.mul_(scale).mul_(self.scale)
        return output if self.bias is None else output.add_(self.bias)


class Bf16Linear(nn.Module):
    """y = x Wᵀ + b with bfloat16 numbers in the product; the weight is laid out for it once.

    Shape: (N, in) float32 or bfloat16 -> (N, out) bfloat16.

    >>> layer = Linear(64, 3)
    >>> x = torch.randn(5, 64)
    >>> bool((Bf16Linear(layer)(x) - layer(x)).abs().max() < 0.05)
    True
    """

    def __init__(self, linear: nn.Linear):
        super().__init__()
        self.register_buffer("weight", pack(linear.weight.detach().bfloat16()))
        self.register_buffer("bias", None if linear.bias is None else linear.bias.detach().bfloat16())
        self.product = onednn_product if self.weight.is_mkldnn else nn.functional.linear

    def forward(self, x: Tensor) -> Tensor:
        return self.product(x.bfloat16(), self.weight, self.bias)


def quantize(model):
    """A copy of a model whose blocks compute with int8 weights; for inference on a CPU. `model` stays as it is.

    The matrices of attention and feed-forward are rounded. All else is float32: embeddings, norms, the products of
    queries, keys and values, the residual stream, the heads. The copy is called like the model and has no gradients.

    Raises:
        ValueError: no model of ours, one that is converted already, or one that is not float32 on the CPU.

    Source: Dettmers et al. 2022 (LLM.int8), section 2: a scale for each token and one for each output channel.

    >>> import minibert
    >>> model = minibert.Encoder(minibert.EncoderConfig.preset("bert-nano"))
    >>> small = quantize(model)
    >>> small(torch.tensor([[2, 9, 3]])).hidden.shape, small.blocks[0].attention.output.weight.dtype
    (torch.Size([1, 3, 128]), torch.int8)
    """
    return _converted(model, QuantizedLinear)


def bf16_inside(model):
    """A copy of a model whose blocks multiply in bfloat16; for inference on a CPU. `model` stays as it is.

    The products of attention and feed-forward are bfloat16, with what lies between them: queries, keys, values, their
    mixture, the activation. Embeddings, norms, the residual stream, the heads and what comes back are float32. The
    error is about a quarter of that of `model.bfloat16()`, where all is bfloat16, in no more time. The copy is called
    like the model, has no gradients, and cannot be copied or moved to another device.

    Raises:
        ValueError: no model of ours, one that is converted already, or one that is not float32 on the CPU.

    Source: Micikevicius et al. 2018 (mixed precision), section 3: half precision in products, float32 where sums grow.

    >>> import minibert
    >>> model = minibert.Encoder(minibert.EncoderConfig.preset("bert-nano"))
    >>> bf16_inside(model)(torch.tensor([[2, 9, 3]])).hidden.dtype
    torch.float32
    """
    return _converted(model, Bf16Linear)


def _converted(model, make: type[nn.Module]):
    """A copy of `model` in whose blocks `make(layer)` stands for every linear layer."""
    kinds = Linear | QuantizedLinear | Bf16Linear
    layers = [module for module in getattr(model, "modules", list)() if isinstance(module, kinds)]
    if not layers:
        raise ValueError(
            f"a {type(model).__name__} has no linear layers of ours: give an Encoder or a model around one"
        )
    for layer in layers:
        if isinstance(layer, QuantizedLinear | Bf16Linear):
            raise ValueError(f"this model is {'quantized' if isinstance(layer, QuantizedLinear) else 'bf16'} already")
    found = {(weight.device.type, weight.dtype) for weight in model.parameters()}
    if found != {("cpu", torch.float32)}:
        named = ", ".join(sorted(f"{dtype} on {device}" for device, dtype in found))
        raise ValueError(f"the weights are {named}: give a float32 model on the CPU: model.float().cpu()")
    other = copy.deepcopy(model).eval().requires_grad_(False)
    for block in getattr(other, "encoder", other).blocks:
        for module in block.modules():
            for name, layer in list(module.named_children()):
                if isinstance(layer, Linear):
                    setattr(module, name, make(layer))
    return other
