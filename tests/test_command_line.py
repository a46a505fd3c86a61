"""The command line as a user meets it: results on stdout, messages on stderr, exit codes, help."""

import json
import os
import subprocess
import sys

import pytest
from click.testing import CliRunner

from minibert.__main__ import COMMANDS, main


def call(*arguments: str, text: str | None = None):
    return CliRunner().invoke(main, list(arguments), input=text)


def run(*arguments: str, text: str | None = None) -> subprocess.CompletedProcess:
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONIOENCODING": "utf-8"}
    command = [sys.executable, "-m", "minibert", *arguments]
    return subprocess.run(command, capture_output=True, encoding="utf-8", input=text, env=environment, timeout=300)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A model that the command line trained, two steps on generated text."""
    folder = tmp_path_factory.mktemp("run") / "nano"
    done = run("pretrain", "--corpus", "synthetic", "--steps", "2", "--vocab-size", "600", "--out", str(folder))
    assert done.returncode == 0, done.stderr
    return folder, done


def test_help_lists_every_command_and_does_not_wait_for_torch():
    code = "import sys; from minibert.__main__ import main; main(['--help'], standalone_mode=False); "
    code += "assert 'torch' not in sys.modules"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert all(name in done.stdout for name in COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help(name):
    done = call(name, "--help")
    assert done.exit_code == 0
    assert "Usage" in done.stdout


def test_pretrain_leaves_a_model_folder_and_prints_only_its_result(trained):
    folder, done = trained
    for name in ("config.json", "model.safetensors", "tokenizer.json", "log.jsonl", "training.json"):
        assert (folder / name).is_file()
    assert json.loads(done.stdout)["step"] == 2  # stdout is one JSON object: nothing else was printed there
    assert "step" in done.stderr
    notes = json.loads((folder / "training.json").read_text(encoding="utf-8"))
    assert "--corpus synthetic" in notes["command"] and notes["seed"] == 0


def test_the_same_command_finds_the_run_finished(trained):
    folder, first = trained
    before = (folder / "model.safetensors").read_bytes()
    again = run("pretrain", "--corpus", "synthetic", "--steps", "2", "--vocab-size", "600", "--out", str(folder))
    assert again.returncode == 0, again.stderr
    assert json.loads(again.stdout) == json.loads(first.stdout)
    assert (folder / "model.safetensors").read_bytes() == before


def test_other_settings_on_the_same_run_are_refused(trained):
    folder, _ = trained
    done = run("pretrain", "--corpus", "synthetic", "--steps", "2", "--seed", "1", "--out", str(folder))
    assert done.returncode == 1
    assert "seed" in done.stderr and "Traceback" not in done.stderr


def test_fill_ranks_words(trained):
    done = call("fill", "--model", str(trained[0]), "--top", "3", "--json", "the [MASK] sees the river")
    assert done.exit_code == 0, done.output
    words = json.loads(done.stdout)["words"]
    assert len(words) == 3
    assert words == sorted(words, key=lambda pair: -pair[1])


def test_fill_without_a_blank_is_refused_in_one_line(trained):
    done = run("fill", "--model", str(trained[0]), "no blank here")
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.startswith("Error: no [MASK]") and len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize("library", [[], ["--rust"]])
def test_tokenize_prints_ids_offsets_and_tokens(trained, library):
    done = call("tokenize", "--model", str(trained[0]), "--json", *library, "a river", "the bank")
    first, second = map(json.loads, done.stdout.splitlines())
    assert first["tokens"][0] == "[CLS]" and len(first["ids"]) == len(first["offsets"])
    assert second["tokens"] != first["tokens"]


def test_texts_come_from_standard_input_too(trained):
    done = call("tokenize", "--model", str(trained[0]), "--json", text="a river\n\nthe bank\n")
    assert len(done.stdout.splitlines()) == 2


def test_no_text_is_wrong_usage(trained):
    assert call("tokenize", "--model", str(trained[0]), text="").exit_code == 2


def test_embed_prints_unit_vectors_and_similarities(trained):
    done = call("embed", "--model", str(trained[0]), "a river", "the bank", "a river")
    vectors = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(vectors) == 3 and vectors[0] == pytest.approx(vectors[2], abs=1e-6)
    assert sum(x * x for x in vectors[1]) == pytest.approx(1, abs=1e-5)
    table = call("embed", "--similarity", "--model", str(trained[0]), "a river", "the bank").stdout
    assert table.splitlines()[0].split()[0] == "1.000"


def test_attend_prints_keys_and_draws_the_map(trained, tmp_path):
    picture = tmp_path / "map.png"
    done = call("attend", "--model", str(trained[0]), "a river", "--layer", "-1", "--plot", str(picture))
    assert done.exit_code == 0, done.output
    assert "[CLS]  ->" in done.stdout
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_attend_refuses_a_head_that_is_not_there(trained):
    done = run("attend", "--model", str(trained[0]), "a river", "--head", "9")
    assert done.returncode == 1
    assert "numbered 0 to 3" in done.stderr


def test_info_counts_parameters_and_describes_folders(trained):
    assert "109,482,240" in call("info", "bert-base").stdout
    assert json.loads(call("info", "--json", str(trained[0])).stdout)["family"] == "bert"
    assert "torch" in call("info").stdout


def test_an_unknown_model_is_refused():
    done = run("fill", "--model", "bert-base-uncased", "a [MASK]")
    assert done.returncode == 1
    assert "expected a folder" in done.stderr


def test_data_list_names_licences_and_a_missing_set_says_how_to_fetch_it(tmp_path, monkeypatch):
    monkeypatch.setenv("MINIBERT_CACHE", str(tmp_path))
    assert "licence" in call("data", "list").stdout
    done = call("data", "show", "bbc")
    assert "not cached" in done.output
    refused = call("embed", "a cat")  # needs MiniLM
    assert refused.exit_code == 1
    assert "data fetch minilm" in str(refused.exception)


def test_a_text_file_is_a_corpus(tmp_path):
    file = tmp_path / "corpus.txt"
    lines = "the river is wide\nthe bank is steep\n\nthe bank lends money\nthe rate is high\n\n"
    file.write_text(lines * 30, encoding="utf-8")
    done = run(
        "pretrain", "--preset", "modernbert-nano", "--corpus", str(file), "--steps", "1", "--vocab-size", "320",
        "--out", str(tmp_path / "run"),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["step"] == 1


def test_data_fetch_asks_for_the_core_and_reports_a_failure_as_one_error(monkeypatch):
    from minibert import corpora

    asked = []
    monkeypatch.setattr(corpora, "fetch", asked.append)
    assert call("data", "fetch").exit_code == 0
    assert call("data", "fetch", "sotu", "bbc").exit_code == 0
    assert asked == ["core", ["sotu", "bbc"]]

    def unreachable(names):
        raise corpora.DataUnavailable("no connection")

    monkeypatch.setattr(corpora, "fetch", unreachable)
    done = call("data", "fetch")
    assert done.exit_code == 1
    assert "Error: no connection" in done.output


@pytest.mark.parametrize(
    ("option", "complaint"),
    [
        (["--learning-rate", "nan"], "learning_rate"),
        (["--mask-rate", "nan"], "--mask-rate"),
        (["--batch-tokens", "64"], "--batch-tokens 64"),
        (["--preset", "modernbert-nano", "--whole-words"], "--whole-words"),
        (["--max-len", "256", "--batch-tokens", "512"], "128 positions"),
        (["--device", "cuda:7"], "--device cuda:7"),
        (["--corpus", "no-such-file.txt"], "no-such-file.txt"),
    ],
)
def test_pretrain_refuses_before_it_trains_a_tokenizer(option, complaint, tmp_path):
    done = call("pretrain", "--corpus", "synthetic", "--out", str(tmp_path / "run"), *option)
    assert done.exit_code == 1
    assert complaint in str(done.exception)
    assert not (tmp_path / "run").exists()


def test_pretrain_leaves_a_folder_alone_that_is_not_its_own(tmp_path):
    (tmp_path / "config.json").write_text("{}", encoding="utf-8")
    done = call("pretrain", "--corpus", "synthetic", "--out", str(tmp_path))
    assert done.exit_code == 1
    assert "holds no run of ours" in str(done.exception)
    assert [file.name for file in tmp_path.iterdir()] == ["config.json"]


def test_a_file_that_is_not_utf8_is_named(tmp_path):
    file = tmp_path / "latin.txt"
    file.write_bytes("caf\xe9".encode("latin-1"))
    done = call("pretrain", "--corpus", str(file), "--out", str(tmp_path / "run"))
    assert done.exit_code == 1
    assert "latin.txt, line 1, is not UTF-8" in str(done.exception)


def test_fill_needs_a_model_that_names_words(trained, tmp_path):
    from minibert import Encoder, load_tokenizer

    Encoder.from_pretrained(trained[0]).save_pretrained(tmp_path)
    load_tokenizer(trained[0]).save_pretrained(tmp_path)
    done = call("fill", "--model", str(tmp_path), "a [MASK]")
    assert done.exit_code == 1
    assert "without the head that names words" in str(done.exception)
