"""The pictures of chapter 2: an LSTM, ELMo's two readers, who depends on whom, and what the readers find."""

from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch, Rectangle
from torch import Tensor

from minibert.viz.diagram import (
    BLUE,
    GREEN,
    GREY,
    INK,
    ORANGE,
    PINK,
    STYLES,
    YELLOW,
    arrow,
    box,
    new_diagram,
    new_figure,
    plain,
    vector,
)

NOTHING = "#E3E6EA"
LOOKS = ((BLUE, ""), (ORANGE, "//"), (GREEN, ".."), (PINK, "xx"), (GREY, "\\\\"), (YELLOW, "||"))
NETWORKS = (  # of the stored experiment `meeting`, in its order
    "one side",
    "two networks, added",
    "two networks, dense layer",
    "as 3, one layer each",
    "one network, both sides",
    "as 5, one layer",
)
ON_SPEECHES = {  # arm of the stored experiment `bidirectional`: which network, and the share of words it is asked for
    "unigram": ("commonest word", "-"),
    "left to right": ("1. one side", "every word"),
    "concatenated": ("2. two networks, added", "every word"),
    "concatenated, dense": ("3. two networks, dense layer", "every word"),
    "left to right, 15 %": ("1. one side", "15 %"),
    "concatenated, 15 %": ("2. two networks, added", "15 %"),
    "deep": ("5. one network, both sides", "15 %"),
    "deep, 30 %": ("5. one network, both sides", "30 %"),
    "deep, longer": ("5. one network, both sides", "15 %, three times the steps"),
}


def draw_stack(words: Sequence[str] = ("the", "bank", "of", "the", "river")) -> Figure:
    """ELMo as a whole: table, two LSTMs from the left, two from the right, and the three layers of one word, mixed.

    >>> len(draw_stack(("a", "b")).axes)
    1
    """
    T = len(words)
    figure, axes = new_diagram(9.6, 5.2, 2 * T + 5.6, 8.8)
    rows = {1: "blue", 2: "blue", 3.6: "yellow", 4.6: "yellow"}
    for place, word in enumerate(words):
        x = 2 * place + 1
        axes.text(x, 0.15, word, ha="center", fontsize=12, color=INK, fontweight="bold" if place == 1 else "normal")
        box(axes, x, 1.2, 1.5, 0.7, "table", "grey")
        arrow(axes, (x, 0.5), (x, 0.85))
        for y, shade in rows.items():
            box(axes, x, y + 1.5, 1.2, 0.7, "LSTM", shade)
        for low, high in ((1.55, 2.15), (2.85, 3.15), (5.45, 5.75)):
            arrow(axes, (x, low), (x, high))
        axes.plot([x + 0.4, x + 0.8, x + 0.8], [1.55, 1.9, 4.3], color=GREY, lw=1.3)
        arrow(axes, (x + 0.8, 4.3), (x + 0.35, 4.73), color=GREY)
    for place in range(T - 1):
        left, right = 2 * place + 1.6, 2 * place + 2.4
        for y in (2.5, 3.5):
            arrow(axes, (left, y), (right, y), color=BLUE)
        for y in (5.1, 6.1):
            arrow(axes, (right, y), (left, y), color="#B06F00")
    end = 2 * T + 0.3
    axes.text(end, 3.0, "from the left:\nguesses the next word", va="center", fontsize=10.5, color=BLUE)
    axes.text(end, 5.6, "from the right:\nguesses the word before", va="center", fontsize=10.5, color="#8A5600")
    axes.text(end, 1.2, "one vector a word", va="center", fontsize=10.5, color=INK)
    axes.text(0.2, 7.72, "vectors of bank:" if words[1] == "bank" else "vectors:", fontsize=11, color=INK, va="center")
    names = ("table, twice", "layer 1", "layer 2")
    for number, name in enumerate(names):
        x = 4.0 + 2.5 * number
        halves = ["grey"] * 6 if number == 0 else ["blue"] * 3 + ["yellow"] * 3
        vector(axes, x, 7.72, halves, cell=0.26)
        axes.text(x, 7.15, name, ha="center", fontsize=10, color=INK)
        axes.plot([x, x], [7.87, 8.5], color=INK, lw=1.3)  # all three go into the mix
    axes.plot([4.0, 12.6], [8.5, 8.5], color=INK, lw=1.3)
    arrow(axes, (12.6, 8.5), (12.6, 8.12))
    box(axes, 12.6, 7.72, 3.2, 0.8, "mix of three layers", "green", size=10.5)
    return figure


