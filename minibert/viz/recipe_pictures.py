"""Pictures of chapter 17: two recipes over time, a bad batch, schedules and branches, tiles and layers, growth."""

from collections.abc import Mapping, Sequence
from itertools import pairwise

import matplotlib.pyplot as plt
from matplotlib.figure import Figure

from minibert.training.growth import layer_map, tile_from_middle
from minibert.training.schedules import linear_decay, trapezoid
from minibert.viz.diagram import new_figure
from minibert.viz.page import png_of
from minibert.viz.rope_pictures import BLUE, GREEN, GREY, ORANGE, PINK, STYLES, YELLOW

PHASES = {  # ModernBERT-base: tokens in billions, what changes
    "pre-training": (1719, BLUE, "rows of 1,024"),
    "longer rows": (250, GREEN, "8,192"),
    "decay": (50, ORANGE, ""),
}


def plot_recipes() -> Figure:
    """Draw the learning rates of BERT and ModernBERT over the tokens they read, each with its phases.

    >>> [axes.get_title(loc="left") for axes in plot_recipes().axes]
    ['BERT-base', 'ModernBERT-base']
    """
    figure = new_figure(9, 4.2)
    top, bottom = figure.subplots(2, 1)
    steps = range(0, 1_000_001, 2000)
    tokens = [256 * (128 * min(s, 900_000) + 512 * max(0, s - 900_000)) / 1e9 for s in steps]
    rates = [linear_decay(s, 1_000_000, 10_000) for s in steps]
    for low, high, colour, name in ((0, 900_000, BLUE, "rows of 128"), (900_000, 1_000_000, GREEN, "512")):
        part = [i for i, s in enumerate(steps) if low <= s <= high]
        top.fill_between([tokens[i] for i in part], [rates[i] for i in part], color=colour, alpha=0.45, label=name)
    top.plot(tokens, rates, color="black", lw=1.5)
    top.set_title("BERT-base", loc="left")
    begin, total = 0, sum(length for length, *_ in PHASES.values())
    for name, (length, colour, rows) in PHASES.items():
        height = 1 if name == "pre-training" else 3 / 8
        places = [begin + length * i / 100 for i in range(101)]
        if name == "decay":
            values = [height * trapezoid(i, 100, decay=100) for i in range(101)]
        else:
            values = [height * min(1.0, place / 3 if begin == 0 else 1.0) for place in places]
        label = f"{name}{', ' if rows else ''}{rows}"
        bottom.fill_between(places, values, color=colour, alpha=0.45, label=label)
        bottom.plot(places, values, color="black", lw=1.5)
        begin += length
    bottom.set_title("ModernBERT-base", loc="left")
    bottom.set(xlim=(0, total * 1.02))
    top.set(xlim=(0, max(tokens) * 1.02))
    for axes in (top, bottom):
        axes.set(ylim=(0, 1.12), ylabel="learning rate\n(1 = its peak)", xlabel="billions of tokens read")
        axes.legend(frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))
        axes.spines[["top", "right"]].set_visible(False)
    return figure


def plot_rates(panels: Mapping[str, Mapping[str, Sequence[float]]], ylabels: Sequence[str]) -> Figure:
    """Draw a dot for each seed and a line for the mean, by arm; a panel for each experiment.

    >>> figure = plot_rates({"speeches": {"15 %": [0.1, 0.2], "30 %": [0.3, 0.2]}}, ["accuracy"])
    >>> [label.get_text() for label in figure.axes[0].get_xticklabels()]
    ['15 %', '30 %']
    """
    figure = new_figure(4.3 * len(panels), 3.3)
    grid = figure.subplots(1, len(panels), squeeze=False)[0]
    for axes, (name, arms), ylabel in zip(grid, panels.items(), ylabels, strict=True):
        _strip(axes, arms)
        axes.set(title=name, ylabel=ylabel)
    return figure


