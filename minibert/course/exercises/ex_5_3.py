"""5.3 Write the test of padding invariance: a case is an attention, and the answer is what the test says of it."""

import torch
from torch import Tensor

from minibert.course.exercise import Exercise, Wrong
from minibert.course.lab import Case, Lab
from minibert.course.tools import call, kind_of, show


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


def project(x, which):
    width, generator = x.shape[-1], torch.Generator().manual_seed(which)
    return x @ (torch.randn(width, width, generator=generator, dtype=torch.float64) * width**-0.5).to(x)


def weights(x, hidden, fill=float("-inf")):
    scores = project(x, 0) @ project(x, 1).mT * x.shape[-1] ** -0.5  # (B, T, T)
    return scores.masked_fill(hidden, fill).softmax(dim=-1)


def attend(x, hidden, fill=float("-inf")):
    """Self-attention with fixed weights of its own: x (B, T, D), hidden (B, T, T) -> (B, T, D)."""
    return weights(x, hidden, fill) @ project(x, 2)


def keys(mask):
    """What each query may not see: the padding (B, T) as columns of (B, T, T)."""
    return ~mask[:, None, :].expand(-1, mask.shape[1], -1)


def sees_all(x):
    return torch.zeros(*x.shape[:2], x.shape[1], dtype=torch.bool)


def right(x, mask):
    """Each text by itself, zeros at its padding."""
    output = torch.zeros_like(x)
    for row, real in enumerate(mask):
        if real.any():
            text = x[row, real][None]
            output[row, real] = attend(text, sees_all(text))[0]
    return output


def numbers_at_padding(x, mask):
    return torch.where(mask[..., None], right(x, mask), 50 + torch.arange(x.shape[1])[:, None] + x)


def noise(x, mask):
    seed = int(x.double().abs().sum() * 1e4) + x.shape[1]
    return torch.randn(x.shape, generator=torch.Generator().manual_seed(seed), dtype=x.dtype)


def hides_rows(x, mask):
    return attend(x, ~mask[:, :, None].expand(-1, -1, x.shape[1]), -1e30)


def zeroes_weights(x, mask):
    return (weights(x, sees_all(x)) * ~keys(mask)) @ project(x, 2)


def turns_mask(x, mask):
    return attend(x, ~keys(mask) & ~mask.all(dim=1)[:, None, None], -1e30)


def longest_only(x, mask):
    longest, output = int(mask.sum(dim=1).max()), torch.zeros_like(x)
    output[:, :longest] = attend(x[:, :longest], sees_all(x[:, :longest]))
    return output


def neighbours(x, mask):
    return attend(x, ~torch.ones(x.shape[1], x.shape[1], dtype=torch.bool).triu(-1).tril(1)[None])


def first_leaks(x, mask):
    return torch.cat([attend(x, sees_all(x))[:, :1], right(x, mask)[:, 1:]], dim=1)


def last_number(x, mask):
    leak = 0.2 * (~mask).sum(dim=1)[:, None, None].to(x)
    return torch.cat([right(x, mask)[..., :-1], right(x, mask)[..., -1:] + leak], dim=-1)


