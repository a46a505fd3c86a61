"""What a computation costs, counted and not timed: the same on every machine, however busy it is.

Three numbers: multiplications in matrix products, convolutions and fused attention, numbers written into new or
changed tensors (views are free), and calls of torch's operations. `Cost.seconds` adds them up for a plain processor, so
that each counts as much as it would there. What does not run in torch, or runs in another thread, is not seen.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import prod
from typing import Any

from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

MULTIPLICATIONS, NUMBERS, CALLS = 2e10, 1e9, 2e5  # a second
PRODUCTS = {"mm": 0, "bmm": 0, "mv": 0, "dot": 0, "addmm": 1, "baddbmm": 1, "addmv": 1, "addbmm": 1}  # left factor
PRODUCTS["_linear_pointwise"] = 0  # `minibert.model.linear.onednn_product`
RENAMED = ("_unsafe_view", "_reshape_alias", "detach", "alias")  # the same numbers under another name


@dataclass
class Cost:
    """Multiplications, numbers written, calls; and how many numbers the largest tensor has that was made.

    >>> Cost(2 * 10**10, 10**9, 0).seconds
    2.0
    """

    multiplications: int = 0
    numbers: int = 0
    calls: int = 0
    largest: int = 0

    @property
    def seconds(self) -> float:
        """What this takes on a plain processor: 20 G multiplications, 1 G numbers, or 200,000 calls a second."""
        return self.multiplications / MULTIPLICATIONS + self.numbers / NUMBERS + self.calls / CALLS


class Meter(TorchDispatchMode):
    """Inside, what this thread computes with torch is added to `cost`.

    >>> import torch
    >>> with Meter() as meter:
    ...     _ = torch.ones(2, 3) @ torch.ones(4, 3).T
    >>> meter.cost.multiplications, meter.cost.numbers, meter.cost.calls
    (24, 26, 3)
    """

    def __init__(self):
        super().__init__()
        self.cost = Cost()

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        result = function(*args, **(kwargs or {}))
        name = function.__name__.partition(".")[0]
        aliases = [one.alias_info for one in function._schema.returns]
        values = result if isinstance(result, tuple | list) else [result] * len(aliases)
        written = [
            value.numel()
            for value, alias in zip(values, aliases, strict=False)
            if isinstance(value, Tensor) and (alias is None or alias.is_write)
        ]
        if written and name not in RENAMED:
            self.cost.calls += 1
            self.cost.numbers += sum(written)
            self.cost.largest = max(self.cost.largest, *written)
            self.cost.multiplications += multiplications(name, args, result)
        return result


def multiplications(name: str, args: tuple, result: Any) -> int:
    """How many multiplications an operation needs for its products.

    >>> import torch
    >>> multiplications("mm", (torch.ones(2, 3), torch.ones(3, 4)), torch.ones(2, 4))
    24
    """
    if name in PRODUCTS:
        return result.numel() * args[PRODUCTS[name]].shape[-1]
    if name == "convolution":  # of width 1 it is a linear layer
        return result.numel() * args[1][0].numel()
    if name.startswith("_scaled_dot_product") and "backward" not in name:
        query, key, value = args[:3]
        return prod(query.shape[:-1]) * key.shape[-2] * (query.shape[-1] + value.shape[-1])
    return 0


def metered(function: Callable, *arguments) -> tuple[Any, tuple[int, int, int, int]]:
    """What a function returns, and the four numbers of its cost. A stand-in for one in another process counts there.

    >>> metered(lambda: None)
    (None, (0, 0, 0, 0))
    """
    if there := getattr(function, "metered_there", None):
        return there(*arguments)
    with Meter() as meter:
        result = function(*arguments)
    cost = meter.cost
    return result, (cost.multiplications, cost.numbers, cost.calls, cost.largest)
