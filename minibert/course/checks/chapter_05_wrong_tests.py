"""Exercise 5.3: the solution, and tests of padding invariance that prove less than they seem to."""

import torch

from minibert.course.exercise import Mutant


def _batch(fill=None):
    """Two texts of different lengths, and both in one batch with padding behind them."""
    generator = torch.Generator().manual_seed(3)
    texts = [torch.randn(1, tokens, 8, generator=generator) for tokens in (5, 3)]
    x = torch.randn(2, 7, 8, generator=generator)
    if fill is not None:
        x = torch.full_like(x, fill)
    mask = torch.zeros(2, 7, dtype=torch.bool)
    for row, text in enumerate(texts):
        x[row, : text.shape[1]] = text[0]
        mask[row, : text.shape[1]] = True
    return texts, x, mask


def _whole(text):
    return torch.ones(text.shape[:2], dtype=torch.bool)


def _padding_test(attention):
    texts, x, mask = _batch()
    together = attention(x, mask)  # (2, 7, 8)
    for row, text in enumerate(texts):
        alone = attention(text, _whole(text))[0]  # (5, 8), then (3, 8)
        assert torch.allclose(together[row, : text.shape[1]], alone, atol=1e-5)


def _asserts_nothing(attention):
    texts, x, mask = _batch()
    attention(x, mask), attention(texts[0], _whole(texts[0]))


def _looks_at_shapes(attention):
    _, x, mask = _batch()
    assert attention(x, mask).shape == x.shape and attention(x, mask).isfinite().all()


def _never_calls(attention):
    assert callable(attention)


def _masks_nothing(attention):
    _, x, _ = _batch()
    assert torch.allclose(attention(x, _whole(x))[:1, :5], attention(x, _whole(x))[:1, :5], atol=1e-5)


def _returns_the_verdict(attention):
    texts, x, mask = _batch()
    return torch.allclose(attention(x, mask)[0, :5], attention(texts[0], _whole(texts[0]))[0], atol=1e-5)


def _compares_padding_too(attention):
    texts, x, mask = _batch()
    alone = torch.zeros_like(x)
    for row, text in enumerate(texts):
        alone[row, : text.shape[1]] = attention(text, _whole(text))[0]
    assert torch.allclose(attention(x, mask), alone, atol=1e-5), "they differ"


def _wants_equal_bits(attention):
    texts, x, mask = _batch()
    for row, text in enumerate(texts):
        assert torch.equal(attention(x, mask)[row, : text.shape[1]], attention(text, _whole(text))[0])


def _compares_with_its_own(attention):
    texts, x, mask = _batch()
    (text, _) = texts
    shares = torch.softmax(text @ text.mT / 8**0.5, dim=-1)
    assert torch.allclose(attention(x, mask)[:1, :5], shares @ text, atol=1e-5)


def _only_the_longest(attention):
    texts, x, mask = _batch()
    alone = attention(texts[0], _whole(texts[0]))[0]
    assert torch.allclose(attention(x, mask)[0, :5], alone, atol=1e-5)


def _one_text_at_a_time(attention):
    texts, x, mask = _batch()
    for row, text in enumerate(texts):
        padded = attention(x[row : row + 1], mask[row : row + 1])
        assert torch.allclose(padded[0, : text.shape[1]], attention(text, _whole(text))[0], atol=1e-5)


def _pads_with_zeros(attention):
    texts, x, mask = _batch(fill=0.0)
    together = attention(x, mask)
    for row, text in enumerate(texts):
        assert torch.allclose(together[row, : text.shape[1]], attention(text, _whole(text))[0], atol=1e-5)


def _is_generous(attention):
    texts, x, mask = _batch()
    for row, text in enumerate(texts):
        difference = attention(x, mask)[row, : text.shape[1]] - attention(text, _whole(text))[0]
        assert difference.abs().max() < 0.1


def _blind_to_nan(attention):
    texts, x, mask = _batch()
    for row, text in enumerate(texts):
        difference = attention(x, mask)[row, : text.shape[1]] - attention(text, _whole(text))[0]
        assert not (difference.abs() > 1e-4).any()


def _changes_the_padding(attention):
    _, x, mask = _batch()
    other = torch.where(mask[..., None], x, 3 * x + 1)
    assert torch.allclose(attention(x, mask)[mask], attention(other, mask)[mask], atol=1e-5)


def _only_the_first_token(attention):
    texts, x, mask = _batch()
    together = attention(x, mask)
    for row, text in enumerate(texts):
        alone = attention(text, _whole(text))
        assert torch.allclose(together[row, 0], alone[0, 0], atol=1e-4)


def _all_tokens_alike(attention):
    x, mask = torch.ones(2, 7, 8), torch.arange(7).expand(2, 7) < torch.tensor([[5], [3]])
    assert torch.allclose(attention(x, mask)[0, :5], attention(x[:1, :5], mask[:1, :5])[0], atol=1e-5)


def _pads_whole_texts(attention):
    _, x, mask = _batch()
    mask[0], mask[1] = True, False
    assert torch.allclose(attention(x, mask)[0], attention(x[:1], mask[:1])[0], atol=1e-5)


def _passes_ids(attention):
    attention(torch.ones(2, 7, dtype=torch.long), torch.ones(2, 7))


def _counts_as_mask(attention):
    attention(torch.ones(2, 7, 8), torch.tensor([5, 3]))


PADDING_TESTS = [
    Mutant("asserts nothing", _asserts_nothing, "passes an attention that ignores its mask"),
    Mutant("looks at shapes only", _looks_at_shapes, "passes an attention that ignores its mask"),
    Mutant("never calls attention", _never_calls, "never calls attention"),
    Mutant("masks nothing", _masks_nothing, "nothing is padding"),
    Mutant("returns the verdict", _returns_the_verdict, "returns True.*(?s:.)*assert"),
    Mutant("compares the padding too", _compares_padding_too, "compare the real positions only"),
    Mutant("wants equal bits", _wants_equal_bits, "sixth decimal"),
    Mutant("compares with its own attention", _compares_with_its_own, "compare attention with itself"),
    Mutant("only the longest text", _only_the_longest, "mask of the first text"),
    Mutant("one text at a time", _one_text_at_a_time, "two texts of different lengths"),
    Mutant("pads with zeros", _pads_with_zeros, "not with zeros"),
    Mutant("a tolerance of 0.1", _is_generous, "tolerance"),
    Mutant("blind to NaN", _blind_to_nan, "holds for NaN"),
    Mutant("changes the padding, not its amount", _changes_the_padding, "number of columns"),
    Mutant("only the first token", _only_the_first_token, "compare all tokens"),
    Mutant("all tokens alike", _all_tokens_alike, "same vector"),
    Mutant("pads whole texts", _pads_whole_texts, "a text of its own"),
    Mutant("passes ids", _passes_ids, r"x = a tensor of shape \(2, 7\)(?s:.)*x \(B, T, D\)"),
    Mutant("passes lengths as the mask", _counts_as_mask, r"mask = a tensor of shape \(2,\)(?s:.)*mask \(B, T\)"),
]
