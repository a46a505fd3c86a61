"""One small frozen class per kind of example, so that a row says what it holds."""

from dataclasses import dataclass


@dataclass(frozen=True)
class LabelledText:
    """One text and the name of its class.

    >>> LabelledText("a fine film", "positive").label
    'positive'
    """

    text: str
    label: str


@dataclass(frozen=True)
class RatedText:
    """One text and its mean human rating, from -4 (as negative as can be) to 4.

    >>> RatedText("so dull, so long", -2.1).rating
    -2.1
    """

    text: str
    rating: float


@dataclass(frozen=True)
class LabelledPair:
    """Two texts and the name of the relation from the first to the second.

    >>> LabelledPair("Two dogs bark.", "Some animals make noise.", "entailment").label
    'entailment'
    """

    first: str
    second: str
    label: str


@dataclass(frozen=True)
class YesNoQuestion:
    """A question that its passage (a piece of the Wikipedia article `title`) answers with yes or no.

    >>> YesNoQuestion("Oz", "Oz is not a real country.", "is oz real", False).answer
    False
    """

    title: str
    passage: str
    question: str
    answer: bool


@dataclass(frozen=True)
class SpanQuestion:
    """A question whose answer is a piece of the context: `context[start:end] == answer`, in characters.

    `title` names the article or story. `history` holds the earlier (question, answer) turns of a dialogue.

    >>> row = SpanQuestion("Oz", "Dorothy lived in Kansas.", "Where did she live?", "Kansas", 17)
    >>> row.context[row.start : row.end]
    'Kansas'
    """

    title: str
    context: str
    question: str
    answer: str
    start: int
    history: tuple[tuple[str, str], ...] = ()

    @property
    def end(self) -> int:
        """One past the last character of the answer."""
        return self.start + len(self.answer)


@dataclass(frozen=True)
class TaggedTokens:
    """A sentence cut into tokens, each with its tag ("O", "B-person", "I-person", ...).

    >>> TaggedTokens(("Dorothy", "left"), ("B-person", "O")).tags
    ('B-person', 'O')
    """

    tokens: tuple[str, ...]
    tags: tuple[str, ...]


@dataclass(frozen=True)
class Translation:
    """The same short text in English and in another language (its two-letter code).

    `parts` are the parts of the program that show it, none where the source does not say.

    >>> Translation("de", "Log in", "Anmelden", ("users",)).parts
    ('users',)
    """

    language: str
    english: str
    foreign: str
    parts: tuple[str, ...] = ()


@dataclass(frozen=True)
class DocumentedFunction:
    """A function of the standard library without its docstring, and the docstring's first paragraph.

    >>> DocumentedFunction("math.py:one", "Return one.", "def one(): return 1").name
    'math.py:one'
    """

    name: str
    docstring: str
    code: str
