"""Names in tweets: what finds them, a dictionary, capital letters, or an encoder, frozen or tuned?

Ten kinds of names, each word tagged with BIO, the first piece of a word labelled. Each seed cuts the tweets anew: a
fifth is held out. All arms see the same other tweets (those with a name, and some of those without).

`dictionary`: the longest run of words that was a name in training, with the kind it had most often there. `capital
letters`: a run of words that begin with a capital, not at the start of a sentence, is a person, the commonest kind.
MiniLM's tokens are in small letters: it never sees a capital. `probe`: a logistic regression reads the last states of
the frozen encoder at each word's first piece. `tuned`: the probe's weights become the head, and then all weights are
trained. (From a head drawn at random, so few steps end below the probe: LOG.md. That look was at one fifth of the
tweets; the fifths that are held out here are other ones.)

Penalty and learning rate were chosen for each start, on 223 training tweets of seed 0: LOG.md has what was tried.
"""

import random
from collections import Counter, defaultdict
from collections.abc import Sequence

import torch
from torch import Tensor

from minibert import corpora
from minibert.corpora.rows import TaggedTokens
from minibert.corpora.splits import is_held_out
from minibert.experiments.minilm import tokenizer
from minibert.experiments.record import Experiment
from minibert.model.task_models import TokenClassifier
from minibert.tasks import entities, entity_scores
from minibert.tasks.inference import inference
from minibert.tasks.probe import Probe, fit_probe
from minibert.tasks.tagging import align, examples, tag
from minibert.training.fine_tuning import fine_tune, run_packed, tuning_recipe

ARMS = (
    "dictionary",
    "capital letters",
    "probe on random",
    "probe on MiniLM",
    "tuned from random",
    "tuned from MiniLM",
)
Tags = list[list[str]]


def _one(settings: dict, arm: str, seed: int) -> dict[str, float]:
    """Precision, recall and F1 of whole names; the same whatever their kind; recall of known and of new names."""
    train, test = sides(settings, seed)
    gold = [list(row.tags) for row in test]
    words = [row.tokens for row in test]
    if arm == "dictionary":
        found = look_up(words, dictionary_of(train))
    elif arm == "capital letters":
        found = [by_capitals(text) for text in words]
    else:
        learn = _probe if arm.startswith("probe") else _tuned
        found = learn(_of_start(settings, arm), _start(arm, seed), train, words, seed)
    names = ("precision", "recall", "f1")
    scores = dict(zip(names, entity_scores(gold, found), strict=True))
    scores["f1 of any kind"] = entity_scores(any_kind(gold), any_kind(found))[2]
    hits = sum(a == b for text, other in zip(gold, found, strict=True) for a, b in zip(text, other, strict=True))
    scores["word accuracy"] = hits / sum(map(len, gold))
    scores["names"] = sum(len(entities(tags)) for tags in gold)
    return scores | _by_novelty(train, test, found)


def sides(settings: dict, seed: int) -> tuple[list[TaggedTokens], list[TaggedTokens]]:
    """Training tweets, with a name and without, of which a seed chooses some; and those that this seed holds out."""
    parts = [], []
    for row in corpora.load("ner", "all", stand_in=False):
        parts[is_held_out(f"{seed} {' '.join(row.tokens)}", 20)].append(row)  # copies of a tweet are on one side
    named, others = ([row for row in parts[0] if bool(entities(row.tags)) == there] for there in (True, False))
    chosen = random.Random(seed).sample(others, settings["nameless"])
    return named[: settings["named"]] + chosen, parts[1][: settings["tested"]]


# ---- without a network


def dictionary_of(rows: Sequence[TaggedTokens]) -> dict[tuple[str, ...], str]:
    """The names in these rows, each with the kind that it has most often.

    >>> dictionary_of([TaggedTokens(("New", "York", "wins"), ("B-place", "I-place", "O"))])
    {('New', 'York'): 'place'}
    """
    kinds: dict[tuple[str, ...], Counter] = defaultdict(Counter)
    for row in rows:
        for kind, start, end in entities(row.tags):
            kinds[tuple(row.tokens[start:end])][kind] += 1
    return {name: counts.most_common(1)[0][0] for name, counts in kinds.items()}


def look_up(texts: Sequence[Sequence[str]], names: dict[tuple[str, ...], str]) -> Tags:
    """Tag the words of each text from the left, the longest name first.

    >>> look_up([["to", "New", "York"]], {("New",): "other", ("New", "York"): "place"})
    [['O', 'B-place', 'I-place']]
    """
    longest, found = max(map(len, names)), []
    for words in texts:
        tags, place = [], 0
        while place < len(words):
            sizes = range(min(longest, len(words) - place), 0, -1)
            size = next((size for size in sizes if tuple(words[place : place + size]) in names), 0)
            kind = names.get(tuple(words[place : place + size]))
            tags += ["O"] if not size else [f"B-{kind}"] + [f"I-{kind}"] * (size - 1)
            place += max(1, size)
        found.append(tags)
    return found


def by_capitals(words: Sequence[str], kind: str = "person") -> list[str]:
    """Tag runs of words that begin with a capital, but not a word that begins a sentence.

    >>> by_capitals(["Today", "I", "met", "Dorothy", "Gale", "."])
    ['O', 'O', 'O', 'B-person', 'I-person', 'O']
    """
    tags = []
    for before, word in zip((".", *words), words, strict=False):
        is_name = word[0].isupper() and word != "I" and before not in (".", "!", "?", "...", ":", '"')
        goes_on = bool(tags) and tags[-1] != "O"
        tags.append("O" if not is_name else f"{'I' if goes_on else 'B'}-{kind}")
    return tags


