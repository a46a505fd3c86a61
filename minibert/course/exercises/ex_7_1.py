"""7.1 The neighbours of a word in context."""

import torch
from torch import Tensor

from minibert.course.lab import Case, Exercise, Lab, Wrong
from minibert.course.tools import call, kind_of, show


def neighbours(vectors, index, k):
    """The k rows of vectors (S, D) with the highest cosine to row `index`, itself left out, best first: (k,)."""
    unit = vectors / vectors.norm(dim=-1, keepdim=True)  # (S, D)
    cosine = unit @ unit[index]  # (S,)
    cosine[index] = float("-inf")
    return cosine.topk(k).indices


def ask(answer, vectors, index, k):
    """The answer, once it is no pair of values and indices."""
    got = call(answer, vectors, index, k)
    if isinstance(got, tuple) and len(got) == 2 and all(isinstance(part, Tensor) for part in got):
        raise Wrong(f"the answer is {kind_of(tuple(got))}", "the indices alone", "take topk's .indices")
    return got


def by_cosine(answer, vectors, index, k):
    """The cosines of the rows that were named, since rows that tie come in any order; 2 for row `index` itself."""
    got = ask(answer, vectors, index, k)
    rows = set(range(len(vectors)))
    if not isinstance(got, Tensor) or got.shape != (k,) or got.dtype != torch.int64 or not set(got.tolist()) <= rows:
        return got
    cosine = torch.cosine_similarity(vectors[got], vectors[index][None], dim=-1)
    return cosine.masked_fill(got == index, 2.0) + torch.stack([(got == one).sum() - 1 for one in got])


def distinct(rng, index, rows, draw):
    """Vectors whose cosines with row `index` differ by more than any rounding."""
    while True:
        vectors = draw()
        cosine = torch.cosine_similarity(vectors[rows].double(), vectors[index].double()[None], dim=-1)
        if len(rows) < 2 or cosine.sort().values.diff().min() > 1e-3:
            return vectors


def cases(rng):
    def lengths():
        """Of very different lengths, and with a mean far from zero."""
        return torch.randn(12, 5, generator=rng) * (3 * torch.rand(12, 1, generator=rng)).exp() + 0.5

    def away():
        """Row 2 has negative cosines with all others."""
        vectors = -torch.rand(6, 4, generator=rng) - 0.1
        vectors[2] = vectors[2].abs()
        return vectors

    def twins(place, asks, factor):
        vectors = torch.randn(9, 4, generator=rng)
        vectors[place] = factor * vectors[asks]
        return vectors

    # By hand: row 0 asks. Row 1 points almost the same way, row 2 is long and at 45 degrees, row 3 points back.
    hand = torch.tensor([[1.0, 0.0], [0.2, 0.02], [3.0, 3.0], [-1.0, 0.2]])
    paper = "cosines with row 0 are 0.995 (row 1), 0.707 (row 2), -0.981 (row 3)"
    for k in (3, 1):
        yield Case((hand, 0, k), paper, f"neighbours([[1, 0], [0.2, 0.02], [3, 3], [-1, 0.2]], 0, {k})")
    for index, k in ((4, 3), (0, 5), (7, 11), (11, 2)):
        others = [row for row in range(12) if row != index]
        vectors = distinct(rng, index, others, lengths)
        cause, name = "random vectors of very different lengths", f"answer for 12 vectors, {index}, {k}"
        yield Case((vectors, index, k), cause, name, double=k == 3)
    yield Case((distinct(rng, 2, [0, 1, 3, 4, 5], away), 2, 5), ZERO, "answer for 6 vectors, 2, 5")
    equal = "two rows point exactly the same way: leave out row `index`, not whatever comes first in the order"
    for place, asks, factor in ((1, 6, 2.0), (6, 1, 2.0), (0, 8, 1.0), (8, 0, 1.0)):
        others = [row for row in range(9) if row not in (place, asks)]
        vectors = distinct(rng, asks, others, lambda a=place, b=asks, f=factor: twins(a, b, f))
        yield Case((vectors, asks, 3), equal, f"answer for 9 vectors, {asks}, 3", certain=True)
    same = torch.rand(20, 1, generator=rng) + torch.tensor([[0.5, 0.5, 0.5]])  # all point the same way
    same[3], ties = -same[3], "20 vectors, of which 19 point the same way, so that row `index` need not come first"
    for index, k in ((12, 1), (0, 2), (19, 18)):
        name = f"cosines of the answer for 20 vectors, {index}, {k}"
        yield Case((same, index, k), ties, name, run=by_cosine)
    for opposite in ([[2.0, 0], [0, 5], [-3, 0]], [[-3.0, 0], [0, 5], [2, 0]], [[0.0, 5], [2, 0], [-3, 0]]):
        vectors = torch.tensor(opposite)
        index = opposite.index([2, 0])
        yield Case((vectors, index, 2), OPPOSITE, f"neighbours({show(opposite)}, {index}, 2)", certain=True)


