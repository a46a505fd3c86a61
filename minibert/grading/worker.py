"""The process in which one submission runs; `grader` starts it, asks it, and judges what it answers.

Neither the exercises nor anything else of the judge is in this process, and `minibert.course` has only names here that
do nothing: what a submission finds by looking round, through frames, modules or memory, is its own. Questions come on
what was standard input, answers go out on what was standard output; the submission has the null device for both.
"""

import ast
import contextlib
import json
import linecache
import os
import re
import sys
import threading
import types
from importlib.machinery import ModuleSpec
from typing import Any

STACK = 256 * 2**20  # bytes, so that deep recursion ends in an exception
DEFINITIONS = (ast.FunctionDef, ast.ClassDef, ast.Import, ast.ImportFrom)
TOO_LONG = 2_000  # characters of a report's text
PLAN, RUN, ANSWER, DONE = range(4)  # the handles of what the judge may ask for
HIDDEN = re.compile(r"### BEGIN HIDDEN TESTS.*?### END HIDDEN TESTS", re.DOTALL)


def _main() -> None:
    """Do what the judge asks for, until the process is ended."""
    source, out, null = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb"), os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(null, stream)

    def receive() -> memoryview:
        """One message: eight bytes that say how long it is, then as many."""
        if len(size := source.read(8)) < 8:
            os._exit(0)
        return memoryview(source.read(int.from_bytes(size, "big")))

    def send(*pieces: bytes) -> None:
        out.writelines((sum(map(len, pieces)).to_bytes(8, "big"), *pieces))
        out.flush()

    job = json.loads(bytes(receive()))
    course = sys.modules["minibert.course"] = types.ModuleType("minibert.course")
    course.__path__ = [os.path.join(os.path.dirname(os.path.dirname(__file__)), "course")]
    from minibert.grading import guard
    from minibert.grading.wire import Wire

    submission = _Submission(job, vars(sys.modules["__main__"]))
    wire = Wire(receive, send, is_judge=False)
    wire.forget(submission.plan, submission.run, submission.answer, lambda: submission.done(wire))
    _hide(submission.remarks.append)

    def listen():
        while True:
            wire.serve(receive())

    # Before the thread starts in which the submission runs, so that both are closed in.
    guard.close_in(job["folder"], job["closed"], submission.remarks.append, job["kernel"])
    thread = threading.Thread(target=listen, daemon=True)
    threading.stack_size(STACK)
    thread.start()
    threading.stack_size(0)
    while thread.is_alive():
        with contextlib.suppress(BaseException):  # the submission may send this thread an interrupt
            thread.join()
    os._exit(0)


def _hide(remark) -> None:
    """Leave of `minibert.course` and `minibert.grading` what notebooks import, doing nothing."""
    ours = ("minibert.course.", "minibert.grading")
    for name in [name for name in sys.modules if name.startswith(ours)]:
        del sys.modules[name]
    minibert, course = sys.modules["minibert"], sys.modules["minibert.course"]
    vars(minibert).pop("grading", None)
    vars(course).clear()
    vars(course).update(__name__="minibert.course", __path__=[], __spec__=ModuleSpec("minibert.course", None))
    vars(course).update(check=_nothing, hint=_nothing, plan=_nothing, passed=lambda *_, **__: False)
    minibert.course = course

    class Closed:
        @staticmethod
        def find_spec(name, path=None, target=None):
            if name.startswith(ours):
                text = f"{name} cannot be imported while a submission is graded"
                remark(text)
                raise ImportError(text)

    sys.meta_path.insert(0, Closed)


def _nothing(*arguments, **named) -> None:
    pass


class _Submission:
    """The notebook's cells and the names that they define."""

    def __init__(self, job: dict, namespace: dict):
        from minibert.course.explain import message  # now: later they cannot be imported
        from minibert.course.limits import untouched

        self.cells, self.skip, self.namespace = job["cells"], job["skip"], namespace
        self.message, self.untouched = message, untouched
        self.trees = [None if self.skip.get(str(i)) == "whole" else _parsed(c, i) for i, c in enumerate(self.cells)]
        self.namespace["display"] = _nothing
        self.remarks: list[str] = []  # what was refused
        self.session = contextlib.ExitStack()

    def plan(self) -> list[list[tuple[str, str]]]:
        """For each cell the exercises that it checks, and the expression that it checks."""
        return [check_calls(tree) if isinstance(tree, ast.Module) else [] for tree in self.trees]

    def run(self, index: int) -> tuple[str | None, bool]:
        """Run one cell without its checks: what it ended in, if not well, and whether the memory is full."""
        tree, name, source = self.trees[index], f"<cell {index + 1}>", self.cells[index]
        if not isinstance(tree, ast.Module):
            return self.message(tree)[:TOO_LONG] if tree else None, False
        keep = [one for one in tree.body if not _is_check(one)]
        if str(index) in self.skip:
            keep = [one for one in keep if isinstance(one, DEFINITIONS)]
        linecache.cache[name] = (len(source), None, source.splitlines(keepends=True), name)
        try:
            exec(compile(ast.Module(keep, []), name, "exec"), self.namespace)
        except BaseException as error:
            full = isinstance(error, MemoryError) or "allocate memory" in str(error)
            return self.message(error)[:TOO_LONG], full
        return None, False

    def answer(self, expression: str, seed: int) -> Any:
        """What the notebook gives as its answer; until `done`, random numbers follow the seed."""
        self.session.enter_context(self.untouched(seed))
        return eval(compile(expression or "...", "<answer>", "eval"), self.namespace)

    def done(self, wire) -> list[str]:
        """Undo what the judging left, and say what was refused since the last time."""
        self.session.close()
        wire.forget(*wire.mine[: DONE + 1])
        remarks, self.remarks[:] = [str(text)[:TOO_LONG] for text in self.remarks[:20]], []
        return remarks


def _parsed(source: str, index: int) -> ast.Module | Exception:
    """A cell as Python, or the error that it gives."""
    name, source = f"<cell {index + 1}>", HIDDEN.sub("", source)
    try:
        return ast.parse(source, name)
    except Exception as error:
        first = error
    # Lines that only IPython understands: `%matplotlib inline`, `!ls`, `torch?`; and cells of other languages.
    line = r"^(\s*)(?:[%!?].*|[\w.]+\?{1,2}\s*)$"
    foreign = source.startswith("%%") and not re.match(r"%%(time|capture|prun|timeit)\b", source)
    try:
        return ast.parse("" if foreign else re.sub(line, r"\1pass", source, flags=re.MULTILINE), name)
    except Exception:
        return first


def check_calls(tree: ast.Module) -> list[tuple[str, str]]:
    """The calls `check("5.1", expression)` that stand as statements of their own: number and expression.

    >>> check_calls(ast.parse("check('5.2', (split, merge))"))
    [('5.2', '(split, merge)')]
    """
    calls = [statement.value for statement in tree.body if _is_check(statement)]
    return [(call.args[0].value, ast.unparse(call.args[1])) for call in calls]


def _is_check(statement: ast.stmt) -> bool:
    call = statement.value if isinstance(statement, ast.Expr) else None
    if not isinstance(call, ast.Call) or len(call.args) != 2 or not isinstance(call.args[0], ast.Constant):
        return False
    return getattr(call.func, "id", getattr(call.func, "attr", "")) == "check" and isinstance(call.args[0].value, str)
