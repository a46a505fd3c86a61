"""The pictures of chapter 11: a reader and its logits, all spans of a text, windows, pieces of words, and results."""

from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch, Rectangle
from torch import Tensor

from minibert.tasks.span_qa import Window
from minibert.viz.diagram import BLUE, GREEN, GREY, ORANGE, YELLOW, new_figure
from minibert.viz.page import for_matplotlib

LIT = "#F5D0A9"  # the ground of an answer


def plot_reader(tokens: Sequence[str], segments: Sequence[int], logits: Tensor, answer: tuple[int, int]) -> Figure:
    """What a span reader is: tokens with their segments, the encoder, and a start and an end logit for each token.

    Shape: logits (T, 2); `answer` is the first and the last token of the span that lights up.

    >>> import torch
    >>> figure = plot_reader(["[CLS]", "who", "[SEP]", "anna", "[SEP]"], [0, 0, 0, 1, 1], torch.zeros(5, 2), (3, 3))
    >>> len(figure.axes[0].patches)  # 5 tokens, 5 times 2 logits, the encoder
    16
    """
    count = len(tokens)
    figure = new_figure(0.74 * count + 1.0, 3.9)
    axes = figure.subplots()
    high = float(logits.max())
    for place, (token, segment) in enumerate(zip(tokens, segments, strict=True)):
        inside = answer[0] <= place <= answer[1]
        _box(axes, place - 0.45, 0.0, 0.9, 0.55, "#DCEAF6" if segment == 0 else "#FBE7CF", token, 11, inside)
        axes.text(place, 0.72, str(segment), ha="center", fontsize=9, color=GREY)
        axes.annotate("", (place, 1.25), (place, 0.95), arrowprops=dict(arrowstyle="->", color=GREY, lw=0.8))
        axes.annotate("", (place, 2.35), (place, 2.05), arrowprops=dict(arrowstyle="->", color=GREY, lw=0.8))
        for row, (color, value) in enumerate(zip((BLUE, ORANGE), logits[place].tolist(), strict=True)):
            size = max(0.03, 0.8 * value / max(high, 1e-6)) if value > 0 else 0.03
            axes.add_patch(Rectangle((place - 0.3, 2.5 + 1.2 * row), 0.6, size, color=color, lw=0))
            axes.text(place, 2.52 + 1.2 * row + size, f"{value:.0f}", ha="center", va="bottom", fontsize=9)
    _box(axes, -0.45, 1.3, count - 0.1, 0.7, "#E3E6EA", "encoder: one state of width D for each token", 12)
    for y, text in ((0.28, "token"), (0.8, "segment"), (1.65, ""), (2.7, "start logit"), (3.9, "end logit")):
        axes.text(-0.7, y, text, ha="right", va="center", fontsize=11)
    axes.set(xlim=(-2.1, count - 0.4), ylim=(-0.1, 4.9))
    axes.axis("off")
    return figure


def _box(axes: Axes, x, y, wide, high, color, text, size, bold=False) -> None:
    axes.add_patch(FancyBboxPatch((x, y), wide, high, boxstyle="round,pad=0,rounding_size=0.1", fc=color, ec="none"))
    weight = "bold" if bold else "normal"
    axes.text(x + wide / 2, y + high / 2, for_matplotlib(text), ha="center", va="center", fontsize=size, weight=weight)


def plot_spans(logits: Tensor, longest: int, tokens: Sequence[str]) -> Figure:
    """The score of every span of a text: its first token by row, its last by column; grey spans do not count.

    Shape: logits (T, 2) of the text's T tokens.

    >>> import torch
    >>> plot_spans(torch.randn(9, 2, generator=torch.Generator().manual_seed(0)), 4, ["a"] * 9).axes[0].get_xlabel()
    'last token'
    """
    count = len(logits)
    scores = logits[:, :1] + logits[:, 1]  # (T, T)
    valid = scores.new_ones(count, count).triu().tril(longest - 1).bool()
    figure = new_figure(0.17 * count + 2.2, 0.17 * count + 1.0)
    axes = figure.subplots()
    extent = (-0.5, count - 0.5, count - 0.5, -0.5)
    axes.imshow((~valid).numpy(), cmap=ListedColormap(["#FFFFFF", "#D9DCE0"]), extent=extent)
    shown = axes.imshow(scores.masked_fill(~valid, float("nan")).numpy(), cmap="viridis", extent=extent)
    row, column = divmod(int(scores.masked_fill(~valid, -float("inf")).argmax()), count)
    axes.plot(column, row, marker="o", ms=13, mfc="none", mec=ORANGE, mew=2.5, ls="")
    figure.colorbar(shown, ax=axes, label="start logit + end logit", shrink=0.7)
    words = [for_matplotlib(token) for token in tokens]
    axes.set_xticks(range(count), words, rotation=90, fontsize=9)
    axes.set_yticks(range(count), words, fontsize=9)
    axes.set(xlabel="last token", ylabel="first token")
    return figure


