"""Contrastive loss: the vectors of two texts that belong together come closer than those that do not."""

import torch
import torch.nn.functional as F
from torch import Tensor


def info_nce(queries: Tensor, documents: Tensor, temperature: float = 0.05) -> Tensor:
    """InfoNCE with in-batch negatives: row i of the queries belongs to row i of the documents, to no other row.

    The cosines of every query with every document, divided by the temperature, are logits. A query has to find its
    document among all of the batch, and a document its query; the loss is the mean of both cross-entropies (nats).

    Shape: queries (B, D), documents (B, D) -> a scalar.

    Raises:
        ValueError: shapes that differ, fewer than two rows (a negative is needed), or a temperature of 0 or less.

    Source: van den Oord et al. 2018, section 2.3; both directions: Radford et al. 2021, figure 3.

    >>> round(info_nce(torch.eye(2), torch.eye(2), temperature=1.0).item(), 4)  # ln(1 + 1/e)
    0.3133
    """
    if queries.dim() != 2 or queries.shape != documents.shape:
        raise ValueError(
            f"queries {tuple(queries.shape)} and documents {tuple(documents.shape)}: expected both (B, D), row i of "
            "one belonging to row i of the other"
        )
    if len(queries) < 2:
        raise ValueError(f"{len(queries)} row: the other rows are the negatives, so a batch needs two at least")
    if not temperature > 0:
        raise ValueError(f"temperature is {temperature}; it is above 0, and 0.05 is usual")
    logits = F.normalize(queries, dim=-1) @ F.normalize(documents, dim=-1).T / temperature  # (B, B)
    own = torch.arange(len(logits), device=logits.device)  # the right answers stand on the diagonal
    return (F.cross_entropy(logits, own) + F.cross_entropy(logits.T, own)) / 2
