"""ELMo: the directions stay apart, padding changes nothing, and the layers are mixed as the formula says."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from minibert.word_vectors import elmo, elmo_training
from minibert.word_vectors.elmo import BidirectionalLM, ScalarMix, reverse_rows, row_lengths
from minibert.word_vectors.elmo_training import bilm_loss, pad_rows, train_bilm

V, D, L = 20, 6, 2


def random(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.fixture
def model() -> BidirectionalLM:
    return BidirectionalLM(V, D, L, generator=random()).double()


def lstm_step(x, h, c, lstm):
    """One token: the three lines of an LSTM, with its four gates in torch's order."""
    i, f, g, o = (lstm.weight_ih_l0 @ x + lstm.bias_ih_l0 + lstm.weight_hh_l0 @ h + lstm.bias_hh_l0).chunk(4)
    c = f.sigmoid() * c + i.sigmoid() * g.tanh()
    return o.sigmoid() * c.tanh(), c


def read(vectors, lstm):
    """The states of one layer after each token, from the left: a list of (D,)."""
    h = c = torch.zeros(D, dtype=torch.float64)
    states = []
    for x in vectors:
        h, c = lstm_step(x, h, c, lstm)
        states.append(h)
    return states


def naive_states(model, tokens: list[int]) -> torch.Tensor:
    """The specification: one row, no padding, one token after the other. (L + 1, T, 2 D)"""
    ahead = back = list(model.table.weight[tokens])
    layers = [torch.cat([torch.stack(ahead), torch.stack(back)], dim=-1)]
    for forward_lstm, backward_lstm in zip(model.ahead, model.back, strict=True):
        ahead, back = read(ahead, forward_lstm), read(back[::-1], backward_lstm)[::-1]
        layers.append(torch.cat([torch.stack(ahead), torch.stack(back)], dim=-1))
    return torch.stack(layers)


rows_of_tokens = st.lists(st.lists(st.integers(1, V - 1), min_size=1, max_size=7), min_size=1, max_size=4)


def expect_naive_states(rows, pad_id, more):
    """Pad the rows, and compare with the loop that has never heard of padding or of batches."""
    model = BidirectionalLM(V, D, L, generator=random()).double()
    ids, mask = pad_rows(rows, pad_id)
    ids = nn.functional.pad(ids, (0, more), value=pad_id)
    mask = nn.functional.pad(mask, (0, more))
    states = model(ids, mask)
    assert states.shape == (L + 1, len(rows), ids.shape[1], 2 * D)
    for row, tokens in enumerate(rows):
        torch.testing.assert_close(states[:, row, : len(tokens)], naive_states(model, tokens), atol=1e-12, rtol=0)
        assert not states[:, row, len(tokens) :].any(), "padding is 0"


@settings(max_examples=30, deadline=None)
@given(rows=rows_of_tokens, pad_id=st.integers(0, V - 1), more=st.integers(0, 3))
def test_states_are_those_of_the_naive_loop_whatever_is_padded(rows, pad_id, more):
    """Parity with the cell written out; it covers pad invariance and batch invariance at once."""
    expect_naive_states(rows, pad_id, more)


def test_layer_0_is_the_token_vector_twice(model):
    ids = torch.tensor([[3, 5, 3]])
    table = model.table.weight[ids]
    assert torch.equal(model(ids)[0], torch.cat([table, table], dim=-1))


def test_no_direction_sees_what_it_must_predict(model):
    """A changed token moves the forward states from its place on and the backward states up to it, and no other."""
    ids = torch.randint(V, (1, 7), generator=random(1))
    before = model(ids)[1:]
    for k in range(7):
        changed = ids.clone()
        changed[0, k] = (ids[0, k] + 1) % V
        moved = (model(changed)[1:] != before)[:, 0]  # (L, T, 2 D)
        ahead, back = moved[..., :D].any(-1), moved[..., D:].any(-1)  # (L, T)
        assert ahead.tolist() == [[place >= k for place in range(7)]] * L
        assert back.tolist() == [[place <= k for place in range(7)]] * L


