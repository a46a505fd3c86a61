"""Exercise 9.3: the learner writes five property tests; each is run on right implementations and on broken ones."""

from collections.abc import Callable
from dataclasses import dataclass
from inspect import signature

import torch
from torch import Tensor

from minibert.course.checks.chapter_09_inputs import look_bias, look_loss, look_mask, look_norm, look_pool
from minibert.course.checks.chapter_09_suspects import BIASES, LOSSES, MASKINGS, NORMS, POOLS
from minibert.course.exercise import NotAttempted, Wrong
from minibert.course.tools import call, kind_of, show


@dataclass(frozen=True)
class Part:
    """One of the five: the test's name, what it is given, how that is called, right and broken ones.

    >>> PARTS[0].name
    'norm_test'
    """

    name: str
    given: str
    expects: str
    look: Callable[..., str]
    correct: tuple
    broken: tuple


class _BadCallError(Exception):
    """The learner's test calls what it was given with something that makes no sense."""


PARTS = (
    Part("norm_test", "norm", "x (N, D) of floats", look_norm, *NORMS),
    Part("pooling_test", "pool", "hidden (B, T, D) of floats, mask (B, T) of True and False", look_pool, *POOLS),
    Part("loss_test", "loss", "logits (B, 2) of floats, labels (B,) of 0 and 1, int64", look_loss, *LOSSES),
    Part("bias_test", "score", "hidden (N, D), table (V, D), bias (V,), all floats", look_bias, *BIASES),
    Part("masking_test", "mask", "ids (N,) int64 within 5 ... 999, a torch.Generator", look_mask, *MASKINGS),
)


def check_properties(answer, rng: torch.Generator) -> None:
    """The check of exercise 9.3; `answer` holds the learner's five tests.

    Raises:
        Wrong: a test refuses a right implementation, or lets a broken one pass.
        NotAttempted: all five are still the stub.

    >>> check_properties((len,), torch.Generator())
    Traceback (most recent call last):
    ...
    minibert.course.exercise.Wrong: ('the answer is a tuple of 1', ...
    """
    names = [part.name for part in PARTS]
    if type(answer) not in (tuple, list) or len(answer) != len(PARTS) or not all(callable(one) for one in answer):
        cause = "pass the functions themselves, without parentheses behind their names"
        raise Wrong(f"the answer is {kind_of(answer)}", f"five tests: ({', '.join(names)})", cause)
    missing = []
    for part, test in zip(PARTS, answer, strict=True):
        try:
            _check_part(part, test)
        except NotAttempted:
            missing.append(part.name)
    if len(missing) == len(PARTS):
        raise NotAttempted
    if missing:
        written = [name for name in names if name not in missing]
        raise Wrong(f"{', '.join(written)}: right; not written yet: {', '.join(missing)}", "all five tests")


def _check_part(part: Part, test) -> None:
    draws = 3 if part.name == "masking_test" else 1  # chance: a test must not pass or fail by luck
    for draw in range(draws):
        for implementation, cause in part.correct:
            calls = []
            found = _run(part, test, implementation, calls, draw)
            if found is not None:
                if not calls:
                    cause = f"it never gets as far as calling {part.given}"
                seen = f"your {part.name} fails a right `{part.given}`{found and f': {found}'}"
                raise Wrong(seen, "it passes", _small(part, calls) or cause)
        for what, implementation, cause in part.broken:
            calls = []
            if _run(part, test, implementation, calls, draw) is None:
                seen = f"your {part.name} passes a `{part.given}` that {what}"
                raise Wrong(seen, "an AssertionError", _verdict(part, calls) or cause)


def _small(part: Part, calls: list[tuple]) -> str:
    """For masking: whether too few tokens are counted to say anything."""
    if part.name != "masking_test" or not calls:
        return ""
    tokens = sum(len(ids) for ids, _ in calls)
    if tokens >= 200_000:
        return ""
    chosen = round(0.15 * tokens)
    return (
        f"about {chosen} chosen tokens are too few to tell 9 % from 10 %: a share of 10 % wobbles by "
        f"{(0.09 / max(chosen, 1)) ** 0.5:.3f}; give it a million tokens, and a tolerance of about 0.005"
    )


def _verdict(part: Part, calls: list[tuple]) -> str:
    """The most telling fact about the calls of a test that noticed nothing, or ""."""
    if not calls:
        return f"it never calls {part.given}"
    if part.name == "norm_test" and min(x.shape[1] for (x,) in calls) > 64:
        return f"at a width of {calls[0][0].shape[1]} the two hardly differ: use a small one, such as D = 4"
    if part.name == "pooling_test":
        if all(mask.all() for _, mask in calls):
            return "the mask is all True in each of its calls: nothing is padding"
        if all(mask.sum(1).unique().numel() == 1 for _, mask in calls if not mask.all()):
            return "put two texts of different lengths into one batch, and look at the shorter one too"
    if part.name == "loss_test":
        seen = {label for _, labels in calls for label in labels.tolist()}
        if len(seen) == 1:
            return f"all labels of your batches are {seen.pop()}: take both"
        if all(torch.equal(logits[:, 0], logits[:, 1]) for logits, _ in calls):
            return "both logits are equal, so that either label costs ln 2: take random ones"
    if part.name == "bias_test":
        if all(not bias.any() for _, _, bias in calls):
            return "the bias is 0 in each of its calls: twice nothing is nothing"
        if all(torch.equal(bias, bias[:1].expand_as(bias)) for _, _, bias in calls):
            return "all entries of the bias are equal, and a softmax does not see that: take random ones"
    return _small(part, calls)


def _run(part: Part, test, implementation, calls: list[tuple], draw: int) -> str | None:
    """None when the test passes this implementation, else the message of its AssertionError."""

    def watched(*arguments, **named):
        try:
            given = signature(part.look).bind(*arguments, **named).args
        except TypeError:
            raise _BadCallError(f"{len(arguments) + len(named)} arguments, or other names for them") from None
        if bad := part.look(*given):
            raise _BadCallError(bad)
        if part.name == "pooling_test":
            given = given[0], given[1].bool()
        calls.append(tuple(value.detach().clone() if isinstance(value, Tensor) else value for value in given))
        if part.name == "masking_test":
            return _masked(implementation, draw, *given)
        return implementation(*given)

    def tried(given):
        try:
            return "passes", test(given)
        except AssertionError as error:
            text = str(error).strip()
            return "fails", text.splitlines()[0][:80] if text else ""
        except _BadCallError as error:
            return "cannot call", str(error)

    verdict, result = call(tried, watched)
    if verdict == "cannot call":
        raise Wrong(f"your {part.name} calls {part.given} with {result}", part.expects)
    if verdict == "fails":
        return result
    if result is not None:
        cause = "write `assert ...` where you return; nobody looks at what a test returns"
        raise Wrong(f"your {part.name} returns {show(result)}", "it returns nothing; it raises AssertionError", cause)
    return None


def _masked(implementation, draw: int, ids: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """What it draws depends on the learner's generator and on `draw`, so that one lucky seed is not enough."""
    seed = int(torch.randint(2**40, (1,), generator=generator)) + draw
    return implementation(ids, torch.Generator().manual_seed(seed))
