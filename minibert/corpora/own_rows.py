"""Labelled rows of one's own: a CSV file with a header, or JSON lines with the same names.

    LabelledText    text, label
    LabelledPair    first, second, label
    SpanQuestion    question, context, answer; and start, its first character, where it is not the first occurrence
    TaggedTokens    tokens, tags: lists of words, or words with spaces between them

Other columns are left alone.
"""

import csv
import io
from collections.abc import Iterator
from pathlib import Path

from minibert.corpora.rows import LabelledPair, LabelledText, SpanQuestion, TaggedTokens
from minibert.files import json_lines, read_text

COLUMNS = {
    LabelledText: ("text", "label"),
    LabelledPair: ("first", "second", "label"),
    SpanQuestion: ("question", "context", "answer"),
    TaggedTokens: ("tokens", "tags"),
}
Row = LabelledText | LabelledPair | SpanQuestion | TaggedTokens


def read_rows(file: str | Path, kind: type[Row]) -> list[Row]:
    """The rows of a file whose name ends in .csv, .tsv, .jsonl or .json (one object a line).

    Raises:
        ValueError: no such file, another ending, no rows, or a row that lacks something or contradicts itself; the
            message names the file and the line.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = (Path(folder) / "a.csv").write_text('text,label\\n"good, very",yes\\n', encoding="utf-8")
    ...     read_rows(Path(folder) / "a.csv", LabelledText)
    [LabelledText(text='good, very', label='yes')]
    """
    file = Path(file)
    endings, ending = (".csv", ".tsv", ".jsonl", ".json"), file.suffix.lower()
    if not file.is_file():
        raise ValueError(f"{file}: no such file; expected one with {' and '.join(COLUMNS[kind])}")
    if ending not in endings:
        raise ValueError(f"{file}: its name must end in {', '.join(endings)}, so that it is clear how to read it")
    rows = []
    for line, fields in json_lines(file) if "json" in ending else _csv(file, COLUMNS[kind]):
        try:
            rows.append(_row(kind, fields))
        except ValueError as error:
            raise ValueError(f"{file}, line {line}: {error}") from None
    if not rows:
        raise ValueError(f"{file} has no rows; expected {', '.join(COLUMNS[kind])} in each")
    return rows


def _csv(file: Path, columns: tuple[str, ...]) -> Iterator[tuple[int, dict]]:
    """Each row with the number of the line where it ends; a text in quotes may hold line ends."""
    # The longest field may be as long as the file; the default of csv, 131,072 characters, is no limit of ours.
    text = read_text(file)
    csv.field_size_limit(max(len(text), csv.field_size_limit()))
    reader = csv.DictReader(io.StringIO(text, newline=""), dialect="excel-tab" if file.suffix == ".tsv" else "excel")
    missing = [name for name in columns if name not in (reader.fieldnames or ())]
    if missing:
        found = ", ".join(reader.fieldnames or ()) or "nothing"
        raise ValueError(f"{file}: its first line must name the columns {', '.join(columns)}; it names {found:.200}")
    try:
        for fields in reader:
            if None in fields:  # where DictReader puts what is too much
                raise ValueError(
                    f"{file}, line {reader.line_num}: more fields than columns; put a text with a comma in quotes"
                )
            yield reader.line_num, fields
    except csv.Error as error:
        raise ValueError(f"{file}, line {reader.line_num}: {error}") from None


def _row(kind: type[Row], fields: dict) -> Row:
    if kind is TaggedTokens:
        return _tagged(*(_words(name, fields.get(name)) for name in COLUMNS[kind]))
    texts = {name: _text(name, fields.get(name)) for name in COLUMNS[kind]}
    if kind is SpanQuestion:
        return _question(**texts, start=fields.get("start"))
    return kind(**texts)


def _text(name: str, value) -> str:
    if name == "label" and isinstance(value, int):  # true, false, 0, 1, 2 in JSON
        value = str(value).lower()
    if not isinstance(value, str):
        raise ValueError(f"{name} is {'missing' if value is None else repr(value)[:60]}, expected a text")
    if not value.strip():
        raise ValueError(f"{name} is empty")
    return value


def _words(name: str, value) -> tuple[str, ...]:
    words = value.split() if isinstance(value, str) else value
    if not isinstance(words, list) or not all(isinstance(word, str) and word.split() == [word] for word in words):
        raise ValueError(f"{name} is {value!r:.60}, expected a list of words without spaces, or one text of them")
    if not words:
        raise ValueError(f"{name} is empty")
    return tuple(words)


def _tagged(tokens: tuple[str, ...], tags: tuple[str, ...]) -> TaggedTokens:
    if len(tokens) != len(tags):
        raise ValueError(f"{len(tokens)} tokens and {len(tags)} tags, expected a tag for each token")
    for tag in tags:
        if tag != "O" and (tag[:2] not in ("B-", "I-") or len(tag) < 3):
            raise ValueError(f"the tag {tag!r}: expected O, B- and a name, or I- and a name")
    return TaggedTokens(tokens, tags)


def _question(question: str, context: str, answer: str, start) -> SpanQuestion:
    if start in (None, ""):
        start = context.find(answer)
        if start < 0:
            raise ValueError(f"the answer {answer!r:.60} does not stand in the context, letter by letter")
    try:
        start = int(start)
    except (TypeError, ValueError):
        raise ValueError(f"start is {start!r:.60}, expected the number of the answer's first character") from None
    if start < 0 or context[start : start + len(answer)] != answer:
        raise ValueError(f"the context has {context[max(start, 0) :][:20]!r} at character {start}, not the answer")
    return SpanQuestion("", context, question, answer, start)
