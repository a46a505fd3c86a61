"""Does a docstring find its function? Queries and functions are from held-out files of the standard library.

A function's name often says what its docstring says, so each arm is measured twice: with the code as it is, and with
the name replaced by `f` wherever it stands. "no word of the name" are the queries that share no word with the name.
The docstring itself is not in the code. Left out are functions whose docstring or code occurs in a training file or
earlier among the held-out ones, and docstrings of fewer than four words.
"""

import copy
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from random import Random
from statistics import mean

import torch

from minibert import corpora
from minibert.corpora.mixture import PERCENT
from minibert.experiments.across_languages import (
    ENCODERS,
    FEW,
    NANO,
    Embed,
    first_share,
    gain,
    small_encoder,
    tune,
    vectors_of,
)
from minibert.experiments.record import Experiment
from minibert.model.encoder import Encoder
from minibert.shipped_models import shipped
from minibert.tasks.bags import Bag, character_ngrams
from minibert.tasks.retrieval import Index
from minibert.tokenization import ByteLevelBPETokenizer, load_tokenizer

SHARES = {  # of the bytes
    "trained without code": {"en": 0.4, "speeches": 0.6},
    "trained with code": {"en": 0.2, "speeches": 0.3, "code": 0.5},
}
TUNED = "tuned on pairs, "
PUBLISHED = {NANO: lambda: shipped(NANO), "MiniLM": lambda: corpora.path("minilm")}  # their folders
LEARNERS = ("untrained", *SHARES)
ARMS = ("words", "character n-grams", *LEARNERS, *(TUNED + arm for arm in LEARNERS), NANO, "MiniLM")
_PIECE = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")
_FEWEST_WORDS = 4


@dataclass(frozen=True)
class Pair:
    """A docstring and its function, once as it is and once without its name.

    >>> Pair("Return one.", "def one(): return 1", "def f(): return 1", "one").name
    'one'
    """

    docstring: str
    code: str
    hidden: str
    name: str


def code_words(text: str) -> list[str]:
    """The words in names and text, in small letters.

    >>> code_words("def getFirst_line(HTTPServer)")
    ['def', 'get', 'first', 'line', 'http', 'server']
    """
    return [word.casefold() for word in _PIECE.findall(text)]


@cache
def sides(characters: int) -> tuple[tuple[Pair, ...], tuple[Pair, ...]]:
    """Pairs to train on and pairs to test with, the first `characters` of each text."""
    found: dict[bool, list[Pair]] = {False: [], True: []}
    seen: set[str] = set()
    rows = [(row, *row.name.split(":")) for row in corpora.load("code-pairs")]
    for held_out in (False, True):
        for row, file, name in rows:
            marks = {" ".join(code_words(row.docstring)), " ".join(code_words(row.code))}
            enough = len(code_words(row.docstring)) >= _FEWEST_WORDS
            if corpora.is_held_out(file, PERCENT) == held_out and enough and not marks & seen:
                seen |= marks
                hidden = re.sub(rf"\b{re.escape(name)}\b", "f", row.code)
                texts = (" ".join(row.docstring.split()), row.code, hidden)
                found[held_out].append(Pair(*(text[:characters] for text in texts), name))
    return tuple(found[False]), tuple(found[True])


def _pairs_to_train_on(characters: int, pairs: int, seed: int) -> Iterable[list[tuple[str, str]]]:
    """Batches of (docstring, code) without an end, every other function without its name."""
    train, rng = sides(characters)[0], Random(f"{seed} code")
    while True:
        drawn = rng.sample(train, pairs)
        yield [(pair.docstring, pair.code if number % 2 else pair.hidden) for number, pair in enumerate(drawn)]


def _embedder(settings: dict, arm: str, seed: int) -> Embed:
    if arm in ("words", "character n-grams"):
        cut = code_words if arm == "words" else character_ngrams
        texts = [text for pair in sides(settings["characters"])[0] for text in (pair.docstring, pair.code)]
        return Bag.of(texts, cut, settings["pieces"]).vectors
    if arm in PUBLISHED:
        return lambda texts: _kept_vectors(texts, arm)
    encoder, tok = _encoder(tuple(settings.items()), arm, seed)
    return lambda texts: vectors_of(texts, encoder, tok)


@lru_cache(maxsize=4)
def _encoder(items: tuple, arm: str, seed: int) -> tuple[Encoder, ByteLevelBPETokenizer]:
    """The encoder of an arm; a tuned one begins with another arm's."""
    settings = dict(items)
    if arm.startswith(TUNED):
        encoder, tok = copy.deepcopy(_encoder(items, arm.removeprefix(TUNED), seed))
        tune(encoder, tok, _pairs_to_train_on(settings["characters"], settings["pairs_a_step"], seed), settings)
        return encoder, tok
    return small_encoder(settings, SHARES.get(arm, SHARES["trained with code"]), seed, trained=arm in SHARES)


_kept: dict[tuple[str, str], torch.Tensor] = {}  # the vectors of models that are the same for every seed


def _kept_vectors(texts: Sequence[str], arm: str) -> torch.Tensor:
    new = [text for text in dict.fromkeys(texts) if (arm, text) not in _kept]
    if new:
        folder = PUBLISHED[arm]()
        vectors = vectors_of(new, Encoder.from_pretrained(folder), load_tokenizer(folder))
        _kept.update(((arm, text), vector) for text, vector in zip(new, vectors, strict=True))
    return torch.stack([_kept[arm, text] for text in texts])


def _one(settings: dict, arm: str, seed: int) -> dict[str, float]:
    """nDCG@10 and recall@1, with the names and without; "candidates" says what chance is 1 of."""
    tested = sides(settings["characters"])[1][: settings["tested"]]
    embed = _embedder(settings, arm, seed)
    queries = embed([pair.docstring for pair in tested])
    own = torch.arange(len(tested))
    found = {"candidates": len(tested)}
    for what, texts in (("", [p.code for p in tested]), (", name hidden", [p.hidden for p in tested])):
        ranks = Index(embed(texts)).ranks(queries, own).tolist()
        found[f"nDCG@10{what}"] = gain(ranks)
        found[f"recall@1{what}"] = first_share(ranks)
        if not what:
            silent = [not set(code_words(p.name)) & set(code_words(p.docstring)) for p in tested]
            found["nDCG@10, no word of the name"] = gain([r for r, told in zip(ranks, silent, strict=True) if told])
            found["share of them"] = mean(map(float, silent))
    return found


CODE_SEARCH = Experiment(
    name="code_search",
    question="Does a docstring find its function among those of held-out files, and does training on code help?",
    settings=ENCODERS
    | dict(
        percent=PERCENT,
        characters=300,  # of a docstring and of a function
        tested=1000,  # pairs at most
        pieces=20_000,
    ),
    arms=ARMS,
    measure=_one,
    tiny=FEW | dict(characters=60, tested=20, pieces=300),
)
