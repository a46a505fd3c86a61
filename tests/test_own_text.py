"""Training on one's own text: nothing stale is used again, no text is lost in silence, damage is named."""

import json
import os
import random
import re
import threading

import pytest
import torch
from click.testing import CliRunner

from minibert import load_tokenizer
from minibert.commands.pretrain import pretrain
from minibert.corpora.own_text import read_text_file
from minibert.training import PretrainingData

ENGLISH = "the cat dog sat ran on mat big small house tree river sings quickly over under never again".split()
RUSSIAN = "собака кошка дом река дерево бежит спит ночь день".split()


def text_of(documents=12, sentences=6, words=ENGLISH, seed=0):
    """Documents of sentences, one a line, with an empty line between documents."""
    rng = random.Random(seed)
    lines = [[" ".join(rng.choice(words) for _ in range(8)) for _ in range(sentences)] for _ in range(documents)]
    return "\n\n".join("\n".join(document) for document in lines) + "\n"


@pytest.fixture
def corpus(tmp_path):
    file = tmp_path / "text.txt"
    file.write_text(text_of(), encoding="utf-8")
    return file


def call(corpus, *options, preset="bert-nano", steps=1):
    arguments = f"--preset {preset} --steps {steps} --batch-tokens 256 --max-len 64 --vocab-size 400".split()
    out = corpus.parent / "run"
    return CliRunner().invoke(pretrain, [*arguments, "--corpus", str(corpus), "--out", str(out), *options])


def works(*arguments, **options):
    done = call(*arguments, **options)
    assert done.exit_code == 0, (done.exception, done.stderr)
    return done.stderr


def refused(*arguments, **options):
    done = call(*arguments, **options)
    assert done.exit_code and isinstance(done.exception, ValueError), done.output
    return str(done.exception)


# Nothing stale ------------------------------------------------------------------------------------------------------


def test_a_refused_text_leaves_no_folder_behind(corpus):
    corpus.write_text(text_of(documents=1, sentences=100), encoding="utf-8")
    assert "documents with text: 1, too few" in refused(corpus) and not (corpus.parent / "run").exists()


def test_a_corrected_corpus_gets_a_tokenizer_of_its_own(corpus, monkeypatch):
    monkeypatch.setattr("minibert.training.train", lambda *_, **__: 1 / 0)
    assert isinstance(call(corpus).exception, ZeroDivisionError)  # interrupted before the first checkpoint
    assert (corpus.parent / "run" / "tokenizer.json").is_file()
    monkeypatch.undo()
    corpus.write_text(text_of(words=RUSSIAN), encoding="utf-8")
    said = works(corpus)
    tok = load_tokenizer(corpus.parent / "run")
    assert tok.unk_id not in tok.ids("собака спит") and "the text of the corpus is another): begun anew" in said


@pytest.mark.parametrize("option", [["--seed", "1"], ["--vocab-size", "500"]])
def test_a_start_without_a_checkpoint_gives_way_to_other_settings(corpus, monkeypatch, option):
    monkeypatch.setattr("minibert.training.train", lambda *_, **__: 1 / 0)
    call(corpus)
    monkeypatch.undo()
    assert "begun anew" in works(corpus, *option)


def test_a_trained_run_is_not_continued_on_another_text(corpus):
    works(corpus)
    weights = (corpus.parent / "run" / "model.safetensors").read_bytes()
    corpus.write_text(text_of(seed=1), encoding="utf-8")
    assert "the text of the corpus is another" in refused(corpus)
    assert (corpus.parent / "run" / "model.safetensors").read_bytes() == weights


def test_one_changed_letter_is_another_text(corpus):
    works(corpus)
    corpus.write_text(text_of().replace("cat", "bat", 1), encoding="utf-8")
    assert "the text of the corpus is another" in refused(corpus)


def test_the_same_text_under_another_name_continues(corpus):
    works(corpus)
    moved = corpus.rename(corpus.parent / "moved.txt")
    assert "begun anew" not in works(moved)


def test_another_tokenizer_in_the_run_folder_is_not_taken_for_its_own(corpus):
    works(corpus)
    file = corpus.parent / "run" / "tokenizer.json"
    whole = file.read_text(encoding="utf-8")
    for content in (whole.replace('"cat"', '"cut"'), whole[:500], ""):
        file.write_text(content, encoding="utf-8")
        assert "tokenizer.json is damaged or not the one that this run made: delete it" in refused(corpus)
    file.unlink()  # the advice
    works(corpus)
    assert file.read_text(encoding="utf-8") == whole


