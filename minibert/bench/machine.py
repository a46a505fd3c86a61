"""What a number was measured on: without it the number means nothing."""

import os
import platform
import sys
from importlib import metadata
from pathlib import Path

import torch

PACKAGES = ("torch", "transformers", "tokenizers", "flash-attn", "numpy", "onnx", "onnxruntime", "openvino")
FEATURES = ("avx2", "avx512f", "avx512_bf16", "amx_bf16", "asimd", "bf16")  # those that set the speed of a product


def machine(device: str = "cpu") -> dict:
    """Processor, cores, threads, memory and load, the GPU where one is used; nothing that names machine or user.

    `load_before` is the mean number of running processes in the last minute: above 0, others were busy too.

    >>> sorted(machine())[:4]
    ['cores', 'device', 'features', 'load_before']
    """
    found = {
        "device": device,
        "processor": _processor(),
        "features": [name for name in FEATURES if name in _flags()],
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "memory_gib": _memory_gib(),
        "system": platform.system(),
        "load_before": round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None,
    }
    if torch.device(device).type == "cuda":
        gpu = torch.cuda.get_device_properties(device)
        found |= {
            "gpu": gpu.name,
            "gpu_memory_gib": round(gpu.total_memory / 2**30, 1),
            "gpu_capability": f"{gpu.major}.{gpu.minor}",
            "cuda": torch.version.cuda,
        }
    return found


def versions() -> dict:
    """Python and the packages that decide the speed; None for one that is not installed.

    >>> versions()["torch"] == torch.__version__
    True
    """
    found = {"python": sys.version.split()[0]}
    for package in PACKAGES:
        try:
            found[package] = torch.__version__ if package == "torch" else metadata.version(package)
        except metadata.PackageNotFoundError:
            found[package] = None
    return found


def check_device(device: str) -> None:
    """Refuse a device that torch cannot use, or one whose work we do not know how to wait for.

    Raises:
        ValueError: naming the device and the reason.

    >>> check_device("cpu")
    """
    try:
        kind = torch.device(device).type
        if kind not in ("cpu", "cuda"):
            raise ValueError(f"--device {device}: benchmarks run on cpu or cuda")
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError) as error:
        raise ValueError(f"--device {device}: {str(error).splitlines()[0]}") from None


def _cpu_info() -> dict[str, str]:
    """The first processor's lines of /proc/cpuinfo, where there is one (Linux)."""
    file = Path("/proc/cpuinfo")
    if not file.is_file():
        return {}
    first = file.read_text(encoding="utf-8", errors="replace").split("\n\n")[0]
    pairs = (line.partition(":") for line in first.splitlines())
    return {name.strip(): value.strip() for name, _, value in pairs}


def _processor() -> str:
    info = _cpu_info()
    return info.get("model name") or platform.processor() or platform.machine()


def _flags() -> list[str]:
    info = _cpu_info()
    return (info.get("flags") or info.get("Features") or "").split()


def _memory_gib() -> float | None:
    try:
        return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1)
    except (AttributeError, ValueError, OSError):  # Windows has no sysconf
        return None
