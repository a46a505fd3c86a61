"""Counts of random draws, read so that chance cannot decide: what lies within six standard deviations is as expected.

A statistic that chance explains is replaced by what it should be, so that all right answers agree exactly; any other
stays as it was counted, and two of those are equal where chance may be the difference: so a mistake is recognised.
"""

from math import sqrt

from torch import Tensor

FAR = 6.0  # standard deviations: a right answer lies further away once in 500 million counts


class Counted(float):
    """A number that was counted, and how far chance may move it.

    >>> Counted(0.81, 0.02) == Counted(0.80, 0.02), Counted(0.81, 0.02) == Counted(0.9, 0.02)
    (True, False)
    """

    def __new__(cls, value: float, slack: float):
        made = super().__new__(cls, value)
        made.slack = slack
        return made

    def __eq__(self, other: object) -> bool:
        slacks = self.slack, getattr(other, "slack", 0.0)
        slack = max(slacks) if min(slacks) > 0 else 0.0  # what is as it should be equals nothing that is not
        return isinstance(other, float) and abs(float(self) - float(other)) <= slack

    __hash__ = None


def share(hits: float, total: float, want: float) -> Counted:
    """The share of `hits` in `total`, or `want` where chance explains the difference.

    >>> float(share(5050, 10_000, 0.5)), float(share(5500, 10_000, 0.5)), float(share(0, 0, 0.5))
    (0.5, 0.55, 0.0)
    """
    many = max(float(total), 1.0)
    seen = float(hits) / many
    if abs(seen - want) <= FAR * sqrt(want * (1 - want) / many) and total > 0:
        return Counted(want, 0.0)
    return Counted(seen, 1.5 * FAR * (sqrt(max(seen * (1 - seen), 0.0) / many) + 1 / many))


def scatter(counts: Tensor, expected: Tensor, variance: Tensor) -> Counted:
    """How much counts scatter round what is expected, 1 for independent draws (chi-squared over its degrees).

    The bounds are those of Wilson and Hilferty for the chi-squared distribution.

    >>> import torch
    >>> float(scatter(torch.tensor([48.0, 55.0, 47.0]), torch.full((3,), 50.0), torch.full((3,), 25.0)))
    1.0
    """
    degrees = max(len(counts) - 1, 1)
    ratio = float(((counts - expected).square() / variance.clamp(min=1e-9)).sum()) / degrees
    centre, width = 1 - 2 / (9 * degrees), FAR * sqrt(2 / (9 * degrees))
    if max(centre - width, 0.0) ** 3 <= ratio <= (centre + width) ** 3:
        return Counted(1.0, 0.0)
    return Counted(ratio, max(0.3, 0.5 * ratio))
