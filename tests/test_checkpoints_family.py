"""Relatives of the three encoders: folders open both ways, with the answers, losses and gradients of transformers."""

import json
import random
import warnings

import pytest
import torch
import transformers
from tiny_transformers import HEADS

import minibert
from minibert.checkpoints.hf_config import config_from_hf, config_to_hf
from minibert.config import EncoderConfig

ACTS = ["gelu", "gelu_new", "gelu_pytorch_tanh", "gelu_python", "silu", "swish", "relu"]
KINDS = [kind for kind in HEADS if kind != "PretrainingModel"]
CLASSES = {
    "distilbert": "DistilBert",
    "roberta": "Roberta",
    "camembert": "Camembert",
    "xlm-roberta": "XLMRoberta",
    "nomic_bert": "NomicBert",
    "ultrabert": "Ultrabert",
    "bert": "Bert",
    "modernbert": "ModernBert",
    "eurobert": "EuroBert",
}


def sizes(draw, heads_name="num_attention_heads", even=False):
    heads = draw.choice([1, 2, 3, 4])
    return heads, heads * draw.choice([2, 4, 6, 8, 10] if even else [3, 4, 5, 8, 9])


def rates(draw, *names):
    return {name: draw.choice([0.0, 0.1, 0.35]) for name in names}


def layer_types(draw, layers):
    return [draw.choice(["full_attention", "sliding_attention"]) for _ in range(layers)]


def thetas(draw, kinds=("full_attention", "sliding_attention")):
    return {kind: {"rope_type": "default", "rope_theta": draw.choice([77.0, 1e4, 1.6e5])} for kind in kinds}


def bert_keys(draw, even=False):
    heads, hidden = sizes(draw, even=even)
    return dict(
        hidden_size=hidden,
        num_attention_heads=heads,
        num_hidden_layers=draw.randint(1, 4),
        intermediate_size=draw.randint(3, 50),
        hidden_act=draw.choice(ACTS),
        max_position_embeddings=draw.randint(40, 70),
        type_vocab_size=draw.randint(1, 3),
        layer_norm_eps=draw.choice([1e-12, 1e-5, 1e-3]),
        tie_word_embeddings=draw.random() < 0.7,
        initializer_range=draw.choice([0.02, 0.05]),
        classifier_dropout=draw.choice([None, 0.0, 0.2]),
        **rates(draw, "hidden_dropout_prob", "attention_probs_dropout_prob"),
    )


def drawn(family: str, seed: int) -> dict:
    """A random config.json: every key that the family's models read."""
    draw = random.Random(f"{family} {seed}")
    vocab_size = draw.randint(40, 90)
    ids = dict(vocab_size=vocab_size, pad_token_id=draw.choice([0, 1, 2, 7]))
    if family == "distilbert":
        heads, dim = sizes(draw)
        return ids | dict(
            dim=dim,
            n_heads=heads,
            n_layers=draw.randint(1, 4),
            hidden_dim=draw.randint(3, 50),
            activation=draw.choice(ACTS),
            max_position_embeddings=draw.randint(40, 70),
            sinusoidal_pos_embds=draw.random() < 0.3,
            tie_word_embeddings=draw.random() < 0.7,
            **rates(draw, "dropout", "attention_dropout", "qa_dropout", "seq_classif_dropout"),
        )
    if family == "bert" or "roberta" in family or family == "camembert":
        return ids | bert_keys(draw)
    if family == "nomic_bert":
        rope = {"rope_type": "default", "rope_theta": draw.choice([50.0, 1_000.0, 1e5])}
        return ids | bert_keys(draw, even=True) | draw.choice([{}, dict(rope_parameters=rope)])
    heads, hidden = sizes(draw, even=True)
    layers = draw.randint(1, 5)
    shared = ids | dict(
        hidden_size=hidden,
        num_attention_heads=heads,
        num_hidden_layers=layers,
        intermediate_size=draw.randint(3, 50),
        max_position_embeddings=draw.randint(40, 70),
        attention_bias=draw.random() < 0.5,
        mlp_bias=draw.random() < 0.5,
        tie_word_embeddings=draw.random() < 0.4,
        **rates(draw, "attention_dropout", "classifier_dropout"),
    )
    if family == "modernbert":
        return shared | dict(
            hidden_activation=draw.choice(ACTS),
            classifier_activation=draw.choice(ACTS),
            layer_types=layer_types(draw, layers),
            local_attention=draw.choice([2, 5, 8]),
            norm_bias=draw.random() < 0.5,
            norm_eps=draw.choice([1e-5, 1e-3]),
            classifier_bias=draw.random() < 0.5,
            decoder_bias=draw.random() < 0.5,
            classifier_pooling=draw.choice(["cls", "mean"]),
            rope_parameters=thetas(draw),
            **rates(draw, "embedding_dropout", "mlp_dropout"),
        )
    shared |= dict(
        num_key_value_heads=draw.choice([n for n in range(1, heads + 1) if heads % n == 0]),
        hidden_act=draw.choice(ACTS),
        rms_norm_eps=draw.choice([1e-6, 1e-5, 1e-3]),
    )
    if family == "eurobert":
        rope = {"rope_type": "default", "rope_theta": draw.choice([50.0, 1e4])}
        return shared | dict(classifier_pooling=draw.choice(["bos", "mean", "late"]), rope_parameters=rope)
    return shared | dict(
        sliding_window=draw.choice([1, 2, 4]),
        prediction_head_size=draw.randint(2, 30),
        classifier_pooling=draw.choice(["cls", "mean"]),
        **draw.choice([{}, dict(layer_types=layer_types(draw, layers))]),
        **draw.choice([{}, dict(rope_parameters=thetas(draw))]),
    )


