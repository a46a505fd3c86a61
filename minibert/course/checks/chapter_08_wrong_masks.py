"""Exercise 8.1: the solution, and ways to mask that only look right."""

import torch

from minibert.course.exercise import Mutant


def _mask_tokens(ids, special_ids, vocab_size, mask_id, rate, generator):
    ordinary = torch.tensor([i for i in range(vocab_size) if i not in special_ids])
    is_special = torch.isin(ids, torch.tensor(special_ids))
    chosen = (torch.rand(ids.shape, generator=generator) < rate) & ~is_special
    kind = torch.rand(ids.shape, generator=generator)
    picks = ordinary[torch.randint(len(ordinary), ids.shape, generator=generator)]
    inputs = torch.where(chosen & (kind < 0.8), mask_id, ids)
    inputs = torch.where(chosen & (kind >= 0.8) & (kind < 0.9), picks, inputs)
    return inputs, torch.where(chosen, ids, -100)


def _variant(
    spare_special=True,
    shape=None,
    kind_shape=None,
    pick_shape=None,
    kinds=None,
    low=None,
    labels=None,
    picks=None,
    below=True,
    fixed_rate=None,
    once=False,
    generators=(True, True, True),
):
    """The solution with one of its lines changed."""

    def mask_tokens(ids, special_ids, vocab_size, mask_id, rate, generator):
        first, second, third = (generator if used else None for used in generators)
        special = torch.tensor(special_ids)
        ordinary = torch.tensor([i for i in range(vocab_size) if i not in special_ids])
        draw = torch.rand(shape(ids) if shape else ids.shape, generator=first).expand(ids.shape)
        chosen = (draw < (fixed_rate or rate)) if below else (draw > rate)
        if spare_special:
            chosen = chosen & ~torch.isin(ids, special)
        kind = torch.rand(kind_shape(ids) if kind_shape else ids.shape, generator=second).expand(ids.shape)
        kind = draw if once else kind
        where = pick_shape(ids) if pick_shape else ids.shape
        if picks:
            new = picks(ids, special_ids, vocab_size, mask_id, third)
        else:
            new = ordinary[torch.randint(len(ordinary), where, generator=third)].expand(ids.shape)
        masked, random = kinds(kind, third) if kinds else (kind < 0.8, (kind >= 0.8) & (kind < 0.9))
        inputs = torch.where(chosen & masked, mask_id, ids)
        inputs = torch.where(chosen & random, new, inputs)
        return inputs, labels(ids, inputs, chosen, mask_id) if labels else torch.where(chosen, ids, -100)

    return mask_tokens


def _rest_of_rest(kind, generator):
    random = torch.rand(kind.shape, generator=generator) < 0.1
    return ~random & (kind < 0.9), random


def _rest_first_kept(kind, generator):
    kept = torch.rand(kind.shape, generator=generator) < 0.1
    return ~kept & (kind < 0.9), ~kept & (kind >= 0.9)


def _two_draws(kind, generator):
    return kind < 0.8, torch.rand(kind.shape, generator=generator) < 0.1


def _tenth_of_rest(kind, generator):
    return kind < 0.8, (kind >= 0.8) & (torch.rand(kind.shape, generator=generator) < 0.1)


def _changes_its_input(ids, special_ids, vocab_size, mask_id, rate, generator):
    labels = torch.full_like(ids, -100)
    chosen = (torch.rand(ids.shape, generator=generator) < rate) & ~torch.isin(ids, torch.tensor(special_ids))
    labels[chosen] = ids[chosen]
    ids[chosen] = mask_id
    return ids, labels


def _own_seed(ids, special_ids, vocab_size, mask_id, rate, generator):
    return _mask_tokens(ids, special_ids, vocab_size, mask_id, rate, torch.Generator().manual_seed(0))


def _seeds_again(ids, special_ids, vocab_size, mask_id, rate, generator):
    generator = torch.Generator().manual_seed(generator.initial_seed())
    return _mask_tokens(ids, special_ids, vocab_size, mask_id, rate, generator)


def _other_way_round(*arguments):
    return _mask_tokens(*arguments)[::-1]


def _inputs_only(*arguments):
    return _mask_tokens(*arguments)[0]


def _float_labels(*arguments):
    inputs, labels = _mask_tokens(*arguments)
    return inputs, labels.float()


def _labels_apart(ids, special_ids, vocab_size, mask_id, rate, generator):
    inputs, _ = _mask_tokens(ids, special_ids, vocab_size, mask_id, rate, generator)
    return inputs, _mask_tokens(ids, special_ids, vocab_size, mask_id, rate, generator)[1]


def _fixed_number(ids, special_ids, vocab_size, mask_id, rate, generator):
    ordinary = ~torch.isin(ids, torch.tensor(special_ids))
    draw = torch.rand(ids.shape, generator=generator).masked_fill(~ordinary, 2.0)
    chosen = draw.argsort(1).argsort(1) < (rate * ordinary.sum(1, keepdim=True)).round()
    inputs, _ = _mask_tokens(ids, special_ids, vocab_size, mask_id, 1.0, generator)
    return torch.where(chosen, inputs, ids), torch.where(chosen, ids, -100)


def _minus_one(ids, inputs, chosen, mask_id):
    return torch.where(chosen, ids, -1)


