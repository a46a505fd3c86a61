"""Applying merges to a word: the rule as one reads it, and the same rule for long words."""

import heapq
from collections.abc import Mapping, Sequence
from itertools import pairwise

Ranks = Mapping[tuple[int, int], tuple[int, int]]  # pair of ids -> (rank, id of the joined token)
_NEVER = (1 << 60, -1)


def merge_by_rank(symbols: Sequence[int], ranks: Ranks) -> list[int]:
    """Join pairs until none is left, each time the pair that was learnt EARLIEST, the leftmost of equals.

    Source: Sennrich et al. 2016, section 3.2.

    >>> merge_by_rank([0, 0, 0], {(0, 0): (0, 1)})
    [1, 0]
    """
    symbols = list(symbols)
    while len(symbols) > 1:
        best, at = min((ranks.get(pair, _NEVER)[0], i) for i, pair in enumerate(pairwise(symbols)))
        if best == _NEVER[0]:
            break
        symbols[at : at + 2] = [ranks[symbols[at], symbols[at + 1]][1]]
    return symbols


def merge_by_rank_heap(symbols: Sequence[int], ranks: Ranks) -> list[int]:
    """`merge_by_rank` for long words: a heap of candidate pairs, n log n steps where the plain loop takes n * n.

    Without it one line of Chinese, or one long run of spaces, takes seconds.

    Source: the rule is that of Sennrich et al. 2016, section 3.2.

    >>> merge_by_rank_heap([0, 0, 0], {(0, 0): (0, 1)})
    [1, 0]
    """
    symbols = list(symbols)
    after = list(range(1, len(symbols) + 1))
    before = list(range(-1, len(symbols) - 1))
    heap = []
    for at, pair in enumerate(pairwise(symbols)):
        if pair in ranks:
            heap.append((ranks[pair][0], at, pair))
    heapq.heapify(heap)
    while heap:
        _, at, pair = heapq.heappop(heap)
        right = after[at]
        if right >= len(symbols) or (symbols[at], symbols[right]) != pair:
            continue  # one of the two was joined elsewhere in the meantime
        symbols[at] = ranks[pair][1]
        symbols[right] = -1
        after[at] = after[right]
        if after[at] < len(symbols):
            before[after[at]] = at
        for left in (before[at], at):
            if left >= 0 and after[left] < len(symbols):
                pair = symbols[left], symbols[after[left]]
                if pair in ranks:
                    heapq.heappush(heap, (ranks[pair][0], left, pair))
    return [symbol for symbol in symbols if symbol >= 0]
