"""3.2 Apply BPE's merges by rank."""

from collections import Counter
from itertools import pairwise

from minibert.course.lab import Case, Exercise, Lab
from minibert.course.tools import drawn_word


def bpe_encode(word, merges):
    """Join neighbours, lowest rank first, until no pair of neighbours is in `merges`."""
    ranks = {pair: rank for rank, pair in enumerate(merges)}
    symbols = list(word)
    while True:
        pairs = [(symbols[place], symbols[place + 1]) for place in range(len(symbols) - 1)]
        found = [(ranks[pair], place) for place, pair in enumerate(pairs) if pair in ranks]
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


def cases(rng):
    for word, merges, cause in TABLE:
        yield case(word, [tuple(merge.split("+")) for merge in merges.split()], cause)
    for letters in ("ab", "abc", "Ġné"):
        merges = trained([drawn_word(rng, letters, 3, 9) for _ in range(12)])
        for _ in range(8):
            cause = "step by step: the pair of the lowest rank that is there now"
            yield case(drawn_word(rng, letters, 2, 12), merges, cause)


def case(word, merges, cause):
    shown = ", ".join(f"{left}+{right}" for left, right in merges)
    return Case((word, merges), cause, f"bpe_encode({word!r}, merges {shown or '[]'})")


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


FOUND, BEST, DONE = "(ranks[pair], place)", "min(found)[1]", "return symbols"
JOIN = "symbols[place : place + 2] = [symbols[place] + symbols[place + 1]]"
IN = "if pair in ranks"
LEFTMOST = "(-sum(other == pair for other in pairs), place)"
FREQUENT = "((-sum(other == pair for other in pairs), ranks[pair]), place)"
MISTAKES = {
    "'a n' is replaced in a text with spaces, and is found in 'a nd' too; compare whole symbols": in_a_text,
    "in each pass the last symbol gets lost where no pair ends with it: a loop ends one symbol early": loses_the_last,
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
    "all ranks are joined at once from left to right; lowest first": lambda word, merges: sweep(list(word), merges),
    "all ranks are joined in one way from left to right, again and again; in each step only the lowest rank": sweeps,
    "the pair that was learnt last is joined first: the lowest place in `merges` wins": {"{pair: rank": "{pair: -rank"},
    "overlapping pairs: what is joined is used up": lambda word, merges: each_merge(word, merges, overlap=True),
    "of equals the rightmost is joined: 'aaa' is 'aa', 'a'": {FOUND: "(ranks[pair], -place)", BEST: "-min(found)[1]"},
    "it merges only once: go on until no pair of neighbours is in `merges`": {JOIN: f"{JOIN}\n        return symbols"},
    "pairs of single characters only are joined; joined ones count, too": {IN: f'{IN} and len("".join(pair)) == 2'},
    "each merge is done once: its pair may stand there again": lambda word, merges: each_merge(word, merges, most=1),
    "neighbours are joined because they spell a token; the PAIR must be in `merges`": {
        "{pair: rank": '{"".join(pair): rank',
        "(symbols[place], symbols[place + 1])": "symbols[place] + symbols[place + 1]",
    },
    "the longest token is taken from the left, as WordPiece does; BPE joins, in the order of training": longest_token,
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
    signature="bpe_encode(word: str, merges: list of (str, str), first learnt first) -> list of str",
    hints=(
        "Ask the same question again and again: of all pairs of neighbours that stand in the word NOW, which one\n"
        "was learnt earliest? Join it there, and ask again. What was joined is one symbol from then on.",
        "symbols: a list of texts, at first one for each character, one shorter after each step;\n"
        "pairs: (symbols[0], symbols[1]), (symbols[1], symbols[2]), ..., one fewer than symbols;\n"
        "rank of a pair: its place in `merges`; pairs that are not there have none and are never joined.\n"
        "A word of one character has no pairs.",
        "symbols = the characters of the word\n"
        "repeat:\n"
        "    list (rank, place) of every pair of neighbours that is in merges\n"
        "    if there is none: return symbols\n"
        "    take the smallest: lowest rank, and of equals the leftmost place\n"
        "    put one symbol where the two stood",
    ),
    parts=(Lab(bpe_encode, cases, MISTAKES),),
)
