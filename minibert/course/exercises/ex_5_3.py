"""5.3 Write the test of padding invariance. A case is an attention, and the answer is what the test says of it."""

import torch

from minibert.course.exercise import Exercise
from minibert.course.judged import BITS, NAN, RETURNS, TEXTS, Given, texts


def padding_test(attention):
    """Raise AssertionError if what stands behind a text changes the vectors of the text."""
    generator = torch.Generator().manual_seed(0)
    texts = [torch.randn(1, tokens, 8, generator=generator) for tokens in (5, 3)]  # of different lengths
    x = torch.randn(2, 7, 8, generator=generator)  # the padding is noise, not zeros: a real [PAD] is not zero either
    mask = torch.zeros(2, 7, dtype=torch.bool)
    for row, text in enumerate(texts):
        x[row, : text.shape[1]] = text[0]
        mask[row, : text.shape[1]] = True
    together = attention(x, mask)  # (2, 7, 8)
    for row, text in enumerate(texts):
        alone = attention(text, torch.ones(text.shape[:2], dtype=torch.bool))  # (1, 5, 8), then (1, 3, 8)
        # Real positions only, and a tolerance. allclose is False for NaN, which `not (difference > 1e-5)` is not.
        assert torch.allclose(together[row, : text.shape[1]], alone[0], atol=1e-5), f"text {row} sees its padding"


def attend(x, hidden, fill=-torch.inf, keep=1.0):
    """Self-attention with weights of its own, x (B, T, D) -> (B, T, D); `hidden` and `keep` reach to (B, T, T)."""
    width, generator = x.shape[-1], torch.Generator().manual_seed(0)
    drawn = torch.randn(3, width, width, generator=generator, dtype=torch.float64) * width**-0.5
    query, key, value = (x @ matrix.to(x) for matrix in drawn)
    scores = query @ key.mT * width**-0.5  # (B, T, T)
    return scores.masked_fill(hidden, fill).softmax(dim=-1) * keep @ value


SEES_ALL = torch.tensor(False)  # nothing is hidden


def columns(mask):
    """What no query may see: the padding (B, T), as columns (B, 1, T)."""
    return ~mask[:, None, :]


def right(x, mask):
    """Each text by itself, zeros at its padding."""
    output = torch.zeros_like(x)
    for row, real in enumerate(mask):
        if real.any():
            output[row, real] = attend(x[row, real][None], SEES_ALL)[0]
    return output


def turns_mask(x, mask):
    return attend(x, mask[:, None] & ~mask.all(dim=1)[:, None, None], -1e30)


def neighbours(x, mask):
    far = torch.ones(x.shape[1], x.shape[1]).tril(-2)
    return attend(x, (far + far.T).bool())


def first_leaks(x, mask):
    first = mask & (mask.cumsum(dim=1) == 1)  # of the real ones, wherever the padding stands
    return torch.where(first[..., None], attend(x, SEES_ALL), right(x, mask))


def last_number(x, mask):
    leak = 0.2 * (~mask).sum(dim=1)[:, None, None].to(x)
    return right(x, mask) + leak * (torch.arange(x.shape[-1]) == x.shape[-1] - 1)


OWN = "compare attention with itself, a text alone and the same with padding; your own attention has other weights"
FREE = "the output at the padding may be anything: compare the real positions only"
SILENT = "compare the numbers of two outputs, and assert that they agree; `assert (a, 'text')` is always true"
COMPARE = "compare a text alone with the same text in a batch where padding stands behind it"
REAL = "compare the vectors of the real tokens, not those at the padding"
DIRECTIONS = "the outputs shrink as padding grows: compare numbers, not directions or signs"
BATCH = "put at least two texts of different lengths into one batch, and compare each of them"
ZEROS = "fill the padding with numbers, not with zeros: the vector of [PAD] is not zero in a real model"
WIDTH = "compare a text alone, without padding, with the same text padded; two padded versions of equal width agree"
TOKENS = "compare all tokens of the text: here only the last token of a text stands beside the padding"
FIRST = "compare all tokens of the text, the first one too"
NUMBERS = "compare all D numbers of each vector, not one of them"
MEANS = "the same numbers stand in other places: compare number by number, not means, sums, norms or maxima"
ABSOLUTE = "a difference of 0.005 is a leak: is the absolute tolerance, atol, 1e-4 or below?"
RELATIVE = "a difference of half a percent is a leak: is the relative tolerance, rtol, 1e-4 or below?"
CLOSER = "the padding still gets a weight: is your tolerance too large, or the padding too much like the text?"
SMALL = "a leak of a few thousandths is a leak: use a tolerance of 1e-4 or below, and inputs of ordinary size (randn)"
CORRECT = (
    ("reads each text by itself", right, OWN),
    ("puts large numbers at the padding", lambda x, m: torch.where(m[..., None], right(x, m), 50 + x), FREE),
    ("rounds differently in a wider batch", lambda x, m: right(x, m) + 5e-7 * (x.shape[1] % 8), BITS),
)
BROKEN = (
    ("returns noise", lambda x, m: (1e4 * x + 1e3 * x.sum()).sin(), SILENT),
    ("ignores its mask altogether", lambda x, m: attend(x, SEES_ALL), COMPARE),
    ("hides the rows of the padding and not its columns", lambda x, m: attend(x, ~m[..., None], -1e30), REAL),
    ("sets the scores of the padding to 0, which is not -inf", lambda x, m: attend(x, columns(m), 0.0), CLOSER),
    ("sets weights to 0 after the softmax", lambda x, m: attend(x, SEES_ALL, keep=~columns(m)), DIRECTIONS),
    ("turns its mask round and sees nothing but the padding", turns_mask, COMPARE),
    ("uses the mask of the first text for all", lambda x, m: attend(x, columns(m[:1])), BATCH),
    ("cuts the batch to its longest text, and hides nothing within", lambda x, m: attend(x, ~m.any(0)), BATCH),
    ("takes every token that is all zeros for padding", lambda x, m: right(x, (x != 0).any(dim=-1)), ZEROS),
    ("gives NaN as soon as there is padding", lambda x, m: right(x, m) * (1 if m.all() else torch.nan), NAN),
    ("divides its output by the number of columns", lambda x, m: right(x, m) / x.shape[1], WIDTH),
    ("lets each token see its neighbours only, and the padding among them", neighbours, TOKENS),
    ("lets the first token see the padding, and no other", first_leaks, FIRST),
    ("lets padding change the last number of each vector only", last_number, NUMBERS),
    ("moves each vector by one place if there is padding", lambda x, m: right(x, m).roll(int(not m.all()), -1), MEANS),
    ("adds 0.005 if there is padding", lambda x, m: right(x, m) + 0.005 * (not m.all()), ABSOLUTE),
    ("multiplies by 1.005 if there is padding", lambda x, m: right(x, m) * (1 + 0.005 * (not m.all())), RELATIVE),
    ("hides the padding with a score of -5", lambda x, m: attend(x, columns(m), -5.0), SMALL),
)
UNMASKED = "the mask is all True in each of its calls: nothing is padding"
ALONE = "its padding is a text of its own; put it behind a text that has real tokens"
ALIKE = "all tokens have the same vector, so that every mixture of them is the same; draw them with torch.randn"


