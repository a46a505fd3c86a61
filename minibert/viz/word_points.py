"""One word in many texts as dots in a plane, layer by layer, beside a control."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from minibert.tasks.neighbours import check_texts, nearest_neighbours
from minibert.tasks.projection import check_vectors, project

MOST_DOTS = 200
MOST_LAYERS = 65
TOO_NEAR = 36  # dots closer than this hide each other
FEW = 40  # of more dots the places matter, not the single one: they stay
MOST_GROUPS = 6  # as many marks and colours as one can tell apart


@dataclass(frozen=True)
class WordPoints:
    """Where each text's dot lies in each layer, from 0 to 1000 in both directions, and who its nearest neighbour is.

    Shape: places (L + 1, S, 2) int64, nearest (L + 1, S) int64 numbers of texts, by cosine in all dimensions.

    >>> points = word_points(torch.eye(3)[None], "trained")
    >>> points.name, points.places.shape, points.nearest.tolist()
    ('trained', torch.Size([1, 3, 2]), [[1, 0, 0]])
    """

    name: str
    places: Tensor
    nearest: Tensor

    def agreement(self, groups: Sequence[str]) -> list[int]:
        """For each layer, how many texts have a nearest neighbour of their own group."""
        rows = self.nearest.tolist()
        return [sum(groups[other] == group for group, other in zip(groups, row, strict=True)) for row in rows]


def word_points(vectors: Tensor, name: str) -> WordPoints:
    """Project each layer by itself and find the neighbours; few dots that would hide each other are moved a little.

    Shape: vectors (L + 1, S, D), as `word_vectors_by_layer` returns them.

    Raises:
        ValueError: another shape, NaN, a vector of zeros, fewer than 2 or more than 200 texts.

    >>> word_points(torch.eye(3)[None], "trained").places.shape
    torch.Size([1, 3, 2])
    """
    check_vectors(vectors, "vectors", "(L + 1, S, D)")
    if len(vectors) > MOST_LAYERS or not 2 <= vectors.shape[1] <= MOST_DOTS:
        raise ValueError(
            f"vectors: {vectors.shape[1]} texts in {len(vectors)} layers, expected 2 to {MOST_DOTS} texts and at most "
            f"{MOST_LAYERS} layers, shape (L + 1, S, D)"
        )
    places, nearest = [], []
    for layer in vectors:
        flat = project(layer)  # (S, 2)
        largest = flat.abs().max().clamp(min=1e-12)  # one scale for both directions, each layer its own
        places.append(_apart((500 + 480 * flat / largest).round().long()))
        nearest.append(torch.tensor([best[0][0] for best in nearest_neighbours(layer)]))
    return WordPoints(name, torch.stack(places), torch.stack(nearest))


def _apart(places: Tensor) -> Tensor:
    """Few dots that would hide each other are moved a little: onto a ring around their middle. (S, 2) -> (S, 2)."""
    moved, left = places.clone(), list(range(len(places))) if len(places) <= FEW else []
    while left:
        near = [dot for dot in left if (places[dot] - places[left[0]]).abs().max() < TOO_NEAR]
        left = [dot for dot in left if dot not in near]
        if len(near) > 1:
            turns = 2 * torch.pi * torch.arange(len(near)) / len(near)
            ring = (14 + 7 * len(near)) * torch.stack([turns.cos(), turns.sin()], dim=1)
            moved[near] = (places[near].double().mean(0) + ring).round().long().clamp(0, 1000)
    return moved


def both_points(
    vectors: Tensor, control: Tensor | None, groups, texts=None, control_name: str = "untrained twin"
) -> tuple[list[WordPoints], list[str]]:
    """The points of a model and of its control, and the groups, all checked against each other.

    Raises:
        ValueError: as for `word_points`; a control of another shape or without a name; texts or groups that do not fit.

    >>> panels, groups = both_points(torch.eye(3)[None], None, ["a", "a", "b"])
    >>> len(panels), groups
    (1, ['a', 'a', 'b'])
    """
    panels = [word_points(vectors, "trained")]
    size = vectors.shape[1]
    groups = ["texts"] * size if groups is None else check_texts(groups, size, "groups")
    if texts is not None:
        check_texts(texts, size, "texts")
    if len(set(groups)) > MOST_GROUPS:
        raise ValueError(f"groups: {len(set(groups))} different ones, a picture tells at most {MOST_GROUPS} apart")
    if not isinstance(control_name, str):
        raise ValueError(f"control_name: got {type(control_name).__name__}, expected a text")
    if control is not None:
        check_vectors(control, "control", "(L + 1, S, D)")
        if control.shape[:2] != vectors.shape[:2]:
            raise ValueError(
                f"control: {tuple(control.shape[:2])} layers and texts, the vectors have {tuple(vectors.shape[:2])}"
            )
        panels.append(word_points(control, control_name))
    return panels, groups
