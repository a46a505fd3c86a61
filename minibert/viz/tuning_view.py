"""Fine-tuning at several learning rates: move the slider and see accuracy and loss by step, a line for each seed."""

from collections.abc import Mapping, Sequence
from statistics import mean, stdev

from minibert.viz.page import View, fragment

TOP, BOTTOM = 20, 196  # of both plots, as in tuning.js
PLOTS = {"accuracy": (46, 310), "loss": (366, 630)}  # from left to right
Curves = Mapping[str, Sequence[Sequence[tuple[int, float]]]]


class TuningView(View):
    """Two plots and a slider: in a notebook as the last line of a cell, or as a page of its own.

    `accuracy` and `loss` hold, for each learning rate, a curve of (step, number) for each seed. The chosen rate is
    blue, the others are grey. Needs no network and follows the light or dark theme; where scripts do not run there is a
    still picture. The same input gives the same bytes.

    Raises:
        ValueError: other rates in `loss` than in `accuracy`, fewer than two curves of a rate, a curve without a point,
            or a `rate` that there is none of.

    >>> curves = {"1e-4": [[(0, 0.5), (9, 0.8)], [(0, 0.5), (9, 0.7)]]}
    >>> TuningView(curves, curves, rate="1e-4")
    TuningView(rates 1e-4, 2 seeds, 1e-4 chosen)
    """

    def __init__(self, accuracy: Curves, loss: Curves, rate: str, title: str = "Choose the learning rate"):
        if not accuracy or list(accuracy) != list(loss):
            raise ValueError(
                f"accuracy has the rates {list(accuracy)}, loss {list(loss)}: expected the same, one or more"
            )
        for name, curves in (*accuracy.items(), *loss.items()):
            if len(curves) < 2 or not all(len(curve) for curve in curves):
                raise ValueError(f"rate {name}: expected two curves or more, each with a point or more")
        if rate not in accuracy:
            raise ValueError(f"rate={rate!r}: expected one of {', '.join(accuracy)}")
        if not isinstance(title, str):
            raise ValueError(f"title: got {type(title).__name__}, expected a text")
        self.curves = {"accuracy": accuracy, "loss": loss}
        self.rates, self.rate, self.title = list(accuracy), rate, title
        steps = [step for curves in accuracy.values() for curve in curves for step, _ in curve]
        self.last = max(steps)
        self.highest = max(value for curves in loss.values() for curve in curves for _, value in curve)

    def __repr__(self) -> str:
        seeds = len(self.curves["accuracy"][self.rate])
        return f"TuningView(rates {', '.join(self.rates)}, {seeds} seeds, {self.rate} chosen)"

    def ends(self, rate: str) -> list[float]:
        """The last accuracy of each seed.

        >>> curves = {"1e-4": [[(0, 0.5), (9, 0.8)], [(0, 0.5), (9, 0.7)]]}
        >>> TuningView(curves, curves, rate="1e-4").ends("1e-4")
        [0.8, 0.7]
        """
        return [curve[-1][1] for curve in self.curves["accuracy"][rate]]

    def describe(self) -> str:
        """The view in words: alt text of the picture."""
        found = [f"{rate}: {mean(self.ends(rate)):.2f}" for rate in self.rates]
        ends = self.ends(self.rate)
        return (
            f"{self.title}. Accuracy and loss by step for learning rates {', '.join(self.rates)}, a line a seed. "
            f"Mean accuracy after {self.last} steps: {', '.join(found)}. Chosen: {self.rate}, {min(ends):.2f} to "
            f"{max(ends):.2f}, standard deviation {stdev(ends):.2f}."
        )

    def points(self, plot: str, curve: Sequence[tuple[int, float]]) -> str:
        """A curve as the path of an SVG.

        >>> curves = {"1e-4": [[(0, 0.4), (9, 1.0)], [(0, 0.5), (9, 0.7)]]}
        >>> TuningView(curves, curves, rate="1e-4").points("accuracy", [(0, 0.4), (9, 1.0)])
        'M46.0 196.0L310.0 20.0'
        """
        left, right = PLOTS[plot]
        low, high = (0.4, 1.0) if plot == "accuracy" else (0.0, self.highest)
        places = []
        for step, value in curve:
            share = (min(max(value, low), high) - low) / (high - low)
            places.append(f"{left + step / self.last * (right - left):.1f} {BOTTOM - share * (BOTTOM - TOP):.1f}")
        return "M" + "L".join(places)

    def _repr_html_(self) -> str:
        paths = {
            plot: [[self.points(plot, curve) for curve in curves[rate]] for rate in self.rates]
            for plot, curves in self.curves.items()
        }
        says = [[round(end, 3) for end in self.ends(rate)] for rate in self.rates]
        losses = [round(mean(curve[-1][1] for curve in self.curves["loss"][rate]), 2) for rate in self.rates]
        data = dict(
            title=self.title,
            rates=self.rates,
            chosen=self.rates.index(self.rate),
            paths=paths,
            ends=says,
            losses=losses,
            last=self.last,
            highest=round(self.highest, 1),
        )
        return fragment("tuning", data, self._svg(), self.describe())

    def _svg(self) -> str:
        parts = ['<rect width="640" height="240" fill="#fff"/>']
        ticks = {
            "accuracy": ((0.4, "0.4"), (0.7, "0.7"), (1.0, "1.0")),
            "loss": ((0.0, "0"), (1.0, f"{self.highest:.1f}")),
        }
        for plot, (left, right) in PLOTS.items():
            parts.append(f'<path d="M{left} {TOP}V{BOTTOM}H{right}" fill="none" stroke="#5b6673"/>')
            for value, said in ticks[plot]:
                share = (value - 0.4) / 0.6 if plot == "accuracy" else value
                y = BOTTOM - share * (BOTTOM - TOP) + 4
                parts.append(
                    f'<text x="{left - 6}" y="{y:g}" font-size="12" text-anchor="end" fill="#1c2530">{said}</text>'
                )
            for step, x in ((0, left), (self.last, right)):
                parts.append(f'<text x="{x}" y="212" font-size="12" text-anchor="middle" fill="#1c2530">{step}</text>')
            middle = (left + right) // 2
            said = f"step; {plot}, learning rate {self.rate} in blue"
            parts.append(f'<text x="{middle}" y="232" font-size="12" text-anchor="middle" fill="#1c2530">{said}</text>')
            for rate in sorted(self.rates, key=lambda rate: rate == self.rate):
                style = (
                    'stroke="#0072B2" stroke-width="3"' if rate == self.rate else 'stroke="#b9c2cc" stroke-width="1.5"'
                )
                for curve in self.curves[plot][rate]:
                    parts.append(f'<path d="{self.points(plot, curve)}" fill="none" {style}/>')
        size = 'width="640" height="240" viewBox="0 0 640 240" font-family="system-ui, sans-serif"'
        return f'<svg xmlns="http://www.w3.org/2000/svg" {size}>{"".join(parts)}</svg>'

    def _repr_png_(self) -> bytes:
        from minibert.viz.tuning_pictures import rates_png

        return rates_png(self)
