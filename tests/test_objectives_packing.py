"""Packing: nothing lost, nothing over the edge, hardly a place empty, and training on packed rows changes nothing."""

import functools
import itertools
import random
from collections import deque
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from oracles import FAMILIES, build, small_config
from torch.nn.functional import pad as grow

import minibert.model.encoder as encoder_module
from minibert import MaskedLanguageModel, PretrainingModel, corpora, load_tokenizer, shipped
from minibert.objectives import IGNORE, Example, best_fit, build_pairs, build_segments, pack_rows, packing
from minibert.training.data import PackedBatch, mask_batch, pack
from minibert.training.evaluation import forward_losses

# ---- the packer


def first_batch_of_modernbert(lengths, row_len, rows):
    """The rows that ModernBERT's packer fills first when everything waits in its buffer, told step by step."""
    room, packed, left = [row_len] * rows, [[] for _ in range(rows)], []
    buffer = deque(enumerate(lengths))
    while buffer:
        index, length = buffer.popleft()
        best = None
        for row in range(rows):
            if room[row] >= length and (best is None or room[row] < room[best]):
                best = row
        if best is None:
            left.append(index)
        else:
            packed[best].append(index)
            room[best] -= length
    return packed, left


def check_best_fit(pack_one, lengths, row_len, rows):
    assert pack_one(lengths, row_len, rows) == first_batch_of_modernbert(lengths, row_len, rows)


def check_stream(pack_all, lengths, row_len, rows, look_ahead):
    """All that is promised of a stream of batches."""
    batches = list(pack_all(iter(lengths), row_len, rows, look_ahead))
    flat = [index for batch in batches for row in batch for index in row]
    assert sorted(flat) == list(range(len(lengths))), "each example exactly once"
    waiting = list(range(len(lengths)))
    for batch in batches:
        assert 1 <= len(batch) <= rows and all(batch), "no empty rows"
        assert all(sum(lengths[index] for index in row) <= row_len for row in batch), "over the edge"
        placed = {index for row in batch for index in row}
        assert waiting[0] in placed, "who waits longest comes first"
        seen, size = [], 0  # the buffer: what waits, in order, until it holds enough
        for index in waiting:
            if size >= look_ahead * rows * row_len:
                break
            seen.append(index)
            size += lengths[index]
        assert placed <= set(seen), "further ahead than allowed"
        expected = first_batch_of_modernbert([lengths[index] for index in seen], row_len, rows)[0]
        assert batch == [[seen[place] for place in row] for row in expected if row]
        waiting = [index for index in waiting if index not in placed]


@st.composite
def problems(draw):
    row_len = draw(st.integers(1, 40))
    lengths = draw(st.lists(st.integers(1, row_len), max_size=60))
    return lengths, row_len, draw(st.integers(1, 4))


@given(problems())
def test_best_fit_is_modernberts(problem):
    check_best_fit(best_fit, *problem)


@given(problems(), st.integers(1, 5))
def test_a_stream_is_packed_as_promised(problem, look_ahead):
    check_stream(pack_rows, *problem, look_ahead)


def test_equal_rows_the_first_one_wins():
    assert best_fit([3, 3, 2, 2], row_len=5, rows=2) == ([[0, 2], [1, 3]], [])
    assert best_fit([1, 2, 3], row_len=9, rows=3) == ([[0, 1, 2], [], []], [])  # fuller rows before empty ones


def test_the_result_depends_on_the_lengths_alone():
    lengths = [random.Random(0).randint(1, 30) for _ in range(200)]
    assert list(pack_rows(lengths, 64, 2)) == list(pack_rows(tuple(lengths), 64, 2))
    before = list(lengths)
    best_fit(lengths, 64, 2)
    assert lengths == before


def test_a_stream_without_end_is_read_only_as_far_as_needed():
    read = itertools.count()
    endless = (7 for _ in iter(lambda: next(read), None))
    first = next(pack_rows(endless, row_len=70, look_ahead=3))
    assert first == [list(range(10))] and next(read) == 30


