"""frozen_or_tuned: every arm reads the same texts, and no text to test on is one to train on."""

import pytest

from minibert import corpora
from minibert.experiments.frozen_or_tuned import TASKS, _rows
from minibert.experiments.minilm import tokenizer

pytestmark = [
    pytest.mark.data,
    pytest.mark.skipif(not corpora.is_cached("bbc"), reason="needs python -m minibert data fetch"),
]


@pytest.mark.parametrize("task", TASKS)
def test_the_rows_of_a_task(task):
    first, second = (_rows(task, 40, 60, tokens=16, seed=seed) for seed in (0, 1))
    assert first[1] == second[1] and first[0] != second[0]  # the same test for all seeds, another training set
    assert {row.label for row in first[0] + first[1]} == set(first[2])
    assert not {row.text for row in first[0]} & {row.text for row in first[1]}
    assert max(len(tokenizer().encode(row.text)) for row in first[0]) == 16  # the bag of words reads no more, either
