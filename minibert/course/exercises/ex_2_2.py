"""2.2 Find the leak, and close it. What a prediction depends on, and states that have not read what they predict."""

import torch
from torch import Tensor

from minibert.course.lab import Case, Exercise, Lab
from minibert.course.tools import kind_of


def sees(predict, ids, vocabulary):
    """Which words each prediction depends on: entry [t, s] of (T, T) is True if changing word s moves prediction t."""
    before = predict(ids)  # (T, V)
    found = torch.zeros(len(ids), len(ids), dtype=torch.bool)
    for place in range(len(ids)):
        for word in range(vocabulary):
            changed = ids.clone()
            changed[place] = word
            difference = (predict(changed) - before).abs().amax(dim=-1)  # (T,): the largest change of each row
            found[:, place] |= difference > 1e-4
    return found


def closed_states(forward, backward):
    """What both readers knew before they read the word at each place: (B, T, K) twice -> (B, T, 2 K)."""
    nothing = torch.zeros_like(forward[:, :1])  # (B, 1, K): a reader that has not begun
    before = torch.cat([nothing, forward[:, :-1]], dim=1)
    after = torch.cat([backward[:, 1:], nothing], dim=1)
    return torch.cat([before, after], dim=-1)


def model(reads, table, weights=None, noise=0.0):
    """A model whose prediction at t adds up the rows of `table` (V, V) for the words that row t of `reads` names."""
    weights, (T, V) = reads.float() if weights is None else weights * reads, (len(reads), len(table))

    def predict(ids):
        if not isinstance(ids, Tensor) or ids.shape != (T,) or ids.dtype != torch.int64:
            what = f"{kind_of(ids)}{f' and dtype {str(ids.dtype)[6:]}' if isinstance(ids, Tensor) else ''}"
            raise ValueError(f"predict wants ids ({T},) int64, and got {what}")
        words = ids.tolist()
        if min(words) < 0 or max(words) >= V:
            raise ValueError(f"predict wants ids from 0 to {V - 1}, and got {min(words)} to {max(words)}")
        predicted = weights @ table[ids]  # (T, V)
        return predicted + noise * torch.sin(37.0 * sum(words) + torch.arange(V)) if noise else predicted

    return predict


BLIND = "no change is noticed: does the word really become another one, and are all entries of a row compared?"
SMALL = "small changes are changes: more than 1e-4 in any entry of the row, also if the most likely word stays"
ROUNDING = "differences below 1e-4 are rounding: sums in another order differ a little"
TWINS = "one other word is not enough: it may have the same vector as the old one; try every word of the vocabulary"


def special(entries, ids, cause, name, reads=None, base=0.0):
    """A case without chance: the table of eight words is `base`, and more at some entries."""
    table = torch.full((8, 8), base)
    table[:, 5] += 10.0 * (base == 0)  # the largest entry of each row
    table[entries[0]] += entries[1]
    reads = torch.ones(len(ids), len(ids), dtype=torch.bool) if reads is None else reads
    return Case((model(reads, table), torch.tensor(ids), 8), cause, f"for {name}, the table")