SOURCE = Path(packing.__file__).read_text(encoding="utf-8")
MISTAKES = [
    ("room[row] >= length]", "room[row] > length]"),  # a row is never full
    ("room[row] >= length]", "room[row] + 1 >= length]"),  # one token over the edge
    ("min(fitting, key", "max(fitting, key"),  # worst fit
    ("min(fitting,", "min(reversed(fitting),"),  # the last of equals
    ("min(fitting, key=room.__getitem__)", "fitting[0]"),  # first fit
    ("for place in left]", "for place in left[:-1]]"),  # one is lost
    ("for place in left]", "for place in reversed(left)]"),  # who waits longest comes last
    ("if row]", "]"),  # empty rows at the end
    ("tokens < look_ahead * rows", "tokens < 2 * look_ahead * rows"),  # a larger buffer
    ("if not buffer:", "if tokens < rows * row_len:"),  # the last batch is dropped
]


@pytest.mark.parametrize("right, wrong", MISTAKES, ids=[wrong for _, wrong in MISTAKES])
def test_a_mistake_would_be_seen(right, wrong):
    """The control of the tests above."""
    assert SOURCE.count(right) == 1
    mutant = {}
    exec(SOURCE.replace(right, wrong), mutant)
    rng = random.Random(0)
    for _ in range(60):
        row_len, rows = rng.randint(5, 20), rng.randint(1, 3)
        lengths = [rng.randint(1, row_len) for _ in range(rng.randint(1, 40))]
        try:
            check_best_fit(mutant["best_fit"], lengths, row_len, rows)
            check_stream(mutant["pack_rows"], lengths, row_len, rows, look_ahead=2)
        except AssertionError:
            return
    pytest.fail("the planted mistake went unnoticed")


def test_bad_input_is_explained():
    with pytest.raises(ValueError, match=r"length 11 does not fit in a row of 10 tokens; cut examples to 1\.\.10"):
        best_fit([3, 11], 10)
    with pytest.raises(ValueError, match="length 0 does not fit"):
        list(pack_rows([3, 0], 10))
    with pytest.raises(ValueError, match="rows is 0; there must be at least one"):
        best_fit([3], 10, rows=0)
    with pytest.raises(ValueError, match="rows is 0"):
        list(pack_rows([3], 10, rows=0))
    for few in (0, 0.5, float("nan")):
        with pytest.raises(ValueError, match=r"look_ahead is .* at least 1 batch"):
            list(pack_rows([3], 10, look_ahead=few))


# ---- how full the rows get


def mean_fill(lengths, row_len, rows=1, **options):
    batches = list(pack_rows(lengths, row_len, rows, **options))
    return sum(lengths) / (sum(map(len, batches)) * row_len)


@pytest.mark.parametrize("max_len, row_len, rows", [(128, 2048, 1), (512, 4096, 1), (128, 1024, 4), (1024, 8192, 2)])
def test_rows_are_full_on_log_normal_lengths(max_len, row_len, rows):
    """The shape of most corpora. Padding each text to the longest possible would leave two thirds empty."""
    rng = random.Random(0)
    lengths = [min(max(int(rng.lognormvariate(0, 1) * max_len / 4), 3), max_len) for _ in range(8000)]
    assert sum(lengths) / (len(lengths) * max_len) < 0.4
    assert mean_fill(lengths, row_len, rows) >= 0.99
    # the control: one after the other until a text does not fit
    in_order, room = 1, row_len
    for length in lengths:
        in_order, room = (in_order, room - length) if length <= room else (in_order + 1, row_len - length)
    assert sum(lengths) / (in_order * row_len) < 0.985


