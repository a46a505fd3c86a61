"""Exercise 1.3: two sentences with one bag, and the best that any reader of bags can do."""

import re
from collections import Counter, defaultdict
from collections.abc import Callable
from itertools import groupby

import torch

from minibert.course.checks.chapter_01_blame import blame
from minibert.course.exercise import NotAttempted, Wrong
from minibert.course.expect import expect_number, expect_steady
from minibert.course.tools import call, kind_of, show

EXAMPLE = ["dog", "bites", "man"]
CASES = (  # texts, labels, why the ceiling is what it is
    ("ab ba c", [0, 1, 0], "ab and ba are one bag with two labels, so one of them is lost: 2 of 3"),
    ("aab abb", [0, 1], "a twice is another bag than b twice: no text is lost"),
    ("ab aabb", [0, 1], "the mixture is the same, the bags are not: a bag knows how often, so no text is lost"),
    ("ab ba cd dc", [0, 1, 1, 0], "two bags with two labels each: one text of each is lost"),
    ("ab ba ab c", [1, 1, 0, 0], "the bag ab has the labels 1, 1, 0: answer 1, and lose one text of four"),
    ("ab ba ab ba", [0, 1, 2, 2], "the bag has the labels 0, 1, 2, 2: answer 2"),
    ("ab ba ab ba abc", [0, 2, 1, 2, 0], "the bag ab has the labels 0, 2, 1, 2: two of four are right"),
)


def _texts(letters: str) -> list[list[str]]:
    words = dict(a="dogs", b="chase", c="cats", d="sleep")
    return [[words[letter] for letter in text] for text in letters.split()]


def _bag(text: list[str]) -> tuple:
    return tuple(sorted(text))


def _most(labels: list[int]) -> float:
    return max(Counter(labels).values())


def _ceiling(texts, labels, bag: Callable = _bag, right: Callable = _most) -> float:
    """The right answer, with its two choices exchangeable: what a bag is, and how many of its texts can be right."""
    heaps = defaultdict(list)
    for text, label in zip(texts, labels, strict=True):
        heaps[bag(text)].append(label)
    return sum(right(heap) for heap in heaps.values()) / len(texts)


def _other_bag(bag: Callable) -> Callable:
    return lambda texts, labels: _ceiling(texts, labels, bag)


def _other_count(right: Callable) -> Callable:
    return lambda texts, labels: _ceiling(texts, labels, right=right)


def _mean_of_heaps(texts, labels):
    bags = {_bag(text) for text in texts}
    return _ceiling(texts, labels, right=lambda heap: _most(heap) / len(heap)) * len(texts) / len(bags)


def _runs(texts, labels):
    runs = groupby(zip(texts, labels, strict=True), key=lambda pair: _bag(pair[0]))
    return sum(_most([label for _, label in run]) for _, run in runs) / len(texts)


MISTAKES = {
    "the order is still in the bag, so that every text has a bag of its own: sort the words, or count them": _other_bag(
        tuple
    ),
    "a set forgets how often a word occurs; a bag counts: Counter, or the sorted words": _other_bag(frozenset),
    "texts of the same length share a heap: compare their words": _other_bag(len),
    "the bag is made of letters, so that other words with the same letters share a heap: keep words whole": _other_bag(
        lambda text: "".join(sorted("".join(text)))
    ),
    "shares of the words instead of counts: two texts of one mixture and different lengths are two bags": _other_bag(
        lambda text: frozenset((word, text.count(word) / len(text)) for word in text)
    ),
    "the counts without the words: two texts with other words share a heap": _other_bag(
        lambda text: tuple(sorted(Counter(text).values()))
    ),
    "all texts share one heap: this is the most frequent label, the baseline that sees nothing": _other_bag(
        lambda text: 0
    ),
    "only the first word is compared": _other_bag(lambda text: text[0]),
    "texts with a bag of their own are left out; they can be right, too": _other_count(
        lambda heap: _most(heap) * (len(heap) > 1)
    ),
    "only neighbours in the list share a heap: groupby wants its input sorted, a dictionary does not": _runs,
    "heaps with two labels count as lost; the most frequent of its labels is still right": _other_count(
        lambda heap: len(heap) * (len(set(heap)) == 1)
    ),
    "each heap counts one right answer; its most frequent label may be right several times": _other_count(
        lambda heap: 1
    ),
    "each heap answers with the last label it has seen; the most frequent one is right more often": _other_count(
        lambda heap: heap.count(heap[-1])
    ),
    "each heap answers with the first label it has seen; the most frequent one is right more often": _other_count(
        lambda heap: heap.count(heap[0])
    ),
    "each heap answers with its rarest label": _other_count(lambda heap: min(Counter(heap).values())),
    "each heap answers with its largest label; the labels are names, not sizes": _other_count(
        lambda heap: heap.count(max(heap))
    ),
    "this is the average over the heaps; a heap of many texts weighs more: add texts, divide by N": _mean_of_heaps,
    "each heap guesses at random among its labels; the best is to give always the most frequent one": _other_count(
        lambda heap: sum(count * count for count in Counter(heap).values()) / len(heap)
    ),
    "this is how many texts are lost; wanted is the share that can be right": lambda t, y: 1 - _ceiling(t, y),
    "this is the number of texts; divide by N": lambda t, y: _ceiling(t, y) * len(t),
    "this is in percent; wanted is a share from 0 to 1": lambda t, y: 100 * _ceiling(t, y),
    "always one half: that is what minimal pairs give, other texts give more": lambda t, y: 0.5,
}