OWN = (
    "does your test compare attention with itself? Read a text alone, read it again with padding behind it, and "
    "compare these two; any other oracle, such as attention written by you, has other weights"
)
FREE = "the output at the padding may be anything: compare the real positions only"
BITS = (
    "numbers computed in another order differ in the sixth decimal: compare with an absolute tolerance, such as "
    "torch.allclose(a, b, atol=1e-4)"
)
CORRECT = (
    ("reads each text by itself", right, OWN),
    ("puts large numbers at the padding", numbers_at_padding, FREE),
    ("rounds differently in a wider batch", lambda x, mask: right(x, mask) + 5e-7 * (x.shape[1] % 8), BITS),
)
SILENT = (
    "compare the numbers of two outputs, and assert that they agree; `assert (a, 'text')` in parentheses is a tuple, "
    "which is always true"
)
COMPARE = (
    "compare a text alone with the same text in a batch where padding stands behind it, and assert that they agree"
)
REAL = "compare the vectors of the real tokens, not those at the padding"
DIRECTIONS = "the outputs shrink as padding grows: compare numbers, not directions or signs"
BATCH = "put at least two texts of different lengths into one batch, and compare each of them"
ZEROS = "fill the padding with numbers, not with zeros: the vector of [PAD] is not zero in a real model"
NAN = (
    "comparisons with NaN are always False, so `not (difference > tolerance)` holds for NaN; assert "
    "`difference < tolerance` or torch.allclose"
)
WIDTH = "compare a text alone, without padding, with the same text padded; two padded versions of equal width agree"
TOKENS = "compare all tokens of the text: here only the last token of a text stands beside the padding"
FIRST = "compare all tokens of the text, the first one too"
NUMBERS = "compare all D numbers of each vector, not one of them"
MEANS = "the same numbers stand in other places: compare number by number, not means, sums, norms or maxima"
ABSOLUTE = "a difference of 0.005 is a leak: is the absolute tolerance, atol, 1e-4 or below?"
RELATIVE = "a difference of half a percent is a leak: is the relative tolerance, rtol, 1e-4 or below?"
CLOSER = "the padding still gets a weight: is your tolerance too large, or the padding too much like the text?"
SMALL = "a leak of a few thousandths is a leak: use a tolerance of 1e-4 or below, and inputs of ordinary size (randn)"
BROKEN = (
    ("returns noise", noise, SILENT),
    ("ignores its mask altogether", lambda x, mask: attend(x, sees_all(x)), COMPARE),
    ("hides the rows of the padding and not its columns", hides_rows, REAL),
    ("sets the scores of the padding to 0, which is not -inf", lambda x, mask: attend(x, keys(mask), 0.0), CLOSER),
    ("sets the weights of the padding to 0 after the softmax", zeroes_weights, DIRECTIONS),
    ("turns its mask round and sees nothing but the padding", turns_mask, COMPARE),
    ("uses the mask of the first text for all", lambda x, mask: attend(x, keys(mask[:1].expand_as(mask))), BATCH),
    ("cuts the batch to its longest text and does no masking within", longest_only, BATCH),
    ("takes every token that is all zeros for padding", lambda x, mask: right(x, (x != 0).any(dim=-1)), ZEROS),
    ("gives NaN as soon as there is padding", lambda x, m: right(x, m) * (1 if m.all() else torch.nan), NAN),
    ("divides its output by the number of columns", lambda x, mask: right(x, mask) / x.shape[1], WIDTH),
    ("lets each token see its neighbours only, and the padding among them", neighbours, TOKENS),
    ("lets the first token see the padding, and no other", first_leaks, FIRST),
    ("lets padding change the last number of each vector only", last_number, NUMBERS),
    ("moves each vector by one place if there is padding", lambda x, m: right(x, m).roll(int(not m.all()), -1), MEANS),
    ("adds 0.005 if there is padding", lambda x, m: right(x, m) + 0.005 * (not m.all()), ABSOLUTE),
    ("multiplies by 1.005 if there is padding", lambda x, m: right(x, m) * (1 + 0.005 * (not m.all())), RELATIVE),
    ("hides the padding with a score of -5", lambda x, mask: attend(x, keys(mask), -5.0), SMALL),
)
PASSES, RAISES = "it passes", "it raises an AssertionError"


def cases(rng):
    for kind, table in (("a correct", CORRECT), ("a broken", BROKEN)):
        for what, attention, cause in table:
            yield Case((attention,), cause, f"what your test says of {kind} attention, which {what},")


def verdict(answer, attention, calls=None):
    """What the learner's test says of an attention; `calls` collects the inputs."""
    strange = []

    def watched(x, mask):
        if problem := not_a_batch(x, mask):
            strange.append(problem)
            raise AssertionError(problem)
        x, mask = x.detach().clone(), mask.detach().clone().bool()
        if calls is not None:
            calls.append((x, mask))
        return attention(x, mask)

    def tried(attention):
        try:
            return PASSES, answer(attention)
        except AssertionError:
            return RAISES, None

    said, result = call(tried, watched)
    if strange:
        wanted = "x (B, T, D) of floats, mask (B, T) of True and False"
        raise Wrong(f"your test calls attention with {strange[0]}", wanted)
    if result is not None:
        nothing = "it returns nothing; it raises AssertionError when something is wrong"
        raise Wrong(f"your test returns {show(result)}", nothing, RETURNS)
    return said


def not_a_batch(x, mask):
    for name, value, sizes in (("x", x, 3), ("mask", mask, 2)):
        if not isinstance(value, Tensor) or value.dim() != sizes:
            return f"{name} = {kind_of(value)}"
    if not x.is_floating_point():
        return f"x of dtype {str(x.dtype)[6:]}"
    if mask.shape != x.shape[:2]:
        return f"x {tuple(x.shape)} and mask {tuple(mask.shape)}, which do not fit"
    return "" if ((mask == 0) | (mask == 1)).all() else "a mask that is neither True nor False somewhere"


NEVER, ONCE = "it never calls attention", "it calls attention only once: there is nothing to compare with"
UNMASKED = "the mask is all True in each of its calls: nothing is padding"
ALONE = "its padding is a text of its own; put it behind a text that has real tokens"
RETURNS = "write `assert ...` where you return; nobody looks at what a test returns"
ALIKE = "all tokens have the same vector, so that every mixture of them is the same; draw them with torch.randn"


