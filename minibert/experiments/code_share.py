"""With and without code: Python takes the place of all other text in equal measure, the bytes and steps stay."""

from minibert.experiments.many_languages import (
    EVEN,
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

ARMS = {"no code": 0.0, "10 % code": 0.1, "30 % code": 0.3}  # EuroBERT's first phase has 10 %, its second 4 %


def shares_of(code: float) -> dict[str, float]:
    """The mixture of an arm: what `EVEN` has besides code, made smaller.

    >>> shares = shares_of(0.55)
    >>> shares["code"], round(shares["en"], 3)
    (0.55, 0.04)
    """
    rest = {group: share for group, share in EVEN.items() if group != "code"}
    factor = (1 - code) / sum(rest.values())
    return {group: share * factor for group, share in rest.items()} | {"code": code}


@one_thread()
def _one(settings: dict, arm: str, seed: int) -> dict[str, float]:
    run = new_run(read(shares_of(ARMS[arm]), settings), settings, seed).go(settings["steps"], recipe_of(settings).lr)
    found = bits_per_byte(run.model, ("en", *FOREIGN, "speeches", "code"), settings)
    return {
        "languages": mean_of(found, ("en", *FOREIGN)),
        "speeches": found["speeches"],
        "code": found["code"],
    }


CODE_SHARE = Experiment(
    name="code_share",
    question="What does code in the mixture cost the languages, and what does it win on code?",
    settings=SETTINGS | dict(size_bytes=600_000),
    arms=tuple(ARMS),
    measure=_one,
    tiny=TINY,
)
