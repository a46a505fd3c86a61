"""Folders of transformers open here, ours open there, and both say the same."""

import json

import pytest
import safetensors.torch
import torch
import transformers
from tiny_transformers import PAIRS, answers, our_answers, tiny_batch, tiny_model

import minibert
from minibert import checkpoints, corpora
from minibert.config import EncoderConfig
from minibert.model import Encoder, MaskedLanguageModel, PretrainingModel, SequenceClassifier, SpanReader
from minibert.tasks import fill_blanks

AUTO = {
    "Encoder": transformers.AutoModel,
    "MaskedLanguageModel": transformers.AutoModelForMaskedLM,
    "PretrainingModel": transformers.AutoModelForPreTraining,
    "SequenceClassifier": transformers.AutoModelForSequenceClassification,
    "TokenClassifier": transformers.AutoModelForTokenClassification,
    "SpanReader": transformers.AutoModelForQuestionAnswering,
}


def assert_same(ours, theirs, atol=1e-5):
    assert len(ours) == len(theirs) > 0
    for one, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(one, other, atol=atol, rtol=0)


@pytest.mark.parametrize(("family", "kind"), PAIRS)
def test_a_transformers_folder_opens_here_and_goes_back(family, kind, tmp_path):
    theirs = tiny_model(family, kind)
    theirs.save_pretrained(tmp_path / "theirs")
    ours = getattr(minibert, kind).from_pretrained(tmp_path / "theirs")
    assert not ours.training and ours.config.family == family and ours.unused_weights == ()
    batch = tiny_batch()
    expected = answers(theirs, *batch)
    assert_same(our_answers(ours, *batch), expected)

    ours.save_pretrained(tmp_path / "ours")
    back, info = AUTO[kind].from_pretrained(tmp_path / "ours", output_loading_info=True)
    assert type(back) is type(theirs)
    assert not info["missing_keys"] and not info["unexpected_keys"] and not info["mismatched_keys"]
    for name, tensor in theirs.state_dict().items():
        assert torch.equal(back.state_dict()[name], tensor), name
    assert_same(answers(back.eval(), *batch), expected, atol=0)  # the same numbers, not only close ones


@pytest.mark.parametrize(("family", "kind"), PAIRS)
def test_their_config_survives_the_round_trip(family, kind, tmp_path):
    theirs = tiny_model(family, kind)
    theirs.save_pretrained(tmp_path / "theirs")
    getattr(minibert, kind).from_pretrained(tmp_path / "theirs").save_pretrained(tmp_path / "ours")
    before, after = (transformers.AutoConfig.from_pretrained(tmp_path / name).to_dict() for name in ("theirs", "ours"))
    ignored = {"_name_or_path", "transformers_version", "classifier_dropout"}
    assert {k: after[k] for k in before if k not in ignored} == {k: v for k, v in before.items() if k not in ignored}


@pytest.mark.parametrize(
    ("family", "changes"),
    [
        ("modernbert", dict(norm_bias=True, attention_bias=True, mlp_bias=True, classifier_bias=True)),
        ("modernbert", dict(decoder_bias=False, tie_word_embeddings=False)),
        ("modernbert", dict(classifier_pooling="mean", local_attention=7, num_hidden_layers=7)),
        ("modernbert", dict(layer_types=["full_attention", "sliding_attention"] * 2, num_hidden_layers=4)),
        ("modernbert", dict(layer_types=["full_attention"] * 3, num_hidden_layers=3)),
        ("modernbert", dict(hidden_activation="silu", classifier_activation="silu")),
        ("eurobert", dict(attention_bias=True, mlp_bias=True)),
        ("eurobert", dict(tie_word_embeddings=True)),
        ("eurobert", dict(num_key_value_heads=1)),
        ("eurobert", dict(num_key_value_heads=4, rope_parameters=dict(rope_type="default", rope_theta=777.0))),
        ("bert", dict(hidden_act="gelu_new", layer_norm_eps=1e-3)),
        ("bert", dict(tie_word_embeddings=False)),
    ],
)
@pytest.mark.parametrize("kind", ["MaskedLanguageModel", "SequenceClassifier"])
def test_unusual_configs_keep_their_meaning(family, changes, kind, tmp_path):
    theirs = tiny_model(family, kind, **changes)
    theirs.save_pretrained(tmp_path / "theirs")
    ours = getattr(minibert, kind).from_pretrained(tmp_path / "theirs")
    batch = tiny_batch()
    assert_same(our_answers(ours, *batch), answers(theirs, *batch))
    ours.save_pretrained(tmp_path / "ours")
    back = AUTO[kind].from_pretrained(tmp_path / "ours").eval()
    assert type(back) is type(theirs)
    assert_same(answers(back, *batch), answers(theirs, *batch))