def test_a_tokenizer_from_before_a_kill_is_made_again(corpus, tmp_path):
    """run.json without a checksum: the tokenizer beside it may be of any text."""
    works(corpus)
    folder = corpus.parent / "run"
    settings = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    whole = (folder / "tokenizer.json").read_bytes()
    del settings["tokenizer_sha256"]
    (folder / "run.json").write_text(json.dumps(settings), encoding="utf-8")
    (folder / "tokenizer.json").write_bytes(whole.replace(b'"cat"', b'"cut"'))
    works(corpus)
    assert (folder / "tokenizer.json").read_bytes() == whole


def test_the_same_command_finds_its_run_finished(corpus):
    works(corpus)
    folder = corpus.parent / "run"
    before = {file.name: file.read_bytes() for file in folder.iterdir() if file.is_file()}
    works(corpus)
    assert {file.name: file.read_bytes() for file in folder.iterdir() if file.is_file()} == before


# No text is lost in silence -----------------------------------------------------------------------------------------


def counts(corpus, pairs=True, **options):
    documents = read_text_file(corpus)
    from minibert import WordPieceTokenizer

    tok = WordPieceTokenizer.train((s for d in documents for s in d), vocab_size=400)
    return PretrainingData(documents, tok, pairs=pairs, max_len=64, batch_tokens=256, **options).count()


def document_a_line():
    return text_of(12, 80).replace("\n\n", "\r").replace("\n", ". ").replace("\r", "\n\n")


@pytest.mark.parametrize("split_long", [None, True])
def test_a_document_on_each_line_is_kept(corpus, split_long):
    corpus.write_text(document_a_line(), encoding="utf-8")
    found = counts(corpus, split_long=split_long)
    assert found["sentences"] == found["documents"] and found["kept"] > 0.85 * found["tokens"]
    cut = counts(corpus, split_long=False)
    assert cut["kept"] < 0.1 * cut["tokens"], "the control: as BERT's code does it"


def test_the_run_says_that_long_lines_are_split_and_what_is_dropped(corpus):
    corpus.write_text(document_a_line(), encoding="utf-8")
    said = works(corpus)
    assert "sentences longer than --max-len 64 are split" in said
    assert "10 documents, 10 sentences, " in said and "set aside to validate: 2 document(s)" in said
    kept, trained = (re.search(pattern, said)[1] for pattern in ("they keep all ([0-9,]+) tok", "([0-9,]+) tokens to"))
    assert kept == trained and int(kept.replace(",", "")) > 7_000
    corpus.write_text(text_of(40, 12), encoding="utf-8")
    said = works(corpus, "--out", str(corpus.parent / "other"))
    assert "are split" not in said and "and drop" in said and "longer than --max-len 64 and was cut" in said


@pytest.mark.parametrize("preset", ["modernbert-nano", "eurobert-nano"])
def test_without_pairs_every_token_is_kept_whatever_the_lines(corpus, preset):
    for text in (text_of(), document_a_line()):
        corpus.write_text(text, encoding="utf-8")
        (corpus.parent / "again").mkdir(exist_ok=True)
        found = counts(corpus, pairs=False)
        assert found["kept"] == found["tokens"] > 0
    assert "they keep all" in works(corpus, preset=preset)


def test_a_sentence_a_document_is_said_to_have_no_neighbours(corpus):
    corpus.write_text(text_of(40, 1), encoding="utf-8")
    said = works(corpus)
    assert "no pair is of true neighbours, for each document has one sentence" in said
    found = counts(corpus)
    assert found["kept"] == found["tokens"]


@pytest.mark.parametrize(
    "text",
    [
        text_of(documents=1, sentences=50),  # a document a line without empty lines, or a book
        text_of(documents=1, sentences=50).replace("\n", ". "),  # one long line
    ],
)
@pytest.mark.parametrize("preset", ["bert-nano", "modernbert-nano"])
def test_a_single_document_is_refused_with_the_file_format(corpus, text, preset):
    corpus.write_text(text, encoding="utf-8")
    assert "in a text file an empty line ends a document" in refused(corpus, preset=preset)


@pytest.mark.parametrize("text", ["", "\n\n \n", "\ufeff", "\ufeff\n"])
def test_an_empty_file_is_refused(corpus, text):
    corpus.write_text(text, encoding="utf-8")
    assert "text.txt holds no text" in refused(corpus)


def test_documents_in_which_the_tokenizer_finds_nothing_are_counted(corpus):
    corpus.write_text(text_of() + "\n\u200b\u200b\n\n\u200b\n", encoding="utf-8")
    assert "2 document(s) dropped: the tokenizer finds no token in them" in works(corpus)


def test_unknown_words_are_counted(corpus):
    corpus.write_text(text_of() + "\n" + "漢" * 150 + "\n", encoding="utf-8")
    assert counts(corpus)["unknown"] == 0  # each Chinese character is a word
    corpus.write_text(text_of() + ("\n" + "x" * 150 + " the end\n") * 3, encoding="utf-8")  # too long a word
    assert "of the tokens are [UNK], unknown words" in works(corpus)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le with mark"])
