"""Where the parameters of a BERT are: sliders for layers, width and vocabulary, and a bar of shares."""

from collections.abc import Mapping
from html import escape

from matplotlib.figure import Figure

from minibert.viz.diagram import BLUE, GREY, PINK, YELLOW, new_figure
from minibert.viz.page import View, fragment, printable

PARTS = {"embeddings": GREY, "attention": BLUE, "feed-forward": YELLOW, "norms and biases": "#1C2530", "pooler": PINK}
RANGES = {"layers": (1, 48, 1), "width": (64, 2048, 64), "vocabulary": (1000, 260_000, 1000)}
INK = "#1c2530"


def parameters_of(layers: int, width: int, vocabulary: int, positions: int = 512) -> dict[str, int]:
    """The parameters of a BERT by part, with F = 4 D and two segments; biases are those of the blocks.

    >>> sum(parameters_of(12, 768, 30_522).values())
    109482240
    """
    inner = 4 * width
    return {
        "embeddings": (vocabulary + positions + 2) * width,
        "attention": layers * 4 * width * width,
        "feed-forward": layers * 2 * width * inner,
        "norms and biases": 2 * width + layers * (4 * width + inner + width + 2 * 2 * width),
        "pooler": width * width + width,
    }


class ParametersView(View):
    """A BERT of one's own beside others: three sliders, and a bar of each model's parameters by part.

    `models` maps names to (layers, width, vocabulary, positions); the sliders begin with the model `start`, or the last
    one. It is the last line of a cell in a notebook, or a page of its own (`to_html`). It needs no network; without
    scripts there is a still picture of all models.

    Raises:
        ValueError: no models, sizes that are no whole numbers of at least 1, or a start that is no model.

    >>> ParametersView({"BERT-base": (12, 768, 30_522, 512)})
    ParametersView(BERT-base)
    """

    def __init__(
        self,
        models: Mapping[str, tuple[int, int, int, int]],
        start: str | None = None,
        title: str = "Where the parameters are",
    ):
        if not models or not isinstance(title, str):
            raise ValueError(f"models={models!r}, title={title!r}: expected at least one model, and a text")
        for name, sizes in models.items():
            if len(sizes) != 4 or any(type(size) is not int or size < 1 for size in sizes):
                raise ValueError(f"{name}: {sizes!r}, expected (layers, width, vocabulary, positions), each at least 1")
        if start is not None and start not in models:
            raise ValueError(f"start={start!r}: expected one of {', '.join(models)}")
        self.models, self.title = {name: tuple(sizes) for name, sizes in models.items()}, title
        self.start = list(models)[-1] if start is None else start

    def __repr__(self) -> str:
        return f"ParametersView({', '.join(self.models)})"

    def counts(self) -> dict[str, dict[str, int]]:
        """The parameters of each model by part.

        >>> ParametersView({"tiny": (1, 64, 1000, 10)}).counts()["tiny"]["attention"]
        16384
        """
        return {name: parameters_of(*sizes) for name, sizes in self.models.items()}

    def describe(self) -> str:
        """The view in words: alt text of the picture."""
        said = []
        for name, parts in self.counts().items():
            total = sum(parts.values())
            shares = ", ".join(f"{part} {100 * count / total:.1f} %" for part, count in parts.items())
            said.append(f"{name}, {total:,} parameters: {shares}")
        return printable(f"{self.title}. Bars of shares. {'; '.join(said)}.")

    def _repr_html_(self) -> str:
        data = dict(models=[[name, *sizes] for name, sizes in self.models.items()], title=self.title)
        data |= dict(colors=[*PARTS.items()], ranges=RANGES, start=list(self.models).index(self.start))
        return fragment("parameters", data, self._svg(), self.describe())

    def _svg(self) -> str:
        left, wide, step = 190, 560, 34
        high = 90 + step * len(self.models)
        parts = [f'<rect width="{left + wide + 20}" height="{high}" fill="#fff"/>', _text(16, 24, self.title, 15)]
        for row, (name, counts) in enumerate(self.counts().items()):
            total, x = sum(counts.values()), float(left)
            parts.append(_text(16, 60 + step * row, f"{name}, {total / 1e6:.1f} M"))
            for part, count in counts.items():
                size = wide * count / total
                place = f'x="{x:.1f}" y="{44 + step * row}" width="{size:.1f}" height="22"'
                parts.append(f'<rect {place} fill="{PARTS[part]}"/>')
                x += size
        for place, (part, color) in enumerate(PARTS.items()):
            x = 16 + 148 * place
            parts += [f'<rect x="{x}" y="{high - 24}" width="12" height="12" fill="{color}"/>']
            parts.append(_text(x + 18, high - 14, part))
        size = f'width="{left + wide + 20}" height="{high}" viewBox="0 0 {left + wide + 20} {high}"'
        font = 'font-family="system-ui, sans-serif"'
        return f'<svg xmlns="http://www.w3.org/2000/svg" {size} {font}>{"".join(parts)}</svg>'

    def figure(self) -> Figure:
        """The still picture: a bar of shares for each model."""
        figure = new_figure(9.0, 0.5 * len(self.models) + 1.3)
        axes = figure.subplots()
        for row, counts in enumerate(self.counts().values()):
            total, start = sum(counts.values()), 0.0
            for part, count in counts.items():
                label = part if row == 0 else None
                axes.barh(row, count / total, left=start, color=PARTS[part], label=label, height=0.7)
                start += count / total
        names = [f"{name}, {sum(counts.values()) / 1e6:.1f} M" for name, counts in self.counts().items()]
        axes.set_yticks(range(len(names)), names, fontsize=11)
        axes.set(xlabel="share of the parameters", xlim=(0, 1), ylim=(len(names) - 0.5, -0.5))
        axes.spines[["top", "right"]].set_visible(False)
        figure.legend(loc="outside lower center", ncols=len(PARTS), frameon=False)
        return figure


def _text(x: float, y: float, text: str, size: int = 13) -> str:
    return f'<text x="{x:g}" y="{y:g}" font-size="{size}" fill="{INK}">{escape(printable(text))}</text>'
