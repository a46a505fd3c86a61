"""The training loop: it learns, weights tokens right, stops when it diverges, and refuses to resume other runs."""

import copy
import json
import math
import random

import pytest
import torch
import torch.nn.functional as F

from minibert import ByteLevelBPETokenizer, EncoderConfig, MaskedLanguageModel, PretrainingModel, WordPieceTokenizer
from minibert.corpora import synthetic
from minibert.training import (
    PretrainingData,
    Recipe,
    StableAdamW,
    TrainingDiverged,
    evaluate,
    token_byte_lengths,
    train,
    update,
)
from minibert.training.evaluation import masked_batches

DOCUMENTS = synthetic.documents(60, seed=0)
WORDPIECE = WordPieceTokenizer.train([s for d in DOCUMENTS for s in d], vocab_size=300)


def make_data(pairs=True, **changes):
    options = {"max_len": 48, "batch_tokens": 400, "validation_share": 0.15, "seed": 1} | changes
    return PretrainingData(**{"documents": DOCUMENTS, "tokenizer": WORDPIECE, "pairs": pairs} | options)


def make_model(pairs=True, family="bert", dropout=0.0, seed=0, dtype=torch.float32, vocab_size=WORDPIECE.vocab_size):
    config = EncoderConfig.preset(f"{family}-nano").replace(
        vocab_size=vocab_size, hidden=32, intermediate=48, layers=2, heads=2, dropout_attn_out=dropout
    )
    if family == "eurobert":
        config = config.replace(kv_heads=1)
    kind = PretrainingModel if pairs else MaskedLanguageModel
    return kind(config, generator=torch.Generator().manual_seed(seed)).to(dtype)


RECIPE = Recipe(steps=4, warmup=1, log_every=2, validate_every=0, checkpoint_every=2)


@pytest.mark.parametrize(
    "family, optimizer, steps, learning_rate",
    [("bert", "bert_adam", 100, 3e-3), ("modernbert", "stable_adamw", 150, 5e-3), ("eurobert", "adamw", 100, 5e-3)],
)
def test_every_family_learns_to_look_at_the_context(tmp_path, family, optimizer, steps, learning_rate):
    """Each text repeats one of 16 words. Without context the best loss is ln 16 = 2.77, with it 0."""
    words = "ant bee cat dog elk fox gnu hen ibis jay kite lark mole newt owl pig".split()
    rng = random.Random(0)
    documents = [[" ".join([rng.choice(words)] * 6)] for _ in range(400)]
    tokenizer = WordPieceTokenizer.train([s for d in documents for s in d], vocab_size=80)
    data = PretrainingData(documents, tokenizer, pairs=False, max_len=24, batch_tokens=800, validation_share=0.1)
    model = make_model(pairs=False, family=family, vocab_size=tokenizer.vocab_size)
    before = evaluate(model, data.validation_batches(), token_byte_lengths(tokenizer))
    assert before["loss"] == pytest.approx(math.log(tokenizer.vocab_size), abs=0.3)
    recipe = Recipe(steps, learning_rate, optimizer, "trapezoid", warmup=10, decay=40)
    after = train(model, data, recipe, tmp_path, progress=False)["validation"]
    assert after["loss"] < 1.0 and after["accuracy"] > 0.8


def test_the_log(tmp_path):
    train(make_model(), make_data(), Recipe(steps=7, log_every=3, validate_every=4), tmp_path, progress=False)
    records = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [(r["step"], "validation" in r) for r in records] == [
        (3, False),
        (4, True),
        (6, False),
        (7, False),
        (7, True),
    ]
    assert set(records[0]) == {"step", "tokens", "lr", "loss", "mlm_loss", "next_loss", "grad_norm"}
    assert records[0]["loss"] == pytest.approx(records[0]["mlm_loss"] + records[0]["next_loss"])
    assert records[0]["lr"] == Recipe(steps=7).lr(2)
    data = make_data()
    assert records[2]["tokens"] == sum(len(data.next_batch().ids) for _ in range(6))


def records_of(folder):
    return [json.loads(line) for line in (folder / "log.jsonl").read_text(encoding="utf-8").splitlines()]


def test_a_log_line_is_the_mean_since_the_last_one(tmp_path):
    for every in (1, 3):
        train(make_model(), make_data(), Recipe(steps=6, log_every=every), tmp_path / str(every), progress=False)
    single = [r for r in records_of(tmp_path / "1") if "loss" in r]
    means = [r for r in records_of(tmp_path / "3") if "loss" in r]
    for name in ("loss", "mlm_loss", "next_loss", "grad_norm"):
        for record, three in zip(means, (single[:3], single[3:]), strict=True):
            assert record[name] == pytest.approx(sum(r[name] for r in three) / 3, rel=1e-12)


