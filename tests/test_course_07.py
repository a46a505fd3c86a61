"""Chapter 7's checks accept what is right in another way, and never pass what is wrong in a way nobody listed."""

import re

import pytest
import torch
from torch.nn import functional

from minibert.course import examine

SPECIAL = ("[CLS]", "[SEP]", "[PAD]")


def by_a_loop(vectors, index, k):
    cosines = [
        (-float(functional.cosine_similarity(vectors[index], row, dim=0)), i)
        for i, row in enumerate(vectors)
        if i != index
    ]
    return [i for _, i in sorted(cosines)[:k]]


def by_sorting(vectors, index, k):
    cosine = functional.cosine_similarity(vectors, vectors[index : index + 1])
    cosine[index] = -2
    return cosine.sort(descending=True)[1][:k]


def by_cutting_and_shifting(vectors, index, k):
    keep = [i for i in range(len(vectors)) if i != index]
    best = functional.cosine_similarity(vectors[keep], vectors[index][None]).topk(k).indices
    return torch.tensor(keep)[best]


def by_angles(vectors, index, k):
    unit = functional.normalize(vectors)
    distance = (unit - unit[index]).norm(dim=1)  # of unit vectors: the same order as cosines
    distance[index] = 9
    return distance.topk(k, largest=False).indices


def scores_by_loops(maps, tokens):
    words = [i for i, token in enumerate(tokens) if token not in SPECIAL]
    previous = torch.stack([maps[:, :, i, i - 1] for i in words if i - 1 in words]).mean(0)
    separators = [j for j, token in enumerate(tokens) if token == "[SEP]"]
    looks = torch.stack([maps[:, :, i, separators].sum(-1) for i in words]).mean(0)
    return previous, looks


@pytest.mark.parametrize("answer", [by_a_loop, by_sorting, by_cutting_and_shifting, by_angles])
@pytest.mark.parametrize("seed", range(5))
def test_neighbours_may_be_found_in_other_ways(answer, seed):
    assert examine("7.1", answer, seed).message == "7.1 passed"


@pytest.mark.parametrize("seed", range(5))
def test_scores_may_be_added_up_in_other_ways(seed):
    assert examine("7.2", scores_by_loops, seed).message == "7.2 passed"
    assert examine("7.2", lambda maps, tokens: torch.stack(scores_by_loops(maps, tokens)), seed).status == "passed"


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (lambda vectors, index, k: by_sorting(vectors, 0, k), "answer is"),
        (lambda vectors, index, k: by_sorting(vectors, index, 1), "shape|dimension"),
        (lambda vectors, index, k: torch.tensor(by_a_loop(vectors, index, k)).int(), "int64"),
        (lambda vectors, index, k: by_sorting(vectors, index, len(vectors)), "shape|too many|dimension"),
        (lambda vectors, index, k: by_sorting(vectors, index, k).tolist()[0], "tensor"),
        (lambda vectors, index: None, "signature"),
        (lambda vectors, index, k: torch.randperm(len(vectors))[:k], "answer is|counts itself"),
        (lambda vectors, index, k: [str(i) for i in by_a_loop(vectors, index, k)], "list"),
    ],
)
def test_other_neighbours_are_refused(answer, says):
    outcome = examine("7.1", answer)
    assert outcome.status in ("wrong", "error") and "Traceback" not in outcome.message
    assert re.search(says, outcome.message), outcome.message


@pytest.mark.parametrize(
    "answer",
    [
        lambda maps, tokens: maps.mean((-2, -1)).expand(2, *maps.shape[:2]),
        lambda maps, tokens: torch.stack(scores_by_loops(maps.softmax(-1), tokens)),
        lambda maps, tokens: torch.stack(scores_by_loops(maps, [t.strip("[]") for t in tokens[1:-1]])),
        lambda maps, tokens: torch.stack(scores_by_loops(maps, tokens)).argmax(-1),
        lambda maps, tokens: (0, 2),
        lambda maps, tokens: torch.stack(scores_by_loops(maps, tokens)).max(),
        lambda maps, tokens: torch.stack(scores_by_loops(maps[:, :1], tokens)).expand(2, *maps.shape[:2]),
        lambda maps, tokens: {},
    ],
)
def test_other_scores_are_refused(answer):
    outcome = examine("7.2", answer)
    assert outcome.status in ("wrong", "error") and "Traceback" not in outcome.message, outcome.message
    assert "cannot make sense" not in outcome.message
