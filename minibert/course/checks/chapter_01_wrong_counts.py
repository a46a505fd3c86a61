"""Exercise 1.2: the solution, and tables of neighbours that went wrong on the way."""

from collections import Counter

import torch

from minibert.course.exercise import Mutant


def _co_occurrence(sentences, vocabulary, window):
    counts = torch.zeros(vocabulary, vocabulary)
    for sentence in sentences:
        for place, word in enumerate(sentence):
            for other in range(max(0, place - window), min(len(sentence), place + window + 1)):
                if other != place:
                    counts[word, sentence[other]] += 1
    return counts


def _counting(neighbours):
    """A table from what `neighbours(sentence, place, window)` takes for the words around a place."""

    def co_occurrence(sentences, vocabulary, window):
        counts = torch.zeros(vocabulary, vocabulary)
        for sentence in sentences:
            for place, word in enumerate(sentence):
                for other in neighbours(sentence, place, window):
                    counts[word, other] += 1
        return counts

    return co_occurrence


def _right_side(sentence, place, window):
    return sentence[place + 1 : place + window + 1]


def _left_side(sentence, place, window):
    return sentence[max(0, place - window) : place]


def _with_itself(sentence, place, window):
    return sentence[max(0, place - window) : place + window + 1]


def _too_narrow(sentence, place, window):
    return sentence[max(0, place - window + 1) : place] + sentence[place + 1 : place + window]


def _too_wide(sentence, place, window):
    return _left_side(sentence, place, window + 1) + _right_side(sentence, place, window + 1)


def _right_side_short(sentence, place, window):
    return _left_side(sentence, place, window) + sentence[place + 1 : place + window]


def _slice_below_zero(sentence, place, window):
    return sentence[place - window : place] + _right_side(sentence, place, window)


def _other_words(sentence, place, window):
    return [word for word in _with_itself(sentence, place, window) if word != sentence[place]]


def _full_windows(sentence, place, window):
    is_full = window <= place < len(sentence) - window
    return _left_side(sentence, place, window) + _right_side(sentence, place, window) if is_full else []


def _index_below_zero(sentences, vocabulary, window):
    counts = torch.zeros(vocabulary, vocabulary)
    for sentence in sentences:
        for place, word in enumerate(sentence):
            for step in range(1, window + 1):
                if place - step >= -len(sentence):
                    counts[word, sentence[place - step]] += 1
                if place + step < len(sentence):
                    counts[word, sentence[place + step]] += 1
    return counts


def _across_borders(sentences, vocabulary, window):
    return _co_occurrence([[word for sentence in sentences for word in sentence]], vocabulary, window)


def _twice(sentences, vocabulary, window):
    counts = _co_occurrence(sentences, vocabulary, window)
    return counts + counts.T


def _under_the_smaller(sentences, vocabulary, window):
    counts = torch.zeros(vocabulary, vocabulary)
    for sentence in sentences:
        for place, word in enumerate(sentence):
            for other in _right_side(sentence, place, window):
                counts[min(word, other), max(word, other)] += 1
    return counts


def _diagonal_once(sentences, vocabulary, window):
    counts = torch.zeros(vocabulary, vocabulary)
    for sentence in sentences:
        for place, word in enumerate(sentence):
            for other in _right_side(sentence, place, window):
                counts[word, other] += 1
                if other != word:
                    counts[other, word] += 1
    return counts


def _sets_to_one(sentences, vocabulary, window):
    return _co_occurrence(sentences, vocabulary, window).clamp(max=1)


def _adds_at_once(sentences, vocabulary, window):
    counts = torch.zeros(vocabulary, vocabulary)
    for sentence in sentences:
        for place, word in enumerate(sentence):
            around = _left_side(sentence, place, window) + _right_side(sentence, place, window)
            counts[word, torch.tensor(around, dtype=torch.long)] += 1
    return counts


def _weighs_by_distance(sentences, vocabulary, window):
    counts = torch.zeros(vocabulary, vocabulary)
    for sentence in sentences:
        for place, word in enumerate(sentence):
            for other in range(max(0, place - window), min(len(sentence), place + window + 1)):
                if other != place:
                    counts[word, sentence[other]] += 1 / abs(place - other)
    return counts


def _as_dictionary(sentences, vocabulary, window):
    return Counter((one, other) for sentence in sentences for one in sentence for other in sentence)


def _only_words_seen(sentences, vocabulary, window):
    size = 1 + max((word for sentence in sentences for word in sentence), default=0)
    return _co_occurrence(sentences, size, window)


def _empties_the_sentences(sentences, vocabulary, window):
    counts = _co_occurrence(sentences, vocabulary, window)
    for sentence in sentences:
        sentence.clear()
    return counts


WRONG_COUNTS = [
    Mutant("to the right only", _counting(_right_side), "words to the right"),
    Mutant("to the left only", _counting(_left_side), "words to the left"),
    Mutant("counts itself", _counting(_with_itself), "counts itself"),
    Mutant("across the border of sentences", _across_borders, "crosses the border"),
    Mutant("one step too narrow", _counting(_too_narrow), "too narrow"),
    Mutant("one step too wide", _counting(_too_wide), "too wide"),
    Mutant("the right side one step short", _counting(_right_side_short), "right side is one step short"),
    Mutant("a pair twice", _twice, "counted twice"),
    Mutant("not symmetric", _under_the_smaller, "not symmetric"),
    Mutant("the diagonal once", _diagonal_once, "near itself is counted once"),
    Mutant("compares words, not places", _counting(_other_words), "words are compared"),
    Mutant("only full windows", _counting(_full_windows), "near the ends are left out"),
    Mutant("an index below 0", _index_below_zero, "index below 0"),
    Mutant("a slice below 0", _counting(_slice_below_zero), "slice that begins below 0"),
    Mutant("sets to 1", _sets_to_one, "do not set to 1"),
    Mutant("adds many at once", _adds_at_once, "accumulate=True"),
    Mutant("1 / distance", _weighs_by_distance, "1 / distance"),
    Mutant("a dictionary", _as_dictionary, r"(?s)a value of type Counter.*\(3, 3\)"),
    Mutant("rows for the words it has seen", _only_words_seen, r"(?s)shape \(5, 5\).*\(6, 6\)"),
    Mutant("empties the sentences", _empties_the_sentences, "your code changes an input"),
]
