"""Bags against scikit-learn's."""

import numpy as np
import pytest
import torch
from sklearn.feature_extraction.text import TfidfVectorizer

from minibert.tasks.bags import Bag, character_ngrams, words

TEXTS = ["Log in to the site", "Log out", "The site's calendar: log, log, log", "Der Kalender der Seite", "İstanbul ß"]


@pytest.mark.parametrize("cut", [words, character_ngrams])
def test_vectors_are_scikit_learns(cut):
    bag, theirs = Bag.of(TEXTS, cut), TfidfVectorizer(analyzer=cut, sublinear_tf=True).fit(TEXTS)
    new = [*TEXTS, "calendar of the Kalender", "log"]
    ours = bag.vectors(new)
    columns = [theirs.vocabulary_[piece] for piece in bag.weights]
    assert np.abs(theirs.transform(new).toarray()[:, columns] - ours[:, :-1].numpy()).max() < 1e-6
    assert not ours[:, -1].any()


def test_what_is_unknown_has_a_direction_and_a_size_keeps_the_common_pieces():
    bag = Bag.of(TEXTS, words, size=3)
    assert set(bag.weights) == {"log", "the", "site"}
    unknown = bag.vectors(["", "nobody knows this"])
    assert torch.equal(unknown, torch.tensor([[0.0, 0, 0, 1], [0, 0, 0, 1]]))
    with pytest.raises(ValueError, match="no piece"):
        Bag.of(["...", ""], words)


def test_n_grams_see_words_that_are_spelled_alike():
    bag, by_words = Bag.of(TEXTS, character_ngrams), Bag.of(TEXTS, words)
    pair = ["der Kalender", "a calendar"]
    assert float(bag.vectors(pair).prod(0).sum()) > 0.05 > abs(float(by_words.vectors(pair).prod(0).sum()))
    assert character_ngrams("ab", sizes=(2, 3)) == [" a", "ab", "b ", " ab", "ab "]
