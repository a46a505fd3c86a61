"""Weights in few bits: a slider over the bits, one scale for the whole matrix or one for each channel."""

from html import escape

import torch
from matplotlib.figure import Figure
from torch import Tensor

from minibert.viz.page import COLORS, View, fragment, png_of, printable

LEAST_BITS, MOST_BITS = 2, 8
MOST_CHANNELS, MOST_WEIGHTS = 12, 64
BLUE, ORANGE = COLORS[:2]
INK = "#1c2530"
WHOSE = ("one scale for all", "a scale for each channel")


def in_bits(weight: Tensor, bits: int, own: bool) -> tuple[Tensor, Tensor]:
    """Round each channel to whole numbers of so many bits, times a scale; `own`: each channel has its own scale.

    Shape: weight (C, K) -> what the rounded weights stand for (C, K), and the scales (C, 1).

    >>> rounded, scale = in_bits(torch.tensor([[0.3, 3.0], [6.5, 24.0]]), bits=3, own=True)
    >>> rounded.tolist(), scale.flatten().tolist()
    ([[0.0, 3.0], [8.0, 24.0]], [1.0, 8.0])
    """
    largest = 2 ** (bits - 1) - 1  # the range is symmetric: 8 bits are -127 to 127
    top = weight.abs().amax(1, keepdim=True) if own else weight.abs().max().expand(len(weight), 1)
    scale = torch.where(top > 0, top / largest, 1.0)
    return (weight / scale).round() * scale, scale


