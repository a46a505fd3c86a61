"""What all drawn pictures of the course share: their size, their colours, and the boxes and arrows of a diagram."""

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch, Rectangle

from minibert.viz.page import COLORS, for_matplotlib

BLUE, ORANGE, GREEN, PINK, YELLOW, GREY = COLORS
STYLES = (  # told apart without colour too
    dict(color=BLUE, marker="o", ls="-"),
    dict(color=ORANGE, marker="s", ls="--"),
    dict(color=GREEN, marker="^", ls="-."),
    dict(color=PINK, marker="D", ls=":"),
    dict(color="#000000", marker="v", ls="-"),
    dict(color=GREY, marker="P", ls="--"),
)
DPI = 144
INK = "#1C2530"
LIGHT = {
    "blue": "#CDE5F5",
    "yellow": "#FBE3B0",
    "green": "#CFEBE0",
    "pink": "#F3DCE8",
    "grey": "#E3E6EA",
    "white": "white",
}


def new_figure(wide: float, high: float) -> Figure:
    """A figure of the course: 144 dots an inch, letters that stay legible at half its size.

    Made by pyplot, so that a notebook knows how to show it, and closed at once: it is shown where it is returned.

    >>> new_figure(8, 3).dpi
    144
    """
    figure = plt.figure(figsize=(wide, high), dpi=DPI, layout="constrained")
    plt.close(figure)
    return figure


def new_diagram(wide: float, high: float, across: float, up: float) -> tuple[Figure, Axes]:
    """An empty drawing without axes: x from 0 to `across`, y from 0 to `up`, for `box` and `arrow`.

    >>> new_diagram(8, 3, 10, 4)[1].get_xlim() == (0, 10)
    True
    """
    figure = new_figure(wide, high)
    axes = figure.subplots()
    axes.set(xlim=(0, across), ylim=(0, up))
    axes.axis("off")
    return figure, axes


def box(
    axes: Axes, x: float, y: float, wide: float, high: float, text: str, shade: str = "blue", size: float = 11, **style
) -> None:
    """A box with round corners around (x, y), its text in the middle, of one line or more; `shade` is a key of LIGHT.

    >>> _, axes = new_diagram(4, 2, 4, 2)
    >>> box(axes, 2, 1, 1.5, 0.8, "add\\nand norm", "grey")
    >>> [text.get_text() for text in axes.texts]
    ['add\\nand norm']
    """
    corner = (x - wide / 2, y - high / 2)
    look = dict(boxstyle="round,pad=0,rounding_size=0.08", fc=LIGHT[shade], ec="#5B6673", lw=1.0)
    axes.add_patch(FancyBboxPatch(corner, wide, high, **look))
    lines = "\n".join(map(for_matplotlib, text.split("\n")))
    axes.text(x, y, lines, ha="center", va="center", fontsize=size, color=INK, **style)


def arrow(axes: Axes, start: tuple[float, float], end: tuple[float, float], color: str = INK, bend: float = 0) -> None:
    """An arrow from one point to another; `bend` curves it, as matplotlib's `arc3,rad`.

    >>> _, axes = new_diagram(4, 2, 4, 2)
    >>> arrow(axes, (0, 1), (2, 1), bend=0.3)
    >>> len(axes.texts)
    1
    """
    look = dict(arrowstyle="-|>", color=color, lw=1.3, shrinkA=0, shrinkB=0, connectionstyle=f"arc3,rad={bend}")
    axes.annotate("", end, start, arrowprops=look)


def vector(axes: Axes, x: float, y: float, shades: list[str], cell: float = 0.22, upright: bool = False) -> None:
    """A vector as a row (or a column, `upright`) of small squares around the point (x, y), one for each shade.

    >>> _, axes = new_diagram(4, 2, 4, 2)
    >>> vector(axes, 2, 1, ["blue"] * 4)
    >>> len(axes.patches)
    4
    """
    for place, shade in enumerate(shades):
        along = (place - len(shades) / 2) * cell
        corner = (x - cell / 2, y - along - cell) if upright else (x + along, y - cell / 2)
        axes.add_patch(Rectangle(corner, cell, cell, fc=LIGHT[shade], ec="#5B6673", lw=0.8))


def plain(axes: Axes) -> None:
    """Take the frame's upper and right side away.

    >>> axes = new_figure(4, 2).subplots()
    >>> plain(axes)
    >>> axes.spines["top"].get_visible()
    False
    """
    axes.spines[["top", "right"]].set_visible(False)
