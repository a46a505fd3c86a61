"""How much English? Its share goes from little to much, at equal bytes of text and equal steps.

A third of the English is messages, the rest speeches; what is left is shared by the other fourteen languages equally.
There are 0.14 MB of English messages, so that the largest share goes through them more than once.
"""

from minibert.experiments.many_languages import (
    FOREIGN,
    SETTINGS,
    TINY,
    bits_per_byte,
    mean_of,
    new_run,
    read,
    recipe_of,
)
from minibert.experiments.record import Experiment
from minibert.experiments.small_encoders import one_thread

ARMS = {f"{share:.0%}": share for share in (0.05, 0.2, 0.4, 0.6, 0.8)}


def shares_of(english: float) -> dict[str, float]:
    """The mixture of an arm.

    >>> shares = shares_of(0.3)
    >>> round(shares["en"], 3), round(shares["speeches"], 3), round(shares["de"], 3)
    (0.1, 0.2, 0.05)
    """
    other = dict.fromkeys(FOREIGN, (1 - english) / len(FOREIGN))
    return {"en": english / 3, "speeches": english * 2 / 3, **other}


@one_thread()
def _one(settings: dict, arm: str, seed: int) -> dict[str, float]:
    run = new_run(read(shares_of(ARMS[arm]), settings), settings, seed).go(settings["steps"], recipe_of(settings).lr)
    found = bits_per_byte(run.model, ("en", "speeches", *FOREIGN), settings)
    return {"English": found["en"], "speeches": found["speeches"], "other languages": mean_of(found)}


ENGLISH_SHARE = Experiment(
    name="english_share",
    question="What do English and fourteen other languages lose or win by the share of English, at equal bytes?",
    settings=SETTINGS | dict(size_bytes=600_000),
    arms=tuple(ARMS),
    measure=_one,
    tiny=TINY,
)
