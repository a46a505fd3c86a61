"""The window to drag: how far a word travels through local and global layers, and what they cost."""

from html import escape

from matplotlib.figure import Figure

from minibert.viz.page import View, fragment, png_of, printable

LENGTH = 257  # tokens: 128 to each side of the one in the middle
MOST_WINDOW, MOST_LAYERS = 64, 12
CHOICES = ((0, "none"), (1, "every one"), (2, "every second"), (3, "every third"), (4, "every fourth"))
SEEN, ALL, HEARD, INK = "#2b83c6", "#d96c06", "#b5d3ea", "#1c2530"


def layer_reach(window: int, layers: int, every: int, half: int) -> list[tuple[bool, int, int]]:
    """For each layer whether it is global, how far it looks, and from how far words have arrived, up to `half`.

    >>> layer_reach(16, 4, every=3, half=128)
    [(True, 128, 128), (False, 16, 128), (False, 16, 128), (True, 128, 128)]
    >>> [heard for _, _, heard in layer_reach(16, 4, every=0, half=128)]
    [16, 32, 48, 64]
    """
    found, heard = [], 0
    for layer in range(layers):
        is_global = every > 0 and layer % every == 0
        own = half if is_global else window
        heard = min(half, heard + own)
        found.append((is_global, own, heard))
    return found


def count_scores(length: int, window: int | None) -> int:
    """How many scores one layer computes for one head on a text: pairs of tokens that see each other.

    >>> count_scores(5, 1), count_scores(5, None)  # two neighbours and itself, one neighbour less at both ends
    (13, 25)
    """
    if window is None or window >= length:
        return length * length
    return length * (2 * window + 1) - window * (window + 1)


class ReachView(View):
    """Layers as bars around a token: what each looks at, and from where words have arrived by then.

    Drag a bar, or move the sliders: W, the number of layers, and which of them are global. Below stand the reach and
    the number of scores. In a notebook it is the last line of a cell, or a page of its own (`to_html`). It needs no
    network; where scripts do not run there is a still picture. The same input gives the same bytes.

    Raises:
        ValueError: a window, a number of layers or a choice of global layers that the sliders do not have.

    Source: Beltagy et al. 2020, section 3.1; Warner et al. 2024, section 2.1.1.

    >>> ReachView(window=16, layers=6)
    ReachView(W=16, 6 layers, global: none)
    """

    def __init__(self, window: int = 16, layers: int = 6, every: int = 0, title: str = "How far does a word travel?"):
        for name, value, least, most in (("window", window, 1, MOST_WINDOW), ("layers", layers, 1, MOST_LAYERS)):
            if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
                raise ValueError(f"{name}={value!r}: expected a whole number from {least} to {most}")
        if isinstance(every, bool) or every not in dict(CHOICES):
            raise ValueError(f"every={every!r}: expected 0 for no global layer, or every 1st to 4th: 1, 2, 3, 4")
        if not isinstance(title, str):
            raise ValueError(f"title: got {type(title).__name__}, expected a text")
        self.window, self.layers, self.every, self.title = window, layers, every, title
        self.rows = layer_reach(window, layers, every, LENGTH // 2)

    def __repr__(self) -> str:
        return f"ReachView(W={self.window}, {self.layers} layers, global: {dict(CHOICES)[self.every]})"

    def describe(self) -> str:
        """The view in words: alt text of the picture."""
        heard = self.rows[-1][2]
        where = f"all {LENGTH} tokens" if heard == LENGTH // 2 else f"{heard} tokens to each side"
        return printable(
            f"{self.title} A bar for each of {self.layers} layers with a window of {self.window} tokens to each side, "
            f"global layers: {dict(CHOICES)[self.every]}. After the last one, {where} have reached the token in the "
            f"middle. All layers together compute {self.times():.1f} times fewer scores than global ones."
        )

    def times(self) -> float:
        """How many times fewer scores the layers compute than as many global ones."""
        cost = sum(count_scores(LENGTH, None if is_global else self.window) for is_global, _, _ in self.rows)
        return self.layers * LENGTH**2 / cost

    def _repr_html_(self) -> str:
        most = dict(window=MOST_WINDOW, layers=MOST_LAYERS)
        data = dict(window=self.window, layers=self.layers, every=self.every, length=LENGTH, title=self.title)
        return fragment("reach", data | dict(most=most, choices=CHOICES), self._svg(), self.describe())

    def _svg(self) -> str:
        left, wide, step = 90, 560, 26
        high = 64 + step * self.layers + 46
        scale = wide / LENGTH
        parts = [f'<rect width="{left + wide + 20}" height="{high}" fill="#fff"/>', _text(16, 24, self.title, 15)]
        for row, (is_global, own, heard) in enumerate(self.rows):
            y = 44 + step * row
            parts.append(_text(16, y + 15, f"{row} {'global' if is_global else 'local'}"))
            for side, margin, color in ((heard, 1, HEARD), (own, 6, ALL if is_global else SEEN)):
                x, size = left + wide / 2 - scale * (side + 0.5), scale * (2 * side + 1)
                parts.append(
                    f'<rect x="{x:.1f}" y="{y + margin}" width="{size:.1f}" height="{22 - 2 * margin}" fill="{color}"/>'
                )
        bottom = 44 + step * self.layers
        for place in range(-128, 129, 32):
            parts.append(_text(left + wide / 2 + scale * place - 8, bottom + 14, str(place), 11))
        parts.append(_text(left, bottom + 36, "dark: what the layer looks at; light: where words have come from"))
        size = f'width="{left + wide + 20}" height="{high}" viewBox="0 0 {left + wide + 20} {high}"'
        font = 'font-family="system-ui, sans-serif"'
        return f'<svg xmlns="http://www.w3.org/2000/svg" {size} {font}>{"".join(parts)}</svg>'

    def _repr_png_(self) -> bytes:
        figure = Figure(figsize=(7.5, 1.2 + 0.3 * self.layers), layout="constrained")
        axes = figure.subplots()
        for row, (is_global, own, heard) in enumerate(self.rows):
            for side, height, color in ((heard, 0.84, HEARD), (own, 0.42, ALL if is_global else SEEN)):
                axes.barh(row, 2 * side + 1, left=-side - 0.5, height=height, color=color)
        names = [f"{row} {'global' if is_global else 'local'}" for row, (is_global, _, _) in enumerate(self.rows)]
        axes.set_yticks(range(self.layers), names)
        axes.set(title=self.title, xlabel="tokens away (dark: looked at, light: arrived)", xlim=(-128.5, 128.5))
        axes.invert_yaxis()
        axes.spines[:].set_visible(False)
        return png_of(figure)


def _text(x: float, y: float, text: str, size: int = 12) -> str:
    return f'<text x="{x:g}" y="{y:g}" font-size="{size}" fill="{INK}">{escape(printable(text))}</text>'
