"""Answers to 12.1, a masked mean and a weighted one."""

import numpy as np
import torch

from minibert.course.exercises.ex_12_1 import masked_mean, text_vectors


def by_where(hidden, mask):
    kept = torch.where(mask[..., None] > 0, hidden, torch.zeros_like(hidden))
    return kept.sum(-2) / mask.sum(-1, keepdim=True).clamp(min=1)


def by_loop(layers, mask, weights, count):
    rows = []
    for row in range(mask.shape[0]):
        real = mask[row].nonzero().flatten()
        states = sum(layers[-2 - n][row, real] for n in range(count)) / count
        shares = weights[row, real]
        total = (shares[:, None] * states).sum(0)
        rows.append(total / shares.sum() if shares.sum() > 0 else torch.zeros_like(total))
    return torch.stack(rows)


def by_einsum(hidden, mask):
    weights = mask.to(hidden.dtype)
    weights = weights / weights.sum(-1, keepdim=True).clamp(min=1e-9)
    return torch.einsum("...td,...t->...d", hidden.masked_fill(mask[..., None] == 0, 0), weights)


def layers_after_pooling(layers, mask, weights, count):
    kept = torch.where(mask.bool(), weights, 0)
    kept = kept / kept.sum(1, keepdim=True).clamp_min(1e-12)
    pooled = [(kept[..., None] * one.masked_fill(~mask.bool()[..., None], 0)).sum(1) for one in layers]
    return torch.stack(pooled)[len(layers) - 1 - count : len(layers) - 1].mean(0)


def nan_to_num(hidden, mask):
    """NaN and infinity are replaced where they came out, which is too late: what was real is lost with them."""
    return (hidden * mask[..., None]).sum(-2).nan_to_num() / mask.sum(-1, keepdim=True).clamp(min=1)


def nan_mean(hidden, mask):
    return hidden.masked_fill(~mask.bool()[..., None], torch.nan).nanmean(-2).nan_to_num()


def third_axis(hidden, mask):
    return masked_mean(hidden, mask) if hidden.dim() == 3 else masked_mean(hidden[None], mask[None])[0][..., None]


def in_numpy(hidden, mask):
    real = mask.bool().numpy()[..., None]
    total = np.where(real, hidden.numpy(), 0).sum(-2) / np.maximum(real.sum(-2), 1)
    return torch.from_numpy(total.astype(hidden.numpy().dtype))


def boolean_only(hidden, mask):
    kept = hidden.masked_fill(~mask[..., None], 0)
    return kept.sum(-2) / mask.sum(-1, keepdim=True).clamp(min=1)


def without_padding(layers, mask, weights, count):
    """Every text counted up to its length."""
    lengths = mask.sum(1)
    left = torch.arange(mask.shape[1]) < lengths[:, None]
    return text_vectors(layers, left, weights, count)


def last_four(layers, mask, weights, count):
    return text_vectors(layers, mask, weights, 4 if len(layers) > 4 else count)


RIGHT = {
    "where and a loop": (by_where, by_loop),
    "einsum and layers after pooling": (by_einsum, layers_after_pooling),
    "nanmean": (nan_mean, text_vectors),
}
WRONG = {
    "a plain mean": ((lambda hidden, mask: hidden.mean(-2), text_vectors), "padding is in the mean"),
    "NaN replaced too late": ((nan_to_num, text_vectors), "NaN"),
    "numpy": ((in_numpy, text_vectors), "no gradient|numpy"),
    "for three axes": ((third_axis, text_vectors), "any number of axes"),
    "a Boolean mask only": ((boolean_only, text_vectors), "mask.bool"),
    "lengths": ((masked_mean, without_padding), "padding is in the mean|NaN|small weights"),
    "always the last four": ((masked_mean, last_four), "count|layers"),
    "a list": ((lambda hidden, mask: masked_mean(hidden, mask).tolist(), text_vectors), "list"),
}
