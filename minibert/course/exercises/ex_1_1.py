"""1.1 The negative-sampling loss."""

import math

import torch
from torch.nn import functional

from minibert.course.lab import Case, Exercise, Lab, gradients


def negative_sampling_loss(centre, positive, negatives):
    """Mean over the pairs of: -log sigmoid(neighbour's score) - sum of log sigmoid(-scores of the drawn words)."""
    yes = (centre * positive).sum(dim=-1)  # (N,)
    no = (centre[:, None] * negatives).sum(dim=-1)  # (N, n)
    log_likelihood = functional.logsigmoid(yes) + functional.logsigmoid(-no).sum(dim=-1)  # (N,)
    return -log_likelihood.mean()


OVERFLOW = "a large exp is infinite and the log of 0 minus infinity: take log and sigmoid in one, functional.logsigmoid"
HIDDEN = "an epsilon inside the log, or scores that are clipped, hide a wrong answer from the learning: use logsigmoid"
WHERE = "the loss is right and its gradient is not: torch.where computes both branches, and 0 times infinity is NaN"


def cases(rng):
    def drawn(N, n, D):
        return tuple(torch.randn(*shape, generator=rng) for shape in ((N, D), (N, D), (N, n, D)))

    def scored(yes, no):  # vectors (1, 0) and (score, 0)
        yes, no = (torch.stack([x, 0 * x], dim=-1) for x in (torch.tensor(yes), torch.tensor(no)))
        return torch.tensor([1.0, 0.0]).expand(len(yes), 2).clone(), yes, no

    hand = torch.tensor([[1.0, 1.0]]), torch.tensor([[math.log(3), 0]]), torch.tensor([[[1, -1], [0, math.log(2)]]])
    cause = "the probabilities of the right answers are 3/4, 1/2 and 1/3, their product is 1/8, and -ln 1/8 = 2.079"
    negative = "an infinity or the log of a negative number: take log and sigmoid in one step, functional.logsigmoid"
    name = "the loss of one pair with the scores ln 3 (neighbour), 0 and ln 2 (negatives)"
    yield Case(hand, cause, name, if_nan=negative)
    cause = "one pair is right, several are not: is the mean over the pairs, and over nothing else?"
    name = "the loss of three random pairs with five negatives each"  # N, n and D all differ
    yield Case(drawn(3, 5, 6), cause, name, double=True, gradient=True, if_nan=negative)
    cause = "with one negative an axis has length 1: does a squeeze() without a number take it away?"
    yield Case(drawn(4, 1, 3), cause, "the loss of four pairs with one negative each")
    cause = "with vectors of width 1 an axis has length 1: does a squeeze() without a number take it away?"
    yield Case(drawn(2, 3, 1), cause, "the loss for vectors of width 1")
    for size in (20.0, 100.0, 1000.0):
        large = scored([-size, size, size], [[size, -size], [size, size], [-size, -size]])
        yield Case(large, HIDDEN, f"the loss for scores of {size:g} and -{size:g}", if_nan=OVERFLOW)
        name = f"the gradient for scores of {size:g} and -{size:g}"
        yield Case(large, "the loss is right, its gradient is not", name, if_nan=WHERE, run=gradients)


YES, NO = "(centre * positive).sum(dim=-1)", "(centre[:, None] * negatives).sum(dim=-1)"
PLUS, MINUS, RETURN = "functional.logsigmoid(yes)", "functional.logsigmoid(-no)", "-log_likelihood.mean()"
BOTH, SUM = f"{PLUS} + {MINUS}.sum(dim=-1)", f"{MINUS}.sum(dim=-1)"
TOTAL, WIDTH = "-log_likelihood.sum()", "centre.shape[1]"
AXIS = "a dot product sums over the wrong axis: the entries of two vectors lie along the last one, D (dim=-1)"


def scored(scores):
    """A patch that changes both scores."""
    return {"    log": f"    yes, no = {scores}\n    log"}


