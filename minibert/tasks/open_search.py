"""What the open task of chapter 12 trains and measures: a small encoder finds the paragraph that answers a question.

The texts are generated: people, and six facts about each. A question says a fact in other words than its paragraph, and
the words that they do share point elsewhere as often as not. A seed draws the people, their facts, the wording, and how
the words are numbered, so that weights for one seed are worth nothing for another.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

from minibert.config import EncoderConfig
from minibert.model.encoder import Encoder
from minibert.model.models import MaskedLanguageModel
from minibert.tasks.bags import Bag, words
from minibert.tasks.metrics import ndcg
from minibert.tasks.retrieval import Index
from minibert.tasks.sentence_embeddings import pool_tokens
from minibert.varlen import cu_seqlens_of

FIRST = """
ada bela carl dora emil flora gustav hanna igor jana kaspar lena milan nora otto paula rosa stefan tilda viktor
""".split()
LAST = "abt berg cole dahl eck falk gray holm ivers jung kahn lund moss nagel oste pohl quist rask storm thorn".split()
FACTS = """
? where was {who} born
? in which town did {who} see the light of day
? what is the birthplace of {who}
. {who} came into the world in {gap} and her parents kept a shop there
. the cradle of {who} stood in {gap} near the river
. {gap} is proud of {who} a native of the place
= torvik malden brisca lindau ostra fenwick calder zurin halmar pelsk

? where did {who} die
? in which town lies the grave of {who}
? what was the last home of {who}
. {who} who was born elsewhere was buried in {gap}
. in old age {who} moved to {gap} and passed away in spring
. the tomb of {who} can be seen in {gap} far from her birthplace
= torvik malden brisca lindau ostra fenwick calder zurin halmar pelsk

? what was the job of {who}
? how did {who} earn her living
? which profession did {who} have
. {who} was employed as a {gap} for many years
. for a salary {who} served the town as a {gap}
. as a {gap} {who} made enough money to marry
= baker doctor teacher sailor printer miner lawyer gardener

? what did {who} study
? which subject did {who} read at university
? in what field is the degree of {who}
. {who} was a student of {gap} and later had another job
. the college taught {who} all about {gap}
. {gap} was what {who} learned before her profession
= physics music law botany history greek chemistry drawing

? who was the husband of {who}
? whom did {who} marry
? what is the name of the man at the side of {who}
. {who} and {gap} were a couple since the wedding in the old church
. {gap} gave a ring to {who} and they had four children
. the spouse of {who} was {gap} whom she met at university
= ada bela carl dora emil flora gustav hanna igor jana kaspar lena milan nora otto paula rosa stefan tilda viktor

