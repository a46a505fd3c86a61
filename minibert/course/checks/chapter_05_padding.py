"""Exercise 5.3: the learner writes a test; the check runs it on correct attentions and on broken ones."""

from dataclasses import dataclass, field

import torch
from torch import Tensor

from minibert.course.checks.chapter_05_attentions import BROKEN, CORRECT
from minibert.course.exercise import Wrong
from minibert.course.tools import call, kind_of, show


@dataclass
class Calls:
    """What the learner's test called, to tell why it found nothing.

    >>> Calls().verdict()
    'it never calls attention'
    """

    inputs: list[tuple[Tensor, Tensor]] = field(default_factory=list)

    def verdict(self) -> str:
        """The most telling fact about the calls, or "" when they look reasonable."""
        padded = [(x, mask) for x, mask in self.inputs if not mask.all()]
        if not self.inputs:
            return "it never calls attention"
        if len(self.inputs) == 1:
            return "it calls attention only once: there is nothing to compare with"
        if not padded:
            return "the mask is all True in each of its calls: nothing is padding"
        if all(not (~mask).any(dim=1)[mask.any(dim=1)].any() for _, mask in padded):
            return "its padding is a text of its own; put it behind a text that has real tokens"
        if all(torch.equal(x, x[:1, :1].expand_as(x)) for x, _ in padded):
            return (
                "all tokens have the same vector, so that every mixture of them is the same; draw them with torch.randn"
            )
        return ""


def check_padding_test(answer, rng: torch.Generator) -> None:
    """The check of exercise 5.3; `answer` is the learner's test.

    Raises:
        Wrong: the test refuses a correct attention, or lets a broken one pass.

    >>> check_padding_test(lambda attention: None, torch.Generator())
    Traceback (most recent call last):
    ...
    minibert.course.exercise.Wrong: ('your test passes an attention that ignores its mask altogether', ...
    """
    for attention, cause in CORRECT:
        found = _run(answer, attention, Calls())
        if found is not None:
            raise Wrong(f"your test fails a correct attention{found and f': {found}'}", "it passes", cause)
    for what, attention, cause in BROKEN:
        calls = Calls()
        if _run(answer, attention, calls) is None:
            raise Wrong(f"your test passes an attention that {what}", "an AssertionError", calls.verdict() or cause)


def _run(answer, attention, calls: Calls) -> str | None:
    """None when the test passes this attention, else the message of its AssertionError."""

    def watched(x, mask):
        _expect_batch(x, mask)
        x, mask = x.detach().clone(), mask.detach().clone().bool()
        calls.inputs.append((x, mask))
        return attention(x, mask)

    def tried(attention):
        try:
            return "passes", answer(attention)
        except AssertionError as error:
            text = str(error).strip()
            return "fails", text.splitlines()[0][:80] if text else ""
        except _BadCallError as error:
            return "cannot call", str(error)

    verdict, result = call(tried, watched)
    if verdict == "cannot call":
        raise Wrong(f"your test calls attention with {result}", "x (B, T, D) of floats, mask (B, T) of True and False")
    if verdict == "fails":
        return result
    if result is not None:
        raise Wrong(
            f"your test returns {show(result)}",
            "it returns nothing; it raises AssertionError when something is wrong",
            "write `assert ...` where you return; nobody looks at what a test returns",
        )
    return None


class _BadCallError(Exception):
    """The learner's test calls attention with something that is not a batch."""


def _expect_batch(x, mask) -> None:
    for name, value, sizes in (("x", x, 3), ("mask", mask, 2)):
        if not isinstance(value, Tensor) or value.dim() != sizes:
            raise _BadCallError(f"{name} = {kind_of(value)}")
    if not x.is_floating_point():
        raise _BadCallError(f"x of dtype {str(x.dtype)[6:]}")
    if mask.shape != x.shape[:2]:
        raise _BadCallError(f"x {tuple(x.shape)} and mask {tuple(mask.shape)}, which do not fit")
    if not ((mask == 0) | (mask == 1)).all():
        raise _BadCallError("a mask that is neither True nor False somewhere")
