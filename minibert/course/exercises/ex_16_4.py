"""16.4 Pack a corpus into rows. Only what is longer than a row is cut."""

import operator
from itertools import pairwise

import torch

from minibert.course.lab import Case, Exercise, Lab, Wrong
from minibert.course.tools import call, kind_of, show


def pack(lengths, row_len):
    """Rows of pieces (text, start, stop), at most `row_len` tokens a row; a text that fits in a row stays whole."""
    pieces = []
    for text, length in enumerate(lengths):
        pieces += [(text, start, min(start + row_len, length)) for start in range(0, length, row_len)]
    rows, room = [], []
    for text, start, stop in sorted(pieces, key=lambda piece: piece[1] - piece[2]):  # the longest first
        fitting = [row for row in range(len(rows)) if room[row] >= stop - start]
        if fitting:
            row = min(fitting, key=room.__getitem__)  # the fullest row that can still take it
        else:
            row = len(rows)
            rows.append([])
            room.append(row_len)
        rows[row].append((text, start, stop))
        room[row] -= stop - start
    return rows


BAR = 0.985  # of all places hold a token; the longest first gives 99.5 %, any order of arrival 97 to 98 %
SHAPE = "a piece is (text, start, stop), three whole numbers with 0 <= start < stop <= the length of the text"
FULL = "a row takes row_len tokens: look whether there is room before you add a piece"
SPLIT = (
    "a text that fits in a row is split to fill a row up; it stays whole, or attention no longer sees its other part "
    "(the piece ends in front of `stop`: the whole text is (text, 0, its length))"
)
CUT = "a text longer than a row is cut into pieces of row_len tokens, and one with the rest"
TWICE = "tokens stand in two pieces; each token is packed once"
LAST = "the last row is lost: what is still open when the texts end is a row, too"
REST = "the rest of a text that is longer than a row is lost; it is a piece like any other"
LONG = "texts that are longer than a row are left out; they are cut into pieces"
LOST = "texts are lost; each one stands in a row, also one that found no room at first"
EMPTY = "a row without pieces is no row"
SINGLE = "each piece has a row of its own: several go into one row"
NEXT = "only the newest row is looked at; a row with room left should stay open for shorter texts to come"
SHORT = "the shortest texts come first, and later the long ones find no row; take the longest first"
IN_TURN = "texts are placed in the order in which they come, and the long ones that come late find no row; place the "
IN_TURN += "longest first"
SPARSE = "too much room is left: choose among all rows that can still take a text, the long texts first"


def looked_at(answer, lengths, row_len, must_be_full):
    """Whether the rows keep the rules: "all tokens in rows", or what is wrong with them."""
    rows = call(answer, lengths, row_len)
    if type(rows) not in (list, tuple) or not all(type(row) in (list, tuple) for row in rows):
        inside = next((kind_of(row) for row in rows if type(row) not in (list, tuple)), "") if rows else ""
        seen = f"a list with {inside} in it" if type(rows) in (list, tuple) else kind_of(rows)
        raise Wrong(f"the answer is {seen}", "a list of rows, each a list of pieces (text, start, stop)", SHAPE)
    taken = [[0] * length for length in lengths]  # how often each token is packed
    fullest = 0
    for number, row in enumerate(rows):
        if not row:
            raise Wrong(f"row {number} of {len(rows)} has no pieces", "rows with at least one piece", EMPTY)
        used = 0
        for piece in row:
            text, start, stop = read(piece, lengths, number)
            used += stop - start
            taken[text][start:stop] = [count + 1 for count in taken[text][start:stop]]
            whole = lengths[text] <= row_len
            if start % row_len or stop not in (start + row_len, lengths[text]):
                seen = f"row {number} has the piece {show(tuple(piece))}, and text {text} has {lengths[text]} tokens"
                raise Wrong(seen, f"pieces of texts longer than {row_len} tokens only", SPLIT if whole else CUT)
        fullest = max(fullest, used)
    count_tokens(taken, rows, row_len)
    if fullest > row_len:
        raise Wrong(f"a row holds {fullest} tokens", f"at most {row_len}", FULL)
    share = sum(lengths) / (len(rows) * row_len)
    if must_be_full and share < BAR:
        seen = f"{100 * share:.1f} % of the places in {len(rows)} rows hold a token"
        raise Wrong(seen, f"at least {100 * BAR:g} %", why_sparse(rows, lengths, row_len))
    return "all tokens in rows"


def read(piece, lengths, number):
    """The three numbers of a piece."""
    try:
        text, start, stop = (operator.index(one) for one in piece)
        fine = 0 <= text < len(lengths) and 0 <= start < stop <= lengths[text]
    except (TypeError, ValueError):
        fine = False
    if not fine:
        seen = show(tuple(piece)) if type(piece) in (list, tuple) else show(piece)
        raise Wrong(f"row {number} has the piece {seen}", "(text, start, stop) of one of the texts", SHAPE)
    return text, start, stop


