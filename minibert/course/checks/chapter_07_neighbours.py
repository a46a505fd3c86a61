"""Exercise 7.1: the nearest occurrences of a word by cosine, and which other neighbours one can find by mistake."""

import torch
from torch import Tensor
from torch.nn import functional

from minibert.course.exercise import Wrong
from minibert.course.expect import expect_steady
from minibert.course.tools import call, expect_tensor

ITSELF = "it counts itself: everybody is most similar to itself, so leave the occurrence that asks out"


def _cosines(vectors: Tensor, index: int) -> Tensor:
    unit = functional.normalize(vectors.double(), dim=-1)
    return unit @ unit[index]  # (S,)


def _best(scores: Tensor, index: int, k: int, itself: float = float("-inf")) -> list[int]:
    scores = scores.clone()
    scores[index] = itself
    return torch.sort(scores, descending=True, stable=True).indices[:k].tolist()


def _suspects(vectors: Tensor, index: int, k: int) -> dict[str, list[int]]:
    """What the well-known mistakes would answer."""
    vectors = vectors.double()
    cosine, product = _cosines(vectors, index), vectors @ vectors[index]
    distance = (vectors - vectors[index]).norm(dim=1)
    centred = vectors - vectors.mean(0)
    return {
        "the order is turned round: these are the least similar ones": _best(-cosine, index, k),
        "dot products without normalising: a long vector wins by its length; divide each row by its norm": _best(
            product, index, k
        ),
        f"two things: dot products without normalising, divide each row by its norm; and {ITSELF}": _best(
            product, index, k, product[index].item()
        ),
        "distances (Euclid) instead of cosines: they depend on lengths, a cosine does not": _best(-distance, index, k),
        "the largest distances instead of the largest cosines": _best(distance, index, k),
        "the size of the cosine without its sign: an opposite vector is the least similar of all": _best(
            cosine.abs(), index, k
        ),
        "the mean is taken away first: that is another similarity (a correlation)": _best(
            _cosines(centred, index), index, k
        ),
        "normalised along the wrong axis: each row, dim=-1, gets length 1, not each column": _best(
            functional.normalize(vectors, dim=0) @ functional.normalize(vectors, dim=0)[index], index, k
        ),
        "row `index` was cut out first, so the numbers of all rows behind it are one too small": [
            place - (place > index) for place in _best(cosine, index, k)
        ],
        "`index` is not used: these are the neighbours of row 0": _best(_cosines(vectors, 0), 0, k),
        "the right ones in rising order: the most similar comes first": _best(cosine, index, k)[::-1],
        "the right ones, but sorted by their number: sort by similarity": sorted(_best(cosine, index, k)),
    }


def _numbers(answer, vectors: Tensor, index: int, k: int) -> list[int]:
    """What the learner's code answers, once it is known to be k numbers of rows."""
    got = call(answer, vectors, index, k)
    if isinstance(got, list | tuple) and len(got) == k and all(type(item) is int for item in got):
        got = torch.tensor(got)  # a list of numbers is the same answer
    if isinstance(got, tuple) and len(got) == 2 and all(isinstance(part, Tensor) for part in got):
        raise Wrong("the answer is a tuple of 2", "the indices alone", "topk gives values and indices: take .indices")
    if isinstance(got, Tensor) and got.dim() == 2 and got.shape == (k, vectors.shape[1]) and got.is_floating_point():
        cause = "these are rows of `vectors` themselves; their numbers are wanted"
        raise Wrong(f"the answer is {k} vectors", "indices, int64: the numbers of the rows", cause)
    if isinstance(got, Tensor) and got.is_floating_point():
        raise Wrong(
            f"the answer holds {str(got.dtype)[6:]} numbers: {[round(x, 2) for x in got.flatten()[:4].tolist()]}",
            "indices, int64: the numbers of the rows",
            "these are similarities; topk and sort give the indices as their second part",
        )
    if isinstance(got, Tensor) and got.shape in ((k - 1,), (k + 1,)):
        cause = (
            "one too few: it asks for k with itself among them, and takes itself out afterwards"
            if len(got) < k
            else "one too many: k neighbours are wanted, itself is not one of them"
        )
        raise Wrong(f"the answer has {len(got)} entries", f"{k}", cause)
    return expect_tensor("the answer", got, (k,), torch.int64).tolist()


def _mistake(answer, cases: list) -> str | None:
    """The mistake whose answers are those of the learner in every case, if there is one."""
    try:
        answers = [_numbers(answer, vectors, index, k) for vectors, index, k, _ in cases]
    except Wrong:
        return None
    found = [_suspects(vectors, index, k) for vectors, index, k, _ in cases]
    return next((m for m in found[0] if [one[m] for one in found] == answers), None)


def check_neighbours(answer, rng: torch.Generator) -> None:
    """The check of exercise 7.1: four vectors on paper, random ones, opposite ones, equal ones.

    Raises:
        Wrong: what was seen, what was expected, the likely cause.
        NotAttempted: the answer is still the stub.

    >>> check_neighbours(lambda vectors, index, k: torch.arange(k), torch.Generator().manual_seed(0))
    Traceback (most recent call last):
    ...
    minibert.course.exercise.Wrong: ('the answer is [0] for vectors ...it counts itself: ...)
    """
    # By hand: row 0 asks. Row 1 points almost the same way, row 2 is long and at 45 degrees, row 3 points back.
    hand = torch.tensor([[1.0, 0.0], [0.2, 0.02], [3.0, 3.0], [-1.0, 0.2]])
    vectors = torch.randn(12, 5, generator=rng) * (3 * torch.rand(12, 1, generator=rng)).exp() + 0.5
    away = -torch.rand(6, 4, generator=rng) - 0.1
    away[2] = away[2].abs()
    paper = "cosines with row 0 are 0.995 (row 1), 0.707 (row 2), -0.981 (row 3)"
    negative = "all cosines are negative here; put minus infinity, not 0, at the place of itself"
    cases = [
        (hand, 0, 1, paper),
        (hand, 0, 3, paper),
        *((vectors, index, k, "random vectors of very different lengths") for index, k in ((4, 3), (0, 5), (7, 11))),
        (away, 2, 3, negative),
    ]
    for case in cases:
        _expect(answer, *case, cases)
    expect_steady(answer, vectors, 4, 3)

    # A row before the asker, then one behind it, points exactly the same way: not everyone's first is itself.
    for place, asks in ((1, 6), (6, 1)):
        twins = torch.randn(9, 4, generator=rng)
        twins[place] = 2 * twins[asks]
        cause = "two rows point exactly the same way: leave out row `index`, not whatever comes first in the order"
        _expect(answer, twins, asks, 2, cause, [])


def _expect(answer, vectors: Tensor, index: int, k: int, cause: str, cases: list) -> None:
    numbers, right = _numbers(answer, vectors, index, k), _best(_cosines(vectors, index), index, k)
    if numbers == right:
        return
    shown = [[round(x, 2) for x in row] for row in vectors.tolist()] if len(vectors) <= 4 else tuple(vectors.shape)
    seen = f"the answer is {numbers} for vectors {shown}, index {index}, k {k}"
    mistake = _mistake(answer, cases) if cases else None
    if mistake is None and index in numbers:
        mistake = ITSELF if cases and not cause.startswith("all") else f"{ITSELF} ({cause})"
    raise Wrong(seen, f"{right}", mistake or cause)
