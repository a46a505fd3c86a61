"""Grade one notebook in a process of its own, from outside: start it, listen, stop it, start it again.

Whatever a submission does to its process, this side only reads lines of text and looks at the clock. When the process
ends early, or a step takes too long, the step is noted and a new process leaves it out: of a cell, only definitions and
imports are run the second time, and nothing the third time. What was checked before stays as it was found.
"""

import contextlib
import json
import os
import queue
import secrets
import signal
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

from minibert.course.check import Outcome
from minibert.course.exercises import find
from minibert.grading.submissions import Task

START = 120.0  # seconds until Python and torch are there, on a busy machine
CELL = 15.0  # seconds that one cell may take, at most; a third of the notebook's time if that is less
SLACK = 5.0  # seconds by which a step may exceed its limit before the process is killed
STARTS = 12  # processes for one notebook
CHANNEL = 4_000_000  # bytes that a process may report
ENDINGS = {
    "end": "the process ended",
    "silent": "stopped after {:.0f} seconds",
    "stuck": "does not end",
    "memory": "too much memory",
    "left": "",  # the step itself is done
}
STATUSES = ("passed", "not attempted", "wrong", "error", "too slow")
KEEP = ("PATH", "HOME", "LANG", "LC_ALL", "LC_CTYPE", "LD_LIBRARY_PATH", "VIRTUAL_ENV", "XDG_CACHE_HOME")
KEEP += ("MINIBERT_CACHE", "SYSTEMROOT", "SYSTEMDRIVE", "USERPROFILE", "LOCALAPPDATA", "APPDATA", "PATHEXT")


@dataclass
class Graded:
    """What became of one notebook: an outcome for each exercise, and remarks about cells that failed.

    >>> Graded().outcomes
    {}
    """

    outcomes: dict[str, Outcome] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def grade_cells(
    cells: list[str], tasks: list[Task], seeds: dict[str, int], seconds: float = 60.0, closed: tuple[Path, ...] = ()
) -> Graded:
    """Run the code cells of a notebook and check its exercises, in at most `seconds` (without the start of Python).

    `seeds` has the seed of each exercise's inputs, `closed` are folders that the submission may not read.

    >>> grade_cells([], [], {})
    Graded(outcomes={}, notes=[])
    """
    graded, skip, left, starts = Graded(), {}, seconds, 0
    while left > 0 and starts < STARTS and len(graded.outcomes) < len(tasks):
        starts += 1
        known = list(graded.outcomes)
        job = dict(
            cells=cells,
            tasks=[(task.number, task.expression) for task in tasks],
            chapter=find(tasks[0].number).chapter,
            seeds=seeds,
            skip=skip,
            known=known,
            cell_seconds=min(CELL, seconds / 3),
            closed=[str(path.resolve()) for path in closed],
        )
        finished, spent = _run_once(job, graded, left)
        left -= spent
        if finished:
            break
    used_up = f"all {seconds:g} seconds" if left <= 0 else f"all {STARTS} starts"
    for task in tasks:
        text = f"{task.number} not yet\n  seen      not reached: {used_up} of this notebook went to the cells before it"
        graded.outcomes.setdefault(task.number, Outcome("too slow", text))
    graded.outcomes = {task.number: graded.outcomes[task.number] for task in tasks}
    graded.notes = list(dict.fromkeys(graded.notes))[:50]
    return graded


def _run_once(job: dict, graded: Graded, left: float) -> tuple[bool, float]:
    """One process from start to end: whether it got through, and the seconds spent in the submission's code."""
    with tempfile.TemporaryDirectory(prefix="minibert-grade-", ignore_cleanup_errors=True) as folder:
        token = secrets.token_hex(16)
        process = _start(folder)
        lines = queue.Queue()
        payload = json.dumps(job | {"token": token, "folder": folder}).encode()
        threading.Thread(target=_feed, args=(process, payload), daemon=True).start()
        threading.Thread(target=_listen, args=(process, token, lines), daemon=True).start()
        try:
            return _follow(lines, job, graded, left)
        finally:
            _kill(process)


