"""8.1 Mask a batch of tokens, 80/10/10. Draws may be made in any order, so answers are compared by what they count."""

import torch
from torch import Tensor

from minibert.course.chance import scatter, share
from minibert.course.lab import Case, Exercise, Lab, Wrong
from minibert.course.tools import call, expect_tensor, show


def mask_tokens(ids, special_ids, vocab_size, mask_id, rate, generator):
    """Corrupted inputs and the labels that a model has to name."""
    is_special = torch.isin(ids, torch.tensor(special_ids))  # (B, T)
    ordinary = torch.tensor([i for i in range(vocab_size) if i not in special_ids])
    chosen = (torch.rand(ids.shape, generator=generator) < rate) & ~is_special  # (B, T)
    labels = torch.where(chosen, ids, -100)
    kind = torch.rand(ids.shape, generator=generator)  # a second draw: below 0.8, from 0.8 to 0.9, above
    picks = ordinary[torch.randint(len(ordinary), ids.shape, generator=generator)]
    inputs = torch.where(chosen & (kind < 0.8), mask_id, ids)
    inputs = torch.where(chosen & (kind >= 0.8) & (kind < 0.9), picks, inputs)
    return inputs, labels


VOCAB, SPECIAL, MASK = 60, (2, 3, 17, 18, 41), 17  # not in one block; the first and the last id are ordinary
ORDINARY = torch.tensor([i for i in range(VOCAB) if i not in SPECIAL])
NONE = -100


def drawn(answer, ids, special, vocab, mask, rate, generator) -> tuple[Tensor, Tensor]:
    """Inputs and labels, once they are known to be two tensors of integers like `ids`."""
    got = call(answer, ids, special, vocab, mask, rate, generator)
    if not (isinstance(got, tuple | list) and len(got) == 2):
        what = "is the `return` missing?" if got is None else "return inputs, labels"
        raise Wrong(f"your code returns {show(got)}", "two tensors: inputs, labels", what)
    for name, tensor in zip(("inputs", "labels"), got, strict=True):
        expect_tensor(name, tensor, tuple(ids.shape), torch.int64)
    return got[0], got[1]


def part(yes, among, want):
    """The share of these in those, or `want` where chance explains the difference."""
    return share((yes & among).sum(), among.sum(), want)


def roles(answer, ids, *rest):
    """Which entries may change: shares that are exact, and how many tokens are chosen."""
    inputs, labels = drawn(answer, ids, *rest)
    special, changed, every = torch.isin(ids, torch.tensor(SPECIAL)), inputs != ids, torch.ones_like(ids) > 0
    idle = special if rest[3] else every
    return {
        "the share of special tokens that change or have a label": part(changed | (labels == ids), special, 0.0),
        "the list of labels where no token is chosen": labels[idle].unique()[:3].tolist(),
        "the share of labels that are neither -100 nor the id": part((labels != NONE) & (labels != ids), every, 0.0),
        "the share of inputs that change where the label is -100": part(changed & (labels == NONE), every, 0.0),
        "the share of ordinary tokens with a label": part(labels != NONE, ~special, float(rest[3])),
    }


def seeds(answer, ids, *rest):
    """What the generator decides: everything, and nothing else does."""
    (one, first), (again, second) = drawn(answer, ids, *rest), drawn(answer, ids, *rest)
    inputs, labels = drawn(answer, ids, *rest[:-1], torch.Generator().manual_seed(rest[-1].initial_seed() + 1))
    both = (first != NONE) & (labels != NONE)
    hidden, other = (one == MASK)[both], (inputs == MASK)[both]
    return {
        "the generator in the same state gives the same labels": torch.equal(first, second),
        "the generator in the same state gives the same [MASK]s": torch.equal(one == MASK, again == MASK),
        "the generator in the same state gives the same inputs": torch.equal(one, again),
        "another seed gives other labels": not torch.equal(first, labels),
        "another seed gives other replacements": not torch.equal(hidden, other) or bool(hidden.all()),
    }


