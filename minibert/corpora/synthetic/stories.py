"""Little stories in 47 words, which a model of a hundred thousand weights learns in seconds.

What a word is follows from words on both sides of it, often several sentences away: who has what, whose it is, where
they are. So these stories show within a minute what real text shows after hours.
"""

from random import Random

from minibert.corpora.synthetic.sampling import chance, check_split, draw, pick, pick_different, stream

GIRLS = ("anna", "clara", "emma", "lucy")
BOYS = ("ben", "david", "max", "tom")
COLOURS = ("blue", "green", "red", "white", "yellow")
THINGS = ("ball", "boat", "book", "drum", "hat", "kite")
PLACES = ("garden", "harbour", "kitchen", "park", "school")
ANIMALS = {"cat": "sleeps", "dog": "barks", "bird": "sings"}


def stories(count: int, seed: int = 0, events: int = 4) -> list[str]:
    """Return `count` stories of two children with `events` events each, one text a story, about 22 words an event.

    Raises ValueError for a count or a number of events below 1.

    >>> stories(1, seed=0, events=1)[0][:91]
    'david has a green book and emma has a white kite . emma takes her kite to the school . the '
    """
    if isinstance(events, bool) or not isinstance(events, int) or events < 1:
        raise ValueError(f"events must be a whole number of at least 1, got {events!r}")
    rng = stream("stories", count, seed)
    return [_story(rng, events) for _ in range(count)]


def split_stories(split: str) -> list[str]:
    """The data set `stories` of `corpora.load`: 4,000 stories of two events to train on, 500 others to test with.

    A story of the test split is none of the training split. (Its sentences may be: there are few to choose from.)
    Raises ValueError for an unknown split.

    >>> len(split_stories("test")), not set(split_stories("test")) & set(split_stories("train"))
    (500, True)
    """
    check_split(split)
    train = stories(4000, seed=0, events=2)
    if split == "train":
        return train
    known = set(train)
    return [story for story in stories(520, seed=1, events=2) if story not in known][:500]


def _story(rng: Random, events: int) -> str:
    children = draw(rng, (pick(rng, GIRLS), pick(rng, BOYS)), 2)
    things = dict(zip(children, draw(rng, THINGS, 2), strict=True))  # what each of them has, None after it is given
    colours = dict(zip(things.values(), draw(rng, COLOURS, 2), strict=True))
    first, second = (f"{name} has a {colours[thing]} {thing}" for name, thing in things.items())
    told, place = [f"{first} and {second} ."], None
    for _ in range(events):
        giver = pick(rng, children)
        place = _outing(rng, told, giver, things[giver], place)
        if chance(rng, 0.5):
            taker = pick_different(rng, children, giver)
            _exchange(told, giver, taker, things, colours)
    return " ".join(told)


def _outing(rng: Random, told: list[str], name: str, thing: str, before: str | None) -> str:
    """Somebody takes what they have to another place, and an animal is there."""
    place, animal = pick_different(rng, PLACES, before), pick(rng, tuple(ANIMALS))
    told.append(f"{name} takes {_her(name)} {thing} to the {place} .")
    told.append(f"the {animal} {ANIMALS[animal]} in the {place} .")
    return place


def _exchange(told: list[str], giver: str, taker: str, things: dict[str, str], colours: dict[str, str]) -> None:
    """The two swap what they have."""
    given, got = things[giver], things[taker]
    told.append(f"{giver} gives the {colours[given]} {given} to {taker} for {_her(taker)} {got} .")
    things[giver], things[taker] = got, given
    told.append(f"now {taker} has the {given} and {_she(taker)} is happy .")


def _she(name: str) -> str:
    return "she" if name in GIRLS else "he"


def _her(name: str) -> str:
    return "her" if name in GIRLS else "his"
