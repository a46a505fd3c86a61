"""EuroBERT's two phases: half of the tokens hidden first, a tenth later, against a constant share.

All arms have as many steps, see the same rows and follow the same schedule of the learning rate; the share changes
where the rate begins to fall, at the last quarter of the steps. `10 % then 50 %` makes the change in the wrong
direction. Each arm is scored at 15 % and at 50 %, since an arm may be better at the share that it was trained with.
`word frequencies` is the control: how often each token occurs in the training text, whatever stands beside it.
"""

from dataclasses import replace

from minibert.experiments.ladder import count_words
from minibert.experiments.many_languages import (
    ALL,
    EVEN,
    FOREIGN,
    SETTINGS,
    TINY,
    bits_per_byte,
    held_out,
    mean_of,
    new_run,
    read,
    recipe_of,
)
from minibert.experiments.record import Experiment
from minibert.experiments.small_encoders import one_thread
from minibert.model.models import MaskedLanguageModel

ARMS = {  # the share of hidden tokens until the learning rate falls, and from there
    "50 %": (0.5, 0.5),
    "10 %": (0.1, 0.1),
    "50 % then 10 %": (0.5, 0.1),
    "10 % then 50 %": (0.1, 0.5),
}
CONTROL = "word frequencies"


def _frequencies(settings: dict, rate: float) -> dict[str, float]:
    """Bits per byte of the control by group, on the tokens that the arms are scored on."""
    train, vocab_size = read(EVEN, settings).train, settings["vocab_size"]
    texts = {group: replace(held_out(group, vocab_size), train=train) for group in ALL}
    return {
        g: count_words(text, CONTROL, settings["row"], settings["held_out_rows"], rate) for g, text in texts.items()
    }


def _train(settings: dict, arm: str, seed: int) -> MaskedLanguageModel:
    recipe = recipe_of(settings)
    first, second = ARMS[arm]
    run = new_run(read(EVEN, settings), settings | {"mask_rate": first}, seed)
    run.go(recipe.steps - recipe.decay, recipe.lr)
    run.rate = second
    return run.go(recipe.decay, recipe.lr).model


@one_thread()
def _one(settings: dict, arm: str, seed: int) -> dict[str, float]:
    model = None if arm == CONTROL else _train(settings, arm, seed)
    found = {}
    for rate in settings["scored_at"]:
        by_group = bits_per_byte(model, ALL, settings, rate) if model else _frequencies(settings, rate)
        found |= {
            f"bits per byte at {rate:.0%}": mean_of(by_group, ALL),
            f"languages at {rate:.0%}": mean_of(by_group, ("en", *FOREIGN)),
            f"speeches at {rate:.0%}": by_group["speeches"],
            f"code at {rate:.0%}": by_group["code"],
        }
    return found


ANNEALING = Experiment(
    name="annealing",
    question="Does a fall from 50 % to 10 % hidden tokens beat a constant share, at equal steps?",
    settings={name: SETTINGS[name] for name in SETTINGS if name != "mask_rate"} | {"scored_at": (0.15, 0.5)},
    arms=(*ARMS, CONTROL),
    measure=_one,
    tiny=TINY,
)
