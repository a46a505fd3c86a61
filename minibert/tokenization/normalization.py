"""Normalisers that remember where every character came from.

A normaliser turns the reader's text into the text the model sees. `normalize` returns the new string only;
`align` also returns, for every new character, the index of the ORIGINAL character it came from, so that a
token can be shown, and an answer cut out, in the text the reader typed.

`BertNormalizer` follows the rules of the files on the hub, that is of the `tokenizers` library, because those
files are what we load. It differs from the Python script Google released (google-research/bert, tokenization.py)
in these points, and in no others (tests/test_tokenization_normalization.py sweeps the code points):

1. private-use characters (category Co) are dropped here; Google's script keeps them (usually as [UNK]);
2. U+2B820 to U+2B91F are Chinese characters that Google's script puts spaces around; the library's table
   starts at U+2B920, so here they are not;
3. lower-casing works character by character, so a Greek capital sigma becomes "σ" also at the end of a word,
   where Python's `str.lower`, which looks at the whole word, writes "ς";
4. characters that are newer than the library's Unicode tables (or than Python's): punctuation (P*), marks (Mn)
   and format characters (Cf) that one side knows and the other takes for ordinary unassigned ones.
   Here Python's tables decide, so point 4 is also the only difference to the library itself.
"""

import unicodedata
from collections.abc import Sequence

_CHINESE = (
    (0x4E00, 0x9FFF),
    (0x3400, 0x4DBF),
    (0x20000, 0x2A6DF),
    (0x2A700, 0x2B73F),
    (0x2B740, 0x2B81F),
    (0x2B920, 0x2CEAF),
    (0xF900, 0xFAFF),
    (0x2F800, 0x2FA1F),
)


def check_text(text: str) -> None:
    """Check that `text` is a string that UTF-8 can hold.

    Raises:
        ValueError: another type, or half of a surrogate pair in it.

    >>> check_text("fine")
    """
    if not isinstance(text, str):
        raise ValueError(f"expected a text (str), got {kind_of(text)}")
    if not text.isascii():
        try:
            text.encode("utf-8")
        except UnicodeEncodeError as error:
            raise ValueError(
                f"the text holds half of a surrogate pair at character {error.start}, which is not valid Unicode; "
                "read the source with the right encoding, or text.encode('utf-8', 'replace').decode('utf-8')"
            ) from error


def kind_of(value: object) -> str:
    """What a value is that should have been a text, and what to do about it; for messages.

    >>> kind_of(None)
    'NoneType: None, a missing value; leave it out or put "" in its place'
    """
    shown = f"{value!r:.80}"
    hint = ""
    if value is None or shown in ("nan", "<NA>", "NaT"):  # what tables hold in an empty cell
        hint = ', a missing value; leave it out or put "" in its place'
    elif isinstance(value, bytes | bytearray):
        hint = '; decode it first, as a rule with .decode("utf-8")'
    elif isinstance(value, list | tuple):
        hint = "; texts are encoded in a list with encode_batch, words are joined first"
    return f"{type(value).__name__}: {shown}{hint}"


def is_chinese(char: str) -> bool:
    """True for the CJK ideographs that BERT makes words of their own (no kana, no Hangul).

    Source: Devlin et al. 2019, released code (BasicTokenizer), but for point 2 above.

    >>> [is_chinese(char) for char in "漢あ한a"]
    [True, False, False, False]
    """
    return any(low <= ord(char) <= high for low, high in _CHINESE)


class NoNormalizer:
    """Leaves the text alone.

    >>> NoNormalizer().align("Né")
    ('Né', range(0, 2))
    """

    def normalize(self, text: str) -> str:
        """The text itself.

        >>> NoNormalizer().normalize("Né")
        'Né'
        """
        return text

    def align(self, text: str) -> tuple[str, Sequence[int]]:
        """The text itself, and for character i the origin i.

        >>> list(NoNormalizer().align("abc")[1])
        [0, 1, 2]
        """
        return text, range(len(text))


class NFCNormalizer:
    """Unicode's composed form (ModernBERT's normaliser): "e" + combining acute becomes "é".

    Source: Unicode Standard Annex 15.

    >>> NFCNormalizer().normalize("cafe\\u0301") == "café"
    True
    """

    def normalize(self, text: str) -> str:
        """The composed text.

        >>> len(NFCNormalizer().normalize("e\\u0301"))
        1
        """
        return unicodedata.normalize("NFC", text)

    def align(self, text: str) -> tuple[str, Sequence[int]]:
        """The composed text and the origin of every character; a composed one counts as its base letter.

        >>> NFCNormalizer().align("e\\u0301a")
        ('éa', [0, 2])
        """
        if unicodedata.is_normalized("NFC", text):
            return text, range(len(text))
        pairs = compose(decompose(text))
        return "".join([char for char, _ in pairs]), origins(pairs)


