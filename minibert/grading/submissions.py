"""What was handed in: the notebooks of a folder, their cells, and how many points their exercises are worth.

    FOLDER/ada/05_attention.ipynb                           one folder a student, or
    FOLDER/submitted/ada/05_attention/05_attention.ipynb    the layout of nbgrader; both may be mixed

A student's notebooks may lie at any depth and in any spelling. Its name says to which chapter one belongs, or else the
exercises that it checks. Of several for one chapter the one with the released name counts, if anything is attempted in
it, then the copies. Points come from the masters in `solutions/`, one an exercise where there is none.
"""

import ast
import json
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

from minibert.course.exercise import STUB
from minibert.course.exercises import chapters, exercises
from minibert.grading.worker import check_calls
from minibert.places import PROJECT

SOLUTIONS = PROJECT / "solutions"
LARGEST = 20_000_000  # bytes of one notebook
BESIDE = {"__MACOSX", "__pycache__", "node_modules", "site-packages"}  # folders that hold nothing of a student's
BESIDE_STUDENTS = ("source", "solutions", "release", "autograded", "feedback", "gradebook.db")  # what nbgrader keeps
AROUND = re.compile("submi|homework|assignment|hand.?in|abgabe", re.IGNORECASE)  # begins of folders that hold students
ARCHIVES = (".zip", ".gz", ".tgz", ".tar", ".rar", ".7z")
CHECKS = re.compile(r"""\bcheck\(\s*\\?["'](\d+)\.\d+""")  # in the JSON of a notebook
OTHER = 4  # the rank of a notebook whose name is not of its chapter


class Task(NamedTuple):
    """One exercise of a chapter; its answer is `expression`, or "" whatever the notebook that was handed in checks."""

    number: str
    points: float
    expression: str = ""


class Sheet(NamedTuple):
    """A chapter as the teacher gave it out: its exercises, and the kind of each cell, by identity and by source."""

    tasks: list[Task]
    kinds: Mapping[str, str] = MappingProxyType({})


class Student(NamedTuple):
    """A student's folder: the notebooks by chapter, the most likely one first, and remarks about other files in it."""

    name: str
    notebooks: dict[int, list[Path]]
    notes: Sequence[str] = ()


class Homework(NamedTuple):
    """What lies in a folder: students by name, remarks about the rest, and what no submission may read."""

    students: list[Student]
    notes: list[str]
    closed: list[Path]


def find_homework(folder: Path, leave_out: Path | None = None, solutions: Path | None = SOLUTIONS) -> Homework:
    """Everybody who has a folder in `folder` (or in its `submitted`); `leave_out` is not a student.

    >>> find_homework(Path("nowhere"))
    Traceback (most recent call last):
    ...
    ValueError: nowhere: no such folder; expected one with a folder for each student
    """
    if not folder.is_dir():
        raise ValueError(f"{folder}: no such folder; expected one with a folder for each student")
    base, skip = _base(folder), leave_out.resolve() if leave_out else None
    names = (solutions or base).glob("[0-9][0-9]_*/[0-9][0-9]_*.ipynb")
    stems = {int(path.stem[:2]): path.stem.casefold() for path in names}
    homes, loose = _folders(base), _files(base, "*")
    students = [_student(home, stems) for home in homes if home.resolve() != skip]
    if not any(student.notebooks for student in students):
        where = " (the notebooks lie directly in it; each student needs a folder)" if loose else ""
        expected = "expected STUDENT/05_name.ipynb or submitted/STUDENT/05_name/05_name.ipynb"
        raise ValueError(f"{base}: no notebooks to grade{where}; {expected}")
    notes = [f"{clean(path.name)} lies in no student's folder and was left out" for path in loose]
    return Homework(students, notes, [*homes, *(folder / name for name in BESIDE_STUDENTS)])


def _base(folder: Path) -> Path:
    """The folder whose folders are students: archives and courses put others around it."""
    inside = _folders(folder)
    around = [one for one in inside if one.name.casefold() == "submitted"]
    if not around and len(inside) == 1 and not _files(folder, "*"):
        below = _folders(inside[0])
        begins = [begin for home in below for begin in {path.name[:2] for path in _files(home)}]
        together = len(set(begins)) < len(begins)  # the same chapter in two folders: they are students
        around = inside if together or any(AROUND.match(one.name) for one in [*inside, *below]) else []
    return _base(around[0]) if around else folder


