"""Shards: what goes in comes out, whoever is killed while writing; damage and other texts are refused."""

import itertools
import json
import os
import shutil
import signal
import tracemalloc

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from test_training_data import equal, originals

from minibert import WordPieceTokenizer
from minibert.corpora import synthetic
from minibert.corpora.own_text import TextFiles
from minibert.training import PretrainingData
from minibert.training import shards as file
from minibert.training.documents import tokenise
from minibert.training.shards import Shards, write_shards

DOCUMENTS = synthetic.documents(60, seed=0)
TOKENIZER = WordPieceTokenizer.train([s for d in DOCUMENTS for s in d], vocab_size=300)
SMALL = dict(shard=3000, block=400, progress=False)


@pytest.fixture
def corpus(tmp_path):
    """Three files of 20 documents: 60 documents of about 200 tokens."""
    folder = tmp_path / "corpus"
    folder.mkdir()
    for number in range(3):
        text = "\n\n".join("\n".join(document) for document in DOCUMENTS[20 * number : 20 * number + 20])
        (folder / f"{number}.txt").write_text(text, encoding="utf-8")
    return folder


def write(corpus, pairs=True, name="shards", tokenizer=TOKENIZER, **options):
    return write_shards(corpus.parent / name, TextFiles(corpus), tokenizer, pairs=pairs, **SMALL | options)


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize("pairs", [True, False])
def test_every_document_comes_back(corpus, pairs):
    shards = write(corpus, pairs)
    assert len(shards.seals) == 5 and len(shards.blocks) > 20 and shards.facts["dtype"] == "uint16"
    read = [document for block in range(len(shards.blocks)) for document in shards.read(block)]
    assert read == [tokenise(document, TOKENIZER, pairs) for document in DOCUMENTS]
    assert shards.total("tokens") == sum(len(TOKENIZER.ids(s)) for d in DOCUMENTS for s in d)


@given(
    st.lists(st.lists(st.lists(st.integers(0, 70_000), max_size=6), max_size=4), max_size=12),
    st.booleans(), st.integers(1, 20), st.integers(1, 9), st.integers(60, 80_000),
)  # fmt: skip
@settings(max_examples=40, deadline=None)
def test_any_ids_in_any_sizes_come_back(tmp_path_factory, documents, pairs, shard, block, vocab_size):
    class Numbers:
        unk_id = None

        def __init__(self):
            self.vocab_size = vocab_size

        def ids(self, text):
            return [int(word) % vocab_size for word in text.split()]

        def to_json(self):
            return {"size": vocab_size}

    folder = tmp_path_factory.mktemp("any")
    texts = [[" ".join(map(str, sentence)) for sentence in document] for document in documents]
    lines = [json.dumps({"text": "\n".join(document)}) for document in texts]
    (folder / "a.jsonl").write_text("\n".join(lines), encoding="utf-8")
    source = TextFiles(folder / "a.jsonl", lines=pairs)
    shards = write_shards(folder / "s", source, Numbers(), pairs=pairs, shard=shard, block=block, progress=False)
    read = [document for number in range(len(shards.blocks)) for document in shards.read(number)]
    wanted = [[i % vocab_size for i in sentence] for document in documents for sentence in document]
    assert [i for d in read for s in (d if pairs else [d]) for i in s] == [i for sentence in wanted for i in sentence]
    assert len(read) == sum(any(document) for document in documents)
    if pairs:
        assert [s for d in read for s in d] == [sentence for sentence in wanted if sentence]


# Killed writers, damage, other texts --------------------------------------------------------------------------------


@pytest.mark.skipif(not hasattr(os, "fork"), reason="Windows has no fork")
def test_a_writer_that_is_killed_at_any_rename_ends_with_the_same_files(corpus):
    """SIGKILL before the move of a file into its place, in real processes that go on where the last one died."""
    write(corpus, name="whole")
    files = []
    for renames in (1, 2, 2, 3, 2, 3):
        child = os.fork()
        if child == 0:
            killed_writer(corpus, renames)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
        files.append(len(contents(corpus.parent / "cut")))
    assert files == [1, 2, 3, 4, 5, 6], "each one came further, and left what it was about to move"
    write(corpus, name="cut")
    assert contents(corpus.parent / "cut") == contents(corpus.parent / "whole")


def killed_writer(corpus, last):
    """Write shards until the rename of this number, and die in its place; end in any case."""
    renames, replace = 0, os.replace

    def counting(source, target):
        nonlocal renames
        renames += 1
        if renames == last:
            os.kill(os.getpid(), signal.SIGKILL)
        replace(source, target)

    os.replace = counting
    try:
        write(corpus, name="cut")
    finally:
        os._exit(1)


def test_what_is_finished_is_not_tokenised_again(corpus, monkeypatch):
    write(corpus)
    monkeypatch.setattr(file, "tokenise", pytest.fail)
    write(corpus)


