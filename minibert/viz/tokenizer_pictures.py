"""The pictures of chapter 3: from text to ids, greedy pieces, merges, bytes, offsets, and what languages pay."""

from collections.abc import Mapping, Sequence

from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from minibert.tokenization.encoding import Encoding
from minibert.viz.diagram import BLUE, GREY, INK, LIGHT, ORANGE, STYLES, arrow, box, new_diagram, new_figure, plain
from minibert.viz.page import for_matplotlib

SHADES = ("blue", "yellow", "green", "pink")


def plot_road(roads: Mapping[str, Sequence[tuple[str, str]]]) -> Figure:
    """From text to ids: for each tokenizer a column of boxes, (what is done, what there is afterwards).

    >>> plot_road({"BERT": [("a text", "The bank"), ("pieces", "the bank")]}).get_dpi()
    144
    """
    rows = max(len(road) for road in roads.values())
    across = 6.5 * len(roads)
    figure, axes = new_diagram(0.86 * across, 1.0 * rows + 0.5, across, rows + 0.6)
    for column, (name, road) in enumerate(roads.items()):
        x = 6.5 * column + 4.3
        axes.text(x, rows + 0.35, for_matplotlib(name), ha="center", fontsize=13, weight="bold", color=INK)
        for row, (says, there) in enumerate(road):
            y = rows - row - 0.45
            size = 11 if len(there) < 38 else 9.5
            box(axes, x, y, 4.3, 0.56, there, "grey" if row == 0 else SHADES[column % 4], size, family="monospace")
            if row:
                arrow(axes, (x, y + 0.72), (x, y + 0.30))
                axes.text(
                    x - 2.25, y + 0.5, for_matplotlib(says), ha="right", va="center", fontsize=11, color="#5B6673"
                )
    return figure


def plot_unknown(sizes: Sequence[int], lost: Mapping[str, Sequence[float]]) -> Figure:
    """The share of unknown words against the number of words in the vocabulary, both on logarithmic scales.

    >>> len(plot_unknown([300, 1000], {"later": [0.2, 0.1]}).axes)
    1
    """
    figure = new_figure(7, 3.2)
    axes = figure.subplots()
    for (name, shares), style in zip(lost.items(), STYLES, strict=False):
        axes.loglog(sizes, shares, label=name, **style)
    axes.set_yticks([0.003, 0.01, 0.03, 0.1, 0.3], ["0.3 %", "1 %", "3 %", "10 %", "30 %"], fontsize=11)
    axes.set_xticks(sizes, [f"{size:,}" for size in sizes], fontsize=11)
    axes.minorticks_off()
    axes.set_xlabel("words in the vocabulary, the most frequent ones (log scale)", fontsize=11)
    axes.set_ylabel("unknown words (log scale)", fontsize=11)
    axes.legend(frameon=False, fontsize=11)
    plain(axes)
    return figure


def plot_greedy(word: str, cut: Sequence[str], vocab: set[str]) -> Figure:
    """What WordPiece tries for one word: a bar for each try, from the longest down to the piece that is taken.

    >>> len(plot_greedy("unable", ["una", "##b", "##le"], {"una", "##b", "##le"}).axes)
    1
    """
    rows, start = [], 0
    for piece in cut:
        size = len(piece.removeprefix("##") if start else piece)
        rows += [(start, stop) for stop in range(len(word), start + size - 1, -1)]
        start += size
    figure, axes = new_diagram(7.2, 0.34 * len(rows) + 0.8, len(word) + 4.2, len(rows) + 1.2)
    for place, letter in enumerate(word):
        axes.text(place + 0.5, len(rows) + 0.6, letter, ha="center", va="center", fontsize=15, family="monospace")
    for row, (start, stop) in enumerate(rows):
        y, piece = len(rows) - row - 0.5, ("##" if start else "") + word[start:stop]
        shade = LIGHT["blue"] if piece in vocab else LIGHT["grey"]
        axes.add_patch(Rectangle((start, y - 0.36), stop - start, 0.72, fc=shade, ec="#5B6673", lw=1))
        axes.text((start + stop) / 2, y, piece, ha="center", va="center", fontsize=11, family="monospace", color=INK)
        said = "in the vocabulary: taken" if piece in vocab else "not there: one letter less"
        axes.text(len(word) + 0.3, y, said, va="center", fontsize=11, color=INK if piece in vocab else "#5B6673")
    return figure


def plot_criteria(counts: Mapping[str, Sequence[int]]) -> Figure:
    """How often a pair occurred when it was joined, merge by merge, for each criterion; logarithmic scales.

    >>> len(plot_criteria({"counts": [9, 5, 2]}).axes)
    1
    """
    figure = new_figure(8.2, 3.2)
    axes = figure.subplots()
    for (name, values), color, marker in zip(counts.items(), (BLUE, ORANGE, GREY), "o.x", strict=False):
        axes.loglog(range(1, len(values) + 1), values, marker, ms=4, color=color, label=name, ls="none")
    axes.set_xticks([1, 10, 100], ["1", "10", "100"], fontsize=11)
    axes.set_yticks([1, 10, 100, 1000], ["1", "10", "100", "1,000"], fontsize=11)
    axes.set_xlabel("number of the merge (log scale)", fontsize=11)
    axes.set_ylabel("count of the pair joined\n(log scale)", fontsize=11)
    axes.legend(
        frameon=False,
        fontsize=11,
        title="joined first by",
        title_fontsize=11,
        loc="center left",
        bbox_to_anchor=(1, 0.5),
    )
    plain(axes)
    return figure


