"""A real browser: the exported page by itself, then notebooks in a real JupyterLab, run, pointed at and clicked.

Needs Chromium (chromium, chromium-browser or google-chrome on PATH) and is skipped without it;
MINIBERT_REQUIRE_BROWSER=1 makes that a failure. Screenshots are kept in artifacts/, which git ignores.
"""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch

from minibert import EncoderConfig, MaskedLanguageModel
from minibert.corpora import is_cached
from minibert.shipped_models import SHIPPED, shipped
from minibert.tasks.span_qa import Window
from minibert.tasks.unmasking import Step
from minibert.tokenization import load_tokenizer
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
    TokenizerView,
    TuningView,
    UnmaskView,
)
from minibert.viz.explain import Explainer, unpacked
from minibert.viz.page import HERE
from minibert.viz.tokenizer_view import tokenizer_data
from tests import tokenization_samples as samples

ROOT = Path(__file__).parent.parent
ARTIFACTS = ROOT / "artifacts"
TOKEN = "browser-test"
NAMES = ("chromium", "chromium-browser", "google-chrome")
CHAPTERS = ("00_start_here", "07_looking_inside")
CLAIMED = "04_inputs"  # the page of claims links to a cell of it
QUIET = ("Failed to load resource",)  # said beside a request; requests are judged by themselves


@pytest.fixture(scope="module")
def browser():
    found = next((path for name in NAMES if (path := shutil.which(name))), None)
    if found is None:
        reason = f"no Chromium: none of {', '.join(NAMES)} is on PATH"
        pytest.fail(reason) if os.environ.get("MINIBERT_REQUIRE_BROWSER") == "1" else pytest.skip(reason)
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as engine:
        running = engine.chromium.launch(executable_path=found, args=["--no-sandbox"])
        yield running
        running.close()


@contextmanager
def watched_page(browser, **options):
    """A page whose errors and requests are collected; at the end there must be no error and no request to elsewhere."""
    context = browser.new_context(viewport=dict(width=1280, height=1000), **options)
    context.set_default_timeout(20_000)
    page = context.new_page()
    errors, requests = [], []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    page.on("request", lambda request: requests.append(request.url))
    yield page
    context.close()
    away = [url for url in requests if not url.startswith(("file:", "data:", "blob:", "http://127.0.0.1:"))]
    assert away == []
    assert [error for error in errors if not error.startswith(QUIET)] == []


def picture(view) -> str:
    """What the view's lines look like now, as text."""
    return view.locator(".mb-links canvas").evaluate(
        "node => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => done(node.toDataURL()))))"
    )


def use_attention_view(view) -> None:
    """Point, click, choose a head, and use the keyboard: the picture and the words follow."""
    say, nodes = view.locator(".mb-say"), view.locator("*").count()
    before, words = picture(view), say.inner_text()
    token = view.locator(".mb-to .mb-token").nth(1)
    view.locator(".mb-from .mb-token").nth(2).click()
    token.click()
    pinned = picture(view)
    assert pinned != before and say.inner_text() != words and "is looked at by" in say.inner_text()
    assert token.get_attribute("aria-selected") == "true"
    view.locator(".mb-from .mb-token").first.hover()  # a pinned token stays
    assert picture(view) == pinned
    chosen = view.locator('.mb-head[aria-selected="true"]').get_attribute("title")
    other = view.locator(".mb-head").nth(1)
    other.click()
    assert view.locator('.mb-head[aria-selected="true"]').get_attribute("title") != chosen
    assert other.get_attribute("aria-selected") == "true" and picture(view) != pinned
    other.press("ArrowRight")
    other.press("Escape")
    assert "Point at a token" in say.inner_text()
    token.focus()
    token.press("ArrowDown")
    view.locator(".mb-to .mb-token").nth(2).press("ArrowLeft")
    focused = view.locator(".mb-from .mb-token").nth(2)
    focused.press("Enter")
    assert focused.get_attribute("aria-selected") == "true" and "looks at" in say.inner_text()
    view.locator("select").nth(1).select_option("0")
    assert "head 0" in say.inner_text()
    assert view.locator("*").count() == nodes  # nothing was built anew


def make_view(size=8, layers=2, heads=3, **options) -> AttentionView:
    generator = torch.Generator().manual_seed(0)
    maps = torch.softmax(3 * torch.randn(layers, heads, size, size, generator=generator, dtype=torch.float64), -1)
    return AttentionView([f"</script>{i}" for i in range(size)], maps, **options)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_exported_page_answers(browser, scheme, tmp_path):
    file = make_view().to_html(tmp_path / "view.html")
    with watched_page(browser, color_scheme=scheme) as page:
        page.goto(file.as_uri())
        view = page.locator(".mb-attention[data-live]")
        paper = view.evaluate("node => getComputedStyle(node).backgroundColor")
        assert paper == ("rgb(255, 255, 255)" if scheme == "light" else "rgb(21, 25, 30)")
        assert not view.locator(".mb-static").is_visible()
        use_attention_view(view)


