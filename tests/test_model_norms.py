"""The norms: against the formula, against `transformers`, and in half precision, where naive statistics overflow."""

import pytest
import torch
from oracles import randomize

from minibert.model.norms import LayerNorm, RMSNorm, layer_norm_by_hand


def numbers(*shape, dtype=torch.float64):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64).to(dtype)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("eps", [1e-12, 1e-5, 0.1])
def test_layer_norm_is_the_four_lines(bias, eps):
    norm = randomize(LayerNorm(7, eps, bias).double())
    x = numbers(5, 7) * 3 + 2
    torch.testing.assert_close(norm(x), layer_norm_by_hand(x, norm.weight, norm.bias, eps), rtol=0, atol=1e-12)
    assert (norm.bias is not None) == bias


def test_the_variance_divides_by_the_width_not_by_one_less():
    x = numbers(1, 4)
    scaled = LayerNorm(4, 1e-12, False).double()(x)
    assert scaled.square().mean().item() == pytest.approx(1, abs=1e-9)


@pytest.mark.parametrize("eps", [1e-5, 0.1])
def test_rms_norm_is_its_formula(eps):
    norm = randomize(RMSNorm(7, eps).double())
    x = numbers(5, 7) + 2
    expected = torch.stack([norm.weight * row / (row.square().sum() / 7 + eps) ** 0.5 for row in x])
    torch.testing.assert_close(norm(x), expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_rms_norm_rounds_where_eurobert_rounds(dtype):
    """Bit for bit: statistics in float32, back to the input's type, and only then the gain."""
    from transformers.models.eurobert.modeling_eurobert import EuroBertRMSNorm

    ours, theirs = (randomize(norm.to(dtype)) for norm in (RMSNorm(96, 1e-5), EuroBertRMSNorm(96, 1e-5)))
    x = numbers(50, 96, dtype=dtype)
    assert torch.equal(ours(x), theirs(x))


@pytest.mark.parametrize("make", [lambda: RMSNorm(8, 1e-5), lambda: LayerNorm(8, 1e-5, False)])
def test_float16_squares_do_not_overflow(make):
    x = numbers(3, 8, dtype=torch.float16) * 1000  # squares above 65504
    found = make().to(torch.float16)(x)
    assert found.isfinite().all()
    torch.testing.assert_close(found.float(), make()(x.float()), rtol=0, atol=3e-3)
