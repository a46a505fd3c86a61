"""18.4 Transfer measured, without a leak. Learned from English, tested on the other languages."""

from collections import Counter, defaultdict

import torch

from minibert.course.lab import Case, Crash, Exercise, Lab, Wrong
from minibert.course.planted import Notes, messages, normal
from minibert.course.tools import call, kind_of, show


def transfer(rows, held_out, learn_vectors, learn_labels):
    """For every language, and for "mean": (accuracy of what was learned from English, accuracy of the baseline)."""

    def normal(text):
        return "".join(letter for letter in text.casefold() if letter.isalnum())

    train = [(text, label) for own, _, text, label in rows if own == "en" and not held_out(normal(text))]
    texts, labels = [text for text, _ in train], [label for _, label in train]
    encode = learn_vectors(texts)
    predict = learn_labels(encode(texts), labels)
    frequent = max(sorted(set(labels)), key=labels.count)
    known = {normal(english) for _, english, _, _ in rows}
    found = {}
    for language in sorted({row[0] for row in rows}):
        test = [row for row in rows if row[0] == language and held_out(normal(row[1]))]
        test = [row for row in test if language == "en" or normal(row[2]) not in known]
        if test:
            right = [row[3] for row in test]
            guessed = predict(encode([row[2] for row in test]))
            hits = sum(one == other for one, other in zip(guessed, right, strict=True))
            found[language] = (hits / len(test), right.count(frequent) / len(test))
    others = [found[language] for language in found if language != "en"]
    found["mean"] = (sum(one for one, _ in others) / len(others), sum(one for _, one in others) / len(others))
    return found


VECTORS = "leak: the vectors are learned from {}, too; they are learned from the training texts alone"
FOREIGN = "the classifier learns from other languages than English; then this measures no transfer"
ALL = "leak: the classifier learns from held-out messages, whose translations are tested"
NEAR = "leak: messages that differ in case and punctuation only are one message; ask held_out with the normal form"
LINE = "leak: split by line; the message decides for all languages at once, so ask held_out about the English text"
SELF = "leak: English is tested on texts that the classifier learned from"
EVERY = "leak: the translations of messages that the classifier learned from are tested, too"
COPY = "leak: a text that is the same as in English is not translated and shows no transfer; leave it out of the test"
NEARLY = (
    "leak: a text that differs from English in case and punctuation only is not translated either; compare normal forms"
)
OTHER = "leak: this is the English text of another message; compare with all English texts, not with its own alone"
FORMS = "normal forms tell which messages are one; what is learned from and tested are the texts themselves"
PAIRS = 'a dict with a pair (accuracy, baseline) of numbers for each language, and for "mean"'


def measured(answer, seed, languages, count):
    """The numbers of an answer, once no leak went through."""
    (rows, held_out), notes = messages(seed, languages, count), Notes()
    learn_vectors, learn_labels = (lambda texts: notes.learn_vectors(texts)), (lambda *one: notes.learn_labels(*one))
    try:
        got = call(answer, rows, held_out, learn_vectors, learn_labels)
    except Crash as crash:
        got = crash  # a leak may be the reason, and is the better thing to say
    rows_of = defaultdict(list)
    for row in rows:
        rows_of[row[2]].append(row)
    english = {row[1] for row in rows}
    for text in (text for given in (notes.vectors, notes.trained, *notes.tested) for text in given):
        if text and text not in rows_of:
            raise Wrong(f"{show(text)} is learned from or tested, and stands in no row", "texts as they came", FORMS)
    causes = (FOREIGN, ALL), (VECTORS.format("other languages"), VECTORS.format("held-out messages"))
    unseen = {text for text in english if held_out(normal(text))}
    for given, (foreign, held) in zip((notes.trained, notes.vectors), causes, strict=True):
        for text in (text for text in given if text and text not in english):
            raise Wrong(f"{show(text)} ({rows_of[text][0][0]}) is learned from", "English texts alone", foreign)
        leaks = [text for text in given if text and held_out(normal(text))]
        for text in leaks[:1]:
            cause = held if unseen <= set(given) else NEAR  # some of them only: the messages were split in another way
            raise Wrong(
                f"{show(text)} is learned from, and its normal form {show(normal(text))} is held out", "", cause
            )
    if all(len(batch) == 1 for batch in notes.tested):
        notes.tested = [[text for batch in notes.tested for text in batch]]
    for batch in notes.tested:
        expect_unseen(batch, rows_of, held_out)
    copies = [copy for batch in notes.tested for copy in untranslated(batch, rows_of, held_out, english)]
    for text, cause in sorted(copies, key=lambda copy: [COPY, OTHER, NEARLY].index(copy[1]))[:1]:
        raise Wrong(f"{show(text)} is tested as a text of another language", "translations alone", cause)
    return numbers(got)


