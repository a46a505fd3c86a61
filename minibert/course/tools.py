"""What checks are made of: call the learner's code safely, look at what it returned, and say what is wrong with it."""

import copy
import math
from collections.abc import Callable
from itertools import repeat
from numbers import Real
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from minibert import corpora
from minibert.course.exercise import STUB, Crash, NotAttempted, Wrong
from minibert.course.explain import explain, message, where
from minibert.course.limits import Stop, told_to_stop

NO_RETURN = "is the `return` missing?"
NAN = "a division by zero, a log of 0, or exp of a huge number"
CONVERT = {  # what to do where another dtype is asked for
    torch.bool: "numbers are no mask, and ~ turns 1 into -2: make it boolean, by a comparison or .bool()",
    torch.int64: "ids and places are whole numbers, int64: begin with those that came, or .long()",
}


def call(function, *arguments, **named) -> Any:
    """What the learner's code returns for copies of the inputs.

    `NotAttempted` is raised for the stub, `Crash` for any exception, `Wrong` when one of the inputs was changed.

    >>> call(lambda x: x + 1, torch.ones(2)).tolist()
    [2.0, 2.0]
    """
    if told_to_stop():  # the code swallowed that: it is not asked again
        raise Stop
    given, given_named = copied(arguments), copied(named)
    try:
        result = function(*given, **given_named)
    except Stop:
        raise
    except BaseException as error:
        if isinstance(error, NotImplementedError) and str(error) in ("", STUB):
            raise NotAttempted from None
        place = where(error)
        seen = f"{message(error)} ({place})" if place else message(error)
        known = place or "inplace operation" in seen  # which shows only when our code asks for the gradient
        cause = explain(error) if known else "the call itself failed; compare your parameters with the signature"
        raise Crash(seen, "", cause) from None
    _expect_unchanged((arguments, named), (given, given_named))
    return result


def call_without_data(function, *arguments) -> Any:
    """`call`, with `corpora.load` closed: an open task asks to learn from what is given, not to look up what it asks.

    >>> call_without_data(lambda: corpora.load("rte"))  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    ...
    minibert.course.exercise.Wrong: ("your code loads the data set 'rte'", ...
    """
    opened, load = [], corpora.load

    def refuse(name, *_, **__):
        opened.append(name)
        raise PermissionError(f"the data set {name!r} is closed while the check runs")

    corpora.load = refuse
    try:
        return call(function, *arguments)
    finally:
        corpora.load = load
        if opened:
            cause = "what you are given is all that may be learned from; what you know yourself you may write down"
            raise Wrong(f"your code loads the data set {opened[0]!r}", "no data set is loaded", cause) from None


def _expect_unchanged(before: Any, after: Any, name: str = "an input") -> None:
    if type(before) in (tuple, list) and len(before) == len(after):
        pairs = [(one, other, name) for one, other in zip(before, after, strict=True)]
    elif type(before) is dict and before.keys() == after.keys():
        pairs = [(before[key], after[key], key if type(key) is str else name) for key in before]
    elif isinstance(before, nn.Module) or alike(before, after):
        return
    else:
        cause = "an operation in place (a name ending in _, or x[...] = ...) on an input; make a new tensor"
        seen = f"your code changes {name}: {show(before)} became {show(after)}"
        raise Wrong(seen, "inputs are left as they came", cause)
    for pair in pairs:
        _expect_unchanged(*pair)


