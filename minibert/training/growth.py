"""Starting a large model from a trained small one: which layer comes from which, and how a matrix becomes larger.

ModernBERT-large began as ModernBERT-base: its 28 layers are copies of the 22, and each larger matrix is filled with
copies of the small one, laid as tiles around the small one in the middle. The large model starts far below the loss of
random weights, though not at the loss of the small one.
"""

import dataclasses
import warnings

import torch
from torch import Tensor

from minibert.config import EncoderConfig
from minibert.tokenization.extend import spelling

SIZES = ("hidden", "layers", "heads", "kv_heads", "intermediate")  # what may grow; all else stays


def layer_map(old: int, new: int) -> list[int]:
    """For each of `new` layers the one of the `old` layers that it starts from: round(i · old / new).

    Halves are rounded to the even number, as Python's `round` does, and the last layer is never exceeded (4 to 8 would
    ask for layer 4 of 0 ... 3).

    Raises:
        ValueError: a number below 1, or fewer layers than before.

    Source: Warner et al. 2024, released code.

    >>> layer_map(4, 6)
    [0, 1, 1, 2, 3, 3]
    """
    if old < 1 or new < old:
        raise ValueError(f"{old} layers cannot grow to {new}: expected at least 1, and as many or more afterwards")
    return [min(old - 1, round(layer * old / new)) for layer in range(new)]


