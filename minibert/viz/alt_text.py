"""Pictures in words, for those who cannot see them and for pages that do not show them."""

from collections.abc import Sequence

import torch
from torch import Tensor

from minibert.viz.attention_data import check_probabilities, check_tokens


def describe_attention(tokens: Sequence[str], probabilities: Tensor, top: int = 3) -> str:
    """The strongest links of one head as a sentence: alt text of its picture.

    Shape: probabilities (T, T), row i says where token i looks.

    Raises:
        ValueError: a map that does not fit the tokens or holds no probabilities; `top` below 1.

    >>> describe_attention(["the", "cat"], torch.tensor([[0.25, 0.75], [0.9, 0.1]]), top=1)
    'Attention of one head over 2 tokens; its strongest links: cat looks at the with 90 %.'
    """
    tokens = check_tokens(tokens)
    if not isinstance(probabilities, Tensor) or probabilities.shape != (len(tokens), len(tokens)):
        got = tuple(probabilities.shape) if isinstance(probabilities, Tensor) else type(probabilities).__name__
        raise ValueError(f"probabilities: {got} for {len(tokens)} tokens, expected ({len(tokens)}, {len(tokens)})")
    check_probabilities(probabilities, "probabilities")
    if isinstance(top, bool) or not isinstance(top, int) or top < 1:
        raise ValueError(f"top={top!r}: expected a whole number of at least 1")
    flat = probabilities.detach().double().flatten()
    best = torch.sort(flat, descending=True, stable=True).indices[:top].tolist()
    links = [
        f"{tokens[i // len(tokens)]} looks at {tokens[i % len(tokens)]} with {100 * float(flat[i]):.0f} %" for i in best
    ]
    return f"Attention of one head over {len(tokens)} tokens; its strongest links: {', '.join(links)}."
