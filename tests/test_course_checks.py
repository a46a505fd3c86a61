"""Every exercise of every chapter: its solution passes, its stub is reported, each listed mistake is named."""

import importlib
import inspect
import re

import pytest
from torch import nn

from minibert.course import examine
from minibert.course.checks import chapters, exercises
from minibert.course.exercise import STUB

EXERCISES = {one.number: one for chapter in chapters() for one in exercises(chapter)}
MUTANTS_OF = {
    chapter: importlib.import_module(f"minibert.course.checks.chapter_{chapter:02}_mutants") for chapter in chapters()
}
SOLUTIONS = {number: answer for module in MUTANTS_OF.values() for number, answer in module.SOLUTIONS.items()}
MUTANTS = [
    pytest.param(number, mutant, id=f"{number} {mutant.name}")
    for module in MUTANTS_OF.values()
    for number, mutants in module.MUTANTS.items()
    for mutant in mutants
]
FAST = 20.0  # seconds; a check takes a fraction of one, on a loaded machine a little more


def stubs(number: str):
    """The unsolved answers that a released notebook can hold."""
    exercise, solution = EXERCISES[number], SOLUTIONS[number]
    yield "ellipsis", ...
    yield "None", None
    if exercise.kind == "function":

        def stub(*arguments, **named):
            raise NotImplementedError(STUB)

        yield "function", stub
    if exercise.kind == "value" and isinstance(solution, tuple) and all(callable(part) for part in solution):

        def empty(*arguments, **named):
            raise NotImplementedError(STUB)

        yield "tuple of functions", tuple(empty for _ in solution)
    if exercise.kind == "class":

        def fail(self, *arguments, **named):
            raise NotImplementedError(STUB)

        yield "class", type("Stub", (nn.Module,), {"__init__": fail, "forward": fail})
        for method in ("forward", "__call__"):
            if inspect.isfunction(vars(solution).get(method)):
                yield f"class without {method}", type("Stub", (solution,), {method: fail})


def test_every_exercise_has_a_solution_and_three_mutants():
    assert set(SOLUTIONS) == set(EXERCISES)
    for number in EXERCISES:
        mutants = [m for module in MUTANTS_OF.values() for m in module.MUTANTS.get(number, ())]
        assert len(mutants) >= 3, number
        assert len({m.name for m in mutants}) == len(mutants)
    assert all(one.chapter == chapter for chapter in chapters() for one in exercises(chapter))


@pytest.mark.parametrize("number", EXERCISES)
@pytest.mark.parametrize("seed", [0, 1, 2, 20_000, 2**40])
def test_the_solution_passes_with_any_inputs(number, seed):
    outcome = examine(number, SOLUTIONS[number], seed, FAST)
    assert (outcome.status, outcome.message) == ("passed", f"{number} passed")


@pytest.mark.parametrize(("number", "mutant"), MUTANTS)
@pytest.mark.parametrize("seed", [0, 1, 20_000])
def test_a_mistake_is_rejected_and_named(number, mutant, seed):
    outcome = examine(number, mutant.answer, seed, FAST)
    assert outcome.status in ("wrong", "error"), outcome
    assert re.search(mutant.says, outcome.message), outcome.message
    assert "Traceback" not in outcome.message and "cannot make sense" not in outcome.message, outcome.message
    assert not re.search(r"0x[0-9a-f]{6,}|\d\.0*[1-9]\d{4,}", outcome.message), "addresses and long numbers drift"
    assert outcome == examine(number, mutant.answer, seed, FAST), "the same answer, another diagnosis"


@pytest.mark.parametrize("number", EXERCISES)
def test_the_stub_is_reported(number):
    for name, stub in stubs(number):
        outcome = examine(number, stub, 0, FAST)
        assert (outcome.status, outcome.message) == ("not attempted", f"{number} not attempted"), name


@pytest.mark.parametrize("number", EXERCISES)
def test_hints_are_graded_and_never_the_line(number):
    exercise = EXERCISES[number]
    assert len(set(exercise.hints)) == 3
    solution = SOLUTIONS[number]
    if exercise.kind == "value":
        return
    for line in inspect.getsource(solution).splitlines()[1:]:
        code = re.sub(r"#.*", "", line).strip()
        if len(code) > 25:
            assert not any(code in hint for hint in exercise.hints), f"a hint has the line {code!r}"
