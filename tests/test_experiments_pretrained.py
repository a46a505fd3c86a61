"""pretrained: the news that two of its tasks are made of."""

import pytest

from minibert import corpora
from minibert.experiments.pretrained import _news, _pairs

pytestmark = [
    pytest.mark.data,
    pytest.mark.skipif(not corpora.is_cached("bbc"), reason="needs python -m minibert data fetch"),
]


@pytest.mark.parametrize(("task", "classes"), [("topics", 5), ("pairs", 2)])
def test_labels_are_equally_common_and_the_seed_draws_what_is_trained_on(task, classes):
    first, second = (_news(task, 40, 60, 24, seed) for seed in (0, 1))
    assert first[2] == second[2] and first[0] != second[0]
    for labels in (first[1], first[3]):
        assert len(set(labels.bincount(minlength=classes).tolist())) == 1
    assert not {tuple(ids) for ids in first[0]} & {tuple(ids) for ids in first[2]}
    assert max(map(len, first[0])) <= 24


def test_a_pair_belongs_together_or_is_from_two_articles_of_one_topic_each_article_used_once():
    drawn = [[f"{topic}{i}\n\nfirst\n\n{topic}{i} goes on" for i in range(6)] for topic in "ab"]
    found = [(head, start.split()[0], label) for (head, start), label in _pairs(drawn)]
    assert found[:4] == [("a0", "a0", 1), ("a1", "a2", 0), ("b0", "b0", 1), ("b1", "b2", 0)]
    assert len(found) == 8 and len({head for head, *_ in found}) == 8
