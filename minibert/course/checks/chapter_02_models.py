"""Language models for exercise 2.2: some see what they predict, some do not, and each knows which words it reads."""

from collections.abc import Callable

import torch
from torch import Tensor

from minibert.course.tools import kind_of

BLIND = "no change is noticed: does the word really become another one, and are all entries of a row compared?"


class Predictor:
    """A model whose prediction at place t reads the words that row t of `reads` (T, T) names, and no others.

    >>> model = Predictor(torch.eye(2, dtype=torch.bool), 5, torch.Generator())
    >>> model(torch.tensor([3, 4])).shape
    torch.Size([2, 5])
    """

    def __init__(self, reads: Tensor, V: int, rng: torch.Generator, size: float = 1.0, twins: bool = False):
        T = len(reads)
        self.reads, self.V, self.noise = reads, V, 0.0
        self.weights = (0.5 + torch.rand(T, T, generator=rng)) * reads  # (T, T)
        table = torch.randn(V, V, generator=rng)
        if twins:
            table[1::2] = table[0::2]  # words 0 and 1 have one vector, 2 and 3 have one
        self.table = size * (table - table.mean(-1, keepdim=True))  # (V, V): the entries of a row sum to 0

    def __call__(self, ids: Tensor) -> Tensor:
        if not isinstance(ids, Tensor) or ids.shape != (len(self.reads),) or ids.dtype != torch.int64:
            what = f"{kind_of(ids)}{f' and dtype {str(ids.dtype)[6:]}' if isinstance(ids, Tensor) else ''}"
            raise ValueError(f"predict wants ids ({len(self.reads)},) int64, and got {what}")
        if ids.min() < 0 or ids.max() >= self.V:
            raise ValueError(f"predict wants ids from 0 to {self.V - 1}, and got {int(ids.min())} to {int(ids.max())}")
        rounding = self.noise * torch.sin(37.0 * ids.float().sum() + torch.arange(self.V))
        return self.weights @ self.table[ids] + rounding  # (T, V)

    def top_moves(self, ids: Tensor) -> Tensor:
        """Which predictions get another most likely word when one word changes: (T, T) bool."""
        before, moved = self(ids).argmax(-1), torch.zeros_like(self.reads)
        for place in range(len(ids)):
            for word in range(self.V):
                changed = ids.clone()
                changed[place] = word
                moved[:, place] |= self(changed).argmax(-1) != before
        return moved


def boxed(model: Predictor) -> Callable[[Tensor], Tensor]:
    """The model as a plain function: nothing in it but its predictions can be looked at.

    >>> boxed(Predictor(torch.eye(1, dtype=torch.bool), 5, torch.Generator()))(torch.tensor([3])).shape
    torch.Size([1, 5])
    """

    def predict(ids: Tensor) -> Tensor:
        return model(ids)

    return predict


def map_of(model: Predictor) -> Tensor:
    """What each prediction really depends on: (T, T) bool.

    >>> map_of(Predictor(torch.eye(2, dtype=torch.bool), 4, torch.Generator())).tolist()
    [[True, False], [False, True]]
    """
    return model.reads.clone()


def _before(T: int) -> Tensor:
    return torch.ones(T, T, dtype=torch.bool).tril(-1)


def _forward(T, V, rng):
    return Predictor(_before(T), V, rng)


def _leaking(T, V, rng):
    return Predictor(torch.ones(T, T, dtype=torch.bool), V, rng)


def _closed(T, V, rng):
    return Predictor(~torch.eye(T, dtype=torch.bool), V, rng)


def _wrapping(T, V, rng):
    """Closed but for the two ends, where a state was rolled in that has read the whole text."""
    reads = ~torch.eye(T, dtype=torch.bool)
    reads[0, 0] = reads[-1, -1] = True
    return Predictor(reads, V, rng)


def _random(T, V, rng):
    return Predictor(torch.rand(T, T, generator=rng) < 0.5, V, rng)


def _faint(T, V, rng):
    return Predictor(torch.rand(T, T, generator=rng) < 0.5, V, rng, size=0.005)


def _rounding(T, V, rng):
    model = _closed(T, V, rng)
    model.noise = 1e-6
    return model


def _twins(T, V, rng):
    return Predictor(torch.rand(T, T, generator=rng) < 0.7, V, rng, twins=True)


SUBTLE = (_faint, _rounding, _twins)  # a test that fails only with these has one particular gap

MODELS = (  # what it is, T, how it is made, what a wrong answer to it means
    ("a forward reader of 3 words", 3, _forward, "prediction 1 reads word 0, prediction 2 reads words 0 and 1"),
    ("a model that sees itself", 4, _leaking, "every prediction reads every word, its own too: all True"),
    ("a model without a leak", 5, _closed, "every prediction reads all words but its own"),
    ("a model that sees itself at both ends only", 6, _wrapping, "look at every place, the first and the last too"),
    ("a model that reads words at random", 6, _random, BLIND),
    (
        "a model in which every word counts little",
        5,
        _faint,
        "small changes are changes: more than 1e-4 in any entry of the row, also if the most likely word stays",
    ),
    (
        "a model whose numbers are rounded in the sixth decimal",
        5,
        _rounding,
        "differences below 1e-4 are rounding: sums in another order differ in the sixth decimal",
    ),
    (
        "a model in which two words of the vocabulary have the same vector",
        6,
        _twins,
        "one other word is not enough: it may have the same vector as the old one; try every word of the vocabulary",
    ),
)
