"""9.3 Five bugs, each found by a property. A case is a function, the answer is what the learner's test says of it."""

import torch
from torch.nn import functional as F

from minibert.course.exercise import Exercise
from minibert.course.judged import BITS, NAN, RETURNS, TEXTS, Given, real, texts, whole


def norm_test(norm):
    """Layer normalisation: what holds of every row of the output?"""
    x = torch.randn(20, 4, generator=torch.Generator().manual_seed(0)) + 3  # small D: the factor is sqrt(1 - 1/D)
    y = norm(x)
    assert y.mean(dim=-1).abs().max() < 1e-3
    assert (y.square().mean(dim=-1) - 1).abs().max() < 1e-3


def pooling_test(pool):
    """The mean of the real tokens: what may padding change?"""
    hidden = torch.randn(2, 6, 3, generator=torch.Generator().manual_seed(0))
    mask = torch.arange(6) < torch.tensor([[5], [2]])  # two lengths in one batch
    together = pool(hidden, mask)
    for row, length in enumerate((5, 2)):
        alone = pool(hidden[row : row + 1, :length], mask[row : row + 1, :length])
        assert torch.allclose(together[row], alone[0], atol=1e-5)


def loss_test(loss):
    """The next-sentence loss: what if all labels and all logits are exchanged?"""
    logits = torch.randn(12, 2, generator=torch.Generator().manual_seed(0))
    labels = torch.tensor([0, 1, 1] * 4)
    mirrored = loss(logits.flip(1), 1 - labels)
    assert torch.allclose(loss(logits, labels), mirrored, atol=1e-4)


def bias_test(score):
    """Scores of the vocabulary: what does the bias change, and by how much?"""
    generator = torch.Generator().manual_seed(0)
    hidden, table, bias = (torch.randn(*size, generator=generator) for size in ((3, 4), (7, 4), (7,)))
    difference = score(hidden, table, bias) - score(hidden, table, torch.zeros(7))
    assert torch.allclose(difference, bias.expand(3, 7), atol=1e-4)


def masking_test(mask):
    """Masking: what do you count, over how many tokens, and how exact can that be?"""
    generator = torch.Generator().manual_seed(0)
    ids = torch.randint(5, 1000, (1_000_000,), generator=generator)
    inputs, labels = mask(ids, generator)
    chosen = labels != -100  # about 150,000 of them: a share of 0.1 wobbles by 0.0008
    assert abs(chosen.float().mean() - 0.15) < 0.005
    assert abs((inputs[chosen] == 4).float().mean() - 0.8) < 0.005
    assert abs((inputs[chosen] == ids[chosen]).float().mean() - 0.1) < 0.005


def normed(x, eps=1e-12, correction=0):
    return (x - x.mean(-1, keepdim=True)) / (x.var(-1, correction=correction, keepdim=True) + eps).sqrt()


def unsuited(calls):
    if min(x.shape[-1] for (x,) in calls) > 64:
        return WIDE
    return EPS if max(x.abs().max() for (x,) in calls) < 0.1 else ""


