"""Exercises run unsolved and masters run solved, and print what is stored: strict nbval's proof without its kernels."""

from pathlib import Path

import pytest

from minibert.corpora import is_cached
from tests.notebook_cells import processes, run_cells

ROOT = Path(__file__).parents[1]
NOTEBOOKS = sorted(path for folder in ("exercises", "solutions") for path in (ROOT / folder).glob("*/*.ipynb"))


@pytest.fixture(scope="module")
def pool():
    with processes() as pool:
        yield pool


@pytest.mark.data
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: f"{path.parts[-3]} {path.stem}")
def test_a_notebook_prints_what_is_stored(pool, path):
    if not (is_cached("minilm") and is_cached("sotu")):
        pytest.skip("needs python -m minibert data fetch")
    cells = pool.apply_async(run_cells, (path,)).get(timeout=300)
    assert cells and [printed for _, printed in cells] == [stored for stored, _ in cells]