def their_model(family: str, kind: str, seed: int):
    """A model of transformers from a random config, every weight random, or None where it has no such class."""
    cls = getattr(transformers, CLASSES[family] + HEADS[kind], None)
    if cls is None:
        return None
    labels = {"num_labels": 3} if "Classifier" in kind else {}
    config = cls.config_class(**drawn(family, seed), **labels)
    config._attn_implementation = "eager"
    model, generator = cls(config), torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            noise = 0.1 * torch.randn(parameter.shape, generator=generator)
            parameter.copy_(noise + (parameter.dim() == 1))
    return model.eval()


def batch(config: EncoderConfig, seed: int, side: str = "right"):
    """Ids, mask and segments (None where the model has one or none) of three texts; no real token is padding."""
    generator = torch.Generator().manual_seed(seed)
    ids = torch.randint(0, config.vocab_size - 1, (3, 21), generator=generator)
    ids += ids >= config.pad_id
    mask = torch.ones_like(ids)
    for row, length in ((1, 13), (2, 1)):
        mask[row, length:] = 0
    if side == "left":
        mask = mask.flip(1)
    ids[mask == 0] = config.pad_id
    segments = torch.randint(0, max(config.segments, 1), ids.shape, generator=generator)
    return ids, mask, segments if config.segments > 1 else None


def their_numbers(model, ids, mask, segments):
    extra = {} if segments is None else {"token_type_ids": segments}
    out, real = model(ids, attention_mask=mask, **extra), mask.bool()
    if hasattr(out, "start_logits"):
        return torch.stack([out.start_logits, out.end_logits], dim=-1)[real]
    found = out.logits if hasattr(out, "logits") else out.last_hidden_state
    return found[real] if found.dim() == 3 else found


def our_numbers(model, ids, mask, segments):
    out, real = model(ids, mask, segments), mask.bool()
    found = out.hidden if type(model).__name__ == "Encoder" else out.logits
    return found[real] if found.dim() == 3 else found


def loss_of(numbers, seed):
    """A loss that every number of the answer enters, the same for both."""
    weights = torch.randn(numbers.shape, generator=torch.Generator().manual_seed(seed), dtype=numbers.dtype)
    return (numbers.log_softmax(-1) * weights).sum() + (numbers**2 * weights).sum()


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("family", ["distilbert", "roberta", "nomic_bert", "ultrabert"])
def test_random_folders_of_transformers_give_the_same_answers_and_gradients(family, seed, tmp_path):
    for kind in KINDS:
        theirs = their_model(family, kind, seed)
        if theirs is None:
            continue
        theirs.save_pretrained(tmp_path / kind)
        with warnings.catch_warnings(action="ignore"):  # the last layer may be local here
            ours = getattr(minibert, kind).from_pretrained(tmp_path / kind)
        assert set(ours.unused_weights) <= {"lm_head.bias", "cls.predictions.bias"}  # unused in theirs, too, if untied
        assert config_to_hf(ours.config)["model_type"] == family
        inputs = batch(ours.config, seed)
        found, expected = our_numbers(ours, *inputs), their_numbers(theirs, *inputs)
        torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)
        assert (found - found.mean()).abs().max() > 1e-3
        loss_of(found, seed).backward()
        loss_of(expected, seed).backward()
        with torch.no_grad():  # their gradients, carried to our names as the weights of a folder are
            for parameter in theirs.parameters():
                parameter.copy_(torch.zeros_like(parameter) if parameter.grad is None else parameter.grad)
        theirs.save_pretrained(tmp_path / kind)
        with warnings.catch_warnings(action="ignore"):
            wanted = getattr(minibert, kind).from_pretrained(tmp_path / kind)
        for (name, mine), its in zip(ours.named_parameters(), wanted.parameters(), strict=True):
            grad = torch.zeros_like(mine) if mine.grad is None else mine.grad.clone()
            if name.endswith("token.weight"):
                grad[ours.config.pad_id] = its[ours.config.pad_id]  # theirs has none in that row
            scale = its.abs().max().clamp(min=1.0)
            assert ((grad - its) / scale).abs().max() < 1e-5, f"{kind}: gradient of {name}"


