"""Exercise 1.1: is this the loss of negative sampling, and if not, which other one is it?"""

import math

import torch
from torch import Tensor
from torch.nn import functional

from minibert.course.checks.chapter_01_blame import blame
from minibert.course.exercise import Wrong
from minibert.course.expect import expect_close, expect_steady
from minibert.course.tools import call, expect_tensor, show

OVERFLOW = (
    "exp of a large number is infinite, sigmoid of a large negative one is 0, and log of 0 is minus infinity: take "
    "log and sigmoid in one step, with functional.logsigmoid"
)
HIDDEN = (
    "an epsilon inside the log, or scores that are clipped, hide how wrong a confident answer is, and it stops "
    "learning: functional.logsigmoid needs neither"
)


def _scores(centre: Tensor, positive: Tensor, negatives: Tensor) -> tuple[Tensor, Tensor]:
    return (centre * positive).sum(-1), (centre[:, None] * negatives).sum(-1)  # (N,), (N, n)


def _loss(centre: Tensor, positive: Tensor, negatives: Tensor) -> Tensor:
    """The right answer: softplus(x) is -log sigmoid(-x)."""
    yes, no = _scores(centre, positive, negatives)
    return (functional.softplus(-yes) + functional.softplus(no).sum(-1)).mean()


def _mistakes(centre: Tensor, positive: Tensor, negatives: Tensor) -> dict[str, Tensor]:
    yes, no = _scores(centre, positive, negatives)
    cost, plus = functional.softplus, functional.softplus(-yes)
    unit = functional.normalize(centre, dim=-1)
    cosine = _scores(unit, functional.normalize(positive, dim=-1), functional.normalize(negatives, dim=-1))
    crossed = (centre[:, None] * negatives).sum(1)  # (N, D): summed over the n words
    over_pairs = (centre * positive).sum(0)  # (D,)
    axis = "a dot product sums over the wrong axis: the entries of two vectors lie along the last one, D (dim=-1)"
    both = torch.cat([yes[:, None], no], dim=1)
    return {
        "the negatives are not negated: their log-sigmoid takes the score with its sign turned": (
            (plus + cost(-no).sum(-1)).mean()
        ),
        "the signs are exchanged: the neighbour's score is negated, and those of the negatives are not": (
            (cost(yes) + cost(-no).sum(-1)).mean()
        ),
        "both scores are negated: only those of the negatives are": (cost(yes) + cost(no).sum(-1)).mean(),
        "the sign is wrong: this is the log-likelihood, which grows as things get better; a loss is its negative": (
            -_loss(centre, positive, negatives)
        ),
        "the negatives are averaged; their n log-sigmoids add up": (plus + cost(no).mean(-1)).mean(),
        "the mean over all n + 1 questions: those of one pair add up, the mean is over the pairs": (
            (plus + cost(no).sum(-1)).mean() / both.shape[1]
        ),
        "the pairs are added up; take the mean over the N pairs": plus.sum() + cost(no).sum(),
        "the pairs are added up, and the negatives averaged: it is the other way round": (
            plus.sum() + cost(no).mean(-1).sum()
        ),
        "the mean for the neighbours, but the sum over all pairs for the negatives": plus.mean() + cost(no).sum(),
        "there is no log-sigmoid: these are the bare scores, which can be driven to infinity": (
            (no.sum(-1) - yes).mean()
        ),
        "there is a sigmoid but no log of it": -(yes.sigmoid() + (-no).sigmoid().sum(-1)).mean(),
        "this is 1 - sigmoid, a squash without a log": ((1 - yes.sigmoid()) + no.sigmoid().sum(-1)).mean(),
        "the neighbour's term is added n times, once to each negative: add up the negatives first": (
            (plus[:, None] + cost(no)).sum(-1).mean()
        ),
        "only the hardest negative counts; all n of them add up": (plus + cost(no.amax(-1))).mean(),
        "the negatives are not there: only the neighbour counts": plus.mean(),
        "the neighbour is not there: only the negatives count": cost(no).sum(-1).mean(),
        "only the first negative counts": (plus + cost(no[:, 0])).mean(),
        "the scores of the negatives are added before the log-sigmoid; each of them is a question of its own": (
            (plus + cost(no.sum(-1))).mean()
        ),
        "the negatives' vectors are averaged before the dot product; each of them is a question of its own": (
            (plus + cost(no.mean(-1))).mean()
        ),
        "softmax over neighbour and negatives: that is another loss; here each word is a yes-or-no question": (
            (both.logsumexp(-1) - yes).mean()
        ),
        "these are cosines; the scores are plain dot products": ((cost(-cosine[0]) + cost(cosine[1]).sum(-1)).mean()),
        "the scores are divided by sqrt(D), which belongs to attention": _loss(
            centre / centre.shape[1] ** 0.5, positive, negatives
        ),
        "a logarithm of base 2; use the natural one": _loss(centre, positive, negatives) / math.log(2),
        axis: (plus + cost(crossed).sum(-1)).mean(),
        f"{axis} - for the negatives": (plus + cost(crossed).mean(-1)).mean(),
        f"{axis} - for the neighbour": cost(-over_pairs).mean() + cost(no).sum(-1).mean(),
        f"{axis} - in both": cost(-over_pairs).mean() + cost(crossed).sum(-1).mean(),
        "every centre is multiplied with the neighbours of all pairs; each has one of its own": (
            cost(-(centre @ positive.T)).mean() + cost(no).sum(-1).mean()
        ),
        "every centre is multiplied with the negatives of all pairs; each has n of its own": (
            plus.mean() + cost(centre @ negatives.flatten(0, 1).T).sum(-1).mean()
        ),
        "the negatives are multiplied with the neighbour; both belong with the centre": (
            (plus + cost((positive[:, None] * negatives).sum(-1)).sum(-1)).mean()
        ),
    }


