"""A run that is killed, at any step and in the middle of a save, ends bit for bit like one that is not."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner
from safetensors.torch import load_file

from minibert import EncoderConfig, MaskedLanguageModel, PretrainingModel, WordPieceTokenizer
from minibert.commands.pretrain import pretrain
from minibert.corpora import synthetic
from minibert.corpora.own_text import TextFiles
from minibert.training import PretrainingData, Recipe, shards, train

STEPS = 13


def run(folder, pairs=True, kill_at=None, kill_in_save=None, raise_at=None, optimizer="bert_adam", stored=False):
    """Train a small model with dropout; on request die after a step, or at the n-th rename of a save.

    With `stored` the documents lie in shards, in pools of four of their blocks, and are tokenised by the first start.
    """
    documents = synthetic.documents(14, seed=0)
    tokenizer = WordPieceTokenizer.train([s for d in documents for s in d], vocab_size=200)
    source = in_shards(folder, documents, tokenizer, pairs) if stored else documents
    data = PretrainingData(source, tokenizer, pairs=pairs, max_len=32, batch_tokens=150, validation_share=0.2)
    config = EncoderConfig.preset("bert-nano" if pairs else "modernbert-nano").replace(
        vocab_size=tokenizer.vocab_size, hidden=16, intermediate=24, layers=2, heads=2, dropout_attn_out=0.2
    )
    model = (PretrainingModel if pairs else MaskedLanguageModel)(config, generator=torch.Generator().manual_seed(0))
    recipe = Recipe(
        steps=STEPS, optimizer=optimizer, warmup=3, accumulate=2, log_every=2, validate_every=4, checkpoint_every=3
    )
    renames, replace = 0, os.replace

    def counting(source, target):
        nonlocal renames
        if str(source).endswith(".tmp") and "step-" in str(source):
            renames += 1
            if renames == kill_in_save:
                die()
        replace(source, target)

    def on_step(step):
        if step == kill_at:
            die()
        if step == raise_at:
            raise KeyboardInterrupt

    os.replace = counting
    try:
        return train(model, data, recipe, folder, progress=False, on_step=on_step)
    finally:
        os.replace = replace


def in_shards(folder, documents, tokenizer, pairs):
    shards.POOL = 4
    folder.mkdir(exist_ok=True)
    (folder / "text.txt").write_text("\n\n".join("\n".join(d) for d in documents), encoding="utf-8")
    texts = TextFiles(folder / "text.txt")
    return shards.write_shards(folder / "shards", texts, tokenizer, pairs=pairs, shard=900, block=150, progress=False)


def die():
    """Kill this process as the operating system would; nothing gets a chance to clean up."""
    os.kill(os.getpid(), getattr(signal, "SIGKILL", signal.SIGTERM))  # on Windows SIGTERM ends a process at once


def outcome(folder):
    """Everything that a run leaves behind, bit for bit."""
    checkpoints = folder / "checkpoints"
    newest = max(checkpoints.glob("*.json"))
    tensors = load_file(newest.with_suffix(".safetensors"))
    state = json.loads(newest.read_text(encoding="utf-8"))["state"]
    return (folder / "log.jsonl").read_bytes(), state, {n: t.numpy().tobytes() for n, t in tensors.items()}


@pytest.fixture(autouse=True)
def pools(monkeypatch):
    """What `in_shards` sets goes back."""
    monkeypatch.setattr(shards, "POOL", shards.POOL)


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    folders = {}
    for pairs in (True, False):
        folders[pairs] = tmp_path_factory.mktemp("whole")
        run(folders[pairs], pairs)
    return {pairs: outcome(folder) for pairs, folder in folders.items()}


@pytest.mark.parametrize("pairs", [True, False])
def test_from_shards_interrupted_after_every_single_step(tmp_path, pairs):
    """Over the borders of pools, of which each epoch has several; a bad shard in between is made again."""
    run(tmp_path / "whole", pairs, stored=True)
    for step in range(1, STEPS + 1):
        with pytest.raises(KeyboardInterrupt):
            run(tmp_path / "cut", pairs, raise_at=step, stored=True)
        if step % 4 == 0:
            (tmp_path / "cut" / "shards" / "shard-00001.json").unlink()
    run(tmp_path / "cut", pairs, stored=True)
    assert outcome(tmp_path / "cut") == outcome(tmp_path / "whole")
    where = outcome(tmp_path / "cut")[1]["data"]
    assert where["epoch"] or where["pool"], "more than one pool was read"


def test_the_reference_run_exercises_what_can_go_wrong(uninterrupted):
    """Several epochs, dropout, validation and every generator: otherwise equality would prove little."""
    log, state, tensors = uninterrupted[True]
    assert state["data"]["epoch"] >= 1 and state["counters"]["step"] == STEPS
    assert "generator.torch" in tensors and b"bits_per_byte" in log
    assert state["optimizer"]["0"]["step"] == STEPS


@pytest.mark.parametrize("pairs", [True, False])
def test_interrupted_after_every_single_step(tmp_path, uninterrupted, pairs):
    """Thirteen interruptions in one run, one more step each time."""
    for step in range(1, STEPS + 1):
        with pytest.raises(KeyboardInterrupt):
            run(tmp_path, pairs, raise_at=step)
    run(tmp_path, pairs)
    assert outcome(tmp_path) == uninterrupted[pairs]


@pytest.mark.slow
def test_killed_commands_end_like_one_that_was_not(tmp_path):
    """SIGKILL of the command itself, while it tokenises its files, writes a shard, and saves a checkpoint."""
    (tmp_path / "texts").mkdir()
    for number in range(2):
        documents = synthetic.documents(150, seed=number)
        text = "\n\n".join("\n".join(document) for document in documents)
        (tmp_path / "texts" / f"{number}.txt").write_text(text, encoding="utf-8")

    def options(out):
        fixed = "--preset bert-nano --steps 12 --checkpoint-every 3 --vocab-size 300 --batch-tokens 200 --max-len 32"
        return [*fixed.split(), "--corpus", str(tmp_path / "texts"), "--out", str(out)]

    def command(out, killed_when=None):
        code = (
            f"import torch; torch.set_num_threads({torch.get_num_threads()}); "
            "from minibert.commands.pretrain import pretrain; pretrain.main(standalone_mode=False)"
        )
        environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
        arguments = [sys.executable, "-c", code, *options(out)]
        process = subprocess.Popen(arguments, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        while killed_when and process.poll() is None and not list(out.glob(killed_when)):
            time.sleep(0.01)
        if killed_when:
            process.kill()
        return process.wait(timeout=300)

    done = CliRunner().invoke(pretrain, options(tmp_path / "whole"))
    assert done.exit_code == 0, done.exception
    for seen in ("tokenizer.json", "shards/*.bin*", "checkpoints/*06.saf*"):
        assert command(tmp_path / "cut", killed_when=seen) != 0, seen
    assert command(tmp_path / "cut") == 0
    for name in ("model.safetensors", "tokenizer.json", "log.jsonl", "shards/shard-00000.bin"):
        assert (tmp_path / "cut" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes(), name


# First before there is any checkpoint; then between the tensors and the JSON file of the save at step 6, so that only
# step 3 counts; then after step 8, when a checkpoint and a later log line are on the disk.
KILLS = [{"kill_at": 1}, {"kill_in_save": 4}, {"kill_at": 8}]


def test_killed_processes_end_like_one_that_was_not(tmp_path, uninterrupted):
    """SIGKILL in real processes, one after the other in the same folder, then a last one that finishes."""
    codes = []
    for options in [*KILLS, {}]:
        arguments = ", ".join(f"{name}={value}" for name, value in options.items())
        code = (
            f"import test_training_resume as t; from pathlib import Path; t.run(Path({str(tmp_path)!r}), {arguments})"
        )
        environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), *sys.path])}
        threads = f"import torch; torch.set_num_threads({torch.get_num_threads()}); "
        done = subprocess.run(
            [sys.executable, "-c", threads + code], env=environment, capture_output=True, timeout=300, encoding="utf-8"
        )
        codes.append(done.returncode)
    assert codes[-1] == 0, done.stderr
    assert all(code != 0 for code in codes[:-1]), codes
    assert outcome(tmp_path) == uninterrupted[True]


@pytest.mark.parametrize("optimizer", ["adamw", "stable_adamw"])
def test_the_other_optimisers_resume_exactly_too(tmp_path, optimizer):
    run(tmp_path / "whole", optimizer=optimizer)
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "cut", optimizer=optimizer, raise_at=8)
    run(tmp_path / "cut", optimizer=optimizer)
    assert outcome(tmp_path / "cut") == outcome(tmp_path / "whole")


@pytest.mark.parametrize("suffix", ["json", "safetensors"])
def test_a_truncated_newest_checkpoint_falls_back_and_still_ends_the_same(tmp_path, uninterrupted, suffix):
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, raise_at=8)
    path = tmp_path / "checkpoints" / f"step-00000006.{suffix}"
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.warns(UserWarning, match=r"step-00000006.json is damaged"):
        run(tmp_path)
    assert outcome(tmp_path) == uninterrupted[True]


@pytest.mark.parametrize("name", ["generator.torch", "optimizer.0.mean", "model.nsp.weight"])
def test_every_part_of_the_state_matters(tmp_path, uninterrupted, monkeypatch, name):
    """The control: a resume that forgets one part ends elsewhere, so the equalities above can fail."""
    from minibert.training import checkpoint as file

    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, raise_at=6)
    load = file.load_newest_checkpoint

    def forgetful(folder):
        checkpoint = load(folder)
        checkpoint.tensors[name].copy_(
            torch.Generator().get_state() if name.startswith("generator") else torch.zeros(())
        )
        return checkpoint

    monkeypatch.setattr(file, "load_newest_checkpoint", forgetful)
    run(tmp_path)
    assert outcome(tmp_path)[2]["model.nsp.weight"] != uninterrupted[True][2]["model.nsp.weight"]


def test_another_computer_is_mentioned(tmp_path, monkeypatch):
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, raise_at=4)
    monkeypatch.setattr("minibert.training.checkpoint._computer", lambda device: "an abacus")
    with pytest.warns(UserWarning, match="resuming on an abacus .* last digits may differ"):
        run(tmp_path)
