"""4.2 A padded batch and its mask."""

import torch

from minibert.course.exercise import Exercise
from minibert.course.lab import Case, Lab
from minibert.course.tools import show


def pad_and_mask(texts, pad_id):
    """Lists of ids to a rectangle of ids and a mask of its real tokens."""
    longest = max(len(text) for text in texts)
    ids = torch.tensor([text + [pad_id] * (longest - len(text)) for text in texts])  # `+` makes a new list
    lengths = torch.tensor([len(text) for text in texts])
    return ids, torch.arange(longest) < lengths[:, None]  # (T,) against (B, 1) gives (B, T)


def cases(rng):
    def case(texts, pad_id, cause=""):
        batch = show(texts) if len(texts) < 4 else f"a batch of {len(texts)} texts"
        return Case((texts, pad_id), cause, f"of {batch} with pad_id {pad_id}", items=("ids", "mask"))

    rows = "each row is the text as it came, then pad_id; the mask is True on as many places as the text has tokens"
    yield case([[5, 7, 6], [8]], 9, rows)
    yield case([[8], [5, 0, 6], [0, 5]], 9, "0 is a word here like any other, and 9 pads")
    yield case([[7, 5, 9], [7, 9]], 9, "9 pads and also ends each text, as in EuroBERT: only the lengths tell")
    yield case([[9, 9], [9, 5, 9, 6], [4, 9, 9]], 9, "9 pads and is a word as well: only the lengths tell")
    for pad_id in (0, 3):
        lengths = torch.randint(1, 8, (6,), generator=rng)  # of six texts
        words = torch.randint(0, 5, (6, 7), generator=rng)
        drawn = [row[:length].tolist() for row, length in zip(words, lengths, strict=True)]
        yield case([*drawn, [4] * 8], pad_id, rows)
    yield case([[5, 6], [7, 8], [0, 3]], 3, "all texts have one length: there is no padding, and 3 is a word")
    yield case([[4]], 4, "one text of one token is a batch, too")
    yield case([[70_000, 1], [3_000_000_000]], 5, "ids may be large: int64 holds them all")


MASK, PADDING = "torch.arange(longest) < lengths[:, None]", "[pad_id] * (longest - len(text))"
GUESSED = (
    "the mask is guessed from the ids; a real token may have the id of the padding (EuroBERT pads with its "
    "end-of-text token), so make the mask from the lengths"
)
FIRST = "(ids == pad_id).cumsum(1)"


def of_fixed_width(texts, pad_id):
    ids = torch.tensor([text + [pad_id] * (9 - len(text)) for text in texts])
    return ids, torch.arange(9) < torch.tensor([[len(text)] for text in texts])


MISTAKES = {
    "T is always 9; it is the length of the longest text of this batch": of_fixed_width,
    "the mask is turned round: True marks the real tokens": {MASK: "torch.arange(longest) >= lengths[:, None]"},
    "the mask calls padding real, too: True up to each text's own length only": {MASK: "torch.ones_like(ids).bool()"},
    "off by one: a text of n tokens has the places 0 ... n - 1, so place < n, not <= n": {"longest) <": "longest) <="},
    "off by one: the last token of each text is hidden; place < n, not < n - 1": {
        "lengths[:, None]": "lengths[:, None] - 1"
    },
    "off by one: the first token of each text is hidden; places count from 0": {
        MASK: f"({MASK}) & (torch.arange(longest) > 0)"
    },
    "the padding stands on the left; put it behind the text": {
        f"text + {PADDING}": f"{PADDING} + text",
        MASK: f"({MASK}).flip(1)",
    },
    "the ids are padded on the left; put the padding behind the text": {f"text + {PADDING}": f"{PADDING} + text"},
    "the True stand on the right, but the padding does": {MASK: f"({MASK}).flip(1)"},
    "the mask of the first text is used for all; each row has the length of its own text": {
        MASK: f"({MASK})[:1].expand(len(texts), -1)"
    },
    "it pads with 0; the caller says which id pads: pad_id": {"[pad_id] *": "[0] *"},
    "each text is cut to the shortest one; T is the length of the longest text": {
        "max(len(text) for text in texts)": "min(len(text) for text in texts)",
        "torch.tensor([text +": "torch.tensor([text[:longest] +",
    },
    "T is one more than the longest text; it is the length of the longest text of this batch": {
        "in texts)\n    ids": "in texts) + 1\n    ids"
    },
    "the texts come back in another order, sorted by length; row i is text i": {
        "    longest =": "    texts = sorted(texts, key=len)\n    longest ="
    },
    f"the mask is `ids != pad_id`: {GUESSED}": {MASK: "ids != pad_id"},
    f"the mask is `ids > 0` or `ids != 0`, which is right only where 0 pads and is no word: {GUESSED}": {
        MASK: "ids != 0"
    },
    f"the mask ends before the first pad_id: {GUESSED}": {MASK: f"{FIRST} == 0"},
    f"the mask ends with the first pad_id: {GUESSED}": {MASK: f"{FIRST} - (ids == pad_id).long() == 0"},
    f"the mask lets one pad_id in every row pass: {GUESSED}": {MASK: f"{FIRST} <= 1"},
    f"the mask goes back from the right as long as it finds pad_id: {GUESSED}": {
        MASK: "(ids != pad_id).flip(1).cumsum(1).flip(1) > 0"
    },
    "the mask holds numbers, and ~ turns a 1 into -2; it is boolean: a comparison, or .bool()": {
        MASK: f"({MASK}).long()"
    },
    "the mask holds 1.0 and 0.0; it is boolean: a comparison, or .bool()": {MASK: f"({MASK}).float()"},
    "the mask holds numbers to be added to scores; it is boolean: True on real tokens": {
        MASK: f"torch.where({MASK}, 0.0, -1e4)"
    },
    "the ids are floats; they are row numbers of a table, so whole numbers: int64": {
        "for text in texts])  #": "for text in texts]).float()  #"
    },
    "the ids are int32; row numbers are int64, as torch.tensor makes of a list of whole numbers": {
        "for text in texts])  #": "for text in texts]).int()  #"
    },
    "the mask comes first; return ids, mask": {f"return ids, {MASK}": f"return {MASK}, ids"},
    "only the ids are returned; return ids, mask": {f"return ids, {MASK}": "return ids"},
    "lists are returned; make tensors of both": {f"return ids, {MASK}": f"return ids.tolist(), ({MASK}).tolist()"},
}

EXERCISE = Exercise(
    number="4.2",
    title="A padded batch and its mask",
    minutes=15,
    difficulty=2,
    signature="pad_and_mask(texts: list of B lists of ids, pad_id) -> (ids (B, T) int64, mask (B, T) bool)",
    hints=(
        "The ids cannot tell what is padding, because a real token may have the same id. The lengths can, and you\n"
        "know them as long as the texts are still lists.",
        "T is the length of the longest text. ids (B, T): each text from the left, pad_id behind it.\n"
        "mask (B, T): as many True as the text has tokens, False behind them.",
        "T = the largest length\n"
        "for each text: a row of ids is the text and, behind it, as many pad_id as are missing to T\n"
        "               a row of the mask says of each place 0 ... T - 1 whether it lies before the text's end\n"
        "return both as tensors; the lists that came in stay as they are",
    ),
    parts=(Lab(pad_and_mask, cases, MISTAKES),),
)
