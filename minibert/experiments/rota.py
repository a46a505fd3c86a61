"""A duty rota as sentences: the duty follows from the name on its left and the day on its right, never from one."""

import torch

NAMES = ("ann", "ben", "carla")
DAYS = ("monday", "tuesday", "friday")
DUTIES = ("sweep", "cook", "shop")
_OPENINGS = ("this week", "as agreed", "now", "it seems that")
_MANNERS = ("will", "has to")
_MIDDLES = ("again", "with care")
_ENDINGS = ("morning", "after tea")


def duty(name: str, day: str) -> str:
    """Each name has each duty on one day, and each day has each duty for one name: a Latin square.

    >>> [duty("ben", day) for day in DAYS]
    ['cook', 'shop', 'sweep']
    """
    return DUTIES[(NAMES.index(name) + DAYS.index(day)) % len(DUTIES)]


def rota_sentences(count: int, generator: torch.Generator) -> list[tuple[list[str], int]]:
    """Return sentences as lists of words, each with the place of its duty.

    Names, days and the words around them are drawn evenly and apart from each other, so whoever sees one side of the
    duty only is right in one of three cases. Whoever adds up a score from the name and one from the day finds up to
    seven of the nine duties, but is not trained to do so: the sum with the least cross-entropy is 0 for every duty.

    >>> words, place = rota_sentences(1, torch.Generator().manual_seed(0))[0]
    >>> words[place] in DUTIES
    True
    """
    parts = (_OPENINGS, NAMES, _MANNERS, _MIDDLES, DAYS, _ENDINGS)
    draws = [torch.randint(len(part), (count,), generator=generator).tolist() for part in parts]
    result = []
    for picks in zip(*draws, strict=True):
        opening, name, manner, middle, day, ending = (part[i] for part, i in zip(parts, picks, strict=True))
        before = f"{opening} {name} {manner}".split()
        after = f"{duty(name, day)} {middle} on {day} {ending}".split()
        result.append((before + after, len(before)))
    return result
