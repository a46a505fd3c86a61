"""Answers to 13.1, the loss of a student."""

import torch
from torch.nn import functional as F

from minibert.course.exercises.ex_13_1 import distillation_loss
from minibert.objectives.distillation import soft_target_loss


def hard_loss(student, labels):
    known = labels != -100
    return F.cross_entropy(student[known], labels[known]) if known.any() else 0.0


def whole_teacher(student, scores, best, labels, weights, temperature, share):
    """The entries that the teacher did not store as logits of nearly minus infinity."""
    teacher = torch.full_like(student, -1e9).scatter(-1, best, scores)
    each = F.kl_div(
        F.log_softmax(student / temperature, dim=-1),
        F.softmax(teacher / temperature, dim=-1),
        reduction="none",
    ).sum(-1)
    soft = (each * weights).sum() / weights.sum().clamp(min=1e-9)
    return share * temperature**2 * soft + (1 - share) * hard_loss(student, labels)


def token_by_token(student, scores, best, labels, weights, temperature, share):
    soft = student.sum() * 0
    for b, t in weights.nonzero().tolist():
        p = torch.softmax(scores[b, t] / temperature, 0)
        q = student[b, t] / temperature
        log_q = q[best[b, t]] - torch.logsumexp(q, 0)
        soft = soft + weights[b, t] * (torch.xlogy(p, p) - p * log_q).sum()
    soft = soft / (weights.sum() + (weights.sum() == 0))
    return share * temperature**2 * soft + (1 - share) * hard_loss(student, labels)


def by_package(student, scores, best, labels, weights, temperature, share):
    """The package's loss on the k entries of the tokens that count."""
    there = weights > 0
    soft = soft_target_loss(student.gather(-1, best)[there], scores[there], temperature)
    return share * soft + (1 - share) * hard_loss(student, labels)


def by_package_whole(student, scores, best, labels, weights, temperature, share):
    teacher = torch.full_like(student, -1e9).scatter(-1, best, scores)
    there = weights > 0
    soft = soft_target_loss(student[there], teacher[there], temperature)
    return share * soft + (1 - share) * hard_loss(student, labels)


def batchmean(student, scores, best, labels, weights, temperature, share):
    """F.kl_div's batchmean over three axes divides by the number of texts."""
    mine = (student / temperature).log_softmax(-1).gather(-1, best)
    theirs = (scores / temperature).softmax(-1)
    soft = F.kl_div(mine * weights[..., None], theirs * weights[..., None], reduction="batchmean")
    return share * temperature**2 * soft + (1 - share) * F.cross_entropy(student.flatten(0, 1), labels.flatten())


def log_of_softmax(student, scores, best, labels, weights, temperature, share):
    mine = (student / temperature).softmax(-1).gather(-1, best).log()
    theirs = (scores / temperature).softmax(-1)
    each = (theirs * (theirs.log() - mine)).sum(-1)
    soft = (weights * each).sum() / weights.sum().clamp(min=1e-9)
    return share * temperature**2 * soft + (1 - share) * hard_loss(student, labels)


def no_labels(student, scores, best, labels, weights, temperature, share):
    soft = distillation_loss(student, scores, best, labels, weights, temperature, 1.0)
    return share * soft + (1 - share) * F.cross_entropy(student.flatten(0, 1), labels.flatten())


RIGHT = {"a whole teacher": whole_teacher, "token by token": token_by_token}
WRONG = {
    "the package's own": (by_package, "all four entries"),
    "the package's own, on a whole teacher": (by_package_whole, "count the same"),
    "batchmean": (batchmean, "texts|weights"),
    "the log of a softmax": (log_of_softmax, "log_softmax"),
    "NaN without labels": (no_labels, "without a label"),
    "a number": (lambda *inputs: distillation_loss(*inputs).item(), "float"),
    "one loss a token": (lambda *inputs: distillation_loss(*inputs)[None], "shape"),
}
