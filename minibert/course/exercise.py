"""What an exercise is: what the reader sees of it, the parts that are asked for, and what a check finds.

An exercise is one file in `exercises/`, and 5.1 is the model; `lab.py` says how its solution, cases and mistakes are
written. Messages are stable: `show` writes numbers with at most four digits, and a check draws from its generator only.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from torch import Generator, randint

STUB = "write your answer here"  # what the unsolved exercises raise NotImplementedError with
KINDS = ("function", "class", "value")


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
    check: Callable[[Any, Generator], None] | None = None
    kind: str = "function"
    seconds: float = 10.0
    parts: tuple = ()  # of `lab.Lab`: the functions or classes that are asked for

    def __post_init__(self):
        chapter, dot, place = self.number.partition(".")
        if not (dot and chapter.isdecimal() and place.isdecimal()):
            raise ValueError(f"exercise number {self.number!r}: expected chapter.place, such as '5.1'")
        if self.parts:
            several = len(self.parts) > 1
            kind = "value" if several else "class" if isinstance(self.parts[0].solution, type) else "function"
            object.__setattr__(self, "kind", kind)
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

    @property
    def solution(self) -> Any:
        """The right answer: a function, a class, or the tuple of them that is asked for."""
        return self.parts[0].solution if len(self.parts) == 1 else tuple(part.solution for part in self.parts)

    def judge(self, answer: Any, rng: Generator) -> None:
        """Check an answer, part by part; where several things are asked for, each right one earns its share.

        Raises:
            Wrong: the first part that is wrong; `credit` is the share of the parts that are right.
            NotAttempted: nothing has been written yet.
        """
        if not self.parts:
            return self.check(answer, rng)
        if len(self.parts) == 1:
            return self.parts[0].check(answer, rng)
        names = [part.name for part in self.parts]
        if type(answer) not in (tuple, list) or len(answer) != len(names):
            got = (
                f"{len(answer)} thing{'s' * (len(answer) != 1)}" if type(answer) in (tuple, list) else "something else"
            )
            raise Wrong(f"the answer is {got}", self.signature, f"pass all in parentheses: ({', '.join(names)})")
        findings, blank = [], 0
        for part, one in zip(self.parts, answer, strict=True):
            own = Generator().manual_seed(int(randint(2**62, (), generator=rng)))  # no part moves another one's inputs
            try:
                if one is None or one is ...:
                    raise NotAttempted
                if not callable(one) or isinstance(one, type) != isinstance(part.solution, type):
                    what = "class" if isinstance(part.solution, type) else "function"
                    cause = f"pass the {what} itself, without parentheses behind its name"
                    raise Wrong("this is something else", f"the {what} {part.name}", cause)
                part.check(one, own)
            except NotAttempted:
                blank += 1
                findings.append(Wrong(f"{part.name} is not written yet"))
            except Wrong as finding:
                findings.append(type(finding)(f"{part.name}: {finding.seen}", finding.expected, finding.cause))
        if blank == len(names):
            raise NotAttempted
        if findings:
            findings.sort(key=lambda finding: "is not written yet" in finding.seen)
            findings[0].credit = 1 - len(findings) / len(names)
            raise findings[0]
