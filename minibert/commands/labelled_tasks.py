"""The four tasks of `finetune`: which rows each takes, how they become examples, and how a model is scored."""

import functools
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from minibert.corpora.own_rows import COLUMNS, read_rows
from minibert.corpora.rows import LabelledPair, LabelledText, SpanQuestion, TaggedTokens

MOST_CLASSES = 1000  # more than that are not names of classes


@dataclass(frozen=True)
class Task:
    """What a task is called, its rows, the class of its model, its defaults, and what its score is.

    `data`: the data set that is learned where no file is given; `test`: the one that is measured then, at the end.

    >>> TASKS["ner"].model
    'TokenClassifier'
    """

    name: str
    row: type
    model: str
    score: str
    data: str
    test: str
    max_length: int
    epochs: float


TASKS = {
    task.name: task
    for task in (
        Task("sentiment", LabelledText, "SequenceClassifier", "accuracy", "sentiment", "sst2", 128, 1.0),
        Task("pairs", LabelledPair, "SequenceClassifier", "accuracy", "headlines", "headlines test", 64, 3.0),
        Task("qa", SpanQuestion, "SpanReader", "F1", "sciq", "squad", 384, 2.0),
        Task("ner", TaggedTokens, "TokenClassifier", "entity F1", "ner train", "ner test", 128, 4.0),
    )
}


def load_rows(task: Task, data: str) -> list:
    """The rows of a file of one's own (see `own_rows`), or of a data set of `corpora`, its training part if it has one.

    "nli" is generated; a second word names another split ("ner test").

    Raises:
        ValueError: no such file or data set, rows of another kind, or a bad row, by its line.
        DataUnavailable: the data set is not in the cache.

    >>> len(load_rows(TASKS["pairs"], "nli"))
    3000
    """
    from minibert import corpora
    from minibert.corpora.synthetic.nli import LABELS, nli

    if Path(data).exists() or Path(data).suffix:
        return read_rows(data, task.row)
    name, _, split = data.partition(" ")
    if name == "nli":
        pairs = nli(500 if split else 3000, split=split or "train")
        rows = [LabelledPair(pair.premise, pair.hypothesis, LABELS[pair.label]) for pair in pairs]
    else:
        splits = corpora.dataset(name).splits
        rows = corpora.load(name, split or ("train" if "train" in splits else None))
    if not isinstance(rows[0], task.row):
        columns = ", ".join(COLUMNS[task.row])
        raise ValueError(f"{data} has rows of {type(rows[0]).__name__}; {task.name} needs rows with {columns}")
    return rows


def label_names(task: Task, rows: Sequence) -> tuple[str, ...]:
    """The names of the labels, in order of the alphabet; for tags "O" is the first.

    Raises:
        ValueError: fewer than two different labels, or so many that they are no classes.

    >>> label_names(TASKS["sentiment"], [LabelledText("a", "yes"), LabelledText("b", "no")] * 2)
    ('no', 'yes')
    """
    if task.row is SpanQuestion:
        return ()
    if task.row is TaggedTokens:
        names = {"O"} | {tag for row in rows for tag in row.tags}
        return ("O", *sorted(names - {"O"}))
    names = {row.label for row in rows}
    if len(names) < 2:
        raise ValueError(f"every row has the label {rows[0].label!r}; expected two different ones at least")
    if len(names) > MOST_CLASSES or len(names) > len(rows) // 2:
        raise ValueError(f"{len(names)} different labels in {len(rows)} rows: expected names of a few classes")
    return tuple(sorted(names))


