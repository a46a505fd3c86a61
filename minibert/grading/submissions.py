"""What was handed in: the notebooks of a folder, and how many points their exercises are worth.

    FOLDER/ada/05_attention.ipynb                       one folder a student, or
    FOLDER/submitted/ada/05_attention/05_attention.ipynb    the layout of nbgrader; both may be mixed

A notebook belongs to the chapter that its first two digits name. Points come from the masters in `solutions/` (the
nbgrader metadata of their test cells), never from what was handed in. A chapter without a master counts one point an
exercise.
"""

import ast
import json
import os
import re
from dataclasses import dataclass, field
from pathlib import Path

from minibert.course.exercises import chapters, exercises
from minibert.grading.worker import check_calls

LARGEST = 20_000_000  # bytes of one notebook
NAME = re.compile(r"(\d\d)\D.*\.ipynb")


@dataclass(frozen=True)
class Task:
    """One exercise of a chapter: its number, its points, and the expression in the notebook that is its answer.

    >>> Task("5.1", 4, "attention").points
    4
    """

    number: str
    points: float
    expression: str = ""  # "": as in the check call of the notebook that was handed in


@dataclass
class Student:
    """A student's folder: the notebooks by chapter, and remarks about other files in it.

    >>> Student("ada").notebooks
    {}
    """

    name: str
    notebooks: dict[int, Path] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def find_students(folder: Path, leave_out: Path | None = None) -> list[Student]:
    """Everybody who has a folder in `folder` (or in its `submitted`), by name; `leave_out` is not a student.

    Raises:
        ValueError: no such folder, or no notebook in any student's folder.

    >>> find_students(Path("nowhere"))
    Traceback (most recent call last):
    ...
    ValueError: nowhere: no such folder; expected one with a folder for each student
    """
    if not folder.is_dir():
        raise ValueError(f"{folder}: no such folder; expected one with a folder for each student")
    base = folder / "submitted" if (folder / "submitted").is_dir() else folder
    skip = leave_out.resolve() if leave_out else None
    homes = [path for path in base.iterdir() if path.is_dir() and path.name[0] != "." and path.resolve() != skip]
    students = [_student(home) for home in sorted(homes, key=lambda path: path.name)]
    if not any(student.notebooks for student in students):
        loose = " (the notebooks lie directly in it; each student needs a folder)" if any(base.glob("*.ipynb")) else ""
        raise ValueError(
            f"{base}: no notebooks to grade{loose}; expected STUDENT/05_name.ipynb or "
            "submitted/STUDENT/05_name/05_name.ipynb"
        )
    return students


def _student(home: Path) -> Student:
    # A name that is no UTF-8 (Linux allows any bytes) must still fit into the report.
    student = Student(os.fsencode(home.name).decode("utf-8", "replace"))
    nested = [path for folder in home.iterdir() if folder.is_dir() for path in folder.glob("*.ipynb")]
    for path in [*sorted(nested), *sorted(home.glob("*.ipynb"))]:
        shown = os.fsencode(path.relative_to(home).as_posix()).decode("utf-8", "replace")
        if path.parent.name.startswith("."):
            continue
        found = NAME.fullmatch(path.name)
        if path.is_symlink() or path.parent.is_symlink():
            student.notes.append(f"{shown} is a link and was left out")
        elif not found or int(found[1]) not in chapters():
            student.notes.append(f"{shown} was left out: its name does not begin with the two digits of a chapter")
        elif (chapter := int(found[1])) in student.notebooks:
            student.notes.append(f"{shown} was left out: {student.notebooks[chapter].name} of chapter {chapter} counts")
        else:
            student.notebooks[chapter] = path
    return student


def read_cells(path: Path) -> list[str]:
    """The code cells of a notebook, in order.

    Raises:
        ValueError: the file is missing, too large, or no notebook.

    >>> read_cells(Path("nowhere.ipynb"))
    Traceback (most recent call last):
    ...
    ValueError: the file cannot be read: No such file or directory
    """
    try:
        if path.stat().st_size > LARGEST:
            raise ValueError(f"the file has {path.stat().st_size:,} bytes; a notebook has {LARGEST:,} at most")
        content = json.loads(path.read_bytes().decode("utf-8-sig"))
    except OSError as error:
        raise ValueError(f"the file cannot be read: {error.strerror}") from None
    except (RecursionError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise ValueError(f"the file is damaged, no notebook ({type(error).__name__})") from None
    cells = content.get("cells") if isinstance(content, dict) else None
    if not isinstance(cells, list):
        raise ValueError("the file is no notebook of format 4: it has no list of cells")
    sources = [cell.get("source", "") for cell in cells if isinstance(cell, dict) and cell.get("cell_type") == "code"]
    return [source if isinstance(source, str) else "".join(map(str, source or [])) for source in sources]


def read_tasks(chapter: int, solutions: Path | None) -> list[Task]:
    """The exercises of a chapter, with points and answers as the master in `solutions` says.

    Raises:
        ValueError: the master is damaged, or lacks an exercise of the chapter.

    >>> read_tasks(5, None)[0]
    Task(number='5.1', points=1, expression='')
    """
    numbers = [one.number for one in exercises(chapter)]
    files = sorted(solutions.glob(f"{chapter:02}_*/{chapter:02}_*.ipynb")) if solutions else []
    if not files:
        return [Task(number, 1) for number in numbers]
    try:
        tasks = {}
        for cell in json.loads(files[0].read_text(encoding="utf-8"))["cells"]:
            if cell["metadata"].get("nbgrader", {}).get("grade"):
                for number, expression in check_calls(ast.parse("".join(cell["source"]))):
                    tasks[number] = Task(number, cell["metadata"]["nbgrader"]["points"], expression)
        return [tasks[number] for number in numbers]
    except (KeyError, TypeError, ValueError, SyntaxError) as error:
        raise ValueError(f"{files[0]}: no proper master ({type(error).__name__}: {error})") from None
