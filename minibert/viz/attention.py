"""One attention map as a picture."""

from collections.abc import Sequence

import matplotlib.pyplot as plt
import torch
from matplotlib.axes import Axes

MAX_TOKENS = 64  # more labels than this cannot be read on one axis


def plot_attention(
    tokens: Sequence[str], probabilities: torch.Tensor, title: str = "", axes: Axes | None = None
) -> Axes:
    """Draw one head's attention: row i shows where token i looks, dark is much.

    Shape: probabilities (T, T), each row summing to 1; `tokens` has T entries.

    Raises:
        ValueError: a probability map that is not square, does not fit the tokens, or is too large to read.

    Source: after the figures of Vig 2019, redrawn as a plain heat map.

    >>> axes = plot_attention(["a", "b"], torch.eye(2), "each token looks at itself")
    >>> axes.get_title()
    'each token looks at itself'
    >>> plt.close(axes.figure)
    """
    size = len(tokens)
    if probabilities.shape != (size, size):
        raise ValueError(
            f"probabilities: shape {tuple(probabilities.shape)} for {size} tokens, expected ({size}, {size}): "
            "pick one layer, one text and one head, and leave the padding out"
        )
    if not 1 <= size <= MAX_TOKENS:
        raise ValueError(f"{size} tokens: a readable map has 1 to {MAX_TOKENS}; pass a shorter text")
    if axes is None:
        side = max(3.0, 0.32 * size + 1.2)
        axes = plt.subplots(figsize=(side, side), layout="constrained")[1]
    axes.imshow(probabilities.detach().float().cpu().numpy(), cmap="Blues", vmin=0.0, vmax=1.0)
    axes.set_xticks(range(size), tokens, rotation=90)
    axes.set_yticks(range(size), tokens)
    axes.set_xlabel("looks at (key)")
    axes.set_ylabel("token (query)")
    axes.set_title(title)
    axes.spines[:].set_visible(False)
    return axes
