"""Answers to 12.2, InfoNCE with hard negatives and copies."""

import torch
from torch.nn import functional as F

from minibert.course.exercises.ex_12_2 import contrastive_loss
from minibert.objectives.contrastive import info_nce


def by_logsumexp(queries, documents, numbers, temperature):
    queries, documents = (x / x.norm(dim=1, keepdim=True) for x in (queries, documents))
    table = torch.einsum("qd,nd->qn", queries, documents) / temperature
    losses = []
    for i in range(len(queries)):
        allowed = [j for j in range(len(documents)) if j == i or numbers[j] != numbers[i]]
        losses.append(table[i, allowed].logsumexp(0) - table[i, i])
        allowed = [j for j in allowed if j < len(queries)]
        losses.append(table[allowed, i].logsumexp(0) - table[i, i])
    return torch.stack(losses).mean()


def by_log_softmax(queries, documents, numbers, temperature):
    B, N = len(queries), len(documents)
    scores = F.cosine_similarity(queries[:, None], documents[None], dim=-1) / temperature
    wrong = (numbers[:B].view(-1, 1) == numbers.view(1, -1)) & ~torch.eye(B, N, dtype=torch.bool)
    scores = scores + torch.zeros(B, N).masked_fill(wrong, -torch.inf)
    forth, back = scores.log_softmax(1).diagonal(), scores[:, :B].log_softmax(0).diagonal()
    return -0.5 * forth.mean() - 0.5 * back.mean()


def package(queries, documents, numbers, temperature):
    return info_nce(queries, documents[: len(queries)], temperature)


def by_exp(queries, documents, numbers, temperature, eps=0.0):
    B = len(queries)
    table = (F.normalize(queries, dim=-1) @ F.normalize(documents, dim=-1).T / temperature).exp()
    same = numbers[:B, None] == numbers
    table = table * (~same | torch.eye(*same.shape).bool())
    right = table.diagonal()
    return -((right / table.sum(1)).log().mean() + (right / table[:, :B].sum(0)).log().mean()) / 2


def large_negative(queries, documents, numbers, temperature):
    """-100 in place of -inf: a low temperature makes logits lower than that."""
    B = len(queries)
    table = F.normalize(queries, dim=-1) @ F.normalize(documents, dim=-1).T / temperature
    same = (numbers[:B, None] == numbers) & ~torch.eye(B, len(documents)).bool()
    table = table.masked_fill(same, -100.0)
    own = torch.arange(B)
    return (F.cross_entropy(table, own) + F.cross_entropy(table[:, :B].T, own)) / 2


def clipped(queries, documents, numbers, temperature):
    """CLIP's learned scale is never above 100."""
    return contrastive_loss(queries, documents, numbers, max(temperature, 0.01))


def per_pair(queries, documents, numbers, temperature):
    return torch.stack([contrastive_loss(queries, documents, numbers, temperature)] * len(queries))


RIGHT = {"logsumexp in a loop": by_logsumexp, "log_softmax": by_log_softmax}
WRONG = {
    "the package's own": (package, "B \\+ H|hard negatives"),
    "exp by itself": (by_exp, "overflows"),
    "-100 for what is left out": (large_negative, "0.004|copies"),
    "no temperature below 0.01": (clipped, "0.004"),
    "a loss for each pair": (per_pair, "shape"),
    "a Python number": (lambda *inputs: contrastive_loss(*inputs).item(), "float"),
    "no gradient for documents": (lambda q, d, n, t: contrastive_loss(q, d.detach(), n, t), "no gradient"),
}