def test_used_data_and_a_model_in_evaluation_mode_make_no_difference(tmp_path):
    """A run is decided by its recipe and seed, not by what was done with the objects before."""
    fresh, used = make_model(dropout=0.3), make_model(dropout=0.3).eval()
    data = make_data()
    for _ in range(3):
        data.next_batch()
    recipe = Recipe(steps=5, validate_every=2)
    train(fresh, make_data(), recipe, tmp_path / "fresh", progress=False)
    train(used, data, recipe, tmp_path / "used", progress=False, on_step=lambda step: check_mode(used))
    assert (tmp_path / "fresh" / "log.jsonl").read_bytes() == (tmp_path / "used" / "log.jsonl").read_bytes()
    assert all(torch.equal(a, b) for a, b in zip(fresh.parameters(), used.parameters(), strict=True))


def check_mode(model):
    assert model.training


def test_the_bar_goes_to_stderr(tmp_path, capsys):
    train(make_model(), make_data(), RECIPE, tmp_path)
    captured = capsys.readouterr()
    assert captured.out == "" and "4/4" in captured.err and "loss=" in captured.err


def test_updates_equal_the_textbook():
    """Three of them in float64, against torch's own cross-entropy, clipping by hand and SGD on a copy."""
    data, model = make_data(), make_model(dtype=torch.float64)
    twin = copy.deepcopy(model)
    optimizer = torch.optim.SGD(model.parameters(), lr=9.0)
    for _ in range(3):
        batch = data.next_batch()
        losses = update(model, optimizer, [batch], lr=0.1, clip=0.05, bf16=False)
        output = twin.packed(batch.ids, batch.cu_seqlens, segment_ids=batch.segment_ids)
        mlm = F.cross_entropy(output.logits, batch.labels)
        following = F.cross_entropy(output.nsp_logits, batch.next_labels)
        gradients = torch.autograd.grad(mlm + following, list(twin.parameters()))
        norm = torch.sqrt(sum(g.square().sum() for g in gradients))
        assert losses["mlm_loss"] == pytest.approx(mlm.item(), abs=1e-10)
        assert losses["next_loss"] == pytest.approx(following.item(), abs=1e-10)
        assert losses["grad_norm"] == pytest.approx(norm.item(), abs=1e-9)
        with torch.no_grad():
            for ours, theirs, gradient in zip(model.parameters(), twin.parameters(), gradients, strict=True):
                theirs -= 0.1 * gradient * 0.05 / (norm + 1e-6)
                assert torch.allclose(ours, theirs, rtol=0, atol=1e-12)


def split(batch, cut):
    """Cut a packed batch after its first `cut` examples."""
    at = int(batch.cu_seqlens[cut])
    kind = type(batch)
    fields = (batch.ids, batch.segment_ids, batch.labels)
    first, second = ([t[:at] for t in fields], [t[at:] for t in fields])
    return [
        kind(first[0], batch.cu_seqlens[: cut + 1], *first[1:], batch.next_labels[:cut]),
        kind(second[0], batch.cu_seqlens[cut:] - at, *second[1:], batch.next_labels[cut:]),
    ]


def gradients(batches, accumulate=update):
    model = make_model(dtype=torch.float64)
    losses = accumulate(model, torch.optim.SGD(model.parameters()), batches, lr=0.0, clip=None, bf16=False)
    return losses, torch.cat([p.grad.flatten() for p in model.parameters()])


def test_accumulation_is_weighted_by_tokens():
    batch = make_data().next_batch()
    whole, one = gradients([batch])
    parts, two = gradients(split(batch, 1))
    assert torch.allclose(one, two, rtol=0, atol=1e-12)
    assert {k: round(v, 10) for k, v in whole.items()} == {k: round(v, 10) for k, v in parts.items()}


def test_the_mean_of_means_would_be_another_gradient():
    """The control of the test above: the classic mistake is far outside its tolerance."""
    batch = make_data().next_batch()
    _, whole = gradients([batch])
    each = [gradients([part])[1] for part in split(batch, 1)]
    assert (sum(each) / 2 - whole).abs().max() > 1e-4


def test_a_batch_without_masked_tokens_is_harmless(tmp_path):
    data = make_data(pairs=False, mask_rate=0.0)
    model = make_model(pairs=False)
    result = train(model, data, RECIPE, tmp_path, progress=False)
    assert all(p.isfinite().all() for p in model.parameters())
    assert result["validation"]["loss"] is None and result["validation"]["masked_tokens"] == 0