def test_no_direction_sees_what_it_must_predict_by_gradient(model):
    """The same by derivatives: logits that predict a token have a gradient of 0 with respect to its vector."""
    vectors = []
    model.table.register_forward_hook(lambda module, arguments, x: vectors.append(x.requires_grad_()) or vectors[-1])
    ahead, back = model.logits(model(torch.tensor([[4, 5, 6, 7, 8]])))
    for k in range(5):
        if k < 4:  # the forward prediction of token k + 1
            (gradient,) = torch.autograd.grad(ahead[0, k].square().sum(), vectors[0], retain_graph=True)
            assert gradient[0].any(-1).tolist() == [place <= k for place in range(5)]
        if k > 0:  # the backward prediction of token k - 1
            (gradient,) = torch.autograd.grad(back[0, k].square().sum(), vectors[0], retain_graph=True)
            assert gradient[0].any(-1).tolist() == [place >= k for place in range(5)]


def scores(model, state):
    return torch.stack([state @ vector for vector in model.table.weight]) + model.bias


def test_the_loss_is_the_mean_over_both_directions_written_out(model):
    rows = [[4, 5, 6, 7], [8, 9], [3]]
    ahead, back = [], []
    for tokens in rows:
        last = naive_states(model, tokens)[-1]
        for k in range(len(tokens) - 1):
            ahead.append(-scores(model, last[k, :D]).log_softmax(-1)[tokens[k + 1]])
            back.append(-scores(model, last[k + 1, D:]).log_softmax(-1)[tokens[k]])
    want = (torch.stack(ahead).mean() + torch.stack(back).mean()) / 2
    torch.testing.assert_close(bilm_loss(model, *pad_rows(rows)), want)


def test_directions_share_the_table_and_nothing_else(model):
    ids = torch.tensor([[4, 5, 6]])
    shared = {"table.weight", "bias"}
    for direction in (0, 1):
        model.zero_grad()
        model.logits(model(ids))[direction].sum().backward()
        touched = {name for name, p in model.named_parameters() if p.grad is not None and p.grad.any()}
        own = {name for name, _ in model.named_parameters() if name.startswith(("ahead", "back")[direction])}
        assert touched == own | shared


def test_training_learns_an_order_that_only_one_direction_can_know():
    """After 5 comes 6 or 7, but before each stands 5: the backward loss goes to 0, the forward one to ln 2 / 2."""
    model = BidirectionalLM(V, 16, 1, generator=random())
    rows = [[2, 5, 6], [2, 5, 7]]
    train_bilm(model, rows, 60, batch_size=16, lr=0.05, generator=random())
    ids, _ = pad_rows(rows)
    ahead, back = model.logits(model(ids))
    forward_loss = nn.functional.cross_entropy(ahead[:, :-1].flatten(0, 1), ids[:, 1:].flatten()).item()
    backward_loss = nn.functional.cross_entropy(back[:, 1:].flatten(0, 1), ids[:, :-1].flatten()).item()
    assert forward_loss == pytest.approx(torch.tensor(2.0).log().item() / 2, abs=0.05)
    assert backward_loss < 0.05


def test_the_same_generator_gives_the_same_model_and_the_global_one_is_left_alone():
    before = torch.random.get_rng_state()
    runs = []
    for _ in range(2):
        generator = random(3)
        model = BidirectionalLM(V, D, generator=generator)
        runs.append(train_bilm(model, [[1, 2, 3], [4, 5]], 5, batch_size=4, generator=generator))
    assert runs[0] == runs[1]
    assert torch.equal(before, torch.random.get_rng_state())


# --- the mix of the layers


def mixed(s, gamma, layers):
    weights = [torch.tensor(x).exp() for x in s]
    return gamma * sum(w / sum(weights) * layer for w, layer in zip(weights, layers, strict=True))


