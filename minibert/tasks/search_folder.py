"""A search index on disk: a folder with the texts, their vectors, and what made them.

`texts.jsonl` holds one row a line, `vectors.safetensors` its vectors in the same order, float32. `index.json` is
written last: it says what made the vectors and holds checksums of both files, so that a half-written or mixed folder is
refused.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from minibert.checkpoints.folder import load_tensors, read_json, save_tensors
from minibert.files import json_lines, read_text, split_lines, write_text
from minibert.tasks.retrieval import Index

TEXTS, VECTORS, ABOUT = "texts.jsonl", "vectors.safetensors", "index.json"


@dataclass(frozen=True)
class SavedIndex:
    """What a folder held: the rows, an `Index` whose names are their numbers, and the settings that made it.

    Shape: vectors (T, D) float32, as they were saved.

    >>> import torch
    >>> SavedIndex([{"text": "east"}], torch.eye(1), {"model": "minilm"}).search(torch.ones(1, 1), 1)
    [[({'text': 'east'}, 1.0)]]
    """

    rows: Sequence[Mapping]
    vectors: Tensor
    made_with: Mapping[str, str]

    def search(self, queries: Tensor, count: int = 10) -> list[list[tuple[Mapping, float]]]:
        """For each query the rows with the highest cosine, best first. Shape: (Q, D) -> Q lists of (row, cosine).

        Raises:
            ValueError: as for `Index.search`.
        """
        found = Index(self.vectors).search(queries, count)
        return [[(self.rows[number], cosine) for number, cosine in each] for each in found]


def read_rows(file: str | Path, field: str = "text") -> list[dict]:
    r"""The texts of a file: one a line, or, where the name ends in .jsonl, one JSON object a line with the text in it.

    Blank lines are no texts. A JSON object keeps its other fields; its text stands in `field` and is called "text"
    afterwards.

    Raises:
        ValueError: there is no text, or a line that is no JSON object or has no text; the message names the line.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_text(Path(folder) / "a.txt", "One.\n\nTwo.\n")
    ...     read_rows(Path(folder) / "a.txt")
    [{'text': 'One.'}, {'text': 'Two.'}]
    """
    file = Path(file)
    if file.suffix.lower() in (".jsonl", ".ndjson"):
        rows = [_with_text(row, f"{file}, line {number}", field) for number, row in json_lines(file)]
    else:
        rows = [{"text": line.strip()} for line in split_lines(read_text(file)) if line.strip()]
    if not rows:
        raise ValueError(f"{file} holds no text: expected one on each line")
    return rows


def _with_text(row: dict, where: str, field: str) -> dict:
    text = row.get(field)
    if not isinstance(text, str) or not text.strip():
        there = ", ".join(map(repr, row)) or "none"
        raise ValueError(f"{where} has no text in {field!r}: fields there are {there}; --field says which one to take")
    return {"text": text.strip()} | {name: value for name, value in row.items() if name not in (field, "text")}


def save_index(folder: str | Path, rows: Sequence[Mapping], vectors: Tensor, made_with: Mapping[str, str]) -> None:
    """Write an index; one that is there already is replaced. `made_with` is read back by `open_index`.

    Raises:
        ValueError: other numbers of rows and vectors, no text in a row, what JSON or UTF-8 cannot hold, or a folder
            with other files in it.

    >>> import tempfile, torch
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save_index(Path(folder) / "index", [{"text": "east"}], torch.eye(1), {"model": "minilm"})
    ...     open_index(Path(folder) / "index").rows
    [{'text': 'east'}]
    """
    folder = check_target(folder)
    if vectors.dim() != 2 or len(vectors) != len(rows) or not len(rows):
        raise ValueError(f"{len(rows)} rows and vectors {tuple(vectors.shape)}: expected a vector (D,) for each row")
    lines = []
    for number, row in enumerate(rows):
        try:
            line = json.dumps(dict(row), ensure_ascii=False, allow_nan=False)
            line.encode("utf-8")
        except (TypeError, ValueError) as error:
            raise ValueError(f"row {number} cannot be written as JSON: {error}") from None
        if not isinstance(row.get("text"), str):
            raise ValueError(f"row {number} has no 'text': {line:.60}")
        lines.append(line + "\n")
    folder.mkdir(parents=True, exist_ok=True)
    write_text(folder / TEXTS, "".join(lines))
    save_tensors({"vectors": vectors.float().cpu().contiguous()}, folder / VECTORS)
    about = {"made_with": dict(made_with), "sha256": _checksums(folder)}
    write_text(folder / ABOUT, json.dumps(about, indent=2, sort_keys=True) + "\n")


def open_index(folder: str | Path) -> SavedIndex:
    """Read an index that `save_index` wrote.

    Raises:
        ValueError: there is none, or its files do not belong together.

    >>> open_index("nowhere")
    Traceback (most recent call last):
    ...
    ValueError: nowhere holds no search index: --build FILE makes one there
    """
    folder = Path(folder)
    if not (folder / ABOUT).is_file():
        raise ValueError(f"{folder} holds no search index: --build FILE makes one there")
    about = read_json(folder / ABOUT)
    if not all((folder / name).is_file() for name in (TEXTS, VECTORS)) or about.get("sha256") != _checksums(folder):
        raise ValueError(f"{folder}: its files do not belong together, or one is damaged; build the index again")
    rows = [row for _, row in json_lines(folder / TEXTS)]
    return SavedIndex(rows, load_tensors(folder / VECTORS)["vectors"], about["made_with"])


def check_target(folder: str | Path) -> Path:
    """The folder as a path, if an index may be written there: new, empty, or an index already.

    Raises:
        ValueError: it is a file, or holds something else.

    >>> check_target("new-index").name
    'new-index'
    """
    folder = Path(folder)
    if folder.is_file():
        raise ValueError(f"{folder} is a file; an index is a folder: choose another name")
    there = sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []
    if other := [name for name in there if name.removesuffix(".tmp") not in (TEXTS, VECTORS, ABOUT)]:
        raise ValueError(f"{folder} holds {other[0]!r}, which is no part of an index: choose another folder")
    return folder


def _checksums(folder: Path) -> dict[str, str]:
    return {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in (TEXTS, VECTORS)}