def test_bits_per_byte_is_what_it_says():
    data, model = make_data(), make_model()
    nats = size = right = count = 0
    for batch in data.validation_batches():
        with torch.no_grad():
            logits = model.packed(batch.ids, batch.cu_seqlens, segment_ids=batch.segment_ids).logits.log_softmax(-1)
        for position, label in enumerate(batch.labels.tolist()):
            if label != -100:
                nats -= logits[position, label].item()
                size += len(WORDPIECE.id_to_token(label).removeprefix("##").encode("utf-8"))
                right += int(logits[position].argmax()) == label
                count += 1
    result = evaluate(model, data.validation_batches(), token_byte_lengths(WORDPIECE))
    assert result["bits_per_byte"] == pytest.approx(nats / math.log(2) / size, rel=1e-5)
    assert result["loss"] == pytest.approx(nats / count, rel=1e-5)
    assert result["accuracy"] == right / count and result["masked_tokens"] == count


def test_token_bytes_of_a_byte_level_tokenizer_add_up_to_the_text():
    tokenizer = ByteLevelBPETokenizer.train(["a naïve café"] * 5, vocab_size=280, pattern="gpt2")
    text = "naïve café 漢"
    assert int(token_byte_lengths(tokenizer)[tokenizer.ids(text)].sum()) == len(text.encode("utf-8"))
    assert token_byte_lengths(tokenizer)[list(tokenizer.special_ids)].tolist() == [0] * 5


def test_the_library_counts_bytes_and_marks_words_as_our_tokenizers_do(tmp_path):
    from minibert import load_tokenizer

    bytes_ = ByteLevelBPETokenizer.train(["a naïve café"] * 5, vocab_size=280, pattern="gpt2")
    for ours in (WORDPIECE, bytes_):
        ours.save(tmp_path / "tokenizer.json")
        theirs = load_tokenizer(tmp_path / "tokenizer.json", rust=True)
        assert theirs.byte_lengths() == ours.byte_lengths()
        if ours is WORDPIECE:
            assert theirs.word_starts() == ours.word_starts()
        else:
            with pytest.raises(ValueError, match="whole words need a WordPiece tokenizer"):
                theirs.word_starts()


@pytest.mark.parametrize("training", [True, False])
def test_evaluate_leaves_the_mode_and_switches_dropout_off(training):
    data, model = make_data(), make_model(dropout=0.5).train(training)
    results = [evaluate(model, data.validation_batches(), token_byte_lengths(WORDPIECE)) for _ in range(2)]
    assert results[0] == results[1] and model.training is training


def test_divergence_stops_with_a_clear_error_and_keeps_the_checkpoints(tmp_path):
    model, data = make_model(), make_data()

    def spoil(step):
        if step == 3:
            with torch.no_grad():
                model.encoder.embeddings.token.weight[10:] = float("nan")

    with pytest.raises(TrainingDiverged, match=r"step 4: .*the loss is nan.*learning rate"):
        train(model, data, RECIPE, tmp_path, progress=False, on_step=spoil)
    assert [p.stem for p in (tmp_path / "checkpoints").glob("*.json")] == ["step-00000002"]
    result = train(make_model(), make_data(), RECIPE, tmp_path, progress=False)  # the run can go on from there
    assert result["step"] == 4


def test_spoilt_weights_are_not_saved(tmp_path):
    model = make_model(pairs=False)
    model.register_buffer("unread", torch.tensor(float("inf")))  # nothing reads it, so the loss stays finite
    with pytest.raises(TrainingDiverged, match="unread"):
        train(model, make_data(pairs=False), RECIPE, tmp_path, progress=False)
    assert not (tmp_path / "checkpoints").exists()


def test_the_weights_stay_as_they_were_when_the_gradient_is_not_finite():
    model = make_model()
    with torch.no_grad():
        model.nsp.weight.fill_(float("inf"))
    before = {name: t.clone() for name, t in model.state_dict().items()}
    with pytest.raises(TrainingDiverged):
        update(model, StableAdamW(model.parameters()), [make_data().next_batch()], lr=1.0, clip=1.0, bf16=False)
    assert all(torch.equal(t, before[name]) for name, t in model.state_dict().items())


def test_bf16_trains_and_keeps_float32_weights(tmp_path):
    data, model = make_data(), make_model()
    before = evaluate(model, data.validation_batches(), token_byte_lengths(WORDPIECE))["loss"]
    recipe = Recipe(steps=40, learning_rate=5e-3, bf16=True, warmup=5)
    after = train(model, data, recipe, tmp_path / "half", progress=False)["validation"]["loss"]
    single = Recipe(steps=40, learning_rate=5e-3, bf16=False, warmup=5)
    expected = train(make_model(), make_data(), single, tmp_path / "single", progress=False)["validation"]["loss"]
    assert expected < before - 0.3 and abs(after - expected) < 0.1
    assert all(p.dtype == torch.float32 for p in model.parameters())
    assert evaluate(model, data.validation_batches(), token_byte_lengths(WORDPIECE))["loss"] != after  # float32 differs


