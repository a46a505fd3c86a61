"""Answers to 11.5, answer better than the sentence most alike."""

import inspect
from collections import Counter

from minibert.course.exercises import ex_11_5
from minibert.tasks.bags import words
from minibert.tasks.open_tuning import nearest_sentence, new_words


def other_way(*changes):
    """The solution with other choices: old and new pieces of its text."""
    source = inspect.getsource(ex_11_5.answers)
    for old, new in changes:
        assert old in source, old
        source = source.replace(old, new)
    names = dict(vars(ex_11_5))
    exec(source, names)
    return names["answers"]


def first_words(rows, questions):
    """No more than three of the new words."""
    return [" ".join(said.split()[:3]) for said in new_words(rows, questions)]


def longest_run(rows, questions):
    """The chapter's arm: the longest run of words that are neither in the question nor common."""
    texts_with = Counter(word for _, text, _ in rows for word in set(words(text)))
    common, found = {word for word, _ in texts_with.most_common(100)}, []
    for question, text in questions:
        asked, runs = set(words(question)), [[]]
        for word in words(nearest_sentence(question, text)):
            runs = [*runs, []] if word in asked or word in common else [*runs[:-1], [*runs[-1], word]]
        found.append(" ".join(max(runs, key=len)))
    return found


def sentences(rows, questions):
    return [nearest_sentence(question, text) for question, text in questions]


def most_frequent(rows, questions):
    """The answer that the given rows have most often."""
    known = [answer for _, _, answer in rows]
    return [max(known, key=known.count)] * len(questions)


def pairs(rows, questions):
    return [(0, 5)] * len(questions)


def of_rows(rows, questions):
    return [answer for _, _, answer in rows][1:]


RIGHT = {
    "a tuple, other common words, larger penalty": other_way(
        ("most_common(20)", "most_common(30)"),
        ("penalty=30.0", "penalty=60.0"),
        ("return given", "return tuple(given)"),
    ),
    "five likely pieces, endings": other_way(
        ("[:10]", "[:5]"),
        (
            "found.append((said",
            "numbers += [said.endswith(end) for end in ('s', 'ing', 'ion')]\n                found.append((said",
        ),
    ),
}
WRONG = {
    "the sentence": (sentences, "about the sentence itself"),
    "the new words": (new_words, "about what `new_words` gives"),
    "three new words": (first_words, "about what `new_words` gives"),
    "the chapter's longest run": (longest_run, "better than the sentence"),
    "the whole text": (lambda rows, questions: [text for _, text in questions], "answers are long"),
    "the most frequent answer": (most_frequent, "hardly a word"),
    "places": (pairs, "an answer is a tuple"),
    "answers of the rows": (of_rows, "a list of 360"),
    "empty": (lambda rows, questions: [""] * len(questions), "most answers are empty"),
    "nothing": (lambda rows, questions: None, "answers returns None"),
}
