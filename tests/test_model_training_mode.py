"""Dropout where the config says and only in training, and half precision with a stated error."""

import pytest
import torch
from oracles import FAMILIES, build, ragged_batch, small_config

import minibert.model.attention as attention_module
from minibert.config import EncoderConfig
from minibert.model import MaskedLanguageModel, SequenceClassifier, SpanReader, TokenClassifier
from minibert.model.rotary import rotary_tables

RATES = [name for name in EncoderConfig.__dataclass_fields__ if name.startswith("dropout_")]
OFF = dict.fromkeys(RATES, 0.0)
PLACES = {
    "dropout_embed": ("encoder.embeddings.dropout",),
    "dropout_attn_out": ("encoder.blocks.0.attention_dropout", "encoder.blocks.1.attention_dropout"),
    "dropout_mlp_inner": ("encoder.blocks.0.feed_forward.dropout", "encoder.blocks.1.feed_forward.dropout"),
    "dropout_mlp_out": ("encoder.blocks.0.feed_forward_dropout", "encoder.blocks.1.feed_forward_dropout"),
    "dropout_classifier": ("head.dropout",),
}
each_family = pytest.mark.parametrize("family", FAMILIES)


@each_family
@pytest.mark.parametrize("rate", PLACES)
def test_each_rate_lands_in_its_place_and_nowhere_else(family, rate):
    config = small_config(family, layers=2, **(OFF | {rate: 0.25}))
    model = build(SequenceClassifier, config).train()
    rates = {name: module.p for name, module in model.named_modules() if isinstance(module, torch.nn.Dropout)}
    assert rates == {name: 0.25 if name in PLACES[rate] else 0.0 for place in PLACES.values() for name in place}

    seen = {}  # what really happens there: a quarter zeros, the rest scaled by 4/3; nothing in eval mode
    for name in PLACES[rate]:
        module = model.get_submodule(name)
        module.register_forward_hook(lambda _, given, out, name=name: seen.update({name: (given[0], out)}))
    ids, mask, segments = ragged_batch(config, [12] * 60)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model(ids, mask, segments)
    assert set(seen) == set(PLACES[rate])
    for given, out in seen.values():
        dropped = (out == 0) & (given != 0)
        assert dropped.float().mean().item() == pytest.approx(0.25, abs=0.04)
        torch.testing.assert_close(out[~dropped], given[~dropped] / 0.75)
    model.eval()(ids, mask, segments)
    assert all(torch.equal(given, out) for given, out in seen.values())


@each_family
@pytest.mark.parametrize("training", [True, False])
def test_the_rate_on_the_probabilities_reaches_attention_in_training_only(family, training, monkeypatch):
    config = small_config(family, **(OFF | {"dropout_attn_probs": 0.25}))
    rates = []

    def record(query, key, value, context):
        rates.append(context.dropout)
        return original(query, key, value, context)

    original = attention_module.attend
    monkeypatch.setattr(attention_module, "attend", record)
    build(MaskedLanguageModel, config).train(training)(torch.tensor([[4, 5, 6]]))
    assert rates == [0.25 if training else 0.0] * config.layers


@each_family
@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("model_class", [SequenceClassifier, TokenClassifier])
def test_a_rate_makes_training_random_and_evaluation_never(family, rate, model_class):
    model = build(model_class, small_config(family, **(OFF | {rate: 0.3})))
    ids = torch.tensor([[4, 5, 6, 7, 9]])
    assert torch.equal(model(ids).logits, model(ids).logits)
    model.train()
    with torch.random.fork_rng():
        torch.manual_seed(0)
        first, second = model(ids).logits, model(ids).logits
    assert not torch.equal(first, second)


@each_family
def test_without_rates_training_is_deterministic(family):
    model = build(TokenClassifier, small_config(family, **OFF)).train()
    ids = torch.tensor([[4, 5, 6, 7, 9]])
    assert torch.equal(model(ids).logits, model(ids).logits)


def test_bert_reads_spans_without_dropout():
    on = OFF | {"dropout_classifier": 0.3}
    assert build(SpanReader, small_config("bert", **on)).head.dropout.p == 0.0
    assert build(SpanReader, small_config("modernbert", **on)).head.dropout.p == 0.3


# bfloat16 keeps 8 bits: a relative error of 2^-9 per rounding, some tens of roundings on the way.
BFLOAT16_ERROR = 0.03


def relative_error(found, expected):
    return ((found.double() - expected.double()).norm() / expected.double().norm()).item()


@each_family
def test_bfloat16_stays_close_to_float32(family):
    config = small_config(family, max_len=400)
    ids, mask, segments = ragged_batch(config, (300, 11, 1))  # beyond 256, where bfloat16 cannot count
    expected = build(MaskedLanguageModel, config, dtype=torch.float32)(ids, mask, segments)
    model = build(MaskedLanguageModel, config, dtype=torch.bfloat16)
    found = model(ids, mask, segments, output_hidden_states=True)
    assert {p.dtype for p in model.parameters()} == {torch.bfloat16}
    assert found.logits.dtype == found.hidden.dtype == torch.bfloat16
    assert relative_error(found.hidden, expected.hidden) < BFLOAT16_ERROR
    assert relative_error(found.logits, expected.logits) < BFLOAT16_ERROR
    assert relative_error(found.hidden[0, 256:], expected.hidden[0, 256:]) < BFLOAT16_ERROR


@each_family
def test_autocast_stays_close_to_float32_and_trains(family):
    config = small_config(family, max_len=400, **OFF)
    ids, mask, segments = ragged_batch(config, (300, 11, 1))
    model = build(MaskedLanguageModel, config, dtype=torch.float32).train()
    expected = model(ids, mask, segments).logits
    with torch.autocast("cpu", dtype=torch.bfloat16):
        output = model(ids, mask, segments, output_attentions=True)
    assert relative_error(output.logits, expected) < BFLOAT16_ERROR
    output.logits.float().tanh().sum().backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad.dtype == torch.float32, name
        assert parameter.grad.isfinite().all(), name


@each_family
@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16, torch.float16])
def test_to_a_dtype_leaves_a_working_model(family, dtype):
    config = small_config(family)
    model = build(SequenceClassifier, config, dtype=dtype, labels=3)
    assert not list(model.named_buffers())  # nothing is kept beside the weights that a cast could spoil
    ids, mask, segments = ragged_batch(config, (9, 4))
    output = model(ids, mask, segments, output_attentions=True, output_hidden_states=True)
    tensors = (output.logits, output.hidden, *output.hidden_states, *output.attentions)
    assert {tensor.dtype for tensor in tensors} == {dtype}
    assert all(tensor.isfinite().all() for tensor in tensors)


def test_rotation_angles_are_never_computed_in_half_precision():
    positions = torch.tensor([256, 257])
    cos, _ = rotary_tables(positions, head_size=8, theta=1e4, dtype=torch.bfloat16)
    assert cos.dtype == torch.float32
    assert not torch.equal(cos[0], cos[1])
    assert rotary_tables(positions, 8, 1e4, torch.float64)[0].dtype == torch.float64
