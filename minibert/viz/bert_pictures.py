"""The pictures of chapter 6: the stack and one block of it, activations, random stacks, mistakes, two sources."""

import html
from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from minibert.viz.diagram import BLUE, GREY, INK, LIGHT, ORANGE, STYLES, arrow, box, new_diagram, new_figure
from minibert.viz.page import for_matplotlib

BLOCK_BESIDE_PAGE = (  # of chapter 6's class and of one_page.py: what the line does, the line here, the line there
    ("queries, keys, values", "self.query_key_value(x)", 'linear(x, weights, "attention.query_key_value")'),
    ("one row a head", ".unflatten(-1, (3, self.heads, -1))", ".unflatten(-1, (H + 2 * G, K))"),
    ("rotary positions", "", "rotate(query, positions, theta)"),
    ("scores", "query @ key.mT / math.sqrt(query.shape[-1])", "query @ key.mT / math.sqrt(K)"),
    ("hide padding", "", "visible = mask[:, None, None, :]"),
    (
        "attention weights",
        "scores.softmax(dim=-1)",
        "probabilities = scores.masked_fill(~visible, -torch.inf).softmax(dim=-1)",
    ),
    ("mix", "@ value).transpose(0, 1).flatten(1)", "(probabilities @ value).transpose(1, 2).flatten(2)"),
    ("blend the heads", "self.output(mixed)", 'linear(mixed, weights, "attention.output")'),
    (
        "feed-forward",
        "self.activation(self.widen(x))",
        'activation(linear(x, weights, "feed_forward.input"), config.act)',
    ),
    ("a gate in it", "", 'gate, up = linear(x, weights, "feed_forward.gate_up").chunk(2, dim=-1)'),
    (
        "add, then norm",
        "self.attention_norm(x + self.attention(x))",
        "norm(x + attention(x, weights, config, layer, mask,",
    ),
    (
        "again",
        "self.feed_forward_norm(x + self.feed_forward(x))",
        "norm(x + feed_forward(x, weights, config), weights,",
    ),
    ("norm first, then add", "", "x = x + attention(normed, weights, config, layer, mask, positions)"),
)


def draw_stack(tokens: int, width: int, layers: int, heads: int, inner: int, vocabulary: int) -> Figure:
    """BERT from ids to its two heads with all shapes, upwards; on the right one block, opened.

    >>> figure = draw_stack(9, 384, 6, 12, 1536, 30522)
    >>> "block 6" in [text.get_text() for text in figure.axes[0].texts]
    True
    """
    figure, axes = new_diagram(9.6, 6.9, 19.2, 13.8)
    state = f"(T, D) = ({tokens}, {width})"
    box(axes, 4, 0.6, 5.2, 0.9, f"ids (T,) = ({tokens},)", "white")
    arrow(axes, (4, 1.05), (4, 1.7))
    box(axes, 4, 2.3, 5.2, 1.2, "embeddings: token\n+ position + segment, norm", "green", size=11)
    arrow(axes, (4, 2.9), (4, 3.7))
    axes.text(4.2, 3.3, state, va="center", fontsize=11, color=INK)
    for y, name in ((4.15, "block 1"), (5.55, "block 2"), (7.75, f"block {layers}")):
        box(axes, 4, y, 5.2, 0.9, name, "blue")
    arrow(axes, (4, 4.6), (4, 5.1))
    axes.text(4, 6.65, f"L = {layers} blocks", ha="center", va="center", fontsize=11, color=INK)
    arrow(axes, (4, 6.0), (4, 6.35))
    arrow(axes, (4, 6.95), (4, 7.3))
    arrow(axes, (4, 8.2), (4, 8.75))
    box(axes, 4, 9.2, 5.2, 0.9, f"hidden states {state}", "white", size=11)
    _draw_heads(axes, width, tokens, vocabulary)
    for (x0, y0), (x1, y1) in (((6.6, 5.1), (9.0, 0.1)), ((6.6, 6.0), (9.0, 13.6))):
        axes.plot([x0, x1], [y0, y1], color="#9AA5B1", lw=1, ls=":", zorder=0)
    axes.add_patch(Rectangle((9.0, 0.1), 10.1, 13.5, fc="#F6F8FA", ec="#9AA5B1", lw=1, zorder=0))
    axes.text(9.3, 13.1, "one block", fontsize=12, fontweight="bold", color=INK)
    _draw_block(axes, 13.2, state, heads, width, inner, tokens)
    return figure


