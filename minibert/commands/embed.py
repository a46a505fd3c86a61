"""`python -m minibert embed`: texts as vectors."""

import json

import click

from minibert.commands.shared import bf16_option, dtype_of, find_folder, read_texts


@click.command()
@click.argument("texts", nargs=-1)
@click.option("--model", "-m", default="minilm", show_default=True, help="A folder, minilm, or a nano model's name.")
@click.option("--pool", type=click.Choice(["mean", "cls"]), default="mean", show_default=True)
@bf16_option
@click.option("--similarity", is_flag=True, help="Print the cosine of every pair of texts instead of the vectors.")
def embed(texts, model, pool, bf16, similarity):
    """Turn TEXTS (or the lines of standard input) into vectors, one JSON array a line.

    Example: python -m minibert embed --similarity "A cat sleeps." "A kitten naps." "Stocks fell."
    """
    from minibert import Encoder, load_tokenizer
    from minibert.tasks import embed_texts

    folder = find_folder(model)
    lines = read_texts(texts)
    vectors = embed_texts(lines, Encoder.from_pretrained(folder, dtype=dtype_of(bf16)), load_tokenizer(folder), pool)
    if similarity:
        for row, text in zip(vectors @ vectors.T, lines, strict=True):
            click.echo("  ".join(f"{value:6.3f}" for value in row.tolist()) + f"  {text}")
    else:
        for vector in vectors.tolist():
            click.echo(json.dumps(vector))
