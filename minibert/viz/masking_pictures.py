"""The pictures of chapter 8: a hidden word and its way to the loss, the head, counts beside BERT, splits and rates."""

from collections.abc import Mapping, Sequence
from itertools import pairwise

from matplotlib.figure import Figure

from minibert.viz.diagram import BLUE, GREEN, GREY, ORANGE, STYLES, arrow, box, new_diagram, new_figure, vector

COUNTS = ("no", "left", "both")  # how the arms of an experiment begin that count neighbours


def plot_task(words: Sequence[str], hidden: Sequence[int], vocabulary: int) -> Figure:
    """Draw masked language modelling: a text, the text with hidden words, BERT, and a question at hidden places only.

    >>> figure = plot_task(["a", "red", "kite"], [1], 52)
    >>> [text.get_text() for text in figure.axes[0].texts][:3]
    ['a', '', 'a']
    """
    step, count = 1.15, len(words)
    figure, axes = new_diagram(9.2, 4.4, step * count + 2.1, 6.0)
    middle = 2.1 + step * (count - 1) / 2
    for place, word in enumerate(words):
        x, asked = 2.1 + step * place, place in hidden
        box(axes, x, 0.5, 1.02, 0.6, word, "yellow" if asked else "white")
        arrow(axes, (x, 0.82), (x, 1.38))
        box(axes, x, 1.7, 1.02, 0.6, "[MASK]" if asked else word, "yellow" if asked else "white")
        arrow(axes, (x, 2.02), (x, 2.5))
        arrow(axes, (x, 3.3), (x, 3.72))
        vector(axes, x, 3.85, ["blue" if asked else "grey"] * 4, cell=0.2)
        if asked:
            arrow(axes, (x, 3.98), (x, 4.4), ORANGE)
            box(axes, x, 4.8, 1.9, 0.8, f"which of the\n{vocabulary} entries?", "yellow", 10)
    box(axes, middle, 2.9, step * count, 0.75, "BERT: every word looks at all words, on both sides", "blue", 12)
    for y, what in ((0.5, "text"), (1.7, "input"), (3.85, "hidden states"), (4.8, "logits")):
        axes.text(1.45, y, what, ha="right", va="center", fontsize=11)
    label = "loss: minus the logarithm of the hidden word's probability, at the hidden places only"
    axes.text(middle, 5.65, label, ha="center", va="center", fontsize=11, color=ORANGE)
    return figure


def plot_head(width: int, vocabulary: int) -> Figure:
    """Draw the head of masked language modelling with its shapes: a hidden state becomes logits over the vocabulary.

    >>> len(plot_head(64, 52).axes)
    1
    """
    figure, axes = new_diagram(9.4, 3.1, 12.8, 4.0)
    parts = (  # middle, width, text, shade, shape
        (0.95, 1.8, "hidden states\nof the hidden\nplaces", "white", f"(M, {width})"),
        (3.35, 1.6, "dense\nD x D, bias", "blue", f"(M, {width})"),
        (5.4, 1.2, "GELU", "green", f"(M, {width})"),
        (7.25, 1.2, "layer\nnorm", "grey", f"(M, {width})"),
        (9.3, 1.6, "decoder\nD x V, bias", "blue", f"(M, {vocabulary})"),
        (11.8, 1.8, "logits over\nthe vocabulary", "white", f"(M, {vocabulary})"),
    )
    for x, wide, text, shade, shape in parts:
        box(axes, x, 3.0, wide, 1.25, text, shade, 10.5)
        axes.text(x, 2.05, shape, ha="center", fontsize=10.5, color="#444444")
    for (left, before, *_), (right, after, *_) in pairwise(parts):
        arrow(axes, (left + before / 2, 3.0), (right - after / 2, 3.0))
    box(axes, 4.9, 0.6, 5.6, 0.8, f"token table of the embeddings (V, D) = ({vocabulary}, {width})", "yellow", 10.5)
    arrow(axes, (7.7, 0.6), (9.3, 1.95), ORANGE, bend=0.25)
    axes.text(9.3, 0.75, "the same matrix, transposed", fontsize=10.5, color=ORANGE)
    return figure