@pytest.mark.parametrize("name", ["shard-00002.bin", "shard-00002.json", "shard-00004.bin"])
@pytest.mark.parametrize("damage", ["bit", "cut", "empty", "gone"])
def test_a_damaged_shard_is_refused_and_made_again_as_it_was(corpus, name, damage):
    folder = corpus.parent / "shards"
    write(corpus)
    whole = contents(folder)
    data = bytearray(whole[name])
    data[len(data) // 2] ^= 1
    new = {"bit": bytes(data), "cut": whole[name][:-7], "empty": b""}.get(damage)
    (folder / name).unlink() if damage == "gone" else (folder / name).write_bytes(new)
    if not (damage == "gone" and name.endswith("json")):  # then there is no such shard
        with pytest.raises(ValueError, match=r"shard-0000[24].json: this shard is damaged .*: delete this file"):
            write(corpus)
        (folder / name).with_suffix(".json").unlink()  # the advice
    write(corpus)
    assert contents(folder) == whole


def test_a_changed_source_is_refused_by_the_name_of_its_file(corpus):
    write(corpus)
    text = (corpus / "1.txt").read_text(encoding="utf-8")
    (corpus / "1.txt").write_text(text[:-1] + "!", encoding="utf-8")
    (corpus / "3.txt").write_text("New.", encoding="utf-8")
    (corpus / "2.txt").rename(corpus / "2.md")
    with pytest.raises(ValueError, match=r"another \(changed: 1.txt; new: 3.txt; gone: 2.txt\)\. .*delete the folder"):
        write(corpus)


def test_renamed_files_are_the_same_text_and_another_order_is_not(corpus):
    write(corpus)
    (corpus / "0.txt").rename(corpus / "00.txt")
    write(corpus)
    (corpus / "00.txt").rename(corpus / "9.txt")
    with pytest.raises(ValueError, match="the text of the corpus is another"):
        write(corpus)


def test_other_settings_and_other_folders_are_refused(corpus):
    write(corpus)
    other = WordPieceTokenizer.train(["another text"], vocab_size=300)
    for options, message in (
        ({"tokenizer": other}, "the tokenizer is another one"),
        ({"pairs": False}, "pairs was True and is now False"),
        ({"block": 500}, "block was 400 and is now 500"),
    ):
        with pytest.raises(ValueError, match=message):
            write(corpus, **options)
    with pytest.raises(ValueError, match="is not empty and holds no shards of ours"):
        write(corpus, name="corpus")
    (corpus.parent / "shards" / "shards.json").write_text("{", encoding="utf-8")
    with pytest.raises(ValueError, match=r"shards.json is damaged"):
        write(corpus)


def test_unfinished_shards_are_not_read(corpus):
    write(corpus)
    (corpus.parent / "shards" / "shard-00003.json").unlink()
    with pytest.raises(ValueError, match="has 3 shards and lacks more"):
        Shards(corpus.parent / "shards")


def test_a_row_that_cannot_be_read_is_named_and_what_was_written_stays(corpus):
    (corpus / "2.txt").write_bytes((corpus / "2.txt").read_bytes() + b"\n\xff\n")
    with pytest.raises(ValueError, match=r"2.txt, line [0-9]+, is not UTF-8"):
        write(corpus)
    assert (corpus.parent / "shards" / "shard-00002.json").is_file()


# The stream of batches ----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    """Shards of the 60 documents, with and without sentences."""
    folder = tmp_path_factory.mktemp("stored")
    text = "\n\n".join("\n".join(document) for document in DOCUMENTS)
    (folder / "a.txt").write_text(text, encoding="utf-8")
    return {pairs: write(folder / "a.txt", pairs, name=f"shards {pairs}") for pairs in (True, False)}


@pytest.fixture
def pools(monkeypatch):
    """Pools of three blocks, as small as the corpus."""
    monkeypatch.setattr(file, "POOL", 3)


def make(stored, pairs, **changes):
    options = dict(max_len=48, batch_tokens=256, validation_share=0.1, seed=3) | changes
    return PretrainingData(stored[pairs], TOKENIZER, pairs=pairs, **options)


def test_an_epoch_shows_every_token_once_and_the_next_one_in_another_order(stored, pools):
    data = make(stored, False)
    assert data.source.pools == len(stored[False].blocks) // 3 > 5 and len(data.validation_documents) == 6
    kept = list(data.validation_documents)
    wanted = sorted(tokenise(document, TOKENIZER, False) for document in DOCUMENTS)
    epochs = []
    for _ in range(2):
        epoch, shown, pools_seen = data.epoch, [], []
        while True:
            shown += originals(data.next_batch())
            pools_seen.append(data.pool)
            if data.pool == data.source.pools - 1 and data.batch == len(data.batches):
                break
        assert pools_seen == sorted(pools_seen) and set(pools_seen) == set(range(data.source.pools))
        epochs.append(shown)
        trained = [document for p in range(data.source.pools) for document in data.source.pool(epoch, p)]
        assert sorted(trained + kept) == wanted, "whole documents, none in both parts, none left out"
        pieces = [d[i : i + 46] for d in trained for i in range(0, len(d), 46)]
        assert sorted(list(e[1:-1]) for e in shown) == sorted(pieces)
        data._go_to(epoch + 1)
    assert sorted(epochs[0]) == sorted(epochs[1]) and epochs[0] != epochs[1]


@pytest.mark.parametrize("pairs", [True, False])
def test_the_stream_resumes_at_any_batch_and_is_shared_by_any_number_of_processes(stored, pools, pairs):
    one, others = make(stored, pairs), [make(stored, pairs) for _ in range(3)]
    for step in range(150):
        taken = one.next_batch()
        for number, other in enumerate(others):
            if step % 3 == number:
                assert equal(other.next_batch(), taken)
            else:
                other.skip_batch()
            assert other.state_dict() == one.state_dict()
        if step % 10 == 0:
            twin = make(stored, pairs)
            twin.load_state_dict(one.state_dict())
            follower = make(stored, pairs)
            follower.load_state_dict(one.state_dict())
            assert equal(twin.next_batch(), follower.next_batch())
            others[0] = follower
            follower.load_state_dict(one.state_dict())
    assert one.epoch >= 1 and one.state_dict()["pool"] > 0


def test_pairs_have_their_labels_and_masks_differ_from_pool_to_pool(stored, pools):
    data = make(stored, True)
    labels = [label for _ in range(60) for label in data.next_batch().next_labels.tolist()]
    assert 0.3 < sum(labels) / len(labels) < 0.9
    data = make(stored, False)
    same, hidden = data.batches[0], set()
    for pool in (0, 1):
        data._go_to(0, pool)
        data.batches = [same]
        hidden.add(tuple(data.next_batch().labels.tolist()))
    assert len(hidden) == 2


def test_one_pool_holds_what_documents_in_memory_hold(stored):
    """A corpus of one pool: the same examples as from memory, where the same documents are set aside."""
    memory = PretrainingData(
        DOCUMENTS, TOKENIZER, pairs=False, max_len=48, batch_tokens=256, validation_share=0.0, seed=3
    )
    disk = make(stored, False, validation_share=0.0)
    assert disk.source.pools == 1
    assert sorted(e.ids for e in memory.examples) == sorted(e.ids for e in disk.examples)
    counts, others = memory.count(), disk.count()
    assert {name: counts[name] for name in others} == others


def test_few_tokens_are_set_aside_of_a_large_corpus(stored, monkeypatch):
    monkeypatch.setattr(file, "HELD_OUT", 1000)
    data = make(stored, True, validation_share=0.5)
    assert 2 <= len(data.validation_documents) <= 6 and data.count()["documents"] >= 54


def test_memory_does_not_grow_with_the_corpus(tmp_path, pools, monkeypatch):
    """Eight times the text, the same peak: of what Python holds while it tokenises and while it takes batches."""
    monkeypatch.setattr(file, "HELD_OUT", 1000)
    peaks = []
    for times in (1, 8):
        folder = tmp_path / str(times)
        folder.mkdir()
        text = "\n\n".join("\n".join(document) for document in DOCUMENTS)
        for number in range(times):
            (folder / f"{number}.txt").write_text(text, encoding="utf-8")
        tracemalloc.start()
        shards = write(folder, name=f"shards {times}")
        data = PretrainingData(shards, TOKENIZER, pairs=True, max_len=48, batch_tokens=256)
        for _ in range(3):
            data.next_batch()
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert shards.total("tokens") == 12624 * times
    assert peaks[1] < 1.15 * peaks[0], peaks


def test_settings_tell_shards_apart(stored, corpus):
    assert make(stored, True).describe() == make(stored, True).describe()
    described = make(stored, True).describe()
    assert described["order"].endswith("pools of 32 blocks")
    (corpus / "1.txt").unlink()
    other = PretrainingData(write(corpus), TOKENIZER, pairs=True, max_len=48, batch_tokens=256)
    assert other.describe()["tokens_sha256"] != described["tokens_sha256"]
    with pytest.raises(ValueError, match="hold sentences, and this model is trained on documents without sentences"):
        PretrainingData(stored[True], TOKENIZER, pairs=False)
    shutil.rmtree(corpus)
    with pytest.raises(ValueError, match="lies beyond"):
        make(stored, True).load_state_dict({"epoch": 0, "pool": 9, "batch": 0})


def test_long_sentences_are_split_for_pairs(stored):
    data = make(stored, True, max_len=12)
    assert max(len(s) for document in data.documents for s in document) <= 9
    assert sum(len(s) for d in data.documents for s in d) == data.count()["tokens"]
    assert torch.is_tensor(data.next_batch().ids) and list(itertools.islice(data.validation_batches(), 1))
