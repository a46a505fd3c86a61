"""One word in many sentences, drawn layer by layer."""

from collections.abc import Sequence

from matplotlib.figure import Figure
from torch import Tensor

from minibert.viz.page import COLORS, for_matplotlib
from minibert.viz.word_points import both_points

MARKERS = ("o", "s", "^", "D", "P", "X")


def plot_word_by_layer(
    vectors: Tensor,
    groups: Sequence[str] | None = None,
    control: Tensor | None = None,
    layers: Sequence[int] | None = None,
    title: str = "",
    control_name: str = "untrained twin",
) -> Figure:
    """Draw a word's vectors in some layers, a dot for each sentence; in a second row those of a control.

    Each layer is projected by itself onto the two directions in which its vectors differ most (`project`); under it
    stands how many vectors have a nearest neighbour (by cosine, in all dimensions, itself left out) of their own group.

    Shape: vectors and control (L + 1, S, D), as `word_vectors_by_layer` returns them; S group names.

    Raises:
        ValueError: a control, groups or layers that do not fit; more groups than can be told apart.

    Source: after Wiedemann et al. 2019 and Coenen et al. 2019.

    >>> import torch
    >>> figure = plot_word_by_layer(torch.eye(4)[None].repeat(3, 1, 1), ["a", "a", "b", "b"], layers=[0, 2])
    >>> [axes.get_title() for axes in figure.axes]
    ['layer 0', 'layer 2']
    """
    if not isinstance(title, str):
        raise ValueError(f"title: got {type(title).__name__}, expected a text")
    panels, groups = both_points(vectors, control, groups, control_name=control_name)
    layers = check_layers(layers, len(vectors))
    names = list(dict.fromkeys(groups))
    figure = Figure(figsize=(1.0 + 2.15 * len(layers), 0.7 + 2.35 * len(panels)), layout="constrained")
    grid = figure.subplots(len(panels), len(layers), squeeze=False)
    for panel, row in zip(panels, grid, strict=True):
        agreement = panel.agreement(groups)
        for layer, axes in zip(layers, row, strict=True):
            for number, name in enumerate(names):
                mine = [i for i, group in enumerate(groups) if group == name]
                x, y = panel.places[layer, mine].T.tolist()
                style = dict(
                    color=COLORS[number], marker=MARKERS[number], edgecolors="white", linewidths=0.7, s=48, alpha=0.78
                )
                axes.scatter(x, y, label=for_matplotlib(name), **style)
            axes.set(xlim=(-30, 1030), ylim=(1030, -30), xticks=[], yticks=[], aspect="equal", facecolor="#f3f6f9")
            axes.set_xlabel(f"own group nearest: {agreement[layer]}/{len(groups)}", fontsize=9)
            axes.spines[:].set_visible(False)
            if panel is panels[0]:
                axes.set_title(f"layer {layer}", fontsize=10)
        row[0].set_ylabel(for_matplotlib(panel.name))
    if len(names) > 1:
        handles, labels = grid[0][0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=len(names), frameon=False)
    figure.suptitle(for_matplotlib(title) or None, fontsize=12) if title else None
    return figure


def check_layers(layers, count: int) -> list[int]:
    """The layers to draw; of all, four spread from the embeddings to the last.

    Raises:
        ValueError: something that is not a list of layer numbers, or a layer that is not there.

    >>> check_layers(None, 13), check_layers([0, -1], 13)
    ([0, 4, 8, 12], [0, 12])
    """
    if layers is None:
        return sorted({round(i * (count - 1) / 3) for i in range(4)})
    if isinstance(layers, str) or not isinstance(layers, Sequence) or not 1 <= len(layers) <= 8:
        raise ValueError(f"layers={layers!r}: expected a list of 1 to 8 layer numbers, or None")
    for layer in layers:
        if isinstance(layer, bool) or not isinstance(layer, int) or not -count <= layer < count:
            raise ValueError(f"layers: {layer!r} is not one of 0 to {count - 1} (0 are the embeddings)")
    return [layer % count for layer in layers]
