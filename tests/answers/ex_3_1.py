"""Answers to 3.1, the fewest pieces."""

from functools import cache
from itertools import combinations, pairwise


def by_recursion(word, vocab):
    @cache
    def rest(start):
        if start == len(word):
            return ()
        found = []
        for stop in range(start + 1, len(word) + 1):
            piece = ("##" if start else "") + word[start:stop]
            behind = rest(stop) if piece in vocab else None
            if behind is not None:
                found.append((piece, *behind))
        return min(found, key=lambda cut: (len(cut), [-len(piece.removeprefix("##")) for piece in cut]), default=None)

    # a piece that is itself "##" and more of it: lengths are those of the vocabulary, marks included on both sides
    return list(rest(0) or ["[UNK]"])


def by_counting(word, vocab):
    """How many pieces a rest needs, then a walk from the left."""
    size = len(word)
    need = [0 if start == size else None for start in range(size + 1)]

    def fits(start, stop):
        return ("##" if start else "") + word[start:stop] in vocab and need[stop] is not None

    for start in reversed(range(size)):
        need[start] = min((need[stop] + 1 for stop in range(start + 1, size + 1) if fits(start, stop)), default=None)
    if need[0] is None:
        return ["[UNK]"]
    out, start = [], 0
    while start < size:
        stop = max(stop for stop in range(start + 1, size + 1) if fits(start, stop) and need[stop] == need[start] - 1)
        out.append(("##" if start else "") + word[start:stop])
        start = stop
    return out


def by_level(word, vocab):
    """First all words of one piece, then of two, ...: breadth first."""
    level = {0: []}
    seen = {0}
    while level:
        following = {}
        for start, cut in level.items():
            for stop in range(len(word), start, -1):
                piece = ("##" if start else "") + word[start:stop]
                if piece in vocab and stop not in seen:
                    old = following.get(stop)
                    new = [*cut, piece]
                    if old is None or list(map(len, new)) > list(map(len, old)):
                        following[stop] = new
        if len(word) in following:
            return following[len(word)]
        seen |= set(following)
        level = following
    return ["[UNK]"]


def the_chapters_own(word, vocab):
    """`greedy` of the notebook, with a wrapper."""

    def greedy(word, vocab, lead=""):
        for stop in range(len(word), 0, -1):
            if lead + word[:stop] in vocab:
                rest = greedy(word[stop:], vocab, "##") if stop < len(word) else []
                return None if rest is None else [lead + word[:stop], *rest]
        return None

    return greedy(word, vocab) or ["[UNK]"]


def best_first_then_rest(word, vocab):
    """Two pieces where two will do, else the longest first."""
    for stop in range(len(word), 0, -1):
        if word[:stop] in vocab and (stop == len(word) or "##" + word[stop:] in vocab):
            return [word[:stop], *["##" + word[stop:]] * (stop < len(word))]
    return the_chapters_own(word, vocab)


def keeps_one_cut_for_each_place(word, vocab):
    """From the left, the first of equals stays: another cut among equally short ones."""
    best = [[]] + [None] * len(word)
    for stop in range(1, len(word) + 1):
        for start in range(stop):
            piece = ("##" if start else "") + word[start:stop]
            if best[start] is not None and piece in vocab:
                if best[stop] is None or len(best[stop]) > len(best[start]) + 1:
                    best[stop] = [*best[start], piece]
    return best[-1] or ["[UNK]"]


def all_cuts_of_few(word, vocab):
    """Every choice of places: right, but it gives up at more than five pieces."""
    for count in range(5):
        for places in combinations(range(len(word) - 1, 0, -1), count):
            ends = [0, *sorted(places), len(word)]
            cut = [("##" if a else "") + word[a:b] for a, b in pairwise(ends)]
            if all(piece in vocab for piece in cut):
                return cut
    return ["[UNK]"]


def yields(word, vocab):
    yield from by_counting(word, vocab)


def empties_the_vocabulary(word, vocab):
    pieces = by_counting(word, vocab)
    vocab -= set(pieces)
    return pieces


RIGHT = {"recursion": by_recursion, "counting": by_counting, "by level": by_level}
WRONG = {
    "the chapter's own": (the_chapters_own, "the longest piece first(.|\n)*the fewest pieces"),
    "two pieces, else the longest": (best_first_then_rest, "(?s)expected"),
    "another of equals": (keeps_one_cut_for_each_place, "whose first piece is longest"),
    "few pieces only": (all_cuts_of_few, "(?s)expected"),
    "empties the vocabulary": (empties_the_vocabulary, "changes an input"),
    "another word": (lambda word, vocab: by_counting(word[::-1], vocab), "(?s)expected"),
    "whole words only": (lambda word, vocab: [word] if word in vocab else ["[UNK]"], "(?s)expected"),
    "without brackets": (lambda *given: [piece.strip("[]") for piece in by_counting(*given)], "not 'UNK'"),
    "nothing": (lambda word, vocab: None, "`return` missing"),
    "a text": (lambda *given: by_counting(*given)[0], "value of type list|put it into a list"),
    "a tuple": (lambda *given: tuple(by_counting(*given)), "(?s)a tuple of.*a list of"),
    "a generator": (yields, "(?s)generator.*a list"),
    "sizes": (lambda *given: [len(piece) for piece in by_counting(*given)], "un ##able"),
}
