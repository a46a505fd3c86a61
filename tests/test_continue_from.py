"""`pretrain --continue-from FOLDER`: weights that transformers saved go on, with their vocabulary or a larger one."""

import json

import pytest
import tokenizers
import torch
import transformers
from click.testing import CliRunner
from safetensors.torch import load_file
from test_own_text import RUSSIAN, text_of
from tiny_transformers import PREFIXES, tiny_model

from minibert import ByteLevelBPETokenizer, MaskedLanguageModel, WordPieceTokenizer, load_tokenizer, training
from minibert.commands.pretrain import pretrain
from minibert.tokenization.extend import extend, spelling

ENGLISH_TEXTS = text_of().splitlines()


def call(folder, foreign, *options, steps=2):
    fixed = f"--steps {steps} --batch-tokens 128 --max-len 24 --checkpoint-every 1".split()
    paths = ["--corpus", str(folder / "text.txt"), "--continue-from", str(foreign), "--out", str(folder / "run")]
    return CliRunner().invoke(pretrain, [*fixed, *paths, *options])


def works(*arguments, **options):
    done = call(*arguments, **options)
    assert done.exit_code == 0, (done.exception, done.stderr)
    return done.stderr


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """Small random models of transformers with tokenizers, by family and head; and a text in another language."""
    root = tmp_path_factory.mktemp("foreign")
    (root / "text.txt").write_text(text_of(documents=20, words=RUSSIAN), encoding="utf-8")
    for family, kind, head in (
        ("bert", "MaskedLanguageModel", "ForMaskedLM"),
        ("bert", "PretrainingModel", "ForPreTraining"),
        ("modernbert", "MaskedLanguageModel", "ForMaskedLM"),
        ("bert", "Encoder", "Model"),
    ):
        if family == "bert":
            tok = WordPieceTokenizer.train(ENGLISH_TEXTS, vocab_size=120)
        else:
            tok = ByteLevelBPETokenizer.train(ENGLISH_TEXTS, vocab_size=300)
        ids = dict(pad_token_id=tok.pad_id, mask_token_id=tok.mask_id)
        rows = tok.vocab_size + 4 * (family == "modernbert")  # as ModernBERT, which has rows for no piece
        model = tiny_model(family, kind, vocab_size=rows, **ids)
        folder = root / f"{family}{head}"
        model.save_pretrained(folder)
        tok.save_pretrained(folder)
    return root


@pytest.fixture
def corpus(folders, tmp_path):
    (tmp_path / "text.txt").write_bytes((folders / "text.txt").read_bytes())
    return tmp_path


def start_of(monkeypatch, *arguments):
    """The model and the data that training would begin with."""
    seen = {}

    def watch(model, data, recipe, folder, **_):
        seen.update(model=model, data=data, recipe=recipe)
        return {}

    with monkeypatch.context() as patch:
        patch.setattr(training, "train", watch)
        works(*arguments)
    return seen


def opens_in_transformers(folder, family, head="ForMaskedLM"):
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    theirs = getattr(transformers, PREFIXES[family] + head).from_pretrained(folder).eval()
    ours, own = MaskedLanguageModel.from_pretrained(folder), load_tokenizer(folder)
    for text in ("собака спит.", "the cat sat on the mat", "кошка sat"):
        assert tokenizer(text)["input_ids"] == own.encode(text).ids
        ids = torch.tensor([own.encode(text).ids])
        out = theirs(ids)
        logits = out.prediction_logits if head == "ForPreTraining" else out.logits
        assert torch.allclose(ours(ids).logits, logits, atol=1e-5)
    return own


