"""Chapter 9's checks accept what is right in another way, help with one part at a time, and see through near misses."""

import json
import math
import random
from pathlib import Path

import pytest
import torch
from torch.nn import functional as F

from minibert.course import examine
from minibert.course.checks import chapter_09_wrong_losses
from minibert.course.checks.chapter_09_chance import COINS, LUCK, STRAY, _most
from minibert.course.checks.chapter_09_losses import CLUES
from minibert.course.checks.chapter_09_mutants import SOLUTIONS
from minibert.course.exercise import STUB

ROOT = Path(__file__).parents[1]
SEEDS = [0, 1, 7, 20_000, 2**40]


def stub(*arguments):
    raise NotImplementedError(STUB)


def yields_its_pairs(documents, rng):
    for index, document in enumerate(documents):
        waiting = list(document)
        while waiting:
            a = waiting.pop(0)
            if waiting and rng.choice([True, False]):
                yield a, waiting.pop(0), 0
            else:
                other = index
                while other == index:
                    other = rng.randrange(len(documents))
                yield a, documents[other][rng.randint(0, len(documents[other]) - 1)], 1


def all_strangers_alike_and_shuffled(documents, rng):
    pairs = []
    for index, document in enumerate(documents):
        strangers = [s for number, other in enumerate(documents) if number != index for s in other]
        place = 0
        while place < len(document):
            if place + 1 < len(document) and rng.randrange(2):
                pairs.append([document[place], document[place + 1], torch.tensor(0)])
                place += 2
            else:
                pairs.append([document[place], rng.sample(strangers, 1)[0], torch.tensor(1)])
                place += 1
    rng.shuffle(pairs)
    return tuple(pairs)