def plot_bytes(alphabet: Mapping[int, str], hidden: Sequence[int]) -> Figure:
    """The byte alphabet, 16 by 16; shaded are the bytes that no character shows.

    >>> len(plot_bytes({byte: "x" for byte in range(256)}, [0, 1]).axes)
    1
    """
    figure = new_figure(6.4, 6.2)
    axes = figure.subplots()
    axes.imshow([[16 * row + at in set(hidden) for at in range(16)] for row in range(16)], cmap="Blues", vmin=0, vmax=3)
    for byte, char in alphabet.items():
        axes.text(byte % 16, byte // 16, for_matplotlib(char), ha="center", va="center", fontsize=13)
    for set_ticks in (axes.set_xticks, axes.set_yticks):
        set_ticks(range(16), [f"{n:X}" for n in range(16)], fontsize=11)
    axes.set_title("shaded: stands for an invisible byte", fontsize=12)
    axes.set_xlabel("second half of the byte, in base 16", fontsize=11)
    axes.set_ylabel("first half of the byte, in base 16", fontsize=11)
    axes.tick_params(length=0)
    return figure


def plot_merge_tree(symbols: Sequence[str], merges: Sequence[tuple[int, int]]) -> Figure:
    """The merges of one word as a tree: letters below, each merge (rank, place among the symbols) above its two parts.

    >>> len(plot_merge_tree("low", [(5, 0), (7, 0)]).axes)
    1
    """
    level = [(place + 0.5, 0, symbol) for place, symbol in enumerate(symbols)]
    lines, nodes = [], [(*node, "") for node in level]
    for step, (rank, place) in enumerate(merges, 1):
        one, other = level[place : place + 2]
        new = ((one[0] + other[0]) / 2, step, one[2] + other[2])
        lines += [((part[0], part[1]), new[:2]) for part in (one, other)]
        nodes.append((*new, f"rank {rank}"))
        level[place : place + 2] = [new]
    figure, axes = new_diagram(0.62 * len(symbols) + 1, 0.62 * len(merges) + 0.9, len(symbols), len(merges) + 1.1)
    for (x, y), (to_x, to_y) in lines:
        axes.plot([x, to_x], [y + 0.4, to_y + 0.4], color="#5B6673", lw=1.2, zorder=0)
    ends = {(node[0], node[1]) for node in level}
    for x, y, symbol, rank in nodes:
        shade = "yellow" if (x, y) in ends else "blue" if rank else "grey"
        box(axes, x, y + 0.4, max(0.5, 0.27 * len(symbol) + 0.3), 0.48, symbol, shade, family="monospace")
        axes.text(
            x, y + 0.72, rank, ha="center", fontsize=10, color="#5B6673", bbox=dict(fc="white", ec="none", pad=0.6)
        )
    return figure


def plot_offsets(text: str, encoded: Mapping[str, Encoding]) -> Figure:
    """The characters of a text, and below them the tokens of each tokenizer over the characters they stand for.

    >>> tokens = Encoding([7, 8], ["cat", "##s"], [(0, 3), (3, 4)], [0, 0], [0, 0], [0, 0])
    >>> len(plot_offsets("cats", {"BERT": tokens}).axes)
    1
    """
    figure = new_figure(max(6.0, 0.2 * len(text) + 1.6), 0.62 * len(encoded) + 1.0)
    axes = figure.subplots()
    shown = [char.replace("🎉", ":-)") for char in text]  # the fonts of figures have no emoji
    for row, (_, tokens) in enumerate(encoded.items()):
        for place, (low, high) in enumerate(tokens.offsets):
            shade = LIGHT[("blue", "yellow")[place % 2]]
            axes.add_patch(Rectangle((low, -row - 0.92), high - low, 0.84, fc=shade, ec=INK, lw=1))
        for place, char in enumerate(shown):
            style = dict(ha="center", va="center", family="monospace", fontsize=8 if len(char) > 1 else 12)
            axes.text(place + 0.5, -row - 0.5, for_matplotlib(char), **style)
    axes.set_yticks([-row - 0.5 for row in range(len(encoded))], list(encoded), fontsize=11)
    axes.set(xlim=(-0.2, len(text) + 0.2), ylim=(-len(encoded) - 0.1, 0.1))
    axes.set_xlabel("character of the original text", fontsize=11)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(axis="y", length=0)
    return figure


def plot_tables(names: Sequence[str], rows: Sequence[float], others: Sequence[float]) -> Figure:
    """How many million parameters of each model are rows of its vocabulary.

    >>> len(plot_tables(["a"], [23.4], [86.1]).axes)
    1
    """
    figure = new_figure(7.4, 2.4)
    axes = figure.subplots()
    axes.barh(names[::-1], rows[::-1], color=ORANGE, label="vocabulary", height=0.65)
    axes.barh(names[::-1], others[::-1], left=rows[::-1], color=LIGHT["blue"], label="everything else", height=0.65)
    for place, (own, rest) in enumerate(zip(rows[::-1], others[::-1], strict=True)):
        axes.text(own + rest + 2, place, f"{own / (own + rest):.0%}", va="center", fontsize=11)
    axes.set_xlim(0, 1.35 * max(own + rest for own, rest in zip(rows, others, strict=True)))
    axes.set_xlabel("million parameters; the number is the vocabulary's share", fontsize=11)
    axes.tick_params(labelsize=11)
    axes.legend(frameon=False, loc="upper right", fontsize=11)
    plain(axes)
    return figure


def plot_prices(languages: Mapping[str, str], price: Mapping[str, Mapping[str, float]]) -> Figure:
    """Tokens for the same messages, English = 1: a row for each language {code: name}, a mark for each tokenizer.

    >>> len(plot_prices({"de": "German"}, {"BERT": {"de": 2.0}}).axes)
    1
    """
    figure = new_figure(7.6, 0.29 * len(languages) + 1.0)
    axes = figure.subplots()
    codes = list(languages)[::-1]
    for (arm, values), style in zip(price.items(), STYLES, strict=False):
        look = dict(color=style["color"], marker=style["marker"], ls="none", ms=7)
        if arm == "bytes":
            look |= dict(color="black", marker="|", ms=13, mew=2)
        axes.plot([values[code] for code in codes], range(len(codes)), label=arm, **look)
    axes.set_yticks(range(len(codes)), [languages[code] for code in codes], fontsize=11)
    axes.grid(axis="y", color="#eeeeee")
    axes.axvline(1, color=GREY, lw=0.9)
    axes.set_xlabel("tokens for the same messages, English = 1", fontsize=11)
    axes.legend(frameon=False, fontsize=11, loc="upper right")
    plain(axes)
    return figure


def plot_sizes(sizes: Sequence[int], curves: Mapping[str, Sequence[float]], real: Mapping[str, tuple], floor: float):
    """Tokens for each word against the size of the vocabulary; hollow marks are the real models (size, tokens).

    >>> len(plot_sizes([300, 1000], {"WordPiece": [2.8, 2.0]}, {"BERT": (30522, 1.2)}, 1.1).axes)
    1
    """
    figure = new_figure(7.8, 4.0)
    axes = figure.subplots()
    for (name, values), style in zip(curves.items(), STYLES, strict=False):
        axes.semilogx(sizes, values, label=name, **style)
    for (name, (size, value)), marker, color in zip(real.items(), "so", (ORANGE, BLUE), strict=False):
        look = dict(ms=11, fillstyle="none", ls="none", mew=1.8)
        axes.plot(size, value, marker, color=color, label=name, **look)
    axes.axhline(floor, color=GREY, ls="--", lw=1.2, label="every word known")
    axes.set_xticks([300, 1000, 3000, 10_000, 30_000], ["300", "1,000", "3,000", "10,000", "30,000"], fontsize=11)
    axes.minorticks_off()
    axes.set_ylim(0, None)
    axes.set_xlabel("entries in the vocabulary (log scale)", fontsize=11)
    axes.set_ylabel("tokens for each word", fontsize=11)
    axes.legend(frameon=False, fontsize=10, ncols=2)
    plain(axes)
    return figure


def plot_stairs(stairs: Mapping[str, Mapping[int, tuple[float, float, float]]]) -> Figure:
    """Time for a column against the width, a panel for each number format: {width: (median, low, high)}.

    >>> len(plot_stairs({"fp32": {128: (1, 0.9, 1.1)}, "bf16": {128: (1, 0.9, 1.1)}}).axes)
    2
    """
    figure = new_figure(9.5, 3.3)
    for axes, (kind, found), color in zip(
        figure.subplots(1, len(stairs), sharey=True), stairs.items(), (BLUE, ORANGE), strict=True
    ):
        median, low, high = zip(*found.values(), strict=True)
        axes.fill_between(list(found), low, high, color=color, alpha=0.25, linewidth=0)
        axes.plot(list(found), median, color=color, lw=1.4)
        for width in range(128, 257, 16):
            axes.axvline(width, color=GREY, ls="-" if width % 64 == 0 else ":", lw=0.9)
        axes.set(ylim=(0.85, 1.5), xticks=range(128, 265, 32))
        axes.set_title(kind, fontsize=12)
        axes.set_xlabel("columns; dotted: multiples of 16, solid: of 64", fontsize=11)
        axes.tick_params(labelsize=11)
        plain(axes)
    figure.axes[0].set_ylabel("time for a column, 256 = 1", fontsize=11)
    return figure
