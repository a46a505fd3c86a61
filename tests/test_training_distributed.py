"""Several processes train as one would: the same losses and weights, whoever is killed and whoever goes on.

Run by torchrun, this file is what the processes do; run by pytest, it compares what they left behind.
"""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner
from safetensors.torch import load_file

from minibert import EncoderConfig, MaskedLanguageModel, PretrainingModel, WordPieceTokenizer
from minibert.commands.pretrain import pretrain
from minibert.corpora import synthetic
from minibert.corpora.own_text import TextFiles
from minibert.objectives import IGNORE
from minibert.training import PretrainingData, Recipe, distributed, loop, shards, train

DOCUMENTS = synthetic.documents(40, seed=0)
TOKENIZER = WordPieceTokenizer.train([s for d in DOCUMENTS for s in d], vocab_size=201)  # odd: slices of unequal size
STEPS, STOP = 4, 2
FAMILIES = {  # next sentences and a clipped gradient; masked tokens alone, and an optimiser that looks at whole tensors
    "bert": Recipe(STEPS, 3e-3, accumulate=4, clip=0.5, log_every=1, validate_every=3, checkpoint_every=STOP),
    "modernbert": Recipe(STEPS, 3e-3, "stable_adamw", accumulate=4, clip=None, log_every=1, checkpoint_every=STOP),
    "shards": Recipe(STEPS, 3e-3, accumulate=4, log_every=1, validate_every=3, checkpoint_every=STOP),
}
COMMAND = "--steps 2 --vocab-size 400 --batch-tokens 300 --accumulate 2 --corpus"
COMMANDS = {  # the folder of a run and its options
    "command": f"--preset modernbert-nano {COMMAND}",
    "annealed": f"--preset eurobert-nano --anneal 2 --max-len 32 {COMMAND}",
}


def make_data(pairs, folder=None):
    """With a `folder` the documents lie in shards there, which the first process writes, in pools of four blocks."""
    documents = DOCUMENTS
    if folder:
        shards.POOL = 4
        folder.mkdir(exist_ok=True)
        with distributed.first_process_first():
            (folder / "text.txt").write_text("\n\n".join("\n".join(d) for d in DOCUMENTS), encoding="utf-8")
            texts, sizes = TextFiles(folder / "text.txt"), dict(shard=900, block=100)
            documents = shards.write_shards(folder / "shards", texts, TOKENIZER, pairs=pairs, progress=False, **sizes)
    return PretrainingData(documents, TOKENIZER, pairs=pairs, max_len=32, batch_tokens=150, validation_share=0.1)


def run(folder, family="bert", parallel="ddp", dropout=0.0, kill_at=None, stop_at=None, **changes):
    """Train a small model; on request stop after a step, or kill the process that has the last rank."""
    pairs = family != "modernbert"
    config = EncoderConfig.preset("bert-nano" if pairs else "modernbert-nano").replace(
        vocab_size=TOKENIZER.vocab_size, hidden=20, intermediate=23, layers=2, heads=2, dropout_attn_out=dropout
    )
    model = (PretrainingModel if pairs else MaskedLanguageModel)(config, generator=torch.Generator().manual_seed(0))
    recipe = Recipe(**(vars(FAMILIES[family]) | changes))

    def on_step(step):
        if step == kill_at and distributed.rank() == distributed.world_size() - 1:
            os.kill(os.getpid(), getattr(signal, "SIGKILL", signal.SIGTERM))
        if step == stop_at:
            raise KeyboardInterrupt

    try:
        data = make_data(pairs, folder.with_name(f"{folder.name} shards") if family == "shards" else None)
        train(model, data, recipe, folder, parallel=parallel, progress=False, on_step=on_step)
    except KeyboardInterrupt:
        pass


