"""Tags on a text: the names that somebody, or some model, sees in it, several taggers under one another."""

from collections.abc import Mapping, Sequence
from html import escape

import matplotlib.pyplot as plt
from matplotlib.figure import Figure

from minibert.tasks.metrics import entities
from minibert.viz.page import COLORS, View, for_matplotlib, fragment, printable

MOST_WORDS = 80
LINE = 100  # characters in a line of the still pictures


class TagView(View):
    """Choose a text and see its names as each tagger marks them: in a notebook, or as a page of its own.

    `tags` are, by the name of the tagger, the BIO tags of each text; the first tagger is the truth. What the others
    mark as it does is filled, what they mark otherwise has a dashed frame. Needs no network; where scripts do not run
    there is a still picture of the first text. The same input gives the same bytes.

    Raises:
        ValueError: no text or no tagger, other numbers of tags than of words, or a text of more than 80 words.

    >>> TagView([["Dorothy", "left"]], {"people": [["B-person", "O"]], "capitals": [["O", "O"]]})
    TagView(1 text; people: 1 name, capitals: 0 names)
    """

    def __init__(
        self,
        texts: Sequence[Sequence[str]],
        tags: Mapping[str, Sequence[Sequence[str]]],
        title: str = "Which words are names?",
    ):
        self.texts, self.title = [list(words) for words in texts], title
        self.tags = {name: [list(each) for each in found] for name, found in tags.items()}
        if not self.texts or not self.tags or max(map(len, self.texts)) > MOST_WORDS:
            raise ValueError(
                f"{len(self.texts)} texts and {len(self.tags)} taggers: expected one of each and more, and at most "
                f"{MOST_WORDS} words in a text"
            )
        for name, found in self.tags.items():
            if [len(each) for each in found] != [len(words) for words in self.texts]:
                raise ValueError(f"{name}: the tags do not fit the texts; expected one for each word of each text")
        self.kinds = sorted({kind for found in self.tags.values() for each in found for kind, *_ in entities(each)})

    def __repr__(self) -> str:
        counts = {name: sum(len(entities(each)) for each in found) for name, found in self.tags.items()}
        said = ", ".join(f"{name}: {count} name{'s' * (count != 1)}" for name, count in counts.items())
        return f"TagView({len(self.texts)} text{'s' * (len(self.texts) != 1)}; {said})"

    def marked(self, number: int) -> dict[str, list[tuple[str, int, int]]]:
        """The names in a text by tagger; see `entities`."""
        return {name: entities(found[number]) for name, found in self.tags.items()}

    def describe(self) -> str:
        """The view in words: alt text of the picture."""
        words = self.texts[0]
        said = [
            f"{name}: "
            + (", ".join(f"{' '.join(words[start:end])} ({kind})" for kind, start, end in found) or "nothing")
            for name, found in self.marked(0).items()
        ]
        return printable(f"{self.title} The text: {' '.join(words)}. {'; '.join(said)}.")

    def color(self, kind: str) -> str:
        """The colour of a kind of name; with more than six kinds, two of them share one."""
        return COLORS[self.kinds.index(kind) % len(COLORS)]

    def _repr_html_(self) -> str:
        data = dict(
            title=self.title,
            texts=self.texts,
            taggers=list(self.tags),
            found=[list(self.marked(number).values()) for number in range(len(self.texts))],
            colors={kind: self.color(kind) for kind in self.kinds},
        )
        return fragment("tag", data, self._svg(), self.describe())

    def _laid_out(self) -> tuple[list[tuple], list[tuple], list[tuple[int, str]], int]:
        """The first text once for each tagger, in lines: words (column, line, word), names, taggers, how many lines.

        A name is (column, line, characters, kind, whether the first tagger has it); one a line if it is broken.
        """
        words, boxes, heads, line = [], {}, [], 0
        truth = set(self.marked(0)[next(iter(self.tags))])
        for name, found in self.marked(0).items():
            heads.append((line, name))
            column, line = 0, line + 1
            ends = {end - 1: kind for kind, _, end in found}
            inside = {place: one for one in found for place in range(one[1], one[2])}
            for place, word in enumerate(self.texts[0]):
                shown = printable(word) + (f" [{ends[place]}]" if place in ends else "")
                if column and column + len(shown) > LINE:
                    column, line = 0, line + 1
                words.append((column, line, shown))
                if one := inside.get(place):
                    begin = boxes.get((line, one), (column,))[0]
                    boxes[line, one] = (begin, line, column + len(shown) - begin, one[0], one in truth)
                column += len(shown) + 1
            line += 1
        return words, list(boxes.values()), heads, line

    def _svg(self) -> str:
        """The first text once for each tagger; names that the first one has on a coloured ground, others in a frame."""
        words, boxes, heads, lines = self._laid_out()
        wide, high = 8.2, 23
        parts = [f'<text x="8" y="{20 + high * line}" font-weight="bold">{escape(name)}</text>' for line, name in heads]
        for column, line, size, kind, there in boxes:
            x, y, color = 8 + wide * column, 20 + high * line, self.color(kind)
            size = f'x="{x - 2:.1f}" y="{y - 15}" width="{wide * size + 4:.1f}" height="20"'
            style = (
                f'fill="{color}" fill-opacity="0.3"' if there else f'fill="none" stroke="{color}" stroke-width="1.5"'
            )
            dashes = "" if there else ' stroke-dasharray="4 3"'
            parts.append(f'<rect {size} rx="3" {style}{dashes}/>')
        for column, line, shown in words:
            x, y = 8 + wide * column, 20 + high * line
            parts.append(f'<text x="{x:.1f}" y="{y}" xml:space="preserve">{escape(shown)}</text>')
        width, height = int(wide * LINE) + 24, high * lines + 8
        size = f'width="{width}" height="{height}" viewBox="0 0 {width} {height}"'
        style = 'font-family="ui-monospace, monospace" font-size="13.5" fill="#1c2530"'
        back = f'<rect width="{width}" height="{height}" fill="#fff"/>'
        return f'<svg xmlns="http://www.w3.org/2000/svg" {size} {style}>{back}{"".join(parts)}</svg>'

    def figure(self) -> Figure:
        """The same as a picture of matplotlib."""
        words, boxes, heads, lines = self._laid_out()
        figure = plt.figure(figsize=(10, 0.28 * lines + 0.2), dpi=144)
        axes = figure.add_axes((0.01, 0, 0.98, 1))
        for line, name in heads:
            axes.text(0, line, name, va="center", fontsize=11, fontweight="bold")
        for column, line, size, kind, there in boxes:
            color = self.color(kind)
            style = dict(color=color, alpha=0.3, lw=0) if there else dict(ec=color, fill=False, ls="--", lw=1.5)
            axes.add_patch(plt.Rectangle((column - 0.3, line - 0.42), size + 0.6, 0.84, **style))
        for column, line, shown in words:
            axes.text(column, line, for_matplotlib(shown), va="center", fontsize=10.5, family="monospace")
        axes.set(xlim=(-0.5, LINE + 10), ylim=(lines - 0.3, -0.7))
        axes.axis("off")
        return figure
