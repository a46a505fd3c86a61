"""The optimisers against oracles in float64, golden numbers, and their classic mistakes."""

import copy

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from minibert.training import AdamW, BertAdam, StableAdamW, parameter_groups


def run(make, steps=25, lr_of_step=None, seed=0, skip=()):
    """Return all parameters after every step of an optimiser on the same stream of gradients."""
    generator = torch.Generator().manual_seed(seed)
    shapes = [(4, 3), (5,), (2, 3, 2)]
    parameters = [torch.nn.Parameter(torch.randn(s, generator=generator, dtype=torch.float64)) for s in shapes]
    optimizer = make(parameters)
    path = []
    for step in range(steps):
        for group in optimizer.param_groups:
            if lr_of_step:
                group["lr"] = lr_of_step(step)
        scale = 100.0 if step % 7 == 5 else 1.0  # now and then a bad batch
        for index, parameter in enumerate(parameters):
            gradient = scale * torch.randn(parameter.shape, generator=generator, dtype=torch.float64)
            parameter.grad = None if (step, index) in skip else gradient
        optimizer.step()
        path.append(torch.cat([p.detach().flatten().clone() for p in parameters]))
    return torch.stack(path)


def falling(step):
    return 0.05 * (1 - step / 40)


SETTINGS = {"lr": 0.05, "betas": (0.9, 0.98), "eps": 1e-6, "weight_decay": 0.1}


def check_adamw(make):
    """Equal to torch's AdamW to 1e-12 over 25 steps with a schedule, spikes and a missing gradient."""
    theirs = run(lambda p: torch.optim.AdamW(p, **SETTINGS, foreach=False), lr_of_step=falling, skip=[(3, 1)])
    ours = run(make, lr_of_step=falling, skip=[(3, 1)])
    assert torch.allclose(ours, theirs, rtol=0, atol=1e-12), f"off by {(ours - theirs).abs().max():.1e}"


def test_adamw_equals_torch():
    check_adamw(lambda p: AdamW(p, **SETTINGS))
    defaults = run(AdamW)
    assert torch.allclose(defaults, run(torch.optim.AdamW), rtol=0, atol=1e-12)


def literal(rule):
    """An optimiser whose update of one tensor is the function `rule(p, g, m, v, t, lr, b1, b2, eps, wd)`."""

    class Literal(torch.optim.Optimizer):
        def __init__(self, parameters, lr, betas, eps, weight_decay):
            super().__init__(parameters, {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay})

        @torch.no_grad()
        def step(self):
            group = self.param_groups[0]
            for p in group["params"]:
                if p.grad is not None:
                    m, v, t = self.state.setdefault(p, {}).get("all", (0 * p, 0 * p, 0))
                    new, m, v = rule(
                        p.clone(),
                        p.grad,
                        m,
                        v,
                        t + 1,
                        group["lr"],
                        *group["betas"],
                        group["eps"],
                        group["weight_decay"],
                    )
                    self.state[p]["all"] = (m, v, t + 1)
                    p.copy_(new)

    return lambda p: Literal(p, **SETTINGS)


def adam_rule(mistake):
    def rule(p, g, m, v, t, lr, b1, b2, eps, wd):
        if mistake == "L2 instead of decoupled":
            g, wd = g + wd * p, 0.0
        m, v = b1 * m + (1 - b1) * g, b2 * v + (1 - b2) * g**2
        mh, vh = m / (1 - b1**t), v / (1 - b2**t)
        if mistake == "no bias correction":
            mh, vh = m, v
        if mistake == "corrects only the mean":
            vh = v
        root = (vh + eps).sqrt() if mistake == "eps inside the root" else vh.sqrt() + eps
        if mistake == "eps before the correction":
            root = (v.sqrt() + eps) / (1 - b2**t) ** 0.5
        if mistake == "decay without lr":
            p = p * (1 - wd)
        elif mistake == "decay after the step":
            new = p - lr * mh / root
            return new * (1 - lr * wd), m, v
        elif mistake != "no decay":
            p = p * (1 - lr * wd)
        return p - lr * mh / root, m, v

    return literal(rule)


