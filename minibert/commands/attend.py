"""`python -m minibert attend`: who looks at whom."""

from pathlib import Path

import click

from minibert.commands.shared import TextCommand, find_folder, model_option, note, print_text


@click.command(cls=TextCommand)
@click.argument("text")
@model_option
@click.option("--layer", default=0, show_default=True, help="Layer, counted from 0; negative counts from the end.")
@click.option("--head", default=0, show_default=True, help="Head, counted from 0; negative counts from the end.")
@click.option("--top", default=3, show_default=True, type=click.IntRange(min=1), help="How many keys to print a token.")
@click.option("--plot", type=click.Path(path_type=Path), help="Draw the whole map into this PNG, SVG or PDF.")
def attend(text, model, layer, head, top, plot):
    """Print, for each token of TEXT, the tokens it attends to most.

    Example: python -m minibert attend "The people of the United States" --layer 1 --head 2 --plot map.png
    """
    import torch

    from minibert import Encoder, load_tokenizer
    from minibert.viz.attention import MAX_TOKENS

    folder = find_folder(model)
    tok, network = load_tokenizer(folder), Encoder.from_pretrained(folder)
    encoded = tok.encode(text)
    if plot and len(encoded.tokens) > MAX_TOKENS:
        raise ValueError(f"{len(encoded.tokens)} tokens: a readable map has at most {MAX_TOKENS}; leave out --plot")
    with torch.inference_mode():
        maps = network(torch.tensor([encoded.ids]), output_attentions=True).attentions  # L times (1, H, T, T)
    layers, heads = len(maps), maps[0].shape[1]
    for name, value, count in (("layer", layer, layers), ("head", head, heads)):
        if not -count <= value < count:
            raise ValueError(f"--{name} {value}: this model has {count}, numbered 0 to {count - 1}")
    probabilities = maps[layer][0, head]  # (T, T)
    if plot:
        import matplotlib

        matplotlib.use("Agg")
        from minibert.viz import plot_attention

        plot_attention(encoded.tokens, probabilities, f"layer {layer}, head {head}").figure.savefig(plot, dpi=120)
    for token, row in zip(encoded.tokens, probabilities, strict=True):
        values, keys = row.topk(min(top, len(row)))
        seen = "  ".join(f"{encoded.tokens[k]} {v:.2f}" for v, k in zip(values.tolist(), keys.tolist(), strict=True))
        print_text(f"{token:>16}  ->  {seen}")
    if plot:
        note(f"wrote {plot}")
