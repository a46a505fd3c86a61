"""What the open task of chapter 7 measures: who did it? Sentences in which word order decides, as MiniLM sees them.

Two nouns, a verb and one of six frames, active, passive or with a relative clause. One of the nouns is asked about: did
it act, or was something done to it? Each noun and each position is as often the one as the other, so a bag of words
knows nothing. Which nouns and verbs are seen in training, and which only later, follows from a seed.
"""

import random
from dataclasses import dataclass
from functools import cache, lru_cache

import torch
from torch import Tensor

from minibert import corpora
from minibert.model.models import Encoder
from minibert.tokenization import load_tokenizer

NOUNS = (
    "dog cat fox wolf horse bear lion tiger monkey rabbit soldier farmer doctor nurse teacher student painter sailor "
    "driver baker singer lawyer king queen prince priest thief guard child woman man boy girl waiter writer dancer "
    "hunter robot ghost stranger"
).split()
VERBS = (
    "chased followed watched helped called pushed kicked visited attacked blamed praised rescued trusted warned pulled "
    "carried feared scared surprised punished invited greeted ignored admired"
).split()
FRAMES = (
    "the {who} {verb} the {whom}",
    "the {whom} was {verb} by the {who}",
    "it was the {who} that {verb} the {whom}",
    "it was the {whom} that the {who} {verb}",
    "the {who} that {verb} the {whom} left",
    "the {whom} that the {who} {verb} left",
)
BEFORE = ("", "then ", "they say ", "in the end ", "yesterday , ", "we think that ", "i know ")
AFTER = ("in the park", "last night", "near the river", "on monday", "again", "for an hour", "in the garden")
SEEN, LATER = 180, 150  # sentences to learn from, and to be asked about


@dataclass(frozen=True)
class Roles:
    """What MiniLM makes of sentences: all layers, where the noun stands that is asked about, and 1 if it acted.

    Shape: states (S, L + 1, T, D), where (S,) int64, labels (S,) int64; the rows of padding hold no word.

    >>> Roles(("a",), torch.zeros(1, 7, 3, 384), torch.tensor([1]), torch.tensor([0])).states.shape
    torch.Size([1, 7, 3, 384])
    """

    sentences: tuple[str, ...]
    states: Tensor
    where: Tensor
    labels: Tensor


def role_sentences(seed: int) -> tuple[list[tuple[str, str, int]], list[tuple[str, str, int]]]:
    """Two lists of (sentence, noun, 1 if the noun acted): to learn from, and others with other nouns and verbs.

    >>> seen, later = role_sentences(0)
    >>> len(seen), len(later), sum(label for *_, label in seen)
    (180, 150, 90)
    """
    rng = random.Random(seed)
    nouns, verbs = rng.sample(NOUNS, len(NOUNS)), rng.sample(VERBS, len(VERBS))
    lists = []
    for count, some_nouns, some_verbs in ((SEEN, nouns[:24], verbs[:14]), (LATER, nouns[24:], verbs[14:])):
        made = []
        for number in range(count):
            who, whom = rng.sample(some_nouns, 2)
            frame, label = FRAMES[number % len(FRAMES)], number // len(FRAMES) % 2
            middle = frame.format(who=who, whom=whom, verb=rng.choice(some_verbs))
            made.append((f"{rng.choice(BEFORE)}{middle} {rng.choice(AFTER)}", who if label else whom, label))
        rng.shuffle(made)
        lists.append(made)
    return lists[0], lists[1]


@cache
def _minilm() -> tuple:
    folder = corpora.path("minilm")
    return Encoder.from_pretrained(folder).eval(), load_tokenizer(folder)


@lru_cache(maxsize=6)
def roles(seed: int) -> tuple[Roles, Roles]:
    """The sentences of a seed, run through MiniLM: to learn from, and to be asked about.

    >>> not corpora.is_cached("minilm") or roles(0)[0].where.shape == (SEEN,)
    True
    """
    encoder, tokenizer = _minilm()
    both = []
    for made in role_sentences(seed):
        batch = tokenizer.encode_batch([sentence for sentence, *_ in made])
        with torch.no_grad():
            output = encoder(batch.input_ids, batch.attention_mask, output_hidden_states=True)
        where = [tokenizer.encode(sentence).tokens.index(noun) for sentence, noun, _ in made]
        labels = torch.tensor([label for *_, label in made])
        sentences = tuple(sentence for sentence, *_ in made)
        both.append(Roles(sentences, torch.stack(output.hidden_states, dim=1), torch.tensor(where), labels))
    return both[0], both[1]
