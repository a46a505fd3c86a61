"""Pictures of chapter 15: pairs that turn, wavelengths, layouts, scores by distance, longer and longer rows."""

import math
from collections.abc import Mapping, Sequence
from itertools import cycle

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

from minibert.viz.diagram import new_figure
from minibert.viz.page import png_of

BLUE, ORANGE, GREEN, PINK, YELLOW, GREY = "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#7F7F7F"
STYLES = (  # told apart without colour too
    dict(color=BLUE, marker="o", ls="-"),
    dict(color=ORANGE, marker="s", ls="--"),
    dict(color=GREEN, marker="^", ls="-."),
    dict(color=PINK, marker="D", ls=":"),
    dict(color=YELLOW, marker="v", ls="-"),
    dict(color=GREY, marker="P", ls="--"),
    dict(color="#000000", marker="X", ls="-."),
    dict(color="#56B4E9", marker="*", ls=":"),
)


def _log_ticks(axes: Axes) -> None:
    """A logarithmic y axis with plain numbers."""
    axes.set_yscale("log")
    low, high = axes.get_ylim()
    ticks = [tick for tick in (0.1, 0.2, 0.3, 0.5, 1, 2, 3, 5, 10) if low <= tick <= high]
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.set_yticks(ticks, [f"{tick:g}" for tick in ticks])


def plot_pair(speed: float, places: Sequence[tuple[int, int]], query: float = 0.9, key: float = 0.3) -> Figure:
    """Draw a query's and a key's pair of channels, turned by their positions; a panel for each (position, position).

    `speed` is the turn from one token to the next, `query` and `key` are the angles before the turn, all in radians.

    >>> [axes.get_title() for axes in plot_pair(0.4, [(3, 1), (8, 6)]).axes]
    ['query at 3, key at 1', 'query at 8, key at 6']
    """
    figure = new_figure(2.9 * len(places), 3.3)
    for axes, (m, n) in zip(figure.subplots(1, len(places), squeeze=False)[0], places, strict=True):
        axes.add_patch(plt.Circle((0, 0), 1, fill=False, color="#CCCCCC"))
        for start, place, colour, name in ((query, m, BLUE, "query"), (key, n, ORANGE, "key")):
            end = start + place * speed
            x, y = math.cos(end), math.sin(end)
            axes.plot([0, math.cos(start)], [0, math.sin(start)], color=colour, lw=1.2, ls=":")
            axes.annotate("", (x, y), (0, 0), arrowprops=dict(arrowstyle="-|>", color=colour, lw=2.5, shrinkB=0))
            axes.text(1.2 * x, 1.2 * y, name, color=colour, ha="center", va="center")
        between = (query - key + (m - n) * speed) % (2 * math.pi)
        between = min(between, 2 * math.pi - between)
        axes.text(0, -1.42, f"angle between them: {math.degrees(between):.0f}°", ha="center")
        axes.set(xlim=(-1.45, 1.45), ylim=(-1.6, 1.4), aspect="equal", title=f"query at {m}, key at {n}")
        axes.axis("off")
    return figure


