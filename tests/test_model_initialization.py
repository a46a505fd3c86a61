"""What a new model starts from: the published standard deviations, tied weights, generators that decide everything."""

import copy

import pytest
import torch
from oracles import FAMILIES, randomize, small_config

from minibert.model import (
    Encoder,
    MaskedLanguageModel,
    PretrainingModel,
    SequenceClassifier,
    SpanReader,
    TokenClassifier,
)
from minibert.model.initialization import initialize
from minibert.model.norms import LayerNorm, RMSNorm

CUT = 0.8796  # standard deviation of a normal cut at two of them
WIDE = dict(hidden=256, heads=4, intermediate=384, vocab_size=900)  # enough numbers for a sharp estimate
MODELS = (Encoder, MaskedLanguageModel, SequenceClassifier, TokenClassifier, SpanReader)
each_family = pytest.mark.parametrize("family", FAMILIES)


def seeded(model_class, config, seed=0, **options):
    return model_class(config, generator=torch.Generator().manual_seed(seed), **options)


def test_modernbert_starts_as_published():
    """Token table, Wqkv, Wi: 0.0176; what writes into the residual stream: 0.02 / sqrt(2L); classifier: D^-1/2."""
    config = small_config("modernbert", layers=22, **WIDE)
    out = 0.02 / (2 * 22) ** 0.5
    expected = {"token": 0.02, "query_key_value": 0.02, "gate_up": 0.02, "attention.output": out}
    expected |= {"feed_forward.output": out, "head.dense": out, "classifier": 256**-0.5, "decoder": 0.02}
    seen = set()
    for model in (seeded(MaskedLanguageModel, config), seeded(SequenceClassifier, config, labels=200)):
        for name, module in model.named_modules():
            if isinstance(module, torch.nn.Linear | torch.nn.Embedding):
                (kind,) = (kind for kind in expected if name.endswith(kind))
                std = expected[kind]
                assert module.weight.std().item() == pytest.approx(CUT * std, rel=0.02), name
                assert module.weight.abs().max() <= 2 * std * 1.0001, name
                assert abs(module.weight.mean().item()) < 0.02 * std, name
                seen.add(kind)
    assert seen == set(expected)
    assert 0.02 * CUT == pytest.approx(0.0176, abs=1e-4)


def test_an_untied_decoder_of_modernbert_is_a_final_layer():
    model = seeded(MaskedLanguageModel, small_config("modernbert", tie=False, **WIDE))
    assert model.decoder.weight.std().item() == pytest.approx(CUT * 256**-0.5, rel=0.02)


@pytest.mark.parametrize(("family", "std"), [("bert", 0.02 * CUT), ("eurobert", 0.02)])
def test_bert_and_eurobert_draw_everything_alike(family, std):
    config = small_config(family, max_len=300, **WIDE)
    models = [seeded(MaskedLanguageModel, config), seeded(SequenceClassifier, config, labels=200)]
    models += [seeded(PretrainingModel, config)] if family == "bert" else []
    for model in models:
        for name, module in model.named_modules():
            if isinstance(module, torch.nn.Linear | torch.nn.Embedding):
                rel = 0.02 if module.weight.numel() > 20_000 else 0.2  # the segment table and NSP are small
                assert module.weight.std().item() == pytest.approx(std, rel=rel), name
        largest = model.encoder.embeddings.token.weight.abs().max().item()
        assert (largest <= 0.04001) == (family == "bert")  # BERT's normal is cut at two standard deviations


@each_family
@pytest.mark.parametrize("model_class", MODELS)
def test_biases_start_at_zero_and_gains_at_one(family, model_class):
    for name, parameter in seeded(model_class, small_config(family)).named_parameters():
        if name.endswith("bias"):
            assert (parameter == 0).all(), name
        elif parameter.dim() == 1:
            assert (parameter == 1).all(), name


@each_family
def test_the_padding_row_is_drawn_like_the_others(family):
    config = small_config(family, **WIDE)
    table = seeded(Encoder, config).embeddings.token.weight
    assert table[config.pad_id].std().item() == pytest.approx(table.std().item(), rel=0.3)


