"""`python -m minibert experiment`: measure again what a notebook reads from a stored result."""

from pathlib import Path

import click

from minibert.commands.shared import note, print_text


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
        width = max(map(len, NAMES)) + 2
        for each in NAMES:
            print_text(f"{each:<{width}}{find(each).question}")
        return
    chosen = find(name)
    note(f"{chosen.question} {len(chosen.arms)} arms, {len(chosen.seeds)} seeds")

    def tell(row):
        note(f"{row['arm']}, seed {row['seed']}: {row['seconds']} s")

    now = Result(run(chosen, out, on_result=tell))
    measures = list(dict.fromkeys(measure for row in now.report["results"] for measure in row["measures"]))
    print_text(now.table(*measures))
    try:
        before = stored(name)
    except ValueError as error:
        note(f"\n{error}")
        return
    print_text(f"\nstored, on {before.hardware}:\n{before.table(*measures)}")
