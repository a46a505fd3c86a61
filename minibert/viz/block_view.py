"""BERT's block with a switch for each of ModernBERT's changes: which lines of one_page.py run, and what it costs."""

import inspect
from collections.abc import Collection, Mapping
from html import escape
from itertools import combinations

import matplotlib.pyplot as plt

from minibert import one_page
from minibert.viz.modern_pictures import BLOCKS, plot_blocks
from minibert.viz.page import View, fragment, png_of

CHANGES = (
    "no biases",
    "pre-norm",
    "GeGLU",
    "RoPE",
    "alternating attention",
    "no segments",
    "30 % masked",
)
LINES = (  # the start of a line of one_page.py, the switch that it hangs on, and whether it runs when that is on
    ('x = x + weights["embeddings.position.weight"]', "RoPE", False),
    ('x = x + weights["embeddings.segment.weight"]', "no segments", False),
    ('x = norm(x, weights, "embeddings.norm", config)', None, True),
    ('x = norm(x, weights, "final_norm", config)', "pre-norm", True),
    ("x = norm(x + attention(x, ", "pre-norm", False),
    ("return norm(x + feed_forward(x, ", "pre-norm", False),
    ("normed = x if skip else norm(x, ", "pre-norm", True),
    ("x = x + attention(normed, ", "pre-norm", True),
    ("return x + feed_forward(norm(x, ", "pre-norm", True),
    ("query, key = rotate(query, ", "RoPE", True),
    ("visible = visible & (distance <= ", "alternating attention", True),
    ('gate, up = linear(x, weights, "feed_forward.gate_up")', "GeGLU", True),
    ("inner = activation(gate, config.act) * up", "GeGLU", True),
    ('inner = activation(linear(x, weights, "feed_forward.input")', "GeGLU", False),
    ('y = x @ weights[name + ".weight"].mT', None, True),
    ('return y + weights[name + ".bias"]', "no biases", False),
)
VOCABULARY, WIDTH, LAYERS, POSITIONS = 30_522, 768, 12, 512  # BERT-base


def one_page_lines() -> list[tuple[str, int]]:
    """The text of each of `LINES` and the number of its line in one_page.py.

    Raises:
        ValueError: one_page.py has a line no more, or twice.

    >>> one_page_lines()[2][0]
    'x = norm(x, weights, "embeddings.norm", config)'
    """
    page = [line.strip() for line in inspect.getsource(one_page).splitlines()]
    found = []
    for start, _, _ in LINES:
        numbers = [number for number, line in enumerate(page, 1) if line.startswith(start)]
        if len(numbers) != 1:
            raise ValueError(f"one_page.py has {len(numbers)} lines that begin with {start!r}; expected one")
        found.append((page[numbers[0] - 1].split("  #")[0], numbers[0]))
    return found


def parameters_of(changes: Collection[str]) -> int:
    """How many weights BERT-base's masked language model has with these changes; GeGLU is two thirds as wide.

    >>> parameters_of(()), parameters_of(("GeGLU",)) - parameters_of(())
    (109514298, 12288)
    """
    D, biases = WIDTH, "no biases" not in changes
    norm = 2 * D if biases else D
    gated = "GeGLU" in changes
    inner, matrices = (8 * D // 3, 3) if gated else (4 * D, 2)
    block = 4 * D * D + matrices * D * inner + 2 * norm
    block += (4 * D + (2 if gated else 1) * inner + D) * biases
    embeddings = VOCABULARY * D + norm + POSITIONS * D * ("RoPE" not in changes)
    embeddings += 2 * D * ("no segments" not in changes)
    head = D * D + D * biases + norm + VOCABULARY  # the scores keep their bias, one number a word
    return embeddings + LAYERS * block + head  # pre-norm: the first norm of the first block moves to the end


class BlockView(View):
    """Seven switches between BERT and ModernBERT: in a notebook as the last line of a cell, or as a page of its own.

    Each switch shows the block, which lines of one_page.py run, the parameters at the size of BERT-base, and the bits
    per byte where they were measured. `scores` maps combinations of `CHANGES` to bits per byte. Needs no network; where
    scripts do not run there is a still picture of both blocks. The same input gives the same bytes.

    Raises:
        ValueError: scores of a change that there is not.

    >>> BlockView({("RoPE",): 1.5, (): 2.0})
    BlockView(7 changes, 2 measured)
    """

    def __init__(self, scores: Mapping[tuple[str, ...], float], title: str = "From BERT's block to ModernBERT's"):
        if unknown := {name for changes in scores for name in changes} - set(CHANGES):
            raise ValueError(f"scores of the changes {sorted(unknown)}; expected some of {', '.join(CHANGES)}")
        self.scores, self.title = {frozenset(changes): score for changes, score in scores.items()}, title

    def __repr__(self) -> str:
        return f"BlockView({len(CHANGES)} changes, {len(self.scores)} measured)"

    def describe(self) -> str:
        """The view in words: alt text of the picture."""
        return f"{self.title}. " + " ".join(f"{name}: {', '.join(steps)}." for name, steps in BLOCKS.items())

    def _repr_html_(self) -> str:
        everything = [names for size in range(len(CHANGES) + 1) for names in combinations(CHANGES, size)]
        key = {names: sum(1 << CHANGES.index(name) for name in names) for names in everything}
        data = dict(
            title=self.title,
            changes=CHANGES,
            lines=[
                dict(text=text, number=number, change=None if change is None else CHANGES.index(change), on=on)
                for (text, number), (_, change, on) in zip(one_page_lines(), LINES, strict=True)
            ],
            parameters=[parameters_of(names) for names in sorted(everything, key=key.get)],
            scores={
                key[names]: round(self.scores[frozenset(names)], 3)
                for names in everything
                if frozenset(names) in self.scores
            },
        )
        return fragment("block", data, self._svg(), self.describe())

    def _svg(self) -> str:
        """Both blocks as rows of boxes."""
        parts = ['<rect width="900" height="150" fill="#fff"/>']
        for row, (name, steps) in enumerate(BLOCKS.items()):
            y = 42 + 66 * row
            parts.append(f'<text x="10" y="{y - 10}" font-size="13" font-weight="bold">{escape(name)}</text>')
            for column, step in enumerate(steps):
                x = 10 + 111 * column
                parts.append(f'<rect x="{x}" y="{y}" width="98" height="34" rx="5" fill="#f3f6f9" stroke="#5b6673"/>')
                parts.append(
                    f'<text x="{x + 49}" y="{y + 21}" font-size="11" text-anchor="middle">{escape(step)}</text>'
                )
        size = 'width="900" height="150" viewBox="0 0 900 150" font-family="system-ui, sans-serif" fill="#1c2530"'
        return f'<svg xmlns="http://www.w3.org/2000/svg" {size}>{"".join(parts)}</svg>'

    def _repr_png_(self) -> bytes:
        figure = plot_blocks()
        plt.close(figure)  # or the notebook would draw it once more
        return png_of(figure)