def test_the_unspoiled_rewrite_passes():
    check_adamw(adam_rule("none"))


@pytest.mark.parametrize(
    "mistake",
    [
        "L2 instead of decoupled",
        "no bias correction",
        "corrects only the mean",
        "eps inside the root",
        "eps before the correction",
        "decay without lr",
        "decay after the step",
        "no decay",
    ],
)
def test_classic_adamw_mistakes_turn_the_check_red(mistake):
    with pytest.raises(AssertionError, match="off by"):
        check_adamw(adam_rule(mistake))


def bert_rule(mistake):
    def rule(p, g, m, v, t, lr, b1, b2, eps, wd):
        m, v = b1 * m + (1 - b1) * g, b2 * v + (1 - b2) * g * g
        mh, vh = (m / (1 - b1**t), v / (1 - b2**t)) if mistake == "bias correction" else (m, v)
        root = (vh + eps).sqrt() if mistake == "eps inside the root" else vh.sqrt() + eps
        return p - lr * (mh / root + (0 if mistake == "no decay" else wd * p)), m, v

    return literal(rule)


def check_bert_adam(make):
    ours, theirs = run(make, lr_of_step=falling), run(bert_rule("none"), lr_of_step=falling)
    assert torch.allclose(ours, theirs, rtol=0, atol=1e-12), f"off by {(ours - theirs).abs().max():.1e}"


def test_bert_adam_equals_the_formula():
    check_bert_adam(lambda p: BertAdam(p, **SETTINGS))


@pytest.mark.parametrize("mistake", ["bias correction", "eps inside the root", "no decay"])
def test_classic_bert_adam_mistakes_turn_the_check_red(mistake):
    with pytest.raises(AssertionError, match="off by"):
        check_bert_adam(bert_rule(mistake))


def test_bert_adams_first_step_is_3_16_times_too_long():
    weight = torch.nn.Parameter(torch.zeros(3, dtype=torch.float64))
    weight.grad = torch.tensor([1.0, -20.0, 500.0], dtype=torch.float64)
    BertAdam([weight], lr=1.0, weight_decay=0.0).step()
    assert torch.allclose(weight.abs(), torch.full_like(weight, 10**0.5), rtol=1e-4)


# The golden table: rms, effective learning rate, parameters.
GRADIENTS = [[[1.0, -1.0], [0.5, 2.0]], [[0.1, 0.0], [-0.5, 1.0]], [[10.0, -10.0], [5.0, 20.0]]]
GOLDEN = [
    (1.000000, [0.89900, -1.89800, 0.39950, 2.89700]),
    (0.596052, [0.82386, -1.82894, 0.40436, 2.80076]),
    (1.712385, [0.78309, -1.78793, 0.36768, 2.75756]),
]
STABLE = {"lr": 0.1, "betas": (0.9, 0.99), "eps": 1e-6, "weight_decay": 0.01}


def test_stable_adamw_golden():
    weight = torch.nn.Parameter(torch.tensor([[1.0, -2.0], [0.5, 3.0]], dtype=torch.float64))
    optimizer = StableAdamW([weight], **STABLE)
    for gradient, (rms, expected) in zip(GRADIENTS, GOLDEN, strict=True):
        weight.grad = torch.tensor(gradient, dtype=torch.float64)
        optimizer.step()
        assert abs(optimizer.state[weight]["rms"] - rms) < 5e-7
        assert torch.allclose(weight.flatten(), torch.tensor(expected, dtype=torch.float64), rtol=0, atol=5.1e-6)


