"""Which attention back-end answers: the whole table of choices, every refusal, and what is said about it."""

import ast
import inspect
import logging
import sys

import pytest
import torch

import minibert.varlen.dispatch as dispatch
from minibert.varlen import ANYWHERE, BACKENDS, Machine, attention, choose_backend, find_machine

CPU, MAC = Machine("cpu"), Machine("mps")
H100 = Machine("cuda", (9, 0))
A100 = Machine("cuda", (8, 0))
T4 = Machine("cuda", (7, 5))
BOTH = ("flash_attn", "flash_attn_4")
half = pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
DTYPES = [torch.float64, torch.float32, torch.bfloat16, torch.float16]


def having(machine, *installed, torch_version=(2, 13)):
    return Machine(machine.device, machine.capability, torch_version, installed)


@pytest.fixture(autouse=True)
def fresh(monkeypatch):
    """No request from outside, and a log that has said nothing yet."""
    monkeypatch.delenv(dispatch.VARIABLE, raising=False)
    dispatch.announce.cache_clear()
    dispatch._log_once.cache_clear()


# ---- auto


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("dropout", [0.0, 0.1])
@pytest.mark.parametrize("machine", [CPU, MAC, having(CPU, *BOTH), T4, having(T4, *BOTH)])
def test_without_a_fitting_gpu_auto_takes_what_runs_anywhere(machine, dtype, dropout):
    call = dict(machine=machine, dtype=dtype, dropout=dropout)
    assert choose_backend("auto", **call, window=None) == "per_document"
    assert choose_backend("auto", **call, window=64) == "banded"


@half
@pytest.mark.parametrize("window", [None, 0, 64])
@pytest.mark.parametrize(
    ("machine", "dropout", "expected"),
    [
        (having(A100, "flash_attn"), 0.0, "flash_attn"),
        (having(H100, "flash_attn"), 0.0, "flash_attn"),
        (having(H100, *BOTH), 0.0, "flash_attn"),
        (having(A100, "flash_attn"), 0.1, "flash_attn"),
        (having(A100, "flash_attn", torch_version=(2, 10)), 0.0, "flash_attn"),
        (A100, 0.0, "torch"),
        (H100, 0.0, "torch"),
        (having(H100, torch_version=(2, 11)), 0.0, "torch"),
        (having(H100, torch_version=(3, 0)), 0.0, "torch"),
        (having(H100, "flash_attn_4"), 0.0, "torch"),  # the beta is never chosen unasked
        (A100, 0.1, None),
        (having(H100, "flash_attn_4"), 0.1, None),
        (having(H100, torch_version=(2, 10)), 0.0, None),
    ],
)
def test_auto_on_a_gpu(dtype, window, machine, dropout, expected):
    expected = expected or ("per_document" if window is None else "banded")
    assert choose_backend("auto", machine, dtype, 64, window, dropout) == expected


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_full_precision_on_a_gpu_is_never_cast(dtype):
    machine = having(H100, *BOTH)
    assert choose_backend("auto", machine, dtype, window=None) == "per_document"
    assert choose_backend("auto", machine, dtype, window=64) == "banded"


@pytest.mark.parametrize("head_size", [6, 60, 264])
def test_head_sizes_without_a_kernel_fall_back(head_size):
    assert choose_backend("auto", having(H100, *BOTH), torch.bfloat16, head_size) == "per_document"


# ---- by name


@pytest.mark.parametrize("machine", [CPU, MAC, T4, having(H100, *BOTH)])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("window", [None, 3])
@pytest.mark.parametrize("name", ANYWHERE)
def test_what_runs_anywhere_is_taken_as_asked(name, window, dtype, machine):
    expected = "per_document" if (name, window) == ("banded", None) else name  # without a window there is no band
    assert choose_backend(name, machine, dtype, 6, window, 0.1) == expected


@half
@pytest.mark.parametrize("window", [None, 64])
@pytest.mark.parametrize("name", ["flash_attn", "torch", "flash_attn_4"])
def test_what_needs_a_gpu_is_taken_as_asked(name, window, dtype):
    assert choose_backend(name, having(H100, *BOTH), dtype, 64, window) == name


BF16 = torch.bfloat16


