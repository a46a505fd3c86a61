"""What chapter 1 asks of word vectors, fixed beforehand: groups of words, analogies, a small language, phrases."""

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from itertools import chain, pairwise

from minibert.corpora.synthetic.sampling import pick, stream

_GROUPS = """
countries france spain germany britain russia japan china italy mexico cuba brazil chile peru canada belgium denmark
months january february march april june july august september october november december
numbers two three four five six seven eight nine ten twelve twenty thirty forty fifty sixty hundred thousand
soldiers soldiers sailors troops marines officers seamen volunteers veterans militia
goods wheat cotton sugar coffee tobacco wool iron coal steel gold silver corn
family children parents families father mother wife women men son
"""
GROUPS = {line.split()[0]: line.split()[1:] for line in _GROUPS.strip().splitlines()}
RELATIONS = {
    "nationality": "france french, spain spanish, mexico mexican, britain british, china chinese, japan japanese,"
    "russia russian, germany german, america american, cuba cuban",
    "plural": "country countries, nation nations, year years, state states, law laws, bank banks, tax taxes,"
    "citizen citizens, treaty treaties, right rights, interest interests, school schools, city cities, vessel vessels",
    "comparative": "great greater, large larger, high higher, strong stronger, good better, low lower, small smaller,"
    "early earlier, long longer",
    "past": "make made, give gave, take took, begin began, become became, come came, see saw, find found",
    "ing": "make making, give giving, take taking, provide providing, secure securing, reduce reducing, build building",
    "adverb": "full fully, direct directly, clear clearly, earnest earnestly, recent recently, present presently,"
    "special specially, strong strongly, large largely, rapid rapidly, entire entirely",
    "ordinal": "one first, two second, three third, four fourth, five fifth",
}
RANKS = {  # a man's and a woman's name of a rank, and what it has to do with
    ("king", "queen"): "throne crown realm",
    ("prince", "princess"): "heir palace tutor",
    ("duke", "duchess"): "manor hunt duchy",
    ("monk", "nun"): "prayer cloister silence",
    ("actor", "actress"): "stage curtain applause",
    ("waiter", "waitress"): "menu tray dinner",
    ("uncle", "aunt"): "nephew visit gift",
    ("wizard", "witch"): "spell wand potion",
}
GENDERS = ("he his him beard".split(), "she her hers gown".split())


def relations(words: Collection[str]) -> dict[str, list[tuple[str, str]]]:
    """The pairs of each relation both of whose words are there.

    >>> relations(["one", "first", "two"])["ordinal"]
    [('one', 'first')]
    """
    pairs = {name: [tuple(pair.split()) for pair in line.split(",")] for name, line in RELATIONS.items()}
    return {name: [(a, b) for a, b in both if a in words and b in words] for name, both in pairs.items()}


def royal_sentences(count: int = 5000, seed: int = 0) -> list[list[str]]:
    """A language in which a meaning is a sum: each sentence tells a rank and a gender, and nothing else.

    >>> len(royal_sentences(2)), royal_sentences(1)[0][::2][0]
    (2, 'the')
    """
    rng, made = stream("royal", count, seed), []
    for _ in range(count):
        pair, gender = pick(rng, list(RANKS)), pick(rng, (0, 1))
        things, words = RANKS[pair].split(), GENDERS[gender]
        about = [pick(rng, words), pick(rng, things), pick(rng, words)]
        made.append(["the", pair[gender], "with", *about, "and", pick(rng, things)])
    return made


def find_phrases(texts: Iterable[Sequence[str]], count: int = 100, least: int = 50) -> list[tuple[str, str]]:
    """The `count` pairs of neighbours with the best score, (pairs - least) / (first * second), in the number of times.

    Left out are the hundred most frequent words, and words that occur fewer than `least` times outside the pair.

    Source: Mikolov et al. 2013b, section 4, equation 6.

    >>> find_phrases([["x", "new", "york"]] * 9 + [["new", "y"]] * 9, least=1)  # all are among the hundred
    []
    """
    texts = list(texts)
    words = Counter(chain.from_iterable(texts))
    common = {word for word, _ in words.most_common(100)}
    pairs = Counter((a, b) for text in texts for a, b in pairwise(text) if a not in common and b not in common)
    scores = {
        pair: (times - least) / (words[pair[0]] * words[pair[1]])
        for pair, times in pairs.items()
        if times >= 1.2 * least and min(words[w] - times for w in pair) >= least
    }
    return sorted(scores, key=lambda pair: (-scores[pair], pair))[:count]


def join_phrases(text: Sequence[str], phrases: Collection[tuple[str, str]]) -> list[str]:
    """A text in which each phrase is one word.

    >>> join_phrases("the supreme court".split(), {("supreme", "court")})
    ['the', 'supreme_court']
    """
    joined: list[str] = []
    for word in text:
        if joined and (joined[-1], word) in phrases:
            joined[-1] = f"{joined[-1]}_{word}"
        else:
            joined.append(word)
    return joined
