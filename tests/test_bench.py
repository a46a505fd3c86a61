"""The benches: fair turns, the same model on both sides, results that carry what they were measured on."""

import json

import pytest
import torch
from click.testing import CliRunner
from oracles import small_config
from torch.utils.flop_counter import FlopCounterMode

from minibert import corpora
from minibert.__main__ import main
from minibert.bench import attention, inference, limit, memory, opponents, pretrain, report, training, workloads
from minibert.bench.machine import check_device, machine, versions
from minibert.bench.plot import collect, plot_report
from minibert.bench.report import Settings
from minibert.bench.table import table
from minibert.bench.timing import exponent, in_turns, quartiles, speedup, summary, waiter
from minibert.config import EncoderConfig
from minibert.model import Encoder
from minibert.model.linear import HAS_ONEDNN
from minibert.training.recipe import FAMILY_MASKING

NANO = ("modernbert-nano", "bert-nano", "eurobert-nano")
TINY = Settings(models=NANO, workloads=("3x40",), repeats=1, memory=False)
TEXTS = [["the bank lends money to the town", "the river has a steep bank"]] * 60


def call(*arguments: str):
    return CliRunner().invoke(main, ["bench", *arguments])


@pytest.fixture(scope="module")
def forward():
    """A report of the inference bench, float32 and bfloat16, eager attention too."""
    settings = Settings(
        models=NANO, workloads=("3x40", "1x16"), dtypes=("fp32", "bf16"), repeats=2, memory=False,
        opponents=("sdpa", "eager"),
    )  # fmt: skip
    return inference.run(settings)


# ---- turns


def test_contenders_alternate_and_the_warm_up_is_not_counted():
    order, now, waits = [], [0.0], []
    costs = {"ours": 1.0, "theirs": 3.0}

    def contender(name):
        def run():
            order.append(name)
            now[0] += costs[name]
            return f"{name} {len(order)}"

        return run

    seconds, results = in_turns(
        {name: contender(name) for name in costs},
        repeats=3, warm_up=1, wait=lambda: waits.append(now[0]), clock=lambda: now[0],
    )  # fmt: skip
    assert order == ["ours", "theirs", "theirs", "ours", "ours", "theirs", "theirs", "ours"]
    assert seconds == {"ours": [1.0] * 3, "theirs": [3.0] * 3}
    assert results == {"theirs": "theirs 7", "ours": "ours 8"}
    assert len(waits) == 2 * len(order)  # before and after every call


def test_waiting_for_the_device_counts():
    """A GPU's call returns at once; its work ends when `wait` does."""
    now, queue = [0.0], []

    def wait():
        now[0] += sum(queue)
        queue.clear()

    seconds, _ = in_turns({"a": lambda: queue.append(2.0)}, repeats=2, wait=wait, clock=lambda: now[0])
    assert seconds == {"a": [2.0, 2.0]}


@pytest.mark.parametrize("options", [dict(repeats=0), dict(repeats=1, warm_up=-1)])
def test_turns_refuse_nonsense(options):
    with pytest.raises(ValueError, match="repeat"):
        in_turns({"a": lambda: 1}, **options)
    with pytest.raises(ValueError, match="0 calls"):
        in_turns({}, repeats=1)


def test_ratios_compare_neighbours_in_time():
    # the machine became four times slower in the last rounds: every round still says 2
    ours, theirs = [1.0, 1.0, 4.0, 4.0, 4.0], [2.0, 2.0, 8.0, 8.0, 8.0]
    assert speedup(ours, theirs) == {"median_of_rounds": 2.0, "quartiles": [2.0, 2.0], "of_medians": 2.0}
    assert speedup([1.0, 9.0, 1.0], [2.0, 2.0, 2.0])["median_of_rounds"] == 2.0
    assert speedup([2.0], [1.0])["of_medians"] == 0.5  # below 1: ours is slower
    assert summary([2.0, 4.0, 60.0], tokens=80)["tokens_per_second"] == 20.0
    assert quartiles([7.0]) == [7.0, 7.0]


