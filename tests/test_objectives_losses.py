"""The losses equal torch's cross-entropy, survive empty batches, and refuse the classic mistakes."""

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from minibert.objectives import mlm_loss, mlm_loss_sum, nsp_loss, nsp_loss_sum, pretraining_loss


def batch(seed=0, tokens=40, vocabulary=11, dtype=torch.float64):
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(tokens, vocabulary, generator=generator, dtype=dtype, requires_grad=True)
    labels = torch.randint(vocabulary, (tokens,), generator=generator)
    labels[torch.rand(tokens, generator=generator) < 0.7] = -100
    labels[0] = 0  # id 0 is a token like any other: a loss that ignores it is wrong
    return logits, labels


def check_mlm(loss):
    """The contract of `mlm_loss`, to be applied to any function of its signature."""
    for seed in range(3):
        logits, labels = batch(seed)
        expected = F.cross_entropy(logits, labels)
        assert torch.isclose(loss(logits, labels), expected, rtol=0, atol=1e-12), "value"
        (ours,) = torch.autograd.grad(loss(logits, labels), logits)
        (theirs,) = torch.autograd.grad(expected, logits)
        assert torch.allclose(ours, theirs, rtol=0, atol=1e-12), "gradient"
    logits, labels = batch()
    nothing = loss(logits, torch.full_like(labels, -100))
    assert nothing.item() == 0.0, "zero masked tokens must cost exactly 0"
    (gradient,) = torch.autograd.grad(nothing, logits)
    assert torch.equal(gradient, torch.zeros_like(gradient)), "zero masked tokens must leave zero gradients"


def test_mlm_loss():
    check_mlm(mlm_loss)


MUTANTS = {
    "averages over all": lambda x, y: F.cross_entropy(x, y, reduction="sum") / len(y),
    "pad as label": lambda x, y: F.cross_entropy(x, y.clamp(min=0)),
    "ignores id 0": lambda x, y: F.cross_entropy(x, torch.where(y == 0, -100, y)),
    "NaN for nothing": F.cross_entropy,
    "base 2": lambda x, y: mlm_loss(x, y) / 0.6931471805599453,
    "softmax twice": lambda x, y: mlm_loss(x.softmax(-1), y),
    "BERT's 1e-5": lambda x, y: F.cross_entropy(x, y, reduction="sum") / ((y != -100).sum() + 1e-5),
}


@pytest.mark.parametrize("mutant", MUTANTS.values(), ids=MUTANTS.keys())
def test_classic_mistakes_turn_the_check_red(mutant):
    with pytest.raises(AssertionError, match=r"value|gradient|exactly 0"):
        check_mlm(mutant)


def test_the_padded_form_equals_the_packed_form():
    logits, labels = batch()
    assert torch.equal(mlm_loss(logits.view(4, 10, 11), labels.view(4, 10)), mlm_loss(logits, labels))


def test_a_nan_at_an_unlabelled_position_does_not_leak():
    logits, labels = batch()
    spoiled = logits.detach().clone()
    spoiled[labels == -100] = float("nan")
    spoiled.requires_grad_()
    loss = mlm_loss(spoiled, labels)
    loss.backward()
    assert loss.item() == mlm_loss(logits, labels).item() and spoiled.grad.isfinite().all()


@given(st.integers(1, 39), st.integers(0, 100))
@settings(max_examples=30, deadline=None)
def test_sums_and_counts_add_up_over_any_cut(cut, seed):
    """The mean of micro-batch means is not the mean over tokens; sums and counts are."""
    logits, labels = batch(seed)
    parts = [mlm_loss_sum(logits[:cut], labels[:cut]), mlm_loss_sum(logits[cut:], labels[cut:])]
    mean = sum(total for total, _ in parts) / sum(count for _, count in parts)
    assert torch.isclose(mean, mlm_loss(logits, labels), rtol=0, atol=1e-12)


def test_half_precision_logits_are_summed_in_float32():
    logits, labels = batch(dtype=torch.float32)
    half = logits.detach().to(torch.bfloat16)
    assert mlm_loss(half, labels).dtype == torch.float32
    assert torch.equal(mlm_loss(half, labels), mlm_loss(half.float(), labels))


def check_nsp(loss):
    logits = torch.tensor([[3.0, -1.0], [0.5, 0.2], [-2.0, 2.0]], dtype=torch.float64)
    for labels in ([0, 0, 0], [1, 1, 1], [0, 1, 1]):
        labels = torch.tensor(labels)
        assert torch.isclose(loss(logits, labels), F.cross_entropy(logits, labels), rtol=0, atol=1e-12)


def test_nsp_loss():
    check_nsp(nsp_loss)
    assert nsp_loss_sum(torch.zeros(0, 2), torch.zeros(0, dtype=torch.long))[1] == 0
    assert nsp_loss(torch.zeros(0, 2), torch.zeros(0, dtype=torch.long)).item() == 0.0


NSP_MUTANTS = {
    "ignores class 0": lambda x, y: F.cross_entropy(x, y, ignore_index=0, reduction="sum") / len(y),
    "flipped": lambda x, y: F.cross_entropy(x, 1 - y),
    "sums": lambda x, y: F.cross_entropy(x, y, reduction="sum"),
}


@pytest.mark.parametrize("mutant", NSP_MUTANTS.values(), ids=NSP_MUTANTS.keys())
def test_classic_nsp_mistakes_turn_the_check_red(mutant):
    with pytest.raises(AssertionError):
        check_nsp(mutant)


def test_pretraining_loss_is_the_unweighted_sum():
    logits, labels = batch()
    nsp_logits, nsp_labels = torch.tensor([[1.0, 2.0], [0.0, -1.0]]), torch.tensor([0, 1])
    expected = F.cross_entropy(logits, labels) + F.cross_entropy(nsp_logits, nsp_labels)
    assert torch.isclose(pretraining_loss(logits, labels, nsp_logits, nsp_labels), expected, rtol=0, atol=1e-12)


def test_bad_input_is_explained():
    logits, labels = batch()
    with pytest.raises(ValueError, match="need labels of shape"):
        mlm_loss(logits, labels[:-1])
    for wrong in (-1, 11):
        with pytest.raises(ValueError, match=r"expected 0\.\.10"):
            mlm_loss(logits, labels.masked_fill(labels == 0, wrong))
    with pytest.raises(ValueError, match="0 = is next and 1 = random"):
        nsp_loss(torch.zeros(1, 2), torch.tensor([2]))
    for wrong in (labels.double(), labels > 0):
        with pytest.raises(ValueError, match="expected integers"):
            mlm_loss(logits, wrong)
    with pytest.raises(ValueError, match=r"torch.float32, expected integers"):
        nsp_loss(torch.zeros(1, 2), torch.tensor([1.0]))
    with pytest.raises(ValueError, match=r"\(B, 2\)"):
        nsp_loss(torch.zeros(1, 3), torch.tensor([0]))
    with pytest.raises(ValueError, match=r"\(B, 2\)"):
        nsp_loss(torch.zeros(2, 2), torch.tensor([0]))
