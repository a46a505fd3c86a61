"""Bare encoders and classification heads against `transformers`: scores and all gradients."""

import pytest
import torch
from oracles import FAMILIES, assert_same_gradients, both, ragged_batch, small_config
from torch.nn.functional import cross_entropy

from minibert.model import Encoder, MaskedLanguageModel, SequenceClassifier, SpanReader, TokenClassifier

LENGTHS = (9, 3, 12, 1)
ATOL = 1e-5  # float32
PRECISION = {"bert": (torch.float64, 1e-9)}  # the others round to float32 inside, whatever their weights are


def inputs(config, seed=0):
    ids, mask, segments = ragged_batch(config, LENGTHS, seed=seed)
    theirs = dict(input_ids=ids, attention_mask=mask)
    return (ids, mask, segments), theirs | ({} if segments is None else {"token_type_ids": segments})


def same(mine, other, atol):
    torch.testing.assert_close(mine, other, rtol=0, atol=atol)


def precisions(family):
    return [(torch.float32, ATOL), *([PRECISION[family]] if family in PRECISION else [])]


CASES = [
    (family, pool, dtype, atol)
    for family, pools in (("bert", ["bert"]), ("modernbert", ["cls", "mean"]), ("eurobert", ["late", "cls", "mean"]))
    for pool in pools
    for dtype, atol in precisions(family)
]


@pytest.mark.parametrize(("family", "pool", "dtype", "atol"), CASES)
@pytest.mark.parametrize("labels", [2, 5])
def test_sequence_classification(family, pool, dtype, atol, labels):
    config = small_config(family, pool=pool, nsp=False)
    ours, theirs = both(SequenceClassifier, config, dtype=dtype, labels=labels)
    mine, their = inputs(config)
    answers = torch.arange(len(LENGTHS)) % labels
    found, expected = ours(*mine), theirs(**their, labels=answers)
    same(found.logits, expected.logits, atol)
    loss = cross_entropy(found.logits, answers)
    same(loss, expected.loss, atol)
    loss.backward()
    expected.loss.backward()
    assert_same_gradients(ours, theirs, SequenceClassifier, atol, labels=labels)


@pytest.mark.parametrize("family", FAMILIES)
def test_token_classification(family):
    for dtype, atol in precisions(family):
        config = small_config(family)
        ours, theirs = both(TokenClassifier, config, dtype=dtype, labels=5)
        mine, their = inputs(config)
        mask = mine[1]
        answers = torch.where(mask.bool(), (torch.arange(mask.numel()) % 5).view(mask.shape), -100)
        found, expected = ours(*mine), theirs(**their, labels=answers)
        same(found.logits[mask.bool()], expected.logits[mask.bool()], atol)
        loss = cross_entropy(found.logits.flatten(0, 1), answers.flatten())
        same(loss, expected.loss, atol)
        loss.backward()
        expected.loss.backward()
        assert_same_gradients(ours, theirs, TokenClassifier, atol, labels=5)


@pytest.mark.parametrize("family", ["bert", "modernbert"])  # transformers reads no spans with EuroBERT
def test_span_reading(family):
    for dtype, atol in precisions(family):
        config = small_config(family)
        ours, theirs = both(SpanReader, config, dtype=dtype)
        mine, their = inputs(config)
        real = mine[1].bool()
        found, expected = ours(*mine), theirs(**their)
        start, end = found.logits.unbind(-1)
        same(start[real], expected.start_logits[real], atol)
        same(end[real], expected.end_logits[real], atol)
        found.logits[real].sin().sum().backward()
        (expected.start_logits[real].sin().sum() + expected.end_logits[real].sin().sum()).backward()
        assert_same_gradients(ours, theirs, SpanReader, 10 * atol)  # a sum over tokens, not a mean


@pytest.mark.parametrize("family", FAMILIES)
def test_the_bare_encoder(family):
    for dtype, atol in precisions(family):
        config = small_config(family)
        ours, theirs = both(Encoder, config, dtype=dtype)
        mine, their = inputs(config)
        real = mine[1].bool()
        found, expected = ours(*mine), theirs(**their)
        same(found.hidden[real], expected.last_hidden_state[real], atol)
        if family == "bert":
            same(found.pooled, expected.pooler_output, atol)
        else:
            assert found.pooled is None


@pytest.mark.parametrize("family", FAMILIES)
def test_what_is_left_out_has_the_same_default(family):
    """No mask, no segment ids."""
    config = small_config(family)
    ours, theirs = both(MaskedLanguageModel, config)
    ids, _, _ = ragged_batch(config, (7, 7))
    same(ours(ids).logits, theirs(input_ids=ids).logits, ATOL)


@pytest.mark.parametrize("family", FAMILIES)
def test_training_mode_without_dropout_equals_evaluation(family):
    """A whole optimiser step from the same start gives the same second loss."""
    config = small_config(family, dropout_attn_out=0.0)
    ours, theirs = both(MaskedLanguageModel, config)
    ids, mask, segments = ragged_batch(config, LENGTHS)
    labels = torch.where(mask.bool(), ids.roll(1, 1), -100)
    extra = {} if segments is None else {"token_type_ids": segments}
    losses = []
    for model, logits in (
        (ours, lambda: ours(ids, mask, segments).logits),
        (theirs, lambda: theirs(input_ids=ids, attention_mask=mask, **extra).logits),
    ):
        optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
        for _ in range(3):
            loss = cross_entropy(logits()[mask.bool()], labels[mask.bool()])
            losses.append(loss.item())
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    same(torch.tensor(losses[:3]), torch.tensor(losses[3:]), ATOL)
    assert losses[2] < losses[0]