@pytest.mark.parametrize("power", [0.0, 1.0, 1.5, 2.0])
def test_the_exponent_of_a_power_law_is_found(power):
    sizes = [1024, 2048, 4096, 8192, 16384]
    assert exponent(sizes, [3e-7 * size**power for size in sizes]) == pytest.approx(power, abs=1e-9)


def test_an_exponent_needs_two_sizes_and_positive_costs():
    for sizes, costs in (([4], [1.0]), ([4, 4], [1.0, 2.0]), ([4, 8], [0.0, 1.0])):
        with pytest.raises(ValueError, match="positive"):
            exponent(sizes, costs)


def test_the_exponents_of_a_layer_come_from_all_its_lengths():
    rows = [
        {"length": n, "contenders": {"ours": {"median_seconds": n / 10}}, "peak_bytes": {"ours": n * n}}
        for n in (4, 8, 16)
    ]
    rows[0]["contenders"]["reference"] = {"median_seconds": 1.0}  # not measured at the other lengths
    assert attention.exponents(rows) == {"ours": {"seconds": 1.0, "bytes": 2.0}}


# ---- workloads


def test_ragged_lengths_lie_between_an_eighth_and_the_whole():
    found = workloads.find_workload("64x512")
    assert max(found.lengths) == 512 and min(found.lengths) >= 64 and len(set(found.lengths)) > 30
    assert found.lengths == workloads.find_workload("64x512").lengths
    assert found.lengths != workloads.find_workload("64x512", seed=1).lengths
    assert found.fill == pytest.approx(sum(found.lengths) / (64 * 512))
    assert workloads.find_workload("1x2048").lengths == (2048,)


@pytest.mark.parametrize("name", ["8by512", "0x8", "8x0", "", "x", "8x512-packed"])
def test_unknown_workloads_are_refused(name):
    with pytest.raises(ValueError, match="8x512"):
        workloads.find_workload(name)


def test_batches_are_padded_and_masked_as_they_say():
    config = small_config("bert")
    workload = workloads.Workload("mine", (4, 10, 30))
    ids, mask, labels = workloads.masked_batch(workload, config, rate=0.25)
    plain, same_mask = workloads.padded_batch(workload, config)
    assert torch.equal(mask, same_mask) and mask.sum(1).tolist() == [4, 10, 30]
    assert (plain[mask == 0] == config.pad_id).all() and (plain[mask == 1] != config.pad_id).all()
    chosen = labels != -100
    assert chosen.sum() == 11 and (mask[chosen] == 1).all()
    assert torch.equal(labels[chosen], plain[chosen]) and (ids[chosen] == config.mask_id).all()
    assert torch.equal(ids[~chosen], plain[~chosen])


def test_sentences_are_real_text_cut_by_a_real_tokenizer(monkeypatch):
    speech = corpora.text.Document("speech", " ".join(f"The bank lends money to town {i}." for i in range(99)))
    monkeypatch.setattr(corpora, "load", lambda name, stand_in: [speech])
    for family in ("bert", "modernbert"):
        found = workloads.find_workload("sentences", family)
        assert len(found.ids) == 64 and found.lengths == tuple(map(len, found.ids))
        config = EncoderConfig.preset(f"{family}-base")
        ids, mask = workloads.padded_batch(found, config)
        assert tuple(ids[0][mask[0].bool()].tolist()) == found.ids[0]


def test_what_cannot_be_run_is_skipped_and_said(tmp_path, monkeypatch):
    monkeypatch.setenv("MINIBERT_CACHE", str(tmp_path))
    frame = {"skipped": []}
    settings = Settings(models=("bert-nano",), workloads=("2x8", "2x512", "sentences"))
    assert [case.label for case in report.find_cases(settings, frame)] == ["bert-nano 2x8 fp32"]
    assert "128 positions" in frame["skipped"][0] and "data fetch" in frame["skipped"][1]
    assert str(tmp_path) not in json.dumps(frame)
    with pytest.raises(ValueError, match="nothing to run"):
        report.find_cases(Settings(models=("bert-nano",), workloads=("2x512",)), frame)