def batches(answer, ids, special, vocab, mask, rate, generator):
    """Two hundred batches in a row from one generator: how the number of chosen tokens varies."""

    def in_a_row(ids, generator):
        return torch.stack([answer(ids.clone(), special, vocab, mask, rate, generator)[1] != NONE for _ in range(200)])

    chosen = call(in_a_row, ids, generator)
    mean, again = torch.full((200,), ids.numel() * rate), (chosen[1:] == chosen[:-1]).all((1, 2))
    varies = scatter(chosen.sum((1, 2)).double(), mean, mean * (1 - rate))
    return {
        "the number of batches that hide the same places as the one before": int(again.sum()),
        "the scatter of how many tokens of a batch are chosen (1: a draw for each token)": varies,
    }


def replaced(answer, ids, special, vocab, mask, rate, generator):
    """What becomes of the chosen tokens."""
    inputs, labels = drawn(answer, ids, special, vocab, mask, rate, generator)
    chosen, hidden, same = labels != NONE, inputs == mask, inputs == ids
    old = 0.1 / (vocab - len(special))  # a random token may be the old one
    return {
        "the share of chosen tokens that becomes [MASK]": part(hidden, chosen, 0.8),
        "the share of chosen tokens that becomes another token": part(~hidden & ~same, chosen, 0.1 - old),
        "the share of chosen tokens that stays": part(same, chosen, 0.1 + old),
    }


def picked(answer, ids, *rest):
    """Which random tokens come, with rate 1."""
    inputs, _ = drawn(answer, ids, *rest)
    random = ~torch.isin(ids, torch.tensor(SPECIAL)) & (inputs != MASK) & (inputs != ids)
    new, down = inputs[random], inputs.T[random.T]
    some, special = new == new, torch.isin(new, torch.tensor(SPECIAL))
    counts = torch.bincount(new.clamp(0, 99), minlength=100)[ORDINARY].double()
    usual, by_chance = torch.full_like(counts, float(counts.mean())), 1 / len(ORDINARY)
    return {
        "whether a random token is outside the vocabulary": bool(((new < 0) | (new >= VOCAB)).any()),
        "the share of random tokens that are special": part(special, some, 0.0),
        "the share of random tokens equal to the one before": part(new[1:] == new[:-1], some[1:], by_chance),
        "the share of random tokens equal to the one above": part(down[1:] == down[:-1], some[1:], by_chance),
        "the list of ordinary ids that hardly ever come": ORDINARY[counts < usual / 2][:4].tolist(),
        "the scatter of how often each ordinary id comes (1: equal chances)": scatter(counts, usual, usual),
    }


def apart(answer, ids, *rest):
    """Whether each token is chosen, and replaced, for itself; and how many are chosen."""
    inputs, labels = drawn(answer, ids, *rest)
    ordinary, rate = ~torch.isin(ids, torch.tensor(SPECIAL)), rest[3]
    (rows, tokens), facts = ids.shape, {}
    groups = {"text": torch.arange(rows)[:, None].expand(ids.shape), "place": torch.arange(tokens).expand(ids.shape)}
    for what, yes, among, want in (
        ("are chosen", labels != NONE, ordinary, rate),
        ("become [MASK]", inputs == MASK, ordinary & (labels != NONE), 0.8),
    ):
        facts[f"the share of tokens that {what}"] = part(yes, among, want)
        seen = float((yes & among).sum() / among.sum().clamp(min=1))
        for name, group in (groups | {"id": ids}).items():
            counts, found = (torch.bincount(group[there], minlength=300).double() for there in (among, among & yes))
            some = counts > 20
            mean = counts[some] * seen
            varies = scatter(found[some], mean, mean * (1 - seen))
            facts[f"the scatter of how many tokens of one {name} {what} (1: a draw for each token)"] = varies
    return facts


