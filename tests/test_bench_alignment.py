"""The bench of vocabulary sizes: the products are right, ratios compare neighbours in time, the control is there."""

import json

import pytest
import torch
from click.testing import CliRunner

from minibert.__main__ import main
from minibert.bench import alignment
from minibert.bench.report import Settings
from minibert.bench.table import table

SMALL = dict(vocabularies=(50_367, 50_368), staircase=(127, 128, 140, 256))


@pytest.fixture(scope="module")
def found():
    return alignment.run(Settings(dtypes=("fp32", "bf16"), repeats=2), **SMALL)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_the_product_is_the_scores_of_all_tokens(dtype):
    tokens, weights = torch.randn(5, 768, dtype=dtype), torch.randn(300, 768, dtype=dtype)
    want = torch.nn.functional.linear(tokens.double(), weights[:257].double())  # (5, 257)
    for passes in (1, 3):
        scores = alignment.product(tokens, weights[:257], torch.full((2000,), 7, dtype=dtype), passes)()
        assert scores.shape == (5, 257) and scores.dtype == dtype
        assert torch.allclose(scores.double(), want, rtol=0.02, atol=1e-3 if dtype == torch.float32 else 0.5)


def test_every_size_is_there_and_the_reference_twice(found):
    rows = [(row["group"], row["dtype"], row["size"], row["again"]) for row in found["results"]]
    want = []
    for dtype in ("fp32", "bf16"):
        want += [("decoder", dtype, size, False) for size in SMALL["vocabularies"]]
        want += [("decoder", dtype, 50_368, True)]
        want += [("staircase", dtype, size, False) for size in SMALL["staircase"]]
        want += [("staircase", dtype, 256, True)]
    assert rows == want
    for row in found["results"]:
        assert len(row["seconds"]) == 2 and row["median_seconds"] > 0
        assert row["gflops"] == pytest.approx(
            2 * row["rows"] * 768 * row["size"] / row["median_seconds"] / 1e9, abs=0.1
        )
        low, high = row["per_column"]["quartiles"]
        assert low <= row["per_column"]["median"] <= high
    assert {"processor", "cores", "threads", "features"} <= set(found["machine"])
    assert json.loads(json.dumps(found["results"])) == found["results"]


def test_ratios_compare_a_column_with_the_reference_of_its_round():
    # The machine is four times slower in the second round; a column of 100 costs twice one of 200 in both.
    seconds = {(100, False): [1.0, 4.0], (200, False): [1.0, 4.0], (200, True): [1.1, 4.4]}
    rows = [alignment._row(name, seconds, (200, False), "fp32", rows=1, passes=2) for name in seconds]
    assert [row["per_column"]["median"] for row in rows] == [2.0, 1.0, 1.1]
    assert rows[0]["median_seconds"] == 1.25 and rows[0]["seconds"] == [0.5, 2.0], "seconds of one pass"


@pytest.mark.parametrize(
    ("size", "power"), [(50_368, 64), (50_304, 128), (128_256, 128), (30_522, 2), (50_281, 1), (64, 64)]
)
def test_the_power_of_two_in_a_size(size, power):
    assert alignment.multiple(size) == power
    assert size % power == 0 and (power == 128 or size % (2 * power))


def test_a_group_without_its_reference_is_refused():
    with pytest.raises(ValueError, match="reference 50368 is not among"):
        alignment.run(Settings(repeats=1), vocabularies=(50_000,))


def test_the_table_leaves_most_of_the_staircase_out(found):
    lines = table(found)
    assert "time per column" in lines[0] and len(lines) == 1 + 2 * (3 + 4)
    assert any("50,368 again" in line for line in lines) and not any(" 140 " in line for line in lines)


def test_the_command(monkeypatch, tmp_path):
    real, asked = alignment.run, []
    monkeypatch.setattr(
        alignment, "run", lambda settings, save, say: asked.append(settings) or real(settings, save, say, **SMALL)
    )
    file = tmp_path / "alignment.json"
    done = CliRunner().invoke(main, ["bench", "alignment", "--repeats", "1", "--dtype", "bf16", "--out", str(file)])
    assert done.exit_code == 0, done.output
    assert "50,367" in done.stdout and "staircase bf16" in done.stderr
    assert json.loads(file.read_text(encoding="utf-8"))["bench"] == "alignment"
    assert (asked[0].repeats, asked[0].dtypes) == (1, ("bf16",))
    CliRunner().invoke(main, ["bench", "alignment"])
    assert (asked[1].repeats, asked[1].dtypes) == (9, ("fp32",))
    refused = CliRunner().invoke(main, ["bench", "alignment", "--model", "bert-nano"])
    assert refused.exit_code == 2 and "--model means nothing to bench alignment" in refused.output
