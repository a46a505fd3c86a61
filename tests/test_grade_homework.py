"""Homework as it comes in: copies, archives, other spellings, and notebooks whose cells were mistreated."""

import json
from pathlib import Path

import pytest

from minibert.course.exercise import STUB
from minibert.grading import SOLUTIONS, grade
from minibert.grading.report import to_console, to_csv, to_html
from minibert.grading.submissions import find_homework, read_cells, read_sheet

NAME = "05_attention.ipynb"
MASTER = next(SOLUTIONS.glob("05_*/05_*.ipynb"))
BLANK = SOLUTIONS.parent / "exercises" / "05_attention" / NAME
SHEET = read_sheet(5, SOLUTIONS)
ANSWER = "def attention(query, key, value, mask):\n    return value"
STUBBED = f'def attention(query, key, value, mask):\n    raise NotImplementedError("{STUB}")'
CHECK = 'check("5.1", attention)'


def cell(source, kind: str = "code", **more) -> dict:
    return dict(cell_type=kind, source=source, metadata={}) | more


def hand_in(path: Path, *cells: dict, **more) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(dict(cells=cells, metadata={}, nbformat=4) | more), encoding="utf-8")


@pytest.mark.parametrize(
    ("there", "counts", "noted"),
    [
        ([NAME, "05_attention (1).ipynb", "05_attention-Copy1.ipynb"], NAME, ""),
        ([NAME, "a/b/05_attention.ipynb"], NAME, ""),
        (["05_attention.ipynb", "05_attention/05_attention.ipynb"], "05_attention/05_attention.ipynb", ""),
        (
            ["05_attention (1).ipynb", "05_attention (2).ipynb", "05_attention (10).ipynb"],
            "05_attention (10).ipynb",
            "",
        ),
        (["exercises/05_attention/05_attention.ipynb"], "exercises/05_attention/05_attention.ipynb", ""),
        (["week 3/My Files/05_ATTENTION.IPYNB"], "week 3/My Files/05_ATTENTION.IPYNB", ""),
        (["Copy of 05_attention.ipynb"], "Copy of 05_attention.ipynb", ""),
        (["ada_lovelace-05-attention.ipynb"], "ada_lovelace-05-attention.ipynb", ""),
        (["05_ada.ipynb", "05_attention-Copy1.ipynb"], "05_attention-Copy1.ipynb", ""),
        (["homework.ipynb"], "homework.ipynb", "taken for chapter 5"),
        (["06_bert.ipynb"], "06_bert.ipynb", "taken for chapter 5"),
        (["exercises\\05_attention\\05_attention.ipynb"], "exercises\\05_attention\\05_attention.ipynb", ""),
        ([NAME, "__MACOSX/05_attention/._05_attention.ipynb", "._05_attention.ipynb"], NAME, ""),
        ([NAME, ".ipynb_checkpoints/05_attention-checkpoint.ipynb"], NAME, ""),
        (["05_attention.ipynb.txt"], None, "05_attention.ipynb.txt was left out"),
        (["homework.zip"], None, "homework.zip was left out: unpack it"),
    ],
)
def test_the_right_notebook_is_found_or_the_file_is_named(tmp_path, there, counts, noted):
    for name in there:
        hand_in(tmp_path / "ada" / name, cell(ANSWER), cell(CHECK))
    hand_in(tmp_path / "bob" / NAME, cell(ANSWER), cell(CHECK))
    ada = find_homework(tmp_path).students[0]
    assert ada.name == "ada" and ada.notebooks.get(5, [None])[0] == (tmp_path / "ada" / counts if counts else None)
    assert noted in "".join(ada.notes) and (noted or not ada.notes)


@pytest.mark.parametrize(
    ("around", "students"),
    [
        ("Homework/{}/05_attention.ipynb", ["ada", "bob"]),
        ("Homework 5/{}/05_attention.ipynb", ["ada"]),
        ("Submitted/{}/05_attention/05_attention.ipynb", ["ada", "bob"]),
        ("class of 2026/homework/{}/05_attention.ipynb", ["ada", "bob"]),
        ("spring/submitted/{}/exercises/05_attention.ipynb", ["ada", "bob"]),
        ("{}/exercises/05_attention/05_attention.ipynb", ["ada", "bob"]),
    ],
)
def test_folders_around_the_students_are_looked_through(tmp_path, around, students):
    for name in students:
        hand_in(tmp_path / around.format(name), cell(ANSWER))
    (tmp_path / "__MACOSX").mkdir()
    assert [one.name for one in find_homework(tmp_path).students if one.notebooks] == students
    hand_in(tmp_path / around.split("{}")[0] / "05_loose.ipynb")
    assert "05_loose.ipynb lies in no student's folder" in find_homework(tmp_path).notes[0]


TEXT = "Three exercises"
IDENTITY = next(
    cell["id"] for cell in json.loads(MASTER.read_text(encoding="utf-8"))["cells"] if cell["cell_type"] == "markdown"
)


