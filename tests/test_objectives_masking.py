"""Masking: exact fractions, specials left alone, and the classic mistakes turn the check red."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from minibert.objectives import mask_tokens

SPECIAL, MASK, VOCABULARY = (0, 1, 2, 3, 4), 4, 50


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def within(hits, trials, probability, sigmas=5.0):
    """Whether a binomial count lies within `sigmas` standard deviations of its mean."""
    return abs(hits - trials * probability) <= sigmas * math.sqrt(trials * probability * (1 - probability)) + 1e-9


def check(mask, rate=0.15, split=(0.8, 0.1, 0.1), count=600_000):
    """The contract of `mask_tokens`, to be applied to any function of its signature."""
    ids = torch.randint(0, VOCABULARY, (count,), generator=generator(7))
    ids[torch.rand(count, generator=generator(8)) < 0.1] = 0
    before = ids.clone()
    inputs, labels = mask(ids, SPECIAL, VOCABULARY, MASK, rate, split, generator=generator())
    assert torch.equal(ids, before), "the input was changed"
    special = ids < 5
    assert (labels[special] == -100).all(), "a special token is predicted"
    assert torch.equal(inputs[special], ids[special]), "a special token was replaced"
    chosen = labels != -100
    assert torch.equal(labels[chosen], ids[chosen]), "labels are not the original tokens"
    assert torch.equal(inputs[~chosen], ids[~chosen]), "an unlabelled token was replaced"
    ordinary, picked = int((~special).sum()), int(chosen.sum())
    assert within(picked, ordinary, rate), f"{picked / ordinary:.4f} of the tokens are chosen, not {rate}"
    masked = int((inputs[chosen] == MASK).sum())
    assert within(masked, picked, split[0]), f"{masked / picked:.4f} of the chosen become [MASK], not {split[0]}"
    # A random token equals the original once in 45 draws, so the visible share of "random" is a little smaller.
    changed = (inputs != ids) & (inputs != MASK)
    visible = split[1] * 44 / 45
    assert within(int(changed.sum()), picked, visible), f"{int(changed.sum()) / picked:.4f} random, not {visible:.4f}"
    drawn = torch.bincount(inputs[changed], minlength=VOCABULARY)
    assert drawn[:5].sum() == 0, "a random token is a special token"
    share = [within(int(n), int(changed.sum()), 1 / 45, sigmas=6) for n in drawn[5:]]
    assert all(share), "random tokens are not uniform over the ordinary ids"
    # [MASK] among the random tokens hides behind the 80 %: with nothing but random tokens it cannot.
    inputs, _ = mask(before, SPECIAL, VOCABULARY, MASK, 1.0, (0.0, 1.0, 0.0), generator=generator(1))
    assert (inputs[~special] >= 5).all(), "a random token is a special token"


@pytest.mark.parametrize("rate", [0.05, 0.15, 0.3, 1.0])
def test_fractions_are_exact(rate):
    check(mask_tokens, rate)


@pytest.mark.parametrize("split", [(1.0, 0.0, 0.0), (0.8, 0.2, 0.0), (0.0, 0.0, 1.0), (0.2, 0.3, 0.5), (0.0, 1.0, 0.0)])
def test_any_split(split):
    check(mask_tokens, 0.3, split)


def mutant(mistake):
    """`mask_tokens` written from scratch with one planted mistake."""

    def mask(ids, special_ids, vocab_size, mask_id, rate, split, *, generator):
        special = torch.isin(ids, torch.tensor(special_ids))
        eligible = torch.ones_like(special) if mistake == "masks specials" else ~special
        chosen = (torch.rand(ids.shape, generator=generator) < rate) & eligible
        kind = torch.rand(ids.shape, generator=generator)
        mask_share = split[0] + (0.01 if mistake == "81/10/9" else 0)
        to_mask = chosen & (kind < mask_share)
        to_random = chosen & (kind >= mask_share) & (kind < mask_share + split[1])
        low = {"random may be [MASK]": 4, "random may be special": 0}.get(mistake, 5)
        inputs = ids if mistake == "mutates input" else ids.clone()
        labels = ids.masked_fill(~chosen, -100)
        inputs[to_mask] = mask_id
        inputs[to_random] = torch.randint(low, vocab_size, ids.shape, generator=generator)[to_random]
        if mistake == "labels only [MASK]":
            labels = labels.masked_fill(~to_mask, -100)
        if mistake == "labels every token":
            labels = ids.masked_fill(~eligible, -100)
        return inputs, labels

    return mask


def test_the_unspoiled_rewrite_passes_the_check():
    check(mutant("none"), rate=0.3)


@pytest.mark.parametrize(
    "mistake, message",
    [
        ("81/10/9", r"become \[MASK\]"),
        ("masks specials", "special token is predicted"),
        ("random may be [MASK]", "random token is a special token"),
        ("random may be special", r"a special token|random, not"),
        ("mutates input", "input was changed"),
        ("labels only [MASK]", "unlabelled token was replaced"),
        ("labels every token", "of the tokens are chosen"),
    ],
)
def test_classic_mistakes_turn_the_check_red(mistake, message):
    with pytest.raises(AssertionError, match=message):
        check(mutant(mistake), rate=0.3)


@given(
    st.lists(st.integers(0, 19), min_size=1, max_size=40),
    st.floats(0, 1),
    st.integers(0, 2**31),
    st.sampled_from([torch.int32, torch.int64]),
)
@settings(max_examples=60, deadline=None)
def test_properties_on_small_inputs(tokens, rate, seed, dtype):
    ids = torch.tensor(tokens, dtype=dtype)
    inputs, labels = mask_tokens(ids, SPECIAL, 20, MASK, rate, generator=generator(seed))
    again = mask_tokens(ids, SPECIAL, 20, MASK, rate, generator=generator(seed))
    assert torch.equal(inputs, again[0]) and torch.equal(labels, again[1])
    assert ids.tolist() == tokens and inputs.dtype == labels.dtype == dtype
    chosen = labels != -100
    assert torch.equal(labels[chosen], ids[chosen]) and torch.equal(inputs[~chosen], ids[~chosen])
    assert not (chosen & (ids < 5)).any()


def test_padded_rows_work_like_packed_ones():
    ids = torch.randint(0, VOCABULARY, (8, 32), generator=generator(3))
    padded = mask_tokens(ids, SPECIAL, VOCABULARY, MASK, generator=generator())
    packed = mask_tokens(ids.flatten(), SPECIAL, VOCABULARY, MASK, generator=generator())
    assert padded[0].shape == (8, 32)
    assert torch.equal(padded[0].flatten(), packed[0]) and torch.equal(padded[1].flatten(), packed[1])


def test_mask_id_is_special_even_if_it_is_not_listed():
    ids = torch.full((1000,), MASK)
    _, labels = mask_tokens(ids, (0,), VOCABULARY, MASK, 1.0, generator=generator())
    assert (labels == -100).all()


@given(st.lists(st.tuples(st.integers(3, 9), st.booleans()), min_size=1, max_size=40), st.integers(0, 1000))
@settings(max_examples=60, deadline=None)
def test_whole_words_are_chosen_together(pieces, seed):
    """Ids 3 and 4 are special; a word runs from a start to the next start, a special token or the end."""
    ids = torch.tensor([i for i, _ in pieces])
    starts = torch.tensor([s for _, s in pieces])
    _, labels = mask_tokens(ids, (3, 4), 10, 4, 0.5, generator=generator(seed), word_starts=starts)
    for i in range(1, len(pieces)):
        both_ordinary = ids[i] > 4 and ids[i - 1] > 4
        if both_ordinary and not starts[i]:
            assert (labels[i] == -100) == (labels[i - 1] == -100)


def test_whole_words_keep_the_fractions_and_draw_replacements_piece_by_piece():
    ids = torch.randint(5, VOCABULARY, (2, 150_000), generator=generator(1))
    starts = torch.arange(150_000).expand(2, -1) % 3 == 0
    inputs, labels = mask_tokens(ids, SPECIAL, VOCABULARY, MASK, 0.3, generator=generator(), word_starts=starts)
    chosen = labels != -100
    words = chosen.view(2, -1, 3)
    assert (words.all(-1) == words.any(-1)).all()
    assert within(int(words[..., 0].sum()), 100_000, 0.3)
    assert within(int((inputs == MASK).sum()), int(chosen.sum()), 0.8)
    mask_in_word = (inputs == MASK).view(2, -1, 3)
    assert (mask_in_word.any(-1) & ~mask_in_word.all(-1)).any()  # some words are masked only in part


def test_a_row_starts_a_word_even_if_the_flags_forget_it():
    ids = torch.full((200, 2), 7)
    starts = torch.zeros(200, 2, dtype=torch.bool)
    _, labels = mask_tokens(ids, SPECIAL, VOCABULARY, MASK, 0.5, generator=generator(), word_starts=starts)
    rows = (labels != -100).all(1)
    assert 50 < int(rows.sum()) < 150  # one draw for each row, not one for the whole batch


def test_inputs_of_whole_word_masking_are_not_changed():
    ids, starts = torch.tensor([7, 8, 9]), torch.tensor([False, True, False])
    mask_tokens(ids, SPECIAL, VOCABULARY, MASK, 1.0, generator=generator(), word_starts=starts)
    assert ids.tolist() == [7, 8, 9] and starts.tolist() == [False, True, False]


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"ids": torch.tensor([1.0])}, "int32 or int64"),
        ({"ids": torch.zeros(1, 1, 1, dtype=torch.long)}, "int32 or int64"),
        ({"ids": torch.empty(0, dtype=torch.long)}, "empty"),
        ({"ids": torch.tensor([5, 50])}, "vocabulary is 0..49"),
        ({"ids": torch.tensor([-1, 5])}, "vocabulary is 0..49"),
        ({"mask_id": 50}, "mask_id 50"),
        ({"special_ids": (0, 99)}, "special ids"),
        ({"special_ids": range(50)}, "all 50 ids are special"),
        ({"rate": 1.5}, "between 0 and 1"),
        ({"rate": float("nan")}, "between 0 and 1"),
        ({"rate": "0.15"}, "between 0 and 1"),
        ({"split": (float("nan"), 0.5, 0.5)}, "sum to 1"),
        ({"generator": None}, r"generator is None; give a torch\.Generator"),
        ({"generator": 7}, "generator is 7"),
        ({"ids": [5, 6]}, "ids must be a tensor, got a list"),
        ({"word_starts": [True, True]}, "word_starts must be a tensor"),
        ({"split": (0.8, 0.1, 0.2)}, "sum to 1"),
        ({"split": (1.2, -0.1, -0.1)}, "sum to 1"),
        ({"split": (0.5, 0.5)}, "three probabilities"),
        ({"word_starts": torch.zeros(3, dtype=torch.bool)}, "shape of ids"),
    ],
)
def test_bad_input_is_explained(changes, message):
    arguments = {"ids": torch.tensor([5, 6]), "special_ids": SPECIAL, "vocab_size": VOCABULARY, "mask_id": MASK}
    with pytest.raises(ValueError, match=message):
        mask_tokens(**(arguments | {"generator": generator()} | changes))
