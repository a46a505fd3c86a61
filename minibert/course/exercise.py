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


@dataclass(frozen=True)
class Mutant:
    """A wrong answer that the check must reject, with a diagnosis that the regular expression `says` finds.

    >>> Mutant("forgets to double", lambda x: x, says="twice").says
    'twice'
    """

    name: str
    answer: Any
    says: str
