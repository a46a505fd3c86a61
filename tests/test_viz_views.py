"""The interactive views: the same bytes each time, nothing loaded, honest rounding, a still picture for everybody."""

import base64
import json
import re
import struct
import subprocess
import sys
import zlib
from html.parser import HTMLParser
from xml.etree import ElementTree

import matplotlib.pyplot as plt
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from minibert import Encoder, EncoderConfig, viz
from minibert.tasks.quantize import to_int8
from minibert.tasks.span_qa import Window
from minibert.tasks.unmasking import Step
from minibert.tokenization import ByteLevelBPETokenizer, WordPieceTokenizer
from minibert.training import trapezoid
from minibert.viz import (
    AnswerView,
    Asked,
    AttentionView,
    BitsView,
    BlockView,
    LanguageView,
    ParametersView,
    ReachView,
    RotationView,
    ScatterView,
    ScheduleView,
    SearchView,
    TagView,
    TokenizerView,
    TuningView,
    UnmaskView,
)
from minibert.viz.attention_data import DENSE_TOKENS, LEVELS, MOST_TOKENS, levels_of
from minibert.viz.bits_view import in_bits
from minibert.viz.language_view import neighbours_abroad
from minibert.viz.page import palette_png
from minibert.viz.parameters_view import parameters_of
from minibert.viz.reach_view import count_scores

WORDS = ["[CLS]", "the", "cat", "</script>", '"&<b>', "日本", "\ud800", "[SEP]"]


def maps(layers=2, heads=3, size=8, seed=0, dtype=torch.float64):
    generator = torch.Generator().manual_seed(seed)
    return torch.softmax(3 * torch.randn(layers, heads, size, size, generator=generator, dtype=dtype), -1)


def attention_view(size=8, seed=0, **options):
    return AttentionView((WORDS * size)[:size], maps(size=size, seed=seed), **options)


def scatter_view(seed=0, **options):
    generator = torch.Generator().manual_seed(seed)
    vectors = torch.randn(3, 8, 6, generator=generator, dtype=torch.float64)
    return ScatterView(WORDS, vectors, ["a", "b"] * 4, control=vectors.flip(1), **options)


def bits_view(**options):
    return BitsView(torch.linspace(-1, 0.7, 24).view(3, 8) ** 3, **options)


def block_view(**options):
    return BlockView({(): 1.5, ("RoPE", "GeGLU"): 0.5}, **options)


def parameters_view(**options):
    return ParametersView({"small": (2, 64, 1000, 128), "BERT-base": (12, 768, 30_522, 512)}, **options)


def rotation_view(**options):
    return RotationView(**options)


def schedule_view(**options):
    return ScheduleView(**options)


def search_view(seed=0, **options):
    generator = torch.Generator().manual_seed(seed)
    vectors, asked = (torch.randn(count, 6, generator=generator) for count in (8, 2))
    return SearchView(WORDS, WORDS[::-1], vectors, ["the cat", "</script> 日本"], asked, [2, None], **options)


def reach_view(**options):
    return ReachView(**options)


def language_view(seed=0, **options):
    """Two messages in three languages; the vectors of a message are alike, those of the control are not."""
    generator = torch.Generator().manual_seed(seed)
    texts = dict(en=["the cat", WORDS[3]], fr=["le chat", "日本"], ar=["قطة", WORDS[4]])
    meaning = torch.eye(2, 6)[None] + 0.1 * torch.rand(3, 2, 6, generator=generator)
    given_vectors = dict(vectors={"model": meaning, "control": torch.rand(3, 2, 4, generator=generator)})
    return LanguageView(
        texts, {name: [list(t) for t in each] for name, each in texts.items()}, **given_vectors | options
    )


def tuning_view(**options):
    runs = {"1e-5": 0.1, "1e-4": 0.3}
    accuracy = {rate: [[(0, 0.5), (20, 0.5 + gain + seed / 50)] for seed in range(3)] for rate, gain in runs.items()}
    loss = {rate: [[(5, 0.7), (20, 0.7 - gain)] for _ in range(3)] for rate, gain in runs.items()}
    return TuningView(accuracy, loss, **{"rate": "1e-4"} | options)


class Words:
    """A tokenizer as far as a view asks for it: the words of WORDS, and [MASK] as number 9."""

    mask_id = 9

    def decode(self, ids):
        return "".join(WORDS[i] for i in ids if i != self.mask_id)

    def id_to_token(self, number):
        return "[MASK]" if number == self.mask_id else WORDS[number]


def unmask_view(**options):
    sure = [Step({1: (2, 0.25), 3: (5, 0.75)}, (3,)), Step({1: (4, 0.5)}, (1,))]
    at_once = [Step({1: (2, 0.25), 3: (5, 0.75)}, (1, 3))]
    runs = {"confident": sure, "at once": at_once}
    return UnmaskView([0, 9, 6, 9, 7], options.pop("runs", runs), Words(), **options)