ORACLE = "is your oracle right? LayerNorm divides by the plain variance (correction=0), not by the one with n - 1"
CLAIM = "what you assert does not hold here: is it exact to the last bit, or looks at the wrong axis or spread?"
EPS = "an eps of 1e-5 or 1e-12 is a choice: use inputs of ordinary size, and a tolerance such as atol=1e-3"
BESSEL = "the factor is sqrt(1 - 1/D): use D = 4 and a tolerance of 1e-3; the mean square of the output must be 1"
CENTRE = "the output of each token has mean 0; inputs with a mean far from 0 (randn + 3) show it"
ROWS = "look at each row of the output, that is along dim=-1, and at all rows"
WIDE = "at such a width the two hardly differ: use a small one, such as D = 4"
LARGE = "a deviation of this size is a bug: use a tolerance of 1e-3 or below"
NORM = Given(
    "norm",
    "x (N, D) of floats",
    lambda x: real(x, 2, 3),
    unsuited,
    (
        ("has an eps of 1e-12", normed, CLAIM),
        ("is PyTorch's, with an eps of 1e-5", lambda x: F.layer_norm(x, x.shape[-1:]), EPS),
        ("rounds in another way", lambda x: normed(x.double()).to(x), BITS),
    ),
    (
        ("divides by the variance with n - 1 (Bessel's correction)", lambda x: normed(x, correction=1), BESSEL),
        ("does not subtract the mean", lambda x: x / (x.square().mean(-1, keepdim=True) + 1e-12).sqrt(), CENTRE),
        ("normalises over the tokens instead of the width", lambda x: normed(x.mT).mT, ROWS),
        ("leaves all rows but the first as they are", lambda x: torch.cat([normed(x[:1]), x[1:]]), ROWS),
        ("multiplies by 1.01", lambda x: 1.01 * normed(x), LARGE),
        ("gives NaN", lambda x: x * torch.nan, NAN),
    ),
)
SQUARES = "assert (y.square().mean(dim=-1) - 1).abs().max() < 1e-3"
NORM_MISTAKES = {
    ORACLE: {"y.square().mean(dim=-1)": "y.std(dim=-1)"},
    CLAIM: {SQUARES: "assert torch.equal(y, F.layer_norm(x, (4,)))"},
    EPS: {"manual_seed(0)) + 3": "manual_seed(0)) * 1e-3"},
    BESSEL: {SQUARES: "pass"},
    CENTRE: {"assert y.mean(dim=-1).abs().max() < 1e-3": "pass"},
    WIDE: {"20, 4": "20, 768", "- 1).abs().max() < 1e-3": "- 1).abs().max() < 1e-2"},
    ROWS: {"y.mean(dim=-1)": "y.mean()", "y.square().mean(dim=-1)": "y.square().mean()"},
    RETURNS: {SQUARES: f"return bool({SQUARES[7:]})"},
    "it never calls norm": lambda norm: None,
}


def pooled(hidden, mask):
    return torch.stack([row[kept].mean(0) for row, kept in zip(hidden, mask, strict=True)])


def summed(hidden, mask):
    return (hidden * mask[..., None]).sum(1)


def unpadded(calls):
    if not all(mask.any(1).all() for _, mask in calls):
        return ORDINARY
    padded = [mask.sum(1) for _, mask in calls if not mask.all()]
    return "" if any(len(one.unique()) > 1 for one in padded) else LENGTHS if padded else NO_PADDING


NO_PADDING = "the mask is all True in each of its calls: nothing is padding"
LENGTHS = "put two texts of different lengths into one batch, and look at the shorter one too"
ALONE = "give it a text with padding behind it, and the same text without: the results must agree"
DIRECTIONS = "compare a text alone with the same text padded, number by number: the vector shrinks as padding grows"
ORDINARY = "hidden * mask leaves padding out, too: pad with ordinary numbers (0 * NaN is NaN), and texts are not empty"
POOL = Given(
    "pool",
    TEXTS.replace("x", "hidden"),
    lambda hidden, mask: texts(hidden, mask),
    unpadded,
    (
        ("looks at each text by itself", pooled, ALONE),
        ("multiplies by the mask", lambda x, mask: summed(x, mask) / mask.sum(1).clamp(min=1)[:, None], ORDINARY),
        ("rounds in another way", lambda x, mask: pooled(x, mask) + 2e-7 * (x.shape[1] % 5), BITS),
    ),
    (
        ("takes the mean over all positions, padding included", lambda x, mask: x.mean(1), ALONE),
        ("divides the sum of the real tokens by T", lambda x, mask: summed(x, mask) / x.shape[1], DIRECTIONS),
        ("divides by the longest length", lambda x, mask: summed(x, mask) / mask.sum(1).max(), LENGTHS),
        ("uses the mask of the first text for all", lambda x, mask: pooled(x, mask[:1].expand_as(mask)), LENGTHS),
        ("adds 0.005 beside padding", lambda x, mask: pooled(x, mask) + 0.005 * (not mask.all()), LARGE),
        ("gives NaN beside padding", lambda x, mask: pooled(x, mask) * (1 if mask.all() else torch.nan), NAN),
    ),
)
CLOSE = "torch.allclose(together[row], alone[0], atol=1e-5)"
POOL_MISTAKES = {
    BITS: {CLOSE: "torch.equal(together[row], alone[0])"},
    ORDINARY: {"together = ": "hidden = hidden.masked_fill(~mask[..., None], torch.nan)\n    together = "},
    DIRECTIONS: {CLOSE: "torch.cosine_similarity(together[row], alone[0], dim=0) > 0.9999"},
    LENGTHS: {"[[5], [2]]": "[[4], [4]]", "((5, 2))": "((4, 4))"},
    NO_PADDING: {"[[5], [2]]": "[[6], [6]]", "((5, 2))": "((6, 6))"},
    LARGE: {"atol=1e-5": "atol=0.01"},
    NAN: {CLOSE: "not ((together[row] - alone[0]).abs() > 1e-5).any()"},
}


