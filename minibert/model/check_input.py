"""What an encoder can read: bad input is refused before it is computed with, in a sentence that says what to do."""

from itertools import pairwise

import torch
from torch import Tensor

from minibert.config import EncoderConfig

INTEGER = (torch.int32, torch.int64)


def check_padded(input_ids: Tensor, attention_mask: Tensor | None, segment_ids: Tensor | None) -> Tensor:
    """Refuse a padded batch whose parts do not fit each other; return its mask, all ones when None was given.

    Shape: input_ids, attention_mask, segment_ids (B, T) -> (B, T).

    Raises:
        ValueError: naming the argument, what it was, what was expected.

    >>> check_padded(torch.tensor([7, 8]), None, None)
    Traceback (most recent call last):
    ...
    ValueError: input_ids: shape (2,), expected (B, T); use .packed for a packed batch
    """
    require_tensors(input_ids=input_ids, attention_mask=attention_mask, segment_ids=segment_ids)
    if input_ids.dim() != 2:
        raise ValueError(f"input_ids: shape {tuple(input_ids.shape)}, expected (B, T); use .packed for a packed batch")
    if input_ids.numel() == 0:
        raise ValueError(f"input_ids: shape {tuple(input_ids.shape)} holds no token; pass at least one text")
    if attention_mask is None:
        attention_mask = torch.ones_like(input_ids, dtype=torch.bool)
    for name, tensor in (("attention_mask", attention_mask), ("segment_ids", segment_ids)):
        if tensor is not None and tensor.shape != input_ids.shape:
            raise ValueError(f"{name}: shape {tuple(tensor.shape)} does not match input_ids {tuple(input_ids.shape)}")
    return attention_mask


def check_packed(ids: Tensor, cu_seqlens: Tensor, segment_ids: Tensor | None, config: EncoderConfig) -> Tensor:
    """Refuse what the encoder cannot read; return cu_seqlens as int32 on the device of the ids.

    Shape: ids (N,), cu_seqlens (B + 1,), segment_ids (N,) -> (B + 1,) int32.

    Raises:
        ValueError: naming the argument, what it was, what was expected.

    >>> check_packed(torch.tensor([9999]), torch.tensor([0, 1]), None, EncoderConfig.preset("bert-nano"))
    Traceback (most recent call last):
    ...
    ValueError: ids: 9999..9999, expected 0..7999 (vocab_size=8000); was the text made by another tokenizer?
    """
    require_tensors(ids=ids, cu_seqlens=cu_seqlens, segment_ids=segment_ids)
    _check_ids(ids, config)
    _check_borders(cu_seqlens, len(ids), config)
    if segment_ids is not None:
        _check_segments(segment_ids, ids, config)
    return cu_seqlens.to(device=ids.device, dtype=torch.int32)


def _check_ids(ids: Tensor, config: EncoderConfig) -> None:
    if ids.dim() != 1 or ids.numel() == 0:
        raise ValueError(f"ids: shape {tuple(ids.shape)}, expected (N,) with at least one token")
    if ids.dtype not in INTEGER:
        raise ValueError(f"ids: dtype {ids.dtype}, expected int64 or int32 token ids")
    low, high = (int(x) for x in torch.aminmax(ids))
    if low < 0 or high >= config.vocab_size:
        raise ValueError(
            f"ids: {low}..{high}, expected 0..{config.vocab_size - 1} (vocab_size={config.vocab_size}); "
            "was the text made by another tokenizer?"
        )


def _check_borders(cu_seqlens: Tensor, tokens: int, config: EncoderConfig) -> None:
    if cu_seqlens.dim() != 1 or len(cu_seqlens) < 2 or cu_seqlens.dtype not in INTEGER:
        raise ValueError(
            f"cu_seqlens: shape {tuple(cu_seqlens.shape)}, dtype {cu_seqlens.dtype}, expected (B + 1,) int32"
        )
    borders = cu_seqlens.tolist()
    lengths = [end - start for start, end in pairwise(borders)]
    if borders[0] != 0 or borders[-1] != tokens or min(lengths) < 1:
        raise ValueError(
            f"cu_seqlens: runs from {borders[0]} to {borders[-1]}, shortest text {min(lengths)}; "
            f"expected 0 to N={tokens}, every text at least one token"
        )
    if config.position == "learned" and max(lengths) > config.max_len:
        raise ValueError(
            f"a text has {max(lengths)} tokens, but this model learned {config.max_len} positions: "
            f"truncate with max_length={config.max_len}"
        )


def _check_segments(segment_ids: Tensor, ids: Tensor, config: EncoderConfig) -> None:
    if config.segments == 0:
        raise ValueError("segment_ids: this model has no segment embedding; leave them out")
    if segment_ids.shape != ids.shape or segment_ids.dtype not in INTEGER:
        raise ValueError(
            f"segment_ids: shape {tuple(segment_ids.shape)}, dtype {segment_ids.dtype}, "
            f"expected {tuple(ids.shape)} int64"
        )
    low, high = (int(x) for x in torch.aminmax(segment_ids))
    if low < 0 or high >= config.segments:
        expected = "0 (sentence A) or 1 (sentence B)" if config.segments == 2 else f"0..{config.segments - 1}"
        raise ValueError(f"segment_ids: {low}..{high}, expected {expected}")


def require_tensors(**arguments) -> None:
    """Refuse lists and arrays by name; None is nothing to refuse.

    >>> require_tensors(input_ids=[[2, 3]])
    Traceback (most recent call last):
    ...
    ValueError: input_ids: a list, expected a tensor; torch.tensor(...) makes one
    """
    for name, value in arguments.items():
        if value is not None and not isinstance(value, Tensor):
            raise ValueError(f"{name}: a {type(value).__name__}, expected a tensor; torch.tensor(...) makes one")


def pick(hidden: Tensor, predict_at: Tensor | None) -> Tensor:
    """The rows of `hidden` at the indices `predict_at`, or all rows for None.

    Shape: hidden (N, D), predict_at (M,) -> (M, D).

    Raises:
        ValueError: indices that are no int64, or that lie outside the N tokens.

    >>> pick(torch.tensor([[1.0], [2.0], [3.0]]), torch.tensor([2, 0])).tolist()
    [[3.0], [1.0]]
    """
    if predict_at is None:
        return hidden
    if predict_at.dim() != 1 or predict_at.dtype != torch.int64:
        raise ValueError(f"predict_at: shape {tuple(predict_at.shape)}, {predict_at.dtype}, expected (M,) int64")
    # Only on the CPU: reading a value from a GPU waits for it, and the GPU's own kernel refuses such an index.
    if predict_at.is_cpu and predict_at.numel() and not 0 <= predict_at.min() <= predict_at.max() < len(hidden):
        raise ValueError(f"predict_at: an index lies outside the {len(hidden)} tokens of the packed batch")
    return hidden[predict_at]