TEXT = '</script> "&<b> 日本 \ud800 cat'
WHERE = ((0, 9), (10, 15), (16, 18), (19, 20), (21, 24))


def asked(seed=0, right=(21, 24)):
    """A text in two windows that share a token, and logits drawn at random."""
    cut = [
        Window((2, 9, 3, 5, 6, 7), (0, 0, 0, 1, 1, 1), (*[None] * 3, *where), (False, False, False, *central))
        for where, central in ((WHERE[:3], (True, True, True)), (WHERE[2:], (False, True, True)))
    ]
    logits = torch.randn(2, 6, 2, generator=torch.Generator().manual_seed(seed))
    return Asked("where is the <cat>?", TEXT, cut, list(logits), right)


def answer_view(**options):
    return AnswerView([asked(), asked(1, None)], **options)


def tag_view(**options):
    tags = [["O", "B-place", "I-place", *"OOOOO"], ["B-person", *"OO"]]
    guess = [[*"OOOO", "B-</script>", *"OOO"], ["B-person", *"OO"]]
    return TagView([WORDS, WORDS[:3]], {"people": tags, "a model": guess}, **options)


def tokenizers():
    return {
        "</script>": WordPieceTokenizer.train(["the cat", "日本 &<b>", "the cats"] * 2, vocab_size=60),
        "bytes": ByteLevelBPETokenizer.train(
            ["the cat", "日本 &<b>", "the cats"] * 2, vocab_size=270, pattern="llama3"
        ),
    }


def tokenizer_view(**options):
    return TokenizerView(options.pop("tokenizers", tokenizers()), **{"text": 'the </script> "&<b> 日本 cats'} | options)


VIEWS = pytest.mark.parametrize(
    "make",
    [
        attention_view,
        scatter_view,
        bits_view,
        block_view,
        language_view,
        parameters_view,
        rotation_view,
        schedule_view,
        reach_view,
        search_view,
        tuning_view,
        unmask_view,
        answer_view,
        tag_view,
        tokenizer_view,
    ],
)


