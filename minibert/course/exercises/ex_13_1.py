"""13.1 The loss of a student: a teacher's best answers, tokens of unequal weight, and labels where there are any."""

import torch
from torch.nn import functional as F

from minibert.course.lab import Case, Exercise, Lab
from minibert.course.lab import slopes as slopes_at
from minibert.course.tools import call


def distillation_loss(student, scores, best, labels, weights, temperature, share):
    """Logits (B, T, V), the teacher's best and their entries (B, T, k), labels and weights (B, T) -> a scalar, nats."""
    mine = (student / temperature).log_softmax(dim=-1).gather(-1, best)  # (B, T, k)
    theirs = (scores / temperature).log_softmax(dim=-1)  # (B, T, k): what the teacher says, and the rest is 0
    each = (theirs.exp() * (theirs - mine)).sum(dim=-1)  # (B, T)
    soft = (weights * each).sum() / weights.sum().clamp(min=1e-30)
    known = labels != -100
    hard = F.cross_entropy(student[known], labels[known], reduction="sum") / max(int(known.sum()), 1)
    return share * temperature**2 * soft + (1 - share) * hard


TWO = "T² times the weighted mean of the divergences, and the mean cross-entropy of the tokens that have a label"
NONE = "0 / 0: without a label, or without weights above 0, that part of the loss is 0"
LOGS = "a probability becomes 0 and its log -inf: take log_softmax, not the log of a softmax"


def slopes(answer, student, *rest):
    """The gradient at the student's logits, 0 where none arrives."""
    student = student.detach().requires_grad_()
    (found,) = call(lambda one: slopes_at(answer(one, *rest), [one]), student)
    return torch.zeros_like(student) if found is None else found


def cases(rng):
    one, both = torch.ones(1, 1), torch.tensor([[[1, 0]]])
    hand = torch.zeros(1, 1, 4), torch.tensor([[[3.0, 1.0]]]).log(), both, one.long()
    says = "the teacher says 3/4 and 1/4, the student 1/4, as for all four entries: 3/4 ln 3 + 1/4 ln 1"
    yield Case((*hand, one, 1.0, 1.0), says, "the loss at temperature 1, of the teacher alone,")
    yield Case((*hand, one, 1.0, 0.0), "the student says 1/4, so the label costs ln 4", "the loss of the label alone")
    B, T, V, k = 3, 5, 9, 4
    student, teacher = (2 * torch.randn(B, T, V, generator=rng) for _ in range(2))
    scores, best = teacher.topk(k)
    full, free = torch.ones(B, T), torch.full((B, T), -100)
    mask = torch.tensor([[1, 1, 1, 1, 0], [0, 1, 1, 0, 0], [1, 1, 1, 1, 1]]).bool()
    weights = (torch.rand(B, T, generator=rng) + 0.2) * torch.tensor([[3.0], [1.0], [0.5]])
    labels = torch.randint(V, (B, T), generator=rng)
    labels = labels.masked_fill(torch.tensor([[0, 1, 0, 0, 0], [0, 1, 0, 0, 0], [1, 0, 0, 1, 0]]) == 0, -100)
    models, some = (student, scores, best), weights * mask
    cut, alone = "the teacher's k entries have all its probability; the student's softmax runs over V", "of the teacher"
    yield Case((*models, labels, full, 1.0, 1.0), cut, f"the loss {alone} alone, temperature 1, all weights 1,")
    yield Case((*models, labels, full, 3.0, 1.0), cut, f"the loss {alone} alone, temperature 3, all weights 1,")
    yield Case((*models, labels, mask.float(), 3.0, 1.0), TWO, f"the loss {alone} alone, temperature 3, with padding,")
    yield Case((*models, labels, some, 3.0, 1.0), TWO, f"the loss {alone} alone, temperature 3, with weights,")
    yield Case((*models, labels, 10 * some, 3.0, 1.0), TWO, f"the loss {alone} alone, with tenfold weights,")
    yield Case((*models, labels, some, 3.0, 0.0), TWO, "the loss of the labels alone, temperature 3,")
    yield Case((*models, labels, some, 2.0, 0.7), TWO, "the loss of both", double=True)
    yield Case((*models, labels, some, 2.0, 0.7), TWO, "the gradient of the loss", run=slopes)
    whole = teacher.topk(V)
    yield Case((student, *whole, labels, some, 2.0, 1.0), TWO, "the loss when the teacher stores all V entries")
    loud = student.masked_fill(~mask[..., None], 30.0) * torch.linspace(1, 2, V), scores, best
    yield Case((*loud, labels, some, 2.0, 0.7), "padding counts nowhere", "the loss with large numbers at the padding")
    yield Case(
        (*models, labels, some / 100, 3.0, 1.0), TWO, f"the loss {alone} alone, with a hundredth of the weights,"
    )
    large = 400 * student, 400 * scores - 2000, best  # a softmax does not see what is subtracted from all
    yield Case((*large, labels, some, 2.0, 0.5), LOGS, "the loss for logits of several hundreds", LOGS, tolerance=1e-4)
    yield Case((*models, free, some, 2.0, 0.7), NONE, "the loss without labels", NONE)
    yield Case((*models, free, 0 * full, 2.0, 0.7), NONE, "the loss of a batch of padding", NONE)


