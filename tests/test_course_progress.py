"""Tries are noted and survive what happens to files; a reset loses no answer."""

import json
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from minibert.__main__ import main
from minibert.course import check, reset, status
from minibert.course.exercises import chapters, exercises, find
from minibert.course.progress import note, progress_folder, stub, tries

ROOT = Path(__file__).parents[1]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("MINIBERT_PROGRESS", str(tmp_path / "kept"))
    return tmp_path / "kept"


def lines(capsys) -> list[str]:
    return capsys.readouterr().out.splitlines()


def test_check_notes_what_was_tried_and_nothing_else(folder, capsys):
    check("5.1", ...)
    assert not folder.exists()
    check("5.1", lambda query, key, value, mask: value)
    check("5.1", find("5.1").solution)
    check("5.1", find("5.1").solution)
    assert [each[::2] for each in tries()] == [("5.1", "wrong"), ("5.1", "passed"), ("5.1", "passed")]
    assert set(json.loads((folder / "tries.jsonl").read_text().splitlines()[0])) == {"number", "when", "found"}
    capsys.readouterr()
    status(5)
    said = lines(capsys)
    assert "passed 20" in said[0] and "2 tries" in said[0]
    assert "open" in said[1]
    assert said[-1].startswith(f"1 of {len(exercises(5))} passed. Next: 5.2, ")


def test_status_counts_all_chapters_and_goes_on_where_one_was(folder, capsys):
    note("6.2", "error")
    status()
    said = lines(capsys)
    assert len(said) == 1 + sum(len(exercises(chapter)) for chapter in chapters())
    assert said[-1].endswith(f"Next: 6.1, {find('6.1').minutes} minutes.")
    assert "1 try " in next(line for line in said if line.startswith("6.2"))
    for one in exercises(5):
        note(one.number, "passed")
    status(5)
    assert lines(capsys)[-1] == f"{len(exercises(5))} of {len(exercises(5))} passed. Nothing is left."


def test_a_line_that_a_crash_cut_off_costs_one_try(folder):
    note("5.1", "wrong")
    with (folder / "tries.jsonl").open("a") as file:
        file.write('{"number": "5.2", "wh\n[1]\n\n{"number": "5.2"}\n')
    note("5.3", "passed")
    assert [each.number for each in tries()] == ["5.1", "5.3"]


def test_what_cannot_be_written_stops_nobody(tmp_path, monkeypatch, capsys):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("MINIBERT_PROGRESS", str(tmp_path / "file" / "below"))
    check("5.1", find("5.1").solution)
    assert lines(capsys) == ["5.1 passed"] and tries() == []


@pytest.mark.parametrize(("name", "value"), [("MINIBERT_PROGRESS", ""), ("NBGRADER_EXECUTION", "autograde")])
def test_whoever_grades_keeps_no_notes(folder, monkeypatch, name, value):
    monkeypatch.setenv(name, value)
    note("5.1", "passed")
    assert progress_folder() is None and tries() == [] and not folder.exists()


@pytest.fixture
def notebook(tmp_path, monkeypatch):
    shutil.copytree(ROOT / "exercises" / "05_attention", tmp_path / "05_attention")
    monkeypatch.chdir(tmp_path / "05_attention")
    return tmp_path / "05_attention" / "05_attention.ipynb"


def cell(path: Path, name: str) -> dict:
    return next(one for one in json.loads(path.read_text(encoding="utf-8"))["cells"] if one["id"] == name)


def answer(path: Path, name: str, source: str) -> None:
    content = json.loads(path.read_text(encoding="utf-8"))
    for one in content["cells"]:
        if one["id"] == name:
            one["source"] = source.splitlines(keepends=True)
    path.write_text(json.dumps(content), encoding="utf-8")


def test_a_reset_gives_the_empty_answer_back_and_keeps_the_old_ones(notebook):
    before = json.loads(notebook.read_text(encoding="utf-8"))
    for count, mine in enumerate(("def split_heads(x, heads):\n    return x  # α", "pass"), start=1):
        answer(notebook, "attention-5-2", mine)
        kept = reset("5.2")
        assert kept.name == f"answer_5_2_{count}.py" and kept.read_text(encoding="utf-8") == mine + "\n"
        assert "".join(cell(notebook, "attention-5-2")["source"]) == "".join(
            next(one["source"] for one in before["cells"] if one["id"] == "attention-5-2")
        )
    others = [one for one in json.loads(notebook.read_text(encoding="utf-8"))["cells"] if one["id"] != "attention-5-2"]
    assert others == [one for one in before["cells"] if one["id"] != "attention-5-2"]


def test_the_empty_answer_is_the_one_of_the_exercises():
    for chapter in chapters():
        (path,) = (ROOT / "exercises").glob(f"{chapter:02}_*/*.ipynb")
        sources = {one["metadata"].get("nbgrader", {}).get("grade_id"): "".join(one["source"])
                   for one in json.loads(path.read_text(encoding="utf-8"))["cells"]}  # fmt: skip
        for one in exercises(chapter):
            name = next(name for name in sources if name and name.endswith("-" + one.number.replace(".", "-")))
            assert sources[name] == "\n\n\n".join(stub(part.source) for part in one.parts), one.number


@pytest.mark.parametrize(
    ("damage", "complaint"),
    [
        (lambda path: None, "empty already"),
        (lambda path: path.write_text("{"), "no notebook that can be read"),
        (lambda path: path.write_text('{"cells": []}'), "no cell for the answer to 5.2"),
        (lambda path: path.unlink(), "name the file"),
    ],
)
def test_a_reset_that_cannot_be_done_changes_nothing(notebook, damage, complaint):
    damage(notebook)
    before = notebook.read_bytes() if notebook.exists() else None
    with pytest.raises(ValueError, match=complaint):
        reset("5.2", notebook)
    assert (notebook.read_bytes() if notebook.exists() else None) == before
    assert [path.suffix for path in notebook.parent.iterdir()].count(".py") == 0


def test_the_commands_do_the_same(folder, notebook):
    answer(notebook, "attention-5-1", "mine = 1")
    done = CliRunner().invoke(main, ["reset", "5.1"])
    assert done.exit_code == 0 and (notebook.parent / "answer_5_1_1.py").read_text() == "mine = 1\n"
    note("5.1", "passed")
    done = CliRunner().invoke(main, ["status", "5"])
    assert done.exit_code == 0 and "passed" in done.output and "Next: 5.2" in done.output
    assert CliRunner().invoke(main, ["reset", "99.1"]).exit_code == 1
