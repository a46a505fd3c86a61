"""9.1 Sample sentence pairs. Dice may be thrown in any order: answers are compared by what must hold, and by counts."""

import random
from collections import Counter
from itertools import pairwise

import torch

from minibert.course.chance import Counted, scatter, share
from minibert.course.lab import Case, Exercise, Lab, Wrong
from minibert.course.tools import call, kind_of, show


def make_pairs(documents, rng):
    """Pairs of sentences for next-sentence prediction: a list of (A, B, label), 0 = is next, 1 = random."""
    pairs = []
    for index, document in enumerate(documents):
        place = 0
        while place < len(document):
            is_last = place == len(document) - 1
            if is_last or rng.random() < 0.5:
                others = [number for number in range(len(documents)) if number != index]
                stranger = rng.choice(documents[rng.choice(others)])
                pairs.append((document[place], stranger, 1))
                place += 1  # the sentence that would have been B is the next A
            else:
                pairs.append((document[place], document[place + 1], 0))
                place += 2  # both are used up
    return pairs


def plain(pairs):
    """The learner's pairs as (tuple, tuple, int), once they have this form."""
    form = "a list of triples (A, B, label), A and B sentences (lists of ids)"
    if type(pairs) not in (list, tuple):
        cause = "is the `return` missing?" if pairs is None else "collect the pairs in a list and return that"
        raise Wrong(f"make_pairs returns {kind_of(pairs)}", form, cause)
    found, known = [], {}  # sentences by their id(): each comes many times
    for item in pairs:
        if type(item) not in (list, tuple) or len(item) != 3:
            raise Wrong(f"an item is {kind_of(item)}: {show(item)}", form, "one triple for each pair")
        a, b, label = item
        for name, part in (("A", a), ("B", b)):
            if id(part) in known:
                continue
            if type(part) not in (list, tuple) or not set(map(type, part)) <= {int}:
                cause = "B is missing: is the last sentence of a document handled?" if part is None else ""
                if type(part) in (list, tuple) and any(type(token) in (list, tuple) for token in part):
                    cause = "it is a list of sentences; here each part is one sentence"
                raise Wrong(f"{name} is {kind_of(part)}: {show(part)}", form, cause)
            known[id(part)] = tuple(part)
        label = label.item() if hasattr(label, "item") else label
        if label not in (0, 1):
            raise Wrong(f"a label is {show(label)}", "0 (B is the next sentence) or 1 (B is random)")
        found.append((known[id(a)], known[id(b)], int(label)))
    return found


def drawn(answer, documents, seeds):
    """For each seed the pairs in the order of the text: places (document, place) of A and B, and the label."""
    places = {tuple(s): (d, p) for d, document in enumerate(documents) for p, s in enumerate(document)}
    several = call(lambda given: [plain(answer(given, random.Random(seed))) for seed in seeds], documents)
    for place, name in enumerate("AB"):
        if strange := {pair[place] for pairs in several for pair in pairs} - places.keys():
            cause = "A and B are single whole sentences of the documents, unchanged and not joined"
            seen = f"{name} is {show(min(strange))}, which is no sentence of the documents"
            raise Wrong(seen, "a whole sentence", cause)
    return [sorted((places[a], places[b], label) for a, b, label in pairs) for pairs in several]


def forced(answer, documents, seed):
    """The pairs of documents that leave nothing to chance."""
    return sorted(plain(call(answer, documents, random.Random(seed))))


def part(flags, want):
    """The share of True, or `want` where chance explains the difference."""
    return share(sum(flags), len(flags), want)


def rules(answer, documents, seeds):
    """What must hold whatever the dice say."""
    runs, again = drawn(answer, documents, seeds), drawn(answer, documents, seeds[:2])
    places = [(d, p) for d, document in enumerate(documents) for p in range(len(document))]
    used = [Counter([a for a, _, _ in run] + [b for _, b, label in run if not label]) for run in runs]
    times = [one[place] for one in used for place in places]
    first = [(d, 0) not in one for one in used for d in range(len(documents))]
    behind = [b != (a[0], a[1] + 1) for run in runs for a, b, label in run if not label]
    strange = [(a, b) for run in runs for a, b, label in run if label]
    return {
        "pairs with equal `rng` are equal": runs[:2] == again,
        "pairs with another `rng` are others": any(run != runs[0] for run in runs),
        "the share of pairs with label 0 where B is not the sentence behind A": part(behind, 0.0),
        "the share of random Bs that come from A's own document": part([a[0] == b[0] for a, b in strange], 0.0),
        "the share of sentences that are in no pair, as A or as true B": part([n == 0 for n in times], 0.0),
        "the share of sentences that are used twice, as A or as true B": part([n > 1 for n in times], 0.0),
        "the share of first sentences that are in no pair": part(first, 0.0),
        "random Bs stand further back than A's own document": any(b[1] >= len(documents[a[0]]) for a, b in strange),
    }


