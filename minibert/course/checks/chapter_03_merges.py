"""Exercise 3.2: merges applied by rank, and the other orders in which one can apply them by mistake."""

from collections import Counter
from itertools import pairwise

import torch

from minibert.course.checks.chapter_03_cases import Case, judge

Merges = list[tuple[str, str]]


def encode(word: str, merges: Merges) -> list[str]:
    """The right answer.

    >>> encode("hand", [("n", "d"), ("a", "n"), ("h", "an")])
    ['h', 'a', 'nd']
    """
    return _by(list(word), merges, lambda pair, symbols, places: merges.index(pair))


def _by(symbols: list[str], merges: Merges, cost, rightmost: bool = False, steps: int = 1 << 30) -> list[str]:
    """Join the known pair with the lowest cost, the leftmost of equals, again and again."""
    for _ in range(steps):
        places = [place for place, pair in enumerate(pairwise(symbols)) if pair in merges]
        if not places:
            break
        keyed = [(cost((symbols[p], symbols[p + 1]), symbols, p), -p if rightmost else p, p) for p in places]
        place = min(keyed)[2]
        symbols = [*symbols[:place], symbols[place] + symbols[place + 1], *symbols[place + 2 :]]
    return symbols


def _by_frequency(word: str, merges: Merges) -> list[str]:
    def cost(pair, symbols, place):
        return -Counter(pairwise(symbols))[pair], merges.index(pair)

    return _by(list(word), merges, cost)


def _sweep(symbols: list[str], known, overlap: bool = False, most: int = 1 << 30) -> list[str]:
    """One way from left to right, in which every known pair is joined; overlap: a symbol may be used twice."""
    out, place, done = [], 0, 0
    while place < len(symbols):
        if place + 1 < len(symbols) and known(symbols[place], symbols[place + 1]) and done < most:
            out.append(symbols[place] + symbols[place + 1])
            done += 1
            if overlap and place + 2 < len(symbols) and known(symbols[place + 1], symbols[place + 2]):
                place += 1
                continue
            place += 2
        else:
            out.append(symbols[place])
            place += 1
    return out


def _every_merge(word: str, merges: Merges, **how) -> list[str]:
    symbols = list(word)
    for merge in merges:
        symbols = _sweep(symbols, lambda left, right, merge=merge: (left, right) == merge, **how)
    return symbols


def _one_sweep(word: str, merges: Merges) -> list[str]:
    return _sweep(list(word), lambda left, right: (left, right) in merges)


def _sweeps(word: str, merges: Merges) -> list[str]:
    symbols, before = list(word), None
    while symbols != before:
        symbols, before = _sweep(symbols, lambda left, right: (left, right) in merges), symbols
    return symbols


def _by_string(word: str, merges: Merges) -> list[str]:
    symbols, tokens = list(word), [left + right for left, right in merges]
    while known := [(tokens.index(a + b), place) for place, (a, b) in enumerate(pairwise(symbols)) if a + b in tokens]:
        place = min(known)[1]
        symbols[place : place + 2] = [symbols[place] + symbols[place + 1]]
    return symbols


def _longest_token(word: str, merges: Merges) -> list[str]:
    tokens, out, start = {left + right for left, right in merges}, [], 0
    while start < len(word):
        stop = next((stop for stop in range(len(word), start, -1) if word[start:stop] in tokens), start + 1)
        out.append(word[start:stop])
        start = stop
    return out


def _in_a_text(word: str, merges: Merges) -> list[str]:
    text = " ".join(word)
    for left, right in merges:
        text = text.replace(f"{left} {right}", left + right)
    return text.split()


