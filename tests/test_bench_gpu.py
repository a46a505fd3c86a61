"""`bench gpu`: every part runs anywhere, an interruption costs one part, and nothing is needed but torch and click."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from click.testing import CliRunner
from torch.autograd import DeviceType

from minibert.__main__ import main
from minibert.bench import gpu, gpu_parts
from minibert.bench.cards import PEAK_TFLOPS, card_peak, kernels, longest
from minibert.bench.gpu_parts import FULL, SMALL
from minibert.bench.table import table
from minibert.varlen import dispatch

ROOT = Path(__file__).parents[1]
BLOCKED = ("nanoarrow", "jupyterlab", "flash_attn", "ipykernel", "IPython", "platformdirs", "matplotlib", "nbformat")
WITHOUT = f"""
import sys

sys.modules.update(dict.fromkeys({BLOCKED!r}))  # None: as if it were not installed, to import and to find_spec
"""


def without_packages(code: str, **options) -> subprocess.CompletedProcess:
    """Run code in a Python where the packages of BLOCKED are not installed, from the source tree."""
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    command = [sys.executable, "-c", WITHOUT + code]
    return subprocess.run(command, capture_output=True, encoding="utf-8", env=environment, cwd=options.get("cwd"))


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    """The small version, as a bare machine with one core runs it."""
    folder = tmp_path_factory.mktemp("gpu")
    code = "sys.argv = ['minibert', 'bench', 'gpu', '--device', 'cpu', '--out', 'gpu.json']\n"
    code += "import runpy; runpy.run_module('minibert', run_name='__main__')"
    done = without_packages(code, cwd=folder)
    assert done.returncode == 0, done.stderr
    assert "kernel" in done.stdout and "Traceback" not in done.stderr
    return json.loads((folder / "gpu.json").read_text(encoding="utf-8"))


def test_it_runs_where_only_torch_and_the_opponent_are(report):
    assert report["skipped"] == [] and report["size"]["name"] == "small" and report["card_tflops"] is None
    assert set(report["parts"]) == set(gpu.find_parts(SMALL, "cpu"))
    assert [part["error"] for part in report["parts"].values() if "error" in part] == []
    assert "flash_attn" in report["missing"] and "needs CUDA" in report["missing"]["torch"]


def test_every_back_end_is_compared_with_the_reference(report):
    for name in ("per_document", "banded", "tiled"):
        part = report["parts"][f"agreement {name}"]
        assert part["all_right"]
        seen = {(row["dtype"], row["window"], row["groups"], row["longest"]) for row in part["cases"]}
        assert {dtype for dtype, *_ in seen} == {"bfloat16", "float16", "float32"}
        assert {(window, groups) for _, window, groups, _ in seen} >= {(w, g) for w in SMALL.windows for g in (1, 2, 4)}
        assert {longest for *_, longest in seen} == {max(SMALL.ragged), SMALL.long}
        for row in part["cases"]:
            assert set(row["error"]) == {"output", "query", "key", "value"}
            assert all(row["error"][key] <= row["allowed"][key] for key in row["error"])


def test_models_are_timed_beside_transformers_with_the_same_weights(report):
    for kind, cases in (("inference", SMALL.inference), ("training", SMALL.training)):
        for preset, workload in cases:
            part = report["parts"][f"{kind} {preset} {workload}"]
            assert {"ours", "sdpa"} <= set(part["contenders"]) and part["agreement"]["agrees"] and not part["failed"]
            assert part["speedup"]["sdpa"]["median_of_rounds"] > 0
            for found in part["contenders"].values():
                assert found["tokens_per_second"] > 0 and found["tflops"] >= 0 and found["share_of_card"] is None
                assert found["kernels"] and 0 < found["kernels"][0]["share"] <= 1


def test_the_full_size_asks_what_was_promised():
    assert 8192 in (FULL.long, max(FULL.ragged)) and None in FULL.windows and len(FULL.ragged) > 4
    assert {preset.split("-")[0] for preset, _ in FULL.inference + FULL.training} == {"modernbert", "bert", "eurobert"}
    assert gpu.LIMIT <= 420


def test_the_package_is_imported_without_what_only_notebooks_need():
    done = without_packages("import minibert\nfor name in set(minibert.__all__) - {'viz'}: getattr(minibert, name)")
    assert done.returncode == 0, done.stderr


# ---- parts, interruptions, errors


def counting(monkeypatch, **parts):
    """Replace the parts by functions that only note that they ran."""
    ran = []

    def make(name, outcome):
        def part():
            ran.append(name)
            if isinstance(outcome, BaseException):
                raise outcome
            return {"value": outcome}

        return part

    monkeypatch.setattr(gpu, "find_parts", lambda size, device: {name: make(name, x) for name, x in parts.items()})
    return ran


def test_an_interruption_loses_one_part_and_the_next_run_goes_on(monkeypatch, tmp_path):
    file = tmp_path / "gpu.json"
    ran = counting(monkeypatch, first=1, second=2, third=KeyboardInterrupt(), fourth=4)
    with pytest.raises(KeyboardInterrupt):
        gpu.run("cpu", file)
    assert ran == ["first", "second", "third"]
    assert set(json.loads(file.read_text(encoding="utf-8"))["parts"]) == {"first", "second"}
    ran, said = counting(monkeypatch, first=1, second=2, third=3, fourth=4), []
    found = gpu.run("cpu", file, say=said.append)
    assert ran == ["third", "fourth"] and "2 parts are in gpu.json already" in said[0]
    assert {name: part["value"] for name, part in found["parts"].items()} == dict(first=1, second=2, third=3, fourth=4)
    assert json.loads(file.read_text(encoding="utf-8")) == json.loads(json.dumps(found))


def test_an_error_is_noted_and_tried_again(monkeypatch, tmp_path):
    file = tmp_path / "gpu.json"
    counting(monkeypatch, first=RuntimeError("CUDA error: out of memory\nmore lines"), second=2)
    found = gpu.run("cpu", file)
    assert found["parts"]["first"]["error"] == "RuntimeError: CUDA error: out of memory"
    assert found["parts"]["second"]["value"] == 2
    assert any("out of memory" in line for line in table(found))
    ran = counting(monkeypatch, first=1, second=2)
    assert gpu.run("cpu", file)["parts"]["first"]["value"] == 1 and ran == ["first"]


def test_when_time_is_up_the_rest_is_left_to_the_next_run(monkeypatch, tmp_path):
    file, now = tmp_path / "gpu.json", iter(range(0, 10_000, 100))
    counting(monkeypatch, first=1, second=2, third=3)
    found = gpu.run("cpu", file, limit=350.0, clock=lambda: float(next(now)))
    assert list(found["parts"]) == ["first"] and [line.split(":")[0] for line in found["skipped"]] == [
        "second",
        "third",
    ]
    ran = counting(monkeypatch, first=1, second=2, third=3)
    assert gpu.run("cpu", file)["skipped"] == [] and ran == ["second", "third"]


@pytest.mark.parametrize("change", [{"versions": {"torch": "1.0"}}, {"size": {}}, {"machine": {"processor": "other"}}])
def test_numbers_of_another_machine_are_not_mixed_in(change, monkeypatch, tmp_path):
    file = tmp_path / "gpu.json"
    counting(monkeypatch, first=1)
    file.write_text(json.dumps(gpu.run("cpu") | change), encoding="utf-8")
    with pytest.raises(ValueError, match="another machine, or with other packages"):
        gpu.run("cpu", file)


@pytest.mark.parametrize("text", ["no json", "[1]", '{"bench": "inference"}'])
def test_a_file_of_another_kind_is_not_overwritten(text, tmp_path):
    file = tmp_path / "a.json"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match="holds something else"):
        gpu.run("cpu", file)
    assert file.read_text(encoding="utf-8") == text


@pytest.mark.parametrize("mistake", [7, 9, 16, None])
def test_a_back_end_with_another_window_is_found_wrong(mistake, monkeypatch):
    right = dispatch.CALLS["banded"]
    wrong = lambda q, k, v, context: right(q, k, v, context.for_layer(mistake, dropout=0.0))  # noqa: E731
    monkeypatch.setitem(dispatch.CALLS, "banded", wrong)
    found = gpu_parts.agreement("banded", SMALL, "cpu")
    assert not found["all_right"]
    assert any("WRONG in" in line for line in table({"bench": "gpu", "parts": {"agreement banded": found}}))


def test_nan_is_wrong(monkeypatch):
    monkeypatch.setitem(dispatch.CALLS, "banded", lambda q, k, v, context: q * float("nan") + k.sum() + v.sum())
    assert not gpu_parts.agreement("banded", replace(SMALL, windows=(1,)), "cpu")["all_right"]


def test_without_the_opponent_ours_is_measured_alone(monkeypatch):
    monkeypatch.setitem(sys.modules, "transformers", None)
    for part in (gpu_parts.inference, gpu_parts.training):
        found = part("modernbert-nano", "2x9", SMALL, "cpu")
        assert list(found["contenders"]) == ["ours"] and found["agreement"] is None
        assert found["failed"].keys() == {"transformers"}


# ---- cards and kernels


@pytest.mark.parametrize(
    ("name", "peak"),
    [
        ("NVIDIA H200", 989.0),
        ("NVIDIA H200 NVL", 835.0),
        ("NVIDIA GH200 480GB", 989.0),
        ("NVIDIA H100 80GB HBM3", 989.0),
        ("NVIDIA H100 PCIe", 756.0),
        ("NVIDIA A100-SXM4-40GB", 312.0),
        ("NVIDIA A100 80GB PCIe", 312.0),
        ("NVIDIA L40S", 362.0),
        ("NVIDIA GeForce RTX 4090", 165.2),
        ("NVIDIA RTX 6000 Ada Generation", 364.2),
        ("NVIDIA GeForce RTX 4090 Laptop GPU", None),
        ("NVIDIA A100-SXM4-40GB MIG 1g.5gb", None),
        ("NVIDIA A10G", None),
        ("NVIDIA RTX 6000", None),
        ("Tesla T4", None),
        ("", None),
        (None, None),
    ],
)
def test_a_card_is_known_by_its_name_or_unknown(name, peak):
    assert card_peak(name) == peak


def test_no_key_of_the_table_hides_another():
    for key, peak in PEAK_TFLOPS.items():
        assert card_peak(f"NVIDIA {key}") == peak


def test_on_a_gpu_the_kernels_are_counted_and_not_their_calls():
    def event(key, kind, device_time=0.0, cpu_time=0.0, count=1):
        names = ("key", "device_type", "self_device_time_total", "self_cpu_time_total", "count")
        return SimpleNamespace(**dict(zip(names, (key, kind, device_time, cpu_time, count), strict=True)))

    events = [
        event("aten::mm", DeviceType.CPU, device_time=90.0, cpu_time=5.0),
        event("sm90_gemm", DeviceType.CUDA, device_time=70.0, count=4),
        event("elementwise", DeviceType.CUDA, device_time=20.0),
        event("cudnn_generated_sdpa_sm90_flash_fprop", DeviceType.CUDA, device_time=10.0, count=2),
    ]
    found = longest(events, on_gpu=True, most=1)
    assert [row["kernel"] for row in found] == ["sm90_gemm", "cudnn_generated_sdpa_sm90_flash_fprop"]
    assert [(row["share"], row["calls"]) for row in found] == [(0.7, 4), (0.1, 2)]
    assert longest(events, on_gpu=False, most=4) == [{"kernel": "aten::mm", "share": 1.0, "calls": 1}]


def test_the_kernel_of_attention_is_named():
    x = torch.randn(1, 2, 300, 16)
    found = kernels(lambda: torch.nn.functional.scaled_dot_product_attention(x, x, x), "cpu")
    assert any("scaled_dot_product" in row["kernel"] for row in found)


def test_the_command_refuses_what_it_does_not_know():
    for arguments in (["--repeats", "3"], ["--model", "bert-nano"], ["--dtype", "bf16"]):
        done = CliRunner().invoke(main, ["bench", "gpu", *arguments])
        assert done.exit_code == 2 and "means nothing to bench gpu" in done.output
