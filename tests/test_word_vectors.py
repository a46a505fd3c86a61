"""Skip-gram and CBOW: losses against naive loops, windows against pairs by hand, and planted mistakes that turn red."""

import math
from itertools import pairwise

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from minibert.word_vectors import (
    WordVectors,
    cbow_loss,
    count_corpus,
    keep_probabilities,
    noise_probabilities,
    skipgram_loss,
    split_words,
    train_word_vectors,
    windows,
)
from minibert.word_vectors.skipgram import cbow_gradients, skipgram_gradients


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


# ---------------------------------------------------------------- words


def test_a_corpus_is_numbered_by_frequency_and_remembers_its_texts():
    corpus = count_corpus([["b", "a", "x"], [], ["a", "c", "a", "c"]], min_count=1)
    assert corpus.words == ("a", "c", "b", "x")  # 3, 2, 1, 1: ties by the alphabet
    assert corpus.counts.tolist() == [3, 2, 1, 1]
    assert [corpus.words[i] for i in corpus.ids.tolist()] == ["b", "a", "x", "a", "c", "a", "c"]
    assert corpus.texts.tolist() == [0, 0, 0, 2, 2, 2, 2]
    rarer = count_corpus([["b", "a", "x"], [], ["a", "c", "a", "c"]], min_count=2)
    assert rarer.words == ("a", "c") and rarer.texts.tolist() == [0, 2, 2, 2, 2]


def test_words_are_letters_with_apostrophes():
    assert split_words("Don’t pay $5 to the Nation's café—NOW!") == [
        "don’t",
        "pay",
        "to",
        "the",
        "nation's",
        "café",
        "now",
    ]


# ---------------------------------------------------------------- what is drawn


def check_noise(function):
    """Drawn often enough, the negatives come as counts ** 0.75 says, not as the counts themselves."""
    counts = torch.tensor([4096, 256, 16, 1])
    by_hand = [512, 64, 8, 1]  # 4096 ** 0.75 and so on
    got = function(counts)
    drawn = torch.multinomial(got, 585_000, replacement=True, generator=generator()).bincount(minlength=4)
    for seen, share in zip(drawn.tolist(), by_hand, strict=True):
        expected = 585_000 * share / sum(by_hand)
        assert abs(seen - expected) < 6 * math.sqrt(expected), f"{drawn.tolist()} drawn, expected about {by_hand}"


def test_negatives_are_drawn_with_the_three_quarters_power():
    check_noise(noise_probabilities)
    with pytest.raises(AssertionError, match="drawn"):
        check_noise(lambda counts: noise_probabilities(counts, power=1.0))  # the plain frequencies
    with pytest.raises(AssertionError, match="drawn"):
        check_noise(lambda counts: torch.full((4,), 0.25))


@given(st.lists(st.integers(1, 10**7), min_size=1, max_size=20), st.floats(1e-6, 1.0))
@settings(max_examples=50, deadline=None)
def test_subsampling_follows_the_formula(counts, threshold):
    kept = keep_probabilities(torch.tensor(counts), threshold)
    for count, probability in zip(counts, kept.tolist(), strict=True):
        frequency = count / sum(counts)
        dropped = max(0.0, 1 - math.sqrt(threshold / frequency))  # equation 5 of the paper
        assert math.isclose(probability, 1 - dropped, rel_tol=1e-5, abs_tol=1e-6)


def near_by_loops(texts, reach):
    """The specification of `windows`, pair by pair."""
    near = torch.zeros(*texts.shape, texts.shape[1], dtype=torch.bool)
    for row in range(len(texts)):
        for i in range(texts.shape[1]):
            for j in range(i - reach[row, i], i + reach[row, i] + 1):
                if 0 <= j < texts.shape[1] and j != i and texts[row, i] == texts[row, j] != -1:
                    near[row, i, j] = True
    return near