class Page(HTMLParser):
    """The elements of a page, and whether each was closed where it was opened."""

    VOID = ("img", "meta", "br", "input")

    def __init__(self, text: str):
        super().__init__()
        self.open, self.seen, self.data = [], [], {}
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attributes):
        self.seen.append((tag, dict(attributes)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open and self.open.pop() == tag, f"</{tag}> closes nothing"

    def handle_data(self, data):
        if self.open:
            self.data[self.open[-1]] = self.data.get(self.open[-1], "") + data


def payload(html: str) -> dict:
    return json.loads(re.search(r'<script type="application/json">(.*?)</script>', html, re.DOTALL)[1])


def still(html: str) -> str:
    source = re.search(r'src="data:image/svg\+xml;base64,(.*?)"', html)[1]
    return base64.b64decode(source).decode("utf-8")


@VIEWS
def test_the_same_input_gives_the_same_bytes(make, tmp_path):
    first, again = make()._repr_mimebundle_(), make()._repr_mimebundle_()
    assert first == again
    assert sorted(first[0]) == ["image/png", "text/html", "text/plain"]
    pages = [make().to_html(tmp_path / name).read_bytes() for name in ("a.html", "b.html")]
    assert pages[0] == pages[1]
    assert first[0]["text/html"].encode() in pages[0]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.html", "b.html"]  # no staging file is left


@VIEWS
def test_a_page_loads_nothing_and_closes_what_it_opens(make, tmp_path):
    html = make().to_html(tmp_path / "a.html").read_text(encoding="utf-8")
    assert "http" not in html and "//" not in re.sub(r"//[^\n]*\n|base64,[^\"]*|:\"[\w+/=]*\"", "", html)
    assert not re.search(r"@import|url\(|\bfetch\(|XMLHttp|uuid|\bid=", html)
    page = Page(html)
    assert page.open == []
    assert [attributes["src"][:26] for tag, attributes in page.seen if "src" in attributes] == [
        "data:image/svg+xml;base64,"
    ]
    for tag, attributes in page.seen:
        assert "href" not in attributes and not any(name.startswith("on") for name in attributes), tag
    assert "xlink" not in still(html) and set(re.findall(r"https?:[^\"]*", still(html))) == {
        "http://www.w3.org/2000/svg"
    }


@VIEWS
def test_the_still_picture_is_valid_and_described(make):
    view = make()
    (data, metadata), html = view._repr_mimebundle_(), view._repr_html_()
    ElementTree.fromstring(still(html))
    png = base64.b64decode(data["image/png"])
    assert png[:8] == b"\x89PNG\r\n\x1a\n" and len(png) > 3000
    described = dict(Page(html).seen)["img"]["alt"]
    assert described == metadata["image/png"]["alt"] == view.describe()
    assert Page(html).seen[0][1]["aria-label"] == described and view.title in described


@VIEWS
def test_light_and_dark_are_both_styled(make):
    style = Page(make()._repr_html_()).data["style"]
    dark = re.search(r"prefers-color-scheme: dark\) \{ \.mb-view \{(.*?)\}", style, re.DOTALL)[1]
    light = re.search(r"^\.mb-view \{(.*?)--blue", style, re.DOTALL | re.MULTILINE)[1]

    def variables(text):
        return dict(re.findall(r"(--\w+): (#\w+)", text))

    assert set(variables(dark)) == set(variables(light)) == {"--ink", "--soft", "--paper", "--line", "--tint"}
    for theme, wanted in (("true", light), ("false", dark)):
        forced = re.search(rf'\[data-jp-theme-light="{theme}"\] \.mb-view \{{(.*?)\}}', style, re.DOTALL)[1]
        assert variables(forced) == variables(wanted), theme
    for theme in (light, dark):
        colors = variables(theme)
        assert contrast(colors["--ink"], colors["--paper"]) > 7
        assert contrast(colors["--soft"], colors["--paper"]) > 4.5 and contrast(colors["--ink"], colors["--tint"]) > 7
        for mark in ("#2b83c6", "#d96c06"):  # the lines
            assert contrast(mark, colors["--paper"]) > 3


def contrast(first: str, second: str) -> float:
    """The contrast of two colours as the Web Content Accessibility Guidelines 2.1 define it."""

    def luminance(color):
        parts = [int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    low, high = sorted((luminance(first), luminance(second)))
    return (high + 0.05) / (low + 0.05)


def test_views_on_one_page_have_names_of_their_own():
    names = [
        re.search(r'data-view="(\w+)"', view._repr_html_())[1]
        for view in (
            attention_view(),
            attention_view(head=1),
            attention_view(seed=1),
            scatter_view(),
            scatter_view(layer=0),
            bits_view(),
            bits_view(own=True),
            block_view(),
            block_view(title="two"),
            language_view(),
            language_view(message=1),
            parameters_view(),
            parameters_view(start="small"),
            rotation_view(),
            rotation_view(theta=5000),
            schedule_view(),
            schedule_view(branch=300),
            search_view(),
            search_view(seed=1),
            tuning_view(),
            tuning_view(rate="1e-5"),
            tokenizer_view(),
            tokenizer_view(text="the cat"),
        )
    ]
    assert len(set(names)) == len(names) and all(len(name) == 12 for name in names)
    assert re.search(r'data-view="(\w+)"', attention_view()._repr_html_())[1] == names[0]


def test_a_view_stays_small():
    def without_data(view):
        html = view._repr_html_()
        return len(html) - len(re.search(r'<script type="application/json">(.*?)</script>', html, re.DOTALL)[1])

    assert without_data(AttentionView(["a"] * 9, maps(6, 12, 9), layer=5, head=11)) < 50_000
    assert without_data(scatter_view()) < 50_000
    dense = AttentionView(["a"] * 64, maps(6, 12, 64))
    assert dense.links.keys is None and len(dense._repr_html_()) < 700_000


def test_what_a_page_holds_is_what_was_given():
    given_maps = maps()
    view = AttentionView(WORDS, tuple(layer[None] for layer in given_maps), layer=-1, head=2, token=3)
    data = payload(view._repr_html_())
    assert data["tokens"] == WORDS
    assert (data["layers"], data["heads"], data["layer"], data["head"], data["pinned"]) == (2, 3, 1, 2, [0, 3])
    levels = torch.tensor(list(base64.b64decode(data["values"])), dtype=torch.float64).view(2, 3, 8, 8)
    assert ((levels / LEVELS) ** 2 - given_maps).abs().max() < 0.005
    assert torch.equal(view.links.probabilities(1, 2), ((levels / LEVELS) ** 2)[1, 2])


@given(st.floats(0, 1))
def test_rounding_is_bounded_as_documented(p):
    back = (levels_of(torch.tensor([p], dtype=torch.float64)).double() / LEVELS) ** 2
    assert abs(float(back) - p) <= (p**0.5 + 1 / 960) / 240 + 1e-12


@pytest.mark.parametrize("count", [1, 4, 9, 16, 25])
def test_uniform_attention_is_exact(count):
    uniform = torch.full((1, 1, count, count), 1 / count, dtype=torch.float64)
    assert torch.allclose(AttentionView(["a"] * count, uniform).links.probabilities(0, 0), uniform[0, 0], atol=1e-15)


@pytest.mark.parametrize("form", ["one tensor", "batch of one", "no batch", "packed", "list", "bfloat16"])
def test_every_form_of_attention_is_taken_and_none_is_changed(form):
    whole = maps()
    given_maps = {
        "one tensor": whole,
        "batch of one": tuple(layer[None] for layer in whole),
        "no batch": tuple(whole),
        "packed": tuple((layer,) for layer in whole),
        "list": list(whole),
        "bfloat16": whole.bfloat16(),
    }[form]
    before = whole.clone()
    view = AttentionView(["a"] * 8, given_maps)
    assert torch.equal(whole, before)
    tolerance = 0.02 if form == "bfloat16" else 0.005
    assert (view.links.probabilities(1, 1) - whole[1, 1]).abs().max() < tolerance


@pytest.mark.filterwarnings("error")
def test_tensors_that_still_know_their_gradient_are_drawn_without_a_warning(tmp_path):
    """A model called without no_grad() gives such tensors."""
    attentions = maps(size=4).requires_grad_()
    vectors = torch.eye(4).repeat(2, 1, 1).requires_grad_()
    viz.plot_attention(WORDS[:4], attentions[0, 0])
    viz.describe_attention(WORDS[:4], attentions[0, 0])
    AttentionView(WORDS[:4], list(attentions)).to_html(tmp_path / "a.html")
    ScatterView(WORDS[:4], vectors, ["a", "b"] * 2, control=vectors).to_html(tmp_path / "b.html")
    viz.plot_word_by_layer(vectors, ["a", "b"] * 2, control=vectors)
    viz.neighbour_table(vectors[0], WORDS[:4])
    viz.project(vectors[0])
    plt.close("all")


def test_long_texts_keep_the_strongest_links():
    size = DENSE_TOKENS + 6
    whole = maps(22, 16, size)
    links = AttentionView(["a"] * size, whole).links
    assert links.kept == 1_000_000 // (22 * 16 * size) < size
    for layer, head in ((0, 0), (21, 15)):
        kept = links.probabilities(layer, head)
        best = whole[layer, head].topk(links.kept).values
        assert torch.allclose(kept.sort(-1, descending=True).values[:, : links.kept], best, atol=0.005)
        assert ((kept == 0) | ((kept - whole[layer, head]).abs() < 0.005)).all()  # at their own places
    assert links.maps.shape == (22, 16, 24, 24)


def test_ties_go_to_the_left():
    size = 120
    links = AttentionView(["a"] * size, torch.full((80, 16, size, size), 1 / size)).links
    assert links.keys[0, 0, 0].tolist() == list(range(links.kept))


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (dict(tokens="the cat"), "list of tokens"),
        (dict(tokens=[1, 2]), "list of texts"),
        (dict(tokens=None), "NoneType"),
        (dict(tokens=[]), "0 tokens"),
        (dict(tokens=["a"] * (MOST_TOKENS + 1)), "1 to 512"),
        (dict(tokens=["a", "b", "c"]), "cut padding off"),
        (dict(attentions=None), "output_attentions=True"),
        (dict(attentions=()), "no layer"),
        (dict(attentions=(None,)), "layer 0 is a NoneType"),
        (dict(attentions=torch.eye(2)), r"expected \(L, H, T, T\)"),
        (dict(attentions=(torch.ones(2, 1, 2, 2) / 2,)), "2 texts; pick one"),
        (dict(attentions=(torch.ones(1, 2, 2) / 2, torch.ones(3, 2, 2) / 2)), r"\[1, 3\] heads"),
        (dict(attentions=(torch.ones(1, 2, 2, dtype=torch.long),)), "dtype torch.int64"),
        (dict(attentions=(torch.full((1, 2, 2), float("nan")),)), "NaN"),
        (dict(attentions=(torch.full((1, 2, 2), -1.0),)), "not scores"),
        (dict(attentions=(torch.ones(1, 2, 2),)), "sums to 2"),
        (dict(attentions=(torch.ones(0, 2, 2),)), "expected"),
        (dict(layer=1), "layer=1"),
        (dict(head=True), "head=True"),
        (dict(head="0"), "head='0'"),
        (dict(token=2), "token=2"),
        (dict(title=None), "title"),
    ],
)
def test_a_bad_attention_view_is_refused(arguments, complaint):
    with pytest.raises(ValueError, match=complaint):
        AttentionView(**(dict(tokens=["a", "b"], attentions=torch.eye(2)[None, None]) | arguments))


def test_too_many_heads_for_a_page_are_refused():
    layer = torch.zeros(1, 1, 1).expand(64, 512, 512)
    with pytest.raises(ValueError, match="fewer layers"):
        AttentionView(["a"] * 512, [layer] * 8)


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (dict(vectors=[1.0]), "vectors: got list"),
        (dict(vectors=torch.eye(2)), r"expected \(L \+ 1, S, D\)"),
        (dict(vectors=torch.ones(1, 2, 2, dtype=torch.long)), "dtype"),
        (dict(vectors=torch.full((1, 2, 2), float("inf"))), "infinity"),
        (dict(vectors=torch.zeros(1, 2, 2)), "all zeros"),
        (dict(texts=["a"], vectors=torch.ones(1, 1, 2)), "2 to 200 texts"),
        (dict(texts="ab"), "texts: got str"),
        (dict(texts=["a"]), "texts: 1 for 2 vectors"),
        (dict(texts=["a", "b" * 2001]), "2000 characters"),
        (dict(groups=["x"]), "groups: 1 for 2"),
        (dict(control=torch.ones(2, 2, 2)), "control"),
        (dict(control="twin"), "control: got str"),
        (dict(layer=1), "layers: 1"),
        (dict(layer=None), "None"),
        (dict(title=3), "title"),
    ],
)
def test_a_bad_scatter_view_is_refused(arguments, complaint):
    with pytest.raises(ValueError, match=complaint):
        ScatterView(**(dict(texts=["a", "b"], vectors=torch.eye(2)[None]) | arguments))


