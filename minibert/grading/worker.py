"""The process in which one submission runs; `grader` starts it, asks it, and judges what it answers.

Neither the exercises nor anything else of the judge is in this process, and `minibert.course` has only names here that
do nothing: what a submission finds by looking round, through frames, modules or memory, is its own. Questions come on
what was standard input, answers go out on what was standard output; the submission has the null device for both.

What a submission may not do, by fences of the operating system, and of Python where there are none:

- Memory, file size: limits of the operating system (macOS does not enforce the one for memory, Windows has none).
- Reading what was handed in, solutions and exercises; writing outside its own folder; other programs, network, signals:
  on Linux Landlock, which holds for C code as well and cannot be taken off. An audit hook says the same in words, and
  is all there is on macOS, Windows and old kernels: there C code that opens files by itself gets past it (the ways
  through torch and ctypes are closed, those through `tokenizers` and `safetensors` are not).

All else on this machine can be read. For code of strangers use a container without network.
"""

import ast
import contextlib
import ctypes
import json
import linecache
import os
import re
import struct
import sys
import threading
import types
import warnings
from collections.abc import Callable
from importlib.machinery import ModuleSpec
from pathlib import Path
from typing import Any

STACK = 256 * 2**20  # bytes, so that deep recursion ends in an exception
DEFINITIONS = (ast.FunctionDef, ast.ClassDef, ast.Import, ast.ImportFrom)
TOO_LONG = 2_000  # characters of a report's text
PLAN, RUN, ANSWER, DONE = range(4)  # the handles of what the judge may ask for
SPARE = 3 * 2**30  # bytes of memory beyond what Python and torch take
LARGEST_FILE = 100 * 2**20
FORBIDDEN = {  # what it would be, and Python's names for the events
    "using the network": "socket.connect socket.bind socket.sendto socket.sendmsg socket.getaddrinfo "
    "socket.gethostbyname socket.gethostbyaddr",
    "starting a process": "os.fork os.forkpty os.system os.exec os.posix_spawn os.spawn subprocess.Popen pty.spawn "
    "os.startfile os.startfile/2",
    "sending a signal": "os.kill os.killpg signal.pthread_kill",
}
CHANGES = (  # a second name for a file of somebody else would be a way to read it
    "os.remove os.rmdir os.mkdir os.rename os.link os.symlink os.truncate os.chmod shutil.rmtree sqlite3.connect"
).split()
OTHERS = re.compile(r"/proc/\d+/")  # what the system shows of a process
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
CREATE_RULESET, ADD_RULE, RESTRICT_SELF, NO_NEW_PRIVS = 444, 445, 446, 38  # system calls, and an option of prctl
READ_FILE, READ_DIR, WRITE_FILE = 4, 8, 2
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
    from minibert.grading.wire import Wire

    submission = _Submission(job, vars(sys.modules["__main__"]))
    wire = Wire(receive, send, is_judge=False)
    wire.forget(submission.plan, submission.run, submission.answer, lambda: submission.done(wire))
    _hide(submission.remarks.append)

    def listen():
        while True:
            wire.serve(receive())

    # Before the thread starts in which the submission runs, so that both are closed in.
    _close_in(job["folder"], job["closed"], submission.remarks.append, job["kernel"])
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

    def find_spec(name, path=None, target=None):
        if name.startswith(ours):
            text = f"{name} cannot be imported while a submission is graded"
            remark(text)
            raise ImportError(text)

    sys.meta_path.insert(0, types.SimpleNamespace(find_spec=find_spec))


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


def _close_in(folder: str, closed: list[str], remark: Callable[[str], None], kernel: bool) -> None:
    """Put all fences round this process, for good: it writes in `folder` only, and does not read `closed`.

    `remark` hears of every attempt; `kernel` says whether the operating system may help.
    """
    with contextlib.suppress(ImportError):  # Windows has no such limits
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_FSIZE, (LARGEST_FILE, LARGEST_FILE))
        if (statm := Path("/proc/self/statm")).exists():
            most = int(statm.read_text(encoding="utf-8").split()[0]) * resource.getpagesize() + SPARE
            resource.setrlimit(resource.RLIMIT_AS, (most, most))
    locked = kernel and _lock(folder, closed)
    if not locked:
        _close_readers()
    _watch(folder, closed, remark, locked)


