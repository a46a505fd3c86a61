"""Every exercise: its solution passes, its stub is reported, its mistakes and the answers of strangers are named.

The files test_course_exercises_*.py import these tests and say which `CHAPTERS` they are for, so that several
processes can share the work.
"""

import importlib
import inspect
import re

import pytest
from torch import nn

from minibert.corpora import is_cached
from minibert.course import examine
from minibert.course.exercise import STUB
from minibert.course.exercises import chapters, exercises
from minibert.course.judged import PASSES, RAISES, Given

EXERCISES = {one.number: one for chapter in chapters() for one in exercises(chapter) if one.parts}
SEEDS = [0, 20_000]
SLOW = {number for number, one in EXERCISES.items() if any(part.in_order or part.coarse for part in one.parts)}
REPEATED = 3  # mistakes of a part are asked twice with one seed: what is drawn is the part's, not the mistake's
FAST = 20.0  # seconds; a check takes a fraction of one, on a loaded machine a little more


def limit(number: str) -> float:
    """The time of a check in these tests: `FAST`, or what an exercise asks for that trains something."""
    return max(FAST, EXERCISES[number].seconds)


def pytest_generate_tests(metafunc):
    """Each test runs for every exercise of the file's chapters, or for every mistake of each."""
    mine = metafunc.module.CHAPTERS
    there = {number: one for number, one in EXERCISES.items() if int(number.partition(".")[0]) in mine}
    if "says" in metafunc.fixturenames:
        mistakes = [
            pytest.param(number, place, says, id=f"{number} {says}")
            for number, one in there.items()
            for place, part in enumerate(one.parts)
            for says in part.mistakes
        ]
        metafunc.parametrize(("number", "place", "says"), mistakes)
    elif "number" in metafunc.fixturenames:
        metafunc.parametrize("number", there)


@pytest.fixture(autouse=True)
def data_is_there(request):
    """Exercises with real data are left out where it is not in the cache."""
    needs = EXERCISES[number].needs if (number := request.node.callspec.params.get("number")) else ()
    if missing := [name for name in needs if not is_cached(name)]:
        pytest.skip(f"needs python -m minibert data fetch {' '.join(missing)}")


def seeds(number: str) -> list[int]:
    """Inputs are drawn with these; one will do where a check counts much, or draws nothing."""
    return SEEDS[:1] if number in SLOW else SEEDS


def in_turn(number: str, nth: int) -> int:
    """The seed of the nth wrong answer: to find its name takes long, and each seed has many of them."""
    return seeds(number)[nth % len(seeds(number))]


def answers(number: str):
    return importlib.import_module(f"tests.answers.ex_{number.replace('.', '_')}")


def with_part(number: str, place: int, answer):
    """The solution of an exercise with one of its parts replaced."""
    parts = [part.solution for part in EXERCISES[number].parts]
    parts[place] = answer
    return parts[0] if len(parts) == 1 else tuple(parts)


def stub(*arguments, **named):
    raise NotImplementedError(STUB)


def stub_of(solution):
    """What the released notebook has in place of a solution."""
    return type("Stub", (nn.Module,), {"__init__": stub, "forward": stub}) if isinstance(solution, type) else stub


def test_the_solution_passes_with_any_inputs(number):
    trains = EXERCISES[number].seconds > 100  # for seconds, each time it is asked
    for seed in SEEDS if trains else (*SEEDS, 1, 2, 2**40):
        outcome = examine(number, EXERCISES[number].solution, seed, limit(number))
        assert (outcome.status, outcome.message) == ("passed", f"{number} passed")


def test_a_mistake_is_rejected_and_named(number, place, says):
    part = EXERCISES[number].parts[place]
    wrong, nth = with_part(number, place, part.wrong[says]), list(part.mistakes).index(says)
    outcome = examine(number, wrong, seed := in_turn(number, nth), limit(number))
    assert outcome.status in ("wrong", "error"), outcome
    assert says in outcome.message, outcome.message
    assert "Traceback" not in outcome.message and "cannot make sense" not in outcome.message, outcome.message
    assert not re.search(r"0x[0-9a-f]{6,}|\d\.0*[1-9]\d{4,}", outcome.message), "addresses and long numbers drift"
    if number not in SLOW and nth < REPEATED:
        assert outcome == examine(number, wrong, seed, limit(number)), "the same answer, another diagnosis"


def test_the_stub_is_reported(number):
    parts = EXERCISES[number].parts
    blanks = [..., None, stub_of(parts[0].solution) if len(parts) == 1 else tuple(stub_of(p.solution) for p in parts)]
    for blank in blanks:
        outcome = examine(number, blank, 0, limit(number))
        assert (outcome.status, outcome.message) == ("not attempted", f"{number} not attempted"), blank
    if len(parts) > 1:
        for place, part in enumerate(parts):
            outcome = examine(number, with_part(number, place, stub_of(part.solution)), 0, limit(number))
            assert outcome.status == "wrong" and f"{part.name} is not written" in outcome.message


def test_a_class_of_which_a_method_is_missing_is_not_attempted(number):
    for part in EXERCISES[number].parts:
        if isinstance(part.solution, type) and len(EXERCISES[number].parts) == 1:
            unfinished = type("Stub", (part.solution,), {"forward": stub})
            assert examine(number, unfinished, 0, limit(number)).status == "not attempted"


def test_answers_of_strangers(number):
    theirs = answers(number)
    assert len(theirs.WRONG) >= 3 and len(theirs.RIGHT) >= 2
    for seed in seeds(number):
        for name, answer in theirs.RIGHT.items():
            assert examine(number, answer, seed, limit(number)).message == f"{number} passed", name
    for nth, (name, (answer, says)) in enumerate(theirs.WRONG.items()):
        outcome = examine(number, answer, in_turn(number, nth), limit(number))
        assert outcome.status in ("wrong", "error") and re.search(says, outcome.message), (name, outcome.message)


def test_a_solution_that_is_a_test_is_right_about_all_it_is_given(number):
    for part in EXERCISES[number].parts:
        given = getattr(part.cases, "__self__", None)
        for case in given.cases(None) if isinstance(given, Given) else ():
            function, broken = case.inputs
            assert given.verdict(part.solution, function, broken) == (RAISES if broken else PASSES), case.name


def test_mistakes_fit_and_hints_are_graded_and_never_the_line(number):
    exercise = EXERCISES[number]
    assert len(set(exercise.hints)) == 3
    for part in exercise.parts:
        assert len(part.wrong) >= 3, "a patch that fits twice or nowhere raises"
        for line in inspect.getsource(part.solution).splitlines()[1:]:
            code = re.sub(r"#.*", "", line).strip()
            assert len(code) <= 25 or not any(code in hint for hint in exercise.hints), f"a hint has the line {code!r}"
