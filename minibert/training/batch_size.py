"""Batch-size warm-up: small batches at the start of a run, where they are as good, and large ones afterwards.

Early gradients agree with each other. A small batch shows the direction as well as a large one, and the same tokens
give more updates. ModernBERT-base went from 768 to 4,608 sequences a step over its first 50 billion tokens.
"""

from bisect import bisect_right


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
