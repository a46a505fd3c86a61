"""1.1 The negative-sampling loss."""

import math

import torch
from torch.nn import functional

from minibert.course.lab import Case, Exercise, Lab, gradients


def negative_sampling_loss(centre, positive, negatives, positive_ids, negative_ids):
    """Mean over pairs: -log sigmoid(neighbour's score) - sum of log sigmoid(-scores of drawn words that are others)."""
    keep = negative_ids != positive_ids[:, None]  # (N, n): the neighbour itself, drawn by accident, does not count
    yes = (centre * positive).sum(dim=-1)  # (N,)
    no = (centre[:, None] * negatives).sum(dim=-1)  # (N, n)
    drawn = functional.logsigmoid(-no) * keep  # (N, n)
    log_likelihood = functional.logsigmoid(yes) + drawn.sum(dim=-1)  # (N,)
    return -log_likelihood.mean()


OVERFLOW = "a large exp is infinite and the log of 0 minus infinity: take log and sigmoid in one, functional.logsigmoid"
HIDDEN = "an epsilon inside the log, or scores that are clipped, hide a wrong answer from the learning: use logsigmoid"
WHERE = "the loss is right and its gradient is not: torch.where computes both branches, and 0 times infinity is NaN"
EMPTY = "nothing is left of a pair's negatives: their sum is 0, and a division by their number is 0 / 0"


def cases(rng):
    def no_hits(centre, positive, negatives):  # each word has an id of its own
        ids = torch.randperm(200, generator=rng).split([len(positive), 200 - len(positive)])
        return centre, positive, negatives, ids[0], ids[1][: negatives[..., 0].numel()].view(negatives.shape[:2])

    def drawn(N, n, D):
        return no_hits(*(torch.randn(*shape, generator=rng) for shape in ((N, D), (N, D), (N, n, D))))

    def scored(yes, no):  # vectors (1, 0) and (score, 0)
        yes, no = (torch.stack([x, 0 * x], dim=-1) for x in (torch.tensor(yes), torch.tensor(no)))
        return no_hits(torch.tensor([1.0, 0.0]).expand(len(yes), 2).clone(), yes, no)

    def looked_up(words, negatives, D=5):  # equal ids have equal vectors
        table, (words, negatives) = torch.randn(9, D, generator=rng), map(torch.tensor, (words, negatives))
        return torch.randn(len(words), D, generator=rng), table[words], table[negatives], words, negatives

    words = torch.tensor([[math.log(3), 0], [1, -1], [0, math.log(2)]])
    hand = torch.tensor([[1.0, 1.0]]), words[:1], words[None, 1:], torch.tensor([7]), torch.tensor([[5, 9]])
    cause = "the probabilities of the right answers are 3/4, 1/2 and 1/3, their product is 1/8, and -ln 1/8 = 2.079"
    negative = "an infinity or the log of a negative number: take log and sigmoid in one step, functional.logsigmoid"
    name = "the loss of one pair with the scores ln 3 (neighbour), 0 and ln 2 (negatives)"
    yield Case(hand, cause, name, if_nan=negative)
    hit = *hand[:2], words[None, [1, 2, 0]], hand[3], torch.tensor([[5, 9, 7]])
    cause = "the third drawn word has the id of the neighbour, 7, and does not count: still -ln 1/8 = 2.079"
    yield Case(hit, cause, "the loss of this pair where the neighbour itself is drawn, too")
    cause = "one pair is right, several are not: is the mean over the pairs, and over nothing else?"
    name = "the loss of three random pairs with five negatives each"  # N, n and D all differ
    yield Case(drawn(3, 5, 6), cause, name, double=True, gradient=True, if_nan=negative)
    cause = "with one negative an axis has length 1: does a squeeze() without a number take it away?"
    yield Case(drawn(4, 1, 3), cause, "the loss of four pairs with one negative each")
    cause = "with vectors of width 1 an axis has length 1: does a squeeze() without a number take it away?"
    yield Case(drawn(2, 3, 1), cause, "the loss for vectors of width 1")
    some = [[4, 0, 5, 1, 4, 0], [2, 2, 6, 3, 5, 7], [2, 5, 2, 2, 6, 0], [0, 6, 1, 6, 7, 3]]  # hits: 2, 0, 3 and 1
    cause = "a term of the sum stays out where negative_ids[i, k] is positive_ids[i], and nowhere else"
    name = "the loss of four pairs with 2, 0, 3 and 1 accidental hits among six negatives"
    yield Case(looked_up([0, 1, 2, 3], some), cause, name, if_nan=EMPTY, double=True, gradient=True)
    cause = "a pair of which every drawn word is the neighbour costs -log sigmoid(c . p), and is one of the N pairs"
    name = "the loss of two pairs, one of them with nothing but accidental hits"
    yield Case(looked_up([8, 3], [[8, 8, 8], [5, 8, 1]]), cause, name, if_nan=EMPTY)
    cause = "other words may have the same vector, such as 0 at the start: compare ids, not vectors"
    zeros = torch.zeros(2, 5), torch.zeros(2, 4, 5), torch.tensor([3, 6]), torch.tensor([[1, 3, 2, 0], [4, 5, 3, 1]])
    name = "the loss where the neighbours' and the drawn words' vectors are all 0"
    yield Case((torch.randn(2, 5, generator=rng), *zeros), cause, name)
    for size in (20.0, 100.0, 1000.0):
        large = scored([-size, size, size], [[size, -size], [size, size], [-size, -size]])
        yield Case(large, HIDDEN, f"the loss for scores of {size:g} and -{size:g}", if_nan=OVERFLOW)
        name = f"the gradient for scores of {size:g} and -{size:g}"
        yield Case(large, "the loss is right, its gradient is not", name, if_nan=WHERE, run=gradients)


