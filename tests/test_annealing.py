"""`pretrain --anneal`: two phases by one command, killed in either, in one folder that transformers opens."""

import importlib
import json

import pytest
import torch
from click.testing import CliRunner
from test_own_text import text_of
from transformers import AutoModelForMaskedLM, AutoTokenizer

from minibert import MaskedLanguageModel, corpora, load_tokenizer, training
from minibert.commands import phases
from minibert.commands.corpus import find_corpus
from minibert.commands.pretrain import pretrain
from minibert.training.loop import TrainingLog

mixture = importlib.import_module("minibert.corpora.mixture")  # `corpora.mixture` is its function
SEPARATOR = mixture.SEPARATOR

STEPS, ANNEAL = 5, 4


@pytest.fixture(scope="module")
def text(tmp_path_factory):
    file = tmp_path_factory.mktemp("text") / "text.txt"
    file.write_text(text_of(), encoding="utf-8")
    return file


def call(text, out, *options, steps=STEPS, anneal=ANNEAL):
    given = f"--preset eurobert-nano --steps {steps} --anneal {anneal} --max-len 32 --batch-tokens 256 --vocab-size 400"
    return CliRunner().invoke(
        pretrain, [*given.split(), "--checkpoint-every", "2", "--corpus", str(text), "--out", str(out), *options]
    )


@pytest.fixture(scope="module")
def whole(text, tmp_path_factory):
    out = tmp_path_factory.mktemp("runs") / "whole"
    done = call(text, out)
    assert done.exit_code == 0, done.exception
    return out


def test_the_phases_differ_as_the_papers_do(text, tmp_path, monkeypatch):
    seen, train = [], training.train

    def watch(model, data, recipe, folder, **options):
        before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
        seen.append((model.config, data, recipe, before, options["start"]))
        return train(model, data, recipe, folder, **options)

    monkeypatch.setattr(training, "train", watch)
    assert call(text, tmp_path / "run").exit_code == 0
    (early, short, plateau, _, none), (late, long, falling, _, start) = seen
    assert (early.rope_theta, late.rope_theta) == (10_000.0, 250_000.0)
    assert (short.mask_rate, long.mask_rate, short.mask_split) == (0.5, 0.1, (1.0, 0.0, 0.0))
    assert (short.max_len, long.max_len) == (32, 128)
    assert short.validation_documents == long.validation_documents
    assert [plateau.lr(step) for step in (1, STEPS - 1)] == [2e-3, 2e-3]
    assert falling.lr(0) == 2e-3 and 0 < falling.lr(ANNEAL - 1) < 4e-4 and falling.lr(ANNEAL) == 0
    assert none is None and start.step == STEPS


def test_the_second_phase_goes_on_with_weights_and_averages(whole, text, tmp_path, monkeypatch):
    from minibert.training import checkpoint

    seen = {}
    put = checkpoint.put_averages

    def watch(optimizer, start):
        put(optimizer, start)
        seen["steps"] = {int(state["step"]) for state in optimizer.state_dict()["state"].values()}

    monkeypatch.setattr(checkpoint, "put_averages", watch)
    assert call(text, tmp_path / "run").exit_code == 0
    assert seen["steps"] == {STEPS}, "AdamW counts on: its averages are warm"
    assert (tmp_path / "run" / "model.safetensors").read_bytes() == (whole / "model.safetensors").read_bytes()


@pytest.mark.parametrize("kills", [[(0, 1)], [(0, 3), (0, 5)], [(0, 4), (1, 1), (1, 3)], [(1, 4)]])
def test_a_run_killed_in_either_phase_ends_bit_for_bit_like_one_that_was_not(whole, text, tmp_path, monkeypatch, kills):
    cut, train = tmp_path / "cut", training.train
    for number, step in kills:

        def killed(model, data, recipe, folder, _number=number, _step=step, **options):
            def on_step(done):
                if (_number == 0) == (folder.name == "first") and done == _step:
                    raise KeyboardInterrupt

            return train(model, data, recipe, folder, **options, on_step=on_step)

        monkeypatch.setattr(training, "train", killed)
        assert call(text, cut).exit_code != 0 and not (cut / "model.safetensors").exists()
    monkeypatch.undo()
    done = call(text, cut)
    assert done.exit_code == 0, done.exception
    for name in ("model.safetensors", "config.json", "tokenizer.json", "log.jsonl", "first/log.jsonl"):
        assert (whole / name).read_bytes() == (cut / name).read_bytes(), name
    facts = [json.loads((folder / "training.json").read_text(encoding="utf-8")) for folder in (whole, cut)]
    assert facts[0] | {"command": ""} == facts[1] | {"command": ""}


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (dict(steps=STEPS + 1), "recipe.steps"),
        (dict(anneal=ANNEAL + 1), "anneal: 4 there, 5 now"),
        (dict(anneal=0), "anneal: 4 there, None now"),
    ],
)
def test_changed_settings_are_refused(whole, text, options, complaint):
    before = (whole / "model.safetensors").read_bytes()
    done = call(text, whole, **options)
    assert isinstance(done.exception, ValueError) and complaint in str(done.exception)
    assert "seed: 0 there, 1 now" in str(call(text, whole, "--seed", "1").exception)
    assert "--mask-rate" in str(call(text, whole, "--mask-rate", "7").exception)
    assert "data.mask_rate" in str(call(text, whole, "--mask-rate", "0.4").exception)
    assert (whole / "model.safetensors").read_bytes() == before