FENCED, GIVEN, RUN = f"```python\n{ANSWER}\n```", "attention-exercises-01", "run all the same"
CELLS = {  # what was handed in, which code is run, and what is remarked
    "as it should be": ([cell(ANSWER), cell(CHECK)], [ANSWER, CHECK], ""),
    "code made text": ([cell(TEXT, "markdown"), cell(ANSWER, "markdown"), cell(CHECK)], [ANSWER, CHECK], RUN),
    "code made text, in fences": ([cell(FENCED, "markdown"), cell(CHECK)], [f"\n{ANSWER}\n", CHECK], RUN),
    "code made raw": ([cell(ANSWER, "raw"), cell(CHECK)], [ANSWER, CHECK], RUN),
    "given code made text": ([cell("x", "markdown", id=GIVEN), cell(ANSWER)], ["x", ANSWER], RUN),
    "text made code": ([cell("What I think", id=IDENTITY), cell(ANSWER)], [ANSWER], "made a code cell"),
    "stub after the solution": ([cell(ANSWER), cell(STUBBED), cell(CHECK)], [ANSWER, CHECK], "unsolved copy"),
    "stub before the solution": ([cell(STUBBED), cell(ANSWER), cell(CHECK)], [STUBBED, ANSWER, CHECK], ""),
    "stub kept as text": ([cell(STUBBED, "markdown"), cell(ANSWER)], [ANSWER], ""),
    "old answer kept as text": ([cell(ANSWER), cell(ANSWER + "\nx = 1", "markdown")], [ANSWER], ""),
    "copies that differ": ([cell(ANSWER, id="a"), cell(ANSWER + "+1", id="a")], [ANSWER, ANSWER + "+1"], "later one"),
    "no metadata": ([dict(cell_type="code", source=ANSWER), cell(CHECK, metadata=None)], [ANSWER, CHECK], ""),
    "no type": ([dict(source=[ANSWER], outputs=[]), dict(source="text")], [ANSWER], ""),
    "lists, null and rubbish": ([cell(list(ANSWER)), cell(None), 3, {}], [ANSWER, ""], ""),
    "metadata of other kinds": ([cell(ANSWER, metadata=[], id=None), cell(CHECK, id=3)], [ANSWER, CHECK], ""),
}


@pytest.mark.parametrize("name", CELLS)
def test_mistreated_cells_are_mended_where_it_is_clear(tmp_path, name):
    cells, kept, noted = CELLS[name]
    hand_in(tmp_path / NAME, *cells)
    found, notes = read_cells(tmp_path / NAME, SHEET)
    assert found == kept
    assert noted in "".join(notes) and len(notes) == bool(noted)


def test_older_formats_and_encodings_are_read(tmp_path):
    old = [dict(cell_type="code", input=[ANSWER], language="python"), dict(cell_type="heading", source="T", level=1)]
    content = json.dumps(dict(worksheets=[dict(cells=old)], nbformat=3))
    for encoding in ("utf-8", "utf-8-sig", "utf-16"):
        (tmp_path / NAME).write_text(content, encoding=encoding)
        assert read_cells(tmp_path / NAME, SHEET) == ([ANSWER], [])


@pytest.fixture(scope="module")
def graded(tmp_path_factory) -> dict:
    """Three students whose notebooks need all of it, and one whose answer is half right."""
    home = tmp_path_factory.mktemp("class")
    master, blank = (json.loads(path.read_text(encoding="utf-8")) for path in (MASTER, BLANK))
    hand_in(home / "ada" / NAME, **blank | {"cells": blank["cells"]})
    hand_in(home / "ada" / "05_attention (1).ipynb", **master)
    solved = {one["id"]: one for one in master["cells"]}
    mixed = [one | {"cell_type": "markdown"} if one["id"] == "attention-5-1" else one for one in master["cells"]]
    below = [*blank["cells"], *(solved[f"attention-5-{place}"] for place in (1, 2, 3, 4))]
    hand_in(home / "bob" / "exercises" / "05_Attention.IPYNB", cells=mixed)
    hand_in(home / "eve" / NAME, cells=below)
    half = (
        "def split_heads(x, heads): return x.unflatten(-1, (heads, -1)).transpose(1, 2)\ndef merge_heads(x): return x"
    )
    hand_in(home / "half" / NAME, cell("import torch"), cell("%%time\n" + half), cell("'\\ud800'.encode()"))
    hand_in(home / "05_lost.ipynb")
    return grade(home, seconds=30, jobs=2)


def test_nobody_gets_zero_for_where_the_answer_stands(graded):
    points = {row["student"]: row["points"] for row in graded["students"]}
    assert points == {"ada": 18, "bob": 18, "eve": 18, "half": 1.5} and graded["points"] == 18
    notes = {row["student"]: "\n".join(row["notes"]) for row in graded["students"]}
    assert "05_attention (1).ipynb counts for chapter 5, not 05_attention.ipynb" in notes["ada"]
    assert "was made a text cell; it is run all the same" in notes["bob"]


def test_a_part_that_is_right_earns_its_share(graded):
    found = graded["students"][3]["exercises"]["5.2"]
    assert (found["status"], found["credit"], found["points"]) == ("wrong", 0.5, 1.5)
    assert "half,0,1.5,0,0,1.5" in to_csv(graded) and "½ 1.5" in to_html(graded)


def test_the_table_fits_the_terminal(graded):
    assert "½" in to_console(graded) and "05_lost.ipynb lies in no student's folder" in to_console(graded)
    assert to_console(graded, "ascii").isascii() and to_console(graded, "cp1252").encode("cp1252")
