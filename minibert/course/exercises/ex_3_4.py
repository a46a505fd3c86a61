"""3.4 Open task: choose pieces that are worth their place. The check cuts words that you have not seen."""

from collections import Counter

import torch

from minibert.course.exercise import Exercise, Wrong
from minibert.course.lab import Lab
from minibert.course.tools import call_without_data, kind_of, show
from minibert.tasks.open_pieces import SIZE, cut, draw_words, joined_by_counts, paragraphs, pieces_per_word


def choose_pieces(words, size):
    """At most `size` pieces of two letters or more, chosen from words {word: how often it occurs}."""
    pieces = joined_by_counts(words, 2 * size)  # too many, and many that only led to longer ones
    for share in (1.7, 1.4, 1.2, 1.0):
        kept, used = set(pieces), Counter()
        for word, count in words.items():
            used.update({piece: count * n for piece, n in Counter(cut(word, kept)).items() if len(piece) > 1})
        worth = {}  # how many pieces more the words would need without it
        for piece, times in used.items():
            kept.remove(piece)
            worth[piece] = times * (len(cut(piece, kept)) - 1)
            kept.add(piece)
        pieces = sorted(worth, key=lambda piece: (-worth[piece], piece))[: int(share * size)]
    return pieces


LESS = 0.023  # the bar lies so far below what counts join
LIST = "return a list of texts, the pieces"
LARGE = "letters cost nothing and need not be listed; choose which pieces are worth their place"
LETTERS = "single letters are pieces without being listed; list pieces of two letters and more"
MARKS = "here a piece is letters only, without ## or Ġ or a capital, and may stand anywhere in a word"
FEW = "there is room for more pieces"
WORDS = "most of these are whole words; a part serves many words, also those that the text does not have"
COUNTS = "about as good as what counts join: which of these only led to longer pieces? Learn too many, and throw away"
NEAR = "better than what counts join; throw away a part, cut the words anew, count anew, and throw away the next part"
FAR = "what counts join is better: `joined_by_counts` is where to begin"


def measure(answer, rng):
    """Choose from words of this seed, and cut words of other paragraphs, drawn afterwards from the same speeches."""
    seed = int(torch.randint(2**31, (), generator=rng))
    given, _ = draw_words(seed)
    paragraphs.cache_clear()  # or they could be read without loading anything
    got = call_without_data(answer, dict(given), SIZE)
    if type(got) not in (list, tuple, set, frozenset) or not all(isinstance(piece, str) for piece in got):
        raise Wrong(f"choose_pieces returns {kind_of(got)}", f"a list of at most {SIZE} texts", LIST)
    pieces = {piece for piece in got if len(piece) > 1}
    if len(set(got)) > SIZE:
        raise Wrong(f"choose_pieces returns {len(set(got))} pieces", f"at most {SIZE}", LARGE)
    _, held_out = draw_words(seed)
    score, base = pieces_per_word(pieces, held_out), pieces_per_word(joined_by_counts(given, SIZE), held_out)
    if score > base * (1 - LESS):
        seen = f"{show(round(score, 3))} pieces a word in new paragraphs; what counts join needs {show(round(base, 3))}"
        expected = f"at most {show(round(base * (1 - LESS), 3))}, {100 * LESS:g} % fewer"
        raise Wrong(seen, expected, likely(pieces, given, score / base))


def likely(pieces, given, ratio):
    """What to try first."""
    if not pieces:
        return LETTERS
    if sum(not (piece.isascii() and piece.isalpha() and piece.islower()) for piece in pieces) > len(pieces) / 10:
        return MARKS
    if len(pieces) < 0.9 * SIZE:
        return FEW
    if ratio < 0.994:
        return NEAR
    if ratio < 1.01:
        return COUNTS
    return WORDS if sum(piece in given for piece in pieces) > 0.7 * len(pieces) else FAR


START, GIVE = "    pieces = joined_by_counts(words, 2 * size)", "    return pieces"
MISTAKES = {
    COUNTS: {"2 * size": "size", "for share in (1.7, 1.4, 1.2, 1.0)": "for share in ()"},
    NEAR: {"(1.7, 1.4, 1.2, 1.0)": "(1.0,)"},
    WORDS: {START: f"    return sorted((w for w in words if len(w) > 1), key=words.get, reverse=True)[:size]\n{START}"},
    FAR: {"(-worth[piece], piece)": "(worth[piece], piece)"},
    FEW: {GIVE: f"{GIVE}[: size // 2]"},
    LARGE: {GIVE: f"{GIVE} + [piece + 'x' for piece in pieces]"},
    LETTERS: {GIVE: "    return list('abcdefghijklmnopqrstuvwxyz')"},
    MARKS: {GIVE: "    return ['##' + piece for piece in pieces]"},
    LIST: {GIVE: "    return ' '.join(pieces)"},
    "loads the data set 'sotu'": {
        START: f"    from minibert import corpora; corpora.load('sotu')\n{START}",
    },
}

EXERCISE = Exercise(
    minutes=50,
    difficulty=4,
    signature="choose_pieces(words: dict word -> count, size: int) -> list of at most `size` texts",
    hints=(
        "Counts join a pair because it is frequent NOW. Some pieces are rarely used once longer ones have swallowed\n"
        "them, and keep their place. Unigram goes the other way: begin with too many pieces and throw away.",
        "words: about 5,300 different ones, 35,000 in all; joined_by_counts(words, 2 * size): 1,000 pieces;\n"
        "cut(word, pieces) says which are used: piece -> how often, over all words with their counts.\n"
        "Without a piece each of its places needs len(cut(piece, the others)) pieces in place of one.",
        "pieces = twice as many as asked for\n"
        "in three or four rounds, each time down to a smaller number, at last `size`:\n"
        "    cut every word with the pieces that are left, and count how often each is used\n"
        "    for each piece: how many pieces more would the words need without it?\n"
        "    keep those that are worth most",
    ),
    parts=(Lab(choose_pieces, lambda rng: [], MISTAKES, after=measure, coarse=True),),
    seconds=60.0,
    needs=("sotu",),
)
