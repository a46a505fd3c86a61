"""The pictures of chapter 16: who sees whom, what it costs, rows that are filled, and where the time goes."""

import math
from collections.abc import Mapping, Sequence

import torch
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from minibert.viz.diagram import BLUE, GREEN, GREY, ORANGE, PINK, STYLES, YELLOW, new_figure
from minibert.viz.masks import plot_mask


def plot_layers(length: int, window: int, lengths: Sequence[int]) -> Figure:
    """Three masks: a global layer, a local one, and a local one on a packed row of texts of these lengths.

    >>> [axes.get_title() for axes in plot_layers(9, 2, [4, 5]).axes]
    ['global layer', 'local layer, W = 2', 'local layer, 2 texts packed']
    """
    figure = new_figure(9.2, 3.9)
    one = torch.tensor([0, length])
    packed = torch.tensor([0, *lengths]).cumsum(0)
    panels = (
        (one, None, "global layer"),
        (one, window, f"local layer, W = {window}"),
        (packed, window, f"local layer, {len(lengths)} texts packed"),
    )
    grid = figure.subplots(1, 3, gridspec_kw=dict(wspace=0.06))
    for axes, (borders, half_window, title) in zip(grid, panels, strict=True):
        plot_mask(borders, window=half_window, title=title, axes=axes)
        handles, names = axes.get_legend_handles_labels()
        handles = axes.get_legend().legend_handles
        names = [text.get_text() for text in axes.get_legend().get_texts()]
        axes.get_legend().remove()
    for axes in grid[1:]:
        axes.set_ylabel("")
    figure.legend(handles, names, loc="outside lower center", ncols=3, frameon=False, fontsize=11)
    return figure


def plot_needle(runs: Mapping[str, Sequence[Sequence[float]]], far: Sequence[int], width: int) -> Figure:
    """Accuracy by distance: a line for each arm through the mean of its runs, a small dot for each run.

    `runs[arm]` holds a list for each bin of `width` distances, with a number for each run; `far` are the bins' ends.

    >>> plot_needle({"local": [[1.0, 0.9], [0.1, 0.1]]}, [4, 8], 4).axes[0].get_ylabel()
    'share of right answers'
    """
    figure = new_figure(9.0, 3.6)
    axes = figure.subplots()
    for number, (arm, style) in enumerate(zip(runs, STYLES, strict=False)):
        places = [last - (width - 1) / 2 + 0.3 * (number - len(runs) / 2) for last in far]
        for place, values in zip(places, runs[arm], strict=True):
            axes.plot([place] * len(values), values, ls="", marker=".", ms=5, alpha=0.6, color=style["color"])
        axes.plot(places, [sum(values) / len(values) for values in runs[arm]], label=arm, ms=6, lw=1.6, **style)
    axes.axhline(1 / 8, color="#999999", lw=1)
    axes.text(far[-1], 1 / 8 + 0.05, "chance, 1 of 8", ha="right", va="bottom", fontsize=10, color="#666666")
    axes.set(xlabel="distance from [MASK] to the colour, in tokens", ylabel="share of right answers", ylim=(0, 1.08))
    axes.set_xticks([0, *far])
    axes.spines[["top", "right"]].set_visible(False)
    figure.legend(loc="outside right center", frameon=False, fontsize=11)
    return figure


