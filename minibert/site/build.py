"""Build the site: `python -m minibert.site.build` (or `make site`).

    notebooks/, exercises/, README.md, ...   copied to a folder of sources, in the same places: links stay true
    minibert/                                a page for each file, made from its docstrings
    build/site/index.html                    what Sphinx makes of both

MyST-NB shows the notebooks with the outputs that they store; nothing is run. Formulas become MathML, the search index
is a script, and each shipped nano runs on a page of its own. Solutions are never copied. Needs the extra `site`.
"""

import io
import json
import os
import re
import shutil
import tempfile
from collections.abc import Collection, Iterator
from pathlib import Path

import click

from minibert.files import write_text
from minibert.places import IS_CLONE, PROJECT
from minibert.shipped_models import SHIPPED, shipped
from minibert.site.reference import write_reference

HERE = Path(__file__).resolve().parent
PAGES = ("notebooks/*.md", "README.md", "data/README.md", "data/speedrun/README.md")  # besides the notebooks
FIRST = ("glossary", "claims")  # in the menu, before the other pages of notebooks/

LINK = re.compile(r"\]\(([\w./-]+)\)")
LINK_TO_CELL = re.compile(r"\]\([\w./]*#cell-id=([\w-]+)\)")  # as JupyterLab wants it
LINK_TO_FILE = re.compile(r"\]\((?:\.\./)*(minibert/[\w/]+\.py)\)")
ROW = re.compile(r"^\| (\d\d) (\w+) \|", re.MULTILINE)  # of the table in README.md
NAMED = re.compile(r"(?<![`\[])`((?:notebooks|exercises|minibert)/[\w/]+(?:\.\w+)?)`(?!`)")

SETTINGS = dict(
    project="minibert",
    html_title="minibert",
    extensions=["myst_nb", "minibert.site.build"],
    html_theme="furo",
    html_static_path=["_static"],
    html_css_files=["site.css"],
    html_js_files=["site.js"],
    html_math_renderer="mathml",
    html_show_search_summary=False,  # it would fetch pages, which browsers refuse among files
    html_copy_source=False,
    html_use_index=False,
    html_show_copyright=False,
    nb_execution_mode="off",
    nb_merge_streams=True,
    nb_render_markdown_format="myst",
    myst_enable_extensions=["dollarmath"],
    myst_heading_anchors=4,
    myst_update_mathjax=False,
    highlight_language="none",
    smartquotes=False,  # the outputs' quotation marks are Python's
    suppress_warnings=["myst.header"],  # the glossary's terms are headings of the third level
)
EXPLAINED = """# An encoder on a page: {name}

Type a text: the pieces, their ids, the guesses for a masked word, and the attention of every layer and head follow.
The weights are in this page and nothing leaves it. It computes what [one_page.py](../api/minibert.one_page.md) does, in
JavaScript. `python -m minibert explain --model FOLDER --out page.html` makes such a page of any small model.

```{{raw}} html
:file: {name}.txt
```
"""
INDEX = """# minibert

{intro}

- **[Start here](notebooks/00_start_here.ipynb)**, then nineteen chapters in the menu's order, each with its exercises.
- **[An encoder on a page](explain/modernbert-nano.md)**: type a text, mask a word, look into every layer.
- [The glossary](notebooks/glossary.md) explains the words; [the claims](notebooks/claims.md) are what people say about
  these models, with a verdict on each.
- [A model for your own language](notebooks/own_language.md); [teaching with this course](notebooks/teaching.md).
- [The package, file by file](api/minibert.md).

These pages show what the notebooks gave when they were last run. To run and change them, and to have your answers
checked, set the course up on your computer: [two commands](README.md) do it.

```{{toctree}}
:caption: The course
:hidden:
{chapters}
```

```{{toctree}}
:caption: Beside it
:hidden:
{others}
```

```{{toctree}}
:caption: Encoders on a page
:hidden:
{explained}
```

```{{toctree}}
:caption: The package
:hidden:
Set-up and commands <README>
File by file <api/minibert>
data/README
data/speedrun/README
```
"""


