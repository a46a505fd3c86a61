"""Every sub-layer against `transformers`: same weights, random configs, ragged batches; compared on real positions."""

import random

import pytest
import torch
from oracles import FAMILIES, assert_same_gradients, both, pack, ragged_batch, small_config

from minibert.model import MaskedLanguageModel, PretrainingModel
from minibert.objectives import mlm_loss, pretraining_loss

ATOL = 1e-5  # float32
SEEDS = range(8)

# ours <- theirs; where ours is one fused projection, theirs stand side by side. {i} is the layer.
BERT = {
    "encoder.embeddings": "bert.embeddings",
    "encoder.embeddings.norm": "bert.embeddings.LayerNorm",
    "encoder.blocks.{i}.attention.query_key_value": tuple(
        f"bert.encoder.layer.{{i}}.attention.self.{part}" for part in ("query", "key", "value")
    ),
    "encoder.blocks.{i}.attention": "bert.encoder.layer.{i}.attention.output.dense",
    "encoder.blocks.{i}.attention.output": "bert.encoder.layer.{i}.attention.output.dense",
    "encoder.blocks.{i}.attention_norm": "bert.encoder.layer.{i}.attention.output",
    "encoder.blocks.{i}.feed_forward.input": "bert.encoder.layer.{i}.intermediate.dense",
    "encoder.blocks.{i}.feed_forward.dropout": "bert.encoder.layer.{i}.intermediate",  # the activation's output
    "encoder.blocks.{i}.feed_forward": "bert.encoder.layer.{i}.output.dense",
    "encoder.blocks.{i}.feed_forward.output": "bert.encoder.layer.{i}.output.dense",
    "encoder.blocks.{i}.feed_forward_norm": "bert.encoder.layer.{i}.output",
    "encoder.blocks.{i}": "bert.encoder.layer.{i}",
    "encoder.pooler": "bert.pooler",
    "encoder.pooler.dense": "bert.pooler.dense",
    "head.dense": "cls.predictions.transform.dense",
    "head.norm": "cls.predictions.transform.LayerNorm",
    "head": "cls.predictions.transform",
    "decoder": "cls.predictions.decoder",
    "nsp": "cls.seq_relationship",
}
MODERNBERT = {
    "encoder.embeddings": "model.embeddings",
    "encoder.embeddings.norm": "model.embeddings.norm",
    "encoder.blocks.{i}.attention_norm": "model.layers.{i}.attn_norm",
    "encoder.blocks.{i}.attention.query_key_value": "model.layers.{i}.attn.Wqkv",
    "encoder.blocks.{i}.attention": "model.layers.{i}.attn",
    "encoder.blocks.{i}.attention.output": "model.layers.{i}.attn.Wo",
    "encoder.blocks.{i}.feed_forward_norm": "model.layers.{i}.mlp_norm",
    "encoder.blocks.{i}.feed_forward.gate_up": "model.layers.{i}.mlp.Wi",
    "encoder.blocks.{i}.feed_forward.dropout": "model.layers.{i}.mlp.drop",  # the gated product
    "encoder.blocks.{i}.feed_forward": "model.layers.{i}.mlp",
    "encoder.blocks.{i}.feed_forward.output": "model.layers.{i}.mlp.Wo",
    "encoder.blocks.{i}": "model.layers.{i}",
    "encoder.final_norm": "model.final_norm",
    "head.dense": "head.dense",
    "head.norm": "head.norm",
    "head": "head",
    "decoder": "decoder",
}
EUROBERT = {
    "encoder.embeddings": "model.embed_tokens",
    "encoder.blocks.{i}.attention_norm": "model.layers.{i}.input_layernorm",
    "encoder.blocks.{i}.attention.query_key_value": tuple(
        f"model.layers.{{i}}.self_attn.{part}_proj" for part in ("q", "k", "v")
    ),
    "encoder.blocks.{i}.attention": "model.layers.{i}.self_attn",
    "encoder.blocks.{i}.attention.output": "model.layers.{i}.self_attn.o_proj",
    "encoder.blocks.{i}.feed_forward_norm": "model.layers.{i}.post_attention_layernorm",
    "encoder.blocks.{i}.feed_forward.gate_up": ("model.layers.{i}.mlp.gate_proj", "model.layers.{i}.mlp.up_proj"),
    "encoder.blocks.{i}.feed_forward": "model.layers.{i}.mlp",
    "encoder.blocks.{i}.feed_forward.output": "model.layers.{i}.mlp.down_proj",
    "encoder.blocks.{i}": "model.layers.{i}",
    "encoder.final_norm": "model.norm",
    "decoder": "lm_head",
}
TABLES = {"bert": BERT, "modernbert": MODERNBERT, "eurobert": EUROBERT}
MODEL = {"bert": PretrainingModel, "modernbert": MaskedLanguageModel, "eurobert": MaskedLanguageModel}

