"""The pictures of chapter 13: a teacher and its student, softened answers, the ranges of channels, what is traded."""

from collections.abc import Mapping, Sequence

from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, Rectangle

from minibert.viz.diagram import BLUE, GREEN, ORANGE, STYLES, new_figure


def plot_student(layers: int, keep: Sequence[int]) -> Figure:
    """A teacher as a row of layers, its student below with the layers that it copies, and what the student learns from.

    >>> len(plot_student(6, [0, 2, 4]).axes)
    1
    """
    figure = new_figure(9.2, 3.5)
    axes = figure.subplots()
    answer, between = layers + 2.4, layers + 1.0  # the scores, and the arrow of the last hidden states
    for y, names, shade in ((1.6, [f"layer {n}" for n in range(layers)], "#CDE5F5"), (0.0, keep, "#FBE3B0")):
        steps = ["embeddings", *names] if y else ["embeddings", *(f"layer {n}" for n in range(len(keep)))]
        places = [0.0, *(n + 1.4 for n in range(layers))] if y else [0.0, *(n + 1.4 for n in keep)]
        for place, step in zip(places, steps, strict=True):
            _box(axes, place, y, step.replace(" ", "\n"), shade)
        for start, end in zip(places, [*places[1:], answer], strict=True):
            _arrow(axes, (start + 0.42, y), (end - (0.55 if end == answer else 0.42), y), "#444444")
        _box(axes, answer, y, "scores", "#DDDDDD")
    for place in (0.0, *(n + 1.4 for n in keep)):
        _arrow(axes, (place, 1.24), (place, 0.36), BLUE, ls="--")
    for place, y, taught in ((between, 1.56, "hidden\nstates"), (answer, 1.24, "softened\nanswers")):
        _arrow(axes, (place, y), (place, 1.6 - y if place == between else 0.36), ORANGE, lw=2.2)
        axes.text(place + 0.12, 0.8, taught, color="#9C4400", fontsize=11, va="center")
    axes.text(0.1, 0.8, "copied", color="#00507F", fontsize=11, va="center")
    axes.text(-0.65, 2.2, f"teacher: {layers} layers", fontsize=12, fontweight="bold")
    axes.text(-0.65, -0.72, f"student: {len(keep)} layers", fontsize=12, fontweight="bold")
    axes.set(xlim=(-0.7, answer + 1.3), ylim=(-0.85, 2.5))
    axes.axis("off")
    return figure


def _box(axes, x: float, y: float, text: str, color: str) -> None:
    box = dict(boxstyle="round,pad=0.35", facecolor=color, edgecolor="#444444")
    axes.text(x, y, text, ha="center", va="center", bbox=box, fontsize=11)


def _arrow(axes, start: tuple[float, float], end: tuple[float, float], color: str, **style) -> None:
    axes.add_patch(FancyArrowPatch(start, end, arrowstyle="->", mutation_scale=13, color=color, **style))


def plot_answers(panels: Mapping[str, Sequence[float]], names: Sequence[str], xlabel: str = "probability") -> Figure:
    """Probabilities of the same answers in several panels side by side, with their numbers.

    >>> [axes.get_title() for axes in plot_answers({"T = 1": [0.9, 0.1]}, ["good", "bad"]).axes]
    ['T = 1']
    """
    figure = new_figure(9.2, 0.9 + 0.34 * len(names))
    for axes, (title, values) in zip(
        figure.subplots(1, len(panels), sharey=True, squeeze=False)[0], panels.items(), strict=True
    ):
        axes.barh(range(len(names)), values, color=BLUE)
        for row, value in enumerate(values):
            inside = value > 0.7  # a long bar has room for its number, and none is left beside it
            look = dict(ha="right", color="#FFFFFF") if inside else dict(ha="left")
            axes.text(value, row, f" {value:.3f} ", va="center", fontsize=10, **look)
        axes.set_yticks(range(len(names)), names)
        axes.set(title=title, xlim=(0, 1), xlabel=xlabel, xticks=[0, 0.5, 1])
        axes.spines[["top", "right"]].set_visible(False)
    figure.axes[0].invert_yaxis()
    return figure


