"""Offsets of byte-level tokens: with the leading space or without."""

from minibert.tokenization.byte_alphabet import BYTE_TO_CHAR

_SPACES = BYTE_TO_CHAR[0x20] + "".join(chr(c) for c in range(0x3001) if chr(c).isspace() and not 0x1C <= c <= 0x1F)


def trim_spaces(token: str, span: tuple[int, int], keep_prefix_space: bool) -> tuple[int, int]:
    """Leave the spaces of a byte-level token out of its offsets, as the library's ByteLevel post-processor does.

    keep_prefix_space: the very first token keeps a single leading space.

    >>> trim_spaces("Ġcat", (3, 7), keep_prefix_space=False)
    (4, 7)
    """
    start, stop = span
    body = token.lstrip(_SPACES)
    leading, trailing = len(token) - len(body), len(token) - len(token.rstrip(_SPACES))
    if keep_prefix_space and start == 0 and leading == 1:
        leading = 0
    start = min(start + leading, stop)
    if trailing and stop >= trailing:
        stop = max(stop - trailing, start)
    return start, stop