def test_a_killed_first_phase_is_not_mixed_with_other_settings(text, tmp_path, monkeypatch):
    train = training.train

    def killed(*arguments, **options):
        train(*arguments, **options)
        raise KeyboardInterrupt

    monkeypatch.setattr(training, "train", killed)
    call(text, tmp_path / "run")
    monkeypatch.undo()
    assert "other settings" in str(call(text, tmp_path / "run", "--seed", "1").exception)


@pytest.mark.parametrize("preset", ["bert-nano", "modernbert-nano"])
def test_only_eurobert_is_annealed(text, tmp_path, preset):
    done = call(text, tmp_path / "run", "--preset", preset)
    assert isinstance(done.exception, ValueError) and "annealing is for a new run" in str(done.exception)
    assert not (tmp_path / "run").exists()


def test_a_run_is_not_annealed_after_from(whole, text, tmp_path):
    given = ["--from", str(whole), "--anneal", "2", "--out", str(tmp_path / "x"), "--corpus", str(text)]
    done = CliRunner().invoke(pretrain, given)
    assert "the run of --from has had its first phase" in str(done.exception)


def test_one_folder_that_transformers_opens(whole):
    ours, theirs = load_tokenizer(whole), AutoTokenizer.from_pretrained(whole)
    line = f"a river{SEPARATOR}ein [MASK] Fluss"
    assert ours.encode(line).ids == theirs(line)["input_ids"]
    separator = ours.vocab[SEPARATOR]
    assert separator in ours.special_ids and ours.encode(line).ids.count(separator) == 1
    assert ours.byte_lengths()[separator] == 0, "it is no text, so no byte per token is counted for it"
    batch = ours.encode_batch([line, "a"])
    model, opened = MaskedLanguageModel.from_pretrained(whole), AutoModelForMaskedLM.from_pretrained(whole).eval()
    assert model.config.rope_theta == 250_000.0
    with torch.inference_mode():
        logits = model(batch.input_ids, batch.attention_mask).logits
        expected = opened(batch.input_ids, attention_mask=batch.attention_mask).logits
    real = batch.attention_mask.bool()
    torch.testing.assert_close(logits[real], expected[real], atol=2e-5, rtol=1e-5)


def test_what_was_run_is_told(whole):
    facts = json.loads((whole / "training.json").read_text(encoding="utf-8"))
    assert [(p["steps"], p["mask_rate"], p["max_len"], p["theta"]) for p in facts["phases"]] == [
        (STEPS, 0.5, 32, 10_000.0),
        (ANNEAL, 0.1, 128, 250_000.0),
    ]
    assert facts["step"] == STEPS + ANNEAL and facts["python"] and "groups" not in facts
    assert [record["step"] for record in TrainingLog(whole / "log.jsonl").read()][-1] == ANNEAL


@pytest.mark.data
@pytest.mark.skipif(not corpora.is_cached("multilingual"), reason="needs python -m minibert data fetch")
def test_languages_are_a_corpus_with_text_of_its_own_to_validate_on_and_numbers_per_language(tmp_path, monkeypatch):
    monkeypatch.setattr(mixture, "TRAINING_BYTES", 40_000)
    monkeypatch.setattr(mixture, "HELD_OUT_BYTES", 20_000)
    monkeypatch.setattr(phases, "GROUP_PASSAGES", 1)
    done = call("languages", tmp_path / "run", steps=1, anneal=1)
    assert done.exit_code == 0, done.exception
    facts = json.loads((tmp_path / "run" / "training.json").read_text(encoding="utf-8"))
    assert tuple(facts["groups"]) == mixture.GROUPS
    assert all(numbers["bits_per_byte"] > 0 and numbers["masked_tokens"] > 0 for numbers in facts["groups"].values())
    tokens = load_tokenizer(tmp_path / "run").vocab
    assert not any("parallel_s" in token for token in tokens if token != SEPARATOR), "its letters are no text"


def test_a_passage_keeps_its_lines_unless_pairs_are_made_of_them(monkeypatch):
    code = mixture.Passage("code-0", "if a:\n    b()", "code")
    monkeypatch.setattr(mixture, "languages", lambda seed: ([code], [code]))
    assert find_corpus("languages", 0).texts == [["if a:\n    b()"]]
    assert find_corpus("languages", 0, pairs=True).validation == [["if a:", "b()"]]
