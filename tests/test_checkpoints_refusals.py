"""What is wrong with a folder is said by name; what is right survives an interrupted save."""

import json
import os
import pickle
import shutil
import signal
import subprocess
import sys
import textwrap

import pytest
import torch

from minibert import checkpoints
from minibert.config import EncoderConfig
from minibert.files import write_text
from minibert.model import (
    Encoder,
    MaskedLanguageModel,
    PretrainingModel,
    SequenceClassifier,
    SpanReader,
    TokenClassifier,
)

NANO = dict(vocab_size=61, hidden=32, layers=2, heads=4, intermediate=40)
WEIGHTS, INDEX = "model.safetensors", "model.safetensors.index.json"
QUERY = "bert.encoder.layer.1.attention.self.query.weight"


def nano(family="bert", **changes) -> EncoderConfig:
    return EncoderConfig.preset(f"{family}-nano").replace(**NANO | changes)


@pytest.fixture
def folder(tmp_path):
    MaskedLanguageModel(nano(), generator=torch.Generator().manual_seed(0)).save_pretrained(tmp_path)
    return tmp_path


def edit(folder, change):
    tensors = checkpoints.load_tensors(folder / WEIGHTS)
    change(tensors)
    checkpoints.save_tensors(tensors, folder / WEIGHTS)


def edit_config(folder, **changes):
    raw = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    raw = {key: value for key, value in (raw | changes).items() if value is not None}
    (folder / "config.json").write_text(json.dumps(raw), encoding="utf-8")


def refused(folder, *words, cls=MaskedLanguageModel, **options):
    with pytest.raises(ValueError) as caught:
        cls.from_pretrained(folder, **options)
    for word in words:
        assert word in str(caught.value)


# ---- tensors


def test_missing_weights_are_named(folder):
    edit(folder, lambda tensors: tensors.pop(QUERY))
    refused(folder, "missing", "blocks.1.attention.query_key_value.weight", QUERY.removeprefix("bert."), "incomplete")
    refused(folder, "blocks.1.attention.query_key_value.weight", new_head=True)  # a body is never drawn


def test_unknown_weights_are_named(folder):
    edit(folder, lambda tensors: tensors.update({"bert.encoder.layer.0.adapter.weight": torch.ones(1)}))
    refused(folder, "bert.encoder.layer.0.adapter.weight", "no MaskedLanguageModel")
    refused(folder, "adapter", cls=Encoder)


def test_more_layers_than_the_config_says(folder):
    edit_config(folder, num_hidden_layers=1)
    refused(folder, "bert.encoder.layer.1.", "more", "config.json")


def test_gamma_is_renamed_in_layer_norms_only(folder):
    name = "cls.predictions.transform.dense."
    edit(folder, lambda tensors: tensors.update({name + "gamma": tensors.pop(name + "weight")}))
    refused(folder, name + "gamma", name + "weight", "missing")


def test_one_tensor_under_two_names(folder):
    name = "bert.embeddings.LayerNorm."
    edit(folder, lambda tensors: tensors.update({name + "gamma": torch.ones(32)}))
    refused(folder, name + "gamma", name + "weight", "two names")


def test_wrong_shape(folder):
    edit(folder, lambda tensors: tensors.update({QUERY: torch.ones(32, 31)}))
    refused(folder, QUERY, "(32, 31)", "(32, 32)")


def test_a_vocabulary_of_another_size(folder):
    edit_config(folder, vocab_size=60)
    refused(folder, "word_embeddings", "(61, 32)", "(60, 32)")


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_nan_and_infinity(folder, bad):
    edit(folder, lambda tensors: tensors[QUERY].view(-1)[5].fill_(bad))
    refused(folder, QUERY, "NaN or infinity")


def test_too_large_for_the_dtype_asked_for(folder):
    edit(folder, lambda tensors: tensors[QUERY].view(-1)[5].fill_(1e30))
    MaskedLanguageModel.from_pretrained(folder)
    refused(folder, QUERY, "infinity", "float16", dtype=torch.float16)