def draw_cell() -> Figure:
    """One step of an LSTM: three gates and a candidate, and what they do to the memory and the state.

    >>> len(draw_cell().axes)
    1
    """
    figure, axes = new_diagram(9.2, 4.0, 14, 6.4)
    axes.plot([0.8, 12.6], [5.2, 5.2], color=BLUE, lw=5, alpha=0.45, solid_capstyle="butt")
    arrow(axes, (12.5, 5.2), (13.2, 5.2), color=BLUE)
    axes.text(0.2, 5.2, "c", fontsize=15, va="center", color=INK)
    axes.text(13.4, 5.2, "c", fontsize=15, va="center", color=INK)
    axes.text(1.0, 5.62, "memory", fontsize=10.5, color=INK)
    gates = ((2.6, "σ", "forget f"), (5.0, "σ", "input i"), (7.4, "tanh", "candidate g"), (10.0, "σ", "output o"))
    for x, act, name in gates:
        box(axes, x, 1.9, 1.5, 0.8, act, "yellow" if act == "σ" else "green", size=12)
        axes.text(x + 0.2, 1.05, name, fontsize=10.5, color=INK, va="center")
        arrow(axes, (x, 0.7), (x, 1.5))
    axes.plot([0.8, 10.0], [0.7, 0.7], color=INK, lw=1.3)
    axes.text(0.2, 0.7, "x, h", fontsize=13, va="center", color=INK, ha="right")
    axes.text(1.0, 0.25, "word and last state", fontsize=10.5, color=INK)
    for x, sign in ((2.6, "×"), (6.2, "+")):
        box(axes, x, 5.2, 0.6, 0.6, sign, "white", size=14)
    box(axes, 6.2, 3.7, 0.6, 0.6, "×", "white", size=14)
    box(axes, 11.6, 2.9, 0.6, 0.6, "×", "white", size=14)
    box(axes, 11.6, 4.1, 1.2, 0.6, "tanh", "green", size=11)
    arrow(axes, (2.6, 2.3), (2.6, 4.9))
    arrow(axes, (5.0, 2.3), (5.95, 3.6))
    arrow(axes, (7.4, 2.3), (6.45, 3.6))
    arrow(axes, (6.2, 4.0), (6.2, 4.9))
    arrow(axes, (11.6, 5.15), (11.6, 4.4))
    arrow(axes, (11.6, 3.8), (11.6, 3.2))
    arrow(axes, (10.75, 2.0), (11.45, 2.6))
    arrow(axes, (11.9, 2.9), (13.2, 2.9))
    axes.text(13.4, 2.9, "h", fontsize=15, va="center", color=INK)
    axes.text(12.1, 2.4, "new state", fontsize=10.5, color=INK)
    axes.set_xlim(-0.9, 14)
    return figure


