"""Grade many submissions: `python -m minibert grade FOLDER`, or `grade(Path("FOLDER"))`.

Each notebook is graded by itself. An exercise's inputs are drawn from the student's name and the exercise's number: an
answer made for the inputs of the notebook fails, and grading again gives the same marks.

A notebook's code runs in a process of its own, what it answers is judged here. The judge asks through a `Wire`: run
this cell, what is your answer to 5.1, what does your function give for these inputs. The solutions never leave this
process. When the other process ends early, or a step takes too long, the step is noted and a new process leaves it out:
of a cell, only definitions and imports are run the second time, and nothing the third time. What was judged before
stays as it was found.

What was found in a notebook is written down at once (`Found`): grading that was interrupted goes on where it was.
"""

import contextlib
import hashlib
import itertools
import json
import math
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
import unicodedata
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import torch

from minibert.course.check import Outcome, judged
from minibert.course.exercises import find
from minibert.course.explain import Told, message
from minibert.files import write_text
from minibert.grading.submissions import SOLUTIONS, Sheet, Student, Task, clean, find_homework, read_cells, read_sheet
from minibert.grading.wire import Gone, Wire
from minibert.grading.worker import ANSWER, DONE, PLAN, RUN, TOO_LONG
from minibert.places import PACKAGE, PROJECT

CLOSED = [PACKAGE / "grading", PACKAGE / "course"]  # to submissions
CLOSED += [PROJECT / name for name in ("solutions", "exercises", "tests", ".git")]
START = 120.0  # seconds until Python and torch are there, on a busy machine
CELL = 15.0  # seconds that one cell may take, at most; a third of the notebook's time if that is less
SLACK = 5.0  # seconds by which the checks may exceed the time of the notebook
STARTS = 12  # processes for one notebook
LARGEST = 2**26  # bytes of a message
KEEP = ("PATH", "HOME", "LANG", "LC_ALL", "LC_CTYPE", "LD_LIBRARY_PATH", "VIRTUAL_ENV", "XDG_CACHE_HOME")
KEEP += ("MINIBERT_CACHE", "SYSTEMROOT", "SYSTEMDRIVE", "USERPROFILE", "LOCALAPPDATA", "APPDATA", "PATHEXT")
BENCH = threading.Lock()  # one answer is judged at a time: random states are the whole program's
MOST = 4  # notebooks of one chapter of one student that are tried


