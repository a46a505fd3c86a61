"""Parameters against published counts and transformers' models; operations against torch's own counter."""

import pytest
import torch
from oracles import small_config
from tiny_transformers import tiny_config
from torch.utils.flop_counter import FlopCounterMode
from transformers import AutoModel, AutoModelForMaskedLM

from minibert.checkpoints import config_from_hf
from minibert.config import EncoderConfig
from minibert.model import Encoder, MaskedLanguageModel
from minibert.model.cost import attention_flops, count_parameters, model_flops, parameters_by_part, token_flops

FAMILIES = pytest.mark.parametrize("family", ["bert", "modernbert", "eurobert"])


@pytest.mark.parametrize(
    ("preset", "part", "published"),
    [
        ("bert-base", "with pooler", 109_482_240),
        ("bert-large", "with pooler", 335_141_888),
        ("modernbert-base", "with head", 149_655_232),
        ("modernbert-large", "with head", 395_881_664),
        ("eurobert-210m", "encoder", 211_766_016),
        ("eurobert-610m", "encoder", 607_874_688),
        ("eurobert-2.1b", "encoder", 2_107_590_912),
        ("eurobert-210m", "with head", 310_266_624),
        ("eurobert-610m", "blocks", 460_123_776),  # without embeddings
        ("bert-base", "embeddings", 23_837_184),
    ],
)
def test_parameters_are_the_published_ones(preset, part, published):
    parts = parameters_by_part(EncoderConfig.preset(preset))
    encoder = parts["embeddings"] + parts["blocks"]
    sums = {"encoder": encoder, "with pooler": encoder + parts["pooler"], "with head": encoder + parts["head"]}
    assert (parts | sums)[part] == published
    assert count_parameters(EncoderConfig.preset(preset)) == sums["with head"]


@FAMILIES
def test_parameters_are_those_of_transformers(family):
    theirs = tiny_config(family)
    parts = parameters_by_part(config_from_hf(theirs.to_dict()))
    counted = {
        kind: sum(p.numel() for p in kind.from_config(theirs).parameters())
        for kind in (AutoModel, AutoModelForMaskedLM)
    }
    assert parts["embeddings"] + parts["blocks"] + parts["pooler"] == counted[AutoModel]
    assert parts["embeddings"] + parts["blocks"] + parts["head"] == counted[AutoModelForMaskedLM]


@FAMILIES
def test_operations_are_those_that_torch_counts(family):
    """Eager attention of short texts: no window is narrower than they are."""
    config = small_config(family) if family != "modernbert" else small_config(family, local_window=16)
    ids = torch.full((2, 6), 5)
    counted = []
    for model in (Encoder(config, pooler=False), MaskedLanguageModel(config)):
        with FlopCounterMode(display=False) as counter, torch.no_grad():
            model(ids, backend="reference")
        counted.append(counter.get_total_flops())
    assert counted == [model_flops(config, [6, 6]), model_flops(config, [6, 6], predicted=12)]
    assert model_flops(config, [6, 6], training=True) == 3 * counted[0]
    blocks, head = token_flops(config, 6)
    assert (12 * blocks, 12 * head) == (counted[0], counted[1] - counted[0])


@pytest.mark.parametrize("length", [2, 4, 20])
def test_local_layers_are_counted_by_the_keys_they_see(length):
    config = EncoderConfig.preset("modernbert-nano").replace(
        layers=4, layer_types=("global", "local", "local"), local_window=6
    )
    index = torch.arange(length)
    seen = int(((index[:, None] - index).abs() <= 3).sum())
    assert attention_flops(config, [length]) == 4 * config.hidden * (2 * length**2 + 2 * seen)
