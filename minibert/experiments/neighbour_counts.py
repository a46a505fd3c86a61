"""What counting neighbours achieves at hidden places, on the rows and the places of the small BERTs."""

import torch

from minibert.experiments.small_bert import held_out_places, order_of, texts_of
from minibert.objectives import IGNORE
from minibert.tasks.neighbour_counts import NeighbourCounts

CONTROLS = ("no neighbour", "left neighbour", "both neighbours")
JOINT = "both jointly"  # the strongest


def score_counts(settings: dict, kind: str, seed: int) -> dict[str, float]:
    """Accuracy and loss of a guess from counts of neighbouring pairs, on the places that the models are scored on.

    The counts are of the very rows that a model of this seed trains on. A neighbour that is hidden itself, or beyond
    the row, says nothing.
    """
    texts, (_, inputs, labels) = texts_of(settings), held_out_places(settings)
    order = order_of(len(texts.train.ids), settings["steps"] * settings["rows_a_step"], seed)
    tokenizer = texts.tokenizer
    counts = NeighbourCounts(texts.train.ids[order], tokenizer.vocab_size, tokenizer.mask_id)
    row, column = (labels != IGNORE).nonzero(as_tuple=True)
    targets = labels[row, column]
    padded = torch.nn.functional.pad(inputs, (1, 1), value=tokenizer.mask_id)
    logits = counts.logits(padded[row, column], padded[row, column + 2], kind)  # (M, V)
    loss = torch.nn.functional.cross_entropy(logits, targets)
    return {"accuracy": (logits.argmax(-1) == targets).double().mean().item(), "loss": loss.item()}
