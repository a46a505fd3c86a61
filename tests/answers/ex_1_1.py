"""Answers to 1.1, the loss of negative sampling."""

import math

import torch
from torch.nn import functional
from torch.nn.functional import logsigmoid
from torch.nn.functional import softplus as soft

from minibert.word_vectors import skipgram_loss


def no_hits(c, p, n, of, drawn):
    """The scores (N,) and (N, n); that of an accidental hit is minus infinity, so that its term is 0."""
    yes, no = torch.einsum("nd,nd->n", c, p), torch.einsum("nd,nkd->nk", c, n)
    return yes, no.masked_fill(drawn == of[:, None], -torch.inf)


def by_loops(centre, positive, negatives, positive_ids, negative_ids):
    total = 0
    for c, p, drawn, word, ids in zip(centre, positive, negatives, positive_ids, negative_ids, strict=True):
        total = total + soft(-(c @ p))
        for n, other in zip(drawn, ids, strict=True):
            if other != word:
                total = total + soft(c @ n)
    return total / len(centre)


def by_cross_entropy(c, p, n, of, drawn):
    both = (torch.cat([p[:, None], n], dim=1) @ c[:, :, None]).squeeze(2)  # (N, n + 1)
    answers, weights = torch.zeros_like(both), torch.ones_like(both)
    answers[:, 0] = 1
    weights[:, 1:] = (drawn != of[:, None]).to(both.dtype)
    return functional.binary_cross_entropy_with_logits(both, answers, weights, reduction="sum") / len(c)


def by_bmm(c, p, n, of, drawn):
    yes, no = torch.bmm(p[:, None], c[:, :, None]).reshape(-1), torch.bmm(n, c.unsqueeze(2)).squeeze(2)
    log = torch.nn.LogSigmoid()
    return -(log(yes).sum() + log(no.neg())[of.unsqueeze(1).ne(drawn)].sum()) / len(yes)


def by_logaddexp(c, p, n, of, drawn):
    yes, no = torch.einsum("nd,nd->n", c, p), torch.einsum("nd,nkd->nk", c, n)
    costs = torch.logaddexp(no, no * 0).where(drawn != of.view(-1, 1), 0)
    return torch.logaddexp(-yes, yes * 0).mean() + costs.sum(1).mean()


def by_log1p(c, p, n, of, drawn):
    signed = torch.cat([p[:, None], -n], dim=1).mul(c[:, None]).sum(2)
    costs = torch.log1p(torch.exp(-signed.abs())) + torch.relu(-signed)
    counts = torch.cat([torch.ones(len(c), 1, dtype=torch.bool), drawn != of[:, None]], dim=1)
    return (costs * counts).sum(1).mean()


def by_two_classes(c, p, n, of, drawn):
    yes, no = no_hits(c, p, n, of, drawn)
    signed = torch.cat([yes[:, None], -no.clamp(min=-1e9)], dim=1)
    return -torch.stack([signed, torch.zeros_like(signed)]).log_softmax(0)[0].sum() / c.size(0)


def by_subtraction(c, p, n, of, drawn):
    """What the hits cost is taken away again."""
    yes, no = torch.einsum("nd,nd->n", c, p), torch.einsum("nd,nkd->nk", c, n)
    return (soft(-yes) + soft(no).sum(1) - (soft(no) * (drawn == of[:, None])).sum(1)).mean()


def by_the_chapter(left):
    """The chapter's loss and its cell, pair by pair; `left` says which drawn words it gets, and how many count."""

    def all_pairs_loss(centre, context, near, noise, k=5):
        pairs = near.sum(-1)
        true = (logsigmoid(centre @ context.mT) * near).sum()
        drawn = (logsigmoid(-centre @ noise.T).sum(-1) * pairs).sum() * k / len(noise)
        return -(true + drawn) / pairs.sum()

    return lambda *given: pair_by_pair(all_pairs_loss, left, *given)


def by_the_package(left):
    return lambda *given: pair_by_pair(skipgram_loss, left, *given)


def pair_by_pair(loss, left, centre, positive, negatives, positive_ids, negative_ids):
    near, total = torch.ones(1, 1, 1, dtype=torch.bool), 0
    for c, p, n, word, ids in zip(centre, positive, negatives, positive_ids, negative_ids, strict=True):
        noise, k = left(n, ids != word)
        total = total + loss(c[None, None], p[None, None], near, noise, k)
    return total / len(centre)


def at_once(c, p, n, of, drawn):
    """The package's loss of a row in which each centre has one neighbour: the drawn words are shared."""
    return skipgram_loss(c[None], p[None], torch.eye(len(c), dtype=torch.bool)[None], n.flatten(0, 1), n.shape[1])


LEFT = {  # which drawn words, and how many count
    "all": lambda n, keep: (n, len(n)),
    "scaled": lambda n, keep: (n[keep], len(n)),
    "others": lambda n, keep: (n[keep], int(keep.sum())),
    "zeros": lambda n, keep: (n * keep[:, None], len(n)),
}


def loss(change):
    """The right loss of scores that went wrong, or another sum of the right scores."""
    return lambda *given: change(*no_hits(*given))


