"""What a submission may not do while it runs, and undoing what it did to the libraries.

These are fences against accidents and against cheap tricks, in the process of the submission itself. They are no
sandbox: who is determined gets past them with native code or by searching the process's memory. Where that matters,
run the grader in a container without network.

- Memory, file size: limits of the operating system (Linux; macOS sets but does not enforce the one for memory; Windows
  has none of them, there the time limit is what ends a memory hog).
- Network, other processes, signals, files outside its folder: an audit hook, which Python code cannot take off again.
  Files that were handed in and the solutions cannot be read either.
- Replaced functions (`torch.allclose = lambda *a, **k: True`): put back before each check, noticed after it.
"""

import builtins
import copy
import math
import os
import sys
import threading
import types
from pathlib import Path

import torch

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
}
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


def fence(folder: str, closed: list[str]) -> None:
    """Forbid from now on: network, processes, signals, writing outside `folder`, reading in the folders `closed`.

    >>> fence.__name__  # cannot be undone either
    'fence'
    """
    real, join, normal, readlink = os.path.realpath, os.path.join, os.path.normcase, os.readlink
    home = normal(real(folder)) + os.sep
    null = normal(real(os.devnull))
    shut = tuple(normal(real(path)) + os.sep for path in closed)

    def place(path, descriptor=None) -> str:
        if isinstance(path, bytes):
            path = os.fsdecode(path)
        if isinstance(descriptor, int) and descriptor >= 0:
            try:
                path = join(readlink(f"/proc/self/fd/{descriptor}"), path)
            except OSError:
                return home  # no /proc: deleting a tree works this way, and its root was looked at
        return normal(real(path)) + os.sep

    def watch(event, arguments):
        if event in FORBIDDEN:
            raise PermissionError(f"{FORBIDDEN[event]} is not possible while a submission is graded ({event})")
        if event == "open":
            path, mode, flags = arguments
            if isinstance(path, int):
                return
            where = place(path)
            if (isinstance(mode, str) and set(mode) & set("wax+")) or flags & WRITING:
                if not where.startswith(home) and where != null + os.sep:
                    raise PermissionError(f"a submission writes in its own folder only, not to {path}")
            elif where.startswith(shut):
                raise PermissionError("submissions and solutions cannot be read while a submission is graded")
        elif event == "shutil.rmtree":
            if not place(arguments[0]).startswith(home):
                raise PermissionError(f"a submission deletes in its own folder only, not {arguments[0]}")
        elif event in CHANGES:
            for name, descriptor in CHANGES[event]:
                if isinstance(arguments[name], int):
                    continue
                if not place(arguments[name], arguments[descriptor] if descriptor else None).startswith(home):
                    raise PermissionError(f"a submission changes files in its own folder only, not {arguments[name]}")

    sys.addaudithook(watch)


class Snapshot:
    """The functions and classes of torch, minibert and Python that checks rely on, as they were when it was taken.

    >>> snapshot, right = Snapshot(), torch.allclose
    >>> torch.allclose = lambda *arguments, **named: True
    >>> snapshot.put_back(), torch.allclose is right
    (['torch.allclose'], True)
    """

    def __init__(self):
        ours = [
            module
            for name, module in sorted(sys.modules.items())
            if name.startswith(("minibert.course", "minibert.grading"))
        ]
        others = [builtins, math, copy, threading, torch, torch.functional, torch.nn.functional, torch.nn.init]
        others += [torch.Tensor, torch.nn.Module, torch.nn.Parameter]
        classes = [v for m in ours for v in vars(m).values() if isinstance(v, type) and v.__module__ == m.__name__]
        exercises = [one for module in ours for one in getattr(module, "EXERCISES", ())]
        self._kept = [(holder, dict(vars(holder)), False) for holder in others]
        self._kept += [(holder, dict(vars(holder)), True) for holder in (*ours, *classes, *exercises)]
        functions = {id(v): v for _, names, _ in self._kept for v in names.values() if type(v) is types.FunctionType}
        self._codes = [(v, v.__code__, v.__defaults__, v.__kwdefaults__) for v in functions.values()]
        self._lists = [(value, list(value)) for m in ours for value in vars(m).values() if type(value) is list]
        self._tables = [(value, dict(value)) for m in ours for value in vars(m).values() if type(value) is dict]

    def put_back(self) -> list[str]:
        """Undo all replacements, and say what was replaced."""
        found = []
        for holder, names, is_ours in self._kept:
            label, now = getattr(holder, "__name__", type(holder).__name__), vars(holder)
            module = isinstance(holder, types.ModuleType)
            for name, value in names.items():
                counts = (is_ours or callable(value)) and not (module and name.startswith("__"))
                if counts and (new := now.get(name, self)) is not value:
                    # The first optimizer makes torch wrap its own torch.manual_seed: put back, and nobody's fault.
                    if (label, name, getattr(new, "__wrapped__", None)) != ("torch", "manual_seed", value):
                        found.append(f"{label}.{name}")
                    _set(holder, name, value)
            for name in [name for name in now if name not in names and not isinstance(now[name], types.ModuleType)]:
                if name == "__slotnames__":  # Python's own note in a class, written when an instance is first copied
                    continue
                hides = any(name in vars(base) for base in holder.__mro__[1:]) if isinstance(holder, type) else False
                if is_ours or hides:  # other additions are harmless, such as a method that nn.Module did not have
                    found.append(f"{label}.{name}")
                    delattr(holder, name)
        for function, code, defaults, named in self._codes:
            if function.__code__ is not code or function.__defaults__ is not defaults:
                found.append(function.__qualname__)
            function.__code__, function.__defaults__, function.__kwdefaults__ = code, defaults, named
        for value, was in self._lists:
            if len(value) != len(was) or any(a is not b for a, b in zip(value, was, strict=True)):
                found.append("a list of the checks")
                value[:] = was
        for value, was in self._tables:
            value.clear(), value.update(was)
        threading.settrace(None), threading.setprofile(None)
        return found


def _set(holder, name: str, value) -> None:
    if isinstance(holder, types.ModuleType | type):
        setattr(holder, name, value)
    else:
        object.__setattr__(holder, name, value)  # a frozen exercise
