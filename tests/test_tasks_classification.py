"""Labels for texts and pairs: segments, cut texts, probabilities, and features that a logistic regression reads."""

import numpy as np
import pytest
import torch
from oracles import build, small_config
from sklearn.linear_model import LogisticRegression

from minibert.corpora import LabelledPair, LabelledText, RatedText, SpanQuestion, TaggedTokens
from minibert.model import Encoder, SequenceClassifier
from minibert.tasks import span_qa, tagging
from minibert.tasks.classification import classify, examples, features
from minibert.tasks.probe import fit_probe
from minibert.tokenization import WordPieceTokenizer

LETTERS = "abcdefghij"
TOK = WordPieceTokenizer({piece: i for i, piece in enumerate(["[PAD]", "[CLS]", "[SEP]", "[MASK]", "[UNK]", *LETTERS])})


def test_pairs_get_segments_and_long_ones_lose_the_end_of_the_longer_text():
    pair = LabelledPair("a b c d e f", "g h", "same")
    [whole] = examples([pair], TOK, ["other", "same"])
    assert (whole.segment_ids, whole.label) == ((0,) * 8 + (1,) * 3, 1)
    [cut] = examples([pair], TOK, ["other", "same"], max_length=8)
    assert TOK.decode(cut.ids) == "a b c g h" and cut.segment_ids == (0,) * 5 + (1,) * 3
    assert examples([RatedText("a", 0.5)], TOK)[0].label == 0.5


def test_bad_rows_are_named():
    rows = [LabelledText("a", "yes"), LabelledText("b", "maybe")]
    with pytest.raises(ValueError, match="row 1 has the label 'maybe': expected one of no, yes"):
        examples(rows, TOK, ["no", "yes"])
    with pytest.raises(ValueError, match="row 0 has the tag 'B-x': expected one of O"):
        tagging.examples([TaggedTokens(("a",), ("B-x",))], TOK, ["O"])
    with pytest.raises(ValueError, match="row 0: 1 tags for 2 words"):
        tagging.examples([TaggedTokens(("a", "b"), ("O",))], TOK, ["O"])
    with pytest.raises(ValueError, match=r"row 1: .* no room for the text"):
        questions = [SpanQuestion("", "a b", "a", "b", 2), SpanQuestion("", "a b", "a b c d e f", "b", 2)]
        span_qa.examples(questions, TOK, max_length=8)
    for make in (lambda: examples([], TOK, ["a"]), lambda: span_qa.examples([], TOK)):
        with pytest.raises(ValueError, match="no rows"):
            make()
    with pytest.raises(ValueError, match="expected a list"):
        classify("a", build(SequenceClassifier, small_config("bert")), TOK)
    with pytest.raises(ValueError, match=r"row 1 is .*: expected a text, or a pair"):
        classify(["a", ("a", "b", "c")], build(SequenceClassifier, small_config("bert")), TOK)


def test_questions_become_one_example_for_each_window():
    row = SpanQuestion("", "a b c d e f g h", "a", "g h", 12)
    made = span_qa.examples([row], TOK, max_length=8, stride=2)
    labels = [example.label for example in made]
    assert labels[-1] != (0, 0) and (0, 0) in labels
    first, last = made[-1].label
    assert TOK.decode(made[-1].ids[first : last + 1]) == "g h"
    assert len(made) == len(span_qa.windows("a", row.context, TOK, 8, 2))


@pytest.mark.parametrize("family", ["bert", "eurobert"])
def test_batches_do_not_change_answers(family):
    model = build(SequenceClassifier, small_config(family), labels=3)
    texts = ["a b c", ("d", "e f g h"), "i", "a " * 100]
    together = classify(texts, model, TOK)
    alone = torch.cat([classify([text], model, TOK) for text in texts])
    torch.testing.assert_close(together, alone)
    torch.testing.assert_close(together.sum(1), torch.ones(4))
    scores = classify(texts, build(SequenceClassifier, small_config(family), labels=1), TOK, batch_size=2)
    assert scores.shape == (4, 1) and (scores != 1).all()  # no softmax over one label


def test_features_and_a_logistic_regression_answer_as_scikit_learns():
    generator = torch.Generator().manual_seed(0)
    drawn = torch.randint(0, 10, (60, 6), generator=generator).tolist()
    texts = [" ".join(LETTERS[letter] for letter in row) for row in drawn]
    labels = torch.tensor([sum(letter < 5 for letter in row) > 3 for row in drawn]).long()
    encoder = build(Encoder, small_config("bert"), dtype=torch.float32)
    for pool in ("cls", "mean"):
        vectors = features(texts, encoder, TOK, pool)
        hidden = [encoder(torch.tensor([TOK.encode(text).ids])).hidden[0] for text in texts]
        expected = torch.stack([states[0] if pool == "cls" else states.mean(0) for states in hidden])
        torch.testing.assert_close(vectors, expected.detach())
        probe = fit_probe(vectors[:40], labels[:40], penalty=2.0)
        scaled = (vectors.double() - probe.mean) / probe.scale
        ours = probe.logits(vectors[40:]).softmax(-1).numpy()
        # two columns of weights, each under the penalty, are one column under half of it
        theirs = LogisticRegression(C=1.0, tol=1e-10, max_iter=10_000)
        theirs.fit(scaled[:40].numpy(), labels[:40].numpy())
        np.testing.assert_allclose(ours, theirs.predict_proba(scaled[40:].numpy()), atol=1e-4)
