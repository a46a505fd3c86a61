"""The band: which keys a block of queries sees, what it costs, and what the layers of one pass share."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from oracles import ragged_batch, randomize, small_config
from torch.utils._python_dispatch import TorchDispatchMode

import minibert.varlen.banded as banded
import minibert.varlen.per_document as per_document
from minibert import Encoder
from minibert.varlen import (
    PackedContext,
    attend,
    attention,
    banded_attention,
    per_document_attention,
    reference_attention,
)


def borders_of(lengths):
    return torch.tensor([0, *lengths]).cumsum(0).to(torch.int32)


def one_text(tokens, window):
    return PackedContext(borders_of([tokens]), tokens, window=window)


@given(st.lists(st.integers(1, 40), min_size=1, max_size=6), st.integers(1, 9))
def test_the_band_mask_is_its_definition_read_token_by_token(lengths, window):
    mask = banded.band_mask(borders_of(lengths), window, torch.float32)
    documents = [number for number, length in enumerate(lengths) for _ in range(length)]
    tokens = len(documents)
    assert mask.shape == (-(-tokens // window), 1, window, 3 * window)
    for block, queries in enumerate(mask[:, 0].tolist()):
        for row, values in enumerate(queries):
            query = block * window + row
            assert min(abs(value) for value in values) == 0, "an empty row is a row of NaN"
            if query >= tokens:
                continue
            for column, value in enumerate(values):
                key = (block - 1) * window + column
                visible = 0 <= key < tokens and abs(query - key) <= window and documents[query] == documents[key]
                assert value == (0 if visible else -torch.inf), (query, key)


class LargestTensor(TorchDispatchMode):
    """The number of elements of the largest tensor that any operation makes."""

    largest = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        for x in result if isinstance(result, tuple | list) else (result,):
            if isinstance(x, torch.Tensor):
                self.largest = max(self.largest, x.untyped_storage().nbytes() // x.element_size())
        return result


def largest_tensor(tokens: int, window: int = 8) -> int:
    x = torch.randn(tokens, 2, 8, requires_grad=True)
    with LargestTensor() as seen:
        banded_attention(x, x, x, one_text(tokens, window)).sum().backward()
    return seen.largest


def test_memory_grows_with_the_length_and_not_with_its_square():
    assert 1.9 < largest_tensor(1024) / largest_tensor(512) < 2.1


def test_the_measure_above_sees_a_square():
    def square(tokens):
        x = torch.randn(tokens, 1, 8)
        with LargestTensor() as seen:
            reference_attention(x, x, x, one_text(tokens, window=8))
        return seen.largest

    assert square(512) / square(256) > 3.5


def test_a_gradient_stays_finite_where_the_last_block_is_not_full():
    x = torch.randn(21, 2, 4, dtype=torch.float64, requires_grad=True)
    banded_attention(x, x, x, one_text(21, window=4)).sum().backward()
    assert x.grad.isfinite().all()


@pytest.mark.parametrize("strip", [1, 8, 12, 2048])
def test_strips_of_blocks_give_what_one_strip_gives(strip, monkeypatch):
    monkeypatch.setattr(banded, "STRIP", strip)
    x = torch.randn(45, 2, 4, dtype=torch.float64)
    context = PackedContext(borders_of([17, 2, 26]), 26, window=4)
    with torch.no_grad():
        found = banded_attention(x, x * 2, x + 1, context)
    expected = reference_attention(x, x * 2, x + 1, context)[0]
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-9)


def test_layers_of_one_pass_make_a_mask_once(monkeypatch):
    made = []
    original = banded.band_mask
    monkeypatch.setattr(banded, "band_mask", lambda *arguments: made.append(1) or original(*arguments))
    config = small_config("modernbert", layers=7)  # layers 1, 2, 4 and 5 are local
    ids, mask, _ = ragged_batch(config, [30, 21])
    model = randomize(Encoder(config)).eval()
    with torch.no_grad():
        first = model(ids, mask).hidden
        assert len(made) == 1
        model(ids[:, :20], mask[:, :20])
        assert len(made) == 2, "other borders, other mask"
        torch.testing.assert_close(model(ids, mask).hidden, first, rtol=0, atol=0)


@pytest.mark.parametrize("backend", ["banded", "per_document"])
def test_layers_with_other_windows_and_dtypes_share_no_mask(backend):
    x = torch.randn(31, 2, 4, dtype=torch.float64)
    whole = PackedContext(borders_of([14, 1, 7, 9]), 14, backend=backend)
    for dtype in (torch.float64, torch.float32):
        for window in (2, 4, None, 6, 2):
            arguments = (x.to(dtype), x.to(dtype), x.to(dtype), whole.for_layer(window, dropout=0.0))
            torch.testing.assert_close(attend(*arguments)[0], reference_attention(*arguments)[0])
    assert whole.shared and whole.window is None


def test_neighbours_of_one_length_take_one_call(monkeypatch):
    calls = []
    original = per_document.attend_equal_lengths
    monkeypatch.setattr(
        per_document, "attend_equal_lengths", lambda *arguments: calls.append(1) or original(*arguments)
    )
    x = torch.randn(26, 2, 4, dtype=torch.float64)
    context = PackedContext(borders_of([3, 3, 3, 5, 3, 3, 6]), 6)
    found = per_document_attention(x, x, x, context)
    assert len(calls) == 4
    torch.testing.assert_close(found, reference_attention(x, x, x, context)[0], rtol=0, atol=1e-9)


@pytest.mark.parametrize("masked", [False, True])
@given(data=st.data())
def test_strips_are_the_fused_kernel(masked, data):
    """The strips are made for bfloat16; in float64 their arithmetic can be compared closely."""
    texts, heads, length = (data.draw(st.integers(1, high)) for high in (3, 3, 23))
    generator = torch.Generator().manual_seed(length)
    draw = dict(generator=generator, dtype=torch.float64)
    query, key, value = (torch.randn(texts, heads, length, 4, **draw) for _ in range(3))
    index = torch.arange(length)
    mask = (index[:, None] - index).abs() <= 2 if masked else None
    before = per_document.STRIP, per_document.SCORES
    try:
        per_document.STRIP, per_document.SCORES = data.draw(st.integers(1, 9)), data.draw(st.integers(1, 200))
        found = per_document.attend_in_strips(query, key, value, mask, 0.3)
    finally:
        per_document.STRIP, per_document.SCORES = before
    expected = torch.nn.functional.scaled_dot_product_attention(query, key, value, attn_mask=mask, scale=0.3)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-9)


def test_strips_serve_bfloat16_inference_on_longer_texts_only(monkeypatch):
    used = []
    original = per_document.attend_in_strips
    monkeypatch.setattr(per_document, "attend_in_strips", lambda *arguments: used.append(1) or original(*arguments))
    lengths = [per_document.SHORT + 30, per_document.SHORT + 1, per_document.SHORT]
    borders, longest = borders_of(lengths), max(lengths)
    x = torch.randn(sum(lengths), 2, 8)

    def count(dtype, dropout=0.0, gradients=False):
        used.clear()
        with torch.set_grad_enabled(gradients):
            attention(x.to(dtype), x.to(dtype), x.to(dtype), borders, longest, dropout=dropout, backend="per_document")
        return len(used)

    assert count(torch.bfloat16) == 2
    assert count(torch.float32) == count(torch.bfloat16, 0.1) == count(torch.bfloat16, gradients=True) == 0