YES, NO = "(centre * positive).sum(dim=-1)", "(centre[:, None] * negatives).sum(dim=-1)"
PLUS, MINUS, RETURN = "functional.logsigmoid(yes)", "functional.logsigmoid(-no)", "-log_likelihood.mean()"
KEEP, SUM = "negative_ids != positive_ids[:, None]", "drawn.sum(dim=-1)"
TOTAL, WIDTH, BOTH = "-log_likelihood.sum()", "centre.shape[1]", f"{PLUS} + {SUM}"
ALL = "centre @ negatives.flatten(0, 1).T"
AXIS = "a dot product sums over the wrong axis: the entries of two vectors lie along the last one, D (dim=-1)"
HITS = "accidental hits count here: a drawn word with the id of its pair's neighbour is left out of the sum"


def scored(scores):
    """A patch that changes both scores."""
    return {"    drawn": f"    yes, no = {scores}\n    drawn"}


MISTAKES = {
    HITS: {KEEP: "1"},
    "all pairs share all negatives, as in the chapter; here each pair has n of its own": {
        KEEP: "1 / len(centre)",
        NO: ALL,
    },
    "it is the other way round: accidental hits are left out, all other drawn words count": {"!=": "=="},
    "the score or the vector of an accidental hit is set to 0, which costs log 2: leave its term out of the sum": {
        "-no) * keep": "-no * keep)"
    },
    "what is left of the negatives is scaled up to n; leave hits out, and add up the others as they are": {
        SUM: f"{SUM} * no.shape[1] / keep.sum(dim=-1)"
    },
    "the negatives are averaged, over those that are left; they add up": {SUM: f"{SUM} / keep.sum(dim=-1)"},
    "only the neighbour of the same pair is an accidental hit: another pair's is a drawn word like any other": {
        KEEP: "~torch.isin(negative_ids, positive_ids)"
    },
    "pairs with an accidental hit are left out altogether; leave out the hit alone": {
        RETURN: "-log_likelihood[keep.all(dim=-1)].mean()"
    },
    "all negatives of a pair with an accidental hit are left out, not the hit alone": {
        "* k": "* keep.all(1, True) * k"
    },
    "a pair with no negatives left is left out; it has its neighbour": {RETURN: "-log_likelihood[keep.any(1)].mean()"},
    "only the first accidental hit of a pair is left out": {"* keep": "* (keep | ((~keep).cumsum(1) > 1))"},
    "a word that is drawn twice counts once here; it counts twice": {
        "* keep": "* keep * ~(negative_ids[:, :, None] == negative_ids[:, None]).tril(-1).any(dim=-1)"
    },
    "vectors are compared; other words may have the same vector, so compare ids": {
        KEEP: "(negatives != positive[:, None]).any(dim=-1)"
    },
    "a score is the mean over the D entries here; a dot product is their sum": scored(f"yes / {WIDTH}, no / {WIDTH}"),
    "the log-sigmoid is taken of each entry; a score is a dot product, so sum over D first": {
        PLUS: "functional.logsigmoid(centre * positive).sum(dim=-1)",
        MINUS: "functional.logsigmoid(-centre[:, None] * negatives).sum(dim=-1)",
    },
    "the centre does not learn from the negatives: it is detached": {NO: NO.replace("centre", "centre.detach()")},
    "1 - logsigmoid is not log(1 - sigmoid), which is logsigmoid(-score)": {MINUS: "(1 - functional.logsigmoid(no))"},
    "the sum runs over the pairs, dim 0, not over the n negatives of each, dim -1": {SUM: "drawn.sum(0).mean()"},
    "the negatives are not negated: their log-sigmoid takes the score with its sign turned": {"(-no)": "(no)"},
    "both scores are negated: only those of the negatives are": {"(yes)": "(-yes)"},
    "the sign is wrong: this is the log-likelihood, a loss is its negative": {RETURN: RETURN[1:]},
    "there is one number for each pair: take the mean over the pairs": {RETURN: "-log_likelihood"},
    "pairs are added, negatives averaged: it is the other way round": {"drawn.sum": "drawn.mean", RETURN: TOTAL},
    "the negatives are averaged; their n log-sigmoids add up": {"drawn.sum": "drawn.mean"},
    "this is the mean over all n + 1 questions: those of one pair add up": {RETURN: f"{RETURN} / (1 + no.shape[1])"},
    "the mean for the neighbours, the sum over all pairs for the negatives": {BOTH: f"{PLUS}.mean() + drawn.sum()"},
    "the pairs are added up; take the mean over the N pairs": {RETURN: TOTAL},
    "there is no log-sigmoid: these are the bare scores, which can grow without end": {PLUS: "yes", MINUS: "-no"},
    "there is a sigmoid but no log of it": {PLUS: "yes.sigmoid()", MINUS: "(-no).sigmoid()"},
    "this is 1 - sigmoid: there is no log": {PLUS: "yes.sigmoid() - 1", MINUS: "-no.sigmoid()"},
    "the neighbour's term is added to each of the n negatives, not to their sum": {PLUS: f"{PLUS} * no.shape[1]"},
    "only the hardest negative counts; all n of them add up": {SUM: "drawn.amin(dim=-1)"},
    "only the first negative counts; all n of them add up": {SUM: "drawn[:, 0]"},
    "the negatives are not there: only the neighbour counts": {f" + {SUM}": ""},
    "the neighbour is not there: only the negatives count": {f"{PLUS} + ": ""},
    "the negatives' scores are added before the log-sigmoid, not after it": {
        SUM: "functional.logsigmoid(-(no * keep).sum(-1))"
    },
    "the negatives are averaged first; each of them has a log-sigmoid": {
        SUM: "functional.logsigmoid(-(no * keep).sum(-1) / keep.sum(-1).clamp(min=1))"
    },
    "softmax over neighbour and negatives: that is another loss; here each word is a yes-or-no question": {
        BOTH: "yes - torch.cat([yes[:, None], no.masked_fill(~keep, -torch.inf)], dim=1).logsumexp(dim=-1)"
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
    "every centre meets the negatives of all pairs; each has n of its own": {
        KEEP: KEEP.replace("ids !", "ids.flatten() !"),
        NO: ALL,
    },
    "the negatives are multiplied with the neighbour, not with the centre": {"centre[:, None]": "positive[:, None]"},
    "squeeze() takes away every axis of length 1: name the axis": {NO: "(negatives @ centre[:, :, None]).squeeze()"},
    OVERFLOW: {PLUS: "yes.sigmoid().log()", MINUS: "(-no).sigmoid().log()"},
    f"1 - sigmoid is 0 from 17 on; {OVERFLOW}": {PLUS: "yes.sigmoid().log()", MINUS: "(1 - no.sigmoid()).log()"},
}

EXERCISE = Exercise(
    minutes=20,
    difficulty=2,
    signature="negative_sampling_loss(centre (N, D), positive (N, D), negatives (N, n, D), positive_ids (N,), "
    "negative_ids (N, n)) -> (), a mean",
    hints=(
        "Each pair asks n + 1 yes-or-no questions: does this word stand beside the centre? For the true neighbour\n"
        "the answer should be yes, for the n drawn words no. The probability of yes is the sigmoid of the dot\n"
        "product, that of no is 1 minus it, which is the sigmoid of the same number with the other sign.\n"
        "Where chance drew the neighbour itself there is no question: no term, neither log 2 nor anything else.",
        "score of the neighbour (N,): the entries of (N, D) times (N, D), summed over D.\n"
        "scores of the drawn words (N, n): (N, n, D) with (N, 1, D), summed over D.\n"
        "which drawn words are the neighbour (N, n): negative_ids (N, n) compared with positive_ids as (N, 1).\n"
        "log-probabilities have these shapes, too. Over n they add up: (N,). Over N we take the mean: ().",
        "yes = dot product of each centre with its neighbour\n"
        "no = dot products of each centre with its own drawn words\n"
        "keep = whether the id of each drawn word differs from that of its pair's neighbour\n"
        "for each pair: log-sigmoid of yes, plus the log-sigmoids of the no to keep, each with its sign turned\n"
        "return the mean over the pairs, with the sign that makes it a loss\n"
        "(torch has a log-sigmoid in one piece; it needs no log of 0)",
    ),
    parts=(Lab(negative_sampling_loss, cases, MISTAKES),),
)
