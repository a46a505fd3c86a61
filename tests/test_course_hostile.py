"""Whatever an answer does, `check` says something about it, does not raise, does not end, and leaves no traces."""

import os
import random
import subprocess
import sys
import threading
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from minibert.course import check, examine
from minibert.course.exercise import Crash, NotAttempted, Wrong
from minibert.course.limits import Stop

ROOT = Path(__file__).parents[1]


class Speechless(BaseException):
    def __str__(self):
        raise SystemExit


class NoAttributes:
    def __call__(self, *_):
        return self

    def __getattribute__(self, name):
        raise SystemExit(name)


class NoClass:
    @property
    def __class__(self):
        raise KeyboardInterrupt

    def __call__(self, *_):
        return self


class Refuses:
    __hash__ = None

    def _refuse(self, *_):
        raise GeneratorExit

    __repr__ = __eq__ = __bool__ = __len__ = __iter__ = __deepcopy__ = __reduce_ex__ = __float__ = _refuse


def strange() -> type:
    """Not at the top of this file: pytest would look at it."""

    class Metaclass(type):
        def __getattribute__(cls, name):
            raise RuntimeError(name)

    return Metaclass("Strange", (), {})


ITSELF, DEEP = [], []
ITSELF.append(ITSELF)
for _ in range(50_000):
    DEEP = [DEEP]
RAISED = [
    Stop(),
    SystemExit(1),
    KeyboardInterrupt(),
    GeneratorExit(),
    Speechless(),
    Wrong("a"),
    NotAttempted(),
    Crash("a"),
]
OBJECTS = [NoAttributes(), NoClass(), Refuses(), strange(), ITSELF, DEEP, threading.Lock(), iter("a"), {1: ITSELF}]
DOES = [  # and returns the query
    "del builtins.isinstance, builtins.len, builtins.max, builtins.type, builtins.Exception, builtins.BaseException",
    "builtins.__import__ = builtins.print = None",
    "torch.allclose = torch.equal = lambda *arguments, **named: True",
    "torch.Tensor.__eq__ = torch.Tensor.__le__ = lambda *arguments: True",
    "torch.nn.functional.softmax.__code__ = (lambda *arguments: 1).__code__",
    "torch.nn.LayerNorm.forward = None",
    "torch.set_default_dtype(torch.float64); torch.set_num_threads(3); torch.set_grad_enabled(False)",
    "torch.set_default_device('meta')",
    "torch.inference_mode(True).__enter__()",
    "torch.manual_seed(3); random.seed(3); np.random.seed(3)",
    "os.write(1, b'LEAK'); os.write(2, b'LEAK'); print('LEAK', file=sys.__stdout__, flush=True); print('LEAK')",
    "sys.stdout = sys.stderr = None",
    "sys.stdout.close()",
    "os._exit(3)",
    "__import__('posix' if os.name == 'posix' else 'nt')._exit(3)",
    "os.abort()",
    "os.kill(os.getpid(), 9)",
    "os.fork()",
    "signal.raise_signal(signal.SIGINT)",
    "__import__('_thread').interrupt_main()",
    "warnings.simplefilter('error'); warnings.warn = None",
    "os.environ.clear(); os.chdir(os.sep)",
    "sys.modules.clear(); sys.path.clear()",
    "sys.settrace(lambda *_: 1 / 0); threading.settrace(lambda *_: 1 / 0); threading.setprofile(lambda *_: 1 / 0)",
    "sys.excepthook = sys.unraisablehook = threading.excepthook = None",
    "threading.Thread = threading.Lock = threading.enumerate = None",
    "import contextlib, copy, io, time; contextlib.suppress = copy.deepcopy = io.StringIO = time.monotonic = None",
    "sys.setrecursionlimit(10**8); (lambda f: f(f))(lambda f: f(f))",
    "sys.setswitchinterval(1000)",
    "def go():\n    while True: time.sleep(0.01)\nimport time; threading.Thread(target=go, name='left').start()",
]


