"""What must not change the answer: padding, company in the batch, packing, the back-end, a shift of all positions."""

import pytest
import torch
from oracles import FAMILIES, borders, build, pack, ragged_batch, small_config
from torch.nn.functional import pad as grow

import minibert.model.attention as attention_module
import minibert.model.encoder as encoder_module
from minibert.model import (
    Encoder,
    MaskedLanguageModel,
    PretrainingModel,
    SequenceClassifier,
    SpanReader,
    TokenClassifier,
)
from minibert.varlen import ANYWHERE, packed_positions

LENGTHS = (11, 1, 6, 13)
TOLERANCE = dict(rtol=0, atol=1e-10)  # float64
each_family = pytest.mark.parametrize("family", FAMILIES)
each_backend = pytest.mark.parametrize("backend", ANYWHERE)


def rows(padded, mask):
    """The real part of each row."""
    return [row[keep.bool()] for row, keep in zip(padded, mask, strict=True)]


def close(first, second, **tolerance):
    torch.testing.assert_close(first, second, **(TOLERANCE | tolerance))


@each_family
@each_backend
@pytest.mark.parametrize("side", ["right", "left"])
@pytest.mark.parametrize("extra", [0, 1, 8])
def test_padding_changes_nothing(family, backend, side, extra):
    config = small_config(family)
    model = build(MaskedLanguageModel, config)
    ids, mask, segments = ragged_batch(config, LENGTHS)
    plain = model(ids, mask, segments, backend=backend)
    more_ids, more_mask, more_segments = ragged_batch(config, LENGTHS, side=side, width=max(LENGTHS) + extra)
    padded = model(more_ids, more_mask, more_segments, backend=backend)
    for one, other in zip(rows(plain.logits, mask), rows(padded.logits, more_mask), strict=True):
        close(one, other)
    for one, other in zip(rows(plain.hidden, mask), rows(padded.hidden, more_mask), strict=True):
        close(one, other)
    assert (padded.logits[more_mask == 0] == 0).all()
    assert (padded.hidden[more_mask == 0] == 0).all()


@each_family
@each_backend
def test_what_stands_on_padding_changes_nothing(family, backend):
    config = small_config(family)
    model = build(MaskedLanguageModel, config)
    ids, mask, segments = ragged_batch(config, LENGTHS)
    junk = torch.where(mask.bool(), ids, 17)
    clean, dirty = (model(some, mask, segments, backend=backend).logits for some in (ids, junk))
    assert torch.equal(clean, dirty)


@each_family
@each_backend
def test_company_in_the_batch_changes_nothing(family, backend):
    config = small_config(family)
    model = build(MaskedLanguageModel, config)
    ids, mask, segments = ragged_batch(config, LENGTHS)
    together = rows(model(ids, mask, segments, backend=backend).logits, mask)
    for row, length in enumerate(LENGTHS):
        alone = model(
            ids[row : row + 1, :length],
            segment_ids=None if segments is None else segments[row : row + 1, :length],
            backend=backend,
        )
        close(alone.logits[0], together[row])


@each_family
@each_backend
def test_packing_changes_nothing_and_gradients_neither(family, backend):
    config = small_config(family)
    ids, mask, segments = ragged_batch(config, LENGTHS)
    weights = torch.linspace(-1, 1, config.vocab_size, dtype=torch.float64)

    def run(feed):
        model = build(MaskedLanguageModel, config)
        logits = feed(model)
        (logits.tanh() * weights).sum().backward()
        return logits.detach(), {name: p.grad for name, p in model.named_parameters()}

    def packed(model):
        kinds = None if segments is None else pack(segments, mask)
        return model.packed(pack(ids, mask), borders(mask), segment_ids=kinds, backend=backend).logits

    def one_by_one(model):
        parts = []
        for row, length in enumerate(LENGTHS):
            kinds = None if segments is None else segments[row, :length]
            parts.append(model.packed(ids[row, :length], torch.tensor([0, length]), kinds, backend=backend).logits)
        return torch.cat(parts)

    def padded(model):
        return pack(model(ids, mask, segments, backend=backend).logits, mask)

    logits, gradients = run(packed)
    for feed in (one_by_one, padded):
        other_logits, other_gradients = run(feed)
        close(logits, other_logits)
        for name, gradient in gradients.items():
            assert gradient is not None, name
            close(gradient, other_gradients[name], msg=lambda text, name=name: f"{name}: {text}")


