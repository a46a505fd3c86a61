"""Messages, small encoders and vectors for the experiments that go from one language to the others.

A message is held out in all of its languages (corpora/mixture.py), and what is tested is stricter still: a held-out
message is left out where a training message has three quarters of its English words, or where an earlier held-out one
has all of them. Placeholders and mark-up are the same in all languages, so they are taken out of every text.
"""

import copy
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache, lru_cache
from random import Random
from statistics import mean

import torch
from torch import Tensor

from minibert.checkpoints.folder import load_config
from minibert.corpora.mixture import Message, is_near_copy, messages, without_marks, words
from minibert.experiments.many_languages import FOREIGN, new_run, read
from minibert.model.encoder import Encoder
from minibert.model.models import MaskedLanguageModel
from minibert.shipped_models import shipped
from minibert.tasks.bags import Bag, character_ngrams
from minibert.tasks.bags import words as all_words
from minibert.tasks.metrics import ndcg
from minibert.tasks.retrieval import Index
from minibert.tasks.sentence_embeddings import embed_texts, tune_on_pairs
from minibert.tokenization import ByteLevelBPETokenizer, load_tokenizer
from minibert.training.fine_tuning import tuning_recipe

LATIN = ("fr", "de", "es", "it", "pl", "vi", "nl", "tr", "pt")  # languages that share English's letters
OTHER_SCRIPTS = tuple(language for language in FOREIGN if language not in LATIN)
_SHARE = 1 / (1 + len(FOREIGN))
SHARES = {  # of the bytes: every language the same; a third of it as lines of an English text and its translation
    "trained": dict.fromkeys(("en", *FOREIGN), _SHARE),
    "trained with parallel lines": {**dict.fromkeys(("en", *FOREIGN), _SHARE * 2 / 3), "parallel": 1 / 3},
}
ENCODERS = dict(  # the settings of all encoders here; the first ones are many_languages'
    size_bytes=1_500_000,
    vocab_size=2000,
    layers=1,
    width=64,
    heads=4,
    feed_forward=128,
    init_std=0.05,
    rope_theta=20.0,
    row=32,
    rows_a_step=16,
    steps=400,
    mask_rate=0.5,
    learning_rate=4e-3,
    percent=30,  # held out: there are few labels, and so few tests
    pairs_a_step=32,
    tuning_steps=400,
    tuning_rate=5e-3,  # of 1e-3, 2e-3, 5e-3 and 1e-2 the best with seed 3 from both small starts, see LOG.md
    temperature=0.05,
)
FEW = dict(  # for tests
    **dict(size_bytes=40_000, vocab_size=400, width=16, feed_forward=16, steps=2, rows_a_step=4),
    **dict(pairs_a_step=4, tuning_steps=2),
)
NANO = "eurobert-nano"  # the shipped model; a tenth of the messages is held out from it
TUNED = "tuned on translations, "
DRAWN_NANO = "eurobert-nano untrained"  # its config and tokenizer, its weights drawn anew
STARTS = ("untrained", *SHARES, NANO)
ARMS = (*STARTS, *(TUNED + start for start in ("untrained", "trained with parallel lines", NANO, DRAWN_NANO)))
BAGS = {"words": all_words, "character n-grams": character_ngrams}
Embed = Callable[[Sequence[str]], Tensor]  # texts -> (B, D)


@cache
def sides(percent: int) -> tuple[tuple[Message, ...], tuple[Message, ...]]:
    """The messages to train on and those to test with, their texts without placeholders and mark-up."""
    cleaned: dict[bool, list[Message]] = {False: [], True: []}
    for message in messages(percent):
        texts = {language: without_marks(text) for language, text in message.texts.items()}
        texts = {language: text for language, text in texts.items() if all_words(text)}
        if len(words(texts.get("en", ""))) > 1:
            cleaned[message.held_out].append(Message(texts, message.held_out, message.parts))
    train = tuple(cleaned[False])
    seen, tested = _ByWord(message.texts["en"] for message in train), {}
    for message in cleaned[True]:
        if not seen.has_near_copy(message.texts["en"]):
            tested.setdefault(" ".join(words(message.texts["en"])), message)
    return train, tuple(tested.values())


class _ByWord:
    """English texts, found by their words."""

    def __init__(self, texts: Iterable[str]):
        self.texts: dict[str, set[str]] = {}
        for text in texts:
            for word in words(text):
                self.texts.setdefault(word, set()).add(text)

    def has_near_copy(self, text: str) -> bool:
        shared = Counter(other for word in set(words(text)) for other in self.texts.get(word, ()))
        return any(is_near_copy(text, other) for other, n in shared.items() if n * 2 >= len(set(words(text))))


def pairs_of(tested: Sequence[Message], language: str) -> tuple[list[str], list[int]]:
    """The texts of one language and the numbers of their messages; a text that two messages share is left out."""
    texts = {number: message.texts[language] for number, message in enumerate(tested) if language in message.texts}
    times = Counter(text.casefold() for text in texts.values())
    kept = [number for number, text in texts.items() if times[text.casefold()] == 1]
    return [texts[number] for number in kept], kept