def coins(answer, documents, seeds):
    """Where there is a next sentence, a fair coin decides, anew for each pair."""
    runs = drawn(answer, documents, seeds)
    tossed = [[(a, label) for a, _, label in run if a[1] + 1 < len(documents[a[0]])] for run in runs]
    labels = [[label for _, label in run] for run in tossed]
    first = [[label for a, label in run if a[1] == 0] for run in tossed]
    every, fair = [label for run in labels for label in run], Counted(0.5, 0.0)
    changes, turns = ([x != y for run in some for x, y in pairwise(run)] for some in (labels, first))
    seen = sum(every) / max(len(every), 1)
    by_chance = 2 * seen * (1 - seen)  # of a coin, fair or not, that does not look back
    apart = float(part(changes, by_chance)) == by_chance
    return {
        "the share of labels that differ from the one before": fair if apart else part(changes, 0.5),
        "the share of documents that begin with another label than the one before": part(turns, 0.5),
        "the share of random Bs where A has a next sentence": part(every, 0.5) if apart else fair,
    }


def strangers(answer, documents, seeds):
    """Random Bs come from everywhere and are drawn anew: documents and places of all of them."""
    runs, count, size = drawn(answer, documents, seeds), len(documents), len(documents[0])
    chosen = [[(*a, *b) for a, b, label in run if label] for run in runs]
    a, at, b, there = torch.tensor([pair for run in chosen for pair in run], dtype=torch.int64).view(-1, 4).T
    met = torch.bincount(a * count + b, minlength=count * count).view(count, count).double()
    where = torch.bincount(at * size + there, minlength=size * size).view(size, size).double()
    after = [(now, then) for run in chosen for now, then in pairwise(run) if now[0] == then[0]]
    steps = torch.bincount(torch.tensor([(then[2] - now[2]) % count for now, then in after]).long(), minlength=count)
    same_place = sum(then[3] == now[3] for now, then in after)
    total, asked, number = met.sum(), met.sum(1, keepdim=True), torch.arange(count)
    by_step = torch.stack([met[number, (number + step) % count].sum() for step in range(1, count)])
    facts = {
        "the share of random Bs that are the first of their document": share(where[:, 0].sum(), total, 1 / size),
        "the share of random Bs that are the last of their document": share(where[:, -1].sum(), total, 1 / size),
        "the share of random Bs from the same document as the one before": share(steps[0], len(after), 1 / (count - 1)),
        "the share of random Bs at the same place as the one before": share(same_place, len(after), 1 / size),
        "the share of random Bs from the document behind A's own": share(by_step[0], total, 1 / (count - 1)),
        "the share of random Bs from the document before A's own": share(by_step[-1], total, 1 / (count - 1)),
        "the list of documents that no random B comes from": (met.sum(0) == 0).nonzero()[:3, 0].tolist(),
        "the list of steps from A's document to B's that never come": (1 + (by_step == 0).nonzero()[:3, 0]).tolist(),
    }
    equal = sum(n * (n - 1) for run in chosen for n in Counter(pair[2:] for pair in run).values())
    own = sum(n * (n - 1) for run in chosen for n in Counter(pair[0] for pair in run).values())  # of one document
    both, once = sum(len(run) * (len(run) - 1) for run in chosen), 1 / (count - 1) / size
    by_chance = (own + (both - own) * (count - 2) / (count - 1)) * once / max(both, 1)
    again, most = share(equal / 2, both / 2, by_chance), max(by_chance, 1e-9)
    name = "how often two random Bs of a call are the same sentence (1: as often as chance makes them)"
    facts[name] = Counted(again / most, again.slack / most)
    anew = len(after) * torch.full((count,), (count - 2) / (count - 1) ** 2)
    anew[0] = len(after) / (count - 1)
    other = ~torch.eye(count).bool()
    spread = {
        "pairs (document of A, document of B)": (met[other], (asked / (count - 1)).expand(count, count)[other]),
        "pairs (place of A, place of B)": (where.flatten(), where.sum(1).repeat_interleave(size) / size),
        "steps from one random B's document to the next one's": (steps.double(), anew),
    }
    chained = any(one.slack for one in facts.values() if isinstance(one, Counted))  # these counts say no more then
    for name, (found, mean) in spread.items():
        seen = Counted(1.0, 0.0) if chained else scatter(found, mean, mean)
        facts[f"the scatter of {name} (1: equal chances, drawn anew)"] = seen
    return facts


