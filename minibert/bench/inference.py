"""Forward passes: our encoder against `transformers`' with the same weights, on the same padded batches.

Both sides get input_ids and attention_mask and return the last hidden states; taking padding off and putting it back is
part of our time. Neither side has a pooler or a prediction head.
"""

import copy
from collections.abc import Callable
from dataclasses import replace

import torch

from minibert.bench import opponents, runtimes
from minibert.bench.cases import run_cases
from minibert.bench.limit import products, products_onednn, weight_matrices
from minibert.bench.memory import peak_memory_alone, peak_memory_cuda
from minibert.bench.opponents import our_forward, their_forward
from minibert.bench.report import DTYPES, Case, Settings, bench_config
from minibert.bench.timing import in_turns, speedup, summary, waiter
from minibert.bench.workloads import Workload, padded_batch
from minibert.model.cost import model_flops
from minibert.model.linear import HAS_ONEDNN

OPPONENTS = tuple(name + end for name in (*opponents.ATTENTIONS, *runtimes.NEEDS) for end in ("", runtimes.SORTED))
NOTES = (
    "Forward passes of the encoder under inference_mode, from padded ids to padded last hidden states, without pooler "
    "and head; tokens are real tokens. 'ours' takes padding off and puts it back within its time. 'sdpa' and 'eager' "
    "are transformers in the same dtype, 'sdpa fp32' is transformers in float32 beside our bfloat16; 'onnxruntime' and "
    "'openvino' are that model exported as ONNX, in the dtype of their name or in float32; '-sorted': the texts sorted "
    "by length and cut into 4 batches, each padded for itself. 'matmuls' is the products with the weight matrices "
    "alone, the physical limit, by torch.mm and, on a CPU in float32, by oneDNN too: the faster of both counts. bf16: "
    "on a CPU ours is bf16_inside, theirs holds all weights in bfloat16. Speedup: their seconds over ours. "
    "Memory: bytes at the worst moment on top of the weights (CPU: a fresh process each)."
)


def run(settings: Settings, save: Callable[[dict], None] = lambda report: None, say=lambda line: None) -> dict:
    """Measure all cases of `settings`; `save` gets the report after each, `say` a line of progress.

    Raises:
        ValueError: settings that cannot be run, or answers of the two sides that differ.

    >>> report = run(Settings(models=("bert-nano",), workloads=("2x8",), repeats=1, memory=False))
    >>> sorted(report["results"][0]["contenders"])
    ['matmuls', 'matmuls onednn', 'ours', 'sdpa']
    """
    opponents.check_opponents(settings.opponents, settings.device, OPPONENTS)
    there, missing = runtimes.find_installed(settings.opponents)
    return run_cases("inference", replace(settings, opponents=there), NOTES, measure, save, say, missing)


@torch.inference_mode()
def measure(case: Case, settings: Settings, peak: float) -> dict:
    """One case: agreement first, then the times in turns, then the memory.

    >>> case = Case("bert-nano", bench_config("bert-nano"), Workload("mine", (3, 5)), "fp32")
    >>> found = measure(case, Settings(repeats=1, memory=False), peak=1e9)
    >>> found["tokens"], found["speedup"]["sdpa"]["of_medians"] > 0
    (8, True)
    """
    device, wait = settings.device, waiter(settings.device)
    theirs = opponents.their_encoder(case.config, settings.seed)
    ours = opponents.with_their_weights(opponents.our_encoder(case.config), theirs)
    ours, theirs = ours.to(device), theirs.to(device)
    ids, mask = (tensor.to(device) for tensor in padded_batch(case.workload, case.config, settings.seed))
    real = mask.bool()
    expected = their_forward(theirs, ids, mask)[real]
    errors = {"ours fp32": opponents.check_agreement(our_forward(ours, ids, mask)[real], expected)}
    calls = {}
    weights = [(case.workload.tokens, weight.to(DTYPES[case.dtype])) for weight in weight_matrices(ours.blocks)]
    if case.dtype == "bf16":
        if "sdpa" in settings.opponents:
            calls["sdpa fp32"] = lambda: their_forward(theirs, ids, mask)
        ours, half = opponents.in_bf16(ours, device), copy.deepcopy(theirs).to(torch.bfloat16)
    else:
        half = theirs
    calls = {"ours": lambda: our_forward(ours, ids, mask)} | calls
    wrong = []
    for name in (name for name in settings.opponents if runtimes.runs_beside(name, case.dtype)):
        call = runtimes.opponent_call(name, case.config, half, ids, mask, settings.seed)
        answers = call()[real]
        errors[f"{name} {case.dtype}"] = opponents.error(answers, expected)
        if reason := runtimes.find_wrong(name, case.dtype, answers, expected):
            wrong.append(f"{case.label} {reason}")
        else:
            calls[name] = call
    if case.dtype == "bf16":
        errors["ours bf16"] = opponents.error(calls["ours"]()[real], expected)
    calls["matmuls"] = products(weights)
    if case.dtype == "fp32" and torch.device(device).type == "cpu" and HAS_ONEDNN:
        calls["matmuls onednn"] = products_onednn(weights)
    seconds, _ = in_turns(calls, settings.repeats, wait=wait)
    flops = model_flops(case.config, case.workload.lengths)
    found = compare(case, seconds, flops, peak) | {"largest_difference_to_transformers_fp32": errors, "skipped": wrong}
    if settings.memory:
        found["peak_bytes"] = peak_bytes("inference", calls, case, settings)
    return found