def test_without_scripts_the_still_picture_stays(browser, tmp_path):
    file = make_view().to_html(tmp_path / "view.html")
    with watched_page(browser, java_script_enabled=False) as page:
        page.goto(file.as_uri())
        image = page.locator(".mb-static img")
        assert image.is_visible() and image.bounding_box()["width"] > 400 and image.bounding_box()["height"] > 150


def test_a_long_text_of_a_deep_model_stays_quick(browser, tmp_path):
    """512 tokens: only what is seen is drawn, and pointing changes a few nodes (no times are measured here)."""
    generator = torch.Generator().manual_seed(0)
    layer = torch.softmax(3 * torch.randn(12, 512, 512, generator=generator), -1)
    file = AttentionView(["token"] * 512, [layer] * 22).to_html(tmp_path / "view.html")
    assert file.stat().st_size < 5_000_000
    with watched_page(browser) as page:
        page.goto(file.as_uri())
        view = page.locator(".mb-attention[data-live]")
        assert view.locator("*").count() < 5_000
        assert view.locator(".mb-links canvas").evaluate("node => node.height") <= 520
        before = picture(view)
        view.locator(".mb-scroll").evaluate("node => { node.scrollTop = 4000; }")
        assert picture(view) != before
        use_attention_view(view)


def test_two_equal_views_live_side_by_side(browser, tmp_path):
    html = make_view()._repr_html_()
    (tmp_path / "two.html").write_text(f"<!DOCTYPE html><body>{html}{html}</body>", encoding="utf-8")
    with watched_page(browser) as page:
        page.goto((tmp_path / "two.html").as_uri())
        first, second = page.locator(".mb-attention[data-live]").nth(0), page.locator(".mb-attention[data-live]").nth(1)
        untouched = picture(second)
        use_attention_view(first)
        assert picture(second) == untouched


def test_the_scatter_answers(browser, tmp_path):
    generator = torch.Generator().manual_seed(0)
    vectors = torch.randn(3, 6, 5, generator=generator)
    texts = [f"text {i} </script>" for i in range(6)]
    view = ScatterView(texts, vectors, ["a", "b"] * 3, control=vectors.flip(0), layer=0)
    file = view.to_html(tmp_path / "view.html")
    with watched_page(browser, reduced_motion="reduce") as page:
        page.goto(file.as_uri())
        view = page.locator(".mb-scatter[data-live]")
        dot, say = view.locator(".mb-dot").nth(3), view.locator(".mb-say")
        place = dot.get_attribute("style")
        dot.click()
        assert texts[3] in say.inner_text() and dot.get_attribute("aria-selected") == "true"
        view.locator("input").press("ArrowRight")
        assert dot.get_attribute("style") != place and "Layer 1" in say.inner_text()
        dot.press("Escape")
        dot.press("ArrowRight")
        assert texts[4] in say.inner_text()


def test_a_block_is_rebuilt_by_its_switches(browser, tmp_path):
    file = BlockView({(): 1.5, ("no biases", "pre-norm"): 0.5}).to_html(tmp_path / "view.html")
    with watched_page(browser) as page:
        page.goto(file.as_uri())
        view = page.locator(".mb-block[data-live]")
        numbers, flow, boxes = view.locator(".mb-numbers"), view.locator(".mb-flow"), view.locator("input")
        assert not view.locator(".mb-static").is_visible()
        assert "109,514,298" in numbers.inner_text() and "1.500" in numbers.inner_text()
        off = view.locator(".mb-off").count()
        boxes.nth(0).check()
        assert "not measured" in numbers.inner_text() and view.locator(".mb-off").count() == off + 1
        boxes.nth(1).check()
        assert "0.500" in numbers.inner_text() and "after the last block: norm" in flow.inner_text()
        view.locator("button", has_text="ModernBERT").click()
        assert all(boxes.nth(number).is_checked() for number in range(7)) and "hide 30 %" in flow.inner_text()
        view.locator("button").first.press("Enter")
        assert not any(boxes.nth(number).is_checked() for number in range(7))