ONE = {"en": ["a", "b"], "fr": ["c", "d"]}


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (dict(texts={}), "0 languages"),
        (dict(texts={"en": ["a", "b"]}), "1 languages"),
        (dict(texts={"en": ["a"], "fr": ["b"]}), "1 messages"),
        (dict(texts={"en": ["a"] * 41, "fr": ["b"] * 41}), "2 to 40 messages"),
        (dict(texts=ONE | {"xx": ["a", "b"]}), "unknown languages"),
        (dict(texts=ONE | {"de": ["a"]}), "de: 1 texts"),
        (dict(tokens={"en": [["a"], ["b"]]}), "fr: 2 texts and 0 lists"),
        (dict(vectors={}), "at least one kind"),
        (dict(vectors={"m": torch.ones(2, 3, 4)}), r"expected \(2, 2, D\)"),
        (dict(vectors={"m": torch.zeros(2, 2, 4)}), "all zeros"),
        (dict(vectors={"m": [1.0]}), "vectors of 'm': got list"),
        (dict(message=2), "message=2"),
        (dict(title=None), "title"),
    ],
)
def test_a_bad_language_view_is_refused(arguments, complaint):
    given_arguments = dict(texts=ONE, tokens={name: [["a"], ["b"]] for name in ONE}, vectors={"m": torch.ones(2, 2, 4)})
    with pytest.raises(ValueError, match=complaint):
        LanguageView(**given_arguments | arguments)


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (dict(passages=["a"], sources=["A"], vectors=torch.ones(1, 2)), "1 passages"),
        (dict(queries=[], query_vectors=torch.ones(0, 2)), "0 queries|query_vectors"),
        (dict(passages=["a"]), "passages: 1 for 2"),
        (dict(sources="AB"), "sources: got str"),
        (dict(vectors=torch.zeros(2, 2)), "all zeros"),
        (dict(query_vectors=torch.ones(1, 3)), "2 wide, those of the queries 3"),
        (dict(right=[2]), "right: "),
        (dict(right=[0, 1]), "right: "),
    ],
)
def test_a_bad_search_view_is_refused(arguments, complaint):
    given_arguments = dict(passages=["a", "b"], sources=["A", "B"], vectors=torch.eye(2))
    given_arguments |= dict(queries=["a"], query_vectors=torch.ones(1, 2))
    with pytest.raises(ValueError, match=complaint):
        SearchView(**given_arguments | arguments)


