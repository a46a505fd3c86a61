"""`finetune` and `predict` as a user meets them: each task, files of one's own, kill and resume, transformers."""

import json
import os
import subprocess
import sys
import time

import pytest
import torch
from click.testing import CliRunner

from minibert import SequenceClassifier, SpanReader, TokenClassifier, load_tokenizer
from minibert.__main__ import main

PEOPLE = ("Emily", "Anna", "Peter", "Maria")
TOWNS = ("Kansas", "Boston", "London", "Rome")


def rows_of(task: str) -> list[dict]:
    """24 rows, each text another one."""
    made = []
    for number in range(24):
        who, where, other = PEOPLE[number % 4], TOWNS[number // 4 % 4], TOWNS[(number // 4 + 1) % 4]
        text = f"{who} lived in {where} for {number} years"
        made.append(
            {
                "sentiment": {"text": text, "label": ["no", "yes"][number % 2]},
                "pairs": {"first": text, "second": f"{who} lives in {[where, other][number % 2]}", "label": number % 2},
                "qa": {"question": f"Where did {who} live?", "context": text, "answer": where},
                "ner": {"tokens": text.split(), "tags": ["B-person", "O", "O", "B-place", "O", "O", "O"]},
            }[task]
        )
    return made


def call(*arguments: str, text: str | None = None):
    done = CliRunner().invoke(main, list(arguments), input=text)
    if done.exception and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done


@pytest.fixture(scope="module")
def tuned(tmp_path_factory):
    """The folder of a task after three steps on rows of one's own; each is made once."""
    made = {}

    def of(task: str):
        if task not in made:
            folder = tmp_path_factory.mktemp(task)
            file, out = folder / "rows.jsonl", folder / "run"
            file.write_text("\n".join(json.dumps(row) for row in rows_of(task)), encoding="utf-8")
            options = ["--model", "bert-nano", "--data", str(file), "--steps", "3", "--batch-size", "4"]
            done = call("finetune", "--task", task, "--out", str(out), *options)
            made[task] = out, json.loads(done.stdout), done.stderr
        return made[task]

    return of


SCORES = {"sentiment": "accuracy", "pairs": "accuracy", "qa": "F1", "ner": "entity F1"}


@pytest.mark.parametrize("task", SCORES)
def test_a_task_leaves_a_model_folder_and_prints_only_its_result(tuned, task):
    out, result, messages = tuned(task)
    assert result["steps"] == 3 and 0 <= result[SCORES[task]] <= 1
    assert "22 rows to train on, 2 to validate on" in messages and "predict" in messages
    assert {"config.json", "model.safetensors", "tokenizer.json", "training.json"} <= {f.name for f in out.iterdir()}
    assert not (out / "checkpoints").exists()


@pytest.mark.parametrize("task", ["sentiment", "pairs"])
def test_transformers_opens_a_classifier(tuned, task):
    transformers = pytest.importorskip("transformers")
    out, _, _ = tuned(task)
    theirs = transformers.AutoModelForSequenceClassification.from_pretrained(out)
    tokenizer = transformers.AutoTokenizer.from_pretrained(out)
    ours, tok = SequenceClassifier.from_pretrained(out), load_tokenizer(out)
    assert theirs.config.id2label == ({0: "no", 1: "yes"} if task == "sentiment" else {0: "0", 1: "1"})
    text = ("Emily lived in Kansas",) if task == "sentiment" else ("Emily lived in Kansas", "Emily lives in Rome")
    batch, encoding = tokenizer(*text, return_tensors="pt"), tok.encode(*text)
    assert batch["input_ids"][0].tolist() == encoding.ids
    assert batch["token_type_ids"][0].tolist() == encoding.segment_ids
    with torch.no_grad():
        found = ours(batch["input_ids"], segment_ids=batch["token_type_ids"]).logits
        torch.testing.assert_close(found, theirs(**batch).logits, rtol=0, atol=1e-5)


@pytest.mark.parametrize(("task", "kind"), [("qa", SpanReader), ("ner", TokenClassifier)])
def test_transformers_opens_a_reader_and_a_tagger(tuned, task, kind):
    transformers = pytest.importorskip("transformers")
    out, _, _ = tuned(task)
    batch = transformers.AutoTokenizer.from_pretrained(out)("Where?", "in Kansas", return_tensors="pt")
    with torch.no_grad():
        found = kind.from_pretrained(out)(batch["input_ids"], segment_ids=batch["token_type_ids"]).logits
        if kind is SpanReader:
            theirs = transformers.AutoModelForQuestionAnswering.from_pretrained(out)(**batch)
            expected = torch.stack([theirs.start_logits, theirs.end_logits], -1)
        else:
            model = transformers.AutoModelForTokenClassification.from_pretrained(out)
            assert model.config.id2label == {0: "O", 1: "B-person", 2: "B-place"}
            expected = model(**batch).logits
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-5)


