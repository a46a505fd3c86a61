"""An exercise as data: the solution, the cases it is asked, and mistakes as patches of the solution's source.

Each exercise is one file in `exercises/`; 5.1 is the model. Check, mutants and the notebook's solution come from it.

- A `Case` holds inputs, for which the learner's answer must agree with the solution's. `run(answer, *inputs)` asks: it
  calls the code through `call`, and may turn what comes back into the numbers that matter. `modules.py` asks classes.
- A mistake is `{old: new}`, a patch of the solution's source that fits exactly once, or a function of its own. A wrong
  answer is named by the first mistake that answers *every* case as the learner does, by two patches at once ("two
  things: ..."), or by the mistake that explains at least two thirds of the wrong answers.
- What holds for every exercise is looked at once: inputs stay unchanged, two calls agree, type, shape, dtype and finite
  numbers; and on demand gradients, axes in front and float64.
"""

import contextlib
import inspect
import itertools
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cache, cached_property
from typing import Any

import torch
from torch import Tensor

from minibert.course.exercise import Crash, Exercise, NotAttempted, Wrong
from minibert.course.tools import Unsteady, alike, call, expect_like, expect_steady

__all__ = ["Case", "Crash", "Exercise", "Lab", "Wrong", "exchanged", "gradients", "slopes"]  # what exercises import
ENOUGH = 2 / 3  # the share of the wrong answers that a mistake must explain to be named
AXES = "any number of axes may stand in front: count axes from the end (-1, -2), or use ..."
FLOAT64 = "the output has the dtype of the inputs: a .float() or a new float32 tensor on the way"


def gradients(answer: Any, *inputs) -> tuple[Tensor, ...]:
    """The gradient of a weighted sum of the output at each input of floats; `Wrong` where one of them gets none.

    >>> found = gradients(lambda x, y: (x * y).sum(), torch.ones(2), torch.full((2,), 3.0))
    >>> torch.allclose(found[0], 3 * found[1])
    True
    """
    asked = [place for place, x in enumerate(inputs) if isinstance(x, Tensor) and x.is_floating_point()]
    inputs = tuple(x.detach().requires_grad_() if place in asked else x for place, x in enumerate(inputs))
    found = call(lambda *given: slopes(answer(*given), [given[place] for place in asked]), *inputs)
    if lost := [place for place, slope in zip(asked, found, strict=True) if slope is None]:
        names = [f"input {place}" for place in range(1, len(inputs) + 1)]
        with contextlib.suppress(TypeError, ValueError):  # as the learner wrote them
            written = list(inspect.signature(answer).parameters)
            names = written if len(written) >= len(inputs) else names
        ends = "the inputs" if lost == asked else ", ".join(names[place] for place in lost)
        cause = "detach, .data, .item(), numpy, no_grad or torch.tensor(...) on the way, or a constant is returned"
        raise Wrong(f"no gradient leads back from the output to {ends}", "an output that can be trained through", cause)
    return found


def slopes(output: Any, ends: list[Tensor]) -> tuple[Tensor | None, ...]:
    """The gradient of a weighted sum of `output` at each of `ends`; None where none arrives.

    >>> x = torch.ones(1, requires_grad=True)
    >>> len(slopes(2 * x, [x])), slopes(3.0, [x])
    (1, (None,))
    """
    if not isinstance(output, Tensor) or not output.requires_grad:
        return (None,) * len(ends)
    weights = torch.rand(output.shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64) + 0.5
    return torch.autograd.grad((output * weights.to(output.dtype)).sum(), ends, allow_unused=True)


def exchanged(one: str, other: str) -> dict[str, str]:
    """A patch that exchanges two parts of a solution's source.

    >>> exchanged("a", "b")
    {'a': '<a>', 'b': 'a', '<a>': 'b'}
    """
    return {one: f"<{one}>", other: one, f"<{one}>": other}


