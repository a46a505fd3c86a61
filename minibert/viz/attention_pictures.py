"""The pictures of chapter 5: attention drawn with its shapes, maps with their numbers, what scaling and masks do."""

from collections.abc import Mapping, Sequence

import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from torch import Tensor

from minibert.viz.attention import plot_attention
from minibert.viz.diagram import BLUE, GREY, INK, LIGHT, ORANGE, STYLES, arrow, box, new_diagram, new_figure

HEADS = ("blue", "yellow", "green")  # a shade for each head of the diagram
STEPS = (  # of the diagram: where they stand, and what is done
    (2.95, "three matrices"),
    (6.3, "cut into H heads"),
    (8.9, "softmax(q kᵀ / √K)"),
    (11.6, "mix the values"),
    (13.85, "side by side"),
)


def _grid(axes: Axes, x: float, y: float, columns: Sequence[str], rows: int, cell: float = 0.26) -> None:
    """A matrix as little squares, a shade for each column; (x, y) is its middle."""
    for i in range(rows):
        for j, shade in enumerate(columns):
            corner = (x + (j - len(columns) / 2) * cell, y + (i - rows / 2) * cell)
            axes.add_patch(Rectangle(corner, cell, cell, fc=LIGHT[shade], ec="#5B6673", lw=0.7))


def _map(axes: Axes, x: float, y: float, weights: Tensor, color: str, cell: float = 0.26) -> None:
    """A small map of attention weights, dark is much; row 0 is on top."""
    size = len(weights)
    for i in range(size):
        for j in range(size):
            corner = (x + (j - size / 2) * cell, y + (size / 2 - 1 - i) * cell)
            depth = 0.06 + 0.94 * float(weights[i, j])
            axes.add_patch(Rectangle(corner, cell, cell, fc=color, alpha=depth, ec="#5B6673", lw=0.7))


def plot_heads() -> Figure:
    """From the tokens to queries, keys and values, to the weights of each head, side by side, through W_O, with shapes.

    >>> len(plot_heads().axes)
    1
    """
    figure, axes = new_diagram(11, 5.4, 16.6, 8.0)
    text = dict(ha="center", va="center", fontsize=10, color=INK)
    tokens, stripes = 4, [shade for shade in HEADS for _ in range(2)]
    generator = torch.Generator().manual_seed(3)
    _grid(axes, 1.0, 3.9, ["grey"] * 6, tokens)
    axes.text(1.0, 4.75, "x", fontsize=12, ha="center", color=INK, fontweight="bold")
    axes.text(1.0, 3.05, "(T, D)", **text)
    for part, name, y in (("query", "queries", 6.4), ("key", "keys", 3.9), ("value", "values", 1.4)):
        arrow(axes, (1.85, 3.9 + (y - 3.9) * 0.12), (2.35, y))
        box(axes, 2.95, y, 1.15, 0.7, f"W_{part}", "white", 10)
        arrow(axes, (3.55, y), (4.05, y))
        _grid(axes, 4.9, y, stripes, tokens)
        axes.text(4.9, y + 0.7, name, fontsize=12, ha="center", color=INK, fontweight="bold")
        axes.text(4.9, y - 0.82, "(T, D)", **text)
        axes.text(2.95, y - 0.62, "(D, D)", **text)
    for head, (shade, y) in enumerate(zip(HEADS, (6.4, 3.9, 1.4), strict=True)):
        arrow(axes, (5.75, 3.9 + (y - 3.9) * 0.55), (6.5, y), GREY)
        weights = torch.softmax(2.5 * torch.randn(tokens, tokens, generator=generator), dim=-1)
        _grid(axes, 6.95, y, [shade] * 2, tokens)
        axes.text(7.42, y, "·", fontsize=16, ha="center", va="center")
        _grid(axes, 8.05, y, [shade] * 4, 2)
        arrow(axes, (8.65, y), (9.2, y))
        _map(axes, 9.8, y, weights, (BLUE, "#B77900", "#007A59")[head])
        axes.text(10.55, y, "·", fontsize=16, ha="center", va="center")
        _grid(axes, 11.0, y, [shade] * 2, tokens)
        axes.text(11.5, y, "=", fontsize=13, ha="center", va="center")
        _grid(axes, 11.95, y, [shade] * 2, tokens)
        for x, name in ((6.95, "q"), (8.05, "kᵀ"), (9.8, f"weights, head {head}"), (11.0, "v"), (12.0, "mixed")):
            axes.text(x, y + 0.72, name, **text)
        for x, shape in ((6.95, "(T, K)"), (8.05, "(K, T)"), (9.8, "(T, T)"), (11.0, "(T, K)"), (11.95, "(T, K)")):
            axes.text(x, y - 0.82, shape, **text | dict(fontsize=9))
        arrow(axes, (12.3, y), (13.0, 3.9 + (y - 3.9) * 0.12), GREY)
    _grid(axes, 13.85, 3.9, stripes, tokens)
    axes.text(13.85, 2.9, "(T, H K)\n= (T, D)", **text)
    arrow(axes, (14.7, 3.9), (15.05, 3.9))
    box(axes, 15.55, 3.9, 0.95, 0.7, "W_out", "white", 10)
    axes.text(15.5, 3.25, "(D, D)", **text)
    arrow(axes, (15.5, 4.3), (15.5, 5.45))
    _grid(axes, 15.5, 6.1, ["pink"] * 6, tokens)
    axes.text(15.5, 6.85, "output", fontsize=12, ha="center", color=INK, fontweight="bold")
    axes.text(15.65, 5.25, "(T, D)", ha="left", fontsize=10, color=INK)
    for x, words in STEPS:
        axes.text(x, 0.0, words, ha="center", va="bottom", fontsize=11, color="#444444", style="italic")
    return figure


