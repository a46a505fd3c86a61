"""What the small encoders of this project know about text that none of them was trained on, each beside controls.

- `topic`: BBC news in five classes, `film`: snippets that people rated good or bad. A logistic regression reads the
  mean of the last states of the encoder, which stays as it is (chance: 0.24, the largest class, and 0.5).
- `bits per byte`: of hidden words of BBC news, 15 % of the tokens; fewer are better, whatever the tokenizer.
- `found in fr` and so on: an English message finds its translation among held-out ones as the nearest vector (the mean
  of the last states again); `centred`: after the mean of each language's vectors was subtracted.

`minilm` was published by others; it was trained on a billion pairs of sentences, with English text only, and has no
head that names words. `untrained`: the same network, its weights drawn at random (for MiniLM see the experiment
`pretrained`). `counts`: a bag of words for the two classifications, runs of two to four letters for the translations.
"""

from functools import cache

import torch
from torch import Tensor

from minibert import corpora
from minibert.experiments.record import Experiment
from minibert.experiments.small_bert import ONLY_MASK
from minibert.experiments.small_encoders import one_thread
from minibert.model.encoder import Encoder
from minibert.model.models import MaskedLanguageModel
from minibert.shipped_models import shipped
from minibert.tasks.bags import Bag, character_ngrams, words
from minibert.tasks.probe import fit_probe
from minibert.tasks.retrieval import Index
from minibert.tasks.rows import pack_rows, rows_of
from minibert.tasks.sentence_embeddings import embed_texts
from minibert.tokenization import load_tokenizer
from minibert.training.data import mask_batch
from minibert.training.evaluation import evaluate, token_byte_lengths

NANOS = ("bert-nano", "modernbert-nano", "eurobert-nano")
ARMS = (*NANOS, "minilm", *(f"{name}, untrained" for name in NANOS), "counts")
Task = tuple[tuple[str, ...], Tensor]  # texts, labels


@cache
def _news(count: int, characters: int) -> Task:
    rows = corpora.load("bbc")
    order = torch.randperm(len(rows), generator=torch.Generator().manual_seed(0))[:count].tolist()
    names = sorted({row.label for row in rows})
    return tuple(rows[i].text[:characters] for i in order), torch.tensor([names.index(rows[i].label) for i in order])


@cache
def _films(count: int, characters: int) -> Task:
    sides = {True: {}, False: {}}  # as dictionaries: a text that stands there twice counts once
    for row in corpora.load("vader-movies"):
        if abs(row.rating) >= 1:
            sides[row.rating > 0][row.text[:characters]] = None
    generator, texts = torch.Generator().manual_seed(0), []
    for side in sides.values():
        ordered = list(side)
        texts += [ordered[i] for i in torch.randperm(len(ordered), generator=generator)[: count // 2].tolist()]
    return tuple(texts), torch.arange(2).flip(0).repeat_interleave(count // 2)


@cache
def _messages(languages: tuple[str, ...], most: int) -> dict[str, tuple[str, ...]]:
    """Held-out messages that all the languages have, at most so many, by language; English first."""
    rows = [m.texts for m in corpora.messages() if m.held_out and all(name in m.texts for name in languages)][:most]
    return {name: tuple(row[name] for row in rows) for name in ("en", *languages)}


def _folder(arm: str):
    name = arm.partition(",")[0]
    return corpora.path("minilm") if name == "minilm" else shipped(name)


@cache
def _encoder(arm: str, seed: int) -> Encoder:
    encoder = Encoder.from_pretrained(_folder(arm))
    if not arm.endswith("untrained"):
        return encoder
    return Encoder(encoder.config, generator=torch.Generator().manual_seed(seed)).eval()


@cache
def _vectors(arm: str, seed: int, texts: tuple[str, ...]) -> Tensor:
    return embed_texts(texts, _encoder(arm, seed), load_tokenizer(_folder(arm)), pool="mean")


def _accuracy(settings: dict, arm: str, seed: int, task: Task) -> float:
    texts, labels = task
    order = torch.randperm(len(texts), generator=torch.Generator().manual_seed(seed))
    train, test = order[: settings["labels"]], order[settings["labels"] :]
    if arm == "counts":
        features = Bag.of([texts[i] for i in train.tolist()], words).vectors(texts)
    else:
        features = _vectors(arm, seed if "untrained" in arm else 0, texts)
    return fit_probe(features[train], labels[train]).accuracy(features[test], labels[test])


def _found(settings: dict, arm: str, seed: int, language: str) -> tuple[float, float]:
    """The share of English messages whose nearest vector among the foreign ones is their translation's.

    The second number: with the mean of each language's vectors subtracted, so that what all of them share is gone.
    """
    texts = _messages(tuple(settings["languages"]), 2 * settings["messages"])  # some of them are drawn
    english, foreign = texts["en"], texts[language]
    chosen = torch.randperm(len(english), generator=torch.Generator().manual_seed(seed))[: settings["messages"]]
    if arm == "counts":
        bag = Bag.of(english + foreign, character_ngrams)
        queries, documents = bag.vectors(english), bag.vectors(foreign)
    else:
        run = seed if "untrained" in arm else 0
        queries, documents = (_vectors(arm, run, part) for part in (english, foreign))
    queries, documents = queries[chosen], documents[chosen]
    found = []
    for one, other in ((queries, documents), (queries - queries.mean(0), documents - documents.mean(0))):
        found.append((Index(other).ranks(one, torch.arange(len(chosen))) == 1).double().mean().item())
    return found[0], found[1]


def _bits_per_byte(settings: dict, arm: str, seed: int) -> float:
    """Of hidden words in rows of 64 tokens of news."""
    tokenizer = load_tokenizer(_folder(arm))
    documents = [torch.tensor(tokenizer.ids(row.text)) for row in corpora.load("bbc")[: settings["documents"]]]
    rows = rows_of(documents, 64)
    rows = rows[torch.randperm(len(rows), generator=torch.Generator().manual_seed(seed))[: settings["rows"]]]
    model = MaskedLanguageModel.from_pretrained(_folder(arm))
    batches = [mask_batch(pack_rows(rows), tokenizer, 0.15, ONLY_MASK, seed=seed)]
    return evaluate(model, batches, token_byte_lengths(tokenizer))["bits_per_byte"]


@one_thread()
def _one(settings: dict, arm: str, seed: int) -> dict[str, float]:
    texts, characters = settings["labels"] + settings["tested"], settings["characters"]
    found = {
        "topic": _accuracy(settings, arm, seed, _news(texts, characters)),
        "film": _accuracy(settings, arm, seed, _films(texts, characters)),
    }
    if arm in NANOS:
        found["bits per byte"] = _bits_per_byte(settings, arm, seed)
    for language in settings["languages"]:
        found[f"found in {language}"], found[f"found in {language}, centred"] = _found(settings, arm, seed, language)
    return found


THREE_ENCODERS = Experiment(
    name="three_encoders",
    question="What do the small encoders of the project know about text that none of them was trained on?",
    settings=dict(
        labels=150,
        tested=150,
        characters=150,
        documents=100,
        rows=64,
        languages=("fr", "ru"),
        messages=150,
    ),
    arms=ARMS,
    measure=_one,
    tiny=dict(labels=20, tested=10, documents=4, rows=4, messages=10, languages=("fr",)),
)
