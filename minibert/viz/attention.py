"""One attention map as a picture."""

from collections.abc import Sequence

import matplotlib.pyplot as plt
import torch
from matplotlib.axes import Axes

from minibert.viz.attention_data import check_probabilities, check_tokens
from minibert.viz.diagram import DPI
from minibert.viz.masks import check_axes
from minibert.viz.page import for_matplotlib

MAX_TOKENS = 64  # more labels than this cannot be read on one axis


def plot_attention(
    tokens: Sequence[str], probabilities: torch.Tensor, title: str = "", axes: Axes | None = None
) -> Axes:
    """Draw one head's attention: row i shows where token i looks, dark is much.

    Shape: probabilities (T, T), each row summing to 1; `tokens` has T entries.

    Raises:
        ValueError: a probability map that is not square, does not fit the tokens, holds no probabilities, or is
            too large to read.

    Source: after the figures of Vig 2019, redrawn as a plain heat map.

    >>> axes = plot_attention(["a", "b"], torch.eye(2), "each token looks at itself")
    >>> axes.get_title()
    'each token looks at itself'
    >>> plt.close(axes.figure)
    """
    check_axes(axes, title)
    tokens = check_tokens(tokens)
    size = len(tokens)
    if not isinstance(probabilities, torch.Tensor) or probabilities.shape != (size, size):
        is_tensor = isinstance(probabilities, torch.Tensor)
        got = f"shape {tuple(probabilities.shape)}" if is_tensor else type(probabilities).__name__
        raise ValueError(
            f"probabilities: {got} for {size} tokens, expected a tensor ({size}, {size}): "
            "pick one layer, one text and one head, and leave the padding out"
        )
    if size > MAX_TOKENS:
        raise ValueError(f"{size} tokens: a readable map has 1 to {MAX_TOKENS}; pass a shorter text")
    check_probabilities(probabilities, "probabilities")
    labels = [for_matplotlib(token) for token in tokens]
    if axes is None:
        side = max(3.0, 0.32 * size + 1.2)
        axes = plt.subplots(figsize=(side, side), dpi=DPI, layout="constrained")[1]
    axes.imshow(probabilities.detach().float().cpu().numpy(), cmap="Blues", vmin=0.0, vmax=1.0)
    axes.set_xticks(range(size), labels, rotation=90)
    axes.set_yticks(range(size), labels)
    axes.set_xlabel("looks at (key)")
    axes.set_ylabel("token (query)")
    axes.set_title(for_matplotlib(title))
    axes.spines[:].set_visible(False)
    return axes