SUSPECTS = {
    "'a n' is replaced in a text with spaces, and is found in 'a nd' too; compare whole symbols": _in_a_text,
    "there is no ## here, that is WordPiece's mark: BPE's symbols are the joined texts themselves": (
        lambda word, merges: [
            symbol if place == 0 else "##" + symbol for place, symbol in enumerate(encode(word, merges))
        ]
    ),
    "something is added at the end; the symbols, put together, are the word": (
        lambda word, merges: [*encode(word, merges), "</w>"]
    ),
    "by frequency: the pair that is most frequent in this word is joined first; the order is that of training, so the "
    "lowest place in `merges`": _by_frequency,
    "by frequency: the pair that is most frequent in this word is joined, of equals the leftmost; the order is that of "
    "training, so the lowest place in `merges`": (
        lambda word, merges: _by(list(word), merges, lambda pair, symbols, place: -Counter(pairwise(symbols))[pair])
    ),
    "the leftmost pair that is in `merges` is joined; look at all pairs and take the one with the lowest rank": (
        lambda word, merges: _by(list(word), merges, lambda pair, symbols, place: 0)
    ),
    "all ranks are joined at once in one way from left to right; one rank after the other, lowest first": _one_sweep,
    "all ranks are joined in one way from left to right, again and again; in each step only the lowest rank": _sweeps,
    "the pair that was learnt last is joined first: the lowest place in `merges` has precedence": (
        lambda word, merges: _by(list(word), merges, lambda pair, symbols, place: -merges.index(pair))
    ),
    "overlapping pairs: in 'aaa' the middle a is used twice; what is joined is used up": (
        lambda word, merges: _every_merge(word, merges, overlap=True)
    ),
    "of equal pairs the rightmost is joined first: 'aaa' is 'aa', 'a'": (
        lambda word, merges: _by(list(word), merges, lambda pair, symbols, place: merges.index(pair), rightmost=True)
    ),
    "it merges only once: go on until no pair of neighbours is in `merges`": (
        lambda word, merges: _by(list(word), merges, lambda pair, symbols, place: merges.index(pair), steps=1)
    ),
    "only the pairs of single characters are joined: what was joined can be joined again": (
        lambda word, merges: _every_merge(word, [pair for pair in merges if len("".join(pair)) == 2])
    ),
    "each merge is done at its first place only: the same pair may stand in the word again": (
        lambda word, merges: _every_merge(word, merges, most=1)
    ),
    "two neighbours are joined because together they spell a token; the PAIR must be in `merges`: ('ab', 'c') is not "
    "('a', 'bc')": _by_string,
    "the longest token that fits is taken from the left, as WordPiece does; BPE joins, in the order of training": (
        _longest_token
    ),
    "the merges are in alphabetical order; their order in the list is their rank": (
        lambda word, merges: _by(list(word), merges, lambda pair, symbols, place: pair)
    ),
    "the last symbol gets lost: a loop over pairs ends one symbol early": lambda word, merges: encode(word, merges)[
        :-1
    ],
    "nothing is joined: these are the characters": lambda word, merges: list(word),
    "the whole word is one piece; it is cut into characters first, and only pairs in `merges` are joined": (
        lambda word, merges: [word]
    ),
}


def _trained(rng: torch.Generator, letters: str) -> Merges:
    """Merges learnt from random words; each makes a token that no other makes."""
    words = [_word(rng, letters, 3, 9) for _ in range(12)]
    split, merges = [list(word) for word in words], []
    while len(merges) < 12:
        counts = Counter(pair for word in split for pair in pairwise(word))
        made = {left + right for left, right in merges}
        counts = {pair: count for pair, count in counts.items() if "".join(pair) not in made}
        if not counts:
            break
        best = min(counts, key=lambda pair: (-counts[pair], pair))
        merges.append(best)
        split = [_sweep(word, lambda left, right, best=best: (left, right) == best) for word in split]
    return merges


def _word(rng: torch.Generator, letters: str, least: int, most: int) -> str:
    length = int(torch.randint(least, most + 1, (1,), generator=rng))
    return "".join(letters[place] for place in torch.randint(len(letters), (length,), generator=rng).tolist())


def check_merges(answer, rng: torch.Generator) -> None:
    """The check of exercise 3.2: six words on paper, then random words with merges learnt from others.

    Raises:
        Wrong: what was seen, what was expected, the likely cause.
        NotAttempted: the answer is still the stub.

    >>> check_merges(encode, torch.Generator().manual_seed(0))
    """
    paper = [("n", "d"), ("a", "n"), ("h", "an"), ("b", "an")]
    again = "three a: the first two are joined, the third stays"
    cases = [
        Case(("hand", paper), "(n, d) has rank 0 and (a, n) rank 1: nd is joined first, and then no pair is left"),
        Case(("banand", paper), "nd first (rank 0), then the an that is left (rank 1), then ban (rank 3)"),
        Case(("banana", paper), "both an (rank 1), then b and an (rank 3)"),
        Case(("aaa", [("a", "a")]), again),
        Case(("aaaaa", [("a", "a"), ("aa", "aa")]), "aa aa a, then aaaa a"),
        Case(("a", paper), "one character has no pair: it is the answer"),
        Case(("xyz", paper), "no pair is in `merges`: the characters are the answer"),
        Case(("abc", [("b", "c"), ("a", "bc")]), "bc (rank 0), then a with bc (rank 1)"),
        Case(("abcabd", [("a", "b"), ("b", "c"), ("a", "bc")]), "both ab (rank 0); (ab, c) is no pair of `merges`"),
    ]
    for letters in ("ab", "abc", "Ġné"):
        merges = _trained(rng, letters)
        cases += [
            Case((_word(rng, letters, 2, 12), merges), "a random word: step by step, lowest rank") for _ in range(12)
        ]
    judge(answer, cases, encode, SUSPECTS, _text)


def _text(arguments: tuple) -> str:
    word, merges = arguments
    shown = ", ".join(f"{left}+{right}" for left, right in merges)
    return f"bpe_encode({word!r}, merges {shown})"
