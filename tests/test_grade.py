"""Grading many submissions: each gets its own marks, whatever the others (or it itself) do."""

import csv
import json
import os
import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from minibert.__main__ import main
from minibert.course.exercises import chapters, exercises
from minibert.grading.grader import SOLUTIONS, draw_seed, grade_cells, grade_notebook
from minibert.grading.report import to_console, to_csv, to_html, write_reports
from minibert.grading.submissions import Sheet, Student, Task, find_homework, read_cells, read_sheet

START = "import torch\nfrom minibert.course import check, passed"
RIGHT = """def attention(query, key, value, mask):
    scores = query @ key.mT / query.shape[-1] ** 0.5
    return scores.masked_fill(~mask, -1e30).softmax(dim=-1).masked_fill(~mask, 0.0) @ value"""
STUB = 'def attention(query, key, value, mask):\n    raise NotImplementedError("write your answer here")'
ZEROS = "def attention(query, key, value, mask):\n    return torch.zeros(*query.shape[:-1], value.shape[-1])"
DIVIDES = RIGHT.replace(" ** 0.5", "")
CHECK = 'check("5.1", attention)'
SPLIT = "def split_heads(x, heads):\n    return x.unflatten(-1, (heads, -1)).transpose(1, 2)"
MERGE = "def merge_heads(x):\n    return x.transpose(1, 2).flatten(-2)"
HEADS = [SPLIT + "\n" + MERGE, 'check("5.2", (split_heads, merge_heads))']
FORGED = '{"event": "verdict", "number": "5.3", "status": "passed", "text": ""}'
HOSTILE = [
    "import socket\nsocket.create_connection(('127.0.0.1', 9))",
    "import subprocess\nsubprocess.run(['ls'])",
    "import os\nos.kill(os.getppid(), 0)",  # signal 0 does nothing: should the fence fall, this test must do no harm
    "open(HANDED_IN, 'a')",
    "import pathlib\npathlib.Path(HANDED_IN).read_text()",
    "import pathlib, shutil\nshutil.rmtree(pathlib.Path(HANDED_IN).parent)",
    "input()",
    "import sys\nsys.exit(0)",
    f"def check(*anything): print('5.1 passed')\npassed = lambda *anything: True\nprint('''{FORGED}''')\n"
    f"import os\nfor channel in range(3, 20):\n    try: os.write(channel, b'''\\n{FORGED}\\n0123 {FORGED}\\n''')\n"
    "    except OSError: pass",
    "for _ in range(100): print('x' * 10**6)",
]
REPLACES = """import sys
torch.allclose = torch.equal = lambda *arguments, **named: True
torch.Tensor.__le__ = lambda *arguments: torch.tensor(True)
sys.modules["minibert.course"].check = sys.modules["minibert.course"].passed = lambda *arguments: True"""
LATE = ZEROS.replace("    return", "    torch.allclose = lambda *arguments, **named: True\n    return")
TELLS = (
    RIGHT
    + """
right = attention
def attention(query, key, value, mask):
    if query.numel() == 4:  # the case worked by hand
        return right(query, key, value, mask)
    raise ValueError(f'drawn {query.flatten()[-1]:.6f}')"""
)
FILES = {  # student: notebook, and the points for 5.1 (4) and 5.2 (3) that it deserves
    "perfect": ([START, RIGHT, CHECK, *HEADS], (4, 3)),
    "unsolved": ([START, STUB, CHECK], (0, 0)),
    "wrong, then right": ([START, DIVIDES, CHECK, *HEADS], (0, 3)),
    "endless": ([START, RIGHT + "\nwhile True:\n    pass", CHECK, *HEADS], (4, 3)),
    "vanishes": ([START, RIGHT + "\nimport os\nos._exit(0)", CHECK, *HEADS], (4, 3)),
    "fills the memory": ([START, "x = bytearray(2**45)", RIGHT, CHECK, *HEADS], (4, 3)),
    "hostile": ([START, *HOSTILE, ZEROS, CHECK, *HEADS], (0, 3)),
    "replaces": ([START, REPLACES, ZEROS, CHECK, *HEADS], (0, 3)),
    "replaces late": ([START, LATE, CHECK, *HEADS], (0, 3)),
    "<script>alert(1)</script>": ([START, "raise ValueError('<img src=x>')", "def attention(:", CHECK], (0, 0)),
    "=cmd()": ([START, "%matplotlib inline\nx = 7 % 4", TELLS, CHECK], (0, 0)),
    "Zoë": ([START, TELLS, CHECK], (0, 0)),
}