@functools.cache
def speeches(name):
    """A tokenizer, and what it makes of the speeches: sentences where pairs are cut, else whole documents."""
    tokenizer = load_tokenizer(shipped(name))
    documents = [document.sentences() for document in corpora.load("sotu", stand_in=False)]
    if name == "bert-nano":
        return tokenizer, [[tokenizer.ids(sentence) for sentence in document] for document in documents]
    return tokenizer, [tokenizer.ids(" ".join(document)) for document in documents]


@pytest.mark.data
@pytest.mark.skipif(not corpora.is_cached("sotu"), reason="sotu is not cached; python -m minibert data fetch")
@pytest.mark.parametrize(
    "name, max_len, row_len", [(n, *s) for n in ("bert-nano", "modernbert-nano") for s in ((128, 2048), (512, 4096))]
)
def test_rows_are_full_on_speeches(name, max_len, row_len):
    tokenizer, tokens, rng = *speeches(name), random.Random(0)
    if name == "bert-nano":
        examples = build_pairs(tokens, max_len, tokenizer.cls_id, tokenizer.sep_id, rng=rng)
    else:
        examples = build_segments(tokens, max_len, tokenizer.cls_id, tokenizer.sep_id)
    rng.shuffle(examples)
    lengths = [len(example.ids) for example in examples]
    assert mean_fill(lengths, row_len) >= 0.99
    assert max(lengths) == max_len and mean_fill(lengths, row_len, look_ahead=1) < mean_fill(lengths, row_len)


# ---- a packed row trains like its examples one by one

LENGTHS = (11, 3, 17, 6, 9)
KINDS = [(family, MaskedLanguageModel) for family in FAMILIES] + [("bert", PretrainingModel)]
each_kind = pytest.mark.parametrize("family, kind", KINDS, ids=[f"{f}-{k.__name__}" for f, k in KINDS])


