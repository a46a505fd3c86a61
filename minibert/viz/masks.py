"""Who may see whom: documents packed one behind the other, padding, and the window of a local layer."""

import matplotlib.pyplot as plt
import torch
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.patches import Patch
from torch import Tensor

from minibert.viz.diagram import DPI

LARGEST = 512  # tokens: cells smaller than a pixel show nothing
COLORS = {"may see": "#0072B2", "outside the window": "#E69F00", "other document or padding": "#E3E6EA"}


def visible(cu_seqlens: Tensor | None = None, mask: Tensor | None = None, window: int | None = None) -> Tensor:
    """Which token may look at which: True in row i, column j where token i sees token j.

    Give either `cu_seqlens`, the borders of documents packed in one row, or `mask`, 1 on the real tokens of one padded
    text. `window` is a local layer's half width in tokens: |i - j| <= window.

    Shape: cu_seqlens (B + 1,) or mask (T,) -> (N, N) or (T, T) bool.

    Raises:
        ValueError: both or neither given, borders that do not rise from 0, a mask with other values, a bad window.

    Source: Warner et al. 2024, sections 2.1.1 and 2.1.2.

    >>> visible(cu_seqlens=torch.tensor([0, 2, 3])).int().tolist()
    [[1, 1, 0], [1, 1, 0], [0, 0, 1]]
    >>> visible(mask=torch.tensor([1, 1, 1, 0]), window=1).int().tolist()
    [[1, 1, 0, 0], [1, 1, 1, 0], [0, 1, 1, 0], [0, 0, 0, 0]]
    """
    together = _same_document(cu_seqlens, mask)
    return together if window is None else together & _near(len(together), window)


def plot_mask(
    cu_seqlens: Tensor | None = None,
    mask: Tensor | None = None,
    window: int | None = None,
    title: str = "",
    axes: Axes | None = None,
) -> Axes:
    """Draw who may see whom: what is seen, what the window hides, and what is never looked at.

    Shape: cu_seqlens (B + 1,) or mask (T,), as for `visible`.

    Raises:
        ValueError: as for `visible`, or more than 512 tokens.

    Source: Warner et al. 2024, sections 2.1.1 and 2.1.2.

    >>> axes = plot_mask(cu_seqlens=torch.tensor([0, 3, 5]), window=1)
    >>> [entry.get_text() for entry in axes.get_legend().get_texts()]
    ['may see', 'outside the window', 'other document or padding']
    >>> plt.close(axes.figure)
    """
    check_axes(axes, title)
    together = _same_document(cu_seqlens, mask)
    size = len(together)
    if size > LARGEST:
        raise ValueError(f"{size} tokens: a readable picture has at most {LARGEST}")
    seen = visible(cu_seqlens, mask, window)
    kinds = torch.full((size, size), 2).masked_fill(together, 1).masked_fill(seen, 0)  # (T, T), places in COLORS
    if axes is None:
        axes = plt.subplots(figsize=(4.6, 4.9), dpi=DPI, layout="constrained")[1]
    axes.imshow(kinds.numpy(), cmap=ListedColormap(list(COLORS.values())), vmin=0, vmax=2, interpolation="nearest")
    if size <= 40:
        axes.set_xticks([i - 0.5 for i in range(1, size)], minor=True)
        axes.set_yticks([i - 0.5 for i in range(1, size)], minor=True)
        axes.grid(which="minor", color="white", linewidth=0.8)
    axes.tick_params(which="both", length=0)
    used = [
        Patch(color=color, label=name) for i, (name, color) in enumerate(COLORS.items()) if bool((kinds == i).any())
    ]
    axes.legend(handles=used, loc="upper center", bbox_to_anchor=(0.5, -0.13), ncols=2, frameon=False)
    axes.set(xlabel="looked at (key)", ylabel="token that looks (query)", title=title)
    axes.spines[:].set_visible(False)
    return axes


def _same_document(cu_seqlens, mask) -> Tensor:
    if (cu_seqlens is None) == (mask is None):
        raise ValueError(
            "give either cu_seqlens (borders of packed documents) or mask (1 on real tokens), and not both"
        )
    given, name = (mask, "mask") if cu_seqlens is None else (cu_seqlens, "cu_seqlens")
    if not isinstance(given, Tensor) or given.dim() != 1 or given.is_floating_point() or given.is_complex():
        got = f"{given.dtype} {tuple(given.shape)}" if isinstance(given, Tensor) else type(given).__name__
        raise ValueError(f"{name}: got {got}, expected one row of whole numbers as a tensor")
    values = given.detach().cpu().long()
    if mask is not None:
        if not len(values) or not bool(((values == 0) | (values == 1)).all()) or not bool(values.any()):
            raise ValueError("mask: expected 1 on real tokens and 0 on padding, with at least one real token")
        return (values[:, None] * values[None, :]).bool()
    if len(values) < 2 or int(values[0]) != 0 or not bool((values.diff() > 0).all()):
        raise ValueError(f"cu_seqlens: {values.tolist()}, expected borders that rise from 0, such as [0, 3, 5]")
    document = torch.repeat_interleave(torch.arange(len(values) - 1), values.diff())  # (N,)
    return document[:, None] == document[None, :]


def _near(size: int, window) -> Tensor:
    if isinstance(window, bool) or not isinstance(window, int) or window < 0:
        raise ValueError(f"window={window!r}: expected the tokens seen on each side, a whole number of at least 0")
    index = torch.arange(size)
    return (index[:, None] - index[None, :]).abs() <= window


def check_axes(axes, title) -> None:
    """Refuse `axes` that are not matplotlib axes, and a `title` that is not a text.

    Raises:
        ValueError: what came, and what was expected.

    >>> check_axes(None, 3)
    Traceback (most recent call last):
    ...
    ValueError: title: got int, expected a text
    """
    if axes is not None and not isinstance(axes, Axes):
        raise ValueError(f"axes: got {type(axes).__name__}, expected matplotlib axes or None")
    if not isinstance(title, str):
        raise ValueError(f"title: got {type(title).__name__}, expected a text")