def test_a_message_is_followed_through_languages(browser, tmp_path):
    texts = dict(en=["cat", "two"], fr=["chat", "deux"], ar=["قطة", "اثنان"])
    tokens = {name: [list(text) for text in each] for name, each in texts.items()}
    vectors = {"model": torch.eye(2).repeat(3, 1, 1), "control": torch.eye(2).flip(0).repeat(3, 1, 1)}
    file = LanguageView(texts, tokens, vectors).to_html(tmp_path / "view.html")
    with watched_page(browser) as page:
        page.goto(file.as_uri())
        view = page.locator(".mb-language[data-live]")
        rows, found, said = view.locator(".mb-tongue"), view.locator(".mb-found"), view.locator(".mb-say")
        assert rows.count() == 3 and not view.locator(".mb-static").is_visible()
        assert rows.nth(0).locator(".mb-pieces span").count() == 3 and "English: “cat” 3 tokens" in said.inner_text()
        rows.nth(0).press("ArrowDown")
        assert rows.nth(1).get_attribute("aria-selected") == "true" and "French" in said.inner_text()
        assert found.first.get_attribute("aria-label").startswith("the same message")
        rows.nth(1).press("ArrowRight")
        assert "deux" in said.inner_text() and view.locator("select").first.input_value() == "1"
        found.nth(1).click()
        assert "Arabic" in said.inner_text() and rows.nth(2).get_attribute("aria-selected") == "true"
        view.locator("select").nth(1).select_option("1")
        assert "by control" in view.locator(".mb-near .mb-caption").inner_text()


def test_the_dials_turn(browser, tmp_path):
    file = RotationView(query=12, key=8).to_html(tmp_path / "view.html")
    with watched_page(browser) as page:
        page.goto(file.as_uri())
        view = page.locator(".mb-rotation[data-live]")
        query, key, theta = (view.locator("input[type=range]").nth(number) for number in range(3))
        hand, said = view.locator(".mb-query").first, view.locator(".mb-say")
        before = hand.get_attribute("d")
        assert "Distance 4." in said.inner_text() and not view.locator(".mb-static").is_visible()
        query.press("ArrowRight")
        assert hand.get_attribute("d") != before and "Distance 5." in said.inner_text()
        view.locator("input[type=checkbox]").check()
        score = said.inner_text()
        key.press("ArrowRight")
        assert query.input_value() == "14" and key.input_value() == "9" and said.inner_text() == score
        caption = view.locator(".mb-caption").nth(4).inner_text()
        theta.press("ArrowRight")
        assert view.locator(".mb-caption").nth(4).inner_text() != caption and said.inner_text() != score


def test_the_parameters_follow_the_sliders(browser, tmp_path):
    models = {"small": (2, 64, 1000, 128), "BERT-base": (12, 768, 30_522, 512)}
    file = ParametersView(models, start="BERT-base").to_html(tmp_path / "view.html")
    with watched_page(browser) as page:
        page.goto(file.as_uri())
        view = page.locator(".mb-parameters[data-live]")
        said, layers = view.locator(".mb-say"), view.locator("input[type=range]").first
        assert "109,482,240 parameters" in said.inner_text() and not view.locator(".mb-static").is_visible()
        layers.press("ArrowRight")  # one block more
        assert "116,570,112 parameters" in said.inner_text()
        view.locator("input[type=range]").nth(2).press("ArrowRight")
        assert "116,570,112 parameters" not in said.inner_text()


def test_a_text_can_be_unmasked_step_by_step(browser, tmp_path):
    class Letters:
        mask_id = 26

        def decode(self, ids):
            return "".join(chr(97 + i) for i in ids if i != self.mask_id)

        def id_to_token(self, number):
            return "[MASK]"

    steps = [Step({1: (2, 0.25), 3: (5, 0.75)}, (3,)), Step({1: (4, 0.5)}, (1,))]
    at_once = [Step({1: (2, 0.25), 3: (5, 0.75)}, (1, 3))]
    view = UnmaskView([0, 26, 6, 26, 7], {"confident": steps, "at once": at_once}, Letters())
    file = view.to_html(tmp_path / "view.html")
    with watched_page(browser, color_scheme="dark") as page:
        page.goto(file.as_uri())
        view = page.locator(".mb-unmask[data-live]")
        assert not view.locator(".mb-static").is_visible()
        words = view.locator(".mb-unmask-box b")
        assert words.all_inner_texts() == ["a", "c", "g", "f", "h"]
        view.locator(".mb-unmask-text").press("ArrowRight")
        assert words.all_inner_texts() == ["a", "e", "g", "f", "h"]
        assert 'Next: "e" (50 %)' in view.locator(".mb-say").inner_text()
        view.locator(".mb-unmask-text").press("End")
        assert view.locator(".mb-filled").count() == 2
        view.locator("select").select_option("1")
        assert view.locator(".mb-filled").count() == 0 and view.locator(".mb-next").count() == 2
        view.get_by_text("next", exact=True).click()
        assert "All places are filled" in view.locator(".mb-say").inner_text()


