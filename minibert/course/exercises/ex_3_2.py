"""3.2 Merges by rank, with dropout."""

from collections import Counter
from itertools import pairwise

import torch

from minibert.course.lab import Case, Exercise, Lab
from minibert.course.tools import call, drawn_word


def bpe_dropout(word, merges, p, draw):
    """Join neighbours, lowest rank first; in each step each pair is left out with probability p."""
    ranks = {pair: rank for rank, pair in enumerate(merges)}
    symbols = list(word)
    while True:
        pairs = [(symbols[place], symbols[place + 1]) for place in range(len(symbols) - 1)]
        found = [(ranks[pair], place) for place, pair in enumerate(pairs) if pair in ranks and draw() >= p]
        if not found:
            return symbols
        place = min(found)[1]  # the smallest rank; of equal ranks the smallest place
        symbols[place : place + 2] = [symbols[place] + symbols[place + 1]]


PAPER = "n+d a+n h+an b+an"
TABLE = (  # word, merges, what to say
    ("hand", PAPER, "(n, d) has rank 0 and (a, n) rank 1: nd is joined first, and then no pair is left"),
    ("banand", PAPER, "nd first (rank 0), then the an that is left (rank 1), then ban (rank 3)"),
    ("banana", PAPER, "both an (rank 1), then b and an (rank 3)"),
    ("aaa", "a+a", "three a: the first two are joined, the third stays"),
    ("aaaaa", "a+a aa+aa", "aa aa a, then aaaa a"),
    ("a", PAPER, "one character has no pair: it is the answer"),
    ("xyz", PAPER, "no pair is in `merges`: the characters are the answer"),
    ("hand", "", "no merges at all: the characters are the answer"),
    ("abc", "b+c a+bc", "bc (rank 0), then a with bc (rank 1)"),
    ("abcabd", "a+b b+c a+bc", "both ab (rank 0); (ab, c) is no pair of `merges`"),
    ("ab.", "a+. b+.", "symbols are texts, . stands for itself: (b, .) is joined"),
    ("aAa", "a+a A+a", "(A, a) is a pair of `merges`, (a, A) is none: order and case count"),
)


HAND = "n+d a+n h+an"
DROPPED = (  # word, merges, p, the numbers that are drawn, what to say
    ("hand", HAND, 0.5, (0.7, 0.2, 0.6), "a+n is kept (0.7), n+d left out (0.2): h an d; then h+an is kept (0.6)"),
    ("hand", HAND, 0.5, (0.1, 0.4, 0.9), "both pairs of the first step are left out: it ends, nothing is joined"),
    ("hand", HAND, 0.5, (0.5, 0.3, 0.2), "0.5 is not below p, so a+n is kept; in the next step h+an is left out"),
    ("hand", HAND, 1.0, (0.9, 0.99, 0.9), "p is 1: every pair is left out, the characters are the answer"),
    ("banana", "a+n b+an", 0.4, (0.1, 0.8, 0.9, 0.9), "the first a+n is left out, the second kept; then a+n again"),
    ("xxab", "a+b x+x", 0.3, (0.2, 0.9, 0.5, 0.1), "x+x is left out in step 1 only; a+b is joined, then x+x"),
)


def cases(rng):
    for word, merges, cause in TABLE:
        yield case(word, split(merges), 0.0, (0.0, *drawn_numbers(rng, 99)), cause)
    for word, merges, p, numbers, cause in DROPPED:
        yield case(word, split(merges), p, numbers, cause)
    for letters in ("ab", "abc", "Ġné"):
        merges = trained([drawn_word(rng, letters, 3, 9) for _ in range(12)])
        for p in (0.0, 0.0, 0.0, 0.0, 0.3, 0.3, 0.5, 0.8):
            cause = "step by step: the pair of the lowest rank that is there now" + " and is not left out" * (p > 0)
            yield case(drawn_word(rng, letters, 2 + 3 * (p > 0), 12), merges, p, drawn_numbers(rng, 200), cause)


def split(merges):
    return [tuple(merge.split("+")) for merge in merges.split()]


def drawn_numbers(rng, count):
    return tuple(round(number, 3) for number in torch.rand(count, generator=rng).tolist())


def case(word, merges, p, numbers, cause):
    shown = ", ".join(f"{left}+{right}" for left, right in merges)
    drawn = f", draw gives {', '.join(f'{number:g}' for number in numbers[:6])}" if p else ""
    return Case((word, merges, p, numbers), cause, f"bpe_dropout({word!r}, merges {shown or '[]'}, p={p:g}{drawn})")


