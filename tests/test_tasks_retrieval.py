"""Rankings against scikit-learn's nDCG, search against a loop, and an encoder tuned until it finds translations."""

import math
import random

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import spearmanr
from sklearn.metrics import ndcg_score, roc_auc_score

import minibert.tasks
from minibert import EncoderConfig, MaskedLanguageModel, WordPieceTokenizer
from minibert.tasks.metrics import auc, ndcg, recall, spearman
from minibert.tasks.retrieval import Index
from minibert.tasks.sentence_embeddings import embed_texts, tune_on_pairs
from minibert.training.recipe import Recipe

RELEVANCES = st.lists(st.one_of(st.integers(0, 5), st.floats(0, 100, allow_subnormal=False)), min_size=2, max_size=30)


@given(RELEVANCES, st.one_of(st.none(), st.integers(1, 40)))
def test_ndcg_is_scikit_learns_where_no_scores_are_tied(relevances, k):
    scores = [range(len(relevances), 0, -1)]  # in rank order, so no two are equal
    assert ndcg(relevances, k) == pytest.approx(ndcg_score([relevances], scores, k=k), abs=1e-12)
    assert ndcg(torch.tensor(relevances, dtype=torch.float64), k) == ndcg(relevances, k)
    assert 0 <= ndcg(relevances, k) <= 1 + 1e-12


@given(RELEVANCES, st.integers(1, 40))
def test_better_orders_do_not_score_less(relevances, k):
    best = sorted(relevances, reverse=True)
    assert ndcg(relevances, k) <= ndcg(best, k) + 1e-12
    assert ndcg(best, k) == pytest.approx(1.0 if max(relevances) else 0.0)
    if max(relevances) > 0:
        assert recall(relevances, k) == sum(r > 0 for r in relevances[:k]) / sum(r > 0 for r in relevances)


def test_one_right_document_is_worth_what_its_rank_says():
    for rank in range(1, 12):
        ranking = [0.0] * (rank - 1) + [1.0] + [0.0] * 3
        assert ndcg(ranking, 10) == pytest.approx(1 / math.log2(rank + 1) if rank <= 10 else 0.0)
        assert recall(ranking, 10) == (rank <= 10)
    assert minibert.tasks.ndcg is ndcg


@given(st.lists(st.tuples(st.integers(-3, 3), st.integers(0, 4)), min_size=2, max_size=40))
def test_rank_correlation_is_scipys_with_ties(pairs):
    scores, gold = zip(*pairs, strict=True)
    if len(set(scores)) > 1 and len(set(gold)) > 1:
        assert spearman(scores, gold) == pytest.approx(spearmanr(scores, gold).statistic, abs=1e-12)
        assert spearman(torch.tensor(scores), gold) == spearman(scores, gold)
    else:
        assert spearman(scores, gold) == 0.0


@given(st.lists(st.tuples(st.integers(-3, 3), st.booleans()), min_size=2, max_size=40))
def test_the_area_under_the_curve_is_scikit_learns_with_ties(pairs):
    scores, labels = zip(*pairs, strict=True)
    if len(set(labels)) == 2:
        assert auc(scores, labels) == pytest.approx(roc_auc_score(labels, scores), abs=1e-12)
    else:
        with pytest.raises(ValueError, match="at least one of each"):
            auc(scores, labels)


@pytest.mark.parametrize("metric", [spearman, auc])
@pytest.mark.parametrize(
    ("scores", "gold", "complaint"),
    [
        ([1.0, 2.0], [1, 0, 1], "same length"),
        ([[1.0], [2.0]], [[1], [0]], "same length"),
        ([1.0], [1], "two numbers"),
        ([1.0, float("nan")], [1, 0], "NaN"),
    ],
)
def test_rows_that_do_not_fit_are_refused(metric, scores, gold, complaint):
    with pytest.raises(ValueError, match=complaint):
        metric(scores, gold)


@pytest.mark.parametrize("metric", [ndcg, recall])
@pytest.mark.parametrize(
    ("relevances", "k", "complaint"),
    [
        ([], 3, "at least one document"),
        ([1.0, -1.0], 3, "rank 2 is -1.0"),
        ([1.0, float("nan")], 3, "rank 2 is nan"),
        ([1.0], 0, "k=0"),
        ([1.0], 1.5, "k=1.5"),
        ([1.0], True, "k=True"),
        ([[1.0, 0.0]], 1, "one list of numbers"),
        (3, 1, "one list of numbers"),
    ],
)
def test_what_is_no_ranking_is_refused(metric, relevances, k, complaint):
    with pytest.raises(ValueError, match=complaint):
        metric(relevances, k)


def test_recall_needs_something_to_find():
    with pytest.raises(ValueError, match="no document is relevant"):
        recall([0.0, 0.0], 1)
    assert ndcg([0.0, 0.0], 1) == 0.0


def vectors(count: int, seed: int, width: int = 5) -> torch.Tensor:
    return torch.randn(count, width, generator=torch.Generator().manual_seed(seed))