def test_passages_can_be_searched_by_vectors_and_by_words(browser, tmp_path):
    passages = ["The cat sleeps.", "Dogs bark at a dog.", "A canal between two seas.", "Le café est fermé."]
    vectors = torch.tensor([[1.0, 0.1, 0, 0], [0.9, 0.4, 0, 0], [0, 0, 1.0, 0], [0, 0, 0, 1.0]])
    asked = torch.tensor([[0, 0, 0.9, 0.1], [1.0, 0, 0, 0]])
    view = SearchView(passages, list("ABCD"), vectors, ["a waterway", "café"], asked, [2, None])
    with watched_page(browser, color_scheme="dark") as page:
        page.goto(view.to_html(tmp_path / "view.html").as_uri())
        live = page.locator(".mb-search[data-live]")
        assert not live.locator(".mb-static").is_visible()
        by_vector, by_words = (live.locator(f'[data-by="{name}"] .mb-found') for name in ("vectors", "words"))
        said = live.locator(".mb-say")
        shown = [f"{cosine:.2f}" for _, cosine in view.found(0)["words"][: by_words.count()]]
        assert by_words.locator("i").all_inner_texts() == shown
        assert by_vector.first.locator("b").inner_text() == "✓ C"
        ranks = view.ranks(0)
        assert f"rank {ranks['vectors']} by its vector and {ranks['words']} by its words" in said.inner_text()
        live.locator("select").select_option("1")
        assert by_words.first.locator("b").inner_text() == "D" and "nobody has said" in said.inner_text()
        live.locator("input").fill("a dog")
        assert by_words.first.locator("b").inner_text() == "B"
        assert by_vector.all_inner_texts()[1].startswith("0.9") and "has no vector" in said.inner_text()
        live.locator("input").fill("zebra")
        assert "None of the passages has a word" in said.inner_text()
        by_vector.nth(1).press("Enter")
        assert by_vector.first.locator("i").inner_text() == "1.00" and "itself first" in said.inner_text()


def test_the_dots_of_a_schedule_can_be_dragged(browser, tmp_path):
    file = ScheduleView(total=1000, warmup=50, decay=200, branch=400).to_html(tmp_path / "view.html")
    with watched_page(browser) as page:
        page.goto(file.as_uri())
        view = page.locator(".mb-schedule[data-live]")
        said, short = view.locator(".mb-say"), view.locator(".mb-short")
        assert "step 400 and is finished at 600" in said.inner_text()
        before = short.get_attribute("d")
        box = view.locator('[data-grip="branch"]').bounding_box()
        x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
        page.mouse.move(x, y)
        page.mouse.down()
        page.mouse.move(x + 60, y)
        page.mouse.up()
        assert short.get_attribute("d") != before and "step 400" not in said.inner_text()
        sliders = [view.locator("input[type=range]").nth(number) for number in range(3)]
        sliders[1].press("End")  # a decay over the whole run leaves no warm-up and no plateau
        assert [slider.input_value() for slider in sliders] == ["0", "1000", "0"]
        view.locator("select").select_option("cosine")
        assert "0 of 1000 steps at the full rate" in said.inner_text()


def test_the_learning_rate_can_be_chosen(browser, tmp_path):
    runs = {
        rate: [[(0, 0.5), (20, 0.5 + gain)], [(0, 0.5), (20, 0.6 + gain)]]
        for rate, gain in (("1e-5", 0), ("1e-4", 0.2))
    }
    file = TuningView(runs, runs, rate="1e-4").to_html(tmp_path / "view.html")
    with watched_page(browser) as page:
        page.goto(file.as_uri())
        view = page.locator(".mb-tuning[data-live]")
        say = view.locator(".mb-say")
        assert "Learning rate 1e-4, after 20 steps: accuracy 0.70, 0.80" in say.inner_text()
        assert view.locator(".mb-on").count() == 4
        view.locator("input[type=range]").press("ArrowLeft")
        assert "Learning rate 1e-5" in say.inner_text() and "mean 0.55, standard deviation 0.07" in say.inner_text()


def test_the_window_can_be_dragged(browser, tmp_path):
    file = ReachView(window=16, layers=6).to_html(tmp_path / "view.html")
    with watched_page(browser) as page:
        page.goto(file.as_uri())
        view = page.locator(".mb-reach[data-live]")
        say = view.locator(".mb-say")
        assert say.inner_text().startswith("96 tokens to each side") and "8.0 times fewer" in say.inner_text()
        box = view.locator(".mb-track").nth(2).bounding_box()
        middle, token = box["x"] + box["width"] / 2, box["width"] / 257
        page.mouse.move(middle + 16 * token, box["y"] + 9)
        page.mouse.down()
        page.mouse.move(middle + 4 * token, box["y"] + 9)
        page.mouse.up()
        assert say.inner_text().startswith("24 tokens to each side")
        view.locator("input").nth(1).press("ArrowLeft")
        assert say.inner_text().startswith("20 tokens to each side")
        view.locator("select").select_option("3")
        assert say.inner_text().startswith("All 257 tokens") and view.locator(".mb-all").count() == 2


