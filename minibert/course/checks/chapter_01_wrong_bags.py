"""Exercise 1.3: the solution, sentences that are no twins, and ceilings that are too high or too low."""

from collections import Counter, defaultdict

from minibert.course.exercise import Mutant


def _twins():
    return "The river feeds the lake.", "The lake feeds the river."


def _bag_ceiling(texts, labels):
    heaps = defaultdict(Counter)
    for text, label in zip(texts, labels, strict=True):
        heaps[tuple(sorted(text))][label] += 1
    return sum(max(heap.values()) for heap in heaps.values()) / len(texts)


def _ceiling_by(bag, right=lambda heap: max(heap.values())):
    def ceiling(texts, labels):
        heaps = defaultdict(Counter)
        for text, label in zip(texts, labels, strict=True):
            heaps[bag(text)][label] += 1
        return sum(right(heap) for heap in heaps.values()) / len(texts)

    return ceiling


def _last_label_wins(texts, labels):
    learned = {tuple(sorted(text)): label for text, label in zip(texts, labels, strict=True)}
    return sum(learned[tuple(sorted(text))] == label for text, label in zip(texts, labels, strict=True)) / len(texts)


def _averages_the_heaps(texts, labels):
    heaps = defaultdict(Counter)
    for text, label in zip(texts, labels, strict=True):
        heaps[tuple(sorted(text))][label] += 1
    return sum(max(heap.values()) / sum(heap.values()) for heap in heaps.values()) / len(heaps)


def _not_written(*arguments):
    raise NotImplementedError("write your answer here")


def _sorted(text):
    return tuple(sorted(text))


def _unanimous(heap):
    return sum(heap.values()) if len(heap) == 1 else 0


WRONG_BAGS = [
    Mutant("the same sentence twice", (lambda: ("We eat to live.", "we eat to live"), _bag_ceiling), "same order"),
    Mutant("other words", (lambda: ("She likes him.", "He likes her."), _bag_ceiling), "'she' 1 time more"),
    Mutant("the same words, another number", (lambda: ("the dog saw dog", "dog saw the"), _bag_ceiling), "'dog' 1"),
    Mutant("the example", (lambda: ("Dog bites man", "Man bites dog"), _bag_ceiling), "of the example"),
    Mutant("words, not sentences", (lambda: ("dog", "god"), _bag_ceiling), "at least three words"),
    Mutant("one sentence", (lambda: "We eat to live.", _bag_ceiling), "two sentences"),
    Mutant("a set", (_twins, _ceiling_by(frozenset)), "a set forgets how often"),
    Mutant("the order in the bag", (_twins, _ceiling_by(tuple)), "order is still in the bag"),
    Mutant("the length", (_twins, _ceiling_by(len)), "same length share a heap"),
    Mutant("letters", (_twins, _ceiling_by(lambda text: _sorted("".join(text)))), "made of letters"),
    Mutant("heaps must be unanimous", (_twins, _ceiling_by(_sorted, _unanimous)), "two labels count as lost"),
    Mutant("one right answer a heap", (_twins, _ceiling_by(_sorted, lambda heap: 1)), "one right answer"),
    Mutant("the last label", (_twins, _last_label_wins), "last label"),
    Mutant("average over the heaps", (_twins, _averages_the_heaps), "average over the heaps"),
    Mutant("one half", (_twins, lambda texts, labels: 0.5), "always one half"),
    Mutant("bag_ceiling not written", (_twins, _not_written), "bag_ceiling is not written yet"),
    Mutant("twins not written", (_not_written, _bag_ceiling), "twins is not"),
    Mutant("one function only", (_twins,), "both functions"),
]