def _strip(axes, arms: Mapping[str, Sequence[float]], rotate: bool = False) -> None:
    """A column for each arm: every seed a dot, the mean a bar."""
    for place, values in enumerate(arms.values()):
        axes.scatter([place] * len(values), values, color=BLUE, s=34, zorder=3, alpha=0.8)
        middle = sum(values) / len(values)
        axes.plot([place - 0.25, place + 0.25], [middle, middle], color="black", lw=2)
    axes.set_xticks(range(len(arms)), list(arms), rotation=20 if rotate else 0, ha="right" if rotate else "center")
    axes.set_xlim(-0.6, len(arms) - 0.4)
    axes.grid(axis="y", color="#E5E5E5")
    axes.spines[["top", "right"]].set_visible(False)


def plot_shock(curves: Mapping[str, Sequence[float]], first: int, ylabel: str) -> Figure:
    """Draw a number for each step, one line an optimiser; the shock is at step `first`.

    >>> plot_shock({"AdamW": [1.0, 3.0, 1.0]}, 1, "length").axes[0].get_ylabel()
    'length'
    """
    figure = new_figure(8, 3.3)
    axes = figure.subplots()
    for (name, values), style in zip(curves.items(), STYLES, strict=False):
        axes.plot([i - first for i in range(len(values))], values, label=name, ms=4, lw=1.5, **style)
    axes.axvline(0, color="#999999", lw=1)
    axes.set(xlabel="steps after the bad gradient", ylabel=ylabel, ylim=(0, None))
    axes.legend(frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    return figure


def plot_bad_batch(result, beta2: float = 0.98) -> Figure:
    """Draw the stored experiment `bad_batch`: loss and length of the steps around the bad batch, means of the seeds.

    >>> from minibert.experiments import stored
    >>> plot_bad_batch(stored("bad_batch")).axes[0].get_xlabel()
    'steps since the bad batch'
    """
    figure = new_figure(9, 3.6)
    left, right = figure.subplots(1, 2)
    names = [arm for arm in result.arms if arm.endswith(f"beta2 {beta2}")]
    shown = sorted(
        {int(m.split()[1]) for row in result.report["results"] for m in row["measures"] if "after " in m[:6]}
    )
    for arm, style in zip(names, STYLES, strict=False):
        before = result.mean("before")[arm]
        losses = [result.mean(f"after {step}")[arm] for step in shown]
        left.plot([0, *shown], [before, *losses], label=arm.partition(", beta2")[0], ms=4, lw=1.5, **style)
        moved = [result.mean(f"moved at {step}")[arm] for step in shown]
        right.plot(shown, moved, ms=4, lw=1.5, **style)
    without = result.mean("without")
    left.axhline(sum(without[arm] for arm in names) / len(names), color=GREY, ls=":", label="without it, at the end")
    left.set_xscale("symlog", linthresh=1, linscale=0.3)
    left.set(xlabel="steps since the bad batch", ylabel="loss in nats, held-out text", xlim=(-0.15, None))
    right.axhline(1, color=GREY, ls=":")
    right.set(xscale="log", xlabel="step, 1 is the bad one", ylabel="how far the weights move\n(1 = the step before)")
    for axes in (left, right):
        ticks = [0, 1, 2, 5, 10, 20, 50, 100][axes is right :]
        axes.set_xticks(ticks, map(str, ticks))
        axes.minorticks_off()
        axes.spines[["top", "right"]].set_visible(False)
    figure.legend(*left.get_legend_handles_labels(), loc="outside lower center", ncols=4, frameon=False)
    return figure


def plot_schedules(curves: Mapping[str, Sequence[tuple[float, float]]]) -> Figure:
    """Draw schedules as (step, multiplier) points, one line each.

    >>> plot_schedules({"flat": [(0, 1.0), (10, 1.0)]}).axes[0].get_xlabel()
    'step'
    """
    figure = new_figure(8, 3.2)
    axes = figure.subplots()
    for (name, points), style in zip(curves.items(), STYLES, strict=False):
        axes.plot(*zip(*points, strict=True), label=name, color=style["color"], ls=style["ls"], lw=2.2)
    axes.set(xlabel="step", ylabel="multiplier of the learning rate", ylim=(-0.03, 1.1))
    axes.legend(frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))
    axes.spines[["top", "right"]].set_visible(False)
    return figure


