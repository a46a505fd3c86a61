"""Answers to 3.2, merges by rank."""

from itertools import pairwise


def in_a_text(word, merges):
    text = "\0" + "\0".join(word) + "\0"
    for left, right in merges:
        while (pair := f"\0{left}\0{right}\0") in text:
            text = text.replace(pair, f"\0{left}{right}\0", 1)
    return text[1:-1].split("\0")


def begun_again_after_each(word, merges, symbols=None):
    symbols = list(word) if symbols is None else symbols
    for merge in merges:
        for place, pair in enumerate(pairwise(symbols)):
            if pair == merge:
                joined = [*symbols[:place], "".join(merge), *symbols[place + 2 :]]
                return begun_again_after_each(word, merges, joined)
    return symbols


def one_rank_after_the_other(word, merges):
    symbols = list(word)
    for left, right in merges:
        place = 0
        while place < len(symbols) - 1:
            if symbols[place] == left and symbols[place + 1] == right:
                symbols[place : place + 2] = [left + right]
            place += 1
    return symbols


def all_places_of_the_best_pair(word, merges):
    ranks, symbols = dict(zip(merges, range(len(merges)), strict=True)), tuple(word)
    while len(symbols) > 1:
        pair = min(pairwise(symbols), key=lambda one: ranks.get(one, float("inf")))
        if pair not in ranks:
            break
        out, place = [], 0
        while place < len(symbols):
            joined = symbols[place : place + 2] == pair
            out.append("".join(pair) if joined else symbols[place])
            place += 1 + joined
        symbols = tuple(out)
    return list(symbols)


def uses_spaces(word, merges):
    text = " ".join(word)
    for left, right in merges:
        text = text.replace(left + " " + right, left + right)
    return text.split()


def patterns(word, merges):
    import re

    text = " ".join(word)
    for left, right in merges:
        text = re.sub(rf"(?<!\S){left} {right}(?!\S)", left + right, text)
    return text.split()


def longest_pair(word, merges):
    symbols = list(word)
    while found := [(-len(a + b), place) for place, (a, b) in enumerate(pairwise(symbols)) if (a, b) in merges]:
        place = min(found)[1]
        symbols[place : place + 2] = ["".join(symbols[place : place + 2])]
    return symbols


def uses_merges_up(word, merges):
    symbols = list(word)
    while merges:
        left, right = merges.pop(0)
        symbols = "\0".join(symbols).replace(f"{left}\0{right}", left + right).split("\0")
    return symbols


def needs_a_pair(word, merges):
    symbols = list(word)
    while True:
        best = min(pairwise(symbols), key=lambda pair: merges.index(pair) if pair in merges else len(merges))
        if best not in merges:
            return symbols
        place = list(pairwise(symbols)).index(best)
        symbols[place : place + 2] = ["".join(best)]


RIGHT = {
    "in a text": in_a_text,
    "begun again": begun_again_after_each,
    "rank after rank": one_rank_after_the_other,
    "all places": all_places_of_the_best_pair,
}
WRONG = {
    "spaces": (uses_spaces, "compare whole symbols"),
    "patterns": (patterns, r"\. stands for itself"),
    "longest pair": (longest_pair, "the pair with the lowest rank"),  # it joins what leftmost would
    "marked": (
        lambda w, m: [s if p == 0 else "##" + s for p, s in enumerate(in_a_text(w, m))],
        "WordPiece's mark",
    ),
    "an end": (lambda word, merges: [*in_a_text(word, merges), "</w>"], "added at the end"),
    "characters sorted": (lambda word, merges: sorted(word, key=word.count), "(?s)bpe_encode.*expected"),
    "the first merge only": (lambda word, merges: in_a_text(word, merges[:1]), "(?s)bpe_encode.*likely"),
    "from the end": (lambda word, merges: begun_again_after_each(word, merges[::-1]), "learnt last"),
    "a text": (lambda word, merges: "".join(in_a_text(word, merges)), "return a list of them"),
    "indices": (lambda word, merges: [merges.index(merge) for merge in merges], "bpe_encode"),
    "the word": (lambda word, merges: [word], "one piece: not cut"),
    "merges used up": (uses_merges_up, "your code changes an input"),
    "needs a pair": (needs_a_pair, r"line \d+.*min\("),
    "no list": (lambda word, merges: iter(in_a_text(word, merges)), "value of type list|a list of"),
}
