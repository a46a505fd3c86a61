"""13.1 The loss of a student: soft targets of a teacher at every real token, and labels where there are any."""

import torch
from torch.nn import functional as F

from minibert.course.lab import Case, Exercise, Lab
from minibert.course.lab import slopes as slopes_at
from minibert.course.tools import call


def distillation_loss(student, teacher, labels, mask, temperature, share):
    """Logits of student and teacher (B, T, V), labels (B, T) with -100 for none, mask (B, T) -> a scalar, in nats."""
    mine = (student[mask] / temperature).log_softmax(dim=-1)  # (N, V)
    theirs = (teacher[mask].detach() / temperature).log_softmax(dim=-1)  # (N, V)
    soft = (theirs.exp() * (theirs - mine)).sum() / max(len(mine), 1)
    known = labels != -100
    hard = F.cross_entropy(student[known], labels[known], reduction="sum") / max(int(known.sum()), 1)
    return share * temperature**2 * soft + (1 - share) * hard


TWO = "T² times the mean divergence of the real tokens, and the mean cross-entropy of those that have a label"
NONE = "0 / 0: without a label, or without a real token, that part of the loss is 0"
LOGS = "a probability becomes 0 and its log -inf: take log_softmax, not the log of a softmax"
TEACHER = "the teacher gets a gradient: it is fixed, so detach its logits"


def slopes(answer, student, teacher, *rest):
    """The gradients at the student's logits and at the teacher's, which is 0."""
    student, teacher = (logits.detach().requires_grad_() for logits in (student, teacher))
    found = call(lambda one, other: slopes_at(answer(one, other, *rest), [one, other]), student, teacher)
    return tuple(torch.zeros_like(student) if one is None else one for one in found)


def cases(rng):
    yes, one = torch.ones(1, 1).bool(), torch.ones(1, 1).long()
    hand = torch.zeros(1, 1, 2), torch.tensor([[[3.0, 1.0]]]).log()
    says = "the teacher says 3/4 and 1/4, the student 1/2 each: 3/4 ln(3/2) + 1/4 ln(1/2)"
    yield Case((*hand, one, yes, 1.0, 1.0), says, "the loss at temperature 1, of the teacher alone,")
    label = "the student says 1/2, so the label costs ln 2"
    yield Case((*hand, one, yes, 1.0, 0.0), label, "the loss of the label alone")
    B, T, V = 3, 5, 7
    student, teacher = (2 * torch.randn(B, T, V, generator=rng) for _ in range(2))
    full, free = torch.ones(B, T).bool(), torch.full((B, T), -100)
    mask = torch.tensor([[1, 1, 1, 1, 0], [0, 1, 1, 0, 0], [1, 1, 1, 1, 1]]).bool()
    drawn = torch.randint(V, (B, T), generator=rng)
    labels = drawn.masked_fill(torch.tensor([[0, 1, 0, 0, 0], [0, 1, 0, 0, 0], [1, 0, 0, 1, 0]]) == 0, -100)
    yield Case(
        (student, teacher, labels, full, 1.0, 1.0),
        TWO,
        "the loss of the teacher alone, temperature 1, without padding,",
    )
    yield Case(
        (student, teacher, labels, full, 3.0, 1.0),
        TWO,
        "the loss of the teacher alone, temperature 3, without padding,",
    )
    yield Case(
        (student, teacher, labels, mask, 3.0, 1.0), TWO, "the loss of the teacher alone, temperature 3, with padding,"
    )
    yield Case((student, teacher, labels, mask, 3.0, 0.0), TWO, "the loss of the labels alone, temperature 3,")
    yield Case((student, teacher, labels, mask, 2.0, 0.7), TWO, "the loss of both", gradient=False, double=True)
    yield Case(
        (student, teacher, labels, mask, 2.0, 0.7),
        TEACHER,
        "the gradient of the loss",
        run=slopes,
        items=("student", "teacher"),
    )
    yield Case((student, teacher, labels, mask, 2.0, 0.7), TWO, "the gradient of the loss", run=slopes)
    loud = student.masked_fill(~mask[..., None], 30.0) * torch.linspace(1, 2, V)
    yield Case(
        (loud, teacher, labels, mask, 2.0, 0.7), "padding counts nowhere", "the loss with large numbers at the padding"
    )
    large = 400 * student[:, :, :], -400 * teacher
    yield Case((*large, labels, mask, 2.0, 0.5), LOGS, "the loss for logits of several hundreds", LOGS, tolerance=1e-4)
    yield Case((student, student, free, mask, 2.0, 0.7), NONE, "the loss of two equal models without labels", NONE)
    yield Case((student, teacher, free, mask, 2.0, 0.7), NONE, "the loss without labels", NONE)
    yield Case((student, teacher, free, ~full, 2.0, 0.7), NONE, "the loss of a batch of padding", NONE)