def test_a_search_view_ranks_by_vectors_that_differ_little_from_the_real_ones():
    generator = torch.Generator().manual_seed(0)
    vectors, asked = torch.randn(40, 64, generator=generator), torch.randn(3, 64, generator=generator)
    texts = [f"word{i} shared" for i in range(40)]
    view = SearchView(texts, texts, vectors, ["word7", "word8", "shared"], asked, [7, 8, 9])
    for query in range(3):
        exact = torch.cosine_similarity(vectors, asked[query], dim=1)
        for number, cosine in view.found(query)["vectors"]:
            assert abs(cosine - float(exact[number])) < 0.01
        assert view.ranks(query)["vectors"] == [n for n, _ in view.found(query)["vectors"]].index(7 + query) + 1
    assert [view.ranks(query)["words"] for query in (0, 1)] == [1, 1]


def test_a_search_view_credits_its_passages_on_the_page_and_in_each_still_picture():
    plain, credited = search_view(), search_view(credit="by A & B, CC BY-SA 3.0, " + "cut " * 40)
    html = credited._repr_html_()
    assert '"credit":"by A & B, CC BY-SA 3.0, cut ' in html and "data.credit" in html
    assert "by A &amp; B, CC BY-SA 3.0" in still(html) and "CC BY-SA" not in still(plain._repr_html_())
    assert "by A & B, CC BY-SA 3.0" in credited.describe()
    texts = [text.get_text() for text in credited.figure().texts]
    assert any("by A & B, CC BY-SA 3.0" in text for text in texts)
    assert len(credited._repr_png_()) > len(plain._repr_png_())


