"""Chapter 1, word vectors: the solutions of its exercises, and mistakes that their checks must recognise."""

import torch
from torch.nn import functional

from minibert.course.checks.chapter_01_wrong_bags import WRONG_BAGS, _bag_ceiling, _twins
from minibert.course.checks.chapter_01_wrong_counts import WRONG_COUNTS, _co_occurrence
from minibert.course.exercise import Mutant


def _scores(centre, positive, negatives):
    return (centre * positive).sum(dim=-1), (centre[:, None] * negatives).sum(dim=-1)  # (N,), (N, n)


def _negative_sampling_loss(centre, positive, negatives):
    yes, no = _scores(centre, positive, negatives)
    log_likelihood = functional.logsigmoid(yes) + functional.logsigmoid(-no).sum(dim=-1)  # (N,)
    return -log_likelihood.mean()


def _does_not_negate(centre, positive, negatives):
    yes, no = _scores(centre, positive, negatives)
    return -(functional.logsigmoid(yes) + functional.logsigmoid(no).sum(dim=-1)).mean()


def _exchanges_the_signs(centre, positive, negatives):
    yes, no = _scores(centre, positive, negatives)
    return -(functional.logsigmoid(-yes) + functional.logsigmoid(no).sum(dim=-1)).mean()


def _keeps_the_sign(centre, positive, negatives):
    return -_negative_sampling_loss(centre, positive, negatives)


def _averages_the_negatives(centre, positive, negatives):
    yes, no = _scores(centre, positive, negatives)
    return -functional.logsigmoid(yes).mean() - functional.logsigmoid(-no).mean()


def _sums_the_pairs(centre, positive, negatives):
    return _negative_sampling_loss(centre, positive, negatives) * len(centre)


def _averages_all_questions(centre, positive, negatives):
    yes, no = _scores(centre, positive, negatives)
    scores = torch.cat([yes[:, None], no], dim=1)
    answers = torch.zeros_like(scores)
    answers[:, 0] = 1
    return functional.binary_cross_entropy_with_logits(scores, answers)


def _sums_over_the_words(centre, positive, negatives):
    yes, no = (centre * positive).sum(dim=-1), (centre[:, None] * negatives).sum(dim=1)  # (N,), (N, D)
    return -(functional.logsigmoid(yes) + functional.logsigmoid(-no).sum(dim=-1)).mean()


def _sums_over_the_pairs(centre, positive, negatives):
    yes, no = (centre * positive).sum(dim=0), (centre[:, None] * negatives).sum(dim=-1)  # (D,), (N, n)
    return -functional.logsigmoid(yes).mean() - functional.logsigmoid(-no).sum(dim=-1).mean()


def _has_no_log_sigmoid(centre, positive, negatives):
    yes, no = _scores(centre, positive, negatives)
    return (no.sum(dim=-1) - yes).mean()


def _has_no_log(centre, positive, negatives):
    yes, no = _scores(centre, positive, negatives)
    return -(torch.sigmoid(yes) + torch.sigmoid(-no).sum(dim=-1)).mean()


def _overflows(centre, positive, negatives):
    yes, no = _scores(centre, positive, negatives)
    return -(torch.log(torch.sigmoid(yes)) + torch.log(1 - torch.sigmoid(no)).sum(dim=-1)).mean()


def _adds_an_epsilon(centre, positive, negatives):
    yes, no = _scores(centre, positive, negatives)
    log = (torch.sigmoid(yes) + 1e-9).log() + (torch.sigmoid(-no) + 1e-9).log().sum(dim=-1)
    return -log.mean()


def _chooses_by_where(centre, positive, negatives):
    def cost(x):
        return torch.where(x > 0, x + torch.log(1 + torch.exp(-x)), torch.log(1 + torch.exp(x)))

    yes, no = _scores(centre, positive, negatives)
    return (cost(-yes) + cost(no).sum(dim=-1)).mean()


def _adds_before_the_sigmoid(centre, positive, negatives):
    yes, no = _scores(centre, positive, negatives)
    return -(functional.logsigmoid(yes) + functional.logsigmoid(-no.sum(dim=-1))).mean()


def _asks_a_softmax(centre, positive, negatives):
    yes, no = _scores(centre, positive, negatives)
    return functional.cross_entropy(torch.cat([yes[:, None], no], dim=1), torch.zeros(len(yes), dtype=torch.long))


def _compares_cosines(centre, positive, negatives):
    centre, positive, negatives = (functional.normalize(x, dim=-1) for x in (centre, positive, negatives))
    return _negative_sampling_loss(centre, positive, negatives)


def _keeps_the_pairs(centre, positive, negatives):
    yes, no = _scores(centre, positive, negatives)
    return -functional.logsigmoid(yes) - functional.logsigmoid(-no).sum(dim=-1)


def _squeezes_too_much(centre, positive, negatives):
    no = torch.bmm(negatives, centre[:, :, None]).squeeze()  # (N, n), or less
    no = no[None] if len(centre) == 1 else no
    return -functional.logsigmoid((centre * positive).sum(-1)).mean() - functional.logsigmoid(-no).sum(-1).mean()


def _detaches_the_negatives(centre, positive, negatives):
    return _negative_sampling_loss(centre, positive, negatives.detach())


def _returns_a_number(centre, positive, negatives):
    return _negative_sampling_loss(centre, positive, negatives).item()


def _negates_in_place(centre, positive, negatives):
    return _negative_sampling_loss(centre, positive, negatives.neg_().neg())


SOLUTIONS = {"1.1": _negative_sampling_loss, "1.2": _co_occurrence, "1.3": (_twins, _bag_ceiling)}

MUTANTS = {
    "1.1": [
        Mutant("negatives not negated", _does_not_negate, "negatives are not negated"),
        Mutant("signs exchanged", _exchanges_the_signs, "signs are exchanged"),
        Mutant("the log-likelihood", _keeps_the_sign, "sign is wrong"),
        Mutant("mean over the negatives", _averages_the_negatives, "negatives are averaged"),
        Mutant("sum over the pairs", _sums_the_pairs, "pairs are added up; take the mean"),
        Mutant("mean over all questions", _averages_all_questions, r"mean over all n \+ 1"),
        Mutant("sums over the words, not over D", _sums_over_the_words, "wrong axis"),
        Mutant("sums over the pairs, not over D", _sums_over_the_pairs, "wrong axis"),
        Mutant("no log-sigmoid", _has_no_log_sigmoid, "no log-sigmoid"),
        Mutant("no log", _has_no_log, "no log of it"),
        Mutant("sigmoid underflows", _overflows, "functional.logsigmoid"),
        Mutant("an epsilon in the log", _adds_an_epsilon, "epsilon inside the log"),
        Mutant("where has a slope that is NaN", _chooses_by_where, r"torch\.where computes both"),
        Mutant("adds before the sigmoid", _adds_before_the_sigmoid, "added before the log-sigmoid"),
        Mutant("softmax", _asks_a_softmax, "softmax over neighbour"),
        Mutant("cosines", _compares_cosines, "these are cosines"),
        Mutant("one loss for each pair", _keeps_the_pairs, r"(?s)dimension too many|one number for each pair"),
        Mutant("squeezes an axis of length 1 away", _squeezes_too_much, r"squeeze\(\)"),
        Mutant("no gradient to the negatives", _detaches_the_negatives, "no gradient reaches negatives"),
        Mutant("a Python number", _returns_a_number, "Python number"),
        Mutant("changes its input", _negates_in_place, "your code changes an input"),
    ],
    "1.2": WRONG_COUNTS,
    "1.3": WRONG_BAGS,
}
