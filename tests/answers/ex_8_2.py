"""Answers to 8.2, the loss at masked places."""

import torch
from torch.nn import functional as F


def by_hand(logits, labels):
    labelled = labels != -100
    picked = logits.log_softmax(-1).gather(-1, labels.masked_fill(~labelled, 0).unsqueeze(-1)).squeeze(-1)
    return -picked.masked_fill(~labelled, 0.0).sum() / max(int(labelled.sum()), 1)


def as_bert_did(logits, labels):
    """The sum over (count + 1e-5), as in BERT's script."""
    total = F.cross_entropy(logits.flatten(0, 1), labels.flatten(), reduction="sum")
    return total / ((labels != -100).sum() + 1e-5)


def with_a_branch(logits, labels):
    return F.cross_entropy(logits.transpose(1, 2), labels) if (labels != -100).any() else logits.sum() * 0


def repaired(logits, labels):
    return F.cross_entropy(logits.flatten(0, 1), labels.flatten()).nan_to_num(0.0)


def one_by_one(logits, labels):
    places = (labels != -100).nonzero().tolist()
    losses = [logits[b, t].logsumexp(0) - logits[b, t, labels[b, t]] for b, t in places]
    return torch.stack(losses).mean() if losses else logits.sum() * 0


def constant(requires_grad):
    def masked_loss(logits, labels):
        return by_hand(logits, labels) if (labels != -100).any() else torch.tensor(0.0, requires_grad=requires_grad)

    return masked_loss


def repairs_the_nan(logits, labels):
    labelled = labels != -100
    nats = -logits.log_softmax(-1).gather(-1, labels.clamp(min=0)[..., None])[..., 0] * labelled
    return torch.where(labelled.any(), nats.sum() / labelled.sum(), 0.0)


def changes_the_labels(logits, labels):
    labels[labels == -100] = 0
    return F.cross_entropy(logits.flatten(0, 1), labels.flatten())


def mean_of_means(logits, labels):
    losses = [F.cross_entropy(x, y) for x, y in zip(logits, labels, strict=True) if (y != -100).any()]
    return torch.stack(losses).mean() if losses else logits.sum() * 0


RIGHT = {
    "by hand": by_hand,
    "as BERT": as_bert_did,
    "branch": with_a_branch,
    "repaired": repaired,
    "one by one": one_by_one,
}
WRONG = {
    "a constant without gradient": (constant(False), "no label at all, no gradient(?s:.)*constant"),
    "a constant of its own": (constant(True), "no label at all, no gradient"),
    "NaN gradient": (repairs_the_nan, "its gradient is not"),
    "torch's own": (lambda logits, labels: F.cross_entropy(logits.mT, labels), "NaN where no place has a label"),
    "ignores 0": (lambda x, y: F.cross_entropy(x.flatten(0, 1), y.clamp(min=0).flatten(), ignore_index=0), "label 0"),
    "a float": (lambda logits, labels: by_hand(logits, labels).item(), "plain Python number"),
    "each place": (lambda x, y: F.cross_entropy(x.mT, y, reduction="none"), "each place has its own loss"),
    "shape (1,)": (lambda logits, labels: by_hand(logits, labels)[None], r"\(1,\)"),
    "float32": (lambda logits, labels: by_hand(logits.float(), labels), "dtype of the inputs"),
    "float64": (lambda logits, labels: by_hand(logits.double(), labels), "float64"),
    "detached": (lambda logits, labels: by_hand(logits.detach(), labels), "no gradient"),
    "changes the labels": (changes_the_labels, "changes an input"),
    "mean of means": (mean_of_means, "texts' own means"),
    "temperature": (lambda logits, labels: by_hand(logits / 2, labels), "1/2, 3/8 and 1/4"),
    "classes in the wrong axis": (lambda logits, labels: F.cross_entropy(logits, labels), r"line \d+"),
    "a pair": (lambda logits, labels: (by_hand(logits, labels), 1), "tuple"),
}
