"""Exercise 9.2: a log that reports 0.0 at 50 %: which loss was that, which is right, and who can make it look so?"""

import torch
from torch import Tensor
from torch.nn import functional as F

from minibert.course.exercise import NotAttempted, Wrong
from minibert.course.expect import expect_close, expect_steady
from minibert.course.tools import call, expect_tensor, kind_of

NAMES = ("reported_loss", "nsp_loss", "constant_guess")
# The table of the exercise: (logits, labels, what the log reports).
CLUES = (
    ([[0.0, 0.0], [0.0, 0.0]], [0, 1], 0.6931),
    ([[5.0, 0.0], [0.0, 5.0]], [0, 1], 0.0067),
    ([[0.0, 5.0], [0.0, 5.0]], [0, 1], 0.0067),
    ([[5.0, 0.0], [5.0, 0.0]], [0, 1], 5.0067),
    ([[0.0, 5.0], [0.0, 5.0], [0.0, 5.0]], [0, 0, 1], 0.0067),
    ([[0.0, 5.0], [5.0, 0.0]], [1, 1], 2.5067),
)
SILENT = "the pairs with label 0 (B is next) are left out, and the mean is over those that are left"


def reported(logits: Tensor, labels: Tensor) -> Tensor:
    """What the log reports: the mean over the pairs with label 1 alone.

    >>> round(reported(torch.tensor([[0.0, 5.0], [0.0, 5.0]]), torch.tensor([0, 1])).item(), 4)
    0.0067
    """
    return F.cross_entropy(logits[labels == 1], labels[labels == 1])


def check_losses(answer, rng: torch.Generator) -> None:
    """The check of exercise 9.2; `answer` is (reported_loss, nsp_loss, constant_guess).

    Raises:
        Wrong: what was seen, what was expected, the likely cause.
        NotAttempted: all three are still the stub.

    >>> def guess(labels):
    ...     return torch.tensor([-9.0, 9.0]).repeat(len(labels), 1)
    >>> check_losses((reported, F.cross_entropy, guess), torch.Generator().manual_seed(0))
    """
    if type(answer) not in (tuple, list) or len(answer) != 3 or not all(callable(one) for one in answer):
        cause = "pass the functions themselves, without parentheses behind their names"
        raise Wrong(f"the answer is {kind_of(answer)}", f"three functions: ({', '.join(NAMES)})", cause)
    missing = []
    for name, function, look in zip(NAMES, answer, (_check_reported, _check_right, _check_guess), strict=True):
        try:
            look(function, rng)
        except NotAttempted:
            missing.append(name)
    if len(missing) == len(NAMES):
        raise NotAttempted
    if missing:
        right = ", ".join(name for name in NAMES if name not in missing)
        raise Wrong(f"{right}: right; not written yet: {', '.join(missing)}", "all three functions")


def _drawn(rng: torch.Generator, pairs: int = 7) -> tuple[Tensor, Tensor]:
    """Logits (B, 2) and labels (B,), three of them 0."""
    logits = 2 * torch.randn(pairs, 2, generator=rng)
    labels = (torch.randperm(pairs, generator=rng) >= 3).long()
    return logits, labels


def _ways(logits: Tensor, labels: Tensor) -> dict[str, Tensor]:
    """What a loss may be instead, by what it does."""
    each = F.cross_entropy(logits, labels, reduction="none")
    zero, one = each[labels == 0], each[labels == 1]
    return {
        "mean": each.mean(),
        "ones": one.mean() if len(one) else each.sum() * 0,
        "zeros": zero.mean() if len(zero) else each.sum() * 0,
        "ones over all": one.sum() / len(each),
        "sum": each.sum(),
        "sum of ones": one.sum(),
        "flipped": F.cross_entropy(logits, 1 - labels),
        "softmax twice": F.cross_entropy(logits.softmax(-1), labels),
        "mean of means": torch.stack([part.mean() for part in (zero, one) if len(part)]).mean(),
        "bits": each.mean() / 0.6931472,
        "ones, bits": (one.sum() / max(len(one), 1)) / 0.6931472,
        "smallest": each.min(),
    }


def _check_reported(function, rng: torch.Generator) -> None:
    name = "reported_loss"
    for number, (logits, labels, said) in enumerate(CLUES, 1):
        logits, labels = torch.tensor(logits), torch.tensor(labels)
        got = expect_tensor(name, expect_steady(function, logits, labels), ())
        ways = _ways(logits, labels)
        suspects = {
            "it divides by all pairs, and the pairs with label 0 are in that number: row 5 of the table": ways[
                "ones over all"
            ],
            "this leaves out the pairs with label 1; it is those with label 0 that the log does not see": ways["zeros"],
            "this is the right loss, which sees both labels; the log does not": ways["mean"],
            "the labels are flipped": ways["flipped"],
            "the loss is in bits; the table is in nats (natural logarithm)": ways["ones, bits"],
            "it adds up and does not divide: look at the last row": ways["sum of ones"],
        }
        cause = f"row {number} of the table; compare row 3 with row 5, and ask which pairs were looked at"
        _expect_same(f"{name} of row {number}", got, torch.tensor(said), cause, suspects, 1e-4)
    logits, labels = _drawn(rng)
    ways = _ways(logits, labels)
    suspects = {
        "it divides by all pairs": ways["ones over all"],
        "this chooses the pairs by what the model predicts, not by their label": _by_prediction(logits, labels),
        "it adds up and does not divide": ways["sum of ones"],
    }
    got = call(function, logits, labels)
    expect_close(f"{name} of 7 random pairs", got, ways["ones"], f"all rows of the table fit; here: {SILENT}", suspects)


