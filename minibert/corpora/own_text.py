"""Text of one's own to pre-train on: a file, or a folder of files, read document by document.

    .txt       a sentence a line, an empty line between documents; the end of a file ends a document, too
    .jsonl     an object a line, whose `text` is a document; its lines are its sentences where sentences are wanted
    .parquet   a row a document, in the column `text`; read by pyarrow, where that is installed

The first two may end in .gz. A folder is read with the folders in it, in the order of the names. Only the document at
hand is in memory; a document of lines has at most `LONGEST` characters and one line.
"""

import gzip
import io
import random
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

from minibert.files import MARKS, json_objects, sha256

ENDINGS = (".txt", ".txt.gz", ".jsonl", ".jsonl.gz", ".parquet")
LONGEST = 1 << 20  # characters: a document of lines that goes on is cut at the next line; the rest is another one
SAMPLE = 20_000_000  # bytes of a corpus that a vocabulary is learned from
COMPRESSED = 4  # text is about so many times as large as a .gz or .parquet of it


class Place(NamedTuple):
    """Where reading stands: the number of the file, the documents read in it, and the bytes of all files until there.

    >>> Place(0, 2, 100).document
    2
    """

    file: int
    document: int
    bytes: int


class TextFiles:
    """The text files of a corpus, in order. `names` are relative to its folder, `left_out` are the other files there.

    `text_key` is the key or column of the text in .jsonl and .parquet; with `lines` its lines are the sentences of the
    document, else it is one text with its lines and spaces.

    Raises:
        ValueError: no such file, or a folder without text files.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = (Path(folder) / "a.txt").write_text("One. \\nTwo.\\n \\nThree.", encoding="utf-8")
    ...     [document for document, _ in TextFiles(folder).documents()]
    [['One.', 'Two.'], ['Three.']]
    """

    def __init__(self, path: str | Path, text_key: str = "text", lines: bool = True):
        self.path, self.text_key, self.lines = Path(path), text_key, lines
        if self.path.is_dir():
            found = (file for file in self.path.rglob("*") if file.is_file())
            inside = [file for file in found if not any(p[0] == "." for p in file.relative_to(self.path).parts)]
            self.files = sorted((file for file in inside if file.name.lower().endswith(ENDINGS)), key=self._name)
            self.left_out = sorted(map(self._name, set(inside) - set(self.files)))
            if not self.files:
                raise ValueError(
                    f"the folder {self.path} holds no text: expected files that end in {', '.join(ENDINGS)}"
                )
        elif self.path.suffix.lower() == ".json":
            raise ValueError(f"corpus {str(path)!r}: is it JSON lines, one object a line? Then name it .jsonl")
        elif self.path.is_file():
            self.files, self.left_out = [self.path], []
        else:
            raise ValueError(f"corpus {str(path)!r}: no such file or folder")
        self.sizes = [file.stat().st_size for file in self.files]
        self._checksums: dict[str, str] = {}

    @property
    def names(self) -> list[str]:
        """The files' names, relative to the folder."""
        return list(map(self._name, self.files))

    @property
    def bytes(self) -> int:
        """The size of all files."""
        return sum(self.sizes)

    def checksums(self) -> dict[str, str]:
        """The SHA-256 of each file, worked out once.

        >>> TextFiles(__file__).checksums().keys()
        dict_keys(['own_text.py'])
        """
        if not self._checksums:
            self._checksums = {self._name(file): sha256(file) for file in self.files}
        return self._checksums

    def documents(self, start: tuple[int, int] = (0, 0)) -> Iterator[tuple[list[str], Place]]:
        """Each document, a list of sentences, with the place behind it; `start` is the file and document of a place.

        The list is empty where a row of .jsonl or .parquet has no text.

        Raises:
            ValueError: bytes that are no UTF-8, a row that is no JSON or lacks the text, a damaged file; the message
                names the file and the line or row.

        >>> [place.document for _, place in TextFiles(__file__).documents()][:2]
        [1, 2]
        """
        before = sum(self.sizes[: start[0]])
        for number in range(start[0], len(self.files)):
            count = 0
            for document, position in self._read(self.files[number]):
                count += 1
                if (number, count) > start:
                    yield document, Place(number, count, before + position)
            before += self.sizes[number]

    def sample(self, size: int = SAMPLE) -> Iterator[list[str]]:
        """Documents of about `size` bytes from all over the corpus, or all of a smaller one: always the same ones.

        >>> sum(1 for _ in TextFiles(__file__).sample()) == sum(1 for _ in TextFiles(__file__).documents())
        True
        """
        packed = {".gz", ".parquet"}
        text = sum(
            n * (COMPRESSED if file.suffix in packed else 1) for n, file in zip(self.sizes, self.files, strict=True)
        )
        share, rng = size / max(text, 1), random.Random("sample")
        for document, _ in self.documents():
            if share >= 1 or rng.random() < share:
                yield document

    def _name(self, file: Path) -> str:
        return file.relative_to(self.path).as_posix() if file != self.path else file.name

    def _read(self, file: Path) -> Iterator[tuple[list[str], int]]:
        """The documents of one file, each with the bytes of the file read so far."""
        name = str(file)
        with file.open("rb") as raw:
            if file.suffix.lower() == ".parquet":
                for text, share in parquet_texts(raw, name, self.text_key):
                    yield self._split(text), int(share * file.stat().st_size)
                return
            packed = file.suffix.lower() == ".gz"
            lines = numbered_lines(gzip.GzipFile(fileobj=raw) if packed else raw, name)
            if file.name.lower().endswith((".jsonl", ".jsonl.gz")):
                documents = (self._split(text) for text in json_texts(lines, name, self.text_key))
            else:
                documents = line_documents(lines)
            for document in documents:
                yield document, raw.tell()

    def _split(self, text: str) -> list[str]:
        parts = text.split("\n") if self.lines else [text]
        return [part.strip() if self.lines else part for part in parts if part.strip()]


