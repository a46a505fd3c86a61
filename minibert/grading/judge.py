"""Grade one notebook: its code runs in a process of its own, what it answers is judged here.

The judge asks through a `Wire`: run this cell, what is your answer to 5.1, what does your function give for these
inputs. It compares the answers with the solutions, which never leave this process. When the other process ends early,
or a step takes too long, the step is noted and a new process leaves it out: of a cell, only definitions and imports are
run the second time, and nothing the third time. What was judged before stays as it was found.
"""

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import torch

from minibert.course.check import Outcome, judged
from minibert.course.exercises import find
from minibert.course.explain import Told, message
from minibert.grading.submissions import Task
from minibert.grading.wire import Gone, Wire
from minibert.grading.worker import ANSWER, DONE, PLAN, RUN, TOO_LONG

ROOT = Path(__file__).resolve().parents[2]
CLOSED = [Path(__file__).parent, Path(__file__).parents[1] / "course"]  # to submissions
CLOSED += [ROOT / name for name in ("solutions", "exercises", "tests", ".git") if (ROOT / "pyproject.toml").exists()]
START = 120.0  # seconds until Python and torch are there, on a busy machine
CELL = 15.0  # seconds that one cell may take, at most; a third of the notebook's time if that is less
SLACK = 5.0  # seconds by which the checks may exceed the time of the notebook
STARTS = 12  # processes for one notebook
LARGEST = 2**26  # bytes of a message
KEEP = ("PATH", "HOME", "LANG", "LC_ALL", "LC_CTYPE", "LD_LIBRARY_PATH", "VIRTUAL_ENV", "XDG_CACHE_HOME")
KEEP += ("MINIBERT_CACHE", "SYSTEMROOT", "SYSTEMDRIVE", "USERPROFILE", "LOCALAPPDATA", "APPDATA", "PATHEXT")
BENCH = threading.Lock()  # one answer is judged at a time: random states are the whole program's


class Graded(NamedTuple):
    """What became of one notebook: an outcome for each exercise, and remarks about cells that failed."""

    outcomes: dict[str, Outcome]
    notes: list[str]

    @property
    def attempted(self) -> bool:
        """Whether there is an answer to anything, right or wrong."""
        return not all(one.status in ("missing", "unreadable") or _blank(one) for one in self.outcomes.values())


def _blank(outcome: Outcome) -> bool:
    return outcome.status == "not attempted" or "no answer:" in outcome.message


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
            process = _Process(dict(cells=cells, skip=skip, folder=folder, closed=shut, kernel=kernel))
            try:
                finished = _Judge(process, graded, skip, min(CELL, seconds / 3), left).work(len(cells), tasks, seeds)
            finally:
                process.kill()
        left -= max(process.spent, 0.0 if finished else 1.0)
        if finished:
            break
    used_up = f"all {seconds:g} seconds" if left <= 0 else f"all {STARTS} starts"
    late = "{} not yet\n  seen      not reached: " + used_up + " of this notebook went to the cells before it"
    outcomes = {one: graded.outcomes.get(one, Outcome("too slow", late.format(one))) for one, *_ in tasks}
    return Graded(outcomes, list(dict.fromkeys(graded.notes))[:50])


class _Late(Gone):
    """A step took longer than it may."""


class _Process:
    """The other process, and the seconds that it has spent, without the start of Python."""

    def __init__(self, job: dict):
        environment = {name: os.environ[name] for name in KEEP if name in os.environ}
        environment |= dict(OMP_NUM_THREADS="1", CUDA_VISIBLE_DEVICES="", MPLBACKEND="Agg", HF_HUB_OFFLINE="1")
        environment |= dict(PYTHONUTF8="1", PYTHONHASHSEED="0", PYTHONDONTWRITEBYTECODE="1", PYTHONPATH=str(ROOT))
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
        self.spent = 0.0
        self.reader = ThreadPoolExecutor(1)  # reads a message when one is wanted: who sends more waits
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

    def kill(self) -> None:
        """End it, with all that it started."""
        if hasattr(os, "killpg"):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.process.pid, signal.SIGKILL)
        self.process.kill()
        self.process.wait()
        self.reader.shutdown()
        for stream in (self.process.stdin, self.process.stdout):
            with contextlib.suppress(OSError):
                stream.close()


class _Judge:
    """Goes through one notebook with one process, and writes down what it finds."""

    def __init__(self, process: _Process, graded: Graded, skip: dict[str, str], cell_seconds: float, left: float):
        self.process, self.graded, self.skip = process, graded, skip
        self.cell_seconds, self.left = cell_seconds, left
        self.wire = Wire(process.receive, process.send, is_judge=True)

    def work(self, count: int, tasks: list[Task], seeds: dict[str, int]) -> bool:
        """Run the cells and judge each exercise where it is checked last; False when the process had to be given up."""
        wanted = {task.number: task.expression for task in tasks if task.number not in self.graded.outcomes}
        try:
            plan = self.wire.call(PLAN, "")
        except Gone as end:
            self.graded.notes.append(f"the process that grades did not start ({end})")
            return False
        finally:
            self.process.spent = 0.0
        last = {number: index for index, calls in enumerate(plan) for number, _ in calls}
        for index in range(count):
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
        self.process.allow(min(self.cell_seconds, self.left - self.process.spent + SLACK))
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
                self.process.allow(exercise.seconds + SLACK)
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