def processes(folder: Path, task: str) -> None:
    """What each of the two processes does."""
    torch.set_num_threads(1)
    with distributed.process_group("cpu"):
        if task == "kill":
            run(folder / "ddp killed", dropout=0.2, kill_at=STOP + 1)
        for name, command in COMMANDS.items():
            options = [*command.split(), str(folder / "corpus.txt"), "--parallel", "fsdp", "--out", str(folder / name)]
            pretrain.main(options, standalone_mode=False)
        for parallel in ("ddp", "fsdp"):
            for family in FAMILIES:
                run(folder / f"{parallel} {family}", family, parallel)
            run(folder / f"{parallel} whole", parallel=parallel, dropout=0.2)
            run(folder / f"{parallel} to one", "modernbert", parallel, stop_at=STOP)
            run(folder / f"one to {parallel}", "modernbert", parallel)
        run(folder / "ddp killed", dropout=0.2)
        run(folder / "fsdp stopped", parallel="fsdp", dropout=0.2, stop_at=STOP + 1)
        run(folder / "fsdp stopped", parallel="fsdp", dropout=0.2)
        for name, changes in {"share": {"accumulate": 3}, "same": {"seed": distributed.rank()}}.items():
            with pytest.raises(ValueError) as refusal:
                run(folder / "refused", **changes)
            (folder / f"{name} {distributed.rank()}.txt").write_text(str(refusal.value), encoding="utf-8")
        mean_of_means(folder / "planted")


def mean_of_means(folder):
    """The classic mistake: each process divides by its own number of masked tokens, then they take the mean."""
    loop.sum_over_processes = lambda *numbers: [distributed.world_size() * number for number in numbers]
    run(folder, "modernbert")


def torchrun(folder, task):
    arguments = ["--standalone", "--nproc-per-node", "2", str(Path(__file__)), str(folder), task]
    path = os.pathsep.join([str(Path(__file__).parents[1]), *sys.path])
    environment = os.environ | {"PYTHONPATH": path, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "torch.distributed.run", *arguments]
    return subprocess.run(command, env=environment, capture_output=True, timeout=600, encoding="utf-8")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """What one process and two processes left behind."""
    folder = tmp_path_factory.mktemp("runs")
    text = "\n\n".join("\n".join(document) for document in DOCUMENTS)
    (folder / "corpus.txt").write_text(text, encoding="utf-8")
    for family in FAMILIES:
        run(folder / f"one {family}", family)
    for parallel in ("ddp", "fsdp"):
        run(folder / f"one to {parallel}", "modernbert", stop_at=STOP)
    killed = torchrun(folder, "kill")
    assert killed.returncode != 0 and "exitcode" in killed.stderr, killed.stderr
    assert (folder / "ddp killed" / "checkpoints" / f"step-{STOP:08d}.json").is_file()
    done = torchrun(folder, "all")
    assert done.returncode == 0, done.stderr
    return folder


def records(folder):
    return [json.loads(line) for line in (folder / "log.jsonl").read_text(encoding="utf-8").splitlines()]


def tensors(folder):
    return load_file(folder / "checkpoints" / f"step-{STEPS:08d}.safetensors")


def losses(folder):
    return torch.tensor([record["loss"] for record in records(folder) if "loss" in record], dtype=torch.float64)


def assert_equal_runs(folder, other):
    assert len(losses(folder)) == STEPS
    for ours, theirs in zip(records(folder), records(other), strict=True):
        assert ours == {name: pytest.approx(value, rel=1e-5, abs=1e-6) for name, value in theirs.items()}
    assert (losses(folder) - losses(other)).abs().max() < 1e-6
    ours, theirs = ({n: t for n, t in tensors(f).items() if n[:9] != "generator"} for f in (folder, other))
    assert ours.keys() == theirs.keys()
    for name, tensor in ours.items():
        assert torch.allclose(tensor, theirs[name], rtol=1e-5, atol=1e-5), name


def assert_bit_for_bit(folder, other):
    assert (folder / "log.jsonl").read_bytes() == (other / "log.jsonl").read_bytes()
    ours, theirs = tensors(folder), tensors(other)
    assert ours.keys() == theirs.keys() and all(torch.equal(ours[name], theirs[name]) for name in ours)


