"""WordPiece tokens back to text. Not exact: where there was white space is a guess."""

from collections.abc import Iterable

_CLEAN_UP = (
    (" .", "."),
    (" ?", "?"),
    (" !", "!"),
    (" ,", ","),
    (" ' ", "'"),
    (" n't", "n't"),
    (" 'm", "'m"),
    (" do not", " don't"),
    (" 's", "'s"),
    (" 've", "'ve"),
    (" 're", "'re"),
)


def join_pieces(tokens: Iterable[str], prefix: str = "##", cleanup: bool = True) -> str:
    """Spaces between words, none before "##"; `cleanup` also closes the gaps before . ? ! , and in n't, 's.

    >>> join_pieces(["the", "cat", "##s", "."])
    'the cats.'
    """
    parts = []
    for index, token in enumerate(tokens):
        if index:
            token = token.removeprefix(prefix) if token.startswith(prefix) else " " + token
        parts.append(_clean_up(token) if cleanup else token)
    return "".join(parts)


def _clean_up(text: str) -> str:
    for old, new in _CLEAN_UP:
        text = text.replace(old, new)
    return text
