"""GloVe: count which words stand near each other, then factorise the logarithms of the counts."""

import torch
from torch import Tensor
from torch.nn.functional import embedding

from minibert.word_vectors.vectors import Trained, WordVectors, check_settings
from minibert.word_vectors.words import WordCorpus

ROWS = 64  # words in a batch (B), each with its whole row of the table


class Cooccurrence:
    """A square table of counts that keeps only the cells that are not 0, sorted by row, then by column.

    Shape: row, column, value (cells,); `dense(rows (B,))` -> (B, V) float32; `size` is V.

    Source: Pennington et al. 2014, section 3 (X).

    >>> table = Cooccurrence(torch.tensor([0, 2]), torch.tensor([1, 1]), torch.tensor([5.0, 7.0]), size=3)
    >>> table.dense(torch.tensor([2, 1])).tolist()
    [[0.0, 7.0, 0.0], [0.0, 0.0, 0.0]]
    """

    def __init__(self, row: Tensor, column: Tensor, value: Tensor, size: int):
        self.row, self.column, self.value, self.size = row, column, value, size
        self.starts = torch.searchsorted(row, torch.arange(size + 1))  # (V + 1,) the first cell of each row

    def dense(self, rows: Tensor) -> Tensor:
        """Some rows of the table in full, in the order that is asked for."""
        first, last = self.starts[rows], self.starts[rows + 1]  # (B,)
        place = torch.arange(len(rows)).repeat_interleave(last - first)  # (cells,) which of the B rows
        before = (last - first).cumsum(0) - (last - first)  # (B,) cells of the rows above
        cells = torch.arange(len(place)) + (first - before)[place]
        table = torch.zeros(len(rows), self.size)
        table[place, self.column[cells]] = self.value[cells]
        return table


def cooccurrence(corpus: WordCorpus, half_window: int = 5, by_distance: bool = True) -> Cooccurrence:
    """Count how often word j stands within `half_window` places of word i, in the same text, on either side.

    A pair at distance d counts 1 / d, or 1 with `by_distance=False`. The table is symmetric. No place counts itself;
    on the diagonal stands how often a word is near another place with the same word.

    Shape: corpus of N words, V different -> (V, V).

    Raises:
        ValueError: for a `half_window` below 1.

    Source: Pennington et al. 2014, sections 3 and 4.2.

    >>> from minibert.word_vectors.words import count_corpus
    >>> table = cooccurrence(count_corpus([["a", "b", "b"], ["a"]], min_count=1), half_window=2)
    >>> table.dense(torch.arange(2))  # a is near the two b: 1 + 1 / 2; each b is near the other
    tensor([[0.0000, 1.5000],
            [1.5000, 2.0000]])
    """
    if isinstance(half_window, bool) or not isinstance(half_window, int) or half_window < 1:
        raise ValueError(f"half_window={half_window!r}: expected a whole number of at least 1")
    ids, texts, V = corpus.ids, corpus.texts, len(corpus.words)
    pairs, weights = [ids[:0]], [torch.empty(0, dtype=torch.float64)]
    for distance in range(1, min(half_window, len(ids) - 1) + 1):
        left, right = ids[:-distance], ids[distance:]
        same = texts[:-distance] == texts[distance:]
        pairs.append((torch.minimum(left, right) * V + torch.maximum(left, right))[same])  # i <= j: one half is enough
        weights.append(torch.full(pairs[-1].shape, 1 / distance if by_distance else 1.0, dtype=torch.float64))
    pairs, which = torch.cat(pairs).unique(return_inverse=True)
    value = torch.zeros(len(pairs), dtype=torch.float64).index_add_(0, which, torch.cat(weights)).float()
    row, column = pairs // V, pairs % V
    value = torch.where(row == column, 2 * value, value)  # two equal words: each is near the other
    apart = row != column
    row, column = torch.cat([row, column[apart]]), torch.cat([column, row[apart]])  # the other half
    order = (row * V + column).argsort()
    return Cooccurrence(row[order], column[order], torch.cat([value, value[apart]])[order], V)


