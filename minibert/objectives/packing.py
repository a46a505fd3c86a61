"""Sequence packing: examples of many lengths laid into rows of one length, so that hardly a place stays empty."""

from collections.abc import Iterable, Iterator, Sequence

LOOK_AHEAD = 10  # batches: rows of speeches are then over 99 % full on average; twice as many gain little


def best_fit(lengths: Sequence[int], row_len: int, rows: int = 1) -> tuple[list[list[int]], list[int]]:
    """Lay examples into rows by greedy best fit; return the indices in each row, and those that found no room.

    One example after the other goes where it leaves the least room, that is into the fullest row that can still take
    it; of equally full rows into the first.

    Shape: lengths and row_len in tokens; the result in indices into `lengths`.

    Raises:
        ValueError: for a length under 1 or over `row_len`, or less than one row.

    Source: Warner et al. 2024 (ModernBERT), section 2.2 and released code (greedy best fit).

    >>> best_fit([5, 4, 3, 5, 2, 9], row_len=10, rows=2)
    ([[0, 1], [2, 3, 4]], [5])
    """
    _check_rows(rows)
    room = [row_len] * rows
    packed: list[list[int]] = [[] for _ in range(rows)]
    left = []
    for index, length in enumerate(lengths):
        if not 1 <= length <= row_len:
            raise ValueError(f"length {length} does not fit in a row of {row_len} tokens; cut examples to 1..{row_len}")
        fitting = [row for row in range(rows) if room[row] >= length]
        if fitting:
            row = min(fitting, key=room.__getitem__)  # min takes the first of equals
            packed[row].append(index)
            room[row] -= length
        else:
            left.append(index)
    return packed, left


def pack_rows(
    lengths: Iterable[int], row_len: int, rows: int = 1, look_ahead: int = LOOK_AHEAD
) -> Iterator[list[list[int]]]:
    """Yield batches of `rows` rows, each a list of indices into `lengths`; every example is in exactly one row.

    The examples come from a stream. A buffer is topped up to `look_ahead` batches' worth of tokens, best fit fills one
    batch from it, and what found no room stays at the front, in its order. So the longest wait is bounded (the
    front of the buffer always fits), and the batches hold short and long examples in the proportion of the stream. With
    a `look_ahead` of 1 there is little to choose from and rows stay emptier.

    What a row has left is not filled with padding: our attention takes any number of tokens, and a tail of padding,
    which then is one more "sequence", must be kept out of the longest length, the loss and the count of tokens.
    The last batch may hold less than the others, or fewer rows; nothing is dropped. ModernBERT's packer differs in
    all three: it pads, drops the last batch, and puts back what is left in reverse, so an example may wait long.

    Shape: lengths and row_len in tokens; look_ahead in batches of rows * row_len tokens.

    Raises:
        ValueError: for a length under 1 or over `row_len`, less than one row, or a `look_ahead` under 1.

    Source: Warner et al. 2024 (ModernBERT), section 2.2 and released code; Krell et al. 2021 compare such packers.

    >>> lengths = [6, 6, 4, 3, 4, 1]
    >>> list(pack_rows(lengths, row_len=10))
    [[[0, 2]], [[1, 3, 5]], [[4]]]
    """
    _check_rows(rows)
    if not look_ahead >= 1:
        raise ValueError(f"look_ahead is {look_ahead}; the buffer must hold at least 1 batch")
    stream = enumerate(lengths)
    buffer: list[tuple[int, int]] = []  # (index, length)
    tokens = 0
    while True:
        while tokens < look_ahead * rows * row_len and (arrived := next(stream, None)):
            buffer.append(arrived)
            tokens += arrived[1]
        if not buffer:
            return
        packed, left = best_fit([length for _, length in buffer], row_len, rows)
        yield [[buffer[place][0] for place in row] for row in packed if row]
        buffer = [buffer[place] for place in left]
        tokens = sum(length for _, length in buffer)


def _check_rows(rows: int) -> None:
    if rows < 1:
        raise ValueError(f"rows is {rows}; there must be at least one row to fill")
