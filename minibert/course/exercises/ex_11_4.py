"""11.4 F1 of entities. Tags come as BIO lists, and what counts is the whole entity."""

import torch

from minibert.course.exercise import Exercise, Wrong
from minibert.course.lab import Case, Lab
from minibert.course.tools import as_float, call, kind_of, show


def entities(tags):
    """The entities in the tags of one text: a set of (type, first word, one past the last word)."""
    found, kind, begin = set(), None, 0
    for place, tag in enumerate([*tags, "O"]):
        goes_on = tag == f"I-{kind}"
        if kind is not None and not goes_on:
            found.add((kind, begin, place))
            kind = None
        if tag != "O" and not goes_on:  # B-, or an I- that goes on with nothing
            kind, begin = tag[2:], place
    return found


def f1(gold, predicted):
    """Precision, recall and F1 over all texts together, three numbers."""
    right = guessed = there = 0
    for expected, got in zip(gold, predicted, strict=True):
        truth, guess = entities(expected), entities(got)
        right, guessed, there = right + len(truth & guess), guessed + len(guess), there + len(truth)
    precision, recall = right / max(guessed, 1), right / max(there, 1)
    return precision, recall, 2 * right / max(guessed + there, 1)


SET = "a set of (type, first, end), each a text and two whole numbers"
KINDS = ("person", "geo-loc")  # a type may have a dash


def listed(answer, tags):
    """The entities of an answer in order, as texts."""
    got, rows = call(answer, tags), []
    if not isinstance(got, set | list | tuple | frozenset):
        raise Wrong(f"the answer is {kind_of(got)}", SET, "is the `return` missing?" if got is None else "")
    for one in got:
        if type(one) not in (tuple, list) or len(one) != 3 or not isinstance(one[0], str):
            raise Wrong(f"an entity is {kind_of(one)}", SET)
        first, end = map(as_float, one[1:])
        if not isinstance(first, float) or not isinstance(end, float) or first % 1 or end % 1:
            raise Wrong(f"an entity is ({one[0]!r}, {show(one[1])}, {show(one[2])})", SET)
        rows.append((int(first), int(end), one[0]))
    return " ".join(f"{kind}[{first}:{end}]" for first, end, kind in sorted(rows)) or "nothing"


def spans(rng):
    def case(cause, tags):
        return Case((tags.split(),), cause, f"what is found in {tags}")

    yield case("an entity goes from its B- up to the last I- of the same type", "O B-person I-person O B-tv")
    yield case("an entity may end with the text", "B-person I-person")
    yield case("B- begins a new one, also right after one of the same type", "B-tv B-tv I-tv O B-tv")
    yield case("I- of another type does not go on: it begins a new entity", "B-person I-tv I-tv O")
    yield case("I- after O, or at the beginning, begins an entity as B- would", "I-tv I-tv O I-person B-person")
    yield case("a type may have a dash: it is all after the first two letters", "B-geo-loc I-geo-loc B-B-tv I-B-tv")
    yield case("types are different if their names are", "B-tv I-tvs I-tv")
    yield case("without an entity the set is empty", "O O")
    yield case("a text may be empty", "")
    for _ in range(4):
        yield case("from B- up to the last I- of the same type", " ".join(tagged(rng, 12)))


def tagged(rng, size, share=0.75):
    """Random tags, many of them broken."""
    signs, kinds = torch.rand(2, size, generator=rng).tolist()
    return [
        "O" if sign > share else ("B-" if sign < 0.2 else "I-") + KINDS[kind > 0.5]
        for sign, kind in zip(signs, kinds, strict=True)
    ]


def three(answer, gold, predicted):
    got = call(answer, gold, predicted)
    if type(got) not in (tuple, list) or len(got) != 3:
        raise Wrong(
            f"the answer is {kind_of(got)}", "precision, recall, F1", "is the `return` missing?" if got is None else ""
        )
    return tuple(got)