def log_sigmoid_by_where(x):
    return torch.where(x > 0, -(1 + (-x).exp()).log(), x - (1 + x.exp()).log())


def squeezed(c, p, n, of, drawn):
    no = torch.bmm(n, c[:, :, None]).squeeze()  # (N, n), or less
    no = (no[None] if len(c) == 1 else no).masked_fill((of[:, None] == drawn).squeeze(1), -torch.inf)
    return soft(-(c * p).sum(-1)).mean() + no.exp().log1p().sum(-1).mean()


def mean_of_vectors(c, p, n, of, ids):
    keep = (ids != of[:, None])[:, :, None]
    mean = (n * keep).sum(1) / keep.sum(1).clamp(min=1)
    return (soft(-(c * p).sum(1)) + soft((c * mean).sum(1))).mean()


def changed(change):
    """The right loss of vectors that went wrong."""
    return lambda c, p, n, *ids: by_loops(*change(c, p, n), *ids)


RIGHT = {
    "loops": by_loops,
    "cross-entropy": by_cross_entropy,
    "bmm": by_bmm,
    "logaddexp": by_logaddexp,
    "log1p": by_log1p,
    "two classes": by_two_classes,
    "minus infinity": loss(lambda y, n: (soft(-y) + soft(n).sum(1)).mean()),
    "subtraction": by_subtraction,
}
WRONG = {
    "the chapter, pair by pair": (by_the_chapter(LEFT["all"]), "accidental hits count"),
    "the package, pair by pair": (by_the_package(LEFT["all"]), "accidental hits count"),
    "the package, the others scaled": (by_the_package(LEFT["scaled"]), "is scaled up to n"),
    "the chapter, the others": (by_the_chapter(LEFT["others"]), "nothing is left of a pair's negatives"),
    "the package, the others": (by_the_package(LEFT["others"]), "nothing is left of a pair's negatives"),
    "the package, hits are 0": (by_the_package(LEFT["zeros"]), "costs log 2"),
    "the package at once": (at_once, "all pairs share all negatives"),
    "the neighbour n times": (loss(lambda y, n: (soft(-y)[:, None] + soft(n)).sum(1).mean()), "added to each of the n"),
    "the hardest negative": (loss(lambda y, n: (soft(-y) + soft(n).max(1).values).mean()), "hardest negative"),
    "log of 1 + exp": (loss(lambda y, n: ((1 + (-y).exp()).log() + (1 + n.exp()).log().sum(1)).mean()), "logsigmoid"),
    "clipped scores": (loss(lambda y, n: (soft(-y.clip(min=-9)) + soft(n.clip(max=9)).sum(1)).mean()), "are clipped"),
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
    "negatives of all": (
        lambda c, p, n, of, ids: by_loops(
            c, p, n.flatten(0, 1).expand(len(c), -1, -1), of, ids.flatten().expand(len(c), -1)
        ),
        "negatives of all",
    ),
    "with the neighbour": (
        lambda c, p, n, *ids: (soft(-no_hits(c, p, n, *ids)[0]) + soft(no_hits(p, c, n, *ids)[1]).sum(1)).mean(),
        "with the neighbour",
    ),
    "mean of the vectors": (mean_of_vectors, "negatives are averaged first"),
    "two mistakes": (
        loss(lambda y, n: (soft(-y) + soft(-n).where(n.isfinite(), 0).mean(1)).mean()),
        "two things: .*not negated.*averaged",
    ),
    "squeezes": (squeezed, r"squeeze\(\)"),
    "centre detached": (
        lambda c, p, n, of, ids: by_loops(c.detach(), p, n, of, ids),
        "no gradient leads back from the output to c",
    ),
    "half detached": (lambda c, *rest: (by_loops(c, *rest) + by_loops(c.detach(), *rest)) / 2, "its gradient is not"),
    "nothing learns": (changed(lambda c, p, n: (c.data, p.data, n.data)), "no gradient leads back"),
    "a Python number": (lambda *given: by_loops(*given).item(), "plain Python number"),
    "one for each pair": (loss(lambda y, n: soft(-y) + soft(n).sum(1)), "one number for each pair"),
    "shape (1,)": (lambda *given: by_loops(*given)[None], r"shape \(1,\)"),
    "no return": (lambda *given: None, "return"),
    "float64 always": (lambda *given: by_loops(*given).double(), "float64"),
    "float32 always": (changed(lambda c, p, n: (c.float(), p.float(), n.float())), "dtype of the inputs"),
    "hits of the batch": (
        lambda c, p, n, of, ids: by_loops(c, p, n, of, torch.where(torch.isin(ids, of), of[:, None], ids)),
        "another pair's is a drawn word",
    ),
    "vectors": (
        lambda c, p, n, of, ids: by_loops(c, p, n, 0 * of, (n != p[:, None]).any(2).long()),
        "vectors are compared",
    ),
    "random negatives": (changed(lambda c, p, n: (c, p, torch.randn_like(n))), "two calls"),
    "negates in place": (changed(lambda c, p, n: (c, p, n.neg_().neg())), "your code changes an input"),
}
