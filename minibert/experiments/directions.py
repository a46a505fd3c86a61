"""Who travels where? Two texts that are one and the same bag of words, one of them about the journey that is asked for.

"flights from brazil to france" is asked, and "a person from brazil goes to france" is to be told from "a person from
france goes to brazil". Every query has its mirror image, so an answer that ignores the query is right half of the time,
and a bag of words ties. `cosine`: the text whose mean vector is nearer to the query's. `tuned`: query and text are read
as a pair, which gets a score; in training each query comes with the right text and with the wrong one.
"""

from itertools import permutations

import torch
from torch import Tensor

from minibert import corpora
from minibert.corpora.rows import LabelledPair
from minibert.experiments.minilm import ignore_segments, one_segment, tokenizer, with_new_head
from minibert.experiments.record import Experiment
from minibert.model.encoder import Encoder
from minibert.model.task_models import SequenceClassifier
from minibert.tasks.bags import Bag, words
from minibert.tasks.classification import classify, examples
from minibert.tasks.sentence_embeddings import embed_texts
from minibert.training.fine_tuning import fine_tune, tuning_recipe

ARMS = (
    "bag of words",
    "cosine, untrained",
    "cosine, MiniLM",
    "tuned from random",
    "tuned from MiniLM",
    "tuned from MiniLM, one segment",
)
LABELS = ("other way", "same way")
QUERIES = ("a {} traveler to {} needs a visa", "can {} citizens fly to {}", "flights from {} to {}")
TEXTS = ("a person from {} goes to {}", "leaving {} and arriving in {}", "people of {} who visit {}")
COUNTRIES = ("brazil", "france", "spain", "germany", "russia", "japan", "china", "mexico")
TRAINING_QUERIES = (
    "does someone who leaves {} need papers for {}",
    "the train that starts in {} and ends in {}",
    "how do {} tourists get into {}",
    "moving from {} over to {}",
)
TRAINING_TEXTS = (
    "the {} family moved to {}",
    "she left {} and then reached {}",
    "the ship sails from {} towards {}",
    "a student out of {} enters {}",
)
TRAINING_COUNTRIES = (
    *("italy", "poland", "india", "egypt", "canada", "norway", "sweden", "greece", "turkey", "cuba", "iran", "peru"),
    *("chile", "kenya", "portugal", "ireland", "denmark", "finland", "australia", "korea"),
)
Templates = tuple[str, ...]


def _one(settings: dict, arm: str, seed: int) -> dict[str, float]:
    """The share of right answers, for new countries in the sentences of training, and in new sentences."""
    ask = _asker(settings, arm, seed)
    known = TRAINING_QUERIES[: settings["templates"]], TRAINING_TEXTS[: settings["templates"]]
    return {
        "new countries": share_right(ask, *known, COUNTRIES[: settings["countries"]]),
        "new countries and sentences": share_right(ask, QUERIES, TEXTS, COUNTRIES[: settings["countries"]]),
    }


def share_right(ask, queries: Templates, texts: Templates, countries: Templates) -> float:
    """How often the text of the journey that is asked for has the higher score; a tie counts one half.

    `ask(queries, texts)` gives a score for each query and the text at the same place: (N,).

    >>> share_right(lambda queries, texts: torch.zeros(len(texts)), QUERIES, TEXTS, COUNTRIES)
    0.5
    >>> same_end = lambda queries, texts: torch.tensor([q[-3:] == t[-3:] for q, t in zip(queries, texts)])
    >>> share_right(same_end, QUERIES[1:], TEXTS, COUNTRIES)
    1.0
    """
    routes = list(permutations(countries, 2))
    both = [(query, text) for query in queries for text in texts]
    asked = [query.format(x, y) for query, _ in both for x, y in routes]
    right = ask(asked, [text.format(x, y) for _, text in both for x, y in routes])
    wrong = ask(asked, [text.format(y, x) for _, text in both for x, y in routes])
    return ((right > wrong).double() + (right == wrong).double() / 2).mean().item()


def training_pairs(count: int, seed: int) -> list[LabelledPair]:
    """`count` queries, each with the text of its journey and with that of the way back.

    >>> right, wrong = training_pairs(1, seed=0)
    >>> right.first == wrong.first, sorted(right.second.split()) == sorted(wrong.second.split()), wrong.label
    (True, True, 'other way')
    """
    generator = torch.Generator().manual_seed(seed)

    def one_of(things):
        return things[int(torch.randint(len(things), (), generator=generator))]

    rows = []
    for _ in range(count):
        query, text, (x, y) = (one_of(TRAINING_QUERIES), one_of(TRAINING_TEXTS), one_of(_ROUTES))
        rows.append(LabelledPair(query.format(x, y), text.format(x, y), "same way"))
        rows.append(LabelledPair(query.format(x, y), text.format(y, x), "other way"))
    return rows


_ROUTES = tuple(permutations(TRAINING_COUNTRIES, 2))


def _asker(settings: dict, arm: str, seed: int):
    """A function that scores texts for queries."""
    if arm == "bag of words":
        bag = Bag.of([text.format(*COUNTRIES[:2]) for text in (*QUERIES, *TEXTS, *TRAINING_TEXTS)], words)
        return lambda queries, texts: (bag.vectors(queries) * bag.vectors(texts)).sum(1)
    if arm.startswith("cosine"):
        encoder = Encoder.from_pretrained(corpora.path("minilm"))
        if arm.endswith("untrained"):
            encoder = Encoder(encoder.config, generator=torch.Generator().manual_seed(seed))
        encoder.double().eval()

        def cosine(queries: list[str], texts: list[str]) -> Tensor:
            once = list(dict.fromkeys([*queries, *texts]))  # each stands in many pairs
            vectors = dict(zip(once, embed_texts(once, encoder, tokenizer()), strict=True))
            return torch.stack([vectors[q] @ vectors[t] for q, t in zip(queries, texts, strict=True)])

        return cosine
    model = with_new_head(SequenceClassifier, seed, labels=2)
    if arm == "tuned from random":
        model = SequenceClassifier(model.config, 2, torch.Generator().manual_seed(seed))
    rows = examples(training_pairs(settings["pairs"], seed), tokenizer(), LABELS)
    is_blind = arm.endswith("one segment")
    if is_blind:
        rows = list(map(one_segment, rows))
    recipe = tuning_recipe(settings["steps"], settings["rate"], seed=seed)
    fine_tune(model, rows, recipe, batch_size=settings["batch"])
    if is_blind:
        ignore_segments(model)
    return lambda queries, texts: classify(list(zip(queries, texts, strict=True)), model, tokenizer())[:, 1]


DIRECTIONS = Experiment(
    name="directions",
    question="Who travels where? Can a bag of words, a vector, or a tuned encoder tell a journey from the way back?",
    settings=dict(pairs=400, templates=1, countries=8, steps=60, batch=16, rate=1e-4),
    arms=ARMS,
    measure=_one,
    tiny=dict(pairs=4, countries=3, steps=1, batch=4),
)