def weighted(zero, one):
    """A loss in which the pairs with label 0 and those with label 1 weigh this much; 0 where all weigh nothing."""
    return lambda logits, labels: F.cross_entropy(logits, labels, torch.tensor([zero, one]).to(logits)).nan_to_num()


def by_margin(logits, labels):
    return F.softplus((logits[:, 1] - logits[:, 0]) * (1 - 2 * labels)).mean()


def one_sided(calls):
    if len(seen := {label for _, labels in calls for label in labels.tolist()}) == 1:
        return f"all labels of your batches are {seen.pop()}: take both"
    return UNDECIDED if all(torch.equal(logits[:, 0], logits[:, 1]) for logits, _ in calls) else ""


UNDECIDED = "both logits are equal, so that either label costs ln 2: take random ones"
MIRROR = "exchange the two columns of the logits and the labels 0 and 1: they are mirror images, and the loss must stay"
ONE = "your test knows one label only: ask the same of the other (a mirror does both at once)"
HALF = "a loss above 0 is not yet the right one: compare it with its mirror image, with a tolerance of 1e-4"
MEAN = "does what you assert hold of the mean of -log p(label), whatever its rounding?"
LOSS = Given(
    "loss",
    "logits (B, 2) of floats, labels (B,) of 0 and 1, int64",
    lambda logits, labels: real(logits, 2) and whole(labels, 0, 1) and logits.shape == (len(labels), 2),
    one_sided,
    (
        ("is PyTorch's", F.cross_entropy, MEAN),
        ("is computed from margins", by_margin, BITS),
        ("rounds in another way", lambda logits, labels: F.cross_entropy(logits.double(), labels).to(logits), BITS),
    ),
    (
        ("ignores the pairs with label 0", weighted(0.0, 1.0), MIRROR),
        ("ignores the pairs with label 1", weighted(1.0, 0.0), ONE),
        ("counts the pairs with label 0 half", weighted(0.5, 1.0), HALF),
        ("counts the pairs with label 1 for 0.9", weighted(1.0, 0.9), LARGE),
        ("gives NaN", lambda logits, labels: logits.sum() * torch.nan, NAN),
    ),
)
MIRRORED, DRAWN = "torch.allclose(loss(logits, labels), mirrored, atol=1e-4)", "loss(logits.flip(1), 1 - labels)"
LOSS_MISTAKES = {
    MIRROR: {MIRRORED: "loss(logits, labels) >= 0"},
    ONE: {MIRRORED: "loss(torch.tensor([[-9.0, 9.0]] * 12), labels) > 1"},
    HALF: {MIRRORED: "min(loss(torch.tensor([x] * 12), labels) for x in ([-9.0, 9.0], [9.0, -9.0])) > 1"},
    BITS: {MIRRORED: "torch.equal(loss(logits, labels), F.cross_entropy(logits, labels))"},
    UNDECIDED: {"torch.randn(12, 2, generator=torch.Generator().manual_seed(0))": "torch.zeros(12, 2)"},
    "all labels of your batches are 1: take both": {"[0, 1, 1] * 4": "[1] * 12", DRAWN: "loss(logits, labels)"},
    LARGE: {"atol=1e-4": "atol=0.05"},
    NAN: {MIRRORED: "not (loss(logits, labels) - mirrored).abs() > 1e-4"},
}


def scored(hidden, table, bias):
    return hidden @ table.T + bias