VARIANTS = {  # what the published models do not use but the configs allow
    "bert": [dict(act="gelu_tanh"), dict(tie=False), dict(act="silu", norm_eps=1e-3)],
    "modernbert": [
        dict(attention_bias=True, mlp_bias=True, norm_bias=True, head_bias=True),
        dict(tie=False, decoder_bias=False, act="silu"),
        dict(layer_types=("global", "local"), local_window=2, rope_theta=500.0, rope_theta_local=20.0),
    ],
    "eurobert": [
        dict(attention_bias=True, mlp_bias=True, decoder_bias=True),
        dict(tie=True),
        dict(act="gelu_tanh", kv_heads=1),
    ],
}


def random_config(family: str, seed: int):
    """A config and text lengths that nobody would choose: odd widths, one head, windows of two tokens."""
    draw = random.Random(seed)
    heads = draw.choice([1, 2, 3, 4, 6])
    changes = dict(
        vocab_size=draw.randint(9, 40),
        heads=heads,
        hidden=heads * draw.choice([3, 5, 8] if family == "bert" else [2, 4, 6, 10]),
        layers=draw.randint(1, 5 if family == "modernbert" else 3),
        intermediate=draw.randint(3, 45),
    )
    if family == "modernbert":
        changes |= dict(
            local_window=draw.choice([2, 4, 6]),
            layer_types=draw.choice([("global", "local"), ("local", "global", "local")]),
        )
        changes |= dict(rope_theta=draw.choice([160_000.0, 3_000.0]), rope_theta_local=draw.choice([10_000.0, 100.0]))
    if family == "eurobert":
        changes |= dict(kv_heads=draw.choice([g for g in range(1, heads + 1) if heads % g == 0]))
        changes |= dict(rope_theta=draw.choice([250_000.0, 10_000.0]))
    lengths = [draw.randint(1, 19) for _ in range(draw.randint(1, 5))]
    return small_config(family, **changes), lengths


def cases():
    for family in FAMILIES:
        for seed in SEEDS:
            yield pytest.param(*random_config(family, seed), id=f"{family}-random{seed}")
        for changes in VARIANTS[family]:
            name = "-".join(f"{key}={value}" for key, value in changes.items())
            yield pytest.param(small_config(family, **changes), [11, 5, 1], id=f"{family}-{name}")


def record(model, names):
    """Forward hooks that keep each named module's output (the first part, where there are several)."""
    seen = {}

    def keeper(name):
        def keep(_, __, output):
            seen[name] = output[0] if isinstance(output, tuple) else output

        return keep

    for name in names:
        model.get_submodule(name).register_forward_hook(keeper(name))
    return seen


def written_out(config):
    """The family's table with every layer written out, theirs as a tuple."""
    table = {}
    for ours, theirs in TABLES[config.family].items():
        theirs = (theirs,) if isinstance(theirs, str) else theirs
        for layer in range(config.layers) if "{i}" in ours else [0]:
            table[ours.replace("{i}", str(layer))] = tuple(name.replace("{i}", str(layer)) for name in theirs)
    return table


def masked_labels(config, ids, mask, seed=0):
    """About every third real token is to be predicted, at least one."""
    generator = torch.Generator().manual_seed(seed)
    chosen = (torch.rand(ids.shape, generator=generator) < 0.35) & mask.bool()
    chosen[0, mask[0].argmax()] = True
    return torch.where(chosen, torch.randint(0, config.vocab_size, ids.shape, generator=generator), -100)


