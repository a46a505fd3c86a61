"""Chapter 7, looking inside: the solutions of its exercises, and mistakes that their checks must recognise."""

import torch
from torch.nn import functional

from minibert.course.checks.chapter_07_wrong_scores import SCORES, _head_scores
from minibert.course.exercise import Mutant


def _neighbours(vectors, index, k):
    unit = vectors / vectors.norm(dim=-1, keepdim=True)  # (S, D)
    cosine = unit @ unit[index]  # (S,)
    cosine[index] = float("-inf")
    return cosine.topk(k).indices


def _counts_itself(vectors, index, k):
    unit = functional.normalize(vectors, dim=-1)
    return (unit @ unit[index]).topk(k).indices


def _drops_the_first(vectors, index, k):
    unit = functional.normalize(vectors, dim=-1)
    return torch.sort(unit @ unit[index], descending=True, stable=True).indices[1 : k + 1]


def _takes_itself_out_afterwards(vectors, index, k):
    found = _counts_itself(vectors, index, k)
    return found[found != index]


def _dot_product(vectors, index, k):
    scores = vectors @ vectors[index]
    scores[index] = float("-inf")
    return scores.topk(k).indices


def _normalises_the_asker_only(vectors, index, k):
    scores = vectors @ functional.normalize(vectors[index], dim=0)
    scores[index] = float("-inf")
    return scores.topk(k).indices


def _euclid(vectors, index, k):
    distance = (vectors - vectors[index]).norm(dim=1)
    distance[index] = float("inf")
    return distance.topk(k, largest=False).indices


def _farthest(vectors, index, k):
    return (vectors - vectors[index]).norm(dim=1).topk(k).indices


def _smallest(vectors, index, k):
    cosine = functional.cosine_similarity(vectors, vectors[index][None], dim=-1)
    return cosine.topk(k, largest=False).indices


def _rising(vectors, index, k):
    return _neighbours(vectors, index, k).flip(0)


def _by_number(vectors, index, k):
    return _neighbours(vectors, index, k).sort().values


def _itself_is_zero(vectors, index, k):
    cosine = functional.cosine_similarity(vectors, vectors[index][None], dim=-1)
    cosine[index] = 0.0
    return cosine.topk(k).indices


def _without_sign(vectors, index, k):
    cosine = functional.cosine_similarity(vectors, vectors[index][None], dim=-1).abs()
    cosine[index] = -1.0
    return cosine.topk(k).indices


def _centres(vectors, index, k):
    return _neighbours(vectors - vectors.mean(0), index, k)


def _along_columns(vectors, index, k):
    return _dot_product(functional.normalize(vectors, dim=0), index, k)


def _values(vectors, index, k):
    cosine = functional.cosine_similarity(vectors, vectors[index][None], dim=-1)
    cosine[index] = float("-inf")
    return cosine.topk(k).values


def _values_and_indices(vectors, index, k):
    values = _values(vectors, index, k)
    return values, _neighbours(vectors, index, k)


def _changes_its_input(vectors, index, k):
    vectors /= vectors.norm(dim=-1, keepdim=True)
    return _neighbours(vectors, index, k)


def _cuts_itself_out(vectors, index, k):
    others = torch.cat([vectors[:index], vectors[index + 1 :]])
    return functional.cosine_similarity(others, vectors[index][None], dim=-1).topk(k).indices


SOLUTIONS = {"7.1": _neighbours, "7.2": _head_scores}

MUTANTS = {
    "7.1": [
        Mutant("counts itself", _counts_itself, "counts itself"),
        Mutant("drops whoever is first", _drops_the_first, "leave out row `index`, not whatever comes first"),
        Mutant("takes itself out of the k", _takes_itself_out_afterwards, "one too few"),
        Mutant("dot product", _dot_product, "dot products without normalising"),
        Mutant(
            "dot product, itself too", lambda v, index, k: (v @ v[index]).topk(k).indices, "two things: dot products"
        ),
        Mutant("normalises the asker only", _normalises_the_asker_only, "without normalising"),
        Mutant("Euclid", _euclid, "Euclid"),
        Mutant("the farthest", _farthest, "largest distances|least similar"),
        Mutant("the smallest cosines", _smallest, "least similar"),
        Mutant("in rising order", _rising, "most similar comes first|rising order"),
        Mutant("sorted by number", _by_number, "sorted by their number"),
        Mutant("itself set to 0", _itself_is_zero, "counts itself"),
        Mutant("without sign", _without_sign, "without its sign"),
        Mutant("takes the mean away", _centres, "mean is taken away"),
        Mutant("normalises columns", _along_columns, "wrong axis"),
        Mutant("returns similarities", _values, "these are similarities"),
        Mutant("returns vectors", lambda v, index, k: v[_neighbours(v, index, k)], "(?s)1 vectors.*rows of `vectors`"),
        Mutant("asks for row 0", lambda v, index, k: _neighbours(v, 0, k), "neighbours of row 0"),
        Mutant("returns values and indices", _values_and_indices, r"take \.indices"),
        Mutant("cuts its row out", _cuts_itself_out, "one too small"),
        Mutant("changes its input", _changes_its_input, "your code changes an input"),
        Mutant("forgets the return", lambda vectors, index, k: None, "return"),
    ],
    "7.2": SCORES,
}