def plot_blocks(length: int, window: int, block: int) -> Figure:
    """Which scores a banded computation makes: the blocks of W x 3 W around the diagonal, and the band inside them.

    `block` is the block of queries that is marked.

    >>> plot_blocks(40, 8, 2).axes[0].get_title()
    'computed: 832 of 1,600 scores'
    """
    index = torch.arange(length)
    seen = (index[:, None] - index).abs() <= window
    of_block = index // window
    computed = (of_block[:, None] - of_block).abs() <= 1
    figure = new_figure(7.4, 4.6)
    axes = figure.subplots()
    kinds = torch.zeros(length, length).masked_fill(computed, 1).masked_fill(seen, 2)
    axes.imshow(kinds.numpy(), cmap=ListedColormap(["#E3E6EA", "#F3D9A4", BLUE]), vmin=0, vmax=2)
    start = max(0, (block - 1) * window)
    stop = min(length, (block + 2) * window)
    frame = Rectangle((start - 0.5, block * window - 0.5), stop - start, window, fill=False, ec="#000000", lw=2.5)
    axes.add_patch(frame)
    names = (
        ("visible", BLUE),
        ("computed, then hidden", "#F3D9A4"),
        ("never computed", "#E3E6EA"),
        ("one block", None),
    )
    handles = [Rectangle((0, 0), 1, 1, fc=color or "white", ec="none" if color else "#000000") for _, color in names]
    figure.legend(handles, [name for name, _ in names], loc="outside right center", frameon=False, fontsize=11)
    axes.set_title(f"computed: {int(computed.sum()):,} of {length**2:,} scores", fontsize=11)
    axes.set(xlabel="key", ylabel="query")
    axes.spines[:].set_visible(False)
    return figure


def plot_layer_bench(report: dict, names: Mapping[str, str], what: str = "forward") -> Figure:
    """Seconds of one local and of one global layer against the length, from a stored `bench attention`.

    `names` are the contenders to draw, with what to call them.

    >>> row = dict(layer="local", length=8, contenders={"ours": {"median_seconds": 1.0}})
    >>> row["pass"] = "forward"
    >>> len(plot_layer_bench({"results": [row, row | dict(layer="global")]}, {"ours": "ours"}).axes)
    2
    """
    figure = new_figure(9.2, 3.7)
    grid = figure.subplots(1, 2, sharey=True)
    for axes, layer in zip(grid, ("local", "global"), strict=True):
        rows = [row for row in report["results"] if (row["layer"], row["pass"]) == (layer, what)]
        for (name, label), style in zip(names.items(), STYLES, strict=False):
            points = [(r["length"], r["contenders"][name]["median_seconds"]) for r in rows if name in r["contenders"]]
            if points:
                axes.loglog(*zip(*points, strict=True), label=label, ms=5, **style)
        lengths = sorted({row["length"] for row in rows})
        axes.set_xticks(lengths, [f"{length:,}" for length in lengths])
        axes.minorticks_off()
        axes.set(title=f"one {layer} layer", xlabel="tokens T (log scale)")
        axes.spines[["top", "right"]].set_visible(False)
    grid[0].set_ylabel("seconds (log scale)")
    handles = {}
    for axes in grid:
        handles |= dict(zip(*reversed(axes.get_legend_handles_labels()), strict=True))
    figure.legend(handles.values(), handles.keys(), loc="outside lower center", ncols=4, frameon=False, fontsize=11)
    return figure


def plot_rows(packings: Mapping[str, Sequence[Sequence[int]]], row_len: int) -> Figure:
    """Rows as bars, each text a piece of one; what is white stays empty. A panel for each way to fill them.

    >>> [axes.get_title() for axes in plot_rows({"full": [[3, 7]], "half": [[5]]}, 10).axes]
    ['full: 100.0 % full', 'half: 50.0 % full']
    """
    figure = new_figure(9.2, 3.5)
    grid = figure.subplots(1, len(packings), squeeze=False)[0]
    for axes, (name, rows) in zip(grid, packings.items(), strict=True):
        count = 0
        for number, row in enumerate(rows):
            start = 0
            for length in row:
                color = (BLUE, "#6FB1DE", "#00507F")[count % 3]
                axes.barh(number, length, left=start, height=0.86, color=color, edgecolor="white", linewidth=0.6)
                start, count = start + length, count + 1
        share = sum(map(sum, rows)) / (row_len * len(rows))
        axes.set_title(f"{name}: {100 * share:.1f} % full", fontsize=11)
        axes.set(xlim=(0, row_len), xlabel="tokens", yticks=[], ylim=(len(rows) - 0.5, -0.5), facecolor="#EFE4E0")
        axes.spines[:].set_color("#888888")
    grid[0].set_ylabel("rows")
    return figure