def plot_ranges(largest: Mapping[str, Sequence[float]], ylabel: str) -> Figure:
    """The largest number of each channel, sorted, a line for each matrix; both ends of a line are labelled.

    >>> plot_ranges({"output": [1.0, 3.0]}, "largest weight").axes[0].get_xlabel()
    'channels, from the smallest to the largest'
    """
    figure = new_figure(8.4, 3.4)
    axes = figure.subplots()
    for (name, values), style in zip(largest.items(), STYLES, strict=False):
        line = sorted(values)
        places = [100 * n / (len(line) - 1) for n in range(len(line))]
        axes.plot(places, line, color=style["color"], ls=style["ls"], lw=2, label=name)
    axes.set(xlabel="channels, from the smallest to the largest", ylabel=f"{ylabel} (log scale)", yscale="log")
    axes.set_xticks([0, 50, 100], ["smallest", "median", "largest"])
    low, high = axes.get_ylim()
    ticks = [t for t in (0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50) if low <= t <= high]
    axes.set_yticks(ticks, [f"{t:g}" for t in ticks])
    axes.minorticks_off()
    axes.spines[["top", "right"]].set_visible(False)
    figure.legend(loc="outside right center", frameon=False, fontsize=11)
    return figure


def plot_trade(models: Mapping[str, tuple[float, float, Sequence[float]]], xlabel: str, ylabel: str) -> Figure:
    """Models as circles: time across, accuracy up with a mark for each run, megabytes as the area and as a number.

    `models`: name -> (time, megabytes, accuracy of each run).

    >>> plot_trade({"small": (1.0, 20.0, [0.8, 0.9])}, "seconds", "accuracy").axes[0].get_xlabel()
    'seconds'
    """
    figure = new_figure(9.2, 4.2)
    axes = figure.subplots()
    for (name, (time, size, runs)), style in zip(models.items(), STYLES, strict=False):
        mean = sum(runs) / len(runs)
        axes.scatter([time], [mean], s=12 * size, color=style["color"], alpha=0.35, lw=1.5, edgecolor=style["color"])
        axes.plot([time] * len(runs), runs, ls="", marker=style["marker"], color=style["color"], mec="#222222", ms=6)
        label = dict(textcoords="offset points", ha="left", va="center")
        axes.annotate(f"{name}\n{size:.0f} MB", (time, mean), (21, 0), **label)
    axes.set(xlabel=xlabel, ylabel=ylabel)
    axes.margins(y=0.25)
    axes.set_xlim(0, 1.25 * max(time for time, _, _ in models.values()))
    note = "large circles: means, area: megabytes\nsmall marks: a run each"
    axes.text(1, 0.02, note, transform=axes.transAxes, ha="right", va="bottom", fontsize=10, color="#444444")
    axes.spines[["top", "right"]].set_visible(False)
    return figure


def plot_share(rows: Mapping[str, Sequence[float]], names: Sequence[str], xlabel: str) -> Figure:
    """Stacked bars on one scale: row -> a size for each of `names`, with the sum at the end.

    >>> plot_share({"small": [1.0, 2.0]}, ["tokens", "blocks"], "millions").axes[0].get_xlabel()
    'millions'
    """
    figure = new_figure(9.2, 1.0 + 0.5 * len(rows))
    axes = figure.subplots()
    for row, sizes in enumerate(rows.values()):
        left = 0.0
        for size, color, hatch in zip(sizes, (ORANGE, BLUE, GREEN), ("", "//", ".."), strict=False):
            axes.barh(row, size, left=left, color=color, hatch=hatch, edgecolor="white", height=0.7)
            left += size
        axes.text(left, row, f" {left:.0f}", va="center", fontsize=11)
    axes.set_yticks(range(len(rows)), list(rows))
    axes.invert_yaxis()
    axes.margins(x=0.1)
    axes.set(xlabel=xlabel)
    looks = zip((ORANGE, BLUE, GREEN), ("", "//", ".."), strict=True)
    handles = [Rectangle((0, 0), 1, 1, fc=color, hatch=hatch, ec="white") for color, hatch in looks]
    figure.legend(
        handles[: len(names)], names, loc="outside upper center", ncols=len(names), frameon=False, fontsize=11
    )
    axes.spines[["top", "right"]].set_visible(False)
    return figure
