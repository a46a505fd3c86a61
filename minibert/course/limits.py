"""Running somebody else's code so that it cannot hang the notebook and leaves no traces in it.

`run_limited` runs it in a thread of its own. When its time is up, an exception is planted in that thread, again and
again for a second, in case the code catches it; then we stop waiting. One single call into C is not ended by that: one
that sleeps stays behind in its thread, after another (`10 ** 10 ** 10`) only restarting the kernel helps.

After `untouched` everything is as it was: random states, functions and classes of Python, torch, numpy and minibert,
streams, warnings, environment, working folder, limits. What cannot be put back: files, what the code changed in the
notebook's own objects beyond its answer, and what C code does. `os._exit` is switched off under all its usual names,
but who kept one from before can still end the process.
"""

import _thread
import builtins
import ctypes
import gc
import importlib
import os
import random
import signal
import sys
import threading
import types
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from operator import attrgetter, is_
from sys import _current_frames, getrecursionlimit
from threading import get_ident
from time import monotonic
from typing import Any

import numpy as np
import torch
from torch import nn

CHECKER = "minibert check"  # the name of the thread
GRACE = 1.0  # seconds in which a thread may follow the request to stop
STACK = 512 * 2**20  # bytes, of which only what is used is taken; runaway recursion must end in an exception
DEEP = attrgetter(".".join(["f_back"] * 20_000))  # of a frame: the one so many calls before, if there is one
ERROR = (AttributeError, KeyError)  # the code may take away names of Python
PLANT = ctypes.pythonapi.PyThreadState_SetAsyncExc  # an exception is raised in a thread as soon as it runs Python code
DEPTH = 3_000  # calls within each other; more than this only a wrong answer needs
OFF = {  # what ends or stops the process, or breaks its stack; the names of `os` come from another module
    **dict.fromkeys((os, sys.modules[os.name]), "_exit abort kill killpg fork forkpty execv execve".split()),
    signal: ("alarm", "setitimer", "raise_signal", "pthread_kill"),
    _thread: ("interrupt_main",),
    sys: ("setrecursionlimit", "setswitchinterval"),
}
MODULES = (  # whose functions are put back; builtins first
    "builtins contextlib copy functools gc importlib inspect io json linecache math os pickle random signal sys "
    "threading time warnings numpy numpy.random torch torch.functional torch.random torch.linalg torch.autograd "
    "torch.optim torch.nn torch.nn.functional torch.nn.init torch.nn.utils"
)
MODULES = [importlib.import_module(name) for name in MODULES.split()]
CLASSES = [torch.Tensor, torch.Generator, *{value for value in vars(nn).values() if isinstance(value, type)}]
CHANCE = (
    (torch.get_rng_state, torch.set_rng_state),
    (np.random.get_state, np.random.set_state),
    (random.getstate, random.setstate),
)
FLAGS = (  # how to read a setting, and how to set it
    (lambda: list(sys.path), lambda folders: sys.path.__setitem__(slice(None), folders)),
    (lambda: dict(os.environ), lambda values: (os.environ.clear(), os.environ.update(values))),
    (torch.get_default_dtype, torch.set_default_dtype),
    (torch.get_num_threads, torch.set_num_threads),
    (torch.is_anomaly_enabled, torch.set_anomaly_enabled),
    (torch.get_float32_matmul_precision, torch.set_float32_matmul_precision),
    (torch.are_deterministic_algorithms_enabled, torch.use_deterministic_algorithms),
    (sys.getrecursionlimit, sys.setrecursionlimit),
    (sys.getswitchinterval, sys.setswitchinterval),
    (lambda: os.path.realpath("."), os.chdir),
    (threading.gettrace, threading.settrace),
    (threading.getprofile, threading.setprofile),
    (gc.isenabled, lambda on: gc.enable() if on else gc.disable()),
)


TOLD: set[int] = set()  # the threads that were asked to stop


class Stop(SystemExit):
    """Planted in a thread whose time is up; `except Exception` does not catch it, and threads end on it silently."""


