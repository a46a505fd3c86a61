"""Eighteen words with two senses each; every sense lives in one topic and has verbs and adjectives of its own."""

from dataclasses import dataclass

from minibert.corpora.synthetic.topics import TOPICS


@dataclass(frozen=True)
class Thing:
    """A noun with the verbs and adjectives that go with it.

    >>> Thing("raft", ("moor",), ("swift",)).noun
    'raft'
    """

    noun: str
    verbs: tuple[str, ...]
    adjectives: tuple[str, ...]


# word: topic | verbs | adjectives // the other topic | verbs | adjectives
_TEXT = """
bank: river | reach follow erode | grassy steep sloping // finance | trust manage found | central solid reliable
bat: cave | startle watch hear | nocturnal winged sleeping // baseball | grip swing hold | aluminium splintered wooden
bark: kennel | notice answer imitate | shrill sudden friendly // forest | peel strip carve | rough cracked flaky
pitcher: baseball | cheer bench trade | left-handed talented rookie // kitchen | fill empty rinse | glass earthen brimming
palm: beach | shake decorate photograph | swaying exotic slender // clinic | massage press bathe | sweaty scratched itchy
crane: lake | disturb stalk draw | migrating graceful long-legged // construction | raise rig lower | hydraulic huge yellow
spring: garden | await welcome greet | early rainy mild // workshop | coil stretch compress | curled elastic tense
seal: sea | hunt tag befriend | whiskered spotted plump // office | affix print break | wax notarised embossed
mouse: farm | trap frighten poison | timid tiny grey // computing | jiggle wiggle calibrate | optical wired ergonomic
organ: music | restore pump dust | baroque booming sonorous // clinic | donate remove scan | healthy vital internal
bass: lake | hook fry land | freshwater striped scaly // music | pluck amplify record | electronic rhythmic resonant
court: law | address adjourn convene | supreme federal strict // tennis | sweep resurface mark | clay indoor floodlit
match: tennis | postpone televise attend | thrilling five-set close // camp | shield strike snuff | lit sulphur glowing
trunk: forest | saw split measure | gnarled thick knotty // travel | stow haul wheel | roomy battered labelled
star: astronomy | magnify detect weigh | dying massive luminous // theatre | idolise hire kiss | charming spoiled rising
plant: garden | prune repot fertilise | leggy potted flowering // factory | automate evacuate expand | nuclear chemical modern
current: river | fight dodge battle | strong icy treacherous // electricity | rectify convert regulate | alternating direct weak
bulb: garden | divide soak unearth | sprouting dormant papery // electricity | unscrew brighten smash | flickering burnt-out bright
"""  # noqa: E501 one word a line reads best


def _parse(text: str) -> dict[str, dict[str, Thing]]:
    senses: dict[str, dict[str, Thing]] = {}
    for line in text.strip().split("\n"):
        word, rest = line.split(":")
        senses[word] = {}
        for part in rest.split("//"):
            topic, verbs, adjectives = (group.split() for group in part.split("|"))
            senses[word][topic[0]] = Thing(word, tuple(verbs), tuple(adjectives))
    return senses


SENSES = _parse(_TEXT)  # word -> topic -> the thing it is there


def things_of(topic: str) -> list[Thing]:
    """Return the plain things of a topic.

    >>> things_of("river")[0].noun
    'canoe'
    """
    words = TOPICS[topic]
    return [Thing(noun, words.verbs, words.adjectives) for noun in words.things]


def ambiguous_things_of(topic: str) -> list[Thing]:
    """Return the ambiguous words that have a sense in this topic.

    >>> [thing.noun for thing in ambiguous_things_of("river")]
    ['bank', 'current']
    """
    return [senses[topic] for senses in SENSES.values() if topic in senses]