def check_windows(function):
    for seed in range(5):
        texts = torch.randint(-1, 2, (3, 9), generator=generator(seed)).sort(dim=1).values
        reach = torch.randint(1, 5, (3, 9), generator=generator(seed + 9))
        assert torch.equal(function(texts, reach), near_by_loops(texts, reach))


@given(st.integers(1, 3), st.integers(1, 12), st.integers(1, 12), st.integers(0, 999))
@settings(max_examples=50, deadline=None)
def test_windows_are_the_pairs_of_the_loops(rows, length, widest, seed):
    texts = torch.randint(-1, 3, (rows, length), generator=generator(seed))
    reach = torch.randint(1, widest + 1, (rows, length), generator=generator(seed + 1))
    assert torch.equal(windows(texts, reach), near_by_loops(texts, reach))


def test_planted_mistakes_of_the_window_are_seen():
    check_windows(windows)
    eye, ones = torch.eye(9, dtype=torch.bool), torch.ones(9, 9, dtype=torch.bool)
    mutants = {
        "one-sided": lambda texts, reach: windows(texts, reach) & ones.tril(),
        "counts itself": lambda texts, reach: windows(texts, reach) | eye,
        "exclusive": lambda texts, reach: windows(texts, reach - 1),
        "the reach of the other word": lambda texts, reach: windows(texts, reach).mT,
        "across texts": lambda texts, reach: windows(torch.zeros_like(texts), reach),
    }
    for name, mutant in mutants.items():
        with pytest.raises(AssertionError):
            check_windows(mutant)
            pytest.fail(f"not seen: {name}")


# ---------------------------------------------------------------- losses


def example(seed=0, B=2, T=6, D=4, M=7):
    """Tables, windows and noise for a loss."""
    tables = [torch.randn(B, T, D, generator=generator(seed + i), dtype=torch.float64) for i in range(2)]
    texts = torch.randint(0, 2, (B, T), generator=generator(seed + 2)).sort(dim=1).values
    near = windows(texts, torch.randint(1, 4, (B, T), generator=generator(seed + 3)))
    near[0, 2] = False  # a word without any context
    return *tables, near, torch.randn(M, D, generator=generator(seed + 4), dtype=torch.float64)


def skipgram_by_loops(centre, context, near, noise, negatives):
    """Pair by pair, with torch's binary cross-entropy: true pairs have label 1, pairs with noise label 0."""
    total, pairs = 0.0, 0
    one, zero = torch.tensor(1.0, dtype=torch.float64), torch.tensor(0.0, dtype=torch.float64)
    for b, i, j in near.nonzero().tolist():
        total = total + F.binary_cross_entropy_with_logits(centre[b, i] @ context[b, j], one)
        for word in noise:
            wrong = F.binary_cross_entropy_with_logits(centre[b, i] @ word, zero)
            total = total + wrong * negatives / len(noise)
        pairs += 1
    return total / pairs


def cbow_by_loops(context, centre, near, noise, negatives):
    total, words = 0.0, 0
    for b, i in near.any(-1).nonzero().tolist():
        mean = torch.stack([context[b, j] for j in near[b, i].nonzero().flatten().tolist()]).mean(0)
        total = total - torch.sigmoid(mean @ centre[b, i]).log()
        total = total - sum(torch.sigmoid(-mean @ word).log() for word in noise) * negatives / len(noise)
        words += 1
    return total / words


def check_loss(function, by_loops):
    """Value and gradient agree with the loops."""
    for seed in (0, 10):
        first, second, near, noise = example(seed)
        inputs = [x.clone().requires_grad_() for x in (first, second, noise)]
        got = function(inputs[0], inputs[1], near, inputs[2], 5)
        copies = [x.clone().requires_grad_() for x in (first, second, noise)]
        want = by_loops(copies[0], copies[1], near, copies[2], 5)
        assert torch.allclose(got, want), f"loss {got.item():.4f}, the loops say {want.item():.4f}"
        for mine, theirs in zip(torch.autograd.grad(got, inputs), torch.autograd.grad(want, copies), strict=True):
            assert torch.allclose(mine, theirs), "the gradient differs"


