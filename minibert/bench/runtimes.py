"""Opponents that are no PyTorch: `transformers`' model, written as ONNX once, in ONNX Runtime and in OpenVINO.

And what anybody can do about padding without a new runtime: sort the texts by length and cut them into batches.
ONNX Runtime's int8 is its "dynamic" one: weights rounded once, one scale for each output channel; activations rounded
at every call, with one scale for a whole batch, where ours have one for each token.
"""

import importlib.util
import tempfile
import warnings
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path

import torch
from torch import Tensor, nn

from minibert.bench import opponents
from minibert.config import EncoderConfig

NEEDS = {  # what each is made of; `pip install 'minibert[bench]'` brings them all
    "onnxruntime": ("onnx", "onnxscript", "onnxruntime"),
    "onnxruntime-int8": ("onnx", "onnxscript", "onnxruntime"),
    "openvino": ("onnx", "onnxscript", "openvino"),
    "openvino-bf16": ("onnx", "onnxscript", "openvino"),
}
SORTED = "-sorted"  # the same opponent on sorted batches
BATCHES = 4  # at most, into which sorted texts are cut
FARTHEST = 0.2  # root-mean-square error of an opponent with rounded numbers, in units of the answers; else it is wrong

Forward = Callable[[Tensor, Tensor], Tensor]  # ids and mask (B, T) -> last hidden states (B, T, D)


def find_installed(names: tuple[str, ...]) -> tuple[tuple[str, ...], list[str]]:
    """Those of `names` that can run here, and a line for each other one about what is missing.

    >>> find_installed(("sdpa", "sdpa-sorted"))
    (('sdpa', 'sdpa-sorted'), [])
    """
    there, lines = [], []
    for name in names:
        needed = NEEDS.get(name.removesuffix(SORTED), ())
        missing = [package for package in needed if importlib.util.find_spec(package) is None]
        if missing:
            lines.append(f"{name}: {', '.join(missing)} not installed: pip install 'minibert[bench]'")
        else:
            there.append(name)
    return tuple(there), lines


def open_runtime(name: str, config: EncoderConfig, seed: int = 0) -> Forward:
    """`transformers`' encoder of `opponents.their_encoder(config, seed)` in one of the runtimes of `NEEDS`.

    As many threads as torch has. ids and mask may have any size.

    >>> open_runtime.__name__
    'open_runtime'
    """
    runtime, _, dtype = name.partition("-")
    run = (_onnxruntime if runtime == "onnxruntime" else _openvino)(file_of(name, config, seed), dtype)

    def forward(ids: Tensor, mask: Tensor) -> Tensor:
        return torch.from_numpy(run({"input_ids": ids.numpy(), "attention_mask": mask.numpy()}))

    return forward


def _onnxruntime(file: Path, dtype: str) -> Callable:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    session = onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
    return lambda inputs: session.run(None, inputs)[0]


def _openvino(file: Path, dtype: str) -> Callable:
    import openvino

    hints = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_NUM_THREADS": torch.get_num_threads()}
    hints["INFERENCE_PRECISION_HINT"] = dtype or "f32"
    model = openvino.Core().compile_model(file, "CPU", hints)
    return lambda inputs: model(inputs)[0]


def file_of(name: str, config: EncoderConfig, seed: int = 0) -> Path:
    """The file that a runtime of `NEEDS` opens.

    >>> file_of.__name__
    'file_of'
    """
    return (rounded_file if name.endswith("int8") else exported_file)(config, seed)


@cache
def _folder() -> tempfile.TemporaryDirectory:
    """Removed when the process ends."""
    return tempfile.TemporaryDirectory()


@cache
def exported_file(config: EncoderConfig, seed: int = 0) -> Path:
    """`transformers`' encoder as an ONNX file in float32, for batches of any size; written once in a process.

    >>> exported_file.__name__
    'exported_file'
    """
    file = Path(_folder().name) / f"{exported_file.cache_info().currsize}.onnx"
    axes = {0: torch.export.Dim("B", min=1, max=512), 1: torch.export.Dim("T", min=2, max=config.max_len)}
    example = torch.full((2, min(16, config.max_len)), 1), torch.ones(2, min(16, config.max_len), dtype=torch.long)
    names = ["input_ids", "attention_mask"]
    options = dict(input_names=names, output_names=["hidden"], dynamic_shapes=(axes, axes))
    model = _Hidden(opponents.their_encoder(config, seed)).eval()
    with warnings.catch_warnings():  # about names of axes and about torch's own deprecated calls
        warnings.simplefilter("ignore")
        torch.onnx.export(model, example, file, dynamo=True, external_data=False, verbose=False, **options)
    return file


