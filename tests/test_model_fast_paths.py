"""What is done differently for speed gives the same numbers: products by oneDNN, the turn, the gate in place."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from oracles import FAMILIES, build, ragged_batch, randomize, small_config
from torch.utils.flop_counter import FlopCounterMode

import minibert.model.linear as linear
import minibert.model.rotary as rotary
from minibert.model import MaskedLanguageModel
from minibert.model.feed_forward import GatedFeedForward
from minibert.model.linear import Linear, onednn_product, pack
from minibert.model.rotary import rotary_tables, rotate
from minibert.tasks.quantize import Bf16Linear

onednn = pytest.mark.skipif(not linear.HAS_ONEDNN, reason="no oneDNN for float32 products here")


@onednn
@given(st.integers(1, 70), st.integers(1, 40), st.integers(1, 40), st.booleans(), st.booleans())
def test_the_product_of_onednn_is_the_product(tokens, width, out, has_bias, packed):
    generator = torch.Generator().manual_seed(tokens)
    x, weight, bias = (
        torch.randn(*shape, generator=generator, dtype=torch.float64)
        for shape in ((tokens, width), (out, width), (out,))
    )
    bias = bias if has_bias else None
    expected = torch.nn.functional.linear(x, weight, bias)
    single = pack(weight.float()) if packed else weight.float()
    found = onednn_product(x.float(), single, None if bias is None else bias.float())
    torch.testing.assert_close(found.double(), expected, rtol=1e-5, atol=1e-5)
    assert found.is_contiguous()


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_pytorchs_counter_of_operations_sees_the_product(dtype):
    layer = Bf16Linear(Linear(768, 500)) if dtype == torch.bfloat16 else Linear(768, 500)
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        layer(torch.randn(64, 768))
    assert counter.get_total_flops() == 2 * 64 * 768 * 500


def test_a_slice_of_a_wider_tensor_is_multiplied_too():
    x = torch.randn(40, 9)[:, 2:7]
    layer = Linear(5, 4)
    with torch.no_grad():
        torch.testing.assert_close(layer(x), torch.nn.functional.linear(x, layer.weight, layer.bias))


def test_onednn_serves_float32_inference_on_the_processor_only(monkeypatch):
    used = []
    monkeypatch.setattr(linear, "onednn_product", lambda x, weight, bias: used.append(1) or x @ weight.T)
    monkeypatch.setattr(linear, "HAS_ONEDNN", True)
    monkeypatch.setattr(linear, "FEWEST", 64 * 6 * 8)

    def uses(rows=64, dtype=torch.float32, gradients=False, autocast=False, dims=2):
        used.clear()
        layer = Linear(8, 6, dtype=dtype)
        x = torch.randn(rows, 8, dtype=dtype) if dims == 2 else torch.randn(2, rows, 8, dtype=dtype)
        with torch.set_grad_enabled(gradients), torch.autocast("cpu", torch.bfloat16, enabled=autocast):
            layer(x)
        return len(used)

    assert uses() == 1
    assert not uses(rows=63) and not uses(dtype=torch.float64) and not uses(gradients=True)
    assert not uses(autocast=True) and not uses(dims=3)
    monkeypatch.setattr(linear, "HAS_ONEDNN", False)
    assert not uses()


@onednn
@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("shape", [(300, 128, 128), (8, 768, 768)])
def test_the_fast_kernel_runs_with_one_thread_and_in_small_layers_too(threads, shape):
    """Asked as a convolution, PyTorch took a slow one of its own with one thread, and for few small vectors."""
    rows, width, out = shape
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        with torch.inference_mode(), torch.autograd.profiler.profile(use_kineto=False) as recorded:
            Linear(width, out)(torch.randn(rows, width))
    finally:
        torch.set_num_threads(before)
    names = {event.key for event in recorded.key_averages()}
    assert "mkldnn::_linear_pointwise" in names
    assert not names & {"aten::_slow_conv2d_forward", "aten::addmm", "aten::mm", "aten::linear"}


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