def cases_of_sees(rng):
    V = 6

    def drawn(reads, cause, name, size=1.0, noise=0.0, alike=False):
        T, table = len(reads), torch.randn(V, V, generator=rng)
        if alike:
            table[1::2] = table[0::2]  # words 0 and 1 have one vector, 2 and 3 have one
        table = size * (table - table.mean(-1, keepdim=True))  # the entries of a row sum to 0
        ids = torch.randint(0, V, (T,), generator=rng)
        ids[0], ids[-1] = 0, V - 1 if T > 1 else 0  # the ends of the vocabulary
        predict = model(reads, table, 0.5 + torch.rand(T, T, generator=rng), noise)
        return Case((predict, ids, V), cause, f"for {name}, the table")

    def chance(T, share):
        return torch.rand(T, T, generator=rng) < share

    every, eye = (lambda T: torch.ones(T, T, dtype=torch.bool)), (lambda T: torch.eye(T, dtype=torch.bool))
    ends = ~eye(6)
    ends[0, 0] = ends[-1, -1] = True
    cause = "predict takes ids (T,) int64 and gives (T, V); the answer is a tensor (T, T) of True and False"
    yield drawn(every(1), cause, "a text of one word")
    cause = "prediction 1 reads word 0, prediction 2 reads words 0 and 1"
    yield drawn(every(3).tril(-1), cause, "a forward reader of 3 words")
    yield drawn(every(4), "every prediction reads every word, its own too: all True", "a model that sees itself")
    yield drawn(~eye(5), "every prediction reads all words but its own", "a model without a leak")
    yield drawn(ends, "look at every place, the first and the last too", "a model that sees itself at both ends only")
    yield drawn(chance(7, 0.5), BLIND, "a model that reads words at random")
    yield drawn(~every(3), "no prediction reads any word: all False", "a model that always predicts the same")
    yield drawn(chance(5, 0.5), SMALL, "a model in which every word counts little", size=0.005)
    for noise, decimal in ((1e-6, "seventh"), (7e-6, "sixth"), (2e-5, "fifth")):
        yield drawn(~eye(5), ROUNDING, f"a model whose numbers are rounded in the {decimal} decimal", noise=noise)
    yield drawn(chance(6, 0.7), TWINS, "a model in which two words of the vocabulary have the same vector", alike=True)
    last = "the vocabulary has the ids 0 to V - 1: try each of them, at each place"
    yield special(((7,), 1.0), [0, 1, 2], last, "a model in which only the last word of the vocabulary counts")
    yield special(((0,), 1.0), [2, 1, 4], last, "a model in which only the first word of the vocabulary counts")
    yield special(((3,), 1.0), [0, 1, 4], last, "a model in which only word 3 counts")
    one = "some entry is enough: take the largest change of a row, over all entries"
    yield special(((3, 2), 2e-4), [0, 1, 6], one, "a model in which one word changes one entry, by 2e-4")
    yield special(((3, 2), 1.0), [0, 2, 6], one, "a model in which one word changes one entry, by 1")
    yield special(((3, 0), 7e-4), [1, 4, 6], one, "a model in which one word changes the first entry, by 7e-4")
    yield special(((3, 5), 1.0), [1, 4, 6], one, "a model in which one word changes the largest entry")
    yield special(((3,), 5e-4), [0, 1, 6], SMALL, "a model in which one word changes all entries, by 5e-4")
    down = "a change may go down: take the absolute value of the difference"
    yield special(((3,), -1.0), [0, 1, 4], down, "a model in which one word lowers all entries")
    large = "1e-4 is a difference, not a share: allclose and isclose add rtol times the number, so set rtol=0"
    yield special(((3,), 1e-3), [0, 1], large, "a model whose entries are about 200", eye(2), 200.0)