@pytest.mark.parametrize("pooling", ["bos", "mean"])
def test_eurobert_pooling(pooling, tmp_path):
    theirs = tiny_model("eurobert", "SequenceClassifier", classifier_pooling=pooling)
    theirs.save_pretrained(tmp_path)
    ours = SequenceClassifier.from_pretrained(tmp_path)
    assert_same(our_answers(ours, *tiny_batch()), answers(theirs, *tiny_batch()))


@pytest.mark.parametrize("name", ["bert-nano", "modernbert-nano", "eurobert-nano"])
@pytest.mark.parametrize("kind", ["Encoder", "MaskedLanguageModel", "SequenceClassifier", "SpanReader"])
def test_our_presets_come_back_bit_for_bit(name, kind, tmp_path):
    config = EncoderConfig.preset(name).replace(vocab_size=97)
    model = getattr(minibert, kind)(config, generator=torch.Generator().manual_seed(3))
    model.save_pretrained(tmp_path)
    again = getattr(minibert, kind).from_pretrained(tmp_path)
    assert again.config == config
    assert list(again.state_dict()) == list(model.state_dict())
    for key, tensor in model.state_dict().items():
        assert torch.equal(again.state_dict()[key], tensor), key
    assert all(parameter.requires_grad and not parameter.is_meta for parameter in again.parameters())


def test_a_mixture_is_saved_in_our_own_form(tmp_path):
    config = EncoderConfig.preset("eurobert-nano").replace(
        vocab_size=97, mlm_head="transform", norm="layernorm", norm_placement="post", final_norm=False, tie=True,
        position="learned", rope_theta=None,
    )  # fmt: skip
    assert config.family == "mixed"
    model = MaskedLanguageModel(config)
    model.save_pretrained(tmp_path)
    assert json.loads((tmp_path / "config.json").read_text(encoding="utf-8"))["model_type"] == "minibert"
    again = MaskedLanguageModel.from_pretrained(tmp_path)
    ids, mask = tiny_batch()
    assert again.config == config and torch.equal(again(ids, mask).logits, model.eval()(ids, mask).logits)
    encoder = Encoder.from_pretrained(tmp_path)
    assert "head.dense.weight" in encoder.unused_weights
    assert torch.equal(encoder(ids, mask).hidden, again(ids, mask).hidden)


@pytest.mark.parametrize("change", [dict(kv_heads=2), dict(final_norm=False), dict(skip_first_attn_norm=False)])
def test_a_family_config_its_format_cannot_say_is_not_forced_into_it(change, tmp_path):
    config = EncoderConfig.preset("modernbert-nano").replace(vocab_size=97, **change)
    assert config.family == "modernbert"
    model = MaskedLanguageModel(config)
    model.save_pretrained(tmp_path)
    assert json.loads((tmp_path / "config.json").read_text(encoding="utf-8"))["model_type"] == "minibert"
    assert MaskedLanguageModel.from_pretrained(tmp_path).config == config


@pytest.mark.parametrize("family", ["bert", "modernbert", "eurobert"])
def test_ties_are_restored_where_there_were_ties_and_nowhere_else(family, tmp_path):
    tiny_model(family, "MaskedLanguageModel").save_pretrained(tmp_path)
    model = MaskedLanguageModel.from_pretrained(tmp_path)
    tied = model.decoder.weight is model.encoder.embeddings.token.weight
    assert tied == (family != "eurobert")
    if not tied:
        assert not torch.equal(model.decoder.weight, model.encoder.embeddings.token.weight)


