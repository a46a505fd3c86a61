"""What a longer text costs: operations counted, seconds and memory measured, with scores written out and without.

One encoder of MiniLM's shape, with random weights and a table of as many places as the longest text needs, reads one
text of each length. `naive` writes out the scores of every pair of tokens (back-end `reference`), `fused` lets
PyTorch's kernel go through them in tiles (`per_document`). Each also for one call of attention alone, without the rest
of the model. `operations` are counted from the config. Times are those of a shared machine: for each length the median,
the fastest and the slowest of several rounds by the clock on the wall, and the median by the process's own clock, which
stands still while other processes have the core.
"""

import time
from collections.abc import Callable
from statistics import median

import torch

from minibert.bench.memory import live_bytes
from minibert.config import EncoderConfig
from minibert.experiments.record import Experiment
from minibert.experiments.small_encoders import one_thread
from minibert.model.cost import attention_flops, model_flops
from minibert.model.encoder import Encoder
from minibert.tasks.inference import inference
from minibert.varlen import attention

BACKENDS = {"naive": "reference", "fused": "per_document"}
ARMS = ("naive", "fused", "naive, attention alone", "fused, attention alone", "operations")


def config_of(settings: dict) -> EncoderConfig:
    """BERT in MiniLM's size, with a place for each token of the longest text."""
    sizes = {name: settings[name] for name in ("layers", "hidden", "heads", "intermediate")}
    return EncoderConfig.preset("bert-base").replace(**sizes, max_len=max(settings["lengths"]))


def measure(settings: dict, arm: str, seed: int) -> dict[str, float]:
    """`operations at T`, or seconds by two clocks and the megabytes of tensors that lived at once."""
    config = config_of(settings)
    if arm == "operations":
        counts = {f"operations at {n}": model_flops(config, [n]) for n in settings["lengths"]}
        attending = {f"of attention at {n}": attention_flops(config, [n]) for n in settings["lengths"]}
        return counts | attending
    path, _, alone = arm.partition(", ")
    generator = torch.Generator().manual_seed(seed)
    call_at = (_attention_call if alone else _model_call)(config, BACKENDS[path], generator)
    measures = {}
    with one_thread():
        rounds = [[_timed(call_at(length)) for length in settings["lengths"]] for _ in range(settings["rounds"])]
        for length, found in zip(settings["lengths"], zip(*rounds, strict=True), strict=True):
            wall, own = zip(*found, strict=True)
            measures[f"seconds at {length}"] = median(wall)
            measures[f"fastest at {length}"] = min(wall)
            measures[f"slowest at {length}"] = max(wall)
            measures[f"own seconds at {length}"] = median(own)
            measures[f"megabytes at {length}"] = live_bytes(call_at(length)) / 1e6
    return measures


def _model_call(config: EncoderConfig, backend: str, generator: torch.Generator) -> Callable[[int], Callable]:
    encoder = Encoder(config, generator=generator)
    ids = torch.randint(config.vocab_size, (config.max_len,), generator=generator)

    def call_at(length: int) -> Callable:
        def call():
            with inference(encoder):
                encoder.packed(ids[:length], torch.tensor([0, length], dtype=torch.int32), backend=backend)

        return call

    return call_at


def _attention_call(config: EncoderConfig, backend: str, generator: torch.Generator) -> Callable[[int], Callable]:
    shape = (config.max_len, config.heads, config.head_size)
    query, key, value = (torch.randn(shape, generator=generator) for _ in range(3))  # (T, H, K)

    def call_at(length: int) -> Callable:
        borders = torch.tensor([0, length], dtype=torch.int32)
        return lambda: attention(query[:length], key[:length], value[:length], borders, length, backend=backend)

    return call_at


def _timed(call: Callable) -> tuple[float, float]:
    """Seconds by the clock on the wall, and seconds that this process had a core."""
    wall, own = time.perf_counter(), time.process_time()
    call()
    return time.perf_counter() - wall, time.process_time() - own


COST = Experiment(
    name="cost",
    question="How do operations, time and memory grow with the length of a text?",
    settings=dict(
        layers=6,
        hidden=384,
        heads=12,
        intermediate=1536,
        lengths=(128, 256, 512, 1024, 2048),
        rounds=3,
    ),
    arms=ARMS,
    measure=measure,
    tiny=dict(layers=1, hidden=16, heads=2, intermediate=16, lengths=(128, 256), rounds=1),
)
