"""The pictures of chapter 1: two tables, windows, losses, neighbours, analogies, and the two topics of one word."""

from collections.abc import Collection, Mapping, Sequence
from html import escape

import torch
from matplotlib.figure import Figure
from torch import Tensor

from minibert.viz.diagram import (
    BLUE,
    COLORS,
    GREEN,
    INK,
    ORANGE,
    PINK,
    STYLES,
    YELLOW,
    arrow,
    box,
    new_diagram,
    new_figure,
    vector,
)


def plot_two_tables() -> Figure:
    """Skip-gram: a word's row of the first table meets three rows of the second; scores, answers, loss.

    >>> "first table\\n(V, D)" in [text.get_text() for text in plot_two_tables().axes[0].texts]
    True
    """
    figure, axes = new_diagram(10.4, 4.5, 20.8, 9.0)
    sentence = ("the", "bank", "issued", "notes", "in", "gold")
    for place, word in enumerate(sentence):
        shade = {1: "blue", 3: "green"}.get(place, "white")
        box(axes, 4.2 + 2.5 * place, 8.3, 2.1, 0.9, word, shade, 12)
    for x, name in ((5.3, "first table\n(V, D)"), (11.6, "second table\n(V, D)")):
        axes.text(x, 0.5, name, ha="center", va="center", fontsize=11, color=INK)
    rows = {5.4: "blue"}
    for y in (6.6, 6.0, 5.4, 4.8, 4.2, 3.6, 3.0, 2.4, 1.8):
        vector(axes, 5.3, y, [rows.get(y, "grey")] * 6, cell=0.5)
    others = {
        6.0: ("green", "notes", "2.0", "1"),
        4.2: ("pink", "june", "-1.5", "0"),
        2.4: ("pink", "mexico", "0.4", "0"),
    }
    for y in (6.6, 6.0, 5.4, 4.8, 4.2, 3.6, 3.0, 2.4, 1.8):
        vector(axes, 11.6, y, [others[y][0] if y in others else "grey"] * 6, cell=0.5)
    axes.text(1.1, 5.4, "bank", ha="center", va="center", fontsize=12, color=INK)
    arrow(axes, (2.0, 5.4), (3.6, 5.4))
    for x, y, head in ((14.1, 7.35, "row of"), (16.2, 7.35, "score"), (18.1, 7.35, "sigmoid"), (20.0, 7.35, "label")):
        axes.text(x, y, head, ha="center", va="center", fontsize=10.5, color="#44505C")
    for y, (_, word, score, label) in others.items():
        arrow(axes, (6.9, 5.4), (10.0, y), "#7A8490")
        sigmoid = 1 / (1 + torch.exp(torch.tensor(-float(score))).item())
        for x, text in ((14.1, word), (16.2, score), (18.1, f"{sigmoid:.2f}"), (20.0, label)):
            axes.text(x, y, text, ha="center", va="center", fontsize=12, color=INK)
    axes.text(8.4, 6.5, "dot product", ha="center", va="center", fontsize=10.5, color="#44505C")
    axes.text(17.0, 5.1, "true pair: up", ha="center", fontsize=10, color=GREEN)
    axes.text(17.0, 3.3, "drawn words: down", ha="center", fontsize=10, color=PINK)
    axes.text(
        17.0, 0.9, "loss = - log 0.88 - log (1 - 0.18) - log (1 - 0.60) = 1.2", ha="center", fontsize=10.5, color=INK
    )
    return figure


