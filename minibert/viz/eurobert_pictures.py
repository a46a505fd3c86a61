"""The pictures of chapter 18: EuroBERT's block, norms, gates, shared keys, sizes, languages and what was measured."""

from collections.abc import Collection, Mapping, Sequence

import matplotlib.pyplot as plt
from matplotlib.figure import Figure

from minibert.viz.diagram import BLUE, GREEN, GREY, ORANGE, PINK, STYLES, YELLOW, new_figure, plain
from minibert.viz.modern_pictures import BLOCKS, NOTES, plot_blocks
from minibert.viz.page import COLORS

MIX = {  # Boizard et al. 2025, table 5: percent of the tokens of the first phase
    "text in one language": {
        "English": 41.34, "French": 6.09, "German": 6.02, "Spanish": 6.00, "Chinese": 4.92, "Italian": 2.48,
        "Russian": 2.41, "Portuguese": 2.32, "Japanese": 2.32, "Polish": 2.31, "Turkish": 1.10, "Arabic": 1.08,
        "Vietnamese": 1.05, "Dutch": 1.05, "Hindi": 0.53,
    },
    "code": {"C++": 2.48, "SQL": 1.56, "C": 1.23, "JavaScript": 1.21, "34 others": 3.78},
    "mathematics": {"arXiv": 2.51, "web pages": 1.12, "programs": 0.74},
    "parallel text": {"two languages": 4.36},
}  # fmt: skip
MODELS = (
    "mDeBERTa 280M", "mGTE 305M", "XLM-R 280M", "XLM-R 560M", "XLM-R 3.5B", "EuroBERT 210M", "EuroBERT 610M",
    "EuroBERT 2.1B", "ModernBERT 150M", "ModernBERT 395M",
)  # fmt: skip
PUBLISHED = {  # the same paper, tables 1 and 2: means over languages; ModernBERT only where the text is English or code
    task: dict(zip(MODELS, scores, strict=False))
    for task, scores in {
        "MIRACL": (37.5, 91.2, 85.4, 89.4, 91.4, 90.8, 92.6, 92.9),
        "XNLI": (79.5, 75.8, 74.1, 81.7, 83.7, 76.6, 81.9, 84.1),
        "NER": (96.2, 95.2, 95.5, 96.1, 96.3, 94.7, 95.9, 95.2),
        "CodeSearchNet": (2.8, 34.0, 23.0, 40.8, 54.1, 58.9, 69.9, 72.6, 53.9, 65.8),
        "MathShepherd": (75.1, 77.2, 71.9, 67.6, 82.5, 84.0, 87.3, 86.8, 77.7, 83.6),
    }.items()
}
EUROBERT = ("x", "RMSNorm", "grouped\nattention, RoPE", "+ x", "RMSNorm", "SwiGLU", "+ x", "x")


def plot_two_blocks() -> Figure:
    """One block of ModernBERT and one of EuroBERT.

    >>> len(plot_two_blocks().axes)
    2
    """
    note = "no biases; every layer sees all tokens; query heads may share keys; nothing is normalised before block 1"
    blocks = {"ModernBERT": BLOCKS["ModernBERT"], "EuroBERT": EUROBERT}
    figure = plot_blocks(blocks, {"ModernBERT": NOTES["ModernBERT"], "EuroBERT": note})
    plt.close(figure)
    return figure


