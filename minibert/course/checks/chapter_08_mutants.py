"""Chapter 8, masked words: the solutions of its exercises, and mistakes that their checks must recognise."""

import torch
from torch.nn import functional

from minibert.course.checks.chapter_08_wrong_masks import MASKS, _mask_tokens
from minibert.course.exercise import Mutant


def _masked_loss(logits, labels):
    labelled = labels != -100  # (B, T)
    total = functional.cross_entropy(logits[labelled], labels[labelled], reduction="sum")
    return total / labelled.sum().clamp(min=1)


def _averages_over_all(logits, labels):
    return functional.cross_entropy(logits.transpose(1, 2), labels, reduction="sum") / labels.numel()


def _averages_zeros_too(logits, labels):
    return functional.cross_entropy(logits.flatten(0, 1), labels.flatten(), reduction="none").mean()


def _reads_the_mark_as_token_zero(logits, labels):
    return functional.cross_entropy(logits.flatten(0, 1), labels.clamp(min=0).flatten())


def _counts_the_mark_in_the_sum(logits, labels):
    total = functional.cross_entropy(logits.flatten(0, 1), labels.clamp(min=0).flatten(), reduction="sum")
    return total / (labels != -100).sum().clamp(min=1)


def _ignores_zero(logits, labels):
    return functional.cross_entropy(logits.flatten(0, 1), labels.clamp(min=0).flatten(), ignore_index=0)


def _label_zero_is_left_out(logits, labels):
    labelled = labels > 0
    total = functional.cross_entropy(logits[labelled], labels[labelled], reduction="sum")
    return total / labelled.sum().clamp(min=1)


def _indexes_from_the_end(logits, labels):
    return -logits.log_softmax(-1).gather(-1, labels.where(labels >= 0, logits.shape[-1] - 1)[..., None]).mean()


def _sums(logits, labels):
    return functional.cross_entropy(logits.flatten(0, 1), labels.flatten(), reduction="sum")


def _nan_over_nothing(logits, labels):
    return functional.cross_entropy(logits.flatten(0, 1), labels.flatten())


def _repairs_the_nan(logits, labels):
    labelled = labels != -100
    nats = -logits.log_softmax(-1).gather(-1, labels.clamp(min=0)[..., None])[..., 0] * labelled
    return torch.where(labelled.any(), nats.sum() / labelled.sum(), 0.0)


def _mean_of_means(logits, labels):
    pairs = zip(logits, labels, strict=True)
    losses = [functional.cross_entropy(row, there) for row, there in pairs if (there != -100).any()]
    return torch.stack(losses).mean() if losses else logits.sum() * 0


def _mean_over_texts(logits, labels):
    return functional.cross_entropy(logits.transpose(1, 2), labels, reduction="sum") / len(labels)


def _softmax_twice(logits, labels):
    return _masked_loss(logits.softmax(-1), labels)


def _turns_the_sign(logits, labels):
    return -_masked_loss(logits, labels)


def _in_bits(logits, labels):
    return _masked_loss(logits, labels) / torch.tensor(2.0).log()


def _softmax_over_places(logits, labels):
    labelled = labels != -100
    rows = logits.log_softmax(1)[labelled]
    return -rows.gather(1, labels[labelled][:, None]).sum() / labelled.sum().clamp(min=1)


def _without_log_softmax(logits, labels):
    labelled = labels != -100
    return -logits[labelled].gather(1, labels[labelled][:, None]).sum() / labelled.sum().clamp(min=1)


def _reshapes_instead_of_transposing(logits, labels):
    logits = logits.reshape(len(labels), logits.shape[-1], -1)
    return functional.cross_entropy(logits, labels, reduction="sum") / (labels != -100).sum().clamp(min=1)


def _forgets_to_move_the_classes(logits, labels):
    return functional.cross_entropy(logits, labels)


def _exponentials_overflow(logits, labels):
    labelled = labels != -100
    shares = logits.exp() / logits.exp().sum(-1, keepdim=True)
    return -shares[labelled].gather(1, labels[labelled][:, None]).log().sum() / labelled.sum().clamp(min=1)


def _cuts_the_gradient(logits, labels):
    return _masked_loss(logits.detach(), labels)


def _returns_a_number(logits, labels):
    return _masked_loss(logits, labels).item()


def _returns_each_loss(logits, labels):
    return functional.cross_entropy(logits.transpose(1, 2), labels, reduction="none")


def _changes_the_labels(logits, labels):
    labels[labels == -100] = 0
    return functional.cross_entropy(logits.flatten(0, 1), labels.flatten())


def _returns_perplexity(logits, labels):
    return _masked_loss(logits, labels).exp()


def _only_the_first_text(logits, labels):
    return _masked_loss(logits[:1], labels[:1])


def _returns_none(logits, labels):
    _masked_loss(logits, labels)


SOLUTIONS = {"8.1": _mask_tokens, "8.2": _masked_loss}

MUTANTS = {
    "8.1": MASKS,
    "8.2": [
        Mutant("averages over all places", _averages_over_all, "divided by all places"),
        Mutant("averages the zeros of the other places too", _averages_zeros_too, "divided by all places"),
        Mutant("reads -100 as token 0", _reads_the_mark_as_token_zero, "-100 is read as the label of token 0, and"),
        Mutant("sums the unlabelled places too", _counts_the_mark_in_the_sum, "out of the sum, too"),
        Mutant("ignores 0 instead of -100", _ignores_zero, "label 0 is left out"),
        Mutant("leaves label 0 out", _label_zero_is_left_out, "label 0 is left out"),
        Mutant("reads -100 as the last token", _indexes_from_the_end, "from the end of the vocabulary"),
        Mutant("sums", _sums, "the sum, not the mean"),
        Mutant("NaN when nothing is masked", _nan_over_nothing, "NaN where no place has a label"),
        Mutant("repairs the NaN afterwards", _repairs_the_nan, "its gradient is not"),
        Mutant("mean of the texts' means", _mean_of_means, "texts' own means"),
        Mutant("divides by the number of texts", _mean_over_texts, "number of texts"),
        Mutant("softmax twice", _softmax_twice, "softmax twice"),
        Mutant("wrong sign", _turns_the_sign, "the sign is missing"),
        Mutant("bits instead of nats", _in_bits, "base 2"),
        Mutant("softmax over the places", _softmax_over_places, "softmax runs over the places"),
        Mutant("no log_softmax", _without_log_softmax, "log_softmax is missing"),
        Mutant("reshape instead of transpose", _reshapes_instead_of_transposing, "laid out as"),
        Mutant("classes in the wrong axis", _forgets_to_move_the_classes, r"line \d+"),
        Mutant("exp overflows", _exponentials_overflow, "overflows"),
        Mutant("detaches", _cuts_the_gradient, "cuts the way back"),
        Mutant("returns a float", _returns_a_number, "has no gradient"),
        Mutant("returns a loss for each place", _returns_each_loss, "each place has its own loss"),
        Mutant("changes the labels", _changes_the_labels, "changes an input"),
        Mutant("perplexity", _returns_perplexity, "perplexity"),
        Mutant("only the first text", _only_the_first_text, "only the first text"),
        Mutant("returns nothing", _returns_none, "`return` missing"),
    ],
}