def test_the_callers_generator_is_put_back(tmp_path):
    model, data = make_model(dropout=0.3), make_data()
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    train(model, data, RECIPE, tmp_path, progress=False)
    assert torch.equal(torch.rand(3), expected)


def test_a_finished_run_is_not_trained_again(tmp_path):
    first = train(make_model(), make_data(), RECIPE, tmp_path, progress=False)
    log = (tmp_path / "log.jsonl").read_bytes()
    model = make_model(seed=9)
    steps = []
    assert train(model, make_data(), RECIPE, tmp_path, progress=False, on_step=steps.append) == first
    assert steps == [] and (tmp_path / "log.jsonl").read_bytes() == log


@pytest.mark.parametrize(
    "changes, names",
    [
        ({"recipe": Recipe(steps=4, warmup=1, log_every=2, checkpoint_every=2, learning_rate=2e-3)}, ["learning_rate"]),
        ({"recipe": Recipe(steps=5, warmup=1, log_every=2, checkpoint_every=2, seed=1)}, ["steps", "recipe.seed"]),
        ({"data": {"max_len": 40, "mask_rate": 0.3}}, ["data.max_len was 48 and is now 40", "data.mask_rate"]),
        ({"model": {"family": "modernbert"}, "pairs": False}, ["data.pairs", "model.class", "model.norm_placement"]),
        ({"model": {"dropout": 0.1}}, ["model.dropout_attn_out was 0.0 and is now 0.1"]),
        ({"data": {"documents": DOCUMENTS[:-1]}}, ["saved with other settings: the documents (the corpus) or the tok"]),
        ({"data": {"documents": DOCUMENTS[:-1], "max_len": 40}}, ["data.max_len", "the documents (the corpus) or"]),
    ],
)
def test_other_settings_are_named_and_refused(tmp_path, changes, names):
    train(make_model(), make_data(), RECIPE, tmp_path, progress=False)
    pairs = changes.get("pairs", True)
    model, data = make_model(pairs, **changes.get("model", {})), make_data(pairs, **changes.get("data", {}))
    with pytest.raises(ValueError, match="saved with other settings") as caught:
        train(model, data, changes.get("recipe", RECIPE), tmp_path, progress=False)
    assert all(name in str(caught.value) for name in names)
    assert "sha256" not in str(caught.value)


def test_another_seed_is_not_called_another_corpus(tmp_path):
    """The seed shuffles the documents, so their fingerprint changes too; the message names the cause alone."""
    train(make_model(), make_data(), RECIPE, tmp_path, progress=False)
    with pytest.raises(ValueError, match=r"data\.seed was 1 and is now 2") as caught:
        train(make_model(), make_data(seed=2), RECIPE, tmp_path, progress=False)
    assert "corpus" not in str(caught.value)


def test_how_often_is_logged_validated_and_saved_may_change_and_touches_no_weight(tmp_path):
    settings = {"steps": 6, "warmup": 1, "log_every": 2, "checkpoint_every": 2}
    whole, resumed = make_model(dropout=0.3), make_model(dropout=0.3)
    train(whole, make_data(), Recipe(**settings), tmp_path / "whole", progress=False)

    def stop(step):
        if step == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(make_model(dropout=0.3), make_data(), Recipe(**settings), tmp_path / "b", progress=False, on_step=stop)
    other = Recipe(**settings | {"log_every": 1, "validate_every": 1, "checkpoint_every": 1})
    train(resumed, make_data(), other, tmp_path / "b", progress=False)
    assert all(torch.equal(a, b) for a, b in zip(whole.parameters(), resumed.parameters(), strict=True))
    assert [r["step"] for r in records_of(tmp_path / "b") if "loss" in r] == [2, 3, 4, 5, 6]


def test_keep_is_checked_before_the_first_step(tmp_path):
    with pytest.raises(ValueError, match="keep must be a whole number of at least 1, got 0"):
        train(make_model(), make_data(), RECIPE, tmp_path / "x", keep=0, progress=False, on_step=pytest.fail)


