"""What a submission may not do while it runs: fences of the operating system, and of Python where there are none.

- Memory, file size: limits of the operating system (Linux; macOS sets but does not enforce the one for memory; Windows
  has none of them, there the time limit is what ends a memory hog).
- Reading what was handed in, solutions and exercises; writing outside its own folder; other programs, network, signals:
  on Linux Landlock, which holds for C code as well and cannot be taken off. An audit hook says the same in words, and
  is all there is on macOS, Windows and old kernels: there C code that opens files by itself gets past it (the ways
  through torch and ctypes are closed, those through `tokenizers` and `safetensors` are not).

What remains possible: to read anything else on this machine, to waste the time of its own notebook, and to hand in code
that looks up an answer in a file that lies elsewhere. For code of strangers use a container without network.
"""

import ctypes
import os
import re
import struct
import sys
import warnings
from collections.abc import Callable
from pathlib import Path

FORBIDDEN = {
    **dict.fromkeys(("socket.connect", "socket.bind", "socket.sendto", "socket.sendmsg"), "using the network"),
    **dict.fromkeys(("socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr"), "using the network"),
    **dict.fromkeys(
        ("os.fork", "os.forkpty", "os.system", "os.exec", "os.posix_spawn", "os.spawn"), "starting a process"
    ),
    **dict.fromkeys(("subprocess.Popen", "pty.spawn", "os.startfile", "os.startfile/2"), "starting a process"),
    **dict.fromkeys(("os.kill", "os.killpg", "signal.pthread_kill"), "sending a signal"),
}
CHANGES = {  # events that change a file, and which of their arguments are paths and directories' descriptors
    "os.remove": ((0, 1),),
    "os.rmdir": ((0, 1),),
    "os.mkdir": ((0, 2),),
    "os.rename": ((0, 2), (1, 3)),
    "os.link": ((0, 2), (1, 3)),  # a second name for a file of somebody else would be a way to read it
    "os.symlink": ((1, 2),),
    "os.truncate": ((0, None),),
    "os.chmod": ((0, 2),),
    "shutil.rmtree": ((0, None),),
    "sqlite3.connect": ((0, None),),
}
OTHERS = re.compile(r"/proc/\d+/")  # what the system shows of a process
LOOKS = ("os.listdir", "os.scandir")
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


def limit_memory(spare: int, largest_file: int) -> None:
    """Let this process take `spare` bytes more than it has now, and write files of at most `largest_file` bytes.

    >>> limit_memory.__name__  # what it sets cannot be undone, so no example runs it
    'limit_memory'
    """
    try:
        import resource
    except ImportError:  # Windows
        return
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (largest_file, largest_file))
    statm = Path("/proc/self/statm")
    if statm.exists():
        taken = int(statm.read_text(encoding="utf-8").split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (taken + spare, taken + spare))


CREATE_RULESET, ADD_RULE, RESTRICT_SELF, NO_NEW_PRIVS = 444, 445, 446, 38  # system calls, and an option of prctl
READ_FILE, READ_DIR, WRITE_FILE = 4, 8, 2


def lock(folder: str, closed: list[str]) -> bool:
    """Let the kernel close `closed` and all writing outside `folder`, for this thread and those that it starts.

    False where the kernel has no Landlock. Everything beside the closed folders is listed as open, since rules of
    Landlock only ever open; a link is left out, what it points to has a path of its own.

    >>> lock.__name__  # cannot be undone
    'lock'
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
        try:
            descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC | os.O_NOFOLLOW)
        except OSError:
            return
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


def fence(folder: str, closed: list[str], remark: Callable[[str], None], locked: bool) -> None:
    """Forbid the same to Python code, in words; `remark` hears of every attempt. `locked`: whether `lock` holds.

    >>> fence.__name__  # cannot be undone either
    'fence'
    """
    place = _place
    home, null, mine = place(folder), place(os.devnull), f"/proc/{os.getpid()}/"
    shut = tuple(map(place, closed))
    forbidden = dict(FORBIDDEN)
    if not locked:
        forbidden["ctypes.dlopen"] = "native code"
        _close_readers()

    def refuse(text: str) -> None:
        remark(text)
        raise PermissionError(text)

    def keep_out(text: str) -> None:  # libraries try this as well, so that it deserves no remark
        raise PermissionError(text)

    def watch(event, arguments):
        if event in forbidden:
            refuse(f"{forbidden[event]} is not possible while a submission is graded ({event})")
        if event == "open":
            path, mode, flags = arguments
            if isinstance(path, int):
                return
            where = place(path)
            if (isinstance(mode, str) and set(mode) & set("wax+")) or flags & WRITING:
                if not where.startswith(home) and where != null:
                    keep_out(f"a submission writes in its own folder only, not to {path}")
            elif where.startswith(shut) or (OTHERS.match(where) and not where.startswith(mine)):
                refuse("submissions and solutions cannot be read while a submission is graded")
        elif event in LOOKS and arguments[0] is not None and not isinstance(arguments[0], int):
            if place(arguments[0]).startswith(shut):
                refuse("submissions and solutions cannot be listed while a submission is graded")
        elif event in CHANGES:
            for name, descriptor in CHANGES[event]:
                if isinstance(arguments[name], int) or arguments[name] == ":memory:":
                    continue
                if event == "os.mkdir" and os.path.isdir(arguments[name]):
                    continue  # changes nothing
                where = place(arguments[name], arguments[descriptor] if descriptor else None)
                if where and not where.startswith(home):
                    keep_out(f"a submission changes files in its own folder only, not {arguments[name]}")

    sys.addaudithook(watch)


def _place(
    path,
    descriptor=None,
    *,
    real=os.path.realpath,
    join=os.path.join,
    normal=os.path.normcase,
    link=os.readlink,
) -> str:
    """Where a path leads, with a separator at the end; "" below a folder of which only the descriptor is known."""
    if isinstance(path, bytes):
        path = os.fsdecode(path)
    if isinstance(descriptor, int) and descriptor >= 0:
        try:
            path = join(link(f"/proc/self/fd/{descriptor}"), path)
        except OSError:
            return ""  # no /proc: deleting a tree works this way, and its root was looked at
    return normal(real(path)) + os.sep


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