def test_the_losses_are_those_of_the_loops():
    check_loss(skipgram_loss, skipgram_by_loops)
    check_loss(cbow_loss, cbow_by_loops)


def check_gradients(function, by_loops):
    """A loss with its gradients written out is that of the loops, and its gradients are those of autograd."""
    for seed in (0, 10):
        first, second, near, noise = example(seed)
        inputs = [x.clone().requires_grad_() for x in (first, second, noise)]
        want = by_loops(inputs[0], inputs[1], near, inputs[2], 5)
        got, *gradients = function(first, second, near, noise, 5)
        assert torch.allclose(got, want), f"loss {got.item():.4f}, the loops say {want.item():.4f}"
        for mine, theirs in zip(gradients, torch.autograd.grad(want, inputs), strict=True):
            assert torch.allclose(mine, theirs), "the gradient differs"
        assert all((x == 0).all() for x in function(first, second, torch.zeros_like(near), noise, 5)), "without a pair"


def test_the_gradients_written_out_are_those_of_the_loops():
    check_gradients(skipgram_gradients, skipgram_by_loops)
    check_gradients(cbow_gradients, cbow_by_loops)
    with pytest.raises(AssertionError):
        check_gradients(cbow_gradients, skipgram_by_loops)


def mutant_loss(mistake):
    """Skip-gram's loss with one planted mistake."""

    def loss(centre, context, near, noise, negatives):
        log = (lambda x: x) if mistake == "no log-sigmoid" else F.logsigmoid
        if mistake == "sigmoid without log":
            log = torch.sigmoid
        sign = 1 if mistake == "negatives not negated" else -1
        pairs = near.sum(-1)
        true = (log(centre @ context.mT) * near).sum()
        share = 1 if mistake == "all noise words count" else negatives / len(noise)
        false = (log(sign * (centre @ noise.T)).sum(-1) * pairs).sum() * share
        if mistake == "negatives once for each word":
            false = log(-centre @ noise.T).sum() * share
        return -(true + false) / (near.numel() if mistake == "averages over all" else pairs.sum())

    return loss


def test_planted_mistakes_of_the_loss_are_seen():
    check_loss(mutant_loss("none"), skipgram_by_loops)
    for mistake in (
        "negatives not negated",
        "no log-sigmoid",
        "sigmoid without log",
        "all noise words count",
        "negatives once for each word",
        "averages over all",
    ):
        with pytest.raises(AssertionError):
            check_loss(mutant_loss(mistake), skipgram_by_loops)
            pytest.fail(f"not seen: {mistake}")
    with pytest.raises(AssertionError):
        check_loss(lambda context, centre, *rest: cbow_loss(centre, context, *rest), cbow_by_loops)


def test_a_shared_noise_is_k_draws_for_each_pair_on_average():
    """The mean of the shared form over many draws is the paper's: k negatives for each pair."""
    first, second, near, table = example(3, M=9)
    probabilities = noise_probabilities(torch.arange(1, 10))
    expected_term = (F.logsigmoid(-first @ table.T) * probabilities).sum(-1)  # (B, T) of one negative
    true = (F.logsigmoid(first @ second.mT) * near).sum()
    want = -(true + 5 * (expected_term * near.sum(-1)).sum()) / near.sum()
    drawn = torch.multinomial(probabilities, 200_000, replacement=True, generator=generator())
    got = skipgram_loss(first, second, near, table[drawn], 5)
    assert abs(got - want) < 0.02


def test_without_any_pair_the_loss_is_zero_and_not_nan():
    first, second, near, noise = example()
    for loss in (skipgram_loss, cbow_loss):
        assert loss(first.float(), second.float(), torch.zeros_like(near), noise.float()).item() == 0.0


