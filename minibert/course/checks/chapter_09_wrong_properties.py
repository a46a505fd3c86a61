"""Exercise 9.3: the solution, and property tests that see nothing, too much, or the wrong thing."""

import torch

from minibert.course.checks.chapter_09_wrong_counts import COUNTS
from minibert.course.exercise import STUB, Mutant


def _norm_test(norm):
    x = torch.randn(20, 4, generator=torch.Generator().manual_seed(0)) + 3
    y = norm(x)
    assert torch.allclose(y.mean(-1), torch.zeros(20), atol=1e-3)
    assert torch.allclose(y.square().mean(-1), torch.ones(20), atol=1e-3)


def _pooling_test(pool):
    generator = torch.Generator().manual_seed(0)
    hidden = torch.randn(2, 6, 3, generator=generator)
    mask = torch.arange(6) < torch.tensor([[5], [2]])
    together = pool(hidden, mask)
    for row, length in enumerate((5, 2)):
        alone = pool(hidden[row : row + 1, :length], mask[row : row + 1, :length])
        assert torch.allclose(together[row], alone[0], atol=1e-5)


def _loss_test(loss):
    logits = torch.randn(12, 2, generator=torch.Generator().manual_seed(0))
    labels = torch.tensor([0, 1, 1] * 4)
    assert torch.allclose(loss(logits, labels), loss(logits.flip(1), 1 - labels), atol=1e-4)


def _bias_test(score):
    generator = torch.Generator().manual_seed(0)
    hidden, table, bias = (torch.randn(*size, generator=generator) for size in ((3, 4), (7, 4), (7,)))
    difference = score(hidden, table, bias) - score(hidden, table, torch.zeros(7))
    assert torch.allclose(difference, bias.expand(3, 7), atol=1e-4)


def _masking_test(mask):
    generator = torch.Generator().manual_seed(0)
    ids = torch.randint(5, 1000, (1_000_000,), generator=generator)
    inputs, labels = mask(ids, generator)
    chosen = labels != -100
    hidden, kept = (inputs == 4) & chosen, (inputs == ids) & chosen
    assert abs(chosen.float().mean() - 0.15) < 0.005
    assert abs(hidden.sum() / chosen.sum() - 0.8) < 0.005
    assert abs(kept.sum() / chosen.sum() - 0.1) < 0.005


_PLACES = {"norm": 0, "pooling": 1, "loss": 2, "bias": 3, "masking": 4}
_RIGHT = (_norm_test, _pooling_test, _loss_test, _bias_test, _masking_test)


def _mutant(which, name, says, test):
    answer = list(_RIGHT)
    answer[_PLACES[which]] = test
    return Mutant(f"{which}: {name}", tuple(answer), says)


def _asserts_nothing(norm):
    norm(torch.randn(3, 4))


def _shapes_only(norm):
    assert norm(torch.zeros(3, 4) + torch.arange(4.0)).shape == (3, 4)


def _standard_deviation(norm):
    x = torch.randn(20, 4, generator=torch.Generator().manual_seed(0))
    assert torch.allclose(norm(x).std(-1), torch.ones(20), atol=1e-3)  # n - 1 itself


def _wide_and_generous(norm):
    y = norm(torch.randn(5, 768, generator=torch.Generator().manual_seed(0)))
    assert torch.allclose(y.var(-1, correction=0), torch.ones(5), atol=0.01)


def _mean_only(norm):
    assert norm(torch.randn(5, 4) + 3).mean(-1).abs().max() < 1e-3


def _tiny_inputs(norm):
    x = 1e-3 * torch.randn(20, 4, generator=torch.Generator().manual_seed(0))
    assert torch.allclose(norm(x).square().mean(-1), torch.ones(20), atol=1e-3)


def _returns_verdict(norm):
    y = norm(torch.randn(20, 4))
    return torch.allclose(y.square().mean(-1), torch.ones(20), atol=1e-3)


def _no_padding(pool):
    hidden = torch.randn(2, 6, 3, generator=torch.Generator().manual_seed(0))
    assert torch.allclose(pool(hidden, torch.ones(2, 6, dtype=torch.bool)), hidden.mean(1), atol=1e-5)


def _one_text(pool):
    hidden = torch.randn(1, 6, 3, generator=torch.Generator().manual_seed(0))
    mask = torch.arange(6)[None] < 4
    assert torch.allclose(pool(hidden, mask), pool(hidden[:, :4], mask[:, :4]), atol=1e-5)


def _equal_bits(pool):
    hidden = torch.randn(2, 6, 3, generator=torch.Generator().manual_seed(0))
    mask = torch.arange(6) < torch.tensor([[5], [2]])
    assert torch.equal(pool(hidden, mask)[1], pool(hidden[1:, :2], mask[1:, :2])[0])


def _padding_of_nan(pool):
    hidden = torch.randn(2, 6, 3, generator=torch.Generator().manual_seed(0))
    mask = torch.arange(6) < torch.tensor([[5], [2]])
    assert pool(hidden.masked_fill(~mask[..., None], float("nan")), mask).isfinite().all()


