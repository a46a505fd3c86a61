"""The pictures of chapter 14: two blocks, gradients by layer, a ladder of changes, depth against width."""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch

from minibert.viz.diagram import BLUE, GREEN, GREY, ORANGE
from minibert.viz.page import COLORS

BLOCKS = {
    "BERT": ("x", "attention", "+ x", "norm", "GELU layer", "+ x", "norm", "x"),
    "ModernBERT": ("x", "norm", "attention, RoPE", "+ x", "norm", "GeGLU", "+ x", "x"),
}
NOTES = {
    "BERT": "every matrix has a bias; every layer sees all tokens; positions are added once, before block 1",
    "ModernBERT": "no biases; two layers of three see a window; positions turn queries and keys in every layer",
}
SHADES = {"attention": "#CDE5F5", "grouped": "#CDE5F5", "G": "#CDE5F5", "Swi": "#CDE5F5"}
SHADES |= {"+": "#FBE3B0", "norm": "#DDDDDD", "RMS": "#DDDDDD", "x": "white"}


def plot_blocks(blocks: Mapping[str, Sequence[str]] = BLOCKS, notes: Mapping[str, str] = NOTES) -> Figure:
    """Blocks as rows of eight boxes, by default BERT's and ModernBERT's, with the residual paths as arcs.

    >>> len(plot_blocks().axes)
    2
    """
    figure = plt.figure(figsize=(9.2, 2.0 * len(blocks)), dpi=144, layout="constrained")
    for axes, (name, steps) in zip(figure.subplots(len(blocks), 1, squeeze=False)[:, 0], blocks.items(), strict=True):
        for place, step in enumerate(steps):
            shade = next(color for start, color in SHADES.items() if step.startswith(start))
            box = dict(boxstyle="round,pad=0.4", facecolor=shade, edgecolor="#444444")
            label = step.replace(", ", "\n").replace(" layer", "\nlayer")
            axes.text(place, 0, label, ha="center", va="center", bbox=box, fontsize=11)
            if place:
                arrow = FancyArrowPatch((place - 0.72, 0), (place - 0.36, 0), arrowstyle="->", mutation_scale=11)
                axes.add_patch(arrow)
        sums = [place for place, step in enumerate(steps) if step == "+ x"]
        post_norm = steps[1].startswith("attention")  # then the second arc begins after the norm
        for start, end in zip((0, sums[0] + post_norm), sums, strict=True):
            style = dict(arrowstyle="->", mutation_scale=13, color=ORANGE, lw=2, connectionstyle="arc3,rad=-0.35")
            axes.add_patch(FancyArrowPatch((start, 0.26), (end, 0.26), **style))
        axes.set(xlim=(-0.5, 7.5), ylim=(-0.75, 1.2))
        axes.set_title(name, loc="left", fontsize=12, fontweight="bold")
        axes.text(-0.4, -0.62, notes[name], fontsize=10, color="#444444")
        axes.axis("off")
    return figure


