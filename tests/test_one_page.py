"""`one_page.py` is the specification: `minibert.model` and `transformers` compute what it says, gradients included."""

import random

import pytest
import torch
from oracles import FAMILIES, both, build, ragged_batch, small_config
from tiny_transformers import RELATIVES, tiny_model
from torch.nn.functional import cross_entropy

from minibert import corpora
from minibert.config import EncoderConfig
from minibert.model import Encoder, MaskedLanguageModel
from minibert.objectives import mlm_loss
from minibert.one_page import encode, masked_token_loss
from minibert.varlen import ANYWHERE

BACKENDS = ("auto", *ANYWHERE)
PRESETS = ("bert-nano", "modernbert-nano", "eurobert-nano")
each_backend = pytest.mark.parametrize("backend", BACKENDS)
each_side = pytest.mark.parametrize("side", ["right", "left"])


def some_labels(ids, mask, seed=0):
    """Labels on about a third of the real tokens, -100 elsewhere."""
    drawn = torch.rand(ids.shape, generator=torch.Generator().manual_seed(seed)) < 0.3
    drawn[:, mask[0].nonzero()[0]] = True  # at least one
    return torch.where(drawn & mask.bool(), ids.roll(1, dims=1), -100)


def parameters_by_name(model):
    """Every name of the state_dict, tied ones under both names, and still attached to the gradient."""
    return dict(model.named_parameters(remove_duplicate=False))


def assert_model_follows_the_page(config, lengths, side, backend, atol):
    ids, mask, segments = ragged_batch(config, lengths, side=side, width=max(lengths) + 2)
    labels = some_labels(ids, mask)
    fast, plain = build(MaskedLanguageModel, config), build(MaskedLanguageModel, config)

    output = fast(ids, mask, segments, backend=backend)
    loss = mlm_loss(output.logits, labels)
    weights = parameters_by_name(plain)
    hidden = encode(weights, config, ids, mask, segments)
    specified = masked_token_loss(weights, config, hidden, labels)
    torch.testing.assert_close(output.hidden, hidden, rtol=0, atol=atol)
    torch.testing.assert_close(loss, specified, rtol=0, atol=atol)

    loss.backward()
    specified.backward()
    for (name, mine), other in zip(fast.named_parameters(), plain.parameters(), strict=True):
        torch.testing.assert_close(mine.grad, other.grad, rtol=0, atol=atol, msg=lambda m, name=name: f"{name}: {m}")


@pytest.mark.parametrize("preset", PRESETS)
@each_side
@each_backend
def test_the_model_follows_the_page_with_the_nano_presets(preset, side, backend):
    config = EncoderConfig.preset(preset).replace(vocab_size=97)  # a small table: the gradients are read quickly
    assert_model_follows_the_page(config, [50, 1, 23], side, backend, atol=1e-9)  # 50 tokens: beyond the window of 32


