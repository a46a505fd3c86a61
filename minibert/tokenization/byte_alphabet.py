"""The byte alphabet of GPT-2: every one of the 256 bytes gets one visible character.

Byte-level BPE works on bytes, but its vocabulary files hold strings, and a string that holds raw bytes such
as newline or 0xFF is hard to print and to store. GPT-2 therefore shows a byte that is already a visible
Latin-1 character as itself, and the other 68 bytes, in ascending order, as the characters from U+0100 on.
That is why a leading space looks like "Ġ" (U+0120 = 0x100 + 32) and a newline like "Ċ".
"""

_VISIBLE = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
_HIDDEN = [byte for byte in range(256) if byte not in _VISIBLE]

BYTE_TO_CHAR: dict[int, str] = {byte: chr(byte) for byte in _VISIBLE}
BYTE_TO_CHAR |= {byte: chr(0x100 + index) for index, byte in enumerate(_HIDDEN)}
CHAR_TO_BYTE: dict[str, int] = {char: byte for byte, char in BYTE_TO_CHAR.items()}


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
