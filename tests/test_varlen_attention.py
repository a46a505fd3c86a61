"""The attention back-ends: one specification, several implementations, the same numbers and the same gradients."""

import itertools

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from minibert.varlen import ANYWHERE, attention

FAST = [name for name in ANYWHERE if name != "reference"]
K = 4


def packed(lengths, heads, groups, seed=0, dtype=torch.float64, head_size=K):
    """Random query, key, value with gradients, and the borders of the documents."""
    generator = torch.Generator().manual_seed(seed)
    tokens = sum(lengths)
    tensors = [
        torch.randn(tokens, count, head_size, generator=generator, dtype=dtype).requires_grad_()
        for count in (heads, groups, groups)
    ]
    borders = torch.tensor([0, *itertools.accumulate(lengths)], dtype=torch.int32)
    return tensors, borders


def run(tensors, borders, backend, **options):
    """Output and the gradients of a fixed random projection of it."""
    tensors = [tensor.detach().clone().requires_grad_() for tensor in tensors]
    longest = int(borders.diff().max())
    output, _ = attention(*tensors, borders, longest, backend=backend, **options)
    weights = torch.linspace(-1, 2, output.numel(), dtype=output.dtype).view(output.shape)
    (output * weights).sum().backward()
    return output.detach(), [tensor.grad for tensor in tensors]


def assert_same(first, second, atol=1e-9):
    torch.testing.assert_close(first[0], second[0], rtol=0, atol=atol)
    for mine, other in zip(first[1], second[1], strict=True):
        torch.testing.assert_close(mine, other, rtol=0, atol=atol)


@pytest.mark.parametrize("backend", FAST)
@pytest.mark.parametrize("groups", [1, 2, 6])
@pytest.mark.parametrize("window", [None, 0, 1, 3, 6, 7, 8, 100])
def test_backends_agree_in_output_and_gradient(backend, groups, window):
    tensors, borders = packed([7, 1, 4, 9], heads=6, groups=groups)  # windows below, at and above the lengths
    assert_same(run(tensors, borders, backend, window=window), run(tensors, borders, "reference", window=window))


@pytest.mark.parametrize("backend", FAST)
@given(data=st.data())
def test_backends_agree_on_anything(backend, data):
    lengths = data.draw(st.lists(st.integers(1, 12), min_size=1, max_size=5))
    heads, groups = data.draw(st.sampled_from([(1, 1), (2, 1), (4, 2), (6, 3), (3, 3)]))
    window = data.draw(st.none() | st.integers(0, 13))
    scale = data.draw(st.none() | st.floats(0.01, 2))
    tensors, borders = packed(lengths, heads, groups, seed=data.draw(st.integers(0, 1000)))
    options = dict(window=window, scale=scale)
    assert_same(run(tensors, borders, backend, **options), run(tensors, borders, "reference", **options))


@pytest.mark.parametrize("backend", ANYWHERE)
def test_the_reference_is_the_formula(backend):
    """Against the textbook line with an explicit mask over the whole packed row, written here a second time."""
    heads, groups, window = 4, 2, 2
    tensors, borders = packed([5, 3], heads, groups)
    query, key, value = (tensor.detach() for tensor in tensors)
    document = torch.tensor([0] * 5 + [1] * 3)
    index = torch.arange(8)
    visible = (document[:, None] == document) & ((index[:, None] - index).abs() <= window)
    expected = torch.empty_like(query)
    for head in range(heads):
        shared = {0: 0, 1: 0, 2: 1, 3: 1}[head]  # neighbours share
        scores = query[:, head] @ key[:, shared].T / K**0.5
        weights = scores.exp() * visible
        expected[:, head] = weights / weights.sum(1, keepdim=True) @ value[:, shared]
    output, _ = attention(query, key, value, borders, 5, window=window, backend=backend)
    torch.testing.assert_close(output, expected, rtol=0, atol=1e-9)


@pytest.mark.parametrize("backend", ANYWHERE)
@pytest.mark.parametrize("window", [8, 9, 50])
def test_a_window_as_long_as_the_text_is_global(backend, window):
    tensors, borders = packed([9, 4], heads=2, groups=1)
    assert_same(run(tensors, borders, backend, window=window), run(tensors, borders, backend, window=None), atol=1e-12)


@pytest.mark.parametrize("backend", ANYWHERE)
def test_a_window_one_shorter_is_not(backend):
    tensors, borders = packed([9], heads=2, groups=1)
    narrow, full = (run(tensors, borders, backend, window=window)[0] for window in (7, None))
    assert (narrow - full).abs().amax() > 1e-3