def expect_formula(s, gamma):
    layers = torch.randn(len(s), 2, 3, 5, generator=random())
    mix = ScalarMix(len(s))
    with torch.no_grad():
        mix.s.copy_(torch.tensor(s))
        mix.gamma.fill_(gamma)
    torch.testing.assert_close(mix(layers), mixed(s, gamma, layers), atol=1e-5, rtol=1e-5)


@settings(max_examples=30, deadline=None)
@given(s=st.lists(st.floats(-5, 5, width=32), min_size=1, max_size=4), gamma=st.floats(-3, 3, width=32))
def test_the_mix_is_the_formula(s, gamma):
    expect_formula(s, gamma)


def test_equal_weights_give_the_mean_and_a_shift_of_all_changes_nothing():
    layers, mix = torch.randn(3, 4, 5, generator=random()), ScalarMix(3)
    torch.testing.assert_close(mix(layers), layers.mean(0))
    with torch.no_grad():
        mix.s.add_(7.0)
    torch.testing.assert_close(mix(layers), layers.mean(0))


def test_the_mix_has_one_weight_a_layer_and_gradients_reach_s_and_gamma():
    layers, mix = torch.randn(3, 4, 5, generator=random()), ScalarMix(3)
    assert {name: tuple(p.shape) for name, p in mix.named_parameters()} == {"s": (3,), "gamma": ()}
    mix(layers).square().sum().backward()
    assert mix.s.grad.abs().min() > 1e-3 and mix.gamma.grad.abs() > 1e-3
    assert mix.s.grad.sum().abs() < 1e-4, "a softmax: pushing all s up together does nothing"


# --- small parts, and input that makes no sense


@settings(max_examples=30, deadline=None)
@given(lengths=st.lists(st.integers(0, 6), min_size=1, max_size=4))
def test_reversing_twice_changes_nothing(lengths):
    x, lengths = torch.arange(len(lengths) * 6 * 2).view(-1, 6, 2), torch.tensor(lengths)
    once = reverse_rows(x, lengths)
    assert torch.equal(reverse_rows(once, lengths), x)
    for row, length in enumerate(lengths.tolist()):
        assert torch.equal(once[row, :length], x[row, :length].flip(0))
        assert torch.equal(once[row, length:], x[row, length:])


IDS, MASK = torch.tensor([[1, 2, 3], [4, 5, 0]]), torch.tensor([[1, 1, 1], [1, 1, 0]])


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: BidirectionalLM(0, 4), "vocab_size is 0"),
        (lambda: BidirectionalLM(9, 4.0), "width is 4.0"),
        (lambda: BidirectionalLM(9, 4, 0), "layers is 0"),
        (lambda: BidirectionalLM(5, 4)(torch.tensor([[1, 5]])), "ids span 1..5, expected 0..4"),
        (lambda: BidirectionalLM(5, 4)(torch.tensor([[-1, 4]])), "ids span -1..4"),
        (lambda: row_lengths(IDS.float()), "expected integers"),
        (lambda: row_lengths(IDS[0]), "expected integers of shape"),
        (lambda: row_lengths(IDS[:, :0]), "T >= 1"),
        (lambda: row_lengths(IDS, MASK[:, :2]), "expected that of ids"),
        (lambda: row_lengths(IDS, MASK.flip(1)), "row 1 is padded on the left"),
        (lambda: row_lengths(IDS, MASK * 0), "row 0 is all padding"),
        (lambda: row_lengths(IDS, torch.tensor([[1, 0, 1], [1, 1, 1]])), "row 0 has a hole"),
        (lambda: reverse_rows(IDS, torch.tensor([3, 4])), "do not fit"),
        (lambda: reverse_rows(IDS, torch.tensor([3])), "do not fit"),
        (lambda: bilm_loss(BidirectionalLM(9, 4), torch.tensor([[1], [2]])), "no row has two tokens"),
        (lambda: ScalarMix(0), "layers is 0"),
        (lambda: ScalarMix(3)(torch.zeros(2, 4, 5)), "expected \\(3, ..., D\\)"),
        (lambda: ScalarMix(3)(torch.zeros(3)), "expected \\(3, ..., D\\)"),
        (lambda: pad_rows([]), "at least one"),
        (lambda: pad_rows([[1], []]), "at least one token"),
        (lambda: train_bilm(BidirectionalLM(9, 4), [[1, 2]], 0, generator=random()), "steps=0"),
        (lambda: train_bilm(BidirectionalLM(9, 4), [[1, 2]], 1, lr=0, generator=random()), "lr=0"),
        (lambda: train_bilm(BidirectionalLM(9, 4), [[1, 2], [3]], 1, generator=random()), "two tokens or more"),
        (lambda: train_bilm(BidirectionalLM(9, 4), [], 1, generator=random()), "two tokens or more"),
    ],
)
def test_bad_input_is_refused(call, says):
    with pytest.raises(ValueError, match=says):
        call()


