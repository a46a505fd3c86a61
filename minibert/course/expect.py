"""Comparisons with the right answer, and what a module must do in its two modes."""

from typing import Any

import torch
from torch import Tensor, nn

from minibert.course.exercise import Wrong
from minibert.course.tools import NAN, call, expect_tensor, kind_of, same, show


def expect_close(
    name: str, got: Any, want: Tensor, cause: str = "", tolerance: float = 1e-5, if_nan: str = NAN
) -> None:
    """Refuse a tensor that differs from `want` in shape, dtype or numbers, or has some that are not finite.

    A number may differ by `tolerance` plus ten times that share of its size.

    >>> expect_close("output", torch.tensor([4.0]), torch.tensor([2.0]), "it adds twice")
    Traceback (most recent call last):
    ...
    minibert.course.exercise.Wrong: ('output is [4]', '[2]', 'it adds twice')
    """
    got = expect_tensor(name, got, tuple(want.shape), want.dtype, if_nan)
    if torch.allclose(got.double(), want.double(), rtol=10 * tolerance, atol=tolerance):
        return
    difference = (got.double() - want.double()).abs()
    if want.numel() <= 8:
        apart = f", off by up to {difference.max().item():.1g}" if show(got) == show(want) else ""
        raise Wrong(f"{name} is {show(got)}{apart}", show(want), cause)
    place = tuple(int(i) for i in torch.unravel_index(difference.argmax(), difference.shape))
    many = int((difference > tolerance + 10 * tolerance * want.double().abs()).sum())
    one, other = got[place].item(), want[place].item()
    raise Wrong(
        f"{name}{list(place)} is {_apart(one, other)}; {many} of {want.numel()} numbers differ",
        f"{name}{list(place)} is {show(other)}",
        cause,
    )


def _apart(got: float, want: float) -> str:
    """A number, and how far it is from the right one where both look alike."""
    return show(got) if show(got) != show(want) else f"{show(got)}, off by {got - want:.1g}"


def expect_equal(name: str, got: Any, want: Any, cause: str = "") -> None:
    """Refuse a number, text, list, tuple or dictionary other than `want`; types count: True is not 1, (1,) is not [1].

    >>> expect_equal("count", 3, 2, "it counts itself")
    Traceback (most recent call last):
    ...
    minibert.course.exercise.Wrong: ('count is 3', '2', 'it counts itself')
    """
    if type(got) is not type(want):
        cause = "is the `return` missing?" if got is None else f"return a value of type {type(want).__name__}"
        raise Wrong(f"{name} is {kind_of(got)}", kind_of(want), cause)
    if got == want:
        for one, other in zip(got, want, strict=True) if type(want) in (list, tuple) else ():
            if isinstance(one, float | bool) and not isinstance(other, float | bool):
                raise Wrong(f"{name} holds a value of type {type(one).__name__}", f"{type(other).__name__}", cause)
        return
    if type(want) in (list, tuple) and len(got) != len(want):
        raise Wrong(f"{name} has {len(got)} items: {show(got)}", f"{len(want)} items: {show(want)}", cause)
    raise Wrong(f"{name} is {show(got)}", show(want), cause)


def expect_number(name: str, got: Any, want: float, cause: str = "", tolerance: float = 1e-4) -> None:
    """Refuse anything but a number (or a tensor or array holding one) within a share `tolerance` of `want`.

    >>> expect_number("share", 0.25, 0.25)
    """
    number = got.item() if hasattr(got, "item") and getattr(got, "shape", None) == () else got
    if isinstance(number, bool) or not isinstance(number, int | float):
        raise Wrong(f"{name} is {kind_of(got)}", "one number", cause or "return the number itself")
    if not abs(number - want) <= tolerance * max(abs(want), 1e-3):
        raise Wrong(f"{name} is {_apart(float(number), float(want))}", show(float(want)), cause)


def make_module(module_class: Any, *arguments, **named) -> nn.Module:
    """An instance of the learner's class, in evaluation mode, known to be a proper `nn.Module`.

    >>> make_module(torch.nn.Linear, 2, 3).training
    False
    """
    module = call(module_class, *arguments, **named)
    if not isinstance(module, nn.Module):
        raise Wrong(f"{module_class.__name__} is {kind_of(module)}", "an nn.Module", "write class Name(nn.Module):")
    module.eval()
    if module.training or any(child.training for child in module.modules()):
        raise Wrong(
            "after module.eval() a part is still in train mode", "eval() reaches every part", "do not set .training"
        )
    return module


class Unsteady(Wrong):
    """Two calls with the same inputs returned different things."""


def expect_same(first: Any, second: Any) -> None:
    """Refuse what differs between two calls with the same inputs.

    >>> expect_same(torch.ones(2), torch.ones(2))
    """
    if not same(first, second):
        raise Unsteady(
            "two calls with the same inputs return different things",
            "the same each time",
            "randomness outside training (F.dropout needs training=self.training, nn.Dropout obeys eval() by itself), "
            "dropout of your own making, or something that is kept from one call to the next",
        )


def expect_steady(function: Any, *arguments, **named) -> Any:
    """What two calls with the same inputs both return; a module is looked at in evaluation mode.

    >>> expect_steady(lambda x: x + 1, torch.ones(2)).tolist()
    [2.0, 2.0]
    """
    first, second = call(function, *arguments, **named), call(function, *arguments, **named)
    expect_same(first, second)
    return first