def test_an_answer_lights_up_and_crosses_no_border(browser, tmp_path):
    text, spans = "a cat. a dog.", ((0, 1), (2, 5), (7, 8), (9, 12))
    cut = [Window((2, 3, 7, 8), (0,) * 4, (None, None, *spans[n : n + 2]), (False, False, True, True)) for n in (0, 2)]
    logits = torch.tensor([[[0.0, 0], [0, 0], [9, 0], [1, 2]], [[0, 0], [0, 0], [0, 1], [3, 8]]])
    file = AnswerView([Asked("what?", text, cut, list(logits), (2, 5))]).to_html(tmp_path / "view.html")
    with watched_page(browser) as page:
        page.goto(file.as_uri())
        view = page.locator(".mb-answer[data-live]")
        say, found = view.locator(".mb-say"), view.locator(".mb-answer-found")
        assert found.nth(0).inner_text().split() == ["1", "11.0", "a", "cat"]  # not 17.0, "a cat. a dog"
        assert view.locator(".mb-answer-cut").count() == 1 and "right is “cat”" in say.inner_text()
        found.nth(0).press("ArrowDown")
        assert view.locator(".mb-lit").all_inner_texts() == ["dog"] and "3.0 for the start + 8.0" in say.inner_text()


CUT = """([source, data, texts]) => new Function("data", "texts",
  source + "; const tok = openTokenizer(data); return texts.map((text) => encode(tok, text).tokens);")(data, texts)"""
TOKENIZERS = {
    "WordPiece": samples.wordpiece,
    "WordPiece, cased": lambda: samples.wordpiece(lowercase=False),
    "GPT-2's pattern": samples.byte_level,
    "Llama-3's pattern": lambda: samples.byte_level(pattern="llama3"),
    **{
        name: lambda name=name: load_tokenizer(shipped(name))
        for name in ("bert-nano", "modernbert-nano", "eurobert-nano")
    },
}


@pytest.mark.parametrize("name", TOKENIZERS)
def test_the_script_cuts_texts_as_the_package_does(browser, name):
    """tokenizer.js against minibert.tokenization: ids, tokens and places, on the texts of the tokenizer tests."""
    tok = TOKENIZERS[name]()
    script = (HERE / "tokenizer.js").read_text(encoding="utf-8")
    with watched_page(browser) as page:
        found = page.evaluate(CUT, [script, tokenizer_data(tok), samples.MULTILINGUAL])
    for text, tokens in zip(samples.MULTILINGUAL, found, strict=True):
        expected = tok.encode(text)
        assert [token["id"] for token in tokens] == expected.ids, text
        assert [token["token"] for token in tokens] == expected.tokens, text
        assert [(token["start"], token["stop"]) for token in tokens] == expected.offsets, text


def test_a_typed_text_is_cut_and_its_steps_are_shown(browser, tmp_path):
    tokenizers = {name: load_tokenizer(shipped(name)) for name in ("bert-nano", "modernbert-nano")}
    file = TokenizerView(tokenizers, "The bank").to_html(tmp_path / "view.html")
    assert file.stat().st_size < 1_000_000
    with watched_page(browser) as page:
        page.goto(file.as_uri())
        view = page.locator(".mb-tokenizer_view[data-live]")
        field, say, boxes = view.locator("textarea"), view.locator(".mb-say"), view.locator(".mb-box")
        assert boxes.locator("b").all_inner_texts() == ["[CLS]", "the", "bank", "[SEP]"]
        field.fill("Respectfully 🎉")
        expected = tokenizers["bert-nano"].encode("Respectfully 🎉")
        assert boxes.locator("i").all_inner_texts() == [str(number) for number in expected.ids]
        assert "1 unknown" in say.inner_text()
        view.locator("select").select_option("1")
        expected = tokenizers["modernbert-nano"].encode("Respectfully 🎉")
        assert boxes.locator("i").all_inner_texts() == [str(number) for number in expected.ids]
        assert "0 unknown" in say.inner_text()
        boxes.nth(1).press("ArrowRight")
        assert boxes.nth(2).get_attribute("aria-selected") == "true"
        boxes.nth(1).click()
        steps = view.locator(".mb-list li")
        count = steps.count()
        assert count > 3 and steps.first.inner_text().startswith("the bytes")
        view.get_by_role("button", name="start").click()
        assert steps.count() == 1
        view.get_by_role("button", name="next").click()
        assert steps.count() == 2 and "merge" in steps.nth(1).inner_text()
        field.fill("")
        assert boxes.count() == 2 and "0 words" in say.inner_text()


