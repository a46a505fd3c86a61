"""`python -m minibert speedrun`: least CPU time to fixed bits per byte, measured, verified and kept in a table."""

import contextlib
import tempfile
from pathlib import Path

import click

from minibert.commands.shared import note, print_text
from minibert.places import IS_CLONE


@click.command()
@click.argument("entries", nargs=-1)
@click.option("--seed", "seeds", type=int, multiple=True, help="Another seed than those of the rules; may be repeated.")
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), help="Keep the trained folders here.")
@click.option("--record", "recording", is_flag=True, help="Write the result and the table to data/speedrun.")
def speedrun(entries, seeds, out, recording):
    """Race ENTRIES, by name in data/speedrun or by file; without any: the table.

    An entry is a Python file with a function train(text, seed). Each seed trains in a fresh process on one thread; its
    CPU time counts, and the folder it saved must reach the bar on held-out speeches. The rules, and what is cheating:
    data/speedrun/README.md. A race takes minutes. Exit code 1: the bar was not reached.

    Example: python -m minibert speedrun my_entry.py --seed 0
    """
    from minibert.speedrun import race, rules, table

    if not entries:
        print_text(table.table(table.stored(table.ENTRIES)))
        note(f"\nThe rules: {table.ENTRIES / table.PAGE}")
        return
    if recording and not IS_CLONE:
        raise click.ClickException("--record writes to the project's data/speedrun: run it in a clone of the project")
    if recording and seeds:
        raise click.UsageError("--record needs the seeds of the rules: leave out --seed")
    # All of them, before the first one runs.
    files = [table.find_entry(name, rules.RULES, table.ENTRIES) for name in entries]
    if recording and any(file.parent != table.ENTRIES for file in files):
        raise click.UsageError(f"--record is for entries in {table.ENTRIES}: put the file there first")
    bar, missed = rules.RULES.bar, []

    def tell(run: dict) -> None:
        note(f"seed {run['seed']}: {line_of(run, bar)}")

    for file in files:
        note(f"{file.stem}:")
        sha256 = table.file_hash(file)
        with contextlib.nullcontext(out) if out else tempfile.TemporaryDirectory() as folder:
            runs = race.measure(file, rules.RULES, Path(folder) / file.stem, seeds=seeds or None, on_run=tell)
        result = race.summary(runs)
        print_text(f"{file.stem}: {line_of(result, bar)}, {result['times_calibration']} times the fixed work")
        if not result["passed"]:
            missed.append(file.stem)
        elif recording:
            table.record(file, sha256, runs, rules.RULES)
    if missed:
        raise click.ClickException(f"not under the bar of {bar} with every seed: {', '.join(missed)}")


def line_of(run: dict, bar: float) -> str:
    """A run, or the summary of several, in words.

    >>> line_of({"cpu_seconds": 9.0, "tokens": 5_000, "bits_per_byte": 1.5, "passed": True}, 1.6)
    'passed: 1.500 bits per byte (bar 1.600), 9.0 CPU seconds, 5,000 tokens'
    """
    word = "passed" if run["passed"] else "FAILED"
    return (
        f"{word}: {run['bits_per_byte']:.3f} bits per byte (bar {bar:.3f}), {run['cpu_seconds']:.1f} CPU seconds, "
        f"{run['tokens']:,} tokens"
    )
