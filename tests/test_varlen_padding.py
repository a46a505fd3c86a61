"""Taking padding off and putting it back: nothing lost, nothing invented, bad masks refused by name."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from minibert.varlen import find_packing, packed_positions, pad, unpad


@st.composite
def masks(draw):
    """A padding mask (B, T) with each row's run of ones anywhere: padding left, right, on both sides or none."""
    width = draw(st.integers(1, 9))
    rows = []
    for _ in range(draw(st.integers(1, 5))):
        length = draw(st.integers(1, width))
        start = draw(st.integers(0, width - length))
        rows.append([0] * start + [1] * length + [0] * (width - start - length))
    return torch.tensor(rows, dtype=draw(st.sampled_from([torch.bool, torch.int32, torch.int64, torch.uint8])))


@given(masks())
def test_find_packing_says_where_the_real_tokens_are(mask):
    packing = find_packing(mask)
    lengths = mask.long().sum(1)
    assert packing.cu_seqlens.dtype == torch.int32
    assert packing.cu_seqlens.tolist() == [0, *lengths.cumsum(0).tolist()]
    assert packing.max_seqlen == lengths.max().item()
    assert type(packing.max_seqlen) is int
    assert (packing.batch, packing.width) == tuple(mask.shape)
    assert packing.indices.tolist() == [i for i, real in enumerate(mask.flatten().tolist()) if real]


@given(masks(), st.sampled_from([(), (3,), (2, 3)]))
def test_pad_undoes_unpad_and_unpad_undoes_pad(mask, rest):
    packing = find_packing(mask)
    padded = torch.randn(*mask.shape, *rest, generator=torch.Generator().manual_seed(0))
    packed = unpad(padded, packing)
    assert packed.shape == (int(mask.long().sum()), *rest)
    real = mask.bool()
    assert torch.equal(packed, padded[real])  # row by row, left to right
    back = pad(packed, packing, fill=-100)
    assert torch.equal(back[real], padded[real])
    assert (back[~real] == -100).all()
    assert torch.equal(unpad(back, packing), packed)


@given(masks())
def test_positions_restart_at_zero_in_every_text(mask):
    packing = find_packing(mask)
    expected = [i for length in mask.long().sum(1).tolist() for i in range(length)]
    assert packed_positions(packing.cu_seqlens).tolist() == expected


def test_labels_keep_their_dtype():
    packing = find_packing(torch.tensor([[1, 0], [1, 1]]))
    labels = pad(torch.tensor([3, 4, 5]), packing, fill=-100)
    assert labels.dtype == torch.int64
    assert labels.tolist() == [[3, -100], [4, 5]]


def test_gradients_pass_through_and_padding_gets_none():
    padded = torch.ones(2, 2, 1, requires_grad=True)
    packing = find_packing(torch.tensor([[1, 0], [1, 1]]))
    pad(unpad(padded, packing) * 2, packing).sum().backward()
    assert padded.grad.flatten().tolist() == [2, 0, 2, 2]


@pytest.mark.parametrize(
    ("mask", "message"),
    [
        (torch.tensor([1, 1]), r"attention_mask: shape \(2,\), expected \(B, T\)"),
        (torch.ones(1, 2, 2, dtype=torch.long), r"attention_mask: shape \(1, 2, 2\), expected \(B, T\)"),
        (torch.ones(0, 3, dtype=torch.long), r"attention_mask: shape \(0, 3\), expected \(B, T\) with B, T >= 1"),
        (torch.ones(2, 0, dtype=torch.long), r"attention_mask: shape \(2, 0\)"),
        (torch.ones(1, 2), r"attention_mask: dtype torch.float32, expected bool or integer"),
        (torch.ones(1, 2, dtype=torch.complex64), r"attention_mask: dtype torch.complex64"),
        (torch.tensor([[1, 2]]), r"attention_mask: values 1\.\.2, expected only 0 and 1"),
        (torch.tensor([[1, -1]]), r"attention_mask: values -1\.\.1, expected only 0 and 1"),
        (torch.tensor([[1, 1], [0, 0]]), "attention_mask: row 1 is all padding"),
        (torch.tensor([[1, 1, 1], [1, 0, 1]]), "attention_mask: row 1 has a hole"),
        (torch.tensor([[0, 1, 0, 1]]), "attention_mask: row 0 has a hole"),
    ],
)
def test_a_mask_that_is_none_is_refused(mask, message):
    with pytest.raises(ValueError, match=message):
        find_packing(mask)


def test_tensors_that_do_not_fit_the_mask_are_refused():
    packing = find_packing(torch.tensor([[1, 1, 0]]))
    with pytest.raises(ValueError, match=r"unpad: tensor \(1, 4\) does not match the mask \(1, 3\)"):
        unpad(torch.zeros(1, 4), packing)
    with pytest.raises(ValueError, match="pad: 3 rows for 2 real tokens"):
        pad(torch.zeros(3), packing)


@given(masks())
def test_inputs_are_left_alone(mask):
    before = mask.clone()
    packing = find_packing(mask)
    ids = torch.arange(mask.numel()).view(mask.shape)
    kept = ids.clone()
    packed = unpad(ids, packing)
    packed_before = packed.clone()
    pad(packed, packing).add_(1)
    assert torch.equal(mask, before)
    assert torch.equal(ids, kept)
    assert torch.equal(packed, packed_before)
