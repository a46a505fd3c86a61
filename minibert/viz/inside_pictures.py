"""The pictures of chapter 7: where one can look into a block, and what is found there, by layer and by head."""

from collections.abc import Mapping, Sequence
from itertools import pairwise

from matplotlib.figure import Figure
from torch import Tensor

from minibert.viz.diagram import BLUE, GREY, INK, ORANGE, STYLES, arrow, box, new_diagram, new_figure
from minibert.viz.page import for_matplotlib

TAPS = (  # where one looks: x of the place in the block, how far down, what is there, and in which section
    (1.0, "states\n(L + 1, T, D)", "sections 4, 5"),
    (4.6, "attention weights\n(L, H, T, T)", "sections 1, 6, 7"),
    (7.6, "weights × values × W_out\nvectors that arrive", "sections 2, 3"),
)


def plot_taps() -> Figure:
    """One block from left to right, and the three places at which the chapter looks into it.

    >>> len(plot_taps().axes)
    1
    """
    figure, axes = new_diagram(11, 3.7, 16, 5.4)
    wides = (0.7, 1.1, 1.3, 0.9, 1.1, 0.9, 0.9, 1.2, 0.7, 0.9)
    steps = ((1.0, "x", "white"), (2.7, "query\nkey\nvalue", "blue"), (4.6, "weights", "blue"), (6.4, "mix", "blue"))
    steps += ((7.9, "W_out", "blue"), (9.4, "+ x", "yellow"), (10.7, "norm", "grey"), (12.3, "feed-\nforward", "blue"))
    steps += ((13.7, "+", "yellow"), (14.9, "norm", "grey"))
    for (x, text, shade), wide in zip(steps, wides, strict=True):
        box(axes, x, 3.4, wide, 0.75 + 0.25 * text.count("\n"), text, shade, 11)
    ends = [(x - wide / 2, x + wide / 2) for (x, *_), wide in zip(steps, wides, strict=True)]
    for (_, end), (start, _) in pairwise(ends):
        arrow(axes, (end + 0.03, 3.4), (start - 0.03, 3.4))
    arrow(axes, (1.0, 3.85), (9.4, 3.85), ORANGE, bend=-0.16)
    arrow(axes, (11.4, 3.5), (13.7, 3.85), ORANGE, bend=-0.6)
    axes.text(0.3, 5.1, "one block of L", fontsize=11, color="#444444", style="italic")
    for x, what, where in TAPS:
        arrow(axes, (x, 2.7), (x, 1.75), BLUE)
        axes.text(x, 1.6, what, ha="center", va="top", fontsize=11, color=INK)
        axes.text(x, 0.25, where, ha="center", fontsize=11, color="#444444", style="italic")
    control = "control: the same places in an\nuntrained model of the same shape"
    axes.text(12.3, 1.6, control, ha="center", va="top", fontsize=11)
    return figure


def plot_bars(tokens: Sequence[str], columns: Mapping[str, Sequence[float]]) -> Figure:
    """A bar for each token, a panel for each title; every panel has its own scale.

    >>> len(plot_bars(["a", "b"], {"weight": [0.1, 0.9], "norm": [2.0, 1.0]}).axes)
    2
    """
    figure = new_figure(9.2, 0.9 + 0.27 * len(tokens))
    grid = figure.subplots(1, len(columns), sharey=True, squeeze=False)[0]
    for axes, (title, values), color in zip(grid, columns.items(), (BLUE, ORANGE), strict=False):
        axes.barh(range(len(tokens)), values, color=color)
        axes.set_yticks(range(len(tokens)), [for_matplotlib(token) for token in tokens])
        axes.set_title(title, fontsize=11)
        axes.spines[["top", "right"]].set_visible(False)
    grid[0].invert_yaxis()
    return figure


def plot_curves(
    lines: Mapping[str, Tensor],
    ylabel: str,
    levels: Mapping[str, float] | None = None,
    xlabel: str = "layer (0: embeddings)",
) -> Figure:
    """A line over layers for each name, its mean and band (one standard error) if it has an axis of repeats.

    Shape: lines: name -> (layers,) or (layers, repeats). `levels` are drawn as thin level lines.

    >>> import torch
    >>> len(plot_curves({"a": torch.rand(7), "b": torch.rand(7, 5)}, "share", levels={"chance": 0.5}).axes[0].lines)
    3
    """
    figure = new_figure(9.2, 3.3)
    axes = figure.subplots()
    for (name, values), style in zip(lines.items(), STYLES, strict=False):
        mean = values if values.dim() == 1 else values.mean(1)
        axes.plot(range(len(mean)), mean, label=name, ms=7, **style)
        if values.dim() == 2:
            error = values.std(1) / values.shape[1] ** 0.5
            axes.fill_between(range(len(mean)), mean - error, mean + error, color=style["color"], alpha=0.18)
    for (name, level), dash in zip((levels or {}).items(), (":", "--", "-."), strict=False):
        axes.axhline(level, color=GREY, ls=dash, lw=1.5, label=name)
    axes.set(xlabel=xlabel, ylabel=ylabel)
    axes.legend(frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))
    axes.spines[["top", "right"]].set_visible(False)
    return figure


