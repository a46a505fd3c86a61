"""Words, and a corpus of them as numbers: what skip-gram, CBOW and GloVe are trained on."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import chain, repeat
from typing import NamedTuple

import torch
from torch import Tensor

_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")


class WordCorpus(NamedTuple):
    """Texts as one long row of word numbers.

    Shape: `words` has V entries, the most frequent first; counts (V,); ids (N,) the words in order, rare ones left
    out; texts (N,) the number of the text that each comes from, so that no window reaches into the next text.

    Source: Mikolov et al. 2013b, section 4 (rare words are dropped).

    >>> corpus = count_corpus([["to", "be"], ["not", "to", "be"]], min_count=2)
    >>> corpus.words, corpus.ids.tolist(), corpus.texts.tolist()
    (('be', 'to'), [1, 0, 1, 0], [0, 0, 1, 1])
    """

    words: tuple[str, ...]
    counts: Tensor
    ids: Tensor
    texts: Tensor


def split_words(text: str) -> list[str]:
    """The words of a text in lower case; numbers, punctuation and all the rest are dropped.

    A word is a run of letters, which may hold apostrophes. Nothing is split into pieces; chapter 3 does that.

    Raises:
        ValueError: for anything but a string.

    Source: the usual preparation for word vectors; Mikolov et al. 2013b, section 4, has another.

    >>> split_words("In 1790, the Nation's bank!")
    ['in', 'the', "nation's", 'bank']
    """
    if not isinstance(text, str):
        raise ValueError(f"text is a {type(text).__name__}, expected a str")
    return _WORD.findall(text.lower())


def count_corpus(texts: Iterable[Sequence[str]], min_count: int = 5) -> WordCorpus:
    """Number the words that occur at least `min_count` times, the most frequent first, ties by the alphabet.

    A text is a list of words, often one sentence (`split_words`). The rarer words disappear, and their neighbours
    move together.

    Raises:
        ValueError: if a text is a string instead of a list of words, if `min_count` is below 1, or if no word is left.

    Source: Mikolov et al. 2013b, section 4.

    >>> count_corpus([["a", "b", "a"]], min_count=1).counts.tolist()
    [2, 1]
    """
    if isinstance(min_count, bool) or not isinstance(min_count, int) or min_count < 1:
        raise ValueError(f"min_count={min_count!r}: expected a whole number of at least 1")
    if isinstance(texts, str):
        raise ValueError(f"texts is one string, {texts[:40]!r}: give a list of texts, each a list of words")
    texts = list(texts)
    for number, text in enumerate(texts):
        if isinstance(text, str):
            raise ValueError(f"text {number} is a string, {text[:40]!r}: split it first, for example with split_words")
    counted = Counter(chain.from_iterable(texts))
    kept = sorted((word for word, count in counted.items() if count >= min_count), key=lambda w: (-counted[w], w))
    if not kept:
        raise ValueError(f"no word of {len(texts)} texts occurs {min_count} times: lower min_count or give more text")
    number_of = {word: number for number, word in enumerate(kept)}
    ids = torch.tensor(list(map(number_of.get, chain.from_iterable(texts), repeat(-1))))  # -1 for the rare words
    owner = torch.arange(len(texts)).repeat_interleave(torch.tensor([len(text) for text in texts]))
    known = ids >= 0
    return WordCorpus(
        words=tuple(kept),
        counts=torch.tensor([counted[word] for word in kept]),
        ids=ids[known],  # (N,)
        texts=owner[known],  # (N,)
    )