@dataclass(frozen=True)
class Case:
    """One question: the inputs, the name of its answer, and what to say when no known mistake explains it.

    `gradient` also compares the gradients at the inputs. `leading` is the number of axes in front that may be missing;
    the case is then asked without them, and with one more. `double` also asks in float64.

    >>> [case.name for case in Case((torch.ones(2, 3),), leading=1, double=True).variants()][1:3]
    ['output for inputs without their first axis', 'output for inputs with one more axis in front']
    """

    inputs: tuple
    cause: str = ""
    name: str = "output"
    if_nan: str = ""
    tolerance: float = 1e-5
    gradient: bool = False
    leading: int = 0
    double: bool = False
    run: Callable | None = None
    items: tuple[str, ...] = ()  # the names of the things where the answer is several
    certain: bool = False  # the cause holds, whatever goes wrong
    once: bool = False  # it takes long, and another case sees whether two calls agree

    def variants(self) -> Iterator["Case"]:
        """The case itself, then the same question asked in the other ways that it demands."""
        plain = replace(self, gradient=False, leading=0, double=False)

        def other(change: Callable, how: str, cause: str) -> Case:
            inputs = tuple(change(x) if isinstance(x, Tensor) else x for x in self.inputs)
            return replace(plain, inputs=inputs, name=f"{self.name} for inputs {how}", cause=cause, certain=True)

        yield plain
        for count in range(1, self.leading + 1):
            which = "axis" if count == 1 else f"{count} axes"
            yield other(lambda x, n=count: x[(0,) * n], f"without their first {which}", AXES)
        if self.leading:
            yield other(lambda x: torch.stack([x, x.roll(1, 0)]), "with one more axis in front", AXES)
        if self.double:
            yield other(lambda x: x.double() if x.is_floating_point() else x, "in float64", FLOAT64)
        if self.gradient:
            cause = "the output is right, its gradient is not"
            yield replace(plain, name=f"the gradient of {self.name}", cause=cause, run=gradients)


