"""Running somebody else's code so that it cannot hang the notebook; `traces` cleans up after it.

The code runs in a thread of its own. When its time is up, an exception is planted in that thread, again and again for
a second, in case the code catches it; then we stop waiting. That ends endless Python loops on every system. What it
cannot end: one single call into C that never returns. If that call lets other threads run (sleeping, waiting for
input), the check still returns in time and the thread stays behind until the kernel restarts; if not
(`10 ** 10 ** 10`), only restarting the kernel helps. A grader therefore runs each submission in its own process.
"""

import ctypes
import sys
import threading
from collections.abc import Callable
from operator import attrgetter
from sys import _current_frames, getrecursionlimit
from time import monotonic
from typing import Any

CHECKER = "minibert check"  # the name of the thread
GRACE = 1.0  # seconds in which a thread may follow the request to stop
STACK = 512 * 2**20  # bytes, of which only what is used is taken; runaway recursion must end in an exception
DEEP = attrgetter(".".join(["f_back"] * 20_000))  # of a frame: the one so many calls before, if there is one
ERROR = (AttributeError, KeyError)  # the code may take away names of Python
PLANT = ctypes.pythonapi.PyThreadState_SetAsyncExc  # an exception is raised in a thread as soon as it runs Python code


class Stop(SystemExit):
    """Planted in a thread whose time is up; `except Exception` does not catch it, and threads end on it silently.

    >>> issubclass(Stop, Exception)
    False
    """


def run_limited(work: Callable[[], Any], seconds: float) -> tuple[bool, Any]:
    """Run `work()` for at most `seconds`: (True, its result), or (False, None) when it took too long.

    Exceptions of `work` are raised here, in the calling thread.

    >>> run_limited(lambda: 6 * 7, 5.0)
    (True, 42)
    >>> def endless():
    ...     while True:
    ...         pass
    >>> run_limited(endless, 0.1)
    (False, None)
    """
    results, errors, busy = [], [], threading.Lock()
    busy.acquire()

    def body():
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
            stop(worker.ident, busy)
    if in_time and errors:
        raise errors[0]
    return in_time, results[0] if in_time else None


def stop(thread: int, busy: Any = None, how: type[BaseException] = Stop) -> None:
    """Plant an exception in a thread; with the lock that it holds, again and again until it ends.

    >>> stop(0)  # no such thread
    """
    deadline, pause = monotonic() + GRACE, 0.05
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
