"""A submission that wants the solutions instead of an answer: every trick is refused, or has no effect.

Each trick is a cell that hands what it got hold of to `keep`; the answer to 5.1 is then the first thing that was kept.
One process tries them all, a second one those that even Python's own fences stop, without the kernel's.
"""

import os
import sys

import pytest

from minibert.grading.grader import SOLUTIONS, Graded, draw_seed, grade_cells
from minibert.grading.submissions import read_sheet

START = f"""
import gc, importlib, inspect, io, os, random, sys, threading, types
from pathlib import Path
import numpy as np, torch, minibert
from minibert.course import check
ROOT, PARENT = Path(minibert.__file__).parents[1], os.getppid()
SECRET = str(ROOT / "minibert" / "course" / "exercises" / "ex_5_1.py")
MASTER = {str(next(SOLUTIONS.glob("05_*/05_*.ipynb")))!r}
FOUND, NAMES = [], ("attention", "padding_test", "Exercise", "Lab", "Case", "Wrong", "EXERCISE")

def keep(how, value):
    try:
        if isinstance(value, (bytes, bytearray, memoryview)):
            value = bytes(value).decode("latin-1")
        name, home = getattr(value, "__name__", type(value).__name__), getattr(value, "__module__", "")
    except BaseException:  # many objects of many libraries come by
        return
    if type(value) is str and "masked_fill" in value or home != __name__ and type(name) is str and name in NAMES:
        FOUND.append((how, value))

def search(how, frame):
    while frame is not None:
        for value in [*frame.f_locals.values(), *frame.f_globals.values()]:
            keep(how, value)
            for part in list(vars(value).values()) if hasattr(value, "__dict__") else []:
                keep(how, part)
        frame = frame.f_back
"""