def _directions(pool):
    hidden = torch.randn(2, 6, 3, generator=torch.Generator().manual_seed(0))
    mask = torch.arange(6) < torch.tensor([[5], [2]])
    together, alone = pool(hidden, mask)[1], pool(hidden[1:, :2], mask[1:, :2])[0]
    assert torch.cosine_similarity(together, alone, dim=0) > 0.999


def _not_negative(loss):
    assert loss(torch.randn(8, 2, generator=torch.Generator().manual_seed(0)), torch.tensor([0, 1] * 4)) >= 0


def _undecided_is_ln_2(loss):
    assert abs(loss(torch.zeros(4, 2), torch.tensor([0, 1, 0, 1])) - 0.6931) < 1e-3


def _one_constant_guess(loss):
    assert loss(torch.tensor([[-9.0, 9.0]] * 4), torch.tensor([0, 1, 0, 1])) > 1.0


def _label_one_only(loss):
    assert abs(loss(torch.tensor([[0.0, 5.0]] * 3), torch.tensor([1, 1, 1])) - 0.0067) < 1e-3


def _two_constant_guesses(loss):
    for logits in ([-9.0, 9.0], [9.0, -9.0]):
        assert loss(torch.tensor([logits] * 4), torch.tensor([0, 1, 0, 1])) > 1.0


def _float_labels(loss):
    loss(torch.zeros(2, 2), torch.tensor([0.0, 1.0]))


def _zero_bias(score):
    hidden, table = torch.randn(3, 4), torch.randn(7, 4)
    assert torch.allclose(score(hidden, table, torch.zeros(7)), hidden @ table.T, atol=1e-4)


def _through_softmax(score):
    hidden, table = torch.randn(3, 4), torch.randn(7, 4)
    with_bias, without = score(hidden, table, torch.ones(7)), score(hidden, table, torch.zeros(7))
    assert torch.allclose(with_bias.softmax(-1), without.softmax(-1), atol=1e-4)


def _bias_changes_something(score):
    hidden, table, bias = torch.randn(3, 4), torch.randn(7, 4), torch.randn(7)
    assert not torch.allclose(score(hidden, table, bias), score(hidden, table, torch.zeros(7)))


def _first_token(score):
    table, bias = torch.randn(7, 4), torch.arange(7.0)
    assert torch.allclose(score(torch.zeros(1, 4), table, bias)[0], bias, atol=1e-4)


def _unwritten(given):
    raise NotImplementedError(STUB)


PROPERTIES = [
    _mutant("norm", "asserts nothing", "passes a `norm` that", _asserts_nothing),
    _mutant("norm", "never calls", "never calls norm", lambda norm: None),
    _mutant("norm", "shapes only", r"Bessel(?s:.)*sqrt\(1 - 1/D\)", _shapes_only),
    _mutant("norm", "an oracle with n - 1", "fails a right `norm`(?s:.)*correction=0", _standard_deviation),
    _mutant("norm", "wide and generous", "width of 768", _wide_and_generous),
    _mutant("norm", "looks at the mean only", "Bessel", _mean_only),
    _mutant("norm", "tiny inputs", "eps of 1e-5", _tiny_inputs),
    _mutant("norm", "returns the verdict", "returns True(?s:.)*assert", _returns_verdict),
    _mutant("pooling", "no padding", "nothing is padding", _no_padding),
    _mutant("pooling", "one text", "two texts of different lengths", _one_text),
    _mutant("pooling", "equal bits", "fails a right `pool`(?s:.)*tolerance", _equal_bits),
    _mutant("pooling", "padding of NaN", "fails a right `pool`(?s:.)*NaN", _padding_of_nan),
    _mutant("pooling", "directions only", "not directions", _directions),
    _mutant("loss", "not negative", "label 0(?s:.)*mirror", _not_negative),
    _mutant("loss", "undecided is ln 2", "both logits are equal", _undecided_is_ln_2),
    _mutant("loss", "one constant guess", "ignores the pairs with label 1", _one_constant_guess),
    _mutant("loss", "one label only", "all labels of your batches are 1", _label_one_only),
    _mutant("loss", "two constant guesses", "counts the pairs with label 0 half", _two_constant_guesses),
    _mutant("loss", "labels as floats", "calls loss with labels", _float_labels),
    _mutant("bias", "a bias of 0", "twice nothing", _zero_bias),
    _mutant("bias", "equal entries through a softmax", "all entries of the bias are equal", _through_softmax),
    _mutant("bias", "changes something", "adds the bias twice", _bias_changes_something),
    _mutant("bias", "the first token only", "first token only", _first_token),
    *[_mutant("masking", *wrong) for wrong in COUNTS],
    Mutant("one test missing", (*_RIGHT[:4], _unwritten), "not written yet: masking_test"),
    Mutant("four tests", _RIGHT[:4], "five tests"),
]
