"""`python -m minibert experiment`: measure again what a notebook reads from a stored result."""

from pathlib import Path

import click


@click.command()
@click.argument("name", required=False)
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="Write JSON here, after every number.")
def experiment(name, out):
    """Run the experiment NAME, every arm with every seed, and print it beside the stored result; no NAME: list them.

    It takes minutes. A run with --out that was killed goes on where it stopped.

    Example: python -m minibert experiment masking --out masking.json
    """
    from minibert.experiments import NAMES, Result, find, run, stored

    if name is None:
        for each in NAMES:
            click.echo(f"{each:<16}{find(each).question}")
        return
    chosen = find(name)
    click.echo(f"{chosen.question} {len(chosen.arms)} arms, {len(chosen.seeds)} seeds", err=True)

    def tell(row):
        click.echo(f"{row['arm']}, seed {row['seed']}: {row['seconds']} s", err=True)

    now = Result(run(chosen, out, on_result=tell))
    measures = list(dict.fromkeys(measure for row in now.report["results"] for measure in row["measures"]))
    click.echo(now.table(*measures))
    try:
        before = stored(name)
    except ValueError as error:
        click.echo(f"\n{error}", err=True)
        return
    click.echo(f"\nstored, on {before.hardware}:\n{before.table(*measures)}")
