"""Fine-tuned on short inputs, used on long ones: MiniLM learns the topic of news from 64 tokens and reads up to 256.

The position rows from 64 on get no gradient meanwhile: they stay as pre-training left them. The same weights are
measured in five ways: on the first 64, 128 and 256 tokens of other articles; on 256 tokens with the later rows drawn
anew, as if nobody had ever trained them; on 64 with the rows of the places 128 to 191, so that only positions change.
"""

import torch

from minibert import corpora
from minibert.corpora.topics import LABELS
from minibert.experiments.minilm import mean_classifier, tokenizer
from minibert.experiments.record import Experiment
from minibert.tasks.classification import accuracy, examples
from minibert.training.fine_tuning import fine_tune, tuning_recipe

SHORT, LONG = 64, 256


def _one(settings: dict, arm: str, seed: int) -> dict[str, float]:
    """Accuracies on articles that were not trained on, chance is about a fifth."""
    draw = torch.Generator().manual_seed(seed)
    rows = corpora.load("bbc", "train")
    rows = [rows[i] for i in torch.randperm(len(rows), generator=draw)[: settings["articles"]].tolist()]
    test = corpora.load("bbc", "test")
    test = [test[i] for i in torch.randperm(len(test), generator=torch.Generator().manual_seed(0))[: settings["test"]]]
    model = mean_classifier(len(LABELS), seed)
    recipe = tuning_recipe(settings["steps"], settings["rate"], seed=seed)
    fine_tune(model, examples(rows, tokenizer(), LABELS, SHORT), recipe, batch_size=settings["batch"])

    def right(tokens: int) -> float:
        return accuracy(test, model, tokenizer(), LABELS, max_length=tokens)

    found = {f"first {tokens} tokens": right(tokens) for tokens in (SHORT, 2 * SHORT, LONG)}
    table = model.encoder.embeddings.position.weight.data
    learned = table.clone()
    table[SHORT:] = learned[SHORT:].std() * torch.randn(learned[SHORT:].shape, generator=draw)
    found[f"first {LONG} tokens, later rows drawn"] = right(LONG)
    table[:SHORT] = learned[2 * SHORT : 3 * SHORT]
    found[f"first {SHORT} tokens, rows of places {2 * SHORT} on"] = right(SHORT)
    return found


TUNED_LENGTH = Experiment(
    name="tuned_length",
    question="Does a model that was tuned on 64 tokens read 256?",
    settings=dict(articles=160, test=60, steps=20, batch=8, rate=1e-4),
    arms=("tuned at 64",),
    measure=_one,
    tiny=dict(articles=4, test=4, steps=1, batch=2),
)
