"""Attention document by document with PyTorch's fused kernel: no padding, and no (T, T) matrix kept for later."""

from itertools import pairwise

import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention


def per_document_attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    cu_seqlens: Tensor,
    max_seqlen: int,
    window: int | None = None,
    dropout: float = 0.0,
    scale: float | None = None,
) -> Tensor:
    """The same numbers as `reference_attention`, one call of `scaled_dot_product_attention` per document.

    Shape: query (N, H, K), key and value (N, G, K), cu_seqlens (B + 1,) -> (N, H, K).

    Source: Vaswani et al. 2017, section 3.2; Dao et al. 2022 (the fused kernel).

    >>> x = torch.randn(5, 2, 4, generator=torch.Generator().manual_seed(0))
    >>> borders = torch.tensor([0, 2, 5])
    >>> from minibert.varlen.reference import reference_attention
    >>> torch.allclose(per_document_attention(x, x, x, borders, 3), reference_attention(x, x, x, borders, 3)[0])
    True
    """
    repeats = query.shape[1] // key.shape[1]
    # (N, H, K) -> (1, H, N, K), the layout the kernel wants; a document is then a slice of the third axis.
    query, key, value = (x.transpose(0, 1).unsqueeze(0) for x in (query, key, value))
    if repeats > 1:  # each key/value head serves `repeats` neighbouring query heads
        key, value = (x.repeat_interleave(repeats, dim=1) for x in (key, value))
    bands: dict[int, Tensor] = {}  # documents of one length share one mask
    outputs = []
    borders = cu_seqlens.tolist()
    for start, end in pairwise(borders):
        length, band = end - start, None
        if window is not None and length > window + 1:  # shorter documents lie inside the window anyway
            if length not in bands:
                index = torch.arange(length, device=query.device)
                bands[length] = (index[:, None] - index[None, :]).abs() <= window  # (T, T), True = visible
            band = bands[length]
        document = slice(start, end)
        outputs.append(
            scaled_dot_product_attention(
                query[:, :, document],
                key[:, :, document],
                value[:, :, document],
                attn_mask=band,
                dropout_p=dropout,
                scale=scale,
            )
        )
    return torch.cat(outputs, dim=2).squeeze(0).transpose(0, 1)  # (N, H, K)
