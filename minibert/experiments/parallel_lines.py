"""With and without parallel lines: do the vectors of a message and of its translation come nearer?

Two arms read the same messages in English and four other languages. In `parallel lines` a message and its translation
stand in one text, `english<|parallel_sep|>foreign`; in `the same lines apart` each is a text of its own, so that only
the neighbourhood differs. The others are the controls: the same model untrained, and bags of character n-grams, which
find what is spelled alike. (`cross_retrieval` asks the same of fourteen languages, a third of the bytes parallel lines,
and of encoders that are tuned on translations.)

A held-out message in another language searches its English text among all held-out ones; recall@1 is the mean over the
languages. A vector is the mean of the last states; `centred` ones have the mean vector of their language, found on
training messages, taken off. Bits per byte say whether a model reads the English that stands beside a foreign text.
"""

from collections.abc import Sequence
from functools import cache, partial
from random import Random
from statistics import mean

import torch

from minibert.corpora.mixture import PERCENT, SEPARATOR
from minibert.experiments.across_languages import first_share, sides, translation_ranks, vectors_of
from minibert.experiments.many_languages import SETTINGS, TINY, as_ids, new_run, tokenizer
from minibert.experiments.record import Experiment
from minibert.experiments.small_encoders import Text, one_thread
from minibert.model.models import MaskedLanguageModel
from minibert.objectives import IGNORE
from minibert.tasks.bags import Bag, character_ngrams
from minibert.tasks.rows import lay_out
from minibert.training.evaluation import evaluate, token_byte_lengths

TRAINED = ("parallel lines", "the same lines apart")
UNTRAINED, NGRAMS = CONTROLS = ("untrained", "character n-grams")


def lines(arm: str, languages: Sequence[str]) -> list[str]:
    """The training texts of an arm, in a drawn order: the same words in both."""
    train = [message.texts for message in sides(PERCENT)[0]]
    pairs = [
        (texts["en"], texts[language]) for language in languages for texts in train if {"en", language} <= set(texts)
    ]
    found = [SEPARATOR.join(pair) for pair in pairs] if arm == TRAINED[0] else [text for pair in pairs for text in pair]
    Random(0).shuffle(found)
    return found


@cache
def read_lines(arm: str, languages: tuple[str, ...], vocab_size: int) -> Text:
    """The training texts of an arm laid end to end, each with a token that ends it; rows may cut a text in two."""
    return Text(tokenizer(vocab_size), (torch.cat(as_ids(lines(arm, languages), vocab_size)),), ())


def foreign_bits(model: MaskedLanguageModel, languages: Sequence[str], vocab_size: int, beside: bool) -> float:
    """Bits per byte of held-out messages in other languages, 15 % of their tokens hidden, alone or beside the English.

    The same tokens are hidden both times.
    """
    tok, generator = tokenizer(vocab_size), torch.Generator().manual_seed(0)
    ids, labels = [], []
    for language in languages:
        for texts in (message.texts for message in sides(PERCENT)[1] if language in message.texts):
            [foreign] = as_ids([texts[language]], vocab_size)
            hidden = (torch.rand(len(foreign), generator=generator) < 0.15) & (foreign != tok.sep_id)
            front = torch.tensor(tok.ids(texts["en"] + SEPARATOR) if beside else [], dtype=torch.int64)
            ids.append(torch.cat([front, foreign.masked_fill(hidden, tok.mask_id)]))
            labels.append(torch.cat([torch.full_like(front, IGNORE), foreign.masked_fill(~hidden, IGNORE)]))
    return evaluate(model, [lay_out(ids, labels)], token_byte_lengths(tok))["bits_per_byte"]


@one_thread()
def _one(settings: dict, arm: str, seed: int) -> dict[str, float]:
    languages, vocab_size, read = tuple(settings["languages"]), settings["vocab_size"], {}
    if arm == NGRAMS:
        embed = Bag.of(lines(TRAINED[1], languages), character_ngrams, settings["pieces"]).vectors
    else:
        run = new_run(read_lines(TRAINED[0] if arm == UNTRAINED else arm, languages, vocab_size), settings, seed)
        if arm in TRAINED:
            run.go(settings["steps"], run.recipe.lr)
        embed = partial(vectors_of, encoder=run.model.encoder, tok=run.text.tokenizer)
        read = {
            "bits per byte alone": foreign_bits(run.model, languages, vocab_size, beside=False),
            "bits per byte beside the English": foreign_bits(run.model, languages, vocab_size, beside=True),
        }
    ranks = translation_ranks(embed, sides(PERCENT)[1], languages, PERCENT, settings["directions"])
    found = {name: first_share(found_at) for name, found_at in ranks.items()}
    return {
        "recall@1": mean(found[language] for language in languages),
        "recall@1, centred": mean(found[f"{language}, centred"] for language in languages),
        **{f"recall@1 {name}": value for name, value in found.items()},
        "chance": 1 / len(sides(PERCENT)[1]),
        **read,
    }


PARALLEL_LINES = Experiment(
    name="parallel_lines",
    question="Do parallel lines bring the vectors of translations together, beyond the same text without them?",
    settings=SETTINGS
    | dict(
        languages=("de", "fr", "ru", "ja"),
        row=96,
        rows_a_step=8,
        steps=1600,
        learning_rate=2e-3,  # of 2e-3, 4e-3 and 8e-3 the best for both arms with seed 3 and 600 steps
        pieces=20_000,
        directions=200,
    ),
    arms=(*TRAINED, *CONTROLS),
    measure=_one,
    tiny=TINY | dict(languages=("de",), pieces=300, directions=5),
)