def test_a_marked_text_file_is_read(tmp_path, encoding):
    text = ("\ufeff" if "mark" in encoding else "") + "Größe.\nZwei.\r\n\r\nDrei."
    (tmp_path / "a.txt").write_bytes(text.encode(encoding.split()[0]))
    assert read_text_file(tmp_path / "a.txt") == [["Größe.", "Zwei."], ["Drei."]]


def test_a_text_file_in_another_encoding_is_named(tmp_path):
    for name, data in {"latin.txt": "Größe".encode("cp1252"), "wide.txt": "plain".encode("utf-16-le")}.items():
        (tmp_path / name).write_bytes(data)
        with pytest.raises(ValueError, match=f"{name}, line 1, (is not UTF-8|holds zero bytes).*save it as UTF-8"):
            read_text_file(tmp_path / name)
    with pytest.raises(ValueError, match="no such text file"):
        read_text_file(tmp_path)


@pytest.mark.parametrize("inside", "\x0b \x0c \x1c \x1d \x1e \x85 \u2028 \u2029".split(" "))
def test_a_line_of_the_file_is_a_sentence(tmp_path, inside):
    (tmp_path / "a.txt").write_text(f"One{inside}still one.\nTwo.\n", encoding="utf-8", newline="\n")
    assert read_text_file(tmp_path / "a.txt") == [[f"One{inside}still one.", "Two."]]


@pytest.mark.skipif(os.name == "nt", reason="Windows has no named pipes among its files")
def test_a_corpus_may_come_through_a_pipe(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    writer = threading.Thread(target=(tmp_path / "pipe").write_text, args=("One.\n\nTwo.\n",))
    writer.start()
    assert read_text_file(tmp_path / "pipe") == [["One."], ["Two."]]
    writer.join()


def test_no_line_end_of_windows_ends_a_document(tmp_path):
    (tmp_path / "a.txt").write_bytes(b"One.\r\r\nTwo.\r\r\n\r\r\nThree.\r\r\n")  # written twice in text mode
    assert read_text_file(tmp_path / "a.txt") == [["One.", "Two."], ["Three."]]


# Damage is named ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"null", b"\xff\xfe{", b"\0\0\0", b'{"seed": 0'])
def test_a_damaged_run_json_is_named_with_what_to_do(corpus, content):
    works(corpus)
    (corpus.parent / "run" / "run.json").write_bytes(content)
    message = refused(corpus)
    assert "run.json is damaged" in message and "to begin anew, or choose another --out" in message


def test_a_byte_order_mark_in_run_json_is_no_damage(corpus):
    works(corpus)
    file = corpus.parent / "run" / "run.json"
    file.write_bytes(b"\xef\xbb\xbf" + file.read_bytes())
    works(corpus)


@pytest.mark.parametrize("line", [b"{", b"[]", b'{"loss": 1}', b"\0\0\0", b"\xff", b""])
def test_a_damaged_line_of_the_log_is_named_with_what_to_do(corpus, line):
    works(corpus)
    file = corpus.parent / "run" / "log.jsonl"
    lines = file.read_bytes().split(b"\n")
    file.write_bytes(b"\n".join([lines[0], line, *lines[1:]]))
    assert "log.jsonl, line 2, is damaged" in refused(corpus)
    file.unlink()  # the advice
    works(corpus)


def test_damaged_checkpoints_are_named_with_what_to_do(corpus):
    works(corpus)
    for file in (corpus.parent / "run" / "checkpoints").glob("*.safetensors"):
        file.write_bytes(file.read_bytes()[:-9])
    with pytest.warns(UserWarning, match=r"step-00000001\.json is damaged"):
        message = refused(corpus)
    assert "step-00000001.json: " in message and "delete them to start anew" in message


def test_a_file_where_the_folder_should_be_is_named(corpus):
    (corpus.parent / "run").write_text("", encoding="utf-8")
    assert "run is not empty and holds no run of ours" in refused(corpus)


def test_splitting_changes_nothing_where_no_sentence_is_long():
    from minibert.corpora import synthetic

    documents = synthetic.documents(20, seed=0)
    from minibert import WordPieceTokenizer

    tok = WordPieceTokenizer.train((s for d in documents for s in d), vocab_size=300)
    batches = [
        PretrainingData(documents, tok, pairs=True, max_len=64, batch_tokens=256, split_long=split).next_batch()
        for split in (None, True, False)
    ]
    assert torch.equal(batches[0].ids, batches[1].ids) and torch.equal(batches[0].ids, batches[2].ids)
