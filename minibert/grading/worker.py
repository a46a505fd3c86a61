"""The process in which one submission runs and is checked; `grade_process` starts it and listens.

The job comes in on standard input, reports go out on what was standard output, each line with a token that the
submission is not told. Then both are replaced by the null device: what the submission prints goes nowhere, however
much it is, and `input()` finds the end of a file.

Cells run in order, each with a time limit of its own, and an exercise is checked where the notebook checks it for the
last time. A cell that fails costs what it would have defined. After a cell that cannot be stopped, or that fills the
memory, the process ends itself, and is started again with what is known so far.
"""

import ast
import json
import linecache
import os
import re
import sys
import threading

from minibert.course.check import examine
from minibert.course.exercises import exercises
from minibert.course.explain import message
from minibert.course.limits import run_limited
from minibert.grading.guard import Snapshot, fence, limit_memory
from minibert.grading.submissions import check_calls, is_check

SPARE = 3 * 2**30  # bytes of memory beyond what Python and torch take
LARGEST_FILE = 100 * 2**20
DEFINITIONS = (ast.FunctionDef, ast.ClassDef, ast.Import, ast.ImportFrom)
TOO_LONG = 2_000  # characters of a report's text


def main() -> None:
    """Do the job that standard input describes, then end the process without running exit handlers.

    >>> main.__module__  # started by grade_process
    'minibert.grading.worker'
    """
    job = json.loads(sys.stdin.buffer.read())
    out, token = os.dup(1), job["token"]
    null = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(null, stream)

    def report(event: str, **fields) -> None:
        line = json.dumps({"event": event, **fields})  # ASCII, and no line breaks
        os.write(out, f"\n{token} {line}\n".encode())

    exercises(job["chapter"])  # imported now, so that the snapshot holds it
    run(job, report)
    report("done")
    os._exit(0)


def run(job: dict, report) -> None:
    """Run the cells of a job and check its exercises; `report(event, **fields)` tells how it goes.

    >>> run.__name__  # limits its own process for good
    'run'
    """
    snapshot = Snapshot()
    limit_memory(SPARE, LARGEST_FILE)
    fence(job["folder"], job["closed"])
    report("ready")
    tasks = {number: expression for number, expression in job["tasks"] if number not in job["known"]}
    namespace = sys.modules["__main__"].__dict__
    namespace["display"] = print
    trees, last = [], {}
    for index, source in enumerate(job["cells"]):
        report("cell", index=index)
        trees.append(tree := None if job["skip"].get(str(index)) == "whole" else _parsed(source, index))
        for number, _ in check_calls(tree) if isinstance(tree, ast.Module) else ():
            last[number] = index

    for index, tree in enumerate(trees):
        if tree is None:
            continue
        report("cell", index=index)
        error = tree if isinstance(tree, BaseException) else None
        answers = []
        if error is None:
            answers = [pair for pair in check_calls(tree) if pair[0] in tasks and last[pair[0]] == index]
            error = _run_cell(tree, index, job, namespace, report)
        if error is not None:
            report("failed", index=index, text=message(error)[:TOO_LONG])
        for number, expression in answers:
            _check(number, tasks.pop(number) or expression, job, namespace, snapshot, report)
    for number, expression in tasks.items():  # never checked in this notebook
        _check(number, expression, job, namespace, snapshot, report)


def plain(source: str) -> str:
    """A cell's source without the lines that only IPython understands (`%matplotlib inline`, `!ls`, `torch?`).

    >>> plain("%time\\nx = 5 % 3")
    'pass\\nx = 5 % 3'
    """
    if source.startswith("%%"):
        return ""
    return re.sub(r"^(\s*)(?:[%!?].*|[\w.]+\?{1,2}\s*)$", r"\1pass", source, flags=re.MULTILINE)


def _parsed(source: str, index: int) -> ast.Module | Exception:
    """The cell as Python, or the error that it gives."""
    name = f"<cell {index + 1}>"
    try:
        return ast.parse(source, name)
    except Exception as error:
        first = error
    try:
        return ast.parse(plain(source), name)
    except Exception:
        return first


def _run_cell(tree: ast.Module, index: int, job: dict, namespace: dict, report) -> BaseException | None:
    """Run one cell without its checks; the exception that it ended in, or None."""
    keep = [one for one in tree.body if not is_check(one) and not _is_hidden_test(one)]
    if str(index) in job["skip"]:
        keep = [one for one in keep if isinstance(one, DEFINITIONS)]
    name, source = f"<cell {index + 1}>", job["cells"][index]
    linecache.cache[name] = (len(source), None, source.splitlines(keepends=True), name)
    try:
        code = compile(ast.Module(keep, []), name, "exec")
        finished, _ = run_limited(lambda: exec(code, namespace), job["cell_seconds"])
    except BaseException as error:
        if isinstance(error, MemoryError) or "allocate memory" in str(error):
            namespace.clear()
            report("memory", index=index)
            os._exit(1)
        return error
    if not finished:
        _end_if_left_behind(report, "stuck", index=index)
        return TimeoutError(f"stopped after {job['cell_seconds']:g} seconds")
    return None


def _is_hidden_test(statement: ast.stmt) -> bool:
    call = statement.test if isinstance(statement, ast.Assert) else None
    return isinstance(call, ast.Call) and getattr(call.func, "id", "") == "passed"


def _end_if_left_behind(report, event: str, **fields) -> None:
    """A thread that does not follow the request to stop would disturb whatever comes after it."""
    if any(thread.name == "minibert check" for thread in threading.enumerate()):
        report(event, **fields)
        os._exit(1)


def _check(number: str, expression: str, job: dict, namespace: dict, snapshot: Snapshot, report) -> None:
    replaced = snapshot.put_back()
    if replaced:
        report("note", text=f"put back before {number} was checked: {', '.join(replaced[:5])}")
    report("examine", number=number)
    try:
        code = compile(expression or "...", "<answer>", "eval")
        finished, answer = run_limited(lambda: eval(code, namespace), job["cell_seconds"])
        if not finished:
            raise TimeoutError(f"stopped after {job['cell_seconds']:g} seconds")
    except BaseException as error:
        report("verdict", number=number, status="error", text="", missing=message(error)[:TOO_LONG])
        return
    outcome = examine(number, answer, job["seeds"][number])
    status, text = outcome.status, outcome.message
    if replaced := snapshot.put_back():
        what = ", ".join(replaced[:5])
        status, text = "wrong", f"{number} not yet\n  seen      the answer replaces {what} while it is checked"
    report("verdict", number=number, status=status, text=text[:TOO_LONG])
    _end_if_left_behind(report, "left")
