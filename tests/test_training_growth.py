"""A small model becomes a larger one: the maps equal the published vectors, heads stay whole, the loss starts low."""

import math
import warnings

import hypothesis.strategies as st
import pytest
import torch
from hypothesis import given

from minibert import Encoder, EncoderConfig, MaskedLanguageModel, PretrainingModel, SequenceClassifier
from minibert.training.growth import grow, layer_map, tile_from_middle

SMALL = dict(vocab_size=64, hidden=16, heads=2, intermediate=32, layers=3, max_len=32)
LARGE = dict(hidden=32, heads=4, intermediate=48, layers=4)


def config(family: str) -> EncoderConfig:
    groups = {"kv_heads": 2} if family == "eurobert" else {}
    return EncoderConfig.preset(f"{family}-nano").replace(**SMALL, **groups)


def larger(family: str) -> EncoderConfig:
    groups = {"kv_heads": 4} if family == "eurobert" else {}
    return config(family).replace(**LARGE, **groups)


def test_layers_come_from_where_the_published_map_says():
    published = [0, 1, 2, 2, 3, 4, 5, 6, 6, 7, 8, 9, 9, 10, 11, 12, 13, 13, 14, 15, 16, 16, 17, 18, 19, 20, 20, 21]
    assert layer_map(22, 28) == published
    assert layer_map(4, 8)[-1] == 3, "the last layer is not exceeded"


@given(st.integers(1, 30), st.integers(0, 30))
def test_the_map_of_layers_rises_and_uses_the_last_layers(old, more):
    found = layer_map(old, old + more)
    assert found == sorted(found) and found[0] == 0 and max(found) <= old - 1
    if more == 0:
        assert found == list(range(old))


@pytest.mark.parametrize(("old", "new"), [(0, 3), (4, 3), (-1, 2)])
def test_layers_cannot_get_fewer(old, new):
    with pytest.raises(ValueError, match="cannot grow"):
        layer_map(old, new)


def test_tiles_equal_the_published_vectors():
    nine = torch.arange(1, 10).view(3, 3)
    assert tile_from_middle(nine, (5, 5)).tolist() == [
        [9, 7, 8, 9, 7], [3, 1, 2, 3, 1], [6, 4, 5, 6, 4], [9, 7, 8, 9, 7], [3, 1, 2, 3, 1],
    ]  # fmt: skip