def run_both(config, lengths, dtype, side="right", atol=ATOL):
    """Compare everything there is to see in one forward and backward pass."""
    model_class = MODEL[config.family]
    ours, theirs = both(model_class, config, dtype=dtype)
    ids, mask, segments = ragged_batch(config, lengths, side=side)
    labels = masked_labels(config, ids, mask)
    nsp_labels = torch.arange(len(lengths)) % 2
    table = written_out(config)
    our_outputs = record(ours, table)
    their_outputs = record(theirs, {name for names in table.values() for name in names})

    found = ours(ids, mask, segments, output_attentions=True, output_hidden_states=True)
    arguments = dict(input_ids=ids, attention_mask=mask, labels=labels, output_attentions=True)
    if config.family == "bert":
        arguments |= dict(token_type_ids=segments, next_sentence_label=nsp_labels)
    expected = theirs(**arguments, output_hidden_states=True)

    def same(mine, other, what):
        assert mine.shape == other.shape, f"{what}: {tuple(mine.shape)}, theirs {tuple(other.shape)}"
        difference = (mine - other).abs().max().item()
        assert difference <= atol, f"{what}: off by {difference:.1e}"

    for name, their_names in table.items():
        parts = torch.cat([their_outputs[part] for part in their_names], dim=-1)
        is_per_text = parts.dim() == 2  # pooler and next sentence: one row per text
        same(our_outputs[name], parts if is_per_text else pack(parts, mask), name)

    real = mask.bool()
    assert len(found.hidden_states) == len(expected.hidden_states) == config.layers + 1
    for layer, (mine, other) in enumerate(zip(found.hidden_states, expected.hidden_states, strict=True)):
        same(mine[real], other[real], f"hidden_states[{layer}]")
    pairs = (real[:, :, None] & real[:, None, :])[:, None]  # (B, 1, T, T)
    assert len(found.attentions) == len(expected.attentions) == config.layers
    for layer, (mine, other) in enumerate(zip(found.attentions, expected.attentions, strict=True)):
        same(mine * pairs, other * pairs, f"attentions[{layer}]")

    if config.family == "bert":
        same(found.logits[real], expected.prediction_logits[real], "logits")
        same(found.nsp_logits, expected.seq_relationship_logits, "nsp_logits")
        loss = pretraining_loss(found.logits[real], labels[real], found.nsp_logits, nsp_labels)
    else:
        same(found.logits[real], expected.logits[real], "logits")
        loss = mlm_loss(found.logits[real], labels[real])
    same(loss, expected.loss, "loss")
    loss.backward()
    expected.loss.backward()
    assert_same_gradients(ours, theirs, model_class, atol)


@pytest.mark.parametrize(("config", "lengths"), cases())
def test_every_sublayer_loss_and_gradient_equals_transformers(config, lengths):
    run_both(config, lengths, torch.float32)


@pytest.mark.parametrize("seed", SEEDS)
def test_bert_in_double_precision(seed):
    config, lengths = random_config("bert", seed)
    run_both(config, lengths, torch.float64, atol=1e-9)


@pytest.mark.parametrize("seed", [1, 3, 5])
@pytest.mark.parametrize("family", ["modernbert", "eurobert"])
def test_rope_families_with_padding_on_the_left(family, seed):
    """Positions then start at another number on each side; only distances count, up to rounding."""
    config, lengths = random_config(family, seed)
    run_both(config, [*lengths, 9, 4], torch.float32, side="left")


@pytest.mark.parametrize("family", FAMILIES)
def test_the_comparison_leaves_no_layer_out(family):
    config = small_config(family)
    model = MODEL[family](config)
    table = written_out(config)
    for name, module in model.named_modules():
        is_table = isinstance(module, torch.nn.Embedding)  # the sum of the tables is compared
        if list(module.parameters(recurse=False)) and not is_table:
            assert name in table, f"{name} is not compared with anything"


def test_the_random_cases_are_the_hard_ones():
    drawn = {family: [random_config(family, seed) for seed in SEEDS] for family in FAMILIES}
    assert any(1 < config.groups < config.heads for config, _ in drawn["eurobert"])
    assert any(1 == config.groups < config.heads for config, _ in drawn["eurobert"])
    assert any(config.local_window + 1 < max(lengths) for config, lengths in drawn["modernbert"])
    for family in FAMILIES:
        assert any(len(set(lengths)) > 2 for _, lengths in drawn[family])
        assert any(config.hidden % 4 for config, _ in drawn[family])
