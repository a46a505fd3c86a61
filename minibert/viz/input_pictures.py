"""The pictures of chapter 04: the way from ids to vectors, rows of tables, cosines of positions, norms, padding."""

from collections.abc import Mapping, Sequence

import torch
from matplotlib.figure import Figure
from torch import Tensor

from minibert.viz.diagram import BLUE, GREY, INK, ORANGE, PINK, STYLES, arrow, box, new_diagram, new_figure, plain
from minibert.viz.page import for_matplotlib

PAIR = (("[CLS]", "the", "bank", "[SEP]", "i", "swam", "[SEP]"), 4)  # a pair, and where its second text begins
STEPS = ("three look-ups", "sum", "layer norm", "dropout (training only)")


def plot_inputs(tokens: Sequence[str] = PAIR[0], second: int = PAIR[1]) -> Figure:
    """A diagram of BERT's input: a token, a segment and a position row for each token, their sum, norm and dropout.

    `second` is the place at which the second text begins.

    >>> len(plot_inputs().axes)
    1
    """
    figure, axes = new_diagram(9.6, 4.6, len(tokens) + 4.2, 6.4)
    rows = (
        (5.1, "blue", "token rows", [f"E[{word}]" if len(word) < 5 else f"E{word}" for word in tokens]),
        (4.2, "green", "segment rows", ["A" if place < second else "B" for place in range(len(tokens))]),
        (3.3, "yellow", "position rows", [f"P{place}" for place in range(len(tokens))]),
    )
    for place, word in enumerate(tokens):
        axes.text(place + 2.3, 6.05, for_matplotlib(word), ha="center", va="center", fontsize=11, color=INK)
        arrow(axes, (place + 2.3, 5.85), (place + 2.3, 5.43))
        for height in (4.65, 3.75):
            axes.text(place + 2.3, height, "+", ha="center", va="center", fontsize=12, color=INK)
        arrow(axes, (place + 2.3, 2.97), (place + 2.3, 2.6))
    axes.text(1.6, 6.05, "tokens", ha="right", va="center", fontsize=11, color=INK)
    for height, shade, name, texts in rows:
        axes.text(1.6, height, name, ha="right", va="center", fontsize=11, color=INK)
        for place, text in enumerate(texts):
            box(axes, place + 2.3, height, 0.92, 0.6, text, shade, 9.5)
    middle, wide = 2.3 + (len(tokens) - 1) / 2, len(tokens) - 0.08
    lower = (("x, the sum of the three rows", "white"), ("layer norm, token by token", "grey"), (STEPS[3], "pink"))
    for height, (text, shade) in zip((2.3, 1.45, 0.6), lower, strict=True):
        box(axes, middle, height, wide, 0.55, text, shade, 10.5)
    arrow(axes, (middle, 2.02), (middle, 1.74))
    arrow(axes, (middle, 1.17), (middle, 0.89))
    arrow(axes, (middle, 0.32), (middle, 0.02))
    for height, text in (
        (6.05, "T ids"),
        (4.2, "three times (T, D)"),
        (2.3, "(T, D)"),
        (1.45, "(T, D)"),
        (0.6, "(T, D)"),
    ):
        axes.text(len(tokens) + 1.95, height, text, ha="left", va="center", fontsize=11, color="#5B6673")
    return figure


