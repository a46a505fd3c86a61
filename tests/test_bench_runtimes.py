"""Opponents beside PyTorch: the same model in other runtimes, sorted batches, and what is said when one is missing."""

import importlib.util
import json

import pytest
import torch
from click.testing import CliRunner

from minibert.__main__ import main
from minibert.bench import inference, int8, opponents, runtimes
from minibert.bench.report import Settings, bench_config
from minibert.bench.table import table
from minibert.bench.workloads import Workload, padded_batch

pytest.importorskip("transformers")
CONFIG = bench_config("modernbert-nano")
BATCH = padded_batch(Workload("mine", (9, 40, 3, 17, 40, 1)), CONFIG)
needs_all = pytest.mark.skipif(
    bool(runtimes.find_installed(tuple(runtimes.NEEDS))[1]), reason="the extra bench is not installed"
)


def answers(name: str, config=CONFIG, batch=BATCH, theirs=None):
    theirs = theirs or opponents.their_encoder(config)
    with torch.inference_mode():
        return runtimes.opponent_call(name, config, theirs, *batch, seed=0)()


# ---- sorted batches


def test_sorted_batches_answer_in_the_order_of_the_texts():
    real = BATCH[1].bool()
    torch.testing.assert_close(answers("sdpa-sorted")[real], answers("sdpa")[real], rtol=0, atol=1e-5)


@pytest.mark.parametrize("batches, calls", [(1, 1), (2, 2), (4, 3), (99, 6)])
def test_sorted_batches_are_cut_to_their_own_longest_text(batches, calls):
    ids, mask = BATCH
    seen = []

    def forward(ids, mask):
        seen.append(tuple(ids.shape))
        assert mask.sum(1).max() == ids.shape[1]  # no column of padding alone
        return (ids * mask)[..., None]

    found = runtimes.in_sorted_batches(forward, ids, mask, batches)
    assert torch.equal(found.squeeze(-1), ids * mask)
    assert len(seen) == calls  # six texts in at most four batches: three pairs
    assert [width for _, width in seen] == sorted(width for _, width in seen)


# ---- what is missing, what is wrong


def test_a_missing_package_leaves_its_opponents_out_and_says_so(monkeypatch):
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name in ("onnx", "openvino") else find(name))
    there, lines = runtimes.find_installed(("sdpa", "sdpa-sorted", "onnxruntime", "openvino-bf16-sorted"))
    assert there == ("sdpa", "sdpa-sorted")
    assert len(lines) == 2 and "onnxruntime: onnx" in lines[0] and "minibert[bench]" in lines[0]
    assert lines[1].startswith("openvino-bf16-sorted: onnx") and "openvino not installed" in lines[1]
    options = ["--model", "bert-nano", "--workload", "2x8", "--repeats", "1", "--no-memory"]
    done = CliRunner().invoke(main, ["bench", "inference", *options])
    assert done.exit_code == 0, done.output
    assert "sdpa-sorted" in done.stdout and "skipped: openvino: onnx" in done.stdout


@pytest.mark.parametrize("bench", [inference, int8])
def test_an_opponent_with_wrong_answers_is_not_timed(bench, monkeypatch):
    honest = runtimes.in_sorted_batches
    monkeypatch.setattr(runtimes, "in_sorted_batches", lambda *given: honest(*given) * 1.01)
    settings = Settings(
        models=("bert-nano",), workloads=("2x8",), repeats=1, memory=False, opponents=("sdpa", "sdpa-sorted")
    )
    monkeypatch.setattr(runtimes, "find_installed", lambda names: (tuple(n for n in names if n[:4] == "sdpa"), []))
    report = bench.run(settings)
    assert not any("sorted" in name for name in report["results"][0]["contenders"])
    assert any("sorted: its answers are off by" in line for line in report["skipped"])
    assert "not timed" in "\n".join(table(report))


def test_a_runtime_races_in_its_own_dtype():
    beside = {name: [d for d in ("fp32", "bf16") if runtimes.runs_beside(name, d)] for name in inference.OPPONENTS}
    assert beside["sdpa"] == beside["eager-sorted"] == ["fp32", "bf16"]
    assert beside["openvino-bf16"] == ["bf16"] and beside["onnxruntime"] == beside["onnxruntime-int8"] == ["fp32"]


def test_a_runtime_is_refused_on_a_gpu():
    with pytest.raises(ValueError, match="opponent openvino: runs on the CPU, not on cuda"):
        opponents.check_opponents(["openvino"], "cuda", inference.OPPONENTS)


# ---- the runtimes themselves


@needs_all
@pytest.mark.parametrize("preset", ["bert-nano", "modernbert-nano"])
def test_runtimes_give_the_answers_of_transformers_on_batches_of_any_size(preset):
    config = bench_config(preset)
    theirs = opponents.their_encoder(config)
    for lengths in ((9, 40, 3, 17), (5,)):
        batch = padded_batch(Workload("mine", lengths), config)
        real = batch[1].bool()
        expected = answers("sdpa", config, batch, theirs)[real]
        for name in (*runtimes.NEEDS, "openvino-sorted"):
            found = answers(name, config, batch, theirs)[real]
            off = opponents.error(found, expected)["rms"]
            assert off < (0.05 if name.endswith(("int8", "bf16")) else 1e-5), (name, off)
            assert runtimes.find_wrong(name, "fp32", found, expected) is None or name == "openvino-bf16"


@needs_all
def test_all_stand_in_one_race_with_their_errors(tmp_path):
    file = tmp_path / "race.json"
    options = ["--model", "modernbert-nano", "--workload", "2x16", "--repeats", "1", "--out", str(file)]
    done = CliRunner().invoke(main, ["bench", "int8", *options])
    assert done.exit_code == 0, done.output
    report = json.loads(file.read_text(encoding="utf-8"))
    found = report["results"][0]["contenders"]
    assert set(int8.RUNTIMES.values()) < set(found) and not report["skipped"]
    assert found["onnxruntime fp32"]["bytes"] > 3 * found["onnxruntime int8"]["bytes"]
    assert all(report["versions"][package] for package in ("onnx", "onnxruntime", "openvino"))
