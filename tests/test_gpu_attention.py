"""The GPU back-ends against the reference, and whole models on the GPU against the processor: `pytest -m gpu`.

The yardstick is the rounding of half precision itself: a back-end may stray from the exact answer (the reference in
float64, on the same rounded numbers) at most a few times as far as the reference does when it is run in that precision.
Each check is a function of the back-end and the device, and runs on the processor too, so that it is never dead code.
"""

import itertools

import pytest
import torch
from oracles import FAMILIES, build, ragged_batch, small_config
from torch.nn.functional import cross_entropy

from minibert.model import MaskedLanguageModel
from minibert.varlen import ANYWHERE, attention, dispatch, find_machine
from minibert.varlen.dispatch import NAMES, find_obstacles

HALF = [torch.bfloat16, torch.float16]
LENGTHS = [(7, 1, 4, 9), (150, 1, 300, 64, 65, 129), (513,)]
WINDOWS = [None, 0, 1, 3, 64]
has_gpu = torch.cuda.is_available()
gpu = [pytest.mark.gpu, pytest.mark.skipif(not has_gpu, reason="needs a CUDA device")]
on_gpu = [pytest.param(name, "cuda", marks=gpu) for name in NAMES if name != "reference"]
on_cpu = [(name, "cpu") for name in ANYWHERE if name != "reference"]
everywhere = pytest.mark.parametrize(("backend", "device"), on_cpu + on_gpu)


def skip_if_missing(backend, device, dtype, head_size=64, dropout=0.0):
    obstacles = find_obstacles(backend, find_machine(torch.device(device)), dtype, head_size, dropout)
    if obstacles:
        pytest.skip(f"{backend}: {'; '.join(obstacles)}")


def draw(lengths, heads, groups, head_size, dtype, device):
    """query, key, value, and a direction for the gradient, rounded to dtype; the borders; the longest text."""
    generator = torch.Generator().manual_seed(sum(lengths))
    shapes = [(sum(lengths), count, head_size) for count in (heads, groups, groups, heads)]
    tensors = [torch.randn(shape, generator=generator).to(device, dtype) for shape in shapes]
    borders = torch.tensor([0, *itertools.accumulate(lengths)], dtype=torch.int32, device=device)
    return tensors, borders, max(lengths)


def solve(tensors, borders, longest, dtype, backend, window):
    """Output and the three gradients, in float64, computed in dtype."""
    *inputs, direction = (x.detach().to(dtype) for x in tensors)
    inputs = [x.requires_grad_() for x in inputs]
    output, _ = attention(*inputs, borders, longest, window=window, backend=backend)
    assert output.dtype == dtype
    return [x.double() for x in (output.detach(), *torch.autograd.grad(output, inputs, direction))]


def check_parity(backend, device, dtype, lengths, window, groups, head_size):
    problem = draw(lengths, heads=4, groups=groups, head_size=head_size, dtype=dtype, device=device)
    exact = solve(*problem, torch.float64, "reference", window)
    rounded = solve(*problem, dtype, "reference", window)
    mine = solve(*problem, dtype, backend, window)
    for name, one, other, truth in zip(("output", "query", "key", "value"), mine, rounded, exact, strict=True):
        error, allowed = (one - truth).abs().max().item(), 3 * (other - truth).abs().max().item()
        least = torch.finfo(dtype).eps * max(truth.abs().max().item(), 1)  # where the reference happens to be exact
        assert error <= allowed + least, f"{name}: off by {error:.2g}, rounding explains {allowed + least:.2g}"


def check_reach(backend, device, dtype, window, tokens=301):
    """The keys a query can see are those whose values get a gradient from its output."""
    (query, key, value, _), borders, _ = draw((tokens, 40), 2, 1, 64, dtype, device)
    value.requires_grad_()
    output, _ = attention(query * 0, key, value, borders, tokens, window=window, backend=backend)  # equal scores
    for i in (0, 1, 150, tokens - 1, tokens, tokens + 39):
        (gradient,) = torch.autograd.grad(output[i].sum(), value, retain_graph=True)
        first, last = (0, tokens) if i < tokens else (tokens, tokens + 40)
        expected = range(max(first, i - window), min(last, i + window + 1))
        assert gradient.abs().sum((1, 2)).nonzero().flatten().tolist() == list(expected), f"query {i}"


@pytest.mark.parametrize(("backend", "device"), on_gpu)
@pytest.mark.parametrize("dtype", HALF)
@pytest.mark.parametrize("lengths", LENGTHS, ids=str)
@pytest.mark.parametrize("window", WINDOWS)
@pytest.mark.parametrize("groups", [1, 2, 4])
def test_parity_in_output_and_gradient(backend, device, dtype, lengths, window, groups):
    skip_if_missing(backend, device, dtype)
    check_parity(backend, device, dtype, lengths, window, groups, head_size=64)


