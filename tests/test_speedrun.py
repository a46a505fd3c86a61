"""The speedrun: an entry races through the real command, tricks are refused, and the table is what was measured."""

import json
import re
import shutil
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner

from minibert import EncoderConfig, MaskedLanguageModel, corpora
from minibert.__main__ import main
from minibert.experiments.small_bert import split_speeches
from minibert.experiments.small_encoders import Run
from minibert.speedrun import RULES, Rules, find_entry, judge, race, read_text, rules, stored, table, worker

TINY = Rules(text="stories", documents=300, vocab_size=160, rows=32, bar=2.0, seeds=(0,), text_sha256=None)
ENTRY = '''"""A tiny entry."""
from minibert import EncoderConfig
from minibert.experiments.small_encoders import Run
from minibert.training.recipe import Recipe


def train(text, seed):
    config = EncoderConfig.preset("modernbert-nano").replace(layers=1, hidden=32, heads=2, intermediate=32)
    recipe = Recipe(steps=20, optimizer="adamw", learning_rate=1e-2)
    return Run(config, text, recipe, length=32, rows_a_step=8, seed=seed).go(20, recipe.lr).model
'''


def untrained(vocab_size: int = 160) -> MaskedLanguageModel:
    config = EncoderConfig.preset("modernbert-nano").replace(
        layers=1, hidden=16, heads=2, intermediate=16, vocab_size=vocab_size
    )
    return MaskedLanguageModel(config, torch.Generator().manual_seed(0))


def write(folder: Path, body: str, docstring: str = '"""What it changes."""\n') -> Path:
    file = folder / "entry.py"
    file.write_text(docstring + body, encoding="utf-8")
    return file


@pytest.fixture
def tiny(monkeypatch, tmp_path):
    """The real command under tiny rules, and a folder like data/speedrun with one entry."""
    tmp_path = tmp_path.resolve()
    monkeypatch.setattr(rules, "RULES", TINY)
    monkeypatch.setattr(table, "ENTRIES", tmp_path)
    monkeypatch.setattr(race.calibration, "__defaults__", (1,))
    (tmp_path / "tiny.py").write_text(ENTRY, encoding="utf-8")
    (tmp_path / table.PAGE).write_text(f"Rules.\n{table.BEGIN}\n{table.END}\nMore.\n", encoding="utf-8")
    return tmp_path


def command(*words: str):
    return CliRunner().invoke(main, ["speedrun", *words])


@pytest.mark.slow
def test_an_entry_races_is_verified_from_its_folder_and_recorded(tiny):
    done = command(str(tiny / "tiny.py"), "--record", "--out", str(tiny / "runs"))
    assert done.exit_code == 0, done.output
    assert "seed 0: passed" in done.stderr and done.stdout.startswith("tiny: passed")
    report = json.loads((tiny / "tiny.json").read_text(encoding="utf-8"))
    assert report["tokens"] == 20 * 8 * 32, "counted in the forward passes, not told by the entry"
    assert report["cpu_seconds"] > 0.5, "the start of Python and torch is on the clock"
    model = tiny / "runs" / "tiny" / "seed-0" / "model"
    assert judge(model, read_text(TINY), TINY)["bits_per_byte"] == report["bits_per_byte"]
    page = (tiny / table.PAGE).read_text(encoding="utf-8")
    assert page.startswith("Rules.") and page.endswith("More.\n") and "| 1 | [tiny](tiny.py) |" in page
    assert "A tiny entry." in page and command().stdout.strip() in page


def without_training(monkeypatch, model: MaskedLanguageModel) -> None:
    """Let the race find this model where an entry would have saved its own."""

    def train_once(entry, text, seed, folder):
        model.save_pretrained(folder / worker.MODEL)
        return {"seed": seed, "cpu_seconds": 1.0, "tokens": 1}

    monkeypatch.setattr(race, "train_once", train_once)


def test_a_missed_bar_is_said_and_not_recorded(tiny, monkeypatch):
    without_training(monkeypatch, untrained())
    missed = command(str(tiny / "tiny.py"), "--record")
    assert missed.exit_code == 1 and "seed 0: FAILED" in missed.stderr
    assert "not under the bar of 2.0 with every seed: tiny" in missed.stderr
    assert not (tiny / "tiny.json").exists()