def twins(answer, documents, seeds):
    """Equal documents, and equal sentences in one document: the place counts, not what it says."""
    given = [tuple(sentence) for document in documents for sentence in document]
    runs = call(lambda given: [plain(answer(given, random.Random(seed))) for seed in seeds], documents)
    own, middle = {tuple(s) for s in documents[0]}, {tuple(s) for s in documents[1]}
    from_middle = [b in middle for run in runs for a, b, label in run if label and a in own]
    used = [Counter([a for a, _, _ in run] + [b for _, b, label in run if not label]) for run in runs]
    lost = sum(sum((Counter(given) - one).values()) for one in used)
    return {
        "the share of random Bs of documents 0 and 2 that come from document 1": part(from_middle, 0.5),
        "the share of sentences that are in no pair, as A or as true B": share(lost, len(runs) * len(given), 0.0),
    }


def cases(rng):
    def made(sizes):
        """Documents of so many sentences, no two sentences alike."""
        word, documents = 100, []
        for number, size in enumerate(sizes):
            lengths = [1 + (number + place) % 3 for place in range(size)]
            documents.append([list(range(word + 3 * p, word + 3 * p + n)) for p, n in enumerate(lengths)])
            word += 3 * size
        return documents

    def seeds(count):
        return torch.randint(2**31, (count,), generator=rng).tolist()

    sizes = [1, 9, *torch.randint(2, 9, (6,), generator=rng).tolist()]
    last = "a last sentence gets a random B, label 1"
    yield Case(([[[11, 12]], [[21]]], 0), last, "make_pairs([[[11, 12]], [[21]]])")
    yield Case((made(sizes), seeds(40)), "the rules of the exercise, one by one", "in 40 calls", run=rules)
    equal = [[[1], [2], [3], [2]], [[7], [8], [9], [6]], [[1], [2], [3], [2]]]
    yield Case((made([6] * 9), seeds(150)), SPREAD, "in 150 calls", run=strangers, once=True)
    yield Case((made([60] * 4), seeds(80)), TOSS, "in 80 calls", run=coins, once=True)
    yield Case((equal, seeds(60)), EQUAL, "in 60 calls with two equal documents", run=twins, once=True)


TOSS = "compare rng.random() with 0.5, for each pair; the last sentence of a document does not toss at all"
SPREAD = "any document but A's own may give the random B, all equally likely, and any sentence of it, anew each time"
EQUAL = "A's own document is known by its number, not by what it says: another one may be equal"
ZERO, COIN, LAST = "place = 0", "rng.random() < 0.5", "is_last = place == len(document) - 1"
OTHERS = "[number for number in range(len(documents)) if number != index]"
OTHER, STRANGER, PAIRS = "rng.choice(others)", "rng.choice(documents[rng.choice(others)])", "pairs = []"
NEXT, LOOP = "pairs.append((document[place], document[place + 1], 0))", "while place < len(document):"
FROM = "other = documents[rng.choice(others)]\n                stranger = other"
BORDER = "pairs.append((document[place], (document + documents[(index + 1) % len(documents)])[place + 1], 0))"
NUMBERS, RANGE = "for n in range(len(documents))]", "range(len(documents)) if number != index]"
EARLY, SHORT = "chance < 0.5", "while place < len(document) - 1:"
BALANCE = "(2 * sum(p[2] for p in pairs) - len(pairs) or rng.choice((-1, 1))) < 0"
AGAIN = "when the draw hits A's own document, draw again; to take"


def at(place):
    """A patch: the random B is the sentence of the other document at this place."""
    return {f"stranger = {STRANGER}": f"{FROM}[{place}]"}


