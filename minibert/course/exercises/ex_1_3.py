"""1.3 What no bag of words can see. Two sentences with one bag, and the best that any reader of bags can do."""

import re
from collections import Counter
from itertools import groupby

import torch

from minibert.course.lab import Case, Exercise, Lab, Wrong
from minibert.course.tools import as_float, call, expect_steady, kind_of, show


def twins():
    """Two sentences with the same words, each as often, in another order."""
    return "The storm followed the ship.", "The ship followed the storm."


def bag_ceiling(texts, labels):
    """The largest share of texts that a classifier can get right if it sees only how often each word occurs."""
    groups = {}
    for text, label in zip(texts, labels, strict=True):
        bag = tuple(sorted(text))  # without order, but every word as often as it occurs, which a set would forget
        groups.setdefault(bag, []).append(label)
    right = sum(max(group.count(label) for label in group) for group in groups.values())
    return right / len(texts)


EXAMPLE = ["bites", "dog", "man"]
TOO_SHORT = "two sentences of at least three words"
SAME = "capital letters and full stops do not count; change the order of the words"
OTHER = "one bag means: every word occurs equally often in both, in the very same form"
OWN = "these are the sentences of the example: find two of your own"


def expect_twins(answer, rng):
    got = expect_steady(answer)
    if type(got) not in (tuple, list) or len(got) != 2 or not all(isinstance(one, str) for one in got):
        cause = "is the `return` missing?" if got is None else "two texts in quotes, with a comma between them"
        seen = show(got) if isinstance(got, str) else kind_of(got)
        raise Wrong(f"the result is {seen}", "two sentences: (text, text)", cause)
    first, second = (re.findall(r"[^\W_]+(?:['’-][^\W_]+)*", text.lower()) for text in got)
    if min(len(first), len(second)) < 3:
        raise Wrong(f"the result is {show(got)}", TOO_SHORT, f"find {TOO_SHORT}")
    if first == second:
        raise Wrong("the same words stand in the same order twice", "another order", SAME)
    if rest := Counter(first) - Counter(second) or Counter(second) - Counter(first):
        word, times = next(iter(rest.items()))
        where = "first" if Counter(first)[word] > Counter(second)[word] else "second"
        seen = f"the {where} sentence has {word!r} {times} time{'s' * (times > 1)} more than the other"
        raise Wrong(seen, "two sentences with one bag", OTHER)
    if sorted(first) == EXAMPLE:
        raise Wrong(f"the result is {show(got)}", "two sentences of your own", OWN)


SECOND = "The ship followed the storm."
NO_TWINS = {
    SAME: {SECOND: "the storm followed the ship"},
    OTHER: {SECOND: "A ship followed the storm."},
    f"find {TOO_SHORT}": {"The storm followed the ship.": "storm ship", SECOND: "ship storm"},
    OWN: {"The storm followed the ship.": "Man bites dog", SECOND: "Dog bites man"},
    "two texts in quotes, with a comma between them": {f', "{SECOND}"': ""},
}


