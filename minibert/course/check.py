"""`check("5.1", attention)`: what the exercises answer. `hint("5.1", 1)` helps, `plan()` lists them all."""

from typing import Any, NamedTuple

import torch

from minibert.corpora import is_cached
from minibert.course.exercise import Exercise, NotAttempted, Wrong
from minibert.course.exercises import chapters, exercises, find
from minibert.course.explain import message
from minibert.course.limits import run_limited, untouched
from minibert.course.progress import note
from minibert.course.tools import copied, kind_of

ANY = Exception  # an answer may take the name out of Python
BROKEN = "{} not yet\n  seen      the answer breaks Python itself"
PUT_BACK = "it was put back; write a function with a name of your own"
ENDLESS = "a loop that never ends (does its condition ever become false?), or input far too large"
LEVELS = ("the idea", "the shapes", "in pseudo-code")


class Outcome(NamedTuple):
    """What a check found ("passed", "not attempted", "wrong", "error", "too slow"), in words, and how much is right."""

    status: str
    message: str
    credit: float = 0.0


def examine(number: str, answer: Any, seed: int = 0, seconds: float | None = None) -> Outcome:
    """Check an answer and say what was found; inputs are drawn from `seed`, and the notebook stays as it is.

    `seconds` replaces the exercise's time limit; a second more may pass until the code is stopped. A ValueError is
    raised for number, seed and seconds that make no sense, and never because of the answer.

    >>> examine("5.1", "forty-two").status
    'wrong'
    """
    exercise = find(number)
    if type(seed) is not int or not 0 <= seed < 2**63:
        raise ValueError(f"seed {seed!r}: expected a whole number from 0 to 2**63 - 1")
    limit = exercise.seconds if seconds is None else seconds
    if type(limit) not in (int, float) or not 0 < limit < 1e6:
        raise ValueError(f"seconds {seconds!r}: expected a number above 0")
    try:
        with untouched(seed) as replaced:
            outcome = judged(exercise, answer, seed, limit)
    except ANY:
        return Outcome("error", BROKEN.format(number))
    if replaced:
        seen = f"the answer replaces {', '.join(replaced[:5])} while it is checked"
        return _found(exercise, Wrong(seen, "", PUT_BACK))
    return outcome


def judged(exercise: Exercise, answer: Any, seed: int, seconds: float) -> Outcome:
    """What `examine` finds, without cleaning up behind the answer.

    >>> judged(find("5.1"), ..., 0, 10.0).status
    'not attempted'
    """

    def judge() -> Outcome:
        """Runs in a thread of its own; whatever happens becomes an outcome."""
        try:
            _judge_parts(exercise, copied(answer), torch.Generator().manual_seed(seed))
        except NotAttempted:
            return Outcome("not attempted", f"{exercise.number} not attempted")
        except Wrong as finding:
            return _found(exercise, finding)
        except BaseException as error:
            finding = Wrong(f"the check cannot make sense of this answer ({message(error)})", exercise.signature)
            return _found(exercise, finding, "error")
        return Outcome("passed", f"{exercise.number} passed", 1.0)

    try:
        finished, outcome = run_limited(judge, seconds)
    except ANY:  # whatever the answer has done to Python
        return Outcome("error", BROKEN.format(exercise.number))
    text = f"not done after {seconds:g} seconds; the check takes well under one with a right answer"
    return outcome if finished else _found(exercise, Wrong(text, "", ENDLESS), "too slow")