@dataclass(frozen=True)
class Lab:
    """One thing that an exercise asks for; its check, the mutants of its test and the solution in the notebook.

    `cases(rng)` yields the cases, drawn from `rng` alone. `mistakes` maps what the learner is told to what was done.
    `run` is how a case is asked unless it says so itself; `before` and `after` look at what cases cannot show. With
    `in_pairs` two patches at once are tried where no single one fits.
    `coarse`: answers are verdicts such as "passes", so a mistake is named only where it answers every case alike.
    `in_order`: the first cases are quick, the last take long, so a mistake is tried on them in turn.

    >>> mistakes = {"only the first is put elsewhere": {"other: one, ": ""}}
    >>> lab = Lab(exchanged, lambda rng: [Case(("a", "b"))], mistakes)
    >>> lab.name, lab.wrong["only the first is put elsewhere"]("a", "b")
    ('exchanged', {'a': '<a>', '<a>': 'b'})
    """

    solution: Callable
    cases: Callable[[torch.Generator], Iterable[Case]]
    mistakes: dict[str, dict[str, str] | Callable]
    run: Callable = call
    before: Callable[[Any, torch.Generator], None] | None = None
    after: Callable[[Any, torch.Generator], None] | None = None
    coarse: bool = False
    in_pairs: bool = True
    in_order: bool = False

    @property
    def name(self) -> str:
        """What the learner's function or class is called."""
        return self.solution.__name__

    @cached_property
    def source(self) -> str:
        """The text of the solution."""
        return inspect.getsource(self.solution)

    @cached_property
    def wrong(self) -> dict[str, Callable]:
        """Every mistake as something that can be called; also the mutants of the exercise's test."""
        return {says: how if callable(how) else self._patched(how) for says, how in self.mistakes.items()}

    @cached_property
    def pairs(self) -> dict[str, Callable]:
        """Every two patches at once, where both fit."""
        made, patches = {}, [(says, how) for says, how in self.mistakes.items() if not callable(how)]
        if isinstance(self.solution, type) or not self.in_pairs:
            return {}  # hundreds of them take too long to make or to ask
        for (one, first), (other, second) in itertools.combinations(patches, 2):
            for both in (first | second, second | first) if not first.keys() & second.keys() else ():
                with contextlib.suppress(ValueError, SyntaxError):  # one took away what the other would change
                    made.setdefault(f"two things: {one}; and: {other}", self._patched(both))
        return made

    def _patched(self, patch: dict[str, str]) -> Callable:
        source, space = self.source, dict(vars(inspect.getmodule(self.solution)))
        for old, new in patch.items():
            if source.count(old) != 1:
                raise ValueError(f"{old!r} stands {source.count(old)} times in the solution, expected once")
            source = source.replace(old, new)
        exec(compile(source, "<mistake>", "exec"), space)
        return space[self.name]

    def check(self, answer: Any, rng: torch.Generator) -> None:
        """Ask the cases in turn; `Wrong` at the first wrong answer names the mistake, `NotAttempted` the stub."""
        if self.before:
            self.before(answer, rng)
        cases = [variant for case in self.cases(rng) for variant in case.variants()]
        seen = []
        for case in cases:
            want = self.ask(self.solution, case, twice=False)
            seen.append(self.ask(answer, case))
            try:
                expect_like(case.name, seen[-1], want, case.cause, case.tolerance, case.if_nan, case.items)
            except Wrong as finding:
                raise self._named(finding, answer, cases, seen) from None
        if self.after:
            self.after(answer, rng)

    def ask(self, answer: Any, case: Case, twice: bool = True) -> Any:
        """What the answer gives, twice the same if it is asked twice; an exception is an answer, too."""
        run, steady = case.run or self.run, twice and not case.once
        try:
            return expect_steady(answer, *case.inputs, run=run) if steady else run(answer, *case.inputs)
        except Crash as crash:
            return crash

    def _named(self, finding: Wrong, answer: Any, cases: list[Case], seen: list) -> Wrong:
        case, status = cases[len(seen) - 1], type(finding)
        cause = self._blame(answer, cases, seen) or (case.certain and case.cause) or finding.cause or case.cause
        return status(finding.seen, finding.expected, cause)

    def _blame(self, answer: Any, cases: list[Case], seen: list) -> str:
        """The mistake that answers every case alike, else two at once, else the one that explains most.

        The last must explain two thirds of the wrong answers, or all but one, and more than it spoils of the others.
        """
        failed = len(seen) - 1
        answers = seen + [self._quietly(answer, case) for case in cases[failed + 1 :]]
        if unsteady := next((one for one in answers if isinstance(one, Unsteady)), None):
            raise unsteady  # chance made two calls agree so far
        order = list(range(len(cases)))
        if not self.in_order:  # else the first cases are the quick ones
            order.sort(key=lambda place: place != failed)

        @cache
        def fits(wrong: Callable, place: int) -> bool:
            theirs = self._quietly(wrong, cases[place], twice=False)
            return alike(answers[place], theirs, cases[place].tolerance)

        for says, wrong in itertools.chain(self.wrong.items(), () if self.coarse else self.pairs.items()):
            if all(fits(wrong, place) for place in order):
                return says
        if self.coarse:
            return ""
        bad = [place for place in order if place == failed or not fits(self.solution, place)]
        first = range(failed + 1) if self.in_order else [failed]
        best, most = "", min(ENOUGH * len(bad), max(len(bad) - 1, 1))
        for says, wrong in self.wrong.items():
            if all(fits(wrong, place) for place in first):
                explained = sum(fits(wrong, place) for place in bad)
                against = sum(not fits(wrong, place) for place in order if place not in bad)
                if explained >= most and explained > against and not (best and explained == most):
                    best, most = says, explained
        return best

    def _quietly(self, answer: Any, case: Case, twice: bool = True) -> Any:
        """What an answer gives where nothing may be raised any more; a finding is an answer, too."""
        try:
            return self.ask(answer, case, twice)
        except (Wrong, NotAttempted) as finding:
            return finding
