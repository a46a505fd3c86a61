"""One attention call for the whole package; which back-end answers is decided here and nowhere else."""

from torch import Tensor

from minibert.varlen.per_document import per_document_attention
from minibert.varlen.reference import reference_attention

BACKENDS = ("per_document", "reference")


def choose_backend(requested: str = "auto", need_probabilities: bool = False) -> str:
    """The name of the back-end that will answer: a pure function of what is asked.

    Only the reference path forms the probabilities, so asking for them selects it.

    Raises:
        ValueError: an unknown back-end, or one that cannot give what is asked.

    >>> choose_backend(), choose_backend(need_probabilities=True)
    ('per_document', 'reference')
    """
    if requested not in ("auto", *BACKENDS):
        raise ValueError(f"attention back-end {requested!r}: expected auto or one of {', '.join(BACKENDS)}")
    if need_probabilities:
        if requested not in ("auto", "reference"):
            raise ValueError(f"back-end {requested!r} never forms the attention probabilities: use auto or reference")
        return "reference"
    return BACKENDS[0] if requested == "auto" else requested


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
) -> tuple[Tensor, tuple[Tensor, ...] | None]:
    """Attention within each document of a packed batch; no token sees another document.

    Shape: query (N, H, K), key and value (N, G, K), cu_seqlens (B + 1,) int32 -> output (N, H, K), and the
    probabilities, one (H, T, T) per document, or None when they were not asked for.

    `window` is W: token i sees j with |i - j| <= W; None sees the whole document. `scale` defaults to 1 / sqrt(K).

    Raises:
        ValueError: shapes that do not fit each other, a negative window, an unknown back-end.

    Source: Vaswani et al. 2017, section 3.2; Warner et al. 2024, section 2.1.2 (packed form).

    >>> import torch
    >>> x = torch.ones(3, 1, 2)
    >>> attention(x, x, x, torch.tensor([0, 3]), 3)[0].shape
    torch.Size([3, 1, 2])
    """
    check_attention(query, key, value, cu_seqlens, window)
    arguments = (query, key, value, cu_seqlens, max_seqlen, window, dropout, scale)
    if choose_backend(backend, need_probabilities) == "reference":
        output, probabilities = reference_attention(*arguments)
        return output, probabilities if need_probabilities else None
    return per_document_attention(*arguments), None


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
