"""Is the nearest neighbour of a word's vector a use of the same sense? A test that shared words and frames cannot help.

Take one use of *bank*. Among other sentences with *bank*, those of the same sense tend to repeat its words ("teller"),
and then a net that knows nothing finds them too: the same words make the same numbers. So a neighbour may share no
content word with the query. And for each sentence of the same sense there is one of the other sense with the same
frame, so that the place of the word in the sentence tells nothing either. Whoever looks at neither finds the right
sense in one of two cases.
"""

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from minibert.corpora.synthetic import SenseExample

# What the sentence frames are made of; every other word of a sentence is a content word.
FUNCTION_WORDS = frozenset("the near at beside every day and see of is like stays with when keep".split())


class Use(NamedTuple):
    """One sentence as words, and which of them is the ambiguous one.

    >>> use_of(SenseExample("The bank stays.", "bank", 4, "river"))
    Use(words=('the', 'bank', 'stays'), place=1, sense='river')
    """

    words: tuple[str, ...]
    place: int
    sense: str

    @property
    def word(self) -> str:
        """The ambiguous word."""
        return self.words[self.place]

    @property
    def content(self) -> frozenset[str]:
        """The words that may tell the sense."""
        return frozenset(self.words) - FUNCTION_WORDS - {self.word}

    @property
    def frame(self) -> tuple[str, ...]:
        """The sentence with its content words blotted out."""
        return tuple("_" if word in self.content else word for word in self.words)


def use_of(example: SenseExample) -> Use:
    """Split a generated sentence into words: lower case, hyphens kept, punctuation dropped.

    >>> use_of(SenseExample("At the mall, the left-handed pitcher.", "pitcher", 29, "baseball")).words[4:]
    ('left-handed', 'pitcher')
    """
    pieces = list(re.finditer(r"[a-z]+(?:-[a-z]+)*", example.sentence.lower()))
    place = [piece.start() for piece in pieces].index(example.start)
    return Use(tuple(piece[0] for piece in pieces), place, example.sense)


class Pool(NamedTuple):
    """The sentences among which a query looks for its neighbour: as many of its own sense as of the other.

    Shape: same and other (M,), numbers of sentences.

    >>> Pool(0, torch.tensor([1]), torch.tensor([2])).query
    0
    """

    query: int
    same: Tensor
    other: Tensor


def make_pools(uses: Sequence[Use], overlap: bool, generator: torch.Generator) -> list[Pool]:
    """One pool for each sentence that has possible neighbours; `overlap` lets a neighbour share content words.

    Each sentence of the same sense brings one of the other sense with it: of the same word, in the same frame, drawn by
    `generator`, and each once.

    >>> frames = ["the {} near the {}", "at the {} the {}"]
    >>> words = {"a": ("bank", "raft"), "b": ("bank", "oar"), "c": ("bank", "loan")}
    >>> uses = [Use(("the", "bank", "near", "the", w), 1, s) for w, s in
    ...         (("raft", "river"), ("oar", "river"), ("raft", "river"), ("loan", "money"), ("debt", "money"))]
    >>> pool = make_pools(uses, False, torch.Generator().manual_seed(0))[0]
    >>> pool.same.tolist(), len(pool.other)  # not sentence 2, which has the raft again
    ([1], 1)
    """
    pools = []
    for number, use in enumerate(uses):
        others = [i for i, each in enumerate(uses) if each.word == use.word and each.sense != use.sense]
        shuffled = [others[i] for i in torch.randperm(len(others), generator=generator).tolist()]
        alike = (
            i
            for i, each in enumerate(uses)
            if each.word == use.word and each.sense == use.sense and each.words != use.words
        )
        pairs = pairs_of_one_frame(uses, (i for i in alike if overlap or not uses[i].content & use.content), shuffled)
        if pairs:
            same, other = torch.tensor(pairs).unbind(1)
            pools.append(Pool(number, same, other))
    return pools


def pairs_of_one_frame(uses: Sequence[Use], these: Iterable[int], those: Iterable[int]) -> list[tuple[int, int]]:
    """Pairs of numbers, one of each side, whose sentences have the same frame; each number once.

    >>> uses = [Use(("the", "bank", "near", "the", word), 1, "river") for word in ("raft", "oar")]
    >>> uses.append(Use(("every", "bank"), 1, "money"))
    >>> pairs_of_one_frame(uses, [0, 2], [1, 2])
    [(0, 1), (2, 2)]
    """
    by_frame: dict[tuple[str, ...], list[int]] = {}
    for i in those:
        by_frame.setdefault(uses[i].frame, []).append(i)
    return [(i, by_frame[uses[i].frame].pop()) for i in these if by_frame.get(uses[i].frame)]


def nearest_accuracy(vectors: Tensor, pools: Sequence[Pool]) -> float:
    """How often the neighbour with the highest cosine has the query's sense.

    Where several tie, what counts is the share of the right sense among them: the expected accuracy of a lot. Vectors
    that are the same in every sentence tie throughout and score exactly 0.5.

    Shape: vectors (sentences, D).

    >>> nearest_accuracy(torch.ones(3, 2), [Pool(0, torch.tensor([1]), torch.tensor([2]))])
    0.5
    """
    unit = torch.nn.functional.normalize(vectors.double(), dim=1)
    total = 0.0
    for query, same, other in pools:
        near = (unit[torch.cat([same, other])] * unit[query]).sum(1)  # (2 M,)
        best = near > near.max() - 1e-9
        total += best[: len(same)].sum().item() / best.sum().item()
    return total / len(pools)
