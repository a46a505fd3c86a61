"""Pictures of chapter 10: three ways to use labels, a pair, a run and what it moved, numbers of labels, rates."""

from collections.abc import Mapping, Sequence

from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch

from minibert.viz.diagram import BLUE, GREY, ORANGE, STYLES, new_figure
from minibert.viz.page import png_of

DASHES = ("-", "--", ":", "-.", (0, (1, 3)), (0, (6, 4)), (0, (3, 1, 1, 1, 1, 1)), (0, (8, 2, 2, 2)))
LEARNED, FROZEN, GIVEN = "#F3C9A5", "#D9E2EC", "#FFFFFF"
WAYS = {  # title: boxes from the text upwards, each with whether the labels change it
    "bag of words": (("the text", None), ("which pieces\noccur: 30,522", False), ("logistic\nregression", True)),
    "frozen features": (
        ("the text", None),
        ("token, position,\nsegment tables", False),
        ("6 blocks", False),
        ("mean or [CLS]", None),
        ("logistic\nregression", True),
    ),
    "fine-tuning": (
        ("the text", None),
        ("token, position,\nsegment tables", True),
        ("6 blocks", True),
        ("mean, or the pooler\non [CLS]", True),
        ("a new head", True),
    ),
}


def plot_ways() -> Figure:
    """Draw three ways to learn from labels as stacks of boxes; what the labels change is orange.

    >>> [axes.get_title() for axes in plot_ways().axes]
    ['bag of words', 'frozen features', 'fine-tuning']
    """
    figure = new_figure(9, 4.2)
    for axes, (title, boxes) in zip(figure.subplots(1, 3), WAYS.items(), strict=True):
        for height, (name, learns) in enumerate(boxes):
            colour = GIVEN if learns is None else LEARNED if learns else FROZEN
            corner = (0.08, height + 0.12)
            axes.add_patch(
                FancyBboxPatch(corner, 0.84, 0.7, boxstyle="round,pad=0,rounding_size=0.06", fc=colour, ec="#5B6673")
            )
            axes.text(0.5, height + 0.47, name, ha="center", va="center", fontsize=11)
            axes.annotate(
                "", (0.5, height + 1.1), (0.5, height + 0.84), arrowprops=dict(arrowstyle="-|>", color="#333333")
            )
        axes.text(0.5, len(boxes) + 0.2, "positive or negative", ha="center", fontsize=11)
        axes.set(xlim=(0, 1), ylim=(0, 5.6))
        axes.set_title(title, fontsize=13)
        axes.axis("off")
    figure.legend(
        handles=[
            FancyBboxPatch((0, 0), 1, 1, fc=LEARNED, ec="#5B6673", label="changed by the labels"),
            FancyBboxPatch((0, 0), 1, 1, fc=FROZEN, ec="#5B6673", label="stays as it is"),
        ],
        loc="outside lower center",
        ncols=2,
        frameon=False,
        fontsize=11,
    )
    return figure


def plot_pair(tokens: Sequence[str], segments: Sequence[int]) -> Figure:
    """Draw the tokens of a pair with position and segment below each; segment 0 is blue, segment 1 orange.

    >>> figure = plot_pair(["[CLS]", "is", "it", "[SEP]", "yes", "[SEP]"], [0, 0, 0, 0, 1, 1])
    >>> len(figure.axes[0].patches)
    18
    """
    figure = new_figure(max(6, 0.74 * len(tokens)), 2.2)
    axes = figure.subplots()
    rows = ("token", "position", "segment")
    for place, (token, segment) in enumerate(zip(tokens, segments, strict=True)):
        for row, said in enumerate((token, place, segment)):
            colour = (BLUE, ORANGE)[segment] if row == 2 else "#EEF2F6"
            corner = (place + 0.05, 2 - row + 0.08)
            axes.add_patch(FancyBboxPatch(corner, 0.9, 0.84, boxstyle="round,pad=0,rounding_size=0.1", fc=colour, lw=0))
            colour = "white" if row == 2 else "black"
            axes.text(place + 0.5, 2.5 - row, str(said), ha="center", va="center", fontsize=11, color=colour)
    axes.set(xlim=(0, len(tokens)), ylim=(0, 3), xticks=[], yticks=[2.5, 1.5, 0.5], yticklabels=rows)
    axes.tick_params(length=0, labelsize=11)
    axes.spines[:].set_visible(False)
    return figure