@pytest.mark.parametrize("dtype", [torch.int8, torch.bool, torch.complex64, torch.float8_e4m3fn, "bf16", None])
def test_a_dtype_that_no_model_computes_in(folder, dtype):
    refused(folder, f"dtype={dtype!r}", "torch.bfloat16", dtype=dtype)


@pytest.mark.parametrize("dtype", [torch.int64, torch.int8, torch.bool])
def test_integer_weights(folder, dtype):
    edit(folder, lambda tensors: tensors.update({QUERY: torch.ones(32, 32, dtype=dtype)}))
    refused(folder, QUERY, str(dtype))


def test_a_tied_copy_that_differs(folder):
    copy = "cls.predictions.decoder.weight"
    edit(folder, lambda tensors: tensors.update({copy: torch.ones(61, 32)}))
    refused(folder, copy, "word_embeddings", "ties")
    refused(folder, copy, cls=Encoder)


def test_a_tied_copy_that_agrees_and_old_buffers_are_fine(folder):
    def change(tensors):
        tensors["cls.predictions.decoder.weight"] = tensors["bert.embeddings.word_embeddings.weight"].clone()
        tensors["bert.embeddings.position_ids"] = torch.arange(128)[None]
        tensors["bert.rotary.inv_freq"] = torch.ones(2)

    edit(folder, change)
    assert MaskedLanguageModel.from_pretrained(folder).unused_weights == ()


# ---- heads


def test_a_missing_head_is_refused_with_a_way_out(folder):
    refused(folder, "head.classifier.weight", "encoder.pooler.dense.weight", "new_head=True", cls=SequenceClassifier)
    assert SequenceClassifier.from_pretrained(folder, new_head=True).labels == 2
    refused(folder, "nsp.weight", "new_head=True", cls=PretrainingModel)


def test_half_a_head_is_never_completed(folder):
    edit(folder, lambda tensors: tensors.pop("cls.predictions.transform.dense.bias"))
    refused(folder, "head.dense.bias", "incomplete", new_head=True)


def test_a_classifier_of_another_task_is_not_taken_over(tmp_path):
    TokenClassifier(nano("modernbert"), labels=2).save_pretrained(tmp_path)
    for cls in (SequenceClassifier, SpanReader):
        refused(tmp_path, "head.classifier.weight", "new_head=True", cls=cls)
        model = cls.from_pretrained(tmp_path, new_head=True)
        assert model.unused_weights == ("classifier.bias", "classifier.weight")


def test_another_number_of_labels(tmp_path):
    old = SequenceClassifier(nano(), labels=2)
    old.save_pretrained(tmp_path)
    refused(tmp_path, "classifier.weight", "(2, 32)", "(3, 32)", "new_head=True", cls=SequenceClassifier, labels=3)
    refused(tmp_path, "labels=2 opens the classifier as it is", cls=SequenceClassifier, labels=3)
    new = SequenceClassifier.from_pretrained(tmp_path, labels=3, new_head=True)
    assert new.labels == 3 and new.unused_weights == ("classifier.bias", "classifier.weight")
    assert torch.equal(new.encoder.pooler.dense.weight, old.encoder.pooler.dense.weight)
    same = SequenceClassifier.from_pretrained(tmp_path, labels=2, new_head=True)
    assert torch.equal(same.head.classifier.weight, old.head.classifier.weight)


def test_labels_for_a_model_without_labels(folder):
    refused(folder, "labels=3", "MaskedLanguageModel", labels=3)
    refused(folder, "labels=0", cls=TokenClassifier, labels=0)


# ---- files


@pytest.mark.parametrize("keep", [0, 5, 200, -1])
def test_truncated_weights(folder, keep):
    whole = (folder / WEIGHTS).read_bytes()
    (folder / WEIGHTS).write_bytes(whole[:keep])
    refused(folder, WEIGHTS, "truncated")


def test_garbage_for_weights(folder):
    (folder / WEIGHTS).write_bytes(bytes(range(256)) * 10)
    refused(folder, WEIGHTS)


@pytest.mark.parametrize("name", ["pytorch_model.bin", "model.pt"])
def test_a_pickle_is_not_opened(folder, name, tmp_path_factory):
    class Bomb:
        def __reduce__(self):
            return os.mkdir, (str(trap),)

    trap = tmp_path_factory.mktemp("trap") / "opened"
    (folder / WEIGHTS).unlink()
    (folder / name).write_bytes(pickle.dumps(Bomb()))
    refused(folder, name, "pickle", "convert")
    assert not trap.exists()


