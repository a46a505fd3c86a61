"""Exercises come from one master: what is stripped, what stays, and that nothing is edited by hand."""

import json
from pathlib import Path
from types import SimpleNamespace

import nbformat
import pytest
from click.testing import CliRunner

from minibert.course.build import main

pytest.importorskip("nbgrader", reason="nbgrader is not installed (extra `teach`)")
ROOT = Path(__file__).parents[1]
NAME = "05_attention"

SOLVED = """def attention(query, key, value, mask):
    ### BEGIN SOLUTION
    scores = query @ key.transpose(-2, -1) / query.shape[-1] ** 0.5
    weights = scores.masked_fill(~mask, float("-inf")).softmax(dim=-1)
    return weights.masked_fill(~mask, 0.0) @ value
    ### END SOLUTION"""
GRADED = """check("5.1", attention)
### BEGIN HIDDEN TESTS
assert passed("5.1", attention)
### END HIDDEN TESTS"""


def grader(**fields) -> dict:
    base = dict(grade=False, solution=False, locked=False, schema_version=3, task=False)
    return {"nbgrader": base | fields}


def master(solved: str = SOLVED, first: str = "from minibert.course import check, passed") -> nbformat.NotebookNode:
    v4 = nbformat.v4
    cells = [
        v4.new_code_cell(first, id="attention-00"),
        v4.new_markdown_cell("**5.1** für alle", id="attention-01"),
        v4.new_code_cell(solved, id="attention-02", metadata=grader(solution=True, grade_id="attention-5-1")),
        v4.new_code_cell(
            GRADED,
            id="attention-03",
            metadata=grader(grade=True, locked=True, points=2, grade_id="attention-5-1-check"),
        ),
    ]
    metadata = {"kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}}
    return v4.new_notebook(cells=cells, metadata=metadata)


@pytest.fixture
def project(tmp_path) -> Path:
    (tmp_path / "solutions" / NAME).mkdir(parents=True)
    config = ROOT / "solutions" / "nbgrader_config.json"
    (tmp_path / "solutions" / config.name).write_bytes(config.read_bytes())
    nbformat.write(master(), tmp_path / "solutions" / NAME / f"{NAME}.ipynb")
    return tmp_path


def build(root: Path, *options: str) -> SimpleNamespace:
    """What the command does; in this process, which has imported torch and nbgrader already."""
    done = CliRunner().invoke(main, ["--root", str(root), *options])
    return SimpleNamespace(returncode=done.exit_code, stderr=done.stderr)


def files(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_exercises_in_the_project_are_what_their_masters_give():
    done = build(ROOT, "--check")
    assert done.returncode == 0, done.stderr[-2000:]


def test_a_master_becomes_an_exercise_that_runs_unsolved(project):
    before = files(project)
    done = build(project)
    assert done.returncode == 0, done.stderr[-2000:]
    after = files(project)
    exercise = f"exercises/{NAME}/{NAME}.ipynb"
    assert set(after) == set(before) | {exercise}, "nothing is left behind, the database least of all"
    assert all(after[name] == before[name] for name in before), "masters are not touched"

    text = after[exercise].decode("utf-8")
    assert "für alle" in text and text.endswith("}\n") and "\r" not in text
    assert "SOLUTION" not in text and "HIDDEN" not in text and "softmax" not in text and "assert" not in text
    notebook = json.loads(text)
    assert [cell["id"] for cell in notebook["cells"]] == [f"attention-0{n}" for n in range(4)]
    assert 'raise NotImplementedError("write your answer here")' in "".join(notebook["cells"][2]["source"])
    assert notebook["cells"][3]["outputs"] == [
        {"name": "stdout", "output_type": "stream", "text": ["5.1 not attempted\n"]}
    ]
    assert [cell["execution_count"] for cell in notebook["cells"] if cell["cell_type"] == "code"] == [1, 2, 3]
    assert notebook["metadata"]["language_info"] == {"name": "python"}

    assert build(project, "--check").returncode == 0
    assert build(project).returncode == 0 and files(project) == after, "the same master, the same bytes"

    assert build(project, "--masters").returncode == 0
    solved = json.loads(files(project)[f"solutions/{NAME}/{NAME}.ipynb"])
    assert solved["cells"][3]["outputs"][0]["text"] == ["5.1 passed\n"]
    assert build(project, "--check").returncode == 0, "running a master changes no exercise"

    # Any edit by hand is seen, and so are an exercise without a master and a missing one.
    path = project / exercise
    path.write_text(text.replace("für alle", "für manche"), encoding="utf-8")
    assert "is not what its master gives" in build(project, "--check").stderr
    path.write_text(text, encoding="utf-8")
    (project / "exercises" / "99_more").mkdir()
    (project / "exercises" / "99_more" / "99_more.ipynb").write_text("{}", encoding="utf-8")
    assert "99_more/99_more.ipynb has no master" in build(project, "--check").stderr
    path.unlink()
    done = build(project, "--check")
    assert done.returncode == 1 and "is missing: run make exercises" in done.stderr


def test_what_cannot_be_built_is_refused_in_one_line(project):
    path = project / "solutions" / NAME / f"{NAME}.ipynb"
    answer = "### BEGIN SOLUTION\nattention = 42\n### END SOLUTION"
    for solved, complaint in (
        (SOLVED.replace("    ### END SOLUTION", ""), "no end solution statement"),
        (answer, "cell 2 ends in NotImplementedError"),
    ):
        nbformat.write(master(solved, first="pass"), path)  # without torch a kernel is quick
        done = build(project)
        assert done.returncode == 1 and complaint in done.stderr and "Traceback" not in done.stderr, done.stderr
        assert NAME in done.stderr and not (project / "exercises").exists()
    assert "there are: 05_attention" in build(project, "06_nothing").stderr
