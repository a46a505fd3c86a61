"""The same messages in several languages to look around in: their tokens, and what lies nearest in other languages."""

from collections.abc import Mapping, Sequence
from html import escape

from torch import Tensor

from minibert.tasks.neighbours import unit_vectors
from minibert.tasks.projection import check_vectors
from minibert.tokenization import ByteLevelBPETokenizer
from minibert.tokenization.pretokenization import from_byte_chars
from minibert.viz.page import View, fragment, png_of, printable

NAMES = dict(
    en="English", fr="French", de="German", es="Spanish", zh="Chinese", it="Italian", ru="Russian", pl="Polish",
    pt="Portuguese", ja="Japanese", vi="Vietnamese", nl="Dutch", ar="Arabic", tr="Turkish", hi="Hindi",
)  # fmt: skip
NEIGHBOURS = 5  # that are shown of each sentence
MOST = 40  # messages on a page


def shown_tokens(text: str, tokenizer: ByteLevelBPETokenizer) -> list[str]:
    """The tokens of a text as one can read them: a leading space as ␣, bytes that are no whole character as numbers.

    >>> tokenizer = ByteLevelBPETokenizer.train(["low lower lowest"], vocab_size=270)
    >>> shown_tokens("low low漢", tokenizer)
    ['low', '␣low', '<e6>', '<bc>', '<a2>']
    """
    found = []
    for token in tokenizer.encode(text, add_special_tokens=False).tokens:
        data = from_byte_chars(token)
        try:
            piece = data.decode("utf-8").replace(" ", "␣").replace("\n", "⏎")
        except UnicodeDecodeError:
            piece = f"<{data.hex(' ')}>"
        found.append(piece)
    return found


def neighbours_abroad(vectors: Tensor, number: int = NEIGHBOURS) -> tuple[Tensor, Tensor]:
    """For each sentence the nearest ones of all other languages by cosine, and these cosines.

    Shape: vectors (languages, M, D) -> int64 and float64 (languages, M, number); a sentence is language · M + message.

    >>> import torch
    >>> best, cosines = neighbours_abroad(torch.eye(2)[None].repeat(3, 1, 1), 2)
    >>> best[0].tolist(), cosines[0].tolist()
    ([[2, 4], [3, 5]], [[1.0, 1.0], [1.0, 1.0]])
    """
    languages, messages, _ = vectors.shape
    unit = unit_vectors(vectors.flatten(0, 1), "vectors", "(languages · M, D)")
    cosines = (unit @ unit.mT).view(languages, messages, languages, messages)
    for language in range(languages):
        cosines[language, :, language] = -2.0  # its own language does not count
    ranked = cosines.flatten(2).sort(dim=-1, descending=True, stable=True)
    return ranked.indices[..., :number], ranked.values[..., :number].clamp(-1, 1)


