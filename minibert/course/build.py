"""Write `exercises/` from `solutions/`: `python -m minibert.course.build` (or `make exercises`).

    minibert/course/exercises/ex_5_1.py         edited by hand: the solution, its cases and mistakes
    solutions/05_attention/05_attention.ipynb   edited by hand but for the solutions, which are written here
    exercises/05_attention/05_attention.ipynb   written here by nbgrader's generate_assignment, then run, never edited

The same masters give the same bytes. `--check` writes nothing and fails when what is there differs in anything but
outputs (the tests compare those). `--masters` runs the masters themselves and stores their outputs. Names of
chapters limit the work to them. Needs nbgrader (`pip install "minibert[teach]"`) and a checkout of the project.
"""

import json
import re
import shutil
import sys
import tempfile
from pathlib import Path

import click
import nbformat
from nbformat import NotebookNode

from minibert.course.masters import solved
from minibert.files import write_text

ROOT = Path(__file__).resolve().parents[2]
CONFIG = "nbgrader_config.json"  # in solutions/, so that nbgrader's own commands can be given the same one
LEFTOVERS = (".ipynb_checkpoints", "__pycache__")


def masters(root: Path, names: tuple[str, ...] = ()) -> list[str]:
    """The chapters that have a master in `root`/solutions, or those of `names`.

    Raises:
        ValueError: a name without a master.

    >>> masters(Path("nowhere"), ("05_attention",))
    Traceback (most recent call last):
    ...
    ValueError: no master solutions/05_attention/05_attention.ipynb; there are: none
    """
    there = sorted(path.parent.name for path in (root / "solutions").glob("*/*.ipynb") if path.stem == path.parent.name)
    for name in names:
        if name not in there:
            raise ValueError(f"no master solutions/{name}/{name}.ipynb; there are: {', '.join(there) or 'none'}")
    return [name for name in there if not names or name in names]


def _generate(root: Path, names: list[str], into: Path) -> None:
    """Run nbgrader's generate_assignment over chapters, in the course folder `into`; the result is not yet executed."""
    try:
        from nbgrader.apps import NbGraderAPI
        from traitlets.config import Config
    except ImportError:
        raise ValueError('nbgrader is not installed: pip install "minibert[teach]"') from None
    config = Config(json.loads((root / "solutions" / CONFIG).read_text(encoding="utf-8")))
    config.CourseDirectory.root = str(into)
    config.GenerateAssignment.no_database = True  # nothing of the released notebooks comes from the gradebook
    config.SaveCells.enabled = False
    api = NbGraderAPI(config=config)
    for name in names:
        shutil.copytree(root / "solutions" / name, into / "solutions" / name, ignore=shutil.ignore_patterns(*LEFTOVERS))
        result = api.generate_assignment(name)
        if not result["success"]:
            raised = re.findall(r"^\s+(\w+(?:Error|Exception): .*)", result.get("log", ""), re.MULTILINE)
            raise ValueError(f"nbgrader refuses solutions/{name}: {raised[-1] if raised else 'see its own log'}")
        for path in (into / "exercises" / name).glob("*.ipynb"):
            _write(nbformat.read(path, as_version=4), path)


def _write(notebook: NotebookNode, path: Path) -> None:
    """Write a notebook without what differs from machine to machine: kernel version, times, widget state."""
    notebook.metadata.language_info = nbformat.from_dict({"name": "python"})
    notebook.metadata.pop("widgets", None)
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
    nbformat.validate(notebook)
    write_text(path, nbformat.writes(notebook, indent=1, ensure_ascii=False).rstrip("\n") + "\n")