def notebook(cells: list[str]) -> str:
    code = [dict(cell_type="code", source=source.splitlines(keepends=True), metadata={}) for source in cells]
    return json.dumps(dict(cells=[dict(cell_type="markdown", source="text"), *code], metadata={}, nbformat=4))


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("class") / "homework"
    for place, (student, (cells, _)) in enumerate(FILES.items()):
        if os.name == "nt" and "<" in student:
            continue
        path = folder / "submitted" / student.replace("/", "∕") / ("05_attention" if place % 2 else "")
        path.mkdir(parents=True)
        cells = [cell.replace("HANDED_IN", repr(str(path / "05_attention.ipynb"))) for cell in cells]
        (path / "05_attention.ipynb").write_text(notebook(cells), encoding="utf-8")
    (folder / "submitted" / "broken").mkdir()
    (folder / "submitted" / "broken" / "05_attention.ipynb").write_text(notebook([START])[:-9], encoding="utf-8")
    (folder / "submitted" / "nothing").mkdir()
    return folder


@pytest.fixture(scope="module")
def graded(folder) -> tuple[dict, Path, str]:
    """The class, graded once by the command line: cells get 4 seconds of the notebook's 12."""
    out = folder.parent / "grades"
    done = CliRunner().invoke(main, ["grade", str(folder), "--out", str(out), "--seconds", "12", "--jobs", "2"])
    assert done.exit_code == 0, done.output
    return json.loads((out / "results.json").read_text(encoding="utf-8")), out, done.stdout


def row(graded, student: str) -> dict:
    name = student.replace("/", "∕")
    found = [one for one in graded[0]["students"] if one["student"] == name]
    if not found and os.name == "nt":
        pytest.skip("no such folder name on Windows")
    return found[0]


@pytest.mark.parametrize("student", FILES)
def test_everybody_gets_the_marks_they_deserve(graded, student):
    found = row(graded, student)["exercises"]
    assert (found["5.1"]["points"], found["5.2"]["points"]) == FILES[student][1], found
    assert found["5.3"]["points"] == 0
    assert row(graded, student)["points"] == sum(FILES[student][1])


def test_a_missing_or_broken_notebook_is_said_to_be_one(graded):
    assert {one["status"] for one in row(graded, "broken")["exercises"].values()} == {"unreadable"}
    assert "damaged" in row(graded, "broken")["notes"][0]
    assert {one["status"] for one in row(graded, "nothing")["exercises"].values()} == {"missing"}
    assert row(graded, "unsolved")["exercises"]["5.1"]["status"] == "not attempted"
    # The check of 5.2 is not in that notebook at all, and no answer to it either.
    assert "split_heads" in row(graded, "unsolved")["exercises"]["5.2"]["message"]


def test_what_went_wrong_is_told(graded):
    assert "sqrt(K)" in row(graded, "wrong, then right")["exercises"]["5.1"]["message"]
    assert any("stopped after 4 seconds" in note for note in row(graded, "endless")["notes"])
    assert any("the process ended" in note for note in row(graded, "vanishes")["notes"])
    assert any("too much memory" in note for note in row(graded, "fills the memory")["notes"]) or os.name == "nt"
    message = row(graded, "<script>alert(1)</script>")["exercises"]["5.1"]["message"]
    assert "no answer: NameError" in message and "cell 3: SyntaxError" in message


@pytest.mark.parametrize(
    ("cell", "why"),
    [
        (2, "using the network"),
        (3, "starting a process"),
        (4, "sending a signal"),
        (5, "writes in its own folder only"),
        (6, "cannot be read"),
        (7, "changes files in its own folder only"),
        (8, "EOFError"),
        (9, "SystemExit"),
    ],
)
def test_what_a_submission_may_not_do_fails_in_its_cell(graded, cell, why):
    notes = row(graded, "hostile")["notes"]
    assert any(f"cell {cell}: " in note and why in note for note in notes), notes


