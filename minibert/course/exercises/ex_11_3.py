"""11.3 Labels for pieces. Tags belong to words, and a model reads pieces of words."""

from functools import partial

import torch

from minibert.course.exercise import Exercise
from minibert.course.exercises.ex_10_3 import in_words, two_lists
from minibert.course.lab import Case, Lab
from minibert.course.tools import call


def to_labels(words, tags, cut, max_length, cls_id, sep_id):
    """The ids of all pieces with [CLS] and [SEP], and a label for each: two lists of at most `max_length` ints."""
    ids, labels = [cls_id], [-100]
    for word, tag in zip(words, tags, strict=True):
        for number, piece in enumerate(cut(word)):
            ids.append(piece)
            labels.append(tag if number == 0 else -100)
    ids, labels = ids[: max_length - 1], labels[: max_length - 1]
    return [*ids, sep_id], [*labels, -100]


def to_tags(predicted, words, cut, outside):
    """The tag of each word, from one predicted tag for each token, [CLS] and [SEP] among them."""
    tags, place = [], 1  # after [CLS]
    for word in words:
        pieces = len(cut(word))
        seen = pieces > 0 and place < len(predicted) - 1  # [SEP] is the last one
        tags.append(predicted[place] if seen else outside)
        place += pieces
    return tags


def told(answer, *inputs):
    return {"the list of tags": in_words("the answer", call(answer, *inputs))}


def drawn(rng, sizes):
    """Words, their tags (0: outside; odd: B-, even: I-), and how each is cut: into so many pieces."""
    words = [f"word{place}" for place in range(len(sizes))]
    ids = iter((1000 + torch.randperm(900, generator=rng)).tolist())
    table = {word: [next(ids) for _ in range(size)] for word, size in zip(words, sizes, strict=True)}
    tags = torch.randint(0, 7, (len(words),), generator=rng).tolist()
    return words, tags, lambda word: list(table[word])


def forth(rng):
    def case(cause, sizes, max_length=40, special=(2, 3), tags=None):
        words, own, cut = drawn(rng, sizes)
        name = f"for words of {', '.join(map(str, sizes))} pieces, at most {max_length} tokens"
        return Case((words, tags or own, cut, max_length, *special), cause, name)

    plain = "[CLS], the pieces of all words, [SEP]; special tokens have the label -100"
    yield case(plain, (1, 1, 1), tags=[3, 4, 0])
    first = "only the first piece of a word has its tag; the others have -100, which no loss counts"
    yield case(first, (1, 3, 2, 1), tags=[5, 1, 2, 6])
    yield case("a word with the tag 0 has the label 0, as any other", (2, 1, 2), tags=[0, 0, 0])
    yield case("the special ids come as arguments", (2, 1), special=(101, 102))
    none = "a word without a piece has no token and no label; its tag is skipped with it"
    yield case(none, (1, 0, 2, 1), tags=[1, 5, 3, 6])
    yield case(none, (0, 0, 1), tags=[3, 4, 1])
    yield case("without words there are [CLS] and [SEP]", ())
    yield case("what fits exactly is not cut: [CLS] and [SEP] count, too", (2, 1, 3), 8)
    yield case("one token too many: the last piece goes, [SEP] stays", (2, 1, 3), 7)
    yield case("the pieces after max_length - 1 tokens go; a word keeps those in front", (1, 4, 2), 5, tags=[1, 3, 5])
    yield case("the pieces after max_length - 1 tokens go, with whole words", (2, 2, 2, 2), 6)
    yield case("there may be room for the special tokens alone", (2, 1), 2)
    for _ in range(3):
        yield case(first, tuple(torch.randint(0, 4, (9,), generator=rng).tolist()), 12)


