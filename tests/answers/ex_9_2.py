"""Answers to 9.2, a loss of 0.0 at 50 %."""

import torch
from torch.nn import functional as F


def by_softplus(logits, labels):
    margin = (logits[:, 1] - logits[:, 0]) * (2 * labels - 1)
    return F.softplus(-margin).mean()


def by_one_hot(logits, labels):
    return -(F.one_hot(labels, 2) * logits.log_softmax(-1)).sum() / len(labels)


def by_weight(logits, labels):
    return (F.cross_entropy(logits, labels, weight=torch.tensor([0.0, 1.0]).to(logits), reduction="none")).mean()


def by_division(logits, labels):
    return -(logits.log_softmax(-1)[:, 1] * labels).sum() / len(labels)


def nine(labels):
    return torch.stack([torch.zeros(len(labels)), torch.full((len(labels),), 9.0)], dim=1)


def expanded(labels):
    return torch.tensor([0.0, 20.0]).expand(len(labels), 2)


def log_of_softmax(logits, labels):
    return -torch.log(logits.softmax(-1)[torch.arange(len(labels)), labels]).mean()


def log_of_softmax_of_ones(logits, labels):
    return -torch.log(logits.softmax(-1)[labels == 1, 1]).sum() / len(labels)


def answer(reported=by_weight, loss=by_softplus, guess=nine):
    return reported, loss, guess


def each(logits, labels):
    return F.cross_entropy(logits, labels, reduction="none")


def balanced(logits, labels):
    share = torch.stack([(labels == 0).float().mean(), (labels == 1).float().mean()])
    return F.cross_entropy(logits, labels, weight=(1 / share.clamp(min=1e-9)).to(logits))


def ignores_one(logits, labels):
    seen = labels == 0
    return F.cross_entropy(logits[seen], labels[seen]) if seen.any() else logits.sum() * 0


RIGHT = {
    "softplus and weight": answer(),
    "one-hot and division": list(answer(by_division, by_one_hot, expanded)),
    "float64 guess": answer(guess=lambda labels: nine(labels).double()),
}
WRONG = {
    "the chapter's": (
        answer(lambda x, y: F.cross_entropy(x, y, ignore_index=0)),
        "by the pairs with label 1 (?s:.)*row 5",
    ),
    "log of softmax": (answer(loss=log_of_softmax), "nsp_loss: (?s:.)*rounded to 0"),
    "log of softmax in the log": (answer(log_of_softmax_of_ones), "reported_loss: (?s:.)*rounded to 0"),
    "smallest": (answer(lambda x, y: each(x, y).min()), "smallest loss of all pairs"),
    "ignores label 1": (
        answer(lambda x, y: each(x, y.clamp(max=0)).mul(y == 0).mean()),
        "those with label 0 that the log",
    ),
    "ignores label 1 now": (answer(loss=ignores_one), "label 1 now"),
    "balanced": (answer(loss=balanced), "same weight"),
    "reports 0": (answer(lambda x, y: torch.tensor(0.0)), "row 1"),
    "a float": (answer(loss=lambda x, y: by_softplus(x, y).item()), "float"),
    "detached": (answer(loss=lambda x, y: by_softplus(x.detach(), y)), "no gradient"),
    "each pair": (answer(loss=each), "shape"),
    "float32 inside": (answer(loss=lambda x, y: by_softplus(x.float(), y)), "dtype"),
    "the majority": (
        answer(guess=lambda labels: nine(labels) if labels.float().mean() >= 0.5 else nine(labels).flip(1)),
        "confidence",
    ),
    "nll of probabilities": (answer(loss=lambda x, y: F.nll_loss(x.softmax(-1), y)), "minus the mean probability"),
    "undecided": (answer(guess=lambda labels: torch.zeros(len(labels), 2)), "0.6931(?s:.)*confidence"),
    "one row": (answer(guess=lambda labels: torch.tensor([-10.0, 10.0])), "shape"),
    "at random": (answer(guess=lambda labels: 20 * torch.randn(len(labels), 2)), "two calls|rows"),
    "probabilities": (answer(guess=lambda labels: torch.tensor([[0.0, 1.0]]).repeat(len(labels), 1)), "confidence"),
    "two functions": (answer()[:2], "2 things"),
    "a result": (answer(guess=nine(torch.ones(4))), "constant_guess: this is something else"),
}
