"""Answers to 5.4, a head that copies."""

import torch
from torch.nn import functional as F


def trained(tokens, positions, back, size, steps=150):
    rng = torch.Generator().manual_seed(1)
    width = tokens.shape[1]
    head = [torch.randn(s, generator=rng) / s[0] ** 0.5 for s in ((width, size), (width, size), (width, size))]
    head = [w.requires_grad_() for w in (*head, torch.randn(size, width, generator=rng) / size**0.5)]
    optimizer = torch.optim.Adam(head, lr=0.05)
    for _ in range(steps):
        ids = torch.randint(len(tokens), (16, len(positions)), generator=rng)
        x = tokens[ids] + positions
        weights = ((x @ head[0]) @ (x @ head[1]).mT / size**0.5).softmax(-1)
        scores = (weights @ (x @ head[2]) @ head[3]) @ tokens.mT
        loss = F.cross_entropy(scores[:, back:].flatten(0, 1), ids[:, :-back].flatten())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return head


def on_a_circle(tokens, positions, back, size):
    angles = 2 * torch.pi * torch.arange(len(positions)) / len(positions)
    circle = torch.zeros(len(positions), size)
    circle[:, 0], circle[:, 1] = angles.cos(), angles.sin()
    both, none = torch.cat([tokens, positions]), torch.zeros(len(tokens), size)
    words = F.normalize(torch.randn(len(tokens), size, generator=torch.Generator().manual_seed(5)), dim=-1)
    query, key = (torch.linalg.lstsq(both, torch.cat([none, 60 * c])).solution for c in (circle.roll(back, 0), circle))
    value = torch.linalg.lstsq(both, torch.cat([words, torch.zeros_like(circle)])).solution
    return query, key, value, torch.linalg.lstsq(tokens, words).solution.mT


def changed(**changes):
    """The circle's head with some of its matrices replaced."""

    def copying_head(tokens, positions, back, size):
        names = ("query", "key", "value", "out")
        head = dict(zip(names, on_a_circle(tokens, positions, back, size), strict=True))
        return tuple((head | {name: change(head) for name, change in changes.items()}).values())

    return copying_head


def as_the_chapter(tokens, positions, back, size):
    """The chapter's multi-head weights: drawn, with the variance that keeps scores at 1."""
    rng, width = torch.Generator().manual_seed(0), tokens.shape[1]
    matrices = [torch.randn(width, width, generator=rng) / width**0.5 for _ in range(4)]
    return *(matrix[:, :size] for matrix in matrices[:3]), matrices[3][:size]


def by_projection(tokens, positions, back, size):
    """Keys and queries read the first K directions of the positions, the words in them still inside."""
    basis = torch.linalg.svd(positions, full_matrices=False).Vh[:size].mT  # (D, K)
    move = torch.linalg.lstsq(positions[back:], positions[:-back] @ basis).solution
    return 10 * move, basis, tokens.mT[:, :size], tokens[:size]


def constant(tokens, positions, back, size):
    width = tokens.shape[1]
    return (torch.zeros(width, size),) * 3 + (torch.zeros(size, width),)


RIGHT = {"trained": trained, "on a circle": on_a_circle, "a list": lambda *given: list(on_a_circle(*given))}
WRONG = {
    "constant": (constant, "5 % are copied|nearly all keys"),
    "as the chapter": (as_the_chapter, "nearly all keys"),
    "trained too short": (lambda *given: trained(*given, steps=10), r"copied(?s:.)*(nearly all keys|other places)"),
    "three back": (lambda t, p, back, size: on_a_circle(t, p, 1, size), "it looks elsewhere"),
    "projected": (by_projection, "% are copied"),
    "query and key exchanged": (changed(query=lambda h: h["key"], key=lambda h: h["query"]), "the head looks ahead"),
    "no value": (changed(value=lambda h: 0 * h["value"]), "looks at the right place"),
    "position in the value": (changed(value=lambda h: h["value"] + 3 * h["key"]), "must not depend on the position"),
    "soft": (changed(query=lambda h: h["query"] / 60), "% are copied"),
    "three matrices": (lambda *given: on_a_circle(*given)[:3], "four tensors"),
    "a transposed output": (changed(out=lambda h: h["out"].mT), "W_out has shape"),
    "numpy": (lambda *given: [w.numpy() for w in on_a_circle(*given)], "W_query is a numpy array"),
    "the output itself": (lambda t, p, back, size: t[torch.arange(len(p)) % len(t)], "four tensors"),
}
