"""Answers to 7.3, a probe that tells who acts."""

import torch
from torch.nn import functional as F

from minibert.tasks.probe import best_probe, fit_probe


def take(states, where, layer, steps):
    rows = torch.arange(len(where))
    return torch.cat([states[rows, layer, where + step] for step in steps], dim=-1)


def with_probe(layer, steps, penalty=100.0):
    def who_acts(states, where, labels, new_states, new_where):
        probe = fit_probe(take(states, where, layer, steps), labels, penalty)
        return probe.logits(take(new_states, new_where, layer, steps)).argmax(-1)

    return who_acts


def by_adam(states, where, labels, new_states, new_where):
    x, new = (F.layer_norm(take(s, w, 3, (-1, 0, 1)), (1152,)) for s, w in ((states, where), (new_states, new_where)))
    linear = torch.nn.Linear(1152, 2)
    torch.nn.init.zeros_(linear.weight)
    optimizer = torch.optim.AdamW(linear.parameters(), lr=1e-2, weight_decay=0.1)
    for _ in range(150):
        optimizer.zero_grad()
        F.cross_entropy(linear(x), labels).backward()
        optimizer.step()
    return linear(new).argmax(-1)


def chosen(states, where, labels, new_states, new_where):
    """The layer is chosen on labelled sentences that are kept back, as chapter 7 asks."""
    kept, best = slice(140, None), None
    for layer in range(2, 6):
        x = take(states, where, layer, (-1, 0, 1))
        right = fit_probe(x[:140], labels[:140], 300.0, steps=60).accuracy(x[kept], labels[kept])
        best = max(best or (0.0, 0), (right, layer))
    probe = best_probe(take(states, where, best[1], (-1, 0, 1)), labels, (30.0, 300.0))
    return probe.logits(take(new_states, new_where, best[1], (-1, 0, 1))).argmax(-1)


def cls(states, where, labels, new_states, new_where):
    return fit_probe(states[:, -1, 0], labels, 100.0).logits(new_states[:, -1, 0]).argmax(-1)


def bag(states, where, labels, new_states, new_where):
    """The mean of the embeddings and the position of the noun: a bag of words, and where it is asked."""
    x, new = (
        torch.cat([s[:, 0].mean(1), w[:, None] / 10], dim=1) for s, w in ((states, where), (new_states, new_where))
    )
    return fit_probe(x, labels, 100.0).logits(new).argmax(-1)


def nearest(states, where, labels, new_states, new_where):
    """The label of the most similar noun in the last layer, as section 4 of the chapter looks for neighbours."""
    x, new = (F.normalize(take(s, w, 6, (0,)), dim=-1) for s, w in ((states, where), (new_states, new_where)))
    return labels[(new @ x.T).argmax(-1)]


RIGHT = {"neighbours, Adam": by_adam, "layer chosen": chosen, "five tokens": with_probe(3, (-2, -1, 0, 1, 2), 300.0)}
WRONG = {
    "constant": (lambda *given: torch.zeros(len(given[4]), dtype=torch.int64), "all answers are the same"),
    "CLS": (cls, "no better than chance"),
    "bag of words": (bag, "% of 150 new sentences are right"),
    "nearest neighbour": (nearest, "% of 150 new sentences are right"),
    "the noun in the middle": (with_probe(3, (0,)), "the tokens beside it"),
    "the noun at the end": (with_probe(6, (0,)), "another layer knows more"),
    "embeddings": (with_probe(0, (-1, 0, 1)), "the embeddings have not read"),
    "turned": (lambda *given: 1 - with_probe(3, (-1, 0, 1))(*given), "turned round"),
    "logits": (lambda s, w, y, n, v: fit_probe(take(s, w, 3, (0,)), y).logits(take(n, v, 3, (0,))), "shape"),
    "the labels that came": (lambda *given: given[2], r"shape \(180,\)"),
    "a list": (lambda *given: with_probe(3, (-1, 0, 1))(*given).tolist(), "a list of 150"),
}