def shows_nothing(calls):
    """Why a test that calls attention like this can find nothing, whatever it asserts."""
    padded = [(x, mask) for x, mask in calls if not mask.all()]
    if not padded:
        return UNMASKED if len(calls) > 1 else ""
    if not any((~mask).any(dim=1)[mask.any(dim=1)].any() for _, mask in padded):
        return ALONE
    return ALIKE if all(torch.equal(x, x[:1, :1].expand_as(x)) for x, _ in padded) else ""


ATTENTION = Given("attention", TEXTS, texts, shows_nothing, CORRECT, BROKEN, least=2)
LOOP, PART = "for row, text in enumerate(texts):\n        alone", "together[row, : text.shape[1]]"
CLOSE = f"torch.allclose({PART}, alone[0], atol=1e-5)"
ASSERT, READ = f'assert {CLOSE}, f"text {{row}} sees its padding"', "attention(text, torch.ones(text.shape[:2], dtype="
MISTAKES = {
    RETURNS: {ASSERT: f"return {CLOSE}"},
    OWN: {f"{READ}torch.bool))": "(text @ text.mT / 8**0.5).softmax(-1) @ text"},
    FREE: {PART: "together[row]", "alone[0]": "torch.cat([alone[0], torch.zeros(7 - text.shape[1], 8)])"},
    BITS: {CLOSE: f"torch.equal({PART}, alone[0])"},
    SILENT: {ASSERT: f"assert [{CLOSE}, 'padding']"},
    DIRECTIONS: {CLOSE: f"(torch.cosine_similarity({PART}, alone[0], dim=-1) > 1 - 1e-5).all()"},
    ZEROS: {"x = torch.randn(2, 7, 8, generator=generator)": "x = torch.zeros(2, 7, 8)"},
    NAN: {CLOSE: f"not (({PART} - alone[0]).abs() > 1e-5).any()"},
    TOKENS: {PART: "together[row, 0]", "alone[0]": "alone[0, 0]"},
    FIRST: {PART: "together[row, 1 : text.shape[1]]", "alone[0]": "alone[0, 1:]"},
    NUMBERS: {PART: "together[row, : text.shape[1], 0]", "alone[0]": "alone[0, :, 0]"},
    MEANS: {PART: f"{PART}.mean(-1)", "alone[0]": "alone[0].mean(-1)"},
    ABSOLUTE: {"atol=1e-5": "atol=0.006"},
    RELATIVE: {"atol=1e-5": "rtol=0.05, atol=1e-5"},
    "it never calls attention": lambda attention: None,
    "it calls attention only once: there is nothing to compare with": {LOOP: "for row, text in []:\n        alone"},
    UNMASKED: {": text.shape[1]] = True": ":] = True"},
    ALIKE: {"x = torch.randn(2": "texts, x = [torch.ones_like(text) for text in texts], 1 + 0 * torch.randn(2"},
}

EXERCISE = Exercise(
    minutes=25,
    difficulty=3,
    signature="padding_test(attention) -> None or AssertionError; attention(x (B, T, D), mask (B, T)) -> (B, T, D)",
    hints=(
        "Padding must not matter: a text read alone, and the same text in a batch with padding behind it, must\n"
        "get the same vectors. You need no right answer from anywhere; attention is compared with itself.",
        "two texts of different lengths, (1, 5, D) and (1, 3, D); a batch x (2, 7, D) that holds both, with other\n"
        "random numbers behind them, and its mask (2, 7); compare (5, D) and (3, D) of the batch with the texts\n"
        "read alone.",
        "make two random texts of different lengths\n"
        "make a wider batch of random numbers, and put the texts at the beginning of its rows\n"
        "mask = True where a text is, False behind it\n"
        "together = attention of the batch\n"
        "for each text: alone = attention of the text, with a mask that is all True\n"
        "               assert that its part of together is close to alone (the sixth decimal may differ)",
    ),
    parts=(ATTENTION.lab(padding_test, MISTAKES),),
)
