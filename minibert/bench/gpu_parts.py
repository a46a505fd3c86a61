"""The parts of `bench gpu`: back-ends against the reference, the speed of attention, of forward passes and of steps."""

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn

from minibert.bench import attention as layers
from minibert.bench.cards import card_peak, kernels
from minibert.bench.limit import peak_flops
from minibert.bench.machine import machine
from minibert.bench.memory import peak_memory_cuda
from minibert.bench.report import DTYPES, bench_config
from minibert.bench.timing import in_turns, speedup, summary, waiter
from minibert.bench.workloads import Workload, find_workload, masked_batch, padded_batch
from minibert.config import EncoderConfig
from minibert.model import Encoder, MaskedLanguageModel
from minibert.model.cost import attention_pairs, model_flops
from minibert.varlen import attention as packed_attention
from minibert.varlen.dispatch import find_machine, find_obstacles

HEADS = 4  # in the comparison with the reference; their groups are 1, 2 and 4
MOST_SECONDS = 20.0  # for the rounds of one part: a slow card runs fewer
STRAY = 3  # how many times as far as the reference in the same dtype a back-end may be from the truth


@dataclass(frozen=True)
class Size:
    """How much is measured.

    >>> FULL.long, SMALL.long
    (8192, 300)
    """

    name: str
    ragged: tuple[int, ...]  # lengths of the texts in the comparison with the reference
    long: int  # one text of so many tokens, in the comparison and for the speed of attention
    windows: tuple[int | None, ...]
    head_sizes: tuple[int, ...]
    dtype: str
    inference: tuple[tuple[str, str], ...]  # (preset, workload)
    training: tuple[tuple[str, str], ...]
    repeats: int


FULL = Size(
    name="full",
    ragged=(150, 1, 300, 64, 65, 129, 513),
    long=8192,
    windows=(None, 1, 64),
    head_sizes=(64, 128),
    dtype="bf16",
    inference=(
        ("modernbert-base", "64x512"),
        ("modernbert-base", "4x8192"),
        ("bert-base", "64x512"),
        ("eurobert-210m", "64x512"),
    ),
    training=(
        ("modernbert-base", "16x512"),
        ("modernbert-base", "2x8192"),
        ("bert-base", "16x512"),
        ("eurobert-210m", "16x512"),
    ),
    repeats=10,
)
NANO = ("modernbert-nano", "bert-nano", "eurobert-nano")
SMALL = Size(
    name="small",
    ragged=(7, 1, 40, 13),
    long=300,
    windows=(None, 1, 8),
    head_sizes=(16,),
    dtype="bf16",
    inference=tuple((preset, "3x40") for preset in NANO),
    training=tuple((preset, "3x40") for preset in NANO),
    repeats=1,
)


# ---- are the back-ends right


def peak(size: Size, device: str) -> dict:
    """The fastest product here, and the maker's promise.

    >>> peak(SMALL, "cpu")["card_tflops"] is None
    True
    """
    measured = peak_flops(device, torch.bfloat16) / 1e12
    return {"measured_tflops": round(measured, 4), "card_tflops": card_peak(machine(device).get("gpu"))}


def agreement(backend: str, size: Size, device: str) -> dict:
    """One back-end on ragged texts and on a long one: windows, groups and head sizes, in every dtype that it takes.

    >>> agreement("banded", SMALL, "cpu")["all_right"]
    True
    """
    shapes = [(size.ragged, window, groups, size.head_sizes[0]) for window in size.windows for groups in (1, 2, HEADS)]
    shapes += [(size.ragged, size.windows[-1], 2, head_size) for head_size in size.head_sizes[1:]]
    shapes += [((size.long,), window, 1, size.head_sizes[0]) for window in (None, size.windows[-1])]
    found = []
    for dtype in (torch.bfloat16, torch.float16, torch.float32):
        for lengths, window, groups, head_size in shapes:
            if find_obstacles(backend, find_machine(torch.device(device)), dtype, head_size, dropout=0.0):
                continue
            heads = HEADS if len(lengths) > 1 else 1  # the reference keeps (T, T) numbers for each head
            problem = draw(lengths, heads, groups, head_size, dtype, device)
            found.append(
                {"dtype": str(dtype).removeprefix("torch."), "texts": len(lengths), "longest": max(lengths)}
                | {"window": window, "heads": heads, "groups": groups, "head_size": head_size}
                | compare(problem, backend, window)
            )
    return {"all_right": all(row["right"] for row in found), "cases": found}