@pytest.mark.parametrize(
    ("name", "machine", "changes", "reason"),
    [
        ("flash_attn", H100, {}, "flash_attn: not installed; pip install flash-attn --no-build-isolation"),
        ("flash_attn_4", having(H100, "flash_attn"), {}, "flash_attn_4: not installed; pip install --pre flash-attn-4"),
        (
            "torch",
            having(H100, torch_version=(2, 10)),
            {},
            "torch: needs PyTorch 2.11, got 2.10; pip install --upgrade",
        ),
        ("flash_attn", having(CPU, *BOTH), {}, "flash_attn: needs CUDA sm80+, got cpu"),
        ("flash_attn", having(T4, *BOTH), {}, "flash_attn: needs CUDA sm80+, got sm75"),
        ("torch", MAC, {}, "torch: needs CUDA sm80+, got mps"),
        ("torch", T4, {}, "torch: needs CUDA sm80+, got sm75"),
        ("flash_attn_4", having(A100, *BOTH), {}, "flash_attn_4: needs CUDA sm90+, got sm80"),
        *(
            (name, having(H100, *BOTH), dict(dtype=dtype), f"{name}: needs fp16 or bf16, got {word}")
            for name in ("flash_attn", "torch", "flash_attn_4")
            for dtype, word in ((torch.float32, "float32"), (torch.float64, "float64"))
        ),
        ("torch", H100, dict(dropout=0.1), "torch: has no dropout, got 0.1"),
        ("flash_attn_4", having(H100, *BOTH), dict(dropout=0.1), "flash_attn_4: has no dropout, got 0.1"),
        ("torch", H100, dict(head_size=20), "torch: needs a head size in steps of 8 up to 256, got 20"),
        ("flash_attn", having(H100, *BOTH), dict(head_size=264), "needs a head size in steps of 8 up to 256, got 264"),
    ],
)
def test_a_request_that_cannot_be_met_says_why(name, machine, changes, reason):
    with pytest.raises(ValueError) as refusal:
        choose_backend(name, machine, **(dict(dtype=BF16) | changes))
    assert reason in str(refusal.value)
    assert ";" not in str(refusal.value).replace("installed;", "").replace("2.10;", "")  # that reason and no other


def test_all_reasons_are_given_at_once():
    with pytest.raises(ValueError) as refusal:
        choose_backend("flash_attn_4", CPU, torch.float32, head_size=6, dropout=0.1)
    for word in ("flash-attn-4", "sm90+", "float32", "head size", "dropout"):
        assert word in str(refusal.value)


def test_only_the_reference_shows_probabilities():
    for requested in ("auto", "reference"):
        assert choose_backend(requested, having(H100, *BOTH), BF16, need_probabilities=True) == "reference"
    for requested in set(dispatch.NAMES) - {"reference"}:
        with pytest.raises(ValueError, match=f"back-end '{requested}' never forms the attention probabilities"):
            choose_backend(requested, having(H100, *BOTH), BF16, need_probabilities=True)


def test_an_unknown_name_is_refused_with_the_known_ones():
    with pytest.raises(ValueError, match="back-end 'dense': expected auto or one of flash_attn, torch, per_document"):
        choose_backend("dense")


def test_the_order_is_the_documented_one():
    assert BACKENDS == ("flash_attn", "torch", "per_document", "banded", "tiled", "reference")
    assert set(dispatch.CALLS) == set(dispatch.NAMES) - {"reference"}
    positions = [dispatch.__doc__.index(f"\n    {name} ") for name in dispatch.NAMES]
    assert positions == sorted(positions)


# ---- argument and environment


def tensors(dtype=torch.float32):
    x = torch.ones(3, 2, 8, dtype=dtype)
    return dict(query=x, key=x, value=x, cu_seqlens=torch.tensor([0, 3], dtype=torch.int32), max_seqlen=3)


@pytest.fixture
def answered(monkeypatch):
    """Which back-end each call went to."""
    names = []

    def spy(name):
        def answer(query, *rest):
            names.append(name)
            return (query, ()) if name == "reference" else query

        return answer

    monkeypatch.setattr(dispatch, "CALLS", {name: spy(name) for name in dispatch.CALLS})
    monkeypatch.setattr(dispatch, "reference_attention", spy("reference"))
    return names


@pytest.mark.parametrize("name", dispatch.NAMES)
def test_each_name_reaches_its_function(name, answered, monkeypatch):
    monkeypatch.setattr(dispatch, "find_machine", lambda device: having(H100, *BOTH))
    attention(**tensors(BF16), window=1, backend=name)
    assert answered == [name]