def random_mixture(seed):
    """A config that mixes the families: any norm, placement, position, gate, head, with windows and groups."""
    draw = random.Random(seed)
    heads = draw.choice([1, 2, 4, 6])
    position, placement, norm = draw.choice(["learned", "rope"]), draw.choice(["pre", "post"]), draw.choice("LR")
    windows, embed_norm = draw.random() < 0.6, draw.random() < 0.5
    mlm_head = draw.choice(["transform", "linear", "two_layer"])
    return EncoderConfig.preset("bert-nano").replace(
        vocab_size=draw.randint(9, 40),
        heads=heads,
        kv_heads=draw.choice([g for g in range(1, heads + 1) if heads % g == 0]),
        hidden=heads * draw.choice([2, 4, 6, 10]),
        layers=draw.randint(1, 4),
        intermediate=draw.randint(3, 45),
        position=position,
        position_offset=draw.choice([0, 2]) if position == "learned" else 0,
        rope_theta=draw.choice([160_000.0, 300.0]) if position == "rope" else None,
        rope_theta_local=draw.choice([10_000.0, 50.0]) if position == "rope" and windows else None,
        layer_types=draw.choice([("global", "local"), ("local", "global", "local")]) if windows else ("global",),
        local_window=draw.choice([2, 4, 8]) if windows else None,
        segments=draw.choice([0, 1, 2, 3]),
        norm="layernorm" if norm == "L" else "rmsnorm",
        norm_eps=draw.choice([1e-12, 1e-5, 1e-3]),
        norm_bias=norm == "L" and draw.random() < 0.5,
        norm_placement=placement,
        embed_norm=embed_norm,
        skip_first_attn_norm=placement == "pre" and embed_norm and draw.random() < 0.5,
        final_norm=placement == "pre" and draw.random() < 0.7,
        mlp=draw.choice(["plain", "glu"]),
        act=draw.choice(["gelu", "gelu_tanh", "silu", "relu"]),
        head_act=draw.choice([None, "gelu", "gelu_tanh", "silu"]),
        attention_bias=draw.random() < 0.5,
        mlp_bias=draw.random() < 0.5,
        mlm_head=mlm_head,
        mlm_head_size=draw.randint(3, 20) if mlm_head == "two_layer" else None,
        head_bias=draw.random() < 0.5,
        decoder_bias=draw.random() < 0.5,
        tie=draw.random() < 0.5,
    )


@pytest.mark.parametrize("seed", range(40))
@each_side
def test_the_model_follows_the_page_in_any_mixture(seed, side):
    lengths = [random.Random(seed).randint(1, 25) for _ in range(4)]
    assert_model_follows_the_page(random_mixture(seed), lengths, side, BACKENDS[seed % len(BACKENDS)], atol=1e-9)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("model_class", [MaskedLanguageModel, Encoder])
def test_the_page_reads_every_weight_and_asks_for_no_other(family, model_class):
    """A weight is read if a change of it changes the answer."""
    config = small_config(family)
    weights = {n: w for n, w in build(model_class, config).state_dict().items() if not n.startswith("pooler.")}
    ids, mask, segments = ragged_batch(config, [9, 5])

    def answer(weights):
        hidden = encode(weights, config, ids, mask, segments)
        has_head = model_class is MaskedLanguageModel
        return masked_token_loss(weights, config, hidden, some_labels(ids, mask)) if has_head else hidden

    before = answer(weights)
    for name, weight in weights.items():
        after = answer(weights | {name: weight + torch.linspace(0, 1, weight.numel()).view_as(weight)})
        is_a_second_name = config.tie and name == "decoder.weight"  # the token table, read under that name
        assert torch.equal(before, after) == is_a_second_name, name


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("seed", range(4))
@each_side
def test_the_page_equals_transformers(family, seed, side):
    heads = (4, 2, 1, 6)[seed]
    changes = dict(heads=heads, hidden=heads * 6, kv_heads=(2, 1, 1, 3)[seed]) if family == "eurobert" else {}
    config = small_config(family, **changes)
    ours, theirs = both(MaskedLanguageModel, config, seed)
    ids, mask, segments = ragged_batch(config, [21, 1, 8, 13], seed=seed, side=side)
    labels = some_labels(ids, mask, seed)
    extra = {}
    if family == "bert":  # its position ids would count the padding on the left
        extra = dict(token_type_ids=segments, position_ids=(mask.cumsum(1) - 1).clamp(min=0))
    with torch.no_grad():
        expected = theirs(ids, attention_mask=mask, labels=labels, output_hidden_states=True, **extra)
        hidden = encode(ours.state_dict(), config, ids, mask, segments)
        loss = masked_token_loss(ours.state_dict(), config, hidden, labels)
    real = mask.bool()
    torch.testing.assert_close(hidden[real], expected.hidden_states[-1][real], rtol=0, atol=1e-5)
    torch.testing.assert_close(loss, expected.loss, rtol=0, atol=1e-5)
    assert (hidden[~real] == 0).all()