@pytest.mark.parametrize("family", ["roberta", "camembert", "xlm-roberta"])
def test_a_model_keeps_the_name_it_was_opened_by(family, tmp_path):
    their_model(family, "TokenClassifier", 0).save_pretrained(tmp_path)
    model = minibert.TokenClassifier.from_pretrained(tmp_path)
    model.save_pretrained(tmp_path / "again")
    raw = json.loads((tmp_path / "again" / "config.json").read_text(encoding="utf-8"))
    assert raw["model_type"] == family and raw["architectures"] == [f"{CLASSES[family]}ForTokenClassification"]
    theirs = transformers.AutoModelForTokenClassification.from_pretrained(tmp_path / "again")
    inputs = batch(model.config, 0)
    with torch.no_grad():
        torch.testing.assert_close(our_numbers(model, *inputs), their_numbers(theirs, *inputs), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("seed", range(100, 102))
@pytest.mark.parametrize("family", CLASSES)
def test_our_folders_are_opened_by_transformers(family, seed, tmp_path):
    for kind in KINDS:
        theirs = their_model(family, kind, seed)
        if theirs is None:
            continue
        with warnings.catch_warnings(action="ignore"):
            config = config_from_hf(theirs.config.to_dict() | {"model_type": family})
            ours = getattr(minibert, kind)(config, generator=torch.Generator().manual_seed(seed)).eval()
            ours.save_pretrained(tmp_path / kind)
            again = getattr(minibert, kind).from_pretrained(tmp_path / kind)
        name = "Roberta" if "roberta" in family or family == "camembert" else CLASSES[family]
        opened, report = getattr(transformers, name + HEADS[kind]).from_pretrained(
            tmp_path / kind, output_loading_info=True, attn_implementation="eager"
        )
        rate = {"dropout_classifier": config.dropout_classifier}  # DistilBERT has one for each task
        assert (
            again.config.replace(**rate) == config and not report["missing_keys"] and not report["unexpected_keys"]
        ), report
        inputs = batch(config, seed)
        with torch.no_grad():
            found, expected = our_numbers(ours, *inputs), their_numbers(opened.eval(), *inputs)
        torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)


def test_roberta_counts_positions_from_the_first_real_token_on_either_side(tmp_path):
    theirs = their_model("roberta", "Encoder", 11)
    theirs.save_pretrained(tmp_path)
    ours = minibert.Encoder.from_pretrained(tmp_path)
    inputs = batch(ours.config, 11, side="left")
    with torch.no_grad():
        torch.testing.assert_close(our_numbers(ours, *inputs), their_numbers(theirs, *inputs), atol=1e-5, rtol=1e-5)
    too_long = torch.full((1, ours.config.max_len + 1), 9)
    with pytest.raises(ValueError, match=f"this model learned {ours.config.max_len} positions"):
        ours(too_long)


