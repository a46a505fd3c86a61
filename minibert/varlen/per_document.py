"""Attention document by document with PyTorch's fused kernel: no padding, and no (T, T) matrix kept for later.

In bf16 on a CPU, where the fused kernel gains nothing from it, strips of plain matrix products take its place for all
but short texts.
"""

from itertools import groupby

import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention

from minibert.varlen.reference import PackedContext

STRIP = 512  # queries at a time
SHORT = 64  # tokens of a text for which the fused kernel's one call is quicker than many small products
SCORES = 2**20  # scores at a time, over all heads: what fits into a processor's cache


def per_document_attention(query: Tensor, key: Tensor, value: Tensor, context: PackedContext) -> Tensor:
    """The same numbers as `reference_attention`, one call of the fused kernel per run of documents.

    Shape: query (N, H, K), key and value (N, G, K) -> (N, H, K).

    Neighbours of one length are a batch already: (n · T, H, K) is viewed as (n, T, H, K), so many short texts that
    were sorted by length take few calls.

    Source: Vaswani et al. 2017, section 3.2; Dao et al. 2022 (the fused kernel).

    >>> from minibert.varlen.reference import reference_attention
    >>> x = torch.randn(5, 2, 4, generator=torch.Generator().manual_seed(0))
    >>> context = PackedContext(torch.tensor([0, 2, 5]), 3)
    >>> torch.allclose(per_document_attention(x, x, x, context), reference_attention(x, x, x, context)[0])
    True
    """
    key, value = repeat_groups(query, key, value)
    # On a GPU `tolist` waits for the device: once, not in every layer.
    lengths = context.once("lengths", lambda: context.cu_seqlens.diff().tolist())
    outputs, start = [], 0
    for length, run in groupby(lengths):
        end = start + length * len(list(run))
        run_of_texts = (x[start:end].unflatten(0, (-1, length)).transpose(1, 2) for x in (query, key, value))
        output = attend_equal_lengths(*run_of_texts, window_mask(length, context), context.dropout, context.scale)
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


def window_mask(length: int, context: PackedContext) -> Tensor | None:
    """Which token of a text sees which, True where it does; None where all see all. Made once for each length.

    Shape: -> (T, T), or None.

    >>> window_mask(3, PackedContext(torch.tensor([0, 3]), 3, window=1)).int().tolist()
    [[1, 1, 0], [1, 1, 1], [0, 1, 1]]
    """
    window = context.window
    if window is None or length <= window + 1:  # a text this short lies inside the window
        return None

    def make() -> Tensor:
        index = torch.arange(length, device=context.cu_seqlens.device)
        return (index[:, None] - index[None, :]).abs() <= window

    return context.once(("window", length, window), make)


def attend_equal_lengths(
    query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None, dropout: float = 0.0, scale: float | None = None
) -> Tensor:
    """Attention over a batch of texts of one length.

    Shape: query, key, value (n, H, T, K), mask (T, T), True = visible -> (n, H, T, K).

    Source: Vaswani et al. 2017, section 3.2; Dao et al. 2022 (the fused kernel).

    >>> x = torch.randn(1, 2, 3, 4, generator=torch.Generator().manual_seed(0))
    >>> torch.allclose(attend_equal_lengths(x, x, x, None), attend_in_strips(x, x, x, None), atol=1e-6)
    True
    """
    in_half = query.device.type == "cpu" and query.dtype == torch.bfloat16
    if in_half and query.shape[-2] > SHORT and not dropout and not torch.is_grad_enabled():
        return attend_in_strips(query, key, value, mask, scale)
    return scaled_dot_product_attention(query, key, value, attn_mask=mask, dropout_p=dropout, scale=scale)


def attend_in_strips(
    query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None, scale: float | None = None
) -> Tensor:
    """The same without the fused kernel: whole matrix products, a few heads and a strip of queries at a time.

    PyTorch's fused CPU kernel gains nothing from bf16, while plain bf16 products run several times faster than those in
    float32. So the scores of a strip are written out, while they fit into the cache. Only for inference: a backward
    pass would keep them all.

    Shape: query, key, value (n, H, T, K), mask (T, T), True = visible -> (n, H, T, K).

    Source: Vaswani et al. 2017, section 3.2.1; strips of queries as in Rabe and Staats 2021, section 3.

    >>> x = torch.ones(1, 1, 2, 4)
    >>> attend_in_strips(x, x, x, torch.eye(2, dtype=torch.bool)).shape
    torch.Size([1, 1, 2, 4])
    """
    texts, heads, length, size = query.shape
    scale = size**-0.5 if scale is None else scale
    query, key, value = (x.reshape(-1, length, size) for x in (query * scale, key, value))  # (n · H, T, K)
    output = torch.empty_like(query)
    together = max(1, SCORES // (min(length, STRIP) * length))
    for first in range(0, len(query), together):
        some = slice(first, first + together) if together > 1 else first  # one head alone is a plain matrix: faster
        keys = key[some].transpose(-2, -1)  # (some, K, T)
        for start in range(0, length, STRIP):
            strip = slice(start, start + STRIP)
            scores = query[some][..., strip, :] @ keys  # (some, strip, T)
            if mask is not None:
                scores.masked_fill_(~mask[strip], -torch.inf)
            output[some][..., strip, :] = torch.softmax(scores, dim=-1) @ value[some]
    return output.view(texts, heads, length, size)