@each_family
def test_every_back_end_gives_the_same_model(family):
    config = small_config(family)
    ids, mask, segments = ragged_batch(config, LENGTHS)
    weights = torch.linspace(-1, 1, config.vocab_size, dtype=torch.float64)
    results = []
    for backend in ("auto", *ANYWHERE):
        model = build(MaskedLanguageModel, config)
        logits = model(ids, mask, segments, backend=backend).logits
        (logits.tanh() * weights).sum().backward()
        results.append([logits.detach(), *(p.grad for p in model.parameters())])
    for result in results[1:]:
        close(result, results[0])


@pytest.mark.parametrize("model_class", [SequenceClassifier, TokenClassifier, SpanReader, Encoder])
@each_family
def test_heads_do_not_see_padding_either(family, model_class):
    config = small_config(family)
    model = build(model_class, config)
    ids, mask, segments = ragged_batch(config, LENGTHS)
    left = model(*ragged_batch(config, LENGTHS, side="left", width=20))
    right = model(ids, mask, segments)
    packed = model.packed(pack(ids, mask), borders(mask), None if segments is None else pack(segments, mask))
    if model_class is Encoder:
        close(right.hidden[0, : LENGTHS[0]], left.hidden[0, -LENGTHS[0] :])
        if config.pool == "bert":
            close(right.pooled, left.pooled)
            close(right.pooled, packed.pooled)
    elif model.token_wise_logits:
        close(right.logits[0, : LENGTHS[0]], left.logits[0, -LENGTHS[0] :])
        close(pack(right.logits, mask), packed.logits)
    else:
        close(right.logits, left.logits)
        close(right.logits, packed.logits)


@pytest.mark.parametrize("pool", ["bert", "cls", "mean", "late"])
@each_family
def test_every_pooling_works_in_every_family_and_ignores_padding(family, pool):
    config = small_config(family, nsp=False, pool=pool)
    model = build(SequenceClassifier, config, labels=3)
    ids, mask, segments = ragged_batch(config, LENGTHS)
    together = model(ids, mask, segments).logits
    assert together.shape == (len(LENGTHS), 3)
    assert together.std(0).min() > 1e-4  # the texts differ, so do their scores
    alone = [
        model(ids[row : row + 1, :length], segment_ids=None if segments is None else segments[row : row + 1, :length])
        for row, length in enumerate(LENGTHS)
    ]
    close(together, torch.cat([output.logits for output in alone]))


@pytest.mark.parametrize("family", ["modernbert", "eurobert"])
@each_backend
def test_rope_sees_distances_only(family, backend, monkeypatch):
    config = small_config(family)
    model = build(MaskedLanguageModel, config)
    ids, mask, _ = ragged_batch(config, LENGTHS)
    before = model(ids, mask, backend=backend).logits
    monkeypatch.setattr(encoder_module, "packed_positions", lambda cu_seqlens: packed_positions(cu_seqlens) + 1000)
    close(model(ids, mask, backend=backend).logits, before)
    # the control: stretched distances do matter
    monkeypatch.setattr(encoder_module, "packed_positions", lambda cu_seqlens: packed_positions(cu_seqlens) * 2)
    assert (model(ids, mask, backend=backend).logits - before).abs().max() > 1e-4


def test_learned_positions_are_absolute(monkeypatch):
    config = small_config("bert")
    model = build(MaskedLanguageModel, config)
    ids, mask, segments = ragged_batch(config, LENGTHS)
    before = model(ids, mask, segments).logits
    monkeypatch.setattr(encoder_module, "packed_positions", lambda cu_seqlens: packed_positions(cu_seqlens) + 5)
    assert (model(ids, mask, segments).logits - before).abs().max() > 1e-2


@each_family
def test_without_positions_an_encoder_is_a_bag_of_words(family, monkeypatch):
    changes = dict(layer_types=("global",), local_window=None, rope_theta_local=None) if family == "modernbert" else {}
    model = build(MaskedLanguageModel, small_config(family, **changes))
    ids = torch.tensor([[4, 9, 7, 12, 5, 30, 8]])
    order = torch.tensor([3, 0, 6, 1, 5, 2, 4])
    with_positions = model(ids).logits[:, order], model(ids[:, order]).logits
    assert (with_positions[0] - with_positions[1]).abs().max() > 1e-4
    monkeypatch.setattr(encoder_module, "packed_positions", lambda cu_seqlens: torch.zeros(7, dtype=torch.long))
    close(model(ids).logits[:, order], model(ids[:, order]).logits)


