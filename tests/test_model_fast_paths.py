"""What is done differently for speed gives the same numbers: products as convolutions, the turn, the gate in place."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from oracles import FAMILIES, build, ragged_batch, randomize, small_config

import minibert.model.linear as linear
import minibert.model.rotary as rotary
from minibert.model import MaskedLanguageModel
from minibert.model.feed_forward import GatedFeedForward
from minibert.model.linear import Linear, as_convolution
from minibert.model.rotary import rotary_tables, rotate


@given(st.integers(1, 70), st.integers(1, 40), st.integers(1, 40), st.booleans())
def test_a_product_as_a_convolution_is_the_product(tokens, width, out, has_bias):
    generator = torch.Generator().manual_seed(tokens)
    x, weight, bias = (
        torch.randn(*shape, generator=generator, dtype=torch.float64)
        for shape in ((tokens, width), (out, width), (out,))
    )
    bias = bias if has_bias else None
    expected = torch.nn.functional.linear(x, weight, bias)
    torch.testing.assert_close(as_convolution(x, weight, bias), expected, rtol=0, atol=1e-12)
    in_single = as_convolution(x.float(), weight.float(), None if bias is None else bias.float())
    torch.testing.assert_close(in_single.double(), expected, rtol=1e-5, atol=1e-5)
    assert in_single.is_contiguous()


def test_a_slice_of_a_wider_tensor_is_multiplied_too():
    x = torch.randn(40, 9)[:, 2:7]
    layer = Linear(5, 4)
    with torch.no_grad():
        torch.testing.assert_close(layer(x), torch.nn.functional.linear(x, layer.weight, layer.bias))


def test_the_convolution_serves_float32_inference_on_the_processor_only(monkeypatch):
    used = []
    original = linear.as_convolution
    monkeypatch.setattr(linear, "as_convolution", lambda *arguments: used.append(1) or original(*arguments))
    monkeypatch.setattr(linear, "HAS_ONEDNN", True)

    def uses(rows=64, dtype=torch.float32, gradients=False, autocast=False, dims=2):
        used.clear()
        layer = Linear(8, 6, dtype=dtype)
        x = torch.randn(rows, 8, dtype=dtype) if dims == 2 else torch.randn(2, rows, 8, dtype=dtype)
        with torch.set_grad_enabled(gradients), torch.autocast("cpu", torch.bfloat16, enabled=autocast):
            layer(x)
        return len(used)

    assert uses() == 1
    assert not uses(rows=8) and not uses(dtype=torch.float64) and not uses(gradients=True)
    assert not uses(autocast=True) and not uses(dims=3)
    monkeypatch.setattr(linear, "HAS_ONEDNN", False)
    assert not uses()


@pytest.mark.parametrize("strip", [1, 4, 512])
def test_the_turn_is_complex_multiplication_whatever_the_strip(strip, monkeypatch):
    monkeypatch.setattr(rotary, "STRIP", strip)
    x = torch.randn(11, 3, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    cos, sin = rotary_tables(torch.arange(11), 8, 100.0, torch.float64)
    pairs = torch.complex(x[..., :4], x[..., 4:]) * torch.complex(cos, sin)[:, None]
    torch.testing.assert_close(rotate(x, cos, sin), torch.cat([pairs.real, pairs.imag], -1), rtol=0, atol=1e-12)


def test_the_gradient_of_the_turn_is_the_turn_back():
    cos, sin = rotary_tables(torch.tensor([0, 3, 7]), 4, 10.0, torch.float64)
    x = torch.randn(3, 2, 4, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: rotate(x, cos, sin), (x,))
    assert torch.autograd.gradgradcheck(lambda x: rotate(x, cos, sin), (x,))


def test_the_turn_in_bfloat16_is_rounded_once():
    cos, sin = rotary_tables(torch.arange(900, 903), 8, 10_000.0, torch.bfloat16)
    assert cos.dtype == torch.float32
    x = torch.randn(3, 2, 8).bfloat16()
    torch.testing.assert_close(rotate(x, cos, sin), rotate(x.float(), cos, sin).bfloat16(), rtol=0, atol=0)


def test_the_gate_in_place_changes_no_number_and_no_input():
    layer = randomize(GatedFeedForward(small_config("modernbert"))).eval()
    x = torch.randn(50, 24)
    kept = x.clone()
    with torch.no_grad():
        without_gradient = layer(x)
    torch.testing.assert_close(without_gradient, layer(x).detach(), rtol=1e-5, atol=1e-6)
    assert torch.equal(x, kept)


@pytest.mark.filterwarnings("ignore")  # the compiler warns that it traces through caches
@pytest.mark.parametrize("family", FAMILIES)
def test_a_compiled_model_answers_as_the_plain_one(family):
    config = small_config(family)
    model = build(MaskedLanguageModel, config)
    batch = ragged_batch(config, [11, 5])
    torch._dynamo.reset()
    with torch.no_grad():
        expected, found = model(*batch).logits, torch.compile(model, backend="eager")(*batch).logits
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-9)
