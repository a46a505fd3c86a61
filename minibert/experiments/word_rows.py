"""Sentences of whole words as rows of ids, for the experiments that need no tokenizer: one token, one word."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

import torch
from torch import Tensor

from minibert.varlen import cu_seqlens_of

SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
PAD, UNK, CLS, SEP, MASK = range(5)


def word_ids(sentences: Iterable[Sequence[str]], size: int | None = None) -> dict[str, int]:
    """The special tokens and the commonest words, up to `size` entries; equally common ones by the alphabet.

    >>> word_ids([["b", "a"], ["b"]])["b"]
    5
    """
    counts = Counter(word for sentence in sentences for word in sentence)
    words = sorted(counts, key=lambda word: (-counts[word], word))
    words = words if size is None else words[: size - len(SPECIAL)]
    return {word: number for number, word in enumerate([*SPECIAL, *words])}


def row(words: Sequence[str], ids: dict[str, int]) -> list[int]:
    """[CLS] words [SEP]: the word at place p stands at p + 1.

    >>> row(["b", "z"], {"b": 5})
    [2, 5, 1, 3]
    """
    return [CLS, *(ids.get(word, UNK) for word in words), SEP]


def packed(rows: Sequence[Sequence[int]]) -> tuple[Tensor, Tensor]:
    """Rows end to end: ids (N,) and cu_seqlens (B + 1,).

    >>> packed([[2, 5, 3], [2, 3]])[1].tolist()
    [0, 3, 5]
    """
    return torch.tensor([id for row in rows for id in row]), cu_seqlens_of(map(len, rows))


def batches(
    rows: Sequence[Sequence[int]], size: int, steps: int, generator: torch.Generator
) -> Iterator[tuple[Tensor, Tensor]]:
    """`steps` packed batches of `size` rows; every row once before any comes again, in a new order each time.

    >>> [len(ids) for ids, _ in batches([[2, 3]] * 5, 2, 3, torch.Generator())]
    [4, 4, 4]
    """
    order: list[int] = []
    for _ in range(steps):
        while len(order) < size:
            order += torch.randperm(len(rows), generator=generator).tolist()
        yield packed([rows[i] for i in order[:size]])
        order = order[size:]
