"""Does an encoder find the translation of a text among the English texts? For fourteen languages, on held-out messages.

A query is a message in one language, the candidates are all held-out messages in English, the same for every language.
Measured with the mean vectors as they are, and "centred": with the mean vector of the text's language taken away first,
as found on training messages. The bags show what equal words and similar spelling give without any learning.

The encoders are those of `transfer`, from which more messages are held out than the tenth that is tested here.
"""

from statistics import mean

from minibert.corpora.mixture import PERCENT
from minibert.experiments.across_languages import (
    ARMS,
    BAGS,
    ENCODERS,
    FEW,
    LATIN,
    OTHER_SCRIPTS,
    embedder,
    first_share,
    gain,
    sides,
    translation_ranks,
)
from minibert.experiments.many_languages import FOREIGN
from minibert.experiments.record import Experiment


def _one(settings: dict, arm: str, seed: int) -> dict[str, float]:
    """Recall@1 and nDCG@10 of each language, of all, and by script; "candidates" says what chance is 1 of.

    The bags draw nothing: their numbers are the same for every seed.
    """
    embed, tested = embedder(settings, arm, seed), sides(PERCENT)[1][: settings["tested"]]
    ranks = translation_ranks(embed, tested, FOREIGN, settings["percent"], settings["directions"])
    found = {"candidates": len(tested)}
    for name, found_at in ranks.items():
        found[f"recall@1 {name}"], found[f"nDCG@10 {name}"] = first_share(found_at), gain(found_at)
    for metric in ("recall@1", "nDCG@10"):
        for where in ("", ", centred"):
            for name, group in (("", FOREIGN), (", same letters", LATIN), (", other scripts", OTHER_SCRIPTS)):
                found[f"{metric}{name}{where}"] = mean(found[f"{metric} {language}{where}"] for language in group)
    return found


CROSS_RETRIEVAL = Experiment(
    name="cross_retrieval",
    question="Does an encoder find a text's translation among the English texts, in fourteen languages?",
    settings=ENCODERS | dict(pieces=20_000, tested=1000, directions=200),
    arms=(*BAGS, *ARMS),
    measure=_one,
    tiny=FEW | dict(tested=40, directions=5),
)