def drawing(answer, word, merges, p, numbers):
    """The answer, with a `draw` that gives these numbers in turn; more are asked for only by mistake."""
    left = iter((*numbers, *[0.5] * 300))

    def draw():
        for number in left:
            return number
        raise ValueError("draw() was called hundreds of times: one number for each pair of `merges` in each step")

    return call(answer, word, merges, p, draw)


def trained(words):
    """Merges learnt from these words; each makes a token that no other makes."""
    split, merges = [list(word) for word in words], []
    while len(merges) < 12:
        counts, made = Counter(pair for word in split for pair in pairwise(word)), {a + b for a, b in merges}
        counts = {pair: count for pair, count in counts.items() if "".join(pair) not in made}
        if not counts:
            break
        merges.append(min(counts, key=lambda pair: (-counts[pair], pair)))
        split = [sweep(word, merges[-1:]) for word in split]
    return merges


def sweep(symbols, merges, overlap=False, most=1 << 30):
    """One way from left to right that joins every pair of `merges`; overlap: a symbol may be used twice."""
    out, place = [], 0
    while place < len(symbols):
        joined = tuple(symbols[place : place + 2]) in merges and most > 0
        out.append("".join(symbols[place : place + 1 + joined]))
        most -= joined
        place += 1 if overlap and tuple(symbols[place + 1 : place + 3]) in merges else 1 + joined
    return out


def each_merge(word, merges, **how):
    symbols = list(word)
    for merge in merges:
        symbols = sweep(symbols, [merge], **how)
    return symbols


def sweeps(word, merges):
    symbols, before = list(word), None
    while symbols != before:
        symbols, before = sweep(symbols, merges), symbols
    return symbols


def in_a_text(word, merges):
    text = " ".join(word)
    for left, right in merges:
        text = text.replace(f"{left} {right}", left + right)
    return text.split()


def longest_token(word, merges):
    tokens, out, start = {left + right for left, right in merges}, [], 0
    while start < len(word):
        stop = next((stop for stop in range(len(word), start, -1) if word[start:stop] in tokens), start + 1)
        out.append(word[start:stop])
        start = stop
    return out


def loses_the_last(word, merges):
    symbols = list(word)
    for merge in merges:
        out = sweep(symbols, [merge])
        symbols = out if "".join(merge) == out[-1] and symbols[-1:] == [merge[1]] else out[:-1]
    return symbols


def plain(how):
    """A mistake that knows no p."""
    return lambda word, merges, p, draw: how(word, merges)


def left_out_for_good(word, merges, p, draw):
    return bpe_dropout(word, [merge for merge in merges if draw() >= p], 0.0, lambda: 1.0)


