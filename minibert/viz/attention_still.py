"""The still picture of an AttentionView: as SVG inside its page, and by matplotlib for documents that take only PNG."""

from html import escape

import torch

from minibert.viz.attention_data import LEVELS
from minibert.viz.page import for_matplotlib, palette_png, printable, text_of

WEAKEST = 0.04  # links below are not drawn
BLUE, ORANGE, INK, SOFT = "#2b83c6", "#d96c06", "#1c2530", "#5b6673"
PALETTE = [tuple(round(255 + (c - 255) * level / LEVELS) for c in (10, 80, 140)) for level in range(LEVELS + 1)]
PALETTE += [(200, 206, 214)]  # the line between two maps


def draw_svg(view) -> str:
    """The picture of a view as SVG: the overview, and the chosen head's lines (its map, when there are many tokens).

    >>> import torch
    >>> from minibert.viz import AttentionView
    >>> draw_svg(AttentionView(["a", "b"], torch.eye(2)[None, None]))[:4]
    '<svg'
    """
    layers, heads = view.links.values.shape[:2]
    cell = max(9, min(30, 380 // heads, 460 // layers))
    wide, high = heads * cell, layers * cell
    parts = [
        _text(20, 22, view.title, size=15, weight=650),
        _text(20, 46, f"All heads: {layers} rows for layers, {heads} columns for heads", color=SOFT),
        _image(20, 58, wide, high, _pixels(_overview(view))),
        f'<rect x="{20 + view.head * cell}" y="{58 + view.layer * cell}" width="{cell}" height="{cell}" fill="none" '
        f'stroke="{ORANGE}" stroke-width="2.5"/>',
    ]
    left = max(20 + wide, 330) + 40
    parts.append(_text(left, 46, f"Layer {view.layer}, head {view.head}: who looks at whom", color=SOFT))
    if view.links.keys is not None:
        side, right = 420, left + 440
        parts.append(_image(left, 58, side, side, _pixels(view.links.maps[view.layer, view.head])))
        parts.append(
            _text(left, 58 + side + 18, f"{len(view.tokens)} tokens; rows look, columns are looked at", color=SOFT)
        )
        bottom = 58 + max(high, side) + 40
    else:
        step = 26 if len(view.tokens) <= 20 else 17
        right, bottom = left + 420, 58 + max(high, step * len(view.tokens)) + 14
        parts += _lines(view, left, step)
    size = f'width="{right + 10}" height="{bottom}" viewBox="0 0 {right + 10} {bottom}"'
    background = f'<rect width="{right + 10}" height="{bottom}" fill="#fff"/>'
    font = 'font-family="system-ui, sans-serif" font-size="12"'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size} {font}>{background}{"".join(parts)}</svg>'


def _lines(view, left: int, step: int) -> list[str]:
    probabilities = view.links.probabilities(view.layer, view.head)
    start, end, parts = left + 120, left + 300, []
    for i, j, p in strong_links(probabilities):
        color = ORANGE if i == view.token else BLUE
        faded = 0.15 if view.token not in (None, i) else 1.0
        a, b = 58 + step * (i + 0.5), 58 + step * (j + 0.5)
        parts.append(
            f'<path d="M{start} {a:g}C{start + 70} {a:g} {end - 70} {b:g} {end} {b:g}" fill="none" stroke="{color}" '
            f'stroke-width="{0.6 + 4 * p:.2f}" opacity="{min(1.0, 0.12 + p) * faded:.2f}"/>'
        )
    for index, token in enumerate(view.tokens):
        y, weight = 58 + step * (index + 0.5) + 4, 700 if index == view.token else 400
        parts.append(_text(start - 8, y, _short(token), anchor="end", weight=weight))
        parts.append(_text(end + 8, y, _short(token)))
        if view.token is not None and probabilities[view.token, index] >= WEAKEST:
            parts.append(_text(end + 112, y, f"{100 * float(probabilities[view.token, index]):.0f} %", "end", ORANGE))
    return parts


def strong_links(probabilities: torch.Tensor) -> list[tuple[int, int, float]]:
    """The links worth drawing, (query, key, probability), weak ones first so that strong ones lie on top.

    >>> strong_links(torch.tensor([[0.01, 0.99], [0.5, 0.5]]))[-1][:2]
    (0, 1)
    """
    found = [(i, j, float(probabilities[i, j])) for i, j in (probabilities >= WEAKEST).nonzero().tolist()]
    return sorted(found, key=lambda link: (link[2], link[:2]))


def _overview(view) -> torch.Tensor:
    """All maps as one picture (L (P + 1), H (P + 1)), a grey line between them."""
    maps = torch.nn.functional.pad(view.links.maps, (0, 1, 0, 1), value=LEVELS + 1)  # (L, H, P + 1, P + 1)
    layers, heads, side, _ = maps.shape
    return maps.permute(0, 2, 1, 3).reshape(layers * side, heads * side)


def _pixels(levels: torch.Tensor) -> bytes:
    return palette_png([bytes(row) for row in levels.tolist()], PALETTE)


def _image(x: float, y: float, wide: float, high: float, png: bytes) -> str:
    source = f"data:image/png;base64,{text_of(png)}"
    box = f'x="{x}" y="{y}" width="{wide}" height="{high}"'
    frame = f'<rect {box} fill="none" stroke="#d5dbe2"/>'
    return f'<image {box} preserveAspectRatio="none" style="image-rendering:pixelated" href="{source}"/>{frame}'


def _text(x, y, text: str, anchor="start", color=INK, size=12, weight=400) -> str:
    style = f'text-anchor="{anchor}" fill="{color}" font-size="{size}" font-weight="{weight}"'
    return f'<text x="{x:g}" y="{y:g}" {style}>{escape(printable(text))}</text>'


def _short(token: str) -> str:
    return token if len(token) <= 15 else token[:14] + "…"


def draw_figure(view):
    """The picture of a view as a matplotlib figure.

    >>> import torch
    >>> from minibert.viz import AttentionView
    >>> len(draw_figure(AttentionView(["a", "b"], torch.eye(2)[None, None])).axes)
    2
    """
    from matplotlib.figure import Figure

    layers, heads = view.links.values.shape[:2]
    size = len(view.tokens)
    right = 4.9 if view.links.keys is not None else 0.24 * size
    high = max(2.2, right, 4.5 * layers / heads) + 0.8
    figure = Figure(figsize=(10, min(high, 16)), layout="constrained")
    overview, axes = figure.subplots(1, 2, width_ratios=(1, 1.1))
    draw_overview(view, overview)
    overview.set_title(for_matplotlib(view.title), fontsize=13)
    axes.set_title(f"layer {view.layer}, head {view.head}: who looks at whom", fontsize=13)
    if view.links.keys is not None:
        axes.imshow(view.links.maps[view.layer, view.head].numpy(), **_colors())
        axes.set(xlabel=f"looks at (key), {size} tokens", ylabel="token (query)", xticks=[], yticks=[])
    else:
        _draw_lines(view, axes)
    for part in (overview, axes):
        part.spines[:].set_visible(False)
        part.tick_params(length=0)
        part.set_anchor("N")
    return figure


def draw_overview(view, axes) -> None:
    """All maps of a view, a row for each layer and a column for each head; a frame around the chosen one.

    >>> import torch
    >>> from matplotlib.figure import Figure
    >>> from minibert.viz import AttentionView
    >>> axes = Figure().subplots()
    >>> draw_overview(AttentionView(["a", "b"], torch.eye(2)[None, None]), axes)
    >>> axes.get_xlabel(), axes.get_ylabel()
    ('head', 'layer')
    """
    from matplotlib.patches import Rectangle

    layers, heads = view.links.values.shape[:2]
    side = view.links.maps.shape[-1] + 1
    axes.imshow(_overview(view).numpy(), interpolation="nearest", **_colors())
    box = Rectangle((view.head * side - 0.5, view.layer * side - 0.5), side, side, fill=False, color=ORANGE, lw=2)
    axes.add_patch(box)
    every = max(1, heads // 12)
    axes.set_xticks([h * side + side / 2 for h in range(0, heads, every)], range(0, heads, every), fontsize=13)
    axes.set_yticks([layer * side + side / 2 for layer in range(layers)], range(layers), fontsize=13)
    axes.set_xlabel("head", fontsize=13)
    axes.set_ylabel("layer", fontsize=13)


def _colors() -> dict:
    from matplotlib.colors import ListedColormap

    return dict(cmap=ListedColormap([[c / 255 for c in color] for color in PALETTE]), vmin=0, vmax=LEVELS + 1)


def _draw_lines(view, axes) -> None:
    size = len(view.tokens)
    bend = torch.linspace(0, 1, 60, dtype=torch.float64)
    height = 3 * bend**2 - 2 * bend**3  # from flat to flat
    for i, j, p in strong_links(view.links.probabilities(view.layer, view.head)):
        color = ORANGE if i == view.token else BLUE
        faded = 0.15 if view.token not in (None, i) else 1.0
        axes.plot(bend, i + (j - i) * height, color=color, lw=0.6 + 3 * p, alpha=min(1.0, 0.12 + p) * faded)
    for index, token in enumerate(view.tokens):
        weight = "bold" if index == view.token else "normal"
        for x, side, bold in ((-0.03, "right", weight), (1.03, "left", "normal")):
            axes.text(x, index, for_matplotlib(_short(token)), ha=side, va="center", fontsize=12.5, fontweight=bold)
    axes.set(xlim=(-0.6, 1.6), ylim=(size - 0.5, -0.5), xticks=[], yticks=[])