# --- mistakes planted on purpose: each turns at least one of the tests above red


def without_softmax(self, layers):
    return self.gamma * torch.tensordot(self.s, layers, dims=1)


def weights_for_each_token(self, layers):
    """Every token has weights of its own, which depend on its vectors."""
    scores = self.s.view(-1, *[1] * (layers.dim() - 2)) * layers[..., 0]
    return self.gamma * (scores.softmax(0)[..., None] * layers).sum(0)


@pytest.mark.parametrize("wrong", [without_softmax, weights_for_each_token])
def test_a_wrong_mix_is_noticed(wrong, monkeypatch):
    monkeypatch.setattr(ScalarMix, "forward", wrong)
    with pytest.raises(AssertionError):
        expect_formula([1.0, 0.5, -2.0], 1.5)


def reversed_over_padding(x, lengths):
    return x.flip(1)


def never_reversed(x, lengths):
    return x


@pytest.mark.parametrize("wrong", [reversed_over_padding, never_reversed])
def test_a_wrong_reversal_is_noticed(wrong, monkeypatch):
    monkeypatch.setattr(elmo, "reverse_rows", wrong)
    with pytest.raises(AssertionError):
        expect_naive_states([[4, 5, 6], [7, 8]], 0, 0)


def reversed_only_after(monkeypatch):
    """The backward model reads from the left, and its states are turned around afterwards."""
    real, calls = reverse_rows, []

    def wrong(x, lengths):
        calls.append(None)
        return x if len(calls) == 1 else real(x, lengths)

    monkeypatch.setattr(elmo, "reverse_rows", wrong)


def test_a_row_reversed_after_instead_of_before_is_noticed(model, monkeypatch):
    reversed_only_after(monkeypatch)
    with pytest.raises(AssertionError):
        test_no_direction_sees_what_it_must_predict(model)


@pytest.mark.parametrize("shift", ["itself", "two ahead"])
def test_labels_shifted_by_one_are_noticed(model, shift, monkeypatch):
    real = elmo_training._cross_entropy

    def wrong(logits, labels):
        return real(logits, labels.roll(1 if shift == "itself" else -1, dims=1))

    monkeypatch.setattr(elmo_training, "_cross_entropy", wrong)
    with pytest.raises(AssertionError):
        test_the_loss_is_the_mean_over_both_directions_written_out(model)


def test_a_model_that_sees_itself_is_noticed(model, monkeypatch):
    """The second layer of the forward model reads both directions: a deep bidirectional LSTM."""

    def deep(self, ids, attention_mask=None):
        x = self.table(ids)
        both = self.ahead[0](x)[0] + self.back[0](x.flip(1))[0].flip(1)
        second = torch.cat([self.ahead[1](both)[0], self.back[1](both.flip(1))[0].flip(1)], dim=-1)
        return torch.stack([torch.cat([x, x], -1), torch.cat([both, both], -1), second])

    monkeypatch.setattr(BidirectionalLM, "forward", deep)
    for test in (
        test_no_direction_sees_what_it_must_predict,
        test_no_direction_sees_what_it_must_predict_by_gradient,
    ):
        with pytest.raises(AssertionError):
            test(model)
