"""Write `exercises/` from `solutions/`: `python -m minibert.course.build` (or `make exercises`).

    minibert/course/exercises/ex_5_1.py         edited by hand: the solution, its cases and mistakes
    solutions/05_attention/05_attention.ipynb   edited by hand but for the solutions, which are written here
    exercises/05_attention/05_attention.ipynb   written here by nbgrader's generate_assignment, then run, never edited

The same masters give the same bytes. `--check` writes nothing and fails when what is there differs in anything but
outputs (strict nbval compares those). `--masters` runs the masters themselves and stores their outputs. Names of
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
LANGUAGE = {"name": "python"}  # a kernel adds its version, which differs from machine to machine


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


def generate(root: Path, names: list[str], into: Path) -> None:
    """Run nbgrader's generate_assignment over chapters of `root`, in the course folder `into`, without a gradebook.

    The result is not yet executed.

    Raises:
        ValueError: nbgrader is missing, or refuses a master (its own words are in the message).

    >>> generate(ROOT, [], Path("nowhere"))
    """
    if not names:
        return
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
        leave = shutil.ignore_patterns(".ipynb_checkpoints", "__pycache__")
        shutil.copytree(root / "solutions" / name, into / "solutions" / name, ignore=leave)
        result = api.generate_assignment(name)
        if not result["success"]:
            raised = re.findall(r"^\s+(\w+(?:Error|Exception): .*)", result.get("log", ""), re.MULTILINE)
            raise ValueError(f"nbgrader refuses solutions/{name}: {raised[-1] if raised else 'see its own log'}")
        for path in (into / "exercises" / name).glob("*.ipynb"):
            write_notebook(tidied(nbformat.read(path, as_version=4)), path)


def tidied(notebook: NotebookNode) -> NotebookNode:
    """The same notebook without what differs from machine to machine: kernel version, times, widget state.

    >>> tidied(nbformat.v4.new_notebook(metadata={"widgets": {}})).metadata.language_info
    {'name': 'python'}
    """
    notebook = nbformat.from_dict(notebook)
    notebook.metadata.language_info = nbformat.from_dict(LANGUAGE)
    notebook.metadata.pop("widgets", None)
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
    return notebook


def execute(notebook: NotebookNode, folder: Path, timeout: int = 300) -> NotebookNode:
    """Run a notebook from top to bottom in a fresh kernel, in `folder`, and return it with its outputs.

    Raises:
        ValueError: a cell fails; in an exercise, mostly because a stub stands outside a function.

    >>> cell = nbformat.v4.new_code_cell("1 / 0", id="a")
    >>> execute(nbformat.v4.new_notebook(cells=[cell]), Path("."))
    Traceback (most recent call last):
    ...
    ValueError: cell 1 ends in ZeroDivisionError: division by zero
    """
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError, CellTimeoutError

    notebook = nbformat.from_dict(notebook)
    resources = {"metadata": {"path": str(folder)}}
    client = NotebookClient(notebook, timeout=timeout, resources=resources, record_timing=False, coalesce_streams=True)
    try:
        client.execute()
    except (CellExecutionError, CellTimeoutError) as error:
        code = [cell for cell in notebook.cells if cell.cell_type == "code"]
        number = next((n for n, cell in enumerate(code, 1) if cell.get("execution_count") is None), len(code) + 1) - 1
        failed = (output for cell in code for output in cell.outputs if output.output_type == "error")
        output = next(failed, None)
        what = f"{output.ename}: {output.evalue}" if output else str(error).splitlines()[0]
        if output:
            number = next(n for n, cell in enumerate(code, 1) if output in cell.outputs)
        raise ValueError(f"cell {number} ends in {what}") from None
    return tidied(notebook)


def run_in_place(folder: Path) -> None:
    """Run every notebook of a folder and store its outputs.

    Raises:
        ValueError: a cell fails; the message names the notebook.

    >>> run_in_place(Path("nowhere"))
    """
    for path in sorted(folder.glob("*.ipynb")):
        try:
            write_notebook(execute(nbformat.read(path, as_version=4), folder), path)
        except ValueError as error:
            raise ValueError(f"{folder.parent.name}/{folder.name}/{path.name}: {error}") from None


def write_notebook(notebook: NotebookNode, path: Path) -> None:
    """Write a notebook in one step, UTF-8, one trailing newline, letters as they are.

    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_notebook(nbformat.v4.new_notebook(), Path(folder) / "a.ipynb")
    ...     (Path(folder) / "a.ipynb").read_text(encoding="utf-8").endswith("}\\n")
    True
    """
    nbformat.validate(notebook)
    write_text(path, nbformat.writes(notebook, indent=1, ensure_ascii=False).rstrip("\n") + "\n")


def content(path: Path) -> object:
    """What `--check` compares: a notebook without outputs and execution counts, any other file as it is.

    >>> content(ROOT / "LICENSE") == (ROOT / "LICENSE").read_bytes()
    True
    """
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
    skip = {".ipynb_checkpoints", "__pycache__"}
    files = [
        {p.relative_to(folder) for p in folder.rglob("*") if p.is_file() and not skip & set(p.parts)}
        for folder in (made, there)
    ]
    found = [f"{name.as_posix()} is missing: run make exercises" for name in sorted(files[0] - files[1])]
    found += [f"{name.as_posix()} has no master in solutions/" for name in sorted(files[1] - files[0])]
    for name in sorted(files[0] & files[1]):
        if content(made / name) != content(there / name):
            found.append(f"{name.as_posix()} is not what its master gives: run make exercises")
    return found


def fill(root: Path, names: list[str], write: bool) -> list[str]:
    """Which masters do not have the solutions that the files of their exercises say; with `write` they get them.

    >>> fill(ROOT, [], write=False)
    []
    """
    stale = []
    for name in names:
        path = root / "solutions" / name / f"{name}.ipynb"
        text = solved(path)
        if text != path.read_text(encoding="utf-8"):
            stale.append(f"solutions/{name}")
            if write:
                write_text(path, text)
    return stale


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
            stale = fill(root, chapters, not check)
            if check and stale:
                raise ValueError(
                    "\n".join(f"{name} has not the solutions of its exercises: run make exercises" for name in stale)
                )
        with tempfile.TemporaryDirectory(prefix="minibert-") as scratch:
            if run_masters:
                for name in chapters:
                    run_in_place(root / "solutions" / name)
                return
            generate(root, chapters, Path(scratch).resolve())
            made, there = Path(scratch) / "exercises", root / "exercises"
            if check:
                folders = [(made / n, there / n) for n in chapters] if names else [(made, there)]
                if found := [line for pair in folders for line in differences(*pair)]:
                    raise ValueError("\n".join(found))
                return
            for name in chapters:
                run_in_place(made / name)
                shutil.rmtree(there / name, ignore_errors=True)
                shutil.copytree(made / name, there / name)
                click.echo(f"wrote exercises/{name}", err=True)
    except ValueError as error:
        click.echo(f"Error: {error}", err=True)
        sys.exit(1)


if __name__ == "__main__":
    main()