@pytest.mark.parametrize("family", ["bert", "modernbert", "eurobert"])
@pytest.mark.parametrize("kind", ["Encoder", "MaskedLanguageModel"])
def test_shards(family, kind, tmp_path):
    theirs = tiny_model(family, kind)
    theirs.save_pretrained(tmp_path, max_shard_size="12KB")
    assert len(list(tmp_path.glob("model-*.safetensors"))) > 2
    ours = getattr(minibert, kind).from_pretrained(tmp_path)
    assert_same(our_answers(ours, *tiny_batch()), answers(theirs, *tiny_batch()))
    ours.save_pretrained(tmp_path)  # the whole file takes the shards' place
    assert sorted(file.name for file in tmp_path.glob("model*")) == ["model.safetensors"]
    assert_same(
        our_answers(getattr(minibert, kind).from_pretrained(tmp_path), *tiny_batch()), answers(theirs, *tiny_batch())
    )


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_files_become_float32_unless_asked(dtype, tmp_path):
    tiny_model("modernbert", "MaskedLanguageModel").to(dtype).save_pretrained(tmp_path)
    model = MaskedLanguageModel.from_pretrained(tmp_path)
    assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}
    half = MaskedLanguageModel.from_pretrained(tmp_path, dtype=dtype)
    assert {parameter.dtype for parameter in half.parameters()} == {dtype}
    assert torch.equal(half.decoder.bias.float(), model.decoder.bias)
    half.save_pretrained(tmp_path / "again")
    back = transformers.AutoModelForMaskedLM.from_pretrained(tmp_path / "again")
    assert back.dtype == dtype


def test_old_files_gamma_beta_position_ids_and_a_copied_decoder(tmp_path):
    theirs = tiny_model("bert", "PretrainingModel")
    theirs.save_pretrained(tmp_path)
    old = {}
    for name, tensor in theirs.state_dict().items():
        name = name.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta")
        old[name] = tensor.clone()
    old["bert.embeddings.position_ids"] = torch.arange(48)[None]
    assert "cls.predictions.decoder.weight" in old and "cls.predictions.decoder.bias" in old
    checkpoints.save_tensors(old, tmp_path / "model.safetensors")
    ours = PretrainingModel.from_pretrained(tmp_path)
    assert ours.unused_weights == ()
    assert_same(our_answers(ours, *tiny_batch()), answers(theirs, *tiny_batch()))


@pytest.mark.parametrize("family", ["bert", "modernbert", "eurobert"])
def test_the_prefix_may_be_there_or_not(family, tmp_path):
    """A bare encoder whose names carry the prefix, and a headed model's body whose names do not."""
    theirs = tiny_model(family, "Encoder")
    prefix = {"bert": "bert."}.get(family, "model.")
    theirs.save_pretrained(tmp_path)
    checkpoints.save_tensors(
        {prefix + name: tensor for name, tensor in theirs.state_dict().items()}, tmp_path / "model.safetensors"
    )
    assert_same(our_answers(Encoder.from_pretrained(tmp_path), *tiny_batch()), answers(theirs, *tiny_batch()))

    headed = tiny_model(family, "MaskedLanguageModel")
    headed.save_pretrained(tmp_path)
    bare = {name.removeprefix(prefix): tensor.clone() for name, tensor in headed.state_dict().items()}
    checkpoints.save_tensors(bare, tmp_path / "model.safetensors")
    ours = MaskedLanguageModel.from_pretrained(tmp_path)
    assert_same(our_answers(ours, *tiny_batch()), answers(headed, *tiny_batch()))


TIED = {  # the decoder's name of the token table, and the table's own
    "bert": ("cls.predictions.decoder.weight", "bert.embeddings.word_embeddings.weight"),
    "modernbert": ("decoder.weight", "model.embeddings.tok_embeddings.weight"),
    "eurobert": ("lm_head.weight", "model.embed_tokens.weight"),
}