@pytest.mark.parametrize("backend", ANYWHERE)
@pytest.mark.parametrize("groups", [1, 2])
def test_repeated_keys_and_values_equal_shared_ones(backend, groups):
    """G < H is multi-head attention whose neighbouring heads happen to have the same keys and values."""
    (query, key, value), borders = packed([5, 2], heads=4, groups=groups)
    repeated = [x.detach().repeat_interleave(4 // groups, dim=1) for x in (key, value)]
    shared = run([query, key, value], borders, backend, window=2)
    alone = run([query, *repeated], borders, backend, window=2)
    torch.testing.assert_close(shared[0], alone[0], rtol=0, atol=1e-12)
    for mine, other in zip(shared[1][1:], alone[1][1:], strict=True):
        summed = other.unflatten(1, (groups, 4 // groups)).sum(2)  # a shared head collects its sharers' gradients
        torch.testing.assert_close(mine, summed, rtol=0, atol=1e-12)


@pytest.mark.parametrize("backend", ANYWHERE)
def test_a_window_of_128_tokens_reaches_129_keys(backend):
    """With equal scores the output is the mean of the visible values; one-hot values count them."""
    tokens, window = 301, 128 // 2
    zeros = torch.zeros(tokens, 1, 2, dtype=torch.float64)
    value = torch.eye(tokens, dtype=torch.float64)[:, None]  # (N, 1, N)
    output, _ = attention(zeros, zeros, value, torch.tensor([0, tokens]), tokens, window=window, backend=backend)
    seen = output[:, 0] > 0
    assert seen[150].sum() == 129
    assert seen[150].nonzero().flatten().tolist() == list(range(150 - 64, 150 + 65))
    assert seen[0].sum() == 65
    assert seen[300].sum() == 65
    torch.testing.assert_close(output[150, 0].max().item(), 1 / 129)


@pytest.mark.parametrize("backend", ANYWHERE)
def test_no_token_sees_another_document(backend):
    (query, key, value), borders = packed([4, 3], heads=2, groups=2)
    output, _ = attention(query, key, value, borders, 4, backend=backend)
    (reached,) = torch.autograd.grad(output[:4].sum(), value)
    assert (reached[4:] == 0).all()
    assert (reached[:4] != 0).all()


@pytest.mark.parametrize("backend", ANYWHERE)
def test_scale_defaults_to_one_over_the_root_of_the_head_size(backend):
    tensors, borders = packed([5], heads=1, groups=1, head_size=16)
    assert_same(run(tensors, borders, backend), run(tensors, borders, backend, scale=0.25), atol=1e-12)


def test_probabilities_are_rows_of_one_and_make_the_output():
    (query, key, value), borders = packed([4, 2], heads=4, groups=2)
    output, maps = attention(query, key, value, borders, 4, window=1, need_probabilities=True)
    assert [tuple(map_.shape) for map_ in maps] == [(4, 4, 4), (4, 2, 2)]
    torch.testing.assert_close(maps[0].sum(-1), torch.ones(4, 4, dtype=torch.float64), rtol=0, atol=1e-12)
    assert (maps[0].tril(-2) == 0).all()
    assert (maps[0].triu(2) == 0).all()
    again = torch.einsum("hij,jhk->ihk", maps[0], value[:4].repeat_interleave(2, dim=1))
    torch.testing.assert_close(output[:4], again, rtol=0, atol=1e-12)
    assert attention(query, key, value, borders, 4)[1] is None
    assert attention(query, key, value, borders, 4, backend="reference")[1] is None


@pytest.mark.parametrize("backend", ANYWHERE)
@pytest.mark.parametrize("window", [None, 2])  # 2 is short enough for banded to use its band
def test_dropout_drops_and_keeps_the_expectation(backend, window):
    (query, key, value), borders = packed([6], heads=2, groups=2)
    options = dict(window=window, backend=backend)
    with torch.random.fork_rng(), torch.no_grad():
        torch.manual_seed(0)
        draws = [attention(query, key, value, borders, 6, dropout=0.5, **options)[0] for _ in range(600)]
    draws = torch.stack(draws)
    exact, _ = attention(query, key, value, borders, 6, **options)
    assert (draws.std(0) > 0.01).all()
    error = (draws.mean(0) - exact).abs() / (draws.std(0) / 600**0.5)
    assert error.mean() < 2  # in standard errors of the mean


@pytest.mark.parametrize("backend", ANYWHERE)
def test_inputs_are_left_alone(backend):
    tensors, borders = packed([4, 3], heads=2, groups=1)
    before = [tensor.detach().clone() for tensor in (*tensors, borders)]
    attention(*tensors, borders, 4, window=1, backend=backend)
    for tensor, kept in zip((*tensors, borders), before, strict=True):
        assert torch.equal(tensor, kept)


@pytest.mark.parametrize("backend", FAST)
def test_a_back_end_that_cannot_show_probabilities_says_so(backend):
    tensors, borders = packed([2], heads=1, groups=1)
    with pytest.raises(ValueError, match=f"back-end '{backend}' never forms the attention probabilities"):
        attention(*tensors, borders, 2, backend=backend, need_probabilities=True)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (dict(cu_seqlens=torch.tensor([0, 2])), "rise from 0 to N=3"),
        (dict(cu_seqlens=torch.tensor([0, 5])), "rise from 0 to N=3"),
        (dict(cu_seqlens=torch.tensor([0, 2, 1, 3])), "rise from 0 to N=3"),
        (dict(window=-1), "window=-1"),
        (dict(key=torch.ones(3, 3, 2), value=torch.ones(3, 3, 2)), "multiple of G"),
        (dict(value=torch.ones(3, 1, 2)), r"expected \(N, H, K\)"),
        (dict(key=torch.ones(4, 2, 2), value=torch.ones(4, 2, 2)), r"expected \(N, H, K\)"),
    ],
)
def test_attention_refuses_what_does_not_fit(change, complaint):
    x = torch.ones(3, 2, 2)
    arguments = dict(query=x, key=x, value=x, cu_seqlens=torch.tensor([0, 3]), max_seqlen=3) | change
    with pytest.raises(ValueError, match=complaint):
        attention(**arguments)
