"""Attention as one reads it on paper: for each document, for each head. Slow, and the truth for all other back-ends."""

from itertools import pairwise

import torch
from torch import Tensor


def attend_one_head(query: Tensor, key: Tensor, value: Tensor, scale: float, window: int | None, dropout: float = 0.0):
    """One head, one document: softmax(query keyᵀ · scale) value.

    Shape: query, key, value (T, K) -> output (T, K), probabilities (T, T), each row summing to 1.

    With a `window`, token i sees the tokens j with |i - j| <= window, both ends included.

    Source: Vaswani et al. 2017, section 3.2.1; Beltagy et al. 2020 (sliding window).

    >>> eye = torch.eye(2)
    >>> attend_one_head(eye, eye, torch.tensor([[1.0, 0.0], [0.0, 3.0]]), scale=0.0, window=None)[0].tolist()
    [[0.5, 1.5], [0.5, 1.5]]
    """
    scores = query @ key.transpose(0, 1) * scale  # (T, T): row i holds the scores of query i
    if window is not None:
        index = torch.arange(len(query), device=query.device)
        too_far = (index[:, None] - index[None, :]).abs() > window  # (T, T)
        scores = scores.masked_fill(too_far, float("-inf"))  # no row is empty: a token always sees itself
    probabilities = torch.softmax(scores, dim=-1)  # (T, T), over the keys
    return torch.dropout(probabilities, dropout, train=dropout > 0) @ value, probabilities


def reference_attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    cu_seqlens: Tensor,
    max_seqlen: int,
    window: int | None = None,
    dropout: float = 0.0,
    scale: float | None = None,
) -> tuple[Tensor, tuple[Tensor, ...]]:
    """Attention within each document of a packed batch, and its probabilities.

    Shape: query (N, H, K), key and value (N, G, K), cu_seqlens (B + 1,) -> output (N, H, K) and, for each document,
    probabilities (H, T, T). Query head h reads key/value head h // (H / G): heads share in runs, not in turns.

    Source: Vaswani et al. 2017, section 3.2; Ainslie et al. 2023 (grouped queries).

    >>> x = torch.ones(3, 2, 4)
    >>> output, probabilities = reference_attention(x, x, x, torch.tensor([0, 1, 3]), 2)
    >>> output.shape, probabilities[1][0].tolist()
    (torch.Size([3, 2, 4]), [[0.5, 0.5], [0.5, 0.5]])
    """
    heads, groups, size = query.shape[1], key.shape[1], query.shape[2]
    scale = size**-0.5 if scale is None else scale
    outputs, maps = [], []
    borders = cu_seqlens.tolist()
    for start, end in pairwise(borders):
        head_outputs, head_maps = [], []
        for head in range(heads):
            group = head // (heads // groups)
            out, probabilities = attend_one_head(
                query[start:end, head], key[start:end, group], value[start:end, group], scale, window, dropout
            )
            head_outputs.append(out)
            head_maps.append(probabilities)
        outputs.append(torch.stack(head_outputs, dim=1))  # (T, H, K)
        maps.append(torch.stack(head_maps))  # (H, T, T)
    return torch.cat(outputs), tuple(maps)