def _any_token(ids, special_ids, vocab_size, mask_id, generator):
    return torch.randint(vocab_size, ids.shape, generator=generator)


def _ordinary_or_mask(ids, special_ids, vocab_size, mask_id, generator):
    allowed = torch.tensor([i for i in range(vocab_size) if i not in special_ids or i == mask_id])
    return allowed[torch.randint(len(allowed), ids.shape, generator=generator)]


def _behind_the_specials(ids, special_ids, vocab_size, mask_id, generator):
    return torch.randint(len(special_ids), vocab_size, ids.shape, generator=generator)


def _from_the_batch(ids, special_ids, vocab_size, mask_id, generator):
    pool = ids[~torch.isin(ids, torch.tensor(special_ids))]
    return pool[torch.randint(len(pool), ids.shape, generator=generator)]


def _beyond_the_end(ids, special_ids, vocab_size, mask_id, generator):
    allowed = torch.tensor([i for i in range(vocab_size + 1) if i not in special_ids])
    return allowed[torch.randint(len(allowed), ids.shape, generator=generator)]


def _all_but_the_last(ids, special_ids, vocab_size, mask_id, generator):
    allowed = torch.tensor([i for i in range(vocab_size) if i not in special_ids])
    return allowed[torch.randint(len(allowed) - 1, ids.shape, generator=generator)]


MASKS = [
    Mutant("81/10/9", _variant(kinds=_rest_of_rest), "81/10/9.*shares of a rest"),
    Mutant("81/9/10", _variant(kinds=_rest_first_kept), "81/9/10"),
    Mutant("random overwrites [MASK]", _variant(kinds=_two_draws), "overwrite some"),
    Mutant("a tenth of the rest", _variant(kinds=_tenth_of_rest), "half of that rest"),
    Mutant("100/0/0", _variant(kinds=lambda k, g: (k < 2, k > 2)), "every chosen token becomes"),
    Mutant("80/20/0", _variant(kinds=lambda k, g: (k < 0.8, k >= 0.8)), "half of them stay"),
    Mutant("80/0/20", _variant(kinds=lambda k, g: (k < 0.8, k > 2)), "no token becomes random"),
    Mutant("10/10/80", _variant(kinds=lambda k, g: (k < 0.1, (k >= 0.1) & (k < 0.2))), "80 % of the chosen stay"),
    Mutant("one draw for both steps", _variant(once=True), "draw a second time"),
    Mutant("masks special tokens", _variant(spare_special=False), "special tokens are masked too"),
    Mutant("the random token may be special", _variant(picks=_any_token), "random token is a special one"),
    Mutant("the random token may be [MASK]", _variant(picks=_ordinary_or_mask), r"may be \[MASK\] itself"),
    Mutant("random from a range of ids", _variant(picks=_behind_the_specials), "random token is a special one"),
    Mutant("random from the batch", _variant(picks=_from_the_batch), "from the texts themselves"),
    Mutant("random beyond the end", _variant(picks=_beyond_the_end), "stops before vocab_size"),
    Mutant("random never the last id", _variant(picks=_all_but_the_last), "a part of the vocabulary"),
    Mutant("one random id", _variant(pick_shape=lambda ids: (1, 1)), "shared by many tokens"),
    Mutant("one random id a text", _variant(pick_shape=lambda ids: (len(ids), 1)), "shared by many tokens"),
    Mutant("changes its input", _changes_its_input, "changes an input"),
    Mutant("labels everywhere", _variant(labels=lambda ids, *rest: ids.clone()), "labels everywhere"),
    Mutant(
        "labels of changed tokens only", _variant(labels=lambda i, x, c, m: torch.where(x != i, i, -100)), "stays as"
    ),
    Mutant(
        "labels of [MASK] only", _variant(labels=lambda i, x, c, m: torch.where(x == m, i, -100)), r"became \[MASK\]"
    ),
    Mutant("labels after masking", _variant(labels=lambda i, x, c, m: torch.where(c, x, -100)), "after masking"),
    Mutant("-1 for no label", _variant(labels=_minus_one), "has to be -100"),
    Mutant("labels drawn apart", _labels_apart, "same `chosen` for both"),
    Mutant("rate per text", _variant(shape=lambda ids: (len(ids), 1)), "shared by all tokens of a text"),
    Mutant("rate per place", _variant(shape=lambda ids: (1, ids.shape[1])), "shared by all tokens of a place"),
    Mutant("kind per text", _variant(kind_shape=lambda ids: (len(ids), 1)), "shared by all tokens of a text"),
    Mutant("a fixed number per text", _fixed_number, "fixed number of places"),
    Mutant("1 - rate", _variant(below=False), "turned round"),
    Mutant("0.15 written down", _variant(fixed_rate=0.15), "`rate` is not used"),
    Mutant("draws from the global seed", _variant(generators=(False, True, True)), "global state"),
    Mutant("replaces from the global seed", _variant(generators=(True, False, True)), "global state"),
    Mutant("picks from the global seed", _variant(generators=(True, True, False)), "global state"),
    Mutant("a seed of its own", _own_seed, "generator is not used"),
    Mutant("seeds the generator again", _seeds_again, "copied or seeded anew"),
    Mutant("labels first", _other_way_round, "wrong way round"),
    Mutant("inputs only", _inputs_only, "return inputs, labels"),
    Mutant("float labels", _float_labels, "labels has dtype float32"),
]
