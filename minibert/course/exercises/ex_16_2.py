"""16.2 Padding out and padding back in."""

import torch

from minibert.course.lab import Case, Exercise, Lab, gradients


def unpad(padded, mask):
    """The real tokens of (B, T, ...) as (N, ...), their borders (B + 1,) int32 and their positions (N,) int64."""
    lengths = mask.sum(dim=1)  # (B,)
    cu_seqlens = torch.cat([lengths.new_zeros(1), lengths.cumsum(dim=0)])  # (B + 1,)
    positions = (mask.cumsum(dim=1) - 1)[mask]  # (N,); a real token counts the real ones in front of it
    return padded[mask], cu_seqlens.to(torch.int32), positions


def pad(packed, mask, fill):
    """The way back: (N, ...) to (B, T, ...), with `fill` where no token is."""
    padded = packed.new_full((*mask.shape, *packed.shape[1:]), fill)  # (B, T, ...)
    padded[mask] = packed
    return padded


def mask_of(lengths, width, left=()):
    """True on real tokens; the texts of `left` stand at the right end, with the padding in front."""
    return torch.tensor(
        [[(width - 1 - t if row in left else t) < length for t in range(width)] for row, length in enumerate(lengths)]
    )


def drawn(rng):
    """Masks (B, T) of texts of different lengths, and why each is asked."""
    lengths = (torch.randperm(6, generator=rng)[:4] + 1).tolist()
    yield mask_of([2, 4, 1], 5), "text after text, each from left to right; the padding at their ends is left out"
    yield mask_of(lengths, 7, left=(1, 2)), "padding may stand in front of a text; it is left out all the same"
    yield mask_of([3, 0, 2], 4), "a text without any real token is two equal borders, and adds nothing"
    yield mask_of([3, 3], 3), "nothing is padding"
    yield mask_of([4], 6, left=(0,)), "a single text"


def of_packed(answer, padded, mask):
    """The gradient of the packed tokens at the padded ones."""
    return gradients(lambda padded, mask: answer(padded, mask)[0], padded, mask)


def unpadded(rng):
    items = ("packed", "cu_seqlens", "positions")
    for mask, cause in drawn(rng):
        ids = torch.randint(0, 5, mask.shape, generator=rng)  # 0 is a real token, too
        yield Case((ids, mask), cause, f"of ids {tuple(ids.shape)}", items=items)
        vectors = torch.randn(*mask.shape, 2, 3, generator=rng)
        yield Case((vectors, mask), cause, f"of vectors {tuple(vectors.shape)}", items=items)
    yield Case((vectors.double(), mask), "the tokens keep their dtype", "of float64", items=items)
    slope = "the gradient at the padded vectors"
    yield Case((vectors, mask), "the packed tokens are right, their gradient is not", slope, run=of_packed)


def repadded(rng):
    for mask, cause in drawn(rng):
        ids = torch.randint(0, 5, (int(mask.sum()),), generator=rng)
        yield Case((ids, mask, -100), cause, f"ids {tuple(mask.shape)} with fill -100")
        vectors = torch.randn(len(ids), 3, 2, generator=rng)
        yield Case((vectors, mask, 0), cause, f"vectors {(*mask.shape, 3, 2)} with fill 0")
        yield Case((vectors, mask, 0.25), "`fill` says what stands where no token is", "vectors with fill 0.25")
    yield Case((vectors, mask, 0), cause, "vectors with fill 0", double=True)
    own = "the result has the dtype of what is packed"
    yield Case((ids.int(), mask, -100), own, "ids in int32 with fill -100", certain=True)
    lost = "the padded vectors are right, their gradient is not"
    yield Case((vectors, mask), lost, "the gradient at the packed vectors", run=of_padded)


def of_padded(answer, packed, mask):
    return gradients(lambda packed, mask: answer(packed, mask, 0), packed, mask)


