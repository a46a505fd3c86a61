"""Answers to 1.1, the loss of negative sampling."""

import math

import torch
from torch.nn import functional
from torch.nn.functional import softplus as soft


def scores(c, p, n):
    return torch.einsum("nd,nd->n", c, p), torch.einsum("nd,nkd->nk", c, n)


def by_loops(centre, positive, negatives):
    total = 0
    for c, p, drawn in zip(centre, positive, negatives, strict=True):
        total = total + soft(-(c @ p))
        for n in drawn:
            total = total + soft(c @ n)
    return total / len(centre)


def by_cross_entropy(c, p, n):
    both = torch.cat([p[:, None], n], dim=1) @ c[:, :, None]  # (N, n + 1, 1)
    answers = torch.zeros_like(both)
    answers[:, 0] = 1
    return functional.binary_cross_entropy_with_logits(both, answers, reduction="sum") / len(c)


def by_bmm(c, p, n):
    yes, no = torch.bmm(p[:, None], c[:, :, None]).reshape(-1), torch.bmm(n, c.unsqueeze(2)).squeeze(2)
    log = torch.nn.LogSigmoid()
    return -torch.mean(log(yes) + torch.sum(log(no.neg()), 1))


def by_logaddexp(c, p, n):
    yes, no = scores(c, p, n)
    return torch.logaddexp(-yes, yes * 0).mean() + torch.logaddexp(no, no * 0).sum(1).mean()


def by_log1p(c, p, n):
    yes, no = scores(c, p, n)
    signed = torch.cat([yes[:, None], -no], dim=1)
    return (torch.log1p(torch.exp(-signed.abs())) + torch.relu(-signed)).sum(1).mean()


def by_two_classes(c, p, n):
    yes, no = scores(c, p, n)
    signed = torch.cat([yes[:, None], -no], dim=1)
    return -torch.stack([signed, torch.zeros_like(signed)]).log_softmax(0)[0].sum() / c.size(0)


def loss(change):
    """The right loss of scores that went wrong, or another sum of the right scores."""
    return lambda c, p, n: change(*scores(c, p, n))


def log_sigmoid_by_where(x):
    return torch.where(x > 0, -(1 + (-x).exp()).log(), x - (1 + x.exp()).log())


def squeezed(c, p, n):
    no = torch.bmm(n, c[:, :, None]).squeeze()  # (N, n), or less
    return soft(-(c * p).sum(-1)).mean() + soft(no[None] if len(c) == 1 else no).sum(-1).mean()


RIGHT = {
    "loops": by_loops,
    "cross-entropy": by_cross_entropy,
    "bmm": by_bmm,
    "logaddexp": by_logaddexp,
    "log1p": by_log1p,
    "two classes": by_two_classes,
}
WRONG = {
    "the neighbour n times": (loss(lambda y, n: (soft(-y)[:, None] + soft(n)).sum(1).mean()), "added to each of the n"),
    "the hardest negative": (loss(lambda y, n: (soft(-y) + soft(n).max(1).values).mean()), "hardest negative"),
    "log of 1 + exp": (loss(lambda y, n: ((1 + (-y).exp()).log() + (1 + n.exp()).log().sum(1)).mean()), "logsigmoid"),
    "clipped scores": (loss(lambda y, n: (soft(-y.clip(-9, 9)) + soft(n.clip(-9, 9)).sum(1)).mean()), "are clipped"),
    "an epsilon of 1e-30": (
        loss(lambda y, n: -((y.sigmoid() + 1e-30).log() + ((-n).sigmoid() + 1e-30).log().sum(1)).mean()),
        "epsilon inside the log",
    ),
    "nan_to_num": (
        loss(lambda y, n: -(y.sigmoid().log().nan_to_num() + (-n).sigmoid().log().nan_to_num().sum(1)).mean()),
        "scores of 100",
    ),
    "where": (
        loss(lambda y, n: -(log_sigmoid_by_where(y) + log_sigmoid_by_where(-n).sum(1)).mean()),
        "torch.where computes both branches",
    ),
    "half": (loss(lambda y, n: (soft(-y) + soft(n).sum(1)).mean() / 2), "half of what"),
    "a median": (loss(lambda y, n: (soft(-y) + soft(n).sum(1)).median()), "three random pairs"),
    "base 2": (loss(lambda y, n: (soft(-y) + soft(n).sum(1)).mean() / math.log(2)), "base 2"),
    "log of scores": (loss(lambda y, n: -(y.log() + n.log().sum(1)).mean()), "finite numbers"),
    "a sum and a mean": (loss(lambda y, n: soft(-y).sum() + soft(n).sum()), "pairs are added"),
    "negatives of all": (lambda c, p, n: by_loops(c, p, n.flatten(0, 1).expand(len(c), -1, -1)), "negatives of all"),
    "with the neighbour": (
        lambda c, p, n: (soft(-scores(c, p, n)[0]) + soft(scores(p, c, n)[1]).sum(1)).mean(),
        "with the neighbour",
    ),
    "mean of the vectors": (lambda c, p, n: by_loops(c, p, n.mean(1, True)), "negatives are averaged first"),
    "two mistakes": (loss(lambda y, n: (soft(-y) + soft(-n).mean(1)).mean()), "two things: .*not negated.*averaged"),
    "squeezes": (squeezed, r"squeeze\(\)"),
    "centre detached": (lambda c, p, n: by_loops(c.detach(), p, n), "no gradient leads back from the output to c"),
    "half detached": (lambda c, p, n: (by_loops(c, p, n) + by_loops(c.detach(), p, n)) / 2, "its gradient is not"),
    "nothing learns": (lambda c, p, n: by_loops(c.data, p.data, n.data), "no gradient leads back"),
    "a Python number": (lambda c, p, n: by_loops(c, p, n).item(), "plain Python number"),
    "one for each pair": (loss(lambda y, n: soft(-y) + soft(n).sum(1)), "one number for each pair"),
    "shape (1,)": (lambda c, p, n: by_loops(c, p, n)[None], r"shape \(1,\)"),
    "no return": (lambda c, p, n: None, "return"),
    "float64 always": (lambda c, p, n: by_loops(c, p, n).double(), "float64"),
    "float32 always": (lambda c, p, n: by_loops(c.float(), p.float(), n.float()), "dtype of the inputs"),
    "random negatives": (lambda c, p, n: by_loops(c, p, torch.randn_like(n)), "two calls"),
    "negates in place": (lambda c, p, n: by_loops(c, p, n.neg_().neg()), "your code changes an input"),
}
