"""What the commands have in common: finding a model, reading texts."""

import sys
from pathlib import Path

import click

from minibert.shipped_models import SHIPPED, shipped


def find_folder(name: str) -> Path:
    """The folder of a model: a path, the name of a model that comes with the project, or "minilm".

    Raises:
        ValueError: no such folder.

    >>> find_folder("no-such-model")
    Traceback (most recent call last):
    ...
    ValueError: no model 'no-such-model': expected a folder, minilm, or one of bert-nano, modernbert-nano
    """
    if Path(name).is_dir():
        return Path(name)
    if name == "minilm":
        from minibert import corpora

        return corpora.path("minilm")
    if name in SHIPPED:
        return shipped(name)
    raise ValueError(f"no model {name!r}: expected a folder, minilm, or one of {', '.join(SHIPPED)}")


def read_texts(texts: tuple[str, ...]) -> list[str]:
    """The texts of the command line, or one text per line of standard input when there are none.

    >>> read_texts(("one text", "another"))
    ['one text', 'another']
    """
    if texts:
        return list(texts)
    if sys.stdin is None or sys.stdin.isatty():
        raise click.UsageError("no text: give it as an argument, or one text a line on standard input")
    lines = [line.rstrip("\r\n") for line in sys.stdin]
    if not any(line.strip() for line in lines):
        raise click.UsageError("standard input holds no text")
    return [line for line in lines if line.strip()]


model_option = click.option(
    "--model",
    "-m",
    default="modernbert-nano",
    show_default=True,
    help="A folder, minilm, bert-nano or modernbert-nano.",
)
bf16_option = click.option(
    "--bf16", is_flag=True, help="Compute in bfloat16: 3 digits, and faster where the processor has it."
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON, one object a line.")


def dtype_of(bf16: bool):
    """The number type a command computes in.

    >>> dtype_of(False)
    torch.float32
    """
    import torch

    return torch.bfloat16 if bf16 else torch.float32