def test_fewer_bits_and_one_scale_lose_more(browser, tmp_path):
    weight = torch.tensor([[0.01, -0.02, 0.015], [1.0, -0.5, 0.25]])
    file = BitsView(weight, bits=8).to_html(tmp_path / "view.html")
    with watched_page(browser) as page:
        page.goto(file.as_uri())
        view = page.locator(".mb-bits[data-live]")
        say = view.locator(".mb-say")
        assert say.inner_text().startswith("8 bits: 255 whole numbers") and "10 bytes" in say.inner_text()
        view.locator("input").press("Home")
        assert say.inner_text().startswith("2 bits: 3 whole numbers") and "5 of 6 weights became 0" in say.inner_text()
        assert view.locator(".mb-levels i").count() == 2 * 3
        view.locator("select").select_option("own")
        assert "with their 2 scales" in say.inner_text() and "became 0" in say.inner_text()


RANDOM_TEXTS = ("The president spoke of war and peace.", "x", "café 42 naïve -- 'tis!", "a " * 200)
KINDS = {
    "bert-nano": None,
    "modernbert-nano": None,
    "eurobert-nano": None,
    "RoBERTa's positions, ReLU": dict(preset="bert-nano", position_offset=2, act="relu", nsp=False),
    "NomicBERT's block": dict(preset="bert-nano", position="rope", rope_theta=1000.0, mlp="glu", act="silu", nsp=False),
    "a window of 4": dict(preset="modernbert-nano", local_window=4, tie=False),
}


def explained(name: str):
    """An Explainer, and the model whose weights are those that the page stores."""
    tok = load_tokenizer(shipped(name if name in SHIPPED else "bert-nano"))
    if (change := KINDS[name]) is None:
        model = MaskedLanguageModel.from_pretrained(shipped(name))
    else:
        change = dict(change)
        config = EncoderConfig.preset(change.pop("preset")).replace(
            **change, hidden=32, heads=4, kv_heads=None, intermediate=48, layers=3, vocab_size=tok.vocab_size,
            mask_id=tok.mask_id, pad_id=0, cls_id=tok.cls_id, sep_id=tok.sep_id, init_std=0.1,
        )  # fmt: skip
        model = MaskedLanguageModel(config, generator=torch.Generator().manual_seed(0))
    view = Explainer(model, tok, name=name)
    weights = {key.removeprefix("encoder."): tensor for key, tensor in model.state_dict().items()}
    stored = {key: unpacked(view.weights.get(key, view.weights["embeddings.token.weight"])) for key in weights}
    model.load_state_dict({key: stored[key.removeprefix("encoder.")] for key in model.state_dict()})
    return view, model.eval(), tok