class BitsView(View):
    """Each channel of a matrix as a line of dots: the weights above, below what few bits make of them.

    The slider sets the bits of a number, the choice whether all channels share one scale. Below stand the error and the
    bytes. In a notebook it is the last line of a cell, or a page of its own (`to_html`). It needs no network; where
    scripts do not run there is a still picture of both choices. The same input gives the same bytes.

    Raises:
        ValueError: weights that are not (C, K), too many of them, infinite or all zero; bits that the slider lacks.

    Source: Jacob et al. 2018, section 2.1, in the symmetric form.

    >>> BitsView(torch.tensor([[0.5, -1.0], [0.01, 0.02]]), bits=4)
    BitsView(2 channels of 2 weights, 4 bits, one scale for all)
    """

    def __init__(self, weight: Tensor, bits: int = 4, own: bool = False, title: str = "Weights in few bits"):
        if not isinstance(weight, Tensor) or weight.dim() != 2 or not weight.is_floating_point():
            raise ValueError(
                f"weight: {getattr(weight, 'shape', type(weight).__name__)}, expected (C, K), floating point"
            )
        if not 1 <= len(weight) <= MOST_CHANNELS or not 1 <= weight.shape[1] <= MOST_WEIGHTS:
            raise ValueError(
                f"weight: {tuple(weight.shape)}, at most ({MOST_CHANNELS}, {MOST_WEIGHTS}); cut a piece out"
            )
        weight = weight.detach().double().round(decimals=5)
        if not weight.isfinite().all() or not weight.any():
            raise ValueError("weight: infinity, NaN, or nothing but zeros; expected a trained matrix")
        if isinstance(bits, bool) or not isinstance(bits, int) or not LEAST_BITS <= bits <= MOST_BITS:
            raise ValueError(f"bits={bits!r}: expected a whole number from {LEAST_BITS} to {MOST_BITS}")
        if not isinstance(own, bool) or not isinstance(title, str):
            raise ValueError(f"own={own!r}, title={title!r}: expected True or False, and a text")
        self.weight, self.bits, self.own, self.title = weight, bits, own, title

    def __repr__(self) -> str:
        channels, weights = self.weight.shape
        return f"BitsView({channels} channels of {weights} weights, {self.bits} bits, {WHOSE[self.own]})"

    def error(self, own: bool | None = None) -> float:
        """The root mean square of what rounding changes, over that of the weights; `own`: the other choice, if given.

        >>> round(BitsView(torch.tensor([[0.4, 1.0]]), bits=2).error(), 3)
        0.371
        """
        rounded, _ = in_bits(self.weight, self.bits, self.own if own is None else own)
        return float((rounded - self.weight).norm() / self.weight.norm())

    def describe(self) -> str:
        """The view in words: alt text of the picture."""
        channels, weights = self.weight.shape
        parts = []
        for own in (False, True):
            rounded, _ = in_bits(self.weight, self.bits, own)
            left = [len(set(channel.tolist())) for channel in rounded]
            parts.append(
                f"with {WHOSE[own]}, the channels keep {min(left)} to {max(left)} different values, and the error is "
                f"{100 * self.error(own):.1f} % of the weights"
            )
        return printable(
            f"{self.title}. {channels} channels of {weights} weights each, as dots along a line, above as they are and "
            f"below in {self.bits} bits: {'; '.join(parts)}."
        )

    def _repr_html_(self) -> str:
        data = dict(weight=self.weight.tolist(), bits=self.bits, own=self.own, title=self.title)
        data |= dict(least=LEAST_BITS, most=MOST_BITS)
        return fragment("bits", data, self._svg(), self.describe())

    def _svg(self) -> str:
        left, wide, step = 90, 400, 30
        most, high, full = float(self.weight.abs().max()), 84 + step * len(self.weight), left + 2 * wide + 40
        parts = [f'<rect width="{full}" height="{high}" fill="#fff"/>', _text(16, 24, self.title, 15)]
        for own, start in ((False, left), (True, left + wide + 20)):
            rounded, _ = in_bits(self.weight, self.bits, own)
            parts.append(_text(start, 48, f"{self.bits} bits, {WHOSE[own]}", 13))
            for row, (before, after) in enumerate(zip(self.weight, rounded, strict=True)):
                for values, y, color in ((before, 68 + step * row, BLUE), (after, 79 + step * row, ORANGE)):
                    for value in values.tolist():
                        x = start + wide * (value / most + 1) / 2
                        parts.append(f'<circle cx="{x:.1f}" cy="{y}" r="3.5" fill="{color}" fill-opacity="0.6"/>')
        parts += [_text(16, 78 + step * row, f"channel {row}") for row in range(len(self.weight))]
        parts.append(_text(left, high - 4, "above: as trained; below: rounded"))
        size = f'width="{full}" height="{high}" viewBox="0 0 {full} {high}"'
        font = 'font-family="system-ui, sans-serif"'
        return f'<svg xmlns="http://www.w3.org/2000/svg" {size} {font}>{"".join(parts)}</svg>'

    def _repr_png_(self) -> bytes:
        figure = Figure(figsize=(9.2, 1.4 + 0.34 * len(self.weight)), layout="constrained")
        for own, axes in enumerate(figure.subplots(1, 2, sharey=True)):
            rounded, _ = in_bits(self.weight, self.bits, bool(own))
            for row, (before, after) in enumerate(zip(self.weight, rounded, strict=True)):
                kinds = ((before, -0.16, BLUE, "as trained"), (after, 0.16, ORANGE, "rounded"))
                for values, shift, color, name in kinds:
                    style = dict(ls="", marker="o", ms=4.5, alpha=0.6, mew=0, color=color)
                    axes.plot(values, [row + shift] * len(values), label=None if row or own else name, **style)
            axes.set(title=f"{self.bits} bits, {WHOSE[own]}", xlabel="weight")
            axes.spines[["top", "right", "left"]].set_visible(False)
        figure.axes[0].set_yticks(range(len(self.weight)), [f"channel {row}" for row in range(len(self.weight))])
        figure.axes[0].invert_yaxis()
        figure.legend(loc="outside lower center", ncols=2, frameon=False)
        return png_of(figure)


def _text(x: float, y: float, text: str, size: int = 12) -> str:
    return f'<text x="{x:g}" y="{y:g}" font-size="{size}" fill="{INK}">{escape(printable(text))}</text>'