? which prize did {who} win
? what was {who} honoured with
? which award stands on the shelf of {who}
. the academy gave the {gap} medal to {who}
. {who} received the {gap} trophy from the hands of a man of her town
. for what she did in the field {who} got the {gap} ribbon
= golden silver iron royal northern southern green blue
"""  # six facts about {who}: questions, paragraphs, and what may stand for {gap}
FRAMES = ("{fact}", "{fact} as {other} wrote", "{other} told us that {fact}")
TRAIN, TEST = 60, 40  # people
NAMES = tuple(f"{first} {last}" for first in FIRST for last in LAST)
WORDS = sorted({*words(FACTS), *words(" ".join(FRAMES)), *FIRST, *LAST} - {"gap", "fact", "other"})
Pairs = list[tuple[list[int], list[int]]]


@dataclass(frozen=True)
class People:
    """Texts in pairs, a question and the paragraph that answers it: to train with, and held out, about other people.

    `numbers` says which id a word has.

    >>> world = people(0)
    >>> len(world.train), len(world.held_out), len(world.numbers)
    (360, 240, 198)
    """

    train: tuple[tuple[str, str], ...]
    held_out: tuple[tuple[str, str], ...]
    numbers: dict[str, int]

    def ids(self, text: str) -> list[int]:
        """[CLS], the words, [SEP]."""
        return [2, *(self.numbers[word] for word in words(text)), 3]

    @property
    def pairs(self) -> Pairs:
        """The training pairs as ids."""
        return [(self.ids(question), self.ids(paragraph)) for question, paragraph in self.train]


@lru_cache(maxsize=4)
def people(seed: int) -> People:
    """The world of a seed: six pairs for each of a hundred people, one person after the other.

    >>> people(0).train[0] == people(1).train[0]
    False
    """
    rng = torch.Generator().manual_seed(seed)

    def pick(things):
        return things[int(torch.randint(len(things), (), generator=rng))]

    facts = [
        [[line[2:] for line in fact.splitlines() if line[:1] == mark] for mark in "?.="] for fact in FACTS.split("\n\n")
    ]
    there, pairs = [NAMES[at] for at in torch.randperm(len(NAMES), generator=rng)[: TRAIN + TEST].tolist()], []
    for place, who in enumerate(there):
        others = there[:TRAIN] if place < TRAIN else there[TRAIN:]
        for questions, paragraphs, (gaps,) in facts:
            fact = pick(paragraphs).format(who=who, gap=pick(gaps.split()))
            pairs.append((pick(questions).format(who=who), pick(FRAMES).format(fact=fact, other=pick(others))))
    order = torch.randperm(len(WORDS), generator=rng).tolist()
    numbers = {WORDS[place]: 5 + number for number, place in enumerate(order)}
    return People(tuple(pairs[: 6 * TRAIN]), tuple(pairs[6 * TRAIN :]), numbers)


def searcher(weights: dict[str, Tensor] | None = None) -> Encoder:
    """The encoder of 12.4, one layer: with these weights, or new ones.

    >>> sum(parameter.numel() for parameter in searcher().parameters()) < 40_000
    True
    """
    sizes = dict(vocab_size=5 + len(WORDS), hidden=48, layers=1, heads=3, intermediate=96, max_len=32, segments=0)
    config = EncoderConfig.preset("bert-nano").replace(**sizes)
    model = MaskedLanguageModel(config, torch.Generator().manual_seed(0)).encoder
    if weights is not None:
        model.load_state_dict(weights)
    return model.eval()


def vectors(model: Encoder, texts: Sequence[list[int]]) -> Tensor:
    """The mean state of each text, with its gradient. Shape: B lists of ids -> (B, 48).

    >>> vectors(searcher(), [[2, 9, 3], [2, 8, 7, 3]]).shape
    torch.Size([2, 48])
    """
    order = sorted(range(len(texts)), key=lambda place: len(texts[place]))  # like lengths share a call of attention
    borders = cu_seqlens_of([len(texts[place]) for place in order])
    ids = torch.tensor([number for place in order for number in texts[place]])
    return pool_tokens(model.packed(ids, borders).hidden, borders, "mean")[torch.tensor(order).argsort()]


def _ndcg(questions: Tensor, paragraphs: Tensor) -> float:
    """nDCG@10 where paragraph number i alone answers question number i."""
    ranks = Index(paragraphs).ranks(questions, torch.arange(len(questions))).tolist()
    return sum(ndcg([0.0] * (rank - 1) + [1.0], 10) for rank in ranks) / len(ranks)


@torch.no_grad()
def search_score(weights: dict[str, Tensor], seed: int, held_out: bool = True) -> float:
    """nDCG@10 of an encoder with these weights: 240 questions, each of which 1 of 240 paragraphs answers.

    >>> 0.0 < search_score(searcher().state_dict(), seed=0) < 0.3
    True
    """
    world, model = people(seed), searcher(weights)
    sides = zip(*(world.held_out if held_out else world.train[: len(world.held_out)]), strict=True)
    return _ndcg(*(vectors(model, [world.ids(text) for text in side]) for side in sides))


def score_of_words(seed: int) -> float:
    """nDCG@10 of bags of words, rare words counting more: what the encoder has to beat.

    >>> 0.2 < score_of_words(0) < 0.6
    True
    """
    world = people(seed)
    bag = Bag.of([text for pair in world.train for text in pair], words)
    return _ndcg(*(bag.vectors(side) for side in zip(*world.held_out, strict=True)))
