"""Put translated weights into a model: all of them, or fresh numbers where a new head was asked for."""

from collections.abc import Mapping

import torch
from torch import Tensor

from minibert.checkpoints.hf_config import published_family
from minibert.checkpoints.names import NameTable
from minibert.checkpoints.names_bert import BERT
from minibert.checkpoints.names_eurobert import EUROBERT
from minibert.checkpoints.names_modernbert import MODERNBERT
from minibert.checkpoints.names_own import OWN
from minibert.checkpoints.translate import some_of, to_ours
from minibert.model.base import PackedModel
from minibert.model.initialization import initialize

FAMILIES = {"bert": BERT, "modernbert": MODERNBERT, "eurobert": EUROBERT, "minibert": OWN}


def load_state_dict_from(
    model: PackedModel,
    stored: Mapping[str, Tensor],
    *,
    table: NameTable | None = None,
    new_head: bool = False,
    foreign_head: bool = False,
    dtype: torch.dtype = torch.float32,
    generator: torch.Generator | None = None,
) -> PackedModel:
    """Fill `model` with weights that carry their family's published names, and return it.

    `stored` maps names to tensors, as `transformers_model.state_dict()` does; it is not changed and shares no memory
    with the model afterwards. A model on the meta device takes the tensors (in `dtype`) as its own; any other copies
    them into its parameters. `new_head=True` draws the weights of a head (and BERT's pooler) that `stored` lacks, with
    `generator`. The names of weights that no part of the model wanted, other heads, end up in `model.unused_weights`.

    Raises:
        ValueError: missing or unknown names, wrong shapes, integer weights, NaN or infinity; see `translate.to_ours`.

    >>> from minibert import EncoderConfig, Encoder
    >>> from minibert.checkpoints.translate import to_theirs
    >>> source, copy = (Encoder(EncoderConfig.preset("bert-nano")) for _ in range(2))
    >>> copy = load_state_dict_from(copy, to_theirs(source, BERT))
    >>> torch.equal(copy.embeddings.token.weight, source.embeddings.token.weight)
    True
    """
    table = FAMILIES[published_family(model.config)] if table is None else table
    ours, missing, unused = to_ours(model, stored, table, dtype, new_head, foreign_head)
    drawn = _new_weights(model, ours, missing, new_head, dtype)
    model.load_state_dict(ours | drawn, assign=next(model.parameters()).is_meta)
    if hasattr(model, "tie_weights"):
        model.tie_weights()
        if model.config.tie:
            assert model.decoder.weight is model.encoder.embeddings.token.weight
    if drawn:
        initialize(model, model.config, generator, only=drawn)
    model.unused_weights = unused
    return model


def _new_weights(model: PackedModel, found, missing: dict[str, str], new_head: bool, dtype) -> dict[str, Tensor]:
    """Placeholders for the head's missing weights: gains 1, the rest 0, for `initialize` to draw over."""
    tops = ("encoder.pooler.", "pooler.", "head.", "decoder.", "nsp.")
    body = [name for name in missing if not name.startswith(tops)]
    derived = ("decoder.weight",) if model.config.tie else ()
    half = [name for name in missing if any(_same_module(name, other) for other in found if other not in derived)]
    if body or half or (missing and not new_head):
        names = body or half or missing
        hint = (
            "these belong to the head: pass new_head=True to draw them afresh for fine-tuning"
            if not body and not half
            else "the file is incomplete, or config.json does not describe it"
        )
        raise ValueError(f"weights missing from the file: {some_of(missing[name] for name in names)}; {hint}")
    shapes = {name: parameter.shape for name, parameter in model.state_dict().items()}
    fill = {name: torch.ones if name.endswith("norm.weight") else torch.zeros for name in missing}
    return {name: fill[name](shapes[name], dtype=dtype) for name in missing}


def _same_module(one: str, other: str) -> bool:
    return one.rpartition(".")[0] == other.rpartition(".")[0]
