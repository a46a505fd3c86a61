"""`python -m minibert reset 5.1`: the empty answer of an exercise back, the old one kept in a file."""

from pathlib import Path

import click

from minibert.commands.shared import note


@click.command()
@click.argument("number")
@click.option("--notebook", type=click.Path(path_type=Path), help="The notebook, if it lies elsewhere.")
def reset(number, notebook):
    """Begin exercise NUMBER anew: its cell becomes the empty answer, the old answer is kept in a file beside it.

    Save the notebook before, and reload it afterwards (in JupyterLab: File, Reload from Disk).
    """
    from minibert.course.progress import reset as put_back

    note(f"the old answer is in {put_back(number, notebook)}")
