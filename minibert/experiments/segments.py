"""Do segment ids help to read pairs? MiniLM tuned on BoolQ, a question and a passage, with them and without.

BoolQ's public validation questions are cut anew by title, so that no article is on both sides, and half of the answers
are yes. RTE and MRPC only measure: is what was learned, that a passage says yes, good for "does it follow?" and "is it
the same?". Their answers have other shares, so the number is the chance that a yes is scored above a no (the area under
the ROC curve, 0.5 for guessing), which needs no threshold. Controls: the question alone, the cosine of
the untuned vectors of question and passage, and a bag of words of each.
"""

from collections.abc import Sequence
from functools import cache

import torch
from torch import Tensor

from minibert import corpora
from minibert.corpora.rows import LabelledPair, LabelledText
from minibert.experiments.minilm import ignore_segments, mean_classifier, one_segment, tokenizer
from minibert.experiments.record import Experiment
from minibert.model.encoder import Encoder
from minibert.model.task_models import SequenceClassifier
from minibert.tasks.bags import Bag, words
from minibert.tasks.classification import classify, examples, text_of
from minibert.tasks.metrics import auc
from minibert.tasks.probe import fit_probe
from minibert.tasks.sentence_embeddings import embed_texts
from minibert.training.fine_tuning import fine_tune, tuning_recipe

ARMS = ("segments", "one segment", "question alone", "cosine, not tuned", "two bags of words")
ANSWERS = ("no", "yes")
_HELD_OUT = 30  # percent of the titles


def _one(settings: dict, arm: str, seed: int) -> dict[str, float]:
    """Areas under the curve: BoolQ, for pairs RTE and MRPC too, and BoolQ with the segments taken away afterwards."""
    train, test = boolq_pairs(settings["longest"], settings["questions"], settings["tested"], seed)
    others = {
        "RTE": _judged("rte", "entailment", settings["others"]),
        "MRPC": _judged("mrpc", "equivalent", settings["others"]),
    }
    if arm == "two bags of words":
        return {"BoolQ": _bags(train, test, settings["penalty"])}
    if arm == "cosine, not tuned":
        return {name: _cosine(tuple(rows)) for name, rows in {"BoolQ": test, **others}.items()}
    if arm == "question alone":
        train, test = ([LabelledText(row.first, row.label) for row in part] for part in (train, test))
    model = tuned(settings, train, seed, with_segments=arm != "one segment")
    found = {"BoolQ": auc(*_scored(model, test))}
    if arm == "question alone":
        return found
    found |= {name: auc(*_scored(model, rows)) for name, rows in others.items()}
    if arm == "segments":
        ignore_segments(model)
        found["BoolQ, taken away"] = auc(*_scored(model, test))
    return found


def boolq_pairs(longest: int, most: int, tested: int, seed: int) -> tuple[list[LabelledPair], list[LabelledPair]]:
    """Questions and passages to train on and, of other titles, to test on: as many yes as no, no longer than `longest`.

    A pair is (question, passage); at most `most` to train on, at most `tested`, the same for every seed, to test on.
    """
    sides = _short(longest)
    generator = torch.Generator().manual_seed(seed)
    parts = []
    for held in (False, True):
        half = min(len(sides[held, False]), len(sides[held, True]), (tested if held else most) // 2)
        chosen = []
        for answer in (False, True):
            pairs = sides[held, answer]
            order = torch.randperm(len(pairs), generator=generator).tolist() if not held else range(len(pairs))
            chosen.append([pairs[i] for i in order[:half]])
        parts.append([row for turn in zip(*chosen, strict=True) for row in turn])
    return tuple(parts)


@cache
def _short(longest: int) -> dict[tuple[bool, bool], list[LabelledPair]]:
    """The pairs of at most `longest` tokens, by (is the title held out?, is the answer yes?)."""
    sides = {(held, answer): [] for held in (False, True) for answer in (False, True)}
    for row in corpora.load("boolq"):
        if len(row.passage) < 8 * longest and len(tokenizer().encode(row.question, row.passage).ids) <= longest:
            held = corpora.is_held_out(row.title.casefold(), _HELD_OUT)
            sides[held, row.answer].append(LabelledPair(row.question, row.passage, ANSWERS[row.answer]))
    return sides


def tuned(settings: dict, train: Sequence, seed: int, with_segments: bool) -> SequenceClassifier:
    """MiniLM tuned on the rows."""
    model = mean_classifier(2, seed)
    rows = examples(train, tokenizer(), ANSWERS)
    recipe = tuning_recipe(settings["steps"], settings["rate"], seed=seed)
    fine_tune(model, rows if with_segments else list(map(one_segment, rows)), recipe, batch_size=settings["batch"])
    if not with_segments:
        ignore_segments(model)
    return model


def _scored(model, rows: Sequence) -> tuple[Tensor, Tensor]:
    """The probability of yes, and whether it is right."""
    likely = classify([text_of(row) for row in rows], model, tokenizer(), max_length=128)[:, 1]
    return likely, torch.tensor([row.label == "yes" for row in rows])


def _judged(name: str, positive: str, most: int) -> list[LabelledPair]:
    """Rows of RTE or MRPC as BoolQ has them: what is asked first, then the text that is to say yes to it."""
    rows = corpora.load(name)[:most]
    return [LabelledPair(row.second, row.first, ANSWERS[row.label == positive]) for row in rows]


@cache
def _cosine(rows: tuple[LabelledPair, ...]) -> float:
    """How well the likeness of the two texts' vectors tells yes from no, before any tuning."""
    encoder = Encoder.from_pretrained(corpora.path("minilm"))
    first, second = (
        embed_texts([getattr(row, side) for row in rows], encoder, tokenizer()) for side in ("first", "second")
    )
    return auc((first * second).sum(1), torch.tensor([row.label == "yes" for row in rows]))


def _bags(train: Sequence[LabelledPair], test: Sequence[LabelledPair], penalty: float) -> float:
    """A logistic regression on the words of the question beside the words of the passage."""
    bags = [Bag.of([getattr(row, side) for row in train], words) for side in ("first", "second")]

    def features(rows: Sequence[LabelledPair]) -> Tensor:
        sides = zip(bags, ("first", "second"), strict=True)
        return torch.cat([bag.vectors([getattr(row, side) for row in rows]) for bag, side in sides], dim=1)

    is_yes = [torch.tensor([row.label == "yes" for row in rows]) for rows in (train, test)]
    logits = fit_probe(features(train), is_yes[0].long(), penalty).logits(features(test))
    return auc(logits[:, 1] - logits[:, 0], is_yes[1])


SEGMENTS = Experiment(
    name="segments",
    question="Do segment ids help MiniLM to read pairs, on BoolQ, and on RTE and MRPC without training there?",
    settings=dict(longest=96, questions=400, tested=120, others=60, steps=20, batch=8, rate=1e-4, penalty=30.0),
    arms=ARMS,
    measure=_one,
    tiny=dict(longest=64, questions=8, tested=8, others=6, steps=1, batch=2),
)