def test_no_segment_ids_means_sentence_a():
    config = small_config("bert")
    ids, mask, segments = ragged_batch(config, LENGTHS)
    for model_class in (Encoder, MaskedLanguageModel, PretrainingModel):
        model = build(model_class, config)
        default, zeros = model(ids, mask).hidden, model(ids, mask, torch.zeros_like(ids)).hidden
        close(default, zeros)
        assert (default - model(ids, mask, segments).hidden).abs().max() > 1e-2


@each_family
def test_no_mask_means_all_tokens_are_real(family):
    config = small_config(family)
    model = build(Encoder, config)
    ids, mask, _ = ragged_batch(config, (7, 7))
    assert torch.equal(model(ids).hidden, model(ids, mask).hidden)
    assert torch.equal(model(ids).hidden, model(ids.int(), mask.bool()).hidden)


@each_backend
def test_local_layers_with_a_window_as_long_as_the_text_are_global(backend):
    ids, mask, _ = ragged_batch(small_config("modernbert"), LENGTHS)
    one_theta = small_config("modernbert", rope_theta=1e4)
    configs = (
        one_theta.replace(local_window=24),  # the longest text has 13 tokens: 12 to each side see all of it
        one_theta.replace(local_window=22),
        one_theta.replace(layer_types=("global",), local_window=None, rope_theta_local=None),
    )
    wide, narrow, everywhere = (
        build(MaskedLanguageModel, config)(ids, mask, backend=backend).logits for config in configs
    )
    close(wide, everywhere)
    assert (narrow - everywhere).abs().max() > 1e-6


@each_family
@pytest.mark.parametrize("side", ["right", "left"])
def test_hidden_states_are_the_embeddings_the_blocks_and_the_final_hidden(family, side):
    config = small_config(family)
    model = build(MaskedLanguageModel, config)
    ids, mask, segments = ragged_batch(config, LENGTHS, side=side)
    seen = []
    for module in (model.encoder.embeddings, *model.encoder.blocks):
        module.register_forward_hook(lambda _, __, out: seen.append(out[0] if isinstance(out, tuple) else out))
    output = model(ids, mask, segments, output_hidden_states=True)
    states = output.hidden_states
    assert len(states) == config.layers + 1
    assert torch.equal(states[-1], output.hidden)
    for state, raw in zip(states[:-1], seen[:-1], strict=True):
        assert torch.equal(pack(state, mask), raw)
        assert (state[mask == 0] == 0).all()
    close(pack(states[-1], mask), model.encoder.final_norm(seen[-1]))
    # pre-norm models: state L is normalised, the raw stream under it is not
    assert torch.equal(pack(states[-1], mask), seen[-1]) == (family == "bert")
    packed = model.packed(pack(ids, mask), borders(mask), pack(segments, mask) if config.segments else None,
                          output_hidden_states=True)  # fmt: skip
    for one, other in zip(packed.hidden_states, states, strict=True):
        close(one, pack(other, mask))
    assert model(ids, mask, segments).hidden_states is None


@each_family
@pytest.mark.parametrize("side", ["right", "left"])
def test_attentions_are_probabilities_over_the_real_tokens(family, side):
    config = small_config(family)
    model = build(MaskedLanguageModel, config)
    ids, mask, segments = ragged_batch(config, LENGTHS, side=side, width=15)
    output = model(ids, mask, segments, output_attentions=True)
    assert len(output.attentions) == config.layers
    real = mask.bool()
    for layer, maps in enumerate(output.attentions):
        assert maps.shape == (len(LENGTHS), config.heads, 15, 15)
        sums = maps.sum(-1).transpose(1, 2)  # (B, T, H)
        close(sums[real], torch.ones(sum(LENGTHS), config.heads, dtype=torch.float64))
        visible = real[:, :, None] & real[:, None, :]
        if not config.is_global(layer):
            index = torch.arange(15)
            visible &= (index[:, None] - index).abs() <= config.half_window
        visible = visible[:, None].expand_as(maps)
        assert (maps[visible] > 0).all()
        assert (maps[~visible] == 0).all()
    close(output.logits, model(ids, mask, segments).logits)
    assert model(ids, mask, segments).attentions is None
    # the packed call gives the same maps, one per document
    packed = model.packed(pack(ids, mask), borders(mask), pack(segments, mask) if config.segments else None,
                          output_attentions=True)  # fmt: skip
    for row, length in enumerate(LENGTHS):
        first = 0 if side == "right" else 15 - length
        here = slice(first, first + length)
        close(packed.attentions[0][row], output.attentions[0][row, :, here, here])