def look_at_calls(answer, rng):
    """Refuse a test that cannot find anything, whatever it asserts."""
    calls = []
    passes = verdict(answer, right, calls) == PASSES
    padded = [(x, mask) for x, mask in calls if not mask.all()]
    cause = ""
    if not padded and (len(calls) > 1 or passes):
        cause = UNMASKED if len(calls) > 1 else ONCE if calls else NEVER
    elif passes and len(calls) == 1:
        cause = ONCE
    elif passes and not any((~mask).any(dim=1)[mask.any(dim=1)].any() for _, mask in padded):
        cause = ALONE
    elif passes and all(torch.equal(x, x[:1, :1].expand_as(x)) for x, _ in padded):
        cause = ALIKE
    if cause:
        raise Wrong("your test can find nothing, whatever the attention does", "it notices that padding matters", cause)


LOOP, PART = "for row, text in enumerate(texts):\n        alone", "together[row, : text.shape[1]]"
CLOSE = f"torch.allclose({PART}, alone[0], atol=1e-5)"
ASSERT = f'assert {CLOSE}, f"text {{row}} sees its padding"'


def changes_the_padding(attention):
    x, mask = torch.randn(2, 7, 8), torch.arange(7) < torch.tensor([[5], [3]])
    other = torch.where(mask[..., None], x, 3 * x + 1)
    assert torch.allclose(attention(x, mask)[mask], attention(other, mask)[mask], atol=1e-5)


def one_text_at_a_time(attention):
    x = torch.randn(1, 7, 8)
    for size in (5, 3):
        padded, alone = attention(x, torch.arange(7)[None] < size), attention(x[:, :size], torch.ones(1, size))
        assert torch.allclose(padded[:, :size], alone, atol=1e-5)


def pads_whole_texts(attention):
    x, mask = torch.randn(2, 7, 8), torch.ones(2, 7) * torch.tensor([[1], [0]])
    assert torch.allclose(attention(x, mask)[:1], attention(x[:1], mask[:1]), atol=1e-5)


MISTAKES = {
    RETURNS: {ASSERT: f"return {CLOSE}"},
    OWN: {
        "attention(text, torch.ones(text.shape[:2], dtype=torch.bool))": "(text @ text.mT / 8**0.5).softmax(-1) @ text"
    },
    FREE: {PART: "together[row]", "alone[0]": "torch.cat([alone[0], torch.zeros(7 - text.shape[1], 8)])"},
    BITS: {CLOSE: f"torch.equal({PART}, alone[0])"},
    SILENT: {ASSERT: f"assert [{CLOSE}, 'padding']"},
    DIRECTIONS: {CLOSE: f"(torch.cosine_similarity({PART}, alone[0], dim=-1) > 1 - 1e-5).all()"},
    BATCH: one_text_at_a_time,
    ZEROS: {"x = torch.randn(2, 7, 8, generator=generator)": "x = torch.zeros(2, 7, 8)"},
    NAN: {CLOSE: f"not (({PART} - alone[0]).abs() > 1e-5).any()"},
    WIDTH: changes_the_padding,
    TOKENS: {PART: "together[row, 0]", "alone[0]": "alone[0, 0]"},
    FIRST: {PART: "together[row, 1 : text.shape[1]]", "alone[0]": "alone[0, 1:]"},
    NUMBERS: {PART: "together[row, : text.shape[1], 0]", "alone[0]": "alone[0, :, 0]"},
    MEANS: {PART: f"{PART}.mean(-1)", "alone[0]": "alone[0].mean(-1)"},
    ABSOLUTE: {"atol=1e-5": "atol=0.006"},
    RELATIVE: {"atol=1e-5": "rtol=0.05, atol=1e-5"},
    # these are found by look_at_calls
    NEVER: lambda attention: None,
    ONCE: {LOOP: "for row, text in []:\n        alone"},
    UNMASKED: {": text.shape[1]] = True": ":] = True"},
    ALONE: pads_whole_texts,
    ALIKE: {"x = torch.randn(2": "texts, x = [torch.ones_like(text) for text in texts], 1 + 0 * torch.randn(2"},
}

EXERCISE = Exercise(
    number="5.3",
    title="Write the test of padding invariance",
    minutes=25,
    difficulty=3,
    signature="padding_test(attention) -> None, or AssertionError; "
    "attention(x (B, T, D), mask (B, T) bool) -> (B, T, D)",
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
    parts=(Lab(padding_test, cases, MISTAKES, verdict, look_at_calls, coarse=True),),
)
