"""What an exercise is: what the reader sees of it, the parts that are asked for, and what a check finds.

An exercise is one file in `exercises/`, and 5.1 is the model; `lab.py` says how its solution, cases and mistakes are
written. Messages are stable: `show` writes numbers with at most four digits, and a check draws from its generator only.
"""

import inspect
import re
from dataclasses import dataclass
from functools import cached_property
from typing import Any

STUB = "write your answer here"  # what the unsolved exercises raise NotImplementedError with


class Wrong(Exception):
    """The learner's answer is wrong: what was seen, what was expected, and the likely cause."""

    status = "wrong"
    credit = 0.0  # the share of the exercise that is right nevertheless

    def __init__(self, seen: str, expected: str = "", cause: str = ""):
        super().__init__(seen, expected, cause)
        self.seen, self.expected, self.cause = seen, expected, cause


class Crash(Wrong):
    """The learner's code raised an exception instead of answering."""

    status = "error"

    @cached_property
    def raised(self) -> tuple[str, set[str]]:
        """The type of the exception, and the numbers that its message names; 100,000 also names 100000."""
        kind, _, words = self.seen.partition(":")
        words = words.partition(" (line")[0]
        return kind, set(re.findall(r"\d+", words + " " + re.sub(r"[,_](?=\d{3})", "", words)))


class NotAttempted(Exception):
    """The learner's code is still the stub."""


@dataclass(frozen=True)
class Exercise:
    """One exercise: what the reader sees of it, and the parts that are asked for (of `lab.Lab`).

    `difficulty` runs from 1 to 5, `signature` states shapes, `hints` are the idea, the shape plan and pseudo-code
    (never the line itself), `seconds` is the time limit of the whole check; with `number` and then `title` the
    docstring of the exercise's file begins. `needs` names the data that must be in the cache of `minibert.corpora`. All
    else is a ValueError.

    >>> hints = ("look at one number", "(N,) stays (N,)", "each number plus itself")
    >>> Exercise(5, 1, "double(x (N,)) -> (N,)", hints, (), number="5.9").seconds
    10.0
    """

    minutes: int
    difficulty: int
    signature: str
    hints: tuple[str, str, str]
    parts: tuple
    seconds: float = 10.0
    needs: tuple[str, ...] = ()
    number: str = ""
    title: str = ""

    def __post_init__(self):
        if not self.number:
            number, _, rest = (inspect.getdoc(inspect.getmodule(self.parts[0].solution)) or "").partition(" ")
            object.__setattr__(self, "number", number)
            object.__setattr__(self, "title", re.split(r"[.](?=\s|$)", rest)[0])
        if not re.fullmatch("[0-9]+[.][0-9]+", self.number):
            raise ValueError(f"exercise number {self.number!r}: expected chapter.place, such as '5.1'")
        if len(self.hints) != 3 or not all(isinstance(hint, str) and hint.strip() for hint in self.hints):
            raise ValueError(f"exercise {self.number}: expected three hints (idea, shape plan, pseudo-code)")
        if not 1 <= self.difficulty <= 5 or self.minutes < 1 or self.seconds <= 0:
            raise ValueError(f"exercise {self.number}: difficulty is 1 to 5, minutes and seconds are positive")

    @property
    def solution(self) -> Any:
        """The right answer: a function, a class, or the tuple of them that is asked for."""
        return self.parts[0].solution if len(self.parts) == 1 else tuple(part.solution for part in self.parts)