@pytest.mark.parametrize("kept", [0, 1, "safetensors"])
@pytest.mark.parametrize("family", TIED)
def test_a_tied_tensor_is_stored_once_under_either_name(family, kept, tmp_path):
    theirs = tiny_model(family, "MaskedLanguageModel", tie_word_embeddings=True)
    theirs.save_pretrained(tmp_path)
    if kept == "safetensors":  # drops what shares memory, and notes in the metadata what stands for it
        safetensors.torch.save_model(theirs, tmp_path / "model.safetensors", metadata={"format": "pt"})
    else:
        tensors = {name: tensor.clone() for name, tensor in theirs.state_dict().items()}
        del tensors[TIED[family][1 - kept]]
        checkpoints.save_tensors(tensors, tmp_path / "model.safetensors", metadata={"format": "pt"})
    masked = MaskedLanguageModel.from_pretrained(tmp_path)
    assert masked.unused_weights == () and masked.decoder.weight is masked.encoder.embeddings.token.weight
    assert_same(our_answers(masked, *tiny_batch()), answers(theirs, *tiny_batch()))
    body = Encoder.from_pretrained(tmp_path)
    assert torch.equal(body.embeddings.token.weight, masked.decoder.weight)
    classifier = SequenceClassifier.from_pretrained(tmp_path, new_head=True)
    assert torch.equal(classifier.encoder.embeddings.token.weight, masked.decoder.weight)


@pytest.mark.parametrize("kept", [0, 1])
def test_a_tied_bias_is_stored_once_under_either_name(kept, tmp_path):
    names = ("cls.predictions.decoder.bias", "cls.predictions.bias")
    theirs = tiny_model("bert", "MaskedLanguageModel")
    theirs.save_pretrained(tmp_path)
    tensors = {name: tensor.clone() for name, tensor in theirs.state_dict().items() if name != names[1 - kept]}
    checkpoints.save_tensors(tensors, tmp_path / "model.safetensors")
    ours = MaskedLanguageModel.from_pretrained(tmp_path)
    assert_same(our_answers(ours, *tiny_batch()), answers(theirs, *tiny_batch()))


def test_a_tensor_shared_by_two_layers_is_found_through_the_metadata(tmp_path):
    theirs = tiny_model("bert", "Encoder")
    theirs.encoder.layer[1] = theirs.encoder.layer[0]
    theirs.config.save_pretrained(tmp_path)
    safetensors.torch.save_model(theirs, tmp_path / "model.safetensors")
    assert len(checkpoints.load_tensors(tmp_path / "model.safetensors")) == len(theirs.state_dict())
    assert_same(our_answers(Encoder.from_pretrained(tmp_path), *tiny_batch()), answers(theirs, *tiny_batch()))


@pytest.mark.parametrize("family", TIED)
def test_an_untied_decoder_is_read_where_the_config_unties_it(family, tmp_path):
    tiny_model(family, "MaskedLanguageModel", tie_word_embeddings=True).save_pretrained(tmp_path)
    copy, original = TIED[family]
    tensors = checkpoints.load_tensors(tmp_path / "model.safetensors")
    tensors[copy] = 1.5 * tensors[original]
    checkpoints.save_tensors(tensors, tmp_path / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ValueError, match=f"{copy} differs from {original}.*set it to false in config.json"):
        MaskedLanguageModel.from_pretrained(tmp_path)
    raw = json.loads((tmp_path / "config.json").read_text(encoding="utf-8"))  # as the message says
    (tmp_path / "config.json").write_text(json.dumps(raw | {"tie_word_embeddings": False}), encoding="utf-8")
    ours = MaskedLanguageModel.from_pretrained(tmp_path)
    assert torch.equal(ours.decoder.weight, tensors[copy])
    if family != "bert":  # there, transformers then misses decoder.bias and draws it
        theirs = transformers.AutoModelForMaskedLM.from_pretrained(tmp_path).eval()
        assert_same(our_answers(ours, *tiny_batch()), answers(theirs, *tiny_batch()))


