"""What counting neighbours achieves at hidden places: the control that tells learned context from word frequencies."""

import torch
from torch import Tensor

from minibert.experiments.small_bert import held_out_places, order_of, texts_of
from minibert.objectives import IGNORE

CONTROLS = ("no neighbour", "left neighbour", "both neighbours")
_WEIGHT = 0.9  # of the counted pairs; the rest is the word frequencies, so that nothing is impossible


def score_counts(settings: dict, kind: str, seed: int) -> dict[str, float]:
    """Accuracy and loss of a guess from counts of neighbouring pairs, on the places that the models are scored on.

    The counts are of the very rows that a model of this seed trains on. With both neighbours the guess is
    p(word | left) p(right | word), normalised; a neighbour that is hidden itself, or beyond the row, says nothing.
    """
    texts, (_, inputs, labels) = texts_of(settings), held_out_places(settings)
    order = order_of(len(texts.train.ids), settings["steps"] * settings["rows_a_step"], seed)
    ids, size = texts.train.ids[order], texts.tokenizer.vocab_size
    single = torch.bincount(ids.flatten(), minlength=size) + 0.01  # (V,)
    unigram = (single / single.sum()).log()
    pairs = torch.bincount((ids[:, :-1] * size + ids[:, 1:]).flatten(), minlength=size * size).view(size, size)
    given_left = pairs / pairs.sum(1, keepdim=True).clamp(min=1)  # [left, word]: p(word | left)
    follows = (_WEIGHT * given_left + (1 - _WEIGHT) * unigram.exp()).log()  # (V, V)

    row, column = (labels != IGNORE).nonzero(as_tuple=True)
    targets = labels[row, column]
    padded = torch.nn.functional.pad(inputs, (1, 1), value=texts.tokenizer.mask_id)
    left, right = padded[row, column], padded[row, column + 2]  # (M,)
    logits = unigram.repeat(len(row), 1)  # (M, V)
    if kind != "no neighbour":
        logits = torch.where(_seen(left, texts)[:, None], follows[left], logits)
    if kind == "both neighbours":
        logits = logits + torch.where(_seen(right, texts)[:, None], follows.T[right], 0.0)
    loss = torch.nn.functional.cross_entropy(logits, targets)
    return {"accuracy": (logits.argmax(-1) == targets).double().mean().item(), "loss": loss.item()}


def _seen(neighbour: Tensor, texts) -> Tensor:
    return neighbour != texts.tokenizer.mask_id
