"""Answers to 7.1, the neighbours of a word in context."""

import torch
from torch.nn import functional as F


def cosines(vectors, index):
    return F.cosine_similarity(vectors, vectors[index][None], dim=1)


def by_a_loop(vectors, index, k):
    pairs = [(-float(F.cosine_similarity(vectors[index], row, dim=0)), i) for i, row in enumerate(vectors)]
    return torch.tensor([i for _, i in sorted(pair for pair in pairs if pair[1] != index)[:k]])


def by_sorting(vectors, index, k):
    cosine = cosines(vectors, index)
    cosine[index] = -2
    return cosine.sort(descending=True)[1][:k]


def by_cutting_and_shifting(vectors, index, k):
    keep = [i for i in range(len(vectors)) if i != index]
    return torch.tensor(keep)[cosines(vectors[[*keep, index]], -1)[:-1].topk(k).indices]


def by_angles(vectors, index, k):
    unit = F.normalize(vectors)
    distance = (unit - unit[index]).norm(dim=1)  # of unit vectors: the same order as cosines
    distance[index] = 9
    return distance.topk(k, largest=False).indices


def by_numpy(vectors, index, k):
    order = (-cosines(vectors, index)).numpy().argsort(kind="stable")
    return torch.from_numpy(order[order != index][:k].copy())


def a_list(vectors, index, k):
    return by_sorting(vectors, index, k).tolist()


def itself_is_minus_one(vectors, index, k):
    cosine = cosines(vectors, index).clone()
    cosine[index] = -1
    return cosine.topk(k).indices


def drops_the_first(vectors, index, k):
    return torch.sort(cosines(vectors, index), descending=True, stable=True).indices[1 : k + 1]


def leaves_equal_rows_out(vectors, index, k):
    cosine = cosines(vectors, index)
    cosine[(vectors == vectors[index]).all(1)] = -9
    return cosine.topk(k).indices


def in_float32(vectors, index, k):
    return F.normalize(vectors).float().matmul(torch.zeros(vectors.shape[1]).add(vectors[index])).topk(k).indices


def takes_itself_out_afterwards(vectors, index, k):
    found = cosines(vectors, index).topk(k).indices
    return found[found != index]


def normalises_in_place(vectors, index, k):
    vectors /= vectors.norm(dim=-1, keepdim=True)
    return by_sorting(vectors, index, k)


def dot_products_with_itself(vectors, index, k):
    return (vectors @ vectors[index]).topk(k).indices


def k_plus_one_without_itself(vectors, index, k):
    found = torch.cosine_similarity(vectors, vectors[index : index + 1]).topk(k + 1).indices
    return found[found != index]


def shifts_all(vectors, index, k):
    rest = torch.cat([vectors[:index], vectors[index + 1 :]])
    return torch.cosine_similarity(rest, vectors[index : index + 1]).topk(k).indices + 1


def shifts_too_few(vectors, index, k):
    found = shifts_all(vectors, index, k) - 1
    return found + (found > index)


RIGHT = {
    "loop": by_a_loop,
    "sort": by_sorting,
    "cut and shift": by_cutting_and_shifting,
    "angles": by_angles,
    "numpy": by_numpy,
}
WRONG = {
    "k + 1 without itself": (k_plus_one_without_itself, "where it ties"),
    "shifts all": (shifts_all, "1 is added to all numbers"),
    "shifts too few": (shifts_too_few, ">=, not >"),
    "a list": (a_list, "is a list of"),
    "itself set to -1": (itself_is_minus_one, "exactly opposite"),
    "drops whatever is first": (drops_the_first, "not whatever comes first"),
    "leaves equal rows out": (leaves_equal_rows_out, "points? exactly the same way"),
    "float32 inside": (in_float32, "line|counts itself"),
    "itself taken out of the k": (takes_itself_out_afterwards, "one too few"),
    "changes its input": (normalises_in_place, "your code changes an input"),
    "dot products, itself too": (dot_products_with_itself, "two things.*(itself.*dot|dot.*itself)"),
    "int32": (lambda vectors, index, k: by_sorting(vectors, index, k).int(), "int64"),
    "values and indices": (lambda vectors, index, k: torch.topk(cosines(vectors, index), k), r"\.indices"),
    "always the first k": (lambda vectors, index, k: torch.arange(k), "cosines with row 0 are"),
}