CHANGED, WORDS, FOUND, END = "(predict(changed) - before)", "range(vocabulary)", "difference > 1e-4", "return found"
LARGEST, CLONE = f"{CHANGED}.abs().amax(dim=-1)", "changed = ids.clone()"
EYE, CLOSE = "torch.eye(len(ids), dtype=torch.bool)", "(~torch.isclose(predict(changed), before{})).any(dim=-1).float()"
PUT, PLACES, UPDATE = "changed[place] = word", "for place in range(len(ids)):", "found[:, place] |="
OVERLOOKS = {
    "rows and columns are exchanged: row t is a prediction, column s a changed word": {UPDATE: "found[place] |="},
    "True and False are exchanged: True where the prediction moves": {END: "return ~found"},
    "the diagonal is left out, and it is the leak: does prediction t move when word t does?": {END: f"{END} & ~{EYE}"},
    "only the diagonal: look at all rows after each change, not at that of the word": {END: f"{END} & {EYE}"},
    "a change is said to move everything or nothing: compare row by row": {END: "return found.any(0).expand_as(found)"},
    "every prediction is said to see everything: is the difference compared with 1e-4?": {FOUND: "difference > -1"},
    BLIND: {PUT: "changed[place] = ids[place]"},
    "changes add up: put the old word back (or copy ids anew) before you change the next": {
        f"            {CLONE}\n": "",
        "    before = predict(ids)": f"    {CLONE}\n    before = predict(ids)",
    },
    "compared with the prediction before, not predict(ids)": {FOUND: f"{FOUND}\n            before = predict(changed)"},
    "two words change at once: change one word only": {PUT: "changed[place : place + 2] = word"},
    "two neighbours are exchanged: change one word": {PUT: "changed[[place, place - 1]] = ids[[place - 1, place]]"},
    "all words from this place on change: change one word only": {PUT: "changed[place:] = word"},
    "all words up to this place change: change one word only": {PUT: "changed[: place + 1] = word"},
    "the new word is sometimes the old one, such as always word 0: then nothing can move": {WORDS: "[0]"},
    "only the last word of the vocabulary counts: keep with | (or) what others moved": {WORDS: "[vocabulary - 1]"},
    f"{TWINS} (here it is the word before it)": {WORDS: "[int(ids[place]) - 1 if ids[place] else vocabulary - 1]"},
    "word 0 is never tried: ids begin at 0": {WORDS: "range(1, vocabulary)"},
    "the last word is never tried: range(V) ends at V - 1 already": {WORDS: "range(vocabulary - 1)"},
    "only the words of the text itself are tried; try every word of the vocabulary": {WORDS: "ids.tolist()"},
    "only T words are tried; the vocabulary has V of them": {WORDS: "range(min(len(ids), vocabulary))"},
    "the first word is never changed": {PLACES: "for place in range(1, len(ids)):"},
    "the last word is never changed": {PLACES: "for place in range(len(ids) - 1):"},
    "the most likely words are compared: a prediction may move, and its largest entry stay the largest": {
        LARGEST: "(predict(changed).argmax(dim=-1) != before.argmax(dim=-1)).float()"
    },
    "the largest entries are compared; any may move": {LARGEST: "(predict(changed).amax(-1) - before.amax(-1)).abs()"},
    "sums of rows are compared; compare the entries": {LARGEST: "(predict(changed).sum(-1) - before.sum(-1)).abs()"},
    "the mean of the changes is compared with 1e-4, not the largest": {LARGEST: f"{CHANGED}.abs().mean(dim=-1)"},
    "the smallest change of a row is compared with 1e-4, not the largest": {LARGEST: f"{CHANGED}.abs().amin(dim=-1)"},
    "the sum of the changes is compared with 1e-4, not the largest": {LARGEST: f"{CHANGED}.abs().sum(dim=-1)"},
    "without abs a change downwards is not noticed": {LARGEST: f"{CHANGED}.amax(dim=-1)"},
    "only the entry of the true word is compared": {LARGEST: f"{CHANGED}.abs()[torch.arange(len(ids)), ids]"},
    "only the first entry of each row is compared": {LARGEST: f"{CHANGED}.abs()[:, 0]"},
    **{f"{SMALL} (here the limit is {n})": {FOUND: f"difference > {n}"} for n in ("0.5", "1e-2", "1e-3")},
    f"{ROUNDING} (here any difference counts)": {FOUND: "difference > 0"},
    f"{ROUNDING} (here the limit is 1e-5)": {FOUND: "difference > 1e-5"},
    "isclose and allclose add rtol times the number to atol: set rtol=0": {LARGEST: CLOSE.format(", atol=1e-4")},
    "isclose and allclose with their defaults take rounding for a change": {LARGEST: CLOSE.format("")},
}


def cases_of_states(rng):
    hand = torch.tensor([[[1.0], [2.0], [3.0]]]), torch.tensor([[[10.0], [20.0], [30.0]]])
    cause = "the places get 0 and 20, 1 and 30, 2 and 0: one step before in each direction of reading"
    yield Case(hand, cause, "for forward 1, 2, 3 and backward 10, 20, 30, the result")
    for shape in ((2, 5, 3), (3, 1, 4), (2, 2, 1), (1, 7, 2)):  # (B, T, K)
        states = tuple(torch.randn(*shape, generator=rng) for _ in range(2))
        cause = "random states" if shape[1] > 1 else "a text of one word has zeros only"
        yield Case(states, cause, f"for states {shape}, the result", gradient=shape[1] > 1, double=True)


