"""The pictures of chapter 12: from tokens to one vector, cosines and what texts share, batches, tokens that meet."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch, Rectangle

from minibert.viz.diagram import BLUE, GREEN, GREY, ORANGE, PINK, STYLES, new_figure
from minibert.viz.page import COLORS, for_matplotlib

INK = "#1c2530"
Level = tuple[str, float]  # a control as a dotted line: its name and its score


def _box(axes: Axes, x: float, y: float, wide: float, text: str, color: str, high: float = 0.62) -> None:
    style = dict(boxstyle="round,pad=0.03", fc=color, ec=INK, lw=1.0, alpha=0.9)
    axes.add_patch(FancyBboxPatch((x - wide / 2, y - high / 2), wide, high, **style))
    axes.text(x, y, text, ha="center", va="center", fontsize=11)


def plot_two_towers(texts: Sequence[str] = ("How tall is the tower?", "It is 330 metres high.")) -> Figure:
    """Two texts, the same encoder for both, a vector for each token, a pooling, a vector for each text, one cosine.

    >>> len(plot_two_towers().axes)
    1
    """
    figure = new_figure(9.2, 3.5)
    axes = figure.subplots()
    for row, text in enumerate(texts):
        y = 1.7 - 1.7 * row
        _box(axes, 1.15, y, 2.2, for_matplotlib(text), "#f3f6f9")
        _box(axes, 3.35, y, 1.3, "encoder", "#CDE5F5", high=0.9)
        for place in range(7):
            color = ORANGE if place == 0 else BLUE
            axes.add_patch(Rectangle((4.45 + 0.2 * place, y - 0.33), 0.13, 0.66, color=color, alpha=0.75))
        axes.text(4.52, y + 0.45, "[CLS]", fontsize=9.5, color=ORANGE, ha="center")
        axes.text(5.12, y - 0.58, "a vector for each token", fontsize=9.5, color=INK, ha="center")
        _box(axes, 6.7, y, 1.1, "pooling", "#f3f6f9")
        axes.add_patch(Rectangle((7.72, y - 0.38), 0.2, 0.76, color=GREEN, alpha=0.85))
        for start, end in ((2.3, 2.66), (4.04, 4.38), (5.85, 6.1), (7.3, 7.66)):
            axes.add_patch(FancyArrowPatch((start, y), (end, y), arrowstyle="-|>", mutation_scale=13, color=INK))
        axes.add_patch(FancyArrowPatch((8.0, y), (8.5, 0.85 + (0.22 - 0.44 * row)), arrowstyle="-|>",
                                       mutation_scale=13, color=INK))  # fmt: skip
    axes.text(3.35, 0.85, "the same weights", fontsize=10, ha="center", va="center", color=INK)
    _box(axes, 9.0, 0.85, 1.0, "cosine", "#D9F0E6")
    axes.set(xlim=(-0.05, 9.6), ylim=(-0.8, 2.3))
    axes.axis("off")
    return figure


def plot_cosines(groups: Mapping[str, Sequence[float]], low: float = -0.5) -> Figure:
    """How the cosines of pairs of texts are spread: a row for each encoder, its mean as a line.

    >>> plot_cosines({"a": [0.8, 0.9], "b": [0.0, 0.1]}).axes[-1].get_xlabel()
    'cosine of two texts'
    """
    figure = new_figure(7.8, 0.75 * len(groups) + 0.8)
    grid = figure.subplots(len(groups), 1, sharex=True, squeeze=False)[:, 0]
    edges = np.linspace(low, 1, 76)
    for axes, (name, values) in zip(grid, groups.items(), strict=True):
        axes.hist(values, edges, color=BLUE, alpha=0.75)
        mean = float(np.mean(values))
        axes.axvline(mean, color=ORANGE, lw=2)
        axes.set_ylabel(name, rotation=0, ha="right", va="center", fontsize=11)
        axes.text(1.01, 0.5, f"mean {mean:.2f}", color=ORANGE, fontsize=11, va="center", transform=axes.transAxes)
        axes.set(yticks=[], xlim=(low, 1.0))
        axes.spines[["top", "right", "left"]].set_visible(False)
    grid[-1].set_xlabel("cosine of two texts")
    return figure


def plot_clouds(panels: Mapping[str, Sequence[Sequence[float]]], groups: Mapping[str, Sequence[int]]) -> Figure:
    """Texts as points in two directions, the origin as a cross: panel -> (B, 2); group -> the rows that are in it.

    >>> len(plot_clouds({"as it is": [[3.0, 0.0], [3.0, 1.0]], "centred": [[0.0, 0.0], [0.0, 1.0]]}, {"": [0, 1]}).axes)
    2
    """
    figure = new_figure(3.7 * len(panels) + 0.4, 4.4)
    grid = figure.subplots(1, len(panels), squeeze=False, sharex=True, sharey=True)[0]
    for axes, (name, points) in zip(grid, panels.items(), strict=True):
        points = np.asarray(points)
        for (group, rows), color, marker in zip(groups.items(), COLORS, "os^D", strict=False):
            axes.scatter(*points[list(rows)].T, s=16, color=color, marker=marker, alpha=0.6, label=group, lw=0)
        axes.plot(0, 0, "+", color="#000000", ms=16, mew=2)
        axes.set_title(name, loc="left", fontsize=11)
        axes.set_aspect("equal")
        axes.set_xlabel("along the mean vector")
        axes.spines[["top", "right"]].set_visible(False)
    grid[0].set_ylabel("along the direction\nof most spread")
    if len(groups) > 1:
        handles, names = grid[0].get_legend_handles_labels()
        figure.legend(handles, names, loc="outside lower center", ncols=len(groups), frameon=False, fontsize=10.5)
    return figure


def plot_scores(
    panels: Mapping[str, Mapping[str, Mapping[str, tuple[float, float]]]], levels: Mapping[str, float] | None = None
) -> Figure:
    """Scores as dots with a bar for the spread, panel -> row -> series -> (mean, spread); the dotted line is the bag.

    >>> figure = plot_scores({"sts": {"mean": {"as it is": (0.5, 0.1), "centred": (0.6, 0.1)}}}, {"sts": 0.55})
    >>> figure.axes[0].get_title(loc="left")
    'sts'
    """
    rows = list(next(iter(panels.values())))
    series = list(next(iter(next(iter(panels.values())).values())))
    figure = new_figure(9.4, 0.42 * len(rows) + 1.4)
    grid = figure.subplots(1, len(panels), squeeze=False, sharey=True)[0]
    for axes, (panel, table) in zip(grid, panels.items(), strict=True):
        for number, (name, marker, color) in enumerate(zip(series, "osD^", (ORANGE, BLUE, GREEN, PINK), strict=False)):
            shift = 0.22 * (number - (len(series) - 1) / 2)
            means, spreads = zip(*(table[row][name] for row in rows), strict=True)
            places = [place + shift for place in range(len(rows))]
            axes.errorbar(means, places, xerr=spreads, fmt=marker, color=color, ms=6, capsize=3, label=name)
        if levels:
            axes.axvline(levels[panel], color="#555555", ls=":", lw=1.5, label="bag of words")
        axes.set_title(panel, loc="left", fontsize=11)
        axes.set(yticks=range(len(rows)), ylim=(len(rows) - 0.4, -0.6))
        axes.grid(axis="y", color="#E6E6E6", lw=0.7)
        axes.set_axisbelow(True)
        axes.spines[["top", "right"]].set_visible(False)
    grid[0].set_yticklabels(rows, fontsize=10.5)
    handles, names = grid[0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside lower center", ncols=len(names), frameon=False, fontsize=10.5)
    return figure


def plot_batches(panels: Mapping[str, Sequence[Sequence[float]]]) -> Figure:
    """The cosines of all questions with all passages of a batch, (B, B) a panel; the pairs are framed.

    Cosines below 0.2 have the colour of 0.2.

    >>> len(plot_batches({"before": [[1.0, 0.9], [0.9, 1.0]], "after": [[1.0, 0.0], [0.0, 1.0]]}).axes)
    3
    """
    figure = new_figure(8.6, 3.6)
    grid = figure.subplots(1, len(panels), squeeze=False)[0]
    for axes, (name, matrix) in zip(grid, panels.items(), strict=True):
        image = axes.imshow(np.asarray(matrix), cmap="viridis", vmin=0.2, vmax=1.0)
        for place in range(len(matrix)):
            axes.add_patch(Rectangle((place - 0.5, place - 0.5), 1, 1, fill=False, ec=ORANGE, lw=1.6))
        axes.set_title(name, loc="left", fontsize=11)
        axes.set(xlabel="passage", ylabel="question" if axes is grid[0] else "")
    bar = figure.colorbar(image, ax=list(grid), shrink=0.85, extend="min")
    bar.set_label("cosine")
    return figure


def plot_curves(
    x: Sequence[float],
    panels: Mapping[str, Mapping[str, Sequence[tuple[float, float]]]],
    xlabel: str,
    ylabel: str,
    level: Level | None = None,
    low: float = 0.0,
) -> Figure:
    """Lines over `x` with bars for their spread: panel -> line -> (mean, spread) of each x; a shorter line ends early.

    The vertical axis is the same for all panels and begins at `low`.

    >>> figure = plot_curves([1, 2], {"": {"a": [(0.5, 0.1), (0.6, 0.1)]}}, "layer", "nDCG@10", ("words", 0.7))
    >>> figure.axes[0].get_xlabel()
    'layer'
    """
    figure = new_figure(7.8 if len(panels) == 1 else 9.4, 3.9)
    grid = figure.subplots(1, len(panels), squeeze=False, sharey=True)[0]
    for axes, (panel, lines) in zip(grid, panels.items(), strict=True):
        for (name, points), style in zip(lines.items(), STYLES, strict=False):
            means, spreads = zip(*points, strict=True)
            axes.errorbar(x[: len(means)], means, spreads, label=name, ms=6, capsize=4, **style)
        if level:
            axes.axhline(level[1], color="#555555", lw=1.5, ls=":", label=level[0])
        axes.set_title(panel, loc="left", fontsize=11)
        axes.set(xlabel=xlabel, xticks=x, ylim=(low, 1.0))
        axes.spines[["top", "right"]].set_visible(False)
    grid[0].set_ylabel(ylabel)
    handles, names = grid[0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside lower center", ncols=3, frameon=False, fontsize=10.5)
    return figure


def plot_max_sim(query: Sequence[str], document: Sequence[str], cosines: Sequence[Sequence[float]]) -> Figure:
    """Each token of a query against each token of a document: (Q, T). The highest of a row is framed, and counts.

    >>> plot_max_sim(["a"], ["b", "a"], [[0.1, 0.9]]).axes[0].get_title(loc="left")
    'sum of the framed cosines: 0.90'
    """
    cosines = np.asarray(cosines)
    figure = new_figure(min(9.6, 0.36 * len(document) + 2.6), 0.34 * len(query) + 1.5)
    axes = figure.subplots()
    image = axes.imshow(cosines, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    for row, place in enumerate(cosines.argmax(1)):
        axes.add_patch(Rectangle((place - 0.5, row - 0.5), 1, 1, fill=False, ec=ORANGE, lw=2.2))
    axes.set_xticks(range(len(document)), map(for_matplotlib, document), rotation=70, ha="right", fontsize=9.5)
    axes.set_yticks(range(len(query)), map(for_matplotlib, query), fontsize=10.5)
    axes.set_title(f"sum of the framed cosines: {cosines.max(1).sum():.2f}", loc="left", fontsize=11)
    figure.colorbar(image, ax=axes, shrink=0.9).set_label("cosine")
    return figure


def plot_bars(
    values: Mapping[str, Mapping[str, tuple[float, float]]], xlabel: str, level: float | None = None
) -> Figure:
    """Horizontal bars, a group for each arm: arm -> series -> (mean, spread); the dotted line is a control.

    >>> plot_bars({"bert-nano": {"before": (0.1, 0.0), "after": (0.3, 0.0)}}, "nDCG@10").axes[0].get_xlabel()
    'nDCG@10'
    """
    series = list(dict.fromkeys(name for each in values.values() for name in each))
    figure = new_figure(8.4, 0.5 * len(values) + 1.2)
    axes = figure.subplots()
    height = 0.8 / len(series)
    for number, (name, color) in enumerate(zip(series, (GREY, BLUE, GREEN), strict=False)):
        places = [place for place, each in enumerate(values.values()) if name in each]
        means, spreads = zip(*(each[name] for each in values.values() if name in each), strict=True)
        shifted = [place + height * (number - (len(series) - 1) / 2) for place in places]
        axes.barh(shifted, means, height, xerr=spreads, color=color, alpha=0.8, capsize=3, label=name)
    if level is not None:
        axes.axvline(level, color="#000000", ls=":", lw=1.5)
        axes.text(level, -0.62, "bag of words", ha="center", va="bottom", fontsize=9.5)
    axes.set_yticks(range(len(values)), values, fontsize=10.5)
    axes.set(ylim=(len(values) - 0.4, -0.65), xlim=(0, 1), xlabel=xlabel)
    axes.legend(frameon=False, loc="upper right")
    axes.spines[["top", "right"]].set_visible(False)
    return figure