def build(out: Path) -> int:
    """Write the site to the folder `out`, in place of an older one; returns the number of pages.

    Raises:
        ValueError: `out` holds something else, this is no clone of the project, or Sphinx does not understand a page or
            finds a dead link in it.

    >>> build(HERE)
    Traceback (most recent call last):
    ...
    ValueError: the folder site holds something else than a site: name another one
    """
    if out.exists() and not (out / "searchindex.js").is_file():
        raise ValueError(f"the folder {out.name} holds something else than a site: name another one")
    if not IS_CLONE:
        raise ValueError("the site is made in a clone of the project, which has all of its pages: make site")
    from sphinx.application import Sphinx

    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=".site-") as folder:
        source, new, said = Path(folder, "source"), Path(folder, "site"), io.StringIO()
        prepare(source)
        Sphinx(source, None, new, Path(folder, "trees"), "html", SETTINGS, status=None, warning=said).build()
        if said.getvalue():
            faults = re.sub(r"\x1b\[[\d;]*m", "", said.getvalue()).replace(f"{source}{os.sep}", "")
            raise ValueError(f"the site has faults:\n{faults}")
        shutil.rmtree(out, ignore_errors=True)
        new.rename(out)
    return len(list(out.rglob("*.html")))


def setup(app) -> dict:
    """What Sphinx calls: formulas are written as MathML."""
    app.add_html_math_renderer("mathml", (_inline_formula, None), (_block_formula, None))
    return dict(version="1", parallel_read_safe=True, parallel_write_safe=True)


def _inline_formula(writer, node):
    _write_formula(writer, node, "{}", block=False)


def _block_formula(writer, node):
    _write_formula(writer, node, '<div class="formula">{}</div>\n', block=True)


def _write_formula(writer, node, frame: str, block: bool):
    from docutils.nodes import SkipNode
    from sphinx.util.logging import getLogger

    try:
        writer.body.append(frame.format(mathml(node.astext(), block)))
    except ValueError as error:
        getLogger(__name__).warning(str(error), location=node)
    raise SkipNode


def mathml(latex: str, block: bool = False) -> str:
    """A formula as MathML, which browsers draw by themselves.

    Raises:
        ValueError: a formula with a command that the converter does not know.

    >>> mathml("x_i")
    '<math><msub><mi>x</mi><mi>i</mi></msub></math>'
    """
    from math_core import LatexError, LatexToMathML

    try:
        return LatexToMathML().convert_with_local_state(latex, displaystyle=block)
    except LatexError:
        raise ValueError(f"the formula {latex!r} cannot be read: expected LaTeX that math-core knows") from None


def prepare(source: Path) -> None:
    """Write the sources of all pages to the folder `source`."""
    # a learner's copies and trials in these folders are left out
    chapters = [path for path in sorted(PROJECT.glob("notebooks/*.ipynb")) if re.fullmatch(r"\d\d_\w+", path.stem)]
    exercises = [PROJECT / "exercises" / path.stem / path.name for path in chapters]
    exercises = [path for path in exercises if path.is_file()]
    others = [path for pattern in PAGES for path in sorted(PROJECT.glob(pattern))]
    pages = {path.relative_to(PROJECT): path.read_text(encoding="utf-8") for path in (*chapters, *exercises, *others)}
    cells = {cell for text in pages.values() for cell in LINK_TO_CELL.findall(text)}
    modules = set(write_reference(source / "api"))
    for path, text in pages.items():
        if path.suffix == ".md":
            page = relinked(text, modules)
        else:
            has_exercises = Path("exercises", path.stem, path.name) in pages and path.parent.name == "notebooks"
            page = notebook_page(text, modules, cells, path.stem if has_exercises else None)
        (source / path).parent.mkdir(parents=True, exist_ok=True)
        write_text(source / path, page)
        for file in linked_files(path, page, pages):
            (source / file).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(PROJECT / file, source / file)
    (source / "_static").mkdir()
    for file in ("site.css", "site.js"):
        shutil.copyfile(HERE / file, source / "_static" / file)
    intro = pages[Path("README.md")].split("\n\n", 1)[1].partition("\n## ")[0].strip()
    beside = [path.stem for path in others if path.parent.name == "notebooks" and path.stem not in FIRST]
    index = INDEX.format(
        intro=relinked(intro, modules),
        chapters="\n".join(f"notebooks/{path.stem}" for path in chapters),
        others="\n".join(f"notebooks/{name}" for name in (*FIRST, *beside)),
        explained="\n".join(f"{name} <explain/{name}>" for name in write_explained(source / "explain")),
    )
    write_text(source / "index.md", index)