MISTAKES = {
    "a score is the mean over the D entries here; a dot product is their sum": scored(f"yes / {WIDTH}, no / {WIDTH}"),
    "the log-sigmoid is taken of each entry; a score is a dot product, so sum over D first": {
        PLUS: "functional.logsigmoid(centre * positive).sum(dim=-1)",
        SUM: "functional.logsigmoid(-centre[:, None] * negatives).sum(dim=(-1, -2))",
    },
    "the centre does not learn from the negatives: it is detached": {NO: NO.replace("centre", "centre.detach()")},
    "1 - logsigmoid is not log(1 - sigmoid), which is logsigmoid(-score)": {MINUS: "(1 - functional.logsigmoid(no))"},
    "the sum runs over the pairs, dim 0, not over the n negatives of each, dim -1": {SUM: f"{MINUS}.sum(0).mean()"},
    "the negatives are not negated: their log-sigmoid takes the score with its sign turned": {"(-no)": "(no)"},
    "both scores are negated: only those of the negatives are": {"(yes)": "(-yes)"},
    "the sign is wrong: this is the log-likelihood, a loss is its negative": {RETURN: RETURN[1:]},
    "there is one number for each pair: take the mean over the pairs": {RETURN: "-log_likelihood"},
    "pairs are added, negatives averaged: it is the other way round": {"no).sum": "no).mean", RETURN: TOTAL},
    "the negatives are averaged; their n log-sigmoids add up": {"no).sum": "no).mean"},
    "this is the mean over all n + 1 questions: those of one pair add up": {RETURN: f"{RETURN} / (1 + no.shape[1])"},
    "the mean for the neighbours, the sum over all pairs for the negatives": {BOTH: f"{PLUS}.mean() + {MINUS}.sum()"},
    "the pairs are added up; take the mean over the N pairs": {RETURN: TOTAL},
    "there is no log-sigmoid: these are the bare scores, which can grow without end": {BOTH: "yes - no.sum(dim=-1)"},
    "there is a sigmoid but no log of it": {BOTH: "yes.sigmoid() + (-no).sigmoid().sum(dim=-1)"},
    "this is 1 - sigmoid: there is no log": {BOTH: "yes.sigmoid() - 1 - no.sigmoid().sum(dim=-1)"},
    "the neighbour's term is added to each of the n negatives, not to their sum": {PLUS: f"{PLUS} * no.shape[1]"},
    "only the hardest negative counts; all n of them add up": {SUM: f"{MINUS}.amin(dim=-1)"},
    "only the first negative counts; all n of them add up": {SUM: f"{MINUS}[:, 0]"},
    "the negatives are not there: only the neighbour counts": {f" + {SUM}": ""},
    "the neighbour is not there: only the negatives count": {f"{PLUS} + ": ""},
    "the negatives' scores are added before the log-sigmoid, not after it": {SUM: "functional.logsigmoid(-no.sum(-1))"},
    "the negatives are averaged first; each of them has a log-sigmoid": {SUM: "functional.logsigmoid(-no.mean(-1))"},
    "softmax over neighbour and negatives: that is another loss; here each word is a yes-or-no question": {
        BOTH: "yes - torch.cat([yes[:, None], no], dim=1).logsumexp(dim=-1)"
    },
    "these are cosines; the scores are plain dot products": {
        YES: "functional.cosine_similarity(centre, positive, dim=-1)",
        NO: "functional.cosine_similarity(centre[:, None], negatives, dim=-1)",
    },
    "the scores are divided by sqrt(D), as in attention": scored(f"yes / {WIDTH} ** 0.5, no / {WIDTH} ** 0.5"),
    "a logarithm of base 2; use the natural one": {RETURN: f"{RETURN} / 0.6931471805599453"},
    "the loss is half of what it should be": {RETURN: f"{RETURN} / 2"},
    f"{AXIS} - for the negatives": {NO: NO.replace("-1", "1")},
    f"{AXIS} - for the neighbour": {YES: YES.replace("-1", "0"), PLUS: f"{PLUS}.mean()"},
    "every centre meets the neighbours of all pairs; each has one of its own": {YES: "centre @ positive.T"},
    "every centre meets the negatives of all pairs; each has n of its own": {NO: "centre @ negatives.flatten(0, 1).T"},
    "the negatives are multiplied with the neighbour, not with the centre": {"centre[:, None]": "positive[:, None]"},
    "squeeze() takes away every axis of length 1: name the axis": {NO: "(negatives @ centre[:, :, None]).squeeze()"},
    OVERFLOW: {PLUS: "yes.sigmoid().log()", MINUS: "(-no).sigmoid().log()"},
    f"1 - sigmoid is 0 from 17 on; {OVERFLOW}": {PLUS: "yes.sigmoid().log()", MINUS: "(1 - no.sigmoid()).log()"},
}

EXERCISE = Exercise(
    minutes=20,
    difficulty=2,
    signature="negative_sampling_loss(centre (N, D), positive (N, D), negatives (N, n, D)) -> (), a mean",
    hints=(
        "Each pair asks n + 1 yes-or-no questions: does this word stand beside the centre? For the true neighbour\n"
        "the answer should be yes, for the n drawn words no. The probability of yes is the sigmoid of the dot\n"
        "product, that of no is 1 minus it, which is the sigmoid of the same number with the other sign.",
        "score of the neighbour (N,): the entries of (N, D) times (N, D), summed over D.\n"
        "scores of the drawn words (N, n): (N, n, D) with (N, 1, D), summed over D.\n"
        "log-probabilities have these shapes, too. Over n they add up: (N,). Over N we take the mean: ().",
        "yes = dot product of each centre with its neighbour\n"
        "no = dot products of each centre with its own drawn words\n"
        "for each pair: log-sigmoid of yes, plus the log-sigmoids of all the no, each with its sign turned\n"
        "return the mean over the pairs, with the sign that makes it a loss\n"
        "(torch has a log-sigmoid in one piece; it needs no log of 0)",
    ),
    parts=(Lab(negative_sampling_loss, cases, MISTAKES),),
)