# ---- the same model on both sides


@pytest.mark.parametrize("family", ["bert", "modernbert", "eurobert"])
def test_a_changed_weight_is_refused(family, monkeypatch):
    honest = opponents.with_their_weights

    def changed(ours, theirs):
        model = honest(ours, theirs)
        with torch.no_grad():
            matrix = next(p for name, p in model.named_parameters() if "blocks.1.feed_forward" in name and p.dim() == 2)
            matrix[0, 0] += 0.5
        return model

    monkeypatch.setattr(opponents, "with_their_weights", changed)
    settings = Settings(models=(f"{family}-nano",), workloads=("2x16",), repeats=1, memory=False)
    with pytest.raises(ValueError, match="not the same model"):
        inference.run(settings)
    with pytest.raises(ValueError, match="not the same model"):
        training.run(settings)


def test_nan_is_no_agreement():
    with pytest.raises(ValueError, match="differ"):
        opponents.check_agreement(torch.tensor([float("nan")]), torch.tensor([1.0]))


@pytest.mark.parametrize("bench", [inference, training])
def test_nobody_switches_an_attention_while_the_clock_runs(bench, monkeypatch):
    """With two opponents, one model was switched to and fro within its own time."""
    from transformers import PreTrainedModel

    switch, switched = PreTrainedModel.set_attn_implementation, []

    def recorded(model, name):
        switched.append(name)
        return switch(model, name)

    def turns(calls, *arguments, **options):
        switched.clear()
        found = in_turns(calls, *arguments, **options)
        assert switched == []
        return found

    monkeypatch.setattr(PreTrainedModel, "set_attn_implementation", recorded)
    monkeypatch.setattr(bench, "in_turns", turns)
    settings = Settings(
        models=("modernbert-nano",), workloads=("2x16",), repeats=2, memory=False, opponents=("sdpa", "eager")
    )
    assert {"sdpa", "eager"} <= set(bench.run(settings)["results"][0]["contenders"])


def test_an_opponent_with_another_attention_has_the_same_weights_and_answers():
    theirs = opponents.their_encoder(EncoderConfig.preset("modernbert-nano"))
    ids, mask = workloads.padded_batch(workloads.Workload("w", (40, 9)), EncoderConfig.preset("modernbert-nano"))
    with torch.no_grad():
        expected, eager = (
            opponents.their_forward(model, ids, mask)[mask.bool()]
            for model in (theirs, opponents.with_attention(theirs, "eager"))
        )
    torch.testing.assert_close(eager, expected, rtol=0, atol=1e-4)
    assert theirs.config._attn_implementation == "sdpa"


def test_dropout_is_equal_on_both_sides():
    for preset in report.MODELS:
        small = report.bench_config(preset).replace(layers=1, hidden=24, heads=12, intermediate=24)
        ours, theirs = Encoder(small), opponents.their_encoder(small)
        rates = [
            sorted({m.p for m in model.modules() if isinstance(m, torch.nn.Dropout)} - {0.0})
            for model in (ours, theirs)
        ]
        assert rates[0] == rates[1] == ([0.1] if preset == "bert-base" else [])


# ---- the reports