def plot_wavelengths(head_size: int, thetas: Sequence[float], lengths: Mapping[str, int]) -> Figure:
    """Draw how many tokens each pair of channels needs for one turn, a curve for each theta, a line for each length.

    >>> figure = plot_wavelengths(64, [1e4], {"a window": 128})
    >>> figure.axes[0].get_xlabel()
    'pair of channels'
    """
    figure = new_figure(8, 3.9)
    axes = figure.subplots()
    pairs = range(head_size // 2)
    for theta, style in zip(thetas, STYLES, strict=False):
        turns = [2 * math.pi * theta ** (2 * pair / head_size) for pair in pairs]
        axes.semilogy(pairs, turns, label=f"theta {theta:,.0f}", lw=1.5, ms=5, **style)
    for name, length in lengths.items():
        axes.axhline(length, color="#444444", lw=1)
        axes.text(head_size / 2 - 0.4, length, name, va="center", fontsize=9, color="#444444")
    axes.set(xlabel="pair of channels", ylabel="tokens for one turn (log scale)", xlim=(-0.5, head_size / 2 - 0.5))
    axes.legend(frameon=False, loc="lower right")
    axes.spines[["top", "right"]].set_visible(False)
    return figure


def plot_layouts(head_size: int = 8) -> Figure:
    """Draw which channels form a pair, neighbours above and halves below; equal numbers turn at equal speed.

    >>> [axes.get_title(loc="left") for axes in plot_layouts(8).axes]
    ['interleaved: channels 2k and 2k + 1', 'half-split: channels k and k + 4']
    """
    half = head_size // 2
    layouts = {
        "interleaved: channels 2k and 2k + 1": [(2 * k, 2 * k + 1) for k in range(half)],
        f"half-split: channels k and k + {half}": [(k, k + half) for k in range(half)],
    }
    figure = new_figure(8, 3.6)
    for axes, (name, pairs) in zip(figure.subplots(2, 1), layouts.items(), strict=True):
        for number, (first, second) in enumerate(pairs):
            colour = STYLES[number % len(STYLES)]["color"]
            for channel in (first, second):
                axes.add_patch(plt.Rectangle((channel - 0.42, -0.42), 0.84, 0.84, color=colour, alpha=0.25))
                axes.text(channel, 0, f"pair {number}", ha="center", va="center", fontsize=9)
                axes.text(channel, -0.72, channel, ha="center", va="center", fontsize=9, color="#555555")
            bow = dict(arrowstyle="-", color=colour, lw=2, connectionstyle=f"arc3,rad={-0.9 / (second - first) ** 0.6}")
            axes.annotate("", (second, 0.42), (first, 0.42), arrowprops=bow)
        axes.set(xlim=(-0.7, head_size - 0.3), ylim=(-1, 1.9))
        axes.set_title(name, loc="left", fontsize=10)
        axes.axis("off")
    return figure


def plot_by_distance(curves: Mapping[str, Sequence[float]], ylabel: str, marks: Sequence[int] = ()) -> Figure:
    """Draw curves over the distance 0, 1, 2, ... between a query and a key, and vertical lines at `marks`.

    >>> plot_by_distance({"a": [1.0, 0.5]}, "score").axes[0].get_ylabel()
    'score'
    """
    figure = new_figure(8, 3.5)
    axes = figure.subplots()
    for (name, values), style in zip(curves.items(), STYLES, strict=False):
        axes.plot(range(len(values)), values, label=name, lw=1.6, color=style["color"], ls=style["ls"])
    for mark in marks:
        axes.axvline(mark, color="#444444", lw=0.9)
    axes.axhline(0, color="#BBBBBB", lw=0.9)
    axes.set(xlabel="distance between query and key, in tokens", ylabel=ylabel)
    axes.legend(frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    return figure


def plot_over_lengths(result, lengths: Sequence[int], measure: str, arms: Mapping[str, str], marks: float) -> Figure:
    """Draw a measure of a stored experiment over the length of the rows: means over the seeds with their spread.

    `arms` maps the arms to draw to their names in the picture; `marks` is the length that was trained on.

    >>> from minibert.experiments import Result
    >>> rows = [{"arm": "a", "seed": s, "measures": {"loss at 4": 1 + s, "loss at 8": 2 + s}} for s in range(3)]
    >>> figure = plot_over_lengths(Result({"arms": ["a"], "results": rows}), [4, 8], "loss", {"a": "A"}, 4)
    >>> figure.axes[0].get_ylabel()
    'loss (log scale)'
    """
    figure = new_figure(8, 4)
    axes = figure.subplots()
    for (arm, name), style in zip(arms.items(), STYLES, strict=False):
        means = [result.mean(f"{measure} at {length}")[arm] for length in lengths]
        spreads = [result.spread(f"{measure} at {length}")[arm] for length in lengths]
        axes.errorbar(range(len(lengths)), means, spreads, label=name, lw=1.6, ms=7, capsize=3, **style)
    axes.axvline(list(lengths).index(marks), color="#BBBBBB", lw=5, zorder=0)
    axes.set_xticks(range(len(lengths)), [f"{length} tokens" for length in lengths])
    axes.set(ylabel=f"{measure} (log scale)", xlim=(-0.15, len(lengths) - 0.85))
    _log_ticks(axes)
    axes.spines[["top", "right"]].set_visible(False)
    figure.legend(loc="outside right center", frameon=False)
    return figure


def plot_along_row(result, prefix: str, arms: Mapping[str, str], trained: int) -> Figure:
    """Draw a stored measure "<prefix> <first> to <last>" along the places of a row; grey: the length trained on.

    >>> from minibert.experiments import Result
    >>> rows = [{"arm": "a", "seed": s, "measures": {"loss at places 0 to 3": 1.0}} for s in range(3)]
    >>> figure = plot_along_row(Result({"arms": ["a"], "results": rows}), "loss at places", {"a": "A"}, 2)
    >>> figure.axes[0].get_xlabel()
    'place in the row'
    """
    names = [name for name in result.report["results"][0]["measures"] if name.startswith(prefix + " ")]
    borders = [tuple(map(int, name.removeprefix(prefix + " ").split(" to "))) for name in names]
    middles = [(first + last + 1) / 2 for first, last in borders]
    figure = new_figure(8, 3.8)
    axes = figure.subplots()
    for (arm, label), style in zip(arms.items(), STYLES, strict=False):
        axes.plot(middles, [result.mean(name)[arm] for name in names], label=label, lw=1.6, ms=6, **style)
    axes.axvspan(0, trained, color="#EEEEEE", zorder=0)
    axes.set(xlabel="place in the row", ylabel="loss in nats (log scale)", xlim=(0, borders[-1][1] + 1))
    _log_ticks(axes)
    axes.spines[["top", "right"]].set_visible(False)
    figure.legend(loc="outside right center", frameon=False)
    return figure


def plot_arms(result, measure: str, arms: Mapping[str, str], xlabel: str = "") -> Figure:
    """Draw a measure of a stored experiment as a bar for each arm, with a dot for each seed.

    >>> from minibert.experiments import Result
    >>> rows = [{"arm": "a", "seed": s, "measures": {"loss": 1.0 + s}} for s in range(3)]
    >>> plot_arms(Result({"arms": ["a"], "results": rows}), "loss", {"a": "A"}).axes[0].get_xlabel()
    'loss'
    """
    figure = new_figure(8, 0.9 + 0.42 * len(arms))
    axes: Axes = figure.subplots()
    for row, (arm, style) in enumerate(zip(arms, cycle(STYLES), strict=False)):
        numbers = result.values(measure)[arm]
        mean = result.mean(measure)[arm]
        axes.barh(row, mean, color=style["color"], alpha=0.75)
        axes.scatter(numbers, [row] * len(numbers), color="#222222", s=14, zorder=3)
        axes.text(max(numbers), row, f"  {mean:.3f}", va="center")
    axes.set_yticks(range(len(arms)), list(arms.values()))
    axes.invert_yaxis()
    axes.set(xlabel=xlabel or measure)
    axes.margins(x=0.12)
    axes.spines[["top", "right"]].set_visible(False)
    return figure


def dials_png(view) -> bytes:
    """The still picture of a `RotationView`, for where only PNG is shown.

    >>> from minibert.viz import RotationView
    >>> dials_png(RotationView(head_size=4))[:4]
    b'\\x89PNG'
    """
    columns = min(4, len(view.pairs))
    rows = math.ceil(len(view.pairs) / columns)
    figure = new_figure(2 * columns, 2.3 * rows)
    grid = figure.subplots(rows, columns, squeeze=False).flatten()
    for axes in grid:
        axes.axis("off")
    for axes, pair in zip(grid, view.pairs, strict=False):
        axes.add_patch(plt.Circle((0, 0), 1, facecolor="#f3f6f9", edgecolor="#d5dbe2"))
        for place, colour in ((view.key, ORANGE), (view.query, BLUE)):
            angle = place * view.speed(pair)
            axes.plot([0, 0.92 * math.cos(angle)], [0, 0.92 * math.sin(angle)], color=colour, lw=4)
        axes.set(xlim=(-1.1, 1.1), ylim=(-1.1, 1.1), aspect="equal")
        axes.set_title(f"pair {pair}: {2 * math.pi / view.speed(pair):,.0f} tokens", fontsize=10)
    figure.suptitle(f"query at {view.query} (blue), key at {view.key} (orange), theta {view.theta:,.0f}", fontsize=11)
    return png_of(figure)
