"""`python -m minibert search`: find the texts that are most like a query."""

from pathlib import Path

import click

from minibert.commands.embed import POOLING
from minibert.commands.shared import TextCommand, find_folder, json_option, note, print_json, print_text, read_texts

SAME = 0.999  # the cosine of one text's vectors by one model, whatever the batch


@click.command(cls=TextCommand)
@click.argument("index", type=click.Path(path_type=Path))
@click.argument("queries", nargs=-1)
@click.option("--build", type=click.Path(path_type=Path, exists=True, dir_okay=False), help="Make INDEX of this FILE.")
@click.option("--field", default="text", show_default=True, help="With --build: where a JSON line has its text.")
@click.option("--model", "-m", help="With --build: a folder, minilm, or a nano model's name.  [default: minilm]")
@click.option("--pool", type=click.Choice(POOLING), help="With --build: how tokens become one vector.")
@click.option("--prompt-name", help="Which of the folder's prompts stands before each text or query.")
@click.option("--top", "-k", default=5, show_default=True, type=click.IntRange(min=1), help="How many texts to print.")
@json_option
def search(index, queries, build, field, model, pool, prompt_name, top, as_json):
    """Find the texts in INDEX, a folder, that are most like each of the QUERIES (or the lines of standard input).

    With --build FILE the folder is made first. FILE has one text a line; where its name ends in .jsonl, one JSON object
    a line, whose other fields come back with the answers. Like means: the cosine of the two vectors is high.

    Example: python -m minibert search my-index --build texts.txt

    Then: python -m minibert search my-index "a treaty about canals"
    """
    if build is not None:
        _build(index, build, field, model or "minilm", pool, prompt_name)
        if not queries:
            return
        prompt_name = None  # it was for the texts
    elif model or pool:
        raise click.UsageError("--model and --pool belong to --build; a search takes those that made the index")
    _search(index, read_texts(queries), prompt_name, top, as_json)


def _build(folder: Path, file: Path, field: str, model: str, pool: str | None, prompt_name: str | None) -> None:
    from minibert.tasks.search_folder import check_target, read_rows, save_index

    check_target(folder)  # before the model is loaded
    rows = read_rows(file, field)
    where = str(Path(model).resolve()) if Path(model).is_dir() else model
    made_with = {"model": where, "pool": pool, "prompt_name": prompt_name}
    note(f"{len(rows):,} texts of {file} become vectors of {model}")
    save_index(folder, rows, _embed([row["text"] for row in rows], made_with, prompt_name), made_with)
    note(f"the index is in {folder}")


def _embed(texts: list[str], made_with: dict, prompt_name: str | None):
    from minibert import Encoder, load_tokenizer
    from minibert.checkpoints import model_folder
    from minibert.tasks import embed_texts

    folder = find_folder(made_with["model"])
    network, tok = Encoder.from_pretrained(folder), load_tokenizer(model_folder(folder))
    return embed_texts(texts, network, tok, made_with["pool"], prompt_name=prompt_name)


def _search(folder: Path, queries: list[str], prompt_name: str | None, top: int, as_json: bool) -> None:
    import torch

    from minibert.tasks.search_folder import open_index

    saved = open_index(folder)
    first = _embed([saved.rows[0]["text"]], saved.made_with, saved.made_with["prompt_name"])
    stored = saved.vectors[:1]
    if first.shape != stored.shape or float(torch.cosine_similarity(first, stored)) < SAME:
        raise ValueError(
            f"{saved.made_with['model']} makes other vectors than those in {folder}: it was changed since; "
            "build the index again"
        )
    vectors = _embed(queries, saved.made_with, prompt_name)
    for query, found in zip(queries, saved.search(vectors, top), strict=True):
        if not as_json:
            print_text(query)
        for rank, (row, cosine) in enumerate(found, start=1):
            if as_json:
                print_json({"query": query, "rank": rank, "cosine": round(cosine, 6), **row})
            else:
                print_text(f"{rank:3}  {cosine:6.3f}  {' '.join(row['text'].split())}")
        if not as_json:
            print_text("")
