"""The small world behind the generated task data: names, towns, objects and actions, each with a held-out part.

Everything that is a table of "train" and "test" is disjoint, so that a model cannot answer test items by having seen
their names or verbs. What a model has to *know* (which country a town lies in, which kind a thing is of, which words
mean the same) is shared, since nothing in a training set could teach it about unseen words.
"""


def _words(train: str, test: str) -> dict[str, tuple[str, ...]]:
    return {"train": tuple(train.split()), "test": tuple(test.split())}


FIRST_NAMES = _words(
    "Alice Amir Astrid Boris Bella Carlos Chloe David Diana Elena Erik Fatima Fiona Gabriel Greta Hassan Hanna Igor"
    " Irene Jonas Judith Karim Kate Louis Lucy Marco Mina Nadia Nils Omar Paula Pavel Quentin Rosa Ruben Sofia Stefan"
    " Tariq Ursula Victor Vera Walter Wendy Yusuf Yvonne Zoe",
    "Agnes Anton Beatrice Cedric Dora Emil Flora Gustav Hilda Ivan Joan Kenji Lena Milo Naomi Otto Petra Rafael Sandra"
    " Theo Ulrich Viola Wilma Xavier",
)
SURNAMES = _words(
    "Abbott Barker Castillo Drummond Eriksen Fischer Gallagher Hoffman Ivanov Jansen Keller Lambert Moreau Novak"
    " Okafor Petersen Quinn Ramirez Schneider Tanaka Underwood Vargas Wallace Yamamoto Zimmer Hudson Lincoln Bolton"
    " Windsor Preston",
    "Ashford Bergman Clarkson Delgado Ellison Fontaine Grant Haddad Ibsen Kovacs Lindqvist Marsh Nakamura Oliveira"
    " Pritchard Rossi Stratford Thornton Vance Whitaker",
)
TOWNS = {  # town: country
    "Paris": "France", "Lyon": "France", "Marseille": "France", "Rome": "Italy", "Milan": "Italy", "Naples": "Italy",
    "Madrid": "Spain", "Seville": "Spain", "Valencia": "Spain", "Berlin": "Germany", "Hamburg": "Germany",
    "Munich": "Germany", "Oslo": "Norway", "Bergen": "Norway", "Trondheim": "Norway", "Cairo": "Egypt",
    "Alexandria": "Egypt", "Luxor": "Egypt", "Tokyo": "Japan", "Osaka": "Japan", "Kyoto": "Japan",
}  # fmt: skip
CITIES = _words(  # towns where no country is asked for, so that they can be held out
    "Paris Lyon Rome Milan Madrid Seville Berlin Hamburg Oslo Bergen Cairo Tokyo Osaka Lisbon Vienna Prague Dublin"
    " Athens Boston Chicago Denver Toronto Lincoln Hudson Bolton",
    "Warsaw Zurich Helsinki Nairobi Lagos Lima Bogota Hanoi Seoul Delhi Seattle Phoenix Glasgow Ashford Stratford",
)
KINDS = {  # kind: things of that kind
    "animal": ("horse", "rabbit", "parrot", "goat", "turtle"), "vehicle": ("truck", "bicycle", "bus", "van", "tram"),
    "instrument": ("guitar", "piano", "cello", "harp", "banjo"), "fruit": ("apple", "banana", "cherry", "pear", "plum"),
    "garment": ("shirt", "jacket", "skirt", "sweater", "vest"), "weapon": ("sword", "spear", "dagger", "bow", "cannon"),
    "tool": ("saw", "chisel", "wrench", "drill", "shovel"), "toy": ("doll", "puzzle", "kite", "marble", "rattle"),
}  # fmt: skip
ACTIONS = _words(  # regular verbs: what somebody does to a thing, past and participle are equal
    "order receive paint repair clean deliver collect inspect rent borrow photograph measure carry move need want"
    " mention describe display export",
    "purchase polish store record discover weigh ship restore demand return",
)
DEEDS = _words(  # regular verbs: what one person does to another
    "thank greet call follow invite visit praise blame warn admire ignore trust amuse annoy hire reward interview"
    " rescue question embrace",
    "applaud accuse support assist welcome mock encourage insult examine comfort",
)
NUMBERS = ("two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve", "thirteen")
OPPOSITES = tuple(  # two words that mean the same, then two that mean the opposite
    tuple(row.split()) for row in (
        "big large small little", "fast quick slow sluggish", "rich wealthy poor penniless", "happy glad sad unhappy",
        "quiet silent noisy loud", "brave fearless timid cowardly", "clever smart stupid foolish",
        "clean spotless dirty filthy", "ill sick healthy well", "old aged young youthful",
        "polite courteous rude impolite", "famous renowned unknown obscure", "strong powerful weak feeble",
        "generous giving stingy miserly",
    )
)  # fmt: skip
SYNONYMS = {  # verbs (in the past, which equals the participle) and nouns
    "bought": "purchased", "sent": "mailed", "showed": "displayed", "lent": "loaned", "promised": "pledged",
    "offered": "proposed", "sold": "marketed", "gave": "handed",
    "car": "automobile", "bike": "bicycle", "sofa": "couch", "coat": "overcoat", "picture": "painting", "stone": "rock",
    "gift": "present", "shop": "store", "boat": "ship", "cup": "mug", "carpet": "rug", "lamp": "lantern",
    "movie": "film", "map": "chart", "purse": "handbag", "jewel": "gem",
}  # fmt: skip
