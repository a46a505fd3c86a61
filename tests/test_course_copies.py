"""The learner's copy of the course: what they wrote stays whatever happens, and all links in it lead somewhere."""

import json
import os
import re
import shutil
from pathlib import Path

import pytest

from minibert.course import copies
from minibert.course.copies import RECORD, copy_course, course_files, summary

CHAPTER, PAGE = "notebooks/05_attention.ipynb", "notebooks/glossary.md"
EXERCISE = "exercises/05_attention/05_attention.ipynb"


@pytest.fixture(scope="module")
def first(tmp_path_factory):
    folder = tmp_path_factory.mktemp("first") / "Kurs für mich" / "course"
    return folder, copy_course(folder)


@pytest.fixture
def folder(first, tmp_path):
    return Path(shutil.copytree(first[0], tmp_path / "course"))


@pytest.fixture
def next_edition(monkeypatch, tmp_path):
    """A course in which one file differs."""

    def publish(name: str) -> bytes:
        newer = tmp_path / "newer"
        newer.write_bytes(course_files()[name].read_bytes() + b"\n")
        files = course_files() | {name: newer}
        monkeypatch.setattr(copies, "course_files", lambda: files)
        return newer.read_bytes()

    return publish


def test_notebooks_and_exercises_are_copied_and_no_solutions(first):
    folder, found = first
    names = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert names == {RECORD, *course_files()} and set(found.new) == set(course_files())
    assert {CHAPTER, EXERCISE, PAGE, "notebooks/00_start_here.ipynb"} <= names
    assert not any("solution" in name or name.endswith((".tmp", ".safetensors")) for name in names)
    assert summary(found, folder) == [f"copied {len(course_files())} files to {folder}"]
    for name, source in course_files().items():
        assert (folder / name).read_bytes() == source.read_bytes()


def test_every_link_of_the_copy_leads_into_the_copy(first):
    folder, dead, seen = first[0], [], 0
    for file in [*folder.rglob("*.ipynb"), *folder.rglob("*.md")]:
        text = file.read_text(encoding="utf-8")
        if file.suffix == ".ipynb":
            cells = [cell for cell in json.loads(text)["cells"] if cell["cell_type"] == "markdown"]
            text = "\n".join("".join(cell["source"]) for cell in cells)
        for link in re.findall(r"\]\(\s*([^()\s]+)\s*\)", text):
            target = (file.parent / link.partition("#")[0]).resolve()
            if "://" not in link and not link.startswith(("#", "attachment:")):
                seen += 1
                if not (target.is_file() and target.is_relative_to(folder.resolve())):
                    dead.append(f"{file.relative_to(folder)}: {link}")
    assert not dead and seen > 500, dead