def back(rng):
    def case(cause, sizes, tokens=None, outside=0, predicted=()):
        words, _, cut = drawn(rng, sizes)
        tokens = tokens or sum(sizes) + 2
        predicted = list(predicted) or (1 + torch.randperm(40, generator=rng)[:tokens]).tolist()
        name = f"for words of {', '.join(map(str, sizes))} pieces and {tokens} tokens"
        return Case((predicted, words, cut, outside), cause, name)

    yield case("the first token is [CLS]: words begin after it", (1, 1, 1))
    zero = "0 may be predicted; it is a tag as any other, and not `outside`"
    yield case(zero, (1, 2, 1), outside=7, predicted=(9, 0, 4, 5, 0, 9))
    first = "a word has the tag that is predicted at its first piece"
    yield case(first, (1, 3, 2, 1))
    yield case(first, (3, 1, 4), predicted=[0, 2, 5, 5, 1, 3, 4, 4, 4, 0])
    yield case("a word without a piece is `outside`, and the next word begins where it would", (1, 0, 2, 0), outside=7)
    yield case("words after the last token are `outside`; the last token is [SEP]", (2, 1, 3, 1), 5, outside=9)
    yield case("of a word that is cut the first piece counts, if it is there", (2, 3, 1), 5)
    yield case("[SEP] is no word", (1, 1, 1), 4, outside=8)
    yield case("without words there is nothing to tag", ())
    yield case("there may be [CLS] and [SEP] alone", (1, 2), 2)
    for number in range(3):
        sizes = tuple(torch.randint(0, 4, (9,), generator=rng).tolist())
        yield case(first, sizes, min(sum(sizes) + 2, 11), outside=50 + number)