def _lock(folder: str, closed: list[str]) -> bool:
    """Let the kernel close `closed` and all writing outside `folder`, for this thread and those that it starts.

    False where the kernel has no Landlock. Everything beside the closed folders is listed as open, since rules of
    Landlock only ever open; a link is left out, what it points to has a path of its own.
    """
    if not sys.platform.startswith("linux"):
        return False
    kernel = ctypes.CDLL(None, use_errno=True)
    version = kernel.syscall(CREATE_RULESET, None, 0, 1)
    if version < 1:
        return False
    everything = (1 << (13 + (version >= 2) + (version >= 3))) - 1
    handled = struct.pack("QQQ", everything, 3 if version >= 4 else 0, 3 if version >= 6 else 0)  # files, TCP, signals
    rules = kernel.syscall(CREATE_RULESET, handled, 24 if version >= 6 else 16 if version >= 4 else 8, 0)

    def open_up(path: str, rights: int) -> None:
        with contextlib.suppress(OSError):
            descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC | os.O_NOFOLLOW)
            kernel.syscall(ADD_RULE, rules, 1, struct.pack("=Qi", rights, descriptor), 0)
            os.close(descriptor)

    shut = [os.path.realpath(path) for path in closed]

    def open_around(parent: str) -> None:
        with os.scandir(parent) as entries:
            for entry in entries:
                other = parent == "/proc" and entry.name.isdecimal() and entry.name != str(os.getpid())
                if entry.path in shut or entry.is_symlink() or other:
                    continue
                if entry.path == "/proc" or any(path.startswith(entry.path + "/") for path in shut):
                    open_around(entry.path)
                else:
                    open_up(entry.path, READ_FILE | READ_DIR if entry.is_dir() else READ_FILE)

    open_up("/", READ_DIR)
    open_around("/")
    open_up(os.path.realpath(folder), everything & ~1)  # all but to execute
    open_up(os.devnull, READ_FILE | WRITE_FILE)
    kernel.prctl(NO_NEW_PRIVS, 1, 0, 0, 0)
    return kernel.syscall(RESTRICT_SELF, rules, 0) == 0


def _watch(folder: str, closed: list[str], remark: Callable[[str], None], locked: bool) -> None:
    """Forbid the same to Python code, in words."""
    real, normal, is_folder, text = os.path.realpath, os.path.normcase, os.path.isdir, (str, bytes, os.PathLike)

    def place(path) -> str:
        return normal(real(os.fsdecode(path))) + os.sep

    home, null, mine, shut = place(folder), place(os.devnull), f"/proc/{os.getpid()}/", tuple(map(place, closed))
    forbidden = {event: what for what, events in FORBIDDEN.items() for event in events.split()}
    if not locked:
        forbidden["ctypes.dlopen"] = "native code"

    def refuse(why: str) -> None:
        remark(why)
        raise PermissionError(why)

    def watch(event, arguments):
        if event in forbidden:
            refuse(f"{forbidden[event]} is not possible while a submission is graded ({event})")
        if event == "open" and not isinstance(arguments[0], int):
            path, mode, flags = arguments
            where = place(path)
            if (isinstance(mode, str) and set(mode) & set("wax+")) or flags & WRITING:
                if not where.startswith(home) and where != null:  # libraries try it as well: not worth a remark
                    raise PermissionError(f"a submission writes in its own folder only, not to {path}")
            elif where.startswith(shut) or (OTHERS.match(where) and not where.startswith(mine)):
                refuse("submissions and solutions cannot be read while a submission is graded")
        elif event in ("os.listdir", "os.scandir") and isinstance(arguments[0], text):
            if place(arguments[0]).startswith(shut):
                refuse("submissions and solutions cannot be listed while a submission is graded")
        elif event in CHANGES:
            for path in arguments:
                if not isinstance(path, text) or path == ":memory:" or (event == "os.mkdir" and is_folder(path)):
                    continue  # the last changes nothing
                if not place(path).startswith(home):
                    raise PermissionError(f"a submission changes files in its own folder only, not {path}")

    sys.addaudithook(watch)


def _close_readers() -> None:
    """Where no kernel does it: torch's own ways to a file, which Python does not hear of."""
    import torch

    def closed(*arguments, **named):
        raise PermissionError("a submission reads files with Python only")

    real = torch._C.PyTorchFileReader
    torch._C.PyTorchFileReader = lambda source: closed() if isinstance(source, str | os.PathLike) else real(source)
    torch.UntypedStorage.from_file = torch.TypedStorage.from_file = closed
    KEPT.append(torch.library.Library("aten", "IMPL"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        KEPT[0].impl("from_file", closed, "CPU")  # torch.from_file, under all its names


KEPT: list = []  # a library of torch ends with its object