def test_a_language_view_shows_the_nearest_sentences_of_other_languages():
    """Against a loop over all pairs."""
    vectors = torch.randn(4, 5, 7, generator=torch.Generator().manual_seed(3))
    best, cosines = neighbours_abroad(vectors, 3)
    for language in range(4):
        for message in range(5):
            found = {
                5 * other + m: torch.cosine_similarity(vectors[language, message], vectors[other, m], dim=0)
                for other in range(4)
                for m in range(5)
                if other != language
            }
            ranked = sorted(found, key=found.get, reverse=True)[:3]
            assert best[language, message].tolist() == ranked
            assert cosines[language, message].tolist() == pytest.approx([float(found[r]) for r in ranked], abs=1e-6)
    assert language_view().found()["model"] == 6


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (dict(weight=[[1.0]]), "list, expected"),
        (dict(weight=torch.ones(3)), "expected \\(C, K\\)"),
        (dict(weight=torch.ones(2, 2, dtype=torch.long)), "floating point"),
        (dict(weight=torch.ones(13, 2)), "at most \\(12, 64\\)"),
        (dict(weight=torch.zeros(2, 2)), "nothing but zeros"),
        (dict(weight=torch.tensor([[float("nan"), 1.0]])), "NaN"),
        (dict(bits=1), "bits=1"),
        (dict(bits=True), "bits=True"),
        (dict(own="yes"), "own='yes'"),
        (dict(title=None), "title"),
    ],
)
def test_a_bad_bits_view_is_refused(arguments, complaint):
    with pytest.raises(ValueError, match=complaint):
        BitsView(**(dict(weight=torch.eye(2)) | arguments))


def test_eight_bits_are_those_of_the_package():
    weight = torch.randn(5, 7, generator=torch.Generator().manual_seed(0)) * torch.tensor([[1], [2], [0.1], [9], [0]])
    rounded, scale = to_int8(weight)
    shown, scales = in_bits(weight, 8, own=True)
    assert torch.allclose(shown, rounded * scale) and torch.allclose(scales, scale)


@pytest.mark.parametrize("models", [{}, {"a": (2, 64, 1000)}, {"a": (2, 64, 0, 1)}, {"a": (2, 64.0, 9, 1)}])
def test_a_bad_parameters_view_is_refused(models):
    with pytest.raises(ValueError, match="expected"):
        ParametersView(models)
    with pytest.raises(ValueError, match="start='b'"):
        ParametersView({"a": (2, 64, 1000, 9)}, start="b")


@pytest.mark.parametrize("preset", ["bert-base", "bert-large", "bert-nano"])
def test_the_parameters_shown_are_those_of_the_package(preset):
    config = EncoderConfig.preset(preset)
    with torch.device("meta"):
        count = sum(parameter.numel() for parameter in Encoder(config).parameters())
    assert sum(parameters_of(config.layers, config.hidden, config.vocab_size, config.max_len).values()) == count


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (dict(head_size=7), "head_size=7"),
        (dict(head_size=0), "head_size=0"),
        (dict(query=-1), "query=-1"),
        (dict(key=513), "key=513"),
        (dict(key=1.0), "key=1.0"),
        (dict(theta=10), "theta=10"),
        (dict(theta=float("nan")), "theta=nan"),
        (dict(title=None), "title"),
    ],
)
def test_a_bad_rotation_view_is_refused(arguments, complaint):
    with pytest.raises(ValueError, match=complaint):
        RotationView(**arguments)


@pytest.mark.parametrize("head_size", [2, 6, 16, 64])
def test_a_rotation_view_shows_pairs_that_are_there(head_size):
    view = RotationView(head_size=head_size)
    assert view.pairs[0] == 0 and len(view.pairs) == min(8, head_size // 2)
    assert all(0 <= pair < head_size // 2 for pair in view.pairs)
    assert payload(view._repr_html_())["pairs"] == view.pairs


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (dict(total=9), "total=9"),
        (dict(total=100.0), "total=100.0"),
        (dict(warmup=-1), "warmup=-1"),
        (dict(warmup=900), "do not fit"),
        (dict(branch=801), "branch=801: expected a step on the plateau, from 50 to 800"),
        (dict(branch=49), "branch=49"),
        (dict(shape="sqrt"), "shape='sqrt'"),
        (dict(title=None), "title"),
    ],
)
def test_a_bad_schedule_view_is_refused(arguments, complaint):
    with pytest.raises(ValueError, match=complaint):
        ScheduleView(**arguments)


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (dict(runs={}), "0 runs"),
        (dict(runs={"confident": [Step({1: (2, 0.5)}, (1,))]}), r"fills \[1\], hidden are \[1, 3\]"),
        (dict(runs={"at once": [Step({1: (2, 0.5), 3: (2, 0.5), 4: (2, 0.5)}, (1, 3, 4))]}), r"fills \[1, 3, 4\]"),
    ],
)
def test_a_bad_unmask_view_is_refused(arguments, complaint):
    with pytest.raises(ValueError, match=complaint):
        unmask_view(**arguments)


