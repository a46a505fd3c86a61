"""What checks are made of: call the learner's code safely, look at what it returned, and say what is wrong with it."""

import copy
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from minibert.course.exercise import STUB, Crash, NotAttempted, Wrong
from minibert.course.explain import explain, message, where
from minibert.course.limits import Stop

NAN = "a division by zero, a log of 0, or exp of a huge number"


def call(function, *arguments, **named) -> Any:
    """Call the learner's code on copies of the inputs, and return what it returns.

    Raises:
        NotAttempted: it is still the stub.
        Crash: it raised something; the finding has the learner's line and a likely cause.
        Wrong: it changed one of its inputs.

    >>> call(lambda x: x + 1, torch.ones(2)).tolist()
    [2.0, 2.0]
    """
    given, given_named = copied(arguments), copied(named)
    try:
        result = function(*given, **given_named)
    except Stop:
        raise
    except NotImplementedError as error:
        if str(error) in ("", STUB):
            raise NotAttempted from None
        raise _crash(error) from None
    except BaseException as error:
        raise _crash(error) from None
    expect_unchanged((arguments, named), (given, given_named))
    return result


def _crash(error: BaseException) -> Crash:
    place = where(error)
    seen = f"{message(error)} ({place})" if place else message(error)
    return Crash(
        seen, "", explain(error) if place else "the call itself failed; compare your parameters with the signature"
    )


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


def expect_unchanged(before: Any, after: Any, name: str = "an input") -> None:
    """Refuse an answer that changed its inputs (`call` does this by itself).

    >>> expect_unchanged([torch.ones(2)], [torch.ones(2)])
    """
    if isinstance(before, Tensor) and isinstance(after, Tensor):
        same = before.shape == after.shape and torch.equal(torch.nan_to_num(before), torch.nan_to_num(after))
    elif type(before) in (tuple, list) and len(before) == len(after):
        return [expect_unchanged(a, b, name) for a, b in zip(before, after, strict=True)] and None
    elif type(before) is dict and before.keys() == after.keys():
        return [expect_unchanged(before[key], after[key], key if type(key) is str else name) for key in before] and None
    else:
        same = not isinstance(before, list | dict | set | str | int | float) or before == after
    if not same:
        raise Wrong(
            f"your code changes {name}: {show(before)} became {show(after)}",
            "inputs are left as they came",
            "an operation in place (a name ending in _, or x[...] = ...) on something it was given; "
            "the caller still needs it, so make a new tensor",
        )


def show(value: Any, most: int = 8) -> str:
    """A value in one line, numbers with at most four digits, large tensors by their shape.

    >>> show(torch.tensor([1.0, 2.34567])), show([1, True, "x"]), show(torch.zeros(3, 5))
    ('[1, 2.346]', "[1, True, 'x']", 'a tensor of shape (3, 5)')
    """
    if isinstance(value, Tensor):
        if value.numel() > most or value.is_sparse:
            return f"a tensor of shape {tuple(value.shape)}"
        value = value.detach().tolist()
    if isinstance(value, np.ndarray):
        return show(value.tolist()) if value.size <= most else f"an array of shape {value.shape}"
    if type(value) in (list, tuple):
        shown = ", ".join(show(item, most) for item in value[:most]) + (", ..." if len(value) > most else "")
        return f"[{shown}]" if type(value) is list else f"({shown})"
    if type(value) is float:
        return f"{value + 0.0 if abs(value) >= 5e-6 or value != value else 0.0:.4g}"
    if value is None or type(value) in (bool, int, str):
        return repr(value)[:80]
    return kind_of(value)


def kind_of(value: Any) -> str:
    """What a value is, in words.

    >>> kind_of(None), kind_of([1, 2]), kind_of(torch.nn.Linear), kind_of(torch.ones(2))
    ('None', 'a list of 2', 'the class Linear', 'a tensor of shape (2,)')
    """
    if value is None:
        return "None"
    if isinstance(value, Tensor):
        return f"a tensor of shape {tuple(value.shape)}"
    if isinstance(value, np.ndarray):
        return f"a numpy array of shape {value.shape}"
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
            type(None): "is the `return` missing?",
            list: "torch.stack, or torch.tensor",
            np.ndarray: "stay in torch, or torch.from_numpy",
            float: "`.item()`, float() or math makes a plain Python number, through which nothing can be trained",
            tuple: "return one tensor only, without a comma behind it",
        }
        raise Wrong(f"{name} is {kind_of(got)}", want, causes.get(type(got), "return the tensor itself"))
    got = got.detach().as_subclass(Tensor)
    expect_shape(name, got, shape)
    if dtype is not None and got.dtype != dtype:
        raise Wrong(f"{name} has dtype {str(got.dtype)[6:]}", str(dtype)[6:], "a conversion too many, or one missing")
    expect_finite(name, got, if_nan)
    return got


def expect_shape(name: str, got: Tensor, shape: tuple[int, ...]) -> None:
    """Refuse a tensor of another shape, and say how the two differ.

    >>> expect_shape("output", torch.ones(2, 3), (2, 3))
    """
    if tuple(got.shape) == tuple(shape):
        return
    if got.numel() == int(np.prod(shape)) and sorted(got.shape) == sorted(shape):
        cause = "the same sizes in another order: a transpose too many, or one missing"
    elif got.dim() != len(shape):
        cause = "a dimension too many or too few: look at sums, means, indexing and unsqueeze"
    else:
        place = next(i for i, (a, b) in enumerate(zip(got.shape, shape, strict=True)) if a != b)
        cause = f"dimension {place} has {got.shape[place]} entries where {shape[place]} belong"
    raise Wrong(f"{name} has shape {tuple(got.shape)}", f"{tuple(shape)}", cause)


def expect_finite(name: str, got: Tensor, cause: str = NAN) -> None:
    """Refuse NaN and infinities.

    >>> expect_finite("output", torch.ones(2))
    """
    for word, found in (("NaN", got.isnan()), ("infinity", got.isinf())) if got.is_floating_point() else ():
        if found.any():
            place = tuple(found.nonzero()[0].tolist())
            at = f" at index {place}" if place else ""
            many = f"{int(found.sum())} of {got.numel()} numbers"
            seen = f"{name}: {many} are {word}, the first{at}" if got.numel() > 1 else f"{name} is {word}"
            raise Wrong(seen, "finite numbers", cause)
