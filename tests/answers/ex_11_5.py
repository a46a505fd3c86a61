"""Answers to 11.5, answer better than the sentence most alike."""

from minibert.tasks.bags import words
from minibert.tasks.open_tuning import nearest_sentence

COMMON = (
    "the a an of in on at to and or by for with from as is are was were be been it its this that these those which "
    "what who when how not can may also called known into their they has have had than more most such other one two"
).split()


def rest(question, text, size=4):
    """The words of the nearest sentence that neither the question has nor every text."""
    asked, kept = {word[:size] for word in words(question)}, words(nearest_sentence(question, text))
    return [word for word in kept if word[:size] not in asked and word not in COMMON]


def with_a_list(rows, questions):
    return tuple(" ".join(rest(*one)) for one in questions)


def first_words(rows, questions):
    """No more than four of them, and no answer longer than that."""
    return [" ".join(rest(*one)[:4]) or nearest_sentence(*one) for one in questions]


def sentences(rows, questions):
    return [nearest_sentence(*one) for one in questions]


def most_frequent(rows, questions):
    """The answer that the given rows have most often."""
    known = [answer for _, _, answer in rows]
    return [max(known, key=known.count)] * len(questions)


def pairs(rows, questions):
    return [(0, 5)] * len(questions)


def of_rows(rows, questions):
    return [answer for _, _, answer in rows]


RIGHT = {"with a list of words": with_a_list, "the first words": first_words}
WRONG = {
    "the sentence": (sentences, "about the sentence itself"),
    "the whole text": (lambda rows, questions: [text for _, text in questions], "answers are long"),
    "the most frequent answer": (most_frequent, "hardly a word"),
    "places": (pairs, "an answer is a tuple"),
    "answers of the rows": (of_rows, "a list of 300"),
    "empty": (lambda rows, questions: [""] * len(questions), "most answers are empty"),
    "nothing": (lambda rows, questions: None, "answers returns None"),
}
