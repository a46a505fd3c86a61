"""Golden numbers for all three families, and eighteen classic mistakes that each must be seen by them.

tests/data/golden.json holds logits, hidden states and losses of three tiny models that `transformers` computed. Their
weights follow a rule, so no file is needed: element k of parameter j is 0.3 sin(1.7 j + 0.61 k), plus 1 for norm gains.
"""

import json
import math
from pathlib import Path

import pytest
import torch
from oracles import TABLES

import minibert.model.attention as attention_module
from minibert.checkpoints import load_state_dict_from
from minibert.config import EncoderConfig
from minibert.model import MaskedLanguageModel, PretrainingModel
from minibert.model.block import Block
from minibert.model.embeddings import Embeddings
from minibert.model.feed_forward import GatedFeedForward
from minibert.objectives import mlm_loss
from minibert.varlen import ANYWHERE

GOLDEN = json.loads((Path(__file__).parent / "data" / "golden.json").read_text(encoding="utf-8"))
ATOL = 2e-5
IDS = torch.tensor(GOLDEN["input_ids"])
MASK = torch.tensor(GOLDEN["attention_mask"])
SEGMENTS = torch.tensor(GOLDEN["token_type_ids(bert only)"])
SIZES = dict(vocab_size=11, hidden=16, intermediate=24, max_len=16, pad_id=0, cls_id=1, sep_id=2, mask_id=3)
CONFIGS = {
    "bert": EncoderConfig.preset("bert-base").replace(**SIZES, layers=2, heads=2),
    "modernbert": EncoderConfig.preset("modernbert-base").replace(**SIZES, layers=4, heads=2, local_window=4),
    "eurobert": EncoderConfig.preset("eurobert-210m").replace(**SIZES, layers=2, heads=4, kv_heads=2),
}
each_family = pytest.mark.parametrize("family", CONFIGS)
each_backend = pytest.mark.parametrize("backend", ANYWHERE)


def golden_weights(family: str) -> dict[str, torch.Tensor]:
    """The rule, in the order the file lists: a tied tensor counts once."""
    weights = {}
    for j, name in enumerate(GOLDEN[family]["order"]):
        shape = GOLDEN[family]["shapes"][name]
        values = 0.3 * torch.sin(1.7 * j + 0.61 * torch.arange(math.prod(shape), dtype=torch.float64))
        is_gain = len(shape) == 1 and name.endswith("weight")
        weights[name] = (values + 1 if is_gain else values).view(shape).to(torch.float32)
    return weights


def golden_model(family: str, **changes) -> MaskedLanguageModel:
    model = (PretrainingModel if family == "bert" else MaskedLanguageModel)(CONFIGS[family].replace(**changes))
    return load_state_dict_from(model, golden_weights(family), table=TABLES[family]).eval()


def run(model, family, **options):
    with torch.no_grad():
        return model(IDS, MASK, SEGMENTS if family == "bert" else None, **options)


def difference(model, family, **options) -> float:
    """The largest difference of a logit on a real position: what every mistake is measured by."""
    logits = run(model, family, **options).logits
    rows = zip(logits, MASK, GOLDEN[family]["mlm_logits_real_positions"], strict=True)
    return max((row[keep.bool()] - torch.tensor(expected)).abs().max().item() for row, keep, expected in rows)


@each_family
@each_backend
def test_logits(family, backend):
    assert difference(golden_model(family), family, backend=backend) <= ATOL


@each_family
def test_hidden_states(family):
    found = run(golden_model(family), family, output_hidden_states=True).hidden_states
    expected = GOLDEN[family]["hidden_states_seq0_pos0"]
    assert len(found) == len(expected)
    for layer, (state, numbers) in enumerate(zip(found, expected, strict=True)):
        torch.testing.assert_close(
            state[0, 0], torch.tensor(numbers), rtol=0, atol=ATOL, msg=lambda text, layer=layer: f"{layer}: {text}"
        )


@each_family
def test_losses(family):
    labels = torch.full_like(IDS, -100)
    labels[0, 2], labels[0, 5], labels[1, 1] = 5, 1, 7
    output = run(golden_model(family), family)
    real = MASK.bool()
    assert mlm_loss(output.logits[real], labels[real]).item() == pytest.approx(GOLDEN[family]["mlm_ce"], abs=ATOL)
    if family == "bert":
        torch.testing.assert_close(output.nsp_logits, torch.tensor(GOLDEN["bert"]["nsp_logits"]), rtol=0, atol=ATOL)


# ---- the mistakes. Each takes monkeypatch, spoils our code, and returns what else to change in the config.


def interleaved_rope(monkeypatch):
    def rotate(x, cos, sin):  # turns neighbours (2k, 2k + 1) instead of (k, k + K/2)
        even, odd, cos, sin = x[..., 0::2], x[..., 1::2], cos[:, None], sin[:, None]
        return torch.stack([even * cos - odd * sin, odd * cos + even * sin], dim=-1).flatten(-2)

    monkeypatch.setattr(attention_module, "rotate", rotate)
    return {}


def spoil_attention(monkeypatch, change):
    """Let `change(query, key, value, context)` meddle with every call of attention."""
    original = attention_module.attend

    def attend(query, key, value, context):
        return original(*change(query, key, value, context), context)

    monkeypatch.setattr(attention_module, "attend", attend)
    return {}


