"""Answers to 13.4, a student of half the size."""

import torch
from torch.nn import functional as F

from minibert.objectives.distillation import soft_target_loss
from minibert.tasks.open_student import STUDENT, TEACHER, classifier, examples, logits
from minibert.training.fine_tuning import fine_tune
from minibert.training.recipe import Recipe


def by_hand(weights, labelled, texts, steps=160):
    """Soft targets in a loop of one's own; the labelled texts join with their labels."""
    torch.manual_seed(0)
    teacher, student = classifier(TEACHER, weights), classifier(STUDENT).train()
    optimizer = torch.optim.AdamW(student.parameters(), lr=8e-3)
    known, labels = [ids for ids, _ in labelled], torch.tensor([label for _, label in labelled])
    with torch.no_grad():
        targets = logits(teacher, texts)
    for step in range(steps):
        chosen = torch.randint(len(texts), (48,))
        loss = soft_target_loss(logits(student, [texts[i] for i in chosen.tolist()]), targets[chosen], 3.0)
        if step % 4 == 0:
            loss = loss + 0.3 * F.cross_entropy(logits(student, known[:64]), labels[:64])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return {name: weight.clone() for name, weight in student.state_dict().items()}


def pseudo_labels(weights, labelled, texts):
    """The teacher's answers as labels, without its doubts."""
    with torch.no_grad():
        said = logits(classifier(TEACHER, weights), texts).argmax(dim=1).tolist()
    student = classifier(STUDENT)
    recipe = Recipe(steps=150, learning_rate=1e-2, optimizer="adamw", warmup=10)
    fine_tune(student, examples([*zip(texts, said, strict=True), *labelled]), recipe, batch_size=64)
    return student.state_dict()


def labels_alone(weights, labelled, texts):
    student = classifier(STUDENT)
    fine_tune(student, examples(labelled), Recipe(steps=80, learning_rate=1e-2, optimizer="adamw"), batch_size=64)
    return student.state_dict()


def cut_out(weights, labelled, texts):
    """The first channels of every tensor of the teacher."""
    small = classifier(STUDENT).state_dict()
    return {name: weights[name][tuple(slice(size) for size in one.shape)].clone() for name, one in small.items()}


def few_texts(weights, labelled, texts):
    return by_hand(weights, labelled, texts[:40], steps=80)


RIGHT = {"a loop of one's own": by_hand, "the teacher's answers as labels": pseudo_labels}
WRONG = {
    "labels alone": (labels_alone, "known by heart|on the way"),
    "cut out of the teacher": (cut_out, "the student is right about"),
    "40 texts": (few_texts, "the student is right about"),
    "the teacher": (lambda weights, labelled, texts: dict(weights), "the teacher's; the student"),
    "24 channels": (lambda weights, labelled, texts: classifier(24).state_dict(), "another size"),
    "a model": (lambda weights, labelled, texts: classifier(STUDENT), "SequenceClassifier"),
    "NaN": (lambda weights, labelled, texts: {n: w / 0 for n, w in classifier(STUDENT).state_dict().items()}, "NaN"),
}
