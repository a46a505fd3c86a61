"""How the two language models of ELMo are trained: predict the next token, and the one before."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from minibert.word_vectors.elmo import BidirectionalLM, row_lengths

IGNORE = -100  # the label of a place that is not predicted


def bilm_loss(model: BidirectionalLM, ids: Tensor, attention_mask: Tensor | None = None) -> Tensor:
    """The mean of both directions' cross-entropies (nats a token).

    The forward model predicts the token behind each place and so never the first one; the backward model predicts the
    token before each place and never the last one. Both predict as many.

    Shape: ids (B, T), attention_mask (B, T) or None -> a scalar.

    Raises:
        ValueError: as the model, or no row has two tokens.

    Source: Peters et al. 2018, section 3.1, without their factor 2: they add the directions up.

    >>> model = BidirectionalLM(10, width=4, generator=torch.Generator().manual_seed(0))
    >>> bool(2 < bilm_loss(model, torch.tensor([[5, 6, 7], [8, 9, 4]])) < 3)  # about ln 10
    True
    """
    lengths = row_lengths(ids, attention_mask)
    if int(lengths.max()) < 2:
        raise ValueError("no row has two tokens, so there is nothing to predict; give longer rows")
    ahead, back = model.logits(model(ids, attention_mask))  # (B, T, V) each
    place = torch.arange(ids.shape[1], device=ids.device)  # (T,)
    labels = ids.long().masked_fill(place >= lengths[:, None], IGNORE)  # (B, T)
    following, preceding = labels[:, 1:], labels[:, :-1].masked_fill(labels[:, 1:] == IGNORE, IGNORE)
    return (_cross_entropy(ahead[:, :-1], following) + _cross_entropy(back[:, 1:], preceding)) / 2


def pad_rows(rows: list[list[int]], pad_id: int = 0) -> tuple[Tensor, Tensor]:
    """Put token ids of different lengths into one rectangle; returns ids and attention mask.

    Shape: -> ids (B, T) int64, attention_mask (B, T) int64.

    Raises:
        ValueError: no rows, or an empty one.

    >>> ids, mask = pad_rows([[5, 6], [7]])
    >>> ids.tolist(), mask.tolist()
    ([[5, 6], [7, 0]], [[1, 1], [1, 0]])
    """
    if not rows or not all(len(row) for row in rows):
        raise ValueError("rows: expected at least one, each with at least one token")
    tensors = [torch.tensor(row) for row in rows]
    mask = [torch.ones_like(row) for row in tensors]
    pad = torch.nn.utils.rnn.pad_sequence
    return pad(tensors, batch_first=True, padding_value=pad_id), pad(mask, batch_first=True)


def train_bilm(
    model: BidirectionalLM,
    rows: list[list[int]],
    steps: int,
    *,
    batch_size: int = 32,
    lr: float = 5e-3,
    generator: torch.Generator,
) -> list[float]:
    """Train `model` in place on batches of random rows, and return the loss of each step (nats a token).

    Adam, the learning rate falling in a straight line to 0, gradients clipped to a norm of 1.

    Raises:
        ValueError: fewer than one step or row of a batch, a learning rate that is not positive, or unfit rows.

    Source: Peters et al. 2018, section 3.4 (on a billion words; ours learns from a few thousand sentences).

    >>> random = torch.Generator().manual_seed(0)
    >>> model = BidirectionalLM(10, width=8, generator=random)
    >>> losses = train_bilm(model, [[2, 5, 6, 3], [2, 5, 7, 8, 3]], steps=30, lr=0.1, generator=random)
    >>> losses[-1] < losses[0] / 2
    True
    """
    if steps < 1 or batch_size < 1 or not lr > 0:
        raise ValueError(f"steps={steps}, batch_size={batch_size}, lr={lr}: expected 1 or more, 1 or more, above 0")
    if min((len(row) for row in rows), default=0) < 2:
        raise ValueError("rows: expected at least one, each with two tokens or more: the one predicts the other")
    optimizer = torch.optim.Adam(model.parameters(), lr=lr)
    losses = []
    for step in range(steps):
        optimizer.param_groups[0]["lr"] = lr * (1 - step / steps)
        chosen = torch.randint(len(rows), (batch_size,), generator=generator)
        loss = bilm_loss(model, *pad_rows([rows[i] for i in chosen.tolist()]))
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        losses.append(loss.item())
    return losses


def _cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    return F.cross_entropy(logits.flatten(0, 1), labels.flatten(), ignore_index=IGNORE)