def read_text_file(file: Path) -> list[list[str]]:
    """All documents of a text file or a pipe: one sentence a line, an empty line between documents.

    It is UTF-8, or has a byte order mark that says otherwise. The file format is that of BERT's released code.

    Raises:
        ValueError: no such file, not UTF-8, or no text in it.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = (Path(folder) / "a.txt").write_text("One. \\nTwo.\\n \\nThree.", encoding="utf-8")
    ...     read_text_file(Path(folder) / "a.txt")
    [['One.', 'Two.'], ['Three.']]
    """
    if not (file.is_file() or file.is_fifo()):  # a pipe: --corpus <(zcat my.txt.gz)
        raise ValueError(f"corpus {str(file)!r}: no such text file")
    with file.open("rb") as stream:
        documents = list(line_documents(numbered_lines(stream, str(file))))
    if not documents:
        raise ValueError(f"{file} holds no text")
    return documents


def numbered_lines(stream: BinaryIO, name: str) -> Iterator[tuple[int, str]]:
    r"""The lines of a text file with their numbers from 1, without their ends, as `files.split_lines` cuts them.

    The stream is UTF-8, or has a byte order mark that says otherwise.

    Raises:
        ValueError: another encoding, zero bytes, or a damaged .gz; the message names the file and the line.

    >>> list(numbered_lines(io.BufferedReader(io.BytesIO("One\u2028still one.\r\nTwo.".encode())), "a.txt"))
    [(1, 'One\u2028still one.'), (2, 'Two.')]
    """
    number = 0
    try:
        start = stream.peek(4)[:4]
        marked = next((encoding for mark, encoding in MARKS if start.startswith(mark)), "utf-8")
        is_wide = not marked.startswith("utf-8")  # then a byte 10 may be half of something else
        for line in io.TextIOWrapper(stream, encoding=marked, newline="\n") if is_wide else stream:
            number += 1
            text = line if is_wide else line.decode("utf-8")
            if "\0" in text:
                raise ValueError(
                    f"{name}, line {number}, holds zero bytes: it is no text, or UTF-16 without a mark; save it as "
                    "UTF-8 first"
                )
            ended = text.endswith("\n")
            text = text.rstrip("\n")
            for part in text.split("\r") if number == 1 and not ended else [text]:  # a whole file of an old Mac
                yield number, part.rstrip("\r").removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        line = number + is_wide  # the line that was about to be cut off, or the one at hand
        called = marked.upper().removesuffix("-SIG")
        raise ValueError(f"{name}, line {line}, is not {called} (byte {error.start}): save it as UTF-8 first") from None
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise ValueError(f"{name}, after line {number}: a damaged .gz ({error}); fetch it again") from None


