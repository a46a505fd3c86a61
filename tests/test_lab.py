"""First contact: JupyterLab starts for root too, for this computer only, and the project's folder may have any name."""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from click.testing import CliRunner

from minibert import corpora
from minibert.commands import lab

ROOT = Path(__file__).parents[1]


def start(monkeypatch, *options, user=0):
    """The command line that would run, and what was said."""
    commands = []
    monkeypatch.setattr(lab.os, "name", "posix")
    monkeypatch.setattr(lab.os, "geteuid", lambda: user, raising=False)
    monkeypatch.setattr(lab.os, "execve", lambda program, command, environment: commands.append(command), raising=False)
    done = CliRunner().invoke(lab.lab, list(options))
    assert done.exit_code == 0, done.output
    return commands[0], done.stderr


def test_root_is_allowed_on_the_loopback_address_and_told_so(monkeypatch):
    command, said = start(monkeypatch, "--no-browser")
    assert {"--allow-root", "--ServerApp.ip=127.0.0.1", "--no-browser"} <= set(command)
    assert "running as root" in said and "loopback address 127.0.0.1" in said


def test_nobody_else_is_given_what_root_needs(monkeypatch):
    command, said = start(monkeypatch, user=1000)
    assert "--allow-root" not in command and "root:" not in said and "--ServerApp.ip=127.0.0.1" in command


@pytest.mark.parametrize("option", ["--ip=0.0.0.0", "--ServerApp.ip=0.0.0.0"])
def test_an_address_that_was_asked_for_is_kept_and_not_called_loopback(monkeypatch, option):
    command, said = start(monkeypatch, option)
    assert option in command and "--ServerApp.ip=127.0.0.1" not in command and "loopback" not in said


def test_a_clone_is_opened_in_place_from_anywhere_and_nothing_is_copied(monkeypatch, tmp_path):
    for here in (ROOT, ROOT / "notebooks", tmp_path):
        monkeypatch.chdir(here)
        assert lab.find_course() == (ROOT, False)
    assert lab.find_course(ROOT) == (ROOT, False), "also where it is named"
    assert lab.find_course(Path("mine")) == (tmp_path / "mine", True), "whoever names another folder wants a copy"


def test_an_installed_course_is_copied_to_the_folder_that_is_found_again_from_inside(monkeypatch, tmp_path):
    monkeypatch.setattr(lab, "IS_CLONE", False)
    monkeypatch.chdir(tmp_path)
    course = tmp_path / "minibert-course"
    assert lab.find_course() == (course, True)
    done = CliRunner().invoke(lab.lab, ["--copy-only"])
    assert done.exit_code == 0 and f"to {course}" in done.stderr and not (course / "solutions").exists()
    for inside in (course, course / "exercises" / "05_attention"):
        monkeypatch.chdir(inside)
        assert lab.find_course() == (course, True)
    (course / ".minibert.json").unlink()
    monkeypatch.chdir(course)
    assert lab.find_course() == (course, False), "a course that somebody else put here"


def test_a_folder_after_the_options_is_refused():
    for arguments in (["--port=8890", "mine"], ["--port", "8890", "mine"], ["mine", "yours"]):
        done = CliRunner().invoke(lab.lab, arguments)
        assert done.exit_code == 2 and "FOLDER comes first" in done.stderr, arguments


def test_data_that_cannot_be_fetched_stops_nobody(monkeypatch, tmp_path):
    def fetch(names):
        raise corpora.DataUnavailable("no connection")

    monkeypatch.setattr(corpora, "fetch", fetch)
    command, said = start(monkeypatch, str(tmp_path / "mine"), "--no-browser")
    assert f"--ServerApp.root_dir={tmp_path / 'mine'}" in command and "--no-browser" in command
    assert "no connection" in said and "some data is missing" in said


@pytest.mark.skipif(os.name == "nt", reason="Windows has no root")
def test_a_real_jupyterlab_starts_for_whoever_runs_the_tests(tmp_path):
    """Root in containers and CI. The port is a free one."""
    folders = {f"JUPYTER_{name}_DIR": str(tmp_path / name.lower()) for name in ("CONFIG", "RUNTIME", "DATA")}
    command = [sys.executable, "-m", "minibert", "lab", "--no-browser", "--ServerApp.port=0"]
    with (tmp_path / "log").open("wb") as log:
        server = subprocess.Popen(command, env=os.environ | folders, stdout=log, stderr=log, cwd=ROOT)
    try:
        for _ in range(480):
            said = (tmp_path / "log").read_text(encoding="utf-8", errors="replace")
            if "http://127.0.0.1:" in said or server.poll() is not None:
                break
            time.sleep(0.25)
        assert server.poll() is None and "/lab/tree/notebooks/00_start_here.ipynb" in said, said
    finally:
        server.terminate()
        server.wait(30)


@pytest.mark.skipif(os.name == "nt" or shutil.which("make") is None, reason="needs make and a POSIX shell")
@pytest.mark.parametrize("venv", [".venv", "meine Umgebung"])
def test_make_works_in_a_folder_with_a_space_and_an_umlaut(tmp_path, venv):
    """A stand-in for Python writes down what it is called with."""
    home = tmp_path / "mein Kürs"
    (home / venv / "bin").mkdir(parents=True)
    (home / ".ci").mkdir()
    for name in ("Makefile", "pyproject.toml", ".ci/constraints.txt"):
        shutil.copy(ROOT / name, home / name)
    python = home / venv / "bin" / "python"
    python.write_text('#!/bin/sh\necho "$@" >> calls.txt\n', encoding="utf-8")
    python.chmod(0o755)
    for target in ("lab", "test", "lint"):
        done = subprocess.run(["make", f"VENV={venv}", target], cwd=home, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
    assert (home / venv / ".ready-lab").is_file() and (home / venv / ".ready-test").is_file()
    calls = (home / "calls.txt").read_text(encoding="utf-8")
    assert calls.count("-m minibert lab") == 1 and calls.count("torch==2.13.0") == 1, "set up once"
    assert "-m pytest" in calls and "-m ruff check ." in calls
    subprocess.run(["make", f"VENV={venv}", "clean"], cwd=home, check=True, timeout=60)
    assert not (home / venv).exists()
