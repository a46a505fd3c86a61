"""Answers to 12.3, MaxSim."""

import torch
from torch.nn import functional as F

from minibert.course.exercises.ex_12_3 import max_sim as solved
from minibert.course.exercises.ex_12_3 import max_sim_packed as solved_packed
from minibert.tasks.retrieval import max_sim as package


def of_two(query, document, count):
    cosines = F.normalize(query, dim=-1) @ F.normalize(document, dim=-1).T
    return cosines.sort(dim=1, descending=True).values[:, :count].mean(dim=1).sum()


def by_loop(queries, query_mask, documents, document_mask, count):
    scores = queries.new_zeros(len(queries), len(documents))
    for a in range(len(queries)):
        for b in range(len(documents)):
            if query_mask[a].any():
                scores[a, b] = of_two(queries[a][query_mask[a]], documents[b][document_mask[b]], count)
    return scores


def by_borders(query, tokens, borders, count):
    pairs = zip(borders[:-1].tolist(), borders[1:].tolist(), strict=True)
    return torch.stack([of_two(query, tokens[start:stop], count) for start, stop in pairs])


def by_cosine_similarity(queries, query_mask, documents, document_mask, count):
    table = F.cosine_similarity(queries[:, None, :, None], documents[None, :, None], dim=-1)
    table = torch.where(document_mask[None, :, None, :], table, torch.tensor(-9.0, dtype=table.dtype))
    order = table.argsort(-1, descending=True).argsort(-1)
    taken = (order < count) & document_mask[None, :, None, :]
    return ((table * taken).sum(-1) / taken.sum(-1) * query_mask[:, None]).sum(-1)


def one_by_one(query, tokens, borders, count):
    """The highest of each document, then the next one, without the one before."""
    table = F.normalize(query, dim=1) @ F.normalize(tokens, dim=1).T
    scores = []
    for start, stop in zip(borders[:-1].tolist(), borders[1:].tolist(), strict=True):
        left, total = table[:, start:stop], 0.0
        kept = min(count, stop - start)
        for _ in range(kept):
            best, place = left.max(dim=1)
            total = total + best.sum() / kept
            left = left.scatter(1, place[:, None], -9.0)
        scores.append(total)
    return torch.stack(scores)


def package_by_loop(queries, query_mask, documents, document_mask, count):
    """The package knows the highest only."""
    scores = queries.new_zeros(len(queries), len(documents))
    for a in range(len(queries)):
        for b in range(len(documents)):
            if query_mask[a].any():
                scores[a, b] = package(queries[a][query_mask[a]], documents[b][document_mask[b]])
    return scores


def package_by_borders(query, tokens, borders, count):
    pairs = zip(borders[:-1].tolist(), borders[1:].tolist(), strict=True)
    return torch.stack([package(query, tokens[start:stop]) for start, stop in pairs])


def zeroed(queries, query_mask, documents, document_mask, count):
    """Padding is zeros, and zeros have the cosine 0."""
    everything = torch.ones_like(document_mask)
    whole = torch.ones_like(query_mask)
    return solved(queries * query_mask[..., None], whole, documents * document_mask[..., None], everything, count)


def flat(queries, query_mask, documents, document_mask, count):
    """The documents of the batch as one."""
    one = solved(queries, query_mask, documents.flatten(0, 1)[None], document_mask.flatten()[None], count)
    return one.expand(-1, len(documents))


def loose(queries, query_mask, documents, document_mask, count):
    """The padding of the documents gets -0.1, as low as some cosines, and lower than few."""
    table = torch.einsum("aqd,btd->abqt", F.normalize(queries, dim=-1), F.normalize(documents, dim=-1))
    table = table * document_mask[None, :, None] - 0.1 * ~document_mask[None, :, None]
    best = table.topk(min(count, table.shape[-1])).values.mean(-1)
    return (best * query_mask[:, None]).sum(-1)


def ragged(query, tokens, borders, count):
    """From border to border, both ends included."""
    rows = [tokens[borders[b] : borders[b + 1] + 1] for b in range(len(borders) - 1)]
    return torch.stack([of_two(query, row, count) for row in rows])


RIGHT = {
    "loops, sorted": (by_loop, by_borders),
    "ranks, and one after the other": (by_cosine_similarity, one_by_one),
}
WRONG = {
    "the package's max_sim": ((package_by_loop, solved_packed), "only the highest cosine counts"),
    "the package's max_sim, packed": ((solved, package_by_borders), "only the highest cosine counts"),
    "padding is zeros": ((zeroed, solved_packed), "0|-inf"),
    "one long document": ((flat, solved_packed), "scores|documents"),
    "-0.1 on padding": ((loose, solved_packed), "real token|padding"),
    "both borders": ((solved, ragged), "border"),
    "a list of numbers": ((solved, lambda *inputs: solved_packed(*inputs).tolist()), "list"),
    "(B, A)": ((lambda *inputs: solved(*inputs).T, solved_packed), "the documents stand in the rows"),
    "no gradient": ((lambda *inputs: solved(*inputs).detach(), solved_packed), "gradient"),
}