def alike(got: Any, other: Any, tolerance: float = 0.0) -> bool:
    """Whether two answers are the same, NaN and all; what cannot be compared counts as the same.

    Tensors may differ by `tolerance` plus ten times that share of their numbers, a float by that share of itself.

    >>> alike((1, torch.ones(2)), (1, torch.ones(2))), alike(1, 2), alike({1}, {1: 2})
    (True, False, False)
    """
    if isinstance(got, Tensor) and isinstance(other, Tensor):
        if got.shape != other.shape or got.dtype != other.dtype:
            return False
        if not tolerance:
            return torch.equal(got.nan_to_num(), other.nan_to_num())
        return torch.allclose(got.double(), other.double(), 10 * tolerance, tolerance, equal_nan=True)
    if isinstance(got, dict) and isinstance(other, dict):
        return got.keys() == other.keys() and all(alike(got[key], other[key], tolerance) for key in got)
    if type(got) is not type(other):
        return False
    if type(got) in (tuple, list):
        return len(got) == len(other) and all(map(alike, got, other, repeat(tolerance)))
    if type(got) is float:
        return math.isclose(got, other, rel_tol=tolerance, abs_tol=1e-3 * tolerance) or (got != got and other != other)
    if isinstance(got, Wrong):
        return got.raised == other.raised if isinstance(got, Crash) else got.args == other.args
    try:
        return not isinstance(got, float | int | str | bytes | set | frozenset) or bool(got == other)
    except Exception:
        return False


def copied(value: Any) -> Any:
    """A deep copy of inputs or of an answer; what cannot be copied stays as it is.

    >>> x = torch.ones(2)
    >>> copied([x])[0] is x
    False
    """
    if isinstance(value, torch.Generator):
        return torch.Generator(value.device).set_state(value.get_state())
    if type(value) in (tuple, list):
        return type(value)(copied(item) for item in value)
    if type(value) is dict:
        return {key: copied(item) for key, item in value.items()}
    if isinstance(value, Tensor):
        return value.detach().clone().requires_grad_(value.requires_grad)
    try:
        return copy.deepcopy(value)
    except Exception:
        return value


def show(value: Any, most: int = 8) -> str:
    """A value in one line, numbers with at most four digits, large tensors by their shape.

    >>> show(torch.tensor([1.0, 2.34567])), show([1, True, "x"]), show(torch.zeros(3, 5))
    ('[1, 2.346]', "[1, True, 'x']", 'a tensor of shape (3, 5)')
    """
    if isinstance(value, Tensor | np.ndarray):
        small = math.prod(value.shape) <= most and not getattr(value, "is_sparse", False)
        return show(value.tolist()) if small else kind_of(value)
    if type(value) in (list, tuple):
        shown = ", ".join(show(item, most) for item in value[:most]) + (", ..." if len(value) > most else "")
        return f"[{shown}]" if type(value) is list else f"({shown})"
    if type(value) is float:
        return f"{value + 0.0 if abs(value) >= 5e-6 or value != value else 0.0:.4g}"
    return repr(value)[:80] if value is None or type(value) in (bool, int, str) else kind_of(value)


def kind_of(value: Any) -> str:
    """What a value is, in words.

    >>> kind_of(None), kind_of([1, 2]), kind_of(torch.nn.Linear), kind_of(torch.ones(2))
    ('None', 'a list of 2', 'the class Linear', 'a tensor of shape (2,)')
    """
    if value is None:
        return "None"
    if isinstance(value, Tensor | np.ndarray):
        return f"a {'tensor' if isinstance(value, Tensor) else 'numpy array'} of shape {tuple(value.shape)}"
    if type(value) in (list, tuple, dict, set):
        return f"a {type(value).__name__} of {len(value)}"
    if isinstance(value, type):
        return f"the class {value.__name__}"
    if isinstance(value, nn.Module):
        return f"an instance of {type(value).__name__}"
    if type(value).__name__ in ("function", "builtin_function_or_method", "method"):
        return "a function"
    return f"a value of type {type(value).__name__}"


