"""13.4 Open task: a student of half the size that keeps 95 % of the teacher's accuracy. The check measures it."""

import torch
from torch.nn import functional as F

from minibert.course.lab import Exercise, Lab, Wrong
from minibert.course.modules import expect_weights
from minibert.course.tools import call, show
from minibert.tasks.open_student import (
    STUDENT,
    TEACHER,
    accuracy,
    classifier,
    examples,
    for_the_student,
    logits,
    teacher_weights,
)
from minibert.training.fine_tuning import fine_tune
from minibert.training.recipe import Recipe


def distil(weights, labelled, texts):
    """Weights of a student: the teacher's weights, pairs of a text and its label, and texts without labels."""
    teacher, student, temperature = classifier(TEACHER, weights), classifier(STUDENT), 2.0

    def loss(model, batch):
        rows = [one.ids for one in batch]
        with torch.no_grad():
            target = (logits(teacher, rows) / temperature).softmax(dim=1)
        return temperature**2 * F.cross_entropy(logits(model, rows) / temperature, target)

    recipe = Recipe(steps=240, learning_rate=1e-2, optimizer="adamw", warmup=10)
    fine_tune(student, examples([(ids, 0) for ids in texts]), recipe, batch_size=64, loss=loss)  # 0 is not looked at
    return student.state_dict()


KEPT = 0.95  # of the teacher's accuracy; a student that learns from the labels alone keeps about 0.8
UNCHANGED = "these are the weights of a new student: train it, and return the state_dict of the model that was trained"
LABELS = "the labelled texts are known by heart, and the teacher was hardly asked: it has an answer for all the texts"
TURNED = "the student says the opposite of the teacher: are the answers exchanged?"
LOST = "the student guesses: if its loss hardly falls, a higher learning rate or more steps; if it jumps, a lower one"
MORE = "on the way, and not there: more steps, a higher learning rate, all texts without labels"
SIZE = "these weights have another size, perhaps the teacher's; the student is classifier(STUDENT)"
DICT = "return the student's weights, a dictionary of tensors: student.state_dict()"


def measure(answer, rng):
    """Distil the teacher of this seed, and compare accuracies on texts that nobody has seen."""
    seed = int(torch.randint(2**31, (), generator=rng))
    weights, given = teacher_weights(seed), for_the_student(seed)
    got, new = call(answer, weights, *given), classifier(STUDENT).state_dict()
    same = isinstance(got, dict) and set(got) == set(new)
    other = same and any(getattr(got[name], "shape", None) != one.shape for name, one in new.items())
    student = classifier(STUDENT, expect_weights(got, new, SIZE if other else DICT))
    right, theirs = accuracy(student, seed), accuracy(classifier(TEACHER, weights), seed)
    if right >= KEPT * theirs:
        return
    seen = (
        f"the student is right about {show(round(right, 3))} of new texts, the teacher about {show(round(theirs, 3))}"
    )
    raise Wrong(seen, f"at least {show(round(KEPT * theirs, 3))}", likely(student, weights, *given, new))


@torch.no_grad()
def likely(student, weights, labelled, texts, new):
    """What to try first."""
    if all(torch.equal(student.state_dict()[name], one) for name, one in new.items()):
        return UNCHANGED
    answers = [logits(model, texts).argmax(dim=1) for model in (student, classifier(TEACHER, weights))]
    agreed = float((answers[0] == answers[1]).float().mean())
    known = logits(student, [ids for ids, _ in labelled]).argmax(dim=1) == torch.tensor(
        [label for _, label in labelled]
    )
    if agreed < 0.4:
        return TURNED
    if float(known.float().mean()) > agreed + 0.1:
        return LABELS
    return LOST if agreed < 0.6 else MORE


TRAIN, RETURN = "examples([(ids, 0) for ids in texts])", "return student.state_dict()"
MISTAKES = {
    UNCHANGED: {RETURN: "return classifier(STUDENT).state_dict()"},
    LABELS: {TRAIN: "examples(labelled)", ", loss=loss": "", "steps=240": "steps=100"},
    TURNED: {"(logits(teacher, rows)": "(-logits(teacher, rows)"},
    LOST: {"1e-2": "1e-6"},
    MORE: {TRAIN: TRAIN.replace("texts", "texts[:100]"), "steps=240": "steps=100"},
    SIZE: {RETURN: "return weights"},
    DICT: {RETURN: "return student"},
    "your code changes": {RETURN: "texts[0][1] = 9\n    return student.state_dict()"},
}

EXERCISE = Exercise(
    minutes=60,
    difficulty=4,
    signature="distil(weights: a dict of tensors, labelled: a list of (ids, label), texts: a list of lists of ids) "
    "-> weights of the student",
    hints=(
        "150 labels show each word a few times. Who else knows what these words mean, and on how many texts can you\n"
        "ask? And what does the teacher's answer say beyond yes or no?",
        "logits of both models on the same batch: (B, 2) each, the teacher's without a gradient. 4,000 texts in\n"
        "batches of 64 are 63 steps; 100 to 200 steps take seconds.",
        "teacher, student = two classifiers, one with the given weights\n"
        "for each batch of texts without labels:\n"
        "    soft targets = the teacher's probabilities at a temperature\n"
        "    the loss of 13.1 for one answer a text; one step\n"
        "the labelled texts may join, with a loss of their own\n"
        "give back the student's weights",
    ),
    parts=(Lab(distil, lambda rng: [], MISTAKES, after=measure, coarse=True),),
    seconds=120.0,
)
