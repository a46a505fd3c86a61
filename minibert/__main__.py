"""The command line: `minibert COMMAND` or `python -m minibert COMMAND`.

Exit codes: 0 done, 1 refused or failed, 2 wrong usage.
"""

import importlib
import logging
import sys
from pathlib import Path

import click

COMMANDS = (
    "tokenize",
    "pretrain",
    "finetune",
    "predict",
    "fill",
    "embed",
    "search",
    "attend",
    "explain",
    "data",
    "info",
    "compare",
    "bench",
    "experiment",
    "speedrun",
    "status",
    "reset",
    "grade",
    "lab",
)


class LazyGroup(click.Group):
    """A group that imports a command when it is called, so that --help does not wait for torch."""

    def list_commands(self, context):
        return list(COMMANDS)

    def get_command(self, context, name):
        if name not in COMMANDS:
            return None
        return getattr(importlib.import_module(f"minibert.commands.{name}"), name)


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="minibert")
def main():
    """BERT, ModernBERT and EuroBERT from scratch."""


def run() -> None:
    """Run the command line; what the package refuses becomes one line on stderr and exit code 1.

    Remarks, such as which attention back-end was chosen, go to stderr too, so that results can be piped. A character
    that the output's encoding lacks (Windows' code pages, LANG=C) is written as an escape; it ends no command.
    """
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    called = Path(sys.argv[0]).stem  # the script that an installation makes, or __main__
    logging.basicConfig(format="%(message)s")
    logging.getLogger("minibert").setLevel(logging.INFO)
    try:
        # Texts hold * and ~ and $, as they are.
        main(prog_name="minibert" if called == "minibert" else "python -m minibert", windows_expand_args=False)
    except (ValueError, OSError, RuntimeError) as error:
        click.echo(f"Error: {error}", file=sys.stderr)
        sys.exit(1)


if __name__ == "__main__":
    run()