def expect_unseen(batch, rows_of, held_out):
    """Refuse a tested text of a message that was learned from."""
    rows = [min(rows_of[text], key=lambda row: row[0] != "en") for text in batch if text]
    leaks = [row for row in rows if not any(held_out(normal(one[1])) for one in rows_of[row[2]])]
    for own, source, text, _ in leaks[:1]:
        ways = {SELF: lambda row: row[0] == "en", NEAR: lambda row: held_out(row[1])}
        ways |= {LINE: lambda row: held_out(row[2]) or held_out(normal(row[2]))}
        few = len(leaks) < 4  # then they fit a way by chance
        cause = next((says for says, way in ways.items() if not few and all(map(way, leaks))), NEAR if few else EVERY)
        raise Wrong(f"{show(text)} ({own}) is tested, and {show(source)} is learned from", "other messages", cause)


def untranslated(batch, rows_of, held_out, english):
    """The texts that were tested as those of another language and are English, and why they should not be."""
    forms = set(map(normal, english))
    tested = {row[0] for text in batch if text and text not in english for row in rows_of[text]}  # other languages
    both = {text for text in english if held_out(normal(text))} <= set(batch)  # English is tested with them
    for text in filter(None, batch if tested else ()):
        if text not in english:
            yield from [(text, NEARLY)] if normal(text) in forms else []
        elif not (both and held_out(normal(text)) and batch.count(text) == 1):
            yield text, COPY if any(row[1] == text and row[0] in tested for row in rows_of[text]) else OTHER


def numbers(got):
    """The pairs as a flat dict of numbers."""
    if isinstance(got, Crash):
        raise got
    if not isinstance(got, dict):
        raise Wrong(f"the answer is {kind_of(got)}", PAIRS, "is the `return` missing?" if got is None else "")
    flat = {}
    for language, pair in got.items():
        pair = pair.tolist() if hasattr(pair, "tolist") else pair
        if type(pair) not in (tuple, list) or len(pair) != 2:
            raise Wrong(f"for {show(language)} the answer is {kind_of(pair)}", PAIRS)
        flat |= {f"{language}: {name}": number for name, number in zip(("accuracy", "baseline"), pair, strict=True)}
    return {name: float(one) if hasattr(one, "item") or type(one) is int else one for name, one in flat.items()}


def frequent_labels(rows, held_out):
    """The most frequent labels of the training, and those of all English texts; several where two are alike."""
    english = [row for row in rows if row[0] == "en"]
    counts = Counter(row[3] for row in english if not held_out(normal(row[1]))), Counter(row[3] for row in english)
    return tuple({one for one in many if many[one] == max(many.values())} for many in counts)


def cases(rng):
    for languages, count in ((("de", "es", "fr"), 60), (("pl", "nl", "de", "fr"), 100)):
        seed = int(torch.randint(2**31, (), generator=rng))
        while True:  # until one label is the most frequent; in the smaller case, another one than that of all English
            train, english = frequent_labels(*messages(seed, languages, count))
            if len(train) == 1 and (count > 60 or not train & english):
                break
            seed += 1
        says = "two shares of the same rows, those of held-out messages with a translation: right guesses, and those "
        says += "with the label that is the most frequent one of the training"
        yield Case((seed, languages, count), says, f"the result for en, {', '.join(languages)}")


