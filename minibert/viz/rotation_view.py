"""RoPE to play with: drag the positions of a query and a key, and theta, and watch their pairs of channels turn."""

import math

from minibert.viz.page import View, fragment

FARTHEST = 512  # tokens that the sliders reach
QUERY, KEY = "#0072B2", "#D55E00"


class RotationView(View):
    """Dials with two hands: in a notebook as the last line of a cell, or as a page of its own.

    Each dial is one pair of channels; the blue hand is the query's, the orange one the key's, and the wedge between
    them is what the score depends on. Needs no network and follows the light or dark theme; where scripts do not run
    there is a still picture. The same input gives the same bytes.

    Raises:
        ValueError: an odd head size or one below 2 or above 256, a position outside 0 to 512, or a theta outside 100
            to 1,000,000.

    Source: Su et al. 2021 (RoFormer), section 3.2.

    >>> RotationView(query=9, key=4)
    RotationView(query at 9, key at 4, theta 10,000)
    """

    def __init__(
        self,
        query: int = 12,
        key: int = 8,
        theta: float = 10_000.0,
        head_size: int = 64,
        title: str = "Drag the positions and theta",
    ):
        if type(head_size) is not int or head_size % 2 or not 2 <= head_size <= 256:
            raise ValueError(f"head_size={head_size!r}: expected an even number from 2 to 256")
        for name, place in (("query", query), ("key", key)):
            if type(place) is not int or not 0 <= place <= FARTHEST:
                raise ValueError(f"{name}={place!r}: expected a position from 0 to {FARTHEST}")
        if type(theta) not in (int, float) or not 100 <= theta <= 1e6:
            raise ValueError(f"theta={theta!r}: expected a number from 100 to 1,000,000")
        if not isinstance(title, str):
            raise ValueError(f"title: got {type(title).__name__}, expected a text")
        self.query, self.key, self.theta, self.head_size, self.title = query, key, theta, head_size, title
        pairs = head_size // 2
        self.pairs = sorted({pairs * step // 8 for step in range(8)})

    def __repr__(self) -> str:
        return f"RotationView(query at {self.query}, key at {self.key}, theta {self.theta:,.0f})"

    def speed(self, pair: int) -> float:
        """How far a pair turns from one token to the next, in radians.

        >>> RotationView().speed(0)
        1.0
        """
        return self.theta ** (-2 * pair / self.head_size)

    def describe(self) -> str:
        """The view in words: alt text of the picture."""
        first, last = (round(2 * math.pi / self.speed(pair)) for pair in (self.pairs[0], self.pairs[-1]))
        return (
            f"{self.title}. {len(self.pairs)} dials, each with a blue hand for a query at position {self.query} and an "
            f"orange one for a key at position {self.key}, theta {self.theta:,.0f}. The first pair makes a turn in "
            f"{first:,} tokens, the last one shown in {last:,}: its hands hardly differ."
        )

    def _repr_html_(self) -> str:
        data = dict(
            title=self.title,
            query=self.query,
            key=self.key,
            theta=self.theta,
            size=self.head_size,
            pairs=self.pairs,
            most=FARTHEST,
        )
        return fragment("rotation", data, self._svg(), self.describe())

    def _svg(self) -> str:
        wide, high = 20 + 130 * min(4, len(self.pairs)), 50 + 160 * math.ceil(len(self.pairs) / 4)
        parts = [f'<rect width="{wide}" height="{high}" fill="#fff"/>']
        said = f"query at {self.query} (blue), key at {self.key} (orange), theta {self.theta:,.0f}"
        parts.append(f'<text x="16" y="24" font-size="14" fill="#1c2530">{said}</text>')
        for number, pair in enumerate(self.pairs):
            x, y, speed = 70 + 130 * (number % 4), 96 + 160 * (number // 4), self.speed(pair)
            parts.append(f'<circle cx="{x}" cy="{y}" r="52" fill="#f3f6f9" stroke="#d5dbe2"/>')
            for place, colour in ((self.key, KEY), (self.query, QUERY)):
                angle = place * speed
                to_x, to_y = x + 48 * math.cos(angle), y - 48 * math.sin(angle)
                parts.append(f'<path d="M{x} {y}L{to_x:.2f} {to_y:.2f}" stroke="{colour}" stroke-width="4"/>')
            said = f"pair {pair}: {2 * math.pi / speed:,.0f} tokens"
            parts.append(f'<text x="{x}" y="{y + 70}" font-size="11" text-anchor="middle" fill="#1c2530">{said}</text>')
        size = f'width="{wide}" height="{high}" viewBox="0 0 {wide} {high}" font-family="system-ui, sans-serif"'
        return f'<svg xmlns="http://www.w3.org/2000/svg" {size}>{"".join(parts)}</svg>'

    def _repr_png_(self) -> bytes:
        from minibert.viz.rope_pictures import dials_png

        return dials_png(self)