def scores(rng):
    def case(cause, gold, predicted, name=""):
        texts = [[text.split() for text in some] for some in (gold, predicted)]
        what = name or f"for {' / '.join(gold)} and the prediction {' / '.join(predicted)}"
        return Case((*texts,), cause, what, items=("the precision", "the recall", "the F1"), tolerance=1e-6)

    whole = "right is an entity whose type, first and last word are all right; nothing else counts"
    yield case(whole, ["B-a I-a O B-b"], ["B-a I-a O B-a"])
    yield case("broken tags count as `entities` reads them", ["B-a I-a O B-b"], ["I-a I-a O I-b"])
    differ = "more is guessed than there is: precision is 1/3, recall 1, and F1 is 2 times 1 over 3 + 1"
    yield case(differ, ["B-a O O O"], ["B-a B-a B-b O"])
    yield case("an entity that is cut short is wrong, and counts as guessed", ["O B-a I-a I-a O"], ["O B-a I-a O O"])
    yield case("an entity that is too long is wrong, and counts as guessed", ["O B-a O O B-b"], ["O B-a I-a O B-b"])
    yield case("an entity that begins at another word is wrong, though its end is right", ["B-a I-a O"], ["O B-a O"])
    yield case("a guess in a text without entities counts as guessed", ["B-a O", "O O"], ["B-a O", "B-a O"])
    yield case("words outside of entities do not count", ["O O O O O B-a"], ["O O O O B-a O"])
    yield case("what does not exist and is not guessed counts nowhere", ["O O", "B-a"], ["O O", "B-a"])
    together = "entities of all texts are counted together, and divided once"
    yield case(together, ["B-a B-a B-a B-b", "B-a O"], ["B-a B-a B-a B-b", "O B-a"])
    yield case("an entity in one text and the same place in another are two", ["B-a O", "O O"], ["O O", "B-a O"])
    yield case("an entity ends with its text", ["O B-a", "I-a O"], ["O B-a", "O O"])
    yield case("less is guessed than there is: precision and recall differ", ["B-a B-a B-b B-a I-a"], ["B-a O O O O"])
    yield case("nothing is guessed: precision, recall and F1 are 0", ["B-a O"], ["O O"])
    yield case("nothing is there to be found: all three are 0", ["O O"], ["O B-a"])
    yield case("neither there nor guessed: all three are 0", ["O O"], ["O O"])
    yield case("no text at all: all three are 0", [], [])
    for number in range(4):
        many = [" ".join(tagged(rng, 3 + 4 * turn, 0.6)) for turn in range(4)]
        keep = [torch.rand(3 + 4 * turn, generator=rng) < 0.75 for turn in range(4)]
        others = [
            " ".join(tag if kept else "O" for tag, kept in zip(text.split(), some, strict=True))
            for text, some in zip(many, keep, strict=True)
        ]
        yield case(whole, *((many, others) if number % 2 else (others, many)), f"for 4 drawn texts ({number + 1})")


GOES, STARTS, KIND = 'tag == f"I-{kind}"', 'if tag != "O" and not goes_on:', "kind, begin = tag[2:], place"
ADD = "found.add((kind, begin, place))"
FINDS = {
    "an entity at the end of the text is lost: it ends there, too": {'[*tags, "O"]': "tags"},
    "I- without an entity to go on with is skipped; it begins one, as in seqeval": {STARTS: 'if tag.startswith("B-"):'},
    "I- of another type goes on with the entity; it begins a new one": {
        GOES: 'kind is not None and tag.startswith("I-")'
    },
    "I- of another type ends the entity and begins none; it begins a new one": {
        STARTS: 'if tag[0] == "B" or (tag[0] == "I" and (place == 0 or tags[place - 1] == "O")):'
    },
    "B- right after an entity of the same type goes on with it; it begins a new one": {
        GOES: 'kind is not None and tag in (f"I-{kind}", f"B-{kind}")'
    },
    "the end is the last word; it is one past the last word": {ADD: "found.add((kind, begin, place - 1))"},
    "first and end are exchanged": {ADD: "found.add((kind, place, begin))"},
    "an entity begins a word too late, after its B-": {KIND: "kind, begin = tag[2:], place + 1"},
    "each word is an entity; I- goes on with the one before": {GOES: "False"},
    "types are cut at the dash: geo-loc is one type": {
        KIND: 'kind, begin = tag.split("-")[-1], place',
        GOES: 'kind is not None and tag[0] == "I" and tag.split("-")[-1] == kind',
    },
    "types are compared by their beginning; tv and tvs are two": {
        GOES: 'kind is not None and tag.startswith(f"I-{kind}")'
    },
    "the B- stands in the type": {
        KIND: "kind, begin = tag, place",
        GOES: 'kind is not None and tag == f"I-{kind[2:]}"',
    },
    "the type is missing: all entities have the same one": {ADD: "found.add(('', begin, place))"},
}
TWO, LAST = "right / max(guessed, 1), right / max(there, 1)", "2 * right / max(guessed + there, 1)"
TRUTH, GUESS, SHARED = "entities(expected)", "entities(got)", "right + len(truth & guess)"
OVER = "sum(any(a[0] == b[0] and a[1] < b[2] and b[1] < a[2] for b in truth) for a in guess)"
WORDS = "{(n, tag) for n, tag in enumerate(%s) if tag != 'O'}"