def told_to_stop() -> bool:
    """Whether the thread that asks was asked to stop: its code may have swallowed that.

    >>> told_to_stop()
    False
    """
    return get_ident() in TOLD


def run_limited(work: Callable[[], Any], seconds: float) -> tuple[bool, Any]:
    """Run `work()` for at most `seconds`: (True, its result), or (False, None) when it took too long.

    >>> run_limited(lambda: 6 * 7, 5.0)
    (True, 42)
    """
    results, errors, busy = [], [], threading.Lock()
    busy.acquire()

    def body():
        TOLD.discard(get_ident())  # a thread may have the number of one that has ended
        try:
            try:
                results.append(work())
            except:  # noqa: E722  BaseException itself may be gone
                errors.append(sys.exc_info()[1])
        except Stop:  # a second one
            pass
        finally:
            busy.release()

    before, limit = threading.stack_size(STACK), getrecursionlimit()
    worker = threading.Thread(target=body, name=CHECKER, daemon=True)
    try:
        worker.start()
    finally:
        threading.stack_size(before)
    in_time = False
    try:
        in_time = _wait(busy, seconds, worker.ident, limit)
    finally:  # also when the reader presses "interrupt"
        if not in_time:
            _stop(worker.ident, busy)
    if in_time and errors:
        raise errors[0]
    return in_time, results[0] if in_time else None


def _stop(thread: int, busy: Any = None, how: type[BaseException] = Stop) -> None:
    """Plant an exception in a thread; with the lock that it holds, again and again until it ends."""
    deadline, pause = monotonic() + GRACE, 0.05
    if how is Stop:
        TOLD.add(thread)
    while True:
        PLANT(ctypes.c_ulong(thread), ctypes.py_object(how))
        if busy is None or monotonic() > deadline or busy.acquire(timeout=pause):
            return
        pause *= 1.5  # a thread that is slow, not stubborn, should not get the next one while it ends


def _wait(busy: Any, seconds: float, thread: int, limit: int) -> bool:
    """Whether the thread ended in time. In short slices: a long wait cannot be interrupted on Windows.

    Uses no function that the code in the thread could take away. Who raises the limit of recursion gets an
    exception at some depth anyway, before the stack is full; to lower the limit again would end Python.
    """
    spent, before = 0.0, monotonic()
    while spent < seconds:
        if busy.acquire(timeout=0.01):
            return True
        if getrecursionlimit() > limit:
            try:
                DEEP(_current_frames()[thread])
                PLANT(ctypes.c_ulong(thread), ctypes.py_object(RecursionError))
            except ERROR:
                pass
        now = monotonic()
        spent += now - before if now - before < 0.25 else 0.25  # a computer that slept does not make the learner slow
        before = now
    return False


def _off(*arguments, **named):
    raise RuntimeError("this function is switched off while an answer is checked")


def _ignored(*arguments) -> None:
    """Stands for a function that would let a program recurse until it breaks."""