def cases(rng):
    def texts(rows, tokens, padded=True):
        """[CLS] 2, [SEP] 3, another special token 18 here and there, words of the lower half, padding 41."""
        ids = ORDINARY[torch.randint(len(ORDINARY) // 2, (rows, tokens), generator=rng)]
        ids[:, 0], ids[:, tokens // 2], ids[::5, 8] = 2, 3, 18
        lengths = torch.randint(tokens // 5, tokens, (rows, 1), generator=rng)
        return torch.where((torch.arange(tokens) < lengths) | (not padded), ids, 41)

    def seeded():
        return torch.Generator().manual_seed(int(torch.randint(2**31, (), generator=rng)))

    def case(run, cause, name, ids, rate, vocabulary=(SPECIAL, VOCAB, MASK)):
        once = run not in (roles, seeds)
        return Case((ids, *vocabulary, rate, seeded()), cause, f"with rate {rate:g}{name}", run=run, once=once)

    small, wide, some = texts(40, 50), texts(380, 300, padded=False), texts(160, 290)
    plain, tiny = ORDINARY[torch.randint(30, (4, 25), generator=rng)], torch.tensor([1, 2, 4, 5])
    told = "a token is chosen if its draw lies below the rate and it is not special; its label is the id that was there"
    yield case(roles, told, "", small, 1.0)
    yield case(roles, "nothing is chosen, so nothing changes and every label is -100", "", small, 0.0)
    yield case(roles, told, "", small, 0.5)
    yield case(seeds, "all chance comes from the generator that is passed in", "", small, 0.5)
    yield case(batches, "the generator moves on with every draw; each token is drawn for itself", "", plain, 0.3)
    yield case(replaced, SPLIT, "", wide, 1.0)
    yield case(picked, "draw among all ordinary ids, all equally likely, for each place anew", "", wide, 1.0)
    yield case(apart, SHAPE, "", some, 0.4)
    yield case(apart, SHAPE, "", some, 0.15)
    yield case(replaced, f"with rate 1 all was well; {SPLIT}", "", some, 0.15)
    tiny = tiny[torch.randint(4, (200, 250), generator=rng)]
    yield case(replaced, TINY, " and four ordinary ids", tiny, 1.0, ((0, 3, 6), 7, 3))


SPLIT = "compare one draw with 0.8 and with 0.9"
SHAPE = "each token is drawn for itself: torch.rand(ids.shape, generator=generator) < rate"
TINY = "a random token is drawn from all ordinary ids: never [MASK], and by chance the old one"
DRAW, KIND = "torch.rand(ids.shape, generator=generator) < rate", "kind = torch.rand(ids.shape, generator=generator)"
LABELS, RETURN = "labels = torch.where(chosen, ids, -100)", "return inputs, labels"
LIST = "[i for i in range(vocab_size) if i not in special_ids]"
PICKS = "ordinary[torch.randint(len(ordinary), ids.shape, generator=generator)]"
OTHER = f"ordinary[(torch.searchsorted(ordinary, ids) + 1 + {PICKS[9:-1]}".replace("ordinary),", "ordinary) - 1,")
OTHER += ") % len(ordinary)]"
RANKS = "torch.rand(ids.shape, generator=generator).masked_fill(is_special, 2.0).argsort(1).argsort(1)"
GLOBAL = "a draw comes from the global state: every torch.rand and torch.randint gets generator=generator; here "
SHARED = "one draw is shared by all tokens of a {}: draw with torch.rand(ids.shape, ...)"
TEXT, PLACE, BATCH = "(len(ids), 1)", "(1, ids.shape[1])", "(1, 1)"
SPLITS = {  # what becomes of the chosen: [MASK] below the first number, a random token below the second
    "81/10/9: 10 % random first, then 90 % of the rest [MASK]; shares of a rest are no shares of all": (0.81, 0.91),
    "81/9/10: 10 % are kept first, then 90 % of the rest [MASK]; shares of a rest are no shares of all": (0.81, 0.9),
    "10 % of the 20 % that [MASK] left over become random: half of that rest makes 10 % of all": (0.8, 0.82),
    "the random tokens overwrite some [MASK]: compare one draw, the same, with 0.8 and with 0.9": (0.72, 0.82),
    "the [MASK]s overwrite some random tokens: compare one draw, the same, with 0.8 and with 0.9": (0.82, 0.9),
    "every chosen token becomes [MASK]: 10 % become random, 10 % stay": (1.0, 1.0),
    "every chosen token that is not [MASK] becomes random: half of them stay as they are": (0.8, 1.0),
    "no token becomes random: `inputs` has to be given the random ids, with a mask of its own": (0.8, 0.8),
    "90/10/0: none of the chosen tokens stays as it is": (0.9, 1.0),
    "90/0/10: what should become random becomes [MASK] too": (0.9, 0.9),
    "80/18/2: 90 % of the rest become random; half of it does": (0.8, 0.98),
    "[MASK] and random are exchanged": (0.1, 0.9),
    "the comparison is turned round: 80 % of the chosen stay": (0.1, 0.2),
    "the comparison is turned round: 80 % become random": (0.2, 1.0),
    "no token becomes [MASK]": (0.0, 0.1),
    "nothing is replaced; is the changed tensor the one you return?": (0.0, 0.0),
}


def first(line):
    """A patch that puts a line at the beginning."""
    return {"is_special =": f"{line}\n    is_special ="}


def masks(a, b):
    """A patch that makes other shares of [MASK] and of random tokens."""
    return {"kind < 0.8)": f"kind < {a})", "kind >= 0.8) & (kind < 0.9)": f"kind >= {a}) & (kind < {b})"}


def instead(old, part, new):
    """A patch of a part of a line that stands once."""
    return {old: old.replace(part, new)}


MISTAKES = {says: masks(*shares) for says, shares in SPLITS.items()} | {
    "the draw that chooses the tokens is used again for the replacement, and is always below the rate: draw a second "
    "time": {f"chosen = ({DRAW})": f"{KIND}\n    chosen = (kind < rate)", f"    {KIND}  #": "    #"},
    "special tokens are masked too: take them out of what may be chosen": {" & ~is_special": ""},
    "a random token is a special one in places: draw among the ordinary ids only": {LIST: "list(range(vocab_size))"},
    "the random token may be [MASK] itself: draw ordinary ids": {"special_ids]": "special_ids or i == mask_id]"},
    "special ids do not stand in one block: list the ordinary ones": {LIST: "[*range(len(special_ids), vocab_size)]"},
    "the random tokens are drawn from the texts: draw from all ordinary ids": {LIST: "ids[~is_special].tolist()"},
    "a random token may be vocab_size: range(n) and randint(n) stop before n": {"vocab_size)": "vocab_size + 1)"},
    "the last id is never drawn: range(n) and randint(n) stop before n already": {"vocab_size)": "vocab_size - 1)"},
    "id 0 is never drawn: it is an ordinary id where it is not special": {"range(vocab": "range(1, vocab"},
    "a random token is never the old one; drawn from all ordinary ids, it may be by chance": {PICKS: OTHER},
    "one random id is shared by all tokens: torch.randint(..., ids.shape)": instead(PICKS, "ids.shape", BATCH),
    "one random id is shared by the tokens of a text: torch.randint(..., ids.shape)": instead(PICKS, "ids.shape", TEXT),
    "one random id is shared by all at one place: torch.randint(..., ids.shape)": instead(PICKS, "ids.shape", PLACE),
    "labels everywhere: where a token is not chosen its label is -100": {LABELS: "labels = ids.clone()"},
    "a chosen token that stays has no label; it needs one": {RETURN: "return inputs, ids.where(inputs != ids, -100)"},
    "only [MASK] has a label; all chosen ones need one": {RETURN: "return inputs, ids.where(inputs == mask_id, -100)"},
    "the labels are taken from the inputs after masking": {RETURN: "return inputs, inputs.where(chosen, -100)"},
    "the label -1 marks what is not predicted; it has to be -100, which losses leave out": {"-100": "-1"},
    "the label 0 marks what is not predicted; it has to be -100: 0 is a token's id": {"-100": "0"},
    "labels and inputs are drawn apart: one `chosen` for both": instead(LABELS, "chosen", f"({DRAW}) & ~is_special"),
    SHARED.format("text"): instead(DRAW, "ids.shape", TEXT),
    SHARED.format("place"): instead(DRAW, "ids.shape", PLACE),
    SHARED.format("batch"): instead(DRAW, "ids.shape", BATCH),
    SHARED.format("vocabulary entry"): {DRAW: "torch.rand(99, generator=generator)[ids] < rate"},
    "what becomes of them: " + SHARED.format("text"): instead(KIND, "ids.shape", TEXT),
    "what becomes of them: " + SHARED.format("place"): instead(KIND, "ids.shape", PLACE),
    "a fixed number of places is picked from each text, as BERT's own script did; draw each token for itself": {
        DRAW: f"{RANKS} < (rate * (~is_special).sum(1, keepdim=True)).round()"
    },
    "a fixed number of places is picked from the batch; draw each token for itself, with probability `rate`": {
        DRAW: "torch.randperm(ids.numel(), generator=generator).view(ids.shape) < rate * ids.numel()"
    },
    "the rate holds for all, not for the ordinary ones": {"< rate": "< rate * ids.numel() / (~is_special).sum()"},
    "the comparison is turned round: a token is chosen where its draw lies below the rate": {"< rate": "> rate"},
    "`rate` is not used: 0.15 is written into the code": {"< rate": "< 0.15"},
    GLOBAL + "the one that chooses the tokens": instead(DRAW, ", generator=generator", ""),
    GLOBAL + "the one that decides between [MASK], random and unchanged": instead(KIND, ", generator=generator", ""),
    GLOBAL + "the one of the random tokens": instead(PICKS, ", generator=generator", ""),
    "the generator is not used, or replaced by one of its own": first("generator = torch.Generator().manual_seed(0)"),
    "the generator is seeded anew inside": first("generator = torch.Generator().manual_seed(generator.initial_seed())"),
    "the two come the wrong way round: inputs first, then labels": {RETURN: "return labels, inputs"},
}

EXERCISE = Exercise(
    minutes=30,
    difficulty=3,
    signature="mask_tokens(ids (B, T) int64, special_ids, vocab_size, mask_id, rate, generator) -> "
    "(inputs (B, T), labels (B, T)), both int64",
    hints=(
        "Two questions are asked of each token, and each needs a draw of its own. Is it chosen? And if so, what\n"
        "becomes of it? The label depends on the first answer only: whatever a chosen token turns into, the model\n"
        "has to name what stood there.",
        "is_special (B, T) bool; a first draw (B, T) of numbers from 0 to 1 gives chosen (B, T) bool;\n"
        "a second draw (B, T) gives two more masks (B, T), for what becomes [MASK] and what becomes random;\n"
        "ordinary (V - specials,) lists the ids that a random token may be, and picks (B, T) are places in it.\n"
        "inputs and labels are new tensors (B, T).",
        "chosen = the first draw lies below the rate, and the token is not special\n"
        "labels = the ids where chosen, -100 everywhere else\n"
        "second draw: below 0.8 means [MASK], from 0.8 to 0.9 means random, above means unchanged\n"
        "inputs = the ids; put [MASK] where chosen and the second draw says so\n"
        "         put ordinary[a random place in it] where chosen and the second draw says so\n"
        "every draw takes the generator that was passed in",
    ),
    parts=(Lab(mask_tokens, cases, MISTAKES, in_pairs=False, in_order=True),),
    seconds=60.0,
)
