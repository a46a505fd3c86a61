"""EncoderConfig: every rule has an error that names the field, and the presets have the published sizes."""

import dataclasses
import typing

import pytest
import torch

from minibert.config import EncoderConfig, Rate
from minibert.model import Encoder, MaskedLanguageModel, PretrainingModel
from minibert.presets import PRESETS

BERT = EncoderConfig.preset("bert-base")
MODERNBERT = EncoderConfig.preset("modernbert-base")
EUROBERT = EncoderConfig.preset("eurobert-610m")

FIELDS = {field.name: field.type for field in dataclasses.fields(EncoderConfig)}
CHOICES = {name: typing.get_args(kind) for name, kind in FIELDS.items() if typing.get_origin(kind) is typing.Literal}
RATES = [name for name, kind in FIELDS.items() if kind is Rate]
SWITCHES = [name for name, kind in FIELDS.items() if kind is bool]
SIZES = [name for name, kind in FIELDS.items() if kind is int]
SPECIAL_IDS = [name for name in FIELDS if name.endswith("_id")]
BROKEN_RULES = [
    # (a valid config, the change that breaks it, what the message must say)
    *[(BERT, {name: 0}, f"{name}=0: expected a whole number of at least 1") for name in SIZES],
    *[(BERT, {name: -3}, f"{name}=-3: expected a whole number") for name in SIZES],
    (BERT, {"hidden": 768.0}, "hidden=768.0: expected a whole number"),
    (BERT, {"layers": True}, "layers=True: expected a whole number"),
    *[(BERT, {name: "none"}, f"{name}='none': expected one of {choices[0]}") for name, choices in CHOICES.items()],
    *[(BERT, {name: None}, f"{name}=None: expected one of {choices[0]}") for name, choices in CHOICES.items()],
    (BERT, {"head_act": "tanh"}, "head_act='tanh': expected one of gelu, gelu_tanh, silu, relu"),
    (BERT, {"act": ["gelu"]}, "act=.*gelu.*: expected one of gelu"),
    *[(BERT, {name: 1.0}, rf"{name}=1.0: expected a dropout rate in \[0, 1\)") for name in RATES],
    *[(BERT, {name: -0.1}, f"{name}=-0.1: expected a dropout rate") for name in RATES],
    *[(BERT, {name: 30522}, f"{name}=30522: expected an id below vocab_size=30522") for name in SPECIAL_IDS],
    *[(BERT, {name: -1}, f"{name}=-1: expected a whole number of at least 0") for name in SPECIAL_IDS],
    *[(BERT, {name: 0.0}, f"{name}=0.0: expected a positive number") for name in ("norm_eps", "init_std")],
    (BERT, {"init_cutoff": float("nan")}, "init_cutoff=nan: expected a positive number"),
    (BERT, {"norm_eps": float("inf")}, "norm_eps=inf: expected a positive number"),
    # what a config file may hold instead of a number or a switch
    *[(BERT, {name: "0.1"}, f"{name}='0.1': expected a dropout rate") for name in RATES],
    *[(BERT, {name: None}, f"{name}=None: expected a whole number") for name in SPECIAL_IDS],
    (BERT, {"pad_id": 1.5}, "pad_id=1.5: expected a whole number"),
    *[(BERT, {name: "no"}, f"{name}='no': expected True or False") for name in SWITCHES],
    (BERT, {"tie": 1}, "tie=1: expected True or False"),
    (BERT, {"norm_eps": "1e-12"}, "norm_eps='1e-12': expected a positive number"),
    (BERT, {"segments": 2.0}, "segments=2.0: expected a whole number of at least 0"),
    (BERT, {"segments": -1}, "segments=-1: expected a whole number of at least 0"),
    (BERT, {"position_offset": True}, "position_offset=True: expected a whole number"),
    *[
        (BERT, {"layer_types": value}, "layer_types=.*: expected a list of 'global' and 'local'")
        for value in ((), [], "global", 3, None, ("global", "sliding"), ("global", 1))
    ],
    (EUROBERT, {"rope_theta": "10000"}, "rope_theta='10000': expected a positive number"),
    (BERT, {"heads": 7}, "hidden=768 does not divide into heads=7"),
    (EUROBERT, {"kv_heads": 5}, "kv_heads=5: heads=18 must be a multiple"),
    (EUROBERT, {"kv_heads": 36}, "kv_heads=36: heads=18 must be a multiple"),
    (EUROBERT, {"kv_heads": 0}, "kv_heads=0: expected a whole number of at least 1"),
    (EUROBERT, {"kv_heads": -6}, "kv_heads=-6: expected a whole number of at least 1"),
    (EUROBERT, {"kv_heads": 6.0}, r"kv_heads=6.0: expected a whole number"),
    (EUROBERT, {"hidden": 18 * 3}, "head size 3 is odd: RoPE rotates pairs"),
    (EUROBERT, {"rope_theta": None}, "rope_theta=None: for position='rope', and only there"),
    (EUROBERT, {"rope_theta": 0.0}, "rope_theta=0.0: expected a positive number"),
    (EUROBERT, {"rope_theta": -1.0}, "rope_theta=-1.0: expected a positive number"),
    (EUROBERT, {"rope_theta": float("inf")}, "rope_theta=inf: expected a positive number"),
    (EUROBERT, {"position_offset": 2}, "position_offset belongs to position='learned'"),
    (BERT, {"rope_theta": 10_000.0}, "rope_theta=10000.0: for position='rope', and only there"),
    (EUROBERT, {"rope_theta_local": 10_000.0}, "rope_theta_local=10000.0: for local layers with RoPE, and only there"),
    (MODERNBERT, {"rope_theta_local": None}, "rope_theta_local=None: for local layers with RoPE"),
    (MODERNBERT, {"rope_theta_local": 0.0}, "rope_theta_local=0.0: expected a positive number"),
    (MODERNBERT, {"local_window": None}, "local_window=None: for local layers in layer_types, and only there"),
    (MODERNBERT, {"layer_types": ("global",)}, "local_window=128: for local layers in layer_types, and only there"),
    (MODERNBERT, {"local_window": 127}, "local_window=127: expected an even number"),
    (MODERNBERT, {"local_window": 0}, "local_window=0: expected a whole number of at least 1"),
    (MODERNBERT, {"local_window": 128.0}, "local_window=128.0: expected a whole number"),
    (BERT, {"mlm_head": "two_layer"}, "mlm_head_size=None: for mlm_head='two_layer', and only there"),
    (BERT, {"mlm_head_size": 64}, "mlm_head_size=64: for mlm_head='two_layer', and only there"),
    (BERT, {"skip_first_attn_norm": True}, "skip_first_attn_norm belongs to norm_placement='pre'"),
    (BERT, {"final_norm": True}, "final_norm belongs to norm_placement='pre'"),
    (MODERNBERT, {"embed_norm": False}, "skip_first_attn_norm needs embed_norm"),
    (EUROBERT, {"norm_bias": True}, "RMSNorm has no bias"),
    (MODERNBERT, {"nsp": True}, "nsp needs pool='bert'"),
]