@pytest.mark.parametrize("shards", [1, 2])
def test_the_advice_for_a_pickle_gives_a_folder_that_opens(folder, shards):
    model = MaskedLanguageModel.from_pretrained(folder)
    tensors = checkpoints.load_tensors(folder / WEIGHTS)
    tensors["cls.predictions.decoder.weight"] = tensors["bert.embeddings.word_embeddings.weight"]  # shared memory
    (folder / WEIGHTS).unlink()
    torch.save({"weight_decay": 0.1}, folder / "optimizer.pt")
    torch.save({"lr": 1e-5}, folder / "training_args.bin")
    names = [f"pytorch_model-0000{i + 1}-of-00002.bin" for i in range(2)] if shards == 2 else ["pytorch_model.bin"]
    for i, name in enumerate(names):
        torch.save(dict(list(tensors.items())[i::shards]), folder / name)
    with pytest.raises(ValueError, match=r"pytorch_model.*run this in that folder: python -c") as caught:
        MaskedLanguageModel.from_pretrained(folder)
    code = str(caught.value).partition('python -c "')[2].removesuffix('"')
    subprocess.run([sys.executable, "-c", code], cwd=folder, check=True)
    again = MaskedLanguageModel.from_pretrained(folder)
    assert all(torch.equal(one, other) for one, other in zip(model.parameters(), again.parameters(), strict=True))


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("model.fp16.safetensors", "rename it to model.safetensors"),
        ("tf_model.h5", "another framework"),
        ("adapter_config.json", "merge it into its base model"),
        ("optimizer.pt", "no model.safetensors in it"),
    ],
)
def test_what_lies_there_instead_of_weights_is_named(folder, name, says):
    (folder / WEIGHTS).rename(folder / name)
    refused(folder, "no model.safetensors in it", says)


def test_a_pointer_of_git_lfs_is_no_damaged_file(folder):
    pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 90868376\n"
    (folder / WEIGHTS).write_text(pointer, encoding="utf-8")
    refused(folder, WEIGHTS, "Git LFS", "git lfs pull")


def test_no_weights_at_all(folder):
    (folder / WEIGHTS).unlink()
    refused(folder, "no model.safetensors")


def test_hub_names_are_not_looked_up():
    for name in ("bert-base-uncased", "answerdotai/ModernBERT-base"):
        refused(name, name.replace("/", os.sep), "no such folder", "does not use the network")


def test_a_file_for_a_folder(folder):
    refused(folder / "config.json", "is a file")
    with pytest.raises(ValueError, match="is a file"):
        Encoder(nano()).save_pretrained(folder / "config.json")


def test_config_missing_damaged_or_silent(folder):
    edit_config(folder, model_type=None)
    refused(folder, "no model_type", '"model_type": "bert"')
    edit_config(folder, model_type="bert")
    MaskedLanguageModel.from_pretrained(folder)
    (folder / "config.json").write_bytes(b"\xff\xfe{}")
    refused(folder, "config.json", "damaged")
    (folder / "config.json").write_text('{"model_type": "bert",', encoding="utf-8")
    refused(folder, "config.json", "damaged")
    (folder / "config.json").write_text("[]", encoding="utf-8")
    refused(folder, "config.json", "list")
    (folder / "config.json").unlink()
    refused(folder, "no config.json")


def test_a_folder_around_the_model_leads_to_it(folder, tmp_path_factory):
    """The cache of the hub, and a trainer's output with its checkpoints."""
    for inner in ("models--a--b/snapshots/0123", "run/checkpoint-500"):
        target = tmp_path_factory.mktemp("outer") / inner
        shutil.copytree(folder, target)
        outer = target.parent.parent if "snapshots" in inner else target.parent
        with pytest.raises(ValueError, match="has one: pass that folder") as caught:
            MaskedLanguageModel.from_pretrained(outer)
        named = str(caught.value).partition("; ")[2].removesuffix(" has one: pass that folder")
        MaskedLanguageModel.from_pretrained(named)


