"""Where two sides must meet: at the end and added, at the end behind a dense layer, or in every layer. On the rota.

A scorer that adds up what two sides say reaches 7 of the 9 duties at best, and cross-entropy does not lead it there:
its best sum says nothing (`rota.py`). So what is asked is whether the meeting must be early, or only not a sum.
"""

import torch

from minibert.experiments.bidirectional import BIDIRECTIONAL, find_words, learn, questions, reader, rota_places
from minibert.experiments.record import Experiment
from minibert.training import AdamW

READERS = {  # arm: which reader of `bidirectional`, and how many layers
    "left side only": ("left to right", 2),
    "two sides, added": ("concatenated", 2),
    "two sides, dense layer": ("concatenated, dense", 2),
    "the same, one layer": ("concatenated, dense", 1),
    "both sides, every layer": ("deep", 2),
    "both sides, one layer": ("deep", 1),
}


def _one(settings: dict, arm: str, seed: int) -> dict[str, float]:
    """Train on duties until they are found, at most `steps` steps; `steps` of the result is how many it took."""
    train, test, words = rota_places(settings["sentences"], settings["places"])
    generator = torch.Generator().manual_seed(seed)
    name, layers = READERS[arm]
    model = reader(name, settings | {"layers": layers}, words, generator)
    optimizer = AdamW(model.parameters(), betas=(0.9, 0.98), weight_decay=0.01)
    for step in range(1, settings["steps"] + 1):
        chosen = torch.randint(len(train), (settings["batch"],), generator=generator).tolist()
        learn(model, optimizer, settings["rate"], *questions([train[i] for i in chosen], model.hides))
        if step % 25 == 0 and find_words(model, test[:200])[0] >= settings["enough"]:
            break
    accuracy, loss = find_words(model, test)
    return {"accuracy": accuracy, "loss": loss, "steps": step}


MEETING = Experiment(
    name="meeting",
    question="Must two sides meet in every layer, or may they meet at the end?",
    settings=dict(
        width=BIDIRECTIONAL.settings["width"],
        heads=BIDIRECTIONAL.settings["heads"],
        sentences=6000,
        places=2000,
        batch=32,
        rate=1e-3,
        steps=1000,
        enough=0.99,
    ),
    arms=tuple(READERS),
    measure=_one,
    tiny=dict(places=50, width=8, heads=2, sentences=100, steps=2),
)