@pytest.mark.parametrize("family", ["bert", "modernbert", "eurobert"])
def test_an_encoder_is_read_out_of_a_model_with_a_head(family, tmp_path):
    theirs = tiny_model(family, "MaskedLanguageModel")
    theirs.save_pretrained(tmp_path)
    encoder = Encoder.from_pretrained(tmp_path)
    assert encoder.pooler is None and encoder.unused_weights
    masked = MaskedLanguageModel.from_pretrained(tmp_path)
    assert masked.unused_weights == ()
    ids, mask = tiny_batch()
    assert torch.equal(encoder(ids, mask).hidden, masked(ids, mask).hidden)


def test_a_pretraining_folder_opens_as_each_smaller_model(tmp_path):
    theirs = tiny_model("bert", "PretrainingModel")
    theirs.save_pretrained(tmp_path)
    masked = MaskedLanguageModel.from_pretrained(tmp_path)
    assert masked.unused_weights == (
        "bert.pooler.dense.bias",
        "bert.pooler.dense.weight",
        "cls.seq_relationship.bias",
        "cls.seq_relationship.weight",
    )
    assert_same(our_answers(masked, *tiny_batch()), answers(theirs, *tiny_batch())[:1])
    encoder = Encoder.from_pretrained(tmp_path)
    assert encoder.pooler is not None
    assert all(name.startswith("cls.") for name in encoder.unused_weights)


@pytest.mark.parametrize("family", ["bert", "modernbert", "eurobert"])
def test_a_new_head_for_fine_tuning(family, tmp_path):
    tiny_model(family, "MaskedLanguageModel").save_pretrained(tmp_path)
    one, two, other = (
        SequenceClassifier.from_pretrained(
            tmp_path, labels=5, new_head=True, generator=torch.Generator().manual_seed(seed)
        )
        for seed in (0, 0, 1)
    )
    body = Encoder.from_pretrained(tmp_path)
    ids, mask = tiny_batch()
    assert one(ids, mask).logits.shape == (3, 5)
    assert torch.equal(one(ids, mask).hidden, body(ids, mask).hidden)  # nothing drawn over what the file had
    assert torch.equal(one.head.classifier.weight, two.head.classifier.weight)
    assert not torch.equal(one.head.classifier.weight, other.head.classifier.weight)
    assert one.head.classifier.weight.std() > 0.005 and one.head.classifier.bias.abs().max() == 0
    if family == "bert":
        assert one.encoder.pooler.dense.weight.std() > 0.005
    if family == "modernbert":  # the transform before the vocabulary serves the classifier too
        masked = MaskedLanguageModel.from_pretrained(tmp_path)
        assert torch.equal(one.head.head.dense.weight, masked.head.dense.weight)


def test_a_new_vocabulary_head_leaves_the_token_table_alone(tmp_path):
    tiny_model("modernbert", "Encoder").save_pretrained(tmp_path)
    masked = MaskedLanguageModel.from_pretrained(tmp_path, new_head=True)
    encoder = Encoder.from_pretrained(tmp_path)
    assert torch.equal(masked.encoder.embeddings.token.weight, encoder.embeddings.token.weight)
    assert masked.decoder.weight is masked.encoder.embeddings.token.weight
    assert torch.equal(masked.head.norm.weight, torch.ones(32)) and masked.head.dense.weight.std() > 0.001


@pytest.mark.parametrize("family", TIED)
def test_a_folder_of_ours_fills_blanks_in_their_pipeline_as_here(family, tmp_path):
    texts = ["the cat sat on the mat and the dog ran"] * 3
    if family == "bert":
        tok = minibert.WordPieceTokenizer.train(texts, vocab_size=80, min_count=1)
    else:
        tok = minibert.ByteLevelBPETokenizer.train(texts, vocab_size=290, pattern="gpt2")
    config = EncoderConfig.preset(f"{family}-nano").replace(vocab_size=tok.vocab_size, layers=1, pad_id=tok.pad_id)
    model = MaskedLanguageModel(config)
    checkpoints.save_model(model, tmp_path, tok)
    text = f"the {tok.id_to_token(tok.mask_id)} sat"
    there = transformers.pipeline("fill-mask", model=str(tmp_path))(text, top_k=tok.vocab_size)
    words = [entry for entry in there if entry["token"] not in tok.special_ids]
    total = sum(entry["score"] for entry in words)  # we leave special tokens out
    here = fill_blanks(text, model, tok, top=20)[0]
    assert [entry["score"] / total for entry in words[:20]] == pytest.approx([p for _, p in here], rel=1e-4)