def split_rows(rows: Sequence, share: float, most: int) -> tuple[list, list]:
    """Rows to train on, and about a `share` of them to validate on, at most `most`: hashes decide which.

    Rows that are alike in what they ask about, the text or the context, are on the same side.

    Raises:
        ValueError: all rows are alike, so that one side would be empty.

    >>> rows = [LabelledText(str(number), "yes") for number in range(20)]
    >>> [len(part) for part in split_rows(rows, 0.1, 400)]
    [18, 2]
    """
    keys = sorted({_key(row) for row in rows}, key=lambda key: hashlib.sha256(key.encode("utf-8")).digest())
    if len(keys) < 2:
        raise ValueError(f"{len(rows)} rows with {len(keys)} text: expected two at least, one of them to validate on")
    wanted, held, count = min(most, max(1, round(share * len(rows)))), set(), 0
    sizes = {}
    for row in rows:
        sizes[_key(row)] = sizes.get(_key(row), 0) + 1
    for key in keys[:-1]:  # one is left to train on
        if count >= wanted:
            break
        held.add(key)
        count += sizes[key]
    return [row for row in rows if _key(row) not in held], [row for row in rows if _key(row) in held]


def _key(row) -> str:
    if isinstance(row, SpanQuestion):
        return row.context
    if isinstance(row, TaggedTokens):
        return " ".join(row.tokens)
    return f"{row.first}\n{row.second}" if isinstance(row, LabelledPair) else row.text


def make_examples(task: Task, rows: Sequence, tok, names: Sequence[str], max_length: int) -> tuple[list, int]:
    """The examples of the rows, and how many rows were cut; texts with a question are read in windows instead.

    >>> from minibert import WordPieceTokenizer
    >>> tok = WordPieceTokenizer({"[PAD]": 0, "[UNK]": 1, "[CLS]": 2, "[SEP]": 3, "good": 4, "bad": 5})
    >>> rows = [LabelledText("good good good", "yes"), LabelledText("bad", "no")]
    >>> examples, cut = make_examples(TASKS["sentiment"], rows, tok, ("no", "yes"), 4)
    >>> len(examples), cut
    (2, 1)
    """
    from minibert.tasks import classification, span_qa, tagging

    if task.row is SpanQuestion:
        return span_qa.examples(rows, tok, max_length), 0
    make = functools.partial((tagging if task.row is TaggedTokens else classification).examples, tok=tok)
    give = dict(tags=names) if task.row is TaggedTokens else dict(labels=names)
    made = make(rows, **give, max_length=max_length)
    full = [row for row, example in zip(rows, made, strict=True) if len(example.ids) == max_length]
    longer = make(full, **give, max_length=max_length + 1) if full else []
    return made, sum(len(example.ids) > max_length for example in longer)


def scorer(task: Task, rows: Sequence, tok, names: Sequence[str], max_length: int) -> Callable:
    """A function that scores a model on rows: the share of right labels, or the F1 of answers or of entities.

    >>> from minibert import EncoderConfig, SequenceClassifier, WordPieceTokenizer
    >>> tok = WordPieceTokenizer.train(["good", "bad"] * 3, vocab_size=30)
    >>> model = SequenceClassifier(EncoderConfig.preset("bert-nano").replace(vocab_size=tok.vocab_size))
    >>> score = scorer(TASKS["sentiment"], [LabelledText("good", "yes")], tok, ("no", "yes"), 16)
    >>> score(model) in (0.0, 1.0)
    True
    """
    from minibert.tasks.classification import accuracy
    from minibert.tasks.metrics import entity_scores, squad_score
    from minibert.tasks.span_qa import read_answers
    from minibert.tasks.tagging import tag

    def labels(model) -> float:
        return accuracy(rows, model, tok, names, max_length)

    def answers(model) -> float:
        total = 0.0
        for row in rows:
            best, _ = read_answers(row.question, row.context, model, tok, count=1, max_length=max_length)
            total += squad_score(best[0].text if best else "", row.answer)[1]
        return total / len(rows)

    def entities(model) -> float:
        found = tag([row.tokens for row in rows], model, tok, names)
        return entity_scores([row.tags for row in rows], found)[2]

    return {SpanQuestion: answers, TaggedTokens: entities}.get(task.row, labels)
