"""`python -m minibert embed`: texts as vectors."""

import click

from minibert.commands.shared import (
    TextCommand,
    bf16_option,
    find_folder,
    open_model,
    print_json,
    print_text,
    read_texts,
)

POOLING = ["cls", "max", "mean", "mean_sqrt_len_tokens", "weightedmean", "lasttoken"]


@click.command(cls=TextCommand)
@click.argument("texts", nargs=-1)
@click.option("--model", "-m", default="minilm", show_default=True, help="A folder, minilm, or a nano model's name.")
@click.option("--pool", type=click.Choice(POOLING), help="How tokens become one vector.  [default: as the folder says]")
@click.option("--prompt-name", help="Which of the folder's prompts stands before each text (query, document, ...).")
@bf16_option
@click.option(
    "--similarity",
    is_flag=True,
    help="Print how alike every pair of texts is (by cosine, unless the folder says otherwise) instead of the vectors.",
)
def embed(texts, model, pool, prompt_name, bf16, similarity):
    """Turn TEXTS (or the lines of standard input) into vectors, one JSON array a line.

    A folder with the files of sentence-transformers is used as these say: pooling, prompts, length, normalisation.

    Example: python -m minibert embed --similarity "A cat sleeps." "A kitten naps." "Stocks fell."
    """
    from minibert import load_tokenizer
    from minibert.checkpoints import model_folder
    from minibert.tasks import compare, embed_texts

    folder = find_folder(model)
    lines = read_texts(texts)
    network, tok = open_model("Encoder", folder, bf16), load_tokenizer(model_folder(folder))
    vectors = embed_texts(lines, network, tok, pool, prompt_name=prompt_name)
    if similarity:
        for row, text in zip(compare(vectors, vectors, network.recipe.similarity), lines, strict=True):
            print_text("  ".join(f"{value:6.3f}" for value in row.tolist()) + f"  {text}")
    else:
        for vector in vectors.tolist():
            print_json(vector)
