"""3.1 Cut a word into the fewest pieces."""

from functools import cache

from minibert.course.lab import Case, Exercise, Lab
from minibert.course.tools import drawn_word


def fewest_pieces(word, vocab):
    """The cut with the fewest pieces, of equals the one with the longest first piece; or ["[UNK]"]."""
    best = [None] * len(word) + [[]]  # best[start]: the best cut of word[start:]
    for start in range(len(word) - 1, -1, -1):
        for stop in range(len(word), start, -1):  # the longest first piece comes first
            piece = ("##" if start else "") + word[start:stop]
            if piece in vocab and best[stop] is not None:
                if best[start] is None or len(best[stop]) + 1 < len(best[start]):
                    best[start] = [piece, *best[stop]]
    return best[0] or ["[UNK]"]


PAPER, ACCENTS = "un una able ##able ##b ##le u ##n ##a ##l ##e", "é ##éé ##é"
WHOLE, STUCK = "the whole word is in the vocabulary", "no cut reaches the end of the word: the WHOLE word is one [UNK]"
TABLE = (  # word, vocabulary, what to say
    ("unable", PAPER, "un ##able are two pieces; una ##b ##le, the longest piece first, are three"),
    ("able", PAPER, WHOLE),
    ("unfit", PAPER, STUCK),
    ("fun", PAPER, STUCK),
    ("unab", "unab una ##b", WHOLE),
    ("Un", "un U ##n", "upper and lower case are different characters here"),
    ("abc", "ab a ##bc", "ab leads nowhere, a ##bc reaches the end"),
    ("abcd", "abc ab a ##cd ##bcd ##d", "three cuts have two pieces: abc is the longest first piece"),
    ("abcde", "ab a ##cd ##c ##de ##e ##bc", "three pieces in three ways: ab goes before a, and then ##cd before ##c"),
    ("abcdef", "ab a ##bc ##cd ##c ##def ##e ##f", "ab ##cd ##e ##f are four pieces, ab ##c ##def are three"),
    ("nana", "nana na ##na n ##a", WHOLE),
    ("u", PAPER, "a word of one character, which is in the vocabulary"),
    ("x", PAPER, "one character, and not in the vocabulary: [UNK]"),
    ("c#", "c # ###", "the second piece is ## and then the character #: ###"),
    ("cd", "c #", STUCK + "; the piece # has nothing to do with the mark ##"),
    ("ab", "a b ##. ##*", STUCK + "; pieces are texts, . and * stand for themselves"),
    ("ééé", ACCENTS, "é is a character like any other, here in two pieces: é ##éé"),
    ("ne\u0301", "né ne ##\u0301", "e and an accent behind it are two characters; é is another one"),
    ("abab", "ab ##ab a ##b", "equal letters, but ab begins the word and ##ab does not"),
    ("a" * 40, "a ##a ##aaa", "forty letters: one piece of one letter, and thirteen of three"),
)


def cases(rng):
    for word, vocab, cause in TABLE:
        shown = repr(word) if len(word) <= 20 else f"a word of {len(word)} letters a"
        yield Case((word, set(vocab.split())), cause, f"fewest_pieces({shown}, {{{', '.join(sorted(vocab.split()))}}})")
    for letters in ("abc", "nüß", "字母x") * 8:
        vocab = {"[UNK]", *letters, "##" + letters[0], "##" + letters[1]}
        vocab |= {drawn_word(rng, letters, 2, 4) for _ in range(8)}
        vocab |= {"##" + drawn_word(rng, letters, 2, 3) for _ in range(8)}
        word, shown = drawn_word(rng, letters, 3, 9), ", ".join(sorted(vocab - {"[UNK]"}))
        yield Case((word, vocab), "list all cuts with a pencil", f"fewest_pieces({word!r}, {{{shown}}})")


def of_all_cuts(choose):
    """What an answer finds that chooses otherwise among the cuts of each rest."""

    def cut(word, vocab):
        @cache
        def rest_from(start):
            found = [[]] if start == len(word) else []
            for stop in range(len(word), start, -1):
                piece = ("##" if start else "") + word[start:stop]
                if piece in vocab and (rest := rest_from(stop)) is not None:
                    found.append([piece, *rest])
            return choose(found) if found else None

        return rest_from(0) or ["[UNK]"]

    return cut


def greedy(word, vocab, steps=lambda start, end: range(end, start, -1), stuck=None):
    """From the left, the first piece that fits: the longest, or in another order of steps."""
    pieces, start = [], 0
    while start < len(word):
        found = [stop for stop in steps(start, len(word)) if ("##" if start else "") + word[start:stop] in vocab]
        if not found:
            return stuck or ["[UNK]"]
        pieces.append(("##" if start else "") + word[start : found[0]])
        start = found[0]
    return pieces


def from_the_end(word, vocab):
    pieces, stop = [], len(word)
    while stop:
        start = next((i for i in range(stop) if ("##" if i else "") + word[i:stop] in vocab), None)
        if start is None:
            return ["[UNK]"]
        pieces.insert(0, ("##" if start else "") + word[start:stop])
        stop = start
    return pieces


