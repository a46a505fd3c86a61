"""Peak memory of one contender: on the CPU in a fresh process of its own, on a GPU from torch's own counter.

    echo '{"bench": "inference", ...}' | python -m minibert.bench.memory

is what `peak_memory_alone` runs: the process builds the contender, runs it on a tiny batch, notes how much memory it
holds, runs it once for real, and prints how many bytes more it held at the worst moment.

`live_bytes` counts the tensors within this process: less than a process takes, but the same every time.
"""

import importlib
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import accumulate
from pathlib import Path

import torch

STATUS, CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")


def peak_memory_cuda(call: Callable[[], object], device: str) -> int:
    """Bytes that `call` holds at most on a CUDA device, on top of what was held before.

    >>> if torch.cuda.is_available():
    ...     assert peak_memory_cuda(lambda: torch.empty(1024, device="cuda"), "cuda") >= 4096
    """
    torch.cuda.synchronize(device)
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats(device)
    before = torch.cuda.memory_allocated(device)
    call()
    torch.cuda.synchronize(device)
    return torch.cuda.max_memory_allocated(device) - before


def live_bytes(call: Callable[[], object]) -> int:
    """The most bytes of tensors that lived at once while `call` ran, from torch's record of every allocation.

    >>> live_bytes(lambda: torch.ones(1000).exp())
    8000
    """
    with _without_stderr(), torch.profiler.profile(profile_memory=True, acc_events=True) as recorded:
        result = call()  # a name, so that its memory counts until the end  # noqa: F841
    moves = [event for event in recorded.profiler.kineto_results.events() if event.name() == "[memory]"]
    moves.sort(key=lambda event: event.start_ns())
    return max(accumulate((event.nbytes() for event in moves), initial=0))


@contextmanager
def _without_stderr() -> Iterator[None]:
    """The profiler's library writes a line to the process's stderr at its start and at its end."""
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


def peak_memory_alone(spec: dict) -> int:
    """Bytes that a contender holds at most on top of its weights, measured in a new process.

    `spec` is JSON: "bench" (inference, training or attention), "threads", and what that bench's `alone` takes.

    Raises:
        RuntimeError: the process failed; the message is its last line.

    >>> spec = dict(bench="attention", contender="sdpa", length=256, window=8, dtype="fp32", backward=False, threads=1)
    >>> peak_memory_alone(spec) >= 0
    True
    """
    command = [sys.executable, "-m", "minibert.bench.memory"]
    done = subprocess.run(command, input=json.dumps(spec), capture_output=True, encoding="utf-8", errors="replace")
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
        raise RuntimeError(f"measuring the memory of {spec.get('contender')} failed: {last}")
    return int(done.stdout.strip().splitlines()[-1])


def growth(call: Callable[[], object]) -> int:
    """Bytes by which the process's resident memory rises while `call` runs, at the worst moment.

    On Linux the high-water mark is reset first. Elsewhere it cannot be: a rise below an older peak reads as 0.

    >>> growth(lambda: torch.ones(40_000_000)) > 80_000_000
    True
    """
    if CLEAR.exists():
        CLEAR.write_text("5", encoding="utf-8")  # resets VmHWM to what is resident now
        before = _status("VmRSS")
        call()
        return max(0, _status("VmHWM") - before)
    before = _highest()
    call()
    return _highest() - before


def _status(key: str) -> int:
    for line in STATUS.read_text(encoding="utf-8").split("\n"):
        if line.startswith(f"{key}:"):
            return int(line.split()[1]) * 1024
    raise RuntimeError(f"{STATUS} does not say {key}")


def _highest() -> int:
    try:
        import resource
    except ImportError:
        raise RuntimeError("peak memory cannot be read on Windows: run the bench with --no-memory") from None
    found = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return found if sys.platform == "darwin" else found * 1024  # bytes on macOS, KiB elsewhere


def _build(spec: dict) -> Callable[[], object]:
    return importlib.import_module(f"minibert.bench.{spec['bench']}").alone(spec)


def main() -> None:
    """Read a spec from standard input, print the bytes.

    >>> callable(main)
    True
    """
    spec = json.loads(sys.stdin.read())
    torch.set_num_threads(spec["threads"])
    call = _build(spec)
    print(growth(call))


if __name__ == "__main__":
    main()