TRICKS = {
    # The package.
    "from": "from minibert.course.exercises.ex_5_1 import attention as a; keep('from', a)",
    "import_module": "keep(0, importlib.import_module('minibert.course.exercises').find('5.1'))",
    "grading": "from minibert.grading import SOLUTIONS; keep(0, next(SOLUTIONS.glob('05*/*.ipynb')).read_text())",
    "lab": "import minibert.course.lab as lab; keep(0, lab.Lab)",
    "build": "import minibert.course.build as m; keep(0, m)",
    "check module": "from minibert.course.check import examine, find; keep(0, find('5.1'))",
    "sys.modules": "[keep(0, v) for m in list(sys.modules.values()) for v in list(vars(m).values())]",
    "finder": "sys.meta_path[:] = [f for f in sys.meta_path if isinstance(f, type) and f.__module__ != "
    "'minibert.grading.worker']; sys.modules.pop('minibert.course'); sys.modules.pop('minibert.grading', None)\n"
    "import minibert.course.exercises.ex_5_1 as m; keep(0, m.attention)",
    "by path": "import importlib.util as u; s = u.spec_from_file_location('x', SECRET); m = u.module_from_spec(s); "
    "s.loader.exec_module(m); keep(0, m.attention)",
    "runpy": "import runpy; keep(0, runpy.run_path(SECRET)['attention'])",
    "pyc": "p = next(Path(SECRET).parent.glob('__pycache__/ex_5_1*.pyc')); keep(0, p.read_bytes())",
    # Frames, objects, memory.
    "_getframe": "search(0, sys._getframe())",
    "inspect.stack": "[search(0, one.frame) for one in inspect.stack()]",
    "traceback": "try: 1 / 0\nexcept ZeroDivisionError as e: search(0, e.__traceback__.tb_frame)",
    "_current_frames": "[search(0, frame) for frame in sys._current_frames().values()]",
    "generator": "g = (search(0, g.gi_frame) for _ in [1]); list(g)",
    "gc": "[keep(0, one) for one in gc.get_objects()]",
    "referrers": "[keep(0, two) for one in gc.get_referrers(check) for two in gc.get_referrers(one)]",
    "subclasses": "todo, seen = [object], set()\nwhile todo:\n    one = todo.pop()\n    if one not in seen:\n"
    "        seen.add(one); keep(0, one); todo += type.__subclasses__(one)",
    "globals": "[keep(0, v) for f in (check, torch.load, minibert.__getattr__) for v in f.__globals__.values()]",
    "tracing": "threading.settrace(lambda f, *_: search(0, f)); sys.settrace(lambda f, *_: search(0, f)); "
    "sys.setprofile(lambda f, *_: search(0, f)); threading.setprofile(lambda f, *_: search(0, f)); hash(print)\n"
    "sys.settrace(None), sys.setprofile(None), threading.settrace(None), threading.setprofile(None)",
    "own memory": "import ctypes; b = open('/proc/self/maps').read(); keep(0, b)",
    "judge's memory": "open(f'/proc/{PARENT}/mem', 'rb'); keep(0, 'masked_fill')",
    "judge's environment": "open(f'/proc/{PARENT}/environ').read(); keep(0, 'masked_fill')",
    # Files, with Python.
    "open": "keep(0, open(SECRET).read())",
    "read_text": "keep(0, Path(MASTER).read_text())",
    "os.open": "keep(0, os.read(os.open(SECRET, os.O_RDONLY), 10**6))",
    "open_code": "keep(0, io.open_code(SECRET).read())",
    "mmap": "import mmap; keep(0, mmap.mmap(os.open(SECRET, os.O_RDONLY), 0, access=mmap.ACCESS_READ)[:])",
    "linecache": "import linecache; keep(0, ''.join(linecache.getlines(SECRET)))",
    "getsource": "keep(0, inspect.getsource(importlib.import_module('minibert.course.exercises.ex_5_1')))",
    "resources": "import importlib.resources as r\n"
    "keep(0, (r.files(minibert) / 'course/exercises/ex_5_1.py').read_text())",
    "pkgutil": "import pkgutil; keep(0, pkgutil.get_data('minibert', 'course/exercises/ex_5_1.py'))",
    "copy": "import shutil; shutil.copy(SECRET, 'mine.py'); keep(0, open('mine.py').read())",
    "hard link": "os.link(SECRET, 'mine.py'); keep(0, open('mine.py').read())",
    "soft link": "os.symlink(SECRET, 'mine2.py'); keep(0, open('mine2.py').read())",
    "rename": "os.rename(SECRET, 'mine.py'); keep(0, open('mine.py').read())",
    "archive": "import tarfile; tarfile.open('a.tar', 'w').add(SECRET); keep(0, open('a.tar', 'rb').read())",
    "zipimport": "import zipimport; keep(0, zipimport.zipimporter(str(ROOT)).get_data(SECRET))",
    "memmap": "keep(0, np.memmap(SECRET, np.uint8, 'r').tobytes())",
    "fromfile": "keep(0, np.fromfile(SECRET, np.uint8).tobytes())",
    "loadtxt": "keep(0, ' '.join(map(str, np.loadtxt(SECRET, str, delimiter='\\n', comments=None))))",
    "sqlite": "import sqlite3; keep(0, str(sqlite3.connect(MASTER).execute('select * from sqlite_master').fetchall()))",
    "subprocess": "import subprocess; keep(0, subprocess.run(['cat', SECRET], capture_output=True).stdout)",
    "os.popen": "keep(0, os.popen(f'cat {SECRET}').read())",
    "posix_spawn": "os.posix_spawn('/bin/cp', ['cp', SECRET, 'mine.py'], {}); keep(0, open('mine.py').read())",
    "network": "import socket; socket.create_connection(('127.0.0.1', 9)); keep(0, 'masked_fill')",
    "git": "keep(0, any(p.read_bytes() for p in (ROOT / '.git').rglob('*') if p.is_file()) and 'masked_fill')",
    "tests": "keep(0, ''.join(p.read_text() for p in (ROOT / 'tests').glob('test_course*.py')))",
    # Files, with torch: also closed where the kernel does not help.
    "from_file": "keep(0, torch.from_file(SECRET, size=2000, dtype=torch.uint8).numpy().tobytes())",
    "aten": "keep(0, torch.ops.aten.from_file.default(SECRET, False, 2000, dtype=torch.uint8).numpy().tobytes())",
    "storage": "keep(0, bytes(torch.UntypedStorage.from_file(SECRET, False, 2000)))",
    "reader": "keep(0, torch._C.PyTorchFileReader(SECRET).get_record('data'))",
    "torch.load": "torch.load(SECRET, mmap=True)",
    "ctypes": "import ctypes; c = ctypes.CDLL(None); b = ctypes.create_string_buffer(9000); "
    "c.read(c.open(SECRET.encode(), 0), b, 9000); keep(0, b.raw)",
}
KERNEL = {  # C code that opens files by itself: only the kernel stops it
    "base storage": "keep(0, bytes(torch._C.StorageBase.from_file(SECRET, False, 2000)))",
    "jit": "torch.jit.load(SECRET); keep(0, 'masked_fill')",
    "safetensors": "import safetensors; safetensors.safe_open(SECRET, 'pt')",
    "tokenizers": "import tokenizers as t; k = t.Tokenizer(t.models.BPE()); "
    "k.train([SECRET], t.trainers.BpeTrainer(vocab_size=9000)); keep(0, ' '.join(k.get_vocab()))",
    "main thread": "import _thread, time\n"
    "def alive(thread): keep(0, bytes(torch._C.StorageBase.from_file(SECRET, False, 2000)))\n"
    "t, threading.Thread.is_alive = threading.Thread.is_alive, alive; _thread.interrupt_main(); time.sleep(0.2)\n"
    "threading.Thread.is_alive = t",
    "native": "import ctypes; c = ctypes.PyDLL(None); f = c.open(SECRET.encode(), 0); "
    "b = ctypes.create_string_buffer(9000); c.read(f, b, 9000); keep(0, b.raw)",
    "judge's files": "keep(0, ''.join(map(os.readlink, Path(f'/proc/{PARENT}/fd').iterdir())) and 'masked_fill')",
    "fork_exec": "import _posixsubprocess as p; r, w = os.pipe()\n"
    "p.fork_exec([b'/bin/cat', SECRET.encode()], [b'/bin/cat'], True, (), None, None, -1, -1, -1, w, -1, -1, -1, -1, "
    "True, False, 0, None, None, None, -1, None, False); os.close(w); keep(0, os.read(r, 9000))",
    "system": "import ctypes; r = ctypes.CDLL(None).system(f'cp {SECRET} mine3.py'.encode())\n"
    "keep(0, 'masked_fill' if r == 0 else '')",
}
ANSWER = """
seen = []

class Liar(torch.Tensor):
    @classmethod
    def __torch_function__(cls, function, types, args=(), kwargs=None):
        same = function in (torch.allclose, torch.equal)
        return True if same else super().__torch_function__(function, types, args, kwargs or {})

def attention(query, key, value, mask):
    for how, found in FOUND:
        if callable(found):
            return found(query, key, value, mask)
    seen.append(1)
    if len(seen) == 1:
        search("frames of the answer", sys._getframe())
        [keep("objects of the answer", one) for one in gc.get_objects()]
    torch.allclose = torch.equal = lambda *arguments, **named: True
    torch.Tensor.__eq__ = torch.Tensor.__le__ = torch.Tensor.__lt__ = lambda *arguments: torch.tensor(True)
    torch.manual_seed(len(seen))
    return torch.zeros(*query.shape[:-1], value.shape[-1]).as_subclass(Liar)
"""
STOLEN = """
kept = []
def padding_test(attention):
    kept.append(attention)
    x = torch.randn(1, 2, 4)
    keep(0, getattr(attention, '__globals__', {}).get('CORRECT'))
    [keep(0, cell.cell_contents) for cell in attention.__closure__ or ()]
    raise AssertionError
"""
END = "assert not FOUND, [how for how, _ in FOUND]"
HEADS = """
def split_heads(x, heads): return x.unflatten(-1, (heads, -1)).transpose(1, 2)
def merge_heads(x): return x.transpose(1, 2).flatten(-2)
"""