TEXTS, ASKED, HELD = "learn_vectors(texts)", "held_out(normal(row[1]))", 'own == "en" and not held_out(normal(text))'
FREQUENT, KNOWN = "frequent = max(sorted(set(labels)), key=labels.count)", "normal(row[2]) not in known"
MEAN = "(sum(one for one, _ in others) / len(others), sum(one for _, one in others) / len(others))"
SHARE = "right.count(frequent) / len(test)"
MISTAKES = {
    VECTORS.format("other languages"): {TEXTS: "learn_vectors([row[2] for row in rows])"},
    VECTORS.format("held-out messages"): {TEXTS: 'learn_vectors([row[2] for row in rows if row[0] == "en"])'},
    FOREIGN: {
        HELD: "not held_out(normal(_))",
        TEXTS: "learn_vectors([one for own, _, one, _ in rows if own == 'en' and not held_out(normal(one))])",
    },
    ALL: {HELD: 'own == "en"', TEXTS: "learn_vectors([text for text in texts if not held_out(normal(text))])"},
    NEAR: {HELD: 'own == "en" and not held_out(text)', ASKED: "held_out(row[1])"},
    LINE: {ASKED: "held_out(normal(row[2]))"},
    EVERY: {ASKED: '(row[0] != "en" or held_out(normal(row[1])))'},
    SELF: {ASKED: '(row[0] == "en") != held_out(normal(row[1]))'},
    COPY: {KNOWN: "True"},
    NEARLY: {KNOWN: "row[2] not in {row[1] for row in rows}"},
    OTHER: {KNOWN: "normal(row[2]) != normal(row[1])"},
    "the baseline is the most frequent label of the test; that is not known before: take the training's": {
        SHARE: "max(map(right.count, right)) / len(test)"
    },
    "the baseline is the most frequent label of all rows; only those of the training are known": {
        FREQUENT: "every = [row[3] for row in rows]\n    frequent = max(sorted(set(every)), key=every.count)"
    },
    "the baseline is the most frequent label of all English texts; those of the training are not held out": {
        FREQUENT: "every = [row[3] for row in rows if row[0] == 'en']\n"
        "    frequent = max(sorted(set(every)), key=every.count)"
    },
    "the baseline is 1 over the number of labels; it always says the most frequent label of the training": {
        SHARE: "1 / len(set(labels))"
    },
    "the baseline is the share that the label has in the training; it is the share that it gets right in the test": {
        SHARE: "labels.count(frequent) / len(labels)"
    },
    "the mean is that of all rows; each language counts the same": {
        "for language in sorted(": "everything = []\n    for language in sorted(",
        "            found[language] =": "            if language != 'en':\n"
        "                everything += [(a == b, b == frequent) for a, b in zip(guessed, right)]\n"
        "            found[language] =",
        'others = [found[language] for language in found if language != "en"]': "others = everything",
    },
    "English is in the mean; it is the mean of the languages to which something is transferred": {
        ' if language != "en"]': "]"
    },
    "English is missing: its texts are tested as they are, and say what could have been reached": {
        'language == "en" or ': ""
    },
    "the number of right ones is counted; the share is asked": {"hits / len(test)": "hits"},
    "accuracy and baseline are exchanged: (accuracy, baseline)": {
        "(hits / len(test), right.count(frequent) / len(test))": "(right.count(frequent) / len(test), hits / len(test))"
    },
    "the accuracy is in percent; a share is asked": {"hits / len(test)": "100 * hits / len(test)"},
    "the share of wrong ones is counted": {"one == other": "one != other"},
    PAIRS: {"return found": "return [*found.values()]"},
}

EXERCISE = Exercise(
    minutes=40,
    difficulty=4,
    signature="transfer(rows: list of (language, English text, text, label), held_out(text) -> bool, "
    "learn_vectors(texts) -> encode, learn_labels(vectors, labels) -> predict) -> {language: (accuracy, baseline)}",
    hints=(
        "Ask of each text that is tested: could the classifier have seen it, or its English, in another spelling?\n"
        "And of each text that is learned from: is it tested anywhere, in any language? Decide once for a message.",
        "train: rows of English; test: for each language some of its rows. Vectors (n, V) come out of encode, labels\n"
        "and guesses are lists of n. The set of normal forms of all English texts says whether a text is translated.",
        "train on English rows whose normal form is not held out: vectors first, then labels, once\n"
        "the baseline's label: the most frequent one there\n"
        "for each language: rows whose English text has a held-out normal form\n"
        "                   without the untranslated ones, unless it is English itself\n"
        "                   two shares: of right guesses, and of the baseline's label\n"
        "mean: over the other languages, each once",
    ),
    parts=(Lab(transfer, cases, MISTAKES, run=measured, in_pairs=False),),
)
