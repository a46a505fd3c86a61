"""Attention alone, a local layer and a global one, from short texts to long: does the cost grow with T or with T^2?

Ours, by every back-end that can run here, against one fused call with a dense (T, T) mask.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention

from minibert.bench.memory import peak_memory_alone, peak_memory_cuda
from minibert.bench.report import DTYPES, Settings, start_report
from minibert.bench.timing import exponent, in_turns, speedup, summary, waiter
from minibert.varlen import BACKENDS, attention

LENGTHS = (1024, 2048, 4096, 8192, 16384)
HEADS, HEAD_SIZE, HALF_WINDOW = 12, 64, 64  # ModernBERT-base
LONGEST_REFERENCE = 2048  # the reference keeps (T, T) numbers for every head
LONGEST_DENSE = 4096  # a processor takes minutes for the T^2 scores of longer texts
NOTES = (
    "Attention alone on one text of T tokens, 12 heads of 64 channels: q, k, v (N, H, K) to the mixed values. Local "
    "layers see 64 tokens to each side. 'ours' is the back-end that auto chooses, further names are back-ends asked "
    "for; 'sdpa' is torch's scaled_dot_product_attention, with a dense (T, T) mask for local layers. On a CPU whatever "
    "forms T^2 scores stops at 4,096 tokens, save 'ours'. exponents: p of cost = a T^p, by least squares over the "
    "lengths that were run. Memory: bytes at the worst moment on top of q, k, v."
)


@dataclass(frozen=True)
class Layer:
    """One layer's attention on one text, forward, or forward and backward.

    >>> Layer(16, None, "fp32", False).label
    'global 16 forward fp32'
    """

    length: int
    window: int | None
    dtype: str
    backward: bool
    device: str = "cpu"

    @property
    def label(self) -> str:
        """What progress messages call it."""
        kind = "global" if self.window is None else "local"
        return f"{kind} {self.length} {'forward and backward' if self.backward else 'forward'} {self.dtype}"


def run(
    settings: Settings,
    save: Callable[[dict], None] = lambda report: None,
    say=lambda line: None,
    lengths: tuple[int, ...] = LENGTHS,
) -> dict:
    """Measure both kinds of layer at all lengths; models, workloads and opponents of the settings do not matter.

    Raises:
        ValueError: fewer than two lengths, or one below 1.

    >>> report = run(Settings(repeats=1, memory=False), lengths=(16, 32))
    >>> sorted(report["exponents"])
    ['global forward and backward fp32', 'global forward fp32', 'local forward and backward fp32', 'local forward fp32']
    """
    if len(set(lengths)) < 2 or min(lengths) < 1:
        raise ValueError(f"lengths {list(lengths)}: expected two or more, each at least 1 token")
    report = start_report("attention", settings, NOTES) | {"exponents": {}}
    for dtype in settings.dtypes:
        for window in (HALF_WINDOW, None):
            for backward in (False, True):
                group = []
                for length in sorted(lengths):
                    layer = Layer(length, window, dtype, backward, settings.device)
                    say(layer.label)
                    group.append(measure(layer, settings))
                    report["results"].append(group[-1])
                    save(report)
                name = f"{group[0]['layer']} {group[0]['pass']} {dtype}"
                report["exponents"][name] = exponents(group)
                save(report)
    return report


def measure(layer: Layer, settings: Settings) -> dict:
    """Times and memory of all contenders on one layer.

    >>> sorted(measure(Layer(16, 4, "fp32", False), Settings(repeats=1, memory=False))["speedup"])[-1]
    'tiled'
    """
    calls = {name: contender(name, layer) for name in contenders(layer)}
    seconds, _ = in_turns(calls, settings.repeats, wait=waiter(layer.device))
    found = {
        "layer": "global" if layer.window is None else "local",
        "pass": "forward and backward" if layer.backward else "forward",
        "dtype": layer.dtype,
        "length": layer.length,
        "tokens": layer.length,
        "half_window": layer.window,
        "speedup": {name: speedup(seconds["ours"], seconds[name]) for name in seconds if name != "ours"},
        "contenders": {name: summary(values, layer.length) for name, values in seconds.items()},
    }
    if settings.memory and torch.device(layer.device).type == "cuda":
        found["peak_bytes"] = {name: peak_memory_cuda(call, layer.device) for name, call in calls.items()}
    elif settings.memory:
        spec = dict(bench="attention", length=layer.length, window=layer.window, dtype=layer.dtype)
        spec |= dict(backward=layer.backward, threads=torch.get_num_threads())
        found["peak_bytes"] = {name: peak_memory_alone(spec | {"contender": name}) for name in calls}
    return found


def exponents(group: list[dict]) -> dict:
    """For each contender that ran at two lengths or more, with what power of the length its time and its memory grow.

    >>> rows = [{"length": n, "contenders": {"ours": {"median_seconds": n**2}}} for n in (2, 4)]
    >>> exponents(rows)
    {'ours': {'seconds': 2.0}}
    """
    found = {}
    for name in group[0]["contenders"]:
        rows = [row for row in group if name in row["contenders"]]
        sizes = [row["length"] for row in rows]
        if len(rows) > 1:
            seconds = [row["contenders"][name]["median_seconds"] for row in rows]
            found[name] = {"seconds": round(exponent(sizes, seconds), 3)}
            if all(row.get("peak_bytes", {}).get(name) for row in rows):
                found[name]["bytes"] = round(exponent(sizes, [row["peak_bytes"][name] for row in rows]), 3)
    return found


def contenders(layer: Layer) -> list[str]:
    """Who can run this layer: ours, every back-end that does not refuse, and sdpa.

    >>> contenders(Layer(16, 4, "fp32", False))[0]
    'ours'
    """
    able = []
    too_long = layer.device == "cpu" and layer.length > LONGEST_DENSE
    for name in BACKENDS:
        is_dense = layer.window is None or name == "per_document"
        if (name == "reference" and layer.length > LONGEST_REFERENCE) or (too_long and is_dense):
            continue
        try:
            contender(name, Layer(4, layer.window, layer.dtype, layer.backward, layer.device))()
        except (ValueError, RuntimeError, ImportError):  # missing here, or not for this layer, dtype or device
            continue
        able.append(name)
    return ["ours", *able] if too_long else ["ours", *able, "sdpa"]


def contender(name: str, layer: Layer) -> Callable[[], Tensor]:
    """A call that runs one contender on random queries, keys and values.

    >>> contender("sdpa", Layer(5, 2, "fp32", True))().shape
    torch.Size([5, 12, 64])
    """
    generator = torch.Generator().manual_seed(0)
    shape = (layer.length, HEADS, HEAD_SIZE)
    query, key, value = (
        torch.randn(shape, generator=generator).to(layer.device, DTYPES[layer.dtype]).requires_grad_(layer.backward)
        for _ in range(3)
    )
    borders = torch.tensor([0, layer.length], dtype=torch.int32, device=layer.device)
    backend = "auto" if name == "ours" else name

    def forward() -> Tensor:
        if name == "sdpa":
            return dense_mask_attention(query, key, value, layer.window)
        return attention(query, key, value, borders, layer.length, window=layer.window, backend=backend)[0]

    def forward_and_backward() -> Tensor:
        output = forward()
        query.grad = key.grad = value.grad = None
        output.sum().backward()
        return output.detach()

    return forward_and_backward if layer.backward else torch.inference_mode()(forward)


def dense_mask_attention(query: Tensor, key: Tensor, value: Tensor, window: int | None) -> Tensor:
    """Torch's fused attention on one text; a local layer's window is a mask (T, T), made on every call.

    Shape: query, key, value (T, H, K) -> (T, H, K).

    >>> x = torch.ones(3, 1, 2)
    >>> dense_mask_attention(x, x, x, window=1).shape
    torch.Size([3, 1, 2])
    """
    mask = None
    if window is not None:
        index = torch.arange(len(query), device=query.device)
        mask = (index[:, None] - index[None, :]).abs() <= window  # (T, T)
    query, key, value = (x.transpose(0, 1).unsqueeze(0) for x in (query, key, value))
    return scaled_dot_product_attention(query, key, value, attn_mask=mask).squeeze(0).transpose(0, 1)


def alone(spec: dict) -> Callable[[], object]:
    """One contender in a process of its own, after a run on a tiny text.

    >>> alone(dict(contender="ours", length=9, window=2, dtype="fp32", backward=False))().shape
    torch.Size([9, 12, 64])
    """
    window, dtype, backward = spec["window"], spec["dtype"], spec["backward"]
    contender(spec["contender"], Layer(4, window, dtype, backward))()
    return contender(spec["contender"], Layer(spec["length"], window, dtype, backward))
