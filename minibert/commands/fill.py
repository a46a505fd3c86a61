"""`python -m minibert fill`: guess the hidden word."""

import click

from minibert.commands.shared import (
    TextCommand,
    bf16_option,
    find_folder,
    json_option,
    model_option,
    open_model,
    print_json,
    print_text,
    read_texts,
)


@click.command(cls=TextCommand)
@click.argument("texts", nargs=-1)
@model_option
@click.option("--top", default=5, show_default=True, type=click.IntRange(min=1), help="How many words to print.")
@bf16_option
@json_option
def fill(texts, model, top, bf16, as_json):
    """Rank the words for each [MASK] in TEXTS (or the lines of standard input).

    Example: python -m minibert fill "The [MASK] of the United States"
    """
    from minibert import load_tokenizer
    from minibert.tasks import fill_blanks

    folder = find_folder(model)
    tok = load_tokenizer(folder)
    try:
        network = open_model("MaskedLanguageModel", folder, bf16)
    except ValueError as error:
        if "new_head" not in str(error):
            raise
        raise ValueError(f"{model} was saved without the head that names words: try --model modernbert-nano") from None
    answers = [(text, fill_blanks(text, network, tok, top)) for text in read_texts(texts)]
    for text, blanks in answers:
        if not as_json:
            print_text(text)
        for ranked in blanks:
            if as_json:
                print_json({"text": text, "words": ranked})
            else:
                for word, probability in ranked:
                    print_text(f"{probability:7.4f}  {word}")
                print_text("")
