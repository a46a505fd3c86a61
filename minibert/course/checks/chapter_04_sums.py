"""BERT's embeddings as one function of their tables, done right and in every way that they are got wrong."""

import torch
from torch import Tensor

MISTAKES = {
    "no norm": "the sum is not normalised: a LayerNorm stands behind it",
    "no affine": "the norm's gain and offset (norm.weight, norm.bias) are not used",
    "bessel": "the variance divides by D - 1 (Bessel's correction, what torch.var and torch.std do unless told "
    "otherwise); LayerNorm divides by D",
    "no centre": "the norm does not subtract the mean",
    "norm first": "the norm acts on the token's row alone; BERT normalises the sum of all three",
    "norm each": "each of the three rows is normalised; BERT normalises their sum, once",
    "none skipped": "without segment_ids the segment row is left out; None means sentence A, which is row 0",
    "no segment": "segment_ids are not used",
    "none is B": "without segment_ids row 1 is added; None means sentence A, which is row 0",
    "segment turned": "the segments are exchanged: 0 means row 0",
    "no position": "the positions are not used",
    "position from 1": "positions count from 1; the first token of a text is at position 0",
    "position 0": "every token gets position 0",
    "position of text": "positions count the texts of the batch; they count the tokens of one text",
    "position by id": "the position table is looked up with the ids",
    "position backwards": "positions count backwards",
    "root": "the token's row is multiplied by sqrt(D), as in the first Transformer; BERT adds it as it is",
}


def embed(
    w: dict[str, Tensor], ids: Tensor, segment_ids: Tensor | None, style: str = "", eps: float = 1e-12
) -> Tensor | None:
    """The right embeddings, or with a `style` of MISTAKES a wrong one; None where a table has no such row.

    Shape: ids and segment_ids (B, T) -> (B, T, D).

    >>> rows = {"token": [[1.0, 2], [0, 3]], "position": [[0.0, 0]], "segment": [[0.0, 0]]}
    >>> w = {f"{name}.weight": torch.tensor(table) for name, table in rows.items()}
    >>> embed(w, torch.tensor([[1]]), None, "no norm").tolist()
    [[[0.0, 3.0]]]
    """
    batch, tokens = ids.shape
    places = torch.arange(tokens).expand(batch, -1)
    changed = {
        "position from 1": places + 1,
        "position 0": places * 0,
        "position of text": torch.arange(batch)[:, None].expand_as(ids),
        "position by id": ids,
        "position backwards": places.flip(1),
    }
    places = changed.get(style, places)
    if int(places.max()) >= len(w["position.weight"]):
        return None
    sides = torch.zeros_like(ids) if segment_ids is None else segment_ids
    sides = {"segment turned": 1 - sides, "none is B": sides + (segment_ids is None)}.get(style, sides)
    token, position, segment = w["token.weight"][ids], w["position.weight"][places], w["segment.weight"][sides]

    def norm(x: Tensor) -> Tensor:
        if style == "no norm":
            return x
        centred = x if style == "no centre" else x - x.mean(-1, keepdim=True)
        divisor = x.shape[-1] - (style == "bessel")
        scaled = centred / (centred.pow(2).sum(-1, keepdim=True) / divisor + eps).sqrt()
        return scaled if style == "no affine" else scaled * w["norm.weight"] + w["norm.bias"]

    if style == "no position":
        position = 0 * position
    if style == "no segment" or (style == "none skipped" and segment_ids is None):
        segment = 0 * segment
    if style == "norm first":
        return norm(token) + position + segment
    if style == "norm each":
        return norm(token) + norm(position) + norm(segment)
    return norm(token * token.shape[-1] ** 0.5 + position + segment if style == "root" else token + position + segment)


def suspects_of(w: dict[str, Tensor], ids: Tensor, segment_ids: Tensor | None) -> dict[str, Tensor]:
    """What each mistake would give for these tables, where that differs from the right answer.

    >>> ones = {f"{name}.weight": torch.eye(2) for name in ("token", "position", "segment")}
    >>> ones |= {"norm.weight": torch.ones(2), "norm.bias": torch.zeros(2)}
    >>> MISTAKES["position from 1"] in suspects_of(ones, torch.tensor([[1]]), None)
    True
    """
    right = embed(w, ids, segment_ids)
    found = {cause: embed(w, ids, segment_ids, style) for style, cause in MISTAKES.items()}
    return {cause: x for cause, x in found.items() if x is not None and not torch.allclose(x, right, atol=1e-4)}