def _draw_heads(axes: Axes, width: int, tokens: int, vocabulary: int) -> None:
    """The pooler with the head for next sentences, and the head for masked tokens."""
    box(axes, 1.9, 11.1, 3.6, 1.2, f"pooler: [CLS], tanh\n(D,) = ({width},)", "yellow", size=11)
    box(axes, 1.9, 12.95, 3.6, 1.1, "next-sentence head\nlogits (2,)", "pink", size=11)
    box(axes, 6.35, 11.1, 4.7, 1.2, "masked-token head: dense,\nGELU, norm, token table", "pink", size=11)
    axes.text(
        6.35, 12.95, f"logits (T, V)\n({tokens}, {vocabulary:,})", ha="center", va="center", fontsize=10, color=INK
    )
    arrow(axes, (2.4, 9.65), (1.9, 10.5))
    arrow(axes, (5.6, 9.65), (6.35, 10.5))
    arrow(axes, (1.9, 11.7), (1.9, 12.4))
    arrow(axes, (6.35, 11.7), (6.35, 12.4))


def _draw_block(axes: Axes, x: float, state: str, heads: int, width: int, inner: int, tokens: int) -> None:
    """Attention, add, norm, feed-forward, add, norm, with the residual paths at the left."""
    weights, middle = f"(H, T, T) = ({heads}, {tokens}, {tokens})", f"(T, F) = ({tokens}, {inner})"
    parts = (  # middle, height, text, colour, what stands beside it
        (0.8, 0.8, f"x {state}", "white", ""),
        (3.0, 1.3, "attention\nmixes the tokens", "blue", f"attention weights\n{weights}"),
        (5.0, 0.8, "+", "yellow", "add"),
        (6.3, 0.8, "norm", "grey", "each token to mean 0\nand variance 1"),
        (8.5, 1.3, "feed-forward\neach token alone", "blue", f"inside it\n{middle}"),
        (10.5, 0.8, "+", "yellow", "add"),
        (11.7, 0.8, "norm", "grey", "after the sum:\npost-norm"),
    )
    for (y, high, text, shade, beside), after in zip(parts, [*parts[1:], None], strict=True):
        wide = 1.0 if text == "+" else 4.0
        box(axes, x, y, wide, high, text, shade, size=11)
        axes.text(x + wide / 2 + 0.25, y, beside, va="center", fontsize=10, color="#444C56")
        top = after[0] - after[1] / 2 if after else 12.6
        arrow(axes, (x, y + high / 2), (x, top))
    axes.text(x, 12.95, f"x {state}", ha="center", va="center", fontsize=11, color=INK)
    for start, end in ((1.55, 5.0), (7.2, 10.5)):  # the residual paths leave below a sub-layer and end at its sum
        left = x - 2.7
        axes.plot([x, left, left], [start, start, end], color=ORANGE, lw=2.2, solid_joinstyle="round")
        arrow(axes, (left, end), (x - 0.5, end), color=ORANGE)
        axes.text(left - 0.2, (start + end) / 2, "residual path: x", rotation=90, ha="right", va="center", color=ORANGE)


def plot_changes(tokens: Sequence[str], changes: Mapping[str, Sequence[float]]) -> Figure:
    """How far the output of each token moves: a panel for each part of the block, a bar for each token.

    >>> len(plot_changes(["a", "b"], {"attention": [0.1, 0.2], "feed-forward": [0.0, 0.3]}).axes)
    2
    """
    figure = new_figure(9.2, 2.7)
    grid = figure.subplots(1, len(changes), squeeze=False)[0]
    for axes, (name, moved), color in zip(grid, changes.items(), (BLUE, ORANGE), strict=False):
        axes.bar(range(len(tokens)), moved, color=color)
        axes.set_xticks(range(len(tokens)), [for_matplotlib(token) for token in tokens], rotation=45, ha="right")
        axes.set(title=name, ylabel="norm of the change")
        axes.spines[["top", "right"]].set_visible(False)
    return figure


