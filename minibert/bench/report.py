"""The frame of every result: what was asked for, on what machine, and a file that is whole after each workload."""

import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import torch

from minibert.bench.machine import machine, versions
from minibert.bench.workloads import Workload, find_workload
from minibert.config import EncoderConfig
from minibert.files import write_text

DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16}
MODELS = ("modernbert-base", "bert-base", "eurobert-210m")


@dataclass(frozen=True)
class Settings:
    """What to run: every model on every workload in every dtype.

    >>> Settings(models=("bert-nano",), workloads=("2x8",)).repeats
    5
    """

    models: tuple[str, ...] = MODELS
    workloads: tuple[str, ...] = ("8x128", "8x512", "1x2048", "1x8192", "sentences")
    dtypes: tuple[str, ...] = ("fp32",)
    device: str = "cpu"
    repeats: int = 5
    opponents: tuple[str, ...] = ("sdpa",)
    memory: bool = True
    seed: int = 0

    def __post_init__(self):
        if self.repeats < 1:
            raise ValueError(f"repeats={self.repeats}: expected at least 1")
        for dtype in self.dtypes:
            if dtype not in DTYPES:
                raise ValueError(f"dtype {dtype!r}: expected one of {', '.join(DTYPES)}")


@dataclass(frozen=True)
class Case:
    """One model, one workload, one dtype.

    >>> Case("bert-nano", EncoderConfig.preset("bert-nano"), Workload("2x8", (3, 8)), "fp32").label
    'bert-nano 2x8 fp32'
    """

    model: str
    config: EncoderConfig
    workload: Workload
    dtype: str

    @property
    def label(self) -> str:
        """What progress messages call it."""
        return f"{self.model} {self.workload.name} {self.dtype}"


def bench_config(preset: str) -> EncoderConfig:
    """A preset with the dropout that both sides can have: BERT's 0.1, and none for the later families.

    >>> bench_config("modernbert-base").dropout_attn_out  # the preset's 0.1 has no counterpart in transformers
    0.0
    """
    config = EncoderConfig.preset(preset)
    return config if config.family == "bert" else config.replace(dropout_attn_out=0.0)


def start_report(bench: str, settings: Settings, notes: str) -> dict:
    """A report without results: the settings, the machine, the versions, and what the numbers mean.

    >>> sorted(start_report("inference", Settings(), "forward passes"))
    ['bench', 'machine', 'notes', 'results', 'settings', 'skipped', 'versions']
    """
    return {
        "bench": bench,
        "notes": notes,
        "settings": asdict(settings),
        "machine": machine(settings.device),
        "versions": versions(),
        "skipped": [],
        "results": [],
    }


def find_cases(settings: Settings, report: dict) -> Iterator[Case]:
    """All cases, the same workload in both dtypes in a row; what cannot be run is noted in the report's "skipped".

    Skipped are texts longer than learned positions, and the sentences where the speeches are not cached.

    Raises:
        ValueError: an unknown model or workload, or nothing is left to run.

    >>> report = {"skipped": []}
    >>> cases = find_cases(Settings(models=("bert-nano",), workloads=("2x8", "2x999")), report)
    >>> [case.label for case in cases], report["skipped"]
    (['bert-nano 2x8 fp32'], ['bert-nano 2x999: texts of 999 tokens, and the model has 128 positions'])
    """
    from minibert.corpora import DataUnavailable

    found = []
    for model in settings.models:
        config = bench_config(model)
        for name in settings.workloads:
            try:
                workload = find_workload(name, config.family, settings.seed)
            except DataUnavailable:
                report["skipped"].append(
                    f"{model} {name}: the speeches are missing: python -m minibert data fetch sotu"
                )
                continue
            if config.position == "learned" and workload.width > config.max_len:
                report["skipped"].append(
                    f"{model} {name}: texts of {workload.width} tokens, and the model has {config.max_len} positions"
                )
                continue
            found += [Case(model, config, workload, dtype) for dtype in settings.dtypes]
    if not found:
        raise ValueError("nothing to run: " + "; ".join(report["skipped"] or ["no model or no workload"]))
    return iter(found)


def saver(file: str | Path | None) -> Callable[[dict], None]:
    """A function that writes a report to `file` in one step, so that a kill leaves the last whole one; or nothing.

    Raises:
        ValueError: the folder of `file` does not exist.

    >>> saver(None)({"bench": "inference"})
    """
    if file is None:
        return lambda report: None
    if not Path(file).parent.is_dir() or Path(file).is_dir():
        raise ValueError(f"--out {file}: expected the name of a file in a folder that exists")
    return lambda report: write_text(file, json.dumps(report, indent=1) + "\n")