def draw_letters(word: str = "bankers") -> Figure:
    """A character CNN: letters, filters that slide over them, the largest value of each, and a matrix behind them.

    >>> len(draw_letters("ab").axes)
    1
    """
    figure, axes = new_diagram(9.2, 2.7, 14, 4.2)
    letters = f"<{word}>"
    for place, letter in enumerate(letters):
        box(axes, 0.5 + 0.62 * place, 1.2, 0.52, 0.7, letter, "grey", size=12)
    end = 0.5 + 0.62 * (len(letters) - 1)
    for start, width, y, shade in ((1, 2, 2.2, "blue"), (3, 3, 2.85, "yellow"), (5, 4, 3.5, "green")):
        start = min(start, len(letters) - 1)
        last = min(start + width - 1, len(letters) - 1)
        middle = 0.5 + 0.31 * (start + last)
        box(axes, middle, y, 0.62 * (last - start + 1), 0.45, f"{width} letters", shade, size=9)
        axes.plot([middle, middle], [1.57, y - 0.23], color=GREY, lw=0.8, ls=":")
        arrow(axes, (0.5 + 0.31 * (start + last + 1 + last - start) + 0.05, y), (end + 1.5, y), color=GREY)
        box(axes, end + 2.2, y, 1.3, 0.5, "max", shade, size=10)
        arrow(axes, (end + 2.9, y), (end + 3.8, 2.85))
    axes.text(0.2, 0.35, "each letter has a vector; a filter looks at 2, 3 or 4 letters", fontsize=10.5, color=INK)
    box(axes, end + 4.6, 2.85, 1.5, 0.8, "matrix", "blue", size=11)
    arrow(axes, (end + 5.4, 2.85), (end + 6.0, 2.85))
    vector(axes, end + 6.9, 2.85, ["pink"] * 6, cell=0.28)
    axes.text(end + 6.9, 2.2, "vector of the word", ha="center", fontsize=10, color=INK)
    return figure


def plot_losses(runs: Mapping[str, Sequence[Sequence[float]]], levels: Mapping[str, float], every: int = 10) -> Figure:
    """Losses by training step, means over `every` steps: a line for each seed of each run; `levels` as flat lines.

    >>> len(plot_losses({"a": [[1.0] * 20]}, {"ln V": 2.0}).axes)
    1
    """
    figure = new_figure(8.0, 3.3)
    axes = figure.subplots()
    for (name, seeds), style in zip(
        runs.items(), (dict(color=BLUE, ls="-"), dict(color=ORANGE, ls="--")), strict=False
    ):
        for seed, losses in enumerate(seeds):
            means = [sum(losses[i : i + every]) / every for i in range(0, len(losses) - every + 1, every)]
            places = [every * (i + 0.5) for i in range(len(means))]
            axes.plot(places, means, lw=1.6, label=None if seed else name, **style)
    for (name, loss), style in zip(levels.items(), ("--", ":", "-"), strict=False):
        axes.axhline(loss, color=INK, ls=style, lw=1)
        axes.text(1.0, loss, f" {name}: {loss:.2f}", transform=axes.get_yaxis_transform(), va="center", fontsize=10.5)
    axes.set(xlabel="training step", ylabel="loss, nats a word", ylim=(0, None), xlim=(0, None))
    axes.legend(frameon=False)
    plain(axes)
    return figure


def plot_guesses(panels: Mapping[str, Sequence[tuple[str, float, bool]]]) -> Figure:
    """The best guesses of a reader, a panel for each text: word, probability, and whether it is of the right topic.

    >>> len(plot_guesses({"the ...": [("bank", 0.5, True)]}).axes)
    1
    """
    figure = new_figure(10.0, 2.9)
    grid = figure.subplots(1, len(panels), sharex=True, squeeze=False)[0]
    for axes, (title, guesses) in zip(grid, panels.items(), strict=True):
        for row, (_, chance, right) in enumerate(guesses):
            color, hatch = LOOKS[0] if right else LOOKS[1]
            axes.barh(row, chance, color=color, hatch=hatch, edgecolor="white")
        axes.set_yticks(range(len(guesses)), [word for word, _, _ in guesses], fontsize=11)
        axes.set_title(title, fontsize=11)
        axes.set_xlabel("probability")
        axes.invert_yaxis()
        plain(axes)
    handles = [
        Patch(fc=c, hatch=h, ec="white", label=n) for (c, h), n in zip(LOOKS, ("right topic", "other"), strict=False)
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=2, frameon=False)
    return figure


