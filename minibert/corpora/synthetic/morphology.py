"""English inflection, as far as the generated corpora need it: plurals, verb forms, a/an, capitals."""

IRREGULAR_PLURALS = {
    "mouse": "mice", "calf": "calves", "wolf": "wolves",
    "goose": "geese", "knife": "knives", "leaf": "leaves", "loaf": "loaves", "shelf": "shelves", "bass": "basses",
    "salmon": "salmon", "sheep": "sheep", "deer": "deer", "scarf": "scarves", "child": "children",
}  # fmt: skip
IRREGULAR_PASTS = {
    "throw": "threw", "catch": "caught", "swing": "swung", "sell": "sold", "teach": "taught", "sing": "sang",
    "write": "wrote", "draw": "drew", "dig": "dug", "feed": "fed", "grow": "grew", "hear": "heard", "lead": "led",
    "buy": "bought", "see": "saw", "find": "found", "hold": "held", "bring": "brought", "win": "won", "drive": "drove",
    "bend": "bent", "break": "broke", "wear": "wore", "cut": "cut", "shut": "shut", "build": "built", "lend": "lent",
    "spin": "spun", "read": "read", "steal": "stole", "tell": "told", "sew": "sewed", "weave": "wove", "bind": "bound",
    "trim": "trimmed", "pat": "patted", "chop": "chopped", "stop": "stopped", "spot": "spotted", "plan": "planned",
    "transfer": "transferred", "transplant": "transplanted", "strum": "strummed", "tap": "tapped", "net": "netted",
    "program": "programmed", "submit": "submitted", "hug": "hugged", "ship": "shipped", "wrap": "wrapped",
    "pin": "pinned", "scan": "scanned", "grab": "grabbed", "stir": "stirred", "mop": "mopped", "hit": "hit",
    "leave": "left", "lose": "lost", "make": "made", "pay": "paid", "send": "sent",
    "strike": "struck", "split": "split", "tag": "tagged", "hum": "hummed", "rig": "rigged", "fight": "fought",
    "hide": "hid", "map": "mapped", "repot": "repotted", "relight": "relit", "strip": "stripped", "shake": "shook",
    "sweep": "swept", "trap": "trapped", "understand": "understood", "give": "gave", "take": "took", "snuff": "snuffed",
}  # fmt: skip


def plural(noun: str) -> str:
    """Return the plural of a noun.

    >>> [plural(noun) for noun in ("bank", "ferry", "brush", "mouse", "key")]
    ['banks', 'ferries', 'brushes', 'mice', 'keys']
    """
    if noun.endswith("man"):
        return noun[:-3] + "men"
    return IRREGULAR_PLURALS.get(noun) or _add_s(noun)


def third(verb: str) -> str:
    """Return the third person singular of a verb in the present.

    >>> [third(verb) for verb in ("lift", "carry", "catch", "play")]
    ['lifts', 'carries', 'catches', 'plays']
    """
    return _add_s(verb)


def past(verb: str) -> str:
    """Return the simple past of a verb (equal to its participle only for regular verbs).

    >>> [past(verb) for verb in ("lift", "carry", "hope", "throw", "play")]
    ['lifted', 'carried', 'hoped', 'threw', 'played']
    """
    if verb in IRREGULAR_PASTS:
        return IRREGULAR_PASTS[verb]
    if verb.endswith("e"):
        return verb + "d"
    if _consonant_y(verb):
        return verb[:-1] + "ied"
    return verb + "ed"


def a(phrase: str) -> str:
    """Put a or an before a phrase, by its first letter.

    >>> a("old bank"), a("bank")
    ('an old bank', 'a bank')
    """
    return ("an " if phrase[0] in "aeiou" else "a ") + phrase


def sentence(text: str) -> str:
    """Give a clause its capital letter and, unless it has one, its full stop.

    >>> sentence("the bats fly")
    'The bats fly.'
    """
    return text[0].upper() + text[1:] + ("" if text[-1] in '.?!"' else ".")


def _consonant_y(word: str) -> bool:
    return word.endswith("y") and word[-2] not in "aeiou"


def _add_s(word: str) -> str:
    if _consonant_y(word):
        return word[:-1] + "ies"
    return word + ("es" if word.endswith(("s", "x", "z", "ch", "sh")) else "s")
