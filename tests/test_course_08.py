"""Chapter 8's checks accept what is right in another way, and count well enough to be believed."""

import math
import random

import pytest
import torch
from torch.nn import functional

from minibert.course import examine
from minibert.course.checks.chapter_08_mutants import SOLUTIONS
from minibert.objectives import mask_tokens, mlm_loss


def by_the_package(ids, special_ids, vocab_size, mask_id, rate, generator):
    return mask_tokens(ids, special_ids, vocab_size, mask_id, rate, generator=generator)


def one_draw_rescaled(ids, special_ids, vocab_size, mask_id, rate, generator):
    """One draw is enough if what lies below the rate is stretched to 0..1 again."""
    draw = torch.rand(ids.shape, generator=generator, dtype=torch.float64)
    chosen = (draw < rate) & ~sum(ids == i for i in special_ids).bool()
    kind = draw / max(rate, 1e-9)
    ordinary = torch.tensor(sorted(set(range(vocab_size)) - set(special_ids)))
    inputs, labels = ids.clone(), torch.full_like(ids, -100)
    labels[chosen] = ids[chosen]
    inputs[chosen & (kind < 0.8)] = mask_id
    swap = chosen & (0.8 <= kind) & (kind < 0.9)
    inputs[swap] = ordinary[torch.randint(len(ordinary), (int(swap.sum()),), generator=generator)]
    return [inputs, labels]


def in_two_halves(ids, special_ids, vocab_size, mask_id, rate, generator):
    """80 % of the chosen, then half of what is left; random ids are drawn until they are ordinary."""
    inputs, labels = ids.clone(), ids.clone()
    probability = torch.full(ids.shape, float(rate)).masked_fill(torch.isin(ids, torch.tensor(special_ids)), 0.0)
    chosen = torch.bernoulli(probability, generator=generator).bool()
    labels[~chosen] = -100
    masked = torch.bernoulli(torch.full(ids.shape, 0.8), generator=generator).bool() & chosen
    swap = torch.bernoulli(torch.full(ids.shape, 0.5), generator=generator).bool() & chosen & ~masked
    inputs[masked] = mask_id
    new = torch.randint(vocab_size, ids.shape, generator=generator)
    while (bad := torch.isin(new, torch.tensor(special_ids))).any():
        new = torch.where(bad, torch.randint(vocab_size, ids.shape, generator=generator), new)
    return torch.where(swap, new, inputs), labels


def token_by_token(ids, special_ids, vocab_size, mask_id, rate, generator):
    rng = random.Random(int(torch.randint(2**62, (), generator=generator)))
    ordinary = [i for i in range(vocab_size) if i not in special_ids]
    inputs, labels = [], []
    for row in ids.tolist():
        new, wanted = list(row), [-100] * len(row)
        for place, token in enumerate(row):
            if token not in special_ids and rng.random() < rate:
                wanted[place], kind = token, rng.random()
                new[place] = mask_id if kind < 0.8 else rng.choice(ordinary) if kind < 0.9 else token
        inputs.append(new)
        labels.append(wanted)
    return torch.tensor(inputs), torch.tensor(labels)


RIGHT = [SOLUTIONS["8.1"], by_the_package, one_draw_rescaled, in_two_halves, token_by_token]


@pytest.mark.parametrize("answer", RIGHT, ids=lambda answer: answer.__name__)
@pytest.mark.parametrize("seed", range(10))
def test_masking_may_be_written_in_other_ways(answer, seed):
    assert examine("8.1", answer, seed).message == "8.1 passed"


def test_the_limits_lie_far_beyond_chance():
    """What the check allows, in standard deviations, and what the closest mistake, 81/10/9, differs by."""
    from minibert.course.checks.chapter_08_shares import FAR

    assert math.erfc(FAR / math.sqrt(2)) < 1e-8  # one count of a right answer; there are a dozen of them
    many = 400 * 297  # chosen tokens with rate 1
    assert 0.01 / math.sqrt(0.1 * 0.9 / many) > FAR + 5


def nearly_right(**changes):
    def answer(ids, special_ids, vocab_size, mask_id, rate, generator):
        split = changes.get("split", (0.8, 0.1, 0.1))
        special = changes.get("special", special_ids)
        rate = changes.get("rate", lambda rate: rate)(rate)
        return mask_tokens(ids, special, vocab_size, mask_id, rate, split, generator=generator)

    return answer


