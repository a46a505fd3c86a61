"""Answers to 10.4, beat the bag of words with ten labels."""

import torch
from torch.nn import functional as F

from minibert import Encoder, corpora
from minibert.tasks.classification import features
from minibert.tasks.open_tuning import bag_of_words
from minibert.tokenization import load_tokenizer

NAMES = ["negative", "positive"]


def states(texts, pool="mean"):
    folder = corpora.path("minilm")
    return F.normalize(features(texts, Encoder.from_pretrained(folder), load_tokenizer(folder), pool), dim=-1)


def by_meaning(texts, labels, others):
    """Nearer to praise or to blame; the labels only say where the middle lies."""
    praise = states(["a great film", "a wonderful movie", "one of the most moving films of the year", "very funny"])
    blame = states(["a terrible film", "an awful movie", "one of the most boring films of the year", "very stupid"])
    known, asked = (states(some) @ (praise.mean(0) - blame.mean(0)) for some in (texts, others))
    middle = sum(known[[label == name for label in labels]].mean() for name in NAMES) / 2
    return [NAMES[int(one)] for one in asked > middle]


def with_centroids(texts, labels, others):
    """The means of both labels and the meaning of both words, added up; ten texts count half."""
    known, asked = states(texts), states(others)
    praise = states(["a great film", "a wonderful movie", "beautiful and moving", "very funny", "a clever story"])
    blame = states(["a terrible film", "an awful movie", "ugly and boring", "very stupid", "a dull story"])
    sides = [known[[label == name for label in labels]].mean(0) for name in NAMES]
    direction = F.normalize(sides[1] - sides[0], dim=0) / 2 + F.normalize(praise.mean(0) - blame.mean(0), dim=0)
    scores = asked @ direction
    return tuple(NAMES[int(one)] for one in scores > scores.median())


def majority(texts, labels, others):
    return [max(NAMES, key=labels.count)] * len(others)


def numbers(texts, labels, others):
    return torch.zeros(len(others), dtype=torch.long)


def by_chance(texts, labels, others):
    return [NAMES[place % 2] for place in range(len(others))]


RIGHT = {"by meaning": by_meaning, "with centroids": with_centroids}
WRONG = {
    "majority": (majority, "the same label everywhere"),
    "numbers": (numbers, "a label is 0"),
    "by chance": (by_chance, "% of the labels are right"),
    "a bag of words": (bag_of_words, "what words alone tell"),
    "nothing": (lambda *inputs: None, "predict returns None"),
    "of the given texts": (lambda texts, labels, others: labels, "a list of 150"),
}