class Graded(NamedTuple):
    """What became of one notebook: an outcome for each exercise, and remarks about cells that failed."""

    outcomes: dict[str, Outcome]
    notes: list[str]

    @property
    def attempted(self) -> bool:
        """Whether there is an answer to anything, right or wrong."""
        return not all(map(_blank, self.outcomes.values()))


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
    progress=lambda text, done, total: None,
) -> dict:
    """Grade all submissions in `folder` and return the result, ready for JSON.

    A notebook gets `seconds`, `jobs` of them run at a time. The chapters that count are those of which at least one
    student handed something in. `out` is not taken for a student; what was found before in the same notebook of the
    same student is taken from there. `progress` hears which notebook is done, how many are, and of how many.

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
    pairs = [(student, chapter) for student in homework.students for chapter in wanted]
    before, done = Found(out / "found" if out else None, seconds), itertools.count(1)

    def work(pair: tuple[Student, int]) -> Graded:
        student, chapter = pair
        key = before.key(student, chapter, sheets[chapter])
        graded = before.get(key)
        if graded is None:
            graded = grade_notebook(student, chapter, sheets[chapter], seconds, closed)
            before.put(key, graded)
        progress(f"{student.name}, chapter {chapter}", next(done), len(pairs))
        return graded

    pool = ThreadPoolExecutor(jobs)
    try:
        found = pool.map(work, pairs)
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


class Found:
    """What was found in each notebook, as files in `folder`; None keeps nothing.

    The name of a file is a hash of all that the marks hang on: the student, the notebooks' bytes, the points, the time
    limit, and the code of this package. So a notebook that was handed in anew is graded anew.

    >>> found = Found(None, 60)
    >>> found.put("a", Graded({}, [])), found.get("a")
    (None, None)
    """

    def __init__(self, folder: Path | None, seconds: float):
        self.folder = folder
        code = sorted(PACKAGE.rglob("*.py"))  # all of it: checks call models, losses and tokenizers
        self.start = _hash([str(seconds).encode(), *(path.read_bytes() for path in code)]) if folder else ""

    def key(self, student: Student, chapter: int, sheet: Sheet) -> str:
        """The name for one chapter of one student."""
        paths = student.notebooks.get(chapter, []) if self.folder else []
        parts = [self.start, student.name, str(chapter), repr(sheet.tasks), *(path.name for path in paths)]
        contents = [path.read_bytes() if os.access(path, os.R_OK) else b"" for path in paths[:MOST]]
        return _hash([*(part.encode("utf-8", "surrogatepass") for part in parts), *contents])

    def get(self, key: str) -> Graded | None:
        """What was found, or None if nothing is there that can be read."""
        try:
            content = json.loads((self.folder / f"{key}.json").read_text(encoding="utf-8"))
            return Graded({number: Outcome(*parts) for number, parts in content["outcomes"].items()}, content["notes"])
        except (AttributeError, TypeError, KeyError, ValueError, OSError):
            return None

    def put(self, key: str, graded: Graded) -> None:
        """Write down what was found, in one step."""
        if self.folder:
            self.folder.mkdir(parents=True, exist_ok=True)
            outcomes = {number: (one.status, clean(one.message), one.credit) for number, one in graded.outcomes.items()}
            notes = [clean(note) for note in graded.notes]
            write_text(self.folder / f"{key}.json", json.dumps(dict(outcomes=outcomes, notes=notes), indent=1) + "\n")


def _hash(parts: Iterable[bytes]) -> str:
    digest = hashlib.sha256()
    for part in parts:
        digest.update(hashlib.sha256(part).digest())  # of equal length: no part runs into the next
    return digest.hexdigest()[:32]


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
    graded.notes[:] = [f"{counts.name}: {note}" for note in graded.notes]
    if others := [path.name for path in paths if path is not counts]:
        graded.notes.insert(0, f"{counts.name} counts for chapter {chapter}, not {', '.join(others[:8])}")
    return graded


def _row(student: Student, found: list[tuple[Sheet, Graded]]) -> dict:
    results = {}
    for sheet, graded in found:
        for task in sheet.tasks:
            status, message, credit = graded.outcomes[task.number]
            halves = math.floor(2 * task.points * max(credit, 0.0) + 1e-6)  # rounded down
            points = task.points if credit >= 1 else halves / 2 if halves % 2 else halves // 2
            results[task.number] = dict(status=status, credit=round(credit, 3), points=points, message=clean(message))
    total = sum(result["points"] for result in results.values())
    notes = [clean(note) for note in (*student.notes, *(note for _, graded in found for note in graded.notes))]
    return {"student": student.name, "points": total, "exercises": results, "notes": notes}


def _blank(outcome: Outcome) -> bool:
    return outcome.status in ("not attempted", "missing", "unreadable") or "no answer:" in outcome.message


def grade_cells(
    cells: list[str],
    tasks: list[Task],
    seeds: dict[str, int],
    seconds: float = 60.0,
    closed: tuple[Path, ...] = (),
    kernel: bool = True,
) -> Graded:
    """Run the code cells of a notebook and check its exercises, in at most `seconds` (without the start of Python).

    `seeds` has the seed of each exercise's inputs, `closed` are folders that the submission may not read, `kernel` says
    whether the operating system helps to close them.

    >>> grade_cells([], [], {})
    Graded(outcomes={}, notes=[])
    """
    graded, skip, left, starts = Graded({}, []), {}, seconds, 0
    shut = [str(path.resolve()) for path in (*CLOSED, *closed) if path.exists()]
    while left > 0 and starts < STARTS and len(graded.outcomes) < len(tasks):
        starts += 1
        with tempfile.TemporaryDirectory(prefix="minibert-grade-", ignore_cleanup_errors=True) as folder:
            job = dict(cells=cells, skip=skip, folder=folder, closed=shut, kernel=kernel)
            sitting = _Sitting(job, graded, min(CELL, seconds / 3), left)
            try:
                finished = sitting.work(tasks, seeds)
            finally:
                sitting.end()
        left -= max(sitting.spent, 0.0 if finished else 1.0)
        if finished:
            break
    used_up = f"all {seconds:g} seconds" if left <= 0 else f"all {STARTS} starts"
    late = "{} not yet\n  seen      not reached: " + used_up + " of this notebook went to the cells before it"
    outcomes = {one: graded.outcomes.get(one, Outcome("too slow", late.format(one))) for one, *_ in tasks}
    return Graded(outcomes, list(dict.fromkeys(graded.notes))[:50])


class _Late(Gone):
    """A step took longer than it may."""


class _Sitting:
    """One process that goes through the notebook, and what its judge finds; `spent` are seconds, but for the start."""

    def __init__(self, job: dict, graded: Graded, cell_seconds: float, left: float):
        self.graded, self.skip, self.count = graded, job["skip"], len(job["cells"])
        self.cell_seconds, self.left, self.spent = cell_seconds, left, 0.0
        environment = {name: os.environ[name] for name in KEEP if name in os.environ}
        environment |= dict(OMP_NUM_THREADS="1", CUDA_VISIBLE_DEVICES="", MPLBACKEND="Agg", HF_HUB_OFFLINE="1")
        environment |= dict(MINIBERT_PROGRESS="")  # these are not the teacher's tries
        environment |= dict(PYTHONUTF8="1", PYTHONHASHSEED="0", PYTHONDONTWRITEBYTECODE="1")
        environment |= dict(PYTHONPATH=str(PACKAGE.parent))
        environment |= dict.fromkeys(("TMPDIR", "TEMP", "TMP"), job["folder"])
        # Not `-m`: the submission's own names live in __main__, and it is to find nothing of ours there.
        code = "__import__('minibert.grading.worker', fromlist=['_main'])._main()"
        self.process = subprocess.Popen(
            [sys.executable, "-P", "-c", code],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd=job["folder"],
            env=environment,
            start_new_session=True,  # so that it can be ended together with processes that it started
        )
        self.reader = ThreadPoolExecutor(1)  # reads a message when one is wanted: who sends more waits
        self.wire = Wire(self.receive, self.send, is_judge=True)
        self.allow(START)
        self.send(json.dumps(job).encode())

    def send(self, *pieces: bytes) -> None:
        """Post a message. What cannot be posted is noticed by `receive`."""
        with contextlib.suppress(OSError):
            self.process.stdin.writelines((sum(map(len, pieces)).to_bytes(8, "big"), *pieces))
            self.process.stdin.flush()

    def allow(self, seconds: float) -> None:
        """From now on the other process has so many seconds, all its answers together."""
        self.limit, self.waited = seconds, 0.0

    def receive(self) -> bytes:
        """The next message; `Gone` is raised when there will be none, or none in time."""
        before = time.monotonic()
        try:
            return self.reader.submit(self._read).result(max(self.limit - self.waited, 0.0))
        except TimeoutError:
            raise _Late(f"stopped after {self.limit:.0f} seconds") from None
        finally:
            self.waited += time.monotonic() - before
            self.spent += time.monotonic() - before

    def _read(self) -> memoryview:
        size = int.from_bytes(self.process.stdout.read(8), "big")
        if size > LARGEST:
            raise Gone(f"the process sent more than {LARGEST:,} bytes at once")
        data = self.process.stdout.read(size)
        if len(data) < max(size, 1):
            raise Gone("the process ended")
        return memoryview(data)

    def end(self) -> None:
        """End the process, with all that it started."""
        if hasattr(os, "killpg"):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.process.pid, signal.SIGKILL)
        self.process.kill()
        self.process.wait()
        self.reader.shutdown()
        for stream in (self.process.stdin, self.process.stdout):
            with contextlib.suppress(OSError):
                stream.close()

    def work(self, tasks: list[Task], seeds: dict[str, int]) -> bool:
        """Run the cells and judge each exercise where it is checked last; False when the process had to be given up."""
        wanted = {task.number: task.expression for task in tasks if task.number not in self.graded.outcomes}
        try:
            plan = self.wire.call(PLAN, "")
        except Gone as end:
            self.graded.notes.append(f"the process that grades did not start ({end})")
            return False
        finally:
            self.spent = 0.0
        last = {number: index for index, calls in enumerate(plan) for number, _ in calls}
        for index in range(self.count):
            if not wanted:
                return True
            if not self.run(index):
                return False
            for number, expression in plan[index]:
                if number in wanted and last[number] == index:
                    if not self.judge(number, wanted[number] or expression, seeds[number]):
                        return False
                    wanted[number] = wanted[number] or expression
                    if not _blank(self.graded.outcomes[number]):  # else the answer may stand further down
                        del wanted[number]
        return all(self.judge(number, wanted[number], seeds[number]) for number in wanted)  # also those checked nowhere

    def ask(self, handle: int, *arguments) -> Any:
        """Ask for something that may take as long as a cell."""
        self.allow(min(self.cell_seconds, self.left - self.spent + SLACK))
        return self.wire.call(handle, "", *arguments)

    def run(self, index: int) -> bool:
        """Run one cell."""
        full, cell = True, f"cell {index + 1}: "
        try:
            text, full = self.ask(RUN, index)
            refused = [one for one in self.ask(DONE) if one not in (text or "")]
            found = [*filter(None, [text]), *refused, *(["too much memory"] if full else [])]
        except Gone as end:
            found, full = [str(end)], True
        self.graded.notes.extend(cell + one for one in found)
        if full:
            self.skip[str(index)] = "whole" if str(index) in self.skip else "definitions"
        return not full

    def judge(self, number: str, expression: str, seed: int) -> bool:
        """Ask for the answer to one exercise, and find out whether it is right."""
        exercise, outcome = find(number), None
        try:
            answer = self.ask(ANSWER, expression, random.Random(seed).getrandbits(62))
            with BENCH, torch.random.fork_rng(devices=[]):
                torch.manual_seed(seed)
                self.allow(exercise.seconds + SLACK)
                outcome = judged(exercise, answer, seed, exercise.seconds)
        except Gone:
            pass
        except BaseException as error:
            if not isinstance(error, Told):
                raise
            rows = [f"{number} not yet", f"  seen      no answer: {message(error)}"]
            failed = [note for note in self.graded.notes if note.startswith("cell ")]
            outcome = Outcome("error", "\n".join(rows + [f"  likely    {note}" for note in failed[-1:]]))
        if end := self.wire.broken:
            how = "too slow" if isinstance(end, _Late) else "error"
            outcome = Outcome(how, f"{number} not yet\n  seen      {end} while the answer was checked")
        self.graded.outcomes[number] = outcome._replace(message=outcome.message[:TOO_LONG])
        if end or outcome.status == "too slow":
            return False
        with contextlib.suppress(Gone):
            self.graded.notes.extend(f"{number}: {text}" for text in self.ask(DONE))
            self.wire.forget()
        return not self.wire.broken