@pytest.mark.parametrize("name", ["bertForMaskedLM", "modernbertForMaskedLM", "bertForPreTraining"])
def test_the_run_begins_with_their_weights_and_ends_in_a_folder_that_transformers_opens(
    folders, corpus, monkeypatch, name
):
    family, head = name.split("For")[0], "For" + name.split("For")[1]
    seen = start_of(monkeypatch, corpus, folders / name)
    model = getattr(transformers, PREFIXES[family] + head).from_pretrained(folders / name).eval()
    ids = torch.randint(5, model.config.vocab_size, (2, 9))
    out = model(ids)
    logits = out.prediction_logits if head == "ForPreTraining" else out.logits
    assert torch.allclose(seen["model"].eval()(ids).logits, logits, atol=1e-5)
    assert seen["data"].pairs == (head == "ForPreTraining") and seen["recipe"].learning_rate == 1e-4
    works(corpus, folders / name)
    own = opens_in_transformers(corpus / "run", family, head)
    assert own.vocab == load_tokenizer(folders / name).vocab
    before, after = (load_file(path / "model.safetensors") for path in (folders / name, corpus / "run"))
    assert {n: t.shape for n, t in after.items()} == {n: before[n].shape for n in after}
    assert any(not torch.equal(after[n], before[n]) for n in after)


@pytest.mark.parametrize("name", ["bertForMaskedLM", "modernbertForMaskedLM"])
def test_new_pieces_come_behind_the_old_ones_and_begin_as_their_mean(folders, corpus, monkeypatch, name):
    family, old = name.removesuffix("ForMaskedLM"), load_tokenizer(folders / name)
    seen = start_of(monkeypatch, corpus, folders / name, "--extend-vocab", "60")
    before = MaskedLanguageModel.from_pretrained(folders / name)
    works(corpus, folders / name, "--extend-vocab", "60")
    new = opens_in_transformers(corpus / "run", family)
    assert old.vocab_size < new.vocab_size <= old.vocab_size + 60 and old.vocab.items() < new.vocab.items()
    assert len(new.ids("собака спит под деревом")) < len(old.ids("собака спит под деревом")) or family == "bert"
    assert new.unk_id not in new.ids("собака спит")
    table, rows = (m.encoder.embeddings.token.weight for m in (seen["model"], before))
    assert torch.equal(table[: old.vocab_size], rows[: old.vocab_size]) and seen["model"].decoder.weight is table
    for index in range(old.vocab_size, new.vocab_size):
        ids = spelling(old, new.id_to_token(index))
        mean = rows[ids].mean(0) if ids else rows[: old.vocab_size].mean(0)
        assert torch.allclose(table[index], mean)


@pytest.mark.parametrize("text", ["the dog sat", "the dogs, again!", "собака"])
def test_a_spelling_of_every_new_piece_is_what_the_old_tokenizer_reads(text):
    old = ByteLevelBPETokenizer.train(ENGLISH_TEXTS, vocab_size=300)
    new = extend(old, [text] * 3, 40)
    for index in range(old.vocab_size, new.vocab_size):
        ids = spelling(old, new.id_to_token(index))
        assert "".join(map(old.id_to_token, ids)) == new.id_to_token(index)
    assert new.decode(new.ids(text)) == text and len(new.ids(text)) < len(old.ids(text))


def test_added_tokens_keep_their_ids_in_the_library_too(tmp_path):
    """They stand behind the vocabulary, where the new pieces go."""
    old = ByteLevelBPETokenizer.train(ENGLISH_TEXTS, vocab_size=300)
    data = old.to_json()
    data["added_tokens"].append(
        {"id": 300, "content": "<extra>", "single_word": False, "lstrip": False, "rstrip": False,
         "normalized": False, "special": False}
    )  # fmt: skip
    old = ByteLevelBPETokenizer.from_json(data, old.roles)
    new = extend(old, ["собака спит"] * 3, 20)
    assert new.token_to_id("<extra>") == 300 and new.vocab.items() > old.vocab.items()
    assert min(new.vocab[piece] for piece in new.vocab.keys() - old.vocab.keys()) == 301
    new.save_pretrained(tmp_path)
    library = transformers.AutoTokenizer.from_pretrained(tmp_path)
    for text in ("собака <extra> cat", "[MASK] спит"):
        assert library(text)["input_ids"] == new.encode(text).ids
    assert load_tokenizer(tmp_path).vocab == new.vocab


