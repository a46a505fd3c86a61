"""Who is nearest to whom, by cosine; nobody is a neighbour of itself."""

from collections.abc import Sequence

import torch
from torch import Tensor

from minibert.tasks.projection import check_vectors


def nearest_neighbours(vectors: Tensor, count: int = 1) -> list[list[tuple[int, float]]]:
    """For each vector the `count` others with the highest cosine, best first: (number, cosine).

    Shape: vectors (S, D) -> S lists of `count` pairs. Of equals the one with the smaller number comes first.

    Raises:
        ValueError: not a finite floating point (S, D), a vector of zeros, or not 1 <= count < S.

    >>> nearest_neighbours(torch.tensor([[1.0, 0.0], [2.0, 0.0], [0.0, 1.0]]))[0]
    [(1, 1.0)]
    """
    vectors = unit_vectors(vectors, "vectors", "(S, D)")
    size = len(vectors)
    if isinstance(count, bool) or not isinstance(count, int) or not 1 <= count < size:
        raise ValueError(f"count={count!r}: {size} vectors have 1 to {size - 1} neighbours, itself left out")
    cosine = (vectors @ vectors.T).clamp(-1, 1).round(decimals=12)  # (S, S)
    others = cosine.masked_fill(torch.eye(size, dtype=torch.bool), -2.0)
    order = torch.sort(others, dim=1, descending=True, stable=True).indices[:, :count].tolist()
    return [[(other, float(cosine[row, other])) for other in best] for row, best in enumerate(order)]


def unit_vectors(vectors: Tensor, name: str, shape: str) -> Tensor:
    """The vectors at length 1, float64 on the CPU, detached. Shape: (S, D) -> (S, D).

    Raises:
        ValueError: not a finite floating point (S, D), or a vector of zeros.

    >>> unit_vectors(torch.tensor([[3.0, 4.0]]), "vectors", "(S, D)").tolist()
    [[0.6, 0.8]]
    """
    check_vectors(vectors, name, shape)
    vectors = vectors.detach().double().cpu()
    lengths = vectors.norm(dim=1, keepdim=True)  # (S, 1)
    if not bool((lengths > 0).all()):
        raise ValueError(
            f"{name}: vector {int((lengths == 0).nonzero()[0, 0])} is all zeros: it has no direction to compare"
        )
    return vectors / lengths


def neighbour_table(vectors: Tensor, texts: Sequence[str], count: int = 1) -> str:
    """The nearest neighbours of each text as lines to print.

    Shape: vectors (S, D), S texts.

    Raises:
        ValueError: as for `nearest_neighbours`, or texts that do not fit the vectors.

    >>> print(neighbour_table(torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]]), ["red", "pink", "five"]))
    red   ->  1.00 pink
    pink  ->  1.00 red
    five  ->  0.00 red
    """
    found = nearest_neighbours(vectors, count)
    texts = check_texts(texts, len(found), "texts")
    width = max(map(len, texts))
    return "\n".join(
        f"{text:{width}}  ->  " + "  ".join(f"{cosine:.2f} {texts[other]}" for other, cosine in best)
        for text, best in zip(texts, found, strict=True)
    )


def neighbour_agreement(vectors: Tensor, groups: Sequence[str]) -> float:
    """The share of vectors whose nearest neighbour, itself left out, is of the same group.

    Shape: vectors (S, D), S group names.

    Raises:
        ValueError: as for `nearest_neighbours`, or groups that do not fit the vectors.

    >>> neighbour_agreement(torch.tensor([[1.0, 0.0], [1.0, 0.1], [0.0, 1.0]]), ["a", "a", "b"])
    0.6666666666666666
    """
    found = nearest_neighbours(vectors)
    groups = check_texts(groups, len(found), "groups")
    return sum(groups[best[0][0]] == group for group, best in zip(groups, found, strict=True)) / len(found)


def check_texts(texts, count: int, name: str) -> list[str]:
    """A list of `count` texts.

    Raises:
        ValueError: one text, something that is not a text, or another number of them.

    >>> check_texts(["a"], 2, "groups")
    Traceback (most recent call last):
    ...
    ValueError: groups: 1 for 2 vectors, expected one for each
    """
    if isinstance(texts, str) or not isinstance(texts, Sequence) or not all(isinstance(text, str) for text in texts):
        raise ValueError(f"{name}: got {type(texts).__name__}, expected a list of texts")
    if len(texts) != count:
        raise ValueError(f"{name}: {len(texts)} for {count} vectors, expected one for each")
    return list(texts)