def mean(parts):
    return tuple(sum(one) / len(parts) for one in zip(*parts, strict=True)) or (0.0, 0.0, 0.0)


def over_texts(gold, predicted):
    return mean([f1([one], [other]) for one, other in zip(gold, predicted, strict=True)])


def over_types(gold, predicted):
    def only(texts, kind):
        return [[tag if tag[2:] == kind else "O" for tag in tags] for tags in texts]

    kinds = sorted({kind for tags in gold for kind, _, _ in entities(tags)})
    return mean([f1(only(gold, kind), only(predicted, kind)) for kind in kinds])


def joined(texts):
    return [tag for tags in texts for tag in tags]


def accuracy(gold, predicted):
    same = [one == other for one, other in zip(joined(gold), joined(predicted), strict=True)]
    return (sum(same) / max(len(same), 1),) * 3


def one_text(gold, predicted):
    return f1([joined(gold)], [joined(predicted)])


def one_set(gold, predicted):
    truth, guess = (set().union(*map(entities, some)) for some in (gold, predicted))
    right, guessed, there = len(truth & guess), len(guess), len(truth)
    return right / max(guessed, 1), right / max(there, 1), 2 * right / max(guessed + there, 1)


SCORES = {
    "this is the accuracy of tags; O is most of them, and right entities are asked": accuracy,
    "words are counted, not entities": {TRUTH: WORDS % "expected", GUESS: WORDS % "got"},
    "entities that only overlap count as right; first and last word must be right": {SHARED: f"right + {OVER}"},
    "entities that begin at the same word count as right; the last word must be right, too": {
        TRUTH: "{one[:2] for one in entities(expected)}",
        GUESS: "{one[:2] for one in entities(got)}",
    },
    "the type is not compared": {
        TRUTH: "{one[1:] for one in entities(expected)}",
        GUESS: "{one[1:] for one in entities(got)}",
    },
    "the mean over the texts is taken; count over all texts together": over_texts,
    "the mean over the types is taken; count all types together": over_types,
    "the texts are joined, and an entity may go on in the next one; each text is by itself": one_text,
    "entities of different texts are in one set; the same place in two texts is two": one_set,
    "precision and recall are exchanged": {TWO: "right / max(there, 1), right / max(guessed, 1)"},
    "F1 is the plain mean of precision and recall; it is the harmonic one": {LAST: "(precision + recall) / 2"},
    "F1 lacks its factor 2": {LAST: "right / max(guessed + there, 1)"},
    "what has nothing to divide by is 1 here; it is 0": {
        TWO: "right / guessed if guessed else 1.0, right / there if there else 1.0",
        LAST: "2 * right / (guessed + there) if guessed + there else 1.0",
    },
    "a division by 0 where nothing is guessed or nothing is there; it is 0 then": {
        TWO: "right / guessed, right / there"
    },
    "the numbers are in percent; they are from 0 to 1": {
        f"return precision, recall, {LAST}": f"return 100 * precision, 100 * recall, 100 * {LAST}"
    },
}

EXERCISE = Exercise(
    minutes=30,
    difficulty=3,
    signature="(entities, f1): entities(tags) -> a set of (type, first, end), "
    "f1(gold, predicted: lists of lists of tags) -> (precision, recall, F1)",
    hints=(
        "A model that says O everywhere gets nine tags of ten right and finds nothing. So count things, not tags: the\n"
        "set of what is there, the set of what is said, and what both have. How do you know that a thing has ended?",
        "An entity is open or none is: its type, and where it began. It ends at the first word that does not go on\n"
        "with it, and also after the last word. Of each text come two sets; of all texts three counts.",
        "entities: for each tag, and for one more O after the last one:\n"
        "              if something is open and this is not the I of its type: note it, nothing is open\n"
        "              if nothing goes on here and it is no O: something of this type begins\n"
        "f1:       add up, text by text: in both sets, in the predicted one, in the true one\n"
        "          three quotients, 0 where there is nothing to divide by; F1 is twice the first over the other two",
    ),
    parts=(Lab(entities, spans, FINDS, run=listed, in_pairs=False), Lab(f1, scores, SCORES, run=three, in_pairs=False)),
)