FOUND, BEST, DONE = "(ranks[pair], place)", "min(found)[1]", "return symbols"
JOIN = "symbols[place : place + 2] = [symbols[place] + symbols[place + 1]]"
IN, KEEP = "if pair in ranks", "draw() >= p"
PAIRS = "enumerate(pairs) if"
LEFTMOST = "(-sum(other == pair for other in pairs), place)"
FREQUENT = "((-sum(other == pair for other in pairs), ranks[pair]), place)"
MISTAKES = {
    "p is not used: every pair is kept": {f" and {KEEP}": ""},
    "p is the probability to leave a pair out, not to keep it": {KEEP: "draw() < p"},
    "a number equal to p keeps the pair: it is left out where draw() < p": {KEEP: "draw() > p"},
    "one number is drawn for a step, or for its best pair; each pair of `merges` has its own": {
        "found = [": "number = draw()\n        found = [",
        KEEP: "number >= p",
    },
    "a number is drawn for pairs that are not in `merges`, too": {f"{IN} and {KEEP}": f"if {KEEP} and pair in ranks"},
    "the numbers are drawn from right to left": {PAIRS: "reversed([*enumerate(pairs)]) if"},
    "merges are left out once for the whole word; draw anew in each step": left_out_for_good,
    "it goes on where all pairs of a step were left out; that is the end": {
        "if not found:": "if not found and any(pair in ranks for pair in pairs):\n            continue\n"
        "        if not found:"
    },
    "'a n' is replaced in a text with spaces, and is found in 'a nd' too; compare whole symbols": plain(in_a_text),
    "in each pass the last symbol gets lost where no pair ends with it: a loop ends one symbol early": plain(
        loses_the_last
    ),
    "the first pair of neighbours is never joined: places count from 0": {IN: f"{IN} and place"},
    "rank 0 is taken for no rank, because 0 counts as False: ask `pair in ranks`": {IN: "if ranks.get(pair)"},
    "no pair is left, and min() of nothing fails: return the symbols before": {"if not found": "if False"},
    "the longest token is joined, not the pair learnt earliest": {FOUND: '((-len("".join(pair)), ranks[pair]), place)'},
    "pairs are joined in either order; (a, b) is not (b, a)": {
        "{pair: rank for rank, pair in enumerate(merges)}": "{one: rank for rank, (a, b) in reversed(list(enumerate("
        "merges))) for one in ((b, a), (a, b))}"
    },
    "the symbols are joined in the wrong order": {JOIN: 'symbols[place : place + 2] = ["".join(pairs[place][::-1])]'},
    "a mark is added to the last symbol; it has none here": {DONE: 'return [*symbols[:-1], symbols[-1] + "</w>"]'},
    "## is WordPiece's mark; BPE has none": {DONE: 'return symbols[:1] + ["##" + symbol for symbol in symbols[1:]]'},
    "something is added at the end; the symbols, put together, are the word": {DONE: 'return [*symbols, "</w>"]'},
    "the most frequent pair of this word is joined first; the order is that of training": {FOUND: FREQUENT},
    "the most frequent pair of this word, the leftmost of equals; the order is that of training": {FOUND: LEFTMOST},
    "the leftmost pair of `merges` is joined; take the pair with the lowest rank": {FOUND: "(0, place)"},
    "the rightmost pair of `merges` is joined; take the pair with the lowest rank": {FOUND: "(-place, place)"},
    "all ranks are joined at once from left to right; lowest first": plain(
        lambda word, merges: sweep(list(word), merges)
    ),
    "all ranks are joined in one way, again and again; in each step only the lowest": plain(sweeps),
    "the pair that was learnt last is joined first: the lowest place in `merges` wins": {"{pair: rank": "{pair: -rank"},
    "overlapping pairs: what is joined is used up": plain(lambda word, merges: each_merge(word, merges, overlap=True)),
    "of equals the rightmost is joined: 'aaa' is 'aa', 'a'": {FOUND: "(ranks[pair], -place)", BEST: "-min(found)[1]"},
    "it merges only once: go on until no pair of neighbours is in `merges`": {JOIN: f"{JOIN}\n        return symbols"},
    "pairs of single characters only are joined; joined ones count, too": {IN: f'{IN} and len("".join(pair)) == 2'},
    "each merge is done once: its pair may stand there again": plain(
        lambda word, merges: each_merge(word, merges, most=1)
    ),
    "neighbours are joined because they spell a token; the PAIR must be in `merges`": {
        "{pair: rank": '{"".join(pair): rank',
        "(symbols[place], symbols[place + 1])": "symbols[place] + symbols[place + 1]",
    },
    "the longest token is taken from the left, as WordPiece does; BPE joins, in the order of training": plain(
        longest_token
    ),
    "the merges are sorted; their order in the list is their rank": {"enumerate(merges)": "enumerate(sorted(merges))"},
    "the word is lower-cased; that is the normaliser's work, not done here": {"list(word)": "list(word.lower())"},
    "the last symbol gets lost: a loop over pairs ends one symbol early": {DONE: "return symbols[:-1]"},
    "the last pair of neighbours is never joined: a range one too short": {"len(symbols) - 1": "len(symbols) - 2"},
    "nothing is joined: these are the characters": {"list(word)": "list(word)\n    return symbols"},
    "one piece: not cut into characters, or pairs that are not in `merges` are joined": {"list(word)": "[word]"},
    "the symbols are put together again to one text: return a list of them": {DONE: 'return "".join(symbols)'},
}

EXERCISE = Exercise(
    minutes=20,
    difficulty=3,
    signature="bpe_dropout(word: str, merges: list of (str, str), p: float, draw: callable) -> list of str",
    hints=(
        "Ask the same question again and again: of all pairs of neighbours that stand in the word NOW, and that\n"
        "chance has kept in this step, which one was learnt earliest? Join it there, and ask again.",
        "symbols: a list of texts, at first one for each character, one shorter after each step;\n"
        "pairs: (symbols[0], symbols[1]), (symbols[1], symbols[2]), ..., one fewer than symbols;\n"
        "rank of a pair: its place in `merges`; pairs that are not there have none, and no number is drawn for them.\n"
        "A step takes as many numbers as pairs have ranks, from left to right.",
        "symbols = the characters of the word\n"
        "repeat:\n"
        "    list (rank, place) of every pair of neighbours that is in merges and whose number is not below p\n"
        "    if there is none: return symbols\n"
        "    take the smallest: lowest rank, and of equals the leftmost place\n"
        "    put one symbol where the two stood",
    ),
    parts=(Lab(bpe_dropout, cases, MISTAKES, run=drawing, in_pairs=False),),
)
