"""5.4 Open task: a head that copies. The check draws tables of its own, and measures."""

import torch
from torch.nn import functional

from minibert.course.lab import Exercise, Lab, Wrong
from minibert.course.tools import call, expect_tensor, kind_of, show
from minibert.tasks.open_copying import copied, two_tables


def copying_head(tokens, positions, back, size):
    """A head that copies the token `back` places before: W_query, W_key, W_value (D, K), W_out (K, D)."""
    words, generator = len(tokens), torch.Generator().manual_seed(0)
    # Choose a unit vector of width K for each position and for each word: what key and value shall be.
    place = functional.normalize(torch.randn(len(positions), size, generator=generator), dim=-1)  # (T, K)
    word = functional.normalize(torch.randn(words, size, generator=generator), dim=-1)  # (V, K)
    # V + T vectors in D dimensions: as long as V + T <= D, a matrix can send each of them where one likes.
    solve = torch.linalg.pinv(torch.cat([tokens, positions]))  # (D, V + T)
    asks = place.roll(back, 0)  # position i asks for what position i - back has for a key
    W_query = 300 * solve[:, words:] @ asks  # nothing of the word; 300 makes the softmax sharp
    W_key = solve[:, words:] @ place
    W_value = solve[:, :words] @ word  # nothing of the position
    W_out = word.mT @ torch.linalg.pinv(tokens).mT  # so that tokens @ output = word @ value
    return W_query, W_key, W_value, W_out


BAR = 0.95
FOUR = "return W_query, W_key, W_value, W_out: four tensors of floats"
AHEAD = "the head looks ahead: position i asks, position i - back answers; exchange query and key, or turn the shift"
OWN = "the head looks at the token itself: the query must ask for the place `back` places before, not for its own"
EVEN = "nearly all keys get the same weight: scores must depend on the positions, and strongly"
SOFT = "the right key has the largest weight, but the others together have too much: make the queries larger"
VALUE = "the head looks at the right place, so W_value or W_out is at fault: the value must not depend on the position"
FIXED = "it looks elsewhere: `back` is an argument, and another one each time"
PLACES = "the weights are spread over other places: scores that depend on the word lead astray, so read positions only"
SIZES = ((20, 30, 64, 8, (2, 6)), (16, 24, 48, 6, (7, 11)))  # V, T, D, K, and from which range `back` is drawn


def taken(got, width, size):
    """The four matrices of an answer, if they are some."""
    if type(got) not in (tuple, list) or len(got) != 4:
        raise Wrong(f"copying_head returns {kind_of(got)}", "four tensors", FOUR)
    shapes = dict.fromkeys(("W_query", "W_key", "W_value"), (width, size)) | {"W_out": (size, width)}
    return tuple(
        expect_tensor(name, one, shape, None).float() for one, (name, shape) in zip(got, shapes.items(), strict=True)
    )


def likely(by_distance, back):
    """What is wrong, read off the mean weights by distance."""
    zero = len(by_distance) // 2  # the place of distance 0
    before = by_distance[zero - back].item()
    if before > 0.9:
        return VALUE
    if before == by_distance.max() and before > 0.2:
        return SOFT
    for distance, cause in ((back, AHEAD), (0, OWN)):
        if by_distance[zero + distance] > 0.3:
            return cause
    if by_distance.max() > 0.5:
        return FIXED
    return EVEN if by_distance[zero] < 0.1 and by_distance.max() < 0.15 else PLACES


def measure(answer, rng):
    """Ask for two heads, with tables and shifts of this seed, and let each copy 100 texts."""
    for words, places, width, size, (low, high) in SIZES:
        seed, back = int(torch.randint(2**31, (), generator=rng)), int(torch.randint(low, high, (), generator=rng))
        tokens, positions = two_tables(seed, words, places, width)
        head = taken(call(answer, tokens, positions, back, size), width, size)
        right, by_distance = copied(head, tokens, positions, back, seed + 1)
        if not right >= BAR:
            weight = by_distance[len(by_distance) // 2 - back].item()
            seen = f"of {words} words, {back} places back, {show(round(100 * right))} % are copied; "
            seen += f"the mean weight of that place is {weight:.2f}"
            raise Wrong(seen, f"at least {100 * BAR:.0f} %", likely(by_distance, back))


QUERY, RETURN = "300 * solve[:, words:] @ asks", "return W_query, W_key, W_value, W_out"
MISTAKES = {
    AHEAD: {"place.roll(back, 0)": "place.roll(-back, 0)"},
    OWN: {"place.roll(back, 0)": "place"},
    EVEN: {QUERY: f"0 * {QUERY}"},
    SOFT: {"300 *": "8 *"},
    VALUE: {"W_value = solve[:, :words] @ word": "W_value = solve[:, words:] @ place"},
    FIXED: {"place.roll(back, 0)": "place.roll(1, 0)"},
    FOUR: {RETURN: "return W_query @ W_key.mT"},
    "W_out has shape": {RETURN: f"{RETURN}.mT"},
    "W_query: ": {QUERY: f"torch.nan * {QUERY}"},
}

EXERCISE = Exercise(
    minutes=45,
    difficulty=4,
    signature="copying_head(tokens (V, D), positions (T, D), back, size) -> three matrices (D, K) and W_out (K, D)",
    hints=(
        "Three questions, one for each matrix. What must a query know, the word or the position? What must a key\n"
        "know? What must the value know? Each matrix has to let the one through and to keep the other out.",
        "tokens (V, D) and positions (T, D) are together V + T rows of width D, and V + T <= D. So there is a matrix\n"
        "(D, K) for any choice of where these rows shall go. Or train the four matrices: draw ids (B, T), and the\n"
        "loss compares output @ tokens.mT, (B, T - back, V), with the ids `back` places before.",
        "by hand:  choose a vector (K,) of length 1 for each position and for each word\n"
        "          key: send position j to vector j; query: position i to a large multiple of vector i - back\n"
        "          value: send each word to its vector; out: lead that vector to the word's row of tokens\n"
        "training: some hundred steps of Adam on fresh random texts, cross-entropy over the V words",
    ),
    parts=(Lab(copying_head, lambda rng: [], MISTAKES, after=measure, coarse=True),),
    seconds=60.0,
)
