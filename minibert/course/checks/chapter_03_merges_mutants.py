"""Exercise 3.2: its solution, and orders of merging that its check must recognise."""

from collections import Counter
from itertools import pairwise

from minibert.course.exercise import Mutant


def _bpe_encode(word, merges):
    rank = {pair: place for place, pair in enumerate(merges)}
    symbols = list(word)
    while True:
        found = [(rank[pair], place) for place, pair in enumerate(pairwise(symbols)) if pair in rank]
        if not found:
            return symbols
        _, place = min(found)
        symbols[place : place + 2] = [symbols[place] + symbols[place + 1]]


def _by(word, merges, choose):
    """The loop with another choice: `choose(places, symbols)` names the place to join."""
    symbols = list(word)
    while True:
        places = [i for i in range(len(symbols) - 1) if (symbols[i], symbols[i + 1]) in merges]
        if not places:
            return symbols
        place = choose(places, symbols)
        symbols = [*symbols[:place], symbols[place] + symbols[place + 1], *symbols[place + 2 :]]


def _by_frequency(word, merges):
    def most_frequent(places, symbols):
        counts = Counter((symbols[i], symbols[i + 1]) for i in range(len(symbols) - 1))
        return max(places, key=lambda i: (counts[symbols[i], symbols[i + 1]], -i))

    return _by(word, merges, most_frequent)


def _by_frequency_and_rank(word, merges):
    symbols = list(word)
    while True:
        counts = {pair: count for pair, count in Counter(pairwise(symbols)).items() if pair in merges}
        if not counts:
            return symbols
        pair = min(counts, key=lambda pair: (-counts[pair], merges.index(pair)))
        i = list(pairwise(symbols)).index(pair)
        symbols[i : i + 2] = ["".join(pair)]


def _leftmost(word, merges):
    return _by(word, merges, lambda places, symbols: places[0])


def _last_learnt(word, merges):
    return _by(
        word, merges, lambda places, symbols: max(places, key=lambda i: merges.index((symbols[i], symbols[i + 1])))
    )


def _rightmost(word, merges):
    def choose(places, symbols):
        return min(places, key=lambda i: (merges.index((symbols[i], symbols[i + 1])), -i))

    return _by(word, merges, choose)


def _replaced(symbols, pair):
    """All places of a pair at once, a symbol used twice where pairs overlap."""
    out, i = [], 0
    while i < len(symbols):
        if tuple(symbols[i : i + 2]) == pair:
            out.append("".join(pair))
            i += 1 if tuple(symbols[i + 1 : i + 3]) == pair else 2
        else:
            out.append(symbols[i])
            i += 1
    return out


def _overlapping(word, merges):
    symbols = list(word)
    for pair in merges:
        symbols = _replaced(symbols, pair)
    return symbols


def _one_pass(word, merges):
    symbols, i = list(word), 0
    while i < len(symbols) - 1:
        if (symbols[i], symbols[i + 1]) in merges:
            symbols[i : i + 2] = [symbols[i] + symbols[i + 1]]
        i += 1
    return symbols


def _passes(word, merges):
    symbols = list(word)
    for _ in word:
        symbols = _one_pass_of(symbols, merges)
    return symbols


def _one_pass_of(symbols, merges):
    out = []
    for symbol in symbols:
        if out and (out[-1], symbol) in merges and len(out[-1]) >= 1 and not out[-1].endswith("\0"):
            out[-1] = out[-1] + symbol + "\0"  # a mark: joined in this pass already
        else:
            out.append(symbol)
    return [symbol.replace("\0", "") for symbol in out]


def _once(word, merges):
    for left, right in merges:
        if left + right in word:
            symbols = list(word)
            for i in range(len(symbols) - 1):
                if (symbols[i], symbols[i + 1]) == (left, right):
                    return [*symbols[:i], left + right, *symbols[i + 2 :]]
    return list(word)


def _first_place_only(word, merges):
    symbols = list(word)
    for left, right in merges:
        for i in range(len(symbols) - 1):
            if (symbols[i], symbols[i + 1]) == (left, right):
                symbols[i : i + 2] = [left + right]
                break
    return symbols


def _by_string(word, merges):
    tokens, symbols = [left + right for left, right in merges], list(word)
    while True:
        found = [(tokens.index(s), i) for i in range(len(symbols) - 1) if (s := symbols[i] + symbols[i + 1]) in tokens]
        if not found:
            return symbols
        i = min(found)[1]
        symbols[i : i + 2] = [symbols[i] + symbols[i + 1]]


def _like_wordpiece(word, merges):
    tokens, pieces = {left + right for left, right in merges}, []
    while word:
        size = next((n for n in range(len(word), 1, -1) if word[:n] in tokens), 1)
        pieces.append(word[:size])
        word = word[size:]
    return pieces


def _alphabetical(word, merges):
    return _bpe_encode(word, sorted(merges))


def _loses_the_last(word, merges):
    return _bpe_encode(word, merges)[:-1]


def _uses_merges_up(word, merges):
    symbols = list(word)
    while merges:
        left, right = merges.pop(0)
        symbols = "\0".join(symbols).replace(f"{left}\0{right}", left + right).split("\0")
    return symbols


def _needs_a_pair(word, merges):
    symbols = list(word)
    while True:
        pairs = [(symbols[i], symbols[i + 1]) for i in range(len(symbols) - 1)]
        best = min(pairs, key=lambda pair: merges.index(pair) if pair in merges else len(merges))
        if best not in merges:
            return symbols
        i = pairs.index(best)
        symbols[i : i + 2] = ["".join(best)]


MUTANTS = [
    Mutant("by frequency in the word", _by_frequency, "by frequency"),
    Mutant("leftmost instead of lowest rank", _leftmost, "the leftmost pair"),
    Mutant("last learnt first", _last_learnt, "learnt last"),
    Mutant("rightmost of equals", _rightmost, "rightmost is joined first"),
    Mutant("by frequency, ties by rank", _by_frequency_and_rank, "by frequency"),
    Mutant("overlapping pairs", _overlapping, "overlapping pairs"),
    Mutant("one pass over all ranks", _one_pass, "from left to right"),
    Mutant("passes over all ranks", _passes, "again and again"),
    Mutant("merges only once", _once, "only once"),
    Mutant("each merge at its first place only", _first_place_only, "first place only"),
    Mutant("by the joined string", _by_string, "the PAIR must be in"),
    Mutant("longest match", _like_wordpiece, "as WordPiece does"),
    Mutant("merges sorted", _alphabetical, "alphabetical"),
    Mutant("loses the last symbol", _loses_the_last, "last symbol gets lost"),
    Mutant("uses the merges up", _uses_merges_up, "your code changes an input"),
    Mutant("a word of one character", _needs_a_pair, r"line \d+.*min\(pairs"),
    Mutant("does nothing", lambda word, merges: list(word), "nothing is joined"),
    Mutant("returns a tuple", lambda word, merges: tuple(_bpe_encode(word, merges)), "not a tuple"),
]