def plot_norms(panels: Mapping[str, Sequence[float]]) -> Figure:
    """The channels of one vector as bars, before and after norms; the dashed line is the mean of each panel.

    >>> len(plot_norms({"x": [1.0, 2.0], "RMSNorm": [0.6, 1.3]}).axes)
    2
    """
    figure = new_figure(9.2, 2.9)
    grid = figure.subplots(1, len(panels), sharey=True, squeeze=False)[0]
    for axes, (name, values), color in zip(grid, panels.items(), (GREY, ORANGE, BLUE), strict=False):
        axes.bar(range(len(values)), values, color=color)
        axes.axhline(0, color="#222222", lw=0.8)
        axes.axhline(sum(values) / len(values), color="#222222", lw=1.5, ls="--")
        axes.set(title=name, xlabel="channel", xticks=range(0, len(values), max(1, len(values) // 6)))
        plain(axes)
    grid[0].set_ylabel("value")
    return figure


def plot_lines(
    x: Sequence[float],
    lines: Mapping[str, Sequence[float]],
    xlabel: str,
    ylabel: str,
    level: float | None = None,
    spreads: Mapping[str, Sequence[float]] | None = None,
    low: float = 0.0,
) -> Figure:
    """A line for each name over `x`; a shorter one ends early. The vertical axis begins at `low`.

    `level` is a height marked with a dotted line, `spreads` are the half-lengths of error bars.

    >>> plot_lines([0, 1], {"a": [1.0, 2.0], "b": [1.0]}, "layer", "share").axes[0].get_xlabel()
    'layer'
    """
    figure = new_figure(7.6, 3.2)
    axes = figure.subplots()
    for (name, values), style in zip(lines.items(), STYLES, strict=False):
        error = None if spreads is None else spreads[name]
        axes.errorbar(x[: len(values)], values, error, label=name, ms=6, capsize=4, **style)
    if level is not None:
        axes.axhline(level, color="#555555", lw=1, ls=":")
    axes.set(xlabel=xlabel, ylabel=ylabel, xticks=x, ylim=(low, None))
    axes.legend(frameon=False)
    plain(axes)
    return figure


def plot_gates(x: Sequence[float], curves: Mapping[str, Sequence[float]]) -> Figure:
    """Activations as curves.

    >>> len(plot_gates([0.0, 1.0], {"silu": [0.0, 0.7]}).axes)
    1
    """
    figure = new_figure(7.4, 3.1)
    axes = figure.subplots()
    for (name, values), color, dash in zip(curves.items(), (BLUE, ORANGE, GREEN), ("-", "--", ":"), strict=False):
        axes.plot(x, values, color=color, ls=dash, lw=2.5, label=name)
    axes.axhline(0, color="#BBBBBB", lw=0.8, zorder=0)
    axes.set(xlabel="x", ylabel="activation")
    axes.legend(frameon=False)
    plain(axes)
    return figure


def plot_groups(panels: Mapping[str, tuple[int, int]]) -> Figure:
    """Which query heads share a key and value head: name -> (H, G), a row of each, a line from each query to its key.

    >>> len(plot_groups({"H = 4, G = 2": (4, 2), "H = 4, G = 1": (4, 1)}).axes)
    2
    """
    figure = new_figure(9.2, 1.75 * len(panels))
    grid = figure.subplots(len(panels), 1, squeeze=False)[:, 0]
    for axes, (name, (heads, groups)) in zip(grid, panels.items(), strict=True):
        share = heads // groups
        for head in range(heads):
            group = head // share
            color = COLORS[group % len(COLORS)]
            middle = share * group + (share - 1) / 2
            axes.plot([head, middle], [1, 0], color=color, lw=1.6, zorder=1)
            axes.text(head, 1, str(head), ha="center", va="center", fontsize=9, color="white", zorder=3)
            axes.scatter(head, 1, s=230, color=color, zorder=2)
        for group in range(groups):
            middle = share * group + (share - 1) / 2
            axes.scatter(middle, 0, s=300, marker="s", color=COLORS[group % len(COLORS)], zorder=2)
            axes.text(middle, 0, str(group), ha="center", va="center", fontsize=9, color="white", zorder=3)
        axes.set(xlim=(-3.1, heads - 0.4), ylim=(-0.45, 1.45))
        axes.text(-0.8, 1, "query heads", ha="right", va="center", fontsize=10)
        axes.text(-0.8, 0, "key and value", ha="right", va="center", fontsize=10)
        axes.set_title(name, loc="left", fontsize=11)
        axes.axis("off")
    return figure


def plot_sizes(models: Mapping[str, Mapping[str, float]]) -> Figure:
    """Parameters in millions as stacked bars: model -> {part: number}.

    >>> len(plot_sizes({"small": {"tokens": 1.0, "head": 2.0}}).axes)
    1
    """
    figure = new_figure(9.2, 0.9 + 0.62 * len(models))
    axes = figure.subplots()
    looks = ((ORANGE, ""), (BLUE, "//"), (GREEN, ".."), (PINK, ""), (YELLOW, ""))
    for row, parts in enumerate(models.values()):
        left, total = 0.0, sum(parts.values())
        for (name, size), (color, hatch) in zip(parts.items(), looks, strict=False):
            label = None if row else name
            axes.barh(row, size / total, left=left, color=color, hatch=hatch, edgecolor="white", label=label)
            if size / total > 0.06:
                box = dict(facecolor="white", edgecolor="none", alpha=0.85, pad=1.5)
                axes.text(left + size / total / 2, row, f"{size:.0f}", ha="center", va="center", fontsize=10, bbox=box)
            left += size / total
    axes.set_yticks(range(len(models)), list(models))
    axes.invert_yaxis()
    axes.set(xlabel="share of the parameters (numbers: millions)", xlim=(0, 1))
    axes.legend(frameon=False, ncols=len(next(iter(models.values()))), loc="lower center", bbox_to_anchor=(0.5, 1.0))
    plain(axes)
    return figure


def plot_mix() -> Figure:
    """What EuroBERT read in its first phase, in percent of the tokens, the largest of each group first.

    >>> len(plot_mix().axes)
    1
    """
    count = sum(map(len, MIX.values()))
    figure = new_figure(9.2, 0.7 + 0.21 * count)
    axes = figure.subplots()
    row, names = 0, []
    for (group, found), color in zip(MIX.items(), (BLUE, ORANGE, GREEN, PINK), strict=True):
        for number, (name, value) in enumerate(found.items()):
            label = f"{group}: {sum(found.values()):.1f} %" if number == 0 else None
            axes.barh(row, value, color=color, label=label)
            axes.text(value, row, f" {value:.1f}", va="center", fontsize=9)
            names.append(name)
            row += 1
    axes.set_yticks(range(count), names, fontsize=9)
    axes.invert_yaxis()
    axes.set(xlabel="% of 4.84 trillion tokens", ylim=(count - 0.4, -0.6))
    axes.legend(frameon=False, loc="lower right")
    plain(axes)
    return figure


def plot_by_language(lines: Mapping[str, Mapping[str, tuple[float, float]]], ylabel: str, level: float = 0.0) -> Figure:
    """A dot for each language and line, with the spread over seeds: name -> {language: (mean, spread)}.

    `level` is a height that is marked with a line, such as chance.

    >>> len(plot_by_language({"a": {"en": (1.0, 0.1), "fr": (2.0, 0.1)}}, "bits per byte").axes)
    1
    """
    figure = new_figure(9.2, 3.5)
    axes = figure.subplots()
    languages = list(next(iter(lines.values())))
    for number, ((name, found), style) in enumerate(zip(lines.items(), STYLES, strict=False)):
        shift = 0.1 * (number - (len(lines) - 1) / 2)
        places = [languages.index(each) + shift for each in found]
        means, spreads = zip(*found.values(), strict=True)
        axes.errorbar(
            places, means, spreads, fmt=style["marker"], color=style["color"], capsize=3, ms=7, label=name, ls=""
        )
    if level:
        axes.axhline(level, color="#555555", lw=1, ls=":")
    axes.set_xticks(range(len(languages)), languages)
    axes.set(ylabel=ylabel, ylim=(0, None))
    axes.grid(axis="x", color="#EEEEEE")
    axes.legend(frameon=False, loc="upper left", bbox_to_anchor=(1, 1))
    plain(axes)
    return figure


def plot_panels(
    panels: Mapping[str, Mapping[str, Sequence[float]]],
    level: tuple[str, float] | None = None,
    controls: Collection[str] = (),
) -> Figure:
    """Measures beside each other: panel -> {arm: a number for each seed}; bars to the mean, a dot for each seed.

    The arms stand on the left once, so all panels have the same; `controls` are grey. `level` is a dotted line in all
    panels, its name and its place, such as ("chance", 0.5); it and the dots then have a legend.

    >>> len(plot_panels({"loss": {"a": [1.0, 2.0]}, "accuracy": {"a": [0.1, 0.2]}}).axes)
    2
    """
    arms = list(next(iter(panels.values())))
    figure = new_figure(9.2, 1.0 + 0.42 * len(arms))
    grid = figure.subplots(1, len(panels), sharey=True, squeeze=False)[0]
    for axes, (name, found) in zip(grid, panels.items(), strict=True):
        for arm, numbers in found.items():
            row = arms.index(arm)
            mean = sum(numbers) / len(numbers)
            axes.barh(row, mean, color=GREY if arm in controls else BLUE, alpha=0.75, height=0.66)
            axes.scatter(numbers, [row] * len(numbers), color="#222222", s=13, zorder=3)
            axes.text(max(numbers), row, f"  {mean:.2f}" if mean < 100 else f"  {mean:,.0f}", va="center", fontsize=9)
        if level is not None:
            axes.axvline(level[1], color="#555555", lw=1, ls=":", label=f"{level[0]}, {level[1]:g}")
        axes.set_xlabel(name)
        axes.margins(x=0.22)
        axes.set_xlim(0, None)
        plain(axes)
    names = [arm.replace(", ", ",\n", 1) if len(arm) > 24 else arm for arm in arms]
    grid[0].set_yticks(range(len(arms)), names)
    grid[0].invert_yaxis()
    if level is not None:
        dots = grid[0].scatter([], [], color="#222222", s=13, label="one seed")
        handles = [*grid[0].lines[:1], dots]
        figure.legend(handles=handles, loc="outside lower center", ncols=2, frameon=False, fontsize=11)
    return figure


def plot_published(tasks: Mapping[str, Mapping[str, float]]) -> Figure:
    """Published scores: a row for each model, a panel with its own scale for each task; a family has one colour.

    >>> len(plot_published({"XNLI": {"XLM-R 3.5B": 83.7}, "NER": {"XLM-R 3.5B": 96.3}}).axes)
    2
    """
    models = list(dict.fromkeys(model for scores in tasks.values() for model in scores))
    families = list(dict.fromkeys(model.rpartition(" ")[0] for model in models))
    figure = new_figure(9.2, 0.9 + 0.3 * len(models))
    grid = figure.subplots(1, len(tasks), sharey=True, squeeze=False)[0]
    for axes, (task, scores) in zip(grid, tasks.items(), strict=True):
        best = max(scores.values())
        for model, score in scores.items():
            row, color = models.index(model), COLORS[families.index(model.rpartition(" ")[0])]
            axes.scatter(score, row, color=color, s=50)
            bold = "bold" if score == best else "normal"
            axes.annotate(f"{score:.1f}", (score, row), (-6, 0), textcoords="offset points", va="center", ha="right",
                          fontsize=9, fontweight=bold)  # fmt: skip
        axes.set(title=task)
        axes.margins(x=0.12)
        axes.set_xlim(axes.get_xlim()[0] - 0.45 * (axes.get_xlim()[1] - axes.get_xlim()[0]), None)
        axes.grid(axis="y", color="#EEEEEE")
        axes.set_axisbelow(True)
        plain(axes)
    grid[0].set_yticks(range(len(models)), models)
    grid[0].invert_yaxis()
    return figure


def plot_message(view) -> Figure:
    """The still picture of a `LanguageView`: tokens of the chosen message, and how often a translation lies nearest.

    >>> import torch
    >>> from minibert.viz import LanguageView
    >>> texts = {"en": ["a", "b"], "fr": ["c", "d"]}
    >>> tokens = {name: [[text] for text in both] for name, both in texts.items()}
    >>> len(plot_message(LanguageView(texts, tokens, {"made up": torch.eye(2).repeat(2, 1, 1)})).axes)
    2
    """
    figure = new_figure(9.2, 3.6)
    left, right = figure.subplots(1, 2, width_ratios=(3, 2))
    counts = view.counts()
    left.bar(list(counts), list(counts.values()), color=BLUE)
    left.set(ylabel="tokens of one message", xlabel="language")
    found, total = view.found(), len(view.languages) * view.messages
    right.barh(list(found), [100 * count / total for count in found.values()], color=ORANGE)
    right.axvline(100 / view.messages, color="#555555", lw=1, ls=":")
    right.set(xlabel="nearest sentence of another language\nis the translation, % (dotted: chance)", xlim=(0, 100))
    right.invert_yaxis()
    for axes in (left, right):
        plain(axes)
    return figure
