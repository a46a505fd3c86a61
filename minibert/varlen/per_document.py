"""Attention document by document with PyTorch's fused kernel: no padding, and no (T, T) matrix kept for later."""

from itertools import groupby

import torch
from torch import Tensor

from minibert.varlen.strips import attend


def per_document_attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    cu_seqlens: Tensor,
    max_seqlen: int,
    window: int | None = None,
    dropout: float = 0.0,
    scale: float | None = None,
    shared: dict | None = None,
) -> Tensor:
    """The same numbers as `reference_attention`, one call of the fused kernel per run of documents.

    Shape: query (N, H, K), key and value (N, G, K), cu_seqlens (B + 1,) -> (N, H, K).

    Neighbours of one length are a batch already: (n · T, H, K) is viewed as (n, T, H, K), so many short texts that
    were sorted by length take few calls.

    Source: Vaswani et al. 2017, section 3.2; Dao et al. 2022 (the fused kernel).

    >>> x = torch.randn(5, 2, 4, generator=torch.Generator().manual_seed(0))
    >>> borders = torch.tensor([0, 2, 5])
    >>> from minibert.varlen.reference import reference_attention
    >>> torch.allclose(per_document_attention(x, x, x, borders, 3), reference_attention(x, x, x, borders, 3)[0])
    True
    """
    key, value = repeat_groups(query, key, value)
    shared = {} if shared is None else shared
    if "lengths" not in shared:
        shared["lengths"] = cu_seqlens.diff().tolist()  # on a GPU this waits for the device: once, not in every layer
    outputs, start = [], 0
    for length, run in groupby(shared["lengths"]):
        end = start + length * len(list(run))
        run_of_texts = (x[start:end].unflatten(0, (-1, length)).transpose(1, 2) for x in (query, key, value))
        band = None
        if window is not None and length > window + 1:  # shorter documents lie inside the window anyway
            name = ("window", length, window)
            if name not in shared:
                index = torch.arange(length, device=query.device)
                shared[name] = (index[:, None] - index[None, :]).abs() <= window  # (T, T), True = visible
            band = shared[name]
        output = attend(*run_of_texts, band, dropout, scale)
        outputs.append(output.transpose(1, 2).flatten(0, 1))  # (n, H, T, K) -> (n · T, H, K)
        start = end
    return outputs[0] if len(outputs) == 1 else torch.cat(outputs)


def repeat_groups(query: Tensor, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
    """Give every query head a key and a value head: group g serves H / G neighbouring query heads.

    Shape: query (N, H, K), key and value (N, G, K) -> two of (N, H, K).

    Source: Ainslie et al. 2023 (grouped queries).

    >>> groups = torch.tensor([1.0, 2.0]).view(1, 2, 1)
    >>> repeat_groups(torch.zeros(1, 4, 1), groups, groups)[0].flatten().tolist()
    [1.0, 1.0, 2.0, 2.0]
    """
    repeats = query.shape[1] // key.shape[1]
    if repeats == 1:
        return key, value
    return key.repeat_interleave(repeats, dim=1), value.repeat_interleave(repeats, dim=1)