def plot_trapezoid(result) -> Figure:
    """Draw the stored experiment `trapezoid`: score against length for each schedule, and the steps each set costs.

    >>> from minibert.experiments import stored
    >>> [axes.get_xlabel() for axes in plot_trapezoid(stored("trapezoid")).axes]
    ['steps', 'steps for all models (grey: shared)']
    """
    figure = new_figure(9, 3.6)
    left, right = figure.subplots(1, 2, width_ratios=(1.5, 1))
    scores, spreads, paid = result.mean("bits per byte"), result.spread("bits per byte"), {}
    kinds = ("plateau", "linear", "cosine", "branch")
    for place, (kind, style) in enumerate(zip(kinds, STYLES, strict=False)):
        totals = [total for total in result.settings["totals"] if f"{kind} to {total}" in result.arms]
        arms = [f"{kind} to {total}" for total in totals]
        height, bar = [scores[arm] for arm in arms], [spreads[arm] for arm in arms]
        beside = [total + 3 * place - 4.5 for total in totals]  # so that no dot hides another
        left.errorbar(beside, height, bar, label=kind, capsize=4, lw=1.5, **style)
        paid[kind] = [result.mean("steps")[arm] for arm in arms]
    totals = result.settings["totals"]
    plateau = max(totals) - result.mean("steps")[f"branch to {max(totals)}"]
    paid["branch"] = [plateau, *paid["branch"]]
    for place, kind in enumerate(("linear", "cosine", "branch")):
        below = 0.0
        for number, steps in enumerate(paid[kind]):
            shared = kind == "branch" and number == 0
            right.barh(place, steps, left=below, color=GREY if shared else BLUE, edgecolor="white")
            below += steps
        models = len(paid[kind]) - (kind == "branch")
        right.text(below + 8, place, f"{below:.0f}\nfor {models}", va="center")
    right.set_yticks(range(3), ["linear", "cosine", "plateau and\nbranches"])
    right.set(xlabel="steps for all models (grey: shared)", xlim=(0, 600))
    left.set(xlabel="steps", ylabel="bits per byte (log scale)", xticks=totals, yscale="log")
    left.set_yticks([0.3, 0.4, 0.5, 0.7, 1.0], ["0.3", "0.4", "0.5", "0.7", "1.0"])
    left.minorticks_off()
    left.legend(frameon=False)
    for axes in (left, right):
        axes.spines[["top", "right"]].set_visible(False)
    return figure


def plot_sizes(ends: Sequence[int], smallest: int) -> Figure:
    """Draw the batch size over the tokens of a warm-up, a step of the stairs for each size.

    >>> plot_sizes([100, 300, 600, 1000], 1).axes[0].get_xlabel()
    'tokens seen'
    """
    figure = new_figure(7, 2.9)
    axes = figure.subplots()
    edges = [0, *ends, ends[-1] * 1.2]
    for number, (low, high) in enumerate(pairwise(edges)):
        axes.plot([low, high], [smallest + number] * 2, color=BLUE, lw=4, solid_capstyle="butt")
        axes.axvline(low, color="#DDDDDD", lw=1, zorder=0)
    axes.set(
        xlabel="tokens seen", ylabel="batches in a step", xlim=(0, edges[-1]), ylim=(0, smallest + len(ends) + 0.6)
    )
    axes.set_xticks([0, *ends])
    axes.spines[["top", "right"]].set_visible(False)
    return figure


