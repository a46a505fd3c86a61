"""1.2 Counting neighbours in a window."""

import numpy as np
import torch
from torch import Tensor

from minibert.course.lab import Case, Exercise, Lab, Wrong
from minibert.course.tools import call, kind_of


def co_occurrence(sentences, vocabulary, before, after):
    """How often each word stands at most `before` places before, or `after` places after, each other word: (V, V)."""
    counts = torch.zeros(vocabulary, vocabulary)
    for sentence in sentences:
        for place, word in enumerate(sentence):
            left, right = max(0, place - before), min(len(sentence), place + after + 1)
            for other in range(left, right):
                if other != place:  # places are compared, not words: a word may stand near itself
                    counts[word, sentence[other]] += 1
    return counts


def table_of(answer, *inputs):
    """The learner's table as a tensor of float64: any tensor, array or list of numbers will do."""
    got = call(answer, *inputs)
    if isinstance(got, Tensor) and got.layout != torch.strided:
        raise Wrong("the result is a sparse tensor", "an ordinary one", "to_dense() at the end")
    if type(got) in (list, tuple):
        try:
            got = torch.stack([torch.as_tensor(row) for row in got])
        except (TypeError, ValueError, RuntimeError):
            raise Wrong(f"the result is {kind_of(got)}", "rows of V numbers each") from None
    if isinstance(got, np.ndarray) and got.dtype.kind in "biuf":
        got = torch.as_tensor(got)
    if isinstance(got, Tensor) and got.dtype == torch.bool:
        raise Wrong("the result holds True and False", "how often, not only whether", "count in a tensor of numbers")
    return got.detach().double() if isinstance(got, Tensor) else got


def cases(rng):
    empty = "sentences may be empty, have one word, or be shorter than the window"
    by_hand = (
        ([[0, 1, 2]], 3, (1, 1), "each word has its direct neighbours: 0 and 1, 1 and 2, in both directions"),
        ([[0, 1, 2]], 3, (1, 0), "word 1 has 0 before it, word 2 has 1 before it; what comes after does not count"),
        ([[0, 1, 2]], 3, (0, 2), "word 0 has 1 and 2 after it, word 1 has 2; what comes before does not count"),
        ([[0, 1, 2, 3, 4]], 6, (2, 1), "two steps to the left, one to the right; word 5 never occurs, its row stays 0"),
        (
            [[0, 1], [2, 3]],
            4,
            (2, 2),
            "0 and 1 are neighbours, 2 and 3 are; 1 and 2 are not: they are in two sentences",
        ),
        ([[0, 1], [2, 1], [0, 1]], 3, (1, 1), "a sentence may come twice, and is counted twice"),
        ([[0, 1, 0, 1]], 2, (1, 1), "0 and 1 meet at places (0, 1), (1, 2) and (2, 3): three times"),
        ([[0, 0, 1]], 2, (1, 1), "each of the two places of word 0 has the other as a neighbour: counts[0, 0] is 2"),
        ([[0, 0, 1]], 2, (0, 1), "only the first place of word 0 has a word 0 after it: counts[0, 0] is 1"),
        ([[1, 0, 1]], 2, (1, 1), "word 0 has word 1 on both sides: counts[0, 1] is 2"),
        ([[2], [], [0, 1], [1]], 3, (4, 3), empty),
    )
    for sentences, V, window, cause in by_hand:
        yield Case((sentences, V, *window), cause, f"for {sentences}, before {window[0]}, after {window[1]}, counts")
    for V, before, after in ((5, 1, 3), (7, 3, 2), (9, 2, 2), (4, 5, 1)):
        lengths = torch.randint(0, 9, (6,), generator=rng).tolist()
        sentences = [torch.randint(0, V - 1, (length,), generator=rng).tolist() for length in (*lengths, 9)]
        name = f"for seven sentences, before {before}, after {after}, counts"
        yield Case((sentences, V, before, after), "random sentences", name)
    cause = "a pair may be counted hundreds of times: which dtype holds the counts?"
    yield Case(([[0, 0]] * 130, 2, 3, 2), cause, "for 130 sentences [0, 0], counts")


LEFT, RIGHT = "max(0, place - before)", "min(len(sentence), place + after + 1)"
STEP, TEST, END, EACH = "+= 1", "if other != place:", "return counts", "for sentence in sentences:"
TABLE, PLACE = "torch.zeros(vocabulary, vocabulary)", "other != place"
DIAGONAL = "counts.diag().diag()"
ADDS_ONCE = "counts[rows, columns] += 1 adds 1 to an entry it names twice: index_put_ with accumulate=True, or a loop"


def reach(before, after):
    """A patch: the window reaches so far to the left and to the right."""
    return {LEFT: LEFT.replace("before", f"({before})"), RIGHT: RIGHT.replace("after", f"({after})")}


def once(key):
    """A patch: pairs of places of a sentence that agree in `key` count once."""
    return {EACH: f"{EACH}\n        seen = set()", PLACE: f"{PLACE} and not (({key}) in seen or seen.add(({key})))"}