def plot_maps(
    maps: Mapping[str, tuple[Sequence[str], Tensor]], numbers: bool = True, sums: bool = False, columns: int = 0
) -> Figure:
    """Attention maps, a panel for each title, with the numbers in the cells and, if asked, the sum behind each row.

    Shape: maps: title -> (T tokens, weights (T, T)).

    >>> len(plot_maps({"a": (["x", "y"], torch.eye(2)), "b": (["x", "y"], torch.eye(2))}).axes)
    2
    """
    columns = columns or len(maps)
    rows = -(-len(maps) // columns)
    size = max(len(tokens) for tokens, _ in maps.values())
    side = max(2.9, 0.42 * size + 1.1)
    figure = new_figure(columns * (side + 0.35 * sums), rows * (side + 0.35))
    grid = figure.subplots(rows, columns, squeeze=False)
    for place, (axes, (title, (tokens, weights))) in enumerate(zip(grid.flat, maps.items(), strict=True)):
        # plot_attention asks for rows that sum to 1; here a row may be a wrong one
        drawn = weights / weights.sum(dim=-1, keepdim=True)
        plot_attention(tokens, drawn, title, axes)
        axes.images[0].set_data(weights.detach().numpy())
        axes.set_title(title, fontsize=11)
        if place % columns:
            axes.set_ylabel("")
        if place + columns < len(maps):
            axes.set_xlabel("")
        for i in range(len(tokens)) if numbers else ():
            for j in range(len(tokens)):
                shade = "white" if weights[i, j] > 0.5 else "black"
                number = f"{weights[i, j]:.2f}" if weights[i, j] else "–"
                axes.text(j, i, number, ha="center", va="center", color=shade, fontsize=10)
        for i in range(len(tokens)) if sums else ():
            axes.text(len(tokens) - 0.4, i, f"Σ {weights[i].sum():.2f}", va="center", fontsize=10)
    return figure


def plot_received(names: Sequence[str], received: Sequence[Tensor], features: Sequence[str]) -> Figure:
    """What a token receives, a group of bars for each case, a bar for each of the first two features.

    >>> len(plot_received(["a"], [torch.tensor([1.0, 2.0])], ["water", "money"]).axes)
    1
    """
    figure = new_figure(7.2, 2.8)
    axes = figure.subplots()
    for shift, (feature, color, hatch) in enumerate(zip(features, (BLUE, ORANGE), ("", "//"), strict=True)):
        places = [place + 0.36 * (shift - 0.5) for place in range(len(names))]
        heights = [float(vector[shift]) for vector in received]
        axes.bar(places, heights, 0.34, label=feature, color=color, hatch=hatch, edgecolor="white")
        for place, height in zip(places, heights, strict=True):
            axes.text(place, height + 0.03, f"{height:.2f}", ha="center", fontsize=10)
    axes.set_xticks(range(len(names)), names, fontsize=11)
    axes.set(ylabel="entry of the mixed vector", ylim=(0, 2.0))
    axes.legend(frameon=False, loc="upper left", bbox_to_anchor=(1, 1))
    axes.spines[["top", "right"]].set_visible(False)
    return figure


def plot_scaling(
    sizes: Sequence[int], ordered: Mapping[str, Tensor], seen: Mapping[str, Sequence], slopes: Mapping[str, Sequence]
) -> Figure:
    """Attention weights by rank at one size; keys seen, and the gradient's mean and median, by size of a head.

    `slopes[name]` holds (mean, median) for each size.

    >>> lines = {"unscaled": [1.0, 2.0], "scaled": [1.0, 1.0]}
    >>> pairs = {name: [(1.0, 0.5), (1.0, 0.2)] for name in lines}
    >>> len(plot_scaling([4, 16], {name: torch.tensor([0.9, 0.1]) for name in lines}, lines, pairs).axes)
    3
    """
    figure = new_figure(11, 3.6)
    left, middle, right = figure.subplots(1, 3)
    for name, style in zip(ordered, (STYLES[1], STYLES[0]), strict=True):
        left.plot(range(1, len(ordered[name]) + 1), ordered[name], label=name, ms=4, **style)
        middle.plot(sizes, seen[name], label=name, ms=7, **style)
        means, medians = zip(*slopes[name], strict=True)
        right.plot(sizes, means, label=f"{name}, mean", ms=7, **style)
        right.plot(sizes, medians, label=f"{name}, median", ms=7, **style | dict(mfc="white"))
    left.set(title="attention weights, K = 64", xlabel="keys, largest weight first", ylim=(0, 1))
    middle.set(title="keys seen, of 32", xlabel="width of a head, K", ylim=(0, 32))
    right.set(title="gradient at the query\n(log scale)", xlabel="width of a head, K", yscale="log")
    for axes in (middle, right):
        axes.set_xscale("log", base=2)
        axes.set_xticks(sizes, sizes)
    for axes in (left, middle, right):
        axes.spines[["top", "right"]].set_visible(False)
    left.legend(frameon=False)
    right.legend(frameon=False, fontsize=9, loc="lower left")
    return figure


def plot_drift(padding: Sequence[int], drift: Mapping[str, Sequence[float]]) -> Figure:
    """The cosine of a vector with itself as padding is added, a line for each way to treat it.

    >>> len(plot_drift([0, 1], {"masked": [1.0, 1.0], "not masked": [1.0, 0.9]}).axes[0].lines)
    2
    """
    figure = new_figure(6.8, 3.0)
    axes = figure.subplots()
    for (name, cosines), style in zip(drift.items(), STYLES, strict=False):
        axes.plot(padding, cosines, label=name, ms=7, **style)
    axes.set(xlabel="[PAD] tokens after five real ones", ylabel="cosine of [CLS]\nwith itself", ylim=(0.7, 1.02))
    axes.legend(frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    return figure


def plot_cost(
    lengths: Sequence[int], work: Mapping[str, Sequence[int]], memory: Mapping[str, Sequence[float]]
) -> Figure:
    """Multiplications and megabytes of one layer by the length of the text; all axes logarithmic.

    >>> len(plot_cost([1, 2], {"scores": [1, 4]}, {"weights": [1.0, 4.0]}).axes)
    2
    """
    figure = new_figure(10.5, 3.7)
    titles = ("multiplications of one layer", "megabytes of one layer, one text")
    for axes, title, lines in zip(figure.subplots(1, 2), titles, (work, memory), strict=True):
        for (name, values), style in zip(lines.items(), STYLES, strict=False):
            axes.loglog(lengths, values, label=name, ms=6, **style)
        axes.axvline(512, color="black", lw=1, ls="--")
        axes.text(570, 0.97, "BERT's limit,\n512 tokens", va="top", transform=axes.get_xaxis_transform())
        axes.set(title=title, xlabel="tokens T of the text (both scales log)")
        axes.legend(frameon=False, fontsize=10, loc="lower right")
        axes.spines[["top", "right"]].set_visible(False)
    return figure
