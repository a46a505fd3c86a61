"""What the open task of chapter 1 trains on and measures: a language whose words are dominoes.

A word has two ends, each a number below 6, and stands only where its left end equals the right end of the word before.
Four words share each pair of ends. A seed draws the sentences and how the words are numbered. What a gap wants depends
on which neighbour stands left and which right, and most pairs of neighbours never occur in the training text.
"""

from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

ENDS, ALIKE, LENGTH = 6, 4, 6  # different ends, words that share both of theirs, words in a sentence
TRAIN, TEST = 600, 300  # sentences
Tables = tuple[Tensor, Tensor, Tensor]


@dataclass(frozen=True)
class Dominoes:
    """Sentences of a language as ids. Shape: train (600, 6), held_out (300, 6), both int64; ids are below `size`.

    >>> Dominoes(144, torch.tensor([[0, 1, 2]]), torch.tensor([[2, 1, 0]])).size
    144
    """

    size: int
    train: Tensor
    held_out: Tensor


@lru_cache(maxsize=4)
def dominoes(seed: int) -> Dominoes:
    """The language of a seed.

    >>> dominoes(0).size, dominoes(0).train.shape, torch.equal(dominoes(0).train, dominoes(1).train)
    (144, torch.Size([600, 6]), False)
    """
    rng = torch.Generator().manual_seed(seed)
    word = torch.randperm(ENDS * ENDS * ALIKE, generator=rng).view(ENDS, ENDS, ALIKE)
    ends = torch.randint(ENDS, (TRAIN + TEST, LENGTH + 1), generator=rng)
    which = torch.randint(ALIKE, (TRAIN + TEST, LENGTH), generator=rng)
    sentences = word[ends[:, :-1], ends[:, 1:], which]  # (900, 6)
    return Dominoes(word.numel(), sentences[:TRAIN], sentences[TRAIN:])


def gaps(sentences: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Every word that has two neighbours: the word before it, the word itself, the word after it.

    Shape: (S, T) -> three (S * (T - 2),).

    >>> [part.tolist() for part in gaps(torch.tensor([[5, 6, 7, 8]]))]
    [[5, 6], [6, 7], [7, 8]]
    """
    return sentences[:, :-2].flatten(), sentences[:, 1:-1].flatten(), sentences[:, 2:].flatten()


@torch.no_grad()
def gap_share(tables: Tables, sentences: Tensor) -> float:
    """The share of gaps whose word is among the four with the highest scores, (left[before] + right[after]) @ words.T.

    A tie with another word counts against the right one, so that equal scores for all words give 0.

    Shape: three tables (V, D), sentences (S, T).

    >>> gap_share((torch.eye(9), torch.zeros(9, 9), torch.eye(9)), torch.tensor([[4, 4, 3, 4]]))  # 4 after 4
    0.5
    """
    left, right, words = tables
    before, hidden, after = gaps(sentences)
    scores = (left[before] + right[after]) @ words.T  # (gaps, V)
    better = (scores >= scores.gather(1, hidden[:, None])).sum(1) - 1  # (gaps,) the word itself left out
    return (better < ALIKE).double().mean().item()


def count_tables(sentences: Tensor, size: int) -> Tables:
    """The baseline: logarithms of how often a word follows and precedes each other one, with 0.1 added to each count.

    Shape: (S, T) -> three (V, V).

    >>> [table.shape[1] for table in count_tables(torch.tensor([[0, 1]]), 3)]
    [3, 3, 3]
    """
    pairs = sentences[:, :-1].flatten() * size + sentences[:, 1:].flatten()
    follows = torch.bincount(pairs, minlength=size * size).view(size, size).float()
    return (follows + 0.1).log(), (follows.T + 0.1).log(), torch.eye(size)