def test_search_finds_what_a_loop_finds():
    documents, queries = vectors(12, 0), vectors(4, 1)
    index = Index(documents)
    for query, found in zip(queries, index.search(queries, 5), strict=True):
        slow = [torch.nn.functional.cosine_similarity(query, document, dim=0).item() for document in documents]
        order = sorted(range(12), key=lambda i: -slow[i])[:5]
        assert [number for number, _ in found] == order
        assert [cosine for _, cosine in found] == pytest.approx([slow[i] for i in order], abs=1e-6)
    names = [f"text {i}" for i in range(12)]
    assert [n for n, _ in Index(documents, names).search(queries[:1], 3)[0]] == [
        names[i] for i, _ in index.search(queries[:1], 3)[0]
    ]
    assert len(index.search(queries, 50)[0]) == 12, "all there are"


def test_ranks_agree_with_search_and_lengths_do_not_matter():
    documents, queries, right = vectors(12, 0), vectors(4, 1), torch.tensor([3, 0, 11, 5])
    ranks = Index(documents * torch.rand(12, 1).add(0.1)).ranks(queries * 7, right)
    found = Index(documents).search(queries, 12)
    assert ranks.tolist() == [[n for n, _ in row].index(i) + 1 for row, i in zip(found, right.tolist(), strict=True)]


def test_equal_documents_do_not_look_good():
    """Vectors that are all alike would have rank 1 for everything if ties counted in their favour."""
    assert Index(torch.ones(6, 3)).ranks(torch.ones(2, 3), torch.tensor([0, 4])).tolist() == [6, 6]


@pytest.mark.parametrize(
    ("call", "complaint"),
    [
        (lambda index: Index(torch.zeros(2, 3)), "vector 0 is all zeros"),
        (lambda index: Index(torch.ones(3)), "expected \\(T, D\\)"),
        (lambda index: Index(torch.ones(2, 3), ["one"]), "names: 1 for 2"),
        (lambda index: index.search(torch.ones(1, 4)), "4 wide, the documents 5"),
        (lambda index: index.search(torch.ones(1, 5), 0), "count=0"),
        (lambda index: index.ranks(torch.ones(1, 5), torch.tensor([12])), "12..12, the documents 0..11"),
        (lambda index: index.ranks(torch.ones(1, 5), torch.tensor([1, 2])), "expected integers"),
        (lambda index: index.ranks(torch.ones(1, 5), torch.tensor([1.0])), "expected integers"),
    ],
)
def test_bad_searches_are_refused(call, complaint):
    with pytest.raises(ValueError, match=complaint):
        call(Index(vectors(12, 0)))


def test_tuning_on_pairs_finds_new_translations():
    """A language whose words are the English ones, spelled with other letters, in the other order."""
    rng = random.Random(0)
    words = [a + b for a in "klmnp" for b in "aeiou"]
    other = {word: word.translate(str.maketrans("klmnpaeiou", "bcdfgvwxyz")) for word in words}
    tok = WordPieceTokenizer.train([" ".join(words), " ".join(other.values())] * 3, vocab_size=120)

    def pairs(count: int) -> list[tuple[str, str]]:
        drawn = [rng.sample(words, 3) for _ in range(count)]
        return [(" ".join(text), " ".join(other[word] for word in reversed(text))) for text in drawn]

    config = EncoderConfig.preset("eurobert-nano").replace(
        vocab_size=tok.vocab_size, hidden=32, layers=1, heads=2, kv_heads=1, intermediate=32, max_len=16
    )
    model, held_out = MaskedLanguageModel(config, torch.Generator().manual_seed(0)).encoder, pairs(60)

    def found() -> float:
        queries, documents = (embed_texts(side, model, tok) for side in zip(*held_out, strict=True))
        return (Index(documents).ranks(queries, torch.arange(60)) == 1).double().mean().item()

    before = found()
    recipe = Recipe(steps=60, learning_rate=5e-3, optimizer="adamw", warmup=5)
    losses = tune_on_pairs((pairs(16) for _ in range(100)), model, tok, recipe)
    assert len(losses) == 60 and model.training and losses[-1] < losses[0]
    assert before < 0.3 and found() > 0.7


@pytest.mark.parametrize("seed", range(5))
def test_late_interaction_is_the_loop_over_all_pairs_of_tokens(seed):
    generator = torch.Generator().manual_seed(seed)
    query, document = (torch.randn(n, 6, generator=generator, dtype=torch.float64) * 3 for n in (3, 1 + 2 * seed))
    by_hand = 0.0
    for q in query:
        by_hand += max(float(q @ d / (q @ q).sqrt() / (d @ d).sqrt()) for d in document)
    assert minibert.tasks.max_sim(query, document).item() == pytest.approx(by_hand, abs=1e-12)
    again = minibert.tasks.max_sim(query * 5, torch.cat([document, document]))  # neither size nor repetition counts
    assert again.item() == pytest.approx(by_hand, abs=1e-12)
    assert minibert.tasks.max_sim(query, query).item() == pytest.approx(3.0)


@pytest.mark.parametrize(
    ("query", "document", "message"),
    [
        (torch.ones(3), torch.ones(2, 3), "query is torch.float32 \\(3,\\)"),
        (torch.ones(2, 3), torch.ones(0, 3), "document is torch.float32 \\(0, 3\\)"),
        (torch.ones(2, 3), torch.ones(2, 3).long(), "document is torch.int64"),
        (torch.ones(2, 3), torch.ones(2, 4), "3 wide, document tokens 4"),
    ],
)
def test_late_interaction_refuses_what_is_no_pair_of_texts(query, document, message):
    with pytest.raises(ValueError, match=message):
        minibert.tasks.max_sim(query, document)
