"""What do pairs of texts that belong together make of an encoder? Questions and their Wikipedia passages, InfoNCE.

Trained on questions of BoolQ whose article is in the training part, tested on the other articles: a question looks for
its passage. `SQuAD` are questions and paragraphs of another collection, which no step has seen.

The starts: bert-nano, which filled blanks and judged next sentences, and its twin drawn at random. Two series start
from bert-nano: other temperatures, and one negative for each text, where a batch stays what it is and only the loss
compares less. MiniLM, the mean of whose last layer its makers tuned on a billion pairs, is measured and not tuned.

Each of the others is tuned with every rate of the grid, and the one counts that finds most passages of validation
articles, which are no part of the training. "rate" is the chosen one.
"""

import copy
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from random import Random

import torch
from torch import Tensor

from minibert import corpora
from minibert.experiments.across_languages import first_share, gain
from minibert.experiments.poolings import Pair, drawn_questions, encoder_of, mean_cosine
from minibert.experiments.record import Experiment
from minibert.model.encoder import Encoder
from minibert.objectives.contrastive import info_nce
from minibert.tasks.bags import Bag, words
from minibert.tasks.retrieval import Index
from minibert.tasks.sentence_embeddings import embed_texts, tune_on_pairs
from minibert.training.fine_tuning import tuning_recipe

Embed = Callable[[list[str]], Tensor]
TEMPERATURES = {f"bert-nano, temperature {t}": t for t in (0.01, 1.0)}  # the others have 0.05
ONE_NEGATIVE = "bert-nano, 1 negative"  # the others have 15
NOT_TUNED = ("MiniLM, [CLS]", "MiniLM, mean")
ARMS = ("words", "bert-nano", "bert-nano untrained", *TEMPERATURES, ONE_NEGATIVE, *NOT_TUNED)
PARTS = ("train", "validation", "test")  # of the articles: 70, 10 and 20 in a hundred


def part_of(title: str) -> str:
    """The part to which an article of BoolQ belongs; upper and lower case are the same article.

    >>> part_of("Blackjack"), part_of("kansas")
    ('test', 'train')
    """
    title = title.casefold()
    return "test" if corpora.is_held_out(title, 20) else "validation" if corpora.is_held_out(title, 30) else "train"


@cache
def passages(part: str, words_each: int) -> tuple[tuple[str, str], ...]:
    """Questions with the first words of their passage, one for each passage, of one part of the articles.

    A passage that two articles share is in one part only, the first of "train", "validation", "test".
    """
    found = {}
    for row in sorted(corpora.load("boolq"), key=lambda row: PARTS.index(part_of(row.title))):
        found.setdefault(" ".join(row.passage.split()[:words_each]), row)
    return tuple((row.question, passage) for passage, row in found.items() if part_of(row.title) == part)


def batches(words_each: int, size: int, seed: int) -> Iterator[list[tuple[str, str]]]:
    """Batches of training pairs without an end; all passages of a batch differ."""
    pairs, rng = passages("train", words_each), Random(f"{seed} pairs")
    while True:
        yield rng.sample(pairs, size)


def loss_in_groups(size: int):
    """InfoNCE in which each text is compared with the texts of its group only, `size` of them.

    >>> loss = loss_in_groups(2)(torch.eye(4), torch.eye(4), 1.0)
    >>> bool(loss < info_nce(torch.eye(4), torch.eye(4), 1.0))  # fewer texts to be told from
    True
    """

    def loss(queries: Tensor, documents: Tensor, temperature: float) -> Tensor:
        groups = zip(queries.split(size), documents.split(size), strict=True)
        return torch.stack([info_nce(*group, temperature) for group in groups]).mean()

    return loss


def _one(settings: dict, arm: str, seed: int) -> dict[str, float]:
    """Measures before and after tuning; an arm that is not tuned has the first ones only."""
    boolq = _sides(passages("test", settings["words"])[: settings["tested"]])
    squad = drawn_questions(settings["squad"], settings["squad_words"], seed)[0]
    tests = {"": boolq, ", SQuAD": squad}
    if arm == "words":
        known = _sides(passages("train", settings["words"]))
        return _scores(tests, Bag.of([text for side in known for text in side], words).vectors, "before")
    encoder, tok = encoder_of(arm.split(",")[0], seed)

    def embed_with(model: Encoder) -> Embed:
        return lambda texts: embed_texts(texts, model, tok, "cls" if "[CLS]" in arm else "mean")

    found = _scores(tests, embed_with(encoder), "before")
    if arm in NOT_TUNED:
        return found
    validation = {"": _sides(passages("validation", settings["words"])[: settings["tested"]])}
    tuned = {}
    for rate in settings["rates"]:
        tuned[rate] = copy.deepcopy(encoder)
        pairs = batches(settings["words"], settings["pairs"], seed)
        temperature = TEMPERATURES.get(arm, settings["temperature"])
        loss = loss_in_groups(2) if arm == ONE_NEGATIVE else info_nce
        tune_on_pairs(pairs, tuned[rate], tok, tuning_recipe(settings["steps"], rate), temperature, loss=loss)
        found[f"validation, rate {rate:g}"] = _scores(validation, embed_with(tuned[rate]), "after")["nDCG@10, after"]
    best = max(tuned, key=lambda rate: found[f"validation, rate {rate:g}"])
    return found | {"rate": best} | _scores(tests, embed_with(tuned[best]), "after")


def _sides(pairs: Sequence[tuple[str, str]]) -> Pair:
    return tuple(map(list, zip(*pairs, strict=True)))


def _scores(tests: dict[str, Pair], embed: Embed, when: str) -> dict[str, float]:
    """nDCG@10 and recall@1 of the tests, the mean cosine of two documents, and of a question and its own document."""
    found = {}
    for name, (queries, documents) in tests.items():
        one, other = embed(queries), embed(documents)
        ranks = Index(other).ranks(one, torch.arange(len(one))).tolist()
        found[f"nDCG@10{name}, {when}"] = round(gain(ranks), 4)
        found[f"recall@1{name}, {when}"] = round(first_share(ranks), 4)
        if not name:
            found[f"cosine of two passages, {when}"] = round(mean_cosine(other), 4)
            found[f"cosine of a question and its passage, {when}"] = round(float((one * other).sum(-1).mean()), 4)
            found["candidates"] = len(other)
    return found


CONTRASTIVE = Experiment(
    name="contrastive",
    question="What does contrastive tuning make of an encoder, by its start, the temperature and the negatives?",
    settings=dict(
        words=24,  # of a passage
        tested=200,  # passages of held-out articles
        squad=80,  # paragraphs of another collection
        squad_words=80,
        pairs=16,  # a step
        steps=50,
        rates=(3e-4, 1e-3),
        temperature=0.05,
    ),
    arms=ARMS,
    measure=_one,
    tiny=dict(words=8, tested=20, squad=8, squad_words=20, pairs=4, steps=2),
)
