"""10.4 Open task: beat the bag of words with ten labels. The check measures on snippets of its own."""

from collections import Counter
from functools import lru_cache

import torch
from torch.nn import functional

from minibert import corpora
from minibert.course.exercise import Exercise, Wrong
from minibert.course.lab import Lab
from minibert.course.tools import call_without_data, kind_of, show
from minibert.model.encoder import Encoder
from minibert.tasks.classification import features
from minibert.tasks.open_tuning import LABELS, bag_of_words, draw_snippets, share_right
from minibert.tasks.probe import fit_probe
from minibert.tokenization import load_tokenizer


def predict(texts, labels, others):
    """The label of each of `others`, learned from a few labelled texts."""
    good = "great wonderful funny moving brilliant charming beautiful clever fascinating touching powerful"
    bad = "terrible awful boring dull stupid tedious ugly silly predictable annoying shallow"
    starts = ("a film that is", "the movie is")
    told = [f"{start} {word}" for word in f"{good} {bad}".split() for start in starts]
    meant = ["positive"] * 22 + ["negative"] * 22  # what the labels mean, in our own words
    encoder, tok = Encoder.from_pretrained(corpora.path("minilm")), load_tokenizer(corpora.path("minilm"))
    states = functional.normalize(features([*texts, *told, *others], encoder, tok), dim=-1)  # (B, D)
    numbers = torch.tensor([LABELS.index(label) for label in [*labels, *meant]])
    probe = fit_probe(states[: len(numbers)], numbers, penalty=1000.0)  # with few labels, small weights
    return [LABELS[number] for number in probe.logits(states[len(numbers) :]).argmax(-1).tolist()]


# How often it is asked; how many bags the bar comes from, and how far it lies above them. With 60 seeds the bag has
# 54 % (3 draws: +- 3), a logistic regression on frozen means 61 % (+- 3, at most 69), the answer above 77 % (+- 2).
DRAWS, BAGS, MORE = 3, 40, 0.17
LIST = "return a list with 'negative' or 'positive' for each of `others`, in their order"
SAME = "the same label everywhere: nothing is learned from the labels, or the steps are too large"
TURNED = "far fewer right than by chance: the two labels are exchanged on the way"
BAG = "that is what words alone tell, or less: is it the trained encoder that reads, with the mean of all its tokens?"
NEAR = "the encoder helps, but ten texts do not show it what is meant; you know what the labels mean: write it down"
SOLD = "more than ten labels can teach: are the texts looked up in the data set?"


def measure(answer, rng):
    """Ask for the labels of other snippets, three times, and compare with bags of words that saw as many labels."""
    seed = int(torch.randint(2**31, (), generator=rng))
    found = []
    for number in range(DRAWS):
        texts, labels, others, right = draw_snippets(seed + number)
        got = call_without_data(answer, texts, labels, others)
        got = got.tolist() if hasattr(got, "tolist") else got
        if type(got) not in (list, tuple) or len(got) != len(others):
            raise Wrong(f"predict returns {kind_of(got)}", f"a list of {len(others)}", LIST)
        if strange := [label for label in got if label not in LABELS]:
            raise Wrong(f"a label is {show(strange[0])}", " or ".join(map(repr, LABELS)), LIST)
        if max(Counter(got).values()) == len(got):
            raise Wrong(f"all {len(got)} labels are {got[0]!r}", "labels of both kinds", SAME)
        found.append(share_right(got, right))
    mean, bags = sum(found) / DRAWS, baseline(seed)
    bag, same = sum(bags) / BAGS, sum(bags[:DRAWS]) / DRAWS  # of many draws, and of those that were asked
    if bag + MORE <= mean < 0.95:
        return
    seen = f"{show(round(100 * mean, 1))} % of the labels are right, of a bag of words {show(round(100 * bag, 1))} %"
    causes = (0.36, TURNED), (max(same, bag) + 0.02, BAG), (bag + MORE, NEAR), (1.1, SOLD)
    expected = f"at least {show(round(100 * (bag + MORE), 1))} %, {100 * MORE:g} points above the bag"
    raise Wrong(seen, expected, next(cause for least, cause in causes if mean < least))


@lru_cache(maxsize=8)
def baseline(seed):
    """The share of labels that a bag of words gets right, for each of several draws; first those of the check."""
    drawn = [draw_snippets(seed + number) for number in range(BAGS)]
    return [share_right(bag_of_words(*given), right) for *given, right in drawn]


RETURN = "return [LABELS[number] for number in probe.logits(states[len(numbers) :]).argmax(-1).tolist()]"
LOAD = "    encoder, tok ="
MISTAKES = {
    LIST: {"argmax(-1).tolist()]": "argmax(-1).tolist()[1:]]"},
    "a label is": {RETURN: "return probe.logits(states[len(numbers) :]).argmax(-1)"},
    SAME: {LOAD: "    return ['negative'] * len(others)\n" + LOAD},
    TURNED: {"LABELS[number] for": "LABELS[1 - number] for"},
    BAG: {LOAD: "    return bag_of_words(texts, labels, others)\n" + LOAD},
    "loads the data set 'vader-movies'": {
        LOAD: "    rows = {row.text: row.rating > 0 for row in corpora.load('vader-movies')}\n"
        "    return [LABELS[rows[text]] for text in others]\n" + LOAD
    },
    SOLD: {
        LOAD: "    from minibert.tasks.open_tuning import clear_snippets\n"
        "    return [LABELS[text in clear_snippets()[1]] for text in others]\n" + LOAD
    },
    "your code changes": {LOAD: "    texts.clear()\n    return ['negative'] * len(others)\n" + LOAD},
}

EXERCISE = Exercise(
    minutes=60,
    difficulty=4,
    signature="predict(texts: ten texts, labels: ten of 'negative' and 'positive', others: texts) -> a list of labels",
    hints=(
        "A bag of words must see a word before it knows what it means; MiniLM has read a billion sentences. Ten texts\n"
        "do not show it which of their many differences is meant. You know what the labels mean. How would you tell\n"
        "the model, in its own language?",
        "features(n texts, encoder, tok) -> (n, 384); fit_probe of rows that have labels and their numbers -> logits\n"
        "(150, 2) of the others. Rows of sentences of your own may stand beside the ten, if they have labels. All\n"
        "together takes a second.",
        "write a dozen words of praise and a dozen of blame, each in a short sentence\n"
        "the encoder's mean states of the given texts, your sentences and the other texts\n"
        "fit on the rows that have labels, with a large penalty\n"
        "the label with the higher logit for all the others",
    ),
    parts=(Lab(predict, lambda rng: [], MISTAKES, after=measure, coarse=True),),
    seconds=120.0,
    needs=("vader", "minilm"),
)
