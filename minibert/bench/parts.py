"""Where the time of a forward pass goes: our encoder, each of its parts timed on its own.

A clock is read at every door: when a sub-layer begins or ends, the time since the last door is booked on the part that
was running. So the parts are disjoint, and their sum is the whole pass.
"""

import time
from collections import Counter
from collections.abc import Callable
from functools import partial
from statistics import median

import torch
from torch import Tensor, nn

from minibert.bench.opponents import in_bf16
from minibert.bench.report import Case, Settings, find_cases, start_report
from minibert.bench.timing import quartiles, waiter
from minibert.bench.workloads import padded_batch
from minibert.model.encoder import Encoder

EMBEDDINGS, NORMS, REST = "embeddings", "norms", "packing and residual sums"
PROJECTIONS, LOCAL, GLOBAL = "attention: projections", "attention: local mixing", "attention: global mixing"
MATRICES, ACTIVATION = "feed-forward: matrices", "feed-forward: activation"
PARTS = (GLOBAL, LOCAL, PROJECTIONS, MATRICES, ACTIVATION, NORMS, EMBEDDINGS, REST)
NOTES = (
    "Forward passes of our encoder under inference_mode, from padded ids to padded last hidden states. The time "
    "between two doors (a sub-layer begins or ends) belongs to the part that was running, so the parts add up to the "
    "whole. Mixing: rotation of queries and keys, scores, softmax and the mean of the values, in the layers that see a "
    "window (local) or all (global); projections: the products that make queries, keys and values, and the output's. "
    "On a CPU seconds are the process's CPU time, which other work on the machine does not lengthen much."
)


def run(settings: Settings, save: Callable[[dict], None] = lambda report: None, say=lambda line: None) -> dict:
    """Measure all models on all workloads; opponents and memory of the settings do not matter.

    Raises:
        ValueError: settings that cannot be run.

    >>> report = run(Settings(models=("modernbert-nano",), workloads=("2x8",), repeats=1))
    >>> sorted(report["results"][0]["parts"]) == sorted(PARTS)
    True
    """
    report = start_report("parts", settings, NOTES)
    for case in find_cases(settings, report):
        say(case.label)
        report["results"].append(measure(case, settings))
        save(report)
    return report


@torch.inference_mode()
def measure(case: Case, settings: Settings) -> dict:
    """One model on one workload: the median seconds of each part, and of the whole.

    >>> from minibert.bench.report import bench_config
    >>> from minibert.bench.workloads import Workload
    >>> case = Case("bert-nano", bench_config("bert-nano"), Workload("mine", (3, 5)), "fp32")
    >>> found = measure(case, Settings(repeats=2))
    >>> found["global_layers"], found["local_layers"], found["parts"][LOCAL]["seconds"]
    (4, 0, [0.0, 0.0])
    """
    device, config = settings.device, case.config
    generator = torch.Generator().manual_seed(settings.seed)
    model = Encoder(config, pooler=False, generator=generator).eval().to(device)
    if case.dtype == "bf16":
        model = in_bf16(model, device)
    ids, mask = (tensor.to(device) for tensor in padded_batch(case.workload, config, settings.seed))
    is_cpu = torch.device(device).type == "cpu"
    clock, wait = (time.process_time if is_cpu else time.perf_counter), waiter(device)
    model(ids[:, :1], mask[:, :1])  # a warm-up: the first call of each kernel takes longer
    rounds = [timed(model, ids, mask, wait, clock) for _ in range(settings.repeats)]
    seconds = {part: [one[part] for one in rounds] for part in PARTS}
    whole = [sum(one.values()) for one in rounds]
    layers = [config.is_global(layer) for layer in range(config.layers)]
    return {
        "model": case.model,
        "dtype": case.dtype,
        **case.workload.describe(),
        "global_layers": sum(layers),
        "local_layers": len(layers) - sum(layers),
        "median_seconds": median(whole),
        "quartiles": quartiles(whole),
        "seconds": whole,
        "parts": {part: {"median_seconds": median(values), "seconds": values} for part, values in seconds.items()},
    }


def timed(
    model: Encoder,
    ids: Tensor,
    mask: Tensor,
    wait: Callable[[], object],
    clock: Callable[[], float] = time.perf_counter,
) -> dict[str, float]:
    """One forward pass: the seconds of each part.

    >>> from minibert.config import EncoderConfig
    >>> model = Encoder(EncoderConfig.preset("modernbert-nano")).eval()
    >>> ticks = iter(range(1000))
    >>> ids = torch.ones(1, 3, dtype=torch.long)
    >>> found = timed(model, ids, ids, lambda: None, lambda: next(ticks))
    >>> found[MATRICES], found[NORMS]  # four layers with two products and two norms each, and the final norm
    (8.0, 9.0)
    """
    seconds, running, last = Counter(dict.fromkeys(PARTS, 0.0)), [REST], 0.0

    def pass_door(enters: str | None, *_):
        nonlocal last
        wait()
        now = clock()
        seconds[running[-1]] += now - last
        if enters is None:
            running.pop()
        else:
            running.append(enters)
        last = now

    handles = []
    for module, part in parts_of(model):
        handles.append(module.register_forward_pre_hook(partial(pass_door, part)))
        handles.append(module.register_forward_hook(partial(pass_door, None)))
    wait()
    last = clock()
    try:
        model(ids, mask)
        wait()
        seconds[REST] += clock() - last
    finally:
        for handle in handles:
            handle.remove()
    return dict(seconds)


def parts_of(model: Encoder) -> list[tuple[nn.Module, str]]:
    """The modules at whose doors the clock stops, with the part that each belongs to; the others are in their parent's.

    >>> from minibert.config import EncoderConfig
    >>> model = Encoder(EncoderConfig.preset("bert-nano"))
    >>> [part for module, part in parts_of(model) if module is model.blocks[0].feed_forward.input]
    ['feed-forward: matrices']
    """
    found = [(model.embeddings, EMBEDDINGS), (model.final_norm, NORMS)]
    for block in model.blocks:
        attention, feed_forward = block.attention, block.feed_forward
        found += [(block.attention_norm, NORMS), (block.feed_forward_norm, NORMS)]
        found += [(attention, GLOBAL if attention.window is None else LOCAL), (feed_forward, ACTIVATION)]
        found += [(attention.query_key_value, PROJECTIONS), (attention.output, PROJECTIONS)]
        found += [(child, MATRICES) for child in feed_forward.children() if hasattr(child, "weight")]
    return found