def translations_to_train_on(percent: int, pairs: int, seed: int) -> Iterable[list[tuple[str, str]]]:
    """Batches of (English, translation) without an end; each text of a batch is of another message, in any language."""
    train, rng = sides(percent)[0], Random(f"{seed} translations")
    while True:
        drawn = [message for message in rng.sample(train, 2 * pairs) if len(message.texts) > 1][:pairs]
        yield [(m.texts["en"], m.texts[rng.choice(sorted(set(m.texts) - {"en"}))]) for m in drawn]


def embedder(settings: Mapping, arm: str, seed: int) -> Embed:
    """What turns texts into vectors in an arm.

    Bags know the pieces of the training messages in all languages. "untrained" is a model at its start, "trained" has
    filled blanks in the mixture of that name, and "eurobert-nano" is the shipped model, which has read 9.8 million
    tokens. "tuned on translations" goes on from one of these with pairs of training messages.
    """
    if arm in BAGS:
        texts = [text for message in sides(settings["percent"])[0] for text in message.texts.values()]
        return Bag.of(texts, BAGS[arm], settings["pieces"]).vectors
    encoder, tok = _encoder(tuple((name, settings[name]) for name in ENCODERS), arm, seed)
    return lambda texts: vectors_of(texts, encoder, tok)


@lru_cache(maxsize=16)
def _encoder(items: tuple, arm: str, seed: int) -> tuple[Encoder, ByteLevelBPETokenizer]:
    """The encoder of an arm, made once for the experiments that need it; a tuned one begins with another arm's."""
    settings = dict(items)
    if arm == NANO:
        return Encoder.from_pretrained(shipped(NANO)), load_tokenizer(shipped(NANO))
    if arm == DRAWN_NANO:
        config = load_config(shipped(NANO))
        drawn = MaskedLanguageModel(config, torch.Generator().manual_seed(seed))
        return drawn.encoder, load_tokenizer(shipped(NANO))
    if arm.startswith(TUNED):
        encoder, tok = copy.deepcopy(_encoder(items, arm.removeprefix(TUNED), seed))
        tune(encoder, tok, translations_to_train_on(settings["percent"], settings["pairs_a_step"], seed), settings)
        return encoder, tok
    return small_encoder(settings, SHARES["trained" if arm == "untrained" else arm], seed, trained=arm != "untrained")


def small_encoder(
    settings: Mapping, shares: Mapping[str, float], seed: int, trained: bool
) -> tuple[Encoder, ByteLevelBPETokenizer]:
    """An encoder trained on the mixture of these shares, or as it was drawn, and its tokenizer."""
    run = new_run(read(shares, settings), settings, seed)
    if trained:
        run.go(settings["steps"], run.recipe.lr)
    return run.model.encoder, run.text.tokenizer


def tune(encoder: Encoder, tok: ByteLevelBPETokenizer, batches: Iterable, settings: Mapping) -> None:
    """Contrastive tuning by the settings, with AdamW: a tenth of the steps to warm up, then a linear decay."""
    recipe = tuning_recipe(settings["tuning_steps"], settings["tuning_rate"])
    tune_on_pairs(batches, encoder, tok, recipe, settings["temperature"])


def vectors_of(texts: Sequence[str], encoder, tok: ByteLevelBPETokenizer) -> Tensor:
    """The mean of the last states of each text, at length 1: (B, D)."""
    return embed_texts(texts, encoder, tok, batch_size=128)


def translation_ranks(
    embed: Embed, tested: Sequence[Message], languages: Iterable[str], percent: int, directions: int
) -> dict[str, list[int]]:
    """The rank at which each text of a language finds its English text among all that are tested, by language.

    "de, centred" are those of vectors from which the language's common direction was taken away, as found on
    `directions` training messages.
    """
    english = embed([message.texts["en"] for message in tested]).double()
    index, centred = Index(english), Index(english - common_direction(embed, "en", percent, directions))
    found = {}
    for language in languages:
        texts, right = pairs_of(tested, language)
        queries, own = embed(texts).double(), common_direction(embed, language, percent, directions)
        found[language] = index.ranks(queries, torch.tensor(right)).tolist()
        found[f"{language}, centred"] = centred.ranks(queries - own, torch.tensor(right)).tolist()
    return found


def first_share(ranks: Sequence[int]) -> float:
    """Recall@1 where each query has one right document: how many of the ranks are 1.

    >>> first_share([1, 3, 1, 2])
    0.5
    """
    return mean(float(rank == 1) for rank in ranks)


def gain(ranks: Sequence[int]) -> float:
    """The mean nDCG@10 where each query has one right document, found at these ranks.

    >>> gain([1, 11])
    0.5
    """
    return mean(ndcg([0.0] * (rank - 1) + [1.0], 10) for rank in ranks)


def common_direction(embed: Embed, language: str, percent: int, count: int) -> Tensor:
    """The mean vector of `count` training messages of one language, which says little but the language: (D,)."""
    texts = [message.texts[language] for message in sides(percent)[0] if language in message.texts]
    return embed(texts[:count]).double().mean(0)