def plot_questions() -> Figure:
    """What three models are asked: skip-gram for neighbours, CBOW for the word in the middle, GloVe for a log count.

    >>> [axes.get_title() for axes in plot_questions().axes][0]
    'skip-gram: which words are near?'
    """
    figure = new_figure(10.4, 3.3)
    panels = figure.subplots(1, 3)
    words = ("central", "bank", "notes", "gold")
    for axes in panels:
        axes.set(xlim=(-0.2, 10.2), ylim=(0, 10))
        axes.axis("off")
    for axes, down in ((panels[0], True), (panels[1], False)):
        centre, others = (5, 8.0 if down else 2.0), 2.0 if down else 8.0
        box(axes, *centre, 3.0, 1.7, "issued", "blue", 11)
        for x, word in zip((1.15, 3.7, 6.25, 8.8), words, strict=True):
            box(axes, x, others, 2.3, 1.7, word, "green", 10)
            if down:
                arrow(axes, (5, 7.1), (x, 2.95))
            else:
                arrow(axes, (x, 7.1), (5, 5.75))
    box(axes := panels[1], 5, 5.1, 2.6, 1.2, "mean", "yellow", 11)
    arrow(axes, (5, 4.45), (5, 2.95))
    for row in range(4):
        vector(
            panels[2], 2.4, 7.6 - 1.3 * row, ["yellow" if (row, place) == (1, 2) else "grey" for place in range(4)], 1.0
        )
    panels[2].text(2.4, 1.0, "counts X (V, V)", ha="center", fontsize=10.5, color=INK)
    arrow(panels[2], (3.1, 6.3), (5.2, 5.4), ORANGE)
    panels[2].text(
        7.6,
        5.0,
        "log X\n≈\n$w_i \\cdot \\tilde w_j + b_i + \\tilde b_j$",
        ha="center",
        va="center",
        fontsize=11.5,
        color=INK,
    )
    titles = ("skip-gram: which words are near?", "CBOW: which word is missing?", "GloVe: how large is the count?")
    for axes, title in zip(panels, titles, strict=True):
        axes.set_title(title, fontsize=11.5)
    return figure


def plot_company(words: Sequence[str], near: Tensor, alike: Tensor) -> Figure:
    """Two tables of the same words: how often each two stand together, and how alike their rows are.

    Shape: near and alike (n, n).

    >>> len(plot_company(["a", "b"], torch.eye(2), torch.eye(2)).axes)
    4
    """
    figure = new_figure(10.4, 4.9)
    titles = ("PPMI: do they stand together?", "cosine of their rows: have they the same company?")
    hidden = alike.clone().fill_diagonal_(float("nan"))  # 1 everywhere, which would hide the rest
    for axes, values, title in zip(figure.subplots(1, 2), (near, hidden), titles, strict=True):
        image = axes.imshow(values, cmap="cividis")
        axes.set_xticks(range(len(words)), words, rotation=90, fontsize=11)
        axes.set_yticks(range(len(words)), words, fontsize=11)
        axes.set_title(title, fontsize=11.5)
        figure.colorbar(image, ax=axes, shrink=0.8)
    return figure


def plot_sampling(frequency: Tensor, keep: Tensor, noise: Mapping[str, Tensor], marked: Mapping[str, int]) -> Figure:
    """By a word's frequency: the share that is kept, with some words marked, and how often it is drawn as a negative.

    >>> len(plot_sampling(torch.tensor([0.5, 0.1]), torch.tensor([0.1, 1.0]), {"a": torch.ones(2)}, {"the": 0}).axes)
    2
    """
    figure = new_figure(10.0, 3.6)
    left, right = figure.subplots(1, 2)
    left.semilogx(frequency, keep, color=BLUE, lw=2)
    for word, row in marked.items():
        left.plot(frequency[row], keep[row], "o", color=BLUE)
        left.annotate(word, (frequency[row], keep[row]), (6, 4), textcoords="offset points", fontsize=11)
    left.set(ylabel="share that is kept", title="subsampling")
    for (name, drawn), style in zip(noise.items(), STYLES, strict=False):
        right.loglog(frequency, drawn, color=style["color"], ls=style["ls"], lw=2, label=name)
    right.set(ylabel="share of the negatives (log scale)", title="negatives")
    right.legend(frameon=False)
    return _finish(figure, xlabel="frequency of the word (log scale)")