def says(name):
    """Another name for the unknown piece."""
    return lambda *given: [name if piece == "[UNK]" else piece for piece in fewest_pieces(*given)]


def at_first(line):
    """A patch that puts a line at the beginning."""
    return {FIRST: f"{line}\n    {FIRST}"}


FIRST, LEAD = "best = [None] * len(word) + [[]]", '("##" if start else "") + '
STEPS, FITS, SHORTER = "range(len(word), start, -1)", "in vocab and", "1 < len(best[start])"
KEEP, DONE = "[piece, *best[stop]]", 'return best[0] or ["[UNK]"]'
MISTAKES = {
    "the longest piece first, as WordPiece does; asked is the cut with the fewest pieces": greedy,
    "the longest piece first, and back where it is stuck: asked is the cut with the fewest pieces": of_all_cuts(
        lambda found: found[0]
    ),
    "the shortest piece that fits is taken; asked is the cut with the fewest pieces": lambda word, vocab: greedy(
        word, vocab, lambda start, end: range(start + 1, end + 1)
    ),
    "the longest piece from the END of the word first; asked is the cut with the fewest pieces": from_the_end,
    "the most pieces; asked are the fewest": of_all_cuts(lambda found: max(found, key=len)),
    "of equally short cuts another one: take the one whose first piece is longest": of_all_cuts(
        lambda found: min(reversed(found), key=len)
    ),
    "the whole rest of the word is never tried: is a range one too short?": {STEPS: "range(len(word) - 1, start, -1)"},
    "a piece of one character is never tried: is a range one too short?": {STEPS: "range(len(word), start + 1, -1)"},
    "# is taken out of the word; any character may stand in a word": at_first('word = word.replace("#", "")'),
    "a character outside ASCII makes [UNK]; é is a character like any other": at_first(
        'if not word.isascii():\n        return ["[UNK]"]'
    ),
    "the first piece is looked up with ##; ## marks pieces that do NOT begin the word": {LEAD: '"##" + '},
    "later pieces are looked up without ##; behind the first piece every candidate is '##' + characters": {LEAD: ""},
    "later pieces may be found without ## too; behind the first only those with ## count": {
        f"if piece {FITS}": "if (piece in vocab or (piece := word[start:stop]) in vocab) and"
    },
    "later pieces are returned without their ##": {DONE: 'return [p.removeprefix("##") for p in best[0] or ["[UNK]"]]'},
    "later pieces get their ## only after they were looked up": {LEAD: "", KEEP: f"[{LEAD}piece, *best[stop]]"},
    "a character that fits nowhere is skipped; the WHOLE word becomes one [UNK]": {
        DONE: f"return best[0] or fewest_pieces(word[1:], vocab)\n    {DONE}"
    },
    "nothing is returned where no cut exists; the WHOLE word becomes one [UNK]": {DONE: "return best[0] or []"},
    "None is returned where no cut exists; the WHOLE word becomes one [UNK]": {DONE: "return best[0]"},
    "the word is lower-cased; that is the normaliser's work, not done here": at_first("word = word.lower()"),
    "accents are joined: the normaliser's work": at_first('word = __import__("unicodedata").normalize("NFC", word)'),
    "the pieces are in reverse order: the one that begins the word comes first": {
        DONE: 'return (best[0] or ["[UNK]"])[::-1]'
    },
    "equal pieces are shown once only; the list has all of them": {
        DONE: 'return list(dict.fromkeys(best[0] or ["[UNK]"]))'
    },
    "the number of pieces is returned; asked are the pieces": {DONE: 'return len(best[0] or ["[UNK]"])'},
    "a word of one letter is looked up, too, and may be [UNK]": at_first("if len(word) == 1:\n        return [word]"),
} | {f"the unknown piece is '[UNK]', not {name!r}": says(name) for name in ("UNK", "[unk]", "<unk>", "##[UNK]")}

EXERCISE = Exercise(
    minutes=25,
    difficulty=3,
    signature="fewest_pieces(word: str, vocab: set of str) -> list of str",
    hints=(
        "Suppose you knew the best cut of every shorter rest of the word. Which piece would you put in front of\n"
        "which rest? Begin with the rest that is empty: it needs no piece at all.",
        "best: len(word) + 1 places, best[start] is the best cut of word[start:], a list of pieces, or nothing where\n"
        "that rest cannot be cut; best[len(word)] is the empty list. Fill it from the right end to the left.\n"
        "A piece from start to stop is looked up, and kept, with ## in front unless start is 0.",
        "best of the empty rest = no pieces\n"
        "for start from the last character back to the first:\n"
        "    for stop from the end of the word down to start + 1:\n"
        "        is the piece in the vocabulary, and has the rest behind it a cut?\n"
        "        one piece and that cut: fewer than the best so far? then it is the best\n"
        "return the best cut of the whole word, or the unknown piece if there is none",
    ),
    parts=(Lab(fewest_pieces, cases, MISTAKES, in_pairs=False),),
)
