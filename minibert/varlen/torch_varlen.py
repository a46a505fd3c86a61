"""FlashAttention as PyTorch ships it: on a GPU, without installing anything."""

import inspect
from collections.abc import Callable
from functools import cache

import torch
from torch import Tensor

from minibert.varlen.flash import dense_rows, refuse_wide, window_ends


def torch_attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    cu_seqlens: Tensor,
    max_seqlen: int,
    window: int | None = None,
    dropout: float = 0.0,
    scale: float | None = None,
) -> Tensor:
    """Attention within each document by `torch.nn.attention.varlen.varlen_attn` (CUDA, fp16 or bf16, no dropout).

    Shape: query (N, H, K), key and value (N, G, K), cu_seqlens (B + 1,) -> (N, H, K).

    Raises:
        ValueError: float32 or float64 inputs, or dropout.

    Source: Dao 2023 (FlashAttention-2), section 3.1; Ainslie et al. 2023 (grouped queries).

    >>> x = torch.ones(3, 1, 8)
    >>> torch_attention(x, x, x, torch.tensor([0, 3]), 3)
    Traceback (most recent call last):
    ...
    ValueError: torch: got torch.float32, needs float16 or bfloat16; convert the model: model.bfloat16()
    """
    refuse_wide("torch", query, key, value)
    if dropout:
        raise ValueError(f"torch: dropout={dropout}, but it has no dropout; set it to 0, or use flash_attn")
    from torch.nn.attention.varlen import varlen_attn

    borders = cu_seqlens.to(torch.int32)
    arguments = dict(
        query=dense_rows(query),
        key=dense_rows(key),
        value=dense_rows(value),
        cu_seq_q=borders,
        cu_seq_k=borders,
        max_q=max_seqlen,
        max_k=max_seqlen,
        scale=scale,
        window_size=window_ends(window),
    )
    repeats = query.shape[1] // key.shape[1]
    if repeats == 1:
        return varlen_attn(**arguments)
    if shares_heads(varlen_attn):
        return varlen_attn(**arguments, enable_gqa=True)
    repeated = {name: arguments[name].repeat_interleave(repeats, dim=1) for name in ("key", "value")}  # (N, H, K)
    return varlen_attn(**(arguments | repeated))


@cache
def shares_heads(varlen_attn: Callable) -> bool:
    """Whether this PyTorch's kernel lets several query heads read one key/value head; before 2.12 it did not.

    Source: Ainslie et al. 2023.

    >>> shares_heads(lambda query, key, value, *, enable_gqa=False: query)
    True
    """
    return "enable_gqa" in inspect.signature(varlen_attn).parameters
