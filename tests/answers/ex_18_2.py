"""Answers to 18.2, groups of query heads and the mean of heads."""

import numpy as np
import torch
from torch.nn import functional as F

from minibert.course.exercises.ex_18_2 import grouped_attention, to_groups


def by_torch(query, key, value, visible, sizes):
    repeats = torch.tensor(sizes)
    key, value = (torch.repeat_interleave(one, repeats, dim=1) for one in (key, value))
    return F.scaled_dot_product_attention(query, key, value, visible[:, None, None]).transpose(1, 2).flatten(2)


def group_by_group(query, key, value, visible, sizes):
    done, first = [], 0
    for g, size in enumerate(sizes):
        own = query[:, first : first + size]
        scores = torch.einsum("bhtk,bsk->bhts", own, key[:, g]) / own.size(-1) ** 0.5
        scores = scores + torch.where(visible, 0.0, -torch.inf)[:, None, None].to(scores.dtype)
        done.append(torch.einsum("bhts,bse->bthe", scores.softmax(-1), value[:, g]))
        first += size
    return torch.cat(done, dim=2).flatten(2)


def torch_for_each_group(query, key, value, visible, sizes):
    parts = [
        F.scaled_dot_product_attention(own, k, v, visible[:, None, None, :], enable_gqa=True)
        for own, k, v in zip(query.split(sizes, 1), key.split(1, 1), value.split(1, 1), strict=True)
    ]
    return torch.cat(parts, 1).permute(0, 2, 1, 3).reshape(query.shape[0], query.shape[2], -1)


def head_by_head(query, key, value, visible, sizes):
    owners = [g for g, n in enumerate(sizes) for _ in range(n)]
    low = torch.finfo(query.dtype).min
    heads = []
    for h, g in enumerate(owners):
        scores = query[:, h] @ key[:, g].transpose(1, 2) * query.shape[-1] ** -0.5
        heads.append(torch.softmax(scores.masked_fill(~visible[:, None], low), -1) @ value[:, g])
    return torch.cat(heads, -1)


def pool_by_loop(weight, sizes):
    K = weight.shape[0] // sum(sizes)
    out, row = [], 0
    for size in sizes:
        out.append(sum(weight[row + i * K : row + (i + 1) * K] for i in range(size)) / size)
        row += size * K
    return torch.cat(out)


def pool_by_matrix(weight, sizes):
    K = len(weight) // sum(sizes)
    share = torch.zeros(len(sizes), sum(sizes), dtype=weight.dtype)
    for g, n in enumerate(sizes):
        share[g, sum(sizes[:g]) : sum(sizes[: g + 1])] = 1 / n
    return torch.kron(share, torch.eye(K, dtype=weight.dtype)) @ weight


def the_packages(query, key, value, visible, sizes):
    share = query.shape[1] // key.shape[1]
    key, value = key.repeat_interleave(share, 1), value.repeat_interleave(share, 1)
    scores = query @ key.mT / query.shape[-1] ** 0.5
    weights = scores.masked_fill(~visible[:, None, None, :], -torch.inf).softmax(dim=-1)
    return (weights @ value).transpose(1, 2).flatten(2)


def tiled(query, key, value, visible, sizes):
    share = query.shape[1] // key.shape[1]
    return the_packages(query, key.repeat(1, share, 1, 1), value.repeat(1, share, 1, 1), visible, sizes)


def torchs_groups(query, key, value, visible, sizes):
    return (
        F.scaled_dot_product_attention(query, key, value, visible[:, None, None], enable_gqa=True)
        .transpose(1, 2)
        .flatten(2)
    )


def by_modulo(query, key, value, visible, sizes):
    owner = torch.arange(query.shape[1]) % key.shape[1]
    return by_torch(query, key[:, owner], value[:, owner], visible, (1,) * query.shape[1])


def no_mask(query, key, value, visible, sizes):
    return by_torch(query, key, value, torch.ones_like(visible), sizes)


def inverted(query, key, value, visible, sizes):
    return by_torch(query, key, value, ~visible, sizes)


def unscaled(query, key, value, visible, sizes):
    return by_torch(query * query.shape[-1] ** 0.5, key, value, visible, sizes)


