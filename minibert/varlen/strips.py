"""The fused kernel for one batch of equally long texts; in bf16 on a CPU a faster way, strip by strip."""

import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention

STRIP = 512  # queries at a time
SCORES = 2**20  # scores at a time, over all heads: what fits into a processor's cache


def attend(
    query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None, dropout: float = 0.0, scale: float | None = None
) -> Tensor:
    """Attention over a batch of texts of one length.

    Shape: query, key, value (n, H, T, K), mask (T, T), True = visible -> (n, H, T, K).

    Source: Vaswani et al. 2017, section 3.2; Dao et al. 2022 (the fused kernel).

    >>> x = torch.randn(1, 2, 3, 4, generator=torch.Generator().manual_seed(0))
    >>> torch.allclose(attend(x, x, x, None), attend_in_strips(x, x, x, None), atol=1e-6)
    True
    """
    in_half = query.device.type == "cpu" and query.dtype == torch.bfloat16
    if in_half and not dropout and not torch.is_grad_enabled():
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
