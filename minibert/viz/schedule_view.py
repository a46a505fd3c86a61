"""A learning-rate schedule to play with: drag the warm-up, the decay, and the place where a second decay begins."""

from minibert.training.schedules import trapezoid
from minibert.viz.page import View, fragment

LEFT, RIGHT, TOP, BOTTOM = 46, 624, 18, 206  # of the plot, as in schedule.js
SHAPES = ("1-sqrt", "linear", "cosine")


class ScheduleView(View):
    """A trapezoid with three handles: in a notebook as the last line of a cell, or as a page of its own.

    Blue is one long run, orange a decay that branches off its plateau, grey a schedule that falls all the time. Needs
    no network and follows the light or dark theme; where scripts do not run there is a still picture. The same input
    gives the same bytes.

    Raises:
        ValueError: fewer than 10 steps, lengths that do not fit into them, a branch that is not on the plateau, an
            unknown shape.

    Source: Warner et al. 2024, section 2.2.2; Hägele et al. 2024.

    >>> ScheduleView(total=400, warmup=20, decay=100, branch=150)
    ScheduleView(400 steps, warm-up 20, decay 100 by 1-sqrt, branch at 150)
    """

    def __init__(
        self,
        total: int = 1000,
        warmup: int = 50,
        decay: int = 200,
        branch: int = 400,
        shape: str = "1-sqrt",
        title: str = "Drag the three dots",
    ):
        numbers = dict(total=total, warmup=warmup, decay=decay, branch=branch)
        for name, value in numbers.items():
            if type(value) is not int or value < (10 if name == "total" else 0):
                raise ValueError(f"{name}={value!r}: expected a whole number of steps, at least 10 in total")
        if warmup + decay > total:
            raise ValueError(f"warmup={warmup} and decay={decay} do not fit into total={total} steps")
        if not warmup <= branch <= total - decay:
            raise ValueError(f"branch={branch}: expected a step on the plateau, from {warmup} to {total - decay}")
        if shape not in SHAPES:
            raise ValueError(f"shape={shape!r}: expected one of {', '.join(SHAPES)}")
        if not isinstance(title, str):
            raise ValueError(f"title: got {type(title).__name__}, expected a text")
        self.total, self.warmup, self.decay, self.branch = total, warmup, decay, branch
        self.shape, self.title = shape, title

    def __repr__(self) -> str:
        return (
            f"ScheduleView({self.total} steps, warm-up {self.warmup}, decay {self.decay} by {self.shape}, "
            f"branch at {self.branch})"
        )

    def describe(self) -> str:
        """The view in words: alt text of the picture."""
        return (
            f"{self.title}. Learning rate over {self.total} steps: up for {self.warmup}, level, and down with "
            f"{self.shape} over the last {self.decay}. A second decay branches off at step {self.branch} and ends at "
            f"{self.branch + self.decay}; a dotted line falls from the end of the warm-up to the last step."
        )

    def curve(self, name: str) -> list[tuple[float, float]]:
        """Points (step, multiplier) of the `long` run, of the `branch`, or of the `other` schedule.

        >>> ScheduleView(total=10, warmup=0, decay=4, branch=2, shape="linear").curve("branch")[-1]
        (6.0, 0.0)
        """
        if name == "other":
            return [(0.0, 0.0 if self.warmup else 1.0), (float(self.warmup), 1.0), (float(self.total), 0.0)]
        begin = self.total - self.decay if name == "long" else self.branch
        falling = [(i / 60, trapezoid(i, 60, decay=60, shape=self.shape) if self.decay else 1.0) for i in range(61)]
        points = [(begin + x * self.decay, value) for x, value in falling]
        if name == "branch":
            return points
        return [(0.0, 0.0 if self.warmup else 1.0), (float(self.warmup), 1.0), *points]

    def _repr_html_(self) -> str:
        data = dict(
            title=self.title,
            total=self.total,
            warmup=self.warmup,
            decay=self.decay,
            branch=self.branch,
            shape=self.shape,
        )
        return fragment("schedule", data, self._svg(), self.describe())

    def _svg(self) -> str:
        def path(name: str, style: str) -> str:
            places = [
                f"{LEFT + step / self.total * (RIGHT - LEFT):.1f} {BOTTOM - value * (BOTTOM - TOP):.1f}"
                for step, value in self.curve(name)
            ]
            return f'<path d="M{"L".join(places)}" fill="none" {style}/>'

        parts = ['<rect width="640" height="250" fill="#fff"/>']
        parts.append(f'<path d="M{LEFT} {TOP}V{BOTTOM}H{RIGHT}" fill="none" stroke="#5b6673"/>')
        parts.append(path("other", 'stroke="#5b6673" stroke-width="2" stroke-dasharray="2 5"'))
        parts.append(path("long", 'stroke="#0072B2" stroke-width="4"'))
        parts.append(path("branch", 'stroke="#D55E00" stroke-width="4" stroke-dasharray="9 4"'))
        for value in (0, 1):
            y = BOTTOM - value * (BOTTOM - TOP) + 4
            parts.append(f'<text x="38" y="{y}" font-size="12" text-anchor="end" fill="#1c2530">{value}</text>')
        for step in (0, self.total):
            x = LEFT + step / self.total * (RIGHT - LEFT)
            parts.append(f'<text x="{x:g}" y="224" font-size="12" text-anchor="middle" fill="#1c2530">{step}</text>')
        parts.append('<text x="335" y="244" font-size="12" text-anchor="middle" fill="#1c2530">step</text>')
        size = 'width="640" height="250" viewBox="0 0 640 250" font-family="system-ui, sans-serif"'
        return f'<svg xmlns="http://www.w3.org/2000/svg" {size}>{"".join(parts)}</svg>'

    def _repr_png_(self) -> bytes:
        from minibert.viz.recipe_pictures import schedule_png

        return schedule_png(self)