def plot_run(losses: Sequence[float], rates: Sequence[float], level: float) -> Figure:
    """Draw the loss of each step, with a mean over five steps, and under it the learning rate.

    `level` is the loss of a coin.

    >>> [axes.get_ylabel() for axes in plot_run([0.7] * 6, [1e-4] * 6, 0.69).axes]
    ['loss (nats)', 'learning rate']
    """
    figure = new_figure(8, 4)
    top, bottom = figure.subplots(2, 1, sharex=True, height_ratios=(2, 1))
    steps = range(1, len(losses) + 1)
    top.plot(steps, losses, "o", ms=4, color="#B9C2CC", label="a batch of 8")
    smooth = [sum(losses[max(0, i - 4) : i + 1]) / len(losses[max(0, i - 4) : i + 1]) for i in range(len(losses))]
    top.plot(steps, smooth, color=BLUE, lw=2.5, label="mean of five")
    top.axhline(level, color="#555555", ls=":", label="a coin")
    top.set(ylabel="loss (nats)", ylim=(0, None))
    top.legend(frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))
    bottom.plot(steps, rates, color=ORANGE, lw=2.5)
    bottom.set(ylabel="learning rate", xlabel="step", ylim=(0, None))
    for axes in (top, bottom):
        axes.spines[["top", "right"]].set_visible(False)
    return figure


def plot_losses(runs: Mapping[str, Sequence[Sequence[tuple[int, float]]]], level: float) -> Figure:
    """Draw the loss by step, an arm a colour, a thin line for each seed and a thick one for their mean.

    `level` is the loss of a coin.

    >>> runs = {"warm-up": [[(4, 0.7), (8, 0.6)], [(4, 0.7), (8, 0.5)]]}
    >>> len(plot_losses(runs, level=0.69).axes[0].lines)
    4
    """
    figure = new_figure(8, 3.2)
    axes = figure.subplots()
    for (name, curves), style in zip(runs.items(), STYLES, strict=False):
        steps = [step for step, _ in curves[0]]
        for curve in curves:
            axes.plot(*zip(*curve, strict=True), lw=0.8, alpha=0.5, color=style["color"])
        mean = [sum(values) / len(curves) for values in zip(*([v for _, v in c] for c in curves), strict=True)]
        axes.plot(steps, mean, lw=2.2, ms=5, label=f"{name}, mean", **style)
    axes.axhline(level, color="#555555", ls=":", label="a coin")
    axes.set(xlabel="step (thin: one seed)", ylabel="loss (nats)", ylim=(0, None))
    axes.legend(frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))
    axes.spines[["top", "right"]].set_visible(False)
    return figure


def plot_moved(moves: Mapping[str, float]) -> Figure:
    """Draw how far each part of the model moved: the norm of the change over the norm of the weights.

    >>> plot_moved({"layer 0": 0.01, "layer 1": 0.02}).axes[0].get_xlabel()
    'norm of the change / norm of the weights'
    """
    figure = new_figure(8, 0.9 + 0.36 * len(moves))
    axes = figure.subplots()
    axes.barh(list(moves), list(moves.values()), color=BLUE, alpha=0.8)
    for row, value in enumerate(moves.values()):
        axes.text(value, row, f"  {value:.4f}", va="center", fontsize=10)
    axes.invert_yaxis()
    axes.margins(x=0.15)
    axes.set_xlabel("norm of the change / norm of the weights")
    axes.spines[["top", "right"]].set_visible(False)
    return figure