def _folders(folder: Path) -> list[Path]:
    there = [path for path in folder.iterdir() if path.is_dir() and path.name[0] != "." and path.name not in BESIDE]
    return sorted(there, key=lambda path: path.name)


def _files(home: Path, pattern: str = "**/*") -> list[Path]:
    """The notebooks in a folder, and other files that may have been meant as one."""
    found = []
    for path in home.glob(pattern):
        name, link = path.name.casefold(), path.is_symlink()
        meant = ".ipynb" in name or name.endswith(ARCHIVES) or (link and path.is_dir())
        hidden = any(part[0] == "." or part in BESIDE for part in path.relative_to(home).parts)
        if meant and not hidden and (link or not path.is_dir()):
            found.append(path)
    return sorted(found)


def _student(home: Path, stems: dict[int, str]) -> Student:
    ranked, notes = {}, []
    for path in _files(home):
        shown = clean(path.relative_to(home).as_posix())
        if path.is_symlink():
            notes.append(f"{shown} is a link and was left out")
        elif not path.name.casefold().endswith(".ipynb"):
            notes.append(f"{shown} was left out: unpack it, or give it a name that ends in .ipynb")
        elif (found := _chapter(path, stems)) is None:
            notes.append(f"{shown} was left out: neither its name nor the exercises it checks are of a chapter")
        else:
            chapter, rank = found
            if rank == OTHER:
                notes.append(f"{shown} is taken for chapter {chapter}, whose exercises it checks")
            elsewhere = path.parent.name.casefold() != stems.get(chapter)
            copy = int(("0" + re.sub(r"\D", "", path.stem[2:]))[-6:])  # the highest number is the latest
            ranked.setdefault(chapter, []).append((rank, elsewhere, -copy, len(path.parts), str(path), path))
    for folder in (path for path in home.glob("**/") if not os.access(path, os.R_OK | os.X_OK)):
        notes.append(f"{clean(folder.relative_to(home).as_posix())} cannot be looked into")
    notebooks = {chapter: [path for *_, path in sorted(rows)] for chapter, rows in sorted(ranked.items())}
    return Student(clean(home.name), notebooks, notes)


def _chapter(path: Path, stems: dict[int, str]) -> tuple[int, int] | None:
    """The chapter of a notebook and how well its name fits, 0 being best; or None."""
    name = re.sub(r"[\s-]", "_", path.name.casefold())
    try:
        text = path.read_text(encoding="utf-8", errors="replace") if path.stat().st_size <= LARGEST else ""
    except OSError:
        text = ""
    checked = {int(number) for number in CHECKS.findall(text)} & set(chapters())
    found = None
    for chapter, stem in stems.items():
        if stem in name:
            found = chapter, 0 if name == f"{stem}.ipynb" else 1 if name.startswith(stem) else 2
    if not found and re.match(r"\d\d\D", name) and int(name[:2]) in chapters():
        found = int(name[:2]), 3
    if len(checked) == 1 and (not found or found[0] not in checked):
        found = checked.pop(), OTHER
    return found


def clean(text: str) -> str:
    """A text as UTF-8, which names of files (Linux allows any bytes) and texts of exceptions need not be.

    >>> clean("\\udcff.ipynb")
    '?.ipynb'
    """
    return text.encode("utf-8", "replace").decode("utf-8")