def plot_activations(x: Sequence[float], curves: Mapping[str, Sequence[float]], exact: str) -> Figure:
    """Activation functions on the left, on the right how far each is from `exact` (log scale).

    >>> len(plot_activations([0.0, 1.0], {"GELU": [0.0, 0.8], "ReLU": [0.0, 1.0]}, "GELU").axes)
    2
    """
    figure = new_figure(9.2, 3.2)
    left, right = figure.subplots(1, 2)
    for (name, curve), style in zip(curves.items(), STYLES, strict=False):
        look = style | dict(marker="", lw=2.2)
        left.plot(x, curve, label=name, **look | (dict(lw=6, alpha=0.45) if name == exact else {}))
        if name != exact:
            apart = [max(abs(a - b), 1e-9) for a, b in zip(curve, curves[exact], strict=True)]
            right.semilogy(x, apart, label=name, **look)
    left.set(xlabel="x", title="activation functions", xlim=(-4, 2.5), ylim=(-0.4, 2.5))
    right.set(xlabel="x", title=f"distance from {exact} (log scale)", ylim=(1e-7, 1))
    for axes in (left, right):
        axes.legend(frameon=False)
        axes.spines[["top", "right"]].set_visible(False)
    return figure


def plot_stacks(found: Mapping[str, Mapping[str, Sequence[float]]], floor: float = 1e-26) -> Figure:
    """What becomes of random stacks: a row for each stack, a column for each measure, by height (log scales).

    `found[stack][measure]` holds a number for each height; the other stacks stand behind in grey. A line that falls
    below `floor` leaves the picture.

    >>> len(plot_stacks({"BERT": {"size": [1.0, 1.0]}, "no norm": {"size": [1.0, 9.0]}}).axes)
    2
    """
    measures = list(next(iter(found.values())))
    figure = new_figure(9.4, 1.05 * len(found) + 0.7)
    grid = figure.subplots(len(found), len(measures), squeeze=False, sharex=True, sharey="col")
    for row, (name, lines) in enumerate(found.items()):
        for axes, measure in zip(grid[row], measures, strict=True):
            for other in found.values():
                axes.semilogy(other[measure], color="#C9D0D8", lw=1.2)
            axes.semilogy(lines[measure], color=BLUE, lw=2.4)
            axes.set_ylim(floor, None)
            axes.spines[["top", "right"]].set_visible(False)
            if row == 0:
                axes.set_title(measure, fontsize=11)
            if row == len(found) - 1:
                axes.set_xlabel("height in blocks")
        grid[row][0].set_ylabel(name, rotation=0, ha="right", va="center", fontsize=11)
    return figure


def plot_distances(distances: Mapping[str, float], tolerance: float, xlabel: str) -> Figure:
    """Numbers over many orders of magnitude as dots (log scale), with the tolerance as a line.

    >>> len(plot_distances({"right": 1e-7, "wrong": 0.1}, 1e-5, "difference").axes)
    1
    """
    figure = new_figure(8.4, 0.42 * len(distances) + 1.1)
    axes = figure.subplots()
    for row, value in enumerate(distances.values()):
        fine = value < tolerance
        axes.plot(value, row, "o" if fine else "s", color=BLUE if fine else ORANGE, ms=9)
        axes.annotate(
            f"{value:.0f}" if value >= 1 else f"{value:.1g}",
            (value, row),
            (9, 0),
            textcoords="offset points",
            va="center",
            fontsize=11,
        )
    axes.axvline(tolerance, color=GREY, ls="--")
    axes.text(tolerance * 1.2, -0.75, f"tolerance {tolerance:f}".rstrip("0"), color="#555555", va="center")
    axes.set_yticks(range(len(distances)), list(distances))
    low, high = min(distances.values()), max(distances.values())
    axes.set(xscale="log", xlim=(low / 5, high * 20), ylim=(len(distances) - 0.5, -1.2), xlabel=f"{xlabel} (log scale)")
    axes.grid(axis="x", color="#E3E6EA")
    axes.spines[["top", "right"]].set_visible(False)
    return figure