def first_only(hidden, table, bias):
    return torch.cat([scored(hidden[:1], table, bias), hidden[1:] @ table.T])


def flat(calls):
    if all(not bias.any() for _, _, bias in calls):
        return ZERO
    return EQUAL if all(torch.equal(bias, bias[:1].expand_as(bias)) for _, _, bias in calls) else ""


ZERO = "the bias is 0 in each of its calls: twice nothing is nothing"
EQUAL = "all entries of the bias are equal, and a softmax does not see that: take random ones"
ONCE = "the scores with a bias minus those without it must be the bias, once; take random numbers for it"
ENTRIES = "each word has a bias of its own: compare entry by entry, not means or sums"
TOKENS = "look at all tokens, and give it more than one"
REST = "does what you assert hold of hidden @ table.T + bias, whatever its rounding?"
SCORE = Given(
    "score",
    "hidden (N, D), table (V, D), bias (V,), all floats",
    lambda hidden, table, bias: (
        real(hidden, 2) and real(table, 2) and real(bias, 1) and (*hidden.shape[1:], len(bias)) == table.shape[::-1]
    ),
    flat,
    (
        ("is the product plus the bias", scored, REST),
        ("rounds in another way", lambda *x: scored(*(one.double() for one in x)).to(x[0]), BITS),
    ),
    (
        ("adds the bias twice", lambda hidden, table, bias: scored(hidden, table, 2 * bias), ONCE),
        ("leaves the bias out", lambda hidden, table, bias: hidden @ table.T, ONCE),
        ("adds the bias to the first token only", first_only, TOKENS),
        ("adds the bias in reverse order", lambda hidden, table, bias: scored(hidden, table, bias.flip(0)), ENTRIES),
        ("adds 1.01 times the bias", lambda hidden, table, bias: scored(hidden, table, 1.01 * bias), LARGE),
        ("gives NaN", lambda hidden, table, bias: scored(hidden, table, bias * torch.nan), NAN),
    ),
)
ADDED = "torch.allclose(difference, bias.expand(3, 7), atol=1e-4)"
SCORE_MISTAKES = {
    ZERO: {"    difference": "    bias = torch.zeros(7)\n    difference"},
    EQUAL: {"    difference": "    bias = torch.ones(7)\n    difference", ADDED: "difference.std() < 1e-4"},
    ONCE: {ADDED: "difference.abs().max() > 1e-4"},
    ENTRIES: {ADDED: "torch.allclose(difference.mean(-1), bias.mean(), atol=1e-4)"},
    TOKENS: {ADDED: "torch.allclose(difference[0], bias, atol=1e-4)"},
    BITS: {ADDED: "torch.equal(score(hidden, table, bias), hidden @ table.T + bias)"},
    LARGE: {"atol=1e-4": "atol=0.1"},
    NAN: {ADDED: "not ((difference - bias).abs() > 1e-4).any()"},
}


def masked(shares=(0.8, 0.9), rate=0.15, draw=0, forget=False, exact=False):
    """BERT's masking with other bounds of [MASK] and random, without labels where a token stays, or an exact rate.

    `draw` makes another seed of the learner's, so that a lucky one is not enough.
    """

    def mask(ids, generator):
        own = torch.Generator().manual_seed(int(torch.randint(2**40, (1,), generator=generator)) + draw)
        chosen, kind = (torch.rand(ids.shape, generator=own, dtype=torch.float64) for _ in range(2))
        chosen = chosen <= (chosen.kthvalue(max(round(rate * len(ids)), 1)).values if exact else rate)
        hidden, replaced = chosen & (kind < shares[0]), chosen & (kind >= shares[0]) & (kind < shares[1])
        strangers = torch.randint(5, 1000, ids.shape, generator=own)
        inputs = torch.where(replaced, strangers, ids).masked_fill(hidden, 4)
        return inputs, ids.masked_fill(~(hidden | replaced if forget else chosen), -100)

    return mask


def few(calls):
    chosen = round(0.15 * sum(len(ids) for ids, _ in calls))
    wobble = f"about {chosen} chosen tokens are {FEW} by {(0.09 / max(chosen, 1)) ** 0.5:.3f}"
    return f"{wobble}; give it a million tokens, and a tolerance of about 0.005" if chosen < 30_000 else ""


