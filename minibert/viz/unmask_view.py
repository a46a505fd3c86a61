"""A text that a masked language model fills step by step: each step's guesses, how sure they are, and the order."""

import textwrap
from collections.abc import Mapping, Sequence
from html import escape

import matplotlib.pyplot as plt
from matplotlib.figure import Figure

from minibert.tasks.unmasking import Step, order_of_filling
from minibert.viz.page import COLORS, View, for_matplotlib, fragment, printable

MOST_PLACES = 64
PER_ROW, WIDE, HIGH = 8, 112, 46  # of the still picture: boxes in a row, and their size


class UnmaskView(View):
    """Step through the filling of a text: in a notebook as the last line of a cell, or as a page of its own.

    `ids` are the text's tokens with [MASK] where something is to be filled, `runs` the steps of `tasks.unmask` by the
    name of their order. In each step every open place shows the model's best guess, with a bar for its probability;
    what was filled has the number of its step. Needs no network; where scripts do not run there is a still picture of
    the first run's end. The same input gives the same bytes.

    Raises:
        ValueError: no run, steps of another text, or a text of more than 64 tokens.

    >>> import minibert
    >>> tok = minibert.WordPieceTokenizer.train(["the cat sat on the mat"] * 3, vocab_size=40)
    >>> word, ids = tok.token_to_id("cat"), tok.ids("the [MASK]")
    >>> UnmaskView(ids, {"confident": [Step({1: (word, 0.5)}, (1,))]}, tok)
    UnmaskView(2 tokens, 1 of them hidden; confident: 1 step)
    """

    def __init__(
        self, ids: Sequence[int], runs: Mapping[str, Sequence[Step]], tok, title: str = "A text, unmasked step by step"
    ):
        self.ids, self.runs, self.title = list(ids), {name: list(steps) for name, steps in runs.items()}, title
        hidden = {place for place, token in enumerate(self.ids) if token == tok.mask_id}
        if not self.runs or len(self.ids) > MOST_PLACES:
            raise ValueError(
                f"{len(self.runs)} runs of {len(self.ids)} tokens: expected a run, and {MOST_PLACES} at most"
            )
        for name, steps in self.runs.items():
            if set(order_of_filling(steps)) != hidden:
                raise ValueError(
                    f"the run {name!r} fills {sorted(order_of_filling(steps))}, hidden are {sorted(hidden)}"
                )
        self.hidden = sorted(hidden)
        self._shown = {token: _shown(tok, token) for token in self._tokens()}

    def _tokens(self) -> set[int]:
        guessed = {token for steps in self.runs.values() for step in steps for token, _ in step.guesses.values()}
        return set(self.ids) | guessed

    def __repr__(self) -> str:
        counts = "; ".join(f"{name}: {len(s)} step{'s' * (len(s) != 1)}" for name, s in self.runs.items())
        return f"UnmaskView({len(self.ids)} tokens, {len(self.hidden)} of them hidden; {counts})"

    def filled(self, run: str) -> list[str]:
        """The tokens of the text after the last step of a run, as they are shown."""
        ids = list(self.ids)
        for step in self.runs[run]:
            for place in step.chosen:
                ids[place] = step.guesses[place][0]
        return [self._shown[token] for token in ids]

    def describe(self) -> str:
        """The view in words: alt text of the picture."""
        first = next(iter(self.runs))
        steps = order_of_filling(self.runs[first])
        words = self.filled(first)
        said = ", ".join(f"{words[place].strip()} ({steps[place]})" for place in self.hidden)
        return f"{self.title}. Order {first}. Filled, with the number of the step: {said}."

    def _repr_html_(self) -> str:
        data = dict(
            title=self.title,
            tokens=[self._shown[token] for token in self.ids],
            hidden=self.hidden,
            runs=[
                dict(
                    name=name,
                    steps=[
                        dict(
                            chosen=step.chosen,
                            guesses=[
                                [place, self._shown[token], round(p, 4)] for place, (token, p) in step.guesses.items()
                            ],
                        )
                        for step in steps
                    ],
                )
                for name, steps in self.runs.items()
            ],
        )
        return fragment("unmask", data, self._svg(), self.describe())

    def _svg(self) -> str:
        """The text after the first run: filled places with the number of their step."""
        first = next(iter(self.runs))
        steps, words = order_of_filling(self.runs[first]), self.filled(first)
        rows = -(-len(words) // PER_ROW)
        width, height = PER_ROW * WIDE + 10, rows * HIGH + 34
        parts = [f'<rect width="{width}" height="{height}" fill="#fff"/>']
        parts.append(f'<text x="10" y="20" font-size="13" font-weight="bold">order: {escape(first)}</text>')
        for place, word in enumerate(words):
            x, y = 6 + place % PER_ROW * WIDE, 30 + place // PER_ROW * HIGH
            fill = "#CDE5F5" if place in steps else "#f3f6f9"
            parts.append(f'<rect x="{x}" y="{y}" width="{WIDE - 6}" height="{HIGH - 8}" rx="5" fill="{fill}"/>')
            text = escape(printable(word.strip()[:14]))
            parts.append(f'<text x="{x + 53}" y="{y + 18}" font-size="13" text-anchor="middle">{text}</text>')
            if place in steps:
                parts.append(
                    f'<text x="{x + 53}" y="{y + 33}" font-size="10" text-anchor="middle">step {steps[place]}</text>'
                )
        size = f'width="{width}" height="{height}" viewBox="0 0 {width} {height}"'
        style = 'font-family="system-ui, sans-serif" fill="#1c2530"'
        return f'<svg xmlns="http://www.w3.org/2000/svg" {size} {style}>{"".join(parts)}</svg>'

    def figure(self) -> Figure:
        """The first run as a picture: a row for each step, a column for each token, blue where the model is sure.

        A frame marks the step in which a place was filled; the rows below leave it empty. Tokens far to the left of
        the first open place have no column; they stand in lines above.
        """
        name, steps = next(iter(self.runs.items()))
        order = order_of_filling(steps)
        first, last = max(0, self.hidden[0] - 3), min(len(self.ids) - 1, self.hidden[-1] + 1)
        before = for_matplotlib(" ".join(self._shown[token].strip() for token in self.ids[:first]))
        before = textwrap.fill(f"the text begins: {before} ...", 9 * (last - first + 1)) if first else ""
        size = (0.66 * (last - first + 1) + 0.8, 0.36 * len(steps) + 1.3 + 0.24 * len(before.splitlines()))
        figure = plt.figure(figsize=size, dpi=144, layout="constrained")
        axes = figure.subplots()
        for row, step in enumerate(steps):
            for place, (token, sure) in step.guesses.items():
                axes.add_patch(plt.Rectangle((place - 0.5, row - 0.5), 1, 1, color=COLORS[0], alpha=0.45 * sure, lw=0))
                style = dict(fontweight="bold") if place in step.chosen else {}
                word = _short(self._shown[token])
                axes.text(place, row, word, ha="center", va="center", fontsize=_fitting(word), **style)
                if place in step.chosen:
                    frame = plt.Rectangle((place - 0.48, row - 0.46), 0.96, 0.92, fill=False, ec=COLORS[1], lw=1.8)
                    axes.add_patch(frame)
        shown = range(first, last + 1)
        given = ["?" if place in order else _short(self._shown[self.ids[place]]) for place in shown]
        axes.set_xticks(shown, given)
        for label, word in zip(axes.get_xticklabels(), given, strict=True):
            label.set_fontsize(_fitting(word))
        axes.set_yticks(range(len(steps)), [str(number + 1) for number in range(len(steps))], fontsize=12)
        axes.set(xlim=(first - 0.5, last + 0.5), ylim=(len(steps) - 0.5, -0.5))
        axes.set_ylabel("step", fontsize=12)
        title = f"{name}: filled in this step (orange), probability of the guess (blue)"
        axes.set_title(f"{title}\n{before}".strip(), loc="left", fontsize=13)
        axes.spines[["top", "right"]].set_visible(False)
        return figure


def _shown(tok, token: int) -> str:
    """A token as a reader sees it: its text, or its name where it has none."""
    return tok.decode([token]) or str(tok.id_to_token(token))


def _fitting(word: str) -> float:
    """A size of letters with which a word does not leave its column."""
    return 12.0 if len(word) < 6 else max(9.0, 68 / len(word))


def _short(word: str) -> str:
    return for_matplotlib(word.strip()[:9])
