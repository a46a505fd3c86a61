"""Answers to 3.2, merges by rank with dropout."""

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


def in_two_loops(word, merges, p, draw):
    symbols = [*word]
    going = True
    while going:
        going, best = False, None
        for place, pair in enumerate(pairwise(symbols)):
            if pair in merges:
                number = draw()
                if number < p:
                    continue
                rank = merges.index(pair)
                if best is None or rank < best[0]:
                    best = (rank, place)
        if best is not None:
            place = best[1]
            symbols = [*symbols[:place], symbols[place] + symbols[place + 1], *symbols[place + 2 :]]
            going = True
    return symbols


def by_a_call_to_itself(word, merges, p, draw, symbols=None):
    symbols = tuple(word) if symbols is None else symbols
    kept = {}
    for place, pair in enumerate(pairwise(symbols)):
        if pair in merges and not draw() < p:
            kept.setdefault(merges.index(pair), place)
    if not kept:
        return list(symbols)
    place = kept[min(kept)]
    joined = (*symbols[:place], "".join(symbols[place : place + 2]), *symbols[place + 2 :])
    return by_a_call_to_itself(word, merges, p, draw, joined)


def the_chapters_own(word, merges, p, draw):
    """`by_rank` of the notebook, with a wrapper: it knows no dropout."""
    ranks = {pair: rank for rank, pair in enumerate(merges)}
    symbols = tuple(word)
    while known := ranks.keys() & pairwise(symbols):
        pair = min(known, key=ranks.get)
        out, place = [], 0
        while place < len(symbols):
            found = symbols[place : place + 2] == pair
            out.append("".join(pair) if found else symbols[place])
            place += 2 if found else 1
        symbols = tuple(out)
    return list(symbols)


def torch_draws(word, merges, p, draw):
    import random

    return in_two_loops(word, merges, p, random.Random(0).random)


def wrapped(how):
    return lambda word, merges, p, draw: how(word, merges)


RIGHT = {"in two loops": in_two_loops, "by a call to itself": by_a_call_to_itself}
WRONG = {
    "the chapter's own": (the_chapters_own, "p is not used"),
    "numbers of its own": (torch_draws, "(?s)expected"),
    "spaces": (wrapped(uses_spaces), "compare whole symbols"),
    "patterns": (wrapped(patterns), r"\. stands for itself"),
    "longest pair": (wrapped(longest_pair), "lowest"),  # it joins what leftmost would
    "marked": (
        lambda *given: [s if at == 0 else "##" + s for at, s in enumerate(in_two_loops(*given))],
        "WordPiece's mark",
    ),
    "an end": (lambda *given: [*in_two_loops(*given), "</w>"], "added at the end"),
    "characters sorted": (lambda word, *_: sorted(word, key=word.count), "(?s)bpe_dropout.*expected"),
    "the first merge only": (lambda word, merges, p, draw: in_a_text(word, merges[:1]), "(?s)bpe_dropout.*expected"),
    "from the end": (lambda word, merges, p, draw: in_two_loops(word, merges[::-1], p, draw), "learnt last"),
    "a text": (lambda *given: "".join(in_two_loops(*given)), "return a list of them"),
    "the word": (lambda word, *_: [word], "one piece: not cut"),
    "merges used up": (wrapped(uses_merges_up), "your code changes an input"),
    "needs a pair": (wrapped(needs_a_pair), r"line \d+.*min\("),
    "no list": (lambda *given: iter(in_two_loops(*given)), "value of type list|a list of"),
    "no p": (lambda word, merges: in_a_text(word, merges), "compare your parameters with the signature"),
}
