"""Exercise 4.2: a padded batch and its mask. A mask that is guessed from the ids is found out."""

import torch
from torch import Tensor

from minibert.course.exercise import Wrong
from minibert.course.expect import expect_steady
from minibert.course.tools import call, expect_tensor, kind_of, show

GUESSED = (
    "the mask is guessed from the ids; a real token may have the id of the padding (EuroBERT pads with its "
    "end-of-text token), so make the mask from the lengths"
)
Texts = list[list[int]]


def _right(texts: Texts, pad_id: int, left: bool = False) -> tuple[Tensor, Tensor]:
    width = max(len(text) for text in texts)
    rows, mask = [], []
    for text in texts:
        filling, hidden = [pad_id] * (width - len(text)), [False] * (width - len(text))
        rows.append(filling + text if left else text + filling)
        mask.append(hidden + [True] * len(text) if left else [True] * len(text) + hidden)
    return torch.tensor(rows), torch.tensor(mask)


def _compare(texts: Texts, pad_id: int, answer: tuple[Tensor, Tensor]) -> None:
    """Both tensors of one batch, first their shapes and dtypes, then their values."""
    ids, mask = _parts(answer)
    want_ids, want = _right(texts, pad_id)
    shape, case = tuple(want.shape), f"of {show(texts) if len(texts) < 3 else 'a larger batch'}, pad_id {pad_id},"
    if isinstance(ids, Tensor) and ids.dim() == 2 and ids.shape[0] == shape[0] and ids.shape[1] != shape[1]:
        cause = "T is the length of the longest text of this batch, no more and no less"
        raise Wrong(f"ids {case} have T = {ids.shape[1]}", f"T = {shape[1]}", cause)
    if isinstance(ids, Tensor) and ids.is_floating_point():
        raise Wrong(f"ids have dtype {str(ids.dtype)[6:]}", "int64", "ids are row numbers of a table: whole numbers")
    expect_tensor("ids", ids, shape, torch.int64)
    if isinstance(mask, Tensor) and mask.shape == shape and mask.dtype != torch.bool:
        cause = "turned round by ~, a 1 becomes -2, and masked_fill refuses numbers: compare, or use .bool()"
        raise Wrong(f"mask has dtype {str(mask.dtype)[6:]}", "bool: True on real tokens, False on padding", cause)
    mask = expect_tensor("mask", mask, shape, torch.bool)
    lengths, places = want.sum(dim=1, keepdim=True), torch.arange(shape[1])
    left_ids, left = _right(texts, pad_id, left=True)
    if torch.equal(ids, left_ids) and not torch.equal(ids, want_ids):
        raise Wrong(f"ids {case} are {_rows(ids)}", _rows(want_ids), "the padding stands on the left; put it behind")
    zeros, _ = _right(texts, 0)
    if not torch.equal(ids, want_ids):
        cause = "it pads with 0; the caller says which id pads: pad_id" if torch.equal(ids, zeros) else ""
        cause = cause or "each row is the text as it came, then pad_id up to the longest text"
        raise Wrong(f"ids {case} are {_rows(ids)}", _rows(want_ids), cause)
    if torch.equal(mask, want):
        return
    marks = ids == pad_id
    to_the_first = marks.cumsum(1) == 0, marks.cumsum(1) - marks.long() == 0  # without it, and with it
    causes = {
        "the mask is turned round: True marks the real tokens": [~want],
        "the mask calls padding real, too: True up to each text's own length only": [want | True],
        "off by one: a text of n tokens has the places 0 ... n - 1, so place < n, not <= n": [places <= lengths],
        "off by one: the last token of each text is hidden; place < n, not < n - 1": [places < lengths - 1],
        "off by one: the first token of each text is hidden; places count from 0": [want & (places > 0)],
        "the True stand on the right, but the padding does": [left],
        f"the mask is `ids > 0`: right only where padding is 0 and no word is; here pad_id is {pad_id}": [ids > 0],
        f"the mask is `ids != 0`: right only where padding is 0 and no word is; here pad_id is {pad_id}": [ids != 0],
        f"`ids != pad_id`, or all up to the first pad_id: {GUESSED}": [ids != pad_id, *to_the_first],
    }
    # Two mistakes may give the same mask here; then both are named.
    found = [cause for cause, wrongs in causes.items() if any(torch.equal(mask, wrong) for wrong in wrongs)]
    cause = "; or ".join(found[:2]) or f"True on as many places as the text has tokens. Perhaps {GUESSED}"
    seen = f"mask {case} is {_rows(mask.int())} (1: True)"
    raise Wrong(seen, _rows(want.int()), cause)


def _rows(table: Tensor) -> str:
    row = next(iter(table.tolist()))
    return str(table.tolist()) if table.numel() <= 16 else f"[{row}, ...]"


def _parts(answer) -> tuple:
    if type(answer) not in (tuple, list) or len(answer) != 2:
        raise Wrong(f"the answer is {kind_of(answer)}", "two tensors: (ids, mask)", "return ids, mask")
    ids, mask = answer
    if isinstance(ids, Tensor) and ids.dtype == torch.bool:
        raise Wrong("the first of the two tensors is boolean", "(ids, mask)", "the two are exchanged")
    return ids, mask


def check_padding(answer, rng: torch.Generator) -> None:
    """By hand with a pad id that is not 0; a pad id that ends each text; at random; nothing to pad; inputs left alone.

    Raises:
        Wrong: what was seen, what was expected, the likely cause.

    >>> check_padding(_right, torch.Generator().manual_seed(0))
    """

    def examine(texts: Texts, pad_id: int) -> None:
        _compare(texts, pad_id, call(answer, texts, pad_id))

    examine([[5, 7, 6], [8]], 0)
    examine([[5, 0, 6], [8]], 9)  # 9 pads, and 0 is a word like any other
    examine([[7, 5, 9], [7, 9]], 9)  # 9 pads and ends each text, as in EuroBERT
    examine([[9, 9], [9, 5, 9, 6]], 9)
    _parts(expect_steady(answer, [[5, 7, 6], [8]], 9))
    for pad_id in (0, 3):
        lengths = torch.randint(1, 8, (6,), generator=rng)  # of six texts
        words = torch.randint(0, 5, (6, 7), generator=rng)
        examine([row[:length].tolist() for row, length in zip(words, lengths, strict=True)], pad_id)
    examine([[5, 6], [7, 8], [0, 3]], 3)  # all of one length: no padding, and 3 is a word here
    examine([[4]], 4)
