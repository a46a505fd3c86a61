"""One attention call for the whole package, and which back-end answers it.

All back-ends take (query, key, value, context) and compute the same numbers. In the order of preference:

    flash_attn     FlashAttention 2, the package flash-attn        GPU, fp16 or bf16
    torch          FlashAttention as PyTorch ships it              GPU, fp16 or bf16, no dropout
    per_document   PyTorch's fused kernel, document by document    anywhere; what `auto` takes for global layers
    banded         blocks of the window, memory O(N·W)             anywhere; what `auto` takes for layers with a window
    tiled          FlashAttention's idea in plain PyTorch          anywhere, slow, by name only: memory O(N · tile)
    reference      the formula as one reads it                     anywhere, slow; the only one that shows probabilities
    flash_attn_4   FlashAttention 4, the package flash-attn-4      Hopper and newer GPUs; by name only, it is a beta

`backend="..."` decides; where it is left at `auto`, the environment variable MINIBERT_ATTENTION does. Where that is not
set either, `choose_backend` decides: a pure function of the machine and of what is asked.
"""

import logging
import os
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from importlib import metadata

import torch
from torch import Tensor

from minibert.varlen.banded import banded_attention
from minibert.varlen.flash import flash_attention, flash_attention_4, torch_attention
from minibert.varlen.per_document import per_document_attention
from minibert.varlen.reference import PackedContext, reference_attention
from minibert.varlen.tiled import tiled_attention

CALLS = {
    "flash_attn": flash_attention,
    "flash_attn_4": flash_attention_4,
    "torch": torch_attention,
    "per_document": per_document_attention,
    "banded": banded_attention,
    "tiled": tiled_attention,
}
VARIABLE = "MINIBERT_ATTENTION"
BACKENDS = ("flash_attn", "torch", "per_document", "banded", "tiled", "reference")
ANYWHERE = BACKENDS[2:]  # on every device and in every dtype
NAMES = (*BACKENDS, "flash_attn_4")
PACKAGES = {"flash_attn": "flash-attn", "flash_attn_4": "flash-attn-4"}
INSTALL = {
    "flash_attn": "pip install flash-attn --no-build-isolation",
    "flash_attn_4": "pip install --pre flash-attn-4",
}
OLDEST_GPU = {"flash_attn": (8, 0), "torch": (8, 0), "flash_attn_4": (9, 0)}

# A logger and not print, so that programs decide what they show and notebooks stay clean: what nobody needs to act on
# is INFO. A slow path on a GPU is a WARNING, which Python shows on stderr by itself.
logger = logging.getLogger("minibert.attention")


def attend(
    query: Tensor, key: Tensor, value: Tensor, context: PackedContext
) -> tuple[Tensor, tuple[Tensor, ...] | None]:
    """Attention within each document of a packed batch, by the back-end that `context.backend` asks for.

    Shape: query (N, H, K), key and value (N, G, K) -> output (N, H, K), and the probabilities, one (H, T, T) per
    document, or None when `context.need_probabilities` is False.

    `context.backend` is one of `NAMES`, or `auto`: then the environment variable MINIBERT_ATTENTION may name one.

    Raises:
        ValueError: shapes that do not fit each other, a negative window, an unknown back-end, or one that cannot answer
            on this device, in this dtype, with this dropout.

    Source: Vaswani et al. 2017, section 3.2; Warner et al. 2024, section 2.1.2 (packed form).

    >>> x = torch.ones(3, 1, 2)
    >>> attend(x, x, x, PackedContext(torch.tensor([0, 3]), 3))[0].shape
    torch.Size([3, 1, 2])
    """
    check_attention(query, key, value, context.cu_seqlens, context.window)
    wants_auto, wants_probabilities = context.backend == "auto", context.need_probabilities
    requested = "reference" if wants_probabilities and wants_auto else read_request(context.backend)
    machine, head_size, dropout = find_machine(query.device), query.shape[2], context.dropout
    name = choose_backend(requested, machine, query.dtype, head_size, context.window, dropout, wants_probabilities)
    if requested == "auto":
        announce(machine, query.dtype, head_size, dropout)
    if name == "reference":
        output, probabilities = reference_attention(query, key, value, context)
        return output, probabilities if wants_probabilities else None
    return CALLS[name](query, key, value, context), None


def attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    cu_seqlens: Tensor,
    max_seqlen: int,
    window: int | None = None,
    dropout: float = 0.0,
    scale: float | None = None,
    backend: str = "auto",
    need_probabilities: bool = False,
    shared: dict | None = None,
) -> tuple[Tensor, tuple[Tensor, ...] | None]:
    """`attend` for a single call outside a model: the fields of the context come as arguments.

    Shape: query (N, H, K), key and value (N, G, K), cu_seqlens (B + 1,) int32 -> as `attend`.

    Raises:
        ValueError: as `attend`.

    Source: Vaswani et al. 2017, section 3.2; Warner et al. 2024, section 2.1.2 (packed form).

    >>> x = torch.ones(3, 1, 2)
    >>> attention(x, x, x, torch.tensor([0, 3]), 3)[0].shape
    torch.Size([3, 1, 2])
    """
    context = PackedContext(
        cu_seqlens,
        max_seqlen,
        backend=backend,
        need_probabilities=need_probabilities,
        shared={} if shared is None else shared,
        window=window,
        dropout=dropout,
        scale=scale,
    )
    return attend(query, key, value, context)


def check_attention(query: Tensor, key: Tensor, value: Tensor, cu_seqlens: Tensor, window: int | None) -> None:
    """Refuse queries, keys, values and borders that do not fit each other.

    Raises:
        ValueError: naming what came and what was expected.

    >>> check_attention(torch.ones(3, 4, 2), torch.ones(3, 3, 2), torch.ones(3, 3, 2), torch.tensor([0, 3]), None)
    Traceback (most recent call last):
    ...
    ValueError: 4 query heads and 3 key/value heads: H must be a multiple of G
    """
    shapes = f"query {tuple(query.shape)}, key {tuple(key.shape)}, value {tuple(value.shape)}"
    if query.dim() != 3 or key.shape[:2] != value.shape[:2] or key.shape[::2] != query.shape[::2]:
        raise ValueError(f"{shapes}: expected (N, H, K), (N, G, K), (N, G, K)")
    heads, groups = query.shape[1], key.shape[1]
    if groups == 0 or heads % groups:
        raise ValueError(f"{heads} query heads and {groups} key/value heads: H must be a multiple of G")
    if window is not None and window < 0:
        raise ValueError(f"window={window}: expected how many tokens are seen on each side, or None for all")
    if cu_seqlens.device.type == "cpu":  # elsewhere reading a number would stall the device; the encoder has checked it
        borders = cu_seqlens.tolist()
        if borders[0] != 0 or borders[-1] != len(query) or sorted(borders) != borders:
            raise ValueError(f"cu_seqlens {borders[:8]}: expected to rise from 0 to N={len(query)}")


@dataclass(frozen=True)
class Machine:
    """What a machine offers: the device's type, its CUDA compute capability, PyTorch's version, and which of the
    back-ends that come as packages are installed.

    >>> Machine("cuda", capability=(8, 0), installed=("flash_attn",)).torch_version
    (2, 13)
    """

    device: str = "cpu"
    capability: tuple[int, int] | None = None
    torch_version: tuple[int, int] = (2, 13)
    installed: tuple[str, ...] = ()


CPU = Machine()


@cache
def find_machine(device: torch.device) -> Machine:
    """The machine as seen from this device; looked up once.

    >>> find_machine(torch.device("cpu")).device
    'cpu'
    """
    major, minor = torch.__version__.split(".")[:2]
    capability = torch.cuda.get_device_capability(device) if device.type == "cuda" else None
    return Machine(device.type, capability, (int(major), int(minor)), INSTALLED)


def find_installed() -> tuple[str, ...]:
    """The back-ends whose packages are installed. Nothing is imported: packages are found by their metadata.

    >>> set(find_installed()) <= set(PACKAGES)
    True
    """
    installed = []
    for name, package in PACKAGES.items():
        with suppress(metadata.PackageNotFoundError):
            metadata.version(package)
            installed.append(name)
    return tuple(installed)


INSTALLED = find_installed()  # here and not in `find_machine`: torch.compile traces that, and cannot trace this


