"""Answers to 12.3, MaxSim."""

import torch
from torch.nn import functional as F

from minibert.course.exercises.ex_12_3 import max_sim as solved
from minibert.course.exercises.ex_12_3 import max_sim_packed as solved_packed
from minibert.tasks.retrieval import max_sim as package


def by_loop(queries, query_mask, documents, document_mask):
    scores = queries.new_zeros(len(queries), len(documents))
    for a in range(len(queries)):
        for b in range(len(documents)):
            if query_mask[a].any():
                scores[a, b] = package(queries[a][query_mask[a]], documents[b][document_mask[b]])
    return scores


def with_package(query, tokens, borders):
    pairs = zip(borders[:-1].tolist(), borders[1:].tolist(), strict=True)
    return torch.stack([package(query, tokens[start:stop]) for start, stop in pairs])


def by_cosine_similarity(queries, query_mask, documents, document_mask):
    table = F.cosine_similarity(queries[:, None, :, None], documents[None, :, None], dim=-1)
    table = torch.where(document_mask[None, :, None, :], table, torch.tensor(-9.0, dtype=table.dtype))
    return (table.max(-1).values * query_mask[:, None]).sum(-1)


def by_scatter(query, tokens, borders):
    table = F.normalize(query, dim=1) @ F.normalize(tokens, dim=1).T
    text = torch.repeat_interleave(borders.diff())
    best = torch.full((len(query), len(borders) - 1), -2.0, dtype=table.dtype)
    return best.scatter_reduce(1, text.expand_as(table), table, "amax").sum(0)


def zeroed(queries, query_mask, documents, document_mask):
    """Padding is zeros, and zeros have the cosine 0."""
    everything = torch.ones_like(document_mask)
    return solved(queries * query_mask[..., None], everything[:1, :1], documents * document_mask[..., None], everything)


def flat(queries, query_mask, documents, document_mask):
    """The documents of the batch as one."""
    return solved(queries, query_mask, documents.flatten(0, 1)[None], document_mask.flatten()[None]).expand(
        -1, len(documents)
    )


def loose(queries, query_mask, documents, document_mask):
    """The padding of the documents gets -1, as low as any cosine, and lower than none."""
    table = torch.einsum("aqd,btd->abqt", F.normalize(queries, dim=-1), F.normalize(documents, dim=-1))
    table = table * document_mask[None, :, None] - 0.1 * ~document_mask[None, :, None]
    return (table.amax(-1) * query_mask[:, None]).sum(-1)


def ragged(query, tokens, borders):
    """From border to border, both ends included."""
    rows = [tokens[borders[b] : borders[b + 1] + 1] for b in range(len(borders) - 1)]
    return torch.stack([package(query, row) for row in rows])


RIGHT = {
    "loops over the package": (by_loop, with_package),
    "cosine_similarity and scatter_reduce": (by_cosine_similarity, by_scatter),
}
WRONG = {
    "padding is zeros": ((zeroed, solved_packed), "0|-inf"),
    "one long document": ((flat, solved_packed), "scores|documents"),
    "-0.1 on padding": ((loose, solved_packed), "real token|padding"),
    "both borders": ((solved, ragged), "border"),
    "a list of numbers": ((solved, lambda *inputs: solved_packed(*inputs).tolist()), "list"),
    "(B, A)": ((lambda *inputs: solved(*inputs).T, solved_packed), "the documents stand in the rows"),
    "no gradient": ((lambda *inputs: solved(*inputs).detach(), solved_packed), "gradient"),
}