def test_a_folder_of_ultraberts_first_release_is_read(tmp_path):
    """Its config lists a window and a theta for each layer; its weights have other prefixes."""
    theirs = their_model("ultrabert", "MaskedLanguageModel", 6)
    theirs.save_pretrained(tmp_path)
    kinds, own = theirs.config.layer_types, theirs.config.rope_parameters
    raw = json.loads((tmp_path / "config.json").read_text(encoding="utf-8"))
    raw["attention_windows"] = [theirs.config.sliding_window * (kind == "sliding_attention") for kind in kinds]
    raw["rope_theta"] = [own[kind]["rope_theta"] for kind in kinds]
    del raw["layer_types"], raw["rope_parameters"], raw["sliding_window"]
    (tmp_path / "config.json").write_text(json.dumps(raw), encoding="utf-8")
    tensors = minibert.checkpoints.load_tensors(tmp_path / "model.safetensors")
    old = {name.replace("head.decoder.", "cls.").replace("model.", "ultrabert."): x for name, x in tensors.items()}
    assert {name.split(".")[0] for name in old} == {"ultrabert", "cls", "head"}
    minibert.checkpoints.save_tensors(old, tmp_path / "model.safetensors")
    with warnings.catch_warnings(action="ignore"):
        ours = minibert.MaskedLanguageModel.from_pretrained(tmp_path)
    inputs = batch(ours.config, 6)
    with torch.no_grad():
        torch.testing.assert_close(our_numbers(ours, *inputs), their_numbers(theirs, *inputs), atol=1e-5, rtol=1e-5)


# ---- NeoBERT: transformers has none, so that its published formulas are the oracle


def neobert_weights(config: EncoderConfig, seed: int) -> dict[str, torch.Tensor]:
    """Random weights under the names of the released checkpoint."""
    D, F, V = config.hidden, config.intermediate, config.vocab_size
    shapes = {"model.encoder.weight": (V, D), "model.layer_norm.weight": (D,)}
    shapes |= {"decoder.weight": (V, D), "decoder.bias": (V,)}
    for i in range(config.layers):
        own = {"qkv": (3 * D, D), "wo": (D, D), "ffn.w12": (2 * F, D), "ffn.w3": (D, F)}
        own |= {"attention_norm": (D,), "ffn_norm": (D,)}
        shapes |= {f"model.transformer_encoder.{i}.{name}.weight": shape for name, shape in own.items()}
    generator = torch.Generator().manual_seed(seed)
    return {
        name: (len(shape) == 1) + 0.1 * torch.randn(shape, generator=generator, dtype=torch.float64)
        for name, shape in shapes.items()
    }


