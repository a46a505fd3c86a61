"""Llama-3's vocabulary as Meta publishes it: byte strings in order of rank, and no list of merges.

None is needed: two neighbours are joined whenever the joined string is a token, lowest rank first. A file of merges
must spell that out, one merge for every way to cut a token in two (some 280,000 for Llama-3's 128,000 tokens).
"""

from collections.abc import Sequence

from minibert.tokenization.byte_alphabet import BYTE_TO_CHAR
from minibert.tokenization.checks import check_ranks


def merges_from_ranks(tokens: Sequence[bytes]) -> list[tuple[str, str]]:
    """The merges, in the byte alphabet, that do what a vocabulary of byte strings sorted by rank does.

    Several merges may make one token; among them those of earlier parts come first.

    Raises:
        ValueError: doubled or empty tokens, or one of the 256 bytes is missing.

    Source: Dubey et al. 2024, released tokenizer (a list of ranks, as `tiktoken` reads it).

    >>> merges_from_ranks([bytes([byte]) for byte in range(256)] + [b"th", b"he", b"the"])
    [('t', 'h'), ('h', 'e'), ('t', 'he'), ('th', 'e')]
    """
    check_ranks(tokens)
    rank = {token: index for index, token in enumerate(tokens)}
    chars = [as_chars(token) for token in tokens]
    merges = []
    for token in tokens:
        cuts = [(rank.get(token[:at]), rank.get(token[at:])) for at in range(1, len(token))]
        parts = sorted((left, right) for left, right in cuts if left is not None and right is not None)
        merges += [(chars[left], chars[right]) for left, right in parts]
    return merges


def as_chars(token: bytes) -> str:
    """A byte string in the byte alphabet.

    >>> as_chars(b" a")
    'Ġa'
    """
    return "".join([BYTE_TO_CHAR[byte] for byte in token])