def glove_weights(counts: Tensor, x_max: float = 100.0, power: float = 0.75) -> Tensor:
    """How much a cell of the table matters: min(1, (count / x_max) ** power), so nothing for a pair never seen.

    Shape: any -> the same.

    Raises:
        ValueError: for an `x_max` that is not positive.

    Source: Pennington et al. 2014, section 3, equation 9.

    >>> glove_weights(torch.tensor([0.0, 1.0, 16.0, 900.0]), x_max=16).tolist()
    [0.0, 0.125, 1.0, 1.0]
    """
    if not x_max > 0:
        raise ValueError(f"x_max={x_max}: expected a positive count, such as 100")
    return (counts / x_max).clamp(max=1) ** power


def glove_loss(predicted: Tensor, counts: Tensor, x_max: float = 100.0) -> Tensor:
    """The mean over the cells with a count of weight * (predicted - log count)^2; cells with 0 do not matter.

    `predicted` is w_i . w~_j + b_i + b~_j.

    Shape: predicted and counts of the same shape -> ().

    Raises:
        ValueError: if the shapes differ, or for an `x_max` that is not positive.

    Source: Pennington et al. 2014, section 3, equation 8 (there the sum).

    >>> glove_loss(torch.tensor([[3.0, 8.0]]), torch.tensor([[1.0, 0.0]]), x_max=1).item()
    9.0
    """
    if predicted.shape != counts.shape:
        raise ValueError(f"predicted {tuple(predicted.shape)} and counts {tuple(counts.shape)}: expected one shape")
    seen = counts > 0
    error = (predicted - counts.where(seen, 1).log()) ** 2
    return (glove_weights(counts, x_max) * error).sum() / seen.sum().clamp(min=1)


def train_glove(
    corpus: WordCorpus,
    width: int = 64,
    half_window: int = 5,
    x_max: float = 100.0,
    epochs: int = 20,
    learning_rate: float = 0.05,
    *,
    generator: torch.Generator,
) -> Trained:
    """Count the co-occurrences of a corpus and fit vectors of size `width` to their logarithms, with AdaGrad.

    A step takes 64 words at random, with their whole rows of the table; the original takes single cells. `epochs=0`
    returns the vectors as they are drawn: the untrained control.

    Raises:
        ValueError: for sizes below 1, or no generator.

    Source: Pennington et al. 2014, sections 3 and 4.2; Duchi et al. 2011 (AdaGrad).

    >>> from minibert.word_vectors.words import count_corpus
    >>> corpus = count_corpus([["the", "cat", "sat"], ["the", "dog", "sat"]] * 20)
    >>> trained = train_glove(corpus, width=4, epochs=2, generator=torch.Generator().manual_seed(0))
    >>> trained.vectors.matrix.shape, trained.losses[1] < trained.losses[0]
    (torch.Size([4, 4]), True)
    """
    check_settings(generator, learning_rate, width=width, half_window=half_window, epochs=epochs)
    table, V = cooccurrence(corpus, half_window), len(corpus.words)
    start = [(torch.rand(V, width + 1, generator=generator) - 0.5) / width for _ in range(2)]
    first, second = (drawn.requires_grad_() for drawn in start)  # (V, D + 1) each: a vector and a bias
    optimizer = torch.optim.Adagrad([first, second], lr=learning_rate, fused=True)
    losses = []
    for _ in range(epochs):
        for rows in torch.randperm(V, generator=generator).split(ROWS):
            word = embedding(rows, first)  # (B, D + 1)
            predicted = word[:, :-1] @ second[:, :-1].T + word[:, -1:] + second[:, -1]  # (B, V)
            loss = glove_loss(predicted, table.dense(rows), x_max)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
    vectors, contexts = first.detach()[:, :-1], second.detach()[:, :-1]
    words = corpus.words
    return Trained(
        WordVectors(words, vectors + contexts), WordVectors(words, vectors), WordVectors(words, contexts), losses
    )