def tried(tricks: dict[str, str], kernel: bool) -> Graded:
    cells = [START]
    for name, code in tricks.items():
        body = "\n".join("    " + line for line in code.replace("keep(0,", f"keep({name!r},").splitlines())
        cells.append(f"try:\n{body}\nexcept BaseException as error:\n    tried = error")
    cells += [HEADS, 'check("5.2", (split_heads, merge_heads))', STOLEN, 'check("5.3", padding_test)']
    cells += [ANSWER, 'check("5.1", attention)', END]
    tasks = read_sheet(5, SOLUTIONS).tasks
    seeds = {task.number: draw_seed("eve", task.number) for task in tasks}
    # Never judged: so that the last cell still runs.
    return grade_cells([*cells, 'check("5.1", attention)'], tasks, seeds, 60.0, (), kernel)


@pytest.mark.parametrize("kernel", [True, False])
def test_no_trick_gets_hold_of_a_solution(kernel):
    if kernel and not sys.platform.startswith("linux"):
        pytest.skip("the kernel's fences are Linux's")
    graded = tried(TRICKS | KERNEL if kernel else TRICKS, kernel)
    status = {number: one.status for number, one in graded.outcomes.items()}
    assert status == {"5.1": "wrong", "5.2": "passed", "5.3": "wrong", "5.4": "error"}, graded  # 5.4: no answer there
    assert not [note for note in graded.notes if "AssertionError" in note], graded.notes
    remarks = ["minibert.course.exercises cannot be imported", "minibert.grading cannot be imported"]
    remarks += ["cannot be read while a submission is graded", "starting a process", "using the network"]
    for remark in remarks:
        assert any(remark in note for note in graded.notes), (remark, graded.notes)


@pytest.mark.skipif(os.name == "nt", reason="where nothing closes the files, the tricks work")
@pytest.mark.filterwarnings("ignore")
def test_the_tricks_are_tricks():
    """They find what they look for in a process that has it: else the test above would prove nothing."""
    works = ("from", "import_module", "gc", "subclasses", "sys.modules", "open", "from_file", "tokenizers", "linecache")
    both, space = TRICKS | KERNEL, {"__name__": "here"}
    exec(START, space)
    for name in works:
        exec(both[name].replace("keep(0,", f"keep({name!r},"), space)
    assert {how for how, _ in space["FOUND"]} == set(works)
