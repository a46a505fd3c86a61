"""Answers to 8.1, masking. RIGHT ones draw in other orders, so that only their counts can be compared."""

import random

import torch

from minibert.objectives import mask_tokens as by_the_package


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
    inputs = ids.flatten().tolist()
    labels = [-100] * len(inputs)
    for place, token in enumerate(inputs):
        if token not in special_ids and rng.random() < rate:
            labels[place], kind = token, rng.random()
            inputs[place] = mask_id if kind < 0.8 else rng.choice(ordinary) if kind < 0.9 else token
    return torch.tensor(inputs).view_as(ids), torch.tensor(labels).view_as(ids)


def package(ids, special_ids, vocab_size, mask_id, rate, generator, split=(0.8, 0.1, 0.1)):
    return by_the_package(ids, special_ids, vocab_size, mask_id, rate, split, generator=generator)


def stranger(choose=None, pool=None, fill=-100, other=False):
    def mask_tokens(ids, special_ids, vocab_size, mask_id, rate, generator):
        special, size = torch.isin(ids, torch.tensor(special_ids)), pool(vocab_size) if pool else vocab_size
        ordinary = torch.tensor([i for i in range(size) if i not in special_ids])
        chosen = choose(special, rate, generator) if choose else torch.rand(ids.shape, generator=generator) < rate
        chosen, u = chosen & ~special, torch.rand(ids.shape, generator=generator)
        new = ordinary[torch.randint(len(ordinary), ids.shape, generator=generator)]
        if other:
            new = torch.where(new == ids, ordinary[(torch.searchsorted(ordinary, new) + 1) % len(ordinary)], new)
        inputs = torch.where(chosen & (u < 0.8), mask_id, torch.where(chosen & (u >= 0.8) & (u < 0.9), new, ids))
        return inputs, torch.where(chosen, ids, fill)

    return mask_tokens


def spread(special, rate, generator):
    return torch.rand(special.shape, generator=generator) < rate * special.numel() / max(1, int((~special).sum()))


def fixed(special, rate, generator):
    hit = torch.zeros(special.numel(), dtype=torch.bool)
    hit[torch.randperm(special.numel(), generator=generator)[: int(rate * special.numel())]] = True
    return hit.view(special.shape)


def draws_apart(ids, *rest):
    return package(ids, *rest)[0], package(ids, *rest)[1]


def in_place(ids, special_ids, vocab_size, mask_id, rate, generator):
    labels, chosen = torch.full_like(ids, -100), torch.rand(ids.shape, generator=generator) < rate
    chosen &= ~torch.isin(ids, torch.tensor(special_ids))
    labels[chosen] = ids[chosen]
    ids[chosen] = mask_id
    return ids, labels


def batch_only(ids, special_ids, vocab_size, mask_id, rate, generator):
    inputs, labels = package(ids, special_ids, vocab_size, mask_id, rate, generator)
    seen = ids[~torch.isin(ids, torch.tensor(special_ids))]
    swap = (inputs != ids) & (inputs != mask_id)
    inputs[swap] = seen[torch.randint(len(seen), (int(swap.sum()),), generator=generator)]
    return inputs, labels


def by_place(ids, special_ids, vocab_size, mask_id, rate, generator):
    """Right shares, but the place decides what becomes of a chosen token."""
    labels = package(ids, special_ids, vocab_size, mask_id, rate, generator)[1]
    kind, chosen = torch.arange(ids.numel()).view(ids.shape) % 10, labels != -100
    strangers = torch.tensor([i for i in range(vocab_size) if i not in special_ids])
    strangers = strangers[torch.randint(len(strangers), ids.shape, generator=generator)]
    return torch.where(chosen & (kind < 8), mask_id, torch.where(chosen & (kind == 8), strangers, ids)), labels


RIGHT = {
    "package": package,
    "one draw": one_draw_rescaled,
    "two halves": in_two_halves,
    "token by token": token_by_token,
}
WRONG = {
    "never the last id": (stranger(pool=lambda size: size - 1), "last id is never drawn"),
    "rate spread": (stranger(spread), "not for the ordinary ones"),
    "fixed number": (stranger(fixed), "fixed number of places is picked from the batch"),
    "never the old one": (stranger(other=True), "never the old one"),
    "labels 0": (stranger(fill=0), "the label 0 marks"),
    "79/11/10": (lambda *given: package(*given, (0.79, 0.11, 0.10)), "0.8 and with 0.9"),
    "82/9/9": (lambda *given: package(*given, (0.82, 0.09, 0.09)), "0.8 and with 0.9"),
    "rate a little high": (lambda *given: package(*given[:4], min(1, given[4] * 1.15), given[5]), "with rate"),
    "by place": (by_place, "another seed gives other replacements"),
    "some specials": (lambda ids, special, *rest: package(ids, (2, 17), *rest), "special tokens|ordinary"),
    "drawn apart": (draws_apart, "drawn apart|label is -100"),
    "in place": (in_place, "changes an input"),
    "from the batch": (batch_only, "drawn from the texts"),
    "unchanged": (lambda ids, *rest: (ids, ids), "special tokens that change"),
    "inputs only": (lambda *given: package(*given)[0], "return inputs, labels"),
    "float labels": (lambda *given: (package(*given)[0], package(*given)[1].float()), "labels has dtype float32"),
    "int32": (lambda *given: tuple(part.int() for part in package(*given)), "int64"),
    "lists": (lambda *given: tuple(part.tolist() for part in package(*given)), "inputs is a list"),
    "no generator": (lambda ids, special, vocab, mask, rate: (ids, ids), "signature"),
}