def compare(case: Case, seconds: dict[str, list[float]], flops: int, peak: float) -> dict:
    """What the times say: speed of each contender, our speedup over the others, and everybody's distance to the limit.

    >>> case = Case("bert-nano", bench_config("bert-nano"), Workload("mine", (3, 5)), "fp32")
    >>> found = compare(case, {"ours": [2.0], "sdpa": [6.0], "matmuls": [1.0]}, flops=100, peak=100.0)
    >>> found["speedup"]["sdpa"]["of_medians"], found["times_the_limit"]
    (3.0, {'ours': 2.0, 'sdpa': 6.0})
    """
    tokens = case.workload.tokens
    contenders = {name: summary(values, tokens) for name, values in seconds.items()}
    for name, found in contenders.items():
        if not is_limit(name) and name != "sdpa fp32":  # less work than the model; another peak
            found["share_of_peak"] = round(flops / found["median_seconds"] / peak, 4)
    limit = min(found["median_seconds"] for name, found in contenders.items() if is_limit(name))
    others = [name for name in seconds if name != "ours" and not is_limit(name)]
    return {
        "model": case.model,
        "dtype": case.dtype,
        **case.workload.describe(),
        "flops": flops,
        "speedup": {name: speedup(seconds["ours"], seconds[name]) for name in others},
        "times_the_limit": {name: round(contenders[name]["median_seconds"] / limit, 3) for name in ("ours", *others)},
        "contenders": contenders,
    }


def peak_bytes(bench: str, calls: dict[str, Callable], case: Case, settings: Settings) -> dict[str, int]:
    """Peak memory of every contender but the bare products, the runtimes and sorted batches.

    >>> case = Case("bert-nano", bench_config("bert-nano"), Workload("mine", (3, 5)), "fp32")
    >>> peak_bytes("inference", {}, case, Settings())
    {}
    """
    found = {}
    for name, call in calls.items():
        if is_limit(name) or name.partition(" ")[0] not in ("ours", "sparse", *opponents.ATTENTIONS):
            continue
        if torch.device(settings.device).type == "cuda":
            found[name] = peak_memory_cuda(call, settings.device)
            continue
        contender, _, other_dtype = name.partition(" ")
        spec = dict(bench=bench, contender=contender, model=case.model, lengths=case.workload.lengths)
        spec |= dict(dtype=other_dtype or case.dtype, threads=torch.get_num_threads())
        found[name] = peak_memory_alone(spec)
    return found


def is_limit(name: str) -> bool:
    """Whether a contender is the bare products and no model.

    >>> is_limit("matmuls onednn"), is_limit("ours")
    (True, False)
    """
    return name.startswith("matmuls")


def alone(spec: dict) -> Callable[[], object]:
    """One contender in a process of its own: weights in place and run once on a tiny batch.

    >>> spec = dict(contender="ours", model="bert-nano", lengths=[3, 5], dtype="fp32")
    >>> alone(spec)().shape
    torch.Size([2, 5, 128])
    """
    config = bench_config(spec["model"])
    ours = spec["contender"] == "ours"
    if ours:
        model = opponents.our_encoder(config)
    else:
        model = opponents.with_attention(opponents.their_encoder(config), spec["contender"])
    if spec["dtype"] == "bf16":
        model = opponents.in_bf16(model) if ours else model.to(torch.bfloat16)
    tiny, ids = (padded_batch(Workload("alone", tuple(lengths)), config) for lengths in ([2, 4], spec["lengths"]))
    forward = torch.inference_mode()(our_forward if ours else their_forward)
    forward(model, *tiny)
    return lambda: forward(model, *ids)
