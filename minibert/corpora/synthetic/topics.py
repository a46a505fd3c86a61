"""The words of the generated documents: 26 topics that share no content word.

That the topics are disjoint is what makes the corpus useful for teaching: the words around *bank* say which bank it
is (see ambiguity.py), a contextual encoder can tell the two apart, and one static vector per word cannot.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Topic:
    """Words of one topic; `verbs` are what its people do to its things, `adjectives` describe the things.

    >>> TOPICS["river"].places[0]
    'ford'
    """

    people: tuple[str, ...]
    things: tuple[str, ...]
    verbs: tuple[str, ...]
    adjectives: tuple[str, ...]
    places: tuple[str, ...]


# name | people | things
#   verbs | adjectives of things | places
_TEXT = """
river | angler paddler rower ferryman warden | canoe raft oar eddy reed otter paddle
  launch steer moor tow cross | muddy shallow swift mossy | ford estuary jetty waterfall
finance | banker teller auditor broker accountant | loan deposit mortgage cheque dividend ledger fund
  approve audit insure transfer calculate | solvent taxable quarterly risky | vault exchange branch treasury
baseball | batter catcher umpire shortstop coach | glove helmet base inning homer cap jersey
  throw catch toss polish borrow | dusty fast leather torn | diamond dugout stadium bullpen
cave | caver geologist guide biologist explorer | stalactite fossil lantern tunnel crystal rope cricket
  map illuminate discover chart enter | dark damp echoing narrow | cavern grotto mine ravine
kennel | breeder trainer groomer owner veterinarian | leash collar bone poodle terrier puppy whistle
  walk pat brush reward hide | furry playful chewed loyal | kennel yard shelter doghouse
forest | logger forester hunter woodcutter botanist | oak maple birch acorn fern mushroom axe
  chop climb gather inspect protect | leafy hollow ancient poisonous | grove clearing thicket woodland
kitchen | chef baker waiter cook butcher | soup loaf knife recipe sauce oven spoon
  stir slice taste season boil | salty creamy hot tasty | pantry restaurant cafeteria bakery
beach | lifeguard surfer tourist swimmer islander | towel coconut shell hammock umbrella sandal surfboard
  enjoy bury rent dry shade | sandy tropical sunny breezy | lagoon shore resort cove
clinic | doctor nurse surgeon patient pharmacist | bandage pill syringe fever wound thermometer bruise
  heal diagnose examine treat disinfect | sore swollen painful sterile | hospital ward surgery ambulance
lake | fisherman birdwatcher boater naturalist camper | goose swan duckling pond rod lure salmon
  net observe feed sketch count | feathered calm misty slippery | marsh wetland dock boathouse
construction | builder welder foreman bricklayer engineer | beam girder brick scaffold ladder bulldozer pipe
  hoist weld build demolish stack | heavy rusty concrete tall | site skyscraper bridge basement
garden | gardener florist landscaper beekeeper grower | rose tulip seed hedge rake weed daisy
  water trim dig replant harvest | green fragrant blooming thorny | greenhouse orchard meadow terrace
workshop | mechanic locksmith blacksmith tinkerer watchmaker | gear hinge screw lever hammer bolt clamp
  tighten repair oil assemble sharpen | greasy steel mechanical broken | garage forge shed workbench
sea | sailor diver captain whaler oceanographer | dolphin whale anchor wreck sail iceberg walrus
  track spot rescue pursue film | deep frozen stormy salted | harbour coast reef cape
office | secretary notary manager clerk receptionist | envelope contract stamp folder signature memo passport
  sign mail archive submit copy | official confidential formal urgent | desk reception lobby embassy
farm | farmer shepherd milkmaid ploughman stablehand | calf barn hen tractor donkey haystack fence
  buy sell chase paint guard | hungry old tame rural | stable pasture mill coop
computing | programmer hacker analyst designer typist | keyboard screen laptop file printer cable website
  click install download reboot delete | digital wireless portable slow | laboratory server cubicle classroom
music | violinist singer drummer composer conductor | melody violin drum flute chord trumpet symphony
  play rehearse tune compose hum | loud harmonic acoustic melodic | church chapel studio conservatory
law | judge lawyer juror witness prosecutor | verdict trial appeal alibi confession statute fine
  question dispute defend accept explain | fair legal unjust secret | courthouse prison jail tribunal
tennis | champion player opponent spectator referee | racket serve volley trophy ball medal point
  win lose celebrate return practise | competitive final easy deserved | arena clubhouse gym grandstand
camp | scout hiker backpacker trekker mountaineer | tent campfire log blanket candle kettle torch
  ignite burn relight warm extinguish | smoky charred flammable cosy | campsite summit trail cabin
travel | traveller porter pilot passenger driver | suitcase ticket backpack coat train taxi souvenir
  pack carry lock load unpack | foreign full lost bulky | airport station hotel platform
astronomy | astronomer physicist astronaut stargazer cosmologist | planet telescope comet galaxy moon asteroid rocket
  study name explore classify admire | distant round lunar celestial | observatory dome planetarium crater
theatre | actor director dancer playwright critic | costume script curtain mask stage audition spotlight
  applaud perform praise review adore | silk glamorous dramatic comic | playhouse balcony cinema foyer
electricity | electrician technician inventor inspector lineman | wire battery switch fuse socket lamp meter
  connect rewire insulate test replace | electric dim faulty copper | substation powerhouse dam attic
factory | worker supervisor machinist labourer apprentice | conveyor furnace product machine chimney crate uniform
  operate modernise manufacture ship order | industrial noisy polluted cheap | warehouse refinery foundry brewery
"""


def _parse(text: str) -> dict[str, Topic]:
    lines = text.strip().split("\n")
    topics = {}
    for first, second in zip(lines[::2], lines[1::2], strict=True):
        name, *groups = (part.strip() for part in f"{first} | {second}".split("|"))
        topics[name] = Topic(*(tuple(group.split()) for group in groups))
    return topics


TOPICS = _parse(_TEXT)
