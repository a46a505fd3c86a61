"""A word in many sentences to look around in: a dot for each sentence, a slider for the layers."""

from collections.abc import Sequence
from html import escape

from torch import Tensor

from minibert.tasks.neighbours import check_texts
from minibert.tasks.projection import check_vectors
from minibert.viz.page import COLORS, View, fragment, png_of, printable
from minibert.viz.word_pictures import check_layers, plot_word_by_layer
from minibert.viz.word_points import both_points

PATHS = (  # circle, square, triangle, diamond, plus, cross: told apart without colour
    "M7 0A7 7 0 1 1-7 0A7 7 0 1 1 7 0Z",
    "M-6-6H6V6H-6Z",
    "M0-8L8 6H-8Z",
    "M0-8.5L8.5 0L0 8.5L-8.5 0Z",
    "M-3-8H3V-3H8V3H3V8H-3V3H-8V-3H-3Z",
    "M-7-4L-4-7L0-3L4-7L7-4L3 0L7 4L4 7L0 3L-4 7L-7 4L-3 0Z",
)


class ScatterView(View):
    """Vectors of texts as dots: in a notebook as the last line of a cell, or as a page of its own.

    The slider goes through the layers; each is projected by itself onto the two directions in which its vectors differ
    most. Point at a dot to read its text and its nearest neighbour, by cosine in all dimensions; click or press Enter
    to pin it, Escape to free it, arrow keys move. A `control`, such as the vectors of an untrained twin, stands beside
    under its name. Needs no network and follows the light or dark theme; where scripts do not run there is a still
    picture of the first, middle and last layer. The same input gives the same bytes. Up to 200 texts of at most 2,000
    characters, 65 layers and 6 groups, each with a mark and a colour.

    Shape: vectors and control (L + 1, S, D), as `word_vectors_by_layer` returns them; S texts and S group names.

    Raises:
        ValueError: texts, groups, a control or a layer that do not fit the vectors, or too many of them.

    Source: after Coenen et al. 2019, visualizing and measuring the geometry of BERT.

    >>> import torch
    >>> view = ScatterView(["a red apple", "a red rose", "two"], torch.eye(3)[None], ["red", "red", "number"])
    >>> view
    ScatterView(3 texts, 1 layer)
    """

    def __init__(
        self,
        texts: Sequence[str],
        vectors: Tensor,
        groups: Sequence[str] | None = None,
        control: Tensor | None = None,
        layer: int = -1,
        title: str = "One word in many texts",
        control_name: str = "untrained twin",
    ):
        check_vectors(vectors, "vectors", "(L + 1, S, D)")
        self.texts = check_texts(texts, vectors.shape[1], "texts")
        if max(map(len, self.texts)) > 2000:
            raise ValueError("texts: one has more than 2000 characters; pass the sentence, not the document")
        self.panels, self.groups = both_points(vectors, control, groups, texts, control_name)
        self.vectors, self.control = vectors.detach(), None if control is None else control.detach()
        (self.layer,) = check_layers([layer], len(vectors))
        if not isinstance(title, str):
            raise ValueError(f"title: got {type(title).__name__}, expected a text")
        self.title, self.control_name = title, control_name

    def __repr__(self) -> str:
        layers = len(self.panels[0].places)
        return f"ScatterView({len(self.texts)} texts, {layers} layer{'s' * (layers > 1)})"

    def describe(self) -> str:
        """The view in words: alt text of the picture."""
        found = [f"{p.name} {p.agreement(self.groups)[self.layer]}" for p in self.panels]
        names = list(dict.fromkeys(self.groups))
        return printable(
            f"{self.title}. {len(self.texts)} dots in {len(names)} group{'s' * (len(names) > 1)} ({', '.join(names)}). "
            f"With a nearest neighbour of their own group in layer {self.layer}: {', '.join(found)}."
        )

    def _repr_html_(self) -> str:
        names = list(dict.fromkeys(self.groups))
        panels = [
            dict(
                name=panel.name,
                places=panel.places.tolist(),
                nearest=panel.nearest.tolist(),
                share=panel.agreement(self.groups) if len(names) > 1 else None,
            )
            for panel in self.panels
        ]
        data = dict(
            texts=self.texts,
            title=self.title,
            groups=[names.index(group) for group in self.groups],
            names=names,
            panels=panels,
            layers=len(self.panels[0].places),
            layer=self.layer,
            marks=PATHS,
            colors=COLORS,
        )
        return fragment("scatter", data, self._svg(names), self.describe())

    def _svg(self, names: list[str]) -> str:
        """The first, middle and last layer, a row for each panel."""
        last = len(self.panels[0].places) - 1
        layers = sorted({0, last // 2, last})
        wide, high = 230 * len(layers) + 20, 232 * len(self.panels) + 60
        parts = [f'<rect width="{wide}" height="{high}" fill="#fff"/>', _text(16, 22, self.title, 14)]
        for row, panel in enumerate(self.panels):
            for column, layer in enumerate(layers):
                x, y = 16 + 230 * column, 50 + 232 * row
                parts.append(_text(x, y, f"{panel.name}, layer {layer}"))
                parts.append(f'<rect x="{x}" y="{y + 8}" width="210" height="200" fill="#f3f6f9"/>')
                for group, (a, b) in zip(self.groups, panel.places[layer].tolist(), strict=True):
                    number = names.index(group)
                    parts.append(
                        f'<path transform="translate({x + 5 + a / 5:g} {y + 8 + b / 5:g}) scale(0.7)" '
                        f'd="{PATHS[number]}" fill="{COLORS[number]}" fill-opacity="0.78" stroke="#fff"/>'
                    )
        for number, name in enumerate(names):
            x = 24 + (wide - 20) / len(names) * number
            parts.append(
                f'<path transform="translate({x:g} {high - 16})" d="{PATHS[number]}" fill="{COLORS[number]}"/>'
            )
            parts.append(_text(x + 14, high - 12, name))
        size = f'width="{wide}" height="{high}" viewBox="0 0 {wide} {high}" font-family="system-ui, sans-serif"'
        return f'<svg xmlns="http://www.w3.org/2000/svg" {size}>{"".join(parts)}</svg>'

    def _repr_png_(self) -> bytes:
        last = len(self.vectors) - 1
        layers = sorted({0, last // 2, last})
        figure = plot_word_by_layer(self.vectors, self.groups, self.control, layers, self.title, self.control_name)
        return png_of(figure, dpi=110)


def _text(x: float, y: float, text: str, size: int = 12) -> str:
    return f'<text x="{x:g}" y="{y:g}" font-size="{size}" fill="#1c2530">{escape(printable(text))}</text>'
