"""A search box that works without a model: passages with their vectors in the page, stored queries, and words."""

from collections.abc import Sequence
from html import escape
from textwrap import wrap

import matplotlib.pyplot as plt
import torch
from matplotlib.figure import Figure
from torch import Tensor

from minibert.tasks.bags import Bag, words
from minibert.tasks.neighbours import check_texts, unit_vectors
from minibert.tasks.retrieval import Index
from minibert.viz.page import COLORS, View, for_matplotlib, fragment, printable, text_of

SHOWN = 5  # passages in each list
MOST = 400  # passages in a page


def to_int8(vectors: Tensor) -> Tensor:
    """Vectors in whole numbers from -127 to 127, each by its own scale, which a cosine does not see.

    Shape: (B, D) floating point -> (B, D) int8.

    >>> to_int8(torch.tensor([[0.5, -1.0], [2.0, 2.0]])).tolist()
    [[64, -127], [127, 127]]
    """
    return (vectors / vectors.abs().amax(1, keepdim=True) * 127).round().to(torch.int8)


class SearchView(View):
    """Ask passages a question, by vectors and by words: as the last line of a cell, or as a page of its own.

    Both rankings stand side by side. The page holds one int8 vector for each passage and for each of the `queries`, and
    compares them itself. It holds no model, so a query that you type has no vector: words rank it, and beside them
    stands what lies nearest to the first passage found. A click on a passage asks for its neighbours. `right` names the
    passage that belongs to a query, where one does. Needs no network; where scripts do not run there is a still
    picture of the first query. `credit` says whose the passages are, below both lists and in each still picture. The
    same input gives the same bytes.

    Shape: B passages and sources, vectors (B, D); Q queries, query_vectors (Q, D), right: Q numbers or None.

    Raises:
        ValueError: fewer than two passages or more than 400, no query, or texts, vectors and numbers that do not fit.

    >>> SearchView(["a cat", "a dog"], ["A", "B"], torch.eye(2), ["pets"], torch.ones(1, 2), [1])
    SearchView(2 passages, 1 query)
    """

    def __init__(
        self,
        passages: Sequence[str],
        sources: Sequence[str],
        vectors: Tensor,
        queries: Sequence[str],
        query_vectors: Tensor,
        right: Sequence[int | None] | None = None,
        title: str = "Search by vectors and by words",
        credit: str = "",
    ):
        self.vectors = to_int8(unit_vectors(vectors, "vectors", "(B, D)"))
        self.passages = check_texts(passages, len(vectors), "passages")
        self.sources = check_texts(sources, len(vectors), "sources")
        self.query_vectors = to_int8(unit_vectors(query_vectors, "query_vectors", "(Q, D)"))
        self.queries = check_texts(queries, len(query_vectors), "queries")
        self.right = list(right) if right is not None else [None] * len(self.queries)
        self.title, self.credit = title, credit
        if not 2 <= len(self.passages) <= MOST or not self.queries:
            came = f"{len(self.passages)} passages and {len(self.queries)} queries"
            raise ValueError(f"got {came}: expected 2 to {MOST} passages and a query")
        if vectors.shape[1] != query_vectors.shape[1]:
            raise ValueError(f"vectors are {vectors.shape[1]} wide, those of the queries {query_vectors.shape[1]}")
        known = range(len(self.passages))
        if len(self.right) != len(self.queries) or any(one is not None and one not in known for one in self.right):
            raise ValueError(f"right: {self.right!r:.60}; expected a passage's number or None for each query")

    def __repr__(self) -> str:
        count = len(self.queries)
        return f"SearchView({len(self.passages)} passages, {count} quer{'y' if count == 1 else 'ies'})"

    def found(self, query: int) -> dict[str, list[tuple[int, float]]]:
        """Both rankings of a stored query, all passages, best first: (passage, cosine).

        >>> view = SearchView(["a cat", "a dog"], ["A", "B"], torch.eye(2), ["a dog"], torch.tensor([[2.0, 1.0]]))
        >>> {name: each[0][0] for name, each in view.found(0).items()}
        {'vectors': 0, 'words': 1}
        """
        bag = Bag.of(self.passages, words)
        by_words = Index(bag.vectors(self.passages)).search(bag.vectors(self.queries[query : query + 1]), MOST)[0]
        by_vectors = Index(self.vectors.double()).search(self.query_vectors[query : query + 1].double(), MOST)[0]
        return {"vectors": by_vectors, "words": by_words}

    def ranks(self, query: int) -> dict[str, int | None]:
        """At which rank each ranking has the right passage of a stored query; None where no passage is known to be."""
        if self.right[query] is None:
            return {"vectors": None, "words": None}
        order = {name: [number for number, _ in each] for name, each in self.found(query).items()}
        return {name: numbers.index(self.right[query]) + 1 for name, numbers in order.items()}

    def describe(self) -> str:
        """The view in words: alt text of the picture."""
        first = {name: self.sources[each[0][0]] for name, each in self.found(0).items()}
        return printable(
            f"{self.title}. {len(self.passages)} passages. “{self.queries[0]}”: by vectors first {first['vectors']}, "
            f"by words first {first['words']}. {self.credit}".rstrip()
        )

    def _repr_html_(self) -> str:
        data = dict(
            title=self.title,
            passages=self.passages,
            sources=self.sources,
            queries=self.queries,
            right=self.right,
            width=self.vectors.shape[1],
            vectors=text_of(self.vectors.numpy().tobytes()),
            asked=text_of(self.query_vectors.numpy().tobytes()),
            shown=SHOWN,
            credit=self.credit,
        )
        return fragment("search", data, self._svg(), self.describe())

    def _first(self) -> dict[str, list[tuple[float, str, bool]]]:
        """For the still pictures: cosine, text and whether it is the right one, of the first query."""
        return {
            f"by {name}": [
                (cosine, printable(f"{self.sources[number]}: {self.passages[number]}"), number == self.right[0])
                for number, cosine in each[:SHOWN]
            ]
            for name, each in self.found(0).items()
        }

    def _svg(self) -> str:
        """The first query and both lists, one below the other."""
        notes = wrap(printable(self.credit), 130)
        high = 2 * SHOWN * 22 + 110 + 18 * len(notes)
        parts = [f'<rect width="900" height="{high}" fill="#fff"/>']
        parts.append(f'<text x="12" y="24" font-weight="bold">{escape(printable(self.queries[0]))}</text>')
        y = 50
        for name, rows in self._first().items():
            parts.append(f'<text x="12" y="{y}" fill="#5b6673">{name}</text>')
            for cosine, text, right in rows:
                y += 22
                mark, short = "✓ " if right else "", text if len(text) <= 110 else text[:109] + "…"
                parts.append(f'<text x="24" y="{y}">{cosine:.2f}  {mark}{escape(short)}</text>')
            y += 30
        for note in notes:
            parts.append(f'<text x="12" y="{y}" fill="#5b6673" font-size="12">{escape(note)}</text>')
            y += 18
        size = f'width="900" height="{high}" viewBox="0 0 900 {high}"'
        style = 'font-family="system-ui, sans-serif" font-size="13" fill="#1c2530"'
        return f'<svg xmlns="http://www.w3.org/2000/svg" {size} {style}>{"".join(parts)}</svg>'

    def figure(self) -> Figure:
        """The first query as a picture: a bar for the cosine of each passage found, by vectors and by words."""
        figure = plt.figure(figsize=(9.2, 4.9), dpi=144, layout="constrained")
        figure.suptitle(for_matplotlib(f"“{self.queries[0]}”"), fontsize=12)
        for axes, (name, rows) in zip(figure.subplots(2, 1, sharex=True), self._first().items(), strict=True):
            for place, (cosine, text, right) in enumerate(rows):
                axes.barh(place, max(cosine, 0.0), color=COLORS[2] if right else COLORS[0], alpha=0.35)
                short = text if len(text) <= 88 else text[:87] + "…"
                axes.text(0.005, place, for_matplotlib(short), va="center", fontsize=9.5)
            axes.set(ylim=(SHOWN - 0.4, -0.6), xlim=(0, 1), yticks=range(len(rows)))
            axes.set_yticklabels([f"{cosine:.2f}" for cosine, _, _ in rows], fontsize=10)
            axes.set_title(name, loc="left", fontsize=11)
            axes.spines[["top", "right"]].set_visible(False)
        axes.set_xlabel("cosine (a green bar is the passage that belongs to the query)")
        if self.credit:
            note = "\n".join(wrap(for_matplotlib(self.credit), 125))
            figure.supxlabel(note, x=0.01, ha="left", fontsize=9, color="#5b6673")
        return figure
