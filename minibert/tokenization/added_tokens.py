"""Added tokens: strings that are never split, such as [MASK], found in the text before any word is cut."""

import re
from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class AddedToken:
    """One never-split token.

    special: left out by `decode(skip_special_tokens=True)`. lstrip, rstrip: swallow the white space on that side
    (ModernBERT's [MASK] swallows the space before it). single_word: only where no letter or digit touches it.
    normalized: look for it in the normalised text, not in the original.

    >>> AddedToken(4, "[MASK]", lstrip=True).special
    True
    """

    id: int
    content: str
    single_word: bool = False
    lstrip: bool = False
    rstrip: bool = False
    normalized: bool = False
    special: bool = True


class TokenFinder:
    """Finds added tokens in a text: leftmost first, and of those that start there the longest.

    >>> finder = TokenFinder({"[MASK]": AddedToken(4, "[MASK]")})
    >>> list(finder.split("a [MASK]."))
    [(None, 0, 2), (4, 2, 8), (None, 8, 9)]
    """

    def __init__(self, tokens: dict[str, AddedToken]):
        self.tokens = tokens
        longest_first = sorted((form for form in tokens if form), key=len, reverse=True)
        self._pattern = re.compile("|".join(map(re.escape, longest_first))) if longest_first else None

    def __bool__(self) -> bool:
        return self._pattern is not None

    def split(self, text: str) -> Iterator[tuple[int | None, int, int]]:
        """Cut a text into (id, start, stop); id is None for the ordinary text in between. No empty pieces.

        >>> list(TokenFinder({}).split("abc"))
        [(None, 0, 3)]
        """
        done = 0
        for match in self._pattern.finditer(text) if self._pattern else ():
            token = self.tokens[match.group()]
            start, stop = match.span()
            if token.single_word and (_is_word(text[start - 1 : start]) or _is_word(text[stop : stop + 1])):
                continue
            if token.lstrip:
                while start > done and _is_space(text[start - 1]):
                    start -= 1
            if token.rstrip:
                while stop < len(text) and _is_space(text[stop]):
                    stop += 1
            if start > done:
                yield None, done, start
            yield token.id, start, stop
            done = stop
        if done < len(text):
            yield None, done, len(text)


def _is_word(char: str) -> bool:
    return char != "" and re.match(r"\w", char) is not None


def _is_space(char: str) -> bool:
    # str.isspace also counts the four separators U+001C to U+001F, which Unicode does not call white space.
    return char.isspace() and not "\x1c" <= char <= "\x1f"
