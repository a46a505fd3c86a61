"""Running somebody else's code so that it can neither hang the notebook nor leave traces in it.

The code runs in a thread of its own. When its time is up, an exception is planted in that thread, again and again for
a second, in case the code catches it; then we stop waiting. That ends endless Python loops on every system. What it
cannot end: one single call into C that never returns. If that call lets other threads run (sleeping, waiting for
input), the check still returns in time and the thread stays behind until the kernel restarts; if not
(`10 ** 10 ** 10`), only restarting the kernel helps. A grader therefore runs each submission in its own process.
"""

import contextlib
import ctypes
import io
import random
import sys
import threading
import time
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

GRACE = 1.0  # seconds in which a thread may follow the request to stop
STACK = 64 * 2**20  # bytes: threads get half a MB on macOS, too little for runaway recursion to end in an exception


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
    results, errors = [], []

    def body():
        try:
            results.append(work())
        except Stop:
            pass
        except BaseException as error:
            errors.append(error)

    before = threading.stack_size(STACK)
    try:
        worker = threading.Thread(target=body, name="minibert check", daemon=True)
        worker.start()
    finally:
        threading.stack_size(before)
    in_time = False
    try:
        in_time = _wait(worker, seconds)
    finally:  # also when the reader presses "interrupt"
        deadline = time.monotonic() + GRACE
        while worker.is_alive() and time.monotonic() < deadline:
            ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(worker.ident), ctypes.py_object(Stop))
            worker.join(0.02)
    if not in_time:
        return False, None
    if errors:
        raise errors[0]
    return True, results[0]


def _wait(worker: threading.Thread, seconds: float) -> bool:
    """Whether the thread ended in time. In short slices: a long join cannot be interrupted on Windows."""
    spent, before = 0.0, time.monotonic()
    while worker.is_alive() and spent < seconds:
        worker.join(min(seconds - spent, 0.05))
        now = time.monotonic()
        spent += min(now - before, 0.25)  # a computer that slept in between does not make the learner slow
        before = now
    return not worker.is_alive()


class _Bounded(io.StringIO):
    """Keeps what is printed, up to a limit: an endless loop may print endlessly."""

    LIMIT = 10_000

    def write(self, text: str) -> int:
        return super().write(text[: max(0, self.LIMIT - self.tell())])


@contextlib.contextmanager
def untouched(seed: int):
    """Inside, random numbers follow `seed`, floats are float32, prints go to the object yielded; outside, no trace.

    What is put back: the random states of torch (CPU), numpy and random, torch's default dtype, standard output and
    error, warning filters.

    >>> before = torch.get_rng_state()
    >>> with untouched(0) as printed:
    ...     print("unseen", torch.rand(2).shape)
    >>> bool((torch.get_rng_state() == before).all()), printed.getvalue().strip()
    (True, 'unseen torch.Size([2])')
    """
    states = torch.get_rng_state(), np.random.get_state(), random.getstate()
    dtype, streams, printed = torch.get_default_dtype(), (sys.stdout, sys.stderr), _Bounded()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            torch.default_generator.manual_seed(seed)
            np.random.seed(seed % 2**32)
            random.seed(seed)
            torch.set_default_dtype(torch.float32)
            sys.stdout = sys.stderr = printed
            yield printed
    finally:
        sys.stdout, sys.stderr = streams
        torch.set_default_dtype(dtype)
        torch.set_rng_state(states[0])
        np.random.set_state(states[1])
        random.setstate(states[2])