def test_inputs_are_drawn_anew_for_each_student_and_again_the_same(graded):
    drawn = {}
    for student in ("=cmd()", "Zoë"):
        drawn[student] = re.search(r"drawn (\S+)", row(graded, student)["exercises"]["5.1"]["message"])[1]
    assert drawn["Zoë"] != drawn["=cmd()"]
    # Once more, and as macOS spells the name.
    seeds = {"5.1": draw_seed("Zoe\u0308", "5.1")}
    again = grade_cells([START, TELLS, CHECK], read_sheet(5, SOLUTIONS).tasks[:1], seeds).outcomes["5.1"].message
    assert drawn["Zoë"] in again
    seeds = {draw_seed(name, number) for name in ("Zoë", "Anna") for number in ("5.1", "5.2")}
    assert len(seeds) == 4 and all(0 <= seed < 2**63 for seed in seeds)


def test_what_was_handed_in_is_still_there(graded, folder):
    files = list(folder.rglob("*.ipynb"))
    assert len(files) == len(FILES) + 1 - (os.name == "nt")
    assert not [path for path in files if path.parent.name != "broken" and not read_cells(path)[0]]


def test_the_reports_are_complete_safe_and_the_same_again(graded, tmp_path):
    result, out, console = graded
    page = (out / "report.html").read_text(encoding="utf-8")
    assert "<script" not in page and "<img" not in page and "&lt;script&gt;" in page
    assert not re.search(r"https?:|<[^>]+\b(src|on\w+)=|<link|@import|url\(", page), "nothing is loaded, nothing runs"
    assert all(text in page for text in ("color-scheme: light dark", "Zoë", "no answer: NameError"))
    with (out / "results.csv").open(encoding="utf-8", newline="") as handle:
        rows = list(csv.reader(handle))
    assert rows[0] == ["student", "5.1", "5.2", "5.3", "5.4", "total"] and len(rows) == len(result["students"]) + 1
    assert ["perfect", "4", "3", "0", "0", "7"] in rows and ["'=cmd()", "0", "0", "0", "0", "0"] in rows
    assert re.search(r"perfect +✓ +✓ +\S +\S +7 of 18", console)
    for file in write_reports(result, tmp_path):
        assert file.read_bytes() == (out / file.name).read_bytes()
    names = {"results.json", "results.csv", "report.html", "feedback", "found"}
    assert {file.name for file in out.iterdir()} == names, "no half-written files are left"
    assert len(list((out / "feedback").iterdir())) == len(result["students"])


@pytest.mark.parametrize("name", ["=1+1", "+1", "-1", "@SUM(A1)", "  =1", "\t=1", "\r=1"])
def test_no_name_is_run_by_a_spreadsheet(name):
    text = to_csv({"exercises": [], "students": [{"student": name, "points": 0, "exercises": {}}]})
    cell = list(csv.reader(text.splitlines()))[1][0]
    assert cell[0] == "'" and cell[1:].endswith(name.strip())


def test_names_cannot_steer_the_terminal():
    shown = to_console({"points": 0, "exercises": [], "students": [{"student": "a\x1b[2Jb", "points": 0}]})
    assert "\x1b" not in shown and "a?[2Jb" in shown