def count_tokens(taken, rows, row_len):
    """Refuse rows in which a token is missing or stands twice."""
    if twice := [text for text, counts in enumerate(taken) if counts and max(counts) > 1]:
        raise Wrong(f"tokens of text {twice[0]} are packed {max(taken[twice[0]])} times", "once", TWICE)
    if not (lost := [text for text, counts in enumerate(taken) if 0 in counts]):
        return
    count = sum(counts.count(0) for counts in taken)
    seen = f"{count} tokens of {len(lost)} texts are in no row, the first ones of text {lost[0]}"
    cause = LOST
    if all(len(taken[text]) > row_len for text in lost):
        cause = REST if any(1 in taken[text] for text in lost) else LONG
    elif count <= row_len and len(rows) > 0:
        cause = LAST
    raise Wrong(seen, "every token in one row", cause)


def why_sparse(rows, lengths, row_len):
    """The likely reason for rows with much room left."""
    if all(len(row) == 1 for row in rows):
        return SINGLE
    flat = [tuple(map(int, piece)) for row in rows for piece in row]
    sizes = [stop - start for _, start, stop in flat]
    if sizes == sorted(sizes):
        return SHORT
    if flat == sorted(flat):
        return NEXT
    return IN_TURN if all(a[0] <= b[0] for row in rows for a, b in pairwise(row)) else SPARSE


def cases(rng):
    few = "every token stands in exactly one row, texts that fit in a row stay whole, and no row is too full"
    yield Case(([5, 4, 3, 5, 2, 9], 10, False), few, "[5, 4, 3, 5, 2, 9] in rows of 10")
    yield Case(([4, 4, 4], 10, False), few, "[4, 4, 4] in rows of 10")
    yield Case(([23, 7, 10, 20, 1], 10, False), few, "[23, 7, 10, 20, 1] in rows of 10")
    yield Case(([1], 1, False), few, "one token")
    yield Case(([6, 6, 6, 6], 6, False), few, "texts as long as a row")
    for count, row_len, typical, spread in ((1000, 128, 3.7, 0.6), (1000, 256, 4.3, 0.6)):
        sizes = (torch.randn(count, generator=rng) * spread + typical).exp()
        lengths = sizes.long().clamp(3, 5 * row_len // 2).tolist()  # a few are longer than a row
        yield Case((lengths, row_len, True), few, f"{count} texts in rows of {row_len}")


def next_fit(order=lambda pieces: pieces, last=True):
    """The newest row only."""

    def wrong(lengths, row_len):
        pieces = [
            (text, start, min(start + row_len, length))
            for text, length in enumerate(lengths)
            for start in range(0, length, row_len)
        ]
        rows, row = [], []
        for piece in order(pieces):
            if row and sum(stop - start for _, start, stop in [*row, piece]) > row_len:
                rows.append(row)
                row = []
            row.append(piece)
        return [*rows, row] if last else rows

    return wrong


def one_long_ribbon(lengths, row_len):
    """All tokens in a line, cut every row_len tokens."""
    rows, room = [[]], row_len
    for text, length in enumerate(lengths):
        start = 0
        while start < length:
            stop = min(length, start + room)
            rows[-1].append((text, start, stop))
            room -= stop - start
            start = stop
            if not room:
                rows.append([])
                room = row_len
    return rows if rows[-1] else rows[:-1]


def shortest_first(pieces):
    return sorted(pieces, key=lambda piece: piece[2] - piece[1])


PIECES = "for start in range(0, length, row_len)"
NEW, FITS = "            row = len(rows)\n", "if room[row] >= stop - start]"
MISTAKES = {
    SPLIT: one_long_ribbon,
    LAST: next_fit(last=False),
    NEXT: next_fit(),
    IN_TURN: {"sorted(pieces, key=lambda piece: piece[1] - piece[2])": "pieces"},
    SHORT: next_fit(shortest_first),
    SINGLE: {FITS: "if False]"},
    FULL: {FITS: "if room[row] > 0]"},
    REST: {PIECES: "for start in range(0, max(length - row_len, 0) + 1, row_len)"},
    LONG: {PIECES: f"{PIECES} if length <= row_len"},
    CUT: {"[(text, start, min(start + row_len, length))": "[(text, max(length - row_len - start, 0), length - start)"},
    TWICE: {"rows[row].append((text, start, stop))": "rows[row].append((text, 0, min(row_len, lengths[text])))"},
    LOST: {NEW: "            if len(rows) > 2:\n                continue\n" + NEW},
    EMPTY: {"return rows": "return [*rows, []]"},
    SHAPE: {"rows[row].append((text, start, stop))": "rows[row].append(text)"},
}

EXERCISE = Exercise(
    minutes=25,
    difficulty=3,
    signature="pack(lengths: list of ints, row_len) -> a list of rows, each a list of pieces (text, start, stop)",
    hints=(
        "First make a list of all pieces: most are whole texts. Then it is like furniture in vans:\n"
        "the large things first, and for each the van in which it leaves the least room.",
        "pieces: (text, start, stop) for each text and each start 0, row_len, 2 row_len, ... below its length.\n"
        "rows: lists of pieces; beside them a list of numbers, the room left in each row.",
        "pieces = each text, cut every row_len tokens\n"
        "for each piece, longest first:\n"
        "    among the rows with room for it, take the one with the least room; if there is none, open a new row\n"
        "    add the piece, and take its tokens off the room\n"
        "return the rows, the half-empty ones as well",
    ),
    parts=(Lab(pack, cases, MISTAKES, run=looked_at),),
)