def test_the_shares_of_a_step_are_ragged():
    """Otherwise the mean of the processes' means would pass for the mean over all tokens."""
    data = make_data(pairs=False)
    for _ in range(STEPS):
        masked = [int((data.next_batch().labels != IGNORE).sum()) for _ in range(4)]
        assert masked[0] + masked[2] != masked[1] + masked[3]


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("parallel", ["ddp", "fsdp"])
def test_two_processes_equal_one(folder, parallel, family):
    assert_equal_runs(folder / f"{parallel} {family}", folder / f"one {family}")


def test_the_shards_of_that_comparison_are_read_in_several_pools(folder):
    file = folder / "one shards" / "checkpoints" / f"step-{STEPS:08d}.json"
    where = json.loads(file.read_text(encoding="utf-8"))["state"]["data"]
    assert where["epoch"] or where["pool"]


def test_the_mean_of_the_means_would_be_noticed(folder):
    """The control of the test above."""
    difference = (
        tensors(folder / "planted")["model.decoder.bias"] - tensors(folder / "one modernbert")["model.decoder.bias"]
    )
    assert difference.abs().max() > 1e-4


@pytest.mark.parametrize("name", ["ddp killed", "fsdp stopped"])
def test_an_interrupted_run_ends_bit_for_bit_like_one_that_is_not(folder, name):
    """With dropout: each process goes on with its own draws. In "killed" one of the two died by SIGKILL."""
    assert_bit_for_bit(folder / name, folder / f"{name.split()[0]} whole")


def test_dropout_differs_between_the_processes(folder):
    states = tensors(folder / "ddp whole")
    assert not torch.equal(states["generator.torch"], states["generator.torch.1"])
    assert (losses(folder / "ddp whole") - losses(folder / "ddp bert")).abs().max() > 1e-3


@pytest.mark.parametrize("parallel", ["ddp", "fsdp"])
def test_the_number_of_processes_may_change_in_a_run(folder, parallel):
    assert_equal_runs(folder / f"one to {parallel}", folder / "one modernbert")
    with pytest.warns(UserWarning, match="2 processes: the run continues"):
        run(folder / f"{parallel} to one", "modernbert")
    assert_equal_runs(folder / f"{parallel} to one", folder / "one modernbert")


@pytest.mark.parametrize("name", COMMANDS)
def test_the_command_writes_the_same_model_folder(folder, tmp_path, name):
    options = [*COMMANDS[name].split(), str(folder / "corpus.txt"), "--out", str(tmp_path / "one")]
    done = CliRunner().invoke(pretrain, options)
    assert done.exit_code == 0, done.output
    ours, theirs = folder / name, tmp_path / "one"
    assert sorted(p.name for p in ours.iterdir()) == sorted(p.name for p in theirs.iterdir())
    ours_weights, theirs_weights = (load_file(path / "model.safetensors") for path in (ours, theirs))
    assert ours_weights.keys() == theirs_weights.keys()
    assert all(torch.allclose(t, theirs_weights[n], rtol=0, atol=1e-5) for n, t in ours_weights.items())
    assert json.loads((ours / "training.json").read_text(encoding="utf-8"))["processes"] == 2


def test_processes_that_cannot_work_together_are_refused(folder):
    for number in (0, 1):  # both of them, so that none waits for the other
        refusal = (folder / f"share {number}.txt").read_text(encoding="utf-8")
        assert "accumulate is 3: 2 processes cannot share" in refusal
        refusal = (folder / f"same {number}.txt").read_text(encoding="utf-8")
        assert "disagree about the settings: [{'recipe.seed': 0}, {'recipe.seed': 1}]; give" in refusal


def test_another_way_to_spread_a_model_is_refused(tmp_path):
    with pytest.raises(ValueError, match="parallel is 'tensor'; choose 'ddp' or 'fsdp'"):
        run(tmp_path, parallel="tensor")


if __name__ == "__main__":
    processes(Path(sys.argv[1]), sys.argv[2])
