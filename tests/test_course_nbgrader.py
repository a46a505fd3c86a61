"""nbgrader's own commands on the folders of this course: release, autograde, feedback; and our grader beside them."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("nbgrader", reason="nbgrader is not installed (extra `teach`)")
ROOT = Path(__file__).parents[1]
NAME = "05_attention"
SHADOWS = """import sys
import minibert.course

def passed(*arguments):
    return True

def check(*arguments):
    get_ipython().displayhook(4)  # nbgrader takes the first result of a cell for its points

minibert.course.passed = minibert.course.require = minibert.course.check.examine = passed
sys.modules["minibert.course.check"].examine = lambda *arguments: sys.modules["minibert.course"].Outcome("passed", "")
"""
AUTOGRADE = """import contextlib, json, sys
from jupyter_core.application import NoStart
from nbgrader.api import Gradebook
from nbgrader.apps import NbGraderApp

for command in ("autograde", "generate_feedback"):  # as `nbgrader autograde NAME` does; one start for both
    app = NbGraderApp()
    app.initialize([command, sys.argv[1]])
    with contextlib.suppress(NoStart):
        app.start()
    type(app.subapp).clear_instance()
with Gradebook("sqlite:///gradebook.db") as book:
    rows = book.assignment_submissions(sys.argv[1])
    scores = {row.student_id: [row.score, row.max_score] for row in rows}
with open("scores.json", "w", encoding="utf-8") as file:
    json.dump(scores, file)
"""
ZEROS = "def attention(query, key, value, mask):\n    return torch.zeros(*query.shape[:-1], value.shape[-1])"


def run(course: Path, *command: str) -> subprocess.CompletedProcess:
    scripts = str(Path(sys.executable).parent)  # nbgrader calls a script of its own installation by name
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "utf-8"}
    environment["PATH"] = scripts + os.pathsep + environment.get("PATH", "")
    done = subprocess.run(
        [sys.executable, *command],
        cwd=course,
        env=environment,
        capture_output=True,
        encoding="utf-8",
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done


def solve(path: Path, answers: dict[str, str]) -> None:
    """Write answers into a released notebook: the cell whose nbgrader id is the key."""
    notebook = json.loads(path.read_text(encoding="utf-8"))
    for cell in notebook["cells"]:
        identity = cell["metadata"].get("nbgrader", {}).get("grade_id")
        cell["source"] = answers.get(identity, cell["source"])
    path.write_text(json.dumps(notebook), encoding="utf-8")


@pytest.fixture(scope="module")
def course(tmp_path_factory) -> Path:
    """A course folder in which four students handed in chapter 5, and nbgrader did its work."""
    course = tmp_path_factory.mktemp("course")
    shutil.copytree(ROOT / "solutions" / NAME, course / "solutions" / NAME)
    shutil.copy(ROOT / "solutions" / "nbgrader_config.json", course)
    run(course, "-m", "nbgrader", "generate_assignment", NAME)
    master = json.loads((course / "solutions" / NAME / f"{NAME}.ipynb").read_text(encoding="utf-8"))
    right = {
        cell["metadata"]["nbgrader"]["grade_id"]: cell["source"]
        for cell in master["cells"]
        if cell["metadata"].get("nbgrader", {}).get("solution")
    }
    for student, answers in {
        "ada": right,
        "bob": {"attention-5-1": ZEROS, "attention-5-2": right["attention-5-2"]},
        "eve": {},
        "mal": {"attention-5-1": SHADOWS + ZEROS},
    }.items():
        shutil.copytree(course / "exercises" / NAME, course / "submitted" / student / NAME)
        solve(course / "submitted" / student / NAME / f"{NAME}.ipynb", answers)
    run(course, "-c", AUTOGRADE, NAME)
    return course


def test_nbgrader_and_our_grader_give_the_same_points(course):
    theirs = json.loads((course / "scores.json").read_text(encoding="utf-8"))
    assert theirs == {"ada": [18, 18], "bob": [3, 18], "eve": [0, 18], "mal": [0, 18]}

    run(course, "-m", "minibert", "grade", ".", "--out", "grades", "--jobs", "2")
    ours = json.loads((course / "grades" / "results.json").read_text(encoding="utf-8"))
    assert {row["student"]: [row["points"], ours["points"]] for row in ours["students"]} == theirs
    assert {found["status"] for found in ours["students"][2]["exercises"].values()} == {"not attempted"}


def test_feedback_shows_each_student_what_was_found(course):
    pages = {
        student: (course / "feedback" / student / NAME / f"{NAME}.html").read_text(encoding="utf-8")
        for student in ("ada", "bob", "eve")
    }
    assert "5.1 passed" in pages["ada"] and "5.3 passed" in pages["ada"]
    assert "5.1 not yet" in pages["bob"] and "5.2 passed" in pages["bob"]
    assert "5.1 not attempted" in pages["eve"] and "5.1 passed" not in pages["eve"]


def test_what_is_released_holds_neither_solutions_nor_hidden_tests(course):
    released = (course / "exercises" / NAME / f"{NAME}.ipynb").read_text(encoding="utf-8")
    assert "SOLUTION" not in released and "HIDDEN" not in released and "assert passed" not in released
