"""Write `exercises/` from `solutions/`: `python -m minibert.course.build` (or `make exercises`).

    minibert/course/exercises/ex_5_1.py         edited by hand: the solution, its cases and mistakes
    solutions/05_attention/05_attention.ipynb   edited by hand but for the solutions, which are written here: names,
                                                signatures, docstrings and a first `super().__init__()` are given to the
                                                learner, all else stands between nbgrader's two marks
    exercises/05_attention/05_attention.ipynb   written here by nbgrader's generate_assignment, then run, never edited

The same masters give the same bytes. `--check` writes nothing and fails when what is there differs in anything but
outputs. `--masters` runs the masters and stores their outputs. Needs nbgrader (`pip install "minibert[teach]"`).
"""

import ast
import json
import os
import re
import shutil
import tempfile
from pathlib import Path

import click
import nbformat
from nbformat import NotebookNode

from minibert.course.exercises import find
from minibert.files import write_text
from minibert.places import IS_CLONE, PROJECT

CONFIG = "nbgrader_config.json"  # in solutions/, so that nbgrader's own commands can be given the same one
BEGIN, END = "### BEGIN SOLUTION", "### END SOLUTION"
LEFTOVERS = (".ipynb_checkpoints", "__pycache__")


def _masters(root: Path, names: tuple[str, ...]) -> list[str]:
    """The chapters that have a master in `root`/solutions, or those of `names`."""
    there = sorted(path.parent.name for path in (root / "solutions").glob("*/*.ipynb") if path.stem == path.parent.name)
    for name in names:
        if name not in there:
            raise ValueError(f"no master solutions/{name}/{name}.ipynb; there are: {', '.join(there) or 'none'}")
    return [name for name in there if not names or name in names]


def marked(source: str) -> str:
    """The source of functions and classes with nbgrader's marks around each body.

    >>> print(marked('def double(x):\\n    "Twice."\\n    return 2 * x'))
    def double(x):
        "Twice."
        ### BEGIN SOLUTION
        return 2 * x
        ### END SOLUTION
    """
    lines, nodes = source.rstrip("\n").split("\n"), ast.parse(source).body
    nodes += [node for kind in nodes if isinstance(kind, ast.ClassDef) for node in kind.body]
    functions = [node for node in nodes if isinstance(node, ast.FunctionDef)]
    for function in sorted(functions, key=lambda node: -node.lineno):
        header = [*ast.walk(function.args), *([function.returns] if function.returns else [])]
        given = max(function.lineno, *(getattr(part, "end_lineno", 0) for part in header))
        body = list(function.body)
        if ast.get_docstring(function, clean=False) is not None:
            given = body.pop(0).end_lineno
        if body and ast.unparse(body[0]) == "super().__init__()":
            given = body.pop(0).end_lineno
        if body:
            indent = " " * body[0].col_offset
            lines.insert(function.end_lineno, indent + END)
            lines.insert(given, indent + BEGIN)
    return "\n".join(lines)


def _fill(path: Path, check: bool) -> None:
    """Give a master the solutions of its exercises; with `check` refuse one that lacks them."""
    text = path.read_text(encoding="utf-8")
    notebook = json.loads(text)
    for cell in notebook["cells"]:
        grader = cell["metadata"].get("nbgrader", {})
        place = re.search(r"(\d+)-(\d+)$", grader.get("grade_id", ""))
        if grader.get("solution") and place:
            parts = find(".".join(place.groups())).parts
            cell["source"] = "\n\n\n".join(marked(part.source) for part in parts).splitlines(keepends=True)
    filled = json.dumps(notebook, indent=1, ensure_ascii=False) + "\n"
    if filled != text and check:
        raise ValueError(f"the master {path.stem} has not the solutions of its exercises: run make exercises")
    if filled != text:
        write_text(path, filled)


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
        os.environ["MINIBERT_PROGRESS"] = ""  # the kernel inherits it: these are nobody's tries
        client = NotebookClient(notebook, timeout=300, resources=resources, record_timing=False, coalesce_streams=True)
        try:
            client.execute()
        except (CellExecutionError, CellTimeoutError) as error:
            what = f"{error.ename}: {error.evalue}" if hasattr(error, "ename") else str(error).splitlines()[0]
            number = client.code_cells_executed
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


def _differences(made: Path, there: Path) -> list[str]:
    """Which files two folders do not have in common, or not with the same content."""
    files = [
        {p.relative_to(folder) for p in folder.rglob("*") if p.is_file() and not set(LEFTOVERS) & set(p.parts)}
        for folder in (made, there)
    ]
    found = [f"{name.as_posix()} is missing: run make exercises" for name in sorted(files[0] - files[1])]
    found += [f"{name.as_posix()} has no master in solutions/" for name in sorted(files[1] - files[0])]
    changed = [name for name in sorted(files[0] & files[1]) if _content(made / name) != _content(there / name)]
    return found + [f"{name.as_posix()} is not what its master gives: run make exercises" for name in changed]


@click.command()
@click.argument("names", nargs=-1)
@click.option("--check", is_flag=True, help="Write nothing; exit 1 when exercises/ is not what solutions/ gives.")
@click.option("--masters", "run_masters", is_flag=True, help="Run the masters instead and store their outputs.")
@click.option("--root", type=click.Path(path_type=Path, file_okay=False), default=PROJECT, help="The project's folder.")
def main(names, check, run_masters, root):
    """Write exercises/ from solutions/, for all chapters or those named, such as 05_attention."""
    if root == PROJECT and not IS_CLONE:
        raise click.ClickException(
            "this is no clone of the project, so there is nothing to build; --root names a clone"
        )
    try:
        chapters = _masters(root, names)
        for name in chapters if root.resolve() == PROJECT else ():  # the masters of another folder are its own
            _fill(root / "solutions" / name / f"{name}.ipynb", check)
        if run_masters:
            for name in chapters:
                _run_in_place(root / "solutions" / name)
            return
        with tempfile.TemporaryDirectory(prefix="minibert-") as scratch:
            _generate(root, chapters, Path(scratch).resolve())
            made, there = Path(scratch) / "exercises", root / "exercises"
            if check:
                folders = [(made / n, there / n) for n in chapters] if names else [(made, there)]
                if found := [line for pair in folders for line in _differences(*pair)]:
                    raise ValueError("\n".join(found))
                return
            for name in chapters:
                _run_in_place(made / name)
                shutil.rmtree(there / name, ignore_errors=True)
                shutil.copytree(made / name, there / name)
                click.echo(f"wrote exercises/{name}", err=True)
    except ValueError as error:
        raise click.ClickException(str(error)) from None


if __name__ == "__main__":
    main()