MINE, THEIRS = (
    "(student / temperature).log_softmax(dim=-1).gather(-1, best)",
    "(scores / temperature).log_softmax(dim=-1)",
)
EACH, SUM = "(theirs.exp() * (theirs - mine)).sum(dim=-1)", "(weights * each).sum()"
COUNT, HARD = "weights.sum().clamp(min=1e-30)", "F.cross_entropy(student[known], labels[known]"
LOSS = "return share * temperature**2 * soft + (1 - share) * hard"
TWICE = (
    {MINE: MINE.replace(".log_", ".softmax(dim=-1).log_")},
    {THEIRS: THEIRS.replace(".log_", ".softmax(dim=-1).log_")},
)
FLAT = {SUM: "each.sum()"}
MISTAKES = {
    "the factor T² is missing": {LOSS: LOSS.replace(" * temperature**2", "")},
    "the factor is T; it is T²": {LOSS: LOSS.replace("**2", "")},
    "the loss is divided by T²; it is multiplied by it": {LOSS: LOSS.replace("share * ", "share / ")},
    "T² multiplies the labels' loss, too; labels know no temperature": {
        LOSS: "return temperature**2 * (share * soft + (1 - share) * hard)"
    },
    "the divergence is turned round: KL(teacher ‖ student) weighs with the teacher's probabilities (in F.kl_div the "
    "student comes first)": {EACH: "(mine.exp() * (mine - theirs)).sum(dim=-1)"},
    "this is the mean of both divergences; KL(teacher ‖ student) alone is asked": {
        EACH: "((theirs.exp() - mine.exp()) * (theirs - mine)).sum(dim=-1) / 2"
    },
    "the student's softmax runs over the k entries alone; it runs over all V, and then the k are taken out": {
        MINE: "(student / temperature).gather(-1, best).log_softmax(dim=-1)"
    },
    "the student's own k best entries are taken; take those that the teacher stored, in its order": {
        MINE: "(student / temperature).log_softmax(dim=-1).topk(best.shape[-1]).values"
    },
    "the first k entries of the student are taken; take those whose numbers stand in `best`": {
        MINE: "(student / temperature).log_softmax(dim=-1)[..., : best.shape[-1]]"
    },
    "the entries that the teacher did not store have the logit 0; they have no probability": {
        MINE: "(student / temperature).log_softmax(dim=-1)",
        THEIRS: "(torch.zeros_like(student).scatter(-1, best, scores) / temperature).log_softmax(dim=-1)",
    },
    "all tokens count the same, padding too; each counts with its weight": FLAT | {COUNT: "each.numel()"},
    "all tokens with a weight above 0 count the same; each counts with its weight": {
        SUM: "((weights > 0) * each).sum()",
        COUNT: "(weights > 0).sum().clamp(min=1)",
    },
    "the weights multiply nothing; the sum of all tokens is divided by them": FLAT,
    "the weighted sum is divided by the number of tokens with a weight above 0; divide by the sum of the weights": {
        COUNT: "(weights > 0).sum().clamp(min=1)"
    },
    "the weighted sum is divided by all B T tokens; divide by the sum of the weights": {COUNT: "weights.numel()"},
    "the weighted sum is divided by the number of texts (batchmean of F.kl_div); divide by the sum of the weights": {
        COUNT: "len(weights)"
    },
    "the weighted sum is divided by nothing; divide by the sum of the weights": {f" / {COUNT}": ""},
    "the k entries are averaged, too (mean of F.kl_div); they are added up": {EACH: EACH.replace(".sum(", ".mean(")},
    "each text is averaged by itself; the weights of all texts together are the divisor": {
        f"{SUM} / {COUNT}": "((weights * each).sum(1) / weights.sum(1).clamp(min=1e-30)).sum() "
        "/ max(int(weights.any(1).sum()), 1)"
    },
    "the weights are made probabilities by a softmax; they are divided by their sum": {
        f"{SUM} / {COUNT}": "(weights.flatten().softmax(0) * each.flatten()).sum()"
    },
    "the weights of a text are made probabilities by a softmax; they are divided by the sum of all": {
        "    mine =": "    weights = weights.softmax(dim=-1)\n    mine ="
    },
    "the weights multiply twice": {SUM: "(weights * weights * each).sum()"},
    "the sum of the weights is held at 1 or more; only 0 / 0 must be kept away": {COUNT: "weights.sum().clamp(min=1)"},
    "the weighted sum is divided by the tokens that have a label; divide by the sum of the weights": {
        COUNT: "(labels != -100).sum().clamp(min=1)"
    },
    "only tokens with a label learn from the teacher; all tokens with a weight do": {
        "    mine =": "    weights = weights * (labels != -100)\n    mine ="
    },
    "the labels' loss takes the weights, too; it is a plain mean": {
        f'{HARD}, reduction="sum") / max(int(known.sum()), 1)': f'({HARD}, reduction="none") * weights[known]).sum() '
        "/ weights[known].sum().clamp(min=1e-30)"
    },
    "the student's softmax is taken twice: log_softmax of probabilities": TWICE[0],
    "the teacher's softmax is taken twice": TWICE[1],
    "both softmaxes are taken twice": TWICE[0] | TWICE[1],
    "the student's temperature is missing: T divides the logits of both": {MINE: MINE.replace(" / temperature", "")},
    "the teacher's temperature is missing: T divides the logits of both": {
        THEIRS: THEIRS.replace(" / temperature", "")
    },
    "the temperature divides no logits": {
        MINE: MINE.replace(" / temperature", ""),
        THEIRS: THEIRS.replace(" / temperature", ""),
    },
    "the logits are multiplied by the temperature; they are divided by it": {
        MINE: MINE.replace("/", "*"),
        THEIRS: THEIRS.replace("/", "*"),
    },
    "the logs are divided by the temperature, after the log_softmax, and are no longer those of probabilities": {
        MINE: "student.log_softmax(dim=-1).gather(-1, best) / temperature",
        THEIRS: "scores.log_softmax(dim=-1) / temperature",
    },
    "F.kl_div gets the student's probabilities; it wants their logs": {
        EACH: "F.kl_div(mine.exp(), theirs, log_target=True, reduction='none').sum(-1)"
    },
    "F.kl_div wants the student's logs first, then the teacher's probabilities; logs in second place need "
    "log_target=True": {EACH: "F.kl_div(mine, theirs, reduction='none').sum(-1)"},
    "0 times minus infinity is NaN: an entry without probability adds 0 (leave it out, or use xlogy)": {
        MINE: "(student / temperature).log_softmax(dim=-1)",
        THEIRS: "(torch.full_like(student, -torch.inf).scatter(-1, best, scores) / temperature).log_softmax(dim=-1)",
    },
    "the entries that the teacher did not store have a low logit, -100; that is no bound: they have no probability": {
        MINE: "(student / temperature).log_softmax(dim=-1)",
        THEIRS: "(torch.full_like(student, -100).scatter(-1, best, scores) / temperature).log_softmax(dim=-1)",
    },
    "the student's softmax runs over the tokens of a text; it runs over the entries, the last axis": {
        MINE: MINE.replace("softmax(dim=-1)", "softmax(dim=1)")
    },
    "the teacher's softmax runs over the tokens of a text; it runs over the entries, the last axis": {
        THEIRS: THEIRS.replace("-1", "1")
    },
    "both softmaxes run over the tokens of a text; they run over the entries, the last axis": {
        MINE: MINE.replace("softmax(dim=-1)", "softmax(dim=1)"),
        THEIRS: THEIRS.replace("-1", "1"),
    },
    "the student's own k best entries have the softmax; it runs over all V, and then those at `best` are taken": {
        MINE: "(student / temperature).topk(best.shape[-1]).values.log_softmax(dim=-1)"
    },
    "these are squared differences of logits; a divergence is asked": {
        EACH: "(student.gather(-1, best) - scores).square().mean(-1)"
    },
    "these are squared differences of probabilities; a divergence is asked": {
        EACH: "(mine.exp() - theirs.exp()).square().sum(-1)"
    },
    "this is a cosine of logits; a divergence is asked": {
        EACH: "1 - F.cosine_similarity(student.gather(-1, best), scores, dim=-1)"
    },
    "this is the cross-entropy with the teacher; the divergence is less by the teacher's entropy": {
        EACH: "-(theirs.exp() * mine).sum(dim=-1)"
    },
    "the teacher's likeliest answer serves as a label; all its k answers teach": {
        EACH: "-mine.gather(-1, theirs.argmax(-1, keepdim=True)).squeeze(-1)"
    },
    "the student is detached, or went through .item() or numpy: no gradient arrives": {
        "    mine =": "    student = student.detach()\n    mine ="
    },
    "the student's logits are detached, and it learns from labels only": {
        "(student / temperature)": "(student.detach() / temperature)"
    },
    "the labels' loss takes the temperature; a label is certain, so it takes none": {
        HARD: HARD.replace("student[known]", "student[known] / temperature")
    },
    "the labels' loss is divided by the tokens with a weight; divide by those that have a label": {
        "max(int(known.sum()), 1)": "max(int((weights > 0).sum()), 1)"
    },
    "the labels' loss is divided by all B T tokens; divide by those that have a label": {
        "max(int(known.sum()), 1)": "labels.numel()"
    },
    "each label's loss is multiplied by its weight; the labels' loss is a plain mean": {
        f'{HARD}, reduction="sum")': f'({HARD}, reduction="none") * weights[known]).sum()'
    },
    "-100 is taken for the entry 0; it says that there is no label": {
        "known = labels != -100": "labels = labels.clamp(min=0)\n    known = labels >= 0"
    },
    "each text averages its labels by itself; the mean of all labels is asked": {
        f'{HARD}, reduction="sum") / max(int(known.sum()), 1)': "torch.stack([F.cross_entropy(one, its) for one, its "
        "in zip(student, labels, strict=True)]).nan_to_num().mean()"
    },
    "the labels' loss is a sum; the mean over the tokens that have one is asked": {" / max(int(known.sum()), 1)": ""},
    "the shares are exchanged: `share` belongs to the teacher": {
        LOSS: "return (1 - share) * temperature**2 * soft + share * hard"
    },
    "the labels' loss is not multiplied by 1 - share": {LOSS: LOSS.replace("(1 - share) * ", "")},
    "the labels' loss is missing": {LOSS: LOSS.replace(" + (1 - share) * hard", "")},
    "the teacher's loss is missing": {LOSS: "return (1 - share) * hard"},
    "these are bits (log2); nats are asked": {LOSS: LOSS.replace("return ", "return 1.4426950408889634 * (") + ")"},
    "the sign is turned round": {LOSS: LOSS.replace("return ", "return -(") + ")"},
    NONE: {COUNT: "weights.sum()", "/ max(int(known.sum()), 1)": "/ known.sum()"},
}

