"""Positions and context extension: what is built for the comparison is right, and longer rows only add context."""

import json
import math

import pytest
import torch

from minibert.experiments.context_extension import ARMS, CONTEXT_EXTENSION, steps_of
from minibert.experiments.context_extension import measure as extend
from minibert.experiments.positions import (
    KINDS,
    POSITIONS,
    AlibiAttention,
    alibi_bias,
    cut,
    measure,
    new_model,
    score_lengths,
    set_theta,
    sinusoids,
    text_of,
    trained,
)
from minibert.experiments.small_encoders import held_out_batches
from minibert.objectives import IGNORE
from minibert.varlen.reference import PackedContext

SETTINGS = POSITIONS.settings | POSITIONS.tiny


@pytest.fixture(scope="module")
def text():
    return text_of(SETTINGS)


def test_alibi_subtracts_slope_times_distance_and_tells_the_sides_apart():
    bias, length = alibi_bias(8, 5), 5
    for head in range(8):
        slope = 2.0 ** (-8 * (head % 4 + 1) / 4)
        for i in range(length):
            for j in range(length):
                seen = j <= i if head < 4 else j >= i
                assert bias[head, i, j] == (-slope * abs(i - j) if seen else -torch.inf), (head, i, j)


def test_alibi_attention_is_attention_with_this_bias(text):
    settings = SETTINGS | dict(width=16, heads=4)
    attention = new_model(settings, text, "alibi", 0).encoder.blocks[0].attention
    assert isinstance(attention, AlibiAttention)
    x = torch.randn(2 * 6, 16, generator=torch.Generator().manual_seed(0))
    output, _ = attention(x, PackedContext(torch.tensor([0, 6, 12]), 6))
    for row in range(2):
        parts = attention.query_key_value(x[6 * row : 6 * row + 6]).view(6, 12, 4)  # query, key, value of 4 heads
        heads = []
        for head in range(4):
            query, key, value = (parts[:, head + 4 * part] for part in range(3))
            scores = query @ key.T / 2 + alibi_bias(4, 6)[head]
            heads.append(scores.softmax(dim=-1) @ value)
        expected = attention.output(torch.cat(heads, dim=-1))
        assert torch.allclose(output[6 * row : 6 * row + 6], expected, atol=1e-5)


def test_sinusoids_are_the_formula_of_the_paper():
    table = sinusoids(7, 6)
    for position in range(7):
        for pair in range(3):
            angle = position / 10_000 ** (2 * pair / 6)
            assert table[position, 2 * pair].item() == pytest.approx(math.sin(angle), abs=1e-5)
            assert table[position, 2 * pair + 1].item() == pytest.approx(math.cos(angle), abs=1e-5)


def test_the_sinusoids_of_a_model_are_not_learned(text):
    model = new_model(SETTINGS, text, "sinusoids", 0)
    trainable = {name for name, weight in model.named_parameters() if weight.requires_grad}
    assert "encoder.embeddings.position.weight" not in trainable and len(trainable) > 5


def test_the_kinds_begin_with_the_same_token_table(text):
    tables = [new_model(SETTINGS, text, kind, 3).encoder.embeddings.token.weight for kind in ("rope", "alibi")]
    assert torch.equal(*tables)


def test_shorter_rows_hold_the_same_tokens_hidden_in_the_same_places(text):
    batches = held_out_batches(text, 256, 4)
    for length in (64, 128):
        short = list(cut(batches, length))
        assert all(
            torch.equal(a.ids, b.ids) and torch.equal(a.labels, b.labels) for a, b in zip(short, batches, strict=True)
        )
        assert {int(size) for batch in short for size in batch.cu_seqlens.diff()} == {length}
    assert sum(int((batch.labels != IGNORE).sum()) for batch in batches) > 50


def test_scores_are_those_of_rows_run_one_by_one(text):
    model = new_model(SETTINGS, text, "rope", 0).eval()
    found = score_lengths(model, text, (64, 256), 4)
    nats, size = 0.0, 0
    lengths = torch.tensor(text.tokenizer.byte_lengths())
    for batch in held_out_batches(text, 256, 4):
        for start in range(0, len(batch.ids), 64):
            ids, labels = batch.ids[start : start + 64], batch.labels[start : start + 64]
            with torch.no_grad():
                probabilities = model(ids[None]).logits[0].log_softmax(-1)
            for place in (labels != IGNORE).nonzero()[:, 0].tolist():
                nats -= probabilities[place, labels[place]].item()
                size += int(lengths[labels[place]])
    assert found["bits per byte at 64"] == pytest.approx(nats / math.log(2) / size, rel=1e-4)
    along = [value for name, value in found.items() if name.startswith("loss at places")]
    assert len(along) == 8


def test_theta_alone_is_raised_and_tuning_goes_on_from_the_trained_weights(text):
    weights = trained(json.dumps(SETTINGS), "rope", "steps", 0)
    model = new_model(SETTINGS, text, "rope", 0)
    model.load_state_dict(weights)
    set_theta(model, SETTINGS["raised_theta"])
    raised = score_lengths(model.eval(), text, SETTINGS["lengths"], SETTINGS["held_out_rows"])
    assert raised == measure(SETTINGS, "RoPE, theta raised", 0)
    assert measure(SETTINGS, "RoPE, tuned", 0) != measure(SETTINGS, "RoPE", 0)
    again = trained(json.dumps(SETTINGS), "rope", "steps", 0)
    assert all(torch.equal(weights[name], again[name]) for name in weights), "tuning left the kept weights alone"


def test_the_arms_spend_what_they_say():
    settings = CONTEXT_EXTENSION.settings
    steps = steps_of(settings)
    assert steps["equal_tokens"] == settings["short_steps"] + settings["extension_steps"]
    cost = settings["long_step"]
    assert abs(cost * steps["equal_time"] - (settings["short_steps"] + cost * settings["extension_steps"])) < cost
    for arm, (short, long, _) in ARMS.items():
        tiny = settings | CONTEXT_EXTENSION.tiny
        found = extend(tiny, arm, 0)
        assert found["steps on short rows"] == (steps_of(tiny)[short] if short else 0)
        assert found["steps on long rows"] == (steps_of(tiny)[long] if long else 0)
    assert {kind for kind, *_ in KINDS.values()} == set(POSITIONS.settings["learning_rates"])
