"""What the open task of chapter 18 trains: one small model of six generated languages, in shares that a policy sets.

The languages differ in how much text there is, how many words they have, and how well a word follows from its
neighbours; two of them are dialects of one language. A seed draws them and their names. The model predicts each word
from its two neighbours, so what can be reached is known exactly: the entropy of a word between its neighbours.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor, nn
from torch.nn import functional

LENGTH, BLOCKS, STEPS, ROWS, WIDTH, RATE = 12, 30, 10, 32, 24, 0.03  # words a row; steps a block, rows a step
KINDS = (  # words, how many may follow one, rows of text
    ("large", 40, 3, 3000),
    ("cousin", 40, 3, 1000),  # words and grammar are those of "large"
    ("noisy", 16, 16, 600),
    ("rich", 120, 4, 700),
    ("plain", 40, 3, 300),  # or, for odd seeds, a second noisy one
    ("small", 40, 3, 200),
)
NAMES = ("Aro", "Bel", "Cim", "Dun", "Esk", "Fal")
Policy = Callable[[dict[str, int], list[dict[str, float]]], Mapping[str, float]]


@dataclass(frozen=True)
class Language:
    """Rows of words to train with and to measure on, and the bits a word that the best model of them needs.

    Shape: text (R, 12) and held_out (300, 12), int64.

    >>> Language("noisy", torch.zeros(2, 12).long(), torch.zeros(300, 12).long(), 3.9).floor
    3.9
    """

    kind: str
    text: Tensor
    held_out: Tensor
    floor: float


def _rows(follows: Tensor, count: int, rng: torch.Generator) -> Tensor:
    """Rows of a Markov chain. Shape: (W, W) probabilities -> (count, 12)."""
    words = [torch.randint(len(follows), (count,), generator=rng)]
    for _ in range(LENGTH - 1):
        words.append(torch.multinomial(follows[words[-1]], 1, generator=rng).squeeze(1))
    return torch.stack(words, dim=1)


def _floor(follows: Tensor, rows: Tensor) -> float:
    """The mean of -log2 p(word | its two neighbours), with the true probabilities."""
    left, middle, right = rows[:, :-2], rows[:, 1:-1], rows[:, 2:]
    joint = follows[left] * follows[:, right].permute(1, 2, 0)  # (n, 10, W)
    exact = joint.gather(2, middle[..., None]).squeeze(2) / joint.sum(2)
    return float(-exact.log2().mean())


@lru_cache(maxsize=4)
def languages(seed: int) -> dict[str, Language]:
    """Six languages, drawn from a seed.

    >>> there = languages(0)
    >>> sorted(there), max(language.kind for language in there.values())
    (['Aro', 'Bel', 'Cim', 'Dun', 'Esk', 'Fal'], 'small')
    """
    rng = torch.Generator().manual_seed(seed)
    names = [NAMES[at] for at in torch.randperm(len(NAMES), generator=rng).tolist()]
    made, first, large = {}, 0, None
    for name, (kind, words, branches, count) in zip(names, KINDS, strict=True):
        if kind == "plain" and seed % 2:
            kind, words, branches, count = "noisy", 24, 24, 900
        ids = torch.arange(first, first + words)
        if kind == "cousin":  # a dialect: what is learned of one is known of the other
            follows, ids = large
        else:
            follows = torch.zeros(words, words, dtype=torch.float64)
            for word in range(words):
                after = torch.randperm(words, generator=rng)[:branches]
                follows[word, after] = torch.rand(branches, generator=rng, dtype=torch.float64) + 0.5
            follows /= follows.sum(1, keepdim=True)
        if kind == "large":
            large = follows, ids
        first += words
        count = int(count * (0.8 + 0.45 * float(torch.rand((), generator=rng))))
        text, held_out = _rows(follows, count, rng), _rows(follows, 300, rng)
        made[name] = Language(kind, ids[text], ids[held_out], _floor(follows, held_out))
    return {name: made[name] for name in sorted(made)}


class Neighbours(nn.Module):
    """Predict each word of a row from the words to its left and right.

    Shape: (B, 12) -> (B, 10, V).

    >>> Neighbours(50, torch.Generator().manual_seed(0))(torch.zeros(2, 12).long()).shape
    torch.Size([2, 10, 50])
    """

    def __init__(self, vocabulary: int, generator: torch.Generator):
        super().__init__()
        left, right, out = (0.3 * torch.randn(vocabulary, WIDTH, generator=generator) for _ in range(3))
        self.left, self.right, self.out = nn.Parameter(left), nn.Parameter(right), nn.Parameter(out)

    def forward(self, rows: Tensor) -> Tensor:
        hidden = torch.tanh(self.left[rows[:, :-2]] + self.right[rows[:, 2:]])  # (B, 10, WIDTH)
        return hidden @ self.out.T

    def bits(self, rows: Tensor) -> Tensor:
        """The mean loss in bits a word. Shape: (B, 12) -> ()."""
        return functional.cross_entropy(self(rows).flatten(0, 1), rows[:, 1:-1].flatten()) / math.log(2)


@dataclass(frozen=True)
class Mixed:
    """What a run comes to: bits a word above the floor on held-out rows, and the shares and losses of each block.

    >>> Mixed({"Aro": 0.5, "Bel": 0.1}, [], []).worst
    'Aro'
    """

    above: dict[str, float]
    shares: list[dict[str, float]]
    losses: list[dict[str, float]]

    @property
    def worst(self) -> str:
        """The language that is furthest from what it could reach."""
        return max(self.above, key=self.above.__getitem__)

    @property
    def mean(self) -> float:
        """The mean over the languages."""
        return sum(self.above.values()) / len(self.above)


def by_size(power: float) -> Policy:
    """Shares as the amount of text to a power: 1 as much as there is, 0 all alike (temperature sampling).

    >>> by_size(0.5)({"Aro": 100, "Bel": 25}, [])
    {'Aro': 10.0, 'Bel': 5.0}
    """
    return lambda sizes, losses: {name: size**power for name, size in sizes.items()}


def counted(shares: Mapping[str, float], rows: int) -> dict[str, int]:
    """So many rows in these shares, to whole rows.

    >>> counted({"Aro": 1.0, "Bel": 2.0}, 10)
    {'Aro': 3, 'Bel': 7}
    """
    total = sum(shares.values())
    counts = {name: int(rows * share / total) for name, share in shares.items()}
    short = sorted(counts, key=lambda name: counts[name] - rows * shares[name] / total)
    for name in short[: rows - sum(counts.values())]:
        counts[name] += 1
    return counts


def train_mix(policy: Policy, seed: int) -> Mixed:
    """Train on 30 blocks of 320 rows; before each, `policy(sizes, losses)` says in which shares the languages come.

    `sizes` are the rows of text of each language; `losses` holds a dict for each block that is over: bits a word on
    text of each language, measured behind it. A language's rows are read in turn, and begin anew when all were read.

    >>> mixed = train_mix(by_size(0.0), seed=0)
    >>> len(mixed.losses), 0.0 < mixed.mean < mixed.above[mixed.worst] < 1.0
    (30, True)
    """
    there, generator = languages(seed), torch.Generator().manual_seed(seed)
    vocabulary = 1 + max(int(one.text.max()) for one in there.values())
    model = Neighbours(vocabulary, generator)
    optimizer = torch.optim.Adam(model.parameters(), lr=RATE, betas=(0.9, 0.98))
    sizes = {name: len(one.text) for name, one in there.items()}
    read, sample = dict.fromkeys(there, 0), {name: one.text[:64] for name, one in there.items()}
    shares, losses = [], []
    for block in range(BLOCKS):
        given = policy(dict(sizes), [dict(one) for one in losses])
        counts = counted(given, STEPS * ROWS)
        rows = []
        for name, count in counts.items():
            rows.append(there[name].text[torch.arange(read[name], read[name] + count) % sizes[name]])
            read[name] += count
        mixed = torch.cat(rows)[torch.randperm(STEPS * ROWS, generator=generator)]
        for step, batch in enumerate(mixed.split(ROWS), block * STEPS):
            optimizer.param_groups[0]["lr"] = RATE * (1 - step / (BLOCKS * STEPS))
            optimizer.zero_grad()
            model.bits(batch).backward()
            optimizer.step()
        with torch.no_grad():
            losses.append({name: float(model.bits(rows)) for name, rows in sample.items()})
        shares.append({name: count / (STEPS * ROWS) for name, count in counts.items()})
    with torch.no_grad():
        above = {name: float(model.bits(one.held_out)) - one.floor for name, one in there.items()}
    return Mixed(above, shares, losses)