def documents_in_any_order_no_stranger_twice(documents, rng):
    pairs, order = [], list(range(len(documents)))
    rng.shuffle(order)
    for index in order:
        strangers = rng.sample([s for n in order if n != index for s in documents[n]], sum(map(len, documents)) // 2)
        rest = iter(documents[index])
        a = next(rest)
        while a is not None:
            following = next(rest, None)
            if following is None or rng.getrandbits(1):
                pairs.append((a, strangers.pop() if strangers else documents[index - 1][0], 1))
                a = following
            else:
                pairs.append((a, following, 0))
                a = next(rest, None)
    return pairs


def one_flat_list_and_rejection(documents, rng):
    flat = [(number, sentence) for number, document in enumerate(documents) for sentence in document]
    place, pairs = 0, []
    while place < len(flat):
        number, a = flat[place]
        ends = place + 1 == len(flat) or flat[place + 1][0] != number
        is_random = ends or rng.uniform(0, 1) >= 0.5
        stranger = rng.choice(flat)
        while stranger[0] == number:
            stranger = rng.choice(flat)
        pairs.append((a, stranger[1] if is_random else flat[place + 1][1], int(is_random)))
        place += 2 - is_random
    return pairs


def from_the_end_with_floats(documents, rng):
    pairs = []
    for index in reversed(range(len(documents))):
        document, place = documents[index], 0
        others = documents[:index] + documents[index + 1 :]
        while place < len(document):
            other = others[int(rng.random() * len(others))]
            stranger = other[int(rng.random() * len(other))]
            if place < len(document) - 1 and rng.random() > 0.5:
                pairs.append((document[place], document[place + 1], False))
                place += 1
            else:
                pairs.append((document[place], stranger, True))
            place += 1
    return pairs


OTHER_PAIRS = [
    yields_its_pairs,
    all_strangers_alike_and_shuffled,
    documents_in_any_order_no_stranger_twice,
    one_flat_list_and_rejection,
    from_the_end_with_floats,
]


@pytest.mark.parametrize("answer", OTHER_PAIRS)
@pytest.mark.parametrize("seed", SEEDS)
def test_pairs_may_be_made_in_other_ways(answer, seed):
    assert examine("9.1", answer, seed).message == "9.1 passed"


def test_a_right_answer_is_not_refused_by_bad_luck():
    for seed in range(100, 130):
        assert examine("9.1", SOLUTIONS["9.1"], seed).message == "9.1 passed", seed


def test_bad_luck_is_rarer_than_one_in_a_million():
    """The tails of all counts that chapter_09_chance bounds, added up."""
    ways = total = 1  # C(n, k): how many of the 2^n sequences of tosses have k heads
    for heads in range(1, COINS // 2 - STRAY):
        ways = ways * (COINS - heads + 1) // heads
        total += ways
    one_side = math.exp(math.log(total) - COINS * math.log(2))
    counts = 9 * 2 * 9 + 30 + 29 + 30  # places for A's places and both ends, documents, steps from A's and the last B's
    assert 2 * 4 * one_side + counts * math.exp(-LUCK) < 1e-6


@pytest.mark.parametrize("mean", [3.0, 60.0, 290.0])
def test_the_bound_of_a_count_holds_for_a_poisson_count(mean):
    term = tail = math.exp(-mean + math.floor(_most(mean)) * math.log(mean) - math.lgamma(math.floor(_most(mean)) + 1))
    for more in range(math.floor(_most(mean)) + 1, math.floor(_most(mean)) + 2000):
        term *= mean / more
        tail += term
    assert tail < math.exp(-LUCK)


def test_a_crash_in_a_generator_is_the_learners_line():
    def broken(documents, rng):
        yield documents[0][99], documents[1][0], 1

    outcome = examine("9.1", broken)
    assert outcome.status == "error" and "documents[0][99]" in outcome.message and "past the end" in outcome.message


def test_wrong_pairs_beyond_the_listed_mutants():
    def off_by_one_document(documents, rng):  # document 0 is never drawn
        def stranger(index):
            return rng.choice(documents[rng.choice([n for n in range(1, len(documents)) if n != index] or [0])])

        return walk(documents, rng, stranger)

    def only_far_documents(documents, rng):
        def stranger(index):
            return rng.choice(documents[(index + len(documents) // 2) % len(documents)])

        return walk(documents, rng, stranger)

    def mostly_others(documents, rng):  # nine times in ten it looks
        def stranger(index):
            others = [d for n, d in enumerate(documents) if n != index or (len(d) > 1 and rng.random() < 0.1)]
            return rng.choice(rng.choice(others))

        return walk(documents, rng, stranger)

    def walk(documents, rng, stranger):
        pairs = []
        for index, document in enumerate(documents):
            place = 0
            while place < len(document):
                lonely = place == len(document) - 1 or rng.random() < 0.5
                pairs.append((document[place], stranger(index) if lonely else document[place + 1], int(lonely)))
                place += 1 if lonely else 2
        return pairs

    for answer, says in (
        (off_by_one_document, "document 0"),
        (only_far_documents, "from 1 other"),
        (mostly_others, "A's own document"),
    ):
        assert says in examine("9.1", answer).message


def by_softplus(logits, labels):
    margin = (logits[:, 1] - logits[:, 0]) * (2 * labels - 1)
    return F.softplus(-margin).mean()


def by_one_hot(logits, labels):
    return -(F.one_hot(labels, 2) * logits.log_softmax(-1)).sum() / len(labels)


def by_weight(logits, labels):
    return F.cross_entropy(logits, labels, weight=torch.tensor([0.0, 1.0]))


def by_division(logits, labels):
    return -(logits.log_softmax(-1)[:, 1] * labels).sum() / labels.sum()


@pytest.mark.parametrize("right", [by_softplus, by_one_hot])
@pytest.mark.parametrize("reported", [by_weight, by_division])
@pytest.mark.parametrize("seed", SEEDS)
def test_losses_may_be_written_in_other_ways(right, reported, seed):
    guess = lambda labels: torch.stack([torch.zeros(len(labels)), torch.full((len(labels),), 9.0)], dim=1)  # noqa: E731
    assert examine("9.2", (reported, right, guess), seed).message == "9.2 passed"
    assert examine("9.2", [reported, right, guess], seed).message == "9.2 passed"


def test_the_table_of_the_exercise_is_the_one_that_is_checked():
    notebook = json.loads((ROOT / "solutions/09_next_sentence/09_next_sentence.ipynb").read_text(encoding="utf-8"))
    text = "".join("".join(cell["source"]) for cell in notebook["cells"])
    for row, (logits, labels, said) in enumerate(CLUES, 1):
        pairs = ", ".join(f"({a:.0f}, {b:.0f})" for a, b in logits)
        assert f"| {row} | {pairs} | {', '.join(map(str, labels))} | {said:.4f} |" in text
        got = chapter_09_wrong_losses._reported_loss(torch.tensor(logits), torch.tensor(labels))
        assert math.isclose(got.item(), said, abs_tol=1e-4)


def test_the_parts_are_looked_at_one_by_one():
    good = SOLUTIONS["9.2"]
    assert "reported_loss: right; not written yet: nsp_loss" in examine("9.2", (good[0], stub, stub)).message
    assert "nsp_loss: right" in examine("9.2", (stub, good[1], stub)).message
    assert examine("9.2", (stub, stub, stub)).status == "not attempted"
    tests = SOLUTIONS["9.3"]
    assert "norm_test: right; not written yet" in examine("9.3", (tests[0], *[stub] * 4)).message
    assert "your loss_test passes" in examine("9.3", (stub, stub, lambda loss: None, stub, stub)).message
    assert examine("9.3", (stub,) * 5).status == "not attempted"


def norm_at_width_two(norm):
    y = norm(torch.tensor([[1.0, 5.0], [-2.0, 9.0], [100.0, -1.0], [0.5, 1.5]]))
    torch.testing.assert_close(y.abs(), torch.ones(4, 2), atol=1e-3, rtol=0)


def norm_by_length(norm):
    y = norm(x=torch.randn(50, 3, generator=torch.Generator().manual_seed(1)) * 5 + 7)
    assert all(abs(row.norm().item() - 3**0.5) < 1e-3 and abs(row.sum().item()) < 1e-3 for row in y)


def pool_with_more_padding(pool):
    hidden = torch.randn(3, 5, 4, generator=torch.Generator().manual_seed(1))
    mask = torch.tensor([[1, 1, 1, 1, 0], [1, 1, 0, 0, 0], [1, 0, 0, 0, 0]])
    torch.testing.assert_close(pool(mask=mask, hidden=hidden)[2], hidden[2, 0])
    torch.testing.assert_close(pool(hidden, mask)[1], (hidden[1, 0] + hidden[1, 1]) / 2)


def pool_without_influence(pool):
    hidden = torch.randn(2, 5, 4, generator=torch.Generator().manual_seed(1))
    mask = torch.tensor([[True] * 4 + [False], [True] * 2 + [False] * 3])
    constant = hidden.masked_fill(~mask[..., None], 77.0)
    torch.testing.assert_close(pool(hidden, mask), pool(constant, mask))
    torch.testing.assert_close(pool(torch.ones(2, 5, 4), mask), torch.ones(2, 4))


def loss_by_gradient(loss):
    logits = torch.zeros(4, 2, requires_grad=True)
    loss(logits, torch.tensor([0, 1, 0, 1])).backward()
    pull = logits.grad.abs().sum(1)
    assert torch.allclose(pull, pull[:1].expand(4), atol=1e-5) and pull[0] > 0


def loss_pair_by_pair(loss):
    logits, labels = torch.tensor([[1.0, -2.0], [0.5, 3.0], [-1.0, 1.0]]), torch.tensor([0, 1, 0])
    alone = sum(loss(logits[i : i + 1], labels[i : i + 1]) for i in range(3)) / 3
    assert abs(loss(logits, labels) - alone) < 1e-4


def bias_of_nothing(score):
    bias = torch.tensor([1.0, -2.0, 3.0])
    assert torch.allclose(score(torch.zeros(2, 4), torch.randn(3, 4), bias), bias.expand(2, 3), atol=1e-5)


def masking_by_three_counts(mask):
    ids = torch.arange(5, 1000).repeat(1500)
    inputs, labels = mask(ids, torch.Generator().manual_seed(3))
    assert torch.equal(labels[labels != -100], ids[labels != -100])
    chosen = (labels != -100).sum().item()
    counts = [((inputs == 4) & (labels != -100)).sum(), ((inputs == ids) & (labels != -100)).sum()]
    counts.append(chosen - sum(counts))
    expected = [0.8 * chosen, 0.1 * chosen, 0.1 * chosen]
    wobble = [abs(count.item() - want) / want for count, want in zip(counts, expected, strict=True)]
    assert max(wobble) < 0.03 and abs(chosen / len(ids) - 0.15) < 0.003


OTHER_TESTS = [
    (0, norm_at_width_two),
    (0, norm_by_length),
    (1, pool_with_more_padding),
    (1, pool_without_influence),
    (2, loss_by_gradient),
    (2, loss_pair_by_pair),
    (3, bias_of_nothing),
    (4, masking_by_three_counts),
]


@pytest.mark.parametrize(("place", "test"), OTHER_TESTS)
def test_properties_may_be_tested_in_other_ways(place, test):
    answer = list(SOLUTIONS["9.3"])
    answer[place] = test
    assert examine("9.3", tuple(answer), 0, 30.0).message == "9.3 passed"


def the_five_of_the_notebook() -> dict:
    """The broken functions that the exercise shows, run as the learner runs them."""
    notebook = json.loads((ROOT / "solutions/09_next_sentence/09_next_sentence.ipynb").read_text(encoding="utf-8"))
    source = next("".join(c["source"]) for c in notebook["cells"] if "def norm(x)" in "".join(c["source"]))
    names = {"torch": torch, "F": F}
    exec(compile(source, "exercise", "exec"), names)
    return [names[name] for name in ("norm", "pool", "loss", "score", "mask")]


@pytest.mark.parametrize("place", range(5))
def test_each_shown_function_is_broken_as_the_text_says(place):
    with pytest.raises(AssertionError):
        SOLUTIONS["9.3"][place](the_five_of_the_notebook()[place])


def test_the_shown_masking_really_comes_out_at_81_10_9():
    ids = torch.randint(5, 1000, (400_000,), generator=torch.Generator().manual_seed(0))
    inputs, labels = the_five_of_the_notebook()[4](ids, torch.Generator().manual_seed(1))
    chosen = labels != -100
    shares = [(inputs[chosen] == 4).float().mean(), (inputs[chosen] == ids[chosen]).float().mean()]
    assert [round(share.item(), 2) for share in shares] == [0.81, 0.09]


def test_a_test_that_looks_and_does_not_judge_never_passes():
    def swallows(given):
        try:
            given()
        except Exception:
            pass

    def always_fails(given):
        raise AssertionError("no")

    def global_random_state(given):
        assert random.random() >= 0

    for test in (swallows, always_fails, global_random_state, len, lambda given: True):
        for place in range(5):
            answer = list(SOLUTIONS["9.3"])
            answer[place] = test
            outcome = examine("9.3", tuple(answer), 0, 30.0)
            assert outcome.status in ("wrong", "error") and "Traceback" not in outcome.message, outcome
