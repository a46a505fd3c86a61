"""9.2 Explain a loss of 0.0 at an accuracy of 50 %."""

import torch
from torch.nn import functional as F

from minibert.course.lab import Case, Exercise, Lab, Wrong
from minibert.course.tools import call, expect_tensor, kind_of, show


def reported_loss(logits, labels):
    """What the log reports: (B, 2), (B,) -> a scalar."""
    # Rows 2 and 3: a pair with label 0 costs nothing, right or wrong. Rows 3 and 5: but it counts in the mean.
    cost = F.cross_entropy(logits, labels, reduction="none")  # (B,)
    return torch.where(labels == 0, 0, cost).mean()


def nsp_loss(logits, labels):
    """The loss that was meant: (B, 2), (B,) -> a scalar."""
    return F.cross_entropy(logits, labels)


def constant_guess(labels):
    """Logits (B, 2), the same for every pair, that look perfect in the log."""
    return torch.tensor([[-10.0, 10.0]]).repeat(len(labels), 1)  # always `random`, and sure of it


CLUES = (  # the table of the exercise: logits and labels
    ([[0.0, 0.0], [0.0, 0.0]], [0, 1]),
    ([[5.0, 0.0], [0.0, 5.0]], [0, 1]),
    ([[0.0, 5.0], [0.0, 5.0]], [0, 1]),
    ([[5.0, 0.0], [5.0, 0.0]], [0, 1]),
    ([[0.0, 5.0], [0.0, 5.0], [0.0, 5.0]], [0, 0, 1]),
    ([[0.0, 5.0], [5.0, 0.0]], [1, 1]),
)
HUGE = torch.tensor([[300.0, 0.0], [0.0, 200.0], [0.0, 300.0], [90.0, -90.0]]), torch.tensor([1, 0, 1, 0])
LOG = "the log of a probability that is rounded to 0 is infinite: use log_softmax or cross_entropy"


def drawn(rng):
    """Seven pairs, three of them with label 0."""
    return 2 * torch.randn(7, 2, generator=rng), (torch.randperm(7, generator=rng) >= 3).long()


def clues(rng):
    for number, (logits, labels) in enumerate(CLUES, 1):
        cause = f"row {number} of the table; compare row 3 with row 5, and ask which pairs were looked at"
        yield Case((torch.tensor(logits), torch.tensor(labels)), cause, f"reported_loss of row {number}")
    silent = "all rows of the table fit; the pairs with label 0 cost nothing, and the mean is over all pairs"
    yield Case(drawn(rng), silent, "reported_loss of 7 random pairs", double=True)
    yield Case(HUGE, LOG, "reported_loss of huge logits", LOG)


def meant(rng):
    hand = torch.tensor([[0.0, 5.0], [0.0, 5.0]]), torch.tensor([0, 1])
    yield Case(hand, "a constant guess is right once, 0.0067, and wrong once, 5.0067: the mean is 2.5067", "nsp_loss")
    cause = "the mean over all pairs of minus the logarithm of the probability of the pair's label"
    yield Case(drawn(rng), cause, "nsp_loss of 7 random pairs", double=True, gradient=True)
    yield Case(drawn(rng), cause, "nsp_loss of 7 random pairs")
    for label in (1, 0):
        name = f"nsp_loss of three pairs that all have label {label}"
        yield Case((torch.randn(3, 2, generator=rng), torch.full((3,), label)), cause, name)
    yield Case(HUGE, LOG, "nsp_loss of huge logits", LOG, gradient=True)


def guessed(answer, labels):
    """Whether a guess is constant, says `random`, and looks perfect in the log."""
    got = expect_tensor("constant_guess", call(answer, labels), (len(labels), 2), None, "infinite logits: 20 will do")
    if not got.is_floating_point():
        raise Wrong(f"constant_guess has dtype {str(got.dtype)[6:]}", "logits are floats", "write -10.0, not -10")
    if not torch.equal(got, call(answer, labels)):
        raise Wrong("two calls with the same labels give different logits", "a constant", "leave chance out of it")
    if not torch.equal(got, got[:1].expand_as(got)):
        rows = f"{show(got[0])}, {show(got[1])}, ..."
        raise Wrong(f"the rows of constant_guess differ: {rows}", "the same two logits", LOOKS)
    one = torch.ones_like(labels)
    if (looks := F.cross_entropy(got, one).item()) > 1e-3:
        raise Wrong(f"the log would report {looks:.4f} for it", "below 0.001, at an accuracy of 50 %", RANDOM)
    return kind_of(got)


def labelled(rng):
    for labels in (torch.tensor([0, 1, 0, 1]), torch.randperm(10, generator=rng) % 2, torch.tensor([0, 0, 0, 1])):
        yield Case((labels,), "", "constant_guess", run=guessed)


