"""How good a ranking is: normalised discounted cumulative gain, and recall among the first k.

A ranking comes as the relevance of each document, the document that the search put first first. The whole ranking is
needed: what the search should have found further up stands further down in it.
"""

import math
from collections.abc import Sequence

from torch import Tensor


def ndcg(relevances_in_rank_order: Sequence[float], k: int | None = None) -> float:
    """Normalised discounted cumulative gain of the first k places: 1 for the best order of these documents.

    The document at rank r (from 1) adds its relevance divided by log2(r + 1); the sum is divided by the one that the
    best order has. 0 where no document is relevant. `k=None` counts every place. Equal to scikit-learn's `ndcg_score`
    where no two documents have the same score.

    Shape: (documents,) relevances of 0 and more, as a list or a tensor -> a float in [0, 1].

    Raises:
        ValueError: no document, a relevance that is negative or no finite number, or a k below 1.

    Source: Järvelin and Kekäläinen 2002, section 2.

    >>> ndcg([1, 0, 0]), round(ndcg([0, 1, 0]), 3), ndcg([0, 1, 0], k=1)
    (1.0, 0.631, 0.0)
    """
    relevances = _checked(relevances_in_rank_order, k)

    def gain(ranked: list[float]) -> float:
        return sum(relevance / math.log2(rank + 1) for rank, relevance in enumerate(ranked[:k], start=1))

    best = gain(sorted(relevances, reverse=True))
    return gain(relevances) / best if best else 0.0


def recall(relevances_in_rank_order: Sequence[float], k: int) -> float:
    """Recall@k: the share of the relevant documents that is among the first k. Relevant is what is above 0.

    Shape: (documents,) relevances of 0 and more, as a list or a tensor -> a float in [0, 1].

    Raises:
        ValueError: as for `ndcg`, or no document is relevant: there is nothing to find.

    >>> recall([1, 0, 0, 1], k=2)
    0.5
    """
    relevant = [relevance > 0 for relevance in _checked(relevances_in_rank_order, k)]
    if not any(relevant):
        raise ValueError("no document is relevant, so recall is 0/0: leave this query out, or look at its labels")
    return sum(relevant[:k]) / sum(relevant)


def _checked(relevances, k) -> list[float]:
    """The relevances as a list, if they and k can be used."""
    if k is not None and (isinstance(k, bool) or not isinstance(k, int) or k < 1):
        raise ValueError(f"k={k!r}: expected a whole number of at least 1, how many places count")
    if isinstance(relevances, Tensor):
        relevances = relevances.tolist()
    try:
        values = [float(relevance) for relevance in relevances]
    except (TypeError, ValueError):
        raise ValueError(
            f"relevances: got {relevances!r:.60}, expected one list of numbers, in the order of the ranking"
        ) from None
    if not values:
        raise ValueError("relevances: got none; a ranking has at least one document")
    for rank, value in enumerate(values, start=1):
        if not (math.isfinite(value) and value >= 0):
            raise ValueError(f"the relevance at rank {rank} is {value}: expected a finite number of at least 0")
    return values
