"""The open task of chapter 2: a rota of one's own, where a duty follows from a name on its left and a day on its right.

Other names and other days stand there too; the name that counts is the last one before the duty, the day the first one
after it. Which word means what is drawn from a seed, so each learner has other sentences.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

PAD, HIDDEN = 0, 1
DUTIES = 3  # as many names and days
FILLERS = 12
VOCABULARY = 2 + 3 * DUTIES + FILLERS


@dataclass(frozen=True)
class Rota:
    """Sentences to learn from, with their duties, and sentences to ask about, whose duties are hidden.

    `places` and `asked_places` say where the duty stands; at least one word stands before it and after it. Shape: rows
    and asked (R, T) int64, 0 behind the sentence and 1 for a hidden duty; places (R,), answers (R,) int64.

    >>> text = own_rota(7)
    >>> tuple(text.rows.shape), tuple(text.asked.shape), text.vocabulary
    ((1000, 12), (300, 12), 23)
    """

    rows: Tensor
    places: Tensor
    asked: Tensor
    asked_places: Tensor
    answers: Tensor
    vocabulary: int = VOCABULARY


@lru_cache(maxsize=8)
def own_rota(seed: int, learn: int = 1000, ask: int = 300) -> Rota:
    """A rota drawn from a seed: the words' numbers, the square of duties, and the sentences.

    >>> text = own_rota(3)
    >>> each = torch.arange(300)
    >>> text.asked[each, text.asked_places].unique().tolist(), len(text.answers.unique())
    ([1], 3)
    """
    generator = torch.Generator().manual_seed(seed)

    def draw(limit: int) -> int:
        return int(torch.randint(limit, (), generator=generator))

    order = (torch.randperm(VOCABULARY - 2, generator=generator) + 2).tolist()
    names, days, duties, fillers = order[:3], order[3:6], order[6:9], order[9:]
    by_name, by_day = (torch.randperm(DUTIES, generator=generator).tolist() for _ in range(2))
    rows, places = [], []
    for _ in range(learn + ask):
        name, day = draw(DUTIES), draw(DUTIES)

        def words(count: int) -> list[int]:
            return [fillers[draw(FILLERS)] for _ in range(count)]

        first = [names[draw(DUTIES)], *words(1 + draw(2))] if draw(2) else words(1)
        before = [*first, names[name], *words(1 + draw(2))]
        after = [*words(1 + draw(2)), days[day], *words(1), *([days[draw(DUTIES)]] if draw(2) else [])]
        rows.append(torch.tensor([*before, duties[(by_name[name] + by_day[day]) % DUTIES], *after]))
        places.append(len(before))
    ids, at = torch.nn.utils.rnn.pad_sequence(rows, batch_first=True, padding_value=PAD), torch.tensor(places)
    asked, where = ids[learn:].clone(), at[learn:]
    answers = asked[torch.arange(ask), where].clone()
    asked[torch.arange(ask), where] = HIDDEN
    return Rota(ids[:learn], at[:learn], asked, where, answers)


def share_found(find: Callable[[Tensor, Tensor], Tensor], rota: Rota) -> float:
    """Share of the hidden duties that have the highest of all logits.

    >>> text = own_rota(0)
    >>> share_found(lambda rows, places: torch.eye(VOCABULARY)[text.answers], text)
    1.0
    """
    with torch.no_grad():
        logits = find(rota.asked, rota.asked_places)
    return (logits.argmax(dim=-1) == rota.answers).float().mean().item()