def _run_in_place(folder: Path) -> None:
    """Run every notebook of a folder from top to bottom in a fresh kernel, and store its outputs."""
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError, CellTimeoutError

    for path in sorted(folder.glob("*.ipynb")):
        notebook = nbformat.read(path, as_version=4)
        resources = {"metadata": {"path": str(folder)}}
        client = NotebookClient(notebook, timeout=300, resources=resources, record_timing=False, coalesce_streams=True)
        code = [(place, cell) for place, cell in enumerate(notebook.cells) if cell.cell_type == "code"]
        with client.setup_kernel():
            for number, (place, cell) in enumerate(code, 1):
                try:
                    client.execute_cell(cell, place, number)
                except (CellExecutionError, CellTimeoutError) as error:
                    what = f"{error.ename}: {error.evalue}" if hasattr(error, "ename") else str(error).splitlines()[0]
                    raise ValueError(f"{folder.name}/{path.name}: cell {number} ends in {what}") from None
        _write(notebook, path)


def _content(path: Path) -> object:
    """What `--check` compares: a notebook without outputs and execution counts, any other file as it is."""
    if path.suffix != ".ipynb":
        return path.read_bytes()
    notebook = json.loads(path.read_text(encoding="utf-8"))
    for cell in notebook["cells"]:
        cell["source"] = "".join(cell["source"])
        cell.pop("outputs", None), cell.pop("execution_count", None)
    return notebook


def differences(made: Path, there: Path) -> list[str]:
    """Which files two folders do not have in common, or not with the same content.

    >>> differences(ROOT / "minibert" / "course" / "exercises", ROOT / "minibert" / "course" / "exercises")
    []
    """
    files = [
        {p.relative_to(folder) for p in folder.rglob("*") if p.is_file() and not set(LEFTOVERS) & set(p.parts)}
        for folder in (made, there)
    ]
    found = [f"{name.as_posix()} is missing: run make exercises" for name in sorted(files[0] - files[1])]
    found += [f"{name.as_posix()} has no master in solutions/" for name in sorted(files[1] - files[0])]
    changed = [name for name in sorted(files[0] & files[1]) if _content(made / name) != _content(there / name)]
    return found + [f"{name.as_posix()} is not what its master gives: run make exercises" for name in changed]


def _fill(chapters: list[str], check: bool) -> None:
    """Give the masters the solutions of their exercises; with `check` refuse those that lack them."""
    files = [ROOT / "solutions" / name / f"{name}.ipynb" for name in chapters]
    texts = {path: solved(path) for path in files}
    stale = [path for path, text in texts.items() if text != path.read_text(encoding="utf-8")]
    if stale and check:
        names = ", ".join(path.stem for path in stale)
        raise ValueError(f"the masters of {names} have not the solutions of their exercises: run make exercises")
    for path in stale:
        write_text(path, texts[path])


@click.command()
@click.argument("names", nargs=-1)
@click.option("--check", is_flag=True, help="Write nothing; exit 1 when exercises/ is not what solutions/ gives.")
@click.option("--masters", "run_masters", is_flag=True, help="Run the masters instead and store their outputs.")
@click.option("--root", type=click.Path(path_type=Path, file_okay=False), default=ROOT, help="The project's folder.")
def main(names, check, run_masters, root):
    """Write exercises/ from solutions/, for all chapters or those named, such as 05_attention."""
    try:
        chapters = masters(root, names)
        if root.resolve() == ROOT:  # the masters of another folder are its own
            _fill(chapters, check)
        if run_masters:
            for name in chapters:
                _run_in_place(root / "solutions" / name)
            return
        with tempfile.TemporaryDirectory(prefix="minibert-") as scratch:
            _generate(root, chapters, Path(scratch).resolve())
            made, there = Path(scratch) / "exercises", root / "exercises"
            if check:
                folders = [(made / n, there / n) for n in chapters] if names else [(made, there)]
                if found := [line for pair in folders for line in differences(*pair)]:
                    raise ValueError("\n".join(found))
                return
            for name in chapters:
                _run_in_place(made / name)
                shutil.rmtree(there / name, ignore_errors=True)
                shutil.copytree(made / name, there / name)
                click.echo(f"wrote exercises/{name}", err=True)
    except ValueError as error:
        click.echo(f"Error: {error}", err=True)
        sys.exit(1)


if __name__ == "__main__":
    main()
