r"""Cutting text into words before the sub-word model runs; a token never crosses a word boundary.

Three rules, one per family. BERT: white space separates and disappears, every punctuation mark is a word.
GPT-2 (and ModernBERT): a word keeps the ONE space before it, contractions are cut off, runs of letters, of
digits and of signs are words. Llama-3 (and EuroBERT): the same idea, but digits in groups of at most three,
line breaks kept together, contractions in any case, and one sign may lead a word ("(the").

The two patterns are written exactly as the model files write them, and compiled by the `regex` module because
Python's `re` does not know \p{L} (letters) and \p{N} (numbers).

The byte alphabet of GPT-2: every one of the 256 bytes gets one visible character.

Byte-level BPE works on bytes, but its vocabulary files hold strings, and a string that holds raw bytes such
as newline or 0xFF is hard to print and to store. GPT-2 therefore shows a byte that is already a visible
Latin-1 character as itself, and the other 68 bytes, in ascending order, as the characters from U+0100 on.
That is why a leading space looks like "Ġ" (U+0120 = 0x100 + 32) and a newline like "Ċ".
"""

import regex

# $ + < = > ^ ` | ~ are symbols to Unicode and punctuation to BERT.
_BERT = regex.compile(r"[\p{P}$+<=>^`|~]|[^\s\p{P}$+<=>^`|~]+")

GPT2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
LLAMA3 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
PATTERNS = {"gpt2": GPT2, "llama3": LLAMA3}
_COMPILED = {name: regex.compile(pattern) for name, pattern in PATTERNS.items()}

_VISIBLE = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
_HIDDEN = [byte for byte in range(256) if byte not in _VISIBLE]

BYTE_TO_CHAR: dict[int, str] = {byte: chr(byte) for byte in _VISIBLE}
BYTE_TO_CHAR |= {byte: chr(0x100 + index) for index, byte in enumerate(_HIDDEN)}
CHAR_TO_BYTE: dict[str, int] = {char: byte for byte, char in BYTE_TO_CHAR.items()}


def bert_spans(text: str) -> list[tuple[int, int]]:
    """(start, stop) of BERT's words in a normalised text.

    Source: Devlin et al. 2019, released code (BasicTokenizer).

    >>> [("it's $5.00")[a:b] for a, b in bert_spans("it's $5.00")]
    ['it', "'", 's', '$', '5', '.', '00']
    """
    return [match.span() for match in _BERT.finditer(text)]


def bert_words(text: str) -> list[str]:
    """BERT's words of a normalised text.

    Source: Devlin et al. 2019, released code (BasicTokenizer).

    >>> bert_words("a well-known fact.")
    ['a', 'well', '-', 'known', 'fact', '.']
    """
    return _BERT.findall(text)


def check_pattern(pattern: str) -> str:
    """The pattern's name, if there is such a one.

    Raises:
        ValueError: there is not; the message lists those there are.

    >>> check_pattern("gpt2")
    'gpt2'
    """
    if pattern not in PATTERNS:
        raise ValueError(f"unknown pre-tokenisation pattern {pattern!r}; choose one of {', '.join(PATTERNS)}")
    return pattern


def byte_level_words(text: str, pattern: str) -> list[str]:
    """The words of a text under "gpt2" or "llama3"; joined they are the text again.

    Source: Radford et al. 2019, released code ("gpt2"); Dubey et al. 2024, released tokenizer ("llama3").

    >>> byte_level_words("It's 12345 now", "gpt2")
    ['It', "'s", ' 12345', ' now']
    >>> byte_level_words("It's 12345 now", "llama3")
    ['It', "'s", ' ', '123', '45', ' now']
    """
    return _COMPILED[pattern].findall(text)


def to_byte_chars(text: str) -> str:
    """The UTF-8 bytes of a text, one character of the byte alphabet per byte.

    Source: Radford et al. 2019, section 2.2 and its released vocabulary.

    >>> to_byte_chars(" né")
    'ĠnÃ©'
    """
    return "".join([BYTE_TO_CHAR[byte] for byte in text.encode("utf-8")])


def from_byte_chars(token: str) -> bytes:
    """The bytes behind a token; a token with any other character (an added token) gives its own UTF-8.

    Source: Radford et al. 2019, section 2.2 and its released vocabulary.

    >>> from_byte_chars("ĠnÃ©").decode("utf-8")
    ' né'
    """
    try:
        return bytes([CHAR_TO_BYTE[char] for char in token])
    except KeyError:
        return token.encode("utf-8")
