"""The bench of int8: all contenders are the same model, and none is timed alone."""

import json

import pytest
from click.testing import CliRunner

from minibert.__main__ import main
from minibert.bench import int8
from minibert.bench.report import Settings, bench_config
from minibert.bench.table import table
from minibert.model.encoder import Encoder
from minibert.model.linear import Linear

pytest.importorskip("transformers")


@pytest.mark.parametrize("model", ["bert-nano", "modernbert-nano", "eurobert-nano"])
def test_int8_is_smaller_and_nearly_equal(model):
    report = int8.run(Settings(models=(model,), workloads=("2x16",), repeats=2))
    found = report["results"][0]["contenders"]
    assert 0 < found["ours int8"]["rms"] < 0.03 and found["ours fp32"]["rms"] < 1e-5
    matrices = [layer.weight for layer in Encoder(bench_config(model)).blocks.modules() if isinstance(layer, Linear)]
    saved = sum(3 * matrix.numel() - 4 * len(matrix) for matrix in matrices)  # one byte for four, a scale for each row
    assert found["ours fp32"]["bytes"] - found["ours int8"]["bytes"] == saved > 0
    halved = sum(2 * matrix.numel() for matrix in matrices)
    biases = [layer.bias for layer in Encoder(bench_config(model)).blocks.modules() if isinstance(layer, Linear)]
    halved += sum(2 * bias.numel() for bias in biases if bias is not None)
    assert found["ours fp32"]["bytes"] - found["ours bf16"]["bytes"] == halved
    assert 0 < found["ours bf16"]["rms"] < found["transformers bf16"]["rms"]
    assert all(len(one["seconds"]) == 2 for one in found.values())
    assert any(line.split()[:4] == [model, "2x16", "ours", "int8"] for line in table(report))


def test_the_command_writes_the_report(tmp_path):
    file = tmp_path / "int8.json"
    options = ["--model", "bert-nano", "--workload", "2x8", "--repeats", "1", "--out", str(file)]
    done = CliRunner().invoke(main, ["bench", "int8", *options])
    assert done.exit_code == 0, done.output
    assert "times transformers fp32" in done.output
    assert json.loads(file.read_text(encoding="utf-8"))["bench"] == "int8"
