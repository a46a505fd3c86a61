"""`python -m minibert status`: which exercises passed, when, after how many tries, and which is next."""

import click


@click.command()
@click.argument("chapter", type=int, required=False)
def status(chapter):
    """Show your exercises: passed or not, when, after how many tries; of one CHAPTER, or of all.

    What you tried is noted on this computer alone (the variable MINIBERT_PROGRESS names another folder, or none).
    """
    from minibert.course.progress import status as show

    show(chapter)
