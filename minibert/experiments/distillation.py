"""Does a teacher help a student of half its depth? Sentiment again, from few labels and much text without labels.

The teacher is MiniLM (6 layers), tuned on labelled film snippets. The student has 3 layers: every second one of MiniLM,
or layers drawn at random; head and embeddings start alike, and the embeddings stay as they are. All students take
equally many steps on batches of equal size, with the same learning rates, except where the arm says `3 times the
steps`. `labels only` learns from the labelled snippets. `and softened answers` learns from the teacher's softened
probabilities, too, `and hidden states` from its last hidden states, `teacher, same texts` from both, and `teacher, more
texts` also on other snippets, whose labels nobody uses. All are tested on SST-2, whose sentences are in no training
text. `seconds` are those of the model alone, on texts that are tokens already.
"""

import json
import time
from functools import cache

import torch
from torch import Tensor

from minibert import corpora
from minibert.bench.int8 import weight_bytes
from minibert.experiments.minilm import LABELS, tokenizer, with_new_head
from minibert.experiments.record import Experiment
from minibert.experiments.small_encoders import one_thread
from minibert.model.initialization import initialize
from minibert.model.task_models import SequenceClassifier
from minibert.objectives import IGNORE, mlm_loss_sum
from minibert.objectives.distillation import hidden_cosine_loss, keep_layers, soft_target_loss
from minibert.tasks.bags import Bag, words
from minibert.tasks.classification import accuracy, examples
from minibert.tasks.inference import inference
from minibert.tasks.probe import best_probe
from minibert.tasks.quantize import quantize
from minibert.training.fine_tuning import Example, fine_tune, run_packed, tuning_recipe

BOTH = ("soft", "hidden")
KINDS = {  # arm of a student: where its layers come from, what it learns from besides the labels
    "labels only": ("MiniLM", ()),
    "labels only, 3 times the steps": ("MiniLM", ("longer",)),
    "labels and softened answers": ("MiniLM", ("soft",)),
    "labels and hidden states": ("MiniLM", ("hidden",)),
    "teacher, same texts": ("MiniLM", BOTH),
    "teacher, more texts": ("MiniLM", (*BOTH, "more")),
    "random, labels only": ("random", ()),
    "random, teacher, more texts": ("random", (*BOTH, "more")),
}
ARMS = ("teacher", *KINDS, "bag of words")
ROUNDED = ("teacher", "teacher, more texts")  # the arms that are measured as int8, too, and timed


def snippets(settings: dict, seed: int) -> tuple[list, list]:
    """Labelled rows, balanced, and rows whose labels stay unused; none of them is known to SST-2."""
    sides = {label: {} for label in LABELS}  # as dictionaries, so that a text that stands there twice counts once
    for row in corpora.load("sentiment"):
        if len(row.text.split()) <= settings["longest"]:
            sides[row.label][row.text] = row
    generator = torch.Generator().manual_seed(seed)
    half, labelled, others = settings["labels"] // 2, [], []
    for rows in map(list, (side.values() for side in sides.values())):
        order = torch.randperm(len(rows), generator=generator).tolist()
        labelled += [rows[i] for i in order[:half]]
        others += [rows[i] for i in order[half:]]
    return labelled, others


def new_classifier(seed: int) -> SequenceClassifier:
    """MiniLM as it was published, with a new head; the embeddings, half of its weights, are not trained further."""
    model = with_new_head(SequenceClassifier, seed, labels=2)
    model.encoder.embeddings.requires_grad_(False)
    return model


@cache
def trained_teacher(key: str, seed: int) -> SequenceClassifier:
    """The tuned teacher; all students of a seed learn from the same one. `key`: the settings as JSON."""
    settings = json.loads(key)
    model = new_classifier(seed)
    labelled, _ = snippets(settings, seed)
    fine_tune(
        model,
        examples(labelled, tokenizer(), LABELS),
        tuning_recipe(settings["teacher_steps"], settings["rate"], seed=seed),
    )
    return model