def expect_tensor(
    name: str, got: Any, shape: tuple[int, ...], dtype: torch.dtype | None = torch.float32, if_nan: str = NAN
) -> Tensor:
    """The learner's tensor, once it is known to be one, with this shape, this dtype (None: any) and finite numbers.

    `if_nan` is the likely cause of numbers that are not finite.

    >>> expect_tensor("output", [1.0, 2.0], (2,))
    Traceback (most recent call last):
    ...
    minibert.course.exercise.Wrong: ('output is a list of 2', 'a tensor of shape (2,)', 'torch.stack, or torch.tensor')
    """
    want = f"a tensor of shape {tuple(shape)}"
    if not isinstance(got, Tensor):
        causes = {
            type(None): NO_RETURN,
            list: "torch.stack, or torch.tensor",
            np.ndarray: "stay in torch, or torch.from_numpy",
            float: "`.item()`, float() or math makes a plain Python number, through which nothing can be trained",
            tuple: "return one tensor only, without a comma behind it",
        }
        raise Wrong(f"{name} is {kind_of(got)}", want, causes.get(type(got), "return the tensor itself"))
    got = got.detach().as_subclass(Tensor)
    if tuple(got.shape) != tuple(shape):
        raise Wrong(f"{name} has shape {tuple(got.shape)}", f"{tuple(shape)}", _how_shapes_differ(got.shape, shape))
    if dtype is not None and got.dtype != dtype:
        cause = CONVERT.get(dtype, "a conversion too many, or one missing")
        raise Wrong(f"{name} has dtype {str(got.dtype)[6:]}", str(dtype)[6:], cause)
    for word, found in (("NaN", got.isnan()), ("infinity", got.isinf())) if got.is_floating_point() else ():
        if found.any():
            place = tuple(found.nonzero()[0].tolist())
            seen = f"{name}: {int(found.sum())} of {got.numel()} numbers are {word}, the first at index {place}"
            raise Wrong(seen if got.numel() > 1 else f"{name} is {word}", "finite numbers", if_nan)
    return got


def _how_shapes_differ(got: tuple[int, ...], want: tuple[int, ...]) -> str:
    if sorted(got) == sorted(want):
        return "the same sizes in another order: a transpose too many, or one missing"
    if len(got) != len(want):
        return "a dimension too many or too few: look at sums, means, indexing and unsqueeze"
    place = next(i for i, (a, b) in enumerate(zip(got, want, strict=True)) if a != b)
    return f"dimension {place} has {got[place]} entries where {want[place]} belong"


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
    number = as_float(got)
    if not isinstance(number, float):
        raise Wrong(f"{name} is {kind_of(got)}", "one number", "return the number itself")
    if not abs(number - want) <= tolerance * max(abs(want), 1e-3):
        raise Wrong(f"{name} is {_apart(number, float(want))}", show(float(want)))


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


def expect_steady(function: Any, *arguments, run: Callable = call) -> Any:
    """What two calls with the same inputs both return; a module is looked at in evaluation mode.

    They may differ by rounding: torch's sums depend on where in memory their inputs lie.

    >>> expect_steady(lambda x: x + 1, torch.ones(2)).tolist()
    [2.0, 2.0]
    """
    first, second = run(function, *arguments), run(function, *arguments)
    if not alike(first, second, 1e-6):
        cause = (
            "F.dropout needs training=self.training, nn.Dropout obeys eval() by itself; or dropout of your own making, "
        )
        cause += "other randomness outside training, or something that is kept from one call to the next"
        raise Unsteady("two calls with the same inputs return different things", "the same each time", cause)
    return first


def as_float(value: Any) -> Any:
    """A number as a float, whatever kind of number it is, a tensor or an array that holds one too; else the value.

    >>> as_float(torch.tensor(2)), as_float(True), as_float("2")
    (2.0, True, '2')
    """
    value = value.item() if hasattr(value, "item") and getattr(value, "shape", None) == () else value
    return float(value) if isinstance(value, Real) and not isinstance(value, bool) else value


def drawn_word(rng: torch.Generator, letters: str, least: int, most: int) -> str:
    """A word of so many of these letters, drawn with `rng`.

    >>> len(drawn_word(torch.Generator(), "ab", 2, 2))
    2
    """
    length = int(torch.randint(least, most + 1, (), generator=rng))
    return "".join(letters[place] for place in torch.randint(len(letters), (length,), generator=rng).tolist())
