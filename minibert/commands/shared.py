"""What the commands have in common: finding a model, reading texts, printing in any encoding."""

import contextlib
import json
import os
import re
import sys
from pathlib import Path

import click

from minibert.files import decode, split_lines
from minibert.shipped_models import SHIPPED, shipped


def find_folder(name: str) -> Path:
    """The folder of a model: a path, the name of a model that comes with the project, or "minilm".

    "data/bert-nano" is such a name, too, wherever this runs.

    Raises:
        ValueError: no such folder.

    >>> find_folder("no-such-model")
    Traceback (most recent call last):
    ...
    ValueError: no model 'no-such-model': expected a folder, minilm, or one of bert-nano, modernbert-nano, eurobert-nano
    """
    if Path(name).is_dir():
        return Path(name)
    if name == "minilm":
        from minibert import corpora

        return corpora.path("minilm")
    if name.removeprefix("data/") in SHIPPED:
        return shipped(name.removeprefix("data/"))
    raise ValueError(f"no model {name!r}: expected a folder, minilm, or one of {', '.join(SHIPPED)}")


class TextCommand(click.Command):
    """A command whose arguments are texts, which may begin with a dash: "-5 degrees", "- a list item".

    What cannot be an option is a text: it holds white space, or no letter follows the dashes. Everything after -- is a
    text too, and the message for an unknown option says so.

    >>> command = TextCommand("show", params=[click.Argument(["texts"], nargs=-1), click.Option(["--pair"])])
    >>> command.make_context("show", ["-5 degrees", "--pair", "-6 degrees", "- a"]).params
    {'pair': '-6 degrees', 'texts': ('-5 degrees', '- a')}
    """

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        try:
            return super().parse_args(ctx, self._texts_last(ctx, args))
        except click.NoSuchOption as error:
            error.message = f"{error.format_message()} A text that begins with a dash goes after -- (two dashes)."
            error.possibilities = None  # they are in the message already
            raise

    def _texts_last(self, ctx: click.Context, args: list[str]) -> list[str]:
        """The options, then --, then the texts, in their order."""
        options = {name: option for option in self.get_params(ctx) for name in (*option.opts, *option.secondary_opts)}
        first, texts = [], []
        rest = iter(args)
        for arg in rest:
            known = options.get(arg)
            if arg == "--":
                texts += rest
            elif isinstance(known, click.Option) and not known.is_flag and not known.count:
                value = next(rest, None)
                if value is None:
                    raise click.BadOptionUsage(arg, f"Option {arg!r} requires an argument.", ctx)
                first += [arg, value]
            elif len(arg) > 1 and arg.startswith("-"):
                is_text = _is_text(arg, options)
                (texts if is_text else first).append(arg)
                if is_text:
                    note(f"{arg!r} is read as a text; to be sure, put -- before texts that begin with a dash")
            else:
                texts.append(arg)
        return [*first, "--", *map(as_text, texts)]


def as_text(argument: str) -> str:
    """An argument of the command line as the text that was typed, also where the locale says ASCII (LANG=C).

    Python keeps bytes that it cannot decode as halves of surrogate pairs; here they are read as UTF-8.

    >>> as_text("caf\\udcc3\\udca9")
    'café'
    """
    with contextlib.suppress(ValueError):
        argument = os.fsencode(argument).decode("utf-8")
    return argument.removeprefix("\ufeff")


def _is_text(argument: str, options) -> bool:
    """Whether an argument that begins with a dash is a text and not an option, known or misspelt."""
    name = argument.partition("=")[0]
    if name in options:  # --pair=two words
        return False
    return re.search(r"\s", argument) is not None or re.match("--?[A-Za-z]", argument) is None


def read_texts(texts: tuple[str, ...]) -> list[str]:
    """The texts of the command line, or one text per line of standard input when there are none.

    Standard input is UTF-8, what its byte order mark says, or the code page of the console. Blank lines are no texts.

    >>> read_texts(("one text", "another"))
    ['one text', 'another']
    """
    if texts:
        return list(texts)
    if sys.stdin is None or sys.stdin.isatty():
        raise click.UsageError("no text: give it as an argument, or one text a line on standard input")
    lines = [line for line in split_lines(_standard_input()) if line.strip()]
    if not lines:
        raise click.UsageError("standard input holds no text")
    return lines


def _standard_input() -> str:
    binary = getattr(sys.stdin, "buffer", None)
    if binary is None:  # a stand-in that holds text
        return sys.stdin.read()
    data = binary.read()
    encoding = sys.stdin.encoding or "utf-8"
    if not data.isascii():  # valid UTF-8 is UTF-8 then, whatever the code page: files come through pipes as they are
        with contextlib.suppress(ValueError):
            return decode(data, "standard input")
    return decode(data, "standard input", encoding)


def print_text(text: str) -> None:
    """Print a result on standard output.

    Characters that its encoding lacks are written as escapes, which `minibert.__main__.run` asks of the stream. (By
    itself, click writes UTF-8 to a stream that says ASCII.)

    >>> print_text("done")
    done
    """
    click.echo(text, file=sys.stdout)


def print_json(value) -> None:
    """Print a value as JSON on one line; where the output is not UTF-8, every character beyond ASCII is escaped.

    >>> print_json({"step": 1})
    {"step": 1}
    """
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    print_text(json.dumps(value, ensure_ascii=not encoding.lower().startswith("utf")))


def note(text: str) -> None:
    """Print progress or a remark on standard error, so that results can be piped.

    >>> note("half way")
    """
    click.echo(text, file=sys.stderr)


model_option = click.option(
    "--model",
    "-m",
    default="modernbert-nano",
    show_default=True,
    help=f"A folder, minilm, or one of {', '.join(SHIPPED)}.",
)
bf16_option = click.option(
    "--bf16", is_flag=True, help="Multiply in bfloat16: 3 digits, and faster where the processor has it."
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON, one object a line.")


def open_model(kind: str, folder: Path, bf16: bool = False):
    """The model of a folder, of the class that is called `kind`; with `bf16` as `bf16_inside` makes it.

    >>> from minibert import shipped
    >>> open_model("Encoder", shipped("bert-nano"), bf16=True).blocks[0].attention.output
    Bf16Linear()
    """
    import minibert

    model = getattr(minibert, kind).from_pretrained(folder)
    return minibert.bf16_inside(model) if bf16 else model
