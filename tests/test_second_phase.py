"""`pretrain --from RUN`: longer texts with the model of a finished run, resumed exactly, refused where it cannot be."""

import json
import shutil

import pytest
import torch
from click.testing import CliRunner
from test_own_text import text_of

from minibert import MaskedLanguageModel, training
from minibert.commands.pretrain import pretrain
from minibert.training.loop import TrainingLog


def call(folder, *options):
    return CliRunner().invoke(pretrain, [*options, "--corpus", str(folder / "text.txt"), "--batch-tokens", "256"])


def first(folder, preset="modernbert-nano"):
    options = f"--preset {preset} --steps 2 --max-len 32 --vocab-size 400 --seed 3 --out {folder / 'first'}".split()
    done = call(folder, *options)
    assert done.exit_code == 0, done.exception
    return folder / "first"


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("phases")
    (folder / "text.txt").write_text(text_of(), encoding="utf-8")
    return first(folder)


def second(run, out, *options):
    long = ["--max-len", "128", "--theta", "160000", "--steps", "6", "--checkpoint-every", "2"]
    return call(run.parent, "--from", str(run), "--out", str(out), *long, *options)


def test_the_second_phase_begins_with_the_weights_of_the_first_and_another_theta(run, tmp_path, monkeypatch):
    seen = {}

    def watch(model, data, recipe, folder, **_):
        seen.update(model=model, data=data, recipe=recipe)
        return {}

    monkeypatch.setattr(training, "train", watch)
    assert second(run, tmp_path / "long").exit_code == 0
    model, before = seen["model"], MaskedLanguageModel.from_pretrained(run)
    assert all(
        torch.equal(a, b) for a, b in zip(model.state_dict().values(), before.state_dict().values(), strict=True)
    )
    assert (before.config.rope_theta, model.config.rope_theta) == (160_000.0, 160_000.0)
    assert [block.attention.theta for block in model.encoder.blocks] == [160_000.0, 10_000.0, 10_000.0, 160_000.0]
    assert seen["data"].max_len == 128 and seen["data"].seed == 3, "the same documents are set aside"
    assert {seen["recipe"].lr(step) for step in range(6)} == {1.5e-3}, "constant, with no warm-up"


def test_theta_is_switched_at_once_and_kept_with_the_model(run, tmp_path):
    done = second(run, tmp_path / "long", "--theta", "7000")
    assert done.exit_code == 0, done.exception
    model = MaskedLanguageModel.from_pretrained(tmp_path / "long")
    assert [block.attention.theta for block in model.encoder.blocks] == [7000.0, 10_000.0, 10_000.0, 7000.0]
    assert (tmp_path / "long" / "tokenizer.json").read_bytes() == (run / "tokenizer.json").read_bytes()
    assert json.loads((tmp_path / "long" / "training.json").read_text(encoding="utf-8"))["seed"] == 3


def test_a_killed_second_phase_ends_bit_for_bit_like_one_that_was_not(run, tmp_path, monkeypatch):
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    assert second(run, whole).exit_code == 0
    train = training.train
    for step in (1, 3, 5):

        def killed(*arguments, _step=step, **options):
            def on_step(done):
                if done == _step:
                    raise KeyboardInterrupt

            return train(*arguments, **options, on_step=on_step)

        monkeypatch.setattr(training, "train", killed)
        assert second(run, cut).exit_code != 0 and not (cut / "model.safetensors").exists()
    monkeypatch.undo()
    assert second(run, cut).exit_code == 0
    for name in ("model.safetensors", "log.jsonl", "config.json"):
        assert (whole / name).read_bytes() == (cut / name).read_bytes(), name
    assert [record["step"] for record in TrainingLog(cut / "log.jsonl").read()][-1] == 6


def test_a_second_phase_is_not_gone_on_with_from_other_weights(run, tmp_path):
    other = tmp_path / "other"
    shutil.copytree(run, other)
    assert second(run, tmp_path / "long").exit_code == 0
    shutil.copy(run.parent / "text.txt", tmp_path / "text.txt")
    model = MaskedLanguageModel.from_pretrained(other)
    model.encoder.embeddings.token.weight.data.add_(1)
    model.save_pretrained(other)
    done = second(other, tmp_path / "long")
    assert isinstance(done.exception, ValueError) and "from_sha256" in str(done.exception)


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (["--preset", "bert-nano"], "--preset: with --from this is what the first run began with"),
        (["--seed", "3"], "--seed: with --from"),
        (["--vocab-size", "500"], "--vocab-size: with --from"),
        (["--theta", "-1"], "rope_theta=-1.0"),
    ],
)
def test_what_a_second_phase_takes_over_cannot_be_given(run, tmp_path, options, complaint):
    done = second(run, tmp_path / "long", *options)
    assert isinstance(done.exception, ValueError) and complaint in str(done.exception)
    assert not (tmp_path / "long").exists()


def test_an_unfinished_run_and_its_own_folder_are_refused(run, tmp_path):
    (tmp_path / "empty").mkdir()
    empty = second(tmp_path / "empty", tmp_path / "long")
    assert "no finished run, for it has no run.json" in str(empty.exception)
    half = shutil.copytree(run, tmp_path / "half")
    (half / "model.safetensors").unlink()
    assert "it has no model.safetensors" in str(second(half, tmp_path / "long").exception)
    assert "needs an --out of its own" in str(second(run, run).exception)


def test_a_table_of_places_does_not_grow(run, tmp_path):
    shutil.copy(run.parent / "text.txt", tmp_path / "text.txt")
    bert = first(tmp_path, "bert-nano")
    done = second(bert, tmp_path / "long", "--max-len", "256")
    assert "--theta 160000: a model with learned positions does not rotate" in str(done.exception)
    longer = ["--from", str(bert), "--out", str(tmp_path / "long"), "--max-len", "256", "--steps", "1"]
    assert "--max-len 256: this preset learns 128 positions" in str(call(tmp_path, *longer).exception)
