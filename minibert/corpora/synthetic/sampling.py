"""Choices that give the same answer on every platform and Python.

Python promises that `Random(seed).random()` never changes; it does not promise that for `choice`, `sample` or
`shuffle`. Everything generated here therefore draws through the five small functions below, which use `random()` only.
"""

from collections.abc import Sequence
from random import Random
from typing import TypeVar

T = TypeVar("T")

SPLITS = ("train", "test")


def stream(purpose: str, count: int, seed: int, split: str = "train") -> Random:
    """Check the arguments every generator takes and return its own stream of random numbers.

    Two generators with the same seed get different streams, so that nothing is correlated by accident.
    Raises ValueError for a count below 1, a seed that is no int, or an unknown split.

    >>> stream("demo", 1, seed=0).random() == stream("demo", 5, seed=0).random()
    True
    """
    if isinstance(count, bool) or not isinstance(count, int) or count < 1:
        raise ValueError(f"count must be a whole number of at least 1, got {count!r}; ask for one item or more")
    if isinstance(seed, bool) or not isinstance(seed, int):
        raise ValueError(f"seed must be an int, got {seed!r}; pass for example seed=0")
    check_split(split)
    return Random(f"{purpose}/{split}/{seed}")  # a str seed goes through SHA-512, which no Python version alters


def check_split(split: str) -> str:
    """Return `split` if it is one of SPLITS; raise ValueError otherwise.

    >>> check_split("test")
    'test'
    """
    if split not in SPLITS:
        raise ValueError(f"unknown split {split!r}; expected one of {', '.join(SPLITS)}")
    return split


def below(rng: Random, n: int) -> int:
    """Return a whole number in 0 .. n-1.

    >>> below(Random(0), 1)
    0
    """
    return int(rng.random() * n)


def chance(rng: Random, probability: float) -> bool:
    """Return True with the given probability.

    >>> chance(Random(0), 1.0)
    True
    """
    return rng.random() < probability


def pick(rng: Random, items: Sequence[T]) -> T:
    """Return one item, each equally likely.

    >>> pick(Random(0), ["only"])
    'only'
    """
    return items[below(rng, len(items))]


def pick_different(rng: Random, items: Sequence[T], *taken: T) -> T:
    """Return one item that is not among `taken`.

    >>> pick_different(Random(0), ["a", "b"], "a")
    'b'
    """
    return pick(rng, [item for item in items if item not in taken])


def shuffled(rng: Random, items: Sequence[T]) -> list[T]:
    """Return a new list in random order (Fisher and Yates); the input stays as it is.

    >>> sorted(shuffled(Random(0), "abc"))
    ['a', 'b', 'c']
    """
    result = list(items)
    for i in range(len(result) - 1, 0, -1):
        j = below(rng, i + 1)
        result[i], result[j] = result[j], result[i]
    return result


def draw(rng: Random, items: Sequence[T], n: int) -> list[T]:
    """Return n different items in random order.

    >>> sorted(draw(Random(0), [1, 2, 3], 3))
    [1, 2, 3]
    """
    return shuffled(rng, items)[:n]