def plot_windows(cut: Sequence[Window]) -> Figure:
    """Windows over a text: which of its tokens each one holds (pale), and for which it is the one that counts (dark).

    >>> window = Window((2, 3, 7, 8), (0,) * 4, (None, None, (0, 3), (4, 7)), (False, False, True, True))
    >>> plot_windows([window]).axes[0].get_xlabel()
    'token of the text'
    """
    every = sorted({span for window in cut for span in window.spans if span is not None})
    numbers = {span: number for number, span in enumerate(every)}
    figure = new_figure(9.2, 0.5 * len(cut) + 1.3)
    axes = figure.subplots()
    for row, window in enumerate(cut):
        held = [numbers[span] for span in window.spans if span is not None]
        own = [numbers[s] for s, central in zip(window.spans, window.central, strict=True) if central]
        axes.barh(row, held[-1] - held[0] + 1, left=held[0] - 0.5, height=0.7, color="#CDE5F5")
        if own:
            axes.barh(row, own[-1] - own[0] + 1, left=own[0] - 0.5, height=0.7, color=BLUE)
    for label, color in (("in the window", "#CDE5F5"), ("counts in this window", BLUE)):
        axes.barh(0, 0, color=color, label=label)
    axes.set_yticks(range(len(cut)), [f"window {row + 1}" for row in range(len(cut))], fontsize=11)
    axes.set(xlabel="token of the text", ylim=(len(cut) - 0.5, -0.5), xlim=(-1, len(every)))
    axes.spines[["top", "right"]].set_visible(False)
    figure.legend(loc="outside upper center", ncols=2, frameon=False, fontsize=11)
    return figure


def plot_pieces(words: Sequence[str], pieces: Sequence[Sequence[str]], tags: Sequence[str]) -> Figure:
    """Words over their pieces; the first piece of a word has its tag, the others have none.

    >>> figure = plot_pieces(["Emily", "met"], [["em", "##ily"], ["met"]], ["B-person", "O"])
    >>> [text.get_text() for text in figure.axes[0].texts][:4]
    ['[CLS]', 'Emily', 'em', 'B-person']
    """
    count = sum(map(len, pieces)) + 2
    figure = new_figure(max(6.0, 0.72 * count + 1.0), 2.6)
    axes = figure.subplots()
    place = 1
    _box(axes, -0.45, 1.0, 0.9, 0.6, "#E3E6EA", "[CLS]", 10)
    for word, parts, tag in zip(words, pieces, tags, strict=True):
        color = "#FBE7CF" if tag != "O" else "#DCEAF6"
        _box(axes, place - 0.45, 2.3, len(parts) - 0.1, 0.6, color, word, 11)
        for number, part in enumerate(parts):
            _box(axes, place + number - 0.45, 1.0, 0.9, 0.6, color, part, 10)
            middle = place + (len(parts) - 1) / 2
            axes.plot([middle, place + number], [2.28, 1.62], color=GREY, lw=0.9)
            said, tone = (tag, "#000000") if number == 0 else ("–100", GREY)
            axes.text(place + number, 0.45, said, ha="center", va="center", fontsize=9, color=tone, rotation=18)
        place += len(parts)
    _box(axes, place - 0.45, 1.0, 0.9, 0.6, "#E3E6EA", "[SEP]", 10)
    for x in (0, place):
        axes.text(x, 0.45, "–100", ha="center", va="center", fontsize=9, color=GREY, rotation=18)
    for y, text in ((2.6, "word"), (1.3, "token"), (0.45, "label")):
        axes.text(-0.65, y, text, ha="right", va="center", fontsize=11)
    axes.set(xlim=(-1.7, place + 0.6), ylim=(-0.2, 3.2))
    axes.axis("off")
    return figure


def plot_arms(measured: Mapping[str, Mapping[str, Sequence[float]]], arms: Sequence[str]) -> Figure:
    """A panel for each measure from 0 to 1: a bar for the mean of each arm, a dot for each seed, the mean as a number.

    `measured` holds the numbers of all seeds, by the panel's title and the arm; an arm may be missing in a panel.

    >>> plot_arms({"F1": {"a": [0.25, 0.5]}}, ["a"]).axes[0].get_title(loc="left")
    'F1'
    """
    figure = new_figure(10, 0.42 * len(arms) + 1.1)
    panels = figure.subplots(1, len(measured), sharey=True, squeeze=False)[0]
    colors = (GREY, GREY, YELLOW, YELLOW, GREEN, BLUE, ORANGE)[-len(arms) :]
    for axes, (title, values) in zip(panels, measured.items(), strict=True):
        for row, (arm, color) in enumerate(zip(arms, colors, strict=True)):
            if arm not in values:
                axes.text(0.02, row, "not measured", va="center", fontsize=10, color=GREY)
                continue
            mean = sum(values[arm]) / len(values[arm])
            axes.barh(row, mean, height=0.66, color=color, alpha=0.55)
            axes.plot(values[arm], [row] * len(values[arm]), ls="", marker="o", ms=4, color="#1c2530")
            axes.text(max(values[arm]) + 0.02, row, f"{mean:.2f}", va="center", fontsize=10.5)
        axes.set_title(title, fontsize=11, loc="left")
        axes.set(xlim=(0, 1.16), ylim=(len(arms) - 0.5, -0.5))
        axes.spines[["top", "right"]].set_visible(False)
    panels[0].set_yticks(range(len(arms)), arms, fontsize=11)
    return figure
