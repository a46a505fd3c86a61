"""Files that are written whole or not at all, and text files as others write them: byte order marks, line ends."""

import codecs
import hashlib
import json
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

MARKS = (  # UTF-32 first: its mark begins with that of UTF-16
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


@contextmanager
def replacing(file: str | Path) -> Iterator[Path]:
    """A temporary path beside `file` to write to; when the block ends, what stands there replaces `file`.

    The new file is on the disk before it takes the old one's place, so that neither a kill nor a power cut leaves half
    of it. When the block raises, the old file stays and the temporary one goes.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with replacing(Path(folder) / "a.bin") as staged:
    ...         _ = staged.write_bytes(b"new")
    ...     [path.name for path in Path(folder).iterdir()]
    ['a.bin']
    """
    file = Path(file)
    staged = file.with_name(file.name + ".tmp")
    try:
        staged.write_bytes(b"")
        mode = staged.stat().st_mode  # what the umask gives to any new file; some writers leave it to its owner alone
        yield staged
        staged.chmod(mode)
        with staged.open("rb+") as handle:
            os.fsync(handle.fileno())
        os.replace(staged, file)
    finally:
        staged.unlink(missing_ok=True)


def write_text(file: str | Path, text: str) -> None:
    """Write a text file in one step, as UTF-8 with the newlines as they are: the old file or the whole new one.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_text(Path(folder) / "a.txt", "caf\u00e9\\n")
    ...     (Path(folder) / "a.txt").read_bytes()
    b'caf\\xc3\\xa9\\n'
    """
    with replacing(file) as staged:
        staged.write_text(text, encoding="utf-8", newline="\n")


def decode(data: bytes, name: str, encoding: str = "utf-8") -> str:
    r"""The text in the bytes of `name`: in `encoding`, unless a byte order mark at the front says another one.

    The mark itself is no text. PowerShell and Notepad write it, and UTF-16 with it.

    Raises:
        ValueError: the bytes are not in that encoding, or hold zero bytes, as UTF-16 without a mark does.

    >>> decode(b"\xef\xbb\xbfcaf\xc3\xa9", "a.txt"), decode("caf\u00e9".encode("utf-16"), "a.txt")
    ('café', 'café')
    """
    for mark, marked in MARKS:
        if data.startswith(mark):
            encoding = marked
            break
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        called = encoding.upper().removesuffix("-SIG")
        raise ValueError(f"{name} is not {called} (byte {error.start}): save it as UTF-8 first") from None
    if "\0" in text:
        raise ValueError(f"{name} holds zero bytes: it is no text, or UTF-16 without a mark; save it as UTF-8 first")
    return text


def sha256(file: str | Path) -> str:
    """The SHA-256 of a file, in hexadecimal digits; the file is never in memory as a whole.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = (Path(folder) / "a.txt").write_bytes(b"abc")
    ...     sha256(Path(folder) / "a.txt")[:8]
    'ba7816bf'
    """
    with Path(file).open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def read_text(file: str | Path) -> str:
    """A text file's text, see `decode`; its line ends are left as they are.

    Raises:
        ValueError: it is neither UTF-8 nor has a byte order mark of what it is.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = (Path(folder) / "a.txt").write_bytes(b"\\xef\\xbb\\xbfa")
    ...     read_text(Path(folder) / "a.txt")
    'a'
    """
    return decode(Path(file).read_bytes(), str(file))


def split_lines(text: str) -> list[str]:
    r"""The lines of a text, without their ends.

    A line ends at "\n" or "\r\n"; where there is no "\n" at all, at "\r", as on old Macs. `str.splitlines` also cuts at
    form feeds, U+0085, U+2028 and others, which stand inside sentences. A byte order mark at the front of a line, left
    there when files were joined, is no text.

    >>> split_lines("One\u2028still one.\r\n\ufeffTwo.\n")
    ['One\u2028still one.', 'Two.']
    """
    if "\n" not in text:
        text = text.replace("\r", "\n")
    lines = [line.rstrip("\r").removeprefix("\ufeff") for line in text.split("\n")]
    return lines if lines[-1] else lines[:-1]


def json_objects(lines: Iterable[tuple[int, str]], name: str) -> Iterator[tuple[int, dict]]:
    """The object on each line that is not blank, with the line's number.

    Raises:
        ValueError: a line that is no JSON object; the message names the file and the line.

    >>> list(json_objects([(1, '{"a": 1}'), (2, "")], "a.jsonl"))
    [(1, {'a': 1})]
    """
    for number, line in lines:
        if not line.strip():
            continue
        try:
            fields = json.loads(line)
        except ValueError as error:
            raise ValueError(f"{name}, line {number}: no JSON ({error}); expected one object a line") from None
        if not isinstance(fields, dict):
            raise ValueError(f"{name}, line {number}: a {type(fields).__name__}, expected an object")
        yield number, fields


def json_lines(file: str | Path) -> Iterator[tuple[int, dict]]:
    """The `json_objects` of a file.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_text(Path(folder) / "a.jsonl", '{"text": "One."}\\n\\n{"text": "Two."}\\n')
    ...     list(json_lines(Path(folder) / "a.jsonl"))
    [(1, {'text': 'One.'}), (3, {'text': 'Two.'})]
    """
    return json_objects(enumerate(split_lines(read_text(file)), start=1), str(file))
