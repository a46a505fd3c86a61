"""What an exercise is, and how to write one.

An exercise of chapter 5 is an `Exercise` in the list `EXERCISES` of `checks/chapter_05.py`; its solution and mutants
(mistakes that the check must recognise) stand beside it in `checks/chapter_05_mutants.py`. Exercise 5.1 is the model.

1.  `check(answer, rng)` runs the learner's answer through the helpers of `minibert.course.tools` and returns if all is
    well. At the first problem it raises `Wrong(seen, expected, cause)`; the helpers do that by themselves.
2.  Call the learner's code only as `call(answer, *inputs)`: it copies the inputs, notices when they are changed, and
    turns exceptions into one sentence with the learner's own line.
3.  Order: shape, dtype and finiteness (`expect_tensor` does these), the same answer twice (`expect_steady`), three
    numbers worked by hand, random parity with inputs drawn from `rng` only (a grader draws them anew), a property.
4.  Name mistakes: `expect_close(..., suspects={"it divides by K, not by sqrt(K)": what_that_would_give})`.
5.  `kind` is "function", "class" (the class itself, not an instance) or "value" (a number, text, list or tensor); the
    framework refuses other kinds. Classes: `make_module`, then `expect_steady`, `expect_dropout` on the instance.
6.  A mutant's `says` is a regular expression that its printed diagnosis must contain. Give mutants and checks names
    with a leading underscore: they need no docstring then. tests/test_course_checks.py runs them all.
7.  A check takes less than `seconds` by a factor of ten, prints nothing, and never looks at global random state.
8.  Messages are stable: `show` writes numbers with at most four digits.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from torch import Generator

STUB = "write your answer here"  # what the unsolved exercises raise NotImplementedError with
KINDS = ("function", "class", "value")


class Wrong(Exception):
    """The learner's answer is wrong: what was seen, what was expected, and the likely cause."""

    status = "wrong"

    def __init__(self, seen: str, expected: str = "", cause: str = ""):
        super().__init__(seen, expected, cause)
        self.seen, self.expected, self.cause = seen, expected, cause


class Crash(Wrong):
    """The learner's code raised an exception instead of answering."""

    status = "error"


class NotAttempted(Exception):
    """The learner's code is still the stub."""


@dataclass(frozen=True)
class Exercise:
    """One exercise: what the reader sees of it, and the check that answers back.

    `difficulty` runs from 1 to 5, `signature` states shapes, `hints` are the idea, the shape plan and pseudo-code
    (never the line itself), `seconds` is the time limit of the whole check.

    Raises:
        ValueError: a field that the reader could make nothing of.

    >>> hints = ("look at one number", "(N,) stays (N,)", "each number plus itself")
    >>> one = Exercise("5.9", "double it", 5, 1, "double(x (N,)) -> (N,)", hints, lambda answer, rng: None)
    >>> one.chapter, one.kind
    (5, 'function')
    """

    number: str
    title: str
    minutes: int
    difficulty: int
    signature: str
    hints: tuple[str, str, str]
    check: Callable[[Any, Generator], None]
    kind: str = "function"
    seconds: float = 10.0

    def __post_init__(self):
        chapter, dot, place = self.number.partition(".")
        if not (dot and chapter.isdecimal() and place.isdecimal()):
            raise ValueError(f"exercise number {self.number!r}: expected chapter.place, such as '5.1'")
        if self.kind not in KINDS:
            raise ValueError(f"exercise {self.number}: kind {self.kind!r}, expected one of {', '.join(KINDS)}")
        if len(self.hints) != 3 or not all(isinstance(hint, str) and hint.strip() for hint in self.hints):
            raise ValueError(f"exercise {self.number}: expected three hints (idea, shape plan, pseudo-code)")
        if not 1 <= self.difficulty <= 5 or self.minutes < 1 or self.seconds <= 0:
            raise ValueError(f"exercise {self.number}: difficulty is 1 to 5, minutes and seconds are positive")

    @property
    def chapter(self) -> int:
        """The chapter, which is also the number of its notebook."""
        return int(self.number.partition(".")[0])


@dataclass(frozen=True)
class Mutant:
    """A wrong answer that the check must reject, with a diagnosis that the regular expression `says` finds.

    >>> Mutant("forgets to double", lambda x: x, says="twice").says
    'twice'
    """

    name: str
    answer: Any
    says: str
