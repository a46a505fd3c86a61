"""The speed that a GPU's maker promises, by name of the card, and which kernels a call really runs."""

import os
import re
from collections.abc import Callable, Iterable

import torch
from torch.autograd import DeviceType

from minibert.bench.timing import waiter

# Dense bfloat16 products with float32 sums, in 10^12 operations per second, from the makers' data sheets (half of the
# figure "with sparsity"). A key's words must all stand in the card's name; the key with the most words wins.
PEAK_TFLOPS = {
    "A10": 125.0,
    "A30": 165.0,
    "A40": 149.7,
    "A100": 312.0,
    "L4": 121.0,
    "L40": 181.0,
    "L40S": 362.0,
    "H100": 989.0,
    "H100 PCIe": 756.0,
    "H100 NVL": 835.0,
    "H200": 989.0,
    "H200 NVL": 835.0,
    "GH200": 989.0,
    "B200": 2250.0,
    "RTX 3090": 71.0,
    "RTX 4090": 165.2,
    "RTX A6000": 154.8,
    "RTX 6000 Ada": 364.2,
}
OTHER_CARDS = {"MIG", "Laptop", "SUPER", "Ti", "D", "Max"}  # with one of these words it is not the card of the table
ATTENTION = re.compile(r"flash|fmha|attention|attn|sdpa|mem_eff", re.IGNORECASE)


def card_peak(name: str | None) -> float | None:
    """Dense bf16 TFLOP/s of the card called `name`; None for one that is not in the table.

    >>> card_peak("NVIDIA H100 80GB HBM3"), card_peak("NVIDIA H100 PCIe"), card_peak("Tesla T4")
    (989.0, 756.0, None)
    """
    words = set(re.split(r"[^A-Za-z0-9]+", name or ""))
    fitting = [key for key in PEAK_TFLOPS if words.issuperset(key.split())]
    if not fitting or words & OTHER_CARDS:
        return None
    return PEAK_TFLOPS[max(fitting, key=lambda key: len(key.split()))]


def kernels(call: Callable[[], object], device: str, most: int = 4) -> list[dict]:
    """What ran while `call` did: the kernels that took most of the device's time, and all of attention's, by name.

    On a GPU these are the kernels themselves, on a CPU torch's operators. `share` is of the time of all of them.

    >>> found = kernels(lambda: torch.ones(64, 64) @ torch.ones(64, 64), "cpu", most=1)
    >>> found[0]["kernel"], 0 < found[0]["share"] <= 1
    ('aten::mm', True)
    """
    os.environ.setdefault("KINETO_LOG_LEVEL", "99")  # else it tells stderr of every start and stop
    from torch.profiler import ProfilerActivity, profile

    on_gpu = torch.device(device).type == "cuda"
    activities = [ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if on_gpu else [])]
    wait = waiter(device)
    wait()
    with profile(activities=activities, acc_events=True) as recorded:
        call()
        wait()
    return longest(recorded.key_averages(), on_gpu, most)


def longest(events: Iterable, on_gpu: bool, most: int) -> list[dict]:
    """The `most` events of a profile that took longest, and those of attention, by time of their own.

    >>> longest([], on_gpu=False, most=4)
    []
    """
    times, counts = {}, {}
    for event in events:
        if on_gpu and event.device_type != DeviceType.CUDA:  # the call of a kernel, and not the kernel
            continue
        time = event.self_device_time_total if on_gpu else event.self_cpu_time_total
        if time > 0:
            times[event.key] = times.get(event.key, 0) + time
            counts[event.key] = counts.get(event.key, 0) + event.count
    whole = sum(times.values())
    order = sorted(times, key=lambda key: -times[key])
    chosen = [key for place, key in enumerate(order) if place < most or ATTENTION.search(key)]
    return [
        {"kernel": key[:160], "share": round(times[key] / whole, 4), "calls": counts[key]} for key in chosen[: 2 * most]
    ]
