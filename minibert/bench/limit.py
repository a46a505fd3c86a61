"""The physical limit: the same matrix products and nothing else, as fast as this machine multiplies."""

from collections.abc import Callable, Sequence
from statistics import median

import torch
from torch import Tensor, nn

from minibert.bench.timing import in_turns, waiter
from minibert.model.linear import onednn_product


def weight_matrices(blocks: nn.Module) -> list[Tensor]:
    """The matrices that every token is multiplied with, in order; gains and biases have one axis only.

    >>> [tuple(w.shape) for w in weight_matrices(nn.Sequential(nn.LayerNorm(2), nn.Linear(2, 3)))]
    [(3, 2)]
    """
    return [parameter.detach() for parameter in blocks.parameters() if parameter.dim() == 2]


def products(weights: Sequence[tuple[int, Tensor]], backward: bool = False) -> Callable[[], None]:
    """A call that multiplies `rows` vectors with each weight, and for `backward` also makes both gradients' products.

    `weights` are pairs (rows, matrix (out, in)). What is multiplied is random, what comes out is thrown away, in memory
    that is there already: no implementation of the model can be faster than this on the same library.

    >>> products([(5, torch.ones(3, 2))], backward=True)() is None
    True
    """
    steps, buffers = [], {}

    def buffer(kind: str, *shape: int, like: Tensor) -> Tensor:
        # Results never become inputs: numbers that shrink from product to product end as denormals, which are slow.
        return buffers.setdefault((kind, *shape, like.dtype), torch.randn(shape, device=like.device).to(like.dtype))

    for rows, weight in weights:
        outputs, inputs = weight.shape
        x, y = buffer("input", rows, inputs, like=weight), buffer("output", rows, outputs, like=weight)
        gradients = None
        if backward:
            gradient_y = buffer("gradient", rows, outputs, like=weight)
            gradients = (gradient_y, buffer("back", rows, inputs, like=weight), torch.empty_like(weight))
        steps.append((x, weight, y, gradients))

    def multiply() -> None:
        for x, weight, y, gradients in steps:
            torch.mm(x, weight.t(), out=y)
            if gradients is not None:
                gradient_y, gradient_x, gradient_w = gradients
                torch.mm(gradient_y, weight, out=gradient_x)
                torch.mm(gradient_y.t(), x, out=gradient_w)

    return torch.no_grad()(multiply)


def products_onednn(weights: Sequence[tuple[int, Tensor]]) -> Callable[[], None]:
    """The forward products of `products` in float32 through oneDNN, where it is there: on some processors faster.

    >>> callable(products_onednn([(5, torch.ones(3, 2))]))
    True
    """
    inputs = {(rows, weight.shape[1]): None for rows, weight in weights}
    for rows, width in inputs:
        inputs[rows, width] = torch.randn(rows, width)

    def multiply() -> None:
        for rows, weight in weights:
            onednn_product(inputs[rows, weight.shape[1]], weight, None)

    return torch.no_grad()(multiply)


def peak_flops(device: str, dtype: torch.dtype) -> float:
    """Operations per second of one large matrix product, the fastest thing that this device does in this dtype.

    >>> peak_flops("cpu", torch.float32) > 0
    True
    """
    size = 8192 if torch.device(device).type == "cuda" else 1024
    a = torch.randn(size, size, device=device).to(dtype)
    seconds, _ = in_turns({"product": lambda: a @ a}, repeats=7, warm_up=3, wait=waiter(device))
    return 2 * size**3 / median(seconds["product"])
