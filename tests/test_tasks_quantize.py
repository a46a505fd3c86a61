"""int8 and bf16: what is rounded, how large the error is, and that a converted model is used like any other."""

import copy

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import minibert
from minibert import Encoder, EncoderConfig, MaskedLanguageModel, bf16_inside, corpora, quantize, shipped
from minibert.model import linear
from minibert.model.linear import Linear
from minibert.tasks.quantize import Bf16Linear, QuantizedLinear, to_int8


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 5), st.integers(1, 40), st.floats(-20, 20))
def test_rounding_is_off_by_half_a_step_at_most_and_rows_do_not_meet(seed, rows, width, exponent):
    x = torch.randn(rows, width, generator=torch.Generator().manual_seed(seed)) * 10.0**exponent
    rounded, scale = to_int8(x)
    assert rounded.dtype == torch.int8 and rounded.abs().amax(-1).tolist() == [127] * rows
    assert bool(((rounded * scale - x).abs() <= scale * 0.5001).all())
    for row in range(rows):  # no row knows of the others, however large they are
        assert torch.equal(to_int8(x[row : row + 1])[0], rounded[row : row + 1])


@pytest.mark.parametrize("tokens", [1, 2, 511, 512, 513, 1030])
@pytest.mark.parametrize("bias", [True, False])
def test_the_product_is_that_of_the_rounded_numbers(tokens, bias):
    torch.manual_seed(tokens)
    layer = Linear(48, 20, bias=bias)
    x = torch.randn(tokens, 48)
    weight, weight_scale = to_int8(layer.weight.detach())
    rounded, scale = to_int8(x)
    expected = (rounded.double() * scale) @ (weight.double() * weight_scale).T + (layer.bias if bias else 0)
    assert torch.allclose(QuantizedLinear(layer)(x).double(), expected, atol=1e-6, rtol=1e-5)


def test_one_scale_for_a_matrix_or_for_all_tokens_would_be_worse():
    torch.manual_seed(0)
    layer = Linear(64, 64, bias=False)
    with torch.no_grad():
        layer.weight[3] *= 50  # one loud channel
    x = torch.randn(40, 64)
    x[7] *= 50  # one loud token
    exact = layer(x).detach()

    def error(output):
        quiet = torch.ones_like(exact, dtype=torch.bool)
        quiet[7], quiet[:, 3] = False, False
        return (output - exact)[quiet].square().mean().sqrt().item()

    def as_one(matrix):
        rounded, scale = to_int8(matrix.reshape(1, -1))
        return (rounded * scale).view_as(matrix)

    ours = error(QuantizedLinear(layer)(x))
    assert (
        ours < 0.02
        and error(x @ as_one(layer.weight.detach()).T) > 10 * ours
        and error(as_one(x) @ layer.weight.T) > 10 * ours
    )


@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize("bias", [True, False])
def test_the_bf16_product_is_rounded_once_at_each_end(packed, bias, monkeypatch):
    monkeypatch.setattr(linear, "HAS_ONEDNN", packed and linear.HAS_ONEDNN)
    torch.manual_seed(0)
    layer, x = Linear(48, 20, bias=bias), torch.randn(33, 48)
    found = Bf16Linear(layer)(x)
    weight = layer.weight.detach().bfloat16().double()
    exact = x.bfloat16().double() @ weight.T + (layer.bias.detach().bfloat16() if bias else 0)
    assert found.dtype == torch.bfloat16
    assert bool(((found.double() - exact).abs() <= exact.abs() * 2**-8 + 1e-5).all())
    assert torch.equal(Bf16Linear(layer)(x.bfloat16()), found)


@pytest.mark.parametrize("convert, limit", [(quantize, 0.05), (bf16_inside, 0.01)])
@pytest.mark.parametrize("name", ["bert-nano", "modernbert-nano", "eurobert-nano"])
def test_a_shipped_model_answers_nearly_as_before_and_stays_as_it_is(name, convert, limit):
    model = MaskedLanguageModel.from_pretrained(shipped(name)).eval()
    before = {key: value.clone() for key, value in model.state_dict().items()}
    small = convert(model)
    tok = minibert.load_tokenizer(shipped(name))
    batch = tok.encode_batch(
        ["The Congress of the United States", "War", "We will pay the debt of the nation, and soon."]
    )
    with torch.inference_mode():
        exact = model.encoder(batch.input_ids, batch.attention_mask).hidden
        rounded = small.encoder(batch.input_ids, batch.attention_mask).hidden
        alone = small.encoder(batch.input_ids[1:2, : int(batch.attention_mask[1].sum())]).hidden
    real = batch.attention_mask.bool()
    error = (rounded - exact)[real].square().mean().sqrt() / exact[real].square().mean().sqrt()
    assert 0 < error < limit and rounded.dtype == torch.float32
    # padding and other texts change nothing but, in bf16, what a sum in another order is rounded to
    assert torch.allclose(alone[0], rounded[1][real[1]], atol=1e-5 if convert is quantize else 0.02)
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())
    assert not any(parameter.requires_grad for parameter in small.parameters())


