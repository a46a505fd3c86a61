"""10.3 A pair of texts as one input. Special tokens, segments, and cutting the longer text first."""

import torch

from minibert.course.exercise import Exercise, Wrong
from minibert.course.lab import Case, Lab
from minibert.course.tools import call, kind_of


def pair(first, second, max_length, cls_id, sep_id):
    """Two lists of ids -> (ids, segment_ids), two lists of at most `max_length`."""
    kept, other = len(first), len(second)
    while kept + other > max_length - 3:  # [CLS] and twice [SEP]
        if kept > other:
            kept -= 1
        else:
            other -= 1
    ids = [cls_id, *first[:kept], sep_id, *second[:other], sep_id]
    return ids, [0] * (kept + 2) + [1] * (other + 1)


def in_words(name, one):
    """A list of whole numbers as a text, which shows all of it in one line."""
    seen = kind_of(one)
    one = one.tolist() if hasattr(one, "tolist") else one
    if type(one) in (list, tuple):
        one = [each.item() if hasattr(each, "item") else each for each in one]
    if type(one) is not list or not all(type(each) is int for each in one):
        cause = "is the `return` missing?" if one is None else ""
        raise Wrong(f"{name} is {seen}", "a list of ints", cause or "whole numbers in one list, nothing else")
    return " ".join(map(str, one)) or "empty"


def two_lists(answer, *inputs, names=("ids", "segment_ids")):
    """Both lists that an answer gives, as texts."""
    got = call(answer, *inputs)
    if type(got) not in (tuple, list) or len(got) != 2:
        expected = f"two lists of ints of the same length: {', '.join(names)}"
        raise Wrong(f"the answer is {kind_of(got)}", expected, "is the `return` missing?" if got is None else "")
    return {f"the list {name}": in_words(name, one) for name, one in zip(names, got, strict=True)}


def cases(rng):
    def case(cause, count, other, max_length, special=(2, 3), name=""):
        low = int(torch.randint(5, 9, (), generator=rng))
        first = list(range(10 * low, 10 * low + count))
        second = list(range(500 - other, 500))
        name = name or f"of {count} and {other} ids, at most {max_length}"
        return Case((first, second, max_length, *special), cause, f"for texts {name}")

    form = "[CLS] first [SEP] second [SEP]; all up to the first [SEP] is segment 0, all after it segment 1"
    cut = "as long as it is too long, the longer text loses its last id; if both are as long, the second one does"
    yield case(form, 3, 2, 12)
    yield case("the special ids come as arguments", 2, 4, 12, (101, 102))
    yield case("what fits exactly is not cut: three special tokens count, too", 3, 5, 11)
    yield case("one id too many: the longer text, here the second, loses one", 3, 5, 10)
    yield case("one id too many: the longer text, here the first, loses one", 6, 3, 11)
    yield case("both are as long: the second loses one", 4, 4, 10)
    yield case(cut, 9, 4, 13)
    yield case(cut, 4, 11, 14, (0, 1))
    yield case("after a while both are as long; from then on they lose in turn, the second first", 9, 4, 9)
    yield case("after a while both are as long; from then on they lose in turn, the second first", 3, 8, 8)
    yield case("a short text stays whole, however long the other one is", 2, 12, 9)
    yield case("a short text stays whole, however long the other one is", 12, 1, 9)
    yield case("the first text may be empty: [CLS] [SEP] second [SEP]", 0, 3, 9)
    yield case("the second text may be empty: [CLS] first [SEP] [SEP]", 3, 0, 9)
    yield case("there may be room for the special tokens alone", 2, 2, 3)
    yield case("room for a single id: the first text keeps it", 2, 3, 4)
    yield case(cut, 300, 280, 128, name="of 300 and 280 ids, at most 128")


