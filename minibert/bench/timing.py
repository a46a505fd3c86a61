"""Take turns: contenders run one after the other in every round, so that a busy machine slows all of them alike."""

import time
from collections.abc import Callable, Mapping, Sequence
from statistics import median, quantiles

import torch


def in_turns(
    calls: Mapping[str, Callable[[], object]],
    repeats: int,
    warm_up: int = 1,
    wait: Callable[[], object] = lambda: None,
    clock: Callable[[], float] = time.perf_counter,
) -> tuple[dict[str, list[float]], dict[str, object]]:
    """Seconds of every call, round by round, and its last result; every second round runs in the opposite order.

    `warm_up` rounds are run and not counted. `wait` returns when the device has done its work: see `waiter`.

    Raises:
        ValueError: no calls, repeats below 1 or a negative warm_up.

    >>> seconds, results = in_turns({"ours": lambda: 1, "theirs": lambda: 2}, repeats=3)
    >>> len(seconds["ours"]), results
    (3, {'ours': 1, 'theirs': 2})
    """
    if not calls or repeats < 1 or warm_up < 0:
        raise ValueError(
            f"{len(calls)} calls, repeats={repeats}, warm_up={warm_up}: expected at least one call and one repeat, and "
            "a warm_up of 0 or more"
        )
    seconds: dict[str, list[float]] = {name: [] for name in calls}
    results: dict[str, object] = {}
    for index in range(warm_up + repeats):
        for name in list(calls)[:: 1 if index % 2 == 0 else -1]:
            results.pop(name, None)  # let go of the last round's memory first
            wait()
            start = clock()
            results[name] = calls[name]()
            wait()
            if index >= warm_up:
                seconds[name].append(clock() - start)
    return seconds, {name: results[name] for name in calls}


def waiter(device: str) -> Callable[[], object]:
    """What to call before looking at the clock: a CUDA device works on while Python already goes ahead.

    >>> waiter("cpu")() is None
    True
    """
    if torch.device(device).type == "cuda":
        return lambda: torch.cuda.synchronize(device)
    return lambda: None


def summary(seconds: Sequence[float], tokens: int) -> dict:
    """Median, quartiles and every single time in seconds, and real tokens per second at the median.

    >>> summary([1.0, 2.0, 9.0], tokens=10)["tokens_per_second"]
    5.0
    """
    return {
        "median_seconds": median(seconds),
        "quartiles": quartiles(seconds),
        "tokens_per_second": round(tokens / median(seconds), 1),
        "seconds": list(seconds),
    }


def quartiles(values: Sequence[float]) -> list[float]:
    """First and third quartile; of one value, that value twice.

    >>> quartiles([1.0, 2.0, 3.0, 4.0, 5.0])
    [2.0, 4.0]
    """
    if len(values) == 1:
        return [values[0], values[0]]
    first, _, third = quantiles(values, n=4, method="inclusive")
    return [first, third]


def speedup(ours: Sequence[float], theirs: Sequence[float]) -> dict:
    """How many times faster ours is: the median of the rounds' ratios with its quartiles, and the medians' ratio.

    The two differ when the machine was busy for a while: a round's ratio compares neighbours in time.

    >>> speedup([1.0, 2.0, 1.0], [2.0, 4.0, 3.0])
    {'median_of_rounds': 2.0, 'quartiles': [2.0, 2.5], 'of_medians': 3.0}
    """
    rounds = [b / a for a, b in zip(ours, theirs, strict=True)]
    return {
        "median_of_rounds": round(median(rounds), 3),
        "quartiles": [round(value, 3) for value in quartiles(rounds)],
        "of_medians": round(median(theirs) / median(ours), 3),
    }


def exponent(sizes: Sequence[float], costs: Sequence[float]) -> float:
    """The power p of cost = a size^p that fits best: the slope of the least-squares line through the logarithms.

    Raises:
        ValueError: fewer than two sizes, or numbers that are not positive.

    >>> round(exponent([1, 2, 4], [3, 12, 48]), 6)
    2.0
    """
    if len(sizes) != len(costs) or len(set(sizes)) < 2 or min(*sizes, *costs) <= 0:
        raise ValueError(f"sizes {list(sizes)}, costs {list(costs)}: expected two sizes or more, all numbers positive")
    x, y = (torch.tensor(values, dtype=torch.float64).log() for values in (sizes, costs))
    x = x - x.mean()
    return float((x * (y - y.mean())).sum() / (x * x).sum())