def plot_by_layer(panels: Mapping[str, Mapping[str, Sequence[Sequence[float]]]], ylabels: Sequence[str]) -> Figure:
    """A panel for each measure, by layer; 0 is the embeddings. A model has a line for each of its runs, in one style.

    >>> len(plot_by_layer({"left": {"trained": [[1.0, 0.5]], "twins": [[1.0, 0.9], [1.0, 0.8]]}}, ["cosine"]).axes)
    1
    """
    figure = new_figure(9.4, 3.2)
    grid = figure.subplots(1, len(panels), squeeze=False)[0]
    for axes, (title, lines), ylabel in zip(grid, panels.items(), ylabels, strict=True):
        for (name, runs), style in zip(lines.items(), STYLES, strict=False):
            for number, values in enumerate(runs):
                axes.plot(values, label=None if number else name, **style)
        axes.set(title=title, ylabel=ylabel, xlabel="after block (0 = embeddings)", ylim=(-0.03, None))
        axes.legend(frameon=False)
        axes.spines[["top", "right"]].set_visible(False)
    return figure


def plot_answers(answers: Mapping[str, Sequence[float]], candidates: Sequence[str], question: str) -> Figure:
    """The similarity of each candidate with the question, a row for each model.

    >>> len(plot_answers({"published": [0.5, 0.1]}, ["a", "b"], "c?").axes)
    1
    """
    figure = new_figure(9.2, 0.42 * len(answers) + 1.4)
    axes = figure.subplots()
    for row, values in enumerate(answers.values()):
        axes.plot([min(values), max(values)], [row, row], color=LIGHT["grey"], lw=3, zorder=0)
    for place, (candidate, style) in enumerate(zip(candidates, STYLES, strict=False)):
        values = [found[place] for found in answers.values()]
        look = dict(color=style["color"], marker=style["marker"], s=70)
        axes.scatter(values, range(len(answers)), label=for_matplotlib(candidate), **look)
    axes.set_yticks(range(len(answers)), list(answers))
    axes.set(xlabel=f"similarity to: {question}", ylim=(len(answers) - 0.4, -0.6))
    axes.spines[["top", "right"]].set_visible(False)
    figure.legend(loc="outside lower center", ncols=len(candidates), frameon=False)
    return figure


class SideBySide:
    """Lines of two sources that do the same, beside each other: `rows` of (what, line here, line there).

    Each line is looked up in its source, so that the table cannot show what is not there.

    Raises:
        ValueError: a line that its source does not have.

    >>> SideBySide({"mine": "y = a + b", "theirs": "x = a\\ny = x + b"}, [("add", "y = a + b", "y = x + b")])
    SideBySide(1 rows: mine | theirs)
    """

    def __init__(self, sources: Mapping[str, str], rows: Sequence[tuple[str, str, str]]):
        for row in rows:
            for (name, source), line in zip(sources.items(), row[1:], strict=True):
                if line and line not in source:
                    raise ValueError(f"{name} has no line {line!r}; expected a piece of its source")
        self.names, self.rows = list(sources), list(rows)

    def __repr__(self) -> str:
        return f"SideBySide({len(self.rows)} rows: {' | '.join(self.names)})"

    def _repr_html_(self) -> str:
        def cell(text: str, tag: str = "td") -> str:
            return f'<{tag} style="text-align:left">{text}</{tag}>'

        head = "".join(cell(html.escape(name), "th") for name in ("", *self.names))
        body = "".join(
            f"<tr>{cell(html.escape(what))}{cell(_code(here))}{cell(_code(there))}</tr>"
            for what, here, there in self.rows
        )
        return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _code(line: str) -> str:
    return f"<code>{html.escape(line)}</code>" if line else "not there"
