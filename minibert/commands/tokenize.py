"""`python -m minibert tokenize`: what a model reads."""

import click

from minibert.commands.shared import (
    TextCommand,
    as_text,
    find_folder,
    json_option,
    model_option,
    print_json,
    print_text,
    read_texts,
)


@click.command(cls=TextCommand)
@click.argument("texts", nargs=-1)
@model_option
@click.option("--tokenizer", type=click.Path(exists=True), help="A tokenizer.json instead of the model's.")
@click.option("--pair", help="A second text, joined to each of the first.")
@click.option("--rust", is_flag=True, help="Use the tokenizers library instead of ours (the ids are the same).")
@json_option
def tokenize(texts, model, tokenizer, pair, rust, as_json):
    """Cut TEXTS (or the lines of standard input) into tokens.

    Example: python -m minibert tokenize "Unaffable tokenizers"
    """
    from minibert.tokenization import load_tokenizer

    tok = load_tokenizer(tokenizer or find_folder(model), rust=rust)
    pair = pair and as_text(pair)
    for text in read_texts(texts):
        encoded = tok.encode(text, pair=pair)
        if as_json:
            fields = {name: getattr(encoded, name) for name in ("ids", "tokens", "offsets", "segment_ids")}
            print_json(fields)
        else:
            for token_id, token, (start, end) in zip(encoded.ids, encoded.tokens, encoded.offsets, strict=True):
                print_text(f"{token_id:7d}  {start:5d}-{end:<5d}  {token}")