def plot_growth(
    curves: Mapping[str, tuple[Sequence[int], Sequence[float]]],
    ylabel: str,
    xlabel: str,
    runs: Mapping[str, Sequence[Sequence[float]]] | None = None,
) -> Figure:
    """Lines against a length, both axes logarithmic: a line of slope 1 grows with T, of slope 2 with T squared.

    `runs` holds, for a curve, the numbers of several runs at each length: a band from the lowest to the highest.

    >>> plot_growth({"square": ([2, 4], [4, 16])}, "bytes", "tokens").axes[0].get_xscale()
    'log'
    """
    figure = new_figure(7.6, 3.6)
    axes = figure.subplots()
    for (name, (lengths, values)), style in zip(curves.items(), STYLES, strict=False):
        axes.loglog(lengths, values, label=name, ms=5, **style)
        if runs:
            low, high = zip(*((min(found), max(found)) for found in runs[name]), strict=True)
            axes.fill_between(lengths, low, high, color=style["color"], alpha=0.25, lw=0)
    ticks = sorted({length for lengths, _ in curves.values() for length in lengths})
    axes.set_xticks(ticks, [f"{tick:,}" for tick in ticks])
    values = [value for _, line in curves.values() for value in line]
    powers = [2.0**n for n in range(math.floor(math.log2(min(values))), math.ceil(math.log2(max(values))) + 1)]
    if len(powers) <= 8:  # a small range has too few powers of ten
        axes.set_yticks(powers, [f"{power:g}" for power in powers])
    axes.minorticks_off()
    axes.set(xlabel=f"{xlabel} (log scale)", ylabel=f"{ylabel} (log scale)")
    axes.spines[["top", "right"]].set_visible(False)
    figure.legend(loc="outside right center", frameon=False, fontsize=11)
    return figure


def plot_parts(report: dict, model: str) -> Figure:
    """Where the time of a forward pass goes: a bar for each workload of a stored `bench parts`, cut into its parts.

    >>> row = dict(model="m", workload="1x8", width=8, texts=1, median_seconds=1.0)
    >>> row["parts"] = {"norms": {"median_seconds": 1.0}}
    >>> [label.get_text() for label in plot_parts({"results": [row]}, "m").axes[0].get_yticklabels()]
    ['1 text of 8\\n1.00 s']
    """
    rows = [r for r in report["results"] if r["model"] == model and not r["workload"].endswith("-full")]
    parts = list(rows[0]["parts"])
    colors = dict(zip(parts, (ORANGE, YELLOW, "#56B4E9", BLUE, "#00507F", GREEN, PINK, GREY), strict=False))
    figure = new_figure(9.2, 1.7 + 0.62 * len(rows))
    axes = figure.subplots()
    for number, row in enumerate(rows):
        seconds = {part: found["median_seconds"] for part, found in row["parts"].items()}
        start, total = 0.0, sum(seconds.values())
        for part, value in seconds.items():
            share = value / total
            axes.barh(number, share, left=start, color=colors[part], edgecolor="white", height=0.8)
            if share > 0.045:
                _label(axes, start + share / 2, number, f"{100 * share:.0f}", dark=part in parts[1:3])
            start += share
    names = [f"{r['texts']} texts up to" if r["texts"] > 1 else "1 text of" for r in rows]
    labels = [f"{n} {r['width']:,}\n{r['median_seconds']:.2f} s" for n, r in zip(names, rows, strict=True)]
    axes.set_yticks(range(len(rows)), labels)
    axes.invert_yaxis()
    axes.set(xlim=(0, 1), xlabel="share of the time (numbers: percent)")
    axes.spines[:].set_visible(False)
    handles = [Rectangle((0, 0), 1, 1, fc=colors[part]) for part in parts]
    figure.legend(handles, parts, loc="outside lower center", ncols=3, frameon=False, fontsize=10)
    return figure


def _label(axes: Axes, x: float, y: float, text: str, dark: bool) -> None:
    axes.text(x, y, text, ha="center", va="center", fontsize=10, color="#000000" if dark else "#FFFFFF")