@given(st.integers(1, 6), st.integers(1, 6), st.integers(0, 9), st.integers(0, 9))
def test_tiles_equal_the_closed_form(rows, columns, more_rows, more_columns):
    weight = torch.arange(rows * columns).view(rows, columns)
    found = tile_from_middle(weight, (rows + more_rows, columns + more_columns))
    for i in range(rows + more_rows):
        for j in range(columns + more_columns):
            assert found[i, j] == weight[(i - more_rows // 2) % rows, (j - more_columns // 2) % columns]
    middle = found[more_rows // 2 :, more_columns // 2 :][:rows, :columns]
    assert torch.equal(middle, weight), "the small matrix stands whole in the middle"


@pytest.mark.parametrize("shape", [(2,), (2, 1), (2, 3, 4)])
def test_a_matrix_cannot_shrink(shape):
    with pytest.raises(ValueError, match="cannot grow"):
        tile_from_middle(torch.zeros(2, 3), shape)


@pytest.mark.parametrize("family", ["bert", "modernbert", "eurobert"])
@pytest.mark.parametrize("kind", [Encoder, MaskedLanguageModel, SequenceClassifier])
def test_every_class_grows_and_the_old_model_stays(family, kind):
    model = kind(config(family)).eval()
    before = {name: weight.clone() for name, weight in model.state_dict().items()}
    made = grow(model, larger(family))
    assert type(made) is kind and made.config == larger(family) and not made.training
    assert all(torch.equal(before[name], weight) for name, weight in model.state_dict().items())
    ids = torch.randint(5, 64, (2, 9), generator=torch.Generator().manual_seed(0))
    assert made(ids).hidden.shape == (2, 9, 32) and made(ids).hidden.isfinite().all()


def test_next_sentence_models_grow_too():
    made = grow(PretrainingModel(config("bert")), larger("bert"))
    assert made.nsp.weight.shape == (2, 32) and made.decoder.weight is made.encoder.embeddings.token.weight


@pytest.mark.parametrize("family", ["bert", "modernbert", "eurobert"])
def test_query_key_and_value_are_tiled_one_by_one_and_heads_stay_whole(family):
    model = Encoder(config(family))
    made = grow(model, larger(family))
    H, G, K = 2, model.config.groups, 8
    old = model.blocks[0].attention.query_key_value.weight.split([H * K, G * K, G * K])
    new = made.blocks[0].attention.query_key_value.weight.split([2 * H * K, 2 * G * K, 2 * G * K])
    for small, large in zip(old, new, strict=True):
        columns = tile_from_middle(small, (len(small), 32))
        for head, rows in enumerate(large.split(K)):
            source = (head - 1) % (len(small) // K)  # one head more before the first, one after the last
            assert torch.equal(rows, columns.split(K)[source]), f"head {head} is not a copy of a whole head"


def test_gate_and_up_are_tiled_one_by_one():
    model = Encoder(config("modernbert"))
    made = grow(model, larger("modernbert"))
    for small, large in zip(
        model.blocks[0].feed_forward.gate_up.weight.chunk(2),
        made.blocks[0].feed_forward.gate_up.weight.chunk(2),
        strict=True,
    ):
        assert torch.equal(large, tile_from_middle(small, (48, 32)))


def test_a_copy_of_the_first_layer_gets_a_norm_that_changes_nothing():
    made = grow(Encoder(config("modernbert").replace(layers=2)), config("modernbert").replace(layers=5))
    assert layer_map(2, 5)[1] == 0 and made.blocks[1].attention_norm.weight.eq(1).all()


def test_the_same_sizes_give_the_same_model():
    model = MaskedLanguageModel(config("modernbert")).eval()
    ids = torch.arange(5, 15)[None]
    assert torch.equal(grow(model, model.config)(ids).logits, model(ids).logits)


def test_a_head_that_would_be_cut_is_warned_of():
    with pytest.warns(UserWarning, match="1 heads and 1 groups are added"):
        grow(Encoder(config("bert")), config("bert").replace(hidden=24, heads=3))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        grow(Encoder(config("bert")), larger("bert"))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (dict(vocab_size=65), "vocab_size is 64 in the model and 65"),
        (dict(act="silu"), "only hidden, layers"),
        (dict(layers=2), "layers would shrink from 3 to 2"),
        (dict(hidden=32), "a head would grow from 8 to 16"),
        (dict(intermediate=16), "intermediate would shrink"),
    ],
)
def test_what_cannot_grow_is_refused(change, says):
    with pytest.raises(ValueError, match=says):
        grow(Encoder(config("bert")), config("bert").replace(**change))


def test_a_grown_model_starts_below_the_loss_of_random_weights():
    generator = torch.Generator().manual_seed(0)
    model = MaskedLanguageModel(config("modernbert"), generator=generator)
    ids = torch.randint(5, 64, (1, 16), generator=generator).repeat(8, 1)
    optimizer = torch.optim.Adam(model.parameters(), 3e-3)
    for _ in range(60):  # learn one text by heart
        loss = torch.nn.functional.cross_entropy(model(ids).logits.flatten(0, 1), ids.flatten())
        optimizer.zero_grad(), loss.backward(), optimizer.step()
    with torch.no_grad():
        logits = grow(model, larger("modernbert"))(ids).logits
    assert torch.nn.functional.cross_entropy(logits.flatten(0, 1), ids.flatten()) < 0.8 * math.log(64)