def linked_files(path: Path, text: str, pages: Collection[Path]) -> list[Path]:
    """The project's files that the page `path` links to and that are no `pages`; never solutions.

    >>> files = linked_files(Path("notebooks/a.md"), "[a](../LICENSE) [b](../README.md) [c](x)", [Path("README.md")])
    >>> [file.as_posix() for file in files]
    ['LICENSE']
    """
    found = [Path(os.path.normpath(path.parent / link)) for link in LINK.findall(text)]
    known = [file for file in found if file.parts[0] not in ("..", "solutions") and (PROJECT / file).is_file()]
    return [file for file in known if file not in pages]


def relinked(text: str, modules: set[str]) -> str:
    """Markdown whose links to cells and to files of the package lead to pages of the site; names of files do, too.

    >>> relinked("[a](05_attention.ipynb#cell-id=at-7) [b](../minibert/files.py)", {"minibert.files"})
    '[a](#cell-at-7) [b](/api/minibert.files.md)'
    >>> relinked("see `exercises/05_attention/` and `minibert/unknown.py`", set())
    'see [`exercises/05_attention/`](/exercises/05_attention/05_attention.ipynb) and `minibert/unknown.py`'
    """

    def page_of(name: str) -> str | None:
        parts = name.removesuffix(".py").strip("/").split("/")
        if parts[0] == "minibert":
            return f"/api/{'.'.join(parts)}.md" if ".".join(parts) in modules else None
        if parts[0] == "exercises" and len(parts) == 2:
            parts.append(f"{parts[1]}.ipynb")
        return "/" + "/".join(parts) if (PROJECT / "/".join(parts)).is_file() else None

    def link(found: re.Match) -> str:
        return f"[{found[0]}]({page})" if (page := page_of(found[1])) else found[0]

    text = LINK_TO_CELL.sub(r"](#cell-\1)", text)
    text = LINK_TO_FILE.sub(lambda found: f"]({page})" if (page := page_of(found[1])) else found[0], text)
    text = ROW.sub(r"| [\1 \2](/notebooks/\1_\2.ipynb) |", text)
    return NAMED.sub(link, text)


def notebook_page(text: str, modules: set[str], cells: set[str], exercises: str | None = None) -> str:
    """A notebook as MyST-NB wants it: targets before the `cells` that are linked to, and descriptions of its pictures.

    Its `exercises` stand below it in the menu, and come next.

    >>> code = dict(cell_type="code", id="at-7", metadata={}, source="1", outputs=[])
    >>> page = json.loads(notebook_page(json.dumps(dict(cells=[code])), set(), {"at-7"}))
    >>> [cell["source"] for cell in page["cells"]]
    ['(cell-at-7)=', '1']
    """
    notebook, made = json.loads(text), []

    def add(source: str) -> None:
        made.append(dict(cell_type="markdown", id=f"site-{len(made)}", metadata={}, source=source))

    for cell in notebook["cells"]:
        if cell["id"] in cells:
            add(f"(cell-{cell['id']})=")
        if cell["cell_type"] == "markdown":
            cell["source"] = relinked("".join(cell["source"]), modules)
        if alt := cell["metadata"].get("alt"):
            cell["metadata"]["mystnb"] = dict(image=dict(alt=alt if isinstance(alt, str) else " ".join(alt)))
        made.append(cell)
    if exercises:
        add(f"```{{toctree}}\n:hidden:\nExercises <../exercises/{exercises}/{exercises}>\n```")
    return json.dumps(notebook | dict(cells=made))


def write_explained(folder: Path) -> Iterator[str]:
    """Write a page for each shipped model, in which it runs; yields the pages' names."""
    from minibert.model.models import MaskedLanguageModel
    from minibert.tokenization import load_tokenizer
    from minibert.viz.explain import Explainer

    folder.mkdir()
    for name in sorted(SHIPPED, key=lambda name: name != "modernbert-nano"):
        model, tokenizer = MaskedLanguageModel.from_pretrained(shipped(name)), load_tokenizer(shipped(name))
        write_text(folder / f"{name}.txt", Explainer(model, tokenizer, name=name).page)
        write_text(folder / f"{name}.md", EXPLAINED.format(name=name))
        yield name


@click.command()
@click.option(
    "--out", type=click.Path(path_type=Path), default=PROJECT / "build" / "site", help="By default build/site."
)
def main(out: Path) -> None:
    """Write the course as a site that opens from files."""
    try:
        pages = build(out)
    except ValueError as error:
        raise click.ClickException(str(error)) from None
    click.echo(f"{pages} pages; open {out / 'index.html'} in a browser")


if __name__ == "__main__":
    main()