@pytest.mark.parametrize(("config", "change", "message"), BROKEN_RULES)
def test_every_rule_has_an_error_that_names_the_field(config, change, message):
    with pytest.raises(ValueError, match=message):
        config.replace(**change)


@pytest.mark.parametrize("name", FIELDS)
def test_every_field_refuses_what_it_cannot_hold(name):
    with pytest.raises(ValueError, match=f"{name}="):
        BERT.replace(**{name: object()})


def test_a_pattern_of_layers_repeats_and_a_list_of_all_layers_is_one():
    first = MODERNBERT.replace(layer_types=["local", "global"], layers=6)  # a list, as a config file has it
    assert first.layer_types == ("local", "global") and first == first.replace(layer_types=("local", "global"))
    assert [first.is_global(layer) for layer in range(6)] == [False, True] * 3
    assert [first.replace(layers=4).is_global(layer) for layer in range(4)] == [False, True] * 2


def test_an_unknown_field_and_an_unknown_preset_are_named():
    with pytest.raises(ValueError, match=r"unknown field\(s\) \['hiden'\]"):
        BERT.replace(hiden=64)
    with pytest.raises(ValueError, match="no preset 'bert-huge'; there are: bert-base, bert-large"):
        EncoderConfig.preset("bert-huge")


def test_a_config_is_frozen_and_replace_leaves_it_alone():
    with pytest.raises(dataclasses.FrozenInstanceError):
        BERT.hidden = 3
    assert BERT.replace(hidden=24).hidden == 24
    assert BERT.hidden == 768


@pytest.mark.parametrize("name", PRESETS)
def test_presets_are_valid_and_belong_to_their_family(name):
    config = EncoderConfig.preset(name)
    family = {
        "distilbert": "bert",
        "roberta": "bert",
        "camembert": "bert",
        "xlm": "bert",
        "nomicbert": "bert",
        "neobert": "eurobert",
        "ettin": "modernbert",
        "mmbert": "modernbert",
    }
    assert config.family == family.get(name.split("-")[0], name.split("-")[0])
    assert config == EncoderConfig(**dataclasses.asdict(config))


@pytest.mark.parametrize(("name", "last"), [("modernbert-base", 21), ("modernbert-large", 27)])
def test_the_last_layer_of_modernbert_is_global(name, last):
    config = EncoderConfig.preset(name)
    assert [layer for layer in range(config.layers) if config.is_global(layer)] == list(range(0, last + 1, 3))
    assert config.layers - 1 == last


