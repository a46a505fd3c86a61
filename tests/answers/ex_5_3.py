"""Answers to 5.3, tests of padding invariance."""

import torch


def two_texts(width=4, padding=1, seed=0):
    generator = torch.Generator().manual_seed(seed)
    long, short = torch.randn(4, width, generator=generator), torch.randn(2, width, generator=generator)
    x = torch.randn(2, 4 + padding, width, generator=generator)
    x[0, :2], x[1, :4] = short, long
    mask = torch.tensor([[1, 1, 0, 0] + [0] * padding, [1, 1, 1, 1] + [0] * padding])
    return short, long, x, mask


def by_testing(padding, as_bool):
    def padding_test(attention):
        short, long, x, mask = two_texts(16, padding)
        mask = mask.bool() if as_bool else mask
        together = attention(mask=mask, x=x)
        torch.testing.assert_close(together[0, :2], attention(short[None], mask[:1, :2])[0])
        torch.testing.assert_close(together[1, :4], attention(long[None], mask[1:, :4])[0])

    return padding_test


def by_difference(padding):
    def padding_test(attention):
        short, long, x, mask = two_texts(3, padding, 1)
        wide, together = torch.cat([x, torch.randn(2, 9, 3)], dim=1), attention(x, mask)
        wider = attention(wide, torch.cat([mask, torch.zeros(2, 9, dtype=torch.long)], dim=1))
        for row, text in enumerate((short, long)):
            alone = attention(text[None], torch.ones(1, len(text)))[0]
            assert (together[row, : len(text)] - alone).abs().max() < 1e-4, "padding leaks"
            assert (wider[row, : len(text)] - alone).abs().max() < 1e-4, "padding leaks"

    return padding_test


def raises_by_itself(attention):
    texts = [torch.randn(1, n, 32, dtype=torch.float64) for n in (2, 6, 3)]
    mask = torch.nn.utils.rnn.pad_sequence([torch.ones(t.shape[1]) for t in texts], batch_first=True).bool()
    x = torch.nn.utils.rnn.pad_sequence([t[0] for t in texts], batch_first=True, padding_value=1.5)
    for row, text in enumerate(texts):
        alone, together = attention(text, mask[row : row + 1, mask[row]]), attention(x, mask)[row][mask[row]]
        if not torch.allclose(alone[0], together, atol=1e-4):
            raise AssertionError("padding changes a text")


def data():
    x = torch.randn(2, 6, 8, generator=torch.Generator().manual_seed(0))
    return x, torch.arange(6) < torch.tensor([[6], [3]])


def mean_only(attention):
    x, m = data()
    assert abs(float(attention(x, m)[1, :3].mean() - attention(x[1:, :3], m[1:, :3]).mean())) < 1e-4


def norms_only(attention):
    x, m = data()
    one, other = attention(x, m)[1, :3].norm(dim=-1), attention(x[1:, :3], m[1:, :3])[0].norm(dim=-1)
    assert torch.allclose(one, other, atol=1e-5)


def generous(attention):
    x, m = data()
    y = x.clone()
    y[~m] = 7.0
    torch.testing.assert_close(attention(x, m)[m], attention(y, m)[m], rtol=0.1, atol=0.05)
    torch.testing.assert_close(attention(x, m)[1, :3], attention(x[1:, :3], m[1:, :3])[0], rtol=0.1, atol=0.05)


def asserts_a_list(attention):  # the comparison is right, the assert never fires
    x, m = data()
    assert [torch.allclose(attention(x, m)[1, :3], attention(x[1:, :3], m[1:, :3])[0], atol=1e-5), "padding"]


def nothing_is_padding(attention):
    x, m = data()
    m = torch.ones_like(m)
    assert torch.allclose(attention(x, m)[:, :3], attention(x[:, :3], m[:, :3]), atol=1e-5)


def only_finite(attention):
    x, m = data()
    assert attention(x, m).isfinite().all() and attention(x[:1], m[:1]).shape == (1, 6, 8)


def always_fails(attention):
    raise AssertionError("no")


def swallows(attention):
    try:
        attention(None, None)
    except Exception:
        pass


def zero_padding(attention):
    x, m = data()
    x = x * m[..., None]
    assert torch.allclose(attention(x, m)[1, :3], attention(x[1:, :3], m[1:, :3])[0], atol=1e-5)


def padding_in_front(attention):
    x, m = data()
    x, m = x.flip(1), m.flip(1)
    assert torch.allclose(attention(x, m)[1, 3:], attention(x[1:, 3:], m[1:, 3:])[0], atol=1e-4)


def raises_something_else(attention):
    x, m = data()
    if not torch.allclose(attention(x, m)[1, :3], attention(x[1:, :3], m[1:, :3])[0], atol=1e-4):
        raise ValueError("padding leaks")


def squares(attention):
    x, m = data()
    assert (attention(x, m)[1, :3] - attention(x[1:, :3], m[1:, :3])[0]).square().mean() < 1e-4


def ids(attention):
    attention(torch.ones(2, 7, dtype=torch.long), torch.ones(2, 7))


def lengths(attention):
    attention(torch.ones(2, 7, 8), torch.tensor([5, 3]))


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


RIGHT = {
    **{f"testing {n} {kind}": by_testing(n, kind) for n in (0, 1, 12) for kind in (True, False)},
    **{f"difference {n}": by_difference(n) for n in (0, 1, 12)},
    "raises by itself": raises_by_itself,
    "padding in front": padding_in_front,
}
WRONG = {
    "mean only": (mean_only, "not means"),
    "changes the padding": (changes_the_padding, "two padded versions of equal width agree"),
    "one text at a time": (one_text_at_a_time, "at least two texts of different lengths"),
    "pads whole texts": (pads_whole_texts, "its padding is a text of its own"),
    "norms only": (norms_only, "not means, sums, norms"),
    "generous": (generous, "tolerance"),
    "asserts a list": (asserts_a_list, "always true"),
    "nothing is padding": (nothing_is_padding, "nothing is padding"),
    "only finite": (only_finite, "compare the numbers of two outputs"),
    "always fails": (always_fails, "never calls attention"),
    "swallows": (swallows, r"x = None(?s:.)*x \(B, T, D\)"),
    "raises something else": (raises_something_else, "AssertionError, and nothing else"),
    "squares": (squares, "difference of 0.005"),
    "zeros as padding": (zero_padding, "not with zeros"),
    "no parameter": (lambda: None, "compare your parameters with the signature"),
    "returns": (lambda attention: attention, "assert"),
    "ids": (ids, r"x = a tensor of shape \(2, 7\)(?s:.)*x \(B, T, D\)"),
    "lengths": (lengths, r"mask = a tensor of shape \(2,\)(?s:.)*mask \(B, T\)"),
}