def neobert(w: dict[str, torch.Tensor], config: EncoderConfig, ids: torch.Tensor) -> torch.Tensor:
    """Logits (T, V) of one text (T,): RoPE as a product of complex numbers, query, key and value inside each head."""
    H, K, T = config.heads, config.head_size, len(ids)

    def norm(x, name):
        return x / (x.pow(2).mean(-1, keepdim=True) + config.norm_eps).sqrt() * w[name]

    def turned(x):  # (T, H, K): channels 2k and 2k + 1 are the parts of a complex number
        angles = torch.outer(torch.arange(T), 10_000.0 ** (-torch.arange(0, K, 2, dtype=torch.float64) / K))
        turns = torch.polar(torch.ones_like(angles), angles)[:, None]
        return torch.view_as_real(torch.view_as_complex(x.unflatten(-1, (K // 2, 2)).contiguous()) * turns).flatten(-2)

    x = w["model.encoder.weight"][ids]
    for i in range(config.layers):
        own = f"model.transformer_encoder.{i}."
        y = norm(x, own + "attention_norm.weight") @ w[own + "qkv.weight"].T
        query, key, value = y.view(T, H, 3 * K).chunk(3, dim=-1)
        scores = torch.einsum("qhk,thk->hqt", turned(query), turned(key)) / K**0.5
        mixed = torch.einsum("hqt,thk->qhk", scores.softmax(-1), value).flatten(1)
        x = x + mixed @ w[own + "wo.weight"].T
        gate, up = (norm(x, own + "ffn_norm.weight") @ w[own + "ffn.w12.weight"].T).chunk(2, dim=-1)
        x = x + (torch.nn.functional.silu(gate) * up) @ w[own + "ffn.w3.weight"].T
    return norm(x, "model.layer_norm.weight") @ w["decoder.weight"].T + w["decoder.bias"]


@pytest.mark.parametrize("seed", range(8))
def test_neobert_is_its_published_formulas_both_ways(seed, tmp_path):
    draw = random.Random(seed)
    heads, hidden = sizes(draw, even=True)
    raw = dict(
        model_type="neobert",
        architectures=["NeoBERTLMHead"],
        vocab_size=draw.randint(40, 90),
        hidden_size=hidden,
        num_attention_heads=heads,
        num_hidden_layers=draw.randint(1, 4),
        intermediate_size=draw.randint(10, 60),
        max_length=48,
        norm_eps=draw.choice([1e-6, 1e-5, 1e-3]),
        pad_token_id=0,
    )
    config = config_from_hf(raw)
    real = int(2 * raw["intermediate_size"] / 3)
    assert config.intermediate == 8 * ((real + 7) // 8)
    weights = neobert_weights(config, seed)
    (tmp_path / "config.json").write_text(json.dumps(raw), encoding="utf-8")
    minibert.checkpoints.save_tensors(weights, tmp_path / "model.safetensors")
    ours = minibert.MaskedLanguageModel.from_pretrained(tmp_path, dtype=torch.float64)
    ids, mask, _ = batch(config, seed)
    found = ours(ids, mask).logits
    leaves = {name: tensor.clone().requires_grad_() for name, tensor in weights.items()}
    for row in range(3):
        length = int(mask[row].sum())
        expected = neobert(leaves, config, ids[row, :length])
        torch.testing.assert_close(found[row, :length], expected, atol=1e-9, rtol=1e-9)
        loss_of(expected, row).backward()
    sum(loss_of(found[row, : int(mask[row].sum())], row) for row in range(3)).backward()
    minibert.checkpoints.save_tensors({n: leaf.grad for n, leaf in leaves.items()}, tmp_path / "model.safetensors")
    wanted = minibert.MaskedLanguageModel.from_pretrained(tmp_path, dtype=torch.float64)
    for (name, mine), its in zip(ours.named_parameters(), wanted.parameters(), strict=True):
        torch.testing.assert_close(mine.grad, its, atol=1e-9, rtol=1e-9, msg=name)
    ours.save_pretrained(tmp_path / "saved")
    saved = minibert.checkpoints.load_tensors(tmp_path / "saved" / "model.safetensors")
    assert saved.keys() == weights.keys() and all(torch.equal(saved[name], weights[name]) for name in saved)
    assert minibert.checkpoints.load_config(tmp_path / "saved") == config


def test_a_neobert_classifier_keeps_its_dense_layer(tmp_path):
    config = EncoderConfig.preset("neobert").replace(layers=1, hidden=8, heads=2, intermediate=8, vocab_size=200)
    model = minibert.SequenceClassifier(config, labels=3).eval()
    model.save_pretrained(tmp_path)
    names = set(minibert.checkpoints.load_tensors(tmp_path / "model.safetensors"))
    assert {"dense.weight", "dense.bias", "classifier.weight", "classifier.bias"} < names
    again = minibert.SequenceClassifier.from_pretrained(tmp_path)
    ids = torch.tensor([[101, 7, 9, 102]])
    assert torch.equal(model(ids).logits, again(ids).logits)


# ---- published sizes


COUNTS = {  # preset: parameters of the encoder (with the pooler that its published class has) and of the masked LM
    "distilbert-base": (66_362_880, 66_985_530),
    "roberta-base": (124_645_632, 124_697_433),
    "roberta-large": (355_359_744, 355_412_057),
    "camembert-base": (110_621_952, 110_655_493),
    "xlm-roberta-base": (278_043_648, 278_295_186),
    "xlm-roberta-large": (559_890_432, 560_142_482),
    "nomicbert": (136_731_648, 137_354_304),
    "neobert": (221_665_536, 245_136_954),
    "ettin-17m": (16_797_440, 16_913_600),
    "ettin-32m": (31_883_136, 32_081_344),
    "ettin-68m": (68_144_640, 68_457_664),
    "ettin-150m": (149_014_272, 149_655_232),
    "ettin-400m": (394_781_696, 395_881_664),
    "ettin-1b": (1_028_050_688, 1_031_314_112),
    "mmbert-small": (140_493_696, 140_897_536),
    "mmbert-base": (306_939_648, 307_786_240),
}


@pytest.mark.parametrize("preset", COUNTS)
def test_a_published_size_has_its_published_number_of_parameters(preset):
    config = EncoderConfig.preset(preset)
    raw = config_to_hf(config)
    with torch.device("meta"):
        ours = minibert.Encoder(config), minibert.MaskedLanguageModel(config)
    assert tuple(sum(p.numel() for p in model.parameters()) for model in ours) == COUNTS[preset]
    if raw["model_type"] == "neobert":
        return
    name = CLASSES[raw["model_type"]]
    with torch.device("meta"):
        theirs = getattr(transformers, f"{name}ForMaskedLM")(getattr(transformers, f"{name}Config")(**raw))
    theirs.tie_weights()
    counted = {id(p): p.numel() for p in theirs.parameters()}
    assert sum(counted.values()) == COUNTS[preset][1]
