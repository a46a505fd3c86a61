"""Answers to 12.4, nDCG raised by training."""

import torch
from torch.nn import functional as F

from minibert.objectives.contrastive import info_nce
from minibert.tasks.open_search import searcher, vectors


def with_info_nce(weights, pairs, people=8, steps=120, temperature=0.1, rate=3e-3):
    """All six paragraphs about a person stand in one batch, and are each other's negatives."""
    model, rng = searcher(weights), torch.Generator().manual_seed(1)
    optimizer = torch.optim.Adam(model.parameters(), lr=rate)
    for _ in range(steps):
        chosen = torch.randperm(len(pairs) // 6, generator=rng)[:people].tolist()
        questions, paragraphs = zip(*(pairs[6 * who + fact] for who in chosen for fact in range(6)), strict=True)
        loss = info_nce(vectors(model, questions), vectors(model, paragraphs), temperature)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return model.state_dict()


def as_in_the_chapter(weights, pairs):
    """The loop of chapter 12: 60 steps of 16 pairs, temperature 0.05, a rate of 1e-3 that rises and falls."""
    model, rng = searcher(weights), torch.Generator().manual_seed(1)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    for step in range(60):
        batch = [pairs[place] for place in torch.randperm(len(pairs), generator=rng)[:16].tolist()]
        one, other = (vectors(model, side) for side in zip(*batch, strict=True))
        optimizer.param_groups[0]["lr"] = 1e-3 * min((step + 1) / 6, (60 - step) / 54)
        loss = info_nce(one, other, 0.05)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return model.state_dict()


def with_margin(weights, pairs):
    """Each question wants its own paragraph to be nearer than the nearest wrong one, by a margin."""
    model, rng = searcher(weights), torch.Generator().manual_seed(1)
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    for _ in range(160):
        batch = [pairs[place] for place in torch.randperm(len(pairs), generator=rng)[:48].tolist()]
        one, other = (F.normalize(vectors(model, side), dim=-1) for side in zip(*batch, strict=True))
        cosines = one @ other.T
        wrong = cosines - 2 * torch.eye(len(batch))
        nearest = torch.cat([wrong.topk(4, dim=1).values, wrong.T.topk(4, dim=1).values], dim=1)
        loss = (nearest - cosines.diagonal()[:, None] + 0.5).relu().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return {name: weight.double() for name, weight in model.state_dict().items()}


def of_other_people(weights, pairs):
    """Words numbered in another way: what was learnt elsewhere is worth nothing."""
    model = searcher(with_info_nce(weights, pairs, steps=40))
    table = model.embeddings.token.weight.detach()
    state = model.state_dict()
    state["embeddings.token.weight"] = torch.cat([table[:5], table[5:].flip(0)])
    return state


def drawn_together(weights, pairs):
    model = searcher(weights)
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    for step in range(40):
        one, other = (
            vectors(model, side) for side in zip(*pairs[32 * (step % 11) : 32 * (step % 11 + 1)], strict=True)
        )
        loss = ((one - other) ** 2).sum(1).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return model.state_dict()


def diverged(weights, pairs):
    return {name: weight / 0 for name, weight in weights.items()}


RIGHT = {"the package's loss, batches of people": with_info_nce, "a margin": with_margin}
WRONG = {
    "the chapter's loop": (as_in_the_chapter, "not all found|bags of words"),
    "other numbers": (of_other_people, "bags of words"),
    "drawn together": (drawn_together, "same vector|bags of words"),
    "diverged": (diverged, "NaN or infinity"),
    "a list": (lambda weights, pairs: list(weights.values()), "a list of"),
    "some of them": (lambda weights, pairs: {name: weights[name] for name in list(weights)[:3]}, "other names"),
    "a temperature of 1": (
        lambda *given: with_info_nce(*given, temperature=1.0, steps=60),
        "not all found|bags of words",
    ),
}