@pytest.mark.parametrize("family", RELATIVES)
@each_side
def test_the_page_equals_transformers_for_the_relatives(family, side, tmp_path):
    theirs = tiny_model(family, "MaskedLanguageModel")
    theirs.save_pretrained(tmp_path)
    ours = MaskedLanguageModel.from_pretrained(tmp_path)
    ids, mask, segments = ragged_batch(ours.config, [21, 1, 8, 13], side=side)
    labels, extra = some_labels(ids, mask), {}
    if family == "distilbert":  # as for BERT
        extra = dict(position_ids=(mask.cumsum(1) - 1).clamp(min=0))
    if segments is not None:
        extra = dict(token_type_ids=segments)
    with torch.no_grad():
        expected = theirs(ids, attention_mask=mask, labels=labels, output_hidden_states=True, **extra)
        hidden = encode(ours.state_dict(), ours.config, ids, mask, segments)
        loss = masked_token_loss(ours.state_dict(), ours.config, hidden, labels)
    real = mask.bool()
    torch.testing.assert_close(hidden[real], expected.hidden_states[-1][real], rtol=0, atol=2e-5)
    torch.testing.assert_close(loss, expected.loss, rtol=0, atol=1e-5)


@pytest.mark.data
@pytest.mark.skipif(not corpora.is_cached("minilm"), reason="python -m minibert data fetch minilm")
@each_side
def test_the_real_weights_of_minilm(side):
    import transformers

    folder = corpora.path("minilm")
    ours = Encoder.from_pretrained(folder)
    ids, mask, segments = ragged_batch(ours.config, [40, 3, 17], side=side)
    positions = (mask.cumsum(1) - 1).clamp(min=0)
    theirs = transformers.BertModel.from_pretrained(folder, dtype=torch.float32).eval()
    with torch.no_grad():
        hidden = encode(ours.state_dict(), ours.config, ids, mask, segments)
        expected = theirs(ids, attention_mask=mask, token_type_ids=segments, position_ids=positions).last_hidden_state
        real = mask.bool()
        torch.testing.assert_close(hidden[real], expected[real], rtol=0, atol=1e-5)
        for backend in BACKENDS:
            found = ours(ids, mask, segments, backend=backend).hidden
            torch.testing.assert_close(found, hidden, rtol=0, atol=1e-5)


def test_without_a_label_the_loss_is_zero_and_so_is_its_gradient():
    config = small_config("modernbert")
    weights = parameters_by_name(build(MaskedLanguageModel, config))
    hidden = torch.randn(2, 3, 24, dtype=torch.float64, requires_grad=True)
    loss = masked_token_loss(weights, config, hidden, torch.full((2, 3), -100))
    loss.backward()
    assert loss == 0 and (hidden.grad == 0).all()


def test_the_loss_is_pytorchs_cross_entropy():
    config = small_config("eurobert")
    model = build(MaskedLanguageModel, config)
    hidden = torch.randn(2, 5, 24, dtype=torch.float64)
    labels = torch.tensor([[3, -100, 0, 30, -100], [-100, -100, -100, -100, 7]])
    expected = cross_entropy(model.decoder(hidden).flatten(0, 1), labels.flatten(), ignore_index=-100)
    torch.testing.assert_close(masked_token_loss(model.state_dict(), config, hidden, labels), expected)


def test_what_stands_on_padding_and_the_arguments_themselves_are_left_alone():
    config = small_config("bert")
    model = build(MaskedLanguageModel, config)
    ids, mask, segments = ragged_batch(config, [6, 2])
    junk = torch.where(mask.bool(), ids, 17)
    kept = ids.clone(), mask.clone(), segments.clone()
    weights = model.state_dict()
    names = list(weights)
    clean, dirty = (encode(weights, config, some, mask, segments) for some in (ids, junk))
    assert torch.equal(clean, dirty)
    assert all(torch.equal(a, b) for a, b in zip((ids, mask, segments), kept, strict=True)) and list(weights) == names
