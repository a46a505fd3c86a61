"""Learning-rate schedules as plain functions: step -> number to multiply the learning rate with."""

import math


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


def _check(step: int, total: int, warmup: int, decay: int) -> None:
    if step < 0:
        raise ValueError(f"step is {step}; steps count from 0")
    if total < 1 or warmup < 0 or decay < 0 or warmup + decay > total:
        raise ValueError(
            f"warmup ({warmup}) and decay ({decay}) must be 0 or more and fit together into total ({total}) steps"
        )