def plot_window(words: Sequence[str], near: Tensor) -> Figure:
    """The true pairs of a row of words: a row for each centre, a column for each context word.

    Shape: near (T, T) bool.

    >>> len(plot_window(["a", "b"], torch.tensor([[False, True], [True, False]])).axes)
    1
    """
    figure = new_figure(6.4, 5.6)
    axes = figure.subplots()
    axes.pcolormesh(near.int(), cmap="Blues", vmin=0, vmax=1.4, edgecolors="white", lw=1)
    middle = [place + 0.5 for place in range(len(words))]
    axes.set_xticks(middle, words, rotation=90, fontsize=11)
    axes.set_yticks(middle, words, fontsize=11)
    axes.set(xlabel="context", ylabel="centre", aspect="equal")
    axes.invert_yaxis()
    return figure


def plot_losses(
    runs: Mapping[str, Sequence[float]], start: float, passes: Sequence[float], controls: Mapping[str, float]
) -> Figure:
    """Left: the loss of runs by step, smoothed, and what knowing nothing costs; right: GloVe's by pass, and controls.

    >>> len(plot_losses({"a": [1.0] * 100}, 2.0, [1.0, 0.5], {"biases": 3.0}).axes)
    2
    """
    figure = new_figure(10.0, 3.6)
    left, right = figure.subplots(1, 2)
    for (name, losses), style in zip(runs.items(), STYLES, strict=False):
        smooth = torch.tensor(losses).unfold(0, 50, 25).mean(1)
        left.plot(torch.arange(len(smooth)) * 25, smooth, color=style["color"], ls=style["ls"], lw=2, label=name)
    left.axhline(start, color=INK, ls=":", label=f"knows nothing: {start:.2f}")
    left.set(xlabel="step", ylabel="loss", title="skip-gram and CBOW")
    right.semilogy(range(1, len(passes) + 1), passes, "o-", color=GREEN)
    for (name, loss), line in zip(controls.items(), (":", "--"), strict=False):
        right.axhline(loss, color=INK, ls=line, label=f"{name}: {loss:.2f}")
    ticks = [0.05, 0.1, 0.2, 0.5]
    right.set_yticks(ticks, [f"{tick:g}" for tick in ticks])
    right.minorticks_off()
    right.set(xlabel="pass over the table", ylabel="weighted squared error (log scale)", title="GloVe")
    for axes in (left, right):
        axes.legend(frameon=False)
    return _finish(figure)


def plot_weights(counts: Tensor, weights: Tensor) -> Figure:
    """GloVe's weight of a cell by its count.

    >>> len(plot_weights(torch.arange(3), torch.ones(3)).axes)
    1
    """
    figure = new_figure(6.0, 2.8)
    axes = figure.subplots()
    axes.plot(counts, weights, color=GREEN, lw=2)
    axes.set(xlabel="count X of the pair", ylabel="weight f(X)", ylim=(0, 1.1))
    return _finish(figure)


def plot_found(panels: Mapping[str, tuple[str, Tensor, Tensor]]) -> Figure:
    """Dot products that training found against those of a theory, a panel for each comparison with its correlation.

    A panel has the name of the theory, its scores (pairs,) and the dot products (pairs,). The vertical scales differ.
    The dashed line, where both are equal, stands in the panels whose scale is as wide as the theory's.

    >>> scores = torch.tensor([0.0, 1.0, 2.0])
    >>> [len(axes.lines) for axes in plot_found({"a": ("PMI", scores, scores), "b": ("PMI", scores, scores / 9)}).axes]
    [1, 0]
    """
    figure = new_figure(10.4, 4.0)
    for axes, (name, (theory, scores, dots)) in zip(
        figure.subplots(1, len(panels), squeeze=False)[0], panels.items(), strict=True
    ):
        axes.scatter(scores, dots, s=5, alpha=0.4, color=BLUE)
        agree = torch.corrcoef(torch.stack([scores, dots]))[0, 1].item()
        top = 1.05 * dots.abs().max().item()
        axes.set(xlabel=theory, ylim=(-top, top))
        axes.set_title(f"{name}:\ncorrelation {agree:.2f} (scale: ±{top:.1f})", fontsize=11.5)
        if dots.std() > 0.5 * scores.std():
            ends = torch.stack([scores.min(), scores.max()])
            axes.plot(ends, ends, color=ORANGE, ls="--", lw=2, label="as in the theory")
            axes.legend(frameon=False, loc="lower right")
    figure.axes[0].set_ylabel("dot product of the two rows")
    return _finish(figure)


