"""`python -m minibert data`: what text and weights there are, fetch them, look at them."""

import click

from minibert.commands.shared import print_text


@click.group()
def data():
    """List, fetch and show the course's data."""


@data.command("list")
def list_entries():
    """List every data set: size, licence, and whether it is in the cache."""
    from minibert import corpora

    print_text(corpora.catalogue_table())


@data.command()
@click.argument("names", nargs=-1)
def fetch(names):
    """Fetch NAMES, or what the course needs (about 200 MB) when none are given; what is cached is skipped."""
    from minibert import corpora

    try:
        corpora.fetch(list(names) or "core")
    except corpora.DataUnavailable as error:
        raise click.ClickException(str(error)) from error


@data.command()
@click.argument("name")
def show(name):
    """Show what NAME holds: source, licence, counts and the first rows."""
    from minibert import corpora

    try:
        print_text(corpora.describe(name))
    except corpora.DataUnavailable as error:
        raise click.ClickException(str(error)) from error
