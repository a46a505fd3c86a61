"""Texts as bags of words or of character n-grams, weighted by how rare each piece is: what an encoder has to beat.

An encoder's vector knows order and context, a bag knows only which pieces occur. Character n-grams also find words that
are spelled alike: *Kalender* and *calendar* share `alen`.
"""

import math
import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

_WORD = re.compile(r"\w+")


def words(text: str) -> list[str]:
    """The words of a text in small letters.

    >>> words("Log in, please")
    ['log', 'in', 'please']
    """
    return _WORD.findall(text.casefold())


def character_ngrams(text: str, sizes: Sequence[int] = (2, 3, 4)) -> list[str]:
    """All runs of so many characters, in small letters, a space before the first word and after the last.

    >>> character_ngrams("Log", sizes=(3,))
    [' lo', 'log', 'og ']
    """
    padded = f" {' '.join(text.casefold().split())} "
    return [padded[start : start + size] for size in sizes for start in range(len(padded) - size + 1)]


@dataclass(frozen=True)
class Bag:
    """Turns texts into vectors with one number for each piece it knows: (1 + ln count) times the piece's weight.

    `weights` are inverse document frequencies, ln((1 + texts) / (1 + texts with the piece)) + 1. A vector has length 1.
    The last number is for texts without any known piece, so that these have a direction too.

    Source: Salton and Buckley 1988; the smoothing is scikit-learn's.

    >>> bag = Bag.of(["log in", "log out"], words)
    >>> bag.vectors(["log in", "nothing known"]).shape, sorted(bag.weights)
    (torch.Size([2, 4]), ['in', 'log', 'out'])
    """

    cut: Callable[[str], list[str]]
    weights: dict[str, float]

    @classmethod
    def of(cls, texts: Iterable[str], cut: Callable[[str], list[str]], size: int | None = None) -> "Bag":
        """Know the pieces of these texts, or the `size` of them that the most texts have.

        Raises:
            ValueError: the texts have no piece at all.

        >>> list(Bag.of(["b a", "a"], words, size=1).weights)
        ['a']
        """
        cuts = [set(cut(text)) for text in texts]
        texts_with = Counter(piece for pieces in cuts for piece in sorted(pieces))
        if not texts_with:
            raise ValueError(f"{len(cuts)} texts have no piece to count: give texts with words in them")
        return cls(cut, {p: math.log((1 + len(cuts)) / (1 + n)) + 1 for p, n in texts_with.most_common(size)})

    def vectors(self, texts: Sequence[str]) -> Tensor:
        """The texts as vectors of length 1: B texts -> (B, pieces + 1) float32.

        >>> Bag.of(["a b", "b"], words).vectors(["b b"]).round(decimals=2).tolist()
        [[1.0, 0.0, 0.0]]
        """
        columns = {piece: column for column, piece in enumerate(self.weights)}
        vectors = torch.zeros(len(texts), len(columns) + 1)
        for row, text in enumerate(texts):
            counts = {piece: n for piece, n in Counter(self.cut(text)).items() if piece in columns}
            at = torch.tensor([columns[piece] for piece in counts] or [len(columns)])
            values = [(1 + math.log(n)) * self.weights[piece] for piece, n in counts.items()] or [1.0]
            vectors[row, at] = torch.tensor(values)
        return torch.nn.functional.normalize(vectors, dim=-1)