def plot_groups(results: Mapping[str, Sequence[float]], xlabel: str, once: Collection[str] = ()) -> Figure:
    """A bar for the mean of each row, a dot for each run; rows of `once` are marked as one run.

    >>> len(plot_groups({"a": [0.5, 0.6], "b": [0.1]}, "share").axes[0].texts)
    2
    """
    figure = new_figure(8.6, 0.9 + 0.42 * len(results))
    axes = figure.subplots()
    for place, (name, values) in enumerate(results.items()):
        mean = sum(values) / len(values)
        axes.barh(place, mean, color=BLUE, height=0.66)
        if len(values) > 1:
            axes.plot(values, [place + 0.16 * (i - 1) for i in range(len(values))], "o", color=YELLOW, mec=INK, ms=5)
        text = f"{mean:.2f}" + ("  (one run)" if name in once else "")
        axes.text(max(values) + 0.015, place, text, va="center", fontsize=11)
    axes.set_yticks(range(len(results)), list(results), fontsize=11)
    axes.invert_yaxis()
    axes.set(xlim=(0, 1))
    return _finish(figure, xlabel=xlabel)


def plot_map(groups: Mapping[str, Sequence[str]], points: Mapping[str, Tensor]) -> Figure:
    """Groups of words in a plane; a name only where it covers no other name.

    Shape: `points[group]` is (words, 2).

    >>> len(plot_map({"a": ["one", "two"]}, {"a": torch.tensor([[0.0, 0.0], [1.0, 1.0]])}).axes[0].texts)
    2
    """
    figure = new_figure(10.0, 6.4)
    axes = figure.subplots()
    for (group, spots), color, style in zip(points.items(), COLORS, STYLES, strict=False):
        axes.scatter(*spots.T, color=color, marker=style["marker"], s=44, label=group)
    axes.legend(loc="upper left", bbox_to_anchor=(1, 1), frameon=False, fontsize=11)
    axes.set_axis_off()
    figure.canvas.draw()  # now it is known where a name would lie
    taken = []
    for group, spots in points.items():
        for word, spot in zip(groups[group], spots.tolist(), strict=True):
            name = axes.annotate(word, spot, (5, 3), textcoords="offset points", fontsize=10, color=INK)
            lies = name.get_window_extent()
            if any(lies.overlaps(other) for other in taken):
                name.remove()
            else:
                taken.append(lies)
    return figure


def plot_analogies(rows: Mapping[str, Tensor], labels: Sequence[str]) -> Figure:
    """Right answers by relation, and their mean: a bar for each way of asking, a dot for each seed.

    Shape: `rows[way]` is (seeds, relations).

    >>> len(plot_analogies({"a": torch.tensor([[0.5, 0.1], [0.4, 0.2]])}, ["plural", "past"]).axes)
    1
    """
    figure = new_figure(10.4, 4.0)
    axes = figure.subplots()
    places = torch.arange(len(labels) + 1)
    for shift, (name, values) in enumerate(rows.items()):
        values = torch.cat([values, values.mean(1, keepdim=True)], dim=1)  # (seeds, relations + 1)
        low, high = values[:, -1].min(), values[:, -1].max()
        at = places + 0.27 * (shift - (len(rows) - 1) / 2)
        label = f"{name}: {values[:, -1].mean():.3f} ({low:.3f} to {high:.3f})"
        axes.bar(at, values.mean(0), 0.25, color=(BLUE, YELLOW, "#9AA5B1")[shift % 3], label=label)
        axes.plot(at.repeat(len(values)), values.flatten(), "o", color=INK, ms=3)
    axes.set_xticks(places, [*labels, "mean"], fontsize=11)
    axes.set(ylabel="right answers")
    axes.legend(title="mean of the relations (lowest to highest seed)", frameon=False, loc="upper left")
    return _finish(figure)