def _by_prediction(logits: Tensor, labels: Tensor) -> Tensor:
    kept = logits.argmax(-1) == 1
    return F.cross_entropy(logits[kept], labels[kept]) if kept.any() else logits.sum() * 0


def _expect_same(name: str, got: Tensor, want: Tensor, cause: str, suspects: dict, tolerance: float) -> None:
    """As `expect_close`, where a suspect that also equals the right answer is no suspect."""
    others = {text: wrong for text, wrong in suspects.items() if (wrong - want).abs() > 10 * tolerance}
    expect_close(name, got, want, cause, others, tolerance)


def _check_right(function, rng: torch.Generator) -> None:
    name = "nsp_loss"
    hand = torch.tensor([[0.0, 5.0], [0.0, 5.0]]), torch.tensor([0, 1])
    cause = "a constant guess is right once, 0.0067, and wrong once, 5.0067: the mean is 2.5067"
    for logits, labels in (hand, *(_drawn(rng) for _ in range(2))):
        ways = _ways(logits, labels)
        suspects = {
            "this still leaves out the pairs with label 0": ways["ones"],
            "this leaves out the pairs with label 1 now": ways["zeros"],
            "the labels are flipped: 0 is the index of the logit for `is next`": ways["flipped"],
            "it adds up; the loss is the mean over the pairs": ways["sum"],
            "softmax is applied twice: cross-entropy takes logits and has its own": ways["softmax twice"],
            "each label gets the same weight, however many pairs have it; here each pair has": ways["mean of means"],
            "the loss is in bits; use the natural logarithm": ways["bits"],
            "it divides by all pairs, and adds up those with label 1 only": ways["ones over all"],
        }
        got = expect_tensor(name, expect_steady(function, logits, labels), ())
        _expect_same(f"{name} of {len(labels)} pairs", got, ways["mean"], cause, suspects, 1e-5)
        cause = "the mean over all pairs of minus the logarithm of the probability of the pair's label"
    one_sided = torch.zeros(3, 2), torch.tensor([1, 1, 1])
    got = expect_tensor(f"{name} of a batch without label 0", call(function, *one_sided), ())
    expect_close(f"{name} of three undecided pairs, all with label 1", got, torch.tensor(0.693147), "ln 2", None, 1e-4)
    _check_gradient(function, rng)


def _check_gradient(function, rng: torch.Generator) -> None:
    """A loss that is only reported teaches nothing: the gradient must reach the pairs of both labels."""
    logits, labels = _drawn(rng)
    leaf = logits.clone().requires_grad_(True)
    loss = call(lambda x: function(x, labels), leaf)
    want = (logits.softmax(-1) - F.one_hot(labels, 2)) / len(labels)
    held = []

    def through(x):
        x = x.detach().requires_grad_(True)
        result = function(x, labels)
        if not getattr(result, "requires_grad", False):
            return None
        result.backward()
        held.append(x.grad)
        return result.detach()

    if call(through, logits) is None or not loss.requires_grad:
        cause = "a .item(), .detach(), torch.no_grad() or torch.tensor(...) on the way: the model could not learn"
        raise Wrong("no gradient leads from nsp_loss back to the logits", "a loss to train with", cause)
    expect_close("the gradient of nsp_loss", held[0], want, "every pair pulls, whatever its label", None, 1e-5)


def _check_guess(function, rng: torch.Generator) -> None:
    name = "constant_guess"
    for labels in (torch.tensor([0, 1, 0, 1]), torch.randperm(10, generator=rng) % 2):
        got = expect_tensor(
            name, expect_steady(function, labels), (len(labels), 2), if_nan="infinite logits: 20 are enough"
        )
        if not torch.equal(got, got[:1].expand_as(got)):
            cause = "it looks at the labels: then it is no guess, and its accuracy is not 50 %"
            raise Wrong(
                f"the rows of {name} differ: {got.tolist()[:2]} ...", "the same two logits for every pair", cause
            )
        right = (got.argmax(-1) == labels).float().mean().item()
        looks, real = reported(got, labels).item(), F.cross_entropy(got, labels).item()
        if looks > 1e-3:
            cause = "always say `random` (label 1, the second logit), and say it with confidence"
            seen = f"the log would report {looks:.4f} for it"
            raise Wrong(seen, "below 0.001, at an accuracy of 50 %", cause)
        if right != 0.5 or real < 1.0:
            raise Wrong(f"its accuracy is {right:.0%}, its real loss {real:.2f}", "50 %, and far above ln 2", "")
