"""What open task 3.4 is about: words drawn from speeches, and how many pieces a vocabulary needs for them."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from functools import lru_cache

import torch

from minibert import corpora
from minibert.tokenization.merges import learn_merges
from minibert.tokenization.normalization import BertNormalizer
from minibert.tokenization.pretokenization import bert_words

SIZE = 500  # pieces of more than one letter


@lru_cache(maxsize=1)
def paragraphs() -> tuple[str, ...]:
    """The paragraphs of all speeches that are long enough to say something.

    Raises:
        DataUnavailable: the speeches are not in the cache.
    """
    found = (line for speech in corpora.load("sotu") for line in speech.text.split("\n"))
    return tuple(line for line in found if len(line) > 200)


def draw_words(seed: int, given: int = 360, held_out: int = 240) -> tuple[dict[str, int], dict[str, int]]:
    """Words of a to z with their counts: those of `given` paragraphs drawn by `seed`, and those of `held_out` others.

    >>> from minibert.corpora import is_cached
    >>> not is_cached("sotu") or draw_words(1)[0]["the"] > draw_words(1)[1]["the"] > 100
    True
    """
    everything = paragraphs()
    drawn = torch.randperm(len(everything), generator=torch.Generator().manual_seed(seed))[: given + held_out].tolist()
    return tuple(dict(count_words(everything[place] for place in part)) for part in (drawn[:given], drawn[given:]))


def count_words(texts: Iterable[str]) -> Counter[str]:
    """How often each word occurs: lower case, without accents, letters from a to z only.

    >>> count_words(["The Café, the cafe; 3 x"])
    Counter({'the': 2, 'cafe': 2, 'x': 1})
    """
    normalize = BertNormalizer().normalize
    words = (word for text in texts for word in bert_words(normalize(text)))
    return Counter(word for word in words if word.isascii() and word.isalpha())


def cut(word: str, pieces: Collection[str]) -> list[str]:
    """The word in as few pieces as possible; a single letter is always a piece, and no piece has a mark.

    >>> cut("unable", {"una", "un", "able"})
    ['un', 'able']
    """
    need = [0] + [len(word) + 1] * len(word)  # pieces of word[:stop]
    begins = [0] * (len(word) + 1)  # where the last of them begins
    for start in range(len(word)):
        for stop in range(start + 1, len(word) + 1):
            if need[start] + 1 < need[stop] and (stop == start + 1 or word[start:stop] in pieces):
                need[stop], begins[stop] = need[start] + 1, start
    out, stop = [], len(word)
    while stop:
        out.append(word[begins[stop] : stop])
        stop = begins[stop]
    return out[::-1]


def pieces_per_word(pieces: Iterable[str], words: Mapping[str, int]) -> float:
    """How many pieces a word of a running text needs on the average.

    >>> pieces_per_word(["th", "the"], {"the": 3, "a": 1, "at": 1})
    1.2
    """
    known = set(pieces)
    return sum(count * len(cut(word, known)) for word, count in words.items()) / sum(words.values())


def joined_by_counts(words: Mapping[str, int], size: int) -> list[str]:
    """The pieces that `size` merges make, each of the most frequent pair: byte-pair encoding on letters.

    >>> joined_by_counts({"low": 3, "lower": 2}, 2)
    ['lo', 'low']
    """
    letters = sorted(set("".join(words)))
    ids = {letter: place for place, letter in enumerate(letters)}
    split = [[ids[letter] for letter in word] for word in words]
    return learn_merges(split, list(words.values()), letters, len(letters) + size)[0][len(letters) :]