REAL, POSITIONS, BORDERS = "return padded[mask],", "(mask.cumsum(dim=1) - 1)[mask]", "cu_seqlens.to(torch.int32)"
ZERO = "[lengths.new_zeros(1), lengths.cumsum(dim=0)]"
UNPAD = {
    "the real tokens are guessed from what they hold (ids other than 0, say); only the mask knows them": {
        "    lengths =": "    mask = padded != 0 if padded.dim() == 2 else mask\n    lengths ="
    },
    "the tokens come in another order, first tokens of all texts first; it is text after text": {
        REAL: "return padded.transpose(0, 1)[mask.T],"
    },
    "the texts are sorted by length; they stay in their order": {
        "    lengths =": "    order = mask.sum(dim=1).argsort(stable=True)\n"
        "    padded, mask = padded[order], mask[order]\n    lengths ="
    },
    "the padding is kept and the tokens are dropped: mask is True on real tokens": {REAL: "return padded[~mask],"},
    "nothing is left out: only real tokens are kept": {REAL: "return padded.flatten(0, 1),"},
    "each text is taken from its left end, as many tokens as are real; padding may stand in front": {
        REAL: "return padded[torch.arange(mask.shape[1]) < lengths[:, None]],"
    },
    "the vectors are flattened; only the first two axes become one": {REAL: "return padded[mask].flatten(),"},
    "the tokens are converted; they keep their dtype": {REAL: "return padded[mask].float(),"},
    "cu_seqlens is int64; kernels such as FlashAttention's want int32": {BORDERS: "cu_seqlens"},
    "cu_seqlens begins with 0, where the first text begins": {
        ZERO: "[lengths.cumsum(dim=0)]",
    },
    "the last border is missing: cu_seqlens has B + 1 numbers, the last is N": {
        ZERO: "[lengths.new_zeros(1), lengths.cumsum(dim=0)[:-1]]"
    },
    "these are lengths; cu_seqlens is their running sum": {ZERO: "[lengths.new_zeros(1), lengths]"},
    "cu_seqlens holds the borders in the padded batch, multiples of T; padding does not count": {
        ZERO: "[lengths.new_zeros(1), torch.full_like(lengths, mask.shape[1]).cumsum(dim=0)]"
    },
    "a text without tokens has lost its border; it is two equal ones": {
        ZERO: "[lengths.new_zeros(1), lengths[lengths > 0].cumsum(dim=0)]"
    },
    "positions run on through the whole row; they start at 0 in each text": {
        POSITIONS: "torch.arange(int(mask.sum()))"
    },
    "positions are the columns of the padded batch; with padding in front a text would not start at 0": {
        POSITIONS: "torch.arange(mask.shape[1]).expand_as(mask)[mask]"
    },
    "positions count from 1; the first token of a text has position 0": {POSITIONS: "mask.cumsum(dim=1)[mask]"},
    "positions are int32; here they are int64, as torch.arange makes them": {
        POSITIONS: "(mask.cumsum(dim=1) - 1)[mask].to(torch.int32)"
    },
    "positions are those of the padded batch (B, T); only real tokens have one": {POSITIONS: "mask.cumsum(dim=1) - 1"},
    "positions are the number of the text; they count the tokens in front of one in its text": {
        POSITIONS: "torch.repeat_interleave(lengths)"
    },
    "only the packed tokens are returned; return packed, cu_seqlens, positions": {
        f"{REAL} {BORDERS}, positions": "return padded[mask]"
    },
    "the order is packed, cu_seqlens, positions": {
        f"{REAL} {BORDERS}, positions": f"return padded[mask], positions, {BORDERS}"
    },
    "no gradient leads back from the output to the inputs": {REAL: "return padded[mask].detach(),"},
}
PUT, FILL = "padded[mask] = packed", ", fill)  #"
PAD = {
    "the tokens are dealt out column by column; text after text": {PUT: "padded.transpose(0, 1)[mask.T] = packed"},
    "each text is laid at the left end; the mask says where its tokens stand": {
        PUT: "padded[torch.arange(mask.shape[1]) < mask.sum(dim=1, keepdim=True)] = packed"
    },
    "the places of the padding are filled: mask is True on real tokens": {
        PUT: "padded[~mask] = packed.repeat(mask.numel(), *[1] * (packed.dim() - 1))[: (~mask).sum()]"
    },
    "the padding is 0, whatever `fill` says": {FILL: ", 0)  #"},
    "the padding is -100, whatever `fill` says": {FILL: ", -100)  #"},
    "`fill` stands everywhere; the tokens are missing": {PUT: "pass"},
    "the result is made of floats; it has the dtype of what is packed": {
        "packed.new_full((": "torch.full((",
        FILL: ", fill, dtype=torch.float32)  #",
        PUT: "padded[mask] = packed.float()",
    },
    "the result is flat, (B T, ...); it has the shape of the mask, then that of a token": {
        "return padded": "return padded.flatten(0, 1)"
    },
    "the columns behind the longest text are cut off; the result is as wide as the mask": {
        "return padded": "return padded[:, : int(mask.sum(dim=1).max())]"
    },
    "texts without tokens are left out; they are rows of padding": {"return padded": "return padded[mask.any(dim=1)]"},
    "no gradient leads back from the output to the inputs": {PUT: "padded[mask] = packed.detach()"},
}

EXERCISE = Exercise(
    minutes=20,
    difficulty=2,
    signature="(unpad, pad): unpad(padded (B, T, ...), mask (B, T) bool) -> packed (N, ...), cu_seqlens (B + 1,) "
    "int32, positions (N,) int64; pad(packed (N, ...), mask, fill) -> (B, T, ...)",
    hints=(
        "A boolean mask as an index picks the True places row by row, and may be assigned to as well. The lengths\n"
        "are its row sums. The position of a token is how many real tokens of its text stand in front of it.",
        "padded (B, T, ...) indexed with mask (B, T) is (N, ...): only the first two axes go.\n"
        "lengths (B,), their running sum (B,), a 0 in front of it: (B + 1,), int32.\n"
        "a running sum along T counts real tokens, (B, T); of it only the real places (N,), int64.",
        "unpad: packed = what the mask picks\n"
        "       borders = 0, then the running sum of the lengths\n"
        "       positions = running count of real tokens in each row, less one, at the real places\n"
        "pad:   a tensor (B, T, ...) like packed in dtype, full of `fill`\n"
        "       its real places = packed",
    ),
    parts=(Lab(unpad, unpadded, UNPAD), Lab(pad, repadded, PAD)),
)