def stable_rule(mistake):
    """The textbook form: averages that start at 0, corrected afterwards."""

    def rule(p, g, m, v, t, lr, b1, b2, eps, wd):
        if mistake == "clips the gradient":
            g = g / max(1.0, g.norm().item())
        m, v = b1 * m + (1 - b1) * g, b2 * v + (1 - b2) * g**2
        mh, vh = m / (1 - b1**t), v / (1 - b2**t)
        ratio = g**2 / vh.clamp(min=eps**2)
        rms = ratio.mean().sqrt()
        if mistake == "clips each element":
            rms = ratio.sqrt()
        if mistake == "clips by the global norm":
            rms = g.norm()
        if mistake == "uncorrected v":
            rms = (g**2 / v.clamp(min=eps**2)).mean().sqrt()
        if mistake in ("no clipping", "clips the gradient"):
            rms = torch.zeros(())
        eta = lr / rms if mistake == "also lengthens" else lr / rms.clamp(min=1.0)
        p = p * (1 - (lr if mistake == "decay not clipped" else eta) * wd)
        return p - eta * mh / (vh.sqrt() + eps), m, v

    return literal(rule)


def check_stable(make):
    ours, theirs = run(make, lr_of_step=falling), run(stable_rule("none"), lr_of_step=falling)
    assert torch.allclose(ours, theirs, rtol=0, atol=1e-10), f"off by {(ours - theirs).abs().max():.1e}"


def test_stable_adamw_equals_the_textbook_form():
    check_stable(lambda p: StableAdamW(p, **SETTINGS))


@pytest.mark.parametrize(
    "mistake",
    [
        "clips the gradient",
        "clips each element",
        "clips by the global norm",
        "uncorrected v",
        "no clipping",
        "also lengthens",
        "decay not clipped",
    ],
)
def test_classic_stable_adamw_mistakes_turn_the_check_red(mistake):
    with pytest.raises(AssertionError, match="off by"):
        check_stable(stable_rule(mistake))


def test_without_spikes_stable_adamw_is_adamw():
    """Gradients of constant size keep rms at 1, and then nothing is clipped."""
    ours, theirs = (torch.nn.Parameter(torch.tensor([1.0, -2.0], dtype=torch.float64)) for _ in range(2))
    pair = StableAdamW([ours], **STABLE), torch.optim.AdamW([theirs], **STABLE)
    for _ in range(20):
        for weight, optimizer in zip((ours, theirs), pair, strict=True):
            weight.grad = torch.tensor([0.3, -4.0], dtype=torch.float64)
            optimizer.step()
    assert torch.allclose(ours, theirs, rtol=0, atol=1e-12)


@given(st.lists(st.floats(-1e3, 1e3, allow_subnormal=False), min_size=1, max_size=30), st.floats(0.5, 0.999))
@settings(max_examples=80, deadline=None)
def test_rms_is_bounded(values, beta2):
    """g^2 / v is at most 1 / (1 - beta2): one bad batch cannot stop a tensor for good."""
    weight = torch.nn.Parameter(torch.ones(1, dtype=torch.float64))
    optimizer = StableAdamW([weight], lr=0.01, betas=(0.9, beta2))
    for value in values:
        weight.grad = torch.tensor([value], dtype=torch.float64)
        optimizer.step()
        assert optimizer.state[weight]["rms"] <= (1 / (1 - beta2)) ** 0.5 * (1 + 1e-6)
        assert weight.isfinite().all()


def test_stable_adamw_clips_each_tensor_by_itself():
    """A spike in one tensor leaves the step of another as it was."""
    calm, wild = (torch.nn.Parameter(torch.zeros(2, dtype=torch.float64)) for _ in range(2))
    optimizer = StableAdamW([calm, wild], lr=0.1, weight_decay=0.0)
    for size in (1.0, 1.0, 50.0):
        before = calm.detach().clone(), wild.detach().clone()
        calm.grad, wild.grad = torch.ones_like(calm), size * torch.ones_like(wild)
        optimizer.step()
    assert torch.allclose(calm - before[0], torch.full_like(calm, -0.1), atol=1e-6)
    assert optimizer.state[wild]["rms"] > 1.5 and optimizer.state[calm]["rms"] == pytest.approx(1.0)


