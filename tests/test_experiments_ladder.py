"""Chapter 14's experiments: equal sizes, one change at a time, counts that agree with PyTorch's own."""

import warnings
from dataclasses import asdict
from itertools import combinations

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from minibert import one_page
from minibert.config import EncoderConfig
from minibert.experiments import depth_width, ladder, norm_placement
from minibert.experiments.sizes import step_cost, with_parameters
from minibert.experiments.small_encoders import read, with_ids_of
from minibert.model.cost import count_parameters
from minibert.model.models import MaskedLanguageModel
from minibert.tasks.rows import pack_rows
from minibert.training.evaluation import forward_losses
from minibert.viz.block_view import CHANGES, LINES, BlockView, one_page_lines, parameters_of

SETTINGS = ladder.LADDER.settings


@pytest.fixture(autouse=True)
def quiet():
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*last layer is local.*")
        yield


def fields_that_differ(one: EncoderConfig, other: EncoderConfig) -> set[str]:
    first, second = asdict(one), asdict(other)
    return {name for name in first if first[name] != second[name]} - {"intermediate"}


def test_all_rungs_are_equally_large():
    sizes = [count_parameters(ladder.config_of(SETTINGS, changes)) for changes in ladder.ARMS.values()]
    assert max(sizes) / min(sizes) < 1.02
    wide = depth_width.DEPTH_WIDTH.settings
    sizes = [count_parameters(depth_width.config_of(wide, arm)) for arm in depth_width.ARMS]
    assert max(sizes) / min(sizes) < 1.02


def test_each_rung_makes_its_own_change_and_no_other():
    below = ladder.config_of(SETTINGS, ())
    for number, (name, fields) in enumerate(ladder.CHANGES.items(), 1):
        config = ladder.config_of(SETTINGS, tuple(ladder.CHANGES)[:number])
        own = set(fields) | ({"local_window", "rope_theta_local"} if name == "alternating attention" else set())
        assert fields_that_differ(below, config) == own, name
        below = config


def test_each_change_is_taken_back_by_one_arm():
    modern = ladder.config_of(SETTINGS, tuple(ladder.CHANGES))
    for name, back in ladder.TAKEN_BACK.items():
        config = ladder.config_of(SETTINGS, ladder.ARMS[f"ModernBERT {back}"])
        extra = {"RoPE": {"rope_theta_local"}, "alternating attention": {"local_window", "rope_theta_local"}}
        assert fields_that_differ(modern, config) == set(ladder.CHANGES[name]) | extra.get(name, set()), name


def test_the_last_rung_has_modernberts_block():
    config = ladder.config_of(SETTINGS, tuple(ladder.CHANGES))
    other = {"hidden", "heads", "vocab_size", "max_len", "local_window", "pool", "init", "init_std", "rope_theta"}
    other |= {"intermediate", "layers"}
    nano = EncoderConfig.preset("modernbert-nano").replace(dropout_attn_out=0.0)
    assert fields_that_differ(nano, config) <= other
    assert config.family == "modernbert" and [config.is_global(layer) for layer in range(4)] == [1, 0, 0, 1]


def test_a_size_that_cannot_be_reached():
    with pytest.raises(ValueError, match="100 parameters: the model has"):
        with_parameters(EncoderConfig.preset("bert-nano"), 100)


def test_operations_are_those_that_pytorch_counts():
    """Without attention, whose kernels PyTorch's counter does not know on a CPU."""
    config = EncoderConfig.preset("bert-nano").replace(vocab_size=50, hidden=16, heads=2, intermediate=24, layers=2)
    model = MaskedLanguageModel(config.replace(mask_id=4))
    batch = pack_rows(torch.randint(5, 50, (3, 8), generator=torch.Generator().manual_seed(0)))
    batch.labels[[2, 9, 20]] = 7
    with FlopCounterMode(display=False) as counter:
        forward_losses(model, batch)
    scores = 2 * 4 * 16 * 3 * 8 * 8  # two layers, 4 D for each pair
    found = step_cost(model, batch)["GFLOP a step"] * 1e9
    with_scores = counter.get_total_flops()
    assert round(found) in (3 * with_scores, 3 * (with_scores + scores))


def test_what_is_kept_grows_with_the_tokens_and_leaves_the_weights_out():
    model = MaskedLanguageModel(EncoderConfig.preset("bert-nano"))
    kept = []
    for rows in (4, 8):
        batch = pack_rows(torch.full((rows, 16), 7))
        batch.labels[::5] = 7
        kept.append(step_cost(model, batch)["MiB kept"])
    assert 1.8 < kept[1] / kept[0] < 2.2
    assert kept[0] < sum(parameter.numel() for parameter in model.parameters()) * 4 / 2**20


def test_gradients_of_layers_are_those_of_their_weights():
    text = read("stories", 160, 20)
    config = with_ids_of(norm_placement.config_of(norm_placement.NORM_PLACEMENT.settings, "pre", 2), text)
    model = MaskedLanguageModel(config, torch.Generator().manual_seed(0))
    small = norm_placement.layer_gradients(model, text, 16, 4)
    assert all(parameter.grad is None for parameter in model.parameters())
    with torch.no_grad():  # the output of a sub-layer of zeros does not move: only the matrices that write it get news
        for name, parameter in model.encoder.blocks[1].named_parameters():
            if "output" in name:
                parameter.zero_()
    silent = norm_placement.layer_gradients(model, text, 16, 4)
    assert len(small) == 2 and 0 < silent[1] < small[1]


def test_the_view_counts_what_the_model_has():
    bert = EncoderConfig.preset("bert-base").replace(nsp=False, pool="mean")
    assert tuple(ladder.CHANGES) == CHANGES
    for size in range(len(CHANGES)):
        for names in combinations(CHANGES[:-1], size):
            fields = {name: value for change in names for name, value in ladder.CHANGES[change].items()}
            fields |= dict(intermediate=2048) if "GeGLU" in names else {}
            if "alternating attention" in names:
                fields |= dict(local_window=128) | (dict(rope_theta_local=1e4) if "RoPE" in names else {})
            if size in (0, 1, 6) or ("pre-norm" in names and size == 2):
                assert parameters_of(names) == count_parameters(bert.replace(**fields)), names


def test_the_view_shows_lines_of_one_page_and_each_change_of_the_model():
    page = (one_page.__file__, open(one_page.__file__, encoding="utf-8").read().splitlines())[1]
    for text, number in one_page_lines():
        assert page[number - 1].strip().startswith(text)
    assert {change for _, change, _ in LINES} == {None, *CHANGES[:-1]}


def test_the_view_loads_nothing_and_is_the_same_twice():
    scores = dict.fromkeys(ladder.ARMS.values(), 1.0)
    page = BlockView(scores)._repr_html_()
    assert page == BlockView(scores)._repr_html_() and "http" not in page and "not measured" in page
    with pytest.raises(ValueError, match="scores of the changes"):
        BlockView({("rope",): 1.0})
