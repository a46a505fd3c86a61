"""Poolings of several layers against transformers' hidden states, and what a common direction is."""

import pytest
import torch
from transformers import BertConfig, BertModel

from minibert import Encoder, EncoderConfig, WordPieceTokenizer
from minibert.tasks import combine_layers, embed_layers, embed_texts, embed_tokens
from minibert.tasks.sentence_embeddings import common_directions, remove_common, tune_on_pairs
from minibert.training.recipe import Recipe

TEXTS = ["the cat sat", "on", "the mat sat on the cat"]
TOK = WordPieceTokenizer.train(["the cat sat on the mat"] * 3, vocab_size=40)
CONFIG = EncoderConfig.preset("bert-nano").replace(vocab_size=TOK.vocab_size, hidden=32, heads=2, intermediate=64)


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    """transformers' model, and ours opened from its folder."""
    torch.manual_seed(0)
    theirs = BertModel(
        BertConfig(
            vocab_size=TOK.vocab_size, hidden_size=32, num_hidden_layers=5, num_attention_heads=2, intermediate_size=64
        )
    ).eval()
    folder = tmp_path_factory.mktemp("theirs")
    theirs.save_pretrained(folder)
    return theirs, Encoder.from_pretrained(folder)


def test_layers_and_their_combinations_are_those_of_transformers_hidden_states(both):
    theirs, ours = both
    batch = TOK.encode_batch(TEXTS)
    with torch.no_grad():
        states = theirs(batch.input_ids, batch.attention_mask, output_hidden_states=True).hidden_states
    mask = batch.attention_mask[:, :, None]

    def mean(hidden):
        return (hidden * mask).sum(1) / mask.sum(1)

    layers = embed_layers(TEXTS, ours, TOK, batch_size=2)
    assert torch.allclose(layers, torch.stack([mean(state) for state in states]), atol=1e-5)
    first = embed_layers(TEXTS, ours, TOK, pool="cls")
    assert torch.allclose(first, torch.stack([state[:, 0] for state in states]), atol=1e-5)
    assert torch.equal(embed_layers(TEXTS, ours, TOK, pool=("cls", "mean"), batch_size=2)[:, :, 32:], layers)
    weights = torch.tensor([0.1, 0.2, 0.0, 0.3, 0.15, 0.25])
    expected = dict(
        last=mean(states[-1]),
        second_to_last=mean(states[-2]),
        last_four=mean(torch.stack(states[-4:]).mean(0)),
        last_four_joined=mean(torch.cat(states[-4:], dim=-1)),
        weighted=mean(sum(weight * state for weight, state in zip(weights, states, strict=True))),
    )
    for how, vectors in expected.items():
        found = combine_layers(layers, how, weights if how == "weighted" else None)
        assert torch.allclose(found, vectors, atol=1e-5), how
    for tokens, state, length in zip(
        embed_tokens(TEXTS, ours, TOK, batch_size=2), states[-1], batch.attention_mask.sum(1), strict=True
    ):
        assert torch.allclose(tokens, state[:length], atol=1e-5)


def test_the_last_layer_is_what_embed_texts_gives(both):
    ours = both[1]
    unit = combine_layers(embed_layers(TEXTS, ours, TOK), "last", unit=True)
    assert torch.allclose(unit, embed_texts(TEXTS, ours, TOK), atol=1e-5)


def test_unit_layers_count_the_same_whatever_their_scale():
    layers = torch.randn(6, 3, 8, generator=torch.Generator().manual_seed(0))
    louder = layers * torch.tensor([1.0, 1, 1, 50, 1, 1]).view(6, 1, 1)
    assert torch.allclose(*(combine_layers(each, "last_four", unit=True) for each in (layers, louder)))
    assert not torch.allclose(*(combine_layers(each, "last_four") for each in (layers, louder)))


def test_without_its_common_direction_a_cloud_lies_around_zero():
    generator = torch.Generator().manual_seed(0)
    cloud = torch.randn(50, 6, generator=generator) + 10 * torch.randn(6, generator=generator)
    mean, directions = common_directions(cloud, 2)
    centred = remove_common(cloud, mean)
    assert torch.allclose(centred.mean(0), torch.zeros(6), atol=1e-5)
    values, vectors = torch.linalg.eigh(centred.T @ centred)  # the same directions in another way
    assert values[-1] > values[0]
    assert torch.allclose((directions @ vectors[:, -2:]).abs().flip(1), torch.eye(2), atol=1e-3)
    assert torch.allclose(remove_common(cloud, mean, directions) @ directions.T, torch.zeros(50, 2), atol=1e-4)


@pytest.mark.parametrize(
    ("call", "complaint"),
    [
        (lambda v: combine_layers(v[0]), "expected \\(L \\+ 1, B, D\\)"),
        (lambda v: combine_layers(v, "best"), "expected one of last, second_to_last"),
        (lambda v: combine_layers(v[:4], "last_four"), "needs four layers"),
        (lambda v: combine_layers(v, "weighted"), "'weighted' needs weights"),
        (lambda v: combine_layers(v, "last", [1.0] * 6), "the others have none"),
        (lambda v: combine_layers(v, "weighted", [1.0] * 5), "one for each of 6 layers"),
        (lambda v: common_directions(v[0], 4), "0 to min"),
        (lambda v: common_directions(v), "expected \\(B, D\\)"),
    ],
)
def test_what_makes_no_vector_is_explained(call, complaint):
    with pytest.raises(ValueError, match=complaint):
        call(torch.ones(6, 3, 8))


def test_texts_and_poolings_are_checked():
    model = Encoder(CONFIG)
    for embed in (embed_layers, embed_tokens):
        with pytest.raises(ValueError, match="give a list"):
            embed("a text", model, TOK)
        with pytest.raises(ValueError, match="batch_size=0"):
            embed(["a text"], model, TOK, batch_size=0)
    with pytest.raises(ValueError, match="pooling 'middle'"):
        embed_layers(["a text"], model, TOK, pool="middle")


def test_tuning_can_read_the_first_token():
    generator = torch.Generator().manual_seed(0)
    pairs = [[("the cat", "cat"), ("the mat", "mat")]] * 3
    first, mean = (
        tune_on_pairs(pairs, Encoder(CONFIG, generator=generator.manual_seed(0)), TOK, Recipe(steps=3), pool=pool)
        for pool in ("cls", "mean")
    )
    assert len(first) == 3 and first[0] != mean[0]