def test_a_run_that_is_killed_goes_on_bit_for_bit(folders, corpus, tmp_path, monkeypatch):
    options = [folders / "bertForMaskedLM", "--extend-vocab", "30"]
    works(corpus, *options, "--out", str(tmp_path / "whole"), steps=4)
    train = training.train

    def killed(*arguments, **settings):
        def on_step(step):
            if step == 3:
                raise KeyboardInterrupt

        return train(*arguments, **settings, on_step=on_step)

    with monkeypatch.context() as patch:
        patch.setattr(training, "train", killed)
        assert call(corpus, *options, steps=4).exit_code
    monkeypatch.setattr("minibert.tokenization.extend.extend", pytest.fail)  # what was learned is not learned again
    works(corpus, *options, steps=4)
    for name in ("model.safetensors", "tokenizer.json", "log.jsonl"):
        assert (tmp_path / "whole" / name).read_bytes() == (corpus / "run" / name).read_bytes(), name


def test_a_tokenizer_that_only_the_library_runs_keeps_its_vocabulary(folders, corpus, tmp_path):
    pieces = [("<pad>", 0.0), ("<unk>", 0.0), ("<s>", 0.0), ("</s>", 0.0), ("<mask>", 0.0)]
    pieces += [(piece, -2.0) for piece in ("\u2581", "\u2581собака", *sorted(set("".join(RUSSIAN) + ".")))]
    inner = tokenizers.Tokenizer(tokenizers.models.Unigram(pieces, unk_id=1))
    inner.pre_tokenizer = tokenizers.pre_tokenizers.Metaspace()
    inner.decoder = tokenizers.decoders.Metaspace()
    inner.add_special_tokens([name for name, _ in pieces[:5]])
    template = tokenizers.processors.TemplateProcessing("<s> $A </s>", special_tokens=[("<s>", 2), ("</s>", 3)])
    inner.post_processor = template
    roles = dict(pad_token="<pad>", unk_token="<unk>", cls_token="<s>", sep_token="</s>", mask_token="<mask>")
    theirs = transformers.PreTrainedTokenizerFast(tokenizer_object=inner, **roles)
    folder = tmp_path / "unigram"
    tiny_model("modernbert", "MaskedLanguageModel", vocab_size=len(pieces)).save_pretrained(folder)
    theirs.save_pretrained(folder)
    works(corpus, folder)
    works(corpus, folder)  # finds its run finished
    again = transformers.AutoTokenizer.from_pretrained(corpus / "run")
    assert again("собака спит")["input_ids"] == theirs("собака спит")["input_ids"]
    assert "extend" not in str(call(corpus, folder, "--extend-vocab", "9").exception)
    assert isinstance(call(corpus, folder, "--extend-vocab", "9").exception, ValueError)


def test_a_missing_head_is_drawn_and_other_weights_are_another_run(folders, corpus):
    works(corpus, folders / "bertModel")
    opens_in_transformers(corpus / "run", "bert")
    done = call(corpus, folders / "bertForMaskedLM")
    assert isinstance(done.exception, ValueError) and "continue_from_sha256" in str(done.exception)


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (["--preset", "bert-nano"], "--preset: with --continue-from the folder decides this"),
        (["--vocab-size", "500"], "--vocab-size: .* --extend-vocab adds pieces"),
        (["--max-len", "64"], "--max-len 64: this preset learns 48 positions"),
        (["--anneal", "3"], "--anneal 3: bert has one phase"),
    ],
)
def test_what_the_folder_decides_cannot_be_given(folders, corpus, options, complaint):
    import re

    done = call(corpus, folders / "bertForMaskedLM", *options)
    assert isinstance(done.exception, ValueError) and re.search(complaint, str(done.exception)), done.exception
    assert not (corpus / "run").exists()


def test_what_is_no_model_folder_is_refused(corpus):
    (corpus / "empty").mkdir()
    (corpus / "empty" / "config.json").write_text(json.dumps({"model_type": "albert"}), encoding="utf-8")
    for folder in ("nowhere", "empty"):
        assert isinstance(call(corpus, corpus / folder).exception, ValueError)
