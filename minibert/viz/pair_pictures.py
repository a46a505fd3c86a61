"""The pictures of chapter 09: pairs and their head, accuracies, gradients, published numbers, BERT's whole training."""

from collections.abc import Mapping, Sequence
from html import escape

from matplotlib.figure import Figure
from torch import Tensor

from minibert.viz.diagram import BLUE, GREY, INK, ORANGE, STYLES, arrow, box, new_diagram, new_figure


def plot_task() -> Figure:
    """A diagram: sentences of a document become A and B, a coin decides where B comes from, a head judges the pair.

    >>> len(plot_task().axes)
    1
    """
    figure, axes = new_diagram(10.0, 4.6, 20, 9.2)
    axes.text(0.1, 8.7, "one document", fontsize=11, color=INK)
    for place in range(6):
        box(axes, 1.2 + 1.7 * place, 7.9, 1.6, 0.8, f"s{place + 1}", "blue" if place < 2 else "yellow", 10)
    axes.text(12.3, 8.7, "another document", fontsize=11, color=INK)
    for place in range(4):
        box(axes, 13.2 + 1.7 * place, 7.9, 1.6, 0.8, f"t{place + 1}", "pink", 10)
    axes.plot([3.75, 3.75], [7.25, 8.55], color=ORANGE, lw=2, ls="--")
    axes.text(3.75, 6.95, "cut", ha="center", va="center", fontsize=11, color=ORANGE)
    for height, source, shade, label in (
        (5.5, "s3 ... s6", "yellow", "label 0: is next"),
        (4.0, "t2 ... t4", "pink", "label 1: random"),
    ):
        box(axes, 5.3, height, 2.6, 0.9, "s1 s2", "blue", 11)
        box(axes, 9.0, height, 3.6, 0.9, source, shade, 11)
        axes.text(11.4, height, label, va="center", fontsize=11, color=INK)
        axes.text(6.95, height, "|", ha="center", va="center", fontsize=12, color=INK)
        arrow(axes, (2.6, 4.75), (3.9, height), bend=-0.1 if height > 5 else 0.1)
    box(axes, 1.5, 4.75, 2.2, 0.9, "coin", "grey", 11)
    axes.text(5.3, 6.2, "A", ha="center", fontsize=12, color=INK)
    axes.text(9.0, 6.2, "B", ha="center", fontsize=12, color=INK)
    steps = (
        ("[CLS] A [SEP] B [SEP]", 4.6, "white", "(T,)"),
        ("BERT", 2.2, "grey", ""),
        ("vector of [CLS]", 3.0, "blue", "(D,)"),
        ("tanh layer", 2.4, "green", "(D,)"),
        ("2 logits", 1.8, "green", "(2,)"),
        ("softmax", 1.8, "white", "(2,)"),
    )
    left = 0.1
    for number, (text, wide, shade, shape) in enumerate(steps):
        box(axes, left + wide / 2, 1.7, wide, 1.0, text, shade, 10.5)
        axes.text(left + wide / 2, 0.8, shape, ha="center", va="center", fontsize=11, color="#5B6673")
        if number < len(steps) - 1:
            arrow(axes, (left + wide, 1.7), (left + wide + 0.75, 1.7))
        left += wide + 0.78
    return figure


