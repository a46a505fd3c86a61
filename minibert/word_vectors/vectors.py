"""A table of word vectors, and the questions one asks it: neighbours, analogies, phrases."""

from collections.abc import Collection, Sequence
from typing import NamedTuple

import torch
from torch import Tensor


class WordVectors:
    """One vector for each word: row i of `matrix` belongs to `words[i]`, whatever sentence the word stands in.

    `vectors["bank"]` is a row, `"bank" in vectors` tells whether there is one. All comparisons are by cosine.

    Shape: V words, matrix (V, D).

    Raises:
        ValueError: if words and rows are not equally many, a word comes twice, or the matrix holds NaN or infinities.
            All methods: for an unknown word.

    Source: Mikolov et al. 2013a, section 4 (neighbours and analogies by cosine).

    >>> table = WordVectors(("king", "queen", "man", "woman"), [[1, 1], [1, -1], [0, 1], [0, -1]])
    >>> table.analogy("man", "king", "woman", count=1)
    [('queen', 0.9597)]
    """

    def __init__(self, words: Sequence[str], matrix: Tensor):
        matrix = torch.as_tensor(matrix, dtype=torch.float32).detach()
        if matrix.dim() != 2 or len(matrix) != len(words) or not len(words):
            raise ValueError(f"{len(words)} words and a matrix {tuple(matrix.shape)}: expected one row for each word")
        self._row = {word: row for row, word in enumerate(words)}
        if len(self._row) != len(words):
            raise ValueError(f"{len(words) - len(self._row)} words come twice: each word has one vector")
        if not matrix.isfinite().all():
            raise ValueError("the matrix holds NaN or infinite numbers: the training diverged; lower its learning rate")
        self.words = tuple(words)
        self.matrix = matrix  # (V, D)
        self.unit = torch.nn.functional.normalize(matrix, dim=1)  # (V, D), rows of length 1

    def __contains__(self, word: str) -> bool:
        return word in self._row

    def __getitem__(self, word: str) -> Tensor:
        return self.matrix[self.row(word)]

    def row(self, word: str) -> int:
        """The number of a word's row."""
        if word not in self._row:
            raise ValueError(f"{word!r} has no vector: it is too rare or does not occur in the text; ask with `in`")
        return self._row[word]

    def nearest(self, vector: Tensor, count: int = 10, without: Collection[str] = ()) -> list[tuple[str, float]]:
        """The words whose vectors are closest to `vector` (D,), with their cosines; `without` are passed over."""
        if vector.shape != self.matrix.shape[1:]:
            raise ValueError(f"a vector {tuple(vector.shape)} in a table of width {self.matrix.shape[1]}")
        cosines = self.unit @ torch.nn.functional.normalize(vector, dim=0)  # (V,)
        cosines[[self.row(word) for word in without]] = -float("inf")
        best = cosines.topk(max(0, min(count, len(self.words) - len(set(without)))))
        return [(self.words[i], round(c, 4)) for i, c in zip(best.indices.tolist(), best.values.tolist(), strict=True)]

    def neighbours(self, word: str, count: int = 10) -> list[tuple[str, float]]:
        """The words with the most similar vectors, the word itself left out.

        >>> WordVectors(("a", "b", "c"), [[1, 0], [1, 0.1], [0, 1]]).neighbours("a", count=1)
        [('b', 0.995)]
        """
        return self.nearest(self[word], count, without=(word,))

    def analogy(self, a: str, b: str, c: str, count: int = 10, leave_out: bool = True) -> list[tuple[str, float]]:
        """`a` is to `b` as `c` is to what? The words nearest to b - a + c (unit vectors).

        The three words of the question are never an answer, as in the papers. That helps more than it looks:
        `leave_out=False` shows what the arithmetic alone gives, which is mostly `c` or `b` itself.
        """
        direction = self.unit[self.row(b)] - self.unit[self.row(a)] + self.unit[self.row(c)]
        return self.nearest(direction, count, without=(a, b, c) if leave_out else ())

    def phrase(self, words: Sequence[str]) -> Tensor:
        """The sum of the vectors of some words (D,): they may come in any order.

        >>> WordVectors(("new", "york"), [[1, 0], [0, 1]]).phrase(["york", "new"]).tolist()
        [1.0, 1.0]
        """
        if isinstance(words, str) or not len(words):
            raise ValueError(f"words is {words!r}: give a list of at least one word")
        return self.matrix[sorted(self.row(word) for word in words)].sum(0)


class Trained(NamedTuple):
    """What a training returns: the vectors, the two tables they come from, and the loss of each step.

    Every word has two rows while it is trained, one as a centre and one as a context, so that no word has to predict
    itself. Skip-gram and CBOW return the first table as the vectors, GloVe the sum of both.

    Source: Mikolov et al. 2013b, equation 2; Pennington et al. 2014, section 4.2.

    >>> Trained._fields
    ('vectors', 'first', 'second', 'losses')
    """

    vectors: WordVectors
    first: WordVectors
    second: WordVectors
    losses: list[float]


def check_settings(generator: torch.Generator, learning_rate: float, **sizes: int) -> None:
    """Refuse what no training can work with.

    Raises:
        ValueError: for no generator, a learning rate that is not positive, or a size that is no whole number >= 1
            (`epochs` may be 0).

    >>> check_settings(torch.Generator(), 0.1, width=64, epochs=0)
    >>> check_settings(torch.Generator(), 0.1, width=0)
    Traceback (most recent call last):
    ...
    ValueError: width=0: expected a whole number of at least 1
    """
    if not isinstance(generator, torch.Generator):
        raise ValueError(
            f"generator is {generator!r}: give a torch.Generator, such as torch.Generator().manual_seed(0)"
        )
    if not 0 < learning_rate < float("inf"):
        raise ValueError(f"learning_rate={learning_rate}: expected a positive number, such as 0.025")
    for name, size in sizes.items():
        least = 0 if name == "epochs" else 1
        if isinstance(size, bool) or not isinstance(size, int) or size < least:
            raise ValueError(f"{name}={size!r}: expected a whole number of at least {least}")