def plot_tiles(old: int, new: int, head_size: int) -> Figure:
    """Draw a matrix that grows from old x old to new x new: the old one in the middle, heads told apart by colour.

    >>> [axes.get_title() for axes in plot_tiles(4, 8, 2).axes]
    ['4 x 4, 2 heads of 2 rows', '8 x 8, tiled from the middle']
    """
    import torch

    rows = torch.arange(old)[:, None].expand(old, old)
    inside = (torch.arange(new) - (new - old) // 2) // old  # 0 within the whole old tile
    figure = new_figure(8, 4.3)
    left, right = figure.subplots(1, 2, width_ratios=(old, new))
    colours = (BLUE, ORANGE, GREEN, PINK, YELLOW, GREY)
    large = tile_from_middle(rows, (new, new))
    columns = tile_from_middle(rows.T, (new, new))
    for axes, size, source, across in ((left, old, rows, rows.T), (right, new, large, columns)):
        for i in range(size):
            for j in range(size):
                whole = size == old or (inside[i] == 0 and inside[j] == 0)
                row, column = int(source[i, j]), int(across[i, j])
                colour = colours[row // head_size % len(colours)]
                axes.add_patch(plt.Rectangle((j, i), 1, 1, color=colour, alpha=0.75 if whole else 0.28, lw=0))
                axes.text(j + 0.5, i + 0.5, f"{row},{column}", ha="center", va="center", fontsize=7 if new > 8 else 9)
        axes.set(xlim=(0, size), ylim=(size, 0), aspect="equal", xticks=[], yticks=[])
    start = (new - old) // 2
    right.add_patch(plt.Rectangle((start, start), old, old, fill=False, ec="black", lw=2.5))
    left.set_title(f"{old} x {old}, {old // head_size} heads of {head_size} rows")
    right.set_title(f"{new} x {new}, tiled from the middle")
    return figure


def plot_layer_map(old: int, new: int, global_every: int) -> Figure:
    """Draw which old layer each new one is a copy of; orange lines join a local layer with a global one.

    >>> figure = plot_layer_map(4, 6, 3)
    >>> len(figure.axes[0].lines)
    6
    """
    figure = new_figure(8.6, 2.5)
    axes = figure.subplots()
    for layer, source in enumerate(layer_map(old, new)):
        same = (layer % global_every == 0) == (source % global_every == 0)
        x = source * (new - 1) / (old - 1)
        axes.plot([x, layer], [1, 0], color=BLUE if same else ORANGE, lw=1.8, ls="-" if same else "--")
    for count, y, scale in ((old, 1, (new - 1) / (old - 1)), (new, 0, 1)):
        for layer in range(count):
            globe = layer % global_every == 0
            axes.scatter(layer * scale, y, s=190, color="black" if globe else "white", edgecolors="black", zorder=3)
            axes.text(
                layer * scale,
                y,
                layer,
                ha="center",
                va="center",
                fontsize=8,
                color="white" if globe else "black",
                zorder=4,
            )
    axes.set(ylim=(-0.25, 1.25), yticks=[0, 1], yticklabels=[f"{new} layers", f"{old} layers"], xticks=[])
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)
    return figure


def plot_growth(result, arms: Sequence[str]) -> Figure:
    """Draw the stored experiment `growth`: bits per byte by step, and the small model's score as a line.

    >>> from minibert.experiments import stored
    >>> len(plot_growth(stored("growth"), ["random", "grown"]).axes[0].lines)
    3
    """
    measures = result.report["results"][0]["measures"]
    steps = [int(name.split()[-1]) for name in measures if name.startswith("bits per byte at ")]  # of the longest arm
    figure = new_figure(8, 3.7)
    axes = figure.subplots()
    means = {step: result.mean(f"bits per byte at {step}") for step in steps}
    spreads = {step: result.spread(f"bits per byte at {step}") for step in steps}
    for arm, style in zip(arms, STYLES, strict=False):
        there = [step for step in steps if arm in means[step]]
        low = [means[step][arm] - spreads[step][arm] for step in there]
        high = [means[step][arm] + spreads[step][arm] for step in there]
        axes.plot(there, [means[step][arm] for step in there], label=arm, ms=4, lw=1.5, **style)
        axes.fill_between(there, low, high, color=style["color"], alpha=0.12)
    small = result.mean("small")[arms[0]]
    axes.axhline(small, color="black", lw=1, ls=":", label="the small model")
    axes.set(xlabel="steps of the large model", ylabel="bits per byte, held-out text", ylim=(0, None))
    axes.legend(frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    return figure


def schedule_png(view) -> bytes:
    """The still picture of a `ScheduleView`, for where only PNG is shown.

    >>> from minibert.viz import ScheduleView
    >>> schedule_png(ScheduleView())[1:4]
    b'PNG'
    """
    figure = plot_schedules({name: view.curve(key) for name, key in NAMES.items()})
    return png_of(figure)


NAMES = {"one long run": "long", "a branch": "branch", "falls all the time": "other"}
