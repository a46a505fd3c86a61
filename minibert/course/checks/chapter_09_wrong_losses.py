"""Exercise 9.2: the solution, and losses that fit some rows of the table or repair the wrong thing."""

import torch
from torch.nn import functional as F

from minibert.course.exercise import STUB, Mutant


def _reported_loss(logits, labels):
    seen = labels == 1  # what ignore_index=0 leaves
    return F.cross_entropy(logits[seen], labels[seen])


def _nsp_loss(logits, labels):
    return F.cross_entropy(logits, labels)


def _constant_guess(labels):
    return torch.tensor([[-10.0, 10.0]]).repeat(len(labels), 1)


def _mutant(name, says, reported=_reported_loss, right=_nsp_loss, guess=_constant_guess):
    return Mutant(name, (reported, right, guess), says)


def _divides_by_all(logits, labels):
    return F.cross_entropy(logits, labels, reduction="none")[labels == 1].sum() / len(labels)


def _ignores_one(logits, labels):
    seen = labels == 0
    return F.cross_entropy(logits[seen], labels[seen]) if seen.any() else logits.sum() * 0


def _adds_up(logits, labels):
    return F.cross_entropy(logits, labels, ignore_index=0, reduction="sum")


def _by_prediction(logits, labels):
    seen = logits.argmax(-1) == 1
    return F.cross_entropy(logits[seen], labels[seen]) if seen.any() else F.cross_entropy(logits, labels)


def _smallest(logits, labels):
    return F.cross_entropy(logits, labels, reduction="none").min()


def _in_bits(logits, labels):
    return F.cross_entropy(logits, labels, ignore_index=0) / torch.log(torch.tensor(2.0))


def _a_number(logits, labels):
    return F.cross_entropy(logits, labels, ignore_index=0).item()


def _zero(logits, labels):
    return torch.tensor(0.0)


def _flips(logits, labels):
    return F.cross_entropy(logits, 1 - labels)


def _sums(logits, labels):
    return F.cross_entropy(logits, labels, reduction="sum")


def _softmax_twice(logits, labels):
    return F.cross_entropy(logits.softmax(-1), labels)


def _balances(logits, labels):
    share = torch.stack([(labels == 0).float().mean(), (labels == 1).float().mean()])
    return F.cross_entropy(logits, labels, weight=1 / share.clamp(min=1e-9))


def _no_gradient(logits, labels):
    return F.cross_entropy(logits.detach(), labels)


def _each(logits, labels):
    return F.cross_entropy(logits, labels, reduction="none")


def _knows_the_labels(labels):
    return 20.0 * F.one_hot(labels, 2) - 10.0


def _undecided(labels):
    return torch.zeros(len(labels), 2)


def _says_next(labels):
    return torch.tensor([[10.0, -10.0]]).repeat(len(labels), 1)


def _one_row(labels):
    return torch.tensor([-10.0, 10.0])


def _infinite(labels):
    return torch.tensor([[float("-inf"), float("inf")]]).repeat(len(labels), 1)


def _at_random(labels):
    return 20 * torch.randn(len(labels), 2)


def _probabilities(labels):
    return torch.tensor([[0.0, 1.0]]).repeat(len(labels), 1)


def _unwritten(*arguments):
    raise NotImplementedError(STUB)


LOSSES = [
    _mutant("divides by all pairs", "divides by all pairs", reported=_divides_by_all),
    _mutant("ignores label 1", "those with label 0 that the log", reported=_ignores_one),
    _mutant("reports the right loss", "the right loss, which sees both", reported=_nsp_loss),
    _mutant("reports the sum", "does not divide", reported=_adds_up),
    _mutant("chooses by prediction", r"of row \d|predicts", reported=_by_prediction),
    _mutant("reports the smallest", r"of row \d", reported=_smallest),
    _mutant("reports bits", "bits", reported=_in_bits),
    _mutant("reports a Python number", "float", reported=_a_number),
    _mutant("reports 0.0", "row 1", reported=_zero),
    _mutant("reports flipped labels", "(?s)row 2.*flipped", reported=_flips),
    _mutant("still ignores label 0", "still leaves out", right=_reported_loss),
    _mutant("ignores label 1 instead", "label 1 now", right=_ignores_one),
    _mutant("labels flipped", "labels are flipped", right=_flips),
    _mutant("sums", "it adds up; the loss is the mean", right=_sums),
    _mutant("softmax twice", "softmax is applied twice", right=_softmax_twice),
    _mutant("weighs the labels equally", "same weight", right=_balances),
    _mutant("cuts the gradient", "no gradient", right=_no_gradient),
    _mutant("a Python number", "float", right=_a_number),
    _mutant("a loss for each pair", "shape", right=_each),
    _mutant("knows the labels", "looks at the labels", guess=_knows_the_labels),
    _mutant("undecided", "0.6931(?s:.)*confidence", guess=_undecided),
    _mutant("always says next", "always say `random`", guess=_says_next),
    _mutant("one row", "shape", guess=_one_row),
    _mutant("infinite logits", "infinite", guess=_infinite),
    _mutant("guesses at random", "two calls", guess=_at_random),
    _mutant("probabilities instead of logits", "confidence", guess=_probabilities),
    _mutant("one function missing", "not written yet: constant_guess", guess=_unwritten),
    Mutant("two functions only", (_reported_loss, _nsp_loss), "three functions"),
]