def test_the_environment_speaks_for_auto_and_the_argument_wins(answered, monkeypatch):
    attention(**tensors())
    monkeypatch.setenv("MINIBERT_ATTENTION", "reference")
    attention(**tensors())
    attention(**tensors(), backend="auto")
    attention(**tensors(), backend="per_document")
    monkeypatch.setenv("MINIBERT_ATTENTION", "")
    attention(**tensors())
    assert answered == ["per_document", "reference", "reference", "per_document", "per_document"]


def test_the_environment_does_not_keep_anybody_from_looking_at_probabilities(answered, monkeypatch):
    monkeypatch.setenv("MINIBERT_ATTENTION", "per_document")
    attention(**tensors(), need_probabilities=True)
    assert answered == ["reference"]


def test_the_environment_cannot_name_what_is_not_there(monkeypatch):
    monkeypatch.setenv("MINIBERT_ATTENTION", "flash")
    with pytest.raises(ValueError, match="MINIBERT_ATTENTION='flash': expected auto or one of flash_attn, torch"):
        attention(**tensors())
    monkeypatch.setenv("MINIBERT_ATTENTION", "torch")
    with pytest.raises(ValueError, match="back-end torch: needs CUDA"):
        attention(**tensors())


@pytest.mark.parametrize("name", ["flash_attn", "torch", "flash_attn_4"])
def test_asked_for_on_this_processor_it_refuses(name):
    with pytest.raises(ValueError, match=f"back-end {name}: .*needs CUDA sm.0.?, got cpu; needs fp16 or bf16"):
        attention(**tensors(), backend=name)


# ---- what is said


def lines(caplog):
    return [(record.levelname, record.getMessage()) for record in caplog.records]


def test_auto_says_once_what_it_chose(caplog):
    caplog.set_level(logging.INFO, logger="minibert.attention")
    for dropout in (0.0, 0.0, 0.1):
        for window in (None, 1):
            attention(**tensors(), window=window, dropout=dropout)
    expected = "attention on cpu: per_document for global layers, banded for local ones"
    assert lines(caplog) == [("INFO", expected)]


def test_a_named_back_end_is_not_announced(caplog, monkeypatch):
    caplog.set_level(logging.INFO, logger="minibert.attention")
    attention(**tensors(), backend="reference")
    attention(**tensors(), need_probabilities=True)
    monkeypatch.setenv("MINIBERT_ATTENTION", "per_document")
    attention(**tensors())
    assert lines(caplog) == []


def test_a_slow_path_on_a_gpu_is_a_warning_with_its_reasons(caplog, answered, monkeypatch):
    caplog.set_level(logging.INFO, logger="minibert.attention")
    monkeypatch.setattr(dispatch, "find_machine", lambda device: H100)
    attention(**tensors(BF16))
    attention(**tensors())
    (level, line), (slow_level, slow) = lines(caplog)
    assert (level, line) == ("INFO", "attention on cuda: torch")
    assert slow_level == "WARNING"
    assert slow.startswith("attention on cuda: per_document for global layers, banded for local ones; flash_attn: not")
    assert slow.endswith("; torch: needs fp16 or bf16, got float32")


def test_a_processor_says_nothing_on_stderr_by_itself(capfd):
    attention(**tensors())
    assert capfd.readouterr() == ("", "")


# ---- the machine


def test_the_machine_is_looked_up_without_importing_anything():
    find_machine.cache_clear()
    before = set(sys.modules)
    machine = find_machine(torch.device("cpu"))
    assert (machine.device, machine.capability) == ("cpu", None)
    assert machine.torch_version == tuple(map(int, torch.__version__.split(".")[:2]))
    assert not [name for name in set(sys.modules) - before if "flash" in name]
    assert find_machine(torch.device("cpu")) is machine


def test_packages_are_found_by_their_name(monkeypatch):
    there = {"flash-attn-4"}

    def version(package):
        if package not in there:
            raise dispatch.metadata.PackageNotFoundError(package)
        return "1.0"

    monkeypatch.setattr(dispatch.metadata, "version", version)
    assert dispatch.find_installed() == ("flash_attn_4",)


def test_the_choice_is_pure():
    """It may look at its arguments alone: no environment, no device, no import."""
    for function in (choose_backend, dispatch.find_obstacles):
        tree = ast.parse(inspect.getsource(function))
        used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
        assert not used & {"os", "metadata", "find_machine", "logger", "importlib"}
        attributes = {ast.unparse(node) for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
        assert {name for name in attributes if name.startswith("torch.")} <= {
            "torch.float16",
            "torch.bfloat16",
            "torch.dtype",
            "torch.float32",
        }