def check_loss(answer, rng: torch.Generator) -> None:
    """One number, ln 8 by hand, pairs at random, large scores, the gradient.

    Raises:
        Wrong: what was seen, what was expected, the likely cause.

    >>> check_loss(_loss, torch.Generator().manual_seed(0))
    """
    # By hand: scores ln 3 and (0, ln 2), so the three answers have the probabilities 3/4, 1/2 and 1/3.
    centre, positive = torch.tensor([[1.0, 1.0]]), torch.tensor([[math.log(3), 0.0]])
    hand = centre, positive, torch.tensor([[[1.0, -1.0], [0.0, math.log(2)]]])
    pairs = tuple(torch.randn(*shape, generator=rng) for shape in ((3, 6), (3, 6), (3, 5, 6)))  # N, n, D all differ
    cases = [hand, pairs]
    got = call(answer, *hand)
    _expect_one_number(got, 1)
    cause = "the probabilities of the right answers are 3/4, 1/2 and 1/3, their product is 1/8, and -ln 1/8 = 2.079"
    name = "for one pair with the scores ln 3 (neighbour), 0 and ln 2 (negatives), the loss"
    _expect_loss(name, answer, hand, torch.tensor(math.log(8)), cause, cases)
    _expect_one_number(call(answer, *pairs), 3)
    expect_steady(answer, *pairs)
    cause = "one pair is right, several are not: is the mean over the pairs, and over nothing else?"
    _expect_loss(
        "for three random pairs with five negatives each, the loss", answer, pairs, _loss(*pairs), cause, cases
    )
    few = tuple(torch.randn(*shape, generator=rng) for shape in ((4, 3), (4, 3), (4, 1, 3)))
    cause = "with one negative an axis has length 1: does a squeeze() without a number take it away?"
    _expect_loss("with one negative for each of four pairs, the loss", answer, few, _loss(*few), cause, [])

    # Large scores, of both signs: about a thousand.
    large = tuple(40 * x for x in pairs)
    got = call(answer, *large)
    if not torch.isfinite(got):
        raise Wrong(f"with scores of about a thousand the loss is {show(got)}", "a finite number", OVERFLOW)
    expect_close("with scores of about a thousand the loss", got, _loss(*large), HIDDEN)
    for inputs, size in ((pairs, "of ordinary size"), (large, "of about a thousand")):
        _check_gradient(answer, inputs, size)


def _expect_loss(name: str, answer, inputs: tuple, want: Tensor, cause: str, cases: list[tuple]) -> None:
    got = call(answer, *inputs)
    if isinstance(got, Tensor) and not torch.allclose(got.detach(), want, rtol=1e-4, atol=1e-5):
        cause = blame(answer, cases, _mistakes) or cause
    expect_close(name, got, want, cause)


def _expect_one_number(got, pairs: int) -> None:
    if isinstance(got, float):
        cause = "`.item()` or math.log gives a plain number, which nothing can be trained through: stay in torch"
        raise Wrong("the loss is a Python number", "a tensor of shape ()", cause)
    if isinstance(got, Tensor) and got.dim() == 1 and len(got) == pairs:
        raise Wrong(
            f"the loss has shape ({pairs},): one number for each pair", "one number, ()", "take the mean over the pairs"
        )
    expect_tensor("the loss", got, (), if_nan=f"{OVERFLOW}; or the log of a negative number")


def _check_gradient(answer, inputs: tuple[Tensor, ...], size: str) -> None:
    def slopes(*given):
        loss = answer(*given)
        return torch.autograd.grad(loss, given, allow_unused=True) if loss.requires_grad else (None,) * 3

    inputs = tuple(x.detach().clone().requires_grad_() for x in inputs)
    got = call(slopes, *inputs)
    want = torch.autograd.grad(_loss(*inputs), inputs)
    for name, slope, right in zip(("centre", "positive", "negatives"), got, want, strict=True):
        if slope is None or (right.abs().max() > 1e-3 and not slope.any()):  # large scores may be right for sure
            cause = "detach, .data, no_grad or torch.tensor(...) on the way: all three tables must be able to learn"
            raise Wrong(f"no gradient reaches {name}", "the loss reaches centre, positive and negatives", cause)
        cause = "the loss is right and its slope is not: torch.where computes both branches, and 0 times inf is NaN"
        name = f"the gradient at {name}, with scores {size},"
        expect_tensor(name, slope, tuple(right.shape), if_nan=cause)
        expect_close(
            name, slope, right, "the loss is right and its slope is not: is a part of it detached?", None, 1e-4
        )
