"""Name hidden words by counting neighbours: the control that tells learned context from word frequencies."""

import torch
from torch import Tensor

KINDS = ("no neighbour", "left neighbour", "right neighbour", "both neighbours", "both jointly")
_WEIGHT = 0.9  # of what was counted; the rest is a weaker guess, so that nothing is impossible


class NeighbourCounts:
    """Counts of words and of neighbouring pairs in rows of a text, as log-probabilities of a hidden word.

    - left, right: p(word | left) and p(word | right), a tenth of it the word frequencies.
    - both neighbours: p(word | left) p(right | word), not normalised, as if the two told different things.
    - both jointly: p(word | left, right), counted as one, a tenth of it the guess from both; that guess alone where the
      two never stood around a word.

    A neighbour that is `mask_id` says nothing. Shape: rows (R, T) int64; the ids are below `size`.

    >>> counts = NeighbourCounts(torch.tensor([[1, 2, 3], [1, 2, 3], [0, 0, 3]]), size=5, mask_id=4)
    >>> counts.logits(torch.tensor([1, 4]), torch.tensor([4, 4]), "left neighbour").argmax(1).tolist()
    [2, 3]
    """

    def __init__(self, rows: Tensor, size: int, mask_id: int):
        self.rows, self.size, self.mask_id = rows, size, mask_id
        single = torch.bincount(rows.flatten(), minlength=size) + 0.01  # (V,)
        self.unigram = (single / single.sum()).log()
        pairs = torch.bincount((rows[:, :-1] * size + rows[:, 1:]).flatten(), minlength=size * size).view(size, size)
        self.follows = self._smoothed(pairs)  # (V, V) [left, word]: p(word | left)
        self.precedes = self._smoothed(pairs.T)  # (V, V) [right, word]: p(word | right)

    def _smoothed(self, pairs: Tensor) -> Tensor:
        given = pairs / pairs.sum(1, keepdim=True).clamp(min=1)
        return (_WEIGHT * given + (1 - _WEIGHT) * self.unigram.exp()).log()

    def logits(self, left: Tensor, right: Tensor, kind: str) -> Tensor:
        """The guess at places with these neighbours. Shape: (M,), (M,) -> (M, V).

        Raises:
            ValueError: a kind that is none of KINDS.
        """
        if kind not in KINDS:
            raise ValueError(f"kind is {kind!r}; choose one of {', '.join(KINDS)}")
        has_left, has_right = (left != self.mask_id)[:, None], (right != self.mask_id)[:, None]
        logits = self.unigram.repeat(len(left), 1)
        if kind == "no neighbour":
            return logits
        if kind == "right neighbour":
            return torch.where(has_right, self.precedes[right], logits)
        logits = torch.where(has_left, self.follows[left], logits)
        if kind == "left neighbour":
            return logits
        logits = logits + torch.where(has_right, self.follows.T[right], 0.0)
        return logits if kind == "both neighbours" else self._jointly(left, right, has_left & has_right, logits)

    def _jointly(self, left: Tensor, right: Tensor, seen: Tensor, logits: Tensor) -> Tensor:
        counts = words_between(self.rows, left, right, self.size) * seen
        apart, some = logits.softmax(-1), counts.sum(1, keepdim=True)
        mixed = _WEIGHT * counts / some.clamp(min=1) + (1 - _WEIGHT) * apart
        return torch.where(some > 0, mixed, apart).log()


def words_between(rows: Tensor, left: Tensor, right: Tensor, size: int) -> Tensor:
    """How often each word stood between such a left and right neighbour. Shape: (R, T), (M,), (M,) -> (M, V).

    >>> words_between(torch.tensor([[1, 2, 3], [1, 0, 3]]), torch.tensor([1, 2]), torch.tensor([3, 3]), 4).tolist()
    [[1.0, 0.0, 1.0, 0.0], [0.0, 0.0, 0.0, 0.0]]
    """
    asked, which = (left * size + right).unique(return_inverse=True)  # (P,), (M,)
    around, word = (rows[:, :-2] * size + rows[:, 2:]).flatten(), rows[:, 1:-1].flatten()
    place = torch.searchsorted(asked, around).clamp(max=len(asked) - 1)
    known = asked[place] == around
    counts = torch.bincount(place[known] * size + word[known], minlength=len(asked) * size)
    return counts.view(len(asked), size)[which].float()