def test_an_unmask_view_shows_the_steps_that_were_given():
    view = unmask_view()
    data = payload(view._repr_html_())
    assert (data["hidden"], [len(run["steps"]) for run in data["runs"]]) == ([1, 3], [2, 1])
    assert data["runs"][0]["steps"][0] == {"chosen": [3], "guesses": [[1, "cat", 0.25], [3, "日本", 0.75]]}
    assert view.filled("confident")[1:4:2] == [WORDS[4], "日本"] and view.filled("at once")[1] == "cat"
    assert "(2)" in view.describe()


def test_a_picture_of_unmasking_says_how_its_text_begins():
    late = UnmaskView([6, 7, 6, 7, 6, 9], {"one": [Step({5: (2, 0.5)}, (5,))]}, Words())
    titles = [view.figure().axes[0].get_title(loc="left") for view in (late, unmask_view())]
    assert titles[0].endswith("the text begins: □ [SEP] ...") and "begins" not in titles[1]


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (dict(rate="1e-3"), "rate='1e-3': expected one of 1e-5, 1e-4"),
        (dict(title=None), "title"),
    ],
)
def test_a_bad_tuning_view_is_refused(arguments, complaint):
    with pytest.raises(ValueError, match=complaint):
        tuning_view(**arguments)


def test_a_tuning_view_takes_equal_rates_and_whole_curves():
    runs = {"1e-5": [[(0, 0.5)], [(0, 0.5)]]}
    with pytest.raises(ValueError, match=r"loss \['1e-4'\]"):
        TuningView(runs, {"1e-4": runs["1e-5"]}, rate="1e-5")
    with pytest.raises(ValueError, match="two curves or more"):
        TuningView(runs, {"1e-5": [[(0, 0.5)]]}, rate="1e-5")


def test_a_tuning_view_shows_the_runs_that_were_given():
    data = payload(tuning_view()._repr_html_())
    assert (data["rates"], data["chosen"], data["last"]) == (["1e-5", "1e-4"], 1, 20)
    assert data["ends"] == [[0.6, 0.62, 0.64], [0.8, 0.82, 0.84]] and data["losses"] == [0.6, 0.4]
    assert data["paths"]["accuracy"][1][0] == "M46.0 166.7L310.0 78.7"  # 0.5 and 0.8 between 0.4 and 1.0
    assert "1e-5: 0.62, 1e-4: 0.82" in tuning_view().describe()


@pytest.mark.parametrize("shape", ["1-sqrt", "linear", "cosine"])
def test_a_schedule_view_draws_the_schedule_of_the_package(shape):
    view = ScheduleView(total=600, warmup=30, decay=120, branch=200, shape=shape)
    for step, value in view.curve("long"):
        assert value == pytest.approx(trapezoid(round(step), 600, 30, 120, shape), abs=1e-12) and step == round(step)
    shared = [(step - 280, value) for step, value in view.curve("long")[-61:]]
    assert shared == view.curve("branch")


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (dict(window=0), "window=0"),
        (dict(layers=13), "layers=13"),
        (dict(every=5), "every=5"),
        (dict(title=1), "title"),
    ],
)
def test_a_bad_reach_view_is_refused(arguments, complaint):
    with pytest.raises(ValueError, match=complaint):
        ReachView(**arguments)


@pytest.mark.parametrize(("length", "window"), [(1, 3), (7, 2), (40, 39), (40, None), (40, 100)])
def test_scores_are_counted_as_the_mask_has_them(length, window):
    seen = viz.visible(cu_seqlens=torch.tensor([0, length]), window=window)
    assert count_scores(length, window) == int(seen.sum())


def test_seven_groups_are_too_many():
    with pytest.raises(ValueError, match="7 different"):
        ScatterView(list("abcdefg"), torch.eye(7)[None], list("abcdefg"))


@VIEWS
@pytest.mark.parametrize("name", ["a.png", "a", "no/such/a.html", "folder.html"])
def test_a_bad_place_for_a_page_is_refused_and_nothing_is_written(make, name, tmp_path):
    (tmp_path / "folder.html").mkdir()
    with pytest.raises(ValueError, match=r"expected a file name|there is no folder|is a folder"):
        make().to_html(tmp_path / name)
    assert [path.name for path in tmp_path.iterdir()] == ["folder.html"]


