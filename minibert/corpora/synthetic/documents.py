"""Coherent documents from a small grammar: an offline stand-in for a pre-training corpus.

A document stays with one topic, two named people, one group, one place and two or three things. So adjacent sentences
share entities (next-sentence prediction can be learned), and the topic gives the answer away (the shortcut that
RoBERTa, section 4.2, and ALBERT, section 3.1, discuss can be seen). Verbs and pronouns agree with their subjects.
What is left out: any meaning beyond that. Do not expect a model trained on this to know the world.
"""

from dataclasses import dataclass
from random import Random

from minibert.corpora.synthetic.ambiguity import Thing, ambiguous_things_of, things_of
from minibert.corpora.synthetic.morphology import a, past, plural, sentence, third
from minibert.corpora.synthetic.sampling import below, chance, draw, pick, pick_different, stream
from minibert.corpora.synthetic.topics import TOPICS, Topic

WOMEN = ("Anna", "Clara", "Emma", "Grace", "Helen", "Julia", "Laura", "Maria", "Nora", "Olivia", "Sarah", "Tessa")
MEN = ("Adam", "Bruno", "Daniel", "Felix", "George", "Henry", "Jacob", "Leo", "Martin", "Oscar", "Peter", "Simon")
ADVERBS = ("carefully", "slowly", "quietly", "gladly", "often", "every morning", "once a week", "with great care",
           "before noon", "at last", "without any help", "in silence", "all day", "as usual")  # fmt: skip
MOODS = ("gentle", "cheerful", "curious", "tired", "proud", "honest", "nervous", "famous", "young", "friendly")
DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
TIMES = ("yesterday", "last week", "two days ago", "in the evening", "a year ago", "that night", "at first")
REASONS = ("because nobody else has time", "although it takes hours", "since it does not rain",
           "while the others rest", "if there is enough light", "until it is dark", "so that all are safe")  # fmt: skip


@dataclass(frozen=True)
class Scene:
    """Who, what and where of one document; every sentence of it draws from here."""

    topic: Topic
    hero: str
    partner: str
    role: str
    other_role: str
    place: str
    things: tuple[Thing, ...]

    @property
    def pronoun(self) -> str:
        return "she" if self.hero in WOMEN else "he"


def scene(rng: Random, name: str) -> Scene:
    """Draw the people, things and the place of one document about the topic called `name`."""
    topic, names = TOPICS[name], WOMEN + MEN
    role, other_role = draw(rng, topic.people, 2)
    hero, partner = draw(rng, names, 2)
    things = draw(rng, things_of(name), 3)
    ambiguous = ambiguous_things_of(name)
    if ambiguous and chance(rng, 0.7):
        things[0] = pick(rng, ambiguous)
    return Scene(topic, hero, partner, role, other_role, pick(rng, topic.places), tuple(things))


def opening(rng: Random, s: Scene) -> str:
    """Introduce the main person, the place and the first thing."""
    thing = s.things[0]
    return sentence(pick(rng, (
        f"{s.hero} is {a(pick(rng, MOODS) + ' ' + s.role)} at the {s.place}",
        f"every {pick(rng, DAYS)}, {s.hero} works as {a(s.role)} near the {s.place}",
        f"there is {a(pick(rng, thing.adjectives) + ' ' + thing.noun)} near the {s.place}, and {s.hero} likes it",
        f"the {s.role} of the {s.place} is called {s.hero}",
    )))  # fmt: skip


def body(rng: Random, s: Scene) -> str:
    """Say one more thing about the scene. Present-tense verbs agree with their subject, also across an attractor."""
    thing = pick(rng, s.things)
    other = pick_different(rng, s.things, thing)
    verb, other_verb = pick(rng, thing.verbs), pick(rng, other.verbs)
    noun, adjective, adverb = thing.noun, pick(rng, thing.adjectives), pick(rng, ADVERBS)
    subject = pick(rng, (s.hero, s.pronoun, s.partner, f"the {s.role}"))
    return sentence(pick(rng, (
        f"{subject} {third(verb)} the {adjective} {noun} {adverb}",
        f"{subject} {third(verb)} the {noun} {pick(rng, REASONS)}",
        f"the {plural(s.other_role)} {verb} the {plural(noun)}, and {subject} {third(other_verb)} the {other.noun}",
        f"the {plural(s.other_role)} near the {other.noun} {verb} {a(noun)} {adverb}",
        f"the {s.role} with the {plural(other.noun)} {third(verb)} the {adjective} {plural(noun)}",
        f"{pick(rng, TIMES)}, {subject} {past(verb)} the {noun} beside the {s.place}",
        f"{s.hero} and {s.partner} {verb} the {adjective} {noun} and then they {other_verb} the {other.noun}",
        f"the {noun} is {adjective}, but the {plural(other.noun)} are {pick(rng, other.adjectives)}",
        f"when {s.hero} {third(verb)} the {noun}, {s.partner} {third(other_verb)} the {other.noun}",
        f"{s.partner} asks {a(s.other_role)} about the {noun} and the {plural(other.noun)}",
        f'"Is the {noun} {adjective}?" {s.partner} asks {s.hero}',
        f"{s.pronoun} does not {verb} the {noun} if it is {adjective}",
        f"does {s.partner} {verb} the {noun} at the {s.place}?",
        f"few {plural(s.role)} {verb} {a(adjective + ' ' + noun)} as well as {s.hero}",
    )))  # fmt: skip


def closing(rng: Random, s: Scene) -> str:
    """End the document with its people, its place and its first thing."""
    return sentence(pick(rng, (
        f"at the end of the day, {s.hero} and {s.partner} leave the {s.place}",
        f"tomorrow {s.pronoun} will {pick(rng, s.things[0].verbs)} the {s.things[0].noun} again",
        f"the {plural(s.other_role)} thank {s.hero} for the {s.things[0].noun}",
        f"then the {s.place} is quiet, and {s.pronoun} goes home with {s.partner}",
    )))  # fmt: skip


def documents(count: int, seed: int = 0) -> list[list[str]]:
    """Return `count` documents of 6 to 14 sentences each. The first k documents do not depend on `count`.

    Raises ValueError if count is below 1 or the seed is no int. Same arguments, same bytes, on every platform.

    >>> docs = documents(2, seed=0)
    >>> len(docs), docs == documents(2, seed=0), all(6 <= len(doc) <= 14 for doc in docs)
    (2, True, True)
    """
    rng = stream("documents", count, seed)
    names = tuple(TOPICS)
    result = []
    for _ in range(count):
        s = scene(rng, pick(rng, names))
        target = 4 + below(rng, 9)
        middle: list[str] = []
        while len(middle) < target:
            line = body(rng, s)
            if line not in middle:
                middle.append(line)
        result.append([opening(rng, s), *middle, closing(rng, s)])
    return result