def draw(lengths: tuple[int, ...], heads: int, groups: int, head_size: int, dtype: torch.dtype, device: str):
    """Random query, key, value and a direction for the gradient, rounded to dtype; the borders; the longest text.

    >>> tensors, borders, longest = draw((2, 3), 4, 2, 8, torch.float32, "cpu")
    >>> tensors[1].shape, borders.tolist(), longest
    (torch.Size([5, 2, 8]), [0, 2, 5], 3)
    """
    generator = torch.Generator().manual_seed(sum(lengths))
    shapes = [(sum(lengths), count, head_size) for count in (heads, groups, groups, heads)]
    tensors = [torch.randn(shape, generator=generator).to(device, dtype) for shape in shapes]
    borders = torch.tensor([0, *itertools.accumulate(lengths)], dtype=torch.int32, device=device)
    return tensors, borders, max(lengths)


def compare(problem, backend: str, window: int | None) -> dict:
    """How far a back-end's output and gradients are from the reference in float64, and how far they may be.

    >>> compare(draw((5,), 1, 1, 8, torch.float32, "cpu"), "reference", None)["right"]
    True
    """
    dtype = problem[0][0].dtype
    mine = solve(*problem, dtype, backend, window)
    rounded = solve(*problem, dtype, "reference", window)
    truth = solve(*problem, torch.float64, "reference", window)
    errors, allowed = {}, {}
    for name, one, other, exact in zip(("output", "query", "key", "value"), mine, rounded, truth, strict=True):
        errors[name] = float((one - exact).abs().max())
        least = torch.finfo(dtype).eps * max(float(exact.abs().max()), 1.0)  # where the reference is exact by chance
        allowed[name] = STRAY * float((other - exact).abs().max()) + least
    right = all(errors[name] <= allowed[name] for name in errors)  # False for NaN too
    return {"right": right, "error": errors, "allowed": allowed}


def solve(tensors, borders: Tensor, longest: int, dtype: torch.dtype, backend: str, window: int | None) -> list[Tensor]:
    """Output and the gradients of query, key and value, computed in dtype, returned in float64.

    >>> [tuple(x.shape) for x in solve(*draw((5,), 2, 1, 8, torch.float32, "cpu"), torch.float32, "reference", None)]
    [(5, 2, 8), (5, 2, 8), (5, 1, 8), (5, 1, 8)]
    """
    *inputs, direction = (x.detach().to(dtype) for x in tensors)
    inputs = [x.requires_grad_() for x in inputs]
    output, _ = packed_attention(*inputs, borders, longest, window=window, backend=backend)
    return [x.double() for x in (output.detach(), *torch.autograd.grad(output, inputs, direction))]


# ---- how fast is attention alone


def attention(is_local: bool, backward: bool, size: Size, device: str) -> dict:
    """One layer's attention on one long text, by every back-end that can, and by torch's with a dense mask.

    >>> sorted(attention(True, False, SMALL, "cpu")["contenders"])
    ['banded', 'ours', 'per_document', 'reference', 'sdpa', 'tiled']
    """
    window = size.windows[-1] if is_local else None
    layer = layers.Layer(size.long, window, size.dtype, backward, device)
    calls = {name: layers.contender(name, layer) for name in layers.contenders(layer)}
    pairs = attention_pairs(size.long, window)
    flops = (3 if backward else 1) * 4 * layers.HEADS * layers.HEAD_SIZE * pairs
    return {"length": size.long, "window": window, "dtype": size.dtype} | measure(calls, size.long, flops, size, device)


# ---- how fast are models


