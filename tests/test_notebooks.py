"""The rules that strict nbval does not check: it passes a cell that nobody ever ran, and knows nothing of readers."""

import ast
import json
import re
import statistics
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).parent.parent
NOTEBOOKS = sorted(
    path
    for folder in ("notebooks", "exercises", "solutions")
    for path in (ROOT / folder).rglob("*.ipynb")
    if ".ipynb_checkpoints" not in path.parts
)
DRIFTING = re.compile(r"0x[0-9a-f]{6,}|grad_fn|\b\d+\.\d+\.\d+\b|/(?:home|root|work|tmp|Users)/|[A-Z]:\\")


def load(path: Path) -> dict:
    return json.loads(path.read_text(encoding="utf-8"))


def code_cells(notebook: dict) -> list[dict]:
    return [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]


def problems(notebook: dict) -> list[str]:
    """Everything that a reader or a grader would stumble over."""
    found = []
    cells, code = notebook["cells"], code_cells(notebook)
    counts = [cell["execution_count"] for cell in code]
    if counts != list(range(1, len(code) + 1)):
        found.append(f"execution counts are {counts}: run all cells from top to bottom in a fresh kernel")
    ids = [cell.get("id") for cell in cells]
    if None in ids or len(set(ids)) != len(ids):
        found.append("cell ids are missing or not unique")
    if "widgets" in notebook["metadata"]:
        found.append("metadata.widgets is set: blank in a static view")
    for number, cell in enumerate(code, start=1):
        source = "".join(cell["source"])
        if {"skip", "nbval-skip", "nbval-ignore-output", "raises-exception"} & set(cell["metadata"].get("tags", ())):
            found.append(f"cell {number} asks to be skipped")
        if re.search(r"NBVAL_|^\s*[%!]", source, re.MULTILINE):
            found.append(f"cell {number} uses a magic or a directive")
        for output in cell["outputs"]:
            text = "".join(output.get("text", "")) + "".join(output.get("data", {}).get("text/plain", ""))
            if output["output_type"] == "error":
                found.append(f"cell {number} ends in {output['ename']}")
            if output.get("name") == "stderr":
                found.append(f"cell {number} writes to stderr: {text[:80]!r}")
            if DRIFTING.search(text):
                found.append(f"cell {number} prints what will drift: {DRIFTING.search(text).group()!r}")
            if "image/png" in output.get("data", {}) and not cell["metadata"].get("alt"):
                found.append(f"cell {number} draws a figure without alt text (cell metadata `alt`)")
    return found


def over_budget(notebook: dict) -> list[str]:
    """The course's budgets: short cells, few of them, prose around them."""
    code = code_cells(notebook)
    lines = [len("".join(cell["source"]).strip().splitlines()) for cell in code]
    prose = "\n".join("".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == "markdown")
    words = len(prose.split()) / len(code)
    found = []
    if len(code) > 40:
        found.append(f"{len(code)} code cells, at most 40")
    if statistics.median(lines) > 12 or max(lines) > 25:
        found.append(
            f"code cells of {statistics.median(lines)} lines in the median and {max(lines)} at most; 12 and 25"
        )
    if not 40 <= words <= 120:
        found.append(f"{words:.0f} words of prose per code cell, expected 40 to 120")
    first = ast.parse("".join(code[0]["source"]))
    if not all(isinstance(node, ast.Import | ast.ImportFrom) for node in first.body):
        found.append("the first code cell does more than import")
    return found


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_was_run_cleanly_from_top_to_bottom(path):
    nbformat.validate(nbformat.read(path, as_version=4))
    assert problems(load(path)) == []


@pytest.mark.parametrize("path", [p for p in NOTEBOOKS if p.parent.name == "notebooks"], ids=lambda path: path.stem)
def test_a_notebook_keeps_the_budget(path):
    assert over_budget(load(path)) == []


def test_there_is_a_start_page():
    assert ROOT / "notebooks" / "00_start_here.ipynb" in NOTEBOOKS


@pytest.fixture
def clean() -> dict:
    cell = dict(cell_type="code", id="a", metadata={}, execution_count=1, source=["x = 1"], outputs=[])
    return dict(cells=[cell], metadata={}, nbformat=4, nbformat_minor=5)


def stream(text: str, name: str = "stdout") -> dict:
    return dict(output_type="stream", name=name, text=[text])


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (dict(execution_count=None), "execution counts"),
        (dict(execution_count=7), "execution counts"),
        (dict(id=None), "cell ids"),
        (dict(metadata=dict(tags=["nbval-skip"])), "skipped"),
        (dict(source=["%pip install x"]), "magic"),
        (dict(outputs=[stream("careful", "stderr")]), "stderr"),
        (dict(outputs=[stream("<f at 0x7f00aa11bb22>")]), "drift"),
        (dict(outputs=[stream("torch 2.13.0")]), "drift"),
        (dict(outputs=[dict(output_type="error", ename="KeyError", evalue="", traceback=[])]), "KeyError"),
        (dict(outputs=[dict(output_type="display_data", data={"image/png": ""}, metadata={})]), "alt text"),
    ],
)
def test_the_guard_sees_each_fault(clean, change, complaint):
    assert problems(clean) == []
    clean["cells"][0] |= change
    assert any(complaint in problem for problem in problems(clean))