@each_family
@each_backend
@pytest.mark.parametrize("dropout", [0.0, 0.3])
def test_gradient_checkpointing_gives_identical_gradients(family, backend, dropout):
    rates = {f"dropout_{place}": dropout for place in ("embed", "attn_probs", "attn_out", "mlp_inner", "mlp_out")}
    config = small_config(family, **rates)
    ids, mask, segments = ragged_batch(config, LENGTHS)
    gradients = []
    for checkpointing in (False, True):
        model = build(MaskedLanguageModel, config).train()
        model.encoder.gradient_checkpointing = checkpointing
        with torch.random.fork_rng():
            torch.manual_seed(3)
            model(ids, mask, segments, backend=backend).logits.tanh().sum().backward()
        gradients.append([p.grad for p in model.parameters()])
    for plain, recomputed in zip(*gradients, strict=True):
        assert torch.equal(plain, recomputed)


def test_gradient_checkpointing_runs_each_block_twice():
    config = small_config("bert")
    model = build(MaskedLanguageModel, config).train()
    calls = []
    for block in model.encoder.blocks:
        block.attention.register_forward_hook(lambda *_: calls.append(1))
    model.encoder.gradient_checkpointing = True
    model(torch.tensor([[4, 5, 6]])).logits.sum().backward()
    assert len(calls) == 2 * config.layers


@each_family
def test_nobody_writes_on_the_inputs(family):
    config = small_config(family)
    ids, mask, segments = ragged_batch(config, LENGTHS)
    given = [x for x in (ids, mask, segments) if x is not None]
    before = [x.clone() for x in given]
    cu_seqlens = borders(mask)
    for model_class in (Encoder, MaskedLanguageModel, SequenceClassifier, TokenClassifier, SpanReader):
        model = build(model_class, config)
        model(ids, mask, segments, output_attentions=True, output_hidden_states=True)
        model.packed(pack(ids, mask), cu_seqlens)
    for x, kept in zip(given, before, strict=True):
        assert torch.equal(x, kept)
    assert torch.equal(cu_seqlens, borders(mask))


@each_family
def test_dtypes_of_integers_do_not_matter(family):
    config = small_config(family)
    model = build(MaskedLanguageModel, config)
    ids, mask, segments = ragged_batch(config, LENGTHS)
    expected = model(ids, mask, segments).logits
    small = None if segments is None else segments.int()
    for kind in (torch.bool, torch.uint8, torch.int32):
        assert torch.equal(model(ids.int(), mask.to(kind), small).logits, expected)
    packed = pack(ids, mask), None if segments is None else pack(segments, mask)
    for kind in (torch.int32, torch.int64):
        assert torch.equal(model.packed(packed[0], borders(mask).to(kind), packed[1]).logits, pack(expected, mask))


@pytest.mark.parametrize("kind", [torch.int32, torch.int64])
def test_attention_always_receives_int32_borders(kind, monkeypatch):
    """Fast back-ends take nothing else."""
    model = build(Encoder, small_config("bert"))
    original, seen = attention_module.attend, set()

    def record(query, key, value, context):
        seen.add(context.cu_seqlens.dtype)
        return original(query, key, value, context)

    monkeypatch.setattr(attention_module, "attend", record)
    model.packed(torch.tensor([4, 5, 6]), torch.tensor([0, 1, 3], dtype=kind))
    assert seen == {torch.int32}


def test_a_text_of_the_full_learned_length_fits():
    config = small_config("bert", max_len=16)
    model = build(Encoder, config)
    ids = torch.arange(16)[None] + 4
    hidden = model(ids).hidden
    assert hidden.shape == (1, 16, 24)
    # left padding does not eat positions
    close(model(grow(ids, (5, 0)), grow(torch.ones_like(ids), (5, 0))).hidden[:, 5:], hidden)


@pytest.mark.parametrize("family", ["modernbert", "eurobert"])
def test_rope_models_read_texts_longer_than_they_were_trained_on(family):
    model = build(Encoder, small_config(family, max_len=8))
    assert model(torch.arange(20)[None] + 4).hidden.isfinite().all()
