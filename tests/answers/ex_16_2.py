"""Answers to 16.2, padding out and padding back in."""

import torch
from torch.nn import functional as F


def by_indices(padded, mask):
    indices = mask.flatten().nonzero().flatten()
    lengths = mask.sum(-1, dtype=torch.int32)
    borders = F.pad(lengths.cumsum(0, dtype=torch.int32), (1, 0))
    positions = torch.arange(len(indices)) - borders[:-1].long().repeat_interleave(lengths)
    return padded.flatten(0, 1)[indices], borders, positions


def by_lists(padded, mask):
    texts = [row[real] for row, real in zip(padded, mask, strict=True)]
    borders, positions = [0], []
    for text in texts:
        borders.append(borders[-1] + len(text))
        positions += range(len(text))
    return [torch.cat(texts), torch.tensor(borders, dtype=torch.int32), torch.tensor(positions, dtype=torch.long)]


def by_copy(packed, mask, fill):
    batch, width = mask.shape
    flat = torch.full((batch * width, *packed.shape[1:]), fill, dtype=packed.dtype)
    return flat.index_copy(0, mask.flatten().nonzero()[:, 0], packed).unflatten(0, (batch, width))


def by_split(packed, mask, fill):
    rows = []
    for text, real in zip(packed.split(mask.sum(1).tolist()), mask, strict=True):
        row = torch.full((len(real), *packed.shape[1:]), fill, dtype=packed.dtype)
        rows.append(row.index_put((real,), text))
    return torch.stack(rows)


def guesses_from_ids(padded, mask):
    return by_indices(padded, padded != 0 if padded.dim() == 2 else mask)


def refuses_empty_texts(padded, mask):
    assert bool(mask.any(1).all()), "a text is empty"
    return by_indices(padded, mask)


def vectors_only(packed, mask, fill):
    out = torch.full((*mask.shape, packed.shape[-1]), fill, dtype=packed.dtype)
    out[mask] = packed
    return out


def from_zeros(packed, mask, fill):
    out = torch.zeros(*mask.shape, *packed.shape[1:], dtype=packed.dtype)
    out[mask] = packed
    return out + fill * (out == 0)


def scatter_columns(packed, mask, fill):
    return by_copy(packed, mask.T, fill).transpose(0, 1)


def counted_on(padded, mask):
    packed, borders, _ = by_indices(padded, mask)
    return packed, borders, torch.arange(len(packed))


def answer(out=by_indices, back=by_copy):
    return out, back


def fill_by_sum(packed, mask, fill):
    """A sum with int64 is int64, whatever is packed."""
    back = by_copy(packed, mask, 0)
    return back + (~mask).view(*mask.shape, *[1] * (packed.dim() - 1)) * fill


def zeros_of_floats(packed, mask, fill):
    back = torch.zeros(*mask.shape, *packed.shape[1:])
    back[mask] = packed
    return back


RIGHT = {"indices": answer(), "lists": answer(by_lists, by_split), "a list of two": [by_indices, by_split]}
WRONG = {
    "guesses from ids": (answer(guesses_from_ids), "guessed from what they hold"),
    "refuses empty texts": (answer(refuses_empty_texts), "a text is empty"),
    "vectors only": (answer(back=vectors_only), "pad: "),
    "zeros are padding": (answer(back=from_zeros), "pad: (?s:.)*-100"),
    "columns": (answer(back=scatter_columns), "column by column"),
    "counted on": (answer(counted_on), "start at 0 in each text"),
    "numpy": (answer(lambda x, m: (by_indices(x, m)[0].numpy(), *by_indices(x, m)[1:])), "numpy"),
    "a list of borders": (answer(lambda x, m: (by_lists(x, m)[0], [0, 2], by_lists(x, m)[2])), "cu_seqlens"),
    "one function": (by_indices, "all in parentheses"),
    "results": ((1, 2), "unpad: this is something else"),
    "fill by a sum": (answer(back=fill_by_sum), "int64(?s:.)*int32(?s:.)*dtype of what is packed"),
    "zeros of floats": (answer(back=zeros_of_floats), "pad: RuntimeError"),
}