def plot_by_labels(lines: Mapping[str, Sequence[tuple[int, float, float]]], level: float = 0.5) -> Figure:
    """Draw accuracy against the number of labels, an arm a line: points (labels, mean, standard deviation).

    >>> plot_by_labels({"tuned": [(50, 0.7, 0.05), (800, 0.85, 0.01)]}).axes[0].get_xscale()
    'log'
    """
    figure = new_figure(8.6, 3.6)
    axes = figure.subplots()
    counts = sorted({count for points in lines.values() for count, *_ in points})
    for (name, points), style in zip(lines.items(), STYLES, strict=False):
        x, mean, spread = zip(*points, strict=True)
        axes.errorbar(x, mean, spread, label=name, capsize=3, lw=1.6, ms=5, **style)
    axes.axhline(level, color="#555555", lw=1, ls=":", label="chance")
    axes.set(xscale="log", xlabel="labelled texts (log axis)", ylabel="accuracy on other texts")
    axes.set_xticks(counts, [f"{count:,}" for count in counts])
    axes.minorticks_off()
    axes.legend(frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))
    axes.spines[["top", "right"]].set_visible(False)
    return figure


def plot_gains(models: Mapping[str, Mapping[str, tuple[int, float]]], ylabel: str) -> Figure:
    """Draw what each task gained against the number of its labelled examples, (examples, points), for each model.

    >>> plot_gains({"BERT-base": {"RTE": (2500, 10.4), "MNLI": (392_000, 2.5)}}, "points").axes[0].get_ylabel()
    'points'
    """
    figure = new_figure(8.6, 3.6)
    axes = figure.subplots()
    for (model, tasks), style in zip(models.items(), STYLES, strict=False):
        axes.plot(*zip(*tasks.values(), strict=True), ms=8, label=model, **(style | {"ls": ""}))
    first = next(iter(models.values()))
    for name, (count, points) in first.items():
        is_under = any(0.8 < count / other < 1.25 and points < higher for other, higher in first.values())
        place = dict(xytext=(-9, -4), ha="right") if is_under else dict(xytext=(0, 9), ha="center")
        axes.annotate(name, (count, points), textcoords="offset points", fontsize=11, **place)
    axes.set(xscale="log", xlim=(1500, 1.2e6), ylim=(0, 17.5), ylabel=ylabel)
    axes.set_xlabel("labelled examples to train on (log axis)")
    axes.set_xticks([2500, 10_000, 100_000, 400_000], ["2,500", "10,000", "100,000", "400,000"])
    axes.minorticks_off()
    axes.grid(axis="y", color="#E5E5E5")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))
    return figure


def rates_png(view) -> bytes:
    """The still picture of a `TuningView`, for where only PNG is shown.

    >>> from minibert.viz import TuningView
    >>> curves = {"1e-4": [[(0, 0.5), (9, 0.8)], [(0, 0.5), (9, 0.7)]]}
    >>> rates_png(TuningView(curves, curves, rate="1e-4"))[:4]
    b'\\x89PNG'
    """
    figure = new_figure(9, 3.4)
    for axes, (plot, curves) in zip(figure.subplots(1, 2), view.curves.items(), strict=True):
        for rate, dashes in zip(view.rates, DASHES, strict=False):
            chosen = rate == view.rate
            style = dict(color=BLUE, lw=2.5, zorder=3) if chosen else dict(color=GREY, lw=1.4, ls=dashes)
            for number, curve in enumerate(curves[rate]):
                axes.plot(*zip(*curve, strict=True), label=None if number else rate, **style)
        axes.set_xticks(sorted({step for runs in curves.values() for curve in runs for step, _ in curve}))
        axes.set(
            xlabel="step", ylabel="accuracy on other snippets" if plot == "accuracy" else "loss on the batches (nats)"
        )
        axes.spines[["top", "right"]].set_visible(False)
    handles, names = axes.get_legend_handles_labels()
    figure.legend(
        handles, [f"learning rate {name}" for name in names], loc="outside lower center", ncols=3, frameon=False
    )
    return png_of(figure)