@pytest.mark.parametrize("prefix", ["_orig_mod.", "module.", "module._orig_mod."])
def test_names_of_a_wrapped_model_are_unwrapped(folder, prefix):
    before = MaskedLanguageModel.from_pretrained(folder).state_dict()
    tensors = {prefix + name: tensor for name, tensor in checkpoints.load_tensors(folder / WEIGHTS).items()}
    checkpoints.save_tensors(tensors, folder / WEIGHTS)
    after = MaskedLanguageModel.from_pretrained(folder).state_dict()
    assert all(torch.equal(after[name], tensor) for name, tensor in before.items())


# ---- shards


def shard(folder):
    tensors = checkpoints.load_tensors(folder / WEIGHTS)
    names = sorted(tensors)
    where = {name: f"model-0000{1 + (i % 2)}-of-00002.safetensors" for i, name in enumerate(names)}
    for file in set(where.values()):
        checkpoints.save_tensors({name: tensors[name] for name in names if where[name] == file}, folder / file)
    (folder / WEIGHTS).unlink()
    (folder / INDEX).write_text(json.dumps({"weight_map": where}), encoding="utf-8")
    return where


def test_an_index_that_points_outside(folder):
    where = shard(folder)
    MaskedLanguageModel.from_pretrained(folder)
    for outside in ("../model-00001-of-00002.safetensors", "/etc/x.safetensors", "C:x.safetensors", "a\\b.safetensors"):
        bad = where | {QUERY: outside}
        (folder / INDEX).write_text(json.dumps({"weight_map": bad}), encoding="utf-8")
        refused(folder, INDEX, QUERY, "this folder")


def test_a_missing_shard(folder):
    shard(folder)
    (folder / "model-00002-of-00002.safetensors").unlink()
    refused(folder, "model-00002-of-00002.safetensors", "not found")


def test_an_index_that_disagrees_with_its_files(folder):
    where = shard(folder)
    file = where.pop(QUERY)
    (folder / INDEX).write_text(json.dumps({"weight_map": where}), encoding="utf-8")
    refused(folder, QUERY, "disagree")
    (folder / INDEX).write_text(json.dumps({"weight_map": where | {QUERY: file, "x": file}}), encoding="utf-8")
    refused(folder, "disagree")
    (folder / INDEX).write_text("{}", encoding="utf-8")
    refused(folder, "weight_map")


# ---- saving


@pytest.mark.parametrize("other", [nano(), nano("modernbert")], ids=["same config", "other config"])
@pytest.mark.parametrize("fail_at", [1, 2])
def test_a_save_that_fails_leaves_the_old_model(folder, monkeypatch, other, fail_at):
    before = {name: (folder / name).read_bytes() for name in ("config.json", WEIGHTS)}
    real, calls = os.replace, []

    def breaks(source, target):
        calls.append(target)
        if len(calls) == fail_at:
            raise KeyboardInterrupt
        real(source, target)

    monkeypatch.setattr(os, "replace", breaks)
    model = MaskedLanguageModel(other, generator=torch.Generator().manual_seed(1))
    steps = 1 if other == nano() else 2
    if fail_at > steps:
        model.save_pretrained(folder)
        return
    with pytest.raises(KeyboardInterrupt):
        model.save_pretrained(folder)
    assert {file.name: file.read_bytes() for file in folder.iterdir()} == before


KILLED = """
    import itertools, sys, torch
    from minibert.config import EncoderConfig
    from minibert.model import Encoder
    torch.set_num_threads(1)
    model = Encoder(EncoderConfig.preset("bert-nano").replace(vocab_size=61, layers=1))
    for turn in itertools.count():
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.fill_(turn)
        model.save_pretrained(sys.argv[1])
        if turn == 5:
            print("ready", flush=True)
"""


