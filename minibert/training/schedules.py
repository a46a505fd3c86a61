"""Schedules as plain functions: of the learning rate (step -> number to multiply it with) and of the batch size.

Batch-size warm-up takes small batches at the start of a run, where they are as good, and large ones afterwards. Early
gradients agree with each other: a small batch shows the direction as well as a large one, and the same tokens give
more updates. ModernBERT-base went from 768 to 4,608 sequences a step over its first 50 billion tokens.
"""

import math
from bisect import bisect_right


def linear_decay(step: int, total: int, warmup: int = 0) -> float:
    """Return BERT's multiplier at 0-based `step`: linear warm-up, then linear decay to 0 at `total`.

    Two surprises, both as in the original. Step 0 has multiplier 0. And the decay counts from step 0, not from the end
    of the warm-up, so the multiplier never reaches 1: at `step == warmup` it drops to `1 - warmup / total`.

    Raises:
        ValueError: unless `0 <= warmup <= total`, `total >= 1` and `step >= 0`.

    Source: Devlin et al. 2019, released code; the paper (appendix A.2) says only "linear decay".

    >>> [linear_decay(step, total=10, warmup=4) for step in (0, 2, 3, 4, 9, 10)]
    [0.0, 0.5, 0.75, 0.6, 0.1, 0.0]
    """
    _check(step, total, warmup, 0)
    if step < warmup:
        return step / warmup
    return max(0.0, (total - step) / total)


def trapezoid(
    step: int, total: int, warmup: int = 0, decay: int = 0, shape: str = "1-sqrt", floor: float = 0.0
) -> float:
    """Return the multiplier of warm-up, plateau and decay at 0-based `step`.

    Linear from 0 during the first `warmup` steps, 1 on the plateau, and down to `floor` during the last `decay`
    steps. With x the fraction of the decay that has passed::

        "1-sqrt"   floor + (1 - floor) (1 - sqrt(x))          ModernBERT
        "linear"   floor + (1 - floor) (1 - x)
        "cosine"   floor + (1 - floor) (1 + cos(pi x)) / 2    EuroBERT's annealing

    From `total` on the multiplier stays at `floor`, at 1 if `decay` is 0. The plateau has no memory of `total`: a run
    can be stopped anywhere on it and decayed from there.

    Raises:
        ValueError: for an unknown shape, or lengths or floor out of range.

    Source: Warner et al. 2024, section 2.2.2; Hägele et al. 2024 (1-sqrt).

    >>> [round(trapezoid(step, total=100, warmup=10, decay=40), 6) for step in (5, 10, 60, 70, 80, 90, 100)]
    [0.5, 1.0, 1.0, 0.5, 0.292893, 0.133975, 0.0]
    """
    _check(step, total, warmup, decay)
    if not 0.0 <= floor <= 1.0:
        raise ValueError(f"floor must lie between 0 and 1, got {floor}")
    if shape not in ("1-sqrt", "linear", "cosine"):
        raise ValueError(f"shape is {shape!r}; choose '1-sqrt', 'linear' or 'cosine'")
    if step < warmup:
        return step / warmup
    if decay == 0 or step < total - decay:
        return 1.0
    x = min(1.0, (step - (total - decay)) / decay)
    if shape == "1-sqrt":
        falling = 1.0 - math.sqrt(x)
    elif shape == "linear":
        falling = 1.0 - x
    else:
        falling = (1.0 + math.cos(math.pi * x)) / 2
    return floor + (1.0 - floor) * falling


def batch_thresholds(smallest: int, largest: int, tokens: int) -> list[int]:
    """After how many tokens each size ends, from `smallest` to `largest`: each size gets equally many *steps*.

    A step with size b has b times as many tokens as one with size 1, so equal steps are not equal tokens. Size b ends
    after `tokens` times (smallest + ... + b) / (smallest + ... + largest - 1), rounded up. The last number is the one
    for `largest - 1`; from there on the size is `largest`.

    Raises:
        ValueError: sizes below 1, `largest` not above `smallest`, or fewer tokens than 1.

    Source: Warner et al. 2024, table 3 and released code.

    >>> batch_thresholds(1, 5, 1000)
    [100, 300, 600, 1000]
    """
    for name, value, least in (("smallest", smallest, 1), ("largest", largest, smallest + 1), ("tokens", tokens, 1)):
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            raise ValueError(f"{name} must be a whole number of at least {least}, got {value!r}")
    below = smallest * (smallest - 1) // 2  # 1 + ... + (smallest - 1)
    sums = [size * (size + 1) // 2 - below for size in range(smallest, largest)]
    return [-(-tokens * each // sums[-1]) for each in sums]


def batch_size(seen: int, smallest: int, largest: int, tokens: int) -> int:
    """The size of the next step after `seen` tokens: it depends on nothing else, so that a resumed run goes on exactly.

    Raises:
        ValueError: as `batch_thresholds`, or a negative `seen`.

    >>> [batch_size(seen, 1, 5, 1000) for seen in (0, 99, 100, 600, 999, 1000, 10**9)]
    [1, 1, 2, 4, 4, 5, 5]
    """
    if seen < 0:
        raise ValueError(f"seen is {seen}: tokens count from 0")
    return smallest + bisect_right(batch_thresholds(smallest, largest, tokens), seen)


def _check(step: int, total: int, warmup: int, decay: int) -> None:
    if step < 0:
        raise ValueError(f"step is {step}; steps count from 0")
    if total < 1 or warmup < 0 or decay < 0 or warmup + decay > total:
        raise ValueError(
            f"warmup ({warmup}) and decay ({decay}) must be 0 or more and fit together into total ({total}) steps"
        )
