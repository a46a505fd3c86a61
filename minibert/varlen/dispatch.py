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
        ValueError: an unknown back-end (see `choose_backend`).

    Source: Vaswani et al. 2017, section 3.2; Warner et al. 2024, section 2.1.2 (packed form).

    >>> import torch
    >>> x = torch.ones(3, 1, 2)
    >>> attention(x, x, x, torch.tensor([0, 3]), 3)[0].shape
    torch.Size([3, 1, 2])
    """
    arguments = (query, key, value, cu_seqlens, max_seqlen, window, dropout, scale)
    if choose_backend(backend, need_probabilities) == "reference":
        output, probabilities = reference_attention(*arguments)
        return output, probabilities if need_probabilities else None
    return per_document_attention(*arguments), None