@pytest.mark.parametrize("name", KINDS)
def test_the_model_in_the_page_computes_what_the_package_computes(browser, name, tmp_path):
    view, model, tok = explained(name)
    file = view.to_html(tmp_path / "page.html")
    assert file.stat().st_size < 6_000_000
    with watched_page(browser) as page:
        page.goto(file.as_uri())
        root = page.locator(".mb-explain[data-live]")
        for text in (*RANDOM_TEXTS, *samples.MULTILINGUAL[:2]):
            ids = root.evaluate("(node, text) => node.model.tokens(text).map((token) => token.id)", text)
            assert ids == tok.encode(text).ids, text
            ids = ids[:128]
            with torch.inference_mode():
                expected = model(torch.tensor([ids])).logits[0]
            for place in {0, len(ids) // 2, len(ids) - 1}:
                found = root.evaluate("(node, [ids, place]) => [...node.model.logits(ids, place)]", [ids, place])
                gap = (torch.tensor(found) - expected[place]).abs().max() / expected[place].abs().max()
                assert gap < 1e-4, (text, place, gap)


def test_typing_masking_and_comparing_on_the_page(browser, tmp_path):
    view, model, tok = explained("bert-nano")
    file = view.to_html(tmp_path / "page.html")
    with watched_page(browser, color_scheme="dark") as page:
        page.goto(file.as_uri())
        root = page.locator(".mb-explain[data-live]")
        area, rows = root.locator("textarea").first, root.locator(".mb-explain-tokens")
        area.fill("we must keep the peace")
        expected = tok.encode("we must keep the peace")
        pieces = rows.first.locator("button")
        page.wait_for_function(
            "n => document.querySelector('.mb-explain-tokens').children.length === n", arg=len(expected.ids)
        )
        assert pieces.locator("small").all_inner_texts() == [str(number) for number in expected.ids]
        assert "Nothing is masked" in root.inner_text()
        pieces.nth(2).focus()
        pieces.nth(2).press("Enter")
        ids = [*expected.ids[:2], tok.mask_id, *expected.ids[3:]]
        with torch.inference_mode():
            best = model(torch.tensor([ids])).logits[0, 2].argsort(descending=True).tolist()
        best = [tok.id_to_token(number) for number in best if number not in tok.special_ids][:10]
        assert root.locator(".mb-guesses b").all_inner_texts() == best
        assert pieces.nth(2).get_attribute("aria-pressed") == "true"
        pieces.nth(2).press("Enter")
        assert "Nothing is masked" in root.inner_text()
        view = root.locator(".mb-attention[data-live]")
        view.locator("select").nth(0).select_option("3")
        assert view.locator(".mb-token").count() == 2 * len(expected.ids)
        area.fill("we keep the peace")
        page.wait_for_function(
            "n => document.querySelector('.mb-explain-tokens').children.length === n", arg=len(expected.ids) - 1
        )
        assert root.locator(".mb-attention[data-live] select").nth(0).input_value() == "3"
        assert "attention weight" in root.inner_text() and "layer 4" in root.inner_text()
        area.fill("a " * 300)
        page.wait_for_function("() => document.querySelector('.mb-explain-tokens').children.length === 128")
        assert "cut to 128 tokens" in root.inner_text()
        page.set_viewport_size(dict(width=390, height=800))
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        page.screenshot(path=ARTIFACTS / "explain_phone.png")


def test_a_model_that_is_too_large_or_read_otherwise_is_refused():
    tok = load_tokenizer(shipped("bert-nano"))
    large = EncoderConfig.preset("bert-nano").replace(hidden=768, heads=12, intermediate=3072)
    with pytest.raises(ValueError, match="take a smaller model"):
        Explainer(MaskedLanguageModel(large), tok)
    with pytest.raises(ValueError, match="without rust=True"):
        Explainer(
            MaskedLanguageModel(EncoderConfig.preset("bert-nano")), load_tokenizer(shipped("bert-nano"), rust=True)
        )


@pytest.fixture  # for each notebook anew: JupyterLab remembers open tabs and the theme
def lab(tmp_path_factory):
    """A JupyterLab of its own on a free port of this machine, with copies of the notebooks and settings of nobody."""
    home = tmp_path_factory.mktemp("lab")
    (home / "notebooks").mkdir()
    for chapter in (*CHAPTERS, CLAIMED):
        if (ROOT / "notebooks" / f"{chapter}.ipynb").is_file():
            shutil.copy(ROOT / "notebooks" / f"{chapter}.ipynb", home / "notebooks")
    shutil.copy(ROOT / "notebooks" / "claims.md", home / "notebooks")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    folders = {f"JUPYTER_{name}_DIR": str(home / name.lower()) for name in ("CONFIG", "RUNTIME", "DATA")}
    folders |= {f"JUPYTERLAB_{name}_DIR": str(home / name.lower()) for name in ("SETTINGS", "WORKSPACES")}
    settings = home / "settings" / "@jupyterlab" / "apputils-extension"
    settings.mkdir(parents=True)
    (settings / "notification.jupyterlab-settings").write_text(
        json.dumps(dict(fetchNews="false", checkForUpdates=False)), encoding="utf-8"
    )
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", "--ServerApp.ip=127.0.0.1"]
    command += [f"--ServerApp.port={port}", "--ServerApp.port_retries=0", f"--IdentityProvider.token={TOKEN}"]
    command += [f"--ServerApp.root_dir={home / 'notebooks'}", "--LabApp.expose_app_in_browser=True"]
    command += ["--LabApp.extension_manager=readonly"]
    log = (home / "lab.log").open("w", encoding="utf-8")
    server = subprocess.Popen(command, env=os.environ | folders, stdout=log, stderr=subprocess.STDOUT)
    try:
        for _ in range(240):
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/api/status?token={TOKEN}", timeout=5).close()
                break
            except OSError:
                assert server.poll() is None, (home / "lab.log").read_text(encoding="utf-8")
                time.sleep(0.25)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        try:
            server.wait(15)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()
        log.close()


READY = """() => {
  const panel = window.jupyterapp?.shell.currentWidget, session = panel?.sessionContext?.session;
  return Boolean(panel?.context?.isReady && panel.sessionContext.isReady && session?.kernel?.status === 'idle');
}"""
STATE = """() => {
  const cells = window.jupyterapp.shell.currentWidget.content.widgets.filter(cell => cell.model.type === 'code');
  const outputs = cells.flatMap(cell => cell.model.outputs.toJSON());
  return { total: cells.length, run: cells.filter(cell => cell.model.executionCount !== null).length,
    errors: outputs.filter(output => output.output_type === 'error').map(output => output.evalue) };
}"""

RUN_ABOVE = """(place) => {
  window.jupyterapp.shell.currentWidget.content.activeCellIndex = place;
  return window.jupyterapp.commands.execute('notebook:run-all-above');
}"""

SCROLL = """() => {
  const notebook = window.jupyterapp.shell.currentWidget.content;
  const place = notebook.widgets.findIndex(cell => cell.model.type === 'code' &&
    cell.model.outputs.toJSON().some(output => JSON.stringify(output.data || '').includes('mb-attention')));
  if (place < 0) throw new Error('no cell shows an AttentionView');
  notebook.activeCellIndex = place;
  return notebook.scrollToItem(place, 'start');
}"""


def scroll_until_there(page, view, tries: int = 10):
    """JupyterLab draws only the cells in sight, and a long notebook still grows after it has run: scroll again."""
    from playwright.sync_api import TimeoutError

    for _ in range(tries):
        page.evaluate(SCROLL)
        try:
            view.wait_for(state="attached", timeout=3_000)
            return view.scroll_into_view_if_needed(timeout=3_000)
        except TimeoutError:
            continue
    raise AssertionError(f"no live AttentionView came into sight in {tries} tries")


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_a_notebook_runs_and_answers_in_jupyterlab(browser, lab, chapter):
    if not (ROOT / "notebooks" / f"{chapter}.ipynb").is_file():
        pytest.skip(f"there is no notebooks/{chapter}.ipynb")
    if not (is_cached("minilm") and is_cached("sotu")):
        pytest.skip("needs the real data: python -m minibert data fetch")
    ARTIFACTS.mkdir(exist_ok=True)
    cells = json.loads((ROOT / "notebooks" / f"{chapter}.ipynb").read_text(encoding="utf-8"))["cells"]
    place = 1 + next(i for i, cell in enumerate(cells) if "mb-attention" in json.dumps(cell.get("outputs", [])))
    asked = sum(cell["cell_type"] == "code" for cell in cells[:place])
    with watched_page(browser) as page:
        page.goto(f"{lab}/lab/tree/{chapter}.ipynb?token={TOKEN}")
        page.wait_for_function(READY, timeout=60_000)
        page.evaluate("() => window.jupyterapp.commands.execute('notebook:clear-all-cell-outputs')")
        assert page.evaluate(STATE)["run"] == 0
        if chapter == CHAPTERS[0]:
            page.evaluate("() => window.jupyterapp.commands.execute('notebook:run-all-cells')")
        else:  # up to the first view; that all cells run is nbval's to show
            page.evaluate(RUN_ABOVE, place)
        state = page.evaluate(STATE)
        assert state["errors"] == [] and state["run"] == (state["total"] if chapter == CHAPTERS[0] else asked) > 0
        view = page.locator(".mb-attention[data-live]").first
        scroll_until_there(page, view)
        use_attention_view(view)
        page.screenshot(path=ARTIFACTS / f"{chapter}.png")
        paper = view.evaluate("node => getComputedStyle(node).backgroundColor")
        page.evaluate("() => window.jupyterapp.commands.execute('apputils:change-theme', {theme: 'JupyterLab Dark'})")
        page.wait_for_function("() => document.body.dataset.jpThemeLight === 'false'")
        assert view.evaluate("node => getComputedStyle(node).backgroundColor") != paper
        page.screenshot(path=ARTIFACTS / f"{chapter}_dark.png")
        page.evaluate("() => window.jupyterapp.shell.currentWidget.sessionContext.shutdown()")


OPENED = """(id) => {
  const notebook = window.jupyterapp.shell.currentWidget?.content;
  const cell = notebook?.widgets?.find(cell => cell.model.sharedModel?.getId() === id || cell.model.id === id);
  if (!cell?.inViewport) return false;
  const box = cell.node.getBoundingClientRect();
  return box.height > 0 && box.top < window.innerHeight && box.bottom > 0;
}"""


def test_a_claim_opens_its_cell_in_jupyterlab(browser, lab):
    """From the start page to the page of claims, and from a claim to the cell that shows it."""
    with watched_page(browser) as page:
        page.goto(f"{lab}/lab/tree/00_start_here.ipynb?token={TOKEN}")
        page.wait_for_function(READY, timeout=60_000)
        places = page.evaluate("() => window.jupyterapp.shell.currentWidget.content.widgets.length")
        page.evaluate("n => window.jupyterapp.shell.currentWidget.content.scrollToItem(n - 1)", places)
        page.locator(".jp-Notebook a[href*='claims.md']").first.click()
        link = page.locator(f".jp-MarkdownViewer a[href*='{CLAIMED}.ipynb']").first
        cell = link.get_attribute("href").partition("cell-id=")[2]
        link.click()
        page.wait_for_function(OPENED, arg=cell, timeout=60_000)
        page.screenshot(path=ARTIFACTS / "claim.png")
