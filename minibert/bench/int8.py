"""int8 on a CPU: our quantized encoder in turn with float32, bf16, `transformers` and, where installed, ONNX Runtime.

ONNX Runtime's int8 is its "dynamic" one: weights rounded once, one scale for each output channel; activations rounded
at every call, with one scale for a whole batch, where ours have one for each token.
"""

import copy
import importlib.util
import tempfile
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn

from minibert.bench import opponents
from minibert.bench.inference import our_forward, their_forward
from minibert.bench.report import Case, Settings, find_cases, start_report
from minibert.bench.timing import in_turns, speedup, summary
from minibert.bench.workloads import padded_batch
from minibert.tasks.quantize import quantize

THEIRS = "transformers fp32"
ONNX = ("onnx", "onnxscript", "onnxruntime")
NOTES = (
    "Forward passes of the encoder under inference_mode, from padded ids to padded last hidden states, in turns. "
    "Speedup: the median seconds of transformers in float32 over the contender's. rms: root-mean-square difference to "
    "transformers in float32, in units of the hidden states (about 1). Bytes: all weights. 'ours int8' is "
    "minibert.quantize; 'onnxruntime int8' is quantize_dynamic with a scale for each channel."
)


def run(settings: Settings, save: Callable[[dict], None] = lambda report: None, say=lambda line: None) -> dict:
    """Measure all models on all workloads; dtype, opponents and memory of the settings do not matter.

    Raises:
        ValueError: settings that cannot be run, or answers of our float32 that are not those of transformers.

    >>> report = run(Settings(models=("bert-nano",), workloads=("2x8",), repeats=1))
    >>> [name for name in report["results"][0]["contenders"] if "onnx" not in name]
    ['transformers fp32', 'ours fp32', 'ours bf16', 'ours int8']
    """
    report = start_report("int8", settings, NOTES)
    missing = [name for name in ONNX if importlib.util.find_spec(name) is None]
    if missing:
        report["skipped"].append(f"ONNX Runtime: {', '.join(missing)} not installed")
    for case in find_cases(settings, report):
        say(case.label)
        report["results"].append(measure(case, settings, with_onnx=not missing))
        save(report)
    return report


@torch.inference_mode()
def measure(case: Case, settings: Settings, with_onnx: bool = False) -> dict:
    """One model on one workload: seconds, speedup, error and bytes of each contender.

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
    models = {THEIRS: theirs, "ours fp32": ours, "ours bf16": copy.deepcopy(ours).bfloat16()}
    models["ours int8"] = quantize(ours)
    sizes = {name: weight_bytes(model) for name, model in models.items()}
    calls = {name: lambda model=model: our_forward(model, ids, mask) for name, model in models.items()}
    calls[THEIRS] = lambda: their_forward(theirs, ids, mask)
    with tempfile.TemporaryDirectory() as folder:
        if with_onnx:
            for name, file in export(theirs, ids, mask, Path(folder)).items():
                calls[name], sizes[name] = session(file, ids, mask), file.stat().st_size
        seconds, answers = in_turns(calls, settings.repeats)
    real = mask.bool()
    expected = answers[THEIRS][real]
    opponents.check_agreement(answers["ours fp32"][real], expected)
    return {
        "model": case.model,
        **case.workload.describe(),
        "contenders": {
            name: summary(times, case.workload.tokens)
            | {
                "speedup": speedup(times, seconds[THEIRS]),
                "rms": opponents.error(answers[name][real], expected)["rms"],
                "bytes": sizes[name],
            }
            for name, times in seconds.items()
        },
    }


def weight_bytes(model: nn.Module) -> int:
    """Bytes of all parameters and buffers that are saved with a model, tied ones once.

    >>> weight_bytes(nn.Linear(3, 2))
    32
    """
    return sum(tensor.nbytes for tensor in {id(tensor): tensor for tensor in model.state_dict().values()}.values())


class _Hidden(nn.Module):
    """A model of `transformers` that takes and returns tensors only."""

    def __init__(self, model: nn.Module):
        super().__init__()
        self.model = model

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        return their_forward(self.model, input_ids, attention_mask)


def export(theirs: nn.Module, ids: Tensor, mask: Tensor, folder: Path) -> dict[str, Path]:
    """Write a model of `transformers` for ONNX Runtime, in float32 and in int8. Shape: ids and mask (B, T), an example.

    >>> export.__name__
    'export'
    """
    from onnxruntime.quantization import QuantType, quantize_dynamic

    files = {f"onnxruntime {dtype}": folder / f"{dtype}.onnx" for dtype in ("fp32", "int8")}
    whole, rounded = files.values()
    axes = {0: torch.export.Dim("B", min=1, max=512), 1: torch.export.Dim("T", min=2, max=8192)}
    names = ["input_ids", "attention_mask"]
    options = dict(input_names=names, output_names=["hidden"], dynamic_shapes=(axes, axes))
    torch.onnx.export(_Hidden(theirs), (ids, mask), whole, dynamo=True, external_data=False, verbose=False, **options)
    quantize_dynamic(whole, rounded, per_channel=True, weight_type=QuantType.QInt8)
    return files


def session(file: Path, ids: Tensor, mask: Tensor) -> Callable[[], Tensor]:
    """A call that runs a file of `export` with as many threads as torch has.

    >>> session.__name__
    'session'
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    runner = onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
    inputs = {"input_ids": ids.numpy(), "attention_mask": mask.numpy()}
    return lambda: torch.from_numpy(runner.run(None, inputs)[0])
