"""`python -m minibert lab`: the course in JupyterLab, also as root and in folders of any name."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import click

from minibert.commands.shared import note

FIRST = "notebooks/00_start_here.ipynb"


@click.command(context_settings={"ignore_unknown_options": True})
@click.argument("options", nargs=-1, type=click.UNPROCESSED)
def lab(options):
    """Open the course in JupyterLab. OPTIONS are JupyterLab's own, for example --no-browser or --port=8890.

    It listens on the loopback address, so that only this computer reaches it, unless --ip says otherwise. As root, in
    containers and cloud notebooks, it starts with --allow-root, which JupyterLab asks for there.
    """
    if importlib.util.find_spec("jupyterlab") is None:
        raise click.ClickException("JupyterLab is not installed here: run `make lab`, or python -m pip install -e .")
    is_root = hasattr(os, "geteuid") and os.geteuid() == 0
    arguments = lab_arguments(find_course(), options, is_root)
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


def find_course() -> Path:
    """The folder that holds the notebooks: the current one, or the one that the package lies in.

    Raises:
        ValueError: neither has them.

    >>> (find_course() / FIRST).is_file()
    True
    """
    for folder in (Path.cwd(), Path(__file__).resolve().parents[2]):
        if (folder / FIRST).is_file():
            return folder
    raise ValueError(f"no {FIRST} here: run this in the project's folder")


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