class _Snapshot:
    """The functions and classes of Python and of the libraries, as they were when it was taken."""

    def __init__(self):
        ours = [module for name, module in list(sys.modules.items()) if name.startswith("minibert.")]
        self.kept = [(holder, dict(vars(holder))) for holder in (*MODULES, *CLASSES, *ours)]
        self.functions = [v for _, names in self.kept for v in names.values() if type(v) is types.FunctionType]
        self.codes = [(function.__code__, function.__defaults__) for function in self.functions]
        self.modules = dict(sys.modules)

    def put_back(self) -> list[str]:
        """Undo all replacements, and say what was replaced."""
        now, names = builtins.__dict__, self.kept[0][1]  # first, since all that follows needs them
        found = [f"builtins.{name}" for name, value in names.items() if name not in now or now[name] is not value]
        now.update(names)
        for holder, names in self.kept:
            now, label, is_class = vars(holder), holder.__name__, isinstance(holder, type)
            if len(now) == len(names) and all(map(is_, now.values(), names.values())):
                continue
            for name, value in names.items():
                new = now.get(name, self)
                if new is value or (not callable(value) if holder is sys else name[:2] == "__" and not is_class):
                    continue
                # The first optimizer makes torch wrap its own torch.manual_seed; the default dtype decides Storage.
                own = getattr(new, "__wrapped__", None) is value or name == "Storage" or new is _off or new is _ignored
                if callable(value) and not own:
                    found.append(f"{label}.{name}")
                setattr(holder, name, value)
            for name in [name for name in now if name not in names] if is_class else ():
                if any(name in vars(base) for base in holder.__mro__[1:]) and name != "__slotnames__":
                    found.append(f"{label}.{name}")
                    delattr(holder, name)
        for function, (code, defaults) in zip(self.functions, self.codes, strict=True):
            if function.__code__ is not code or function.__defaults__ is not defaults:
                found.append(function.__qualname__)
                function.__code__, function.__defaults__ = code, defaults
        for name, module in self.modules.items():
            if sys.modules.get(name) is not module:
                sys.modules[name] = module
                found.append(f"sys.modules[{name!r}]")
        return found


@contextmanager
def untouched(seed: int) -> Iterator[list[str]]:
    """Inside, random numbers follow `seed`, and what is printed goes nowhere; afterwards all is as it was.

    The list has the names of what was replaced, once all is put back.

    >>> with untouched(0) as replaced:
    ...     torch.allclose = print("unseen") or len
    >>> replaced
    ['torch.allclose']
    """
    replaced: list[str] = []
    chance = [(put, get()) for get, put in CHANCE]
    flags = [(get, put, get()) for get, put in FLAGS]
    threads = set(threading.enumerate())
    streams = {name: getattr(sys, name) for name in ("stdout", "stderr", "__stdout__", "__stderr__")}
    snapshot = _Snapshot()
    with warnings.catch_warnings(), open(os.devnull, "w", encoding="utf-8", errors="replace") as null:
        terminal = _mute(null, streams.values())
        try:
            warnings.simplefilter("ignore")
            torch.default_generator.manual_seed(seed)
            np.random.seed(seed % 2**32)
            random.seed(seed)
            torch.set_default_dtype(torch.float32)
            sys.setrecursionlimit(DEPTH)
            for name in streams:
                setattr(sys, name, null)
            for holder, names in OFF.items():
                for name in names:
                    if hasattr(holder, name):
                        setattr(holder, name, _ignored if holder is sys else _off)
            yield replaced
        finally:
            replaced += snapshot.put_back()
            for number, descriptor in terminal.items():
                os.dup2(descriptor, number)
                os.close(descriptor)
            for name, stream in streams.items():
                closed = getattr(stream, "closed", False) is True
                number, code = 2 if "err" in name else 1, getattr(stream, "encoding", None) or "utf-8"
                setattr(sys, name, open(number, "w", encoding=code, closefd=False) if closed else stream)
            for put, value in chance:
                put(value)
            for get, put, value in flags:
                with suppress(OSError):  # the working folder may be gone
                    # Putting back can be slow: torch imports its compiler for one of these. But each thread has its own
                    # number of threads: the answer's decides how many later threads get, and is not seen from here.
                    if put is torch.set_num_threads or get() != value:
                        put(value)
            for thread in set(threading.enumerate()) - threads:
                if thread.name != CHECKER:  # started by the code, it would go on; threads end silently on this
                    _stop(thread.ident, how=SystemExit)


def _mute(null: Any, streams: Iterable) -> dict[int, int]:
    """Let nothing reach the terminal, not even with `os.write(1, ...)`; what brings it back, by descriptor."""
    terminal = {}
    for stream in streams:
        with suppress(Exception):
            stream.flush()
    for number in (1, 2):
        with suppress(OSError):  # a program without a terminal
            terminal[number] = os.dup(number)
            os.dup2(null.fileno(), number)
    return terminal