SELF = 'cosine[index] = float("-inf")'
ITSELF = "it counts itself: everybody is most similar to itself, so leave row `index` out"
ZERO = "all cosines may be negative; put minus infinity, not 0, at the place of row `index`, else it counts itself"
OPPOSITE = "an exactly opposite vector has the cosine -1; put minus infinity, not -1, at the place of row `index`"
CUT, BEST = "cosine = torch.cat([cosine[:index], cosine[index + 1 :]])", "return cosine.topk(k).indices"
BEHIND = "found = cosine.topk(k).indices\n    return found + (found > index)"
COSINE = "= unit @ unit[index]"
MISTAKES = {
    "the order is turned round: these are the least similar ones": {COSINE: "= -unit @ unit[index]"},
    "dot products without normalising: a long vector wins by its length": {" / vectors.norm(dim=-1, keepdim=True)": ""},
    ITSELF: {SELF: "pass"},
    "divided by the squared norm: a short vector wins; divide by the norm": {"keepdim=True)": "keepdim=True) ** 2"},
    "divided by the sum of absolute entries; the norm is the root of the sum of squares": {"norm(dim": "norm(p=1, dim"},
    "normalised along the wrong axis: each row, dim=-1, gets length 1, not each column": {"(dim=-1": "(dim=0"},
    "Euclidean distances, not cosines: they depend on lengths": {COSINE: "= -(vectors - vectors[index]).norm(dim=1)"},
    "the largest distances instead of the largest cosines": {COSINE: "= (vectors - vectors[index]).norm(dim=1)"},
    "the absolute cosine: an opposite vector is the least similar of all": {COSINE: "= (unit @ unit[index]).abs()"},
    "the mean of all rows is taken away first": {"    unit": "    vectors = vectors - vectors.mean(0)\n    unit"},
    "each row's mean is taken away first": {"    unit": "    vectors = vectors - vectors.mean(-1, True)\n    unit"},
    "row `index` was cut out first, so the numbers of all rows behind it are one too small": {SELF: CUT},
    "row `index` was cut out first, and 1 is added to all numbers": {SELF: CUT, ".indices": ".indices + 1"},
    "row `index` was cut out first, so one is added from the number `index` on (>=, not >)": {SELF: CUT, BEST: BEHIND},
    "k + 1 are asked for and row `index` is taken out, but where it ties and is not among them k + 1 are left": {
        SELF: "pass",
        BEST: "found = cosine.topk(k + 1).indices\n    return found[found != index]",
    },
    "the same row comes k times: leave out what was already chosen": {".topk(k).indices": ".argmax().repeat(k)"},
    "rows with a negative cosine are left out": {BEST: "return cosine.topk(min(k, int((cosine > 0).sum()))).indices"},
    "all neighbours are returned, not the first k": {"topk(k)": "sort(descending=True)", ".indices": ".indices[:-1]"},
    "`index` is not used: these are row 0's neighbours": {COSINE: "= unit @ unit[0]", "cosine[index]": "cosine[0]"},
    "these are the neighbours of row 0, without row `index`": {COSINE: "= unit @ unit[0]"},
    ZERO: {'float("-inf")': "0"},
    "every row that points the same way is left out, too": {"cosine[index] =": "cosine[cosine > 0.99999] ="},
    "the right ones in rising order: the most similar comes first": {".indices": ".indices.flip(0)"},
    "the right ones, but sorted by their number: sort by similarity": {".indices": ".indices.sort().values"},
    "one too few: it asks for k with itself among them": {SELF: "pass", "topk(k).indices": "topk(k).indices[1:]"},
    "one too many: k neighbours are wanted, row `index` is not one of them": {SELF: "pass", "topk(k)": "topk(k + 1)"},
    "k is not used: all rows are returned": {"topk(k)": "topk(len(vectors))"},
    "these are similarities; their places are asked for, which topk and sort give as .indices": {".indices": ".values"},
    "these are the rows themselves; their numbers are asked for": {BEST: "return vectors[cosine.topk(k).indices]"},
}

EXERCISE = Exercise(
    minutes=15,
    difficulty=2,
    signature="neighbours(vectors (S, D), index, k) -> (k,) int64, the most similar first",
    hints=(
        "Similar means: pointing in the same direction, however long the vectors are. And everybody is most\n"
        "similar to itself, so the occurrence that asks must not be among the answers.",
        "unit vectors (S, D), each of length 1; their products with the one that asks: (S,) cosines;\n"
        "the entry `index` of those can never win; of the rest the k largest, as indices (k,).\n"
        "Do not rely on the asker being first in the order: another vector may be exactly as similar.",
        "unit = each row over its own length\n"
        "cosine = product of every unit row with unit row number index\n"
        "put minus infinity at place index (in a copy, or in the cosines, never in what you were given)\n"
        "return the places of the k largest cosines, largest first",
    ),
    parts=(Lab(neighbours, cases, MISTAKES, run=ask),),
)