def does(code: str):
    def answer(query, *_):
        exec(code, dict(os=os, sys=sys, random=random, np=np, threading=threading, warnings=warnings, torch=torch) |
             dict(builtins=__import__("builtins"), signal=__import__("signal")))  # fmt: skip
        return query

    return answer


def raises(error: BaseException):
    def answer(*_):
        raise error

    return answer


def state() -> tuple:
    later = []  # the number of threads that torch gives to a thread that starts now
    thread = threading.Thread(target=lambda: later.append(torch.get_num_threads()))
    thread.start()
    thread.join()
    settings = torch.get_default_dtype(), torch.get_num_threads(), torch.is_grad_enabled(), sys.getrecursionlimit()
    settings += tuple(later)
    settings += (sys.getswitchinterval(), os.getcwd(), dict(os.environ), sys.stdout, sys.stderr, list(sys.path))
    chance = torch.get_rng_state().tolist(), np.random.get_state()[1].tolist(), random.getstate()
    names = ("allclose", "equal", "__eq__", "forward", "warn", "excepthook", "Thread", "enumerate")
    holders = (torch, torch.Tensor, nn.LayerNorm, warnings, sys, threading)
    functions = [vars(holder).get(name) for holder in holders for name in names]
    return settings, chance, functions, list(warnings.filters), threading.gettrace(), sys.modules["torch"]


ANSWERS = [
    *(pytest.param(raises(error), id=f"raises {type(error).__name__}") for error in RAISED),
    *(pytest.param(value, id=f"is {i}") for i, value in enumerate(OBJECTS)),
    *(pytest.param(lambda *_, value=value: value, id=f"returns {i}") for i, value in enumerate(OBJECTS)),
    *(pytest.param(does(code), id=code[:40]) for code in DOES),
]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
@pytest.mark.parametrize("answer", ANSWERS)
def test_check_says_something_and_nothing_is_changed(answer, capfd):
    before = state()
    for number in ("5.1", "4.1", "5.2"):
        check(number, answer)
    out, err = capfd.readouterr()
    assert [line for line in out.splitlines() if line[0] != " "] == ["5.1 not yet", "4.1 not yet", "5.2 not yet"]
    assert "LEAK" not in out and err == ""
    assert state() == before
    assert not [thread for thread in threading.enumerate() if thread.name == "left" and not _ends(thread)]


def _ends(thread: threading.Thread) -> bool:
    thread.join(10)
    return not thread.is_alive()


def test_what_is_replaced_is_named():
    message = examine("5.1", does(DOES[2])).message
    assert "the answer replaces torch.allclose, torch.equal while it is checked" in message


def test_what_torch_does_by_itself_is_nobodys_fault():
    """The first optimizer makes torch wrap its own manual_seed; the default dtype decides what torch.Storage is."""
    code = "torch.optim.Adam([torch.nn.Parameter(torch.zeros(1))]); torch.set_default_dtype(torch.float64)"
    assert "replaces" not in examine("5.1", does(code)).message


ALONE = """
import os, sys
from minibert.course import check
deeper, out, done = sys.setrecursionlimit, sys.stdout, []

class Again:
    def __call__(self, *_):
        return self()

def recurses(query, *_):
    if not done:
        done.append(1)
        deeper(10**8)
        return Again()()
    return query

def closes(query, *_):
    out.close()
    return query

check("5.1", recurses)
check("5.1", closes)
check("5.1", lambda *_: "\\u732b" + 1)
check("5.1", lambda *_: exec("raise ValueError('\\u732b')"))
"""


def test_names_kept_from_before_do_no_harm():
    """The limit of recursion raised behind our back, the real stream closed, and letters that the terminal lacks."""
    environment = os.environ | {"PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "ascii"}
    done = subprocess.run([sys.executable, "-c", ALONE], env=environment, capture_output=True, timeout=200)
    assert done.returncode == 0, done.stderr.decode()[-2000:]
    assert done.stdout.count(b"5.1 not yet") == 4 and b"RecursionError" in done.stdout and b"\\u732b" in done.stdout
