"""Answers to 16.5, a window and a global token over a long text."""

import math

import torch
from torch.nn import functional as F


def as_blocks_of_a_band(query, key, value, window):
    """All blocks at once, as in Longformer: each sees three blocks of keys, and token 0 as one more key."""
    tokens, size = query.shape[1:]
    block = max(window, 1)
    count = -(-tokens // block)
    q = F.pad(query, (0, 0, 0, count * block - tokens)).unflatten(1, (count, block))
    k, v = (F.pad(x, (0, 0, block, (count + 1) * block - tokens)).unfold(1, 3 * block, block).mT for x in (key, value))
    place = torch.arange(count * block).view(count, block, 1)
    other = torch.arange(-block, (count + 1) * block).unfold(0, 3 * block, block)[:, None]
    near = ((place - other).abs() <= window) & (other > 0) & (other < tokens)
    scores = (q @ k.mT).masked_fill(~near, -math.inf)
    to_first = q @ key[:, :1, None].mT
    weights = (torch.cat([to_first, scores], -1) / math.sqrt(size)).softmax(-1)
    out = weights[..., :1] * value[:, :1, None] + weights[..., 1:] @ v
    first = (query[:, :1] @ key.mT / math.sqrt(size)).softmax(-1) @ value
    return torch.cat([first, out.flatten(1, 2)[:, 1:tokens]], 1)


def merged(query, key, value, window):
    """The band and token 0 as two pieces, merged as in 16.3."""
    tokens, size = query.shape[1:]
    query = query / size**0.5
    rows = []
    for start in range(0, tokens, 128):
        stop = min(start + 128, tokens)
        low, high = max(0, start - window), min(tokens, stop + window)
        scores = torch.einsum("htk,hsk->hts", query[:, start:stop], key[:, low:high])
        i, j = torch.arange(start, stop)[:, None], torch.arange(low, high)
        scores = torch.where(((i - j).abs() <= window) & (j > 0), scores, -1e30)
        zero = torch.einsum("htk,hk->ht", query[:, start:stop], key[:, 0])
        top = torch.maximum(scores.amax(-1), zero)
        weights, alone = (scores - top[..., None]).exp(), (zero - top).exp()
        mixed = weights @ value[:, low:high] + alone[..., None] * value[:, :1]
        rows.append(mixed / (weights.sum(-1) + alone)[..., None])
    rows[0] = torch.cat([(query[:, :1] @ key.mT).softmax(-1) @ value, rows[0][:, 1:]], 1)
    return torch.cat(rows, 1)


def window_only(query, key, value, window):
    outputs = []
    for start in range(0, query.shape[1], 64):
        low, high = max(start - window, 0), min(start + 64 + window, query.shape[1])
        i, j = torch.arange(start, min(start + 64, query.shape[1]))[:, None], torch.arange(low, high)
        mask = (i - j).abs() <= window
        q = query[:, start : start + 64]
        outputs.append(F.scaled_dot_product_attention(q, key[:, low:high], value[:, low:high], attn_mask=mask))
    return torch.cat(outputs, 1)


def with_zeros_at_the_ends(query, key, value, window):
    """The padding in front and behind takes part: its scores are 0, not -inf."""
    k, v = (F.pad(x, (0, 0, window, window)) for x in (key, value))
    k, v = (x.unfold(1, 2 * window + 1, 1) for x in (k, v))  # (H, T, K, 2W + 1)
    scores = torch.einsum("htk,htkw->htw", query, k) / query.shape[-1] ** 0.5
    out = torch.einsum("htw,htkw->htk", scores.softmax(-1), v)
    return out


def halves(query, key, value, window):
    """Two halves, each with the keys it needs: half of the work is not a third."""
    tokens, outputs = query.shape[1], []
    for start, stop in ((0, -(-tokens // 2)), (-(-tokens // 2), tokens)):
        low, high = (0, min(stop + window, tokens)) if start == 0 else (max(start - window, 1), tokens)
        i, j = torch.arange(start, stop)[:, None], torch.arange(low, high)
        if start:
            j = torch.cat([torch.zeros(1, dtype=torch.long), j])
        k, v = (x[:, j] for x in (key, value))
        mask = ((i - j).abs() <= window) | (j == 0)
        outputs.append(F.scaled_dot_product_attention(query[:, start:stop], k, v, attn_mask=mask))
    first = F.scaled_dot_product_attention(query[:, :1], key, value)
    return torch.cat([first, torch.cat(outputs, 1)[:, 1:]], 1)


def sums_of_two_softmaxes(query, key, value, window):
    band = window_only(query, key, value, window)
    return torch.cat([merged(query, key, value, window)[:, :1], (band + value[:, :1])[:, 1:] / 2], 1)


def keys_of_each_token(query, key, value, window):
    """Right, and cheap by the count; but it copies 2 window + 1 keys for each token."""
    tokens, scale = query.shape[1], query.shape[-1] ** 0.5
    near, other = (F.pad(x, (0, 0, window, window)).unfold(1, 2 * window + 1, 1) for x in (key, value))
    place = torch.arange(tokens)[:, None] + torch.arange(-window, window + 1)
    scores = torch.einsum("htk,htkw->htw", query, near) / scale
    scores = scores.masked_fill((place < 1) | (place >= tokens), -torch.inf)
    scores = torch.cat([query @ key[:, :1].mT / scale, scores], -1).softmax(-1)
    mixed = scores[..., :1] * value[:, :1] + torch.einsum("htw,htkw->htk", scores[..., 1:], other)
    return torch.cat([F.scaled_dot_product_attention(query[:, :1], key, value), mixed[:, 1:]], 1)


RIGHT = {"blocks of a band": as_blocks_of_a_band, "merged": merged}
WRONG = {
    "window only": (window_only, "the output for 12 tokens"),
    "zeros at the ends": (with_zeros_at_the_ends, "the output for 12 tokens"),
    "halves": (halves, "take blocks of about"),
    "two softmaxes": (sums_of_two_softmaxes, "the output for 12 tokens"),
    "detached": (lambda q, k, v, w: merged(q.detach(), k, v, w), "no gradient leads back (?s:.)*q"),
    "float32": (lambda q, k, v, w: merged(q.float(), k.float(), v.float(), w), "float64"),
    "a batch axis": (lambda q, k, v, w: merged(q, k, v, w)[None], "shape"),
    "keys of each token": (keys_of_each_token, "copied for each token"),
    "a mask of all pairs": (
        lambda q, k, v, w: (
            merged(q, k, v, w) + 0 * (torch.arange(q.shape[1])[:, None] < torch.arange(q.shape[1])).any()
        ),
        "a mask with T x T numbers",
    ),
}
