"""`minibert lab`: the course in JupyterLab, in a folder of the learner's, also as root and in folders of any name."""

import importlib.util
import os
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import click

from minibert.commands.shared import note
from minibert.places import IS_CLONE, PROJECT

FIRST = "notebooks/00_start_here.ipynb"
FOLDER = "minibert-course"  # where the course goes when nobody says


@click.command(context_settings={"ignore_unknown_options": True})
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED, metavar="[FOLDER] [OPTIONS OF JUPYTERLAB]")
@click.option("--no-browser", is_flag=True, help="Open no browser: follow the link that JupyterLab prints.")
@click.option("--copy-only", is_flag=True, help="Copy the course to FOLDER; fetch nothing and start nothing.")
def lab(arguments, no_browser, copy_only):
    """Open the course in JupyterLab. FOLDER comes first, then JupyterLab's own options, for example --port=8890.

    Notebooks and exercises are copied to FOLDER (minibert-course where none is named), and the data is fetched into the
    cache. Run it again whenever you like: what you changed stays as it is, what you deleted comes back, and a file that
    you did not change is replaced when the installed course has a newer edition. In a clone of the project without
    FOLDER, the course is opened in place, and nothing is copied.

    JupyterLab listens on the loopback address, so that only this computer reaches it, unless --ip says otherwise. As
    root, in containers and cloud notebooks, it starts with --allow-root, which JupyterLab asks for there.

    Example: minibert lab my-course --no-browser
    """
    named, options = split_arguments(arguments)
    folder, is_copy = find_course(named)
    if is_copy:
        _copy(folder)
    if copy_only:
        return None if is_copy else note(f"{folder} is opened in place: nothing to copy")
    if importlib.util.find_spec("jupyterlab") is None:
        raise click.ClickException("JupyterLab is not installed here: python -m pip install jupyterlab")
    if is_copy:
        _fetch()
    return _start(folder, (*options, *(["--no-browser"] if no_browser else ())))


def split_arguments(arguments: tuple[str, ...]) -> tuple[Path | None, tuple[str, ...]]:
    """FOLDER, if there is one, and JupyterLab's options.

    Raises:
        UsageError: a folder after the options.

    >>> split_arguments(("--port", "8890")), split_arguments(("mine", "--port=8890"))[1]
    ((None, ('--port', '8890')), ('--port=8890',))
    """
    named = arguments[:1] if arguments and not arguments[0].startswith("-") else ()
    options = arguments[len(named) :]
    for before, this in pairwise(("=", *options)):
        is_value = before.startswith("-") and "=" not in before
        if not (this.startswith("-") or is_value):
            raise click.UsageError(f"{this!r}: FOLDER comes first, then JupyterLab's options")
    return Path(named[0]) if named else None, options


def find_course(named: Path | None = None) -> tuple[Path, bool]:
    """The folder to open, and whether the course is copied to it first.

    Without a name: the copy or clone that the current folder is or lies in, else the course in the current folder, else
    the clone that this runs in, else a new copy in the current folder.

    >>> find_course(Path("my-course"))[1], find_course(PROJECT)[1]
    (True, False)
    """
    from minibert.course.copies import RECORD

    if named is not None:
        named = named.expanduser().absolute()
        return named, not _is_clone(named)
    here = Path.cwd()
    for folder in (here, *here.parents):
        if _is_clone(folder) or (folder / RECORD).is_file():
            return folder, not _is_clone(folder)
    for folder in (here, *([PROJECT] if IS_CLONE else ())):
        if (folder / FIRST).is_file():
            return folder, False
    return here / FOLDER, True


def _is_clone(folder: Path) -> bool:
    return (folder / FIRST).is_file() and (folder / "minibert" / "__init__.py").is_file()


def _copy(folder: Path) -> None:
    from minibert.course.copies import copy_course, summary

    for line in summary(copy_course(folder), folder):
        note(line)


def _fetch() -> None:
    """The course's data; what is in the cache is skipped. Without it, the notebooks go on with generated text."""
    from minibert import corpora

    note("the course's data, about 200 MB (skipped where it is in the cache)")
    try:
        corpora.fetch("core")
    except corpora.DataUnavailable as error:
        note(f"{error}\nsome data is missing; the notebooks say so and use generated text instead")


def _start(folder: Path, options: tuple[str, ...]) -> None:
    is_root = hasattr(os, "geteuid") and os.geteuid() == 0
    arguments = lab_arguments(folder, options, is_root)
    if is_root:
        note("running as root: JupyterLab starts with --allow-root")
    if "--ServerApp.ip=127.0.0.1" in arguments:
        note("bound to the loopback address 127.0.0.1: only this computer reaches it")
    # `python` in JupyterLab's terminals is the one that runs here, whether or not its environment is activated.
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
    command, environment = [sys.executable, "-m", "jupyterlab", *arguments], os.environ | {"PATH": path}
    if os.name == "nt":
        sys.exit(subprocess.call(command, env=environment))
    os.execve(sys.executable, command, environment)  # so that it gets Ctrl-C and the container's signals itself


def lab_arguments(folder: Path, options: tuple[str, ...], is_root: bool) -> list[str]:
    """JupyterLab's arguments: ours, unless `options` say otherwise, and the `options`.

    >>> lab_arguments(Path("."), ("--no-browser",), is_root=True)[2:]
    ['--ServerApp.ip=127.0.0.1', '--allow-root', '--no-browser']
    >>> lab_arguments(Path("."), ("--ip=0.0.0.0",), is_root=False)[2:]
    ['--ip=0.0.0.0']
    """
    ours = {
        "root_dir": f"--ServerApp.root_dir={folder}",
        "default_url": f"--LabApp.default_url=/lab/tree/{FIRST}",
        "ip": "--ServerApp.ip=127.0.0.1",
    }
    if is_root:
        ours["allow-root"] = "--allow-root"
    names = [option.partition("=")[0].lstrip("-") for option in options]  # --ip and --ServerApp.ip are one
    given = {name.rpartition(".")[2].replace("allow_root", "allow-root") for name in names}
    return [argument for name, argument in ours.items() if name not in given] + list(options)