BEFORE, AFTER = "torch.cat([nothing, forward[:, :-1]], dim=1)", "torch.cat([backward[:, 1:], nothing], dim=1)"
JOIN, ZEROS = "torch.cat([before, after], dim=-1)", "; a reader who has read nothing yet has zeros"
MOVES = {  # how the forward half may have been moved; the backward half likewise, from the other end
    "is not moved: at t it has read the word at t itself": "{}",
    "is moved the wrong way: it then has read the word at t and one more": "torch.cat([{}[:, 1:], nothing], dim=1)",
    f"is rolled: the gap is filled from the other end, where it has read the whole text{ZEROS}": "{}.roll(1, dims=1)",
    f"is repeated at the end: it has read that word itself{ZEROS}": "torch.cat([{0}[:, :1], {0}[:, :-1]], dim=1)",
    "is moved by two places: it misses the direct neighbour": "torch.cat([nothing, nothing, {}], dim=1)[:, :-2]",
}
READ_TOO_MUCH = {
    f"{who} {how}": patch
    for how, move in MOVES.items()
    for left, right in [({BEFORE: move.format("forward")}, {AFTER: f"{move.format('backward.flip(1)')}.flip(1)"})]
    for who, patch in (("each reader", left | right), ("the forward half", left), ("the backward half", right))
} | {
    f"the ends are cut off; each place gets a state{ZEROS}": {BEFORE: "forward[:, :-2]", AFTER: "backward[:, 2:]"},
    f"one place is cut off; each gets a state{ZEROS}": {BEFORE: "forward[:, :-1]", AFTER: "backward[:, 1:]"},
    "the halves are exchanged: forward comes first": {JOIN: "torch.cat([after, before], dim=-1)"},
    "the backward states are turned round, and not moved": {AFTER: "backward.flip(1)"},
    "the backward states are turned round; they stand in order": {"backward[:, 1:]": "backward.flip(1)[:, 1:]"},
    "the entries of both readers are mixed, not side by side": {JOIN: "torch.stack([before, after], -1).flatten(-2)"},
    "the entries are moved, along K; places lie along T, dim=1": {
        BEFORE: "torch.cat([0 * forward[..., :1], forward[..., :-1]], dim=-1)",
        AFTER: "torch.cat([backward[..., 1:], 0 * backward[..., :1]], dim=-1)",
    },
    "the halves are added; they stand side by side, (B, T, 2 K)": {JOIN: "before + after"},
    "the halves are averaged; they stand side by side, (B, T, 2 K)": {JOIN: "(before + after) / 2"},
    "the halves are stacked; they stand side by side, (B, T, 2 K)": {JOIN: "torch.stack([before, after])"},
    "the halves are joined along T; join them along the last axis": {JOIN: "torch.cat([before, after], dim=1)"},
    "the gaps are filled with ones; a reader who has read nothing yet has zeros": {"zeros_like": "ones_like"},
}

EXERCISE = Exercise(
    minutes=35,
    difficulty=3,
    signature="(sees, closed_states): sees(predict, ids (T,), vocabulary: V) -> (T, T) bool, "
    "closed_states(forward (B, T, K), backward (B, T, K)) -> (B, T, 2 K)",
    hints=(
        "A prediction that does not depend on a word cannot change when the word does. So change one word,\n"
        "predict again, and look which rows moved; and then the next word. To close the leak: the forward\n"
        "reader's state at a place has already read this place, so ask for the state it had one step before. What\n"
        "does the backward reader call 'one step before'?",
        "sees: predict(ids) is (T, V); changing place s gives another (T, V); their difference, largest over V,\n"
        "says for each of the T rows whether it moved: that is column s of the answer.\n"
        "closed_states: (B, T, K) and (B, T, K) side by side are (B, T, 2 K). Along T the first is moved one\n"
        "place to the right, the second one place to the left; each leaves one place empty, (B, 1, K), which gets\n"
        "zeros.",
        "sees: before = predictions for ids\n"
        "      for each place s, for each word of the vocabulary:\n"
        "          a copy of ids with this word at s; predict again\n"
        "          column s is true where some entry of the row differs from before by more than 1e-4\n"
        "closed_states: left = a column of zeros, then forward without its last place\n"
        "               right = backward without its first place, then a column of zeros\n"
        "               return left and right, joined along the last axis",
    ),
    parts=(Lab(sees, cases_of_sees, OVERLOOKS, coarse=True), Lab(closed_states, cases_of_states, READ_TOO_MUCH)),
)