def test_the_hand_written_png_is_one():
    """Against the format itself: chunks, checksums and pixels read back with zlib, also beyond one stored block."""
    rows = [bytes((x + y) % 3 for x in range(300)) for y in range(300)]
    png = palette_png(rows, [(255, 255, 255), (1, 2, 3), (4, 5, 6)])
    place, chunks = 8, []
    while place < len(png):
        (length,), name = struct.unpack(">I", png[place : place + 4]), png[place + 4 : place + 8]
        body = png[place + 8 : place + 8 + length]
        assert struct.unpack(">I", png[place + 8 + length : place + 12 + length])[0] == zlib.crc32(name + body)
        chunks.append((name, body))
        place += 12 + length
    assert [name for name, _ in chunks] == [b"IHDR", b"PLTE", b"IDAT", b"IEND"]
    assert zlib.decompress(chunks[2][1]) == b"".join(b"\0" + row for row in rows)


def test_importing_the_package_does_not_import_matplotlib():
    code = "import minibert, sys; sys.exit('matplotlib' in sys.modules or 'torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_an_answer_view_holds_each_token_once_with_the_logits_of_its_own_window():
    given_asked = asked()
    first, second = payload(AnswerView([given_asked, asked(1, None)])._repr_html_())["asked"]
    assert "".join(gap + token for gap, token in zip(first["before"], first["tokens"], strict=True)) == TEXT
    kept = torch.cat([given_asked.logits[0][3:], given_asked.logits[1][4:]])
    assert torch.allclose(torch.tensor([first["starts"], first["ends"]]).T, kept, atol=0.006)
    assert first["right"] == [4, 4] and second["right"] is None
    none = min(float(scores[0].sum()) for scores in given_asked.logits)
    assert sum(first["none"]) == pytest.approx(none, abs=0.02)


@pytest.mark.parametrize("seed", range(4))
def test_the_spans_of_an_answer_view_are_those_of_best_answers(seed):
    one = asked(seed)
    data = payload(AnswerView([one])._repr_html_())["asked"][0]
    found = {}
    for first, start in enumerate(data["starts"]):  # as answer.js does it
        own = data["cut"][data["window"][first]]
        for last in range(first, own["first"] + len(own["ends"])):
            found[WHERE[first][0], WHERE[last][1]] = start + own["ends"][last - own["first"]]
    assert (WHERE[0][0], WHERE[4][1]) not in found  # no window holds both of them
    best = {(answer.start, answer.end): answer.score for answer in one.best(30)}
    assert found == pytest.approx(best, abs=0.011)
    assert one.borders() == [3] and data["window"] == [0, 0, 0, 1, 1]


def test_the_answer_that_is_described_is_the_best_one():
    best = asked().best(1)[0]
    assert best.text == TEXT[best.start : best.end] and best.text in answer_view().describe()
    assert "1 question;" in repr(AnswerView([asked()]))


@pytest.mark.parametrize(
    ("make", "complaint"),
    [
        (lambda: AnswerView([]), "no questions"),
        (lambda: TagView([], {"a": []}), "0 texts"),
        (lambda: TagView([["a"]], {}), "0 taggers"),
        (lambda: TagView([["a"] * 81], {"a": [["O"] * 81]}), "at most 80 words"),
        (lambda: TagView([["a", "b"]], {"a": [["O"]]}), "do not fit"),
        (lambda: TagView([["a"]], {"a": [["X"]]}), "expected 'O'"),
    ],
)
def test_a_bad_answer_or_tag_view_is_refused(make, complaint):
    with pytest.raises(ValueError, match=complaint):
        make()


@pytest.mark.parametrize(
    ("make", "complaint"),
    [
        (lambda: TokenizerView({}), "0 tokenizers"),
        (lambda: TokenizerView(tokenizers(), text=3), "expected texts"),
        (lambda: TokenizerView({"a": "bert"}), "got str, expected a tokenizer"),
        (
            lambda: tokenizer_view(tokenizers={"a": ByteLevelBPETokenizer.train(["aa"], 262, nfc=True)}),
            "normalizer NFC",
        ),
        (lambda: tokenizer_view(tokenizers={"a": WordPieceTokenizer({"[UNK]": 40_000})}), "40,001 tokens"),
    ],
)
def test_a_bad_tokenizer_view_is_refused(make, complaint):
    with pytest.raises(ValueError, match=complaint):
        make()


def test_a_tag_view_holds_whole_names():
    data = payload(tag_view()._repr_html_())
    assert data["found"][0] == [[["place", 1, 3]], [["</script>", 4, 5]]] and data["taggers"] == ["people", "a model"]
    assert "people: the cat (place); a model: " in tag_view().describe()
    assert tag_view()._svg().count("stroke-dasharray") == 1 == tag_view()._svg().count("fill-opacity")