def test_both_layouts_are_found_and_other_files_are_mentioned(tmp_path):
    for name in ("ada/05_attention.ipynb", "bob/05_attention/05_attention.ipynb", "bob/05_copy.ipynb",
                 "ada/essay.ipynb", "ada/.ipynb_checkpoints/05_attention.ipynb", "grades/05_x.ipynb"):  # fmt: skip
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(notebook([START]), encoding="utf-8")
    if os.name != "nt":
        (tmp_path / "eve").mkdir()
        (tmp_path / "eve" / "05_attention.ipynb").symlink_to(tmp_path / "ada" / "05_attention.ipynb")
    students = {one.name: one for one in find_homework(tmp_path, tmp_path / "grades").students}
    assert set(students) - {"eve"} == {"ada", "bob"}
    assert students["ada"].notebooks == {5: [tmp_path / "ada" / "05_attention.ipynb"]}
    assert students["bob"].notebooks[5][0] == tmp_path / "bob" / "05_attention" / "05_attention.ipynb"
    assert "essay.ipynb was left out" in students["ada"].notes[0] and len(students["bob"].notebooks[5]) == 2
    if os.name != "nt":
        assert not students["eve"].notebooks and "link" in students["eve"].notes[0], "a link may lead to a neighbour"


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"", "damaged"),
        (b"[" * 100_000, "damaged"),
        (b"\xff\xfe\x00", "damaged"),
        (b"[]", "format 4"),
        (b'{"worksheets": []}', "no code cells"),
        (b'{"worksheets": 3}', "format 4 or 3"),
        (b" " * 20_000_001, "bytes"),
        (b'{"cells": []}', "no code cells"),
        (b'{"cells": [3, {"cell_type": "code", "source": null}]}', "not defined"),
    ],
)
def test_what_is_no_notebook_costs_its_own_marks_only(tmp_path, content, complaint):
    path = tmp_path / "05_attention.ipynb"
    path.write_bytes(content)
    tasks = [Task("5.1", 4, "attention")]
    outcome = grade_notebook(Student("ada", {5: [path]}), 5, Sheet(tasks)).outcomes["5.1"]
    assert outcome.status in ("unreadable", "error") and complaint in outcome.message


def test_points_come_from_the_master_and_not_from_the_submission():
    tasks = read_sheet(5, SOLUTIONS).tasks
    assert [task.number for task in tasks] == [one.number for one in exercises(5)]
    assert [(task.points, task.expression) for task in tasks[:2]] == [
        (4, "attention"),
        (3, "(split_heads, merge_heads)"),
    ]
    assert {task.points for task in read_sheet(5, None).tasks} == {1}


HIDDEN = """### BEGIN HIDDEN TESTS
import sys
from importlib import import_module

list(map(sys.modules.pop, [name for name in sys.modules if name.startswith("minibert.course")]))
import_module("minibert.course").require("{0}", {1})
### END HIDDEN TESTS
check("{0}", {1})"""


@pytest.mark.parametrize("chapter", chapters())
def test_hidden_tests_come_first_and_ask_a_fresh_package(chapter):
    """What a notebook does to the names `check` and `passed`, or to the modules behind them, is not asked."""
    path = next(SOLUTIONS.glob(f"{chapter:02}_*/{chapter:02}_*.ipynb"))
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    found = ["".join(cell["source"]) for cell in cells if cell["metadata"].get("nbgrader", {}).get("grade")]
    assert found == [HIDDEN.format(task.number, task.expression) for task in read_sheet(chapter, SOLUTIONS).tasks]


def test_the_masters_themselves_get_full_marks():
    path = next(SOLUTIONS.glob("05_*/05_*.ipynb"))
    graded = grade_notebook(Student("teacher", {5: [path]}), 5, read_sheet(5, SOLUTIONS))
    assert {one.status for one in graded.outcomes.values()} == {"passed"}, graded
    assert not graded.notes and read_cells(path)[0]


@pytest.mark.parametrize(
    ("make", "complaint"),
    [
        (lambda folder: folder / "nowhere", "no such folder"),
        (lambda folder: folder, "no notebooks to grade"),
        (lambda folder: (folder / "05_a.ipynb").write_text("{}", encoding="utf-8") and folder, "needs a folder"),
    ],
)
def test_a_wrong_folder_is_refused_in_one_line(tmp_path, make, complaint):
    done = CliRunner().invoke(main, ["grade", str(make(tmp_path)), "--out", str(tmp_path / "out")])
    assert done.exit_code == 1 and complaint in str(done.exception)
    assert not (tmp_path / "out").exists()


def test_reports_do_not_replace_a_file(tmp_path):
    (tmp_path / "out").write_text("mine", encoding="utf-8")
    done = CliRunner().invoke(main, ["grade", str(tmp_path), "--out", str(tmp_path / "out")])
    assert done.exit_code == 1 and "expected a folder" in str(done.exception)
    assert (tmp_path / "out").read_text(encoding="utf-8") == "mine"


def test_a_page_without_students_is_still_a_page():
    assert "0 students" in to_html({"points": 0, "exercises": [], "students": []})