def test_decoupled_lr_divides_the_decay_by_the_peak():
    coupled, decoupled = (torch.nn.Parameter(torch.tensor([2.0], dtype=torch.float64)) for _ in range(2))
    pair = [StableAdamW([coupled], **STABLE), StableAdamW([decoupled], **STABLE, decoupled_lr=True)]
    for weight, optimizer in zip((coupled, decoupled), pair, strict=True):
        optimizer.param_groups[0]["lr"] = 0.05  # half of the peak
        weight.grad = torch.zeros_like(weight)
        optimizer.step()
    assert coupled.item() == pytest.approx(2 * (1 - 0.05 * 0.01), abs=1e-12)
    assert decoupled.item() == pytest.approx(2 * (1 - 0.5 * 0.01), abs=1e-12)


@pytest.mark.parametrize("kind", [BertAdam, AdamW, StableAdamW])
def test_state_dict_carries_on_exactly(kind):
    def steps(model, optimizer, numbers):
        for number in numbers:
            optimizer.zero_grad()
            (model(torch.full((2, 3), float(number))).square().sum()).backward()
            optimizer.step()

    torch.manual_seed(0)
    model = torch.nn.Linear(3, 2)
    twin = copy.deepcopy(model)
    optimizer = kind(model.parameters(), lr=0.01)
    steps(model, optimizer, range(6))
    first = kind(twin.parameters(), lr=0.01)
    steps(twin, first, range(3))
    second = kind(twin.parameters(), lr=0.01)
    second.load_state_dict(copy.deepcopy(first.state_dict()))
    steps(twin, second, range(3, 6))
    assert torch.equal(model.weight, twin.weight) and torch.equal(model.bias, twin.bias)


def test_closure_and_missing_gradients():
    used, unused = torch.nn.Parameter(torch.ones(1)), torch.nn.Parameter(torch.ones(1))
    optimizer = AdamW([used, unused], lr=0.1)

    def closure():
        loss = used.square().sum()
        loss.backward()
        return loss

    assert optimizer.step(closure).item() == 1.0
    assert used.item() < 1.0 and unused.item() == 1.0 and unused not in optimizer.state


def test_parameter_groups_spare_biases_and_norms():
    model = torch.nn.Sequential(torch.nn.Embedding(5, 4), torch.nn.LayerNorm(4), torch.nn.Linear(4, 5))
    model[2].weight = model[0].weight  # tied: must not be decayed twice
    model[1].bias.requires_grad_(False)
    decayed, spared = parameter_groups(model, 0.01)
    assert [p is model[0].weight for p in decayed["params"]] == [True] and decayed["weight_decay"] == 0.01
    assert [id(p) for p in spared["params"]] == [id(model[1].weight), id(model[2].bias)]
    assert spared["weight_decay"] == 0.0
    with pytest.raises(ValueError, match="unfreeze"):
        parameter_groups(model.requires_grad_(False), 0.01)


@pytest.mark.parametrize("kind", [BertAdam, AdamW, StableAdamW])
@pytest.mark.parametrize(
    "settings, message",
    [
        ({"lr": -1.0}, "lr must"),
        ({"lr": float("nan")}, "lr must"),
        ({"betas": (0.9, 1.0)}, "betas must"),
        ({"betas": (0.9,)}, "betas must"),
        ({"eps": 0.0}, "eps must"),
        ({"weight_decay": -0.1}, "weight_decay must"),
    ],
)
def test_bad_settings_are_explained(kind, settings, message):
    with pytest.raises(ValueError, match=message):
        kind([torch.nn.Parameter(torch.ones(1))], **settings)


def test_other_bad_input_is_explained():
    weight = torch.nn.Parameter(torch.ones(1))
    with pytest.raises(ValueError, match="max_lr must"):
        StableAdamW([weight], max_lr=0.0)
    with pytest.raises(ValueError, match="peak of the schedule"):
        StableAdamW([weight], lr=0.0, decoupled_lr=True)
    table = torch.nn.Embedding(4, 2, sparse=True)
    table(torch.tensor([1])).sum().backward()
    with pytest.raises(ValueError, match="sparse=False"):
        AdamW(table.parameters()).step()
