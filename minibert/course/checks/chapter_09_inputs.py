"""Exercise 9.3: what a learner's test may call a given function with; "" when it makes sense, else what is wrong."""

import torch
from torch import Tensor

from minibert.course.checks.chapter_09_suspects import VOCABULARY
from minibert.course.tools import kind_of


def _floats(**tensors) -> str:
    for name, (value, sizes) in tensors.items():
        if not isinstance(value, Tensor) or value.dim() != sizes:
            return f"{name} = {kind_of(value)}"
        if not value.is_floating_point():
            return f"{name} of dtype {str(value.dtype)[6:]}"
    return ""


def look_norm(x) -> str:
    """Floats of shape (N, D), or (B, T, D).

    >>> look_norm([1.0])
    'x = a list of 1'
    """
    return _floats(x=(x, 3 if isinstance(x, Tensor) and x.dim() == 3 else 2))


def look_pool(hidden, mask) -> str:
    """Floats (B, T, D) and a mask (B, T).

    >>> look_pool(torch.zeros(1, 2, 3), None)
    'hidden (1, 2, 3) and mask = None'
    """
    if found := _floats(hidden=(hidden, 3)):
        return found
    if not isinstance(mask, Tensor) or mask.shape != hidden.shape[:2]:
        return f"hidden {tuple(hidden.shape)} and mask = {kind_of(mask)}"
    return "" if ((mask == 0) | (mask == 1)).all() else "a mask that is neither True nor False somewhere"


def look_loss(logits, labels) -> str:
    """Floats (B, 2) and labels (B,) of 0 and 1.

    >>> look_loss(torch.zeros(1, 2), torch.tensor([2]))
    'logits (1, 2) and labels that are not all 0 or 1'
    """
    if found := _floats(logits=(logits, 2)):
        return found
    if not isinstance(labels, Tensor) or labels.shape != logits.shape[:1] or labels.dtype != torch.int64:
        return f"labels = {kind_of(labels)}" + (
            f" of dtype {str(labels.dtype)[6:]}" if hasattr(labels, "dtype") else ""
        )
    if logits.shape[1] != 2 or not ((labels == 0) | (labels == 1)).all():
        return f"logits {tuple(logits.shape)} and labels that are not all 0 or 1"
    return ""


def look_bias(hidden, table, bias) -> str:
    """Floats (N, D), (V, D) and (V,).

    >>> look_bias(torch.zeros(2, 3), torch.zeros(5, 3), torch.zeros(5))
    ''
    """
    if found := _floats(hidden=(hidden, 2), table=(table, 2), bias=(bias, 1)):
        return found
    fits = hidden.shape[1] == table.shape[1] and table.shape[0] == bias.shape[0]
    return "" if fits else f"hidden {tuple(hidden.shape)}, table {tuple(table.shape)}, bias {tuple(bias.shape)}"


def look_mask(ids, generator) -> str:
    """Ids (N,) of the vocabulary without its special tokens, and a generator.

    >>> look_mask(torch.tensor([5, 999]), torch.Generator())
    ''
    """
    if not isinstance(ids, Tensor) or ids.dim() != 1 or ids.dtype != torch.int64:
        return f"ids = {kind_of(ids)}"
    if not isinstance(generator, torch.Generator):
        return f"generator = {kind_of(generator)}"
    if len(ids) > 20_000_000:
        return f"{len(ids)} tokens, which takes too long"
    inside = len(ids) > 0 and 5 <= int(ids.min()) and int(ids.max()) < VOCABULARY
    return "" if inside else f"ids that are not all within 5 ... {VOCABULARY - 1}"
