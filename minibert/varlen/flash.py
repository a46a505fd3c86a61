"""FlashAttention on a GPU: the packed form goes in as it is, and no (T, T) matrix is ever written to memory.

The scores are made tile by tile inside the chip, with a running maximum and a running sum per row, so that the softmax
needs no second pass. PyTorch ships this kernel, and two packages have it; neither is needed to use minibert:

    flash-attn     FlashAttention 2   CUDA, compute capability 8.0 or newer (Ampere, Ada, Hopper, Blackwell)
    flash-attn-4   FlashAttention 4   9.0 or newer (Hopper, Blackwell); a beta, no dropout; used when asked for by name
    PyTorch 2.11   FlashAttention 2   8.0 or newer; no dropout

All want fp16 or bf16, head sizes in steps of 8 and int32 borders, and share key/value heads among query heads unasked.
A window of W is (W, W): both ends are included, so a token sees 2·W + 1 keys. -1 is "no end".
"""

import inspect
from collections.abc import Callable
from functools import cache

import torch
from torch import Tensor

from minibert.varlen.reference import PackedContext


def flash_attention(query: Tensor, key: Tensor, value: Tensor, context: PackedContext) -> Tensor:
    """Attention within each document by FlashAttention 2, the package flash-attn.

    Shape: query (N, H, K), key and value (N, G, K) -> (N, H, K).

    Raises:
        ValueError: float32 or float64 inputs; they are never cast silently.
        ImportError: the package flash-attn is missing or was built for another PyTorch.

    Source: Dao 2023 (FlashAttention-2), section 3.1; the tiling is Dao et al. 2022, algorithm 1.

    >>> x = torch.ones(3, 1, 8)
    >>> flash_attention(x, x, x, PackedContext(torch.tensor([0, 3]), 3))
    Traceback (most recent call last):
    ...
    ValueError: flash_attn: got torch.float32, needs float16 or bfloat16; convert the model: model.bfloat16()
    """
    refuse_wide("flash_attn", query, key, value)
    from flash_attn import flash_attn_varlen_func

    borders = context.cu_seqlens.to(torch.int32)
    return flash_attn_varlen_func(
        q=dense_rows(query),
        k=dense_rows(key),
        v=dense_rows(value),
        cu_seqlens_q=borders,
        cu_seqlens_k=borders,
        max_seqlen_q=context.max_seqlen,
        max_seqlen_k=context.max_seqlen,
        dropout_p=context.dropout,
        softmax_scale=context.scale,
        causal=False,
        window_size=window_ends(context.window),
    )


def torch_attention(query: Tensor, key: Tensor, value: Tensor, context: PackedContext) -> Tensor:
    """Attention within each document by FlashAttention as PyTorch ships it (CUDA, fp16 or bf16, no dropout).

    Shape: query (N, H, K), key and value (N, G, K) -> (N, H, K).

    Raises:
        ValueError: float32 or float64 inputs, or dropout.

    Source: Dao 2023 (FlashAttention-2), section 3.1; Ainslie et al. 2023 (grouped queries).

    >>> x = torch.ones(3, 1, 8)
    >>> torch_attention(x, x, x, PackedContext(torch.tensor([0, 3]), 3))
    Traceback (most recent call last):
    ...
    ValueError: torch: got torch.float32, needs float16 or bfloat16; convert the model: model.bfloat16()
    """
    refuse_wide("torch", query, key, value)
    refuse_dropout("torch", context)
    from torch.nn.attention.varlen import varlen_attn

    borders = context.cu_seqlens.to(torch.int32)
    arguments = dict(
        query=dense_rows(query),
        key=dense_rows(key),
        value=dense_rows(value),
        cu_seq_q=borders,
        cu_seq_k=borders,
        max_q=context.max_seqlen,
        max_k=context.max_seqlen,
        scale=context.scale,
        window_size=window_ends(context.window),
    )
    repeats = query.shape[1] // key.shape[1]
    if repeats == 1:
        return varlen_attn(**arguments)
    if shares_heads(varlen_attn):
        return varlen_attn(**arguments, enable_gqa=True)
    repeated = {name: arguments[name].repeat_interleave(repeats, dim=1) for name in ("key", "value")}  # (N, H, K)
    return varlen_attn(**(arguments | repeated))