def plot_lengths(lines: Mapping[str, Sequence[float]]) -> Figure:
    """The mean length of a token's vector after the embeddings and after each block, a line for each model.

    >>> len(plot_lengths({"BERT": [1.0, 1.0], "ModernBERT": [1.0, 2.0]}).axes)
    1
    """
    figure = plt.figure(figsize=(6.8, 3.0), dpi=144, layout="constrained")
    axes = figure.subplots()
    for (name, lengths), (color, mark) in zip(lines.items(), ((ORANGE, "o-"), (BLUE, "s--")), strict=False):
        axes.plot(range(len(lengths)), lengths, mark, color=color, ms=7, label=name)
        places = ["embeddings", *(f"block {number}" for number in range(1, len(lengths)))]
        axes.set_xticks(range(len(lengths)), places)
    axes.set(xlabel="after", ylabel="length of a vector", ylim=(0, None))
    axes.legend(frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    return figure


def plot_scores(lengths: Sequence[int], counts: Mapping[str, Sequence[int]]) -> Figure:
    """How many scores of attention a text costs by its length, both axes logarithmic.

    >>> len(plot_scores([1, 2], {"all global": [1, 4]}).axes)
    1
    """
    figure = plt.figure(figsize=(6.8, 3.2), dpi=144, layout="constrained")
    axes = figure.subplots()
    for (name, found), (color, mark) in zip(counts.items(), ((ORANGE, "o-"), (BLUE, "s--")), strict=False):
        axes.loglog(lengths, found, mark, color=color, ms=6, label=name)
    axes.set_xticks(lengths, [f"{length:,}" for length in lengths], minor=False)
    axes.minorticks_off()
    axes.set(xlabel="tokens of a text (log scale)", ylabel="scores of one head,\nall layers (log scale)")
    axes.legend(frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    return figure


def plot_layer_gradients(panels: Mapping[str, Mapping[str, Sequence[float]]]) -> Figure:
    """The norm of the gradient of each layer: a panel for each moment, a line for each place of the norm.

    >>> len(plot_layer_gradients({"before": {"post": [1.0, 2.0], "pre": [1.0, 1.0]}}).axes)
    1
    """
    figure = plt.figure(figsize=(9.2, 3.4), dpi=144, layout="constrained")
    grid = figure.subplots(1, len(panels), sharey=True, squeeze=False)[0]
    for axes, (title, lines) in zip(grid, panels.items(), strict=True):
        for (name, norms), (color, mark) in zip(lines.items(), ((ORANGE, "o-"), (BLUE, "s--")), strict=False):
            axes.semilogy(range(1, len(norms) + 1), norms, mark, color=color, label=name, ms=5)
        axes.set(title=title, xlabel="layer, from the embeddings up")
        axes.spines[["top", "right"]].set_visible(False)
    grid[0].set_ylabel("norm of the gradient\n(log scale)")
    grid[0].legend(frameon=False)
    return figure


def plot_learned(
    depths: Sequence[int], scores: Mapping[str, Mapping[str, Sequence[tuple[float, float]]]], floor: tuple[float, str]
) -> Figure:
    """Bits per byte after training by depth: a panel for each place of the norm, a line with and one without warm-up.

    `scores[panel][line]` holds a mean and a spread for each depth; `floor` is a height and its name, drawn as a line.

    >>> len(plot_learned([4], {"post": {"warm-up": [(1.0, 0.1)]}}, (2.0, "word frequencies")).axes)
    1
    """
    figure = plt.figure(figsize=(9.2, 3.3), dpi=144, layout="constrained")
    grid = figure.subplots(1, len(scores), sharey=True, squeeze=False)[0]
    places = range(len(depths))
    for axes, (title, lines) in zip(grid, scores.items(), strict=True):
        for (name, found), (color, mark) in zip(lines.items(), ((BLUE, "o-"), (ORANGE, "s--")), strict=False):
            means, spreads = zip(*found, strict=True)
            axes.errorbar(places, means, spreads, fmt=mark, color=color, capsize=4, ms=7, label=name)
        axes.axhline(floor[0], color=GREY, ls=":", lw=1.5)
        axes.set_xticks(places, [f"{depth} layers" for depth in depths])
        axes.set(title=title, xlim=(-0.3, len(depths) - 0.7), ylim=(0, 1.18 * floor[0]))
        axes.spines[["top", "right"]].set_visible(False)
    grid[0].text(-0.25, 1.02 * floor[0], floor[1], va="bottom", fontsize=10, color="#555555")
    grid[0].legend(frameon=False, loc="lower right")
    grid[0].set_ylabel("bits per byte (lower is better)")
    return figure


def plot_ladder(rungs: Mapping[str, tuple[float, float]], back: Mapping[str, tuple[float, float]]) -> Figure:
    """Bits per byte, mean and spread over seeds: on the left one change after the other, on the right each taken back.

    >>> len(plot_ladder({"BERT": (2.0, 0.1), "+ RoPE": (1.0, 0.1)}, {"with post-norm": (1.2, 0.1)}).axes)
    2
    """
    figure = plt.figure(figsize=(9.6, 3.9), dpi=144, layout="constrained")
    left, right = figure.subplots(1, 2)
    last = list(rungs.values())[-1][0]
    for axes, found, color in ((left, rungs, BLUE), (right, back, ORANGE)):
        for row, (mean, spread) in enumerate(found.values()):
            axes.barh(row, mean, color=color, height=0.62, alpha=0.85)
            axes.errorbar(mean, row, xerr=spread, color="#222222", capsize=4)
            axes.annotate(
                f"{mean:.2f}", (mean + spread, row), (6, 0), textcoords="offset points", va="center", fontsize=10
            )
        axes.set_yticks(range(len(found)), list(found), fontsize=10)
        axes.invert_yaxis()
        axes.axvline(last, color="#555555", lw=1, ls=":")
        axes.set_xlabel("bits per byte (lower is better)")
        axes.tick_params(axis="y", length=0)
        axes.spines[["top", "right", "left"]].set_visible(False)
    left.set_title("BERT, and one change after the other", fontsize=11)
    right.set_title("ModernBERT, one change taken back", fontsize=11)
    for axes, found in ((left, rungs), (right, back)):
        axes.set_xlim(0, 1.18 * max(mean + spread for mean, spread in found.values()))
    right.set_xlabel("bits per byte (another scale than on the left)")
    return figure


def plot_gate(x: Sequence[float], plain: Sequence[float], gated: Mapping[str, Sequence[float]]) -> Figure:
    """What one inner channel gives: GELU alone, and GELU times a second number, for some values of that number.

    >>> len(plot_gate([0, 1], [0, 1], {"up = 2": [0, 2]}).axes)
    1
    """
    figure = plt.figure(figsize=(6.8, 3.2), dpi=144, layout="constrained")
    axes = figure.subplots()
    axes.plot(x, plain, color="#222222", lw=2.5, label="GELU layer: gelu(gate)")
    for (name, values), color, dash in zip(gated.items(), (BLUE, GREEN, ORANGE), ("--", "-.", ":"), strict=False):
        axes.plot(x, values, color=color, ls=dash, lw=2, label=f"GeGLU, {name}")
    axes.set(xlabel="gate", ylabel="inner channel")
    axes.legend(frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    return figure


def plot_depth_width(names: Sequence[str], scores: Sequence[tuple[float, float]], costs: Sequence[float]) -> Figure:
    """Bits per byte of models of equal size by depth, and the operations that a step of each takes.

    >>> len(plot_depth_width(["1 x 8", "2 x 4"], [(1.0, 0.1), (0.9, 0.1)], [3.0, 4.0]).axes)
    2
    """
    figure = plt.figure(figsize=(9.0, 3.2), dpi=144, layout="constrained")
    left, right = figure.subplots(1, 2)
    means, spreads = zip(*scores, strict=True)
    left.errorbar(range(len(names)), means, spreads, fmt="o-", color=BLUE, capsize=4, ms=7)
    left.set(ylabel="bits per byte (lower is better)", ylim=(0, 1.15 * max(mean + spread for mean, spread in scores)))
    right.bar(range(len(names)), costs, color=GREY, width=0.6)
    right.set(ylabel="GFLOP a step")
    for axes in (left, right):
        axes.set_xticks(range(len(names)), names)
        axes.set_xlabel("layers x width")
        axes.spines[["top", "right"]].set_visible(False)
    return figure


def plot_published(speeds: Mapping[str, Mapping[str, float]]) -> Figure:
    """Published thousands of tokens a second: a group of bars for each kind of input, a bar for each model.

    >>> len(plot_published({"short": {"BERT-base": 1.0, "ModernBERT-base": 2.0}}).axes)
    1
    """
    figure = plt.figure(figsize=(9.2, 3.6), dpi=144, layout="constrained")
    axes = figure.subplots()
    models = list(dict.fromkeys(model for group in speeds.values() for model in group))
    style = dict(zip(models, zip(COLORS, ("", "//", "..", "xx", "\\\\", "--"), strict=False), strict=False))
    place, ticks = 0.0, []
    for group in speeds.values():
        first = place
        for model, speed in group.items():
            color, hatch = style[model]
            axes.bar(
                place, speed, color=color, hatch=hatch, edgecolor="white", label=model if model in models else None
            )
            axes.text(place, speed + 2, f"{speed:g}", ha="center", fontsize=9)
            models = [name for name in models if name != model]
            place += 1
        ticks.append((first + place - 1) / 2)
        place += 1
    axes.set_xticks(ticks, list(speeds), fontsize=10)
    axes.set(ylabel="thousand tokens a second")
    axes.tick_params(axis="x", length=0)
    axes.legend(frameon=False, ncols=2, fontsize=9)
    axes.spines[["top", "right"]].set_visible(False)
    return figure