def test_predict_answers_by_the_head(tuned):
    def predict(task, *arguments, text=None):
        return [
            json.loads(line) for line in call("predict", str(tuned(task)[0]), *arguments, text=text).stdout.splitlines()
        ]

    first, second = predict("sentiment", "Emily lived", "- so it was")
    assert first["label"] in ("no", "yes") and sum(first["probabilities"].values()) == pytest.approx(1, abs=1e-3)
    assert second["text"] == "- so it was"
    line = json.dumps({"first": "Emily lived", "second": "in Rome"})
    assert predict("pairs", text=line) == predict("pairs", "Emily lived", "--pair", "in Rome")
    assert (
        predict("pairs", "in Rome", "--pair", "Emily lived")[0]["probabilities"]
        != predict("pairs", text=line)[0]["probabilities"]
    )
    [answer] = predict("qa", "Emily lived in Kansas", "--question", "Where?")
    assert "Emily lived in Kansas"[answer["start"] : answer["end"]] == answer["answer"]
    assert predict("qa", text=json.dumps({"question": "Where?", "context": "Emily lived in Kansas"})) == [answer]
    [tags] = predict("ner", "Emily lived in Kansas")
    assert len(tags["tags"]) == 4 and "entities" in tags
    assert predict("ner", text='{"tokens": ["Emily", "lived", "in", "Kansas"]}') == [tags]


def test_the_same_command_finds_the_run_finished_and_another_is_refused(tuned):
    out, result, _ = tuned("sentiment")
    data = str(out.parent / "rows.jsonl")
    options = [
        "finetune",
        "--task",
        "sentiment",
        "--model",
        "bert-nano",
        "--data",
        data,
        "--steps",
        "3",
        "--out",
        str(out),
    ]
    done = call(*options, "--batch-size", "4")
    assert json.loads(done.stdout) == result and "finished" in done.stderr
    with pytest.raises(ValueError, match="batch_size: 4 there, 16 now"):
        call(*options)


def test_texts_that_are_too_long_are_cut_and_said_once(tmp_path):
    file = tmp_path / "a.csv"
    rows = [f'"{"very " * (1 + 50_000 * (number == 3))}good {number}",{number % 2}' for number in range(20)]
    file.write_text("text,label\n" + "\n".join(rows), encoding="utf-8")
    options = ["--model", "bert-nano", "--steps", "2", "--batch-size", "2", "--max-length", "12"]
    done = call("finetune", "--task", "sentiment", "--data", str(file), "--out", str(tmp_path / "run"), *options)
    assert done.stderr.count("1 of 18 rows are longer than --max-length 12") == 1


BAD = {
    "labels": ("sentiment", [{"text": str(n), "label": "a"} for n in range(4)], [], "every row has the label 'a'"),
    "classes": ("sentiment", [{"text": str(n), "label": str(n)} for n in range(9)], [], "9 different labels in 9 rows"),
    "alike": ("sentiment", [{"text": "a", "label": str(n % 2)} for n in range(4)], [], "4 rows with 1 text"),
    "row": ("qa", [{"question": "a", "context": "b", "answer": "c"}], [], "rows.jsonl, line 1: the answer 'c'"),
    "length": ("ner", None, ["--max-length", "4000"], "--max-length 4000: this model reads"),
}


@pytest.mark.parametrize("name", BAD)
def test_rows_that_cannot_be_learned_are_refused_before_anything_is_written(tmp_path, name):
    task, rows, options, message = BAD[name]
    file = tmp_path / "rows.jsonl"
    file.write_text("\n".join(json.dumps(row) for row in rows or rows_of(task)), encoding="utf-8")
    options = ["--model", "bert-nano", "--data", str(file), "--out", str(tmp_path / "run"), *options]
    with pytest.raises(ValueError, match=message):
        call("finetune", "--task", task, *options)
    assert not (tmp_path / "run").exists()


def test_what_predict_cannot_answer_is_refused(tuned):
    with pytest.raises(ValueError, match="a model without a task: fine-tune it"):
        call("predict", "bert-nano", "a text")
    with pytest.raises(ValueError, match="text 1 has text; this model needs question and context"):
        call("predict", str(tuned("qa")[0]), "a text")
    with pytest.raises(ValueError, match="text 2: first is 3, expected a text"):
        call("predict", str(tuned("pairs")[0]), text='one\n{"first": 3, "second": "a"}')
    assert call("predict", str(tuned("pairs")[0]), text="").exit_code == 2


@pytest.mark.slow
def test_a_killed_run_ends_as_an_uninterrupted_one(tmp_path):
    """Killed between two statements of its own choosing, wherever it stands when its first checkpoint is there."""
    file = tmp_path / "rows.jsonl"
    file.write_text("\n".join(json.dumps(row) for row in rows_of("sentiment")), encoding="utf-8")
    options = [
        "--model",
        "bert-nano",
        "--data",
        str(file),
        "--steps",
        "24",
        "--batch-size",
        "4",
        "--checkpoint-every",
        "5",
    ]

    def command(out):
        return [sys.executable, "-m", "minibert", "finetune", "--task", "sentiment", "--out", str(out), *options]

    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    subprocess.run(command(whole), env=environment, check=True, capture_output=True, timeout=1200)
    process = subprocess.Popen(command(killed), env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    deadline = time.monotonic() + 1200
    while not any((killed / "checkpoints").glob("step-*.json")) and time.monotonic() < deadline:
        time.sleep(0.05)
    process.kill()
    process.communicate()
    assert not (killed / "training.json").exists(), "it ended before it could be killed"
    again = subprocess.run(command(killed), env=environment, check=True, capture_output=True, timeout=1200)
    assert (killed / "model.safetensors").read_bytes() == (whole / "model.safetensors").read_bytes()
    results = [json.loads((out / "training.json").read_text(encoding="utf-8")) for out in (killed, whole)]
    assert results[0]["scores"] == results[1]["scores"] and json.loads(again.stdout) == results[1]["result"]
