"""config.json: old keys, new keys, special ids, and what is refused by name."""

import dataclasses
import json

import pytest
import transformers
from tiny_transformers import tiny_config
from transformers import BertConfig, EuroBertConfig, ModernBertConfig

from minibert.checkpoints import config_from_hf, config_to_hf
from minibert.config import EncoderConfig
from minibert.presets import PRESETS
from minibert.tokenization.vocabulary import NAMES

THEIRS = {
    "bert": BertConfig,
    "modernbert": ModernBertConfig,
    "eurobert": EuroBertConfig,
    "distilbert": transformers.DistilBertConfig,
    "roberta": transformers.RobertaConfig,
    "nomic_bert": transformers.NomicBertConfig,
}


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_survives_json_and_transformers(name, tmp_path):
    config = EncoderConfig.preset(name)
    raw = config_to_hf(config)
    kind = {
        "distilbert": "distilbert",
        "roberta": "roberta",
        "camembert": "roberta",
        "xlm": "roberta",
        "nomicbert": "nomic_bert",
        "neobert": "neobert",
    }.get(name.split("-")[0], config.family)
    assert raw["model_type"] == kind
    assert config_from_hf(json.loads(json.dumps(raw))) == config
    if kind == "neobert":  # transformers has no such model
        return
    (tmp_path / "config.json").write_text(json.dumps(raw), encoding="utf-8")
    theirs = transformers.AutoConfig.from_pretrained(tmp_path)
    assert type(theirs) is THEIRS[kind]
    assert config_from_hf(theirs.to_dict()) == config  # and once more through their hands


def test_the_published_defaults_of_transformers_are_our_presets():
    dropout = dict(dropout_attn_out=0.0)
    assert config_from_hf(BertConfig().to_dict()) == EncoderConfig.preset("bert-base")
    assert config_from_hf(ModernBertConfig().to_dict()) == EncoderConfig.preset("modernbert-base").replace(**dropout)
    theirs = config_from_hf(EuroBertConfig().to_dict())
    assert theirs.rope_theta == 10_000  # their class's default, not that of the published weights
    assert theirs.replace(rope_theta=250_000.0) == EncoderConfig.preset("eurobert-210m")


@pytest.mark.parametrize("family", THEIRS)
def test_an_empty_config_means_their_defaults(family):
    assert config_from_hf({"model_type": family}) == config_from_hf(THEIRS[family]().to_dict())


def test_old_modernbert_keys():
    raw = dict(
        model_type="modernbert",
        num_hidden_layers=6,
        global_rope_theta=80_000.0,
        local_rope_theta=5_000.0,
        global_attn_every_n_layers=2,
        local_attention=64,
        reference_compile=True,
    )
    config = config_from_hf(raw)
    assert (config.rope_theta, config.rope_theta_local) == (80_000.0, 5_000.0)
    assert (config.layer_types, config.local_window) == (("global", "local"), 64)
    theirs = ModernBertConfig(**{key: value for key, value in raw.items() if key != "model_type"})
    assert config_from_hf(theirs.to_dict()) == config  # v5 reads the old keys as we do, and we read v5's new ones
    assert config_from_hf(raw | {"local_rope_theta": None}).rope_theta_local == 80_000.0  # null: as in global layers


def test_the_new_keys_win_over_the_old_as_in_transformers():
    rope = dict(
        full_attention=dict(rope_type="default", rope_theta=1.5e5),
        sliding_attention=dict(rope_type="default", rope_theta=9e3),
    )
    raw = dict(model_type="modernbert", rope_parameters=rope, global_rope_theta=1.0, local_rope_theta=2.0)
    config = config_from_hf(raw)
    assert (config.rope_theta, config.rope_theta_local) == (1.5e5, 9e3)
    assert ModernBertConfig(**{k: v for k, v in raw.items() if k != "model_type"}).rope_parameters == rope


def test_eurobert_theta_in_every_spelling():
    assert config_from_hf(dict(model_type="eurobert", rope_theta=250_000)).rope_theta == 250_000
    flat = dict(model_type="eurobert", rope_parameters=dict(rope_type="default", rope_theta=5e5))
    assert config_from_hf(flat).rope_theta == 5e5
    scaled = dict(model_type="eurobert", rope_theta=3e5, rope_scaling=None)
    assert config_from_hf(scaled).rope_theta == 3e5 == EuroBertConfig(rope_theta=3e5).rope_parameters["rope_theta"]


def test_the_pooling_of_a_eurobert_classifier_in_both_spellings():
    for word, pool in [("bos", "cls"), ("mean", "mean"), ("late", "late")]:
        for key in ("clf_pooling", "classifier_pooling"):  # the released code's key, and that of transformers 5
            config = config_from_hf({"model_type": "eurobert", key: word})
            assert config.pool == pool
            raw = config_to_hf(config)
            assert raw["clf_pooling"] == raw["classifier_pooling"] == word
    with pytest.raises(ValueError, match=r"clf_pooling='bos' .* the same as classifier_pooling"):
        config_from_hf({"model_type": "eurobert", "clf_pooling": "bos", "classifier_pooling": "mean"})