def test_windows_heads_and_groups():
    assert (MODERNBERT.half_window, BERT.half_window) == (64, None)
    assert (EUROBERT.heads, EUROBERT.groups, EUROBERT.head_size) == (18, 6, 64)
    assert (BERT.groups, EncoderConfig.preset("eurobert-210m").groups) == (12, 12)
    assert EncoderConfig.preset("eurobert-2.1b").head_size == 128
    assert BERT.replace(position="rope", rope_theta=1e4).family == "mixed"


# Parameter counts: Devlin et al. 2019, Warner et al. 2024, Boizard et al. 2025, as the released models have them.


def count(module: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def on_meta(model, config, **options):
    with torch.device("meta"):
        return model(config, **options)


BERT_COUNTS = {
    # config: embeddings, one layer, with pooler, without, masked language model, both pre-training heads
    "base uncased": (BERT, 23_837_184, 7_087_872, 109_482_240, 108_891_648, 109_514_298, 110_106_428),
    "base cased": (
        BERT.replace(vocab_size=28996),
        *(22_665_216, 7_087_872, 108_310_272, 107_719_680, 108_340_804, 108_932_934),
    ),
    "large uncased": (
        EncoderConfig.preset("bert-large"),
        *(31_782_912, 12_596_224, 335_141_888, 334_092_288, 335_174_458, 336_226_108),
    ),
    "tiny": (
        BERT.replace(layers=2, hidden=128, heads=2, intermediate=512),
        *(3_972_864, 198_272, 4_385_920, 4_369_408, 4_416_698, 4_433_468),
    ),
}


@pytest.mark.parametrize("size", BERT_COUNTS)
def test_bert_has_the_published_parameter_counts(size):
    config, embeddings, layer, with_pooler, without_pooler, masked, pretraining = BERT_COUNTS[size]
    encoder = on_meta(Encoder, config)
    assert count(encoder.embeddings) == embeddings
    assert {count(block) for block in encoder.blocks} == {layer}
    assert count(encoder) == with_pooler
    assert count(on_meta(Encoder, config, pooler=False)) == without_pooler
    assert count(on_meta(MaskedLanguageModel, config)) == masked
    assert count(on_meta(PretrainingModel, config)) == pretraining


@pytest.mark.parametrize(
    ("name", "embeddings", "first", "others", "encoder", "masked"),
    [
        ("modernbert-base", 38_683_392, 5_014_272, 5_015_040, 149_014_272, 149_655_232),
        ("modernbert-large", 51_577_856, 12_256_256, 12_257_280, 394_781_696, 395_881_664),
    ],
)
def test_modernbert_has_the_published_parameter_counts(name, embeddings, first, others, encoder, masked):
    config = EncoderConfig.preset(name)
    model = on_meta(MaskedLanguageModel, config)
    assert count(model.encoder.embeddings) == embeddings
    assert count(model.encoder.blocks[0]) == first  # no norm before the first attention
    assert {count(block) for block in model.encoder.blocks[1:]} == {others}
    assert count(on_meta(Encoder, config)) == count(model.encoder) == encoder
    assert count(model) == masked


@pytest.mark.parametrize(
    ("name", "embeddings", "layer", "encoder", "rest", "masked"),
    [
        ("eurobert-210m", 98_500_608, 9_438_720, 211_766_016, 113_265_408, 310_266_624),
        ("eurobert-610m", 147_750_912, 17_697_024, 607_874_688, 460_123_776, 755_625_600),
        ("eurobert-2.1b", 295_501_824, 56_627_712, 2_107_590_912, 1_812_089_088, 2_403_092_736),
    ],
)
def test_eurobert_has_the_published_parameter_counts(name, embeddings, layer, encoder, rest, masked):
    config = EncoderConfig.preset(name)
    model = on_meta(MaskedLanguageModel, config)
    assert count(model.encoder.embeddings) == embeddings
    assert {count(block) for block in model.encoder.blocks} == {layer}
    assert count(on_meta(Encoder, config)) == count(model.encoder) == encoder
    assert encoder - embeddings == rest
    assert count(model) == masked  # the decoder is a second matrix of vocabulary size


@pytest.mark.parametrize("name", ["bert-nano", "modernbert-nano", "eurobert-nano"])
def test_nano_models_have_one_to_five_million_parameters(name):
    assert 1e6 <= count(on_meta(MaskedLanguageModel, EncoderConfig.preset(name))) <= 5e6


def test_a_local_last_layer_is_allowed_with_a_warning():
    with pytest.warns(UserWarning, match="the last layer is local"):
        EncoderConfig.preset("modernbert-base").replace(layers=21)