@each_family
def test_initialize_starts_a_trained_model_over(family):
    config = small_config(family)
    model = seeded(MaskedLanguageModel, config, seed=5)
    fresh = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    randomize(model, seed=1)
    initialize(model, config, torch.Generator().manual_seed(5))
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, fresh[name]), name


@each_family
@pytest.mark.parametrize("model_class", MODELS)
def test_the_generator_decides_every_weight_and_nothing_else_moves(family, model_class):
    config = small_config(family)
    state = torch.get_rng_state()
    first, same, other = (seeded(model_class, config, seed=seed).state_dict() for seed in (1, 1, 2))
    # torch's own constructors draw from the global generator; ours overwrites all of it
    torch.set_rng_state(state)
    torch.rand(17)
    again = seeded(model_class, config, seed=1).state_dict()
    for name in first:
        assert torch.equal(first[name], same[name]), name
        assert torch.equal(first[name], again[name]), name
        if first[name].dim() == 2:
            assert not torch.equal(first[name], other[name]), name


@pytest.mark.parametrize("family", ["bert", "modernbert"])
def test_a_tied_decoder_is_the_token_table(family):
    model = seeded(MaskedLanguageModel, small_config(family))

    def tied(model):
        return model.decoder.weight is model.encoder.embeddings.token.weight

    assert tied(model)
    assert tied(copy.deepcopy(model))
    assert tied(model.to(torch.float64))
    assert tied(model.to(torch.bfloat16))
    model.load_state_dict(seeded(MaskedLanguageModel, small_config(family), seed=9).state_dict())
    assert tied(model)
    names = [name for name, _ in model.named_parameters()]
    assert "decoder.weight" not in names  # an optimiser sees it once
    assert "decoder.bias" in names
    model.decoder.weight = torch.nn.Parameter(model.decoder.weight.detach().clone())
    assert not tied(model)
    model.tie_weights()
    assert tied(model)


def test_pretraining_model_is_tied_too():
    model = seeded(PretrainingModel, small_config("bert"))
    assert model.decoder.weight is model.encoder.embeddings.token.weight


def test_eurobert_never_ties():
    model = seeded(MaskedLanguageModel, small_config("eurobert"))
    table, decoder = model.encoder.embeddings.token.weight, model.decoder.weight
    assert table is not decoder
    assert not torch.equal(table, decoder)
    before = decoder.clone()
    model.tie_weights()
    assert model.decoder.weight is decoder
    assert torch.equal(decoder, before)
    assert model.decoder.bias is None


@each_family
def test_biases_stand_where_the_family_has_them(family):
    names = {name for name, _ in seeded(MaskedLanguageModel, small_config(family)).named_parameters()}
    biases = {name for name in names if name.endswith("bias")}
    if family == "bert":
        linear_and_norm = {name.removesuffix("weight") + "bias" for name in names if name.endswith("weight")}
        tables = {f"encoder.embeddings.{table}.bias" for table in ("token", "position", "segment")}
        assert biases == (linear_and_norm - tables) | {"decoder.bias"}
    else:
        assert biases == ({"decoder.bias"} if family == "modernbert" else set())


@each_family
def test_norms_are_the_family_s_own(family):
    config = small_config(family)
    model = seeded(Encoder, config)
    kinds = {type(module) for module in model.modules() if isinstance(module, LayerNorm | RMSNorm)}
    assert kinds == {RMSNorm if family == "eurobert" else LayerNorm}
    eps = {module.eps for module in model.modules() if isinstance(module, LayerNorm | RMSNorm)}
    assert eps == {1e-12 if family == "bert" else 1e-5}
    assert isinstance(model.blocks[0].attention_norm, torch.nn.Identity) == (family == "modernbert")


def test_models_on_the_meta_device_cost_nothing_and_draw_nothing():
    with torch.device("meta"):
        model = MaskedLanguageModel(small_config("bert"))
    assert all(parameter.is_meta for parameter in model.parameters())
