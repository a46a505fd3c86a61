"""Unicode's decomposed and composed forms, with a record of which character came from which.

The functions carry (character, change) pairs. change 0: stands for one source character; +1: inserted after it;
-n: swallowed n source characters that followed. This is the library's bookkeeping, and it is what decides which
original character a composed or re-ordered one is said to come from.

Source: Unicode Standard Annex 15 (normalisation forms), and chapter 3.11 of the standard (canonical ordering).
"""

import unicodedata


def decompose(text: str) -> list[tuple[str, int]]:
    """NFD with changes: every character taken apart, then neighbouring marks sorted by combining class.

    >>> [(ord(char), change) for char, change in decompose("é")]
    [(101, 0), (769, 1)]
    """
    pairs: list[tuple[str, int]] = []
    marks: list[tuple[str, int]] = []
    for char in text:
        for index, part in enumerate(unicodedata.normalize("NFD", char)):
            if unicodedata.combining(part):
                marks.append((part, int(index > 0)))
                continue
            pairs += sorted(marks, key=lambda pair: unicodedata.combining(pair[0]))  # stable, as Unicode asks
            marks = []
            pairs.append((part, int(index > 0)))
    return pairs + sorted(marks, key=lambda pair: unicodedata.combining(pair[0]))


def compose(pairs: list[tuple[str, int]]) -> list[tuple[str, int]]:
    """Put a letter and the marks after it back together wherever Unicode has one character for both.

    >>> compose([("e", 0), ("\u0301", 0)])
    [('é', -1)]
    """
    out: list[tuple[str, int]] = []
    starter, last_class = None, None  # the letter that may still grow; the class of the last mark that stayed
    for char, change in pairs:
        klass = unicodedata.combining(char)
        if starter is not None and (last_class is None or last_class < klass):
            base, base_change = out[starter]
            both = unicodedata.normalize("NFC", base + char)
            if len(both) == 1:
                out[starter] = (both, base_change + change - 1)
                continue
        if klass == 0:
            starter, last_class = len(out), None
        else:
            last_class = klass
        out.append((char, change))
    return out


def origins(pairs: list[tuple[str, int]]) -> list[int]:
    """The source index of every character of a list of (character, change).

    >>> origins([("é", -1), ("a", 0), ("b", 1)])
    [0, 2, 2]
    """
    found, taken = [], 0
    for _, change in pairs:
        if change > 0:
            found.append(max(taken - 1, 0))
        else:
            found.append(taken)
            taken += 1 - change
    return found