def make_batch(kind, seed=0):
    """A masked batch, with pairs where the model has use for them."""
    rng = random.Random(seed)
    examples = []
    for number, length in enumerate(LENGTHS):
        ids = [1, *(rng.randrange(4, 31) for _ in range(length - 2)), 2]
        is_pair = kind is PretrainingModel
        examples.append(
            Example(ids, [int(is_pair and i > length // 2) for i in range(length)], number % 2 if is_pair else None)
        )
    tokenizer = SimpleNamespace(special_ids=(0, 1, 2, 3), mask_id=3, vocab_size=31)
    return mask_batch(pack(examples), tokenizer, 0.4, (0.8, 0.1, 0.1), seed=seed)


def one_by_one(batch):
    """The examples of a batch, each in a batch of its own."""
    for number, (start, end) in enumerate(itertools.pairwise(batch.cu_seqlens.tolist())):
        following = None if batch.next_labels is None else batch.next_labels[number : number + 1]
        borders = torch.tensor([0, end - start], dtype=torch.int32)
        ids, segment_ids, labels = (tensor[start:end] for tensor in (batch.ids, batch.segment_ids, batch.labels))
        yield PackedBatch(ids, borders, segment_ids, labels, following)


def losses_and_gradients(model, batches):
    """The summed losses (masked tokens, pairs) and the gradients of their sum, by name."""
    model.zero_grad()
    sums = [0.0, 0.0]
    for batch in batches:
        parts = forward_losses(model, batch)[2:]
        for place, part in enumerate(parts):
            sums[place] += 0.0 if part is None else part.item()
        sum(part for part in parts if part is not None).backward()
    return sums, {
        name: parameter.grad.clone() for name, parameter in model.named_parameters() if parameter.grad is not None
    }


def distance(first, second):
    """How far two results of `losses_and_gradients` are from each other: of the losses, of the gradients."""
    assert first[1].keys() == second[1].keys()
    losses = max(abs(a - b) for a, b in zip(first[0], second[0], strict=True))
    return losses, max((first[1][name] - second[1][name]).abs().max().item() for name in first[1])


@each_kind
def test_packed_training_equals_separate_training(family, kind):
    model, batch = build(kind, small_config(family)), make_batch(kind)
    packed, separate = losses_and_gradients(model, [batch]), losses_and_gradients(model, one_by_one(batch))
    assert max(distance(packed, separate)) <= 1e-9
    assert packed[0][0] > 1 and (packed[0][1] > 1) == (kind is PretrainingModel)
    assert all(gradient.abs().max() > 0 for gradient in packed[1].values())
    assert len(packed[1]) == len(list(model.parameters())), "a weight without a gradient would prove nothing"


@each_kind
def test_positions_that_run_on_over_the_borders(family, kind, monkeypatch):
    """A classic mistake. Learned positions notice it; RoPE does not, since it turns by distances alone."""
    model, batch = build(kind, small_config(family, max_len=64)), make_batch(kind)
    right = losses_and_gradients(model, [batch])
    monkeypatch.setattr(encoder_module, "packed_positions", lambda cu_seqlens: torch.arange(int(cu_seqlens[-1])))
    wrong = losses_and_gradients(model, [batch])
    if model.config.position == "learned":
        assert min(distance(right, wrong)) > 1e-3
    else:
        assert max(distance(right, wrong)) <= 1e-9


@each_kind
def test_attention_over_the_borders(family, kind, monkeypatch):
    """A classic mistake: positions start anew, but tokens see the other documents of the row."""
    model, batch = build(kind, small_config(family)), make_batch(kind)
    right = losses_and_gradients(model, [batch])
    context = encoder_module.PackedContext

    def one_document(cu_seqlens, max_seqlen, *rest, **fields):
        n = int(cu_seqlens[-1])
        return context(torch.tensor([0, n], dtype=torch.int32), n, *rest, **fields)

    monkeypatch.setattr(encoder_module, "PackedContext", one_document)
    if batch.next_labels is not None:  # the pooler reads the same borders, so the mistake cannot pass in silence
        with pytest.raises(ValueError, match="labels"):
            losses_and_gradients(model, [batch])
        return
    assert min(distance(right, losses_and_gradients(model, [batch]))) > 1e-3


def with_tail(batch, row_len, label):
    """The batch as packers for rows of fixed length make it: a tail of padding that looks like one more example."""
    tail = row_len - len(batch.ids)
    borders = grow(batch.cu_seqlens, (0, 1), value=row_len)
    ids, segment_ids = grow(batch.ids, (0, tail)), grow(batch.segment_ids, (0, tail))
    return PackedBatch(ids, borders, segment_ids, grow(batch.labels, (0, tail), value=label), batch.next_labels)


@pytest.mark.parametrize("family", FAMILIES)
def test_what_a_tail_of_padding_would_do(family):
    """Why our batches have none: with labels of -100 it is harmless, counted in the loss or as the longest text not."""
    model, batch = build(MaskedLanguageModel, small_config(family)), make_batch(MaskedLanguageModel)
    assert int(batch.cu_seqlens[-1]) == len(batch.ids) == sum(LENGTHS) and (batch.ids > 0).all()
    right = losses_and_gradients(model, [batch])
    assert max(distance(right, losses_and_gradients(model, [with_tail(batch, 70, IGNORE)]))) <= 1e-9
    assert min(distance(right, losses_and_gradients(model, [with_tail(batch, 70, 0)]))) > 1e-3
    longest = [int(b.cu_seqlens.diff().max()) for b in (batch, with_tail(batch, 70, IGNORE))]
    assert longest == [17, 24]  # kernels would plan for a text that is not there, and short position tables refuse it


def test_a_tail_of_padding_would_be_a_pair_too_many():
    model, batch = build(PretrainingModel, small_config("bert")), make_batch(PretrainingModel)
    with pytest.raises(ValueError, match=r"labels \(B,\), got \(6, 2\) and \(5,\)"):
        forward_losses(model, with_tail(batch, 70, IGNORE))
