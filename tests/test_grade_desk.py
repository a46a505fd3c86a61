"""The teacher's desk: grading goes on, the class on one page, a page for each student, the answers alone."""

import json
from pathlib import Path

import pytest

from minibert.course.check import Outcome
from minibert.grading import grader
from minibert.grading.answers import write_answers
from minibert.grading.grader import Found, Graded, grade
from minibert.grading.report import file_names, mistakes_of, to_html, write_reports
from minibert.grading.submissions import Sheet, Student, Task

STUB = 'def attention(query, key, value, mask):\n    raise NotImplementedError("write your answer here")'
MINE = "def attention(query, key, value, mask):\n    return value"


def notebook(*cells: str) -> str:
    code = [dict(cell_type="code", source=cell, metadata={}) for cell in cells]
    return json.dumps(dict(cells=code, metadata={}, nbformat=4))


@pytest.fixture
def folder(tmp_path) -> Path:
    for name in ("ada", "bob", "cem"):
        (tmp_path / "homework" / name).mkdir(parents=True)
        path = tmp_path / "homework" / name / "05_attention.ipynb"
        path.write_text(notebook("import torch", MINE.replace("value", f"value  # {name}"), 'check("5.1", attention)'))
    return tmp_path / "homework"


@pytest.fixture
def calls(monkeypatch) -> list[str]:
    """Who is graded; each answer to 5.1 is found wrong with the mistake that the student's name is long, or short."""
    graded = []

    def fake(student, chapter, sheet, seconds, closed) -> Graded:
        graded.append(student.name)
        text = f"5.1 not yet\n  seen      {student.name}\n  likely    a mistake of the <class>"
        outcomes = {task.number: Outcome("not attempted", "") for task in sheet.tasks}
        return Graded(outcomes | {"5.1": Outcome("wrong", text, 0.5)}, [f"note for {student.name}"])

    monkeypatch.setattr(grader, "grade_notebook", fake)
    return graded


def test_grading_goes_on_where_it_was_interrupted(folder, calls, tmp_path):
    out, whole = tmp_path / "out", grade(folder, tmp_path / "other")
    calls.clear()

    def interrupt(text, done, total):
        assert total == 3
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        grade(folder, out, progress=interrupt)
    assert "ada" in calls and "bob" in calls
    calls.clear()
    assert grade(folder, out) == whole
    assert set(calls) <= {"cem"}
    calls.clear()
    assert grade(folder, out) == whole and calls == []


def test_what_was_handed_in_anew_is_graded_anew(folder, calls, tmp_path):
    grade(folder, tmp_path / "out")
    calls.clear()
    (folder / "bob" / "05_attention.ipynb").write_text(notebook("import torch", MINE))
    grade(folder, tmp_path / "out")
    assert calls == ["bob"]
    calls.clear()
    grade(folder, tmp_path / "out", seconds=61)
    assert sorted(calls) == ["ada", "bob", "cem"]


def test_a_damaged_note_is_graded_anew(folder, calls, tmp_path):
    grade(folder, tmp_path / "out")
    files = sorted((tmp_path / "out" / "found").iterdir())
    assert len(files) == 3
    for file, damage in zip(files, ("{", '{"outcomes": 3, "notes": []}', "[]"), strict=True):
        file.write_text(damage)
    calls.clear()
    grade(folder, tmp_path / "out")
    assert sorted(calls) == ["ada", "bob", "cem"]


def test_without_a_folder_nothing_is_kept(folder, calls):
    grade(folder)
    grade(folder)
    assert calls == ["ada", "bob", "cem"] * 2


def test_two_students_with_the_same_notebook_are_two(tmp_path):
    (tmp_path / "a.ipynb").write_text("x")
    found, sheet = Found(tmp_path, 60), Sheet([Task("5.1", 1)])
    keys = {found.key(Student(name, {5: [tmp_path / "a.ipynb"]}), 5, sheet) for name in ("ada", "bob")}
    keys.add(found.key(Student("ada", {5: [tmp_path / "a.ipynb"]}), 6, sheet))
    keys.add(found.key(Student("ada", {5: [tmp_path / "a.ipynb"]}), 5, Sheet([Task("5.1", 2)])))
    keys.add(found.key(Student("ada", {}), 5, sheet))
    assert len(keys) == 5


def test_the_class_can_be_read_from_one_page(folder, calls, tmp_path):
    result = grade(folder)
    assert mistakes_of(result) == [("5.1", "a mistake of the <class>", ["ada", "bob", "cem"])]
    result["students"][1]["exercises"]["5.1"].update(status="passed")
    assert mistakes_of(result) == [("5.1", "a mistake of the <class>", ["ada", "cem"])]
    page = to_html(result)
    assert "a mistake of the &lt;class&gt;" in page and "ada, cem" in page and "1 of 3" in page


def test_each_student_gets_a_page_that_says_nothing_of_others(folder, calls, tmp_path):
    write_reports(grade(folder), tmp_path / "out")
    pages = {path.stem: path.read_text(encoding="utf-8") for path in (tmp_path / "out" / "feedback").iterdir()}
    assert set(pages) == {"ada", "bob", "cem"}
    assert "note for ada" in pages["ada"] and "seen      ada" in pages["ada"] and "5.1" in pages["ada"]
    assert "bob" not in pages["ada"] and "$" not in pages["ada"] and "Mistakes of the class" not in pages["ada"]


def test_names_of_files_are_harmless_and_differ():
    names = file_names(["../x", "a?b", "a*b", "", "A_B", "con.txt"])
    assert len({name.casefold() for name in names}) == 6
    assert file_names(["a/b", "a:b", "a_b_2"]) == ["a_b", "a_b_2", "a_b_2_2"]  # no page replaces another's
    assert all(not set(name) & set("./\\:*?<>|\"'") and name for name in names)


def test_the_answers_alone_are_written(folder, tmp_path):
    (folder / "cem" / "05_attention.ipynb").write_text(notebook("import torch", STUB, 'check("5.1", attention)'))
    (folder / "bob" / "06_bert.ipynb").write_text("{")
    assert write_answers(folder, tmp_path / "answers") == 2
    files = {path.relative_to(tmp_path / "answers").as_posix(): path for path in (tmp_path / "answers").rglob("*.py")}
    assert set(files) == {"ada/chapter_05.py", "bob/chapter_05.py"}
    assert files["ada/chapter_05.py"].read_text() == MINE.replace("value", "value  # ada") + "\n"
    with pytest.raises(ValueError, match="has files already"):
        write_answers(folder, tmp_path / "answers")