class LanguageView(View):
    """One message in all languages, its tokens, and its neighbours: as the last line of a cell, or as a page.

    Choose a message and a language, by mouse or with the arrow keys; each sentence is cut into its tokens, and the list
    beside them holds the sentences of all other languages with the highest cosine. Click a neighbour to go there.
    `vectors` may hold several kinds to choose from, such as a model and a control. Needs no network, follows the light
    or dark theme; where scripts do not run there is a still picture. The same input gives the same bytes.

    Shape: texts and tokens: language code -> M texts, M lists of tokens; vectors: name -> (languages, M, D).

    Raises:
        ValueError: fewer than two languages or messages, more than 40 messages, an unknown language code, texts, tokens
            or vectors that do not fit each other, or a message that is not there.

    >>> import torch
    >>> texts = {"en": ["a cat", "two"], "fr": ["un chat", "deux"]}
    >>> tokens = {name: [text.split() for text in both] for name, both in texts.items()}
    >>> LanguageView(texts, tokens, {"made up": torch.eye(2).repeat(2, 1, 1)})
    LanguageView(2 messages, 2 languages, 1 kind of vectors)
    """

    def __init__(
        self,
        texts: Mapping[str, Sequence[str]],
        tokens: Mapping[str, Sequence[Sequence[str]]],
        vectors: Mapping[str, Tensor],
        message: int = 0,
        title: str = "One message in many languages",
    ):
        self.texts = {language: list(each) for language, each in texts.items()}
        self.tokens = {language: [list(one) for one in each] for language, each in tokens.items()}
        self.languages = list(self.texts)
        self.messages = len(self.texts[self.languages[0]]) if self.languages else 0
        self._check(vectors, message, title)
        self.message, self.title = message, title
        self.near = {name: neighbours_abroad(each) for name, each in vectors.items()}

    def _check(self, vectors: Mapping[str, Tensor], message: int, title: str) -> None:
        if len(self.languages) < 2 or not 2 <= self.messages <= MOST:
            came = f"{len(self.languages)} languages and {self.messages} messages"
            raise ValueError(f"texts: {came}; expected 2 languages or more, and 2 to {MOST} messages")
        if unknown := [name for name in self.languages if name not in NAMES]:
            raise ValueError(f"texts: unknown languages {unknown}; expected some of {', '.join(NAMES)}")
        for name in self.languages:
            found = len(self.texts[name]), len(self.tokens.get(name, ()))
            if found != (self.messages, self.messages):
                raise ValueError(f"{name}: {found[0]} texts and {found[1]} lists of tokens, expected {self.messages}")
        if not vectors:
            raise ValueError("vectors: none; give at least one kind, {name: tensor}")
        for name, each in vectors.items():
            check_vectors(each, f"vectors of {name!r}", "(languages, M, D)")
            if each.shape[:2] != (len(self.languages), self.messages):
                wanted = f"({len(self.languages)}, {self.messages}, D)"
                raise ValueError(f"vectors of {name!r} have the shape {tuple(each.shape)}, expected {wanted}")
        if type(message) is not int or not 0 <= message < self.messages:
            raise ValueError(f"message={message!r}: there are {self.messages}, from 0")
        if not isinstance(title, str):
            raise ValueError(f"title: got {type(title).__name__}, expected a text")

    def __repr__(self) -> str:
        kinds = f"{len(self.near)} kind{'s' * (len(self.near) > 1)} of vectors"
        return f"LanguageView({self.messages} messages, {len(self.languages)} languages, {kinds})"

    def found(self) -> dict[str, int]:
        """For each kind of vectors, how many sentences have a translation as nearest neighbour in other languages.

        >>> import torch
        >>> texts = {"en": ["a", "b"], "fr": ["c", "d"]}
        >>> tokens = {name: [[text] for text in both] for name, both in texts.items()}
        >>> LanguageView(texts, tokens, {"made up": torch.eye(2).repeat(2, 1, 1)}).found()
        {'made up': 4}
        """

        def right(best: Tensor) -> int:
            return sum(row[0] % self.messages == m for each in best.tolist() for m, row in enumerate(each))

        return {name: right(best) for name, (best, _) in self.near.items()}

    def counts(self) -> dict[str, int]:
        """How many tokens the chosen message has in each language."""
        return {language: len(self.tokens[language][self.message]) for language in self.languages}

    def describe(self) -> str:
        """The view in words: alt text of the picture."""
        counts, total = self.counts(), len(self.languages) * self.messages
        tokens = ", ".join(f"{NAMES[language]} {count}" for language, count in counts.items())
        shares = "; ".join(f"{name} {count} of {total}" for name, count in self.found().items())
        first = self.texts[self.languages[0]][self.message]
        return printable(
            f"{self.title}. “{first}” in {len(self.languages)} languages. Tokens: {tokens}. "
            f"Sentences whose nearest neighbour in another language is their translation: {shares}."
        )

    def _repr_html_(self) -> str:
        kinds = [
            dict(
                name=name,
                best=best.tolist(),
                cosines=[[[round(value, 2) for value in row] for row in each] for each in cosines.tolist()],
                found=self.found()[name],
            )
            for name, (best, cosines) in self.near.items()
        ]
        data = dict(
            title=self.title,
            languages=self.languages,
            names=[NAMES[language] for language in self.languages],
            texts=[self.texts[language] for language in self.languages],
            tokens=[self.tokens[language] for language in self.languages],
            message=self.message,
            kinds=kinds,
        )
        return fragment("language", data, self._svg(), self.describe())

    def _svg(self) -> str:
        """The chosen message in all languages, a bar of its number of tokens beside it."""
        counts = self.counts()
        most, high = max(counts.values()), 44 + 24 * len(counts)
        parts = [f'<rect width="900" height="{high}" fill="#fff"/>']
        parts.append(f'<text x="12" y="24" font-size="15" font-weight="bold">{escape(printable(self.title))}</text>')
        for row, (language, count) in enumerate(counts.items()):
            y, text = 54 + 24 * row, printable(self.texts[language][self.message])
            text = text if len(text) <= 80 else text[:79] + "…"
            parts.append(f'<text x="12" y="{y}">{NAMES[language]}</text>')
            parts.append(f'<rect x="100" y="{y - 12}" width="{120 * count / most:.1f}" height="15" fill="#0072B2"/>')
            parts.append(f'<text x="{106 + 120 * count / most:.1f}" y="{y}">{count}</text>')
            parts.append(f'<text x="260" y="{y}">{escape(text)}</text>')
        size = f'width="900" height="{high}" viewBox="0 0 900 {high}" font-family="system-ui, sans-serif"'
        return f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-size="13" fill="#1c2530">{"".join(parts)}</svg>'

    def _repr_png_(self) -> bytes:
        from minibert.viz.eurobert_pictures import plot_message

        return png_of(plot_message(self))