def test_a_second_copy_changes_nothing(folder):
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    found = copy_course(folder)
    assert set(found.same) == set(course_files()) and not (found.new or found.renewed or found.kept)
    assert before == {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    assert summary(found, folder) == [f"{folder} has the course already"]


def test_a_changed_file_stays_and_a_deleted_one_comes_back(folder):
    (folder / EXERCISE).write_text("my answers", encoding="utf-8")
    (folder / CHAPTER).unlink()
    found = copy_course(folder)
    assert (found.kept, found.new, found.outdated) == ([EXERCISE], [CHAPTER], [])
    assert (folder / EXERCISE).read_text(encoding="utf-8") == "my answers"
    assert (folder / CHAPTER).read_bytes() == course_files()[CHAPTER].read_bytes()
    assert summary(found, folder) == [f"copied 1 file to {folder}", f"kept as you left it: {EXERCISE}"]


def test_a_new_edition_replaces_what_nobody_changed(folder, next_edition):
    newer = next_edition(CHAPTER)
    found = copy_course(folder)
    assert (found.renewed, found.kept) == ([CHAPTER], []) and (folder / CHAPTER).read_bytes() == newer
    assert summary(found, folder) == ["renewed 1 file that you had not changed"]
    assert copy_course(folder).renewed == []


def test_a_new_edition_of_what_was_changed_is_told_and_waits(folder, next_edition):
    (folder / EXERCISE).write_text("my answers", encoding="utf-8")
    copy_course(folder)
    newer = next_edition(EXERCISE)
    for _ in range(2):  # said as long as it is so
        found = copy_course(folder)
        assert (found.kept, found.outdated, found.renewed) == ([EXERCISE], [EXERCISE], [])
        assert (folder / EXERCISE).read_text(encoding="utf-8") == "my answers"
        assert f"newer edition of {EXERCISE}" in "\n".join(summary(found, folder))
    (folder / EXERCISE).rename(folder / "mine.ipynb")
    assert copy_course(folder).new == [EXERCISE] and (folder / EXERCISE).read_bytes() == newer


def test_other_peoples_files_are_left_alone(tmp_path, next_edition):
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "thesis.txt").write_text("mine", encoding="utf-8")
    (tmp_path / CHAPTER).write_text("another course's chapter 5", encoding="utf-8")
    for _ in range(2):
        assert copy_course(tmp_path).kept == [CHAPTER]
        next_edition(CHAPTER)
    assert (tmp_path / CHAPTER).read_text(encoding="utf-8") == "another course's chapter 5"
    assert (tmp_path / "thesis.txt").read_text(encoding="utf-8") == "mine"


@pytest.mark.parametrize("record", ["", "[]", '{"files": 3}', '{"files": {"notebooks/glossary.md": null}}', "\xff"])
def test_without_a_record_nothing_is_replaced(folder, next_edition, record):
    (folder / RECORD).write_text(record, encoding="latin-1")
    old = (folder / PAGE).read_bytes()
    next_edition(PAGE)
    found = copy_course(folder)
    assert found.kept == [PAGE] and not found.renewed and (folder / PAGE).read_bytes() == old


def test_a_link_to_the_learners_own_place_is_not_written_through(folder, tmp_path, next_edition):
    elsewhere = tmp_path / "elsewhere.md"
    (folder / PAGE).rename(elsewhere)
    try:
        (folder / PAGE).symlink_to(elsewhere)
    except OSError:
        pytest.skip("no links here")
    old = elsewhere.read_bytes()
    next_edition(PAGE)
    copy_course(folder)
    assert elsewhere.read_bytes() == old


def test_a_place_that_cannot_be_written_to_is_named(tmp_path):
    (tmp_path / "file").write_text("mine", encoding="utf-8")
    for place in (tmp_path / "file", tmp_path / "file" / "course"):
        with pytest.raises(ValueError, match=r"cannot be copied to .*file.*name another folder"):
            copy_course(place)
    (tmp_path / "notebooks").write_text("mine", encoding="utf-8")
    with pytest.raises(ValueError, match=r"notebooks: .*name another folder"):
        copy_course(tmp_path)
    assert (tmp_path / "notebooks").read_text(encoding="utf-8") == "mine"


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_folder_is_named(tmp_path):
    tmp_path.chmod(0o555)
    try:
        with pytest.raises(ValueError, match="Permission denied"):
            copy_course(tmp_path / "course")
    finally:
        tmp_path.chmod(0o755)


def test_what_was_copied_before_the_disk_was_full_is_recorded(tmp_path, monkeypatch):
    real, count = copies.shutil.copyfile, iter(range(5))

    def full(source, target):
        if next(count, None) is None:
            raise OSError(28, "No space left on device", str(target))
        return real(source, target)

    monkeypatch.setattr(copies.shutil, "copyfile", full)
    with pytest.raises(ValueError, match="No space left"):
        copy_course(tmp_path)
    names = [path for path in tmp_path.rglob("*") if path.is_file() and path.name != RECORD]
    assert len(json.loads((tmp_path / RECORD).read_text(encoding="utf-8"))["files"]) == len(names) == 5


def test_a_package_without_its_course_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr(copies, "PROJECT", tmp_path)
    with pytest.raises(ValueError, match="no notebooks in"):
        copy_course(tmp_path / "course")
