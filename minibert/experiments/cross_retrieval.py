"""Does an encoder find the translation of a text among the English texts? For fourteen languages, on held-out messages.

A query is a message in one language, the candidates are all held-out messages in English, the same for every language.
Measured with the mean vectors as they are, and "centred": with the mean vector of the text's language taken away first,
as found on training messages. The bags show what equal words and similar spelling give without any learning.

The encoders are those of `transfer`, from which more messages are held out than the tenth that is tested here.
"""

from statistics import mean

import torch

from minibert.corpora.mixture import PERCENT
from minibert.experiments.across_languages import (
    ARMS,
    BAGS,
    ENCODERS,
    FEW,
    LATIN,
    OTHER_SCRIPTS,
    common_direction,
    embedder,
    pairs_of,
    sides,
)
from minibert.experiments.many_languages import FOREIGN
from minibert.experiments.record import Experiment
from minibert.tasks.metrics import ndcg
from minibert.tasks.retrieval import Index


def _one(settings: dict, arm: str, seed: int) -> dict[str, float]:
    """Recall@1 and nDCG@10 of each language, of all, and by script; "candidates" says what chance is 1 of.

    The bags draw nothing: their numbers are the same for every seed.
    """
    embed, tested = embedder(settings, arm, seed), sides(PERCENT)[1][: settings["tested"]]
    english = embed([message.texts["en"] for message in tested]).double()
    middle = common_direction(embed, "en", settings["percent"], settings["directions"])
    index, centred = Index(english), Index(english - middle)
    found = {"candidates": len(english)}
    for language in FOREIGN:
        texts, right = pairs_of(tested, language)
        queries = embed(texts).double()
        own = common_direction(embed, language, settings["percent"], settings["directions"])
        for name, ranks in (
            (language, index.ranks(queries, torch.tensor(right))),
            (f"{language}, centred", centred.ranks(queries - own, torch.tensor(right))),
        ):
            found[f"recall@1 {name}"] = mean(float(rank == 1) for rank in ranks.tolist())
            found[f"nDCG@10 {name}"] = mean(ndcg([0.0] * (rank - 1) + [1.0], 10) for rank in ranks.tolist())
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