@pytest.mark.parametrize("family", ["bert", "modernbert", "eurobert"])
def test_bf16_inside_is_nearer_to_float32_than_bf16_everywhere(family):
    model = Encoder(EncoderConfig.preset(f"{family}-nano"), generator=torch.Generator().manual_seed(0)).eval()
    ids, mask = torch.randint(5, 900, (3, 80), generator=torch.Generator().manual_seed(0)), torch.ones(3, 80).long()
    mask[1, 50:] = 0
    with torch.inference_mode():
        exact, inside, everywhere = (
            each(ids, mask).hidden[mask.bool()].float()
            for each in (model, bf16_inside(model), copy.deepcopy(model).bfloat16())
        )
    errors = [(found - exact).square().mean().sqrt().item() for found in (inside, everywhere)]
    assert 0 < errors[0] < 0.9 * errors[1] and errors[0] < 0.01
    padded = torch.cat([ids, torch.full((3, 7), 0)], dim=1), torch.cat([mask, torch.zeros(3, 7).long()], dim=1)
    with torch.inference_mode():  # more padding leaves the packed batch, and so every bit, as it is
        assert torch.equal(bf16_inside(model)(*padded).hidden[padded[1].bool()], inside)


@pytest.mark.filterwarnings("ignore")  # the compiler warns that it traces through caches
def test_bf16_inside_can_be_compiled():
    model = bf16_inside(Encoder(EncoderConfig.preset("modernbert-nano")))
    ids = torch.randint(5, 900, (2, 40), generator=torch.Generator().manual_seed(0))
    torch._dynamo.reset()
    with torch.no_grad():
        assert torch.equal(torch.compile(model, backend="eager")(ids).hidden, model(ids).hidden)


@pytest.mark.parametrize("name", ["bert-nano", "modernbert-nano", "eurobert-nano"])
def test_every_matrix_of_a_block_is_a_quarter_as_large_and_nothing_else_changes(name):
    model = Encoder(EncoderConfig.preset(name))
    small = quantize(model)
    layers = [(path, module) for path, module in model.named_modules() if isinstance(module, Linear)]
    in_blocks = [(path, module) for path, module in layers if path.startswith("blocks.")]
    assert len(in_blocks) == 4 * model.config.layers
    for path, module in in_blocks:
        weight = small.get_submodule(path).weight
        assert weight.dtype == torch.int8 and weight.shape == module.weight.T.shape
    assert {key: value.dtype for key, value in small.state_dict().items() if "embeddings" in key} == {
        key: torch.float32 for key in model.state_dict() if "embeddings" in key
    }


@pytest.mark.data
@pytest.mark.skipif(not corpora.is_cached("minilm"), reason="MiniLM is not in the cache")
def test_minilm_compares_sentences_as_before():
    folder = corpora.path("minilm")
    model, tok = Encoder.from_pretrained(folder), minibert.load_tokenizer(folder)
    texts = [
        "A man plays the guitar.",
        "Somebody makes music.",
        "The stock market fell.",
        "Prices of shares went down.",
    ]
    exact, rounded = (minibert.tasks.embed_texts(texts, m, tok) for m in (model, quantize(model)))
    assert (exact @ exact.T - rounded @ rounded.T).abs().max() < 0.03


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (torch.nn.Linear(2, 2), "no linear layers of ours"),
        ("bert-nano", "a str has no"),
        (Encoder(EncoderConfig.preset("bert-nano")).half(), "torch.float16 on cpu"),
        (quantize(Encoder(EncoderConfig.preset("bert-nano"))), "quantized already"),
        (bf16_inside(Encoder(EncoderConfig.preset("bert-nano"))), "bf16 already"),
    ],
)
@pytest.mark.parametrize("convert", [quantize, bf16_inside])
def test_what_cannot_be_converted_is_refused(model, message, convert):
    with pytest.raises(ValueError, match=message):
        convert(model)


def test_a_quantized_model_is_not_written_as_if_it_were_a_plain_one(tmp_path):
    with pytest.raises(ValueError, match="quantize"):
        quantize(Encoder(EncoderConfig.preset("bert-nano"))).save_pretrained(tmp_path / "small")
    assert not (tmp_path / "small" / "model.safetensors").exists()
