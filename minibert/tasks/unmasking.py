"""Whole texts with a masked language model: filled step by step, and scored by hiding one token at a time."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from minibert.tasks.inference import inference

ORDERS = ("confident", "left to right", "at once")


@dataclass(frozen=True)
class Step:
    """What the model thinks of each hidden place before a step, and which of them the step fills.

    `guesses` maps a place to its most likely token and that token's probability.

    >>> Step({3: (17, 0.5), 4: (9, 0.25)}, (3,)).chosen
    (3,)
    """

    guesses: Mapping[int, tuple[int, float]]
    chosen: tuple[int, ...]


def unmask(ids: Sequence[int], model, tok, order: str = "confident") -> tuple[list[int], list[Step]]:
    """Fill every [MASK] of a text, one a step, each with the most likely token given all that stand there by then.

    `order` says which place is next: the one of whose token the model is surest ("confident"), the leftmost ("left to
    right"), or all of them in one step ("at once"), which is what a model does when it is asked once: each place is
    filled as if the others stayed hidden. Special tokens are never written. Returns the filled ids and the steps.

    Raises:
        ValueError: no mask among the ids, or an unknown order.

    Source: Ghazvininejad et al. 2019 (Mask-Predict); Nie et al. 2025 for diffusion models of text.

    >>> import minibert
    >>> tok = minibert.WordPieceTokenizer.train(["the cat sat on the mat"] * 3, vocab_size=40)
    >>> config = minibert.EncoderConfig.preset("bert-nano").replace(vocab_size=tok.vocab_size)
    >>> ids, steps = unmask(tok.ids("the [MASK] [MASK] on"), minibert.MaskedLanguageModel(config), tok)
    >>> tok.mask_id in ids, [len(step.guesses) for step in steps]
    (False, [2, 1])
    """
    ids = list(ids)
    if order not in ORDERS:
        raise ValueError(f"order={order!r}: expected one of {', '.join(ORDERS)}")
    if tok.mask_id not in ids:
        raise ValueError(f"no {tok.id_to_token(tok.mask_id)} among the {len(ids)} ids: there is nothing to fill")
    steps = []
    with inference(model) as device:
        while hidden := [place for place, token in enumerate(ids) if token == tok.mask_id]:
            logits = model(torch.tensor([ids], device=device)).logits[0, hidden]  # (hidden places, V)
            logits[:, list(tok.special_ids)] = -torch.inf
            sure, best = logits.float().softmax(dim=-1).max(dim=-1)
            guesses = dict(zip(hidden, zip(best.tolist(), sure.tolist(), strict=True), strict=True))
            first = hidden[0] if order == "left to right" else hidden[int(sure.argmax())]
            steps.append(Step(guesses, tuple(hidden) if order == "at once" else (first,)))
            for place in steps[-1].chosen:
                ids[place] = guesses[place][0]
    return ids, steps


def pseudo_log_likelihood(text: str, model, tok) -> Tensor:
    """How likely each token of a text is when it alone is hidden: ln p(token | all the others), in nats.

    Their sum is the pseudo-log-likelihood of the text, which ranks sentences of one length well. It is no logarithm of
    a probability: the factors do not belong to one distribution over texts. [CLS] and [SEP] are left out.

    Shape: (T - 2,), in the order of the text's tokens.

    Raises:
        ValueError: a text without tokens.

    Source: Salazar et al. 2020.

    >>> import minibert
    >>> tok = minibert.WordPieceTokenizer.train(["the cat sat on the mat"] * 3, vocab_size=40)
    >>> config = minibert.EncoderConfig.preset("bert-nano").replace(vocab_size=tok.vocab_size)
    >>> pseudo_log_likelihood("the cat sat", minibert.MaskedLanguageModel(config), tok).shape
    torch.Size([3])
    """
    ids = tok.encode(text).ids
    places = [place for place, token in enumerate(ids) if token not in (tok.cls_id, tok.sep_id)]
    if not places:
        raise ValueError(f"{text!r} has no token to hide")
    rows = torch.tensor(ids).repeat(len(places), 1)  # (T - 2, T): one copy for each token that is hidden
    rows[range(len(places)), places] = tok.mask_id
    found = []
    with inference(model) as device:
        for start in range(0, len(rows), 32):
            part, at = rows[start : start + 32].to(device), places[start : start + 32]
            scores = model(part).logits[range(len(part)), at]  # (rows, V)
            right = torch.tensor([ids[place] for place in at], device=device)
            found.append(scores.float().log_softmax(dim=-1)[range(len(part)), right])
    return torch.cat(found).cpu()


def order_of_filling(steps: Sequence[Step]) -> dict[int, int]:
    """In which step, from 1, each place was filled.

    >>> order_of_filling([Step({3: (17, 0.5), 4: (9, 0.25)}, (4,)), Step({3: (17, 0.6)}, (3,))])
    {4: 1, 3: 2}
    """
    return {place: number for number, step in enumerate(steps, start=1) for place in step.chosen}
