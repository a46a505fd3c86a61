"""What the open task of chapter 13 trains and measures: a teacher, and a student with less than half of its parameters.

The texts are generated in a language of the seed: words of praise and of blame, strong and weak, words that turn the
next of them round, and words that say nothing. A text is good if what it says adds up to more than 0. The teacher
learned from 3,000 labelled texts; the student gets 150 of other texts, and 4,000 without labels.
"""

from collections.abc import Sequence
from functools import lru_cache

import torch
from torch import Tensor

from minibert.config import EncoderConfig
from minibert.model.task_models import SequenceClassifier
from minibert.training.fine_tuning import Example, fine_tune
from minibert.training.recipe import Recipe
from minibert.varlen import cu_seqlens_of

TEACHER, STUDENT = 32, 20  # channels
JUDGING, TURNING, OTHER = 64, 2, 34  # words of each kind; their ids begin with 5
HELD_OUT, LABELLED, PLAIN, TAUGHT = 1000, 150, 4000, 3000  # texts
Labelled = list[tuple[list[int], int]]


@lru_cache(maxsize=4)
def labelled_texts(seed: int, count: int = HELD_OUT + LABELLED + PLAIN + TAUGHT) -> Labelled:
    """Texts of 8 words as ids, [CLS] and [SEP] included, and whether each is good: 1 or 0.

    All have the same length, so that a batch of them takes one call of attention.

    >>> texts = labelled_texts(0, 200)
    >>> len(texts), 0.4 < sum(label for _, label in texts) / 200 < 0.6
    (200, True)
    """
    rng, sizes = torch.Generator().manual_seed(seed), torch.tensor([JUDGING, TURNING, OTHER])
    words = 5 + torch.randperm(int(sizes.sum()), generator=rng)  # those that judge first, then those that turn
    values = dict(zip(words[:JUDGING].tolist(), [-2, -1, 1, 2] * (JUDGING // 4), strict=True))
    turning = set(words[JUDGING : JUDGING + TURNING].tolist())
    shape = 2 * count, 8  # enough: few add up to 0
    kinds = torch.multinomial(torch.tensor([0.5, 0.04, 0.46]), 16 * count, True, generator=rng).view(shape)
    places = sizes.cumsum(0)[kinds] - 1 - (torch.rand(shape, generator=rng) * sizes[kinds]).long()
    texts: Labelled = []
    for row in words[places].tolist():
        total, sign = 0, 1
        for word in row:
            if word in turning:
                sign = -1
            elif word in values:
                total, sign = total + sign * values[word], 1
        if total:
            texts.append(([2, *row, 3], int(total > 0)))
    return texts[:count]


def examples(texts: Sequence[tuple[list[int], int]]) -> list[Example]:
    """Texts with labels as `fine_tune` takes them.

    >>> examples([([2, 9, 3], 1)])
    [Example(ids=(2, 9, 3), segment_ids=(0, 0, 0), label=1)]
    """
    return [Example(tuple(ids), (0,) * len(ids), label) for ids, label in texts]


def classifier(hidden: int, weights: dict[str, Tensor] | None = None) -> SequenceClassifier:
    """A BERT with two layers and two answers: with these weights, or new ones.

    >>> [sum(parameter.numel() for parameter in classifier(hidden).parameters()) for hidden in (TEACHER, STUDENT)]
    [22146, 9762]
    """
    sizes = dict(vocab_size=105, hidden=hidden, heads=2, layers=2, intermediate=2 * hidden, max_len=16, segments=0)
    rates = {f"dropout_{place}": 0.0 for place in ("embed", "attn_probs", "attn_out", "mlp_out", "classifier")}
    config = EncoderConfig.preset("bert-nano").replace(**sizes, **rates)
    model = SequenceClassifier(config, 2, torch.Generator().manual_seed(0))
    if weights is not None:
        model.load_state_dict(weights)
    return model.eval()


def logits(model: SequenceClassifier, texts: Sequence[Sequence[int]]) -> Tensor:
    """The two logits of each text, with their gradient. Shape: B lists of ids -> (B, 2).

    >>> logits(classifier(STUDENT), [[2, 9, 3], [2, 8, 7, 3]]).shape
    torch.Size([2, 2])
    """
    borders = cu_seqlens_of([len(text) for text in texts])
    return model.packed(torch.tensor([number for text in texts for number in text]), borders).logits


@lru_cache(maxsize=4)
def teacher_weights(seed: int, steps: int = 150) -> dict[str, Tensor]:
    """The weights of a teacher that learned the language of a seed.

    >>> teacher_weights(0, steps=1)["head.classifier.weight"].shape
    torch.Size([2, 32])
    """
    model, recipe = classifier(TEACHER), Recipe(steps=steps, learning_rate=1e-2, optimizer="adamw", warmup=steps // 15)
    fine_tune(model, examples(labelled_texts(seed)[-TAUGHT:]), recipe, batch_size=64)
    return {name: weight.detach().clone() for name, weight in model.state_dict().items()}


def for_the_student(seed: int) -> tuple[Labelled, list[list[int]]]:
    """What the student gets besides the teacher: 150 texts with labels, and 4,000 without.

    >>> labelled, texts = for_the_student(0)
    >>> len(labelled), len(texts)
    (150, 4000)
    """
    texts = labelled_texts(seed)[HELD_OUT:-TAUGHT]
    return texts[:LABELLED], [ids for ids, _ in texts[LABELLED:]]


@torch.no_grad()
def accuracy(model: SequenceClassifier, seed: int) -> float:
    """The share of right answers on a thousand held-out texts.

    >>> 0.3 < accuracy(classifier(STUDENT), seed=0) < 0.7
    True
    """
    texts, labels = zip(*labelled_texts(seed)[:HELD_OUT], strict=True)
    return float((logits(model, texts).argmax(dim=1) == torch.tensor(labels)).float().mean())