def plot_rows(parts: Mapping[str, Tensor], tokens: Sequence[str], columns: int = 48) -> Figure:
    """Rows of vectors as coloured cells, a panel for each kind, each with a colour scale of its own.

    The scale of a panel ends where 97 % of its numbers end, so that one large number hides nothing; the title says it.
    Shape: each part (T, D); the first `columns` of D are drawn.

    >>> len(plot_rows({"token": torch.ones(2, 60), "sum": torch.ones(2, 60)}, ["a", "b"]).axes)
    2
    """
    figure = new_figure(10.4, 4.0)
    panels = figure.subplots(1, len(parts), sharey=True, squeeze=False)[0]
    for panel, (name, part) in zip(panels, parts.items(), strict=True):
        shown = part[:, :columns]
        most = shown.abs().quantile(0.97).item()
        panel.imshow(shown, cmap="RdBu_r", vmin=-most, vmax=most, aspect="auto", interpolation="none")
        panel.set_title(f"{name}\nblue -{most:.2f} to red +{most:.2f}", fontsize=11)
        panel.set(xlabel="column", xticks=(0, columns // 2))
    panels[0].set_yticks(range(len(tokens)), [for_matplotlib(token) for token in tokens])
    return figure


def plot_cosines(values: Mapping[str, Tensor], about: str) -> Figure:
    """Histograms of cosines, one below the other on one axis from -1 to 1; each is as high as its own largest bar.

    >>> len(plot_cosines({"a": torch.zeros(5), "b": torch.ones(5)}, "cosine").axes)
    2
    """
    figure = new_figure(7.6, 1.1 * len(values) + 0.7)
    panels = figure.subplots(len(values), 1, sharex=True, squeeze=False)[:, 0]
    for panel, (name, found), style in zip(panels, values.items(), STYLES, strict=False):
        panel.hist(found.numpy(), bins=201, range=(-1, 1), color=style["color"])
        size = found.pow(2).mean().sqrt().item()
        panel.text(0.99, 0.62, f"{name}\ntypical size {size:.3f}", transform=panel.transAxes, ha="right", fontsize=10.5)
        panel.set(yticks=(), xlim=(-1, 1))
        panel.spines[["top", "right", "left"]].set_visible(False)
    panels[-1].set_xlabel(about)
    return figure


def plot_by_width(widths: Sequence[int], shares: Sequence[float], learned: tuple[int, float]) -> Figure:
    """The share of sums that can be taken apart by the width of the tables; `learned` is one more width and share.

    >>> len(plot_by_width([2, 4], [0.0, 1.0], (8, 1.0)).axes)
    1
    """
    figure = new_figure(7.2, 3.2)
    axes = figure.subplots()
    axes.semilogx(widths, shares, base=2, label="random tables", ms=7, **STYLES[1])
    axes.plot([learned[0]], [learned[1]], "o", color=BLUE, ms=9, label="MiniLM's tables")
    axes.set(xlabel="width D (log scale)", ylabel="share of sums with\nword and position right", ylim=(-0.03, 1.05))
    axes.set_xticks([*widths, learned[0]], [*widths, learned[0]])
    axes.legend(frameon=False, loc="center right")
    plain(axes)
    return figure


def plot_columns(table: Tensor, columns: Sequence[tuple[int, int]]) -> Figure:
    """Columns of a position table against the position; of each column its number and up to which row it is drawn.

    Row 0 is left out, which stands outside the scale. Shape: table (P, D).

    >>> len(plot_columns(torch.ones(9, 2), [(0, 9), (1, 5)]).axes)
    2
    """
    figure = new_figure(10.4, 2.6)
    panels = figure.subplots(1, len(columns), squeeze=False, sharey=True)[0]
    for panel, (column, stop) in zip(panels, columns, strict=True):
        panel.axhline(0, color=GREY, lw=0.8)
        panel.plot(range(1, stop), table[1:stop, column], color=BLUE, lw=1.2, marker="." if stop < 100 else None)
        panel.set_title(f"column {column}, positions 1 to {stop - 1}", fontsize=11.5)
        panel.set_xlabel("position")
        plain(panel)
    panels[0].set_ylabel("number in the table")
    return figure


def plot_maps(maps: Mapping[str, Tensor]) -> Figure:
    """Squares of cosines, one beside the other with one scale from -1 to 1.

    >>> len(plot_maps({"a": torch.eye(3), "b": torch.eye(4)}).axes)
    3
    """
    figure = new_figure(10.4, 3.8)
    panels = figure.subplots(1, len(maps), squeeze=False)[0]
    for panel, (name, cosines) in zip(panels, maps.items(), strict=True):
        picture = panel.imshow(cosines, cmap="RdBu_r", vmin=-1, vmax=1)
        panel.set_title(name, fontsize=11.5)
        panel.set_xlabel("position")
    panels[0].set_ylabel("position")
    figure.colorbar(picture, ax=panels, shrink=0.8, label="cosine")
    return figure


def plot_by_distance(lines: Mapping[str, Sequence[float]], marks: Mapping[int, str]) -> Figure:
    """The mean cosine of rows by their distance, from 1 to the end; `marks` names some distances.

    >>> len(plot_by_distance({"a": [1.0, 0.5, -0.5]}, {3: "the end"}).axes)
    1
    """
    figure = new_figure(9.2, 3.5)
    axes = figure.subplots()
    for (name, found), style in zip(lines.items(), STYLES, strict=False):
        wide = 1.4 if style["color"] == BLUE else 1.8
        axes.plot(range(1, len(found) + 1), found, label=name, lw=wide, color=style["color"], ls=style["ls"])
    axes.axhline(0, color=GREY, lw=0.8)
    for distance, text in marks.items():
        axes.axvline(distance, color=INK, lw=0.9, ls=":")
        axes.text(distance + 4, 0.96, text, fontsize=10.5, va="top", color=INK)
    axes.set(xlabel="distance in positions", ylabel="mean cosine", ylim=(-1.02, 1.02))
    axes.set_xlim(0, max(map(len, lines.values())) + 2)
    axes.legend(frameon=False, loc="lower right", ncols=len(lines))
    plain(axes)
    return figure


def plot_norms(before: Sequence[float], after: Sequence[float], tokens: Sequence[str]) -> Figure:
    """The norm of each token's vector before and after a layer norm, on one axis (log scale).

    >>> len(plot_norms([1.0, 2.0], [4.0, 4.0], ["a", "b"]).axes)
    1
    """
    figure = new_figure(8.2, 4.2)
    axes, rows = figure.subplots(), range(len(tokens))
    axes.hlines(rows, before, after, color=GREY, lw=1)
    axes.plot(before, rows, "o", color=BLUE, ms=7, label="the sum")
    axes.plot(after, rows, "s", color=ORANGE, ms=7, label="after centring and scaling")
    axes.set_xscale("log", base=2)
    ticks = [1, 2, 4, 8, 16]
    axes.set_xticks(ticks, [str(tick) for tick in ticks])
    axes.set_yticks(rows, [for_matplotlib(token) for token in tokens])
    axes.invert_yaxis()
    axes.set(xlabel="norm of the vector (log scale)", xlim=(0.9, 32))
    axes.legend(frameon=False, loc="upper center", bbox_to_anchor=(0.5, 1.14), ncols=2)
    plain(axes)
    return figure


def plot_padding(lengths: Tensor, sizes: Sequence[int], shares: Mapping[str, Sequence[float]]) -> Figure:
    """The cells of one batch, and the share of padding by the size of a batch. Shape: lengths (B,).

    >>> len(plot_padding(torch.tensor([3, 1]), [1, 2], {"random order": [0.0, 0.3]}).axes)
    2
    """
    figure = new_figure(10.0, 3.6)
    left, right = figure.subplots(1, 2)
    real = torch.arange(int(lengths.max())) < lengths[:, None]
    left.imshow(real, cmap="Blues", vmax=1.4, aspect="auto", interpolation="none")
    left.set_title("one batch: tokens blue, padding white", fontsize=11.5)
    left.set(xlabel="place in the row", ylabel="text")
    for (name, found), style in zip(shares.items(), (STYLES[1], STYLES[0], STYLES[2]), strict=False):
        right.plot(sizes, found, label=name, ms=6, **style)
    right.set_xscale("log", base=2)
    right.set_xticks(sizes, sizes)
    right.set(xlabel="texts in a batch (log scale)", ylabel="share of padding", ylim=(-0.03, 1))
    right.legend(frameon=False)
    plain(right)
    return figure


def plot_packing(texts: Sequence[Sequence[str]]) -> Figure:
    """A diagram: a rectangle of texts with padding, and below it the same tokens in one row with their borders.

    >>> len(plot_packing([["a", "b"], ["c"]]).axes)
    1
    """
    longest, shades = max(map(len, texts)), ("blue", "yellow", "green", "pink")
    count = sum(map(len, texts))
    figure, axes = new_diagram(10.0, 3.2, count + 3.2, len(texts) + 2.9)
    top = len(texts) + 2.3
    axes.text(0.0, top, f"padded\n({len(texts)}, {longest})", fontsize=11, va="center", color=INK)
    axes.text(0.0, 1.5, f"packed\n({count},)", fontsize=11, va="center", color=INK)
    place, borders = 0, [0]
    for row, text in enumerate(texts):
        for column in range(longest):
            shade = shades[row % 4] if column < len(text) else "white"
            word = for_matplotlib(text[column]) if column < len(text) else ""
            box(axes, column + 3.2, top - row, 0.94, 0.8, word, shade, 9)
            if column < len(text):
                box(axes, place + 3.2, 1.5, 0.94, 0.8, word, shade, 9)
                place += 1
        borders.append(place)
    for border in borders:
        axes.plot([border + 2.7] * 2, [0.85, 2.15], color=PINK, lw=2.2)
        axes.text(border + 2.7, 0.45, str(border), ha="center", va="center", fontsize=11, color=INK)
    axes.text(0.0, 0.45, "cu_seqlens", fontsize=11, va="center", color=INK)
    return figure
