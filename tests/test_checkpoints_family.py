"""Relatives of the three encoders: folders open both ways, with the answers, losses and gradients of transformers."""

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


@pytest.mark.parametrize("seed", range(100, 103))
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
