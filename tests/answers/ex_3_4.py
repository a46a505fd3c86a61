"""Answers to 3.4, pieces that are worth their place."""

from collections import Counter
from math import log

from minibert.tasks.open_pieces import cut, joined_by_counts


def rounds(words, size, start=2.0, shares=(1.6, 1.3, 1.1, 1.0), longest=99):
    """Throw away in rounds, with other numbers and an own way to weigh a piece."""
    pieces = [piece for piece in joined_by_counts(words, int(start * size)) if len(piece) <= longest]
    for share in shares:
        kept, used = frozenset(pieces), Counter()
        for word, count in words.items():
            for piece in cut(word, kept):
                used[piece] += count
        worth = Counter({p: n * (len(cut(p, kept - {p})) - 1) for p, n in used.items() if len(p) > 1})
        pieces = [piece for piece, _ in worth.most_common(int(size * share))]
    return pieces


def one_by_twenty(words, size):
    """Twenty at a time for the last hundred."""
    return set(rounds(words, size, 1.8, (1.5, 1.3, 1.15, 1.08, 1.04, 1.0)))


def by_likelihood(words, size):
    """The chapter's other criterion, on the pieces that counts join."""
    found = joined_by_counts(words, 2 * size)
    text = Counter()
    for word, count in words.items():
        for piece in found:
            if piece in word:
                text[piece] += count
    return sorted(found, key=lambda p: text[p] / (1 + text[p[:1]] * text[p[1:]]), reverse=True)[:size]


def most_used(words, size):
    used = Counter()
    pieces = set(joined_by_counts(words, 2 * size))
    for word, count in words.items():
        used.update({piece: count for piece in cut(word, pieces) if len(piece) > 1})
    return [piece for piece, _ in used.most_common(size)]


def substrings(words, size):
    """What is frequent times its length, without asking what another piece covers already."""
    worth = Counter()
    for word, count in words.items():
        for start in range(len(word)):
            for stop in range(start + 2, min(len(word), start + 10) + 1):
                worth[word[start:stop]] += count * (stop - start - 1)
    return [piece for piece, _ in worth.most_common(size)]


def by_unigram(words, size):
    """The chapter's Unigram: many parts of words, the likeliest cut of each word, counted again four times."""
    seed = Counter()
    for word, count in words.items():
        seed.update({word[a:b]: count for a in range(len(word)) for b in range(a + 1, min(len(word), a + 8) + 1)})
    uses = Counter({piece: count for piece, count in seed.items() if len(piece) == 1 or count >= 20})
    for _ in range(4):
        cost = {piece: -log(count / uses.total()) for piece, count in uses.items()}
        uses = Counter({piece: 1 for piece in cost if len(piece) == 1})
        for word, count in words.items():
            uses.update(dict.fromkeys(likeliest(word, cost), count))
    return [piece for piece, _ in uses.most_common() if len(piece) > 1][:size]


def likeliest(word, cost):
    best = [(0.0, [])] + [None] * len(word)
    for stop in range(1, len(word) + 1):
        known = [start for start in range(max(0, stop - 8), stop) if word[start:stop] in cost]
        least, start = min((best[start][0] + cost[word[start:stop]], start) for start in known)
        best[stop] = (least, [*best[start][1], word[start:stop]])
    return best[-1][1]


def looks_it_up(words, size):
    from minibert.tasks.open_pieces import paragraphs

    return rounds(dict(Counter(" ".join(paragraphs()).lower().split())), size)


def common(words, size):
    """The same pieces for everybody."""
    pairs = (
        "th he in er an re on at en nd ti es or te of ed is it al ar st to nt ng se ha as ou io le ve co me de hi ri"
    )
    return pairs.split()


RIGHT = {"other rounds": rounds, "small steps, a set": one_by_twenty}
WRONG = {
    "the chapter's own, counts": (joined_by_counts, "only led to longer pieces"),
    "by likelihood": (by_likelihood, "only led to longer|is where to begin"),
    "the chapter's own, Unigram": (by_unigram, "throw away|is where to begin|room for more"),
    "the most used": (most_used, "throw away a part|only led to longer"),
    "frequent substrings": (substrings, "whole words|is where to begin"),
    "looks it up": (looks_it_up, "loads the data set 'sotu'"),
    "the same for all": (common, "room for more"),
    "nothing chosen": (lambda words, size: [], "single letters"),
    "nothing": (lambda words, size: None, "return a list of texts"),
    "counts": (lambda words, size: list(range(size)), "return a list of texts"),
    "capitals": (lambda words, size: [p.upper() for p in rounds(words, size)], "letters only"),
    "all words": (lambda words, size: list(words), "choose which pieces"),
}