MISTAKES = {
    "only the words after are counted: the window has two sides": {LEFT: "place + 1"},
    "only the words before are counted: the window has two sides": {RIGHT: "place"},
    "before and after are exchanged, or rows and columns: a row is the word in the middle of the window": reach(
        "after", "before"
    ),
    "both sides reach as far as the longer one; `before` is for the left, `after` for the right": reach(
        "max(before, after)", "max(before, after)"
    ),
    "both sides reach `before` places; on the right it is `after`": reach("before", "before"),
    "both sides reach `after` places; on the left it is `before`": reach("after", "after"),
    "the table is added to its transpose: with two different reaches it is not symmetric": {
        END: "return counts + counts.T"
    },
    "each place counts itself as its neighbour: leave the distance 0 out": {PLACE: "True"},
    "the window crosses the border between two sentences": {EACH: "for sentence in [sum(sentences, [])]:"},
    "off by one: the window is one step too narrow; range ends before its last number": reach(
        "before - 1", "after - 1"
    ),
    "off by one: the window is one step too wide": reach("before + 1", "after + 1"),
    "the right side is one step short: a range ends before its end": {RIGHT: "min(len(sentence), place + after)"},
    "off by one: the left side is one step short": {LEFT: "max(0, place - before + 1)"},
    "the window is not used: the whole sentence counts": {"range(left, right)": "range(len(sentence))"},
    "the window is not used: only direct neighbours count": reach("min(before, 1)", "min(after, 1)"),
    "words are compared where places should be: a word may stand near itself": {PLACE: "sentence[other] != word"},
    "each pair is counted twice: add 1 for each word in the window, in the row of the word in the middle": {
        STEP: "+= 2"
    },
    "the counts are halved: each word in the window adds 1": {END: "return counts / 2"},
    "a word near itself is counted half as often as it is: the diagonal is no exception": {
        END: f"{END} - {DIAGONAL} / 2"
    },
    "a word near itself is counted twice as often as it is: the diagonal is no exception": {END: f"{END} + {DIAGONAL}"},
    "only one half of the table is filled: a pair is filed under the smaller id": {
        END: f"{END}.triu(1) + {DIAGONAL} / 2"
    },
    "words near the ends are left out, but count": {TEST: f"{TEST[:-1]} and before <= place < len(sentence) - after:"},
    "an index below 0 counts from the end: begin at max(0, ...)": {LEFT: "max(place - before, -len(sentence))"},
    "a slice that begins below 0 counts from the end and is empty here: begin it at max(0, ...)": {
        "range(left, right)": "[*range(len(sentence))[place - before : place], *range(place + 1, right)]"
    },
    "sentences are padded with 0, which is a word like any other": {
        LEFT: "place - before",
        RIGHT: "place + after + 1",
        "sentence[other]]": "sentence[other] if 0 <= other < len(sentence) else 0]",
    },
    "each pair of words counts once, however often it occurs: add 1, do not set to 1": {END: f"{END}.clamp(max=1)"},
    "each pair of words counts once in a sentence, however often it occurs there": once("word, sentence[other]"),
    f"each place counts a word among its neighbours once, however often; {ADDS_ONCE}": once("place, sentence[other]"),
    f"at each distance, a pair counts once in a sentence; {ADDS_ONCE}": once("word, sentence[other], other - place"),
    "id 0 is left out; it is a word like any other": {TEST: "if other != place and word and sentence[other]:"},
    "near words weigh more, 1 / distance, as in GloVe; here each pair counts 1": {STEP: "+= 1 / abs(place - other)"},
    "the rows are divided by their sums; the counts are wanted": {END: f"{END} / counts.sum(1, True).clamp(min=1)"},
    "these are logarithms; here the counts themselves are wanted": {END: "return counts.log1p()"},
    "sentences not longer than the window are left out": {
        TEST: "if other != place and len(sentence) > max(before, after):"
    },
    "a sentence that comes twice is counted once": {EACH: "for sentence in map(list, set(map(tuple, sentences))):"},
    "only the first sentence is counted": {EACH: "for sentence in sentences[:1]:"},
    "only the last sentence is counted: is the table made anew for each?": {EACH: "for sentence in sentences[-1:]:"},
    "a sentence is no set: a word may come twice": {EACH: "for sentence in map(list, map(dict.fromkeys, sentences)):"},
    "eight bits hold 256 different counts only; larger ones overflow": {TABLE: f"{TABLE[:-1]}, dtype=torch.uint8)"},
}

EXERCISE = Exercise(
    minutes=20,
    difficulty=2,
    signature="co_occurrence(sentences: list of lists of ids, vocabulary: V, before, after) -> counts (V, V)",
    hints=(
        "Think of places, not of words: every place has neighbours, at most `before` steps to its left and `after`\n"
        "steps to its right, in its own sentence. No place is its own; another one with the same word may be.",
        "counts is (V, V), zeros at first, and every place and neighbour add 1 to one entry: row, the word at the\n"
        "place; column, the word at its neighbour. With two different reaches the table is not symmetric.",
        "for each sentence:\n"
        "    for each place in it, and for each other place of its window:\n"
        "        add 1 in the row of the one word, the column of the other\n"
        "(places left of the first do not exist, though Python has an item at index -1)",
    ),
    parts=(Lab(co_occurrence, cases, MISTAKES, table_of),),
)
