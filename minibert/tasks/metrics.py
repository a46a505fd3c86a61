"""How good a ranking is, an answer cut out of a text, or a tagging: the numbers that the benchmarks report.

- `ndcg`, `recall`: a ranking comes as the relevance of each document, the document that the search put first first. The
  whole ranking is needed: what the search should have found further up stands further down in it.
- `spearman`, `auc`: how well scores, such as cosines, follow numbers or two labels that people gave.
- `squad_score`: an answer beside the answers that people gave.
- `entity_scores`: whole entities, found in BIO tags by `entities`.
"""

import math
import re
import string
from collections import Counter
from collections.abc import Sequence

import torch
from torch import Tensor


def ndcg(relevances_in_rank_order: Sequence[float], k: int | None = None) -> float:
    """Normalised discounted cumulative gain of the first k places: 1 for the best order of these documents.

    The document at rank r (from 1) adds its relevance divided by log2(r + 1); the sum is divided by the one that the
    best order has. 0 where no document is relevant. `k=None` counts every place. Equal to scikit-learn's `ndcg_score`
    where no two documents have the same score.

    Shape: (documents,) relevances of 0 and more, as a list or a tensor -> a float in [0, 1].

    Raises:
        ValueError: no document, a relevance that is negative or no finite number, or a k below 1.

    Source: Järvelin and Kekäläinen 2002, section 2.

    >>> ndcg([1, 0, 0]), round(ndcg([0, 1, 0]), 3), ndcg([0, 1, 0], k=1)
    (1.0, 0.631, 0.0)
    """
    relevances = _checked(relevances_in_rank_order, k)

    def gain(ranked: list[float]) -> float:
        return sum(relevance / math.log2(rank + 1) for rank, relevance in enumerate(ranked[:k], start=1))

    best = gain(sorted(relevances, reverse=True))
    return gain(relevances) / best if best else 0.0


def recall(relevances_in_rank_order: Sequence[float], k: int) -> float:
    """Recall@k: the share of the relevant documents that is among the first k. Relevant is what is above 0.

    Shape: (documents,) relevances of 0 and more, as a list or a tensor -> a float in [0, 1].

    Raises:
        ValueError: as for `ndcg`, or no document is relevant: there is nothing to find.

    >>> recall([1, 0, 0, 1], k=2)
    0.5
    """
    relevant = [relevance > 0 for relevance in _checked(relevances_in_rank_order, k)]
    if not any(relevant):
        raise ValueError("no document is relevant, so recall is 0/0: leave this query out, or look at its labels")
    return sum(relevant[:k]) / sum(relevant)


def _checked(relevances, k) -> list[float]:
    """The relevances as a list, if they and k can be used."""
    if k is not None and (isinstance(k, bool) or not isinstance(k, int) or k < 1):
        raise ValueError(f"k={k!r}: expected a whole number of at least 1, how many places count")
    if isinstance(relevances, Tensor):
        relevances = relevances.tolist()
    try:
        values = [float(relevance) for relevance in relevances]
    except (TypeError, ValueError):
        raise ValueError(
            f"relevances: got {relevances!r:.60}, expected one list of numbers, in the order of the ranking"
        ) from None
    if not values:
        raise ValueError("relevances: got none; a ranking has at least one document")
    for rank, value in enumerate(values, start=1):
        if not (math.isfinite(value) and value >= 0):
            raise ValueError(f"the relevance at rank {rank} is {value}: expected a finite number of at least 0")
    return values