def test_the_window_of_modernbert_in_both_spellings():
    assert config_from_hf({"model_type": "modernbert", "sliding_window": 32}).local_window == 64
    assert config_from_hf({"model_type": "modernbert", "sliding_window": 32, "local_attention": 65}).local_window == 64
    with pytest.raises(ValueError, match=r"sliding_window=32 .* half of local_attention"):
        config_from_hf({"model_type": "modernbert", "sliding_window": 32, "local_attention": 128})


def test_both_spellings_are_written():
    raw = config_to_hf(EncoderConfig.preset("modernbert-base"))
    assert raw["global_rope_theta"] == raw["rope_parameters"]["full_attention"]["rope_theta"] == 160_000.0
    assert raw["local_rope_theta"] == raw["rope_parameters"]["sliding_attention"]["rope_theta"] == 10_000.0
    assert raw["layer_types"].count("full_attention") == 8 and raw["global_attn_every_n_layers"] == 3
    raw = config_to_hf(EncoderConfig.preset("eurobert-210m"))
    assert raw["rope_theta"] == raw["rope_parameters"]["rope_theta"] == 250_000.0


def test_a_form_of_our_own_from_before_layer_types_is_read():
    config = EncoderConfig.preset("modernbert-nano").replace(final_norm=False)
    fields = dataclasses.asdict(config)
    for name in ("layer_types", "attention_bias", "mlp_bias", "position_offset", "mlm_head_size", "head_act"):
        del fields[name]
    old = {"model_type": "minibert", "encoder": fields | {"global_every": 3, "bias": False}}
    assert config_from_hf(old) == config


def test_every_list_of_layers_and_two_activations():
    kinds = ["sliding_attention", "full_attention", "full_attention"]
    raw = dict(model_type="modernbert", num_hidden_layers=3, layer_types=kinds, classifier_activation="silu")
    config = config_from_hf(raw | dict(mlp_bias=True))
    assert config.layer_types == ("local", "global", "global") and config_to_hf(config)["layer_types"] == kinds
    assert (config.act, config.head_act, config.attention_bias, config.mlp_bias) == ("gelu", "silu", False, True)
    assert config_from_hf(config_to_hf(config)) == config
    alike = config.replace(head_act="gelu", layers=1, layer_types=("global", "local", "global"))  # two ways to say it
    assert config_to_hf(alike)["model_type"] == "modernbert" and config_from_hf(config_to_hf(alike)) == alike


@pytest.mark.parametrize("layers", range(1, 9))
@pytest.mark.parametrize("every", range(1, 5))
def test_layer_patterns(layers, every):
    kinds = ["sliding_attention" if layer % every else "full_attention" for layer in range(layers)]
    config = config_from_hf(dict(model_type="modernbert", num_hidden_layers=layers, layer_types=kinds))
    assert [config.is_global(layer) for layer in range(layers)] == [kind == "full_attention" for kind in kinds]


def test_special_ids_from_the_config_then_the_tokenizer_then_the_family():
    tokenizer = {"added_tokens": [{"id": 7, "content": "[MASK]"}, {"id": 8, "content": "[CLS]"}]}
    raw = dict(model_type="bert", vocab_size=200)
    assert config_from_hf(raw).mask_id == 103
    config = config_from_hf(raw | dict(cls_token_id=5), tokenizer)
    assert (config.mask_id, config.cls_id, config.sep_id) == (7, 5, 102)
    assert config_from_hf(dict(model_type="bert", vocab_size=50, pad_token_id=1)).mask_id == 1  # nothing fits
    config = config_from_hf(
        dict(model_type="eurobert", eos_token_id=[9, 10], bos_token_id=8, vocab_size=20, pad_token_id=0)
    )
    assert (config.cls_id, config.sep_id) == (8, 9)


def test_the_usual_names_are_those_the_tokenizers_know():
    raw = dict(model_type="eurobert", vocab_size=20)
    for field, role in [("pad_id", "pad"), ("mask_id", "mask"), ("cls_id", "cls"), ("sep_id", "sep")]:
        for name in NAMES[role]:
            config = config_from_hf(raw, {"added_tokens": [{"id": 7, "content": name}]})
            assert getattr(config, field) == 7, name


@pytest.mark.parametrize(
    ("added", "message"),
    [
        (3, "tokenizer.json: added_tokens must be a list, got 3"),
        ({"id": 7, "content": "[MASK]"}, "added_tokens must be a list"),
        (["[MASK]"], r"added_tokens\[0\] must be an object"),
        ([{"content": "[MASK]"}], r"added_tokens\[0\].id is missing"),
        ([{"id": 7}], r"added_tokens\[0\].content is missing"),
        ([{"id": "7", "content": "[MASK]"}], r"added_tokens\[0\].id must be a whole number"),
    ],
)
def test_damaged_added_tokens_are_refused(added, message):
    with pytest.raises(ValueError, match=message):
        config_from_hf({"model_type": "bert"}, {"added_tokens": added})


