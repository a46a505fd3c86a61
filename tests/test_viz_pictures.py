"""The still pictures and the numbers behind them: masks, receptive fields, words by layer, neighbours."""

import inspect

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.decomposition import PCA
from sklearn.neighbors import NearestNeighbors

import minibert
from minibert import one_page
from minibert.viz import (
    describe_attention,
    nearest_neighbours,
    neighbour_agreement,
    neighbour_table,
    plot_attention,
    plot_mask,
    plot_receptive_field,
    plot_word_by_layer,
    project,
    receptive_field,
    visible,
    word_vectors_by_layer,
)
from minibert.viz.bert_pictures import BLOCK_BESIDE_PAGE, SideBySide
from minibert.viz.page import for_matplotlib

SENTENCES = ["the bank of the river", "money in the bank", "a bank!"]
CONFIG = minibert.EncoderConfig.preset("modernbert-base")


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


@pytest.fixture(scope="module")
def tiny():
    tokenizer = minibert.WordPieceTokenizer.train(SENTENCES * 3, vocab_size=60)
    config = minibert.EncoderConfig.preset("bert-nano").replace(vocab_size=tokenizer.vocab_size, layers=2)
    return minibert.Encoder(config, generator=torch.Generator().manual_seed(0)), tokenizer


def random_vectors(rows, columns, seed=0):
    return torch.randn(rows, columns, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@given(st.integers(2, 12), st.integers(1, 12), st.integers(0, 5))
def test_projection_is_principal_component_analysis(rows, columns, seed):
    vectors = random_vectors(rows, columns, seed)
    ours = project(vectors)
    count = min(2, rows - 1, columns)
    theirs = PCA(count, svd_solver="full").fit_transform(vectors.numpy())
    for axis in range(count):
        column = ours[:, axis].numpy()
        assert np.allclose(column, theirs[:, axis], atol=1e-9) or np.allclose(column, -theirs[:, axis], atol=1e-9)
        assert column[np.abs(column).argmax()] >= 0
    assert (ours[:, count:] == 0).all()


@given(st.integers(3, 12), st.integers(1, 2), st.integers(0, 5))
def test_neighbours_are_those_of_scikit_learn(rows, count, seed):
    vectors = random_vectors(rows, 4, seed)
    distances, places = NearestNeighbors(metric="cosine").fit(vectors.numpy()).kneighbors(n_neighbors=count)
    for row, best in enumerate(nearest_neighbours(vectors, count)):
        assert row not in [other for other, _ in best]
        assert [other for other, _ in best] == places[row].tolist()
        assert np.allclose([cosine for _, cosine in best], 1 - distances[row], atol=1e-9)


def test_twins_are_neighbours_and_length_does_not_matter():
    vectors = torch.tensor([[1.0, 0.0], [5.0, 0.0], [0.0, 1.0]])
    assert [best[0][0] for best in nearest_neighbours(vectors)] == [1, 0, 0]
    assert neighbour_agreement(vectors, ["a", "a", "b"]) == pytest.approx(2 / 3)
    assert neighbour_agreement(vectors, ["a", "b", "a"]) == pytest.approx(1 / 3)


def test_word_vectors_are_the_hidden_states_at_the_word(tiny):
    encoder, tokenizer = tiny
    encoder.train()
    vectors = word_vectors_by_layer(encoder, tokenizer, SENTENCES, "Bank")
    assert encoder.training and not vectors.requires_grad
    encoder.eval()
    for row, sentence in enumerate(SENTENCES):
        encoded = tokenizer.encode(sentence)
        with torch.no_grad():
            states = encoder(torch.tensor([encoded.ids]), output_hidden_states=True).hidden_states
        start = sentence.index("bank")
        at = [i for i, (a, b) in enumerate(encoded.offsets) if start <= a < b <= start + 4]
        expected = torch.stack([state[0, at].mean(0) for state in states])
        assert torch.equal(vectors[:, row], expected)


def test_a_word_in_pieces_is_their_mean(tiny):
    encoder, tokenizer = tiny
    word = "mank"
    encoded = tokenizer.encode(f"the {word}", add_special_tokens=False)
    assert len(encoded.ids) > 2  # the, and at least two pieces
    full = tokenizer.encode(f"the {word}")
    at = [i for i, (a, b) in enumerate(full.offsets) if a >= 4 and b > a]
    with torch.no_grad():
        states = encoder(torch.tensor([full.ids]), output_hidden_states=True).hidden_states
    vectors = word_vectors_by_layer(encoder, tokenizer, [f"the {word}"], word)
    assert torch.allclose(vectors[-1, 0], states[-1][0, at].mean(0))


@given(st.lists(st.integers(1, 5), min_size=1, max_size=4), st.one_of(st.none(), st.integers(0, 6)))
def test_visible_is_its_definition(lengths, window):
    borders = torch.tensor([0, *np.cumsum(lengths).tolist()], dtype=torch.int32)
    seen = visible(cu_seqlens=borders, window=window)
    document = [d for d, length in enumerate(lengths) for _ in range(length)]
    for i in range(len(document)):
        for j in range(len(document)):
            assert bool(seen[i, j]) == (document[i] == document[j] and (window is None or abs(i - j) <= window))


def test_padding_neither_looks_nor_is_seen():
    axes = plot_mask(mask=torch.tensor([1, 1, 0]), title="padding")
    shown = axes.images[0].get_array()
    assert shown.tolist() == [[0, 0, 2], [0, 0, 2], [2, 2, 2]]
    assert axes.get_title() == "padding"


def reach_by_brute_force(config, layers, length):
    """How far news came to the middle token, by multiplying who-sees-whom matrices."""
    index = torch.arange(length)
    heard = torch.eye(length)
    for layer in layers:
        near = (index[:, None] - index[None, :]).abs() <= (length if config.is_global(layer) else config.half_window)
        heard = ((near.float() @ heard) > 0).float()
    return int(heard[length // 2].sum() - 1) // 2


@pytest.mark.parametrize("layers", [[1], [1, 2], [1, 2, 4, 5], [1, 3], [0, 1]])
def test_the_receptive_field_is_what_repeated_masking_gives(layers):
    config = CONFIG.replace(local_window=8)
    length = 101
    reach = receptive_field(config, layers)[-1][1]
    assert reach_by_brute_force(config, layers, length) == (length // 2 if reach is None else min(reach, length // 2))


def test_pictures_say_what_they_show():
    axes = plot_receptive_field(CONFIG, title="reach")
    assert len(axes.get_yticklabels()) == 22 and axes.get_title() == "reach"
    vectors = random_vectors(6, 5)[None].repeat(4, 1, 1)
    figure = plot_word_by_layer(vectors, ["a", "a", "b", "b", "b", "$"], control=vectors, layers=[0, 3], title="bank")
    assert [axes.get_ylabel() for axes in figure.axes if axes.get_ylabel()] == ["trained", "untrained twin"]
    assert len(figure.axes) == 4 and len(figure.legends[0].get_texts()) == 3
    assert for_matplotlib("$日…") == "\\$□…"
    assert plot_attention(["$", "日"], torch.eye(2)).get_xticklabels()[0].get_text() == "\\$"


def test_describe_attention_names_the_strongest_links():
    said = describe_attention(["a", "b"], torch.tensor([[0.3, 0.7], [0.9, 0.1]]), top=2)
    assert said.index("b looks at a with 90 %") < said.index("a looks at b with 70 %") and "30 %" not in said


ONE = torch.eye(2)
BAD = [
    (plot_attention, (["a"], ONE), "expected a tensor"),
    (plot_attention, (["a", "b"], [[1, 0], [0, 1]]), "list for 2 tokens"),
    (plot_attention, ("ab", ONE), "list of tokens"),
    (plot_attention, (["a"] * 65, torch.eye(65)), "1 to 64"),
    (plot_attention, (["a", "b"], ONE.long()), "dtype"),
    (plot_attention, (["a", "b"], ONE * 3), "sums to 3"),
    (plot_attention, (["a", "b"], ONE, None), "title"),
    (plot_attention, (["a", "b"], ONE, "", "axes"), "axes: got str"),
    (describe_attention, (["a"], ONE), "expected"),
    (describe_attention, (["a", "b"], None), "NoneType"),
    (describe_attention, (["a", "b"], ONE, 0), "top=0"),
    (visible, (), "either"),
    (visible, (torch.tensor([0, 2]), torch.tensor([1, 1])), "not both"),
    (visible, ([0, 2],), "got list"),
    (visible, (torch.tensor([0.0, 2.0]),), "float32"),
    (visible, (torch.tensor([1, 2]),), "rise from 0"),
    (visible, (torch.tensor([0, 2, 2]),), "rise from 0"),
    (visible, (torch.tensor([0]),), "rise from 0"),
    (visible, (None, torch.tensor([0, 0])), "at least one real token"),
    (visible, (None, torch.tensor([0, 2])), "1 on real tokens"),
    (visible, (torch.tensor([0, 2]), None, -1), "window=-1"),
    (visible, (torch.tensor([0, 2]), None, 1.5), "window=1.5"),
    (plot_mask, (), "either"),
    (plot_mask, (torch.tensor([0, 513]),), "at most 512"),
    (plot_mask, (torch.tensor([0, 2]), None, None, 7), "title"),
    (receptive_field, ("modernbert-base",), "got str"),
    (receptive_field, (CONFIG, [22]), "0 to 21"),
    (receptive_field, (CONFIG, []), "layers="),
    (receptive_field, (CONFIG, 3), "layers=3"),
    (plot_receptive_field, (CONFIG, [True]), "True"),
    (plot_receptive_field, (CONFIG, None, 2), "length=2"),
    (plot_receptive_field, (CONFIG, None, 9, 1), "title"),
    (project, ([1.0],), "got list"),
    (project, (torch.ones(3),), r"expected \(S, D\)"),
    (project, (torch.ones(0, 3),), "shape"),
    (project, (torch.full((2, 2), float("nan")),), "NaN"),
    (project, (ONE, 0), "dimensions=0"),
    (nearest_neighbours, (ONE, 2), "1 to 1 neighbours"),
    (nearest_neighbours, (ONE, True), "count=True"),
    (nearest_neighbours, (torch.zeros(2, 2),), "vector 0 is all zeros"),
    (neighbour_table, (ONE, ["a"]), "1 for 2"),
    (neighbour_table, (ONE, "ab"), "got str"),
    (neighbour_agreement, (ONE, [1, 2]), "list of texts"),
    (plot_word_by_layer, (ONE,), "shape"),
    (plot_word_by_layer, (ONE[None], ["a"]), "groups: 1 for 2"),
    (plot_word_by_layer, (ONE[None], None, ONE), "control"),
    (plot_word_by_layer, (ONE[None], None, None, [1]), "layers: 1"),
    (plot_word_by_layer, (ONE[None], None, None, "0"), "layers='0'"),
    (plot_word_by_layer, (ONE[None], None, None, None, 3), "title"),
]


@pytest.mark.parametrize(("function", "arguments", "complaint"), BAD, ids=lambda x: getattr(x, "__name__", ""))
def test_bad_input_is_refused_with_a_reason(function, arguments, complaint):
    with pytest.raises(ValueError, match=complaint):
        function(*arguments)


@pytest.mark.parametrize(
    ("sentences", "word", "complaint"),
    [
        ("the bank", "bank", "list of sentences"),
        ([], "bank", "at least one"),
        ([3], "bank", "at least one text"),
        (["the river"], "bank", "not at all"),
        (["the embankment"], "bank", "not at all"),
        (["bank to bank"], "bank", "2 times"),
        (["the bank"], "", "expected a word"),
        (["the bank"], None, "expected a word"),
        (["the bank" + " the" * 200], "bank", "tokens, the model was made for 128"),
    ],
)
def test_bad_sentences_are_refused(tiny, sentences, word, complaint):
    with pytest.raises(ValueError, match=complaint):
        word_vectors_by_layer(*tiny, sentences, word)


def test_lines_side_by_side_are_looked_up_in_their_sources():
    sources = {"here": "y = a + b", "there": "x = a\ny = x < b"}
    table = SideBySide(sources, [("compare", "y = a + b", "y = x < b"), ("copy", "", "x = a")])._repr_html_()
    assert table.count("<tr>") == 3 and "y = x &lt; b" in table and "not there" in table
    with pytest.raises(ValueError, match="there has no line 'y = x > b'"):
        SideBySide(sources, [("compare", "y = a + b", "y = x > b")])


def test_chapter_6_quotes_lines_that_one_page_has():
    page = inspect.getsource(one_page)
    assert [line for _, _, line in BLOCK_BESIDE_PAGE if line not in page] == []
