"""What do pairs of texts that belong together make of an encoder? Questions and their Wikipedia passages, InfoNCE.

Trained on questions of BoolQ whose article is in the training part, tested on the other articles: a question looks for
its passage. `SQuAD` are questions and paragraphs of another collection, which no step has seen.

The starts: bert-nano, which filled blanks; its twin drawn at random; and MiniLM's [CLS]. MiniLM's makers tuned the mean
of its last layer on a billion pairs, so its [CLS] has read texts that it was never asked to stand for; the mean itself
is measured beside them and not tuned further. Two series start from bert-nano: other temperatures, and one negative
for each text, where a batch stays what it is and only the loss compares less.
"""

from collections.abc import Iterator
from functools import cache
from random import Random

import torch
from torch import Tensor

from minibert import corpora
from minibert.experiments.across_languages import first_share, gain
from minibert.experiments.poolings import Pair, drawn_questions, encoder_of, mean_cosine
from minibert.experiments.record import Experiment
from minibert.objectives.contrastive import info_nce
from minibert.tasks.bags import Bag, words
from minibert.tasks.retrieval import Index
from minibert.tasks.sentence_embeddings import embed_texts, tune_on_pairs
from minibert.training.fine_tuning import tuning_recipe

TEMPERATURES = {f"bert-nano, temperature {t}": t for t in (0.01, 1.0)}  # the others have 0.05
ONE_NEGATIVE = "bert-nano, 1 negative"  # the others have 15
ARMS = ("words", "bert-nano", "bert-nano untrained", *TEMPERATURES, ONE_NEGATIVE, "MiniLM, [CLS]", "MiniLM, mean")


@cache
def passages(held_out: bool, words_each: int) -> tuple[tuple[str, str], ...]:
    """Questions with the first words of their passage, one for each passage; whole articles are held out."""
    found = {}
    for row in corpora.load("boolq"):
        if corpora.is_held_out(row.title.casefold(), 20) == held_out:
            found.setdefault(" ".join(row.passage.split()[:words_each]), row.question)
    return tuple((question, passage) for passage, question in found.items())


def batches(words_each: int, size: int, seed: int) -> Iterator[list[tuple[str, str]]]:
    """Batches of training pairs without an end; all passages of a batch differ."""
    pairs, rng = passages(False, words_each), Random(f"{seed} pairs")
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
    pairs = passages(True, settings["words"])[: settings["tested"]]
    boolq = tuple(map(list, zip(*pairs, strict=True)))
    squad = drawn_questions(settings["squad"], settings["squad_words"], seed)[0]
    tests = {"": boolq, ", SQuAD": squad}
    if arm == "words":
        bag = Bag.of([text for side in zip(*passages(False, settings["words"]), strict=True) for text in side], words)
        return _scores(tests, bag.vectors, "before")
    encoder, tok = encoder_of(arm.split(",")[0], seed)
    pool = "cls" if "[CLS]" in arm else "mean"

    def embed(texts):
        return embed_texts(texts, encoder, tok, pool)

    found = _scores(tests, embed, "before")
    if arm == "MiniLM, mean":
        return found
    large = arm.startswith("MiniLM")
    size = "_large" if large else ""
    recipe = tuning_recipe(settings[f"steps{size}"], settings[f"rate{size}"])
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)  # dropout
        tune_on_pairs(
            batches(settings["words"], settings["pairs"], seed),
            encoder,
            tok,
            recipe,
            TEMPERATURES.get(arm, settings["temperature"]),
            pool,
            loss_in_groups(2) if arm == ONE_NEGATIVE else info_nce,
        )
    return found | _scores(tests, embed, "after")


def _scores(tests: dict[str, Pair], embed, when: str) -> dict[str, float]:
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
        rate=1e-3,  # of 1e-3 and 3e-3 the better one after 40 steps, on training articles, see LOG.md
        steps_large=30,
        rate_large=1e-4,
        temperature=0.05,
    ),
    arms=ARMS,
    measure=_one,
    tiny=dict(words=8, tested=20, squad=8, squad_words=20, pairs=4, steps=2, steps_large=1),
)