def line_documents(lines: Iterable[tuple[int, str]]) -> Iterator[list[str]]:
    """Documents from lines: each line that is not blank is a sentence, a blank one ends a document.

    One of more than `LONGEST` characters ends at the end of its line, and the next one goes on with it.

    >>> list(line_documents([(1, "One."), (2, " "), (3, "Two.")]))
    [['One.'], ['Two.']]
    """
    document: list[str] = []
    size = 0
    for _, line in lines:
        sentence = line.strip()
        if sentence:
            document.append(sentence)
            size += len(sentence)
        if document and (not sentence or size >= LONGEST):
            yield document
            document, size = [], 0
    if document:
        yield document


def json_texts(lines: Iterable[tuple[int, str]], name: str, key: str) -> Iterator[str]:
    """The text under `key` on each line.

    Raises:
        ValueError: as `json_objects`, and where the text is missing, no string or half of a surrogate pair.

    >>> list(json_texts([(1, '{"text": "One."}')], "a.jsonl", "text"))
    ['One.']
    """
    for number, fields in json_objects(lines, name):
        text = fields.get(key)
        if not isinstance(text, str):
            what = f"{key!r} is {text!r:.60}" if key in fields else f"no {key!r} among {', '.join(fields)[:200]!r}"
            raise ValueError(f"{name}, line {number}: {what}, expected a text; --text-key names another key")
        try:
            text.encode("utf-8")
        except UnicodeEncodeError:
            raise ValueError(
                f"{name}, line {number}: half of a surrogate pair in the text, which is no character"
            ) from None
        yield text


def parquet_texts(raw: BinaryIO, name: str, column: str) -> Iterator[tuple[str, float]]:
    """The text in each row of a Parquet file, with the share of the rows read so far.

    Raises:
        ValueError: pyarrow is not installed, a damaged file, no such column, or a row without a text.

    >>> next(parquet_texts(io.BytesIO(b""), "a.parquet", "text"))
    Traceback (most recent call last):
    ...
    ValueError: a.parquet...
    """
    try:
        from pyarrow import ArrowException, parquet
    except ImportError:
        raise ValueError(
            f"{name}: Parquet is read by pyarrow, which is not installed: `pip install pyarrow`, or save it as .jsonl"
        ) from None
    row = 0
    try:
        table = parquet.ParquetFile(raw)
        if column not in table.schema_arrow.names:
            names = ", ".join(table.schema_arrow.names)
            raise ValueError(f"{name}: no column {column!r} among {names:.200}; --text-key names another one")
        for batch in table.iter_batches(batch_size=256, columns=[column]):
            for text in batch.column(0).to_pylist():
                row += 1
                if not isinstance(text, str):
                    raise ValueError(f"{name}, row {row}: {column!r} is {text!r:.60}, expected a text")
                yield text, row / table.metadata.num_rows
    except ArrowException as error:
        raise ValueError(f"{name}, after row {row}: a damaged Parquet file ({error}); fetch it again") from None