@torch.inference_mode()
def inference(preset: str, workload_name: str, size: Size, device: str) -> dict:
    """Forward passes of the encoder, ours and transformers' with the same weights.

    >>> found = inference("bert-nano", "2x9", SMALL, "cpu")
    >>> sorted(found["contenders"]), found["agreement"]["agrees"]
    (['ours', 'sdpa'], True)
    """
    from minibert.bench.opponents import our_forward, their_forward

    config, dtype = bench_config(preset), DTYPES[size.dtype]
    workload = find_workload(workload_name, config.family)
    ours, theirs, missing = pair(Encoder, config, device)
    few = on(device, padded_batch(Workload("few", (40, 9)), config))
    real = few[1].bool()
    ours_in, theirs_in = partial(our_forward, ids=few[0], mask=few[1]), partial(their_forward, ids=few[0], mask=few[1])
    expected = None if theirs is None else theirs_in(theirs)[real]
    agreed = None if theirs is None else agree({"ours float32": ours_in(ours)[real]}, expected)
    ours, theirs = ours.to(dtype), theirs if theirs is None else theirs.to(dtype)
    if agreed is not None:
        agreed["rounding"] = agree({"ours": ours_in(ours)[real], "sdpa": theirs_in(theirs)[real]}, expected)["error"]
    batch = on(device, padded_batch(workload, config))
    calls: dict[str, Callable] = {"ours": partial(our_forward, ours, *batch)}
    for name, model in opponents_of(theirs, device).items():
        calls[name] = partial(their_forward, model, *batch)
    flops = model_flops(config, workload.lengths)
    found = workload.describe() | {"dtype": size.dtype, "flops": flops, "agreement": agreed}
    return found | measure(calls, workload.tokens, flops, size, device, missing)


def training(preset: str, workload_name: str, size: Size, device: str) -> dict:
    """Steps of masked language modelling: loss, backward, optimizer; ours and transformers'.

    >>> sorted(training("modernbert-nano", "2x9", SMALL, "cpu")["contenders"])
    ['ours', 'sdpa', 'sparse']
    """
    from minibert.bench.training import Steps, equal_scores
    from minibert.training.recipe import FAMILY_MASKING

    config = bench_config(preset)
    workload, rate = find_workload(workload_name, config.family), FAMILY_MASKING[config.family]["mask_rate"]
    ours, theirs, missing = pair(MaskedLanguageModel, config, device)
    agreed = None
    if theirs is not None:
        try:
            few = on(device, masked_batch(Workload("few", (40, 9)), config, rate))
            agreed = {"agrees": True} | equal_scores(ours, theirs, few)
        except ValueError as error:
            agreed = {"agrees": False, "why": str(error)}
    batch = on(device, masked_batch(workload, config, rate))
    masked = int((batch[2] != -100).sum())
    names = [*opponents_of(theirs, device), *(["sparse"] if hasattr(theirs, "sparse_prediction") else [])]
    steps = Steps(ours, theirs, batch, tuple(names))
    bf16 = size.dtype == "bf16"
    calls: dict[str, Callable] = {"ours": partial(steps.ours, bf16)}
    calls |= {name: partial(steps.theirs, name, bf16) for name in names}
    flops = model_flops(config, workload.lengths, masked, training=True)
    found = workload.describe() | {"dtype": size.dtype, "flops": flops, "masked_tokens": masked, "agreement": agreed}
    return found | measure(calls, workload.tokens, flops, size, device, missing)


def pair(kind: type, config: EncoderConfig, device: str) -> tuple[nn.Module, nn.Module | None, dict[str, str]]:
    """Our model and transformers' with the same random weights in float32; where it cannot be imported, None and why.

    >>> ours, theirs, failed = pair(Encoder, EncoderConfig.preset("bert-nano"), "cpu")
    >>> torch.equal(ours.embeddings.token.weight, theirs.embeddings.word_embeddings.weight)
    True
    """
    from minibert.bench import opponents

    is_encoder = kind is Encoder
    try:
        theirs = (opponents.their_encoder if is_encoder else opponents.their_language_model)(config, device=device)
    except ImportError as error:
        alone = opponents.our_encoder if is_encoder else opponents.our_language_model
        return alone(config, device=device), None, {"transformers": first_line(error)}
    with torch.device("meta"):
        ours = Encoder(config, pooler=False) if is_encoder else MaskedLanguageModel(config)
    return opponents.with_their_weights(ours, theirs), theirs, {}


