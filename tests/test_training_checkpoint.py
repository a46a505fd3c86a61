"""Checkpoints: whole or not there, and damage is found."""

import json
import os
import warnings

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from minibert.training.checkpoint import Checkpoint, load_newest_checkpoint, save_checkpoint
from minibert.training.loop import TrainingLog


def sample(step):
    return Checkpoint(step, {"w": torch.full((50,), float(step)), "g": torch.arange(9, dtype=torch.uint8)}, {"x": 0.1})


def saved(folder, *steps, keep=2):
    for step in steps:
        save_checkpoint(folder, sample(step), keep)
    return folder


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_round_trip(tmp_path):
    checkpoint = load_newest_checkpoint(saved(tmp_path, 7))
    assert checkpoint.step == 7 and checkpoint.state == {"x": 0.1}
    assert torch.equal(checkpoint.tensors["w"], torch.full((50,), 7.0))
    assert checkpoint.tensors["g"].dtype == torch.uint8


def test_nothing_saved_yet(tmp_path):
    assert load_newest_checkpoint(tmp_path) is None and load_newest_checkpoint(tmp_path / "absent") is None


@pytest.mark.parametrize("keep, left", [(1, [30]), (2, [20, 30]), (9, [10, 20, 30])])
def test_the_last_k_are_kept(tmp_path, keep, left):
    saved(tmp_path, 10, 20, 30, keep=keep)
    assert names(tmp_path) == sorted(f"step-{s:08d}{e}" for s in left for e in (".json", ".safetensors"))


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_any_damage_to_the_newest_is_found(tmp_path_factory, data):
    """Cut, flip a byte or delete either file anywhere: the checkpoint before is used, with a message."""
    folder = saved(tmp_path_factory.mktemp("c"), 1, 2)
    path = folder / f"step-00000002.{data.draw(st.sampled_from(['json', 'safetensors']))}"
    content = bytearray(path.read_bytes())
    kind = data.draw(st.sampled_from(["cut", "flip", "empty", "grow"]))
    at = data.draw(st.integers(0, len(content) - 1))
    if kind == "cut":
        content = content[:at] if bytes(content[:at]).strip() != bytes(content).strip() else content[:-2]
    elif kind == "flip":
        content[at] ^= data.draw(st.integers(1, 255))
    else:
        content = b"" if kind == "empty" else content + b"x"
    path.write_bytes(content)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        checkpoint = load_newest_checkpoint(folder)
    if checkpoint.step == 2:  # only white space between the fields of the JSON can change unnoticed
        assert (
            not caught
            and checkpoint.state == {"x": 0.1}
            and torch.equal(checkpoint.tensors["w"], torch.full((50,), 2.0))
        )
        assert path.suffix == ".json"
    else:
        assert checkpoint.step == 1 and "step-00000002.json is damaged" in str(caught[0].message)


def test_lost_tensors_are_found(tmp_path):
    saved(tmp_path, 1, 2)
    (tmp_path / "step-00000002.safetensors").unlink()
    with pytest.warns(UserWarning, match="is damaged"):
        assert load_newest_checkpoint(tmp_path).step == 1


def test_nothing_whole_is_an_error_and_not_a_new_start(tmp_path):
    saved(tmp_path, 1, 2)
    for path in tmp_path.glob("*.safetensors"):
        path.write_bytes(path.read_bytes()[:-1])
    with pytest.warns(UserWarning, match="is damaged"), pytest.raises(ValueError, match="none of the 2 checkpoints"):
        load_newest_checkpoint(tmp_path)


@pytest.mark.parametrize("crash_at", range(1, 3))
@pytest.mark.parametrize("again", [False, True], ids=["new step", "same step again"])
def test_a_crash_between_any_two_renames_leaves_a_whole_checkpoint(tmp_path, monkeypatch, crash_at, again):
    saved(tmp_path, 1, *([2] if again else []))
    calls = 0
    replace = os.replace

    def crash(*arguments):
        nonlocal calls
        calls += 1
        if calls == crash_at:
            raise KeyboardInterrupt
        replace(*arguments)

    monkeypatch.setattr(os, "replace", crash)
    with pytest.raises(KeyboardInterrupt):
        save_checkpoint(tmp_path, sample(2))
    monkeypatch.undo()
    assert load_newest_checkpoint(tmp_path).step == 1
    saved(tmp_path, 3)
    assert names(tmp_path) == [f"step-0000000{s}{e}" for s in (1, 3) for e in (".json", ".safetensors")]  # swept up


def test_a_damaged_future_does_not_push_out_the_run(tmp_path):
    """After a fall back from step 9 to 1, keeping one checkpoint must keep the new one, not the damaged one."""
    saved(tmp_path, 1, 9)
    (tmp_path / "step-00000009.json").write_text("{", encoding="utf-8")
    saved(tmp_path, 5, keep=1)
    assert names(tmp_path) == ["step-00000005.json", "step-00000005.safetensors"]


def test_what_json_cannot_hold_is_refused_before_anything_is_written(tmp_path):
    with pytest.raises(ValueError, match="JSON compliant"):
        save_checkpoint(tmp_path, Checkpoint(1, {}, {"loss": float("nan")}))
    assert names(tmp_path) == []
    with pytest.raises(ValueError, match="keep must be a whole number of at least 1, got 0"):
        save_checkpoint(tmp_path, sample(1), keep=0)


@pytest.mark.parametrize("step", [-1, 1.5, True])
def test_a_step_is_a_number_that_was_counted(step):
    with pytest.raises(ValueError, match="step must be a whole number of at least 0"):
        Checkpoint(step, {}, {})


def test_folders_may_be_given_as_text(tmp_path):
    assert save_checkpoint(str(tmp_path), sample(4)).name == "step-00000004.json"
    assert load_newest_checkpoint(str(tmp_path)).step == 4


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such permissions")
def test_every_file_has_the_permissions_of_a_new_file(tmp_path):
    (tmp_path / "new").write_bytes(b"")
    saved(tmp_path, 1)
    assert {path.stat().st_mode for path in tmp_path.iterdir()} == {(tmp_path / "new").stat().st_mode}


def test_another_format_is_not_read(tmp_path):
    path = save_checkpoint(tmp_path, sample(1))
    path.write_text(json.dumps(json.loads(path.read_text(encoding="utf-8")) | {"format": 2}), encoding="utf-8")
    with pytest.warns(UserWarning, match="format 2"), pytest.raises(ValueError, match="none of the 1"):
        load_newest_checkpoint(tmp_path)


def test_the_log_drops_what_comes_after_and_what_was_cut_short(tmp_path):
    log = TrainingLog(tmp_path / "log.jsonl")
    for step in (1, 2, 3):
        log.append({"step": step, "loss": 0.1 + 0.2})
    whole = log.path.read_bytes()
    with log.path.open("a", encoding="utf-8") as file:
        file.write('{"step": 4, "lo')
    assert [record["step"] for record in log.read()] == [1, 2, 3]
    log.cut(3)
    assert log.path.read_bytes() == whole  # bit for bit: floats survive the round trip
    log.cut(2)
    assert log.path.read_bytes() == b"".join(whole.splitlines(keepends=True)[:2])
    log.cut(0)
    assert log.read() == [] and names(tmp_path) == ["log.jsonl"]