def window_times(factor, plus):
    def plant(monkeypatch):
        def change(query, key, value, context):
            if context.window is not None:
                context.window = factor * context.window + plus
            return query, key, value

        return spoil_attention(monkeypatch, change)

    return plant


def tile_keys_and_values(monkeypatch):
    def change(query, key, value, context):  # groups 0 1 0 1 instead of 0 0 1 1
        repeats = query.shape[1] // key.shape[1]
        return query, key.repeat(1, repeats, 1), value.repeat(1, repeats, 1)

    return spoil_attention(monkeypatch, change)


def heads_outside_query_key_value(monkeypatch):
    """The rows of the joint projection read as (H, 3, K) instead of (3, H, K)."""
    original = attention_module.Attention.forward

    def forward(self, x, context):
        module = self.query_key_value

        def reordered(x):
            out = torch.nn.functional.linear(x, module.weight, module.bias)
            return out.view(len(x), self.heads, 3, self.head_size).transpose(1, 2).flatten(1)

        monkeypatch.setattr(module, "forward", reordered)
        return original(self, x, context)

    monkeypatch.setattr(attention_module.Attention, "forward", forward)
    return {}


def other_half_activated(monkeypatch):
    def forward(self, x):
        gate, up = self.gate_up(x).chunk(2, dim=-1)
        return self.output(self.dropout(gate * self.activation(up)))

    monkeypatch.setattr(GatedFeedForward, "forward", forward)
    return {}


def silu_in_the_gate(monkeypatch):
    original = GatedFeedForward.__init__

    def init(self, config):
        original(self, config)
        self.activation = torch.nn.functional.silu

    monkeypatch.setattr(GatedFeedForward, "__init__", init)
    return {}


def global_at_the_third(monkeypatch):
    original = attention_module.Attention.__init__
    monkeypatch.setattr(
        attention_module.Attention, "__init__", lambda self, config, layer: original(self, config, layer + 1)
    )
    return {}


def no_segment_embedding(monkeypatch):
    def forward(self, ids, positions, segment_ids=None):
        return self.norm(self.token(ids) + self.position(positions))

    monkeypatch.setattr(Embeddings, "forward", forward)
    return {}


def norm_before_the_sum(monkeypatch):
    def forward(self, x, context):
        mixed, probabilities = self.attention(x, context)
        x = x + self.attention_norm(mixed)
        return self.feed_forward_norm(x + self.feed_forward(x)), probabilities

    monkeypatch.setattr(Block, "forward", forward)
    return {}


def changed(**fields):
    return lambda monkeypatch: fields


MISTAKES = [
    # family, mistake, how to make it, the difference it makes
    ("bert", "tanh GELU", changed(act="gelu_tanh"), 6.9e-4),
    ("bert", "eps 1e-5", changed(norm_eps=1e-5), 4.5e-4),
    ("bert", "no segment embedding", no_segment_embedding, 1.2),
    ("bert", "norm before the residual sum", norm_before_the_sum, 1.5),
    ("modernbert", "other half activated", other_half_activated, 0.11),
    ("modernbert", "SiLU", silu_in_the_gate, 0.012),
    ("modernbert", "Wqkv as (h, 3, d)", heads_outside_query_key_value, 0.24),
    ("modernbert", "interleaved RoPE", interleaved_rope, 0.12),
    ("modernbert", "window exclusive", window_times(1, -1), 7e-3),
    ("modernbert", "window doubled", window_times(2, 0), 8.8e-3),
    ("modernbert", "theta 160k everywhere", changed(rope_theta_local=160_000.0), 6e-5),
    ("modernbert", "theta 10k everywhere", changed(rope_theta=10_000.0), 9.9e-3),
    ("modernbert", "global at i % 3 == 2", global_at_the_third, 0.16),
    ("eurobert", "interleaved RoPE", interleaved_rope, 0.64),
    ("eurobert", "theta 10k", changed(rope_theta=10_000.0), 0.022),
    ("eurobert", "tile instead of repeat_interleave", tile_keys_and_values, 0.78),
    ("eurobert", "activation on up", other_half_activated, 0.030),
    ("eurobert", "tied head", changed(tie=True), 2.2),
]


@pytest.mark.parametrize(("family", "mistake", "plant", "size"), MISTAKES, ids=[f"{m[0]}: {m[1]}" for m in MISTAKES])
def test_a_planted_mistake_is_seen(family, mistake, plant, size, monkeypatch):
    assert difference(golden_model(family), family) <= ATOL  # healthy before ...
    changes = plant(monkeypatch)
    model = golden_model(family, **{name: value for name, value in changes.items() if name != "tie"})
    if "tie" in changes:
        model.decoder.weight = model.encoder.embeddings.token.weight
    seen = difference(model, family)
    assert seen > ATOL
    assert size / 1.5 < seen < size * 1.5, f"{mistake}: {seen:.2e}, expected about {size:.2e}"
    monkeypatch.undo()
    assert difference(golden_model(family), family) <= ATOL  # ... and after


def test_no_mistake_is_missing():
    assert len({(family, mistake) for family, mistake, _, _ in MISTAKES}) == 18