def opponents_of(theirs: nn.Module | None, device: str) -> dict[str, nn.Module]:
    """transformers' model by name of its attention: sdpa, and FlashAttention where it is installed for this GPU.

    >>> opponents_of(None, "cpu")
    {}
    """
    from minibert.bench import opponents

    if theirs is None:
        return {}
    has_flash = not find_obstacles("flash_attn", find_machine(torch.device(device)), torch.bfloat16, 64, dropout=0.0)
    names = ("sdpa", "flash_attention_2") if has_flash else ("sdpa",)
    return {name: opponents.with_attention(theirs, name) for name in names}


def agree(found: dict[str, Tensor], expected: Tensor) -> dict:
    """The differences of answers to the expected one, and whether all are those of the same model.

    >>> agree({"ours": torch.ones(2)}, torch.ones(2))
    {'agrees': True, 'error': {'ours': {'max': 0.0, 'rms': 0.0}}}
    """
    from minibert.bench.opponents import TOLERANCE, error

    errors = {name: error(answer, expected) for name, answer in found.items()}
    limit = TOLERANCE * max(1.0, float(expected.abs().max()))
    return {"agrees": all(one["max"] <= limit for one in errors.values()), "error": errors}


def on(device: str, tensors: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    """The tensors on this device.

    >>> on("cpu", (torch.ones(1),))
    (tensor([1.]),)
    """
    return tuple(tensor.to(device) for tensor in tensors)


# ---- what all have in common


def first_line(error: Exception) -> str:
    """What an error is called and the first line of what it says.

    >>> first_line(RuntimeError("no such kernel\\nmore"))
    'RuntimeError: no such kernel'
    """
    return f"{type(error).__name__}: {str(error).strip() or 'no message'}".splitlines()[0][:300]


def measure(
    calls: dict[str, Callable], tokens: int, flops: int, size: Size, device: str, missing: dict[str, str] | None = None
) -> dict:
    """Times in turns, speed, memory and kernels of every contender that can run; the others with the reason.

    >>> def broken():
    ...     raise RuntimeError("no such kernel")
    >>> found = measure({"ours": lambda: torch.ones(9).exp(), "theirs": broken}, 9, 9, SMALL, "cpu")
    >>> list(found["contenders"]), found["failed"]
    (['ours'], {'theirs': 'RuntimeError: no such kernel'})
    """
    failed = dict(missing or {})
    for name, call in list(calls.items()):
        try:
            call()
        except (RuntimeError, ValueError, ImportError) as error:  # torch's "out of memory" is a RuntimeError
            failed[name] = first_line(error)
            del calls[name]
    if not calls:
        return {"contenders": {}, "speedup": {}, "failed": failed}
    once, _ = in_turns(calls, 1, warm_up=0, wait=waiter(device))
    rounds = max(1, min(size.repeats, int(MOST_SECONDS / sum(first for (first,) in once.values()))))
    seconds, _ = in_turns(calls, rounds, warm_up=0, wait=waiter(device))  # both calls before were the warm-up
    on_gpu, card = torch.device(device).type == "cuda", card_peak(machine(device).get("gpu"))
    contenders = {}
    for name, call in calls.items():
        found = summary(seconds[name], tokens)
        tflops = flops / found["median_seconds"] / 1e12
        found |= {"tflops": round(tflops, 4), "share_of_card": None if card is None else round(tflops / card, 4)}
        found["peak_bytes"] = peak_memory_cuda(call, device) if on_gpu else None
        found["kernels"] = kernels(call, device)
        contenders[name] = found
    others = [name for name in seconds if name != "ours" and "ours" in seconds]
    return {
        "contenders": contenders,
        "speedup": {name: speedup(seconds["ours"], seconds[name]) for name in others},
        "failed": failed,
    }