def flash_attention_4(query: Tensor, key: Tensor, value: Tensor, context: PackedContext) -> Tensor:
    """Attention within each document by FlashAttention 4, the package flash-attn-4.

    Shape: query (N, H, K), key and value (N, G, K) -> (N, H, K).

    Raises:
        ValueError: float32 or float64 inputs, or dropout.
        ImportError: the package flash-attn-4 is missing.

    Source: Shah et al. 2024 (FlashAttention-3, whose pipelining it continues), section 3.

    >>> x = torch.ones(3, 1, 8, dtype=torch.bfloat16)
    >>> flash_attention_4(x, x, x, PackedContext(torch.tensor([0, 3]), 3, dropout=0.1))
    Traceback (most recent call last):
    ...
    ValueError: flash_attn_4: dropout=0.1, but it has no dropout; set it to 0, or use flash_attn
    """
    refuse_wide("flash_attn_4", query, key, value)
    refuse_dropout("flash_attn_4", context)
    from flash_attn.cute import flash_attn_varlen_func

    borders = context.cu_seqlens.to(torch.int32)
    answer = flash_attn_varlen_func(  # by keyword: its fourth positional argument is something else
        q=dense_rows(query),
        k=dense_rows(key),
        v=dense_rows(value),
        cu_seqlens_q=borders,
        cu_seqlens_k=borders,
        max_seqlen_q=context.max_seqlen,
        max_seqlen_k=context.max_seqlen,
        softmax_scale=context.scale,
        causal=False,
        window_size=(None, None) if context.window is None else (context.window, context.window),
    )
    return answer[0] if isinstance(answer, tuple) else answer  # with the rows' log-sums, or without


@cache
def shares_heads(varlen_attn: Callable) -> bool:
    """Whether this PyTorch's kernel lets several query heads read one key/value head; before 2.12 it did not.

    >>> shares_heads(lambda query, key, value, *, enable_gqa=False: query)
    True
    """
    return "enable_gqa" in inspect.signature(varlen_attn).parameters


def window_ends(window: int | None) -> tuple[int, int]:
    """How far a token sees to the left and to the right, both ends included.

    Source: Dao 2023; Warner et al. 2024, section 2.1.2: local attention 128 is 64 to each side.

    >>> window_ends(64), window_ends(None)
    ((64, 64), (-1, -1))
    """
    return (-1, -1) if window is None else (window, window)


def dense_rows(x: Tensor) -> Tensor:
    """x itself when the K numbers of each head lie next to each other, as the kernels demand; else a copy that does so.

    Shape: x (N, H, K) -> (N, H, K). The N and H axes may stride: slices of the fused projection pass uncopied.

    >>> fused = torch.zeros(5, 12, 8)
    >>> dense_rows(fused[:, :4]).data_ptr() == fused.data_ptr()
    True
    """
    return x if x.stride(-1) == 1 else x.contiguous()


def refuse_wide(name: str, *tensors: Tensor) -> None:
    """Refuse what is neither fp16 nor bf16.

    >>> refuse_wide("flash_attn", torch.zeros(1, dtype=torch.float16))
    """
    for x in tensors:
        if x.dtype not in (torch.float16, torch.bfloat16):
            raise ValueError(f"{name}: got {x.dtype}, needs float16 or bfloat16; convert the model: model.bfloat16()")


def refuse_dropout(name: str, context: PackedContext) -> None:
    """Refuse dropout on the probabilities, for kernels that have none.

    >>> refuse_dropout("torch", PackedContext(torch.tensor([0, 3]), 3))
    """
    if context.dropout:
        raise ValueError(f"{name}: dropout={context.dropout}, but it has no dropout; set it to 0, or use flash_attn")