def test_a_tokenizer_with_more_tokens_than_the_model_is_not_saved_beside_it(tmp_path):
    tok = minibert.WordPieceTokenizer.train(["the cat sat on the mat"] * 3, vocab_size=40, min_count=1)
    model = Encoder(EncoderConfig.preset("bert-nano").replace(vocab_size=tok.vocab_size - 1, layers=1))
    with pytest.raises(ValueError, match="save the tokenizer that the model was trained with"):
        checkpoints.save_model(model, tmp_path / "new", tok)
    assert not (tmp_path / "new").exists()


def test_labels_and_their_names_travel(tmp_path):
    names = {0: "cat", 1: "dog", 2: "horse", 3: "owl"}
    theirs = tiny_model("bert", "TokenClassifier", num_labels=4, id2label=names)
    theirs.save_pretrained(tmp_path / "theirs")
    ours = minibert.TokenClassifier.from_pretrained(tmp_path / "theirs")
    assert ours.labels == 4 and ours.label_names == ("cat", "dog", "horse", "owl")
    ours.save_pretrained(tmp_path / "ours")
    back = transformers.AutoModelForTokenClassification.from_pretrained(tmp_path / "ours")
    assert back.config.id2label == names and back.config.label2id["owl"] == 3


def test_eurobert_spans_open_there_as_two_labels_per_token(tmp_path):
    model = SpanReader(EncoderConfig.preset("eurobert-nano").replace(vocab_size=61))
    model.save_pretrained(tmp_path)
    ids, mask = tiny_batch()
    theirs = transformers.AutoModelForTokenClassification.from_pretrained(tmp_path).eval()
    assert_same(our_answers(model.eval(), ids, mask), answers(theirs, ids, mask))


@pytest.mark.parametrize("device", ["cpu", "meta"])
def test_weights_in_memory_are_copied_not_shared(device):
    theirs = tiny_model("bert", "MaskedLanguageModel")
    config = checkpoints.config_from_hf(theirs.config.to_dict())
    with torch.device(device):
        ours = MaskedLanguageModel(config)
    parameter = ours.encoder.embeddings.token.weight
    before = {name: tensor.clone() for name, tensor in theirs.state_dict().items()}
    assert checkpoints.load_state_dict_from(ours, theirs.state_dict()) is ours
    if device == "cpu":
        assert ours.encoder.embeddings.token.weight is parameter  # an optimizer that holds it stays valid
    with torch.no_grad():
        for weight in ours.parameters():
            weight.zero_()
    assert all(torch.equal(tensor, before[name]) for name, tensor in theirs.state_dict().items())


@pytest.mark.data
@pytest.mark.skipif(not corpora.is_cached("minilm"), reason="python -m minibert data fetch minilm")
def test_the_real_minilm_equals_transformers():
    from tokenizers import Tokenizer

    folder = corpora.path("minilm")
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_truncation()
    tokenizer.enable_padding()
    texts = [
        "The Congress shall have Power To lay and collect Taxes.",
        "A small dog barks at the postman, who has heard it all before, every morning since last October!",
        "Unaffable?",
    ]
    encodings = tokenizer.encode_batch(texts)
    ids = torch.tensor([encoding.ids for encoding in encodings])
    mask = torch.tensor([encoding.attention_mask for encoding in encodings])
    theirs = transformers.BertModel.from_pretrained(folder, dtype=torch.float32).eval()
    ours = Encoder.from_pretrained(folder)
    assert ours.config.mask_id == tokenizer.token_to_id("[MASK]")
    assert_same(our_answers(ours, ids, mask), answers(theirs, ids, mask))