def test_a_forward_report_says_all_it_promised(forward):
    assert [row["model"] for row in forward["results"]] == [name for name in NANO for _ in range(4)]
    for row in forward["results"]:
        assert row["tokens"] == sum(row["lengths"]) and 0 < row["fill"] <= 1
        others = {"sdpa", "eager"} | ({"sdpa fp32"} if row["dtype"] == "bf16" else set())
        limits = {"matmuls"} | ({"matmuls onednn"} if row["dtype"] == "fp32" and HAS_ONEDNN else set())
        assert set(row["contenders"]) == others | limits | {"ours"}
        assert set(row["speedup"]) == others
        assert all(x > 0 for found in row["speedup"].values() for x in (found["median_of_rounds"], found["of_medians"]))
        assert all(len(found["seconds"]) == 2 for found in row["contenders"].values())
        for found in row["contenders"].values():  # real tokens: padding is nobody's work
            assert found["tokens_per_second"] == pytest.approx(row["tokens"] / found["median_seconds"], abs=0.1)
        assert set(row["times_the_limit"]) == others | {"ours"}
        errors = row["largest_difference_to_transformers_fp32"]
        assert errors["ours fp32"]["max"] < 1e-4
        if row["dtype"] == "bf16":
            assert 1e-4 < errors["ours bf16"]["rms"] < 0.1 and 1e-4 < errors["sdpa bf16"]["rms"] < 0.1
    assert {"processor", "cores", "threads", "memory_gib", "load_before", "features"} <= set(forward["machine"])
    assert forward["versions"]["torch"] == torch.__version__ and forward["versions"]["transformers"]
    assert json.loads(json.dumps(forward)) == json.loads(json.dumps(forward | {"settings": forward["settings"]}))
    assert forward["peak_tflops"]["bf16"] > 0


def test_a_training_report_says_all_it_promised():
    saved = []
    found = training.run(
        Settings(models=NANO, workloads=("3x40",), dtypes=("fp32", "bf16"), repeats=1, memory=False),
        save=lambda frame: saved.append(len(frame["results"])),
    )
    assert saved == [1, 2, 3, 4, 5, 6]  # written after every workload
    for row in found["results"]:
        others = {"sdpa"} | ({"sdpa fp32"} if row["dtype"] == "bf16" else set())
        others |= {"sparse"} if row["model"] == "modernbert-nano" else set()
        assert set(row["speedup"]) == others
        before = row["before_training"]
        assert before["our_loss"] == pytest.approx(before["their_loss"], abs=1e-3)
        rate = FAMILY_MASKING[row["model"].split("-")[0]]["mask_rate"]
        assert row["masked_tokens"] == round(rate * row["tokens"])


def test_both_sides_learn():
    config = report.bench_config("modernbert-nano").replace(layers=2)
    theirs = opponents.their_language_model(config)
    ours = opponents.with_their_weights(opponents.our_language_model(config), theirs)
    batch = workloads.masked_batch(workloads.Workload("w", (9, 20)), config, 0.3)
    steps = training.Steps(ours, theirs, batch, ("sdpa", "sparse"))
    our_losses, their_losses = zip(*[(steps.ours(False), steps.theirs("sdpa", False)) for _ in range(4)], strict=True)
    assert our_losses[-1] < our_losses[0]
    assert torch.allclose(torch.stack(our_losses), torch.stack(their_losses), atol=1e-4)
    assert steps.theirs("sparse", False) < their_losses[-1]  # it goes on from there


@pytest.mark.parametrize("bf16, dtype", [(False, torch.float32), (True, torch.bfloat16)])
def test_a_step_scores_the_tokens_and_in_the_dtype_it_says(bf16, dtype):
    """Else a race would be won by a side that was asked for less, or lost by one that was asked for more."""
    config = report.bench_config("modernbert-nano").replace(layers=2)
    ours, theirs = opponents.our_language_model(config), opponents.their_language_model(config)
    batch = workloads.masked_batch(workloads.Workload("w", (9, 20)), config, 0.3)
    steps, seen = training.Steps(ours, theirs, batch, ("sdpa", "sparse")), []
    for model in (ours, *steps.their_models.values()):
        model.decoder.register_forward_hook(lambda _, __, scores: seen.append((scores.dtype, scores[..., 0].numel())))
    steps.ours(bf16), steps.theirs("sdpa", bf16), steps.theirs("sparse", bf16)
    assert seen == [(dtype, 9), (dtype, 2 * 20), (dtype, 9)]


def test_attention_is_measured_layer_by_layer():
    found = attention.run(Settings(repeats=1, memory=False), lengths=(200, 100))
    assert [row["length"] for row in found["results"]] == [100, 200] * 4
    for row in found["results"]:
        assert {"ours", "sdpa", "reference"} <= set(row["contenders"])
        assert row["half_window"] == (64 if row["layer"] == "local" else None)
    assert set(found["exponents"]["local forward fp32"]) >= {"ours", "sdpa"}