def test_a_record_is_for_the_rules_seeds_and_the_rules_folder(tiny, tmp_path_factory):
    assert "leave out --seed" in command(str(tiny / "tiny.py"), "--record", "--seed", "7").stderr
    elsewhere = shutil.copy(tiny / "tiny.py", tmp_path_factory.mktemp("elsewhere") / "tiny.py")
    assert "put the file there first" in command(str(elsewhere), "--record").stderr
    sha256 = table.file_hash(tiny / "tiny.py")
    with pytest.raises(ValueError, match="needs the seeds of the rules, 0"):
        table.record(tiny / "tiny.py", sha256, [{"seed": 5}], TINY)
    write(tiny, ENTRY).replace(tiny / "tiny.py")
    with pytest.raises(ValueError, match="was changed while it ran"):
        table.record(tiny / "tiny.py", sha256, [{"seed": 0}], TINY)


@pytest.mark.parametrize(
    ("name", "source", "complaint"),
    [
        ("alchemy", None, "no entry 'alchemy': expected a Python file, or one of tiny"),
        ("entry.py", '"""What it changes."""\nx = 1\n', "has no function train"),
        ("entry.py", "def train(text, seed):\n    pass\n", "has no docstring"),
        ("entry.py", '"""What it changes."""\ndef train(:\n', "line 2: invalid syntax"),
        ("entry.py", f'"""Weights."""\nWEIGHTS = "{"x" * RULES.characters}"\n', "the rules allow"),
    ],
)
def test_a_file_that_is_no_entry_is_refused_before_it_runs(tiny, name, source, complaint):
    if source:
        name = str(tiny / name)
        Path(name).write_text(source, encoding="utf-8")
    with pytest.raises(ValueError, match=complaint):
        find_entry(name, TINY, tiny)


def test_what_an_entry_gives_back_must_be_a_model(tmp_path):
    text = read_text(TINY)
    file = write(tmp_path, "def train(text, seed):\n    return 'best'\n")
    with pytest.raises(ValueError, match="gave back a str, expected a MaskedLanguageModel"):
        worker.run_entry(file, text, 0)


def test_an_entry_is_given_no_held_out_text(tmp_path):
    text = read_text(TINY)
    worker.hand_over(tmp_path, text, tmp_path / "entry.py", 0)
    given = worker.receive(tmp_path)
    assert given.held_out == () and all(map(torch.equal, given.train, text.train))
    assert given.tokenizer.ids("tom went home") == text.tokenizer.ids("tom went home")


CHEAT = """
import socket
from minibert import corpora
from minibert.shipped_models import DATA, shipped
from minibert import MaskedLanguageModel

TRICKS = {
    "held-out text": lambda: corpora.download.cache_folder().joinpath("sotu.csv").read_bytes(),
    "weights": lambda: MaskedLanguageModel.from_pretrained(shipped("modernbert-nano")),
    "table": lambda: (DATA / "speedrun" / "README.md").write_text("first: me", encoding="utf-8"),
    "judge": lambda: (DATA.parent / "minibert" / "speedrun" / "rules.py").open("a", encoding="utf-8"),
    "network": lambda: socket.create_connection(("localhost", 9)),
}


def train(text, seed):
    refused = []
    for name, trick in TRICKS.items():
        try:
            trick()
        except PermissionError as error:
            refused.append(f"{name}: {error}")
    raise RuntimeError("; ".join(refused))
"""


@pytest.mark.slow
def test_tricks_are_refused_by_name_and_an_error_is_passed_on(tmp_path):
    entry = write(tmp_path, CHEAT)
    with pytest.raises(ValueError, match=r"entry.py, seed 0: RuntimeError") as caught:
        race.train_once(entry, read_text(TINY), 0, tmp_path / "run")
    said = str(caught.value)
    for trick in ("held-out text: an entry does not open", "weights: an entry does not open", "network: an entry uses"):
        assert trick in said
    for trick in ("table: an entry does not open", "judge: an entry does not write"):
        assert trick in said


LEAVES = """
import subprocess, sys
from minibert import EncoderConfig, MaskedLanguageModel


def train(text, seed):
    if seed == 1:
        raise SystemExit(3)
    subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    config = EncoderConfig.preset("modernbert-nano").replace(vocab_size=160, layers=1, hidden=16, heads=2)
    return MaskedLanguageModel(config)
"""