def draw_grids(grids: Mapping[str, Tensor], rows: str, columns: str) -> Figure:
    """Who depends on whom: a blue square in row i, column j where i depends on j, the diagonal framed.

    Shape: each grid (T, T) bool.

    >>> import torch
    >>> len(draw_grids({"left": torch.ones(3, 3).bool().tril()}, "state of", "depends on").axes)
    1
    """
    figure = new_figure(3.3 * len(grids), 3.5)
    for axes, (title, grid) in zip(figure.subplots(1, len(grids), squeeze=False)[0], grids.items(), strict=True):
        size = len(grid)
        for i in range(size):
            for j in range(size):
                frame = dict(facecolor=BLUE if grid[i, j] else NOTHING, edgecolor=INK if i == j else "white", lw=1.6)
                axes.add_patch(Rectangle((j + 0.07, i + 0.07), 0.86, 0.86, **frame))
        numbers = range(1, size + 1)
        axes.set(xlim=(0, size), ylim=(size, 0), aspect="equal", xlabel=columns, ylabel=rows)
        axes.set_title(title, fontsize=11)
        axes.set_xticks([n - 0.5 for n in numbers], numbers)
        axes.set_yticks([n - 0.5 for n in numbers], numbers)
        axes.tick_params(length=0)
        axes.spines[:].set_visible(False)
    return figure


def draw_meeting() -> Figure:
    """Six networks that look for the duty between a name and a day: which layers read which side, and where they meet.

    >>> len(draw_meeting().axes)
    6
    """
    figure = new_figure(10.4, 6.4)
    for axes, (number, name) in zip(figure.subplots(2, 3).flat, enumerate(NETWORKS, start=1), strict=True):
        axes.set(xlim=(0, 6), ylim=(-0.35, 4.6))
        axes.axis("off")
        axes.set_title(f"{number}. {name}", fontsize=12, color=INK, fontweight="bold")
        like = "GPT" if number == 1 else "ELMo" if number < 5 else "BERT"
        axes.text(0.1, 4.3, f"like {like}", fontsize=11, color="#5B6673", va="center")
        _draw_network(axes, number)
    return figure


def _draw_network(axes: Axes, number: int) -> None:
    """One panel of `draw_meeting`: the words, the layers that read them, what joins both sides, and the duty."""
    layers, one_network = 1 if number in (4, 6) else 2, number > 4
    sides = [(3.0, 5.4, "green", "both sides")] if one_network else [(1.25, 2.3, "blue", "left side")]
    sides += [(4.75, 2.3, "yellow", "right side")] if number in (2, 3, 4) else []
    for x, words in ((1.25, "now ben will"), (3.0, "?"), (4.75, "on monday")):
        unread = number == 1 and x > 4
        axes.text(x, 0.2, words, ha="center", va="center", fontsize=11.5, color=GREY if unread else INK)
        if x != 3.0 and not unread:
            arrow(axes, (x, 0.45), (x, 0.8))
    for x, wide, shade, side in sides:
        for layer in range(layers):
            box(axes, x, 1.1 + 0.85 * layer, wide, 0.6, side, shade, size=11)
        if layers == 2:
            arrow(axes, (x, 1.4), (x, 1.65))
        end = 3.0 if one_network else 2.6 if x < 3.0 else 3.4
        arrow(axes, (x, 0.55 + 0.85 * layers), (end, 2.88))
    text, wide = ("+", 1.6) if number == 2 else ("dense layer", 2.4)
    box(axes, 3.0, 3.18, wide, 0.6, text, "pink", size=15 if number == 2 else 11)
    arrow(axes, (3.0, 3.48), (3.0, 3.95))
    axes.text(3.0, 4.2, "cook", ha="center", va="center", fontsize=12, color=INK, fontweight="bold")


