"""Experiments: every stored result belongs to the code that is here, and can be measured again."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from minibert import corpora
from minibert.experiments import NAMES, Experiment, Result, find, run, stored
from minibert.experiments.record import plain

ROOT = Path(__file__).parents[1]
FILES = ROOT / "minibert" / "experiments"


def measure(settings: dict, arm: str, seed: int) -> dict[str, float]:
    return {"n": settings["by"] * (seed + 1) + (arm == "two")} | ({"only": 1.0} if arm == "two" else {})


@pytest.fixture
def sums() -> Experiment:
    return Experiment("sums", "Is two more than one?", {"by": 1, "shape": (2, 3)}, ("one", "two"), measure)


@pytest.mark.parametrize("name", NAMES)
def test_a_stored_result_was_measured_by_the_code_that_is_here(name):
    experiment, report = find(name), stored(name).report
    assert experiment.name == name
    assert report["settings"] == plain(experiment.settings), f"measure again: {experiment.command} --out ..."
    assert (report["arms"], report["seeds"]) == (list(experiment.arms), list(experiment.seeds))
    assert report["question"] == experiment.question and report["command"] == experiment.command
    done = [(row["arm"], row["seed"]) for row in report["results"]]
    assert sorted(done) == sorted((arm, seed) for arm in experiment.arms for seed in experiment.seeds)
    assert report["machine"]["processor"] and report["versions"]["torch"]
    for measure in {name for row in report["results"] for name in row["measures"]}:
        for arm, numbers in stored(name).values(measure).items():
            assert len(numbers) == len(experiment.seeds), f"{measure} of {arm} is missing for some seed"
            assert all(type(number) in (int, float) and number == number for number in numbers), (measure, arm)


@pytest.mark.data
@pytest.mark.parametrize("name", NAMES)
def test_an_experiment_runs_and_gives_the_same_numbers_twice(name):
    if not corpora.is_cached("sotu"):
        pytest.skip("needs python -m minibert data fetch")
    experiment, result = find(name), stored(name)
    assert experiment.tiny, "give it tiny settings"
    for arm in experiment.arms:
        measures = experiment.measure(experiment.settings | experiment.tiny, arm, 0)
        if arm == experiment.arms[-1]:
            assert measures == experiment.measure(experiment.settings | experiment.tiny, arm, 0)
        there = {measure for row in result.report["results"] if row["arm"] == arm for measure in row["measures"]}
        assert set(measures) <= there, f"{arm} measures what the stored result does not have: measure again"


def test_every_experiment_is_listed_and_stored():
    files = {
        path.stem for path in FILES.glob("*.py") if f"\n{path.stem.upper()} = " in path.read_text(encoding="utf-8")
    }
    assert set(NAMES) == files
    assert set(NAMES) == {path.stem for path in (ROOT / "data" / "experiments").glob("*.json")}


def test_a_killed_run_goes_on(sums, tmp_path):
    file, calls = tmp_path / "sums.json", []

    def killed(settings, arm, seed):
        calls.append((arm, seed))
        if len(calls) == 4:
            raise KeyboardInterrupt
        return measure(settings, arm, seed)

    with pytest.raises(KeyboardInterrupt):
        run(Experiment("sums", sums.question, sums.settings, sums.arms, killed), file)
    assert [(row["arm"], row["seed"]) for row in json.loads(file.read_text())["results"]] == calls[:3]
    whole = run(Experiment("sums", sums.question, sums.settings, sums.arms, killed), file)
    assert calls[3:] == [("two", 1), ("two", 1), ("one", 2), ("two", 2)], "what was measured is not measured again"
    again = run(sums)
    assert [row["measures"] for row in whole["results"]] == [row["measures"] for row in again["results"]]


def test_other_settings_and_other_files_are_refused_and_kept(sums, tmp_path):
    file = tmp_path / "sums.json"
    run(sums, file)
    before = file.read_bytes()
    with pytest.raises(ValueError, match="measured with other settings"):
        run(sums, file, settings={"by": 2})
    other = Experiment("others", sums.question, sums.settings, sums.arms, measure)
    with pytest.raises(ValueError, match="measured with other experiment"):
        run(other, file)
    assert file.read_bytes() == before
    file.write_text("[]", encoding="utf-8")
    with pytest.raises(ValueError, match="no report of an experiment"):
        run(sums, file)
    with pytest.raises(ValueError, match="does not exist"):
        run(sums, tmp_path / "nowhere" / "sums.json")
    with pytest.raises(ValueError, match="no settings"):
        run(sums, settings={"bye": 2})


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (dict(arms=()), "at least one"),
        (dict(arms=("a", "a")), "each once"),
        (dict(seeds=(0, 1)), "three or more"),
        (dict(seeds=(0, 1, 2, 2)), "each once"),
        (dict(tiny={"steps": 1}), "no settings"),
    ],
)
def test_an_experiment_that_could_mislead_is_refused(change, complaint):
    with pytest.raises(ValueError, match=complaint):
        Experiment(**(dict(name="x", question="?", settings={}, arms=("a",), measure=measure) | change))


def test_means_spreads_and_tables(sums):
    result = Result(run(sums))
    assert result.mean("n") == {"one": 2, "two": 3} and result.spread("n") == {"one": 1, "two": 1}
    assert result.values("only") == {"two": [1.0, 1.0, 1.0]}
    lines = result.table("n", "only", digits=1).splitlines()
    assert lines[1].split() == ["one", "2.0", "+-", "1.0", "-"]
    assert len({len(line) for line in lines}) == 1
    with pytest.raises(ValueError, match="there are: n, only"):
        result.mean("m")


def test_the_command_lists_and_refuses():
    def command(*words):
        given = [sys.executable, "-m", "minibert", "experiment", *words]
        return subprocess.run(given, capture_output=True, encoding="utf-8", timeout=120, cwd=ROOT)

    listed = command()
    assert listed.returncode == 0 and [line.split()[0] for line in listed.stdout.splitlines()] == list(NAMES)
    refused = command("alchemy")
    assert refused.returncode == 1 and "no experiment 'alchemy'" in refused.stderr


def test_the_command_shows_now_beside_stored(sums, monkeypatch, tmp_path):
    from click.testing import CliRunner

    import minibert.experiments as room
    from minibert.commands.experiment import experiment

    monkeypatch.setattr(room, "find", lambda name: sums)
    monkeypatch.setattr(room, "stored", lambda name: Result(run(sums)))
    done = CliRunner().invoke(experiment, ["sums", "--out", str(tmp_path / "sums.json")])
    assert done.exit_code == 0, done.output
    assert done.stdout.count("2.000 +- 1.000") == 2 and "stored, on" in done.stdout
    assert (tmp_path / "sums.json").is_file()