# ---- with one


def tags_of(rows: Sequence[TaggedTokens]) -> list[str]:
    """All tags that occur, O first: a tag's place is its number."""
    return ["O", *sorted({tag for row in rows for tag in row.tags} - {"O"})]


def _of_start(settings: dict, arm: str) -> dict:
    """The settings with the learning rate and the penalty of this arm's start."""
    return settings | {name: settings[name][arm.split()[-1]] for name in ("rate", "penalty")}


def _start(arm: str, seed: int) -> TokenClassifier:
    """MiniLM with a new head, or its net drawn at random with this seed."""
    generator, labels = torch.Generator().manual_seed(seed), len(tags_of(corpora.load("ner", "all", stand_in=False)))
    folder = corpora.path("minilm")
    model = TokenClassifier.from_pretrained(folder, labels=labels, new_head=True, generator=generator)
    return model if arm.endswith("MiniLM") else TokenClassifier(model.config, labels, generator=generator)


def _tuned(settings: dict, model: TokenClassifier, train, words, seed: int) -> Tags:
    names, tok = tags_of(corpora.load("ner", "all", stand_in=False)), tokenizer()
    probe, head = _fitted(settings, model, train, names), model.head.classifier
    with torch.no_grad():  # the same logits as the probe's: it scales the states first
        seen = len(probe.weight)  # the last tags may not occur in training
        head.weight[:seen] = (probe.weight / probe.scale).float()
        head.bias[:seen] = (probe.bias - probe.weight @ (probe.mean / probe.scale)).float()
    learned = examples(train, tok, names)
    steps = max(1, settings["passes"] * len(learned) // settings["batch"])
    recipe = tuning_recipe(steps, settings["rate"], bf16=True, seed=seed)
    fine_tune(model, learned, recipe, batch_size=settings["batch"])
    return tag(words, model, tok, names)


def _probe(settings: dict, model: TokenClassifier, train, words, seed: int) -> Tags:
    names = tags_of(corpora.load("ner", "all", stand_in=False))
    probe = _fitted(settings, model, train, names)
    features, kept = _features(model, words)
    best = torch.zeros(len(kept), dtype=torch.int64)
    best[kept] = probe.logits(features).argmax(-1)
    parts = best.split([len(text) for text in words])
    return [[names[number] for number in part] for part in parts]


def _fitted(settings: dict, model: TokenClassifier, train, names: list[str]) -> Probe:
    labels = torch.tensor([names.index(name) for row in train for name in row.tags])
    features, kept = _features(model, [row.tokens for row in train])
    return fit_probe(features, labels[kept], settings["penalty"], steps=settings["fitting_steps"])


def _features(model: TokenClassifier, texts: Sequence[Sequence[str]]) -> tuple[Tensor, Tensor]:
    """The last state at the first piece of each word (words, D), of those words that have one: which, (all,) bool."""
    tok, found, kept = tokenizer(), [], []
    with inference(model), torch.autocast("cpu", dtype=torch.bfloat16):
        for start in range(0, len(texts), 64):
            aligned = [align(words, tok) for words in texts[start : start + 64]]
            output, borders = run_packed(model.encoder, aligned)
            places = [
                None if place is None else int(first) + place
                for text, first in zip(aligned, borders, strict=False)
                for place in text.places
            ]
            kept += [place is not None for place in places]
            found.append(output.hidden.float()[[place for place in places if place is not None]])
    return torch.cat(found), torch.tensor(kept)


# ---- what is measured


def any_kind(tags: Sequence[Sequence[str]]) -> Tags:
    """The tags without their kind.

    >>> any_kind([["B-person", "O"]])
    [['B-name', 'O']]
    """
    return [["O" if one == "O" else f"{one[0]}-name" for one in text] for text in tags]


def _by_novelty(train, test, found: Tags) -> dict[str, float]:
    """The recall of names that stand in a training tweet, as a name and letter for letter, and of all others."""
    known, hits = set(dictionary_of(train)), {True: [], False: []}
    for row, tags in zip(test, found, strict=True):
        there = set(entities(tags))
        for entity in entities(row.tags):
            hits[tuple(row.tokens[entity[1] : entity[2]]) in known].append(entity in there)
    found = {name: sum(hits[key]) / max(1, len(hits[key])) for name, key in (("known", True), ("new", False))}
    return {f"recall of {name} names": share for name, share in found.items()}


NAMES = Experiment(
    name="names",
    question="How many names in tweets does a tuned encoder find, beside a dictionary and a probe?",
    settings=dict(
        named=900,  # all that have one, about 730
        nameless=400,  # of about 1,180: most tweets have no name and teach little
        tested=900,  # all that are held out, about 480
        passes=1,
        batch=16,
        rate={"random": 3e-4, "MiniLM": 3e-4},
        penalty={"random": 3.0, "MiniLM": 30.0},
        fitting_steps=60,
    ),
    arms=ARMS,
    measure=_one,
    tiny=dict(named=8, nameless=4, tested=6, passes=1, batch=8, fitting_steps=3),
)