def plot_random_share(lengths: Sequence[int], shares: Mapping[str, Sequence[float]]) -> Figure:
    """Shares of pairs by the length of the input (log scale), a line for each kind of share, and a line at one half.

    >>> len(plot_random_share([32, 64], {"random": [0.7, 0.5]}).axes)
    1
    """
    figure = new_figure(7.2, 3.4)
    axes = figure.subplots()
    for (name, found), style in zip(shares.items(), STYLES, strict=False):
        axes.semilogx(lengths, found, label=name, ms=7, **style)
    axes.axhline(0.5, color=GREY, lw=0.8)
    axes.set_xticks(lengths, lengths)
    axes.minorticks_off()
    axes.set(xlabel="tokens of an input (log scale)", ylabel="share of pairs", ylim=(0, 1))
    axes.legend(frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    return figure


def plot_accuracies(
    rows: Mapping[str, tuple[float, float, float]], about: str, floor: tuple[float, str], blue: Sequence[str] = ()
) -> Figure:
    """Accuracies as dots with intervals, a row for each; `floor` is a value and its name, drawn as a line.

    `rows[name]` is (value, low, high); the names in `blue` are drawn blue, the others orange and with another mark.

    >>> len(plot_accuracies({"a": (0.7, 0.6, 0.8)}, "accuracy", (0.5, "chance")).axes)
    1
    """
    figure = new_figure(8.0, 0.42 * len(rows) + 1.0)
    axes = figure.subplots()
    for row, (name, (value, low, high)) in enumerate(rows.items()):
        color, mark = (BLUE, "o") if name in blue else (ORANGE, "s")
        axes.plot([low, high], [row, row], color=color, lw=2)
        axes.plot(value, row, mark, color=color, ms=8)
        said = axes.annotate(f"{value:.2f}", (high, row), (7, 0), textcoords="offset points", va="center", size=10.5)
        said.set_bbox({"facecolor": "white", "edgecolor": "none", "pad": 1})  # the line of `floor` may cross it
    axes.axvline(floor[0], color=GREY, ls=":", lw=1.5)
    axes.text(floor[0] + 0.006, -0.75, floor[1], ha="left", fontsize=10, color="#5B6673")
    axes.set_yticks(range(len(rows)), list(rows))
    axes.set(xlabel=about, ylim=(len(rows) - 0.5, -1))
    axes.set_xlim(0.4, 0.9)
    axes.tick_params(axis="y", length=0)
    axes.spines[["top", "right", "left"]].set_visible(False)
    return figure


def plot_pulls(measured: Tensor) -> Figure:
    """Norms of two gradients and their cosine by block, mean and spread over batches. Shape: (batches, L, 3).

    >>> import torch
    >>> len(plot_pulls(torch.rand(2, 4, 3)).axes)
    2
    """
    figure = new_figure(9.4, 3.2)
    left, right = figure.subplots(1, 2)
    blocks = range(1, measured.shape[1] + 1)
    for column, name in enumerate(("masked words", "next sentence")):
        norms = measured[..., column]
        left.errorbar(blocks, norms.mean(0), norms.std(0), label=name, capsize=4, ms=7, **STYLES[column])
    right.errorbar(blocks, measured[..., 2].mean(0), measured[..., 2].std(0), capsize=4, ms=7, **STYLES[4])
    right.axhline(0, color=GREY, lw=0.8)
    left.set(xlabel="block", ylabel="norm of the gradient", xticks=blocks, ylim=(0, None))
    right.set(xlabel="block", ylabel="cosine of the two", xticks=blocks, ylim=(-1, 1))
    left.legend(frameon=False)
    for axes in (left, right):
        axes.spines[["top", "right"]].set_visible(False)
    return figure


def plot_two_losses(
    log: Sequence[tuple[float, float]], ends: Mapping[str, Sequence[float]], titles: Sequence[str]
) -> Figure:
    """Two losses by step, a panel for each: the batches as dots; `ends[name]` holds a level for each panel, a line.

    >>> len(plot_two_losses([(4.0, 0.7), (3.9, 0.6)], {"end": (4.1, 0.5)}, ("words", "next")).axes)
    2
    """
    figure = new_figure(10.0, 3.6)
    panels = figure.subplots(1, 2)
    for column, (axes, title) in enumerate(zip(panels, titles, strict=True)):
        axes.plot([both[column] for both in log], color=BLUE, marker="o", ms=6, lw=1, label="a training batch")
        for (name, levels), style, color in zip(ends.items(), (":", "--", "-"), (GREY, ORANGE, INK), strict=False):
            axes.axhline(levels[column], color=color, ls=style, lw=1.8, label=name)
        axes.set_title(title, fontsize=12)
        highest = max(one[column] for one in (*log, *ends.values()))
        axes.set(xlabel="step", ylabel="loss (nats)", ylim=(0, 1.15 * highest))
        axes.spines[["top", "right"]].set_visible(False)
    panels[0].legend(frameon=False, loc="lower left", fontsize=11)
    return figure


def plot_published(tables: Mapping[str, Mapping[str, tuple[float, float]]]) -> Figure:
    """Published scores with and without next-sentence prediction: a panel for each paper, a row for each task.

    >>> len(plot_published({"a paper": {"a task": (84.4, 83.9)}}).axes)
    1
    """
    figure = new_figure(10.0, 3.4)
    panels = figure.subplots(1, len(tables), sharex=True, squeeze=False)[0]
    for axes, (title, tasks) in zip(panels, tables.items(), strict=True):
        for row, (before, after) in enumerate(tasks.values()):
            change = after - before
            color, mark = (BLUE, "o") if change > 0 else (ORANGE, "s")
            axes.plot([0, change], [row, row], color=color, lw=2)
            axes.plot(change, row, mark, color=color, ms=8)
            text = f"{change:+.1f}: {before} to {after}"
            axes.annotate(text, (max(change, 0), row), (9, 0), textcoords="offset points", va="center", fontsize=10)
        axes.axvline(0, color=GREY, lw=1)
        axes.set_yticks(range(len(tasks)), list(tasks))
        axes.set_title(title, fontsize=11.5)
        axes.set(xlabel="points gained by training without it", xlim=(-4.2, 4.8), ylim=(len(tasks) - 0.5, -0.5))
        axes.spines[["top", "right"]].set_visible(False)
    return figure


def plot_curves(curves: Mapping[str, Sequence[float]], floor: tuple[float, str]) -> Figure:
    """Losses by step, a line for each name, and a dotted line with a name at `floor`.

    >>> len(plot_curves({"right": [0.7, 0.6]}, (0.69, "ln 2")).axes)
    1
    """
    figure = new_figure(7.2, 3.0)
    axes = figure.subplots()
    for (name, losses), style in zip(curves.items(), (STYLES[1], STYLES[0], STYLES[2]), strict=False):
        axes.plot(losses, label=name, color=style["color"], ls=style["ls"], lw=2)
    axes.axhline(floor[0], color=GREY, ls=":", lw=1.2)
    axes.text(len(next(iter(curves.values()))), floor[0] + 0.02, floor[1], ha="right", fontsize=10, color="#5B6673")
    axes.set(xlabel="step", ylabel="loss (nats)", ylim=(0, floor[0] + 0.15))
    axes.legend(frameon=False, loc="center right")
    axes.spines[["top", "right"]].set_visible(False)
    return figure


def plot_pretraining() -> Figure:
    """A diagram of BERT's pre-training: text to pairs, masks, embeddings, layers, two heads, two losses, one sum.

    >>> len(plot_pretraining().axes)
    1
    """
    figure, axes = new_diagram(10.4, 4.4, 21, 8.4)
    column = (
        (1.5, "texts", "white", "chapter 3"),
        (4.9, "pieces,\npairs A, B", "white", "chapters 3, 9"),
        (8.3, "15 % of the\ntokens hidden", "pink", "chapter 8"),
        (11.7, "token + segment\n+ position, norm", "yellow", "chapter 4"),
        (15.1, "L layers:\nattention,\nfeed-forward\n(chapters 5, 6)", "blue", ""),
    )
    for x, text, shade, chapter in column:
        box(axes, x, 4.2, 2.8, 2.0, text, shade, 10.5)
        axes.text(x, 2.75, chapter, ha="center", va="center", fontsize=10, color="#5B6673")
        if x < 15:
            arrow(axes, (x + 1.4, 4.2), (x + 2.0, 4.2))
    for height, text in ((6.9, "hidden tokens:\nMLM head"), (1.5, "[CLS]:\nNSP head")):
        box(axes, 15.1, height, 2.8, 1.5, text, "green", 10.5)
        arrow(axes, (15.1, 5.2) if height > 5 else (15.1, 3.2), (15.1, 6.15) if height > 5 else (15.1, 2.25))
        name = "cross-entropy\nover V entries" if height > 5 else "cross-entropy\nover 2 labels"
        box(axes, 18.9, height, 2.9, 1.3, name, "white", 10)
        arrow(axes, (16.5, height), (17.45, height))
        arrow(axes, (18.9, height - 0.65 if height > 5 else height + 0.65), (18.9, 4.75 if height > 5 else 3.65))
    box(axes, 18.9, 4.2, 2.2, 1.1, "loss: sum", "grey", 10.5)
    axes.text(16.75, 7.9, "chapter 8", ha="center", fontsize=10, color="#5B6673")
    axes.text(16.75, 0.3, "chapter 9", ha="center", fontsize=10, color="#5B6673")
    return figure


def grid_html(grids: Mapping[str, Tensor], down: Sequence[str], across: Sequence[str], bold: float) -> str:
    """An HTML table of several grids side by side; numbers above `bold` are bold. Shape: each grid (rows, columns).

    >>> import torch
    >>> grid_html({"a": torch.tensor([[0.5, 0.7]])}, ["x"], ["y", "z"], 0.6).count("<b>")
    1
    """
    top = "".join(f'<th colspan="{len(across)}" style="text-align:center">{escape(name)}</th>' for name in grids)
    names = "".join(f"<th>{escape(name)}</th>" for name in across) * len(grids)
    rows = []
    for number, name in enumerate(down):
        values = [value for grid in grids.values() for value in grid[number].tolist()]
        cells = (f"<b>{value:.2f}</b>" if value > bold else f"{value:.2f}" for value in values)
        rows.append(f"<tr><th>{escape(name)}</th>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>")
    head = f"<tr><th></th>{top}</tr><tr><th>trained on | tested on</th>{names}</tr>"
    return f"<table><thead>{head}</thead><tbody>{''.join(rows)}</tbody></table>"
