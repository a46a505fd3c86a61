"""Answers to 18.4, transfer measured without a leak."""

import re
from collections import Counter, defaultdict

import numpy as np

from minibert.course.exercises.ex_18_4 import transfer


def form(text):
    return re.sub(r"[\W_]", "", text.lower())


def by_counter(rows, held_out, learn_vectors, learn_labels, key=form, same=None, asks=None, at_once=False):
    """The solution in another style; the named arguments break it."""
    asks = asks or (lambda row: held_out(key(row[1])))
    train = [row for row in rows if row[0] == "en" and not held_out(key(row[1]))]
    encode = learn_vectors([row[2] for row in train])
    predict = learn_labels(encode([row[2] for row in train]), [row[3] for row in train])
    top = Counter(row[3] for row in train).most_common(1)[0][0]
    english = {form(row[1]) for row in rows}
    same = same or (lambda row: form(row[2]) in english)
    tests = [row for row in rows if asks(row) and (row[0] == "en" or not same(row))]
    if at_once:
        guesses = predict(encode([row[2] for row in tests]))
    else:
        guesses = [predict(encode([row[2]]))[0] for row in tests]
    results = defaultdict(list)
    for row, guess in zip(tests, guesses, strict=True):
        results[row[0]].append((guess == row[3], top == row[3]))
    pairs = {language: np.mean(result, axis=0) for language, result in results.items()}
    return pairs | {"mean": np.mean([pair for language, pair in pairs.items() if language != "en"], axis=0)}


def one_by_one(*given):
    return by_counter(*given)


def all_at_once(*given):
    return by_counter(*given, at_once=True)


def as_lists(*given):
    return {language: list(pair) for language, pair in transfer(*given).items()}


def raw_texts(rows, held_out, *learn):
    return by_counter(rows, held_out, *learn, key=lambda text: text, at_once=True)


def by_line(rows, held_out, *learn):
    return by_counter(rows, held_out, *learn, asks=lambda row: held_out(form(row[2])), at_once=True)


def no_filter(*given):
    return by_counter(*given, same=lambda row: False, at_once=True)


def no_filter_one_by_one(*given):
    return by_counter(*given, same=lambda row: False)


def own_english(*given):
    return by_counter(*given, same=lambda row: form(row[2]) == form(row[1]), at_once=True)


def equal_only(rows, *given):
    english = {row[1] for row in rows}
    return by_counter(rows, *given, same=lambda row: row[2] in english, at_once=True)


def no_split(rows, held_out, *learn):
    """Learns from all English rows, tests all others."""
    return by_counter(rows, lambda text: False, *learn, asks=lambda row: True, at_once=True)


def every_language(rows, held_out, learn_vectors, learn_labels):
    train = [row for row in rows if not held_out(form(row[1]))]
    encode = learn_vectors([row[2] for row in train])
    learn_labels(encode([row[2] for row in train]), [row[3] for row in train])
    return {}


def vocabulary_of_all(rows, held_out, learn_vectors, learn_labels):
    return transfer(rows, held_out, lambda texts: learn_vectors([row[2] for row in rows]), learn_labels)


def vectors_of_the_test(rows, held_out, learn_vectors, learn_labels):
    """Learns vectors anew for whatever it encodes."""
    return transfer(rows, held_out, lambda texts: lambda some: learn_vectors(some)(some), learn_labels)


def accuracy_alone(*given):
    return {language: pair[0] for language, pair in transfer(*given).items()}


def without_mean(*given):
    return {language: pair for language, pair in transfer(*given).items() if language != "mean"}


def exchanged(*given):
    return {language: pair[::-1] for language, pair in transfer(*given).items()}


def mean_of_english_too(*given):
    found = transfer(*given)
    pairs = [pair for language, pair in found.items() if language != "mean"]
    return found | {"mean": tuple(np.mean(pairs, axis=0))}


def baseline_of_the_test(rows, held_out, *learn):
    found = transfer(rows, held_out, *learn)
    english = {form(row[1]) for row in rows}
    for language in set(found) - {"mean"}:
        labels = [row[3] for row in rows if row[0] == language and held_out(form(row[1]))
                  and (language == "en" or form(row[2]) not in english)]  # fmt: skip
        found[language] = (found[language][0], Counter(labels).most_common(1)[0][1] / len(labels))
    return found


def letters_of_english(*given):
    return by_counter(*given, key=lambda text: re.sub("[^a-z0-9]", "", text.lower()))


def without_digits(*given):
    return by_counter(*given, key=lambda text: "".join(filter(str.isalpha, text.lower())))


def underscores_kept(*given):
    return by_counter(*given, key=lambda text: re.sub(r"\W", "", text.lower()))


def normal_forms(rows, *given):
    return transfer([(own, form(english), form(text), label) for own, english, text, label in rows], *given)


RIGHT = {"one by one": one_by_one, "all at once": all_at_once, "lists": as_lists}
WRONG = {
    "raw texts": (raw_texts, "are one message"),
    "a to z": (letters_of_english, "leak|accuracy|baseline"),
    "no digits": (without_digits, "leak|accuracy|baseline"),
    "underscores": (underscores_kept, "leak|accuracy|baseline"),
    "normal forms": (normal_forms, "the texts themselves"),
    "by line": (by_line, "split by line"),
    "no filter": (no_filter, "the same as in English"),
    "no filter, one by one": (no_filter_one_by_one, "the same as in English|accuracy"),
    "own English": (own_english, "another message"),
    "equal only": (equal_only, "normal forms"),
    "no split": (no_split, "leak"),
    "every language": (every_language, "other languages"),
    "vocabulary of all": (vocabulary_of_all, "vectors are learned from other languages"),
    "vectors of the test": (vectors_of_the_test, "vectors are learned from"),
    "accuracy alone": (accuracy_alone, "a pair"),
    "without mean": (without_mean, "mean"),
    "exchanged": (exchanged, "accuracy"),
    "English in the mean": (mean_of_english_too, "English is in the mean"),
    "baseline of the test": (baseline_of_the_test, "mean: baseline|baseline is"),
    "nothing": (lambda *given: None, "None"),
}