def _mistakes(*case):
    return {name: wrong(*case) for name, wrong in MISTAKES.items()}


def check_bags(answer, rng: torch.Generator) -> None:
    """The check of exercise 1.3; `answer` is the pair (twins, bag_ceiling).

    Raises:
        Wrong: what was seen, what was expected, the likely cause.
        NotAttempted: both functions are still the stub.

    >>> check_bags((lambda: ("We eat to live.", "We live to eat."), _ceiling), torch.Generator().manual_seed(0))
    """
    if type(answer) not in (tuple, list) or len(answer) != 2 or not all(callable(one) for one in answer):
        cause = "pass the functions themselves, without parentheses behind their names"
        raise Wrong(f"the answer is {kind_of(answer)}", "both functions: (twins, bag_ceiling)", cause)
    twins, bag_ceiling = answer
    try:
        _check_twins(call(twins))
    except NotAttempted:
        try:
            call(bag_ceiling, _texts("ab"), [0])
        except NotAttempted:
            raise NotAttempted from None
        except Wrong:
            pass
        raise Wrong("bag_ceiling is written and twins is not", "both functions") from None
    expect_steady(twins)
    try:
        call(bag_ceiling, _texts("ab"), [0])
    except NotAttempted:
        raise Wrong("twins is right, bag_ceiling is not written yet", "the second function") from None
    _check_ceiling(bag_ceiling, rng)


def _check_twins(got) -> None:
    if type(got) not in (tuple, list) or len(got) != 2 or not all(isinstance(one, str) for one in got):
        cause = "is the `return` missing?" if got is None else "two texts in quotes, with a comma between them"
        raise Wrong(
            f"twins() is {show(got) if isinstance(got, str) else kind_of(got)}", "two sentences: (text, text)", cause
        )
    first, second = (re.findall(r"[^\W_]+(?:['’-][^\W_]+)*", text.lower()) for text in got)
    if min(len(first), len(second)) < 3:
        raise Wrong(f"twins() is {show(got)}", "two sentences of at least three words", "")
    if first == second:
        cause = "capital letters and full stops do not count; change the order of the words"
        raise Wrong("twins() has the same words in the same order twice", "another order", cause)
    if rest := Counter(first) - Counter(second) or Counter(second) - Counter(first):
        word, times = next(iter(rest.items()))
        where = "first" if Counter(first)[word] > Counter(second)[word] else "second"
        seen = f"the {where} sentence has {word!r} {times} time{'s' * (times > 1)} more than the other"
        cause = "one bag means: every word occurs equally often in both, in the very same form"
        raise Wrong(seen, "two sentences with one bag", cause)
    if sorted(first) == sorted(EXAMPLE):
        raise Wrong("these are the twins of the example", "two sentences of your own", "")


def _check_ceiling(bag_ceiling, rng: torch.Generator) -> None:
    cases = [(_texts(letters), labels, cause) for letters, labels, cause in CASES]
    for longest in (2, 2, 3, 3):
        texts = [
            [("go", "og", "up", "no")[i] for i in torch.randint(0, 4, (length,), generator=rng).tolist()]
            for length in torch.randint(1, longest + 1, (24,), generator=rng).tolist()
        ]
        labels = torch.randint(0, 3, (24,), generator=rng).tolist()
        cases.append((texts, labels, f"random texts of one to {longest} words, with three labels"))
    for texts, labels, cause in cases:
        spoken = ", ".join(" ".join(text) for text in texts) if len(texts) < 24 else "24 random texts"
        name = f"bag_ceiling of {spoken} with the labels {show(labels, 5)}"
        got, want = call(bag_ceiling, texts, labels), _ceiling(texts, labels)
        try:
            expect_number(name, got, want)
        except Wrong as finding:
            inputs = [case[:2] for case in cases]
            raise Wrong(finding.seen, finding.expected, blame(bag_ceiling, inputs, _mistakes) or cause) from None
    expect_steady(bag_ceiling, *cases[-1][:2])
