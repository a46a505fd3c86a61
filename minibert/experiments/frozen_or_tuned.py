"""Does an encoder have to be tuned, or is it enough to read its features? Two tasks, the same labelled texts for all.

`sentiment`: film snippets, tested on SST-2, whose sentences are not among them. `topics`: the first tokens of news
articles, five topics. `frozen`: MiniLM stays as it is, and a logistic regression reads the last state of [CLS], or the
mean of all last states. `tuned`: every weight is trained together with a head on [CLS]. `tuned from random`: the same
recipe and architecture, random weights; `tuned from random, 1e-3`: with ten times the rate. `bag of words`: a logistic
regression on words by their rarity.

Nothing was chosen on the test texts. The rate of `tuned` is that of the command `finetune`. Each logistic regression
chooses its penalty among the same numbers, on the last fifth of its training labels.
"""

from functools import cache

import torch

from minibert import corpora
from minibert.corpora import LabelledText
from minibert.experiments.minilm import tokenizer, with_new_head
from minibert.experiments.record import Experiment
from minibert.model.encoder import Encoder
from minibert.model.task_models import SequenceClassifier
from minibert.tasks.bags import Bag, words
from minibert.tasks.classification import accuracy, examples, features
from minibert.tasks.probe import best_probe
from minibert.training.fine_tuning import fine_tune, tuning_recipe

FASTER = "tuned from random, 1e-3"
ARMS = ("bag of words", "frozen [CLS]", "frozen mean", "frozen mean, random", "tuned", "tuned from random", FASTER)
TASKS = {"sentiment": (("sentiment", "train"), ("sst2", None)), "topics": (("bbc", "train"), ("bbc", "test"))}


def _one(settings: dict, arm: str, seed: int) -> dict[str, float]:
    """`accuracy on TASK` for both tasks; a guess is right in 1 of 2 and in 1 of 5."""
    return {f"accuracy on {task}": _accuracy(settings, task, arm, seed) for task in TASKS}


def _accuracy(settings: dict, task: str, arm: str, seed: int) -> float:
    train, test, names = _rows(task, settings["labels"], settings["test"], settings["tokens"], seed)
    length = settings["tokens"]
    if arm.startswith("tuned"):
        model = _start(SequenceClassifier, arm, seed, labels=len(names))
        rate = settings["higher_rate"] if arm == FASTER else settings["rate"]
        recipe = tuning_recipe(settings["steps"], rate, seed=seed)
        fine_tune(model, examples(train, tokenizer(), names, length), recipe, batch_size=settings["batch"])
        return accuracy(test, model, tokenizer(), names, length)
    known, texts = [row.text for row in train], [row.text for row in test]
    if arm == "bag of words":
        bag = Bag.of(known, words)
        seen, unseen = bag.vectors(known), bag.vectors(texts)
    else:
        encoder, pool = _start(Encoder, arm, seed), "cls" if arm == "frozen [CLS]" else "mean"
        seen, unseen = (features(part, encoder, tokenizer(), pool, max_length=length) for part in (known, texts))
    labels, right = (torch.tensor([names.index(row.label) for row in rows]) for rows in (train, test))
    return best_probe(seen, labels, settings["penalties"]).accuracy(unseen, right)


@cache
def _rows(
    task: str, count: int, test: int, tokens: int, seed: int
) -> tuple[list[LabelledText], list[LabelledText], tuple]:
    """Rows to train on, as the seed draws them; rows to test on, the same for all seeds; the names of the labels.

    The texts end where `tokens` pieces end, so that the bag of words reads what the encoders read.
    """
    names = None
    parts = []
    for (name, split), size, chosen_by in zip(TASKS[task], (count, test), (seed + 1, 0), strict=True):
        rows = corpora.load(name, split)
        order = torch.randperm(len(rows), generator=torch.Generator().manual_seed(chosen_by))
        chosen = [rows[place] for place in order[:size].tolist()]
        ends = [tokenizer().encode(row.text, max_length=tokens).offsets[-2][1] for row in chosen]  # after it: [SEP]
        parts.append([LabelledText(row.text[:end], row.label) for row, end in zip(chosen, ends, strict=True)])
        names = names or tuple(sorted({row.label for row in rows}))
    return *parts, names


def _start(kind: type, arm: str, seed: int, **options):
    """MiniLM as it was published, with a head drawn by the seed; or all of it drawn."""
    published = with_new_head(kind, seed, **options)
    if "random" not in arm:
        return published
    return kind(published.config, generator=torch.Generator().manual_seed(seed), **options).eval()


FROZEN_OR_TUNED = Experiment(
    name="frozen_or_tuned",
    question="Do an encoder's features answer as well as the tuned encoder does, with 256 labels?",
    settings=dict(
        labels=256,
        test=400,
        tokens=32,
        batch=16,
        steps=64,
        rate=1e-4,
        higher_rate=1e-3,
        penalties=(1.0, 10.0, 100.0, 1000.0),
    ),
    arms=ARMS,
    measure=_one,
    tiny=dict(labels=16, test=10, tokens=12, batch=4, steps=2),
)
