"""The site: built once, all links and anchors of all pages followed, then used in a browser as files, offline."""

import html
import json
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from tests.test_browser import browser, use_attention_view, watched_page  # noqa: F401

ROOT = Path(__file__).parent.parent
CHAPTERS = sorted(path.stem for path in (ROOT / "notebooks").glob("*.ipynb"))
LOADED = {
    "script": "src",
    "img": "src",
    "link": "href",
    "iframe": "src",
    "source": "src",
    "video": "src",
    "object": "data",
}
IN_CSS = re.compile(r"""(?:@import\s+|url\(\s*)["']?(?!data:|#)([^"')\s;]+)""")


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("made") / "site"
    command = [sys.executable, "-m", "minibert.site.build", "--out", str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=540)
    assert done.returncode == 0, done.stderr[-4000:]
    assert [path.name for path in folder.parent.iterdir()] == ["site"]  # no leftovers beside it
    return folder


class Page(HTMLParser):
    """What a page points to, what it loads, and which places in it can be pointed to."""

    def __init__(self, path: Path):
        super().__init__()
        self.links, self.loaded, self.ids, self.text, self.within = [], [], set(), [], ""
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attributes):
        self.within, found = tag, dict(attributes)
        self.ids |= {found[key] for key in ("id", "name") if found.get(key)}
        if tag == "a" and found.get("href"):
            self.links.append(found["href"])
        if LOADED.get(tag) in found and found.get("rel") not in ("next", "prev", "index", "search", "canonical"):
            self.loaded.append(found[LOADED[tag]])
        self.loaded += IN_CSS.findall(found.get("style") or "")

    def handle_data(self, data):
        if self.within == "style":
            self.loaded += IN_CSS.findall(data)
        elif self.within != "script":
            self.text.append(data)

    def handle_endtag(self, tag):
        self.within = ""


def faults(folder: Path) -> list[str]:
    """Links of the pages in `folder` that lead nowhere, and what they would load from elsewhere or do not find."""
    pages = {path: Page(path) for path in folder.rglob("*.html")}
    wrong = []
    for path, page in pages.items():
        name = path.relative_to(folder).as_posix()
        for link in page.loaded:
            if link.startswith("data:"):
                continue
            if urlsplit(link).scheme or link.startswith("//"):
                wrong.append(f"{name} loads {link}")
            elif not (path.parent / unquote(urlsplit(link).path)).is_file():
                wrong.append(f"{name} lacks {link}")
        for link in page.links:
            parts = urlsplit(link)
            if parts.scheme or link.startswith("//"):
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            if not target.is_file() or not target.is_relative_to(folder.resolve()):
                wrong.append(f"{name}: no page {link}")
            elif parts.fragment and target.suffix == ".html" and unquote(parts.fragment) not in pages[target].ids:
                wrong.append(f"{name}: no place {link}")
    for path in folder.rglob("*.css"):
        for link in IN_CSS.findall(path.read_text(encoding="utf-8")):
            if urlsplit(link).scheme or not (path.parent / urlsplit(link).path).is_file():
                wrong.append(f"{path.relative_to(folder).as_posix()} loads {link}")
    return wrong


def test_every_link_leads_somewhere_and_nothing_is_loaded_from_elsewhere(site):
    wrong = faults(site)
    assert not wrong, f"{len(wrong)} faults:\n" + "\n".join(wrong[:50])


@pytest.mark.parametrize(
    "body, found",
    [
        ('<a href="gone.html">x</a>', "index.html: no page gone.html"),
        ('<a href="#gone">x</a>', "index.html: no place #gone"),
        ('<a href="../outside.html">x</a>', "index.html: no page ../outside.html"),
        ('<script src="https://cdn.example.com/x.js"></script>', "index.html loads https://cdn.example.com/x.js"),
        ('<link rel="stylesheet" href="//example.com/x.css">', "index.html loads //example.com/x.css"),
        ("<style>@import 'http://example.com/f.css';</style>", "index.html loads http://example.com/f.css"),
        ('<p style="background: url(http://example.com/a.png)">', "index.html loads http://example.com/a.png"),
        ('<img src="gone.png">', "index.html lacks gone.png"),
        ('<a id="here" href="#here">x</a> <a href="https://example.com">y</a>', None),
    ],
)
def test_planted_faults_are_found(tmp_path, body, found):
    folder = tmp_path / "site"
    folder.mkdir()
    (tmp_path / "outside.html").write_text("", encoding="utf-8")
    (folder / "index.html").write_text(body, encoding="utf-8")
    assert faults(folder) == ([found] if found else [])


PLANTED = """
from pathlib import Path
from minibert.site import build
def prepare(source):
    (source / "_static").mkdir(parents=True)
    (source / "index.md").write_text("# A\\n\\n[a](gone.md) [b](#nowhere) $\\\\nonsense$", encoding="utf-8")
build.prepare = prepare
build.SETTINGS.update(html_css_files=[], html_js_files=[])
build.build(Path("site"))
"""