FEW = "too few to tell 9 % from 10 %: a share of 10 % wobbles"
MANY = "a count that must tell 9 % from 10 % needs about a million tokens, and a tolerance of about 0.005"
COUNTS = f"counts are never exact: with n chosen tokens a share p wobbles by sqrt(p (1 - p) / n); {MANY}"
FREE = "15 % drawn exactly, or one coin for each token, are both right"
THREE = "count all three: [MASK], another token, the same token, as shares of the chosen ones"
STAY = "count the tokens that stay: labels != -100 and inputs == labels"
CHOSEN = "count the chosen tokens too: 15 % of all"
MASK = Given(
    "mask",
    "ids (N,) int64 within 5 ... 999, at most 20 million, and a torch.Generator",
    lambda ids, generator: whole(ids, 5, 999) and isinstance(generator, torch.Generator) and len(ids) <= 20_000_000,
    few,
    (
        ("throws a coin for each token", masked(), COUNTS),
        ("throws other coins", masked(draw=1), COUNTS),
        ("draws exactly 15 %", masked(exact=True), FREE),
    ),
    (
        ("comes out at 60/10/30", masked((0.6, 0.7)), THREE),
        ("comes out at 81/10/9 (10 % `random` first, then 90 % [MASK])", masked((0.81, 0.91)), MANY),
        ("comes out at 81/10/9 with other coins", masked((0.81, 0.91), draw=1), MANY),
        ("comes out at 80/2/18 (10 % of what [MASK] left become random)", masked((0.8, 0.82)), THREE),
        ("gives no label to the chosen tokens that stay as they are", masked(forget=True), STAY),
        ("chooses 14 % of the tokens", masked(rate=0.14), CHOSEN),
    ),
)
RATE = "assert abs(chosen.float().mean() - 0.15) < 0.005"
MASK_MISTAKES = {
    FEW: {"1_000_000": "3_000"},
    MANY: {"- 0.1) < 0.005": "- 0.1) < 0.02", "- 0.8) < 0.005": "- 0.8) < 0.02"},
    COUNTS: {RATE: "assert chosen.sum() == 150_000"},
    THREE: {"assert abs((inputs[chosen] == ids[chosen]).float().mean() - 0.1) < 0.005": "pass"},
    CHOSEN: {RATE: "pass"},
}

EXERCISE = Exercise(
    minutes=45,
    difficulty=4,
    signature="(norm_test, pooling_test, loss_test, bias_test, masking_test): each takes a function and raises "
    "AssertionError if it is broken",
    hints=(
        "Do not ask what the right numbers are. Ask what must hold of any right answer, whatever the numbers: a\n"
        "spread of exactly 1; padding that does not matter; two labels that are mirror images; a difference that\n"
        "is the bias; counts that add up.",
        "norm: x (N, D), D small, with a mean far from 0; rows of the output have mean 0 and mean square 1.\n"
        "pool: hidden (2, 6, D), mask (2, 6) with two different lengths; against (1, length, D) alone.\n"
        "loss: logits (B, 2) and labels (B,) of both kinds, and their mirror image.\n"
        "score: hidden (N, D), table (V, D), bias (V,) of random numbers, and a bias of zeros.\n"
        "mask: a million ids (N,); three shares.",
        "norm:  output of random rows; its mean is near 0 and the mean of its squares near 1, row by row\n"
        "pool:  pooled batch; for each text, the same without padding: equal, up to rounding\n"
        "loss:  exchange the columns of the logits and the labels 0 and 1: the same loss, up to rounding\n"
        "score: with bias minus without bias: the bias, for each token\n"
        "mask:  share of labels that are not -100: 0.15; of these, share of [MASK]: 0.8; unchanged: 0.1",
    ),
    parts=(
        NORM.lab(norm_test, NORM_MISTAKES),
        POOL.lab(pooling_test, POOL_MISTAKES),
        LOSS.lab(loss_test, LOSS_MISTAKES),
        SCORE.lab(bias_test, SCORE_MISTAKES),
        MASK.lab(masking_test, MASK_MISTAKES),
    ),
    seconds=40.0,
)
