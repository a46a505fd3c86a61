"""Answers to 16.4, a corpus in rows."""

from minibert.objectives.packing import pack_rows


def cut(lengths, row_len):
    pieces = []
    for text, length in enumerate(lengths):
        start = 0
        while length - start > row_len:
            pieces.append([text, start, start + row_len])
            start += row_len
        pieces.append([text, start, length])
    return pieces


def first_fit_longest_first(lengths, row_len):
    rows = []
    for piece in sorted(cut(lengths, row_len), key=lambda p: p[2] - p[1], reverse=True):
        size = piece[2] - piece[1]
        for row in rows:
            if row[0] >= size:
                break
        else:
            row = [row_len]
            rows.append(row)
        row[0] -= size
        row.append(tuple(piece))
    return [row[1:] for row in rows]


def by_size(lengths, row_len):
    """Row after row: always the longest piece that still fits."""
    shelf = {}
    for piece in cut(lengths, row_len):
        shelf.setdefault(piece[2] - piece[1], []).append(piece)
    rows = []
    while shelf:
        row, room = [], row_len
        while sizes := [size for size in shelf if size <= room]:
            size = max(sizes)
            row.append(shelf[size].pop())
            room -= size
            if not shelf[size]:
                del shelf[size]
        rows.append(row)
    return tuple(rows)


def with_the_package(lengths, row_len):
    pieces = cut(lengths, row_len)
    batches = pack_rows([stop - start for _, start, stop in pieces], row_len, rows=16)
    return [[pieces[place] for place in row] for batch in batches for row in batch]


def the_packages_own(lengths, row_len):
    return [row for batch in pack_rows(lengths, row_len) for row in batch]


def indices_only(lengths, row_len):
    return [[piece[0] for piece in row] for row in first_fit_longest_first(lengths, row_len)]


def in_pairs(lengths, row_len):
    """A long and a short one in each row."""
    pieces = sorted(cut(lengths, row_len), key=lambda p: p[2] - p[1])
    rows = []
    while pieces:
        row = [pieces.pop()]
        if pieces and sum(p[2] - p[1] for p in (row[0], pieces[0])) <= row_len:
            row.append(pieces.pop(0))
        rows.append(row)
    return rows


def drops_bad_fits(lengths, row_len):
    return [row for row in first_fit_longest_first(lengths, row_len) if sum(p[2] - p[1] for p in row) >= 0.9 * row_len]


def halves(lengths, row_len):
    """Long texts are cut in two equal halves."""
    rows = []
    for text, length in enumerate(lengths):
        parts = -(-length // row_len)
        size = -(-length // parts)
        rows += [[(text, start, min(start + size, length))] for start in range(0, length, size)]
    return rows


RIGHT = {"first fit": first_fit_longest_first, "row after row": by_size}
WRONG = {
    "the package's own": (the_packages_own, "does not fit|three whole numbers"),
    "with the package, in turn": (with_the_package, "in the order in which they come"),
    "indices only": (indices_only, "three whole numbers"),
    "in pairs": (in_pairs, "too much room is left"),
    "drops bad fits": (drops_bad_fits, "in no row"),
    "halves": (halves, "cut into pieces of row_len"),
    "a generator": (lambda lengths, row_len: iter(by_size(lengths, row_len)), "a list of rows"),
    "stop counts from the start": (
        lambda n, r: [[(t, a, b - a) for t, a, b in row] for row in by_size(n, r)],
        "three whole numbers",
    ),
    "nothing": (lambda lengths, row_len: [], "in no row"),
    "stop is included": (
        lambda n, r: [[(t, a, b - 1) for t, a, b in row] for row in by_size(n, r)],
        "the piece ends in front of `stop`",
    ),
    "a rest of nothing": (
        lambda n, r: [*by_size(n, r), *([(t, x, x)] for t, x in enumerate(n) if x % r == 0)],
        "start < stop",
    ),
}