EXERCISE = Exercise(
    minutes=25,
    difficulty=3,
    signature="distillation_loss(student (B, T, V), scores (B, T, k), best (B, T, k) int64, labels (B, T) int64, "
    "weights (B, T), temperature, share) -> a scalar",
    hints=(
        "Two losses with two sets of tokens: the teacher has an opinion on every token, labels are few. Find out for\n"
        "each which tokens count, and by how much; what the sum is divided by; and whether the temperature has a say.\n"
        "The teacher stored few of its entries, so for it nothing else exists. The student still has all V.",
        "the student's log-probabilities (B, T, V), of which those at `best` remain: (B, T, k); the teacher's\n"
        "(B, T, k); a divergence for each token (B, T), weighted. Tokens with a label: logits (M, V) as they are.",
        "log-probabilities of the student over V, then picked at the teacher's entries (gather)\n"
        "divergence of a token: sum over the k of teacher's probability times (teacher's log minus student's log)\n"
        "soft: sum of weight times divergence over the sum of the weights, 0 if that is 0\n"
        "hard: mean cross-entropy over the M tokens with a label, 0 if there are none\n"
        "share times T squared times soft, plus the rest of the share times hard",
    ),
    parts=(Lab(distillation_loss, cases, MISTAKES, in_pairs=False),),
)
