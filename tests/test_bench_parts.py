"""The bench of parts: every moment of a forward pass is booked once, on the part that was running."""

import json

import pytest
import torch
from click.testing import CliRunner

from minibert.__main__ import main
from minibert.bench import parts
from minibert.bench.report import Settings, bench_config
from minibert.model.encoder import Encoder


@pytest.mark.parametrize("preset", ["bert-nano", "modernbert-nano", "eurobert-nano"])
def test_the_parts_add_up_and_nothing_stays_behind(preset):
    model = Encoder(bench_config(preset), pooler=False).eval()
    ids = torch.ones(2, 40, dtype=torch.long)
    with torch.inference_mode():
        expected = model(ids, ids).hidden
        ticks = iter(range(10_000))
        found = parts.timed(model, ids, ids, lambda: None, lambda: next(ticks))
        assert set(found) == set(parts.PARTS)
        assert sum(found.values()) == next(ticks) - 1, "as many ticks as the clock gave"
        assert torch.equal(model(ids, ids).hidden, expected)
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in model.modules())


def test_an_error_takes_the_clock_away_too():
    model = Encoder(bench_config("bert-nano"), pooler=False).eval()
    with pytest.raises(ValueError):
        parts.timed(model, torch.full((1, 3), -1), torch.ones(1, 3, dtype=torch.long), lambda: None)
    assert not any(module._forward_hooks for module in model.modules())


def test_local_and_global_layers_are_told_apart():
    report = parts.run(Settings(models=("modernbert-nano", "bert-nano"), workloads=("1x64",), repeats=1))
    modern, bert = report["results"]
    assert (modern["global_layers"], modern["local_layers"], bert["local_layers"]) == (2, 2, 0)
    assert modern["parts"][parts.LOCAL]["median_seconds"] > 0 == bert["parts"][parts.LOCAL]["median_seconds"]


def test_the_command_writes_the_file_and_prints_shares(tmp_path):
    file = tmp_path / "parts.json"
    asked = ["bench", "parts", "--model", "bert-nano", "--workload", "1x20", "--repeats", "1", "--out", str(file)]
    done = CliRunner().invoke(main, asked)
    assert done.exit_code == 0, done.output
    assert json.loads(file.read_text(encoding="utf-8"))["bench"] == "parts"
    assert "attention: global mixing" in done.output and "%" in done.output
    refused = CliRunner().invoke(main, ["bench", "parts", "--opponent", "sdpa"])
    assert refused.exit_code == 2 and "--opponent means nothing to bench parts" in refused.output