LABEL, LOOP, START = (
    "tag if number == 0 else -100",
    "    for word, tag in zip(words, tags, strict=True):\n",
    "[cls_id], [-100]",
)
CUT, RETURN = "ids[: max_length - 1], labels[: max_length - 1]", "return [*ids, sep_id], [*labels, -100]"
INNER = "        for number, piece in enumerate(cut(word)):\n"
LABELS = {
    "every piece has the tag of its word; only the first one has, the others have -100": {LABEL: "tag"},
    "the pieces after the first one are labelled as I-; they have -100": {
        LABEL: "tag if number == 0 else tag + tag % 2"
    },
    "the pieces after the first one have the label 0, which is a tag; they have -100": {
        LABEL: "tag if number == 0 else 0"
    },
    "the last piece of a word has its tag; it is the first one": {
        LABEL: "tag if number == len(cut(word)) - 1 else -100"
    },
    "only words of one piece have a label; each word has one, at its first piece": {
        LABEL: "tag if len(cut(word)) == 1 else -100"
    },
    "[CLS] and [SEP] have the label 0, which is a tag; they have -100": {
        START: "[cls_id], [0]",
        RETURN: "return [*ids, sep_id], [*labels, 0]",
    },
    "[CLS] has the label 0, which is a tag; it has -100": {"[cls_id], [-100]": "[cls_id], [0]"},
    "[SEP] has the label 0, which is a tag; it has -100": {RETURN: "return [*ids, sep_id], [*labels, 0]"},
    "words with the tag 0 have no label; 0 is a tag, too": {LABEL: "tag if number == 0 and tag else -100"},
    "there is a label for each word, not for each token": {RETURN: "return [*ids, sep_id], [-100, *tags, -100]"},
    "special tokens have ids and no labels; there is a label for each id": {
        RETURN: "return [*ids, sep_id], labels[1:]"
    },
    "[CLS] and [SEP] are missing": {START: "[], []", RETURN: "return ids, labels"},
    "[SEP] is missing at the end": {RETURN: "return ids, labels", CUT: "ids[:max_length], labels[:max_length]"},
    "[SEP] is cut off when the text is long: cut the pieces, and put it after them": {
        CUT: "ids, labels",
        RETURN: "return [*ids, sep_id][:max_length], [*labels, -100][:max_length]",
    },
    "nothing is cut": {CUT: "ids, labels"},
    "the special tokens are not counted: all together at most max_length": {
        CUT: "ids[: max_length + 1], labels[: max_length + 1]"
    },
    "[SEP] is not counted: all together at most max_length": {CUT: "ids[:max_length], labels[:max_length]"},
    "more is cut than needed: max_length itself is allowed": {CUT: "ids[: max_length - 2], labels[: max_length - 2]"},
    "a word that does not fit as a whole is left out; the pieces that fit stay": {
        INNER: "        if len(ids) + len(cut(word)) >= max_length:\n            break\n" + INNER
    },
    "max_length counts words; it counts tokens": {
        "zip(words, tags, strict=True)": "list(zip(words, tags))[: max_length - 2]",
        CUT: "ids, labels",
    },
    "a word without a piece gets a label; it has no token that could have one": {
        INNER: "        if not cut(word):\n            labels.append(tag)\n" + INNER
    },
    "the tag of a word without a piece goes to the next word; it is skipped with its word": {
        "zip(words, tags, strict=True)": "zip([word for word in words if cut(word)], tags)"
    },
    "the special ids are fixed here; they come as cls_id and sep_id": {LOOP: "    ids, sep_id = [2], 3\n" + LOOP},
    "a [SEP] stands after each word; there is one, at the end": {
        LOOP: LOOP + "        if len(ids) > 1:\n            ids.append(sep_id), labels.append(-100)\n"
    },
    "ids and labels are exchanged": {RETURN: "return [*labels, -100], [*ids, sep_id]"},
}
SEEN, READ = "pieces > 0 and place < len(predicted) - 1", "predicted[place] if seen else outside"
APPEND = f"        tags.append({READ})\n"
TAGS = {
    "words are read from [CLS] on; the first one begins after it": {"[], 1": "[], 0"},
    "each word is taken for one token; it has as many as it has pieces": {"place += pieces": "place += 1"},
    "the last piece of a word decides; it is the first one": {
        READ: "predicted[min(place + pieces, len(predicted) - 1) - 1] if seen else outside"
    },
    "the most frequent tag of the pieces decides; it is the first one's": {
        READ: "max(predicted[place : place + pieces], key=predicted[place : place + pieces].count) if seen else outside"
    },
    "the largest tag of the pieces decides; it is the first one's": {
        READ: "max(predicted[place : place + pieces]) if seen else outside"
    },
    "a word without a piece takes the tag of the next token; it is `outside`": {SEEN: "place < len(predicted) - 1"},
    "a word without a piece is left out; there is a tag for each word": {
        APPEND: f"        if pieces:\n            tags.append({READ})\n"
    },
    "words that were cut off are left out; there is a tag for each word": {
        APPEND: f"        if place < len(predicted) - 1:\n            tags.append({READ})\n"
    },
    "what is predicted at [SEP] is taken for a word's tag": {SEEN: "pieces > 0 and place < len(predicted)"},
    "a word that is cut off is `outside`, though its first piece is there": {
        SEEN: "pieces > 0 and place + pieces < len(predicted)"
    },
    "`outside` is always 0 here; it comes as an argument": {"else outside": "else 0"},
    "there is a tag for each token; each word has one": {"    return tags": "    return predicted[1:-1]"},
    "places after the end raise an error; these words were cut off and are `outside`": {SEEN: "pieces > 0"},
}

EXERCISE = Exercise(
    minutes=25,
    difficulty=2,
    signature="(to_labels, to_tags): to_labels(words, tags, cut, max_length, cls_id, sep_id) -> (ids, labels), "
    "to_tags(predicted, words, cut, outside) -> tags",
    hints=(
        "A label is a question that the loss asks. It is asked once for each word, where the word begins,\n"
        "and never about what is no word. On the way back, answers are read where the questions were asked.",
        "ids and labels have the same length: 1 + all pieces + 1, or max_length if that is less. A word of n pieces\n"
        "has one label and n - 1 times -100; n may be 0. On the way back: a place that begins at 1, moves on by n.",
        "forth: begin with the class token\n"
        "       for each word and each of its pieces: the id, and the tag if it is the first piece\n"
        "       cut both lists so that one more fits, then the separator\n"
        "back:  for each word: if it has pieces and its place is in front of the separator, the prediction there\n"
        "       else outside; then go on by its number of pieces",
    ),
    parts=(
        Lab(to_labels, forth, LABELS, run=partial(two_lists, names=("ids", "labels")), in_pairs=False),
        Lab(to_tags, back, TAGS, run=told, in_pairs=False),
    ),
)