def read_cells(path: Path, sheet: Sheet | None = None) -> tuple[list[str], list[str]]:
    """The code cells of a notebook, in order, and remarks about cells that were mended or left out.

    What students do to cells by accident is undone where it is clear: code that was made text, text that was made code,
    and a copy of an unsolved cell after its solution.

    >>> read_cells(Path("nowhere.ipynb"))
    Traceback (most recent call last):
    ...
    ValueError: the file cannot be read: No such file or directory
    """
    cells, (tasks, kinds) = _cells(path), sheet or Sheet([])
    names = {name for task in tasks for name in re.findall(r"\w+", task.expression)}

    def answers(source: str) -> set[str]:
        return {name for name in names if re.search(rf"^\s*(?:def|class) +{name}\b|^{name} *=", source, re.MULTILINE)}

    solved = [answers(source) if kind == "code" and STUB not in source else set() for kind, source, _ in cells]
    kept, copies, notes = [], {}, []
    for place, (kind, source, identity) in enumerate(cells):
        was, begins = kinds.get(identity) or kinds.get(source.strip()), f"{source.strip()[:40]!r}"
        if kind == "code" and was == "markdown":
            notes.append(f"the text {begins} was made a code cell, and is left out")
        elif kind == "code" and STUB in source and answers(source) and answers(source) <= set().union(*solved[:place]):
            notes.append(f"the unsolved copy {begins} after the solution is left out")
        elif kind == "code":
            if copies.get(identity, source) != source and STUB not in source + copies[identity]:
                notes.append(f"two cells are copies of each other and differ; the later one, {begins}, counts")
            copies[identity] = source
            kept.append(source)
        elif was == "code" or (STUB not in source and answers(source) - set().union(*solved)):
            notes.append(f"the code {begins} was made a text cell; it is run all the same")
            kept.append(re.sub(r"^```.*$", "", source, flags=re.MULTILINE))
    return kept, notes


def _cells(path: Path) -> list[tuple[str, str, str]]:
    """Kind, source and identity of each cell; notebooks of format 3 are read as well, and damaged cells."""
    try:
        if path.stat().st_size > LARGEST:
            raise ValueError(f"the file has {path.stat().st_size:,} bytes; a notebook has {LARGEST:,} at most")
        data = path.read_bytes()
        content = _dict(json.loads(data.decode(json.detect_encoding(data))))
    except OSError as error:
        raise ValueError(f"the file cannot be read: {error.strerror}") from None
    except (RecursionError, UnicodeError, json.JSONDecodeError) as error:
        raise ValueError(f"the file is damaged, no notebook ({type(error).__name__})") from None
    cells = content.get("cells")
    if isinstance(content.get("worksheets"), list):
        cells = [cell for sheet in content["worksheets"] for cell in _dict(sheet).get("cells", [])]
    if not isinstance(cells, list):
        raise ValueError("the file is no notebook of format 4 or 3: it has no list of cells")
    found = []
    for place, cell in enumerate(cells):
        if isinstance(cell, dict):
            source = cell.get("source", cell.get("input"))
            source = source if isinstance(source, str) else "".join(map(str, source or []))
            nbgrader = _dict(_dict(cell.get("metadata")).get("nbgrader"))
            kind = cell.get("cell_type", "code" if "outputs" in cell else "markdown")
            found.append((kind, source, str(nbgrader.get("grade_id") or cell.get("id") or place)))
    return found


def _dict(value: object) -> dict:
    return value if isinstance(value, dict) else {}


def read_sheet(chapter: int, solutions: Path | None) -> Sheet:
    """The exercises of a chapter, with points and answers as the master in `solutions` says; it must have them all.

    >>> read_sheet(5, None).tasks[0]
    Task(number='5.1', points=1, expression='')
    """
    numbers = [one.number for one in exercises(chapter)]
    files = sorted(solutions.glob(f"{chapter:02}_*/{chapter:02}_*.ipynb")) if solutions else []
    if not files:
        return Sheet([Task(number, 1) for number in numbers])
    tasks, kinds = {}, {}
    try:
        for cell in json.loads(files[0].read_text(encoding="utf-8"))["cells"]:
            source, nbgrader = "".join(cell["source"]), cell["metadata"].get("nbgrader", {})
            names = (source.strip(), cell.get("id"), nbgrader.get("grade_id"))
            kinds |= {name: cell["cell_type"] for name in names if name}
            if nbgrader.get("grade"):
                for number, expression in check_calls(ast.parse(source)):
                    tasks[number] = Task(number, nbgrader["points"], expression)
        return Sheet([tasks[number] for number in numbers], kinds)
    except (KeyError, TypeError, ValueError, SyntaxError) as error:
        raise ValueError(f"{files[0]}: no proper master ({type(error).__name__}: {error})") from None