def _judge_parts(exercise: Exercise, answer: Any, rng: torch.Generator) -> None:
    """Check an answer part by part; where several things are asked for, each right one earns its share."""
    parts, names = exercise.parts, [part.name for part in exercise.parts]
    if answer is None or answer is ...:
        raise NotAttempted
    if missing := [name for name in exercise.needs if not is_cached(name)]:
        seen = f"this exercise reads real data, and {', '.join(missing)} is not in the cache"
        raise Wrong(seen, "", f"fetch it once: python -m minibert data fetch {' '.join(missing)}")
    if len(parts) == 1:
        return _judge_part(parts[0], answer, rng)
    if type(answer) not in (tuple, list) or len(answer) != len(parts):
        several = type(answer) in (tuple, list) and len(answer) != 1
        got = f"{len(answer)} things" if several else "one thing"
        raise Wrong(f"the answer is {got}", exercise.signature, f"pass all in parentheses: ({', '.join(names)})")
    wrong, blank = [], []
    for part, one in zip(parts, answer, strict=True):
        own = torch.Generator().manual_seed(int(torch.randint(2**62, (), generator=rng)))  # no part moves another's
        try:
            _judge_part(part, one, own)
        except NotAttempted:
            blank.append(Wrong(f"{part.name} is not written yet"))
        except Wrong as finding:
            wrong.append(type(finding)(f"{part.name}: {finding.seen}", finding.expected, finding.cause))
    if len(blank) == len(parts):
        raise NotAttempted
    for finding in (wrong + blank)[:1]:
        finding.credit = 1 - len(wrong + blank) / len(parts)
        raise finding


def _judge_part(part: Any, answer: Any, rng: torch.Generator) -> None:
    """Check one thing, if it is one of the kind that is asked for."""
    if answer is None or answer is ...:
        raise NotAttempted
    kind = "class" if isinstance(part.solution, type) else "function"
    if not callable(answer) or isinstance(answer, type) != (kind == "class"):
        cause = f"pass the {kind} itself, without parentheses behind its name"
        raise Wrong(f"this is something else: {kind_of(answer)}", f"the {kind} {part.name}", cause)
    part.check(answer, rng)


def _found(exercise: Exercise, finding: Wrong, status: str = "") -> Outcome:
    expected = finding.expected or (exercise.signature if finding.status == "error" else "")
    rows = (("seen", finding.seen), ("expected", expected), ("likely", finding.cause))
    text = "\n".join([f"{exercise.number} not yet", *(f"  {word:9} {text}" for word, text in rows if text)])
    return Outcome(status or finding.status, text, finding.credit)


def check(number: str, answer: Any) -> None:
    """Print what becomes of an answer: `5.1 passed`, `5.1 not attempted`, or what is wrong and why; note the try.

    >>> check("5.1", ...)
    5.1 not attempted
    """
    outcome = examine(number, answer)
    text = outcome.message
    if outcome.status != "not attempted":
        note(number, outcome.status)
    try:
        print(text)
    except UnicodeEncodeError:  # a terminal without the letters that an answer used
        print(text.encode("ascii", "backslashreplace").decode())


def passed(number: str, answer: Any, seed: int = 0) -> bool:
    """Whether an answer is right; prints nothing.

    >>> passed("5.1", ...)
    False
    """
    return examine(number, answer, seed).status == "passed"


def require(number: str, answer: Any) -> None:
    """What the hidden tests of nbgrader ask: an AssertionError, with what `check` prints, if an answer is not right.

    >>> require("5.1", ...)
    Traceback (most recent call last):
    ...
    AssertionError: 5.1 not attempted
    """
    outcome = examine(number, answer)
    if outcome.status != "passed":
        raise AssertionError(outcome.message)


def hint(number: str, level: int = 1) -> None:
    """Print a hint: level 1 the idea, 2 the shapes, 3 pseudo-code.

    >>> hint("5.1", 4)
    Traceback (most recent call last):
    ...
    ValueError: hint level 4: expected 1 (the idea), 2 (the shapes) or 3 (in pseudo-code)
    """
    exercise = find(number)
    if type(level) is not int or not 1 <= level <= 3:
        raise ValueError(f"hint level {level!r}: expected 1 (the idea), 2 (the shapes) or 3 (in pseudo-code)")
    print(f"{number}, hint {level} of 3, {LEVELS[level - 1]}:\n{exercise.hints[level - 1].strip()}")


def plan(chapter: int | None = None) -> None:
    """Print the exercises of one chapter, or of all: number, minutes, difficulty in stars, title.

    >>> plan(5)
    5.1    20 min  **     Scaled dot-product attention with a mask...
    """
    for number in chapters() if chapter is None else [chapter]:
        for one in exercises(number):
            print(f"{one.number:5} {one.minutes:3} min  {'*' * one.difficulty:5}  {one.title}")