def _start(folder: str) -> subprocess.Popen:
    environment = {name: os.environ[name] for name in KEEP if name in os.environ}
    environment |= dict(OMP_NUM_THREADS="1", CUDA_VISIBLE_DEVICES="", MPLBACKEND="Agg", HF_HUB_OFFLINE="1")
    environment |= dict(PYTHONUTF8="1", PYTHONHASHSEED="0", PYTHONDONTWRITEBYTECODE="1")
    environment |= dict.fromkeys(("TMPDIR", "TEMP", "TMP"), folder)
    environment["PYTHONPATH"] = str(Path(__file__).resolve().parents[2])
    # Not `-m`: the submission's own names live in __main__, and it is to find nothing of ours there.
    code = "__import__('minibert.grading.worker', fromlist=['main']).main()"
    return subprocess.Popen(
        [sys.executable, "-P", "-c", code],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        cwd=folder,
        env=environment,
        start_new_session=True,  # so that it can be ended together with processes that it started
    )


def _feed(process: subprocess.Popen, payload: bytes) -> None:
    with contextlib.suppress(OSError):  # it ended before it had read the job; the listener notices
        process.stdin.write(payload)
        process.stdin.close()


def _listen(process: subprocess.Popen, token: str, lines: queue.Queue) -> None:
    """Pass on the reports that carry the token; None at the end."""
    total = 0
    try:
        while total < CHANNEL and (line := process.stdout.readline(100_000)):
            total += len(line)
            word, _, text = line.decode("utf-8", "replace").partition(" ")
            if secrets.compare_digest(word.encode(), token.encode()):
                lines.put(json.loads(text))
    except (OSError, ValueError):
        pass
    lines.put(None)


def _follow(lines: queue.Queue, job: dict, graded: Graded, left: float) -> tuple[bool, float]:
    step, limit, ready, spent = None, START, False, 0.0
    while True:
        report, waited = _next(lines, min(limit, left - spent + SLACK) if ready else limit)
        spent += waited if ready else 0.0
        over = waited >= limit or spent > left + SLACK  # many short steps are too long as well
        event = report["event"] if report and not over else "silent" if over else "end"
        if event in ENDINGS:
            if event != "left":
                _note_end(step, ENDINGS[event].format(waited), job, graded)
            return False, max(spent, 1.0)
        if event == "done":
            return True, spent
        if event == "ready":
            ready = True
        elif event == "cell":
            step, limit = report, job["cell_seconds"] + SLACK
        elif event == "examine":
            step, limit = report, job["cell_seconds"] + find(report["number"]).seconds + SLACK
        elif event == "failed":
            graded.notes.append(f"cell {report['index'] + 1}: {report['text']}")
        elif event == "note":
            graded.notes.append(report["text"])
        elif event == "verdict" and report["status"] in STATUSES:
            graded.outcomes.setdefault(report["number"], _outcome(report, graded))


def _next(lines: queue.Queue, limit: float) -> tuple[dict | None, float]:
    """The next report, or None at the end or after `limit` seconds, and the seconds that it took.

    In short slices: a computer that slept in between has not made the submission slow.
    """
    waited, before = 0.0, time.monotonic()
    while True:
        try:
            report, found = lines.get(timeout=0.2), True
        except queue.Empty:
            report, found = None, False
        now = time.monotonic()
        waited, before = waited + min(now - before, 1.0), now
        if found or waited >= limit:
            return report, waited


def _outcome(report: dict, graded: Graded) -> Outcome:
    if "missing" not in report:
        return Outcome(report["status"], report["text"])
    rows = [f"{report['number']} not yet", f"  seen      no answer: {report['missing']}"]
    failed = [note for note in graded.notes if note.startswith("cell ")]
    return Outcome("error", "\n".join(rows + [f"  likely    {note}" for note in failed[-1:]]))


def _note_end(step: dict | None, how: str, job: dict, graded: Graded) -> None:
    """A process ended, or was ended, in the middle of `step`."""
    if step is None:
        graded.notes.append(f"the process that grades did not start ({how})")
    elif step["event"] == "examine":
        text = f"{step['number']} not yet\n  seen      {how} while the answer was checked"
        status = "error" if "ended" in how else "too slow"
        graded.outcomes.setdefault(step["number"], Outcome(status, text))
    else:
        index = str(step["index"])
        graded.notes.append(f"cell {step['index'] + 1}: {how}")
        job["skip"][index] = "whole" if index in job["skip"] else "definitions"


def _kill(process: subprocess.Popen) -> None:
    if hasattr(os, "killpg"):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
    process.kill()
    process.wait()
    process.stdout.close()
