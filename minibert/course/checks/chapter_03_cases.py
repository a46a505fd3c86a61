"""Exercises 3.1 and 3.2 are judged alike: answers are lists of pieces, and a mistake is known by all its answers."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from minibert.course.exercise import Wrong
from minibert.course.tools import call, kind_of


@dataclass(frozen=True)
class Case:
    """One question: the arguments, what to say when the answer is wrong and no known mistake gives it.

    >>> Case(("unable", {"un", "##able"}), "two pieces").cause
    'two pieces'
    """

    arguments: tuple
    cause: str


def judge(answer: Any, cases: Sequence[Case], right: Callable, suspects: dict[str, Callable], text: Callable) -> None:
    """Ask all cases; at the first wrong answer, name the mistake whose answers are those of the learner.

    `right` and every suspect take a case's arguments; `text` writes the call down for the reader.

    Raises:
        Wrong: what was seen, what was expected, the likely cause.
        NotAttempted: the answer is still the stub.

    >>> judge(lambda word: [word], [Case(("ab",), "letters")], list, {"it does not cut": lambda word: [word]}, str)
    Traceback (most recent call last):
    ...
    minibert.course.exercise.Wrong: ("('ab',) is ['ab']", "['a', 'b']", 'it does not cut')
    """
    seen: list[list[str]] = []
    for case in cases:
        name = text(case.arguments)
        got, want = _pieces(name, call(answer, *case.arguments)), right(*case.arguments)
        seen.append(got)
        if got == want:
            continue
        mistake = _mistake(answer, cases, suspects, seen)
        raise Wrong(f"{name} is {_shown(got)}", _shown(want), mistake or case.cause)


def _shown(pieces: list[str]) -> str:
    return str(pieces) if len(pieces) <= 12 else f"{len(pieces)} pieces: {', '.join(pieces[:6])}, ..."


def _pieces(name: str, got: Any) -> list[str]:
    if isinstance(got, list) and all(isinstance(piece, str) for piece in got):
        return got
    seen, cause = kind_of(got), "return a list of texts, one for each piece"
    if isinstance(got, str):
        seen, cause = repr(got)[:60], "a text alone: put it into a list, and leave several pieces apart"
    elif got is None:
        cause = "is the `return` missing, perhaps at the end or in one branch?"
    elif isinstance(got, tuple):
        cause = "return a list, not a tuple"
    elif isinstance(got, list):
        wrong = next(piece for piece in got if not isinstance(piece, str))
        seen, cause = f"a list that holds {kind_of(wrong)}", "the pieces themselves are wanted, as texts"
    raise Wrong(f"{name} is {seen}", "a list of texts", cause)


def _mistake(answer: Any, cases: Sequence[Case], suspects: dict[str, Callable], seen: list[list[str]]) -> str | None:
    """The first suspect that answers as the learner does; further cases are asked only while several would fit."""
    fitting = dict(suspects)
    for place, case in enumerate(cases):
        if place >= len(seen):
            if len(fitting) < 2:
                break
            try:
                seen.append(_pieces("", call(answer, *case.arguments)))
            except Wrong:
                break
        fitting = {mistake: wrong for mistake, wrong in fitting.items() if wrong(*case.arguments) == seen[place]}
    return next(iter(fitting), None)
