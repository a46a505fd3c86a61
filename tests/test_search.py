"""A search index on disk and the command that makes and asks it: whole or refused, and the answers are the index's."""

import json

import pytest
import torch
from click.testing import CliRunner

from minibert import Encoder, EncoderConfig, WordPieceTokenizer
from minibert.__main__ import main
from minibert.checkpoints import save_model
from minibert.tasks import embed_texts
from minibert.tasks.retrieval import Index
from minibert.tasks.search_folder import open_index, read_rows, save_index

TEXTS = ["the cat sat", "a dog ran", "the mat", "dogs and cats ran on the mat"]


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """The folder of a small model, drawn at random."""
    folder = tmp_path_factory.mktemp("model")
    tok = WordPieceTokenizer.train([" ".join(TEXTS)] * 3, vocab_size=60)
    config = EncoderConfig.preset("bert-nano").replace(vocab_size=tok.vocab_size, hidden=32, heads=2, layers=1)
    save_model(Encoder(config, generator=torch.Generator().manual_seed(0)), folder, tok)
    return folder


def call(*arguments: str, text: str | None = None):
    return CliRunner().invoke(main, ["search", *map(str, arguments)], input=text)


@pytest.fixture
def index(tmp_path, model):
    """An index of TEXTS that the command made."""
    (tmp_path / "texts.txt").write_text("\n".join(TEXTS) + "\n\n", encoding="utf-8")
    done = call(tmp_path / "index", "--build", tmp_path / "texts.txt", "--model", model)
    assert done.exit_code == 0 and done.stdout == "", done.output
    return tmp_path / "index"


def test_the_command_answers_as_the_index_does(index, model):
    from minibert import load_tokenizer

    done = call(index, "a cat", "the dog", "-k", "3", "--json")
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    encoder, tok = Encoder.from_pretrained(model), load_tokenizer(model)
    expected = Index(embed_texts(TEXTS, encoder, tok), TEXTS).search(embed_texts(["a cat", "the dog"], encoder, tok), 3)
    assert [(row["text"], row["cosine"]) for row in rows] == [
        (text, pytest.approx(cosine, abs=1e-5)) for each in expected for text, cosine in each
    ]
    assert [row["rank"] for row in rows] == [1, 2, 3, 1, 2, 3] and rows[3]["query"] == "the dog"
    table = call(index, text="the mat\n").stdout.splitlines()
    assert table[0] == "the mat" and table[1].split()[:2] == ["1", "1.000"] and table[1].endswith("the mat")
    assert sorted(path.name for path in index.iterdir()) == ["index.json", "texts.jsonl", "vectors.safetensors"]


def test_json_lines_keep_their_other_fields(tmp_path, model):
    file = tmp_path / "rows.jsonl"
    file.write_text('{"id": 7, "body": "the cät"}\n\n{"body": "a dog", "text": "lost"}\n', encoding="utf-8")
    assert read_rows(file, "body") == [{"text": "the cät", "id": 7}, {"text": "a dog"}]
    built = call(tmp_path / "index", "the cät", "--build", file, "--field", "body", "--model", model, "--json")
    assert json.loads(built.stdout.splitlines()[0])["id"] == 7


@pytest.mark.parametrize(
    ("name", "content", "complaint"),
    [
        ("a.txt", "\n \n", "holds no text"),
        ("a.jsonl", '{"text": "one"}\n{"text": ', "line 2: no JSON"),
        ("a.jsonl", '{"body": "one"}\n', "line 1 has no text in 'text': fields there are 'body'"),
        ("a.jsonl", '["one"]\n', "line 1: a list, expected an object"),
        ("a.jsonl", '{"text": " "}\n', "line 1 has no text"),
    ],
)
def test_a_bad_file_is_named_with_its_line(tmp_path, name, content, complaint):
    (tmp_path / name).write_text(content, encoding="utf-8")
    with pytest.raises(ValueError, match=complaint):
        read_rows(tmp_path / name)


def test_a_folder_whose_files_do_not_belong_together_is_refused(index, tmp_path):
    saved = open_index(index)
    (index / "texts.jsonl").write_text('{"text": "another"}\n', encoding="utf-8")
    with pytest.raises(ValueError, match="do not belong together"):
        open_index(index)
    save_index(index, saved.rows, saved.vectors, saved.made_with)  # may be replaced
    assert open_index(index).rows == saved.rows
    (index / "vectors.safetensors").unlink()
    with pytest.raises(ValueError, match="do not belong together"):
        open_index(index)
    with pytest.raises(ValueError, match="no search index"):
        open_index(tmp_path)


def test_what_cannot_be_written_leaves_the_old_index(index, tmp_path):
    before = {path.name: path.read_bytes() for path in index.iterdir()}
    for rows, vectors, complaint in (
        ([{"text": "a"}], torch.eye(2), "a vector \\(D,\\) for each row"),
        ([{"text": "a", "x": float("nan")}], torch.eye(1), "row 0 cannot be written"),
        ([{"text": "\ud800"}], torch.eye(1), "row 0 cannot be written"),
        ([{"body": "a"}], torch.eye(1), "row 0 has no 'text'"),
    ):
        with pytest.raises(ValueError, match=complaint):
            save_index(index, rows, vectors, {})
    assert before == {path.name: path.read_bytes() for path in index.iterdir()}
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "letter.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(ValueError, match="no part of an index"):
        save_index(tmp_path / "other", [{"text": "a"}], torch.eye(1), {})


def test_a_model_that_was_changed_since_is_noticed(tmp_path, model, index):
    from minibert import load_tokenizer

    tok = load_tokenizer(model)
    config = Encoder.from_pretrained(model).config
    moved = tmp_path / "moved"
    save_model(Encoder(config, generator=torch.Generator().manual_seed(0)), moved, tok)
    assert call(tmp_path / "second", "--build", tmp_path / "texts.txt", "--model", moved).exit_code == 0
    save_model(Encoder(config, generator=torch.Generator().manual_seed(1)), moved, tok)
    refused = call(tmp_path / "second", "the cat")
    assert refused.exit_code == 1 and "makes other vectors" in str(refused.exception)


def test_options_that_make_an_index_are_refused_in_a_search(index):
    refused = call(index, "a cat", "--pool", "cls")
    assert refused.exit_code == 2 and "belong to --build" in refused.output