def test_a_killed_saver_leaves_a_whole_model(tmp_path):
    script = textwrap.dedent(KILLED)
    for delay in (0.0, 0.007):
        process = subprocess.Popen([sys.executable, "-c", script, str(tmp_path)], stdout=subprocess.PIPE)
        assert process.stdout.readline().strip() == b"ready"
        try:
            process.wait(timeout=delay)
        except subprocess.TimeoutExpired:
            pass
        process.send_signal(getattr(signal, "SIGKILL", signal.SIGTERM))
        process.wait()
        process.stdout.close()
        weights = Encoder.from_pretrained(tmp_path).state_dict().values()
        values = {value for weight in weights for value in weight.unique().tolist()}
        assert len(values) == 1  # one turn, never a mixture of two


def test_saving_over_an_open_model_and_over_itself(folder):
    model = MaskedLanguageModel.from_pretrained(folder)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    model.save_pretrained(folder)
    (folder / WEIGHTS).write_bytes(b"gone")
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())


def test_diverged_or_empty_models_do_not_overwrite_good_ones(folder):
    before = (folder / WEIGHTS).read_bytes()
    model = MaskedLanguageModel(nano())
    with torch.no_grad():
        model.head.dense.weight[0, 0] = float("nan")
    with pytest.raises(ValueError, match=r"head\.dense\.weight holds NaN"):
        model.save_pretrained(folder)
    with torch.device("meta"):
        empty = MaskedLanguageModel(nano())
    with pytest.raises(ValueError, match="meta"):
        empty.save_pretrained(folder)
    assert (folder / WEIGHTS).read_bytes() == before


@pytest.mark.parametrize(
    "names", [("yes",), ("yes", "no", "maybe"), ("yes", "yes"), (), "ab", ("yes", 2)], ids=lambda names: str(names)
)
def test_names_that_do_not_fit_the_labels_are_not_saved(tmp_path, names):
    model = TokenClassifier(nano(), labels=2)
    model.label_names = names
    with pytest.raises(ValueError, match=r"label_names is .*, expected 2 different names"):
        model.save_pretrained(tmp_path / "new")
    assert not (tmp_path / "new").exists()
    model.label_names = None  # as the message says
    model.save_pretrained(tmp_path / "new")
    assert TokenClassifier.from_pretrained(tmp_path / "new").label_names == ("LABEL_0", "LABEL_1")
    model.label_names = ["no", "yes"]
    model.save_pretrained(tmp_path / "new")
    assert TokenClassifier.from_pretrained(tmp_path / "new").label_names == ("no", "yes")


def test_text_is_written_in_one_step(tmp_path, monkeypatch):
    file = tmp_path / "a.txt"
    write_text(str(file), "caf\u00e9\r\n\n")
    assert file.read_bytes() == b"caf\xc3\xa9\r\n\n"

    def breaks(source, target):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", breaks)
    with pytest.raises(KeyboardInterrupt):
        write_text(file, "new")
    assert file.read_bytes() == b"caf\xc3\xa9\r\n\n" and list(tmp_path.iterdir()) == [file]


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such permissions")
def test_every_file_has_the_permissions_of_a_new_file(folder):
    (folder / "new").write_bytes(b"")
    assert {file.stat().st_mode for file in folder.iterdir()} == {(folder / "new").stat().st_mode}


def test_the_tokenizer_is_saved_beside_the_model(tmp_path):
    class Tokenizer:
        vocab_size = 61

        def save_pretrained(self, folder):
            (folder / "tokenizer.json").write_text("{}", encoding="utf-8")

    checkpoints.save_model(Encoder(nano()), tmp_path / "new" / "folder", tokenizer=Tokenizer())
    assert sorted(file.name for file in (tmp_path / "new" / "folder").iterdir()) == [
        "config.json",
        WEIGHTS,
        "tokenizer.json",
    ]


def test_in_memory_loading_refuses_likewise_and_touches_nothing(folder):
    model, stored = MaskedLanguageModel(nano()), checkpoints.load_tensors(folder / WEIGHTS)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    stored[QUERY][0, 0] = float("nan")
    with pytest.raises(ValueError, match="NaN"):
        checkpoints.load_state_dict_from(model, stored)
    with pytest.raises(ValueError, match=r"missing.*embeddings\.token\.weight"):
        checkpoints.load_state_dict_from(model, {})
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())


def test_a_class_of_ones_own_is_known_by_its_base(folder):
    class Mine(MaskedLanguageModel):
        pass

    assert type(Mine.from_pretrained(folder)) is Mine
