"""A copy of the course to work in: notebooks and exercises go to the learner's folder, and what they wrote stays.

The folder keeps a record, `.minibert.json`, of what was copied: each file's SHA-256. A file that still has it is not
the learner's work, and a new edition of the course replaces it. Any other stays as it is.
"""

import json
import shutil
from pathlib import Path
from typing import NamedTuple

from minibert.files import replacing, sha256, write_text
from minibert.places import PACKAGE, PROJECT

RECORD = ".minibert.json"
# What notebooks link to is copied as well. Nothing of `solutions/` is.
PATTERNS = ("notebooks/*.ipynb", "notebooks/*.md", "exercises/*/*.ipynb", "data/speedrun/*")


class Copied(NamedTuple):
    """What became of the course's files: names like "notebooks/05_attention.ipynb" in lists."""

    new: list[str]  # were not there
    renewed: list[str]  # were there, unchanged, in an older edition
    kept: list[str]  # differ from what was copied, or were there before the course
    outdated: list[str]  # those of `kept` that the course has a newer edition of
    same: list[str]  # need nothing


def course_files() -> dict[str, Path]:
    """What is copied: the names in the learner's folder, and the files.

    >>> "exercises/05_attention/05_attention.ipynb" in course_files()
    True
    >>> [name for name in course_files() if "solutions" in name]
    []
    """
    found = [path for pattern in PATTERNS for path in sorted(PROJECT.glob(pattern))]
    files = {path.relative_to(PROJECT).as_posix(): path for path in found if path.is_file()}  # pip makes __pycache__
    # The one file of the package that notebooks link to. Without an __init__.py beside it, the folder hides nothing.
    return files | {"minibert/one_page.py": PACKAGE / "one_page.py"}


def copy_course(folder: Path) -> Copied:
    """Copy the course to a folder, new or not. A file that was deleted comes back: that is how one starts afresh.

    Raises:
        ValueError: the folder cannot be written to, or something else has the place of a file or folder of the course;
            or there is no course beside the package.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     first, again = copy_course(Path(folder)), copy_course(Path(folder))
    >>> len(first.new) == len(again.same) > 40, again.new, again.kept
    (True, [], [])
    """
    if len(files := course_files()) == 1:
        raise ValueError(f"no notebooks in {PROJECT}: install minibert from its wheel or a clone of the project")
    found, before = Copied([], [], [], [], []), _read_record(folder)
    record = dict(before)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        try:
            for name, source in files.items():
                record[name] = _copy(name, source, folder / name, before.get(name), found)
        finally:
            if record != before:
                _write_record(folder, record)
    except OSError as error:
        where = error.filename or folder
        raise ValueError(
            f"the course cannot be copied to {folder} ({where}: {error.strerror or error}); name another folder"
        ) from None
    return found


def _copy(name: str, source: Path, target: Path, recorded: str | None, found: Copied) -> str | None:
    """Copy one file, if that takes nothing from the learner; return what the record says of it from now on."""
    edition = sha256(source)
    if target.is_symlink() or target.exists():
        here = sha256(target)
        if here == edition:
            found.same.append(name)
            return edition
        if here != recorded:
            found.kept.append(name)
            if recorded not in (None, edition):
                found.outdated.append(name)
            return recorded
        found.renewed.append(name)
    else:
        found.new.append(name)
    target.parent.mkdir(parents=True, exist_ok=True)
    with replacing(target) as staged:
        shutil.copyfile(source, staged)
    return edition


def _read_record(folder: Path) -> dict[str, str]:
    """The hashes of what was copied before; a record that is damaged is as good as none, and nothing is replaced."""
    try:
        files = json.loads((folder / RECORD).read_text(encoding="utf-8"))["files"]
        return {str(name): str(value) for name, value in files.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def _write_record(folder: Path, record: dict[str, str | None]) -> None:
    about = "SHA-256 of each file as minibert copied it; a file that has another one is yours and is never replaced"
    files = {name: value for name, value in sorted(record.items()) if value is not None}
    write_text(folder / RECORD, json.dumps({"about": about, "files": files}, indent=1) + "\n")


def summary(found: Copied, folder: Path) -> list[str]:
    """What was done, in words for the learner.

    >>> summary(Copied(["a.ipynb"], ["b.ipynb"], ["c.ipynb"], [], []), Path("course"))
    ['copied 1 file to course', 'renewed 1 file that you had not changed', 'kept as you left it: c.ipynb']
    """
    lines = []
    if found.new:
        lines.append(f"copied {_files(found.new)} to {folder}")
    if found.renewed:
        lines.append(f"renewed {_files(found.renewed)} that you had not changed")
    if found.kept:
        lines.append(f"kept as you left {'it' if len(found.kept) == 1 else 'them'}: {', '.join(found.kept)}")
    if found.outdated:
        names = ", ".join(found.outdated)
        lines.append(f"  the course has a newer edition of {names}: rename yours and run this again to get it")
    return lines or [f"{folder} has the course already"]


def _files(names: list[str]) -> str:
    return f"{len(names)} file{'s' if len(names) > 1 else ''}"
