"""Answers to 13.1, the loss of a student."""

import torch
from torch.nn import functional as F

from minibert.course.exercises.ex_13_1 import distillation_loss
from minibert.objectives.distillation import soft_target_loss


def with_package(student, teacher, labels, mask, temperature, share):
    loss = share * soft_target_loss(student[mask], teacher[mask], temperature)
    if (labels >= 0).any():
        loss = loss + (1 - share) * F.cross_entropy(student.flatten(0, 1), labels.flatten())
    return loss


def per_token(student, teacher, labels, mask, temperature, share):
    with torch.no_grad():
        target = F.softmax(teacher / temperature, dim=-1)
        target = target.clamp_min(1e-38), (teacher / temperature).log_softmax(-1)
    each = (target[0] * (target[1] - F.log_softmax(student / temperature, dim=-1))).sum(-1)
    soft = torch.where(mask, each, 0.0).sum() / mask.sum().clamp(min=1)
    each = F.cross_entropy(student.transpose(1, 2), labels, reduction="none")
    return share * temperature**2 * soft + (1 - share) * each.sum() / (labels != -100).sum().clamp(min=1)


def by_kl_div(student, teacher, labels, mask, temperature, share, target=True, reduction="sum"):
    mine = (student[mask] / temperature).log_softmax(-1)
    theirs = (teacher[mask].detach() / temperature).softmax(-1)
    soft = F.kl_div(mine, theirs, reduction=reduction) / max(len(mine), 1)
    known = labels != -100
    hard = F.cross_entropy(student[known], labels[known]) if known.any() else 0.0
    return share * temperature**2 * soft + (1 - share) * hard


def batchmean(student, teacher, labels, mask, temperature, share):
    """F.kl_div's batchmean over three axes divides by the number of texts."""
    mine, theirs = (student / temperature).log_softmax(-1), (teacher.detach() / temperature).softmax(-1)
    soft = F.kl_div(mine, theirs, reduction="batchmean")
    hard = F.cross_entropy(student.flatten(0, 1), labels.flatten())
    return share * temperature**2 * soft + (1 - share) * hard


def log_of_softmax(student, teacher, labels, mask, temperature, share):
    mine = (student[mask] / temperature).softmax(-1).log()
    theirs = (teacher[mask].detach() / temperature).softmax(-1)
    soft = (theirs * (theirs.log() - mine)).sum() / max(len(mine), 1)
    known = labels != -100
    hard = F.cross_entropy(student[known], labels[known]) if known.any() else 0.0
    return share * temperature**2 * soft + (1 - share) * hard


def not_detached(student, teacher, labels, mask, temperature, share):
    mine, theirs = ((x[mask] / temperature).log_softmax(-1) for x in (student, teacher))
    soft = F.kl_div(mine, theirs, reduction="sum", log_target=True) / max(len(mine), 1)
    known = labels != -100
    hard = F.cross_entropy(student[known], labels[known]) if known.any() else 0.0
    return share * temperature**2 * soft + (1 - share) * hard


def no_labels(student, teacher, labels, mask, temperature, share):
    return share * soft_target_loss(student[mask], teacher[mask], temperature) + (1 - share) * F.cross_entropy(
        student.flatten(0, 1), labels.flatten()
    )


RIGHT = {"the package's own": with_package, "a loss for each token": per_token, "kl_div": by_kl_div}
WRONG = {
    "batchmean": (batchmean, "number of texts|padding|real tokens"),
    "the log of a softmax": (log_of_softmax, "log_softmax"),
    "the teacher learns": (not_detached, "the teacher gets a gradient"),
    "NaN without labels": (no_labels, "without a label"),
    "a number": (lambda *inputs: distillation_loss(*inputs).item(), "float"),
    "one loss a token": (lambda *inputs: distillation_loss(*inputs)[None], "shape"),
}
