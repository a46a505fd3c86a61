"""Fewer bits on a CPU: our float32, bf16 and int8 in turn with what people would pick, all in one race.

That is `transformers` in float32, as it is and on sorted batches, and in bf16, and, where they are installed, ONNX
Runtime in float32 and int8 and OpenVINO in float32 and bf16.
"""

import copy
import time
from collections.abc import Callable
from functools import partial

import torch
from torch import nn

from minibert.bench import opponents, runtimes
from minibert.bench.opponents import our_forward, their_forward
from minibert.bench.report import Case, Settings, find_cases, start_report
from minibert.bench.timing import in_turns, speedup, summary
from minibert.bench.workloads import padded_batch
from minibert.tasks.quantize import quantize

THEIRS = "transformers fp32"
RUNTIMES = {  # what each is called in the results
    "onnxruntime": "onnxruntime fp32",
    "onnxruntime-int8": "onnxruntime int8",
    "openvino": "openvino fp32",
    "openvino-bf16": "openvino bf16",
}
NOTES = (
    "Forward passes of the encoder under inference_mode, from padded ids to padded last hidden states, in turns. With "
    "one thread seconds are CPU time. "
    "Speedup: the median seconds of transformers in float32 over the contender's. rms: root-mean-square difference to "
    "transformers in float32, in units of the hidden states (about 1). Bytes: all weights. 'ours int8' is "
    "minibert.quantize, 'ours bf16' minibert.bf16_inside; 'onnxruntime int8' is quantize_dynamic with a scale for each "
    "channel. 'sorted': the texts sorted by length and cut into 4 batches, each padded for itself."
)


def run(settings: Settings, save: Callable[[dict], None] = lambda report: None, say=lambda line: None) -> dict:
    """Measure all models on all workloads; dtype, opponents and memory of the settings do not matter.

    Raises:
        ValueError: settings that cannot be run, or answers of our float32 that are not those of transformers.

    >>> report = run(Settings(models=("bert-nano",), workloads=("2x8",), repeats=1))
    >>> [name for name in report["results"][0]["contenders"] if name.startswith(("ours", "transformers"))]
    ['transformers fp32', 'ours fp32', 'ours bf16', 'ours int8', 'transformers bf16', 'transformers fp32 sorted']
    """
    report = start_report("int8", settings, NOTES)
    there, missing = runtimes.find_installed(tuple(RUNTIMES))
    report["skipped"] += missing
    for case in find_cases(settings, report):
        say(case.label)
        found = measure(case, settings, there)
        report["skipped"] += found.pop("skipped")
        report["results"].append(found)
        save(report)
    return report


@torch.inference_mode()
def measure(case: Case, settings: Settings, with_runtimes: tuple[str, ...] = ()) -> dict:
    """One model on one workload: seconds, speedup, error and bytes of each contender; "skipped" says who was wrong.

    >>> from minibert.bench.report import bench_config
    >>> from minibert.bench.workloads import Workload
    >>> case = Case("bert-nano", bench_config("bert-nano"), Workload("mine", (3, 5)), "fp32")
    >>> found = measure(case, Settings(repeats=1))["contenders"]
    >>> found["ours int8"]["bytes"] < found["ours fp32"]["bytes"], found["transformers fp32"]["rms"]
    (True, 0.0)
    """
    theirs = opponents.their_encoder(case.config, settings.seed)
    ours = opponents.with_their_weights(opponents.our_encoder(case.config), theirs)
    ids, mask = padded_batch(case.workload, case.config, settings.seed)
    models = {THEIRS: theirs, "ours fp32": ours, "ours bf16": opponents.in_bf16(ours), "ours int8": quantize(ours)}
    models["transformers bf16"] = copy.deepcopy(theirs).bfloat16()
    calls = {
        name: partial(our_forward if name.startswith("ours") else their_forward, model, ids, mask)
        for name, model in models.items()
    }
    calls[f"{THEIRS} sorted"] = partial(runtimes.in_sorted_batches, partial(their_forward, theirs), ids, mask)
    sizes = {name: weight_bytes(model) for name, model in models.items()} | {f"{THEIRS} sorted": weight_bytes(theirs)}
    for name in with_runtimes:
        calls[RUNTIMES[name]] = runtimes.opponent_call(name, case.config, theirs, ids, mask, settings.seed)
        sizes[RUNTIMES[name]] = runtimes.file_of(name, case.config, settings.seed).stat().st_size
    real = mask.bool()
    answers = {name: call()[real] for name, call in calls.items()}
    expected = answers[THEIRS]
    opponents.check_agreement(answers["ours fp32"], expected)
    errors, skipped = {}, []
    for name, found in answers.items():
        errors[name] = opponents.error(found, expected)["rms"]
        if reason := runtimes.find_wrong(name, name.split()[1], found, expected):
            skipped.append(f"{case.label} {reason}")
            del calls[name]
    # With one thread nothing waits for others, and a processor's own seconds do not know how busy the machine is.
    clock = time.process_time if torch.get_num_threads() == 1 else time.perf_counter
    seconds, _ = in_turns(calls, settings.repeats, warm_up=0, clock=clock)  # each has just run once
    return {
        "model": case.model,
        **case.workload.describe(),
        "contenders": {
            name: summary(times, case.workload.tokens)
            | {"speedup": speedup(times, seconds[THEIRS]), "rms": errors[name], "bytes": sizes[name]}
            for name, times in seconds.items()
        },
        "skipped": skipped,
    }


def weight_bytes(model: nn.Module) -> int:
    """Bytes of all parameters and buffers that are saved with a model, tied ones once.

    >>> weight_bytes(nn.Linear(3, 2))
    32
    """
    return sum(tensor.nbytes for tensor in {id(tensor): tensor for tensor in model.state_dict().values()}.values())