def plot_shares(sizes: Sequence[int], lines: Mapping[str, Sequence[float]], errors: Sequence[float]) -> Figure:
    """Draw a counted share with its error bar by the number of tokens that were counted (log scale).

    >>> plot_shares([10, 100], {"right": [0.8, 0.8], "wrong": [0.9, 0.81]}, [0.2, 0.1]).axes[0].get_xscale()
    'log'
    """
    figure = new_figure(7.2, 3.2)
    axes = figure.subplots()
    for shift, (name, shares), style in zip((0.92, 1.08), lines.items(), STYLES, strict=False):
        look = dict(color=style["color"], marker=style["marker"], ls="none", capsize=4, ms=6)
        axes.errorbar([size * shift for size in sizes], shares, errors, label=name, **look)
    axes.axhline(0.8, color="#777777", lw=0.8)
    axes.set(xscale="log", xlabel="chosen tokens counted (log scale)", ylabel="share of [MASK]\n(bars: 2 errors)")
    axes.legend(frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    return figure


def plot_loss(curve: Sequence[float], window: int, held_out: float, levels: Mapping[str, float]) -> Figure:
    """Draw the training loss, means of `window` steps, the loss on held-out text as a star, and levels to compare with.

    >>> plot_loss([3.0, 2.0, 1.0, 1.0], 2, 0.9, {"counts": 1.5}).axes[0].get_xlabel()
    'step'
    """
    figure = new_figure(8.4, 3.6)
    axes = figure.subplots()
    means = [sum(curve[i : i + window]) / window for i in range(0, len(curve) - window + 1, window)]
    axes.plot([window * (i + 0.5) for i in range(len(means))], means, color=BLUE, label="BERT, training rows")
    axes.plot([len(curve)], [held_out], "*", ms=14, color=ORANGE, label="BERT, held-out stories")
    for (name, level), line in zip(levels.items(), (":", "--", "-.", (0, (1, 3))), strict=False):
        axes.axhline(level, color="#444444", ls=line, lw=1.3, label=name)
    axes.set(xlabel="step", ylabel="loss at hidden places (nats)", ylim=(0, None))
    axes.legend(frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))
    axes.spines[["top", "right"]].set_visible(False)
    return figure


def plot_kinds(
    shares: Mapping[str, Mapping[str, float]], shown: Mapping[str, str], top: float = 1.0, xlabel: str = ""
) -> Figure:
    """Draw the share of hidden words that are named by kind of word: a group of bars for each kind.

    `shares[kind][who]` is a share; `shown` names two of the who for the legend; the axis ends at `top`.

    >>> plot_kinds({"names": {"two": 0.1, "BERT": 0.9}}, {"two": "counts", "BERT": "BERT"}).axes[0].get_ylabel()
    'hidden words named'
    """
    figure = new_figure(9.2, 3.4)
    axes = figure.subplots()
    for shift, colour, (who, label) in zip((-0.2, 0.2), ("#AEB6BF", BLUE), shown.items(), strict=True):
        values = [each[who] for each in shares.values()]
        bars = axes.bar([place + shift for place in range(len(values))], values, 0.38, color=colour, label=label)
        axes.bar_label(bars, [f"{100 * value:.0f}" for value in values], fontsize=10)
    axes.set_xticks(range(len(shares)), list(shares))
    axes.set(xlabel=xlabel, ylabel="hidden words named", ylim=(0, 1.05 * top))
    axes.set_yticks([top * quarter / 4 for quarter in range(5)], [f"{25 * quarter * top:g} %" for quarter in range(5)])
    axes.legend(frameon=False, loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2)
    axes.spines[["top", "right"]].set_visible(False)
    return figure


def plot_reach(distances: Sequence[str], shares: Mapping[str, Sequence[float]], levels: Mapping[str, float]) -> Figure:
    """Draw the share of named words by how far the model may look; a line for each side, levels to compare with.

    >>> len(plot_reach(["1", "all"], {"both sides": [0.5, 0.9]}, {"counts": 0.5}).axes)
    1
    """
    figure = new_figure(8.4, 3.4)
    axes = figure.subplots()
    for (name, found), style in zip(shares.items(), STYLES, strict=False):
        axes.plot(range(len(found)), found, label=name, ms=7, **style)
    for name, level in levels.items():
        axes.axhline(level, color="#444444", ls="--", lw=1, label=name)
    axes.set_xticks(range(len(distances)), distances)
    axes.set(xlabel="words to each side that BERT may see", ylabel="hidden words named", ylim=(0, 1))
    axes.legend(frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))
    axes.spines[["top", "right"]].set_visible(False)
    return figure