def tile_from_middle(weight: Tensor, shape: tuple[int, ...]) -> Tensor:
    """A tensor of `shape` with `weight` in its middle, and copies of it all around, as tiles on a wall.

    Along an axis that grows from m to n, entry i is entry (i - (n - m) // 2) mod m of `weight`.

    Shape: any number of axes; `shape` has as many, none of them smaller.

    Raises:
        ValueError: another number of axes, or one that shrinks.

    Source: Warner et al. 2024, section 2.2.2 (weight tiling from the middle).

    >>> tile_from_middle(torch.tensor([[1, 2], [3, 4]]), (4, 4)).tolist()
    [[4, 3, 4, 3], [2, 1, 2, 1], [4, 3, 4, 3], [2, 1, 2, 1]]
    """
    if len(shape) != weight.dim() or any(new < old for old, new in zip(weight.shape, shape, strict=False)):
        raise ValueError(f"a tensor of shape {tuple(weight.shape)} cannot grow to {tuple(shape)}: no axis may shrink")
    for axis, (old, new) in enumerate(zip(weight.shape, shape, strict=True)):
        index = (torch.arange(new, device=weight.device) - (new - old) // 2) % old  # (new,)
        weight = weight.index_select(axis, index)
    return weight


def grow(model, config: EncoderConfig):
    """A larger model of the same class, made from the weights of `model`; `model` stays as it is.

    `config` may differ from the model's in width, layers, heads, groups and feed-forward width; none may shrink. The
    size of a head stays, so that each new head is a copy of a whole old one. That needs tiles which begin between two
    heads: an odd number of additional heads begins in the middle of one, and is warned of. Fused matrices (query, key
    and value; gate and up) are split, tiled one by one, and put together again. Axes that do not grow, such as the
    vocabulary, are copied.

    Raises:
        ValueError: the configs differ in something that is no size, a size shrinks, or heads change their size.

    Source: Warner et al. 2024, section 2.2.2 and released code.

    >>> from minibert import MaskedLanguageModel
    >>> config = EncoderConfig.preset("modernbert-nano")
    >>> larger = grow(MaskedLanguageModel(config), config.replace(layers=6, hidden=192, heads=6, intermediate=384))
    >>> larger.config.layers, tuple(larger.encoder.blocks[5].attention.output.weight.shape)
    (6, (192, 192))
    """
    _check_growth(model.config, config)
    extra = [("heads", config.heads - model.config.heads), ("groups", config.groups - model.config.groups)]
    if cut := [f"{count} {name}" for name, count in extra if count % 2]:
        warnings.warn(
            f"{' and '.join(cut)} are added: the tiles then begin in the middle of a head, which no longer stays "
            "whole; add an even number",
            stacklevel=2,
        )
    larger = _empty_like(model, config)
    from_layer = layer_map(model.config.layers, config.layers)
    old = model.state_dict()
    new = larger.state_dict()
    for name, weight in new.items():
        source = old.get(_source_name(name, from_layer))
        if source is None:  # the first layer has no norm of its own before attention, and a copy of it gets one
            new[name] = torch.ones_like(weight) if name.endswith("weight") else torch.zeros_like(weight)
            continue
        parts = zip(_split(name, source, model.config), _split(name, weight, config), strict=True)
        new[name] = torch.cat([tile_from_middle(small, large.shape) for small, large in parts])
    larger.load_state_dict(new)
    return larger.train(model.training)


def grow_vocabulary(model, old, new):
    """The model with a row for each piece of the tokenizer `new`, which has those of `old` and more behind them.

    The row of a new piece is the mean of the rows of the old pieces that spell it, so that at first it stands for what
    they said together; where none do (a letter never seen), the mean of all rows. `model` stays as it is.

    Source: Hewitt 2021 ("Initializing new word embeddings for pretrained language models"), for means.

    >>> from minibert import MaskedLanguageModel, WordPieceTokenizer
    >>> old = WordPieceTokenizer({"[UNK]": 0, "a": 1, "##b": 2})
    >>> new = WordPieceTokenizer({"[UNK]": 0, "a": 1, "##b": 2, "ab": 3})
    >>> config = EncoderConfig.preset("bert-nano").replace(vocab_size=3, pad_id=0, mask_id=0, cls_id=0, sep_id=0)
    >>> model = MaskedLanguageModel(config)
    >>> before, after = (m.encoder.embeddings.token.weight for m in (model, grow_vocabulary(model, old, new)))
    >>> after.shape[0], torch.equal(after[:3], before), torch.allclose(after[3], before[1:].mean(0))
    (4, True, True)
    """
    larger = _empty_like(model, model.config.replace(vocab_size=max(model.config.vocab_size, new.vocab_size)))
    spelt = {index: spelling(old, new.id_to_token(index)) for index in range(old.vocab_size, new.vocab_size)}
    weights = model.state_dict()
    for name in ("encoder.embeddings.token.weight", "decoder.weight", "decoder.bias"):
        if name not in weights:
            continue
        rows = weights[name][: old.vocab_size]
        more = torch.stack([rows[ids].mean(0) if ids else rows.mean(0) for ids in spelt.values()])
        weights[name] = torch.cat([rows, more, weights[name][new.vocab_size :]])
    larger.load_state_dict(weights)
    return larger.train(model.training)


def _check_growth(old: EncoderConfig, new: EncoderConfig) -> None:
    for field in dataclasses.fields(EncoderConfig):
        before, after = getattr(old, field.name), getattr(new, field.name)
        if field.name not in SIZES and before != after:
            raise ValueError(
                f"{field.name} is {before!r} in the model and {after!r} in the larger config: only "
                f"{', '.join(SIZES)} can grow"
            )
    for name in ("hidden", "layers", "heads", "groups", "intermediate"):
        if getattr(new, name) < getattr(old, name):
            raise ValueError(f"{name} would shrink from {getattr(old, name)} to {getattr(new, name)}")
    if old.head_size != new.head_size:
        raise ValueError(
            f"a head would grow from {old.head_size} to {new.head_size}: choose heads and hidden so that "
            f"hidden / heads stays {old.head_size}"
        )


def _empty_like(model, config: EncoderConfig):
    """A model of the same class and device, with the same labels where it has some; its weights are overwritten."""
    named = {"labels": model.labels} if hasattr(model, "labels") else {}
    first = next(model.parameters())
    return type(model)(config, generator=torch.Generator(), **named).to(first.device, first.dtype)


def _source_name(name: str, from_layer: list[int]) -> str:
    before, blocks, after = name.partition("blocks.")
    if not blocks:
        return name
    layer, _, rest = after.partition(".")
    return f"{before}{blocks}{from_layer[int(layer)]}.{rest}"


def _split(name: str, weight: Tensor, config: EncoderConfig) -> tuple[Tensor, ...]:
    """The matrices that are fused into one, along its rows."""
    if ".query_key_value." in name:
        return weight.split([count * config.head_size for count in (config.heads, config.groups, config.groups)])
    if ".gate_up." in name:
        return weight.chunk(2)
    return (weight,)
