"""Comparisons with the right answer, and what a module must do in its two modes."""

from typing import Any

import torch
from torch import Tensor, nn

from minibert.course.exercise import Crash, Wrong
from minibert.course.tools import NAN, alike, call, expect_tensor, kind_of, show

NO_RETURN = "is the `return` missing?"


def expect_like(
    name: str, got: Any, want: Any, cause: str = "", tolerance: float = 1e-5, if_nan: str = "", items: tuple = ()
) -> None:
    """Refuse an answer other than `want`: a number may differ by `tolerance` plus ten times that share of its size.

    Where the answer is several things, `items` are their names. The exception of a solution (a `Crash`) asks for one of
    that type, whose message names the same numbers. All else is compared exactly.

    >>> expect_like("sizes", {"x": torch.ones(2)}, {"x": torch.ones(2)})
    >>> expect_like("sizes", {"x": 1.0}, {"y": 1.0}, "x and y are exchanged")
    Traceback (most recent call last):
    ...
    minibert.course.exercise.Wrong: ("of sizes 1 keys are missing, such as 'y' and 1 are unknown, such as 'x'", ...)
    """
    if isinstance(want, Crash):
        _expect_raised(name, got, want, cause)
    elif isinstance(got, Crash):
        raise got
    elif isinstance(want, Tensor):
        _expect_close(name, got, want, tolerance, if_nan or NAN)
    elif type(want) in (tuple, list) and any(isinstance(item, Tensor | float) for item in want):
        if type(got) not in (tuple, list) or len(got) != len(want):
            what = f"the answer {name}" if name.startswith("of ") else name
            raise Wrong(f"{what} is {kind_of(got)}", kind_of(want), NO_RETURN if got is None else cause)
        names = [f"{item} {name}" for item in items]
        names += [f"{name}[{place}]" if len(want) > 1 else name for place in range(len(items), len(want))]
        for item, one, other in zip(names, got, want, strict=False):
            expect_like(item, one, other, cause, tolerance, if_nan, items)
    elif type(want) is dict:
        _expect_keys(name, got, want, cause)
        for key in want:
            item = f"{name}, {key}" if " " in str(key) else f"{name}[{key!r}]"
            expect_like(item, got[key], want[key], cause, tolerance, if_nan, items)
    elif isinstance(want, float):
        _expect_number(name, got, want, tolerance)
    else:
        _expect_equal(name, got, want)


def _expect_raised(name: str, got: Any, want: Crash, cause: str) -> None:
    kind, numbers = want.raised
    asked = f"a {kind}" + (f" that names {', '.join(sorted(numbers, key=int))}" if numbers else "")
    if not isinstance(got, Crash):
        raise Wrong(f"{name} is {kind_of(got)}, no {kind}", asked, cause)
    if got.raised[0] != kind or not numbers <= got.raised[1]:
        raise Wrong(f"{name}: {got.seen}", asked, cause)


def _expect_keys(name: str, got: Any, want: dict, cause: str) -> None:
    if not isinstance(got, dict):
        raise Wrong(f"{name} is {kind_of(got)}", kind_of(want), NO_RETURN if got is None else cause)
    missing, strange = [key for key in want if key not in got], [key for key in got if key not in want]
    seen = [f"{len(missing)} keys are missing, such as {missing[0]!r}"] if missing else []
    seen += [f"{len(strange)} are unknown, such as {strange[0]!r}"] if strange else []
    if seen:
        raise Wrong(f"of {name} {' and '.join(seen)}", f"{len(want)} keys, such as {next(iter(want))!r}", cause)


def _expect_close(name: str, got: Any, want: Tensor, tolerance: float, if_nan: str) -> None:
    """Refuse a tensor that differs from `want` in shape, dtype or numbers, or has some that are not finite."""
    got = expect_tensor(name, got, tuple(want.shape), want.dtype, if_nan)
    if alike(got, want, tolerance):
        return
    difference = (got.double() - want.double()).abs()
    if want.numel() <= 8:
        apart = f", off by up to {difference.max().item():.1g}" if show(got) == show(want) else ""
        raise Wrong(f"{name} is {show(got)}{apart}", show(want))
    place = tuple(int(i) for i in torch.unravel_index(difference.argmax(), difference.shape))
    many = int((difference > tolerance + 10 * tolerance * want.double().abs()).sum())
    one, name = _apart(got[place].item(), want[place].item()), f"{name}{list(place)}"
    seen = f"{name} is {one}; {many} of {want.numel()} numbers differ"
    raise Wrong(seen, f"{name} is {show(want[place].item())}")


def _apart(got: float, want: float) -> str:
    """A number, and how far it is from the right one where both look alike."""
    return show(got) if show(got) != show(want) else f"{show(got)}, off by {got - want:.1g}"


def _expect_equal(name: str, got: Any, want: Any) -> None:
    """Refuse another number, text, list, tuple or dictionary; types count: True is not 1, (1,) is not [1]."""
    if type(got) is not type(want):
        cause = NO_RETURN if got is None else f"return a value of type {type(want).__name__}"
        raise Wrong(f"{name} is {kind_of(got)}", kind_of(want), cause)
    several = type(want) in (list, tuple)
    if several and len(got) != len(want):
        raise Wrong(f"{name} has {len(got)} items: {show(got)}", f"{len(want)} items: {show(want)}")
    if got != want:
        raise Wrong(f"{name} is {show(got)}", show(want))
    for one, other in zip(got, want, strict=True) if several else ():
        if isinstance(one, float | bool) and not isinstance(other, float | bool):
            raise Wrong(f"{name} holds a value of type {type(one).__name__}", f"{type(other).__name__}")


def _expect_number(name: str, got: Any, want: float, tolerance: float) -> None:
    """Refuse anything but a number (or a tensor or array holding one) within a share `tolerance` of `want`."""
    number = got.item() if hasattr(got, "item") and getattr(got, "shape", None) == () else got
    if isinstance(number, bool) or not isinstance(number, int | float):
        raise Wrong(f"{name} is {kind_of(got)}", "one number", "return the number itself")
    if not abs(number - want) <= tolerance * max(abs(want), 1e-3):
        raise Wrong(f"{name} is {_apart(float(number), float(want))}", show(float(want)))


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
        seen = "after module.eval() a part is still in train mode"
        raise Wrong(seen, "eval() reaches every part", "do not set .training")
    return module


class Unsteady(Wrong):
    """Two calls with the same inputs returned different things."""


def expect_same(first: Any, second: Any) -> None:
    """Refuse what differs between two calls with the same inputs.

    >>> expect_same(torch.ones(2), torch.ones(2))
    """
    if not alike(first, second):
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
