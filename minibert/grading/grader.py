"""Grade many submissions: `python -m minibert grade FOLDER`, or `grade(Path("FOLDER"))`.

Each notebook is graded by itself (`grade_process`), so what one submission does cannot change another one's marks. An
exercise's inputs are drawn from the student's name and the exercise's number: an answer made for the inputs of the
notebook fails, and grading again gives the same marks.
"""

import hashlib
import json
import math
import unicodedata
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from minibert.course.check import Outcome
from minibert.course.exercises import find
from minibert.grading.judge import Graded, grade_cells
from minibert.grading.submissions import Student, Task, find_students, read_cells, read_tasks

SOLUTIONS = Path(__file__).resolve().parents[2] / "solutions"


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
    students = find_students(folder, out)
    wanted = sorted({chapter for student in students for chapter in student.notebooks})
    sheets = {chapter: read_tasks(chapter, solutions) for chapter in wanted}
    closed = tuple(path for path in (folder, solutions) if path)

    def work(student: Student, chapter: int) -> Graded:
        progress(f"{student.name}, chapter {chapter}")
        return grade_notebook(student, chapter, sheets[chapter], seconds, closed)

    with ThreadPoolExecutor(jobs) as pool:
        futures = [[pool.submit(work, student, chapter) for chapter in wanted] for student in students]
        try:
            found = [[future.result() for future in row] for row in futures]
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    tasks = [task for chapter in wanted for task in sheets[chapter]]
    return {
        "version": 1,
        "points": sum(task.points for task in tasks),
        "exercises": [dict(number=t.number, title=find(t.number).title, points=t.points) for t in tasks],
        "students": [_row(student, sheets, row) for student, row in zip(students, found, strict=True)],
    }


def grade_notebook(
    student: Student, chapter: int, tasks: list[Task], seconds: float = 60.0, closed: tuple[Path, ...] = ()
) -> Graded:
    """One notebook of one student; whatever is wrong with it becomes its outcome.

    >>> grade_notebook(Student("ada"), 5, [Task("5.1", 4)]).outcomes["5.1"].status
    'missing'
    """
    if chapter not in student.notebooks:
        return Graded({task.number: Outcome("missing", f"{task.number} was not handed in") for task in tasks})
    try:
        cells = read_cells(student.notebooks[chapter])
        if not cells:
            raise ValueError("the notebook has no code cells")
        json.dumps(cells).encode()
    except ValueError as error:
        return Graded({task.number: Outcome("unreadable", f"{task.number}: {error}") for task in tasks}, [str(error)])
    seeds = {task.number: draw_seed(student.name, task.number) for task in tasks}
    return grade_cells(cells, tasks, seeds, seconds, closed)


def _row(student: Student, sheets: dict[int, list[Task]], found: list[Graded]) -> dict:
    results, notes = {}, list(student.notes)
    for (chapter, tasks), graded in zip(sheets.items(), found, strict=True):
        notes += [f"{student.notebooks[chapter].name}: {note}" for note in graded.notes]
        for task in tasks:
            outcome = graded.outcomes[task.number]
            points = earned(task.points, outcome.credit)
            results[task.number] = dict(
                status=outcome.status, credit=round(outcome.credit, 3), points=points, message=outcome.message
            )
    total = sum(result["points"] for result in results.values())
    return {"student": student.name, "points": total, "exercises": results, "notes": [_clean(note) for note in notes]}


def earned(points: float, credit: float) -> float:
    """The points for a share of an exercise, in halves, rounded down.

    >>> earned(3, 0.5), earned(3, 1.0), earned(5, 0.99)
    (1.5, 3, 4.5)
    """
    halves = math.floor(2 * points * max(credit, 0.0) + 1e-6)
    return points if credit >= 1 else halves / 2 if halves % 2 else halves // 2


def _clean(text: str) -> str:
    """Names of files may hold bytes that are no UTF-8."""
    return text.encode("utf-8", "replace").decode("utf-8")