MINE, THEIRS = (
    "(student[mask] / temperature).log_softmax(dim=-1)",
    "(teacher[mask].detach() / temperature).log_softmax(dim=-1)",
)
SOFT, COUNT, HARD = (
    "(theirs.exp() * (theirs - mine)).sum()",
    "max(len(mine), 1)",
    "F.cross_entropy(student[known], labels[known]",
)
LOSS = "return share * temperature**2 * soft + (1 - share) * hard"
EVERY = {"    mine =": "    padded, mask = mask, torch.ones_like(mask)\n    mine ="}
MISTAKES = {
    "the factor T² is missing": {LOSS: LOSS.replace(" * temperature**2", "")},
    "the factor is T; it is T²": {LOSS: LOSS.replace("**2", "")},
    "the loss is divided by T²; it is multiplied by it": {LOSS: LOSS.replace("share * ", "share / ")},
    "T² multiplies the labels' loss, too; labels know no temperature": {
        LOSS: "return temperature**2 * (share * soft + (1 - share) * hard)"
    },
    "the divergence is turned round: KL(teacher ‖ student) weighs with the teacher's probabilities (in F.kl_div the "
    "student comes first)": {SOFT: "(mine.exp() * (mine - theirs)).sum()"},
    "this is the mean of both divergences; KL(teacher ‖ student) alone is asked": {
        SOFT: "((theirs.exp() - mine.exp()) * (theirs - mine)).sum() / 2"
    },
    "padding is in the mean: it adds to the sum and to the number of tokens": EVERY,
    "the sum over the real tokens is divided by all B T; divide by their number": {COUNT: "mask.numel()"},
    "padding is in the sum, which is divided by the number of real tokens": EVERY
    | {COUNT: "max(int(padded.sum()), 1)"},
    "the sum is divided by the number of texts (batchmean of F.kl_div); divide by the number of real tokens": {
        COUNT: "len(mask)"
    },
    "padding is in the sum, which is divided by the number of texts (batchmean of F.kl_div)": EVERY
    | {COUNT: "len(mask)"},
    "the mean is taken over the V entries, too (mean of F.kl_div); they are added up": {COUNT: "max(mine.numel(), 1)"},
    "padding is in the mean, and the V entries are averaged, too (mean of F.kl_div)": EVERY
    | {COUNT: "max(mine.numel(), 1)"},
    "the sum over the tokens is not divided by their number": {f" / {COUNT}": ""},
    "each text counts the same, however many tokens it has; each token does": {
        f"{SOFT} / {COUNT}": "((theirs.exp() * (theirs - mine)).sum(-1) / "
        "mask.sum(1, keepdim=True).expand_as(mask)[mask]).sum() / max(int(mask.any(1).sum()), 1)"
    },
    "the mask is turned round: it is True on real tokens": {
        "student[mask]": "student[~mask]",
        "teacher[mask]": "teacher[~mask]",
    },
    "only tokens with a label learn from the teacher; all real tokens do": {
        "    mine =": "    mask = mask & (labels != -100)\n    mine ="
    },
    "the student's softmax is taken twice: log_softmax of probabilities": {
        MINE: MINE.replace(".log_", ".softmax(dim=-1).log_")
    },
    "the teacher's softmax is taken twice": {THEIRS: THEIRS.replace(".log_", ".softmax(dim=-1).log_")},
    "both softmaxes are taken twice": {
        MINE: MINE.replace(".log_", ".softmax(dim=-1).log_"),
        THEIRS: THEIRS.replace(".log_", ".softmax(dim=-1).log_"),
    },
    "the student's temperature is missing: T divides the logits of both": {MINE: "student[mask].log_softmax(dim=-1)"},
    "the teacher's temperature is missing: T divides the logits of both": {
        THEIRS: "teacher[mask].detach().log_softmax(dim=-1)"
    },
    "the temperature divides no logits": {
        MINE: "student[mask].log_softmax(dim=-1)",
        THEIRS: "teacher[mask].detach().log_softmax(dim=-1)",
    },
    "the logits are multiplied by the temperature; they are divided by it": {
        MINE: MINE.replace("/", "*"),
        THEIRS: THEIRS.replace("/", "*"),
    },
    "probabilities are divided by the temperature, behind the softmax; it divides the logits": {
        MINE: "(student[mask].softmax(dim=-1) / temperature).log()",
        THEIRS: "(teacher[mask].detach().softmax(dim=-1) / temperature).log()",
    },
    "the logs are divided by the temperature, behind the log_softmax, and no longer those of probabilities": {
        MINE: "student[mask].log_softmax(dim=-1) / temperature",
        THEIRS: "teacher[mask].detach().log_softmax(dim=-1) / temperature",
    },
    "F.kl_div gets the student's probabilities; it wants their logs": {
        SOFT: "F.kl_div(mine.exp(), theirs, log_target=True, reduction='sum')"
    },
    "F.kl_div gets the teacher's logs as if they were probabilities (log_target=True is missing)": {
        SOFT: "F.kl_div(mine, theirs, reduction='sum')"
    },
    "this is the cross-entropy with the teacher; the divergence is less by the teacher's entropy": {
        SOFT: "-(theirs.exp() * mine).sum()"
    },
    "the teacher's likeliest answer serves as a label; its whole distribution teaches": {
        SOFT: "F.nll_loss(mine, theirs.argmax(-1), reduction='sum')"
    },
    "squares of the logits' differences are taken; the divergence of the probabilities is asked": {
        SOFT: "((student[mask] - teacher[mask].detach()) ** 2).sum()"
    },
    "the softmax runs over the tokens; it runs over the V entries": {
        MINE: "(student / temperature).log_softmax(dim=1)[mask]",
        THEIRS: "(teacher.detach() / temperature).log_softmax(dim=1)[mask]",
    },
    TEACHER: {".detach()": ""},
    "the student's logits are detached as well, and it learns from labels only": {
        "student[mask]": "student[mask].detach()"
    },
    "the labels' loss takes the temperature; a label is certain, so it takes none": {
        HARD: HARD.replace("student[known]", "student[known] / temperature")
    },
    "the labels' loss is divided by all real tokens; divide by those that have a label": {
        "max(int(known.sum()), 1)": "max(int(mask.sum()), 1)"
    },
    "the labels' loss is a sum; the mean over the tokens that have one is asked": {" / max(int(known.sum()), 1)": ""},
    "the weights are exchanged: `share` belongs to the teacher": {
        LOSS: "return (1 - share) * temperature**2 * soft + share * hard"
    },
    "the labels' loss is not weighed with 1 - share": {LOSS: LOSS.replace("(1 - share) * ", "")},
    "the labels' loss is missing": {LOSS: LOSS.replace(" + (1 - share) * hard", "")},
    "the teacher's loss is missing": {LOSS: "return (1 - share) * hard"},
    "these are bits (log2); nats are asked": {LOSS: LOSS.replace("return ", "return 1.4426950408889634 * (") + ")"},
    "the sign is turned round": {LOSS: LOSS.replace("return ", "return -(") + ")"},
    NONE: {"max(len(mine), 1)": "len(mine)", "/ max(int(known.sum()), 1)": "/ known.sum()"},
}

EXERCISE = Exercise(
    minutes=25,
    difficulty=3,
    signature="distillation_loss(student (B, T, V), teacher (B, T, V), labels (B, T) int64, mask (B, T), temperature, "
    "share) -> a scalar",
    hints=(
        "Two losses with two sets of tokens: the teacher has an opinion on every real token, labels are few. Find\n"
        "out for each which tokens count, what it is divided by, and whether the temperature has a say.",
        "real tokens taken out: (N, V) log-probabilities of the student, and of the teacher, both at the temperature;\n"
        "a divergence for each token (N,). Tokens with a label: logits (M, V) as they are, labels (M,).",
        "divergence of a token: sum over V of teacher's probability times (teacher's log minus student's log)\n"
        "soft: mean over the N real tokens, 0 if there are none\n"
        "hard: mean cross-entropy over the M tokens with a label, 0 if there are none\n"
        "share times T squared times soft, plus the rest of the share times hard; nothing flows back to the teacher",
    ),
    parts=(Lab(distillation_loss, cases, MISTAKES, in_pairs=False),),
)
