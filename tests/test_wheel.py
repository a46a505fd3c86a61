"""The wheel carries the course: installed alone, far from the clone, it answers, teaches and grades as a clone does."""

import compileall
import json
import os
import re
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from minibert.course.copies import course_files

ROOT = Path(__file__).parents[1]
CARRIED = {"data", "notebooks", "exercises", "solutions"}  # in the wheel as minibert/project/...
SCRIPT = "minibert.exe" if os.name == "nt" else "minibert"


def build(source: Path, into: Path, target: str) -> Path:
    """What hatchling makes of a folder, with the hatchling that is installed here: no network."""
    into.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "hatchling", "build", "-t", target, "-d", str(into)]
    done = subprocess.run(command, cwd=source, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return next(into.iterdir())


def names_in(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    return build(ROOT, tmp_path_factory.mktemp("wheel"), "wheel")


@pytest.fixture(scope="module")
def site(wheel, tmp_path_factory):
    """The folder it is installed in: the package, and its script in `bin`."""
    site = tmp_path_factory.mktemp("installed") / "site"
    command = [sys.executable, "-m", "uv", "pip", "install", "--quiet", "--offline", "--no-deps", "--link-mode", "copy"]
    command += ["--python", sys.executable, "--target", str(site), str(wheel)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert compileall.compile_dir(site / "minibert" / "project", quiet=1), "as pip does"
    return site


@pytest.fixture(scope="module")
def here(tmp_path_factory):
    """Where the learner is: far from the clone."""
    return tmp_path_factory.mktemp("learner")


@pytest.fixture(scope="module")
def run(site, here):
    """Run a command there; the clone is not on Python's path before the installed package."""
    own = dict(PYTHONPATH=str(site), OMP_NUM_THREADS="1", PYTHONDONTWRITEBYTECODE="1", PYTHONIOENCODING="utf-8")
    own |= dict(MINIBERT_PROGRESS=str(here / "progress"), MPLBACKEND="agg")

    def run(*command, code=0, given=None, cwd=here):
        pipes = dict(capture_output=True, encoding="utf-8", timeout=300, input=given)
        done = subprocess.run([*map(str, command)], cwd=cwd, env=os.environ | own, **pipes)
        assert done.returncode == code, done.stdout + done.stderr
        return done

    return run


@pytest.fixture(scope="module")
def minibert(site, run):
    """The console script."""
    return lambda *arguments, **named: run(next(site.glob(f"*/{SCRIPT}")), *arguments, **named)


@pytest.fixture(scope="module")
def course(minibert, here):
    said = minibert("lab", "mein Kurs", "--copy-only").stderr
    assert f"copied {len(course_files())} files to {here / 'mein Kurs'}" in said
    return here / "mein Kurs"


def known_to_git(*options: str) -> set[str]:
    """The files of the carried folders, by the names that they have in the wheel."""
    try:
        listed = subprocess.run(["git", "ls-files", "-z", *options], cwd=ROOT, capture_output=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("no git here")
    names = [name for name in listed.decode("utf-8").split("\0") if (ROOT / name).is_file()]
    carried = {f"minibert/project/{name}" for name in names if name.split("/")[0] in CARRIED and "/" in name}
    return carried | {name for name in names if name.startswith("minibert/")}


def test_it_holds_what_git_knows_of_five_folders_and_nothing_else(wheel):
    about = {name for name in names_in(wheel) if ".dist-info/" in name}
    assert known_to_git() - names_in(wheel) == set()
    new = known_to_git("--others", "--exclude-standard")  # somebody is writing: not in it is fine, too
    assert names_in(wheel) - about - known_to_git() - new == set()
    assert {name.rpartition("/")[2] for name in about} >= {"METADATA", "entry_points.txt", "LICENSE"}


def test_what_matters_is_in_it_and_what_is_for_developers_is_not(wheel):
    names = names_in(wheel)
    folder = "minibert/project"
    assert {
        "minibert/one_page.py",
        "minibert/viz/forward.js",
        "minibert/grading/report.html",
        f"{folder}/data/modernbert-nano/model.safetensors",
        f"{folder}/data/claims.json",
        f"{folder}/data/experiments/masking.json",
        f"{folder}/notebooks/00_start_here.ipynb",
        f"{folder}/notebooks/glossary.md",
        f"{folder}/exercises/05_attention/05_attention.ipynb",
        f"{folder}/solutions/05_attention/05_attention.ipynb",
    } <= names
    unwanted = re.compile(
        r"(^|/)(tests?|\.ci|\.git|\.devcontainer|__pycache__|\.ipynb_checkpoints|runs|Makefile|LOG\.md)(/|$)"
    )
    assert not [name for name in names if unwanted.search(name)]
    assert {name.split("/")[0].split("-")[0] for name in names} == {"minibert"}
    assert wheel.stat().st_size < 60_000_000


def test_an_editable_installation_points_to_the_clone_and_copies_nothing(tmp_path):
    code = f"import hatchling.build as build; print(build.build_editable({str(tmp_path)!r}))"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True, timeout=300)
    with zipfile.ZipFile(next(tmp_path.iterdir())) as archive:
        inside = {name: archive.read(name).decode() for name in archive.namelist() if ".dist-info/" not in name}
    assert [name.endswith(".pth") for name in inside] == [True]
    assert Path(*inside.values()).resolve() == ROOT.resolve() or Path(next(iter(inside.values())).strip()) == ROOT


def test_the_source_distribution_makes_the_same_wheel(wheel, tmp_path):
    packed = build(ROOT, tmp_path / "sdist", "sdist")
    with tarfile.open(packed) as archive:
        archive.extractall(tmp_path / "source", filter="data")
    source = next((tmp_path / "source").iterdir())
    assert (source / "tests" / "conftest.py").is_file() and (source / "Makefile").is_file()
    again = build(source, tmp_path / "wheel", "wheel")
    with zipfile.ZipFile(wheel) as one, zipfile.ZipFile(again) as two:
        assert {i.filename: i.CRC for i in one.infolist()} == {i.filename: i.CRC for i in two.infolist()}


def test_the_first_answer_needs_nothing_but_the_wheel(minibert, run, site, here):
    found = run(sys.executable, "-c", "import minibert; print(minibert.__file__)").stdout
    assert Path(found.strip()) == site / "minibert" / "__init__.py"
    answer = minibert("fill", "The Congress of the United [MASK]").stdout
    assert re.search(r"States", answer.splitlines()[1])
    assert minibert("--help").stdout.startswith("Usage: minibert [OPTIONS]")
    assert list(here.iterdir()) == [], "a question leaves no files"


COMMANDS = """
import click, contextlib, io, json, os, sys
sys.path.append(sys.argv[1])  # the clone, for the helper of the tests
from minibert.__main__ import main
from minibert.commands import claims
from minibert.course import check, reset
from tests.notebook_cells import run_cells
import minibert, torch

def said(command, *arguments):
    with contextlib.redirect_stdout(io.StringIO()) as out:
        command(arguments, standalone_mode=False)
    return out.getvalue()

found = {"where": minibert.__file__}
found["fill"] = said(main, "fill", "--model", "data/bert-nano", "The House of [MASK] has passed the bill.")
found["embed"] = said(main, "embed", "--model", "bert-nano", "--similarity", "A cat.", "A dog.")
found["attend"] = said(main, "attend", "We the people", "--layer", "1", "--head", "1")
said(main, "explain", "--model", "bert-nano", "--out", "page.html")
said(claims.main, "--check")
with contextlib.redirect_stdout(io.StringIO()) as out:
    check("5.1", lambda query, key, value, mask: query)
found["check"] = out.getvalue()
found["status"] = said(main, "status", "5")
for name, call in {
    "reset": lambda: reset("5.1"),
    "claims": lambda: said(claims.main),
    "record": lambda: said(main, "speedrun", "1_bert", "--record"),
}.items():
    try:
        call()
    except (ValueError, click.ClickException) as error:
        found[name] = str(error)
for name in ("notebooks/14_modern_block.ipynb", "exercises/05_attention/05_attention.ipynb"):
    os.chdir(os.path.join(sys.argv[2], os.path.dirname(name)))
    found[name] = run_cells(__import__("pathlib").Path(sys.argv[2], name))
sys.__stdout__.buffer.write(json.dumps(found).encode())
"""


@pytest.fixture(scope="module")
def found(run, course):
    return json.loads(run(sys.executable, "-c", COMMANDS, ROOT, course).stdout)


def test_commands_work_from_anywhere(found, site, here):
    assert Path(found["where"]) == site / "minibert" / "__init__.py"
    assert "representatives" in found["fill"].splitlines()[1]
    assert len(found["embed"].splitlines()) == 2 and "1.000" in found["embed"]
    assert "people" in found["attend"]
    assert (here / "page.html").stat().st_size > 1_000_000
    assert "no clone" in found["claims"] and "in a clone" in found["record"], "what would write into the package"


def test_exercises_are_checked_and_noted_from_anywhere(found):
    assert found["check"].startswith("5.1 not yet") and "seen" in found["check"]
    assert re.search(r"5\.1 .*1 try", found["status"])
    assert "no notebook with the answer to 5.1 here" in found["reset"], "never the package's own copy"


@pytest.mark.parametrize("name", ["notebooks/14_modern_block.ipynb", "exercises/05_attention/05_attention.ipynb"])
def test_a_copied_notebook_runs_as_it_was_stored(found, name):
    cells = found[name]
    assert len(cells) > 5 and [printed for _, printed in cells] == [stored for stored, _ in cells]


SUBMISSION = [
    "import torch\nfrom pathlib import Path\nimport minibert\nfrom minibert.course import check, passed",
    "inside = Path(minibert.__file__).parent / 'project'\n(inside / 'data' / 'README.md').read_text(encoding='utf-8')",
    "(inside / 'solutions' / '05_attention' / '05_attention.ipynb').read_text(encoding='utf-8')",
    "list((inside / 'exercises').iterdir())",
    "def attention(query, key, value, mask):\n"
    "    scores = query @ key.mT / query.shape[-1] ** 0.5\n"
    "    return scores.masked_fill(~mask, -1e30).softmax(dim=-1).masked_fill(~mask, 0.0) @ value",
    'check("5.1", attention)',
]


def test_it_grades_with_the_teachers_points_and_keeps_the_solutions_to_itself(minibert, here):
    cells = [dict(cell_type="code", id=f"c{i}", metadata={}, outputs=[], source=s) for i, s in enumerate(SUBMISSION)]
    (here / "homework" / "ada").mkdir(parents=True)
    notebook = dict(cells=cells, metadata={}, nbformat=4, nbformat_minor=5)
    (here / "homework" / "ada" / "05_attention.ipynb").write_text(json.dumps(notebook), encoding="utf-8")
    minibert("grade", "homework", "--out", "grades")
    report = json.loads((here / "grades" / "results.json").read_text(encoding="utf-8"))
    master = json.loads((ROOT / "solutions/05_attention/05_attention.ipynb").read_text(encoding="utf-8"))
    graded = [cell["metadata"].get("nbgrader", {}) for cell in master["cells"]]
    assert report["points"] == sum(one["points"] for one in graded if one.get("grade")) > 4
    ada = report["students"][0]
    assert ada["exercises"]["5.1"]["status"] == "passed"
    assert ada["exercises"]["5.1"]["points"] == report["exercises"][0]["points"] > 1
    remarks = "\n".join(ada["notes"])
    assert "cannot be read" in remarks and "cannot be listed" in remarks and "README" not in remarks


def test_nobody_wrote_into_the_installed_package(wheel, site, found, course):
    """Last: after all commands above."""
    there = {path.relative_to(site).as_posix() for path in site.rglob("*") if path.suffix != ".pyc" and path.is_file()}
    assert names_in(wheel) - {name for name in names_in(wheel) if ".dist-info/" in name} == {
        name for name in there if name.startswith("minibert/")
    }
    with zipfile.ZipFile(wheel) as archive:
        for info in archive.infolist():
            if info.filename.startswith("minibert/"):
                assert (site / info.filename).stat().st_size == info.file_size, info.filename


def test_the_first_cell_of_a_hosted_notebook_installs_the_wheel_and_elsewhere_does_nothing(wheel, monkeypatch):
    page = (ROOT / "notebooks" / "hosted.md").read_text(encoding="utf-8")
    cell, calls = re.search(r"```python\n(.*?)```", page, re.DOTALL)[1], []
    monkeypatch.setattr(subprocess, "run", lambda command, **named: calls.append(command))
    exec(cell, {})
    assert calls == []
    monkeypatch.setitem(sys.modules, "minibert.places", None)  # as if it were not there
    exec(cell, {})
    assert [command[1:3] for command in calls] == [["-m", "pip"], ["-m", "minibert"]] and wheel.name in calls[0]
    assert wheel.name in page and wheel.name in (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_container_is_started_as_the_readme_says():
    folder, readme = ROOT / ".devcontainer", (ROOT / "README.md").read_text(encoding="utf-8")
    steps = (folder / "Dockerfile").read_text(encoding="utf-8")
    commands = re.findall(r"^#   (docker .+)$", steps, re.MULTILINE)
    assert len(commands) == 2 and all(command in readme for command in commands)
    assert steps.index("USER learner") < steps.index("minibert data fetch") and "USER root" not in steps
    config = json.loads((folder / "devcontainer.json").read_text(encoding="utf-8"))
    assert (folder / config["build"]["dockerfile"]).is_file() and config["remoteUser"] == "learner"
    for name in re.findall(r"^COPY ([^-\s]\S*) ", steps, re.MULTILINE):
        assert (ROOT / name).exists(), name