@pytest.mark.parametrize(("backend", "device"), on_cpu)
@pytest.mark.parametrize("dtype", HALF)
@pytest.mark.parametrize(("lengths", "window"), [*((LENGTHS[0], window) for window in WINDOWS), (LENGTHS[1], 64)])
def test_parity_of_the_processor_in_half_precision(backend, device, dtype, lengths, window):
    check_parity(backend, device, dtype, lengths, window, groups=2, head_size=16)


@pytest.mark.parametrize("mistake", [63, 65, 128, None])
def test_the_parity_check_sees_a_wrong_window(mistake, monkeypatch):
    right = dispatch.CALLS["per_document"]
    wrong = lambda q, k, v, context: right(q, k, v, context.for_layer(mistake, dropout=0.0))  # noqa: E731
    monkeypatch.setitem(dispatch.CALLS, "per_document", wrong)
    with pytest.raises(AssertionError, match="output: off by"):
        check_parity("per_document", "cpu", torch.bfloat16, LENGTHS[1], 64, groups=2, head_size=64)
    with pytest.raises(AssertionError, match=r"query \d"):
        check_reach("per_document", "cpu", torch.bfloat16, 64)


@pytest.mark.parametrize(("backend", "device"), on_gpu)
@pytest.mark.parametrize("dtype", HALF)
@pytest.mark.parametrize("head_size", [8, 32, 96, 128])
def test_parity_for_other_head_sizes(backend, device, dtype, head_size):
    skip_if_missing(backend, device, dtype, head_size)
    check_parity(backend, device, dtype, LENGTHS[1], 64, 2, head_size)


@everywhere
@pytest.mark.parametrize("dtype", HALF)
@pytest.mark.parametrize("window", [0, 1, 63, 64])
def test_a_window_reaches_exactly_that_far(backend, device, dtype, window):
    skip_if_missing(backend, device, dtype)
    check_reach(backend, device, dtype, window)


@pytest.mark.parametrize(("backend", "device"), on_gpu)
def test_dropout_drops_and_keeps_the_expectation(backend, device):
    skip_if_missing(backend, device, torch.bfloat16, dropout=0.5)
    (query, key, value, _), borders, longest = draw((6, 3), 2, 2, 64, torch.bfloat16, device)
    call = dict(query=query, key=key, value=value, cu_seqlens=borders, max_seqlen=longest, backend=backend)
    draws = torch.stack([attention(**call, dropout=0.5)[0].double() for _ in range(600)])
    error = (draws.mean(0) - attention(**call)[0].double()).abs() / (draws.std(0) / 600**0.5)
    assert (draws.std(0) > 0.01).all()
    assert error.mean() < 2  # in standard errors of the mean


def learn(family, device, dtype, backend):
    """Logits on real tokens and the gradient of every weight after one step of masked language modelling."""
    changes = dict(local_window=32) if family == "modernbert" else {}
    config = small_config(family, hidden=64, max_len=200, **changes)
    model = build(MaskedLanguageModel, config, dtype=dtype).to(device)
    ids, mask, segments = ragged_batch(config, (120, 1, 33, 64))
    ids, mask = ids.to(device), mask.to(device)
    logits = model(ids, mask, None if segments is None else segments.to(device), backend=backend).logits
    logits = logits[mask.bool()].double()
    cross_entropy(logits, ids[mask.bool()]).backward()
    gradients = {name: parameter.grad.double().cpu() for name, parameter in model.named_parameters()}
    return logits.detach().cpu(), gradients


@everywhere
@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-4), (torch.bfloat16, 0.1)])
def test_a_whole_model_learns_the_same_as_in_float64_on_the_processor(backend, device, family, dtype, tolerance):
    skip_if_missing(backend, device, dtype, head_size=16)
    truth, expected = learn(family, "cpu", torch.float64, "reference")
    logits, gradients = learn(family, device, dtype, backend)
    assert (logits - truth).norm() <= tolerance * truth.norm()
    largest = max(gradient.norm() for gradient in expected.values())
    for name, gradient in gradients.items():
        error = (gradient - expected[name]).norm()
        assert error <= tolerance * (expected[name].norm() + 0.01 * largest), name


@pytest.mark.gpu
@pytest.mark.skipif(not has_gpu, reason="needs a CUDA device")
def test_no_attention_call_waits_for_the_gpu():
    backend = "flash_attn" if "flash_attn" in find_machine(torch.device("cuda")).installed else "torch"
    skip_if_missing(backend, "cuda", torch.bfloat16)
    (query, key, value, _), borders, longest = draw((70, 30), 2, 1, 64, torch.bfloat16, "cuda")
    attention(query, key, value, borders, longest, window=8, backend=backend)  # the first call may load things
    torch.cuda.set_sync_debug_mode("error")
    try:
        attention(query, key, value, borders, longest, window=8, backend=backend)
    finally:
        torch.cuda.set_sync_debug_mode("default")
