"""`python -m minibert bench`: ours and the opponent in turn, ratios on stdout, JSON with the hardware on request."""

import json
from pathlib import Path

import click


@click.command()
@click.argument("what", type=click.Choice(["tokenizers"]), default="tokenizers")
@click.option("--json", "file", type=click.Path(path_type=Path), help="Write the results, with the hardware, here.")
def bench(what, file):
    """Measure WHAT against a library we did not write, on this machine.

    tokenizers: train 8,000 merges on the speeches, then encode them, ours against the tokenizers library.
    """
    from minibert.bench import tokenizers

    results = tokenizers.run()
    text = json.dumps(results, indent=2)
    click.echo(text)
    if file:
        from minibert.checkpoints.io import write_text

        write_text(file, text + "\n")