def test_a_dead_link_or_a_broken_formula_stops_the_build(tmp_path):
    done = subprocess.run([sys.executable, "-c", PLANTED], cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert done.returncode == 1 and "the site has faults" in done.stderr
    for name in ("index.md:3", "gone.md", "nowhere", "nonsense"):
        assert name in done.stderr, done.stderr
    assert list(tmp_path.iterdir()) == []  # nothing half made


def test_the_course_is_there_in_order(site):
    """From the front page by `next`: every chapter, each followed by its exercises."""
    order, path = [], site / "index.html"
    while (found := re.search(r'<link rel="next" [^>]*href="([^"]+)"', path.read_text(encoding="utf-8"))) and len(
        order
    ) < 200:
        path = (path.parent / found[1]).resolve()
        order.append(path.relative_to(site.resolve()).with_suffix("").as_posix())
    wanted = []
    for chapter in CHAPTERS:
        wanted.append(f"notebooks/{chapter}")
        if (ROOT / "exercises" / chapter).is_dir():
            wanted.append(f"exercises/{chapter}/{chapter}")
    assert order[: len(wanted)] == wanted
    for name in ("notebooks/glossary", "notebooks/claims", "explain/modernbert-nano", "README", "api/minibert"):
        assert name in order
    assert (site / "api" / "minibert.one_page.html").is_file()


def test_no_solution_is_in_it(site):
    assert not [path for path in site.rglob("*") if "solution" in path.name.lower()]
    bodies = {}
    for path in (ROOT / "solutions").glob("*/*.ipynb"):
        for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
            inside = re.findall(r"### BEGIN SOLUTION\n(.*?)\n *### END SOLUTION", "".join(cell["source"]), re.DOTALL)
            bodies.setdefault(path.stem, []).extend(body for body in inside if body.count("\n") > 1)
    assert sum(map(len, bodies.values())) > 20
    for chapter, answers in bodies.items():
        page = "".join(Page(site / "exercises" / chapter / f"{chapter}.html").text)
        assert "raise NotImplementedError" in page and "SOLUTION" not in page
        assert not [answer for answer in answers if answer in page], chapter


def test_formulas_pictures_and_names_became_what_they_should(site):
    page = (site / "notebooks" / "05_attention.html").read_text(encoding="utf-8")
    assert page.count("<math") > 20 and "mathjax" not in page.lower()
    assert not re.findall(r"<img(?![^>]*\balt=\"[^\"]{20})[^>]*_images[^>]*>", page)  # figures are described
    exercises = (site / "exercises" / "05_attention" / "05_attention.html").read_text(encoding="utf-8")
    assert 'href="../../notebooks/05_attention.html"' in exercises  # was only named there
    source = html.unescape((site / "api" / "minibert.model.attention.html").read_text(encoding="utf-8"))
    assert "Multi-head self-attention" in source and 'href="minibert.model.html"' in source


def test_every_live_view_of_the_chapters_lives(browser, site):  # noqa: F811
    views = 0
    with watched_page(browser, offline=True) as page:
        for path in sorted(site.glob("notebooks/*.html")):
            if 'class="mb-view' in path.read_text(encoding="utf-8"):
                page.goto(path.as_uri())
                found = page.locator(".mb-view").count()
                assert page.locator(".mb-view[data-live]").count() == found, path.name
                views += found
    assert views >= 15


def test_the_site_is_used_without_a_network(browser, site):  # noqa: F811
    with watched_page(browser, offline=True) as page:
        page.goto((site / "index.html").as_uri())
        page.locator("input.sidebar-search").first.fill("anisotropy")
        page.locator("input.sidebar-search").first.press("Enter")
        page.locator("#search-results li a", has_text="Glossary").first.click()
        assert "/notebooks/glossary.html" in page.url
        page.goto((site / "index.html").as_uri())
        for title in ("Start here", "1. Word vectors", "1. Word vectors: exercises", "2. ELMo"):
            page.locator("a.next-page").click()
            assert page.locator("h1").inner_text().startswith(title)
        page.locator("a.prev-page").click()
        assert "/exercises/01_word_vectors/" in page.url

        page.goto((site / "notebooks" / "05_attention.html").as_uri())
        view = page.locator(".mb-attention[data-live]").first
        use_attention_view(view)
        colours = set()
        for _ in range(3):  # auto, light and dark in turn
            page.locator("button.theme-toggle >> visible=true").first.click()
            colours.add(view.evaluate("node => getComputedStyle(node).backgroundColor"))
        assert len(colours) == 2

        page.goto((site / "explain" / "modernbert-nano.html").as_uri())
        area = page.locator(".mb-explain[data-live] textarea").first
        area.fill("We the [MASK] of the United States")
        page.wait_for_function("() => document.querySelector('.mb-guesses b')?.textContent.includes('people')")

        page.set_viewport_size(dict(width=390, height=800))
        for name in (
            "index",
            "README",
            "notebooks/04_inputs",
            "notebooks/claims",
            "exercises/06_bert/06_bert",
            "api/minibert",
        ):
            page.goto((site / f"{name}.html").as_uri())
            assert page.evaluate("document.documentElement.scrollWidth") <= 390, name