SHORTEN = "        if kept > other:\n            kept -= 1\n        else:\n            other -= 1\n"
WHILE, LOOP = "while kept + other > max_length - 3:", "    while kept + other"
IDS = "[cls_id, *first[:kept], sep_id, *second[:other], sep_id]"
SEGMENTS, RETURN = "[0] * (kept + 2) + [1] * (other + 1)", "return ids, [0] * (kept + 2) + [1] * (other + 1)"
UNCUT = {WHILE: "while False:"}
MISTAKES = {
    "the second [SEP] is missing, after the second text": {
        ", sep_id]": "]",
        "(other + 1)": "other",
        "max_length - 3": "max_length - 2",
    },
    "the second [SEP] is missing, and its place is still counted": {", sep_id]": "]", "(other + 1)": "other"},
    "the second [SEP] is missing, and segment_ids has an entry for it": {", sep_id]": "]"},
    "the first [SEP] is missing, between the texts": {
        "[:kept], sep_id,": "[:kept],",
        "(kept + 2)": "(kept + 1)",
        "max_length - 3": "max_length - 2",
    },
    "the first [SEP] is missing, and its place is still counted": {
        "[:kept], sep_id,": "[:kept],",
        "(kept + 2)": "(kept + 1)",
    },
    "two [SEP] stand between the texts, as in RoBERTa; BERT has one": {
        "[:kept], sep_id,": "[:kept], sep_id, sep_id,",
        "(kept + 2)": "(kept + 3)",
        "max_length - 3": "max_length - 4",
    },
    "the special tokens are missing: [CLS] first [SEP] second [SEP]": {
        IDS: "[*first[:kept], *second[:other]]",
        SEGMENTS: "[0] * kept + [1] * other",
        "max_length - 3": "max_length",
    },
    "all ids are in segment 1, as in an attention mask; the first text has 0": {SEGMENTS: "[1] * (kept + other + 3)"},
    "segment_ids are as long as the texts were before they were cut": {
        SEGMENTS: "[0] * (len(first) + 2) + [1] * (len(second) + 1)"
    },
    "the second [SEP] is in segment 0; it ends the second text, and is in segment 1": {
        SEGMENTS: "[0] * (kept + 2) + [1] * other + [0]"
    },
    "the first [SEP] is in segment 1; it ends the first text, and is in segment 0": {
        SEGMENTS: "[0] * (kept + 1) + [1] * (other + 2)"
    },
    "special tokens are left out of segment_ids; they have one entry for each id": {
        SEGMENTS: "[0] * kept + [1] * other"
    },
    "all ids are in segment 0; from the second text on it is 1": {SEGMENTS: "[0] * (kept + other + 3)"},
    "segments count from 0: the first text has 0, the second 1": {SEGMENTS: "[1] * (kept + 2) + [2] * (other + 1)"},
    "the segments are exchanged: the first text has 0, the second 1": {
        SEGMENTS: "[1] * (kept + 2) + [0] * (other + 1)"
    },
    "a [CLS] stands in front of the second text, too; there is one, at the beginning": {
        "*second[:other]": "cls_id, *second[:other]",
        "(other + 1)": "(other + 2)",
        "max_length - 3": "max_length - 4",
    },
    "[CLS] is missing at the beginning": {
        "[cls_id, ": "[",
        "(kept + 2)": "(kept + 1)",
        "max_length - 3": "max_length - 2",
    },
    "the texts are exchanged: the first stands in front": {
        IDS: "[cls_id, *second[:other], sep_id, *first[:kept], sep_id]",
        SEGMENTS: "[0] * (other + 2) + [1] * (kept + 1)",
    },
    "special ids are fixed here; they come as cls_id and sep_id": {
        "    kept, other": "    cls_id, sep_id = 101, 102\n    kept, other"
    },
    "[CLS] and [SEP] are exchanged": {IDS: "[sep_id, *first[:kept], cls_id, *second[:other], cls_id]"},
    "nothing is cut": UNCUT,
    "only the second text is cut; the longer one loses an id, whichever it is": {
        SHORTEN: "        if other > 0:\n            other -= 1\n        else:\n            kept -= 1\n"
    },
    "only the first text is cut; the longer one loses an id, whichever it is": {
        SHORTEN: "        if kept > 0:\n            kept -= 1\n        else:\n            other -= 1\n"
    },
    "the end of the whole is cut off, and [SEP] with it; cut the texts, and keep three special tokens": UNCUT
    | {RETURN: f"return ids[:max_length], ({SEGMENTS})[:max_length]"},
    "the end of the whole is cut off and its last id replaced by [SEP]; the longer text is cut": UNCUT
    | {RETURN: f"return ids[: max_length - 1] + [sep_id], ({SEGMENTS})[:max_length]"},
    "a single id is cut; go on as long as it is too long": {WHILE: WHILE.replace("while", "if")},
    "each text is cut by itself; both together have max_length - 3": {
        WHILE: "kept, other = min(kept, max_length - 3), min(other, max_length - 3)\n    while False:"
    },
    "the special tokens are not counted: all together at most max_length": {"max_length - 3": "max_length"},
    "two special tokens are counted; there are three": {"max_length - 3": "max_length - 2"},
    "more is cut than needed: max_length itself is allowed": {"max_length - 3": "max_length - 4"},
    "both texts lose an id each time; only the longer one does": {
        SHORTEN: "        kept, other = max(kept - 1, 0), max(other - 1, 0)\n"
    },
    "each text gets half of the room, though the other does not need its own": {
        LOOP: "    half = (max_length - 3) // 2\n    kept, other = min(kept, max_length - 3 - half), min(other, half)\n"
        + LOOP
    },
    "where it is too long, each text gets half of the room, though the other does not need its own": {
        SHORTEN: "        kept, other = min(kept, (max_length - 2) // 2), min(other, (max_length - 3) // 2)\n"
    },
    "the shorter text loses an id; it is the longer one": {"if kept > other:": "if 0 < kept < other or other == 0:"},
    "if both are as long, the second loses an id; here it is the first": {"if kept > other:": "if kept >= other:"},
    "which text is longer is asked only once; ask again after each id": {
        LOOP: "    longer = kept > other\n" + LOOP,
        "if kept > other:": "if (longer or other == 0) and kept > 0:",
    },
    "the texts lose ids in turn from the beginning; as long as one is longer, it alone does": {
        LOOP: "    turn = 0\n" + LOOP,
        SHORTEN: SHORTEN.replace("kept > other", "(turn % 2 and kept) or not other") + "        turn += 1\n",
    },
    "the first ids are cut off; the last ones are": {
        "first[:kept]": "first[len(first) - kept :]",
        "second[:other]": "second[len(second) - other :]",
    },
    "the ids are padded to max_length; they are as long as they are": {
        RETURN: f"return ids + [0] * (max_length - len(ids)), {SEGMENTS} + [0] * (max_length - len(ids))"
    },
    "ids and segment_ids are exchanged": {RETURN: f"return {SEGMENTS}, ids"},
}

EXERCISE = Exercise(
    minutes=20,
    difficulty=2,
    signature="pair(first, second: lists of ids, max_length, cls_id, sep_id) -> (ids, segment_ids), two lists of ints",
    hints=(
        "A short question beside a long passage should keep all of its words. And whatever is cut, the model was\n"
        "trained on inputs that have their three special tokens.",
        "n ids of the first text, m of the second, n + m + 3 in all: n + 2 of them in segment 0, m + 1 in segment 1.\n"
        "How many of each are kept can be found out with numbers alone, before any list is cut.",
        "as long as both counts together are more than max_length leaves for them:\n"
        "    the larger count loses one (of two equal ones the second)\n"
        "ids: the class token, the first text up to its count, a separator, the second likewise, a separator\n"
        "segments: zeros up to the first separator, it included, then ones",
    ),
    parts=(Lab(pair, cases, MISTAKES, run=two_lists, in_pairs=False),),
)