def test_models_and_data_that_do_not_fit_are_explained(tmp_path):
    with pytest.raises(ValueError, match="train a PretrainingModel"):
        train(make_model(pairs=False), make_data(pairs=True), RECIPE, tmp_path / "a", progress=False)
    small = MaskedLanguageModel(EncoderConfig.preset("bert-nano").replace(vocab_size=100))
    with pytest.raises(ValueError, match=r"vocab_size=tokenizer\.vocab_size"):
        train(small, make_data(pairs=False), RECIPE, tmp_path / "b", progress=False)
    with pytest.raises(ValueError, match="positions for 128"):
        train(make_model(), make_data(max_len=200), RECIPE, tmp_path / "c", progress=False)


@pytest.mark.parametrize(
    "settings, message",
    [
        ({"steps": 0}, "steps must"),
        ({"optimizer": "adam"}, "choose 'bert_adam'"),
        ({"schedule": "cosine"}, "choose 'linear'"),
        ({"decay": 1}, "belongs to"),
        ({"warmup": 11}, "fit together"),
        ({"accumulate": 0}, "accumulate must"),
        ({"log_every": -1}, "log_every must"),
        ({"checkpoint_every": -1}, "checkpoint_every must"),
        ({"learning_rate": 0.0}, "learning_rate must"),
        ({"clip": 0.0}, "clip must"),
        ({"steps": 3.5}, "steps must be a whole number of at least 1, got 3.5"),
        ({"steps": True}, "steps must be a whole number"),
        ({"warmup": 1.5}, "warmup must be a whole number"),
        ({"betas": (2, 3)}, "each of betas must be at least 0 and under 1, got 2"),
        ({"betas": (0.9, float("nan"))}, "each of betas"),
        ({"betas": 0.9}, "betas must be two numbers, got 0.9"),
        ({"weight_decay": -1}, "weight_decay must"),
        ({"weight_decay": float("nan")}, "weight_decay must"),
        ({"learning_rate": float("inf")}, "learning_rate must be a finite number above 0, got inf"),
        ({"learning_rate": float("nan")}, "learning_rate must"),
        ({"learning_rate": "1e-3"}, "learning_rate must"),
        ({"clip": float("inf")}, "clip must .* None for no clipping"),
        ({"eps": 0}, "eps must"),
        ({"seed": 2**63}, r"seed must be a whole number from -2\*\*63"),
        ({"seed": 0.5}, "seed must"),
        ({"bf16": "no"}, "bf16 must be True or False"),
        ({"decay_everything": 1}, "decay_everything must"),
    ],
)
def test_bad_recipes_are_explained(settings, message):
    with pytest.raises(ValueError, match=message):
        Recipe(**({"steps": 10} | settings))


def test_eurobert_decays_norms_too():
    model = make_model(pairs=False, family="eurobert")
    for everything, expected in ((False, {0.1, 0.0}), (True, {0.1})):
        recipe = Recipe(steps=1, optimizer="adamw", weight_decay=0.1, decay_everything=everything)
        assert {group["weight_decay"] for group in recipe.make_optimizer(model).param_groups} == expected


def test_several_processes_do_not_wait_for_a_head_that_is_never_trained(tmp_path, monkeypatch):
    from minibert.training import loop
    from minibert.training.data import _tiny

    config = EncoderConfig.preset("bert-nano").replace(vocab_size=128, hidden=16, heads=2, intermediate=16, layers=1)
    model = PretrainingModel(config)
    data = _tiny()
    assert not data.pairs
    loop._check_fit(model, data, RECIPE)  # alone it may: the head keeps its weights
    monkeypatch.setattr(loop, "world_size", lambda: 2)
    with pytest.raises(ValueError, match="no pairs"):
        loop._check_fit(model, data, Recipe(steps=1, accumulate=2))


def test_masked_batches_hide_the_same_tokens_for_a_seed_and_lose_none():
    tokenizer = ByteLevelBPETokenizer.train(["abcd efgh"], vocab_size=263)
    texts = ["abcd efgh ijkl", "", "mnop"]
    first, again, other = (masked_batches(texts, tokenizer, max_len=8, rate=0.5, seed=seed) for seed in (0, 0, 1))
    assert all(a.ids.equal(b.ids) and a.labels.equal(b.labels) for a, b in zip(first, again, strict=True))
    assert any(not a.ids.equal(b.ids) for a, b in zip(first, other, strict=True))
    whole = [torch.where(batch.labels >= 0, batch.labels, batch.ids).tolist() for batch in first]
    ordinary = sorted(i for ids in whole for i in ids if i not in tokenizer.special_ids)
    assert ordinary == sorted(i for text in texts for i in tokenizer.ids(text))
    with pytest.raises(ValueError, match="no token"):
        masked_batches([""], tokenizer, max_len=8, rate=0.5, seed=0)
