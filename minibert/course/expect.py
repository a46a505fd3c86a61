"""Comparisons with the right answer, and what a module must do in its two modes."""

from typing import Any

import torch
from torch import Tensor, nn

from minibert.course.exercise import Wrong
from minibert.course.tools import call, copied, expect_tensor, kind_of, show


def expect_close(
    name: str,
    got: Any,
    want: Tensor,
    cause: str = "",
    suspects: dict[str, Tensor] | None = None,
    tolerance: float = 1e-5,
) -> None:
    """Refuse a tensor that differs from `want` in shape, dtype or numbers; an equal `suspect` names the mistake.

    A number may differ by `tolerance` plus ten times that share of its size.

    >>> four, two = torch.tensor([4.0]), torch.tensor([2.0])
    >>> expect_close("output", four, two, suspects={"it adds twice": four})
    Traceback (most recent call last):
    ...
    minibert.course.exercise.Wrong: ('output is [4]', '[2]', 'it adds twice')
    """
    got = expect_tensor(name, got, tuple(want.shape), want.dtype)
    if _close(got, want, tolerance):
        return
    for mistake, wrong in (suspects or {}).items():
        if wrong.shape == got.shape and _close(got, wrong, tolerance):
            cause = mistake
            break
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


def _close(got: Tensor, want: Tensor, tolerance: float) -> bool:
    return torch.allclose(got.double(), want.double(), rtol=10 * tolerance, atol=tolerance)


def expect_equal(name: str, got: Any, want: Any, cause: str = "", suspects: dict[str, Any] | None = None) -> None:
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
        return
    for mistake, wrong in (suspects or {}).items():
        if type(wrong) is type(got) and wrong == got:
            cause = mistake
            break
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


def expect_steady(function: Any, *arguments, **named) -> Any:
    """What two calls with the same inputs both return; a module is looked at in evaluation mode.

    >>> expect_steady(lambda x: x + 1, torch.ones(2)).tolist()
    [2.0, 2.0]
    """
    first, second = call(function, *arguments, **named), call(function, *arguments, **named)
    if not same(first, second):
        raise Wrong(
            "two calls with the same inputs return different numbers",
            "the same numbers each time",
            "dropout or other randomness runs outside training: F.dropout needs training=self.training, nn.Dropout "
            "obeys eval() by itself; a function without a dropout argument has none",
        )
    return first


def expect_dropout(module: nn.Module, share: float, *arguments, **named) -> None:
    """In train mode two calls must differ when `share` (what dropout the module was made with) is above 0, else not.

    The module is left as it was. Use inputs large enough that chance cannot make two calls equal.

    >>> expect_dropout(torch.nn.Dropout(0.5), 0.5, torch.ones(64))
    """
    trained = copied(module).train()
    first, second = call(trained, *arguments, **named), call(trained, *arguments, **named)
    if share > 0 and same(first, second):
        raise Wrong(
            f"in train mode, with dropout {share:g}, two calls return the same numbers",
            "different numbers: dropout falls anew each time",
            "no dropout runs in train mode: is it made in __init__ with this share, and called in forward?",
        )
    if share == 0 and not same(first, second):
        raise Wrong(
            "in train mode, with dropout 0, two calls return different numbers",
            "the same numbers",
            "dropout runs with a share of its own: use the one that is passed in",
        )


def same(first: Any, second: Any) -> bool:
    """Whether two calls returned the same; what cannot be compared counts as the same.

    >>> same((1, torch.ones(2)), (1, torch.ones(2))), same(1, 2)
    (True, False)
    """
    if isinstance(first, Tensor) and isinstance(second, Tensor):
        return first.shape == second.shape and torch.equal(first.nan_to_num(), second.nan_to_num())
    if type(first) in (tuple, list) and type(first) is type(second):
        return len(first) == len(second) and all(same(a, b) for a, b in zip(first, second, strict=True))
    if type(first) is dict and type(second) is dict:
        return first.keys() == second.keys() and all(same(first[key], second[key]) for key in first)
    try:
        return type(first) is type(second) and (not isinstance(first, float | int | str | bool) or first == second)
    except Exception:
        return False