MISTAKES = {
    "the labels are flipped: 0 means that B follows A, 1 that B is random": {"r, 1))": "r, 0))", "1], 0))": "1], 1))"},
    "a random B is drawn from all documents, A's own too: draw it from another": {OTHERS: "range(len(documents))"},
    "a random B is drawn from A's own document: draw it from another document": {STRANGER: "rng.choice(document)"},
    "no coin is tossed, B is always the next sentence: rng.random() < 0.5 decides for each pair": {COIN: "False"},
    "no coin is tossed, B is always random: rng.random() < 0.5 decides for each pair": {COIN: "True"},
    "the coin is tossed once for a document, not for each pair": {ZERO: "place, chance = 0, rng.random()", COIN: EARLY},
    "the coin is tossed once for all, not for each pair": {PAIRS: "pairs, chance = [], rng.random()", COIN: EARLY},
    "`next` and `random` take turns: turns can be learned, a coin for each pair cannot": {
        COIN: "turn",
        ZERO: "place, turn = 0, rng.random() < 0.5",
        LAST: f"turn = not turn\n            {LAST}",
    },
    "a balance kept by counting labels can be learned: do not look at the labels before": {COIN: BALANCE},
    "when B is random, the sentence that would have been B is put back: it is the next A": {"+= 1  #": "+= 2  #"},
    "a sentence that was a true B is used up: the next A is the one behind it": {"+= 2  #": "+= 1  #"},
    "the first sentence of a document is dropped: places count from 0": {ZERO: "place = 1"},
    "the last sentence of a document is dropped; it gets a random B": {LOOP: SHORT},
    "the last sentence of a document is dropped, and a true B is used again as A": {LOOP: SHORT, "+= 2  #": "+= 1  #"},
    "behind the last sentence of a document comes another document: that B is random, label 1": {
        PAIRS: "pairs, start = [], 0",
        ZERO: "place, start = start, 0",
        LAST: f"{LAST} and index == len(documents) - 1",
        NEXT: f"{BORDER}\n                start = int(place == len(document) - 1)",
    },
    "all random Bs are the first of a document: draw the place as well": {STRANGER: "documents[rng.choice(others)][0]"},
    "no random B is the last of its document: randrange(n) ends at n - 1": at("rng.randrange(max(1, len(other) - 1))"),
    "no random B is the first of its document: count from 0": at("rng.randint(min(1, len(other) - 1), len(other) - 1)"),
    "the random B stands at the same place as A: draw its place as well": at("place % len(other)"),
    "the random B is never further back than A's document is long": at("rng.randrange(min(len(other), len(document)))"),
    "the other document is always the following one: draw any but A's own": {OTHER: "(index + 1) % len(documents)"},
    "the other document is always the one before: it is drawn too, any but A's own": {OTHER: "index - 1"},
    "draw the other document anew for each pair, not once for each document": {
        ZERO: f"place, other = 0, rng.choice({OTHERS.replace('number', 'n')})",
        OTHER: "other",
    },
    "draw the random B anew for each pair": {ZERO: "place, stranger = 0, None", STRANGER: f"stranger or {STRANGER}"},
    "no sentence is drawn a second time; a random B is drawn anew for each pair, from all": {
        PAIRS: "pairs, used = [], set()",
        STRANGER: "rng.choice([s for n in others for s in documents[n] if id(s) not in used] or [[1]])",
        "stranger, 1))": "stranger, 1)) or used.add(id(stranger))",
    },
    "only earlier documents are drawn, not all others": {OTHERS: "range(index) if index else range(1, len(documents))"},
    "only later documents are drawn, not all but A's own": {OTHERS: "range(index + 1, len(documents)) or range(index)"},
    f"{AGAIN} the neighbour behind it prefers that one": {OTHERS: f"[(n + (n == index)) % len(documents) {NUMBERS}"},
    f"{AGAIN} the neighbour before it prefers that one": {OTHERS: f"[n - (n == index) {NUMBERS}"},
    f"{AGAIN} the first one instead prefers that one": {OTHERS: f"[n if n != index else int(index == 0) {NUMBERS}"},
    "one other document is never drawn, the one before A's own: is a range one too short?": {
        OTHERS: "[(index + step) % len(documents) for step in range(1, max(2, len(documents) - 1))]"
    },
    "document 0 is never drawn: an index off by one?": {RANGE: "range(1, len(documents)) if number != index] or [0]"},
    "the last document never comes": {RANGE: "range(len(documents) - 1) if number != index] or [len(documents) - 1]"},
    EQUAL: {OTHERS: "[n for n, other in enumerate(documents) if other != document]"},
    "some randomness does not come from `rng`: rng.choice(...)": {PAIRS: "import random as rng\n    pairs = []"},
    "the generator is seeded inside: use the `rng` that came": {PAIRS: "rng = random.Random(0)\n    pairs = []"},
}

EXERCISE = Exercise(
    minutes=25,
    difficulty=3,
    signature="make_pairs(documents, rng) -> list of (A, B, label); documents: lists of sentences, "
    "sentences: lists of ids, rng: random.Random",
    hints=(
        "Walk through each document with a pointer. A coin decides: A gets the sentence behind it, which is\n"
        "then used up, or it gets a stranger, and the sentence behind it waits to be the next A.",
        "one triple (A, B, label) for each step; A and B are sentences, label is 0 (is next) or 1 (random).\n"
        "A document of n sentences gives between n / 2 and n triples: its As and its true Bs, read in order,\n"
        "are the document itself.",
        "for each document, with its number:\n"
        "    begin at its first sentence; as long as there is one:\n"
        "        no sentence behind it, or the coin says random:\n"
        "            pick a document with another number, and any sentence of it; label 1; one step on\n"
        "        otherwise: B is the sentence behind A; label 0; two steps on",
    ),
    parts=(Lab(make_pairs, cases, MISTAKES, run=forced, in_pairs=False, in_order=True),),
    seconds=20.0,
)
