"""A text, a question, and the answer that lights up in it: start and end logits of each token, n best, no answer."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from textwrap import shorten

import matplotlib.pyplot as plt
from matplotlib.figure import Figure
from torch import Tensor

from minibert.tasks.span_qa import Answer, CharSpan, Window, best_answers, null_score
from minibert.viz.page import COLORS, View, for_matplotlib, fragment, printable

MOST_TOKENS = 512
LINE, WIDE, HIGH = 92, 8.4, 20  # of the still picture: characters in a line, and their size


@dataclass(frozen=True)
class Asked:
    """A question to one text and what a `SpanReader` says of it: the text's windows and their logits.

    A text may be read sentence by sentence, too: then each sentence is a window.

    right: where the right answer stands, (start, end) in characters; None where the text does not hold one.

    >>> import torch
    >>> window = Window((2, 3, 7, 8), (0,) * 4, (None, None, (0, 3), (4, 7)), (False, False, True, True))
    >>> Asked("who?", "the cat", [window], [torch.zeros(4, 2)], (4, 7)).tokens()
    [((0, 3), 0.0, 0.0), ((4, 7), 0.0, 0.0)]
    """

    question: str
    text: str
    cut: Sequence[Window]
    logits: Sequence[Tensor]
    right: CharSpan | None = None

    def tokens(self) -> list[tuple[CharSpan, float, float]]:
        """The tokens of the text, each from the window where it is central: characters, start logit, end logit."""
        found = [
            (span, *pair)
            for window, scores in zip(self.cut, self.logits, strict=True)
            for span, central, pair in zip(window.spans, window.central, scores.tolist(), strict=True)
            if central
        ]
        return sorted(found)

    def borders(self) -> list[int]:
        """The places among `tokens` from which on another window counts.

        >>> import torch
        >>> given = [((2, 3, 7), (0,) * 3, (None, None, where), (False, False, True)) for where in ((0, 3), (4, 7))]
        >>> Asked("who?", "the cat", [Window(*one) for one in given], [torch.zeros(3, 2)] * 2).borders()
        [1]
        """
        counts = [
            (span, n)
            for n, one in enumerate(self.cut)
            for span, mine in zip(one.spans, one.central, strict=True)
            if mine
        ]
        numbers = [number for _, number in sorted(counts)]
        return [place for place in range(1, len(numbers)) if numbers[place] != numbers[place - 1]]

    def touched(self, start: int, end: int) -> list[int]:
        """The places among `tokens` that have one of these characters."""
        return [place for place, ((low, high), *_) in enumerate(self.tokens()) if low < end and high > start]

    def best(self, count: int = 5) -> list[Answer]:
        """The best answers; see `best_answers`."""
        return best_answers(self.cut, self.logits, self.text, count)


class AnswerView(View):
    """Choose a question and see which piece of the text answers it: in a notebook, or as a page of its own.

    Over each token stands its start logit as a bar, under it its end logit; both after a softmax over the text and
    [CLS]. The best answers are listed beside "no answer", which has the logits of [CLS]: choose one, and it lights up.
    The longest answer that counts can be changed, and how much better "no answer" must be to be given. As in
    `best_answers` an answer lies in the window where its first token counts. Needs no
    network; where scripts do not run there is a still picture of the first question. The same input gives the same
    bytes.

    Raises:
        ValueError: no question, logits that do not fit their windows, or a text of more than 512 tokens.

    >>> import torch
    >>> window = Window((2, 3, 7, 8), (0,) * 4, (None, None, (0, 3), (4, 7)), (False, False, True, True))
    >>> AnswerView([Asked("who?", "the cat", [window], [torch.eye(4)[:, 2:]])])
    AnswerView(1 question; 'who?': 'the cat')
    """

    def __init__(self, asked: Sequence[Asked], title: str = "Where is the answer?"):
        self.asked, self.title = list(asked), title
        if not self.asked:
            raise ValueError("there are no questions; pass at least one")
        for each in self.asked:
            if len(each.tokens()) > MOST_TOKENS or not each.best(1):
                raise ValueError(f"{each.question!r:.60}: {len(each.tokens())} tokens, expected 1 to {MOST_TOKENS}")

    def __repr__(self) -> str:
        first = self.asked[0]
        count = f"{len(self.asked)} question{'s' * (len(self.asked) != 1)}"
        return f"AnswerView({count}; {shorten(first.question, 60)!r}: {shorten(first.best(1)[0].text, 40)!r})"

    def describe(self) -> str:
        """The view in words: alt text of the picture."""
        said = []
        for each in self.asked:
            right = each.text[slice(*each.right)] if each.right else "none"
            said.append(f"{each.question} The model: {shorten(each.best(1)[0].text, 60)}; right: {right}.")
        return printable(f"{self.title} Questions to texts, with the model's best answer: {' '.join(said)}")

    def _repr_html_(self) -> str:
        data = dict(title=self.title, asked=[_payload(each) for each in self.asked])
        return fragment("answer", data, self._svg(), self.describe())

    def _svg(self) -> str:
        """The first question, its text with the best answer shaded and the right one underlined, and the three best."""
        first = self.asked[0]
        best, right = first.best(3), first.right or (0, 0)
        parts = [_line(8, 24, first.question, bold=True)]
        y, at = 52, 0
        for line in _lines(first.text):
            start = first.text.index(line, at)
            at = start + len(line)
            low, high = max(best[0].start, start), min(best[0].end, at)
            if low < high:
                x, wide = 8 + WIDE * (low - start), WIDE * (high - low)
                parts.append(f'<rect x="{x:.1f}" y="{y - 15}" width="{wide:.1f}" height="{HIGH}" fill="#F5D0A9"/>')
            low, high = max(right[0], start), min(right[1], at)
            if low < high:  # the right answer is underlined
                x, wide = 8 + WIDE * (low - start), WIDE * (high - low)
                parts.append(f'<rect x="{x:.1f}" y="{y + 3}" width="{wide:.1f}" height="2" fill="{COLORS[0]}"/>')
            parts.append(_line(8, y, line))
            y += HIGH
        for rank, answer in enumerate(best, start=1):
            parts.append(_line(8, y + 10, f"{rank}. {answer.score:5.1f}  {shorten(answer.text, 70)}"))
            y += HIGH
        parts.append(_line(8, y + 10, f"   {null_score(first.logits):5.1f}  no answer"))
        width, height = int(LINE * WIDE) + 20, y + 28
        size = f'width="{width}" height="{height}" viewBox="0 0 {width} {height}"'
        style = 'font-family="ui-monospace, monospace" font-size="13.5" fill="#1c2530"'
        back = f'<rect width="{width}" height="{height}" fill="#fff"/>'
        return f'<svg xmlns="http://www.w3.org/2000/svg" {size} {style}>{back}{"".join(parts)}</svg>'

    def figure(self) -> Figure:
        """The first question as a picture: start and end logit of each token, both answers, borders of windows."""
        first = self.asked[0]
        tokens, answer = first.tokens(), first.best(1)[0]
        figure = plt.figure(figsize=(10, 3.6), dpi=144, layout="constrained")
        axes = figure.subplots()
        inside = first.touched(answer.start, answer.end)
        axes.axvspan(inside[0] - 0.5, inside[-1] + 0.5, color="#F5D0A9", lw=0, label=f"best: {_short(answer.text)}")
        if right := first.touched(*first.right) if first.right else []:
            label = f"right: {_short(first.text[slice(*first.right)])}"
            axes.axvspan(right[0] - 0.5, right[-1] + 0.5, fill=False, ec="#1c2530", lw=1.6, ls="--", label=label)
        for number, place in enumerate(first.borders()):
            axes.axvline(place - 0.5, color="#8a929b", lw=1, ls=":", label=None if number else "border of two windows")
        for number, (name, color, mark) in enumerate((("start", COLORS[0], "o"), ("end", COLORS[1], "s"))):
            values = [token[1 + number] for token in tokens]
            axes.plot(values, mark, color=color, markersize=4.5, label=f"{name} logit")
        axes.margins(x=0.01, y=0.12)
        axes.set(xlabel="token of the text", ylabel="logit")
        axes.set_title(for_matplotlib(shorten(first.question, 100)), loc="left", fontsize=11)
        figure.legend(frameon=False, fontsize=10, loc="outside lower center", ncols=5)
        axes.spines[["top", "right"]].set_visible(False)
        return figure


def _short(text: str) -> str:
    return for_matplotlib(shorten(text, 30, placeholder=" …"))


def _payload(asked: Asked) -> dict:
    """What the script needs: each token with what stands before it, both logits, and those of [CLS].

    window: for each token the one where it counts; cut: for each window the place of its first token of the text among
    all tokens, and the end logits of its own tokens. An answer takes both logits from its first token's window.
    """
    tokens, text = asked.tokens(), asked.text
    before = [0, *(span[1] for span, *_ in tokens)]
    places = {span: place for place, (span, *_) in enumerate(tokens)}
    window, cut = [0] * len(tokens), []
    for number, (one, scores) in enumerate(zip(asked.cut, asked.logits, strict=True)):
        inside = [place for place, span in enumerate(one.spans) if span is not None]
        ends = [round(logit, 2) for logit in scores[inside, 1].tolist()]
        cut.append(dict(first=places[one.spans[inside[0]]], ends=ends))
        for place in inside:
            if one.central[place]:
                window[places[one.spans[place]]] = number
    none = min((scores[0] for scores in asked.logits), key=lambda pair: float(pair.sum())).tolist()
    right = asked.touched(*asked.right) if asked.right is not None else []
    return dict(
        question=asked.question,
        before=[text[end : span[0]] for end, (span, *_) in zip(before, tokens, strict=False)],
        tokens=[text[span[0] : span[1]] for span, *_ in tokens],
        starts=[round(start, 2) for _, start, _ in tokens],
        ends=[round(end, 2) for *_, end in tokens],
        window=window,
        cut=cut,
        none=[round(logit, 2) for logit in none],
        right=[right[0], right[-1]] if right else None,
    )


def _lines(text: str) -> list[str]:
    """The text in lines of at most `LINE` characters, cut at spaces where there are some."""
    lines, start = [], 0
    while start < len(text):
        end = min(start + LINE, len(text))
        space = text.rfind(" ", start + 1, end)
        end = space if end < len(text) and space > 0 else end
        lines.append(text[start:end])
        start = end + (text[end : end + 1] == " ")
    return lines


def _line(x: int, y: int, text: str, bold: bool = False) -> str:
    weight = ' font-weight="bold"' if bold else ""
    return f'<text x="{x}" y="{y}" xml:space="preserve"{weight}>{escape(printable(text))}</text>'