# ---------------------------------------------------------------- training


def two_worlds(sentences=400):
    """Two sets of words that never meet: whoever learns from neighbours must tell the sets apart."""
    worlds = [[f"{name}{i}" for i in range(8)] for name in ("sea", "sky")]
    picks = torch.randint(8, (sentences, 6), generator=generator(5)).tolist()
    return count_corpus([[worlds[n % 2][i] for i in row] for n, row in enumerate(picks)], min_count=1)


def same_world(vectors):
    """The share of words whose nearest neighbour is of their own world."""
    return sum(vectors.neighbours(word, 1)[0][0][:3] == word[:3] for word in vectors.words) / len(vectors.words)


@pytest.mark.parametrize("kind", ["skipgram", "cbow"])
def test_training_finds_which_words_go_together(kind):
    corpus = two_worlds()
    settings = dict(kind=kind, width=8, threshold=1.0, generator=generator())
    trained = train_word_vectors(corpus, epochs=20, **settings)
    assert same_world(trained.vectors) == 1.0
    assert sum(trained.losses[-5:]) < 0.8 * sum(trained.losses[:5])
    untrained = train_word_vectors(corpus, epochs=0, **settings)
    assert untrained.losses == [] and same_world(untrained.vectors) < 1.0


@pytest.mark.parametrize("kind", ["skipgram", "cbow"])
def test_the_seed_decides_everything(kind):
    corpus = two_worlds(100)
    before = corpus.ids.clone(), corpus.texts.clone(), corpus.counts.clone()
    torch.manual_seed(1)
    one = train_word_vectors(corpus, kind, width=4, epochs=2, generator=generator(3))
    torch.manual_seed(2)
    again = train_word_vectors(corpus, kind, width=4, epochs=2, generator=generator(3))
    other = train_word_vectors(corpus, kind, width=4, epochs=2, generator=generator(4))
    assert torch.equal(one.vectors.matrix, again.vectors.matrix) and one.losses == again.losses
    assert not torch.equal(one.vectors.matrix, other.vectors.matrix)
    assert all(torch.equal(x, y) for x, y in zip(before, (corpus.ids, corpus.texts, corpus.counts), strict=True))