@pytest.mark.parametrize("window", [3, None])
def test_the_contenders_of_attention_compute_the_same(window):
    layer = attention.Layer(20, window, "fp32", backward=False)
    answers = [attention.contender(name, layer)() for name in attention.contenders(layer)]
    assert len(answers) >= 3
    for answer in answers:
        assert torch.allclose(answer, answers[-1], atol=1e-5)


def test_the_loop_is_measured_end_to_end():
    found = pretrain.run(Settings(models=("bert-nano", "eurobert-nano"), repeats=2), documents=TEXTS, steps=4)
    for row in found["results"]:
        assert 0 < row["fill"] <= 1 and 0 < row["data_share"] < 1
        assert row["loop"]["tokens_per_second"] > 0 and len(row["loop"]["seconds"]) == 2
        assert row["tokens_per_step"] == pytest.approx(row["fill"] * pretrain.BATCH_TOKENS, rel=0.01)
    with pytest.raises(ValueError, match="steps=2"):
        pretrain.run(TINY, documents=TEXTS, steps=2)


# ---- limit, memory, machine


def test_the_products_are_those_of_the_weights():
    encoder = opponents.our_encoder(EncoderConfig.preset("modernbert-nano"))
    weights = limit.weight_matrices(encoder.blocks)
    counted = sum(p.numel() for name, p in encoder.named_parameters() if p.dim() == 2 and "embeddings" not in name)
    assert sum(weight.numel() for weight in weights) == counted
    with FlopCounterMode(display=False) as counter:
        limit.products([(7, weight) for weight in weights], backward=True)()
    assert counter.get_total_flops() == 3 * 2 * 7 * counted


def test_memory_of_a_fresh_process_grows_with_the_text():
    spec = dict(bench="attention", contender="sdpa", window=None, dtype="fp32", backward=False, threads=1)
    short, long = (memory.peak_memory_alone(spec | {"length": length}) for length in (64, 3072))
    assert long - short > 3072 * 12 * 64 * 4 / 2  # at least half of the output


@pytest.mark.parametrize("bench", [inference, training])
def test_peak_memory_is_reported_for_every_contender(bench, monkeypatch):
    asked = []
    monkeypatch.setattr(inference, "peak_memory_alone", lambda spec: asked.append(spec) or 1000)
    settings = Settings(models=("modernbert-nano",), workloads=("2x16",), dtypes=("bf16",), repeats=1)
    row = bench.run(settings)["results"][0]
    assert set(row["peak_bytes"]) == set(row["contenders"]) - {"matmuls"}
    for spec in asked:
        json.dumps(spec)
        assert memory._build(spec)() is not None  # what the child would run
    assert {(spec["contender"], spec["dtype"]) for spec in asked} >= {
        ("ours", "bf16"),
        ("sdpa", "bf16"),
        ("sdpa", "fp32"),
    }


def test_a_failing_child_is_reported_in_one_line():
    with pytest.raises(RuntimeError, match=r"memory of nobody failed: ModuleNotFoundError"):
        memory.peak_memory_alone({"bench": "nothing", "contender": "nobody", "threads": 1})


def test_the_machine_is_described_without_names():
    found = machine() | versions()
    assert found["cores"] >= 1 and found["processor"]
    import getpass
    import platform

    text = json.dumps(found)
    assert platform.node() not in text and f"/{getpass.getuser()}" not in text


def test_devices_that_are_not_there_are_refused():
    for device in ("cuda:99", "meta", "no-such"):
        with pytest.raises(ValueError, match=f"--device {device}"):
            check_device(device)
    waiter("cpu")()


# ---- pictures, tables, the command


