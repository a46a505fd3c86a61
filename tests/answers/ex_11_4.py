"""Answers to 11.4, F1 of entities."""

import re

import torch

from minibert.tasks import metrics


def package_entities(tags):
    return metrics.entities(tags)


def as_seqeval(tags):
    """By its rules for the end and the start of a chunk."""
    found, begin = [], 0
    split = [(tag[0], tag[2:] or "_") for tag in [*tags, "O"]]
    before, kind_before = "O", ""
    for place, (tag, kind) in enumerate(split):
        ends = before != "O" and (tag in "BO" or kind != kind_before)
        starts = tag == "B" or (tag == "I" and (before == "O" or kind != kind_before))
        if ends:
            found.append([kind_before, begin, place])
        begin = place if starts else begin
        before, kind_before = tag, kind
    return [tuple(one) for one in found]


def f1_of(find):
    def f1(gold, predicted):
        truth = {(text, *one) for text, tags in enumerate(gold) for one in find(tags)}
        guess = {(text, *one) for text, tags in enumerate(predicted) for one in find(tags)}
        right = len(truth & guess)
        p, r = right / (len(guess) or 1), right / (len(truth) or 1)
        return p, r, 2 * p * r / (p + r) if right else 0

    return f1


def in_tensors(gold, predicted):
    return [torch.tensor(one, dtype=torch.float64) for one in metrics.entity_scores(gold, predicted)]


def strict(tags):
    """IOB2 as it should be: an I- without its B- is ignored."""
    text = " ".join(tags)
    found = set()
    for match in re.finditer(r"(?<!\S)B-(\S+)(?: I-\1(?!\S))*", text):
        first = text[: match.start()].count(" ")
        found.add((match.group(1), first, first + len(match.group().split())))
    return found


def inclusive(tags):
    return {(kind, first, end - 1) for kind, first, end in metrics.entities(tags)}


def runs(tags):
    """Neighbours of one type are one entity."""
    found, kinds = set(), [tag[2:] for tag in tags]
    for place, kind in enumerate(kinds):
        if kind and (place == 0 or kinds[place - 1] != kind):
            end = next((n for n in range(place, len(kinds)) if kinds[n] != kind), len(kinds))
            found.add((kind, place, end))
    return found


def with_words(tags):
    return {(kind, tuple(range(first, end))) for kind, first, end in metrics.entities(tags)}


def dictionary(tags):
    return {(first, end): kind for kind, first, end in metrics.entities(tags)}


def of_tokens(gold, predicted):
    """scikit-learn's micro average over tags without O."""
    pairs = [(a, b) for one, other in zip(gold, predicted, strict=True) for a, b in zip(one, other, strict=True)]
    right = sum(a == b != "O" for a, b in pairs)
    p, r = right / max(1, sum(b != "O" for _, b in pairs)), right / max(1, sum(a != "O" for a, _ in pairs))
    return p, r, 2 * p * r / (p + r) if right else 0.0


def macro(gold, predicted):
    parts = [metrics.entity_scores([one], [other]) for one, other in zip(gold, predicted, strict=True)]
    return tuple(sum(one) / len(parts) for one in zip(*parts, strict=True)) if parts else (0.0, 0.0, 0.0)


def partial(gold, predicted):
    """Half a point for an overlap."""
    right = guessed = there = 0.0
    for one, other in zip(gold, predicted, strict=True):
        truth, guess = metrics.entities(one), metrics.entities(other)
        guessed, there = guessed + len(guess), there + len(truth)
        for kind, a, b in guess:
            if (kind, a, b) in truth:
                right += 1
            elif any(k == kind and a < d and c < b for k, c, d in truth):
                right += 0.5
    return right / max(1, guessed), right / max(1, there), 2 * right / max(1, guessed + there)


FIND, SCORE = package_entities, metrics.entity_scores
RIGHT = {
    "the package": (lambda tags: set(FIND(tags)), SCORE),
    "as seqeval": (as_seqeval, f1_of(as_seqeval)),
    "tensors": (as_seqeval, in_tensors),
}
WRONG = {
    "strict": ((strict, SCORE), "I- without an entity|begins an entity|begins a new"),
    "inclusive": ((inclusive, SCORE), "one past the last word"),
    "runs of a type": ((runs, SCORE), "B- right after"),
    "with words": ((with_words, SCORE), "a set of"),
    "a dictionary": ((dictionary, SCORE), "the answer is a dict"),
    "strict scores": ((FIND, f1_of(strict)), "broken tags"),
    "of tokens": ((FIND, of_tokens), "words are counted"),
    "macro": ((FIND, macro), "the mean over the texts"),
    "half points": ((FIND, partial), "cut short"),
    "F1 only": ((FIND, lambda *inputs: SCORE(*inputs)[2]), "precision, recall, F1"),
    "nothing": ((lambda tags: None, SCORE), "return"),
    "no score": ((FIND, lambda *inputs: None), "return"),
}
