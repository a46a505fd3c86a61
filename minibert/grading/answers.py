"""The answers of a class alone, as Python files: what a tool that looks for copies, such as JPlag, reads."""

import re
from pathlib import Path

from minibert.course.exercise import STUB
from minibert.files import write_text
from minibert.grading.report import file_names
from minibert.grading.submissions import SOLUTIONS, find_homework, read_cells, read_sheet


def write_answers(folder: Path, into: Path, leave_out: Path | None = None, solutions: Path | None = SOLUTIONS) -> int:
    """Write `into`/STUDENT/chapter_05.py with the cells that answer an exercise; return the number of files.

    Left out is what everybody has: imports, checks, empty answers.

    Raises:
        ValueError: there is nothing to grade in `folder`, or `into` has files already.

    >>> write_answers(Path("nowhere"), Path("answers"))
    Traceback (most recent call last):
    ...
    ValueError: nowhere: no such folder; expected one with a folder for each student
    """
    homework, written = find_homework(folder, leave_out, solutions), 0
    if into.exists() and any(into.iterdir()):
        raise ValueError(f"{into} has files already: name a new folder, or they would be compared too")
    for name, student in zip(file_names([one.name for one in homework.students]), homework.students, strict=True):
        for chapter, paths in student.notebooks.items():
            sheet = read_sheet(chapter, solutions)
            asked = {word for task in sheet.tasks for word in re.findall(r"\w+", task.expression)}
            try:
                cells, _ = read_cells(paths[0], sheet)
            except ValueError:
                continue
            begins = re.compile(rf"^(?:def|class) +({'|'.join(map(re.escape, asked)) or '(?!)'})\b", re.MULTILINE)
            kept = [cell for cell in cells if begins.search(cell) and STUB not in cell]
            if kept:
                (into / name).mkdir(parents=True, exist_ok=True)
                write_text(into / name / f"chapter_{chapter:02}.py", "\n\n\n".join(kept) + "\n")
                written += 1
    return written