def plot_head_scores(scores: Mapping[str, Tensor]) -> Figure:
    """A map of layers and heads for each kind of score, all on one scale from 0 to 1.

    Shape: scores: name -> (L, H).

    >>> import torch
    >>> len(plot_head_scores({"previous": torch.rand(6, 12), "next": torch.rand(6, 12)}).axes)
    3
    """
    figure = new_figure(11, 2.9)
    grid = figure.subplots(1, len(scores), sharey=True, squeeze=False)[0]
    for axes, (name, values) in zip(grid, scores.items(), strict=True):
        image = axes.imshow(values, cmap="Blues", vmin=0, vmax=1, aspect="auto")
        axes.set(title=name, xlabel="head", xticks=range(0, values.shape[1], 2), yticks=range(len(values)))
    grid[0].set_ylabel("layer")
    figure.colorbar(image, ax=grid, label="score", shrink=0.8)
    return figure


def plot_single_heads(heads: Mapping[str, Tensor], levels: Mapping[str, float]) -> Figure:
    """How well each single head does, a column for each layer; level lines for what all heads and competitors reach.

    Shape: heads: name -> (L, H).

    >>> import torch
    >>> len(plot_single_heads({"trained": torch.rand(6, 12)}, {"mean of heads": 0.7}).axes)
    1
    """
    figure = new_figure(9.6, 3.8)
    axes = figure.subplots()
    for number, ((name, values), style) in enumerate(zip(heads.items(), STYLES, strict=False)):
        for layer, row in enumerate(values):
            middle = layer + 0.29 * (number - (len(heads) - 1) / 2)
            places = [middle + 0.02 * (place - len(row) / 2) for place in range(len(row))]
            look = dict(color=style["color"], marker=style["marker"], s=26, alpha=0.75)
            axes.scatter(places, row.sort().values, label=None if layer else name, **look)
    for (name, level), dash in zip(levels.items(), ("-", "--", "-.", ":"), strict=False):
        axes.axhline(level, color="black", ls=dash, lw=1.3, label=name)
    axes.set(xlabel="layer", ylabel="rank correlation\nwith the effect")
    axes.legend(frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))
    axes.spines[["top", "right"]].set_visible(False)
    return figure


def plot_taken_out(scores: Tensor, moved: Tensor, twin: tuple[Tensor, Tensor], named: Mapping[str, tuple]) -> Figure:
    """What a head looks at against how far the states move without it, a mark for each head; the twin's are crosses.

    Shape: scores and moved (L, H), `twin` has the same two; `named` gives some heads a name: (layer, head).

    >>> import torch
    >>> one = torch.full((6, 12), 0.5)
    >>> len(plot_taken_out(one, one, (one, one), {"a head": (0, 2)}).axes)
    1
    """
    figure = new_figure(9.2, 3.7)
    axes = figure.subplots()
    for layer, style in zip(range(len(scores)), STYLES, strict=False):
        look = dict(color=style["color"], marker=style["marker"], s=42, alpha=0.8)
        axes.scatter(scores[layer], moved[layer], label=f"layer {layer}", **look)
    axes.scatter(*twin, color=GREY, marker="x", s=22, lw=0.8, label="twin, all layers")
    for name, (layer, head) in named.items():
        x, y = scores[layer, head].item(), moved[layer, head].item()
        line = dict(arrowstyle="-", color=INK, lw=0.7)
        above = dict(textcoords="offset points", arrowprops=line, fontsize=10, color=INK)
        axes.annotate(for_matplotlib(name), (x, y), (-24, 44), **above)
    axes.set(xlabel="attention of the words to [CLS]", xlim=(0, 1), yscale="log")
    axes.set_ylabel("how far the last vectors move\nwithout the head (log scale)")
    axes.legend(frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))
    axes.spines[["top", "right"]].set_visible(False)
    return figure
