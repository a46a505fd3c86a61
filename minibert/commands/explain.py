"""`python -m minibert explain`: a page in which the model runs."""

from pathlib import Path

import click

from minibert.commands.shared import find_folder, model_option, note


@click.command()
@click.argument("texts", nargs=-1)
@model_option
@click.option("--out", type=click.Path(path_type=Path), default="explain.html", show_default=True, help="The page.")
def explain(texts, model, out):
    """Write one page in which the model runs: type a text, see pieces, guesses, attention, and vectors.

    The page holds weights, tokenizer and forward pass. It needs no network and no server: open the file in a browser.
    TEXTS are the two texts that it begins with.

    Example: python -m minibert explain --model bert-nano --out bert.html
    """
    from minibert import MaskedLanguageModel, load_tokenizer
    from minibert.viz.explain import TEXTS, Explainer

    if len(texts) > 2:
        raise ValueError(f"{len(texts)} texts: the page compares two; put each in quotes")
    folder = find_folder(model)
    shown = [*texts, *TEXTS[len(texts) :]]
    page = Explainer(MaskedLanguageModel.from_pretrained(folder), load_tokenizer(folder), shown, name=folder.name)
    note(f"wrote {page.to_html(out)}: {len(page.page) / 1e6:.1f} MB, weights in {page.stored}")
