"""How many tokens to hide: models trained at five rates with equal steps and tokens, all scored at 15 %.

A higher rate gives more predictions per step and less context for each. A run of a thousand steps tells which rate
learns fastest at the start. ModernBERT's 30 % answers another question: it was trained on two trillion tokens.
"""

from minibert.experiments.neighbour_counts import CONTROLS, score_counts
from minibert.experiments.record import Experiment
from minibert.experiments.small_bert import ONLY_MASK, SETTINGS, TINY, held_out_places, pretrain, score

RATES = {"5 %": 0.05, "15 %": 0.15, "30 %": 0.3, "50 %": 0.5, "70 %": 0.7}


def _one(settings: dict, arm: str, seed: int) -> dict[str, float]:
    """Masked accuracy and loss (nats) on the same held-out places for every arm; the controls count neighbours."""
    if arm in CONTROLS:
        return score_counts(settings, arm, seed)
    _, masked, labels = held_out_places(settings)
    return score(pretrain(settings, settings["rates"][arm], settings["split"], seed), masked, labels)


MASK_RATE = Experiment(
    name="mask_rate",
    question="At how many hidden tokens does a short run learn most, scored at 15 %?",
    settings=SETTINGS | {"rates": RATES, "split": ONLY_MASK},
    arms=(*RATES, *CONTROLS),
    measure=_one,
    tiny=TINY,
)
