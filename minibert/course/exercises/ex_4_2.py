"""4.2 A padded batch and its mask."""

import torch

from minibert.course.lab import Case, Exercise, Lab
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
    yield case([[2], [5, 0, 6], [0, 5]], 9, "T is the length of the longest text, wherever it stands; 0 is a word here")
    yield case([[7, 5, 9], [7, 9]], 9, "9 pads and also ends each text, as in EuroBERT: only the lengths tell")
    yield case([[4, 9, 9], [9, 9, 5, 6], [9]], 9, "9 pads and is a word as well: only the lengths tell")
    for pad_id in (0, 3):
        lengths = torch.randint(1, 8, (6,), generator=rng)  # of six texts
        words = torch.randint(0, 5, (6, 7), generator=rng)
        drawn = [row[:length].tolist() for row, length in zip(words, lengths, strict=True)]
        yield case([*drawn, [4] * 8], pad_id, rows)
    yield case([[5, 6], [7, 8], [0, 3]], 3, "all texts have one length: there is no padding, and 3 is a word")
    yield case([[4]], 4, "one text of one token is a batch, too")
    yield case([[70_000, 1], [3_000_000_000]], 5, "ids may be large: int64 holds them all")


LONGEST = "max(len(text) for text in texts)"
MASK, PADDING = "torch.arange(longest) < lengths[:, None]", "[pad_id] * (longest - len(text))"
GUESSED = "it is guessed from the ids; a real token may have the id that pads (as in EuroBERT): take the lengths"
CUT, REAL = {"[text +": "[text[:longest] +"}, "(ids != pad_id).sum(1, keepdim=True)"
FIRST = "(ids == pad_id).cumsum(1)"


def texts_are(new):
    """A patch that changes the texts."""
    return {"    longest =": f"    texts = {new}\n    longest ="}


def of_width(choose):
    """The texts are written into a table of a width that is not that of the longest."""

    def wrong(texts, pad_id):
        width = choose(texts)
        ids, mask = torch.full((len(texts), width), pad_id), torch.zeros(len(texts), width, dtype=torch.bool)
        for row, text in enumerate(texts):
            ids[row, : len(text)] = torch.tensor(text)
            mask[row, : len(text)] = True
        return ids, mask

    return wrong


def one_row_for_all(texts, pad_id):
    longest = max(len(text) for text in texts)
    ids, mask = [[pad_id] * longest] * len(texts), [[False] * longest] * len(texts)
    for row, text in enumerate(texts):
        for place, word in enumerate(text):
            ids[row][place], mask[row][place] = word, True
    return torch.tensor(ids), torch.tensor(mask)


MISTAKES = {
    "T is always 9; it is the length of the longest text of this batch": of_width(lambda texts: 9),
    "T is the length of the first text; it is the length of the longest": of_width(lambda texts: len(texts[0])),
    "T is the length of the last text; it is the length of the longest": of_width(lambda texts: len(texts[-1])),
    "T is a multiple of 4; it is the length of the longest text": of_width(lambda t: -(-max(map(len, t)) // 4) * 4),
    "T is a multiple of 8; it is the length of the longest text": of_width(lambda t: -(-max(map(len, t)) // 8) * 8),
    "[[pad_id] * T] * B is one row B times, so writing into one writes into all: make each row anew": one_row_for_all,
    "max(texts) compares lists by their first ids; T is max(map(len, texts))": {LONGEST: "len(max(texts))"},
    "max(texts) compares first ids, and others are cut: max(map(len, texts))": {LONGEST: "len(max(texts))"} | CUT,
    "pad_id is taken out of the texts; it may be a real token, and stays": texts_are(
        "[[x for x in text if x != pad_id] or [pad_id] for text in texts]"
    ),
    "one pad_id is put behind every text; pad only up to the longest": texts_are("[text + [pad_id] for text in texts]"),
    "the longest text gets no True: row[-0:] is the whole row": {MASK: f"({MASK}) & (lengths < longest)[:, None]"},
    "it pads with -1; the caller says which id pads: pad_id": {"[pad_id] *": "[-1] *"},
    "the mask is turned round: True marks the real tokens": {MASK: "torch.arange(longest) >= lengths[:, None]"},
    "the mask calls padding real, too: True up to each text's own length only": {MASK: "torch.ones_like(ids).bool()"},
    "off by one: a text of n tokens has the places 0 ... n - 1, so place < n, not <= n": {"longest) <": "longest) <="},
    "off by one: the last token of each text is hidden; place < n, not < n - 1": {"[:, None]": "[:, None] - 1"},
    "off by one: the first token of each text is hidden": {MASK: f"({MASK}) & (torch.arange(longest) > 0)"},
    "the ids are padded on the left; put the padding behind the text": {f"text + {PADDING}": f"{PADDING} + text"},
    "the True stand on the right, but the padding does": {MASK: f"({MASK}).flip(1)"},
    "the mask of the first text is used for all": {MASK: f"({MASK})[:1].expand(len(texts), -1)"},
    "it pads with 0; the caller says which id pads: pad_id": {"[pad_id] *": "[0] *"},
    "each text is cut to the shortest; T is the longest": {LONGEST: "min(len(text) for text in texts)"} | CUT,
    "T is one more than the longest text; it is the length of the longest text": {LONGEST: f"{LONGEST} + 1"},
    "the texts come back in another order, sorted by length; row i is text i": texts_are("sorted(texts, key=len)"),
    f"the mask is `ids != pad_id`: {GUESSED}": {MASK: "ids != pad_id"},
    f"the mask is `ids > 0` or `ids != 0`, right where 0 pads and is no word: {GUESSED}": {MASK: "ids != 0"},
    f"the mask ends before the first pad_id: {GUESSED}": {MASK: f"{FIRST} == 0"},
    f"the mask ends with the first pad_id: {GUESSED}": {MASK: f"{FIRST} - (ids == pad_id).long() == 0"},
    f"the mask lets one pad_id in every row pass: {GUESSED}": {MASK: f"{FIRST} <= 1"},
    f"the mask counts the ids that are not pad_id, plus one: {GUESSED}": {MASK: f"torch.arange(longest) <= {REAL}"},
    f"the mask asks whether an id occurs in the text: {GUESSED}": {
        MASK: "torch.tensor([[word in text for word in row] for row, text in zip(ids.tolist(), texts)])"
    },
    f"the mask counts the ids that are not pad_id: {GUESSED}": {MASK: f"torch.arange(longest) < {REAL}"},
    f"the mask goes back over every pad_id: {GUESSED}": {MASK: "(ids != pad_id).flip(1).cumsum(1).flip(1) > 0"},
    "the mask comes first; return ids, mask": {f"return ids, {MASK}": f"return {MASK}, ids"},
    "only the ids are returned; return ids, mask": {f"return ids, {MASK}": "return ids"},
}

EXERCISE = Exercise(
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