def plot_arms(panels: Mapping[str, Mapping[str, Sequence[float]]]) -> Figure:
    """Draw a panel for each experiment: every seed as a dot, the mean as a bar; arms that count neighbours are grey.

    >>> plot_arms({"letters": {"bias": [0.6, 0.61], "left neighbour": [0.3, 0.3]}}).axes[0].get_title()
    'letters'
    """
    figure = new_figure(10.4, 3.3)
    for axes, (title, arms) in zip(figure.subplots(1, len(panels), squeeze=False)[0], panels.items(), strict=True):
        for place, (arm, values) in enumerate(arms.items()):
            middle = sum(values) / len(values)
            axes.barh(place, middle, 0.62, color="#C9CED4" if arm.startswith(COUNTS) else "#9CC9E8")
            axes.plot(values, [place] * len(values), "o", color=BLUE, ms=4.5)
            said = dict(textcoords="offset points", va="center", fontsize=11)
            axes.annotate(f"{100 * middle:.1f} %", (max(values), place), (7, 0), **said)
        names = [f"count, {arm}" if arm.startswith(COUNTS) else arm for arm in arms]
        axes.set_yticks(range(len(arms)), names, fontsize=11)
        axes.set_title(title, fontsize=12)
        axes.set(xlabel="share of the hidden ones named", xlim=(0, 1.25 * max(max(values) for values in arms.values())))
        axes.spines[["top", "right"]].set_visible(False)
        axes.invert_yaxis()
    return figure


def plot_splits(result, arms: Sequence[str], panels: Mapping[str, str], control: str) -> Figure:
    """Draw measures of the stored experiment `masking`, a panel each, with the spread; a control in the first panel.

    >>> from minibert.experiments import stored
    >>> len(plot_splits(stored("masking"), ["80/10/10"], {"accuracy": "named"}, "left neighbour").axes)
    1
    """
    figure = new_figure(9.6, 3.0)
    grid = figure.subplots(1, len(panels), squeeze=False, sharey=True)[0]
    for axes, (measure, title) in zip(grid, panels.items(), strict=True):
        mean, spread = result.mean(measure), result.spread(measure)
        colours = [ORANGE if arm == arms[0] else BLUE for arm in arms]
        axes.barh(arms, [mean[arm] for arm in arms], xerr=[spread[arm] for arm in arms], color=colours, capsize=3)
        axes.set_title(title, fontsize=11)
        axes.set(xlim=(0, None))
        axes.spines[["top", "right"]].set_visible(False)
    grid[0].axvline(result.mean("accuracy")[control], color="black", ls=":", lw=1.5)
    grid[0].invert_yaxis()
    return figure


def plot_mask_rates(result, arms: Sequence[str], controls: Sequence[str]) -> Figure:
    """Draw the stored experiment `mask_rate`: named words by the share that is hidden in training, and all controls.

    >>> from minibert.experiments import stored
    >>> plot_mask_rates(stored("mask_rate"), ["5 %", "15 %"], ["left neighbour"]).axes[0].get_ylabel()
    'named at 15 %'
    """
    figure = new_figure(8.4, 3.4)
    axes = figure.subplots()
    mean, spread = result.mean("accuracy"), result.spread("accuracy")
    percent = [int(arm.split()[0]) for arm in arms]
    look = dict(fmt="o-", color=BLUE, capsize=4, label="BERT, mean and spread")
    axes.errorbar(percent, [mean[arm] for arm in arms], [spread[arm] for arm in arms], **look)
    for control, line, colour in zip(controls, (":", "--", "-."), (GREY, ORANGE, GREEN), strict=False):
        axes.axhline(mean[control], color=colour, ls=line, lw=1.6, label=f"count, {control}")
    axes.set(xlabel="percent of tokens hidden in training", ylabel="named at 15 %")
    axes.set(ylim=(0, 1.1 * max(*(mean[c] for c in controls), *(mean[a] for a in arms))), xticks=percent)
    axes.legend(frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))
    axes.spines[["top", "right"]].set_visible(False)
    return figure
