"""Grade many submissions: `python -m minibert grade FOLDER`, or `grade(Path("FOLDER"))`.

Each notebook is graded by itself (`grade_process`), so what one submission does cannot change another one's marks. An
exercise's inputs are drawn from the student's name and the exercise's number: an answer made for the inputs of the
notebook fails, and grading again gives the same marks.
"""

import hashlib
import math
import unicodedata
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from minibert.course.check import Outcome
from minibert.course.exercises import find
from minibert.grading.judge import Graded, grade_cells
from minibert.grading.submissions import (
    SOLUTIONS,
    Sheet,
    Student,
    find_homework,
    read_cells,
    read_sheet,
    readable,
)

MOST = 4  # notebooks of one chapter of one student that are tried


def draw_seed(student: str, number: str) -> int:
    """The seed of the inputs with which an exercise of a student is checked.

    >>> draw_seed("ada", "5.1") == draw_seed("ada", "5.1"), draw_seed("ada", "5.1") == draw_seed("bob", "5.1")
    (True, False)
    """
    text = f"{unicodedata.normalize('NFC', student)}\0{number}"
    return int.from_bytes(hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()[:8], "big") >> 1


def grade(
    folder: Path,
    out: Path | None = None,
    seconds: float = 60.0,
    jobs: int = 1,
    solutions: Path | None = SOLUTIONS,
    progress=lambda text: None,
) -> dict:
    """Grade all submissions in `folder` and return the result, ready for JSON.

    A notebook gets `seconds`, `jobs` of them run at a time. The chapters that count are those of which at least one
    student handed something in. `out` is not taken for a student, `progress` hears about each notebook.

    Raises:
        ValueError: nothing to grade, or seconds and jobs that make no sense.

    >>> grade(Path("nowhere"))
    Traceback (most recent call last):
    ...
    ValueError: nowhere: no such folder; expected one with a folder for each student
    """
    if not 1 <= seconds <= 3600:
        raise ValueError(f"seconds {seconds:g}: expected 1 to 3600")
    if jobs < 1:
        raise ValueError(f"jobs {jobs}: expected 1 or more")
    homework = find_homework(folder, out, solutions)
    wanted = sorted({chapter for student in homework.students for chapter in student.notebooks})
    sheets = {chapter: read_sheet(chapter, solutions) for chapter in wanted}
    closed = tuple(path for path in (*homework.closed, solutions, out) if path)

    def work(pair: tuple[Student, int]) -> Graded:
        student, chapter = pair
        progress(f"{student.name}, chapter {chapter}")
        return grade_notebook(student, chapter, sheets[chapter], seconds, closed)

    pool = ThreadPoolExecutor(jobs)
    try:
        found = pool.map(work, [(student, chapter) for student in homework.students for chapter in wanted])
        rows = [_row(student, [(sheets[chapter], next(found)) for chapter in wanted]) for student in homework.students]
    finally:
        pool.shutdown(cancel_futures=True)
    tasks = [task for chapter in wanted for task in sheets[chapter].tasks]
    return {
        "version": 1,
        "points": sum(task.points for task in tasks),
        "exercises": [dict(number=t.number, title=find(t.number).title, points=t.points) for t in tasks],
        "notes": homework.notes,
        "students": rows,
    }


def grade_notebook(
    student: Student, chapter: int, sheet: Sheet, seconds: float = 60.0, closed: tuple[Path, ...] = ()
) -> Graded:
    """One chapter of one student; whatever is wrong with it becomes its outcome.

    Of several notebooks the first counts in which anything is attempted.

    >>> grade_notebook(Student("ada", {}), 5, read_sheet(5, None)).outcomes["5.1"].status
    'missing'
    """
    numbers, paths = [task.number for task in sheet.tasks], student.notebooks.get(chapter, [])
    if not paths:
        return Graded({number: Outcome("missing", f"{number} was not handed in") for number in numbers}, [])
    seeds = {number: draw_seed(student.name, number) for number in numbers}
    tried: list[tuple[Path, list[str], Graded]] = []
    for path in paths[:MOST]:
        try:
            cells, notes = read_cells(path, sheet)
            if not cells:
                raise ValueError("the notebook has no code cells")
        except ValueError as error:
            said = {number: Outcome("unreadable", f"{number}: {error}") for number in numbers}
            tried.append((path, [], Graded(said, [str(error)])))
            continue
        if any(cells == others for _, others, _ in tried):
            continue
        graded = grade_cells(cells, sheet.tasks, seeds, seconds, closed)
        graded.notes[:0] = notes
        tried.append((path, cells, graded))
        if graded.attempted:
            break
    counts, _, graded = next((one for one in tried if one[2].attempted), tried[0])
    graded.notes[:] = [f"{readable(counts.name)}: {note}" for note in graded.notes]
    if others := [readable(path.name) for path in paths if path is not counts]:
        graded.notes.insert(0, f"{readable(counts.name)} counts for chapter {chapter}, not {', '.join(others[:8])}")
    return graded


def _row(student: Student, found: list[tuple[Sheet, Graded]]) -> dict:
    results = {}
    for sheet, graded in found:
        for task in sheet.tasks:
            status, message, credit = graded.outcomes[task.number]
            points, credit = earned(task.points, credit), round(credit, 3)
            results[task.number] = dict(status=status, credit=credit, points=points, message=_clean(message))
    total = sum(result["points"] for result in results.values())
    notes = [_clean(note) for note in (*student.notes, *(note for _, graded in found for note in graded.notes))]
    return {"student": student.name, "points": total, "exercises": results, "notes": notes}


def earned(points: float, credit: float) -> float:
    """The points for a share of an exercise, in halves, rounded down.

    >>> earned(3, 0.5), earned(3, 1.0), earned(5, 0.99)
    (1.5, 3, 4.5)
    """
    halves = math.floor(2 * points * max(credit, 0.0) + 1e-6)
    return points if credit >= 1 else halves / 2 if halves % 2 else halves // 2


def _clean(text: str) -> str:
    """Names of files and texts of exceptions may hold what is no UTF-8."""
    return text.encode("utf-8", "replace").decode("utf-8")