@pytest.mark.slow
def test_work_behind_the_clock_and_a_process_that_ends_are_refused(tmp_path):
    entry, text = write(tmp_path, LEAVES), read_text(TINY)
    with pytest.raises(ValueError, match="left a process running, whose time nobody measures"):
        race.train_once(entry, text, 0, tmp_path / "left")
    with pytest.raises(ValueError, match="ended with code 3 before a model was saved"):
        race.train_once(entry, text, 1, tmp_path / "ended")


def test_the_judge_reads_safetensors_and_the_rules_vocabulary_only(tmp_path):
    text = read_text(TINY)
    pickled = tmp_path / "pickled"
    untrained().save_pretrained(pickled)
    torch.save({}, pickled / "pytorch_model.bin")
    (pickled / "model.safetensors").unlink()
    with pytest.raises(ValueError, match="That is a pickle"):
        judge(pickled, text, TINY)
    untrained(vocab_size=64).save_pretrained(tmp_path / "other")
    with pytest.raises(ValueError, match="knows 64 tokens, the tokenizer of the rules has 160"):
        judge(tmp_path / "other", text, TINY)


def test_the_same_tokens_are_hidden_each_time():
    text = read_text(TINY)
    once, again = rules.hidden_batches(text, TINY), rules.hidden_batches(text, TINY)
    assert all(a.ids.equal(b.ids) and a.labels.equal(b.labels) for a, b in zip(once, again, strict=True))
    with pytest.raises(ValueError, match="no result would compare"):
        read_text(Rules(**(vars(TINY) | {"text_sha256": "0" * 64})))


# ---- what is stored


def test_the_page_shows_what_is_stored():
    page = (table.ENTRIES / table.PAGE).read_text(encoding="utf-8")
    assert page.split(table.BEGIN)[1].split(table.END)[0].strip() == table.table(stored())
    assert f"{RULES.bar} bits per byte" in page


def test_each_record_is_of_the_entry_as_it_is_and_of_these_rules():
    reports = stored()
    assert {report["entry"] for report in reports} == {entry.stem for entry in table.ENTRIES.glob("*.py")}, "--record"
    for report in reports:
        entry = find_entry(report["entry"], RULES)
        assert table.file_hash(entry) == report["sha256"], f"{entry.name} was changed: {report['command']}"
        assert report["rules"] == json.loads(json.dumps(vars(RULES)))
        assert [run["seed"] for run in report["runs"]] == list(RULES.seeds)
        assert all(run["bits_per_byte"] <= RULES.bar for run in report["runs"])
        assert report | race.summary(report["runs"]) == report
    times = {report["entry"]: report["times_calibration"] for report in reports}
    assert 2 * times["3_muon"] <= times["1_bert"]


@pytest.mark.parametrize("name", ["1_bert", "2_counts", "3_muon"])
def test_the_stored_entries_still_run(name, monkeypatch, tmp_path):
    """A step or two of each on a tiny text: a change of the package that breaks them is seen here, not in a race."""
    go, source = Run.go, (table.ENTRIES / f"{name}.py").read_text(encoding="utf-8")
    monkeypatch.setattr(Run, "go", lambda run, steps, lr: go(run, 1, lr))
    source = re.sub(r"^STAGES = .*?#", "STAGES = ((20, 16, 4), (10, 64, 2))  #", source, flags=re.MULTILINE)
    text = read_text(TINY)
    worker.run_entry(write(tmp_path, source, docstring=""), text, 0).save_pretrained(tmp_path)
    assert judge(tmp_path, text, TINY)["bits_per_byte"] < 3


def test_the_page_lists_who_is_held_out():
    if not corpora.is_cached("sotu"):
        pytest.skip("needs python -m minibert data fetch")
    page = " ".join((table.ENTRIES / table.PAGE).read_text(encoding="utf-8").split())
    train, held_out = split_speeches(RULES.documents)
    names = list(dict.fromkeys(speech.president for speech in held_out))
    assert ", ".join(names) in page and f"{len(train)} speeches" in page and f"{len(held_out)} speeches" in page
    assert re.search(r"[0-9a-f]{64}", page)[0] == RULES.text_sha256
    read_text(RULES)  # the checksum of the tokens, which depends on the text and the tokenizer