class DistillationLoss:
    """What a student minimises on a batch: DistilBERT's three losses, each with weight 1, or some of them.

    They are the cross-entropy where there are labels, the teacher's softened probabilities (`soft` in `parts`), and the
    direction of its last hidden states (`hidden`).

    Labels are class numbers, or -100 where there is none. Called with the student and a batch of examples.
    """

    def __init__(self, teacher: SequenceClassifier, temperature: float, parts: tuple[str, ...] = BOTH):
        self.teacher, self.temperature, self.parts = teacher, temperature, parts

    def __call__(self, student: SequenceClassifier, batch: list[Example]) -> Tensor:
        output, _ = run_packed(student, batch)
        with torch.no_grad():
            known, _ = run_packed(self.teacher, batch)
        labels = torch.tensor([example.label for example in batch])
        hard, _ = mlm_loss_sum(output.logits, labels)  # over the texts that have a label
        loss = hard / len(batch)
        if "soft" in self.parts:
            loss = soft_target_loss(output.logits, known.logits, self.temperature) + loss
        if "hidden" in self.parts:
            loss = loss + hidden_cosine_loss(output.hidden, known.hidden)
        return loss


def student_of(settings: dict, arm: str, seed: int) -> SequenceClassifier:
    """A student, trained."""
    start, learns_from = KINDS[arm]
    student = keep_layers(new_classifier(seed), settings["keep"])
    if start == "random":
        initialize(student.encoder.blocks, student.config, torch.Generator().manual_seed(seed))
    labelled, others = snippets(settings, seed)
    made, more = examples(labelled, tokenizer(), LABELS), {}
    if "more" in learns_from:
        made += [Example(e.ids, e.segment_ids, IGNORE) for e in examples(others, tokenizer(), LABELS)]
    if set(learns_from) & set(BOTH):
        teacher = trained_teacher(json.dumps(settings), seed)
        more["loss"] = DistillationLoss(teacher, settings["temperature"], learns_from)
    steps = settings["student_steps"] * (3 if "longer" in learns_from else 1)
    fine_tune(student, made, tuning_recipe(steps, settings["rate"], seed=seed), **more)
    return student


def measure(settings: dict, arm: str, seed: int) -> dict[str, float]:
    """Accuracy on SST-2; of two arms also as int8, megabytes, and seconds for 64 sentences on one core."""
    test = corpora.load("sst2")[: settings["test"]]
    if arm == "bag of words":
        return {"accuracy": _bag_accuracy(settings, seed, test)}
    with one_thread():
        teacher = trained_teacher(json.dumps(settings), seed)
        model = teacher if arm == "teacher" else student_of(settings, arm, seed)
        measures = {"accuracy": accuracy(test, model, tokenizer(), LABELS)}
        for name, each in (("", model), ("int8 ", quantize(model))) if arm in ROUNDED else ():
            if name:
                measures[f"{name}accuracy"] = accuracy(test, each, tokenizer(), LABELS)
            measures[f"{name}megabytes"] = weight_bytes(each) / 1e6
            measures[f"{name}seconds"] = _own_seconds(each, test[:64], settings["rounds"])
    return measures


def _own_seconds(model: SequenceClassifier, rows: list, rounds: int) -> float:
    """The fastest of some rounds over all rows in one batch, by the clock that stands still while others compute."""
    batch, found = examples(rows, tokenizer(), LABELS), []
    with inference(model):
        for _ in range(rounds):
            start = time.process_time()
            run_packed(model, batch)
            found.append(time.process_time() - start)
    return min(found)


def _bag_accuracy(settings: dict, seed: int, test: list) -> float:
    labelled, _ = snippets(settings, seed)
    order = torch.randperm(len(labelled), generator=torch.Generator().manual_seed(seed)).tolist()
    known = [labelled[i].text for i in order]
    bag = Bag.of(known, words)
    targets = torch.tensor([LABELS.index(labelled[i].label) for i in order])
    labels = torch.tensor([LABELS.index(row.label) for row in test])
    vectors = bag.vectors([row.text for row in test])
    return best_probe(bag.vectors(known), targets, settings["penalties"]).accuracy(vectors, labels)


DISTILLATION = Experiment(
    name="distillation",
    question="Does a student of half the depth learn more from a teacher than from labels alone?",
    settings=dict(
        labels=300,
        longest=16,  # words of a snippet in training
        keep=(1, 3, 5),
        teacher_steps=100,
        student_steps=100,
        rate=1e-4,
        temperature=2.0,
        penalties=(1.0, 10.0, 100.0, 1000.0),
        test=872,
        rounds=7,
    ),
    arms=ARMS,
    measure=measure,
    tiny=dict(labels=20, longest=6, teacher_steps=1, student_steps=1, test=4, rounds=1),
)
