"""Splits that need no file and no random state: the hash of a key decides, so every machine agrees.

Rows that share something must share a side. A row's *key* is what it may not share across the split
(the article's title, the story); where rows overlap in several ways, `linked` first finds the groups.
"""

import hashlib
from collections.abc import Sequence


def is_held_out(key: str, percent: int) -> bool:
    """Whether the key falls among the `percent` of 100 buckets that are held out.

    Raises:
        ValueError: `percent` is not between 1 and 99.

    >>> [is_held_out(title, 20) for title in ("Kansas", "Nebraska", "Emerald City", "Utah")]
    [False, False, False, True]
    """
    if not 1 <= percent <= 99:
        raise ValueError(f"percent is {percent}, expected 1 to 99: both sides of a split need rows")
    return int.from_bytes(hashlib.sha256(key.encode("utf-8")).digest()[:8], "big") % 100 < percent


def linked(parts: Sequence[Sequence[str]]) -> list[str]:
    """One key per row, the same for all rows that are linked by a shared part, directly or through others.

    >>> linked([["a", "b"], ["c"], ["b", "d"], ["d"]])
    ['a', 'c', 'a', 'a']
    """
    leader: dict[str, str] = {}

    def find(part: str) -> str:
        while leader.setdefault(part, part) != part:
            leader[part] = leader[leader[part]]  # halve the path on the way up
            part = leader[part]
        return part

    for row in parts:
        for part in row[1:]:
            low, high = sorted((find(row[0]), find(part)))
            leader[high] = low
    return [find(row[0]) for row in parts]
