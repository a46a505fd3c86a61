"""The folder of a training run: what it may hold before, and what is remembered about how it was made."""

import json
from pathlib import Path

SETTINGS = "run.json"


def claim_folder(folder: Path, settings: dict) -> None:
    """Make `folder` this run's own, or find that it is already: run.json remembers the settings.

    Raises:
        ValueError: the folder holds another run, named by the settings that differ, or files that are no run at all.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     claim_folder(Path(folder), {"seed": 0})
    ...     claim_folder(Path(folder), {"seed": 1})
    Traceback (most recent call last):
    ...
    ValueError: this folder holds a run with other settings (seed: 0 there, 1 now); choose another --out
    """
    file = folder / SETTINGS
    if file.is_file():
        there = json.loads(file.read_text(encoding="utf-8"))
        differing = [name for name in sorted(there | settings) if there.get(name) != settings.get(name)]
        if differing:
            named = ", ".join(f"{name}: {there.get(name)} there, {settings.get(name)} now" for name in differing)
            raise ValueError(f"this folder holds a run with other settings ({named}); choose another --out")
        return
    if folder.is_dir() and any(folder.iterdir()):
        raise ValueError(f"{folder} is not empty and holds no run of ours; choose another --out")
    from minibert.files import write_text

    folder.mkdir(parents=True, exist_ok=True)
    write_text(file, json.dumps(settings, indent=2) + "\n")


def read_text_file(file: Path) -> list[list[str]]:
    """Documents of a text file: one sentence a line, an empty line between documents.

    Raises:
        ValueError: no such file, not UTF-8, or no text in it.

    Source: the file format is that of Devlin et al. 2019 (released code).

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = (Path(folder) / "a.txt").write_text("One. \\nTwo.\\n \\nThree.", encoding="utf-8")
    ...     read_text_file(Path(folder) / "a.txt")
    [['One.', 'Two.'], ['Three.']]
    """
    if not file.is_file():
        raise ValueError(f"corpus {str(file)!r}: expected sotu, synthetic, or a text file with one sentence a line")
    try:
        lines = file.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise ValueError(f"{file} is not UTF-8 (byte {error.start}): save it as UTF-8 first") from None
    documents: list[list[str]] = [[]]
    for line in lines:
        if line.strip():
            documents[-1].append(line.strip())
        elif documents[-1]:
            documents.append([])
    documents = [document for document in documents if document]
    if not documents:
        raise ValueError(f"{file} holds no text")
    return documents
