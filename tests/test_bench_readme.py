"""The README's tables of speed are those of the stored results."""

import json

import pytest

from minibert.bench import readme
from minibert.files import read_text

TEXT = read_text(readme.README)


def test_the_readme_says_what_is_stored():
    assert readme.rewritten(TEXT) == TEXT, "write it: python -m minibert.bench.readme"


def test_every_stored_contender_of_the_race_stands_in_the_readme_with_its_numbers():
    for row in readme.stored("race")["results"]:
        column = 1 + [found["workload"] for found in readme.stored("race")["results"]].index(row["workload"])
        for name, found in row["contenders"].items():
            line = next(line for line in TEXT.splitlines() if line.startswith(f"| {name} |"))
            assert line.split("|")[column + 1].strip() == f"{found['speedup']['median_of_rounds']:.1f}"


def test_the_race_holds_losses_too_and_nobody_whose_answers_are_wrong():
    race = readme.stored("race")
    assert race["bench"] == "int8" and not race["skipped"]
    for row in race["results"]:
        assert row["contenders"]["ours fp32"]["rms"] < 1e-5
        assert row["contenders"]["ours bf16"]["rms"] < 0.3 * row["contenders"]["transformers bf16"]["rms"]
        assert {"transformers fp32 sorted", "onnxruntime int8", "openvino bf16"} <= set(row["contenders"])


def test_who_leads_is_said_as_it_was_measured():
    for row in readme.stored("race")["results"]:
        for dtype in ("fp32", "bf16", "int8"):
            speeds = {
                name: found["speedup"]["median_of_rounds"]
                for name, found in row["contenders"].items()
                if name.split()[1] == dtype
            }
            assert (max(speeds, key=speeds.get) == f"ours {dtype}") == (row["texts"] > 1), (row["workload"], dtype)


def test_a_changed_number_is_written_anew(tmp_path, monkeypatch):
    race = readme.stored("race")
    race["results"][0]["contenders"]["ours int8"]["speedup"]["median_of_rounds"] = 98.76
    (tmp_path / "race.json").write_text(json.dumps(race), encoding="utf-8")
    for file in {name for *_, files in readme.MORE for name in files}:
        (tmp_path / f"{file}.json").write_text(json.dumps(readme.stored(file)), encoding="utf-8")
    monkeypatch.setattr(readme, "STORED", tmp_path)
    new = readme.rewritten(TEXT)
    changed = [line for line in new.splitlines() if line not in TEXT.splitlines()]
    assert len(changed) == 1 and changed[0].startswith("| ours int8 | 98.8 |")
    assert readme.rewritten(new) == new
    with pytest.raises(ValueError, match="has no bert-base 1x8192 fp32"):
        readme.ratio("inference", "bert-base", "1x8192", "fp32", "sdpa")


def test_the_sentence_on_sparse_prediction_is_stored_too():
    ratio = readme.ratio("training", "modernbert-base", "8x512", "fp32", "sparse")
    assert f"the training step is {ratio:.1f} times as fast" in TEXT.replace("\n", " ")