@cache
def rounded_file(config: EncoderConfig, seed: int = 0) -> Path:
    """The file of `exported_file`, its matrices rounded to int8 by ONNX Runtime.

    >>> rounded_file.__name__
    'rounded_file'
    """
    from onnxruntime.quantization import QuantType, quantize_dynamic

    whole = exported_file(config, seed)
    file = whole.with_suffix(".int8.onnx")
    quantize_dynamic(whole, file, per_channel=True, weight_type=QuantType.QInt8)
    return file


class _Hidden(nn.Module):
    """A model of `transformers` that takes and returns tensors only."""

    def __init__(self, model: nn.Module):
        super().__init__()
        self.model = model

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        return opponents.their_forward(self.model, input_ids, attention_mask)


def in_sorted_batches(forward: Forward, ids: Tensor, mask: Tensor, batches: int = BATCHES) -> Tensor:
    """What `forward` answers, when the texts are sorted by length and cut into batches that are padded less.

    Shape: ids and mask (B, T), padded on the right -> (B, T, D) in the order of `ids`, zeros behind each batch's width.

    >>> ids, mask = torch.tensor([[5, 6, 7], [8, 0, 0]]), torch.tensor([[1, 1, 1], [1, 0, 0]])
    >>> in_sorted_batches(lambda ids, mask: ids[..., None], ids, mask).squeeze(-1).tolist()
    [[5, 6, 7], [8, 0, 0]]
    """
    lengths = mask.sum(1)
    answers = None
    for rows in lengths.argsort().chunk(min(batches, len(ids))):
        width = int(lengths[rows].max())
        part = forward(ids[rows, :width], mask[rows, :width])  # (rows, width, D)
        if answers is None:
            answers = part.new_zeros(*ids.shape, part.shape[-1])
        answers[rows, :width] = part
    return answers


def runs_beside(name: str, dtype: str) -> bool:
    """Whether an opponent belongs into the races of our model in "fp32" or "bf16": a runtime knows its own dtype.

    >>> [runs_beside(name, "bf16") for name in ("sdpa-sorted", "openvino-bf16", "openvino", "onnxruntime-int8")]
    [True, True, False, False]
    """
    plain = name.removesuffix(SORTED)
    return plain not in NEEDS or ("bf16" in plain) == (dtype == "bf16")


def opponent_call(
    name: str, config: EncoderConfig, theirs: nn.Module, ids: Tensor, mask: Tensor, seed: int
) -> Callable[[], Tensor]:
    """A call of one opponent on one batch: an attention of `theirs`, or a runtime; on sorted batches where it says so.

    >>> config = EncoderConfig.preset("bert-nano")
    >>> theirs, ids = opponents.their_encoder(config), torch.full((2, 3), 7)
    >>> opponent_call("sdpa-sorted", config, theirs, ids, torch.ones_like(ids), seed=0)().shape
    torch.Size([2, 3, 128])
    """
    plain = name.removesuffix(SORTED)
    if plain in NEEDS:
        forward = open_runtime(plain, config, seed)
    else:
        forward = partial(opponents.their_forward, opponents.with_attention(theirs, plain))
    return partial(in_sorted_batches, forward, ids, mask) if plain != name else partial(forward, ids, mask)


def find_wrong(name: str, dtype: str, found: Tensor, expected: Tensor) -> str | None:
    """Why an opponent's answers do not count, or None: a fast wrong model would win every race.

    >>> find_wrong("openvino", "fp32", torch.ones(2), torch.ones(2)) is None
    True
    >>> find_wrong("openvino", "fp32", torch.ones(2), torch.zeros(2))
    'openvino: its answers are off by 1.0e+00 (root mean square, allowed 1.0e-04): not timed'
    """
    is_rounded = dtype != "fp32" or "int8" in name
    limit = (FARTHEST if is_rounded else opponents.TOLERANCE) * max(1.0, float(expected.square().mean().sqrt()))
    off = opponents.error(found, expected)["rms"]
    if off <= limit:
        return None
    return f"{name}: its answers are off by {off:.1e} (root mean square, allowed {limit:.1e}): not timed"