def spearman(scores: Sequence[float] | Tensor, gold: Sequence[float] | Tensor) -> float:
    """Spearman's rank correlation: the correlation of the ranks, 1 for the same order, -1 for the reverse one.

    Equal numbers share the mean of their ranks. 0 where one side has the same number everywhere. Equal to SciPy's
    `spearmanr`, which says NaN there.

    Shape: (P,) and (P,) -> a float in [-1, 1].

    Raises:
        ValueError: other shapes, fewer than two pairs, or a number that is not finite.

    >>> spearman([0.1, 0.2, 0.9], [1, 2, 3]), spearman([3.0, 2.0, 2.0], [1, 5, 5])
    (1.0, -1.0)
    """
    ranks = [_ranks(each) for each in _two_rows(scores, gold)]
    one, other = (each - each.mean() for each in ranks)
    scale = (one.square().sum() * other.square().sum()).sqrt()
    return min(1.0, max(-1.0, float(one @ other / scale))) if scale > 0 else 0.0


def auc(scores: Sequence[float] | Tensor, labels: Sequence[bool] | Tensor) -> float:
    """Area under the ROC curve: how often a row of label 1 scores above one of label 0; a tie counts half.

    It needs no threshold; 0.5 is chance. Equal to scikit-learn's `roc_auc_score`.

    Shape: (P,) and (P,) -> a float in [0, 1].

    Raises:
        ValueError: other shapes, a score that is not finite, or labels that are not 0 and 1, both of them.

    >>> auc([0.9, 0.8, 0.3, 0.3], [1, 0, 1, 0])
    0.625
    """
    scores, labels = _two_rows(scores, labels)
    if sorted(set(labels.tolist())) != [0.0, 1.0]:
        raise ValueError(f"labels are {sorted(set(labels.tolist()))[:4]}: expected 0 and 1, and at least one of each")
    positive = labels == 1
    count = int(positive.sum())
    above = _ranks(scores)[positive].sum() - count * (count + 1) / 2
    return float(above / (count * (len(labels) - count)))


def _two_rows(one, other) -> tuple[Tensor, Tensor]:
    """Both as (P,) float64, if they fit each other."""
    rows = [torch.as_tensor(each).detach().double().cpu() for each in (one, other)]
    if rows[0].dim() != 1 or rows[0].shape != rows[1].shape or len(rows[0]) < 2:
        shapes = [tuple(row.shape) for row in rows]
        raise ValueError(f"got {shapes[0]} and {shapes[1]}: expected two rows of the same length, two numbers at least")
    if not all(bool(row.isfinite().all()) for row in rows):
        raise ValueError("a number is NaN or infinite: look at what made it, it has no rank")
    return rows[0], rows[1]


def _ranks(values: Tensor) -> Tensor:
    """Ranks from 1; equal values share the mean of theirs: (P,) -> (P,) float64."""
    _, inverse, counts = values.unique(return_inverse=True, return_counts=True)
    last = counts.cumsum(0).double()  # the highest rank of each value
    return (last - (counts - 1) / 2)[inverse]


_ARTICLES = re.compile(r"\b(a|an|the)\b")
_WITHOUT_PUNCTUATION = str.maketrans("", "", string.punctuation)  # ASCII only: a dash of typographers stays


def squad_score(prediction: str, answers: str | Sequence[str]) -> tuple[float, float]:
    """Exact match and F1 of a predicted answer, each against the answer that suits it best.

    Both compare words, after lower-casing, without ASCII punctuation and without a, an and the. Exact match is 1 where
    all words are equal. F1 is the harmonic mean of precision and recall over the words, a word counting as often as
    both have it. No answer at all, `[]` or `""`, is right where the prediction is empty too; so "the" counts as empty.

    Raises:
        ValueError: the prediction is no text, or the answers are neither a text nor texts.

    Source: Rajpurkar et al. 2016, section 6.1; Rajpurkar et al. 2018 for questions without an answer.

    >>> squad_score("The Eiffel tower!", ["eiffel tower", "Paris"])
    (1.0, 1.0)
    >>> squad_score("in the old Paris", ["Paris"])  # 1 of 3 words is right, 1 of 1 is found
    (0.0, 0.5)
    """
    answers = [answers] if isinstance(answers, str) else answers
    if not isinstance(prediction, str):
        raise ValueError(f"prediction is a {type(prediction).__name__}, expected a text ('' for no answer)")
    if not isinstance(answers, Sequence) or not all(isinstance(answer, str) for answer in answers):
        raise ValueError(f"answers: got {answers!r:.60}, expected a list of texts ([] where there is no answer)")
    said = _answer_words(prediction)
    right = [_answer_words(answer) for answer in answers or [""]]
    return float(said in right), max(_word_f1(said, words) for words in right)


