"""The probe against scikit-learn's logistic regression, which minimises the same function with C = 1 / penalty."""

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression

from minibert.tasks.probe import fit_probe


def data(classes: int, seed: int = 0, rows: int = 120, width: int = 6):
    generator = torch.Generator().manual_seed(seed)
    features = torch.randn(rows, width, generator=generator) * torch.tensor([1, 3, 0.2, 1, 5, 1]) + 2
    scores = (features - 2) @ torch.randn(width, classes, generator=generator) + torch.randn(
        rows, classes, generator=generator
    )
    labels = scores.argmax(-1)
    assert len(labels[:80].unique()) == classes
    return features, labels


@pytest.mark.parametrize("classes", [2, 3, 5])
@pytest.mark.parametrize("penalty", [0.1, 1.0, 30.0])
def test_weights_and_scores_are_scikit_learns(classes, penalty):
    features, labels = data(classes)
    probe = fit_probe(features[:80], labels[:80], penalty)
    scaled = (features.double() - probe.mean) / probe.scale
    if classes == 2:  # scikit-learn has one weight vector then; ours are its half and minus its half
        penalty = penalty / 2
    theirs = LogisticRegression(C=1 / penalty, tol=1e-10, max_iter=10_000).fit(scaled[:80], labels[:80])
    weight = probe.weight[1:] - probe.weight[:1] if classes == 2 else probe.weight
    assert np.abs(theirs.coef_ - weight.numpy()).max() < 1e-3
    ours = probe.logits(features).softmax(-1)
    assert np.abs(theirs.predict_proba(scaled) - ours.numpy()).max() < 1e-4
    assert probe.accuracy(features[80:], labels[80:]) == theirs.score(scaled[80:], labels[80:])


def test_features_are_scaled_and_constants_are_harmless():
    features, labels = data(3)
    probe = fit_probe(features, labels)
    assert torch.allclose(probe.mean, features.double().mean(0)) and (probe.scale > 0).all()
    with_constant = torch.cat([features, torch.full((len(features), 1), 7.0)], dim=1)
    same = fit_probe(with_constant, labels)
    assert torch.allclose(same.logits(with_constant), probe.logits(features), atol=1e-5)
    stretched = fit_probe(features * 1000 - 5, labels)
    assert torch.allclose(stretched.logits(features * 1000 - 5), probe.logits(features), atol=1e-4)


def test_nothing_is_trained_but_the_probe_and_nothing_is_drawn():
    features, labels = data(2)
    features.requires_grad_(True)
    state = torch.get_rng_state()
    with torch.no_grad():
        first = fit_probe(features, labels)
    assert features.grad is None and not first.weight.requires_grad
    assert torch.equal(fit_probe(features, labels).weight, first.weight) and torch.equal(torch.get_rng_state(), state)
    assert first.right(features, labels).dtype == torch.bool


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda x, y: (x[:, 0], y), "features must be"),
        (lambda x, y: (x[:3], y), "features must be"),
        (lambda x, y: (x, y.float()), "integers"),
        (lambda x, y: (x, y * 0), "two classes"),
        (lambda x, y: (x / 0, y), "NaN"),
        (lambda x, y: (x[:0], y[:0]), "features must be"),
    ],
)
def test_bad_input_is_refused(change, says):
    with pytest.raises(ValueError, match=says):
        fit_probe(*change(*data(2)))
    with pytest.raises(ValueError, match="penalty"):
        fit_probe(*data(2), penalty=-1.0)
