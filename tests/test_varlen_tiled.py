"""Tiles: exact against torch's own attention, and in memory that grows with the length and not with its square."""

import itertools

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn.functional import scaled_dot_product_attention

import minibert.varlen.tiled as tiled
from minibert.bench.memory import live_bytes
from minibert.varlen import PackedContext, attention, choose_backend, reference_attention, tiled_attention
from minibert.varlen.dispatch import Machine


def packed(lengths, heads, groups, dtype, head_size=16, seed=0):
    generator = torch.Generator().manual_seed(seed)
    shapes = [(sum(lengths), count, head_size) for count in (heads, groups, groups)]
    tensors = [torch.randn(shape, generator=generator, dtype=dtype).requires_grad_() for shape in shapes]
    return tensors, torch.tensor([0, *itertools.accumulate(lengths)], dtype=torch.int32)


def by_torch(query, key, value, borders, window):
    """One call of torch's fused attention over the whole row, with a mask for texts and window."""
    document = torch.repeat_interleave(borders.diff())
    index = torch.arange(len(query))
    visible = document[:, None] == document
    if window is not None:
        visible = visible & ((index[:, None] - index).abs() <= window)
    key, value = (x.repeat_interleave(query.shape[1] // x.shape[1], dim=1) for x in (key, value))
    heads_first = (x.transpose(0, 1)[None] for x in (query, key, value))
    return scaled_dot_product_attention(*heads_first, attn_mask=visible)[0].transpose(0, 1)


@pytest.mark.parametrize(("dtype", "atol"), [(torch.float32, 1e-5), (torch.float64, 1e-12)])
@pytest.mark.parametrize("window", [None, 0, 1, 64, 255, 256, 300, 5000])
@pytest.mark.parametrize("groups", [1, 2, 4])
def test_tiles_are_torchs_attention_in_output_and_gradient(dtype, atol, window, groups):
    tensors, borders = packed([300, 1, 513, 40, 256, 256], heads=4, groups=groups, dtype=dtype)
    output, _ = attention(*tensors, borders, 513, window=window, backend="tiled")
    expected = by_torch(*tensors, borders, window)
    torch.testing.assert_close(output, expected, rtol=0, atol=atol)
    direction = torch.randn(output.shape, generator=torch.Generator().manual_seed(1), dtype=dtype)
    mine, theirs = (torch.autograd.grad(x, tensors, direction) for x in (output, expected))
    for one, other in zip(mine, theirs, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=atol)


@given(data=st.data())
def test_any_tile_gives_the_same(data):
    lengths = data.draw(st.lists(st.integers(1, 20), min_size=1, max_size=4))
    window, tile = data.draw(st.none() | st.integers(0, 21)), data.draw(st.integers(1, 25))
    tensors, borders = packed(lengths, 2, 1, torch.float64, head_size=3, seed=data.draw(st.integers(0, 99)))
    context = PackedContext(borders, max(lengths), window=window, scale=data.draw(st.none() | st.floats(0.01, 3)))
    before = tiled.TILE
    try:
        tiled.TILE = tile
        output = tiled_attention(*tensors, context)
        mine = torch.autograd.grad(output.square().sum(), tensors)
    finally:
        tiled.TILE = before
    expected, _ = reference_attention(*tensors, context)
    torch.testing.assert_close(output, expected, rtol=0, atol=1e-12)
    for one, other in zip(mine, torch.autograd.grad(expected.square().sum(), tensors), strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-11)


@pytest.mark.parametrize("dropout", [0.0, 0.4])
def test_the_gradient_is_the_derivative(dropout, monkeypatch):
    """With dropout too: the backward pass drops what the forward pass dropped."""
    monkeypatch.setattr(tiled, "TILE", 3)
    tensors, borders = packed([7, 2], 2, 1, torch.float64, head_size=2)
    context = PackedContext(borders, 7, window=4, dropout=dropout)

    def call(*inputs):
        torch.manual_seed(3)
        return tiled_attention(*inputs, context)

    with torch.random.fork_rng():
        assert torch.autograd.gradcheck(call, tensors)


def test_scores_of_any_size_do_not_overflow():
    """A softmax that forgets to subtract the largest score gives inf / inf here, a wrong correction gives 0 / 0."""
    tensors, borders = packed([700], 1, 1, torch.float32)
    query, key, value = (x.detach() for x in tensors)
    ramp = torch.linspace(-200, 200, 700)[:, None, None]
    for turned in (ramp, ramp.flip(0)):
        found, _ = attention(query.abs() * 3, turned.expand_as(key), value, borders, 700, backend="tiled")
        expected = by_torch(query.abs() * 3, turned.expand_as(key), value, borders, None)
        torch.testing.assert_close(found, expected, rtol=0, atol=1e-5)


@pytest.fixture
def grown(monkeypatch):
    """How the memory of forward and backward grows with the text."""

    monkeypatch.setattr(tiled, "TILE", 128)

    def forward_and_backward(backend, tokens, window):
        x = torch.randn(tokens, 2, 16, requires_grad=True)
        borders = torch.tensor([0, tokens], dtype=torch.int32)

        def run():
            output, _ = attention(x, x, x, borders, tokens, window=window, backend=backend)
            torch.autograd.grad(output.sum(), x)

        run()  # what is taken once for good is taken now
        return live_bytes(run)

    def ratio(backend, window):
        """What the second doubling of the text costs, over the first: 2 if memory is a line, 4 if a square."""
        few, some, many = (forward_and_backward(backend, tokens, window) for tokens in (512, 1024, 2048))
        return (many - some) / (some - few)

    return ratio


@pytest.mark.parametrize("window", [None, 100])
def test_memory_grows_with_the_length(grown, window):
    assert 1.9 < grown("tiled", window) < 2.1


def test_the_measure_above_sees_a_square(grown):
    assert grown("reference", None) > 3.8


def test_it_is_used_when_asked_for_by_name_and_never_chosen():
    for machine in (Machine(), Machine("cuda", (9, 0)), Machine("cuda", (7, 5)), Machine("mps")):
        for window, dropout in itertools.product((None, 64), (0.0, 0.1)):
            for dtype in (torch.float32, torch.bfloat16):
                call = dict(machine=machine, dtype=dtype, window=window, dropout=dropout)
                assert choose_backend("auto", **call) != "tiled"
                assert choose_backend("tiled", **call) == "tiled"


def test_the_forward_pass_keeps_its_inputs_its_output_and_one_number_a_row():
    tensors, borders = packed([600], 2, 2, torch.float32)
    output = tiled_attention(*tensors, PackedContext(borders, 600))
    node = next(node for node in ancestors(output.grad_fn) if node.name() == "_TilesBackward")
    assert sorted(x.numel() for x in node.saved_tensors) == [600 * 2, *[600 * 2 * 16] * 4]


def ancestors(node):
    yield node
    for parent, _ in node.next_functions:
        if parent is not None:
            yield from ancestors(parent)