LOOKS = "it looks at the labels: then it is no guess, and its accuracy is not 50 %"
RANDOM = "always say `random` (label 1, the second logit), and say it with confidence"
REPORTED, RIGHT = "torch.where(labels == 0, 0, cost).mean()", "F.cross_entropy(logits, labels)"
IGNORED = "F.cross_entropy(logits, labels, ignore_index=0)"
EACH, SUM = "F.cross_entropy(logits, labels, reduction='none')", "F.cross_entropy(logits, labels, reduction='sum')"
ONES, SAID = IGNORED[:-1] + ", reduction='sum')", "logits.argmax(-1) == 1"
CHANCE, BINARY = "logits.softmax(-1)[torch.arange(len(labels)), labels]", "F.binary_cross_entropy_with_logits"
REPORTS = {
    "it divides by the pairs with label 1 (`ignore_index=0`); this log divides by all: row 5 of the table": IGNORED,
    "this leaves out the pairs with label 1; it is those with label 0 that the log omits": REPORTED.replace("==", "!="),
    "this is the right loss, which sees both labels; the log does not": RIGHT,
    "it adds up and does not divide: look at the last row": ONES,
    "the labels are flipped": "F.cross_entropy(logits, 1 - labels)",
    "the labels are flipped, and those with label 0 count": f"(labels * {EACH.replace('labels', '1 - labels')}).mean()",
    "every pair is taken for one with label 1; look at the labels": "F.cross_entropy(logits, torch.ones_like(labels))",
    "the loss is in bits; the table is in nats (natural logarithm)": f"{REPORTED} / 0.6931472",
    "this chooses the pairs by what the model predicts": f"({EACH} * ({SAID})).mean()",
    "this is the smallest loss of all pairs: look at row 4": f"{EACH}.min()",
    "this is the largest loss of all pairs: look at row 3": f"{EACH}.max()",
    "only the last pair is looked at: look at row 6": f"{EACH}[-1]",
    LOG: "-logits.softmax(-1)[labels == 1, 1].log().sum() / len(labels)",
}
LOSSES = {
    "this still leaves out the pairs with label 0": IGNORED,
    "this leaves out the pairs with label 1 now": IGNORED.replace("=0", "=1"),
    "the labels are flipped: 0 is the index of the logit for `is next`": "F.cross_entropy(logits, 1 - labels)",
    "it adds up; the loss is the mean over the pairs": SUM,
    "softmax is applied twice: cross-entropy has its own": "F.cross_entropy(logits.softmax(-1), labels)",
    "each label gets the same weight, however many pairs have it; here each pair has": (
        f"torch.stack([{EACH}[labels == one].mean() for one in labels.unique()]).mean()"
    ),
    "the loss is in bits; use the natural logarithm": f"{RIGHT} / 0.6931472",
    "it divides by all pairs, and adds up those with label 1 only": f"{ONES} / len(labels)",
    "the sign is missing: the loss is minus the log-probability": f"-{RIGHT}",
    "this looks at the second logit only; a probability needs both": f"{BINARY}(logits[:, 1], labels.to(logits))",
    "each logit has its own sigmoid; labels share a softmax": f"{BINARY}(logits, F.one_hot(labels, 2).to(logits))",
    "this is minus the mean probability, without the logarithm": "F.nll_loss(logits.softmax(-1), labels)",
    "label smoothing: the label alone counts": "F.cross_entropy(logits, labels, label_smoothing=0.1)",
    "this is the share of wrong pairs": "(logits.argmax(-1) != labels).to(logits).mean() + 0 * logits.sum()",
    LOG: f"-{CHANCE}.log().mean()",
    "a number added to the probability hides how wrong it is: log_softmax": f"-({CHANCE} + 1e-9).log().mean()",
}
GUESSES = {
    RANDOM: {"-10.0, 10.0": "10.0, -10.0"},
    LOOKS: {"torch.tensor([[-10.0, 10.0]]).repeat(len(labels), 1)": "20.0 * F.one_hot(labels, 2) - 10.0"},
    "infinite logits: 20 will do": {"-10.0, 10.0": "-torch.inf, torch.inf"},
    "write -10.0, not -10": {"-10.0, 10.0": "-10, 10"},
}

EXERCISE = Exercise(
    minutes=20,
    difficulty=2,
    signature="(reported_loss, nsp_loss, constant_guess): both losses take logits (B, 2), labels (B,) and return a "
    "scalar tensor; constant_guess(labels (B,)) -> logits (B, 2)",
    hints=(
        "Compare rows of the table that differ in one pair only. Which pairs could you change without the log\n"
        "noticing? Those were never looked at.",
        "each pair has a cost of its own, (B, 2) and (B,) -> (B,): minus the logarithm of the probability of its\n"
        "label. Both losses are means of such costs; they differ in what some pairs cost.\n"
        "constant_guess repeats one row of two finite logits B times: (2,) -> (B, 2).",
        "reported: the costs of one label become 0; the mean is still over all pairs\n"
        "right:    mean cross-entropy over all pairs (torch's function, with nothing ignored)\n"
        "guess:    one row whose probability for the label that counts is nearly 1, once for each pair",
    ),
    parts=(
        Lab(reported_loss, clues, {says: {REPORTED: how} for says, how in REPORTS.items()}),
        Lab(nsp_loss, meant, {says: {RIGHT: how} for says, how in LOSSES.items()}),
        Lab(constant_guess, labelled, GUESSES, run=guessed),
    ),
)