def find_obstacles(name: str, machine: Machine, dtype: torch.dtype, head_size: int, dropout: float) -> list[str]:
    """Everything that keeps a back-end from answering here; empty when it can.

    >>> find_obstacles("torch", Machine(), torch.float32, head_size=64, dropout=0.0)
    ['needs CUDA sm80+, got cpu', 'needs fp16 or bf16, got float32']
    """
    if name in ANYWHERE:
        return []
    obstacles = []
    if name in PACKAGES and name not in machine.installed:
        obstacles.append(f"not installed; {INSTALL[name]}")
    if name == "torch" and machine.torch_version < (2, 11):
        found = ".".join(map(str, machine.torch_version))
        obstacles.append(f"needs PyTorch 2.11, got {found}; pip install --upgrade torch")
    if machine.device != "cuda" or machine.capability is None or machine.capability < OLDEST_GPU[name]:
        oldest = "".join(map(str, OLDEST_GPU[name]))
        got = "sm" + "".join(map(str, machine.capability)) if machine.capability else machine.device
        obstacles.append(f"needs CUDA sm{oldest}+, got {got}")
    if dtype not in (torch.float16, torch.bfloat16):
        obstacles.append(f"needs fp16 or bf16, got {str(dtype).removeprefix('torch.')}")
    if head_size % 8 or head_size > 256:
        obstacles.append(f"needs a head size in steps of 8 up to 256, got {head_size}")
    if dropout and name != "flash_attn":
        obstacles.append(f"has no dropout, got {dropout}")
    return obstacles


@cache  # every layer asks
def choose_backend(
    requested: str = "auto",
    machine: Machine = CPU,
    dtype: torch.dtype = torch.float32,
    head_size: int = 64,
    window: int | None = None,
    dropout: float = 0.0,
    need_probabilities: bool = False,
) -> str:
    """The name of the back-end that answers one call: what was requested, or the fastest that can for `auto`.

    Only the reference forms the probabilities, so asking `auto` for them selects it. `banded` has nothing to gain in a
    layer without a window, where per_document answers: a model has both kinds of layers, and one name must serve both.

    Raises:
        ValueError: an unknown back-end, or one that cannot do what is asked here, with every reason.

    >>> choose_backend(), choose_backend(window=64), choose_backend(need_probabilities=True)
    ('per_document', 'banded', 'reference')
    >>> choose_backend(machine=Machine("cuda", capability=(9, 0)), dtype=torch.bfloat16, window=64)
    'torch'
    """
    if requested not in ("auto", *NAMES):
        raise ValueError(f"attention back-end {requested!r}: expected auto or one of {', '.join(NAMES)}")
    if need_probabilities:
        if requested not in ("auto", "reference"):
            raise ValueError(f"back-end {requested!r} never forms the attention probabilities: use auto or reference")
        return "reference"
    without_flash = "per_document" if window is None else "banded"
    if requested == "auto":
        for name in BACKENDS[:2]:
            if not find_obstacles(name, machine, dtype, head_size, dropout):
                return name
        return without_flash
    obstacles = find_obstacles(requested, machine, dtype, head_size, dropout)
    if obstacles:
        raise ValueError(f"attention back-end {requested}: {'; '.join(obstacles)}")
    return without_flash if requested == "banded" else requested


def read_request(argument: str = "auto") -> str:
    """The argument, or, where it says `auto`, the environment variable MINIBERT_ATTENTION.

    Raises:
        ValueError: the variable names no back-end.

    >>> read_request("banded")
    'banded'
    """
    if argument != "auto":
        return argument
    value = os.environ.get(VARIABLE) or "auto"
    if value not in ("auto", *NAMES):
        raise ValueError(f"{VARIABLE}={value!r}: expected auto or one of {', '.join(NAMES)}")
    return value


def describe_choice(machine: Machine, dtype: torch.dtype, head_size: int = 64, dropout: float = 0.0) -> str:
    """What `auto` chooses, in a line; on a GPU without FlashAttention, why.

    >>> describe_choice(Machine(), torch.float32)
    'attention on cpu: per_document for global layers, banded for local ones'
    """
    call = dict(machine=machine, dtype=dtype, head_size=head_size, dropout=dropout)
    for_global, for_local = choose_backend(**call), choose_backend(**call, window=1)
    if for_global == for_local:
        return f"attention on {machine.device}: {for_global}"
    line = f"attention on {machine.device}: {for_global} for global layers, {for_local} for local ones"
    if machine.device == "cuda":
        for name in BACKENDS[:2]:
            line += f"; {name}: {', '.join(find_obstacles(name, **call))}"
    return line


@cache
def announce(machine: Machine, dtype: torch.dtype, head_size: int = 64, dropout: float = 0.0) -> None:
    """Tell the log what `auto` chooses, each line once per process.

    >>> announce(Machine(), torch.float32)
    """
    chosen = choose_backend("auto", machine, dtype, head_size, None, dropout)
    is_slow = machine.device == "cuda" and chosen in ANYWHERE
    _log_once(logging.WARNING if is_slow else logging.INFO, describe_choice(machine, dtype, head_size, dropout))


@cache
def _log_once(level: int, line: str) -> None:
    logger.log(level, line)
