"""Masked-language-model corruption: which tokens are hidden, and by what."""

from collections.abc import Collection

import torch
from torch import Tensor

IGNORE = -100  # the label of a position that is not predicted; torch's cross-entropy uses the same number


def mask_tokens(
    ids: Tensor,
    special_ids: Collection[int],
    vocab_size: int,
    mask_id: int,
    rate: float = 0.15,
    split: tuple[float, float, float] = (0.8, 0.1, 0.1),
    *,
    generator: torch.Generator,
    word_starts: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """Hide a random share of the tokens and return `(inputs, labels)`; `ids` is left as it was.

    Each ordinary token is chosen with probability `rate`. A chosen token becomes [MASK] (`mask_id`) with probability
    `split[0]`, a random token with `split[1]`, and stays as it is with `split[2]`. Called anew for every batch this is
    "dynamic" masking; BERT drew its masks once, when it wrote its training files. All randomness comes from
    `generator`, which lives on the device of `ids`.

    Special tokens (`special_ids`, padding included, and `mask_id` in any case) are never chosen and never drawn as the
    random token, which comes from the rest of `range(vocab_size)`. Here we are stricter than our models: BERT's script
    and ModernBERT's packer may draw special tokens, and ModernBERT's packer may even hide [CLS] and [SEP]. A random
    token may by chance equal the one it replaces, as in BERT.

    With `word_starts`, True where a token begins a word, the words are chosen instead of the tokens (whole-word
    masking): all pieces of a word are chosen together, and then each piece draws its own replacement.

    Shape: ids (N,) packed or (B, T) padded, int32 or int64, and word_starts likewise, bool -> inputs and labels of the
    same shape; a label is the original id where the token was chosen and -100 elsewhere.

    Raises:
        ValueError: for ids outside the vocabulary, a rate or split that is no probability, mismatched shapes, or no
            generator.

    Source: Devlin et al. 2019, section 3.1 and appendix A.1, and released code (whole words).

    >>> ids = torch.tensor([0, 7, 8, 9, 5, 6, 1])
    >>> inputs, labels = mask_tokens(ids, (0, 1, 2), 10, mask_id=2, rate=1.0, split=(1.0, 0.0, 0.0),
    ...                              generator=torch.Generator().manual_seed(0))
    >>> inputs.tolist(), labels.tolist()
    ([0, 2, 2, 2, 2, 2, 1], [-100, 7, 8, 9, 5, 6, -100])
    """
    check_rates(rate, split)
    _check(ids, vocab_size, mask_id, word_starts, generator)
    is_special = torch.zeros(vocab_size, dtype=torch.bool, device=ids.device)  # (V,)
    is_special[_special_tensor(special_ids, mask_id, vocab_size, ids.device)] = True
    ordinary = (~is_special).nonzero().squeeze(1)  # (V - specials,) the ids that a random token may be
    if split[1] > 0 and len(ordinary) == 0:
        raise ValueError(f"all {vocab_size} ids are special, so no random token can be drawn; use split=(1, 0, 0)")
    maskable = ~is_special[ids]

    draws = torch.rand(ids.shape, generator=generator, device=ids.device)
    if word_starts is not None:
        draws = draws.flatten()[_first_of_word(word_starts, maskable)]  # every piece sees its word's draw
    chosen = (draws < rate) & maskable

    # A second draw decides the replacement. Re-using one draw for both steps of BERT's recipe, or drawing "random"
    # only among what [MASK] left over, is how 80/10/10 silently becomes 81/10/9.
    kind = torch.rand(ids.shape, generator=generator, device=ids.device)
    becomes_mask = chosen & (kind < split[0])
    becomes_random = chosen & (kind >= split[0]) & (kind < split[0] + split[1])

    inputs = ids.masked_fill(becomes_mask, mask_id)
    if len(ordinary):
        picks = torch.randint(len(ordinary), ids.shape, generator=generator, device=ids.device)
        inputs = torch.where(becomes_random, ordinary[picks].to(ids.dtype), inputs)
    labels = ids.masked_fill(~chosen, IGNORE)
    return inputs, labels


def _first_of_word(word_starts: Tensor, maskable: Tensor) -> Tensor:
    """Return for each position the flat index of the first piece of its word, same shape as the input."""
    starts = word_starts.bool() | ~maskable  # a special token is a word of its own ...
    starts[..., 0] = True  # ... a row begins a word ...
    starts[..., 1:] |= ~maskable[..., :-1]  # ... and so does whatever follows a special token
    index = torch.arange(starts.numel(), device=starts.device).view(starts.shape)
    return torch.where(starts, index, 0).flatten().cummax(0).values.view(starts.shape)


def _special_tensor(special_ids: Collection[int], mask_id: int, vocab_size: int, device: torch.device) -> Tensor:
    special = sorted({int(i) for i in special_ids} | {mask_id})
    if special[0] < 0 or special[-1] >= vocab_size:
        raise ValueError(f"special ids {special} do not all lie in 0..{vocab_size - 1}; give ids of this vocabulary")
    return torch.tensor(special, dtype=torch.long, device=device)


def check_rates(rate: float, split: tuple[float, float, float]) -> None:
    """Refuse what `mask_tokens` cannot work with, before there is anything to mask.

    Raises:
        ValueError: for a rate or a split that is no probability.

    >>> check_rates(0.15, (0.8, 0.1, 0.1))
    >>> check_rates(15, (0.8, 0.1, 0.1))
    Traceback (most recent call last):
    ...
    ValueError: the mask rate must lie between 0 and 1, got 15; BERT uses 0.15, ModernBERT 0.3
    """
    if not _is_number(rate) or not 0.0 <= rate <= 1.0:
        raise ValueError(f"the mask rate must lie between 0 and 1, got {rate!r}; BERT uses 0.15, ModernBERT 0.3")
    is_three = isinstance(split, tuple | list) and len(split) == 3 and all(_is_number(share) for share in split)
    if not is_three or not all(share >= 0 for share in split) or not abs(sum(split) - 1.0) <= 1e-9:
        raise ValueError(f"split must be three probabilities (mask, random, unchanged) that sum to 1, got {split!r}")


def _is_number(value) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _check(ids, vocab_size, mask_id, word_starts, generator) -> None:
    if not isinstance(generator, torch.Generator):
        raise ValueError(
            f"generator is {generator!r}; give a torch.Generator, for example torch.Generator().manual_seed(0), so "
            "that the masks can be drawn again"
        )
    for name, tensor in (("ids", ids), ("word_starts", word_starts)):
        if tensor is not None and not isinstance(tensor, Tensor):
            raise ValueError(f"{name} must be a tensor, got a {type(tensor).__name__}; torch.tensor(...) makes one")
    if ids.dtype not in (torch.int32, torch.int64) or ids.dim() not in (1, 2):
        raise ValueError(f"ids must be int32 or int64 of shape (N,) or (B, T), got {ids.dtype} {tuple(ids.shape)}")
    if ids.numel() == 0:
        raise ValueError("ids is empty: there is nothing to mask; drop empty batches before masking")
    if not 0 <= mask_id < vocab_size:
        raise ValueError(f"mask_id {mask_id} does not lie in 0..{vocab_size - 1}; use tokenizer.mask_id")
    low, high = int(ids.min()), int(ids.max())
    if low < 0 or high >= vocab_size:
        raise ValueError(f"ids span {low}..{high} but the vocabulary is 0..{vocab_size - 1}; check the tokenizer")
    if word_starts is not None and word_starts.shape != ids.shape:
        raise ValueError(f"word_starts {tuple(word_starts.shape)} must have the shape of ids {tuple(ids.shape)}")
