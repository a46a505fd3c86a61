"""Questions whose answer is a span of the context, with exact character offsets; about a quarter have no answer.

The context tells three to five events that share people, verbs and things, in random order. So the answer's place, its
capital letter or its type alone do not give it away: the reader has to match the question with the right event. A
question without an answer mixes two events, as in SQuAD 2.0 (Rajpurkar et al. 2018, "Know What You Don't Know").
"""

from dataclasses import dataclass
from random import Random
from string import Formatter
from typing import NamedTuple

from minibert.corpora.synthetic.morphology import past, plural, sentence
from minibert.corpora.synthetic.sampling import below, chance, draw, pick, shuffled, stream
from minibert.corpora.synthetic.world import ACTIONS, CITIES, FIRST_NAMES, KINDS, NUMBERS, SURNAMES

UNANSWERABLE = 0.25  # share of questions without an answer

# {who} {did} {n} {things} {town} {year}
_EVENTS = {
    "train": (
        "in {year}, {who} {did} {n} {things} in {town}",
        "{who} {did} {n} {things} in {town} in {year}",
        "in {town}, {n} {things} were {did} by {who} in {year}",
        "{n} {things} were {did} in {town} by {who} in {year}",
    ),
    "test": (
        "it was in {year} that {who} {did} {n} {things} in {town}",
        "while in {town}, {who} {did} {n} {things}; this was in {year}",
        "the year {year} saw {who} in {town}, where {n} {things} were {did}",
    ),
}
_FILLERS = (
    "Nobody expected it.", "The newspapers wrote about it for weeks.", "It had rained all day.",
    "Later, things changed.",
    "Few people remember that time.", "This was not the first attempt.", "The neighbours were surprised.",
)  # fmt: skip
# slot of the answer: question frames
_QUESTIONS = {
    "train": {
        "who": ("Who {did} the {things} in {town}?", "By whom were the {n} {things} {did}?"),
        "town": ("Where did {who} {do} the {things}?", "In which town were the {things} {did} by {who}?"),
        "year": ("When did {who} {do} the {things}?", "In which year did {who} {do} {things} in {town}?"),
        "n": ("How many {things} did {who} {do}?", "How many {things} were {did} in {town}?"),
        "things": ("What did {who} {do} in {town}?", "What was {did} by {who} in {year}?"),
    },
    "test": {
        "who": ("Which person {did} {n} {things} in {year}?",),
        "town": ("Name the town where {who} {did} {things}.",),
        "year": ("What year was it when {things} were {did} by {who}?",),
        "n": ("What number of {things} did {who} {do} in {year}?",),
        "things": ("Which things did {who} {do} in {town}?",),
    },
}


class SpanExample(NamedTuple):
    """A question on a context. `context[start : start + len(answer)] == answer`; start is -1 if there is no answer."""

    context: str
    question: str
    answer: str
    start: int
    title: str


@dataclass(frozen=True)
class Event:
    """One fact of a context, told by one sentence."""

    who: str
    do: str
    things: str
    n: str
    town: str
    year: str

    def words(self) -> dict[str, str]:
        return {**vars(self), "did": past(self.do)}


def _events(rng: Random, split: str) -> list[Event]:
    """Draw events that share few people, verbs and things but no pair of them, no town, year or number."""
    size = 3 + below(rng, 3)
    people = [f"{first} {last}" for first, last in
              zip(draw(rng, FIRST_NAMES[split], 3), draw(rng, SURNAMES[split], 3), strict=True)]  # fmt: skip
    verbs = draw(rng, ACTIONS[split], 3)
    things = [plural(pick(rng, KINDS[kind])) for kind in draw(rng, tuple(KINDS), 3)]
    # a Latin square: any two of person, verb and thing fix the third, and five of its nine cells are used
    cells = draw(rng, [(i, j, (i + j) % 3) for i in range(3) for j in range(3)], size)
    towns, numbers = draw(rng, CITIES[split], size), draw(rng, NUMBERS, size)
    years = draw(rng, range(1850, 2000), size)
    return [Event(people[i], verbs[j], things[k], numbers[m], towns[m], str(years[m]))
            for m, (i, j, k) in enumerate(cells)]  # fmt: skip


def _tell(rng: Random, split: str, events: list[Event]) -> tuple[str, list[dict[str, tuple[int, int]]]]:
    """Write the context; return it with the (start, end) characters of every slot of every event."""
    context, places = "", []
    for event in events:
        words, where = event.words(), {}
        if chance(rng, 0.4):
            context += pick(rng, _FILLERS) + " "
        sentence_start = len(context)
        for text, slot, _, _ in Formatter().parse(pick(rng, _EVENTS[split])):
            context += text
            if slot:
                where[slot] = (len(context), len(context) + len(words[slot]))
                context += words[slot]
        context = context[:sentence_start] + sentence(context[sentence_start:]) + " "  # keeps every offset
        places.append(where)
    return context.rstrip(), places


def _question(rng: Random, split: str, events: list[Event], slot: str, answerable: bool) -> tuple[str, int]:
    """Return a question and the index of the one event it is about, or -1 if no event fits it."""
    while True:
        frame = pick(rng, _QUESTIONS[split][slot])
        asked, other = draw(rng, range(len(events)), 2)
        words = vars(events[asked]).copy()
        given = ["do" if field == "did" else field for _, field, _, _ in Formatter().parse(frame) if field]
        if not answerable:  # every word of the question occurs in the context, but not of one event
            mixed = pick(rng, given)
            words[mixed] = vars(events[other])[mixed]
        fitting = [event for event in events if all(vars(event)[field] == words[field] for field in given)]
        if len(fitting) == int(answerable):
            return frame.format(**words, did=past(words["do"])), asked if answerable else -1


def spans(count: int, seed: int = 0, split: str = "train") -> list[SpanExample]:
    """Return questions on generated contexts; the five kinds of answer (who, where, when, how many, what) are balanced.

    The test split has its own names, towns, verbs, and frames of events and questions. Raises ValueError for a count
    below 1 or an unknown split.

    >>> example = next(example for example in spans(9, seed=0) if example.answer)
    >>> example.context[example.start : example.start + len(example.answer)] == example.answer
    True
    """
    rng = stream("spans", count, seed, split)
    result: list[SpanExample] = []
    while len(result) < count:
        for slot in shuffled(rng, tuple(_QUESTIONS[split])):
            events = _events(rng, split)
            context, places = _tell(rng, split, events)
            question, index = _question(rng, split, events, slot, answerable=not chance(rng, UNANSWERABLE))
            start, end = places[index][slot] if index >= 0 else (-1, -1)
            answer = context[start:end] if index >= 0 else ""
            result.append(SpanExample(context, question, answer, start, pick(rng, events).who))
    return result[:count]
