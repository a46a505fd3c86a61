"""Exercises in which the learner writes a test: it must pass right functions and fail broken ones."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache, partial
from inspect import signature
from typing import Any

import torch
from torch import Tensor

from minibert.course.exercise import Crash, Wrong
from minibert.course.lab import Case, Lab
from minibert.course.tools import call, kind_of, show

PASSES, RAISES = "it passes", "it raises an AssertionError"
RETURNS = "write `assert ...` where you return; nobody looks at what a test returns"
ALONE = "a test raises AssertionError, and nothing else: use `assert`, or torch.testing"
NAN = "comparisons with NaN are always False, so `not (difference > tolerance)` holds for NaN; assert `<`, or allclose"
BITS = "other rounding is no bug: compare with a tolerance, such as atol=1e-4, not for equal bits"


@dataclass(frozen=True)
class Given:
    """What a learner's test is given: right and broken functions, and how they may be called.

    `fits(*inputs)` is whether a call makes sense; `blind(calls)` says why calls such as these show nothing, or "".
    `right` and `broken` are tables of (what the function does, the function, what to say if the test misjudges it).
    A test with fewer calls than `least` cannot pass. A `mask` reaches the function as True and False.

    >>> given = Given("double", "x", lambda x: True, lambda calls: "", (("adds", lambda x: x + x, "why?"),), ())
    >>> given.verdict(lambda double: None, given.right[0][1], False)
    'it passes'
    """

    name: str
    expects: str
    fits: Callable
    blind: Callable
    right: tuple
    broken: tuple
    least: int = 1

    def cases(self, rng: torch.Generator) -> Iterator[Case]:
        """A case for each function: a test must pass the right ones and fail the broken ones."""
        for broken, kind, table in ((False, "right", self.right), (True, "broken", self.broken)):
            for what, function, cause in table:
                yield Case((function, broken), cause, f"what your test says of a {kind} `{self.name}`, which {what},")

    def verdict(self, test: Callable, function: Callable, broken: bool) -> str:
        """What the learner's test says; `Wrong` if it calls oddly, returns something, or cannot see what it should."""
        odd, calls = [], []

        def watched(*arguments, **named):
            try:
                inputs = signature(self.fits).bind(*arguments, **named).arguments
            except TypeError:
                inputs = {f"{len(arguments) + len(named)} arguments, or other names for them": "..."}
            if "..." in inputs.values() or not self.fits(**inputs):
                for name, value in inputs.items():
                    dtype = f" of dtype {str(value.dtype)[6:]}" if isinstance(value, Tensor) else ""
                    odd.append(f"{name} = {kind_of(value)}{dtype}")
                raise AssertionError
            if "mask" in inputs:
                inputs["mask"] = inputs["mask"].bool()
            calls.append([x.detach().clone() if isinstance(x, Tensor) else x for x in inputs.values()])
            return function(*inputs.values())

        def tried(given):
            try:
                return PASSES, test(given)
            except AssertionError:
                return RAISES, None

        try:
            said, result = call(tried, watched)
        except Crash as crash:
            raise Crash(crash.seen, crash.expected, crash.cause or ALONE) from None
        if odd:
            raise Wrong(f"your test calls {self.name} with {', '.join(odd)}", self.expects)
        if result is not None:
            raise Wrong(f"your test returns {show(result)}", "it returns nothing; it raises AssertionError", RETURNS)
        cause = self.blind(calls) if calls else f"it never calls {self.name}"
        if calls and len(calls) < self.least and said == PASSES:
            cause = f"it calls {self.name} only once: there is nothing to compare with"
        if cause and (said == PASSES) == broken:
            kind, wanted = ("broken", RAISES) if broken else ("right", PASSES)
            raise Wrong(f"what your test says of a {kind} `{self.name}` is '{said}'", f"'{wanted}'", cause)
        return said

    def lab(self, test: Callable, mistakes: dict) -> Lab:
        """What is asked for: a test of this function. What the solution says is kept: a million tokens take long."""
        known = cache(partial(self.verdict, test))
        run = lambda answer, *given: known(*given) if answer is test else self.verdict(answer, *given)  # noqa: E731
        return Lab(test, self.cases, mistakes, run, coarse=True)


TEXTS = "x (B, T, D) of floats, mask (B, T) of True and False"


def texts(x: Any, mask: Any) -> bool:
    """Whether these are a batch of vectors (B, T, D) and its mask (B, T), of True and False or of 1 and 0.

    >>> texts(torch.ones(2, 3, 4), torch.ones(2, 3)), texts(torch.ones(2, 3, 4), torch.ones(2))
    (True, False)
    """
    fits = real(x, 3) and isinstance(mask, Tensor) and mask.shape == x.shape[:2]
    return fits and bool(((mask == 0) | (mask == 1)).all())


def real(x: Any, *axes: int) -> bool:
    """Whether this is a tensor of floats with so many axes.

    >>> real(torch.ones(2, 3), 2, 3), real(torch.ones(2), 2)
    (True, False)
    """
    return isinstance(x, Tensor) and x.dim() in axes and x.is_floating_point()


def whole(x: Any, low: int, high: int) -> bool:
    """Whether this is a tensor (N,) of int64 from `low` to `high`, N at least 1.

    >>> whole(torch.tensor([0, 1]), 0, 1), whole(torch.tensor([0, 2]), 0, 1)
    (True, False)
    """
    fine = isinstance(x, Tensor) and x.dim() == 1 and x.dtype == torch.int64 and len(x) > 0
    return fine and low <= int(x.min()) and int(x.max()) <= high