class BertNormalizer:
    """BERT's text cleaning: drop control characters, space out Chinese, strip accents, lower-case.

    `strip_accents=None` means "when lower-casing", which is BERT's rule: cased models keep their accents.
    The module's docstring lists the differences to Google's script.

    Source: Devlin et al. 2019, released code; the `tokenizers` library's normaliser of the same name.

    >>> BertNormalizer().normalize("Crème\\tBRÛLÉE 漢")
    'creme brulee  漢 '
    >>> BertNormalizer(lowercase=False).normalize("Crème")
    'Crème'
    """

    def __init__(
        self,
        clean_text: bool = True,
        handle_chinese_chars: bool = True,
        strip_accents: bool | None = None,
        lowercase: bool = True,
    ):
        self.clean_text, self.handle_chinese_chars = clean_text, handle_chinese_chars
        self.strip_accents, self.lowercase = strip_accents, lowercase
        self._strips = lowercase if strip_accents is None else strip_accents
        self._table = _Table(self._one)

    def normalize(self, text: str) -> str:
        """The cleaned text.

        >>> BertNormalizer().normalize("Ünïcode\\u200b!")
        'unicode!'
        """
        normal = text.translate(self._table)
        return self._align_by_steps(text)[0] if self._needs_steps(normal) else normal

    def align(self, text: str) -> tuple[str, Sequence[int]]:
        """The cleaned text and, for every character of it, the index of the original one.

        >>> BertNormalizer().align("É\\u0000漢")
        ('e 漢 ', [0, 2, 2, 2])
        """
        parts = [self._table[ord(char)] for char in text]
        normal = "".join(parts)
        if self._needs_steps(normal):
            return self._align_by_steps(text)
        if len(normal) == len(text) and "" not in parts:
            return normal, range(len(text))
        return normal, [index for index, part in enumerate(parts) for _ in part]

    def _one(self, char: str) -> str:
        """What becomes of one character on its own."""
        return self._lower(self._strip(self._clean(char)))

    def _clean(self, char: str) -> str:
        if self.clean_text:
            category = unicodedata.category(char)
            if char in "\t\n\r" or category in ("Zs", "Zl", "Zp"):
                return " "
            if char == "\ufffd" or category in ("Cc", "Cf", "Co"):
                return ""
        return f" {char} " if self.handle_chinese_chars and is_chinese(char) else char

    def _strip(self, text: str) -> str:
        if not self._strips:
            return text
        return "".join([c for c in unicodedata.normalize("NFD", text) if unicodedata.category(c) != "Mn"])

    def _lower(self, text: str) -> str:
        return "".join([char.lower() for char in text]) if self.lowercase else text

    def _needs_steps(self, normal: str) -> bool:
        # NFD also sorts marks that follow one another. Almost all marks are stripped (Mn); the two dozen that
        # are not (Mc with a combining class, e.g. the musical stems) make one character depend on the next.
        return self._strips and not normal.isascii() and any(map(unicodedata.combining, normal))

    def _align_by_steps(self, text: str) -> tuple[str, list[int]]:
        """The same normalisation over the whole text, step by step: the specification."""
        cleaned = [(out, index) for index, char in enumerate(text) for out in self._clean(char)]
        pairs = decompose("".join([char for char, _ in cleaned]))
        stripped = [
            (char, cleaned[origin][1])
            for (char, _), origin in zip(pairs, origins(pairs), strict=True)
            if unicodedata.category(char) != "Mn"
        ]
        lowered = [(out, origin) for char, origin in stripped for out in self._lower(char)]
        return "".join([char for char, _ in lowered]), [origin for _, origin in lowered]


class _Table(dict):
    """code point -> replacement, worked out the first time a character is met."""

    def __init__(self, one):
        super().__init__()
        self._one = one

    def __missing__(self, code: int) -> str:
        self[code] = value = self._one(chr(code))
        return value


# Unicode's decomposed and composed forms, with a record of which character came from which.
#
# The functions carry (character, change) pairs. change 0: stands for one source character; +1: inserted after it;
# -n: swallowed n source characters that followed. This is the library's bookkeeping, and it is what decides which
# original character a composed or re-ordered one is said to come from.
#
# Source: Unicode Standard Annex 15 (normalisation forms), and chapter 3.11 of the standard (canonical ordering).


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
