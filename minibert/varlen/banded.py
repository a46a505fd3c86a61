"""Local attention at a cost that grows with N · W instead of N²: only the band around the diagonal is computed.

The packed row is cut into blocks of W tokens. A token sees at most W to each side, so a block of queries finds all its
keys in three blocks: its own and the two beside it. The mask takes away what lies outside the window or in another
document. The three key blocks overlap those of the neighbour, and are views of one row: nothing is copied three times.

    queries    | block 0 | block 1 | block 2 |
    keys of 1  |<-------- 3 W tokens ------->|
"""

import torch
from torch import Tensor
from torch.nn.functional import pad, scaled_dot_product_attention

from minibert.varlen.per_document import per_document_attention, repeat_groups
from minibert.varlen.reference import PackedContext

STRIP = 4096  # tokens at a time when no gradient is wanted


def banded_attention(query: Tensor, key: Tensor, value: Tensor, context: PackedContext) -> Tensor:
    """The same numbers as `reference_attention`, in time and memory proportional to N · W, forward and backward.

    Shape: query (N, H, K), key and value (N, G, K) -> (N, H, K).

    Without a window, or with one that spans most of the longest document, there is no band to gain from: then it is
    `per_document_attention`.

    Source: Beltagy et al. 2020 (Longformer), section 3.1 (sliding window in overlapping chunks).

    >>> from minibert.varlen.reference import reference_attention
    >>> x = torch.randn(9, 2, 4, generator=torch.Generator().manual_seed(0))
    >>> context = PackedContext(torch.tensor([0, 2, 9]), 7, window=1)
    >>> torch.allclose(banded_attention(x, x, x, context), reference_attention(x, x, x, context)[0])
    True
    """
    window = context.window
    if not window or context.max_seqlen <= 2 * window:
        return per_document_attention(query, key, value, context)
    key, value = repeat_groups(query, key, value)
    mask = context.once(
        ("band", window, query.dtype), lambda: band_mask(context.cu_seqlens, window, query.dtype)
    )  # (blocks, 1, W, 3W)
    # Without a gradient, a strip of blocks is computed at a time, so that its intermediate tensors stay small. With a
    # gradient that would cost time: the backward pass of every strip runs over the whole row.
    together = len(mask) if torch.is_grad_enabled() else max(1, STRIP // window)
    outputs = []
    for first, some in enumerate(mask.split(together)):
        start = first * together * window
        stop = start + len(some) * window
        queries = cut(query, start, stop).unfold(0, window, window).transpose(2, 3)  # (blocks, H, W, K)
        keys, values = (
            cut(x, start - window, stop + window).unfold(0, 3 * window, window).transpose(2, 3)  # (blocks, H, 3W, K)
            for x in (key, value)
        )
        output = scaled_dot_product_attention(
            queries, keys, values, attn_mask=some, dropout_p=context.dropout, scale=context.scale
        )
        outputs.append(output.transpose(1, 2).flatten(0, 1))  # (blocks, H, W, K) -> (blocks · W, H, K)
    return (outputs[0] if len(outputs) == 1 else torch.cat(outputs))[: len(query)]


def cut(x: Tensor, start: int, stop: int) -> Tensor:
    """x[start:stop], with zeros where that reaches beyond either end.

    Shape: x (N, H, K) -> (stop - start, H, K).

    >>> cut(torch.ones(3, 1, 1), -1, 5).flatten().tolist()
    [0.0, 1.0, 1.0, 1.0, 0.0, 0.0]
    """
    inside = x[max(start, 0) : stop]
    return pad(inside, (0, 0, 0, 0, max(-start, 0), max(stop - len(x), 0)))


def band_mask(cu_seqlens: Tensor, window: int, dtype: torch.dtype) -> Tensor:
    """What each block of queries may see of its three blocks of keys: 0 where it may, -inf where not, to be added.

    Shape: cu_seqlens (B + 1,) -> (ceil(N / W), 1, W, 3W).

    The places beyond both ends of the row count as one more document, so that no row of the mask is empty.

    Source: Beltagy et al. 2020, section 3.1; Warner et al. 2024, section 2.1.2 (both ends of the window count).

    >>> (band_mask(torch.tensor([0, 1, 4]), 2, torch.float32)[0, 0] == 0).int().tolist()
    [[0, 0, 1, 0, 0, 0], [0, 0, 0, 1, 1, 1]]
    """
    tokens = int(cu_seqlens[-1])
    blocks = -(-tokens // window)
    document = torch.full(((blocks + 2) * window,), -1, device=cu_seqlens.device)  # one block more on either side
    lengths = cu_seqlens.diff()
    document[window : window + tokens] = torch.repeat_interleave(lengths)  # 0 0 0 1 1 ...
    of_query = document[window:-window].view(blocks, window, 1)
    of_key = document.unfold(0, 3 * window, window)[:, None]  # (blocks, 1, 3W)
    offset = torch.arange(3 * window, device=cu_seqlens.device) - window  # of a key, from the start of its query block
    near = (offset[:window, None] + window - offset).abs() <= window  # (W, 3W)
    visible = (of_query == of_key) & near
    return torch.zeros(visible.shape, dtype=dtype, device=visible.device).masked_fill_(~visible, -torch.inf)[:, None]
