"""One attention call for the whole package; which back-end answers is decided behind it and nowhere else."""

from torch import Tensor

from minibert.varlen.banded import banded_attention
from minibert.varlen.choice import announce, choose_backend, find_machine, read_request
from minibert.varlen.flash import flash_attention, flash_attention_4
from minibert.varlen.per_document import per_document_attention
from minibert.varlen.reference import reference_attention
from minibert.varlen.torch_varlen import torch_attention

CALLS = {
    "flash_attn": flash_attention,
    "flash_attn_4": flash_attention_4,
    "torch": torch_attention,
    "per_document": per_document_attention,
    "banded": banded_attention,
}


def attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    cu_seqlens: Tensor,
    max_seqlen: int,
    window: int | None = None,
    dropout: float = 0.0,
    scale: float | None = None,
    backend: str = "auto",
    need_probabilities: bool = False,
    shared: dict | None = None,
) -> tuple[Tensor, tuple[Tensor, ...] | None]:
    """Attention within each document of a packed batch; no token sees another document.

    Shape: query (N, H, K), key and value (N, G, K), cu_seqlens (B + 1,) int32 -> output (N, H, K), and the
    probabilities, one (H, T, T) per document, or None when they were not asked for.

    `window` is W: token i sees j with |i - j| <= W; None sees the whole document. `scale` defaults to 1 / sqrt(K).
    Layers that hand on one `shared` dict make masks once: it holds what follows from the borders, so it must not
    outlive them. `backend` is one of `choice.NAMES`, or `auto`: then the environment variable
    MINIBERT_ATTENTION may name one.

    Raises:
        ValueError: shapes that do not fit each other, a negative window, an unknown back-end, or one that cannot answer
            on this device, in this dtype, with this dropout.

    Source: Vaswani et al. 2017, section 3.2; Warner et al. 2024, section 2.1.2 (packed form).

    >>> import torch
    >>> x = torch.ones(3, 1, 2)
    >>> attention(x, x, x, torch.tensor([0, 3]), 3)[0].shape
    torch.Size([3, 1, 2])
    """
    check_attention(query, key, value, cu_seqlens, window)
    requested = "reference" if need_probabilities and backend == "auto" else read_request(backend)
    machine, head_size = find_machine(query.device), query.shape[2]
    name = choose_backend(requested, machine, query.dtype, head_size, window, dropout, need_probabilities)
    if requested == "auto":
        announce(machine, query.dtype, head_size, dropout)
    arguments = (query, key, value, cu_seqlens, max_seqlen, window, dropout, scale)
    if name == "reference":
        output, probabilities = reference_attention(*arguments)
        return output, probabilities if need_probabilities else None
    if name in ("per_document", "banded"):
        return CALLS[name](*arguments, shared), None
    return CALLS[name](*arguments), None


def check_attention(query: Tensor, key: Tensor, value: Tensor, cu_seqlens: Tensor, window: int | None) -> None:
    """Refuse queries, keys, values and borders that do not fit each other.

    Raises:
        ValueError: naming what came and what was expected.

    >>> import torch
    >>> check_attention(torch.ones(3, 4, 2), torch.ones(3, 3, 2), torch.ones(3, 3, 2), torch.tensor([0, 3]), None)
    Traceback (most recent call last):
    ...
    ValueError: 4 query heads and 3 key/value heads: H must be a multiple of G
    """
    shapes = f"query {tuple(query.shape)}, key {tuple(key.shape)}, value {tuple(value.shape)}"
    if query.dim() != 3 or key.shape[:2] != value.shape[:2] or key.shape[::2] != query.shape[::2]:
        raise ValueError(f"{shapes}: expected (N, H, K), (N, G, K), (N, G, K)")
    heads, groups = query.shape[1], key.shape[1]
    if groups == 0 or heads % groups:
        raise ValueError(f"{heads} query heads and {groups} key/value heads: H must be a multiple of G")
    if window is not None and window < 0:
        raise ValueError(f"window={window}: expected how many tokens are seen on each side, or None for all")
    if cu_seqlens.device.type == "cpu":  # elsewhere reading a number would stall the device; the encoder has checked it
        borders = cu_seqlens.tolist()
        if borders[0] != 0 or borders[-1] != len(query) or sorted(borders) != borders:
            raise ValueError(f"cu_seqlens {borders[:8]}: expected to rise from 0 to N={len(query)}")