def test_the_picture_shows_every_contender(forward, tmp_path):
    panels = collect(forward)
    assert list(panels) == list(NANO)
    assert set(panels["bert-nano"]) == {
        "ours fp32", "ours bf16", "sdpa fp32", "sdpa bf16", "eager fp32", "eager bf16"
    }  # fmt: skip
    assert [point[0] for point in panels["bert-nano"]["ours fp32"]] == [16, 40]
    plot_report(forward, tmp_path / "a.png")
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")
    with pytest.raises(ValueError, match="tokenizers"):
        plot_report({"bench": "tokenizers", "results": []}, tmp_path / "b.png")
    with pytest.raises(ValueError, match="no results"):
        plot_report({"bench": "inference", "results": []}, tmp_path / "b.png")


def test_the_table_has_a_line_for_every_opponent(forward):
    lines = table(forward)
    assert len(lines) == 1 + sum(len(row["speedup"]) for row in forward["results"])
    assert "times faster" in lines[0] and "sdpa fp32" in "\n".join(lines)


@pytest.mark.parametrize("what", ["inference", "training"])
def test_the_command_prints_a_table_and_writes_json_and_png(what, tmp_path):
    file = tmp_path / "found.json"
    done = call(
        what, "--model", "modernbert-nano", "--workload", "2x16", "--workload", "1x32", "--repeats", "1", "--no-memory",
        "--out", str(file), "--plot",
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    assert done.stdout.splitlines()[0].split()[:2] == ["model", "workload"]
    found = json.loads(file.read_text(encoding="utf-8"))
    assert found["bench"] == what and len(found["results"]) == 2
    assert file.with_suffix(".png").read_bytes().startswith(b"\x89PNG")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["found.json", "found.png"]


def test_the_attention_command(tmp_path):
    file = tmp_path / "attention.json"
    lengths = ("--length", "32", "--length", "64")
    done = call("attention", "--no-memory", "--repeats", "1", *lengths, "--out", str(file), "--plot")
    assert done.exit_code == 0, done.output
    assert "to the power of" in done.stdout
    assert json.loads(file.read_text(encoding="utf-8"))["exponents"]
    assert file.with_suffix(".png").is_file()


def test_the_tokenizers_command(tmp_path, monkeypatch):
    from minibert.bench import tokenizers

    small = tokenizers.run(merges=20, repeats=1, texts=["the cat sat on the mat, the other cat did not"] * 3)
    monkeypatch.setattr(tokenizers, "run", lambda repeats: small)
    file = tmp_path / "tokenizers.json"
    done = call("--out", str(file))
    assert done.exit_code == 0, done.output
    assert "wordpiece" in done.stdout
    found = json.loads(file.read_text(encoding="utf-8"))
    assert found["bpe"]["encoding"]["same_ids"] is True and found["machine"]["processor"]


@pytest.mark.parametrize(
    ("arguments", "code", "complaint"),
    [
        (["nothing"], 2, "nothing"),
        (["tokenizers", "--workload", "2x8"], 2, "--workload means nothing to bench tokenizers"),
        (["attention", "--model", "bert-nano"], 2, "--model means nothing"),
        (["inference", "--plot"], 2, "--out"),
        (["inference", "--repeats", "0"], 2, "repeats"),
        (["inference", "--dtype", "fp64"], 2, "fp64"),
        (["inference", "--model", "gpt"], 1, "no preset 'gpt'"),
        (["inference", "--workload", "many"], 1, "workload 'many'"),
        (["inference", "--device", "cuda:99"], 1, "--device cuda:99"),
        (["training", "--opponent", "jax"], 1, "opponent 'jax'"),
        (["training", "--opponent", "openvino"], 1, "opponent 'openvino'"),
        (["inference", "--opponent", "openvino-int4"], 1, "opponent 'openvino-int4'"),
        (["training", "--opponent", "flash_attention_2"], 1, "CUDA"),
        (["attention", "--length", "64"], 1, "two or more"),
        (["inference", "--out", "no-such-folder/a.json"], 1, "--out no-such-folder"),
    ],
)
def test_bad_arguments_are_refused_before_anything_is_measured(arguments, code, complaint):
    done = call(*arguments)
    assert done.exit_code == code
    assert complaint in (str(done.exception) if code == 1 else done.output)