def viewed(query, key, value, visible, sizes):
    B, H, T, _ = query.shape
    return by_torch(query, key, value, visible, sizes).unflatten(2, (H, -1)).transpose(1, 2).reshape(B, T, -1)


def low(query, key, value, visible, sizes):
    owner = torch.arange(len(sizes)).repeat_interleave(torch.tensor(sizes))
    scores = query @ key[:, owner].mT / query.shape[-1] ** 0.5
    return (scores.masked_fill(~visible[:, None, None], -1e3).softmax(-1) @ value[:, owner]).transpose(1, 2).flatten(2)


def not_merged(query, key, value, visible, sizes):
    return by_torch(query, key, value, visible, sizes).unflatten(2, (sum(sizes), -1))


def in_numpy(query, key, value, visible, sizes):
    return np.asarray(by_torch(query, key, value, visible, sizes).detach())


def strided(weight, sizes):
    G = len(sizes)
    heads = weight.view(sum(sizes), -1, weight.shape[1])
    return torch.cat([heads[g::G].mean(0) for g in range(G)])


def equal_groups(weight, sizes):
    heads = weight.view(len(sizes), sum(sizes) // len(sizes), -1, weight.shape[1])
    return heads.mean(1).flatten(0, 1)


def summed(weight, sizes):
    return pool_by_loop(weight, sizes) * torch.tensor(sizes).repeat_interleave(len(weight) // sum(sizes))[:, None]


def one_row(weight, sizes):
    K = len(weight) // sum(sizes)
    return torch.stack([part.mean(0) for part in weight.split([n * K for n in sizes])])


def pairwise(weight, sizes):
    """Averages all but the last head of a group."""
    heads = weight.unflatten(0, (sum(sizes), -1))
    return torch.cat([part[: max(len(part) - 1, 1)].mean(0) for part in heads.split(list(sizes))])


RIGHT = {
    "torch's": (by_torch, pool_by_loop),
    "group by group": (group_by_group, pool_by_matrix),
    "torch's for each group": (torch_for_each_group, to_groups),
    "head by head": (head_by_head, to_groups),
}


def in_float32(query, key, value, visible, sizes):
    return grouped_attention(query.float(), key.float(), value.float(), visible, sizes).to(query.dtype)


def by_length(query, key, value, visible, sizes):
    first = torch.arange(visible.shape[1]) < visible.sum(1, keepdim=True)
    return grouped_attention(query, key, value, first, sizes)


def causal(query, key, value, visible, sizes):
    own = torch.tensor(sizes)
    seen = visible[:, None, None] & torch.ones(query.shape[2], key.shape[2], dtype=torch.bool).tril()
    keys, values = key.repeat_interleave(own, 1), value.repeat_interleave(own, 1)
    return F.scaled_dot_product_attention(query, keys, values, seen).transpose(1, 2).flatten(2)


WRONG = {
    "in float32": ((in_float32, to_groups), "computed in float64"),
    "by length": ((by_length, to_groups), "read as a number of keys"),
    "causal": ((causal, to_groups), "causal mask"),
    "the package's": ((the_packages, to_groups), "same size"),
    "tiled": ((tiled, to_groups), "h % G"),
    "torch's groups": ((torchs_groups, to_groups), "same size"),
    "modulo": ((by_modulo, to_groups), "h % G"),
    "no mask": ((no_mask, to_groups), "visible is not used"),
    "inverted": ((inverted, to_groups), "turned round"),
    "unscaled": ((unscaled, to_groups), "not divided by sqrt"),
    "viewed": ((viewed, to_groups), "not side by side"),
    "-1000": ((low, to_groups), "hidden ones must be lower|hidden scores"),
    "not merged": ((not_merged, to_groups), "put the last two together"),
    "numpy": ((in_numpy, to_groups), "numpy array"),
    "strided": ((grouped_attention, strided), "G apart"),
    "equal groups": ((grouped_attention, equal_groups), "to_groups"),
    "summed": ((grouped_attention, summed), "summed"),
    "one row": ((grouped_attention, one_row), "the rows of a group are averaged"),
    "all but the last": ((grouped_attention, pairwise), "become their mean"),
}