def cases(rng):
    words = dict(a="dogs", b="chase", c="cats", d="sleep")
    by_hand = (
        ("ab ba c", [0, 1, 0], "ab and ba are one bag with two labels, so one of them is lost: 2 of 3"),
        ("aab abb", [0, 1], "a twice is another bag than b twice: no text is lost"),
        ("aabb abbb", [0, 1], "two and two are another bag than one and three: no text is lost"),
        ("ab aabb", [0, 1], "the mixture is the same, the bags are not: a bag knows how often, so no text is lost"),
        ("aab aaab", [0, 1], "a twice is another bag than a three times: no text is lost"),
        ("ab ba cd dc", [0, 1, 1, 0], "two bags with two labels each: one text of each is lost"),
        ("ab ba ab c", [1, 1, 0, 0], "the bag ab has the labels 1, 1, 0: answer 1, and lose one text of four"),
        ("ab ba ab ba", [0, 1, 2, 2], "the bag has the labels 0, 1, 2, 2: answer 2"),
        ("ab ba ab ba abc", [0, 2, 1, 2, 0], "the bag ab has the labels 0, 2, 1, 2: two of four are right"),
    )
    for letters, labels, cause in by_hand:
        texts = [[words[letter] for letter in text] for text in letters.split()]
        spoken = ", ".join(" ".join(text) for text in texts)
        yield Case((texts, labels), cause, f"for {spoken} with the labels {show(labels)}, the result", tolerance=2e-4)
    for longest in (2, 2, 3, 3):
        lengths = torch.randint(1, longest + 1, (24,), generator=rng).tolist()
        texts = [[("go", "og", "up")[i] for i in torch.randint(0, 3, (n,), generator=rng).tolist()] for n in lengths]
        labels, cause = torch.randint(0, 3, (24,), generator=rng).tolist(), f"random texts of one to {longest} words"
        yield Case((texts, labels), cause, "for 24 random texts with three labels, the result", tolerance=2e-4)
    marks = [*(mark for mark in map(chr, range(128)) if not mark.isalnum()), "", ", ", "', '", " | ", "<sep>"]
    # Two texts of other words each, which `mark.join(sorted(text))` makes one.
    texts = [text for mark in marks for text in ([f"a{mark}b", "c"], ["a", f"b{mark}c"])]
    labels, name = [0, 1] * (len(texts) // 2), "for words with spaces and commas in them, the result"
    yield Case((texts, labels), JOINED, name, tolerance=2e-4)
    texts, name = [["us"], ["US"], ["us."], [" us"], ["1"], ["01"]], "for the words 'us', 'US', 'us.', ' us', '1', '01'"
    yield Case((texts, [0, 1, 2, 3, 0, 1]), CHANGED, f"{name}, the result", tolerance=2e-4)


JOINED = "words are joined to one string, and other words may give the same string: keep them apart, in a tuple"
CHANGED = "words are changed before they are compared; only equal strings are the same word"
COUNTS, PER_BAG = "tuple(sorted(map(text.count, set(text))))", "right / len(groups)"
BAG, BEST, RIGHT = "tuple(sorted(text))", "max(group.count(label) for label in group)", "right / len(texts)"


def groups_neighbours_only(texts, labels):
    runs = groupby(zip(texts, labels, strict=True), key=lambda pair: sorted(pair[0]))
    return sum(max(Counter(label for _, label in run).values()) for _, run in runs) / len(texts)


MISTAKES = {
    "the order is still in the bag, so every text has its own: sort or count the words": {BAG: "tuple(text)"},
    "a set forgets how often a word occurs; a bag counts: Counter, or the sorted words": {BAG: "frozenset(text)"},
    "which words there are, and how many in all: not which word comes twice": {BAG: "(frozenset(text), len(text))"},
    "which words there are, and the counts apart; not which has which": {BAG: f"(frozenset(text), {COUNTS})"},
    "texts of the same length are put together: compare their words": {BAG: "len(text)"},
    "the bag is made of letters: other words with the same letters share it": {BAG: '"".join(sorted("".join(text)))'},
    CHANGED: {BAG: "tuple(sorted(word.lower() for word in text))"},
    f"{CHANGED}: punctuation is stripped": {BAG: 'tuple(sorted(word.strip(".,;: ") for word in text))'},
    "shares of the words, not their counts": {BAG: "frozenset((w, text.count(w) / len(text)) for w in text)"},
    "the counts without the words: two texts with other words have the same bag": {BAG: COUNTS},
    "all texts are put together: this is the most frequent label, the baseline that sees nothing": {BAG: "0"},
    "only the first word is compared": {BAG: "text[0]"},
    "only the last word is compared": {BAG: "text[-1]"},
    "neighbouring pairs of words are compared; a bag knows no neighbours": {BAG: "tuple(sorted(zip(text, text[1:])))"},
    "texts with a bag of their own are left out; they can be right, too": {BEST: f"{BEST} * (len(group) > 1)"},
    "a label needs no majority, only to be the most frequent one": {BEST: f"{BEST} * (2 * {BEST} > len(group))"},
    "bags with two labels count as lost; one of them is still right": {BEST: "len(group) * (len(set(group)) == 1)"},
    "each bag counts one right answer; its most frequent label may be right several times": {BEST: "1"},
    "each bag answers with the last label it saw, not with the most frequent one": {BEST: "group.count(group[-1])"},
    "each bag answers with the first label it saw, not with the most frequent one": {BEST: "group.count(group[0])"},
    "each bag answers with its rarest label": {BEST: "min(group.count(label) for label in group)"},
    "each bag answers with its largest label; the labels are names, not sizes": {BEST: "group.count(max(group))"},
    "only the labels 0 and 1 are counted; there may be more": {BEST: "max(group.count(0), group.count(1))"},
    "each bag guesses at random; take its most frequent label": {BEST: "sum(map(group.count, group)) / len(group)"},
    "this is the average over the bags; add up texts, divide by N": {BEST: f"{BEST} / len(group)", RIGHT: PER_BAG},
    "the sum is divided by the number of bags; divide by the number of texts": {RIGHT: PER_BAG},
    "this is how many texts are lost; wanted is the share that can be right": {RIGHT: f"1 - {RIGHT}"},
    "this is the number of texts; divide by N": {RIGHT: "right"},
    "this is in percent; wanted is a share from 0 to 1": {RIGHT: f"100 * {RIGHT}"},
    "whole numbers: // throws the fraction away, / keeps it": {RIGHT: "right // len(texts)"},
    "the result is rounded": {RIGHT: f"round({RIGHT}, 2)"},
    "always one half: that is what minimal pairs give, other texts give more": {RIGHT: "0.5"},
    "only neighbours in the list are put together: groupby wants its input sorted": groups_neighbours_only,
}

EXERCISE = Exercise(
    minutes=20,
    difficulty=2,
    signature="(twins, bag_ceiling): twins() -> two sentences, "
    "bag_ceiling(texts: list of N lists of words, labels: list of N ints) -> a share from 0 to 1",
    hints=(
        "Whoever sees only the bag gives one answer to each bag: texts with the same bag all get the same label.\n"
        "So group the texts by their bags, and ask which single answer is right most often in each group.",
        "N texts have at most N bags. A group of m texts has m labels; the label that occurs most often\n"
        "among them is right for that many of the m. These counts add up over the groups, and N divides the sum.",
        "for each text: its bag is what remains when the order is taken away, and nothing else is:\n"
        "               every word, as often as it occurs\n"
        "               put its label into the group of this bag\n"
        "right = for each group, how often its most frequent label occurs, added up\n"
        "return right, as a share of all texts",
    ),
    parts=(
        Lab(twins, lambda rng: (), NO_TWINS, before=expect_twins),
        Lab(bag_ceiling, cases, MISTAKES, lambda answer, *inputs: as_float(call(answer, *inputs))),
    ),
)
