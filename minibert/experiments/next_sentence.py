"""What a next-sentence task teaches depends on its wrong sentences: trained on one kind of them, tested on all."""

import random
from collections import Counter
from functools import cache

import torch

from minibert import corpora
from minibert.experiments.record import Experiment
from minibert.model.encoder import Encoder
from minibert.tasks.probe import fit_probe
from minibert.tasks.sentence_embeddings import embed_texts
from minibert.tokenization import load_tokenizer

NEGATIVES = ("other speech", "same speech", "swapped")
FEATURES = ("overlap", "two bags", "MiniLM", "twin")


def _one(settings: dict, arm: str, seed: int) -> dict[str, float]:
    """Fit a logistic regression on true and one kind of wrong pairs; test it on all three kinds, half and half."""
    kind, trained_on = arm.split(", trained on ")
    size = settings["pairs_of_a_speech"], settings["most_speeches"]
    train, test = _quadruples(*size, seed)
    use = _uses(kind, *size, seed, settings["words"])
    probe = fit_probe(*_pairs(train, trained_on, use), penalty=settings["penalty"])
    return {f"on {negative}": probe.accuracy(*_pairs(test, negative, use)) for negative in NEGATIVES}


def _pairs(quadruples, negative: str, use) -> tuple[torch.Tensor, torch.Tensor]:
    """Features and labels (0 = is next) of the true pairs, followed by those of the wrong ones."""
    true = [(a, b) for a, b, _, _ in quadruples]
    wrong = {
        "other speech": [(a, other) for a, _, other, _ in quadruples],
        "same speech": [(a, same) for a, _, _, same in quadruples],
        "swapped": [(b, a) for a, b, _, _ in quadruples],
    }[negative]
    return use(true + wrong), torch.tensor([0] * len(true) + [1] * len(wrong))


@cache
def _quadruples(each: int, most: int, seed: int) -> tuple[list, list]:
    """For training and for testing: (A, the true next B, a sentence of another speech, a far one of the same)."""
    rng = random.Random(f"{seed} quadruples")
    speeches = [_fitting(speech) for speech in corpora.load("sotu")[:most]]
    rng.shuffle(speeches)
    cut = len(speeches) // 5
    parts = []
    for part in (speeches[cut:], speeches[:cut]):
        found = []
        for number, sentences in enumerate(part):
            places = [place for place in range(len(sentences) - 1) if sentences[place] and sentences[place + 1]]
            for place in rng.sample(places, min(each, len(places))):
                others = [s for i in rng.sample(range(len(part)), 2) if i != number for s in part[i] if s]
                far = [s for i, s in enumerate(sentences) if s and abs(i - place) > 5]
                if far and others:
                    found.append((sentences[place], sentences[place + 1], rng.choice(others), rng.choice(far)))
        parts.append(found)
    return tuple(parts)


def _fitting(speech) -> list[str]:
    """The sentences of a speech in order, "" in place of those with fewer than 6 words or more than 40."""
    return [s if 6 <= len(s.split()) <= 40 else "" for s in speech.sentences()]


def _uses(kind: str, each: int, most: int, seed: int, words: int):
    """A function from pairs of sentences to features (N, D)."""
    train, _ = _quadruples(each, most, seed)
    if kind in ("MiniLM", "twin"):
        vectors = _vectors(kind, each, most, seed)
        return lambda pairs: _compared(*(torch.stack([vectors[pair[i]] for pair in pairs]) for i in (0, 1)))
    count = Counter(word for row in train for sentence in row for word in set(_words(sentence)))
    if kind == "overlap":
        rare = {word: 1.0 / count[word] for word in count}
        return lambda pairs: torch.tensor([_overlap(_words(a), _words(b), rare) for a, b in pairs])
    index = {word: place for place, (word, _) in enumerate(count.most_common(words))}
    return lambda pairs: torch.cat([_bags([pair[i] for pair in pairs], index) for i in (0, 1)], dim=1)


def _words(sentence: str) -> list[str]:
    return "".join(letter if letter.isalpha() else " " for letter in sentence.lower()).split()


def _overlap(a: list[str], b: list[str], rare: dict[str, float]) -> list[float]:
    """What two sentences share, the same in both orders: share of words, of rare words, and how many."""
    both, either = set(a) & set(b), set(a) | set(b)
    weight = [sum(rare.get(word, 1.0) for word in some) for some in (both, either)]
    return [len(both) / max(len(either), 1), weight[0] / max(weight[1], 1e-9), float(len(both)), weight[0]]


def _bags(sentences: list[str], index: dict[str, int]) -> torch.Tensor:
    bags = torch.zeros(len(sentences), len(index))
    for row, sentence in enumerate(sentences):
        bags[row, [index[word] for word in set(_words(sentence)) if word in index]] = 1.0
    return bags


def _compared(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """Both vectors, their difference and their product, side by side: (N, D), (N, D) -> (N, 4 D)."""
    return torch.cat([a, b, (a - b).abs(), a * b], dim=1)


@cache
def _vectors(kind: str, each: int, most: int, seed: int) -> dict[str, torch.Tensor]:
    """The mean-pooled vector of every sentence, from the trained MiniLM or from one with fresh random weights."""
    folder = corpora.path("minilm")
    encoder = Encoder.from_pretrained(folder)
    if kind == "twin":
        encoder = Encoder(encoder.config, generator=torch.Generator().manual_seed(seed))
    train, test = _quadruples(each, most, seed)
    sentences = sorted({sentence for row in train + test for sentence in row})
    return dict(zip(sentences, embed_texts(sentences, encoder, load_tokenizer(folder)), strict=True))


NEXT_SENTENCE = Experiment(
    name="next_sentence",
    question="What does a next-sentence classifier learn, if its wrong sentences come from another speech, from the "
    "same speech, or are the two sentences in the wrong order?",
    settings=dict(pairs_of_a_speech=8, most_speeches=249, words=1000, penalty=100.0),
    arms=tuple(f"{kind}, trained on {negative}" for kind in FEATURES for negative in NEGATIVES),
    measure=_one,
    tiny=dict(pairs_of_a_speech=1, most_speeches=25, words=50),
)