def test_what_skipgram_learns_is_pmi_minus_log_k():
    """Levy and Goldberg 2014: with room enough, centre . context = log(P(i, j) / (P(i) P_noise(j))) - log k."""
    joint = torch.tensor([[0.30, 0.10], [0.10, 0.50]])  # how often two words stand side by side
    pairs = torch.multinomial(joint.flatten(), 6000, replacement=True, generator=generator())
    corpus = count_corpus([["ab"[p // 2], "ab"[p % 2]] for p in pairs.tolist()], min_count=1)
    settings = dict(width=8, half_window=1, threshold=1.0, negatives=2, epochs=60, learning_rate=0.02)
    trained = train_word_vectors(corpus, **settings, generator=generator(1))
    place = [corpus.words.index(word) for word in "ab"]
    learned = (trained.first.matrix @ trained.second.matrix.T)[place][:, place]
    given = joint / joint.sum(1, keepdim=True)  # P(j | i)
    noise = noise_probabilities(corpus.counts)[place]
    assert torch.allclose(learned, (given / noise).log() - math.log(2), atol=0.15)


# ---------------------------------------------------------------- the table


def small_table():
    return WordVectors(("king", "queen", "man", "woman", "fish"), [[2, 2], [2, -2], [0, 1], [0, -1], [-3, 0]])


def test_neighbours_analogies_and_phrases():
    table = small_table()
    assert [word for word, _ in table.neighbours("king", 2)] == ["queen", "man"] or table.neighbours("king", 1)[0][
        1
    ] > 0
    cosines = [cosine for _, cosine in table.neighbours("king", 4)]
    assert cosines == sorted(cosines, reverse=True) and len(table.neighbours("king", 99)) == 4
    assert table.analogy("man", "king", "woman", 1)[0][0] == "queen"
    assert len(table.analogy("man", "king", "woman", 99, leave_out=False)) == 5
    assert torch.equal(table.phrase(["king", "fish"]), torch.tensor([-1.0, 2.0]))
    assert torch.equal(table["man"], torch.tensor([0.0, 1.0])) and "man" in table and "cat" not in table


def test_the_words_of_the_question_are_left_out_unless_wanted():
    table = WordVectors(("a", "b", "c", "d"), [[1.0, 0.1, 0], [1, 0, 0.1], [0, 1, 0], [0, 0, 1.0]])
    assert table.analogy("a", "b", "c", 1, leave_out=False)[0][0] == "c"  # b - a is small: the answer is the question
    assert table.analogy("a", "b", "c", 1)[0][0] == "d"


def test_a_sum_does_not_know_its_order():
    vectors = WordVectors([str(i) for i in range(50)], torch.randn(50, 16, generator=generator()) * 1e3)
    words = [str(i) for i in torch.randperm(50, generator=generator(1)).tolist()]
    assert torch.equal(vectors.phrase(words), vectors.phrase(words[::-1])), "equal to the last bit"


@pytest.mark.parametrize(
    ("call", "complaint"),
    [
        (lambda: split_words(b"bytes"), "bytes"),
        (lambda: count_corpus("a text"), "one string"),
        (lambda: count_corpus(["a text"]), "text 0 is a string"),
        (lambda: count_corpus([["a"]], min_count=0), "min_count"),
        (lambda: count_corpus([["a"]], min_count=2), "no word"),
        (lambda: keep_probabilities(torch.tensor([1, 0])), "above 0"),
        (lambda: keep_probabilities(torch.tensor([1]), threshold=0.0), "threshold"),
        (lambda: noise_probabilities(torch.ones(2, 2)), "above 0"),
        (lambda: windows(torch.zeros(2, 3), torch.ones(2, 4)), r"\(2, 4\)"),
        (lambda: skipgram_loss(*example()[:3], torch.ones(7, 5)), r"\(7, 5\)"),
        (lambda: cbow_loss(torch.ones(6, 4), *example()[1:]), r"\(6, 4\)"),
        (lambda: train_word_vectors(two_worlds(9), "glove", generator=generator()), "skipgram"),
        (lambda: train_word_vectors(two_worlds(9), width=0, generator=generator()), "width"),
        (lambda: train_word_vectors(two_worlds(9), epochs=-1, generator=generator()), "epochs"),
        (lambda: train_word_vectors(two_worlds(9), learning_rate=0.0, generator=generator()), "learning_rate"),
        (lambda: train_word_vectors(two_worlds(9), generator=3), "Generator"),
        (lambda: WordVectors(("a",), [[1.0], [2.0]]), "one row"),
        (lambda: WordVectors(("a", "a"), [[1.0], [2.0]]), "twice"),
        (lambda: WordVectors(("a",), [[float("nan")]]), "diverged"),
        (lambda: small_table()["cat"], "cat"),
        (lambda: small_table().analogy("man", "king", "cat"), "cat"),
        (lambda: small_table().nearest(torch.ones(3)), "width 2"),
        (lambda: small_table().phrase("king"), "list"),
    ],
)
def test_bad_input_is_refused_with_a_reason(call, complaint):
    with pytest.raises(ValueError, match=complaint):
        call()


def test_texts_shorter_than_a_row_and_longer_ones_are_all_read():
    """Each kept word lies in exactly one row, whatever the length."""
    from minibert.word_vectors.skipgram import _rows

    for length in (1, 31, 32, 33, 100):
        kept = torch.ones(length, dtype=torch.bool)
        rows = _rows(kept, generator(length))
        assert rows[rows >= 0].tolist() == list(range(length))
        assert all(b - a == 1 for a, b in pairwise(rows[rows >= 0].tolist()))