@pytest.mark.parametrize(
    "answer",
    [
        nearly_right(split=(0.79, 0.11, 0.10)),
        nearly_right(split=(0.82, 0.09, 0.09)),
        nearly_right(rate=lambda rate: min(1, rate * 1.15)),
        nearly_right(rate=lambda rate: rate**2),
        nearly_right(special=(0, 17)),
        lambda ids, special, vocab, mask, rate, generator: (ids, ids),
        lambda ids, special, vocab, mask, rate, generator: (torch.full_like(ids, mask), ids),
        lambda ids, special, vocab, mask, rate, generator: None,
        lambda ids, special, vocab, mask, rate: (ids, ids),
        lambda *given: tuple(part[0] for part in SOLUTIONS["8.1"](*given)),
        lambda *given: (*SOLUTIONS["8.1"](*given), 1),
        lambda *given: tuple(part.tolist() for part in SOLUTIONS["8.1"](*given)),
        lambda *given: tuple(part.int() for part in SOLUTIONS["8.1"](*given)),
    ],
)
def test_nearly_right_masks_are_refused(answer):
    for seed in range(5):
        outcome = examine("8.1", answer, seed)
        assert outcome.status in ("wrong", "error") and "cannot make sense" not in outcome.message, outcome


def by_hand(logits, labels):
    labelled = labels != -100
    shares = logits.log_softmax(-1)
    picked = shares.gather(-1, labels.masked_fill(~labelled, 0).unsqueeze(-1)).squeeze(-1)
    return -picked.masked_fill(~labelled, 0.0).sum() / max(int(labelled.sum()), 1)


def as_bert_did(logits, labels):
    """The sum over (count + 1e-5), as in BERT's script."""
    total = functional.cross_entropy(logits.flatten(0, 1), labels.flatten(), reduction="sum")
    return total / ((labels != -100).sum() + 1e-5)


def with_a_branch(logits, labels):
    if not (labels != -100).any():
        return logits.sum() * 0
    return functional.cross_entropy(logits.transpose(1, 2), labels)


def without_gradient_when_there_is_nothing(logits, labels):
    return torch.tensor(0.0) if (labels == -100).all() else functional.cross_entropy(logits.mT, labels)


def repaired(logits, labels):
    return functional.cross_entropy(logits.flatten(0, 1), labels.flatten()).nan_to_num(0.0)


def one_by_one(logits, labels):
    losses = [
        logits[b, t].logsumexp(0) - logits[b, t, labels[b, t]]
        for b in range(labels.shape[0])
        for t in range(labels.shape[1])
        if labels[b, t] != -100
    ]
    return torch.stack(losses).mean() if losses else logits.sum() * 0


@pytest.mark.parametrize(
    "answer",
    [mlm_loss, by_hand, as_bert_did, with_a_branch, without_gradient_when_there_is_nothing, repaired, one_by_one],
)
@pytest.mark.parametrize("seed", range(5))
def test_the_loss_may_be_written_in_other_ways(answer, seed):
    assert examine("8.2", answer, seed).message == "8.2 passed"


def label_smoothing(logits, labels):
    return functional.cross_entropy(logits.mT, labels, label_smoothing=0.1).nan_to_num(0.0)


def wrong_by_one(logits, labels):
    labelled = labels != -100
    total = functional.cross_entropy(logits[labelled], labels[labelled], reduction="sum")
    return total / (labelled.sum() + 1)


def accuracy(logits, labels):
    labelled = labels != -100
    return (logits.argmax(-1) == labels)[labelled].float().sum() / labelled.sum().clamp(min=1)


@pytest.mark.parametrize(
    "answer",
    [
        label_smoothing,
        wrong_by_one,
        accuracy,
        lambda logits, labels: by_hand(logits, labels).unsqueeze(0),
        lambda logits, labels: (by_hand(logits, labels), 1),
        lambda logits, labels: by_hand(logits.double(), labels),
        lambda logits, labels: by_hand(logits / 2, labels),
        lambda logits, labels: by_hand(logits, labels.roll(1, 1)),
        lambda logits, labels: by_hand(logits[:, 1:], labels[:, 1:]),
        lambda logits: logits.sum(),
        lambda logits, labels: torch.tensor(by_hand(logits, labels).item()),
    ],
)
def test_wrong_losses_are_refused(answer):
    for seed in range(3):
        outcome = examine("8.2", answer, seed)
        assert outcome.status in ("wrong", "error") and "cannot make sense" not in outcome.message, outcome