def plot_layers(scores: Mapping[str, Tensor], levels: Mapping[str, float], ylabel: str) -> Figure:
    """Scores by layer, mean and spread over the seeds: a line for each name; `levels` as flat lines.

    Shape: each of scores (seeds, L + 1).

    >>> import torch
    >>> len(plot_layers({"both": torch.ones(3, 3)}, {"chance": 0.5}, "right").axes)
    1
    """
    figure = new_figure(8.6, 3.5)
    axes = figure.subplots()
    for number, ((name, values), style) in enumerate(zip(scores.items(), STYLES, strict=False)):
        x = [layer + 0.05 * (number - 1.5) for layer in range(values.shape[1])]
        axes.errorbar(x, values.mean(0), values.std(0), capsize=3, ms=6, **style)
        axes.plot([], [], label=f"{name}: {values[:, -1].mean():.2f} in the last layer", **style)
    for (name, value), dash in zip(levels.items(), ("-.", ":"), strict=False):
        axes.axhline(value, color=INK, ls=dash, lw=1.2, label=f"{name}: {value:.2f}")
    axes.set(xlabel="layer (0: the table)", ylabel=ylabel, xticks=range(values.shape[1]), ylim=(0.4, 1.03))
    axes.legend(frameon=False, loc="center left", bbox_to_anchor=(1.02, 0.5))
    plain(axes)
    return figure


def plot_groups(
    bars: Mapping[str, Tensor], ticks: Sequence[str], ylabel: str, levels: Mapping[str, float] | None = None
) -> Figure:
    """Groups of bars, mean and spread over the seeds: a group for each tick, a bar for each name; `levels` as lines.

    Shape: each of the values (seeds, ticks).

    >>> import torch
    >>> len(plot_groups({"ELMo": torch.ones(3, 2)}, ["shown", "hidden"], "share").axes)
    1
    """
    figure = new_figure(9.0, 3.7)
    axes, wide = figure.subplots(), 0.8 / len(bars)
    high = 0.065 * max(float((values.mean(0) + values.std(0)).max()) for values in bars.values())  # of a number
    for number, ((name, values), (color, hatch)) in enumerate(zip(bars.items(), LOOKS, strict=False)):
        x = [tick + wide * (number - (len(bars) - 1) / 2) for tick in range(len(ticks))]
        mean, spread = values.mean(0).tolist(), values.std(0).tolist()
        axes.bar(x, mean, 0.93 * wide, yerr=spread, color=color, hatch=hatch, ec="white", capsize=3, label=name)
        for at, value, error in zip(x, mean, spread, strict=True):
            place = dict(xytext=(0, 3), textcoords="offset points", ha="center", fontsize=10)
            top = value + error
            for level in sorted((levels or {}).values()):
                top = level if top < level < top + high else top  # no line runs through a number
            axes.annotate(f"{value:.2f}", (at, top), **place)
    for (name, value), dash in zip((levels or {}).items(), ("--", ":"), strict=False):
        axes.axhline(value, color=INK, ls=dash, lw=1.1, label=f"{name}: {value:.2f}")
    axes.set_xticks(range(len(ticks)), ticks)
    axes.set_ylabel(ylabel)
    axes.margins(y=0.12)
    figure.legend(loc="outside lower center", ncols=4, frameon=False)
    plain(axes)
    return figure


def plot_arms(panels: Mapping[str, Mapping[str, Sequence[float]]], levels: Mapping[str, float] | None = None) -> Figure:
    """Stored results, mean and spread over the seeds: a panel for each measure, a bar for each arm, each seed a dot.

    >>> len(plot_arms({"found": {"deep": [1.0, 0.9, 1.0]}}, {"found": 0.3}).axes)
    1
    """
    rows = max(len(arms) for arms in panels.values())
    figure = new_figure(9.6, 0.9 + 0.36 * rows)
    for axes, (title, arms) in zip(figure.subplots(1, len(panels), squeeze=False)[0], panels.items(), strict=True):
        for row, values in enumerate(arms.values()):
            mean = sum(values) / len(values)
            axes.barh(row, mean, color=BLUE, alpha=0.75, height=0.66)
            axes.plot(values, [row] * len(values), "o", color=INK, ms=4, mfc="white")
            axes.text(max(values) + 0.02 * max(map(max, arms.values())), row, f"{mean:.2f}", va="center", fontsize=10)
        axes.set_yticks(range(len(arms)), list(arms), fontsize=10)
        axes.invert_yaxis()
        axes.set_xlim(0, 1.15 * max(map(max, arms.values())))
        axes.set_xlabel(title)
        if levels and title in levels:
            axes.axvline(levels[title], color=INK, ls=":", lw=1.2)
        plain(axes)
    return figure