def _answer_words(text: str) -> list[str]:
    return _ARTICLES.sub(" ", text.lower().translate(_WITHOUT_PUNCTUATION)).split()


def _word_f1(said: list[str], right: list[str]) -> float:
    if not said or not right:
        return float(said == right)
    common = (Counter(said) & Counter(right)).total()
    return 2 * common / (len(said) + len(right))  # = 2PR / (P + R) with P = common / said, R = common / right


def entities(tags: Sequence[str]) -> list[tuple[str, int, int]]:
    """The entities in the BIO tags of one text: (type, first word, one past the last word).

    B-X begins an entity of type X, I-X goes on with it, O is outside. Predicted tags are often broken: an I-X that
    follows no X begins an entity as B-X would. That is how CoNLL counted, and how seqeval does.

    Raises:
        ValueError: a tag that is neither O nor B- or I- with a type.

    Source: Tjong Kim Sang and De Meulder 2003, section 2.3.

    >>> entities(["B-PER", "I-PER", "O", "I-LOC", "I-PER"])
    [('PER', 0, 2), ('LOC', 3, 4), ('PER', 4, 5)]
    """
    found: list[tuple[str, int, int]] = []
    open_type = None  # of the entity that the word before belongs to
    for place, tag in enumerate(tags):
        kind, dash, name = tag.partition("-") if isinstance(tag, str) else ("", "", "")
        if tag != "O" and not (kind in ("B", "I") and dash and name):
            raise ValueError(f"tag {place} is {tag!r}: expected 'O', or 'B-' or 'I-' and a type, such as 'B-PER'")
        if kind == "I" and name == open_type:
            found[-1] = (name, found[-1][1], place + 1)
        elif tag != "O":
            found.append((name, place, place + 1))
        open_type = name or None
    return found


def entity_scores(gold: Sequence[Sequence[str]], predicted: Sequence[Sequence[str]]) -> tuple[float, float, float]:
    """Precision, recall and F1 of whole entities: right is one whose type, first and last word are all right.

    Counted over all texts together. What has nothing to divide by is 0: the precision where no entity is predicted,
    the recall where there is none to find.

    Shape: one list of BIO tags for each text, in both; see `entities`.

    Raises:
        ValueError: another number of texts, or of tags in a text; a tag that is none; one list instead of lists.

    Source: Tjong Kim Sang and De Meulder 2003, section 2.3.

    >>> entity_scores([["B-PER", "I-PER", "O", "B-LOC"]], [["B-PER", "O", "O", "B-LOC"]])  # one of two is cut short
    (0.5, 0.5, 0.5)
    """
    if len(gold) != len(predicted):
        raise ValueError(f"gold has {len(gold)} texts, predicted {len(predicted)}: expected as many")
    right = found = there = 0
    for number, (expected, got) in enumerate(zip(gold, predicted, strict=True)):
        if isinstance(expected, str) or isinstance(got, str):
            raise ValueError("one text's tags: give a list of texts, each a list of tags: [tags]")
        if len(expected) != len(got):
            raise ValueError(f"text {number} has {len(expected)} gold tags and {len(got)} predicted ones")
        truth, guess = set(entities(expected)), set(entities(got))
        right, found, there = right + len(truth & guess), found + len(guess), there + len(truth)
    precision, recalled = right / max(found, 1), right / max(there, 1)
    return precision, recalled, 2 * right / max(found + there, 1)