def plot_steps(panels: Mapping[str, Tensor], names: Sequence[str]) -> Figure:
    """Cosines of pairs' differences with a mean difference: a bar for each pair, orange where it points backwards.

    Shape: each panel (pairs,).

    >>> len(plot_steps({"royal": torch.ones(2), "random": torch.tensor([1.0, -1.0])}, ["king, queen", "a, b"]).axes)
    2
    """
    figure = new_figure(10.4, 4.0)
    for place, (axes, (title, steps)) in enumerate(
        zip(figure.subplots(1, len(panels), squeeze=False)[0], panels.items(), strict=True)
    ):
        axes.barh(range(len(steps)), steps, color=[BLUE if step > 0 else ORANGE for step in steps.tolist()])
        axes.axvline(0, color=INK, lw=1)
        axes.set_yticks(range(len(steps)), names if place == 0 else [""] * len(steps), fontsize=11)
        axes.invert_yaxis()
        ahead = int((steps > 0).sum())
        axes.set_title(f"{title}:\n{ahead} of {len(steps)} in order", fontsize=11.5)
        axes.set(xlim=(-1, 1), xlabel="cosine of the pair's difference\nwith the mean difference")
    return _finish(figure)


def plot_directions(shares: Mapping[str, Sequence[float]]) -> Figure:
    """The share of right directions: a dot for each combination of templates, a bar for the mean, dotted the bag's tie.

    >>> len(plot_directions({"a": [0.5, 0.7]}).axes)
    1
    """
    figure = new_figure(8.6, 0.9 + 0.5 * len(shares))
    axes = figure.subplots()
    for place, (name, values) in enumerate(shares.items()):
        color = ORANGE if name.startswith("twin") else BLUE
        axes.plot(values, [place] * len(values), "o", alpha=0.55, ms=8, color=color)
        axes.plot(sum(values) / len(values), place, "|", ms=26, mew=2.5, color=INK)
    axes.axvline(0.5, color=INK, ls=":")
    axes.set_yticks(range(len(shares)), list(shares), fontsize=11)
    axes.set(xlim=(0.3, 1))
    axes.invert_yaxis()
    return _finish(figure, xlabel="right direction (dots: nine combinations; bar: their mean; dotted: any bag)")


def plot_topics(closeness: Mapping[str, Mapping[str, float]], colored: Mapping[str, str]) -> Figure:
    """How close words are to the centres of topics: a panel for each word, its eight closest topics.

    >>> len(plot_topics({"bank": {"river": 0.9, "law": 0.1}}, {"river": BLUE}).axes)
    1
    """
    figure = new_figure(10.4, 4.0)
    grid = figure.subplots(1, len(closeness), sharex=True, squeeze=False)[0]
    for axes, (word, cosines) in zip(grid, closeness.items(), strict=True):
        best = sorted(cosines, key=cosines.get, reverse=True)[:8]
        axes.barh(best, [cosines[topic] for topic in best], color=[colored.get(topic, "#C3CAD2") for topic in best])
        axes.invert_yaxis()
        axes.tick_params(axis="y", labelsize=11)
        axes.set_title(word, fontsize=12)
    return _finish(figure, xlabel="cosine with the centre of a topic")


def neighbour_table(columns: Mapping[str, Mapping[str, Sequence[str]]]) -> str:
    """HTML: a column for each model, a row for each word, in the cells its neighbours.

    >>> neighbour_table({"GloVe": {"gold": ["silver", "coin"]}}).count("<td")
    2
    """
    rows = "".join(
        f"<tr><th style='text-align:left'>{escape(word)}</th>"
        + "".join(f"<td style='text-align:left'>{escape(' '.join(found[word]))}</td>" for found in columns.values())
        + "</tr>"
        for word in next(iter(columns.values()))
    )
    head = "".join(f"<th style='text-align:left'>{escape(name)}</th>" for name in columns)
    return f"<table><tr><td></td>{head}</tr>{rows}</table>"


def _finish(figure: Figure, **labels: str) -> Figure:
    for axes in figure.axes:
        axes.spines[["top", "right"]].set_visible(False)
        axes.set(**labels)
    return figure
