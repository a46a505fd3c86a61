"""What a submission may not do while it runs: fences of the operating system, and of Python where there are none.

- Memory, file size: limits of the operating system (macOS does not enforce the one for memory, Windows has none).
- Reading what was handed in, solutions and exercises; writing outside its own folder; other programs, network, signals:
  on Linux Landlock, which holds for C code as well and cannot be taken off. An audit hook says the same in words, and
  is all there is on macOS, Windows and old kernels: there C code that opens files by itself gets past it (the ways
  through torch and ctypes are closed, those through `tokenizers` and `safetensors` are not).

All else on this machine can be read. For code of strangers use a container without network.
"""

import contextlib
import ctypes
import os
import re
import struct
import sys
import warnings
from collections.abc import Callable
from pathlib import Path

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


def close_in(folder: str, closed: list[str], remark: Callable[[str], None], kernel: bool) -> None:
    """Put all fences round this process, for good: it writes in `folder` only, and does not read `closed`.

    `remark` hears of every attempt; `kernel` says whether the operating system may help.

    >>> close_in.__name__  # nothing takes them away again
    'close_in'
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


CREATE_RULESET, ADD_RULE, RESTRICT_SELF, NO_NEW_PRIVS = 444, 445, 446, 38  # system calls, and an option of prctl
READ_FILE, READ_DIR, WRITE_FILE = 4, 8, 2


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