def test_fields_their_format_lacks_travel_under_a_key_of_ours():
    config = EncoderConfig.preset("eurobert-nano").replace(dropout_attn_out=0.25, init="trunc", head_bias=True)
    raw = config_to_hf(config)
    assert raw["model_type"] == "eurobert"
    assert raw["minibert"] == {"dropout_attn_out": 0.25, "init": "trunc", "head_bias": True}
    assert config_from_hf(raw) == config
    with pytest.raises(ValueError, match="minibert"):
        config_from_hf(raw | {"minibert": {"hidden": 64}})  # what the family's format does say, it says itself


@pytest.mark.parametrize(
    ("family", "key", "value"),
    [
        ("bert", "hidden_act", "tanh"),
        ("bert", "hidden_act", ["gelu"]),
        ("bert", "position_embedding_type", "relative_key"),
        ("bert", "is_decoder", True),
        ("bert", "add_cross_attention", True),
        ("bert", "type_vocab_size", 0),
        ("bert", "pruned_heads", {"0": [1]}),
        ("bert", "hidden_size", "768"),
        ("bert", "hidden_size", 768.0),
        ("bert", "layer_norm_eps", "small"),
        ("bert", "layer_norm_eps", float("nan")),
        ("bert", "tie_word_embeddings", "yes"),
        ("bert", "pad_token_id", 99_999),
        ("modernbert", "hidden_activation", "tanh"),
        ("modernbert", "classifier_activation", "tanh"),
        ("modernbert", "classifier_pooling", "late"),
        ("modernbert", "layer_types", ["chunked_attention"] * 22),
        ("modernbert", "layer_types", 22),
        ("modernbert", "layer_types", ["full_attention"]),
        ("modernbert", "local_attention", 1),
        ("modernbert", "global_attn_every_n_layers", 0),
        ("modernbert", "rope_scaling", {"type": "linear", "factor": 2.0}),
        ("modernbert", "rope_parameters", {"full_attention": {"rope_type": "yarn", "rope_theta": 1e4, "factor": 2.0}}),
        ("modernbert", "rope_parameters", {"rope_theta": 1e4}),
        ("modernbert", "rope_parameters", "default"),
        ("eurobert", "hidden_act", "tanh"),
        ("eurobert", "head_dim", 128),
        ("eurobert", "classifier_pooling", "max"),
        ("eurobert", "rope_scaling", {"rope_type": "yarn", "factor": 4.0}),
        ("eurobert", "rope_parameters", {"rope_type": "default", "rope_theta": 1e4, "partial_rotary_factor": 0.5}),
        ("eurobert", "rope_parameters", {"full_attention": {"rope_theta": 1e4}}),
        ("eurobert", "clf_pooling", "max"),
        ("bert", "quantization_config", {"quant_method": "bitsandbytes", "load_in_8bit": True}),
        ("modernbert", "per_layer_config", {"1": {"intermediate_size": 48}}),
        ("modernbert", "head_dim", 32),
        ("eurobert", "is_causal", True),
    ],
)
def test_what_we_cannot_express_is_refused_by_name(family, key, value):
    with pytest.raises(ValueError, match=rf"config\.json: {key}.* is not supported; expected"):
        config_from_hf({"model_type": family, key: value})


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        ({}, "no model_type"),
        ({"model_type": "gpt2"}, "model_type='gpt2' is not supported; expected one of bert"),
        ({"model_type": "albert"}, r"model_type='albert' is not supported \(its layers share one set of weights"),
        ({"model_type": "deberta-v2"}, r"model_type='deberta-v2' is not supported \(relative positions"),
        ({"model_type": "electra"}, r"model_type='electra' is not supported \(it tells replaced tokens from real ones"),
        ({"model_type": "convbert"}, r"model_type='convbert' is not supported \(half of its heads are convolutions\)"),
        (
            {"model_type": "nomic_bert", "n_embd": 768},
            "n_embd=768 is not supported; expected the keys of transformers 5",
        ),
        ({"model_type": "roberta", "max_position_embeddings": 2}, "max_position_embeddings=2 is not supported"),
        ({"model_type": ["bert"]}, "model_type"),
        ({"model_type": "bert", "num_attention_heads": 7}, "hidden=768 does not divide"),
        ({"model_type": "bert", "hidden_dropout_prob": 1.5}, "dropout"),
        ({"model_type": "minibert"}, "encoder"),
        ({"model_type": "minibert", "encoder": {"hidden": 3}}, "encoder"),
    ],
)
def test_nonsense_is_refused(raw, says):
    with pytest.raises(ValueError, match=says):
        config_from_hf(raw)


@pytest.mark.parametrize("family", THEIRS)
def test_reading_leaves_the_dictionary_alone(family):
    raw = tiny_config(family).to_dict()
    before = json.dumps(raw, default=str)
    config_from_hf(raw)
    assert json.dumps(raw, default=str) == before
