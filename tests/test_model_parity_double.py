"""ModernBERT and EuroBERT in float64 against a second forward pass, written here from the papers' formulas.

`transformers` rounds to float32 inside these two families, whatever the weights are; at 1e-9 only another float64
computation can judge. This one is dense and padded, and shares no line with the package.
"""

import pytest
import torch
from oracles import assert_same_gradients, pack, ragged_batch, their_model, translated
from test_model_parity_sublayers import random_config
from torch.nn.functional import cross_entropy, gelu, layer_norm, linear, silu

from minibert.model import MaskedLanguageModel
from minibert.varlen import ANYWHERE

ATOL = 1e-9


def turn(x, theta):
    """RoPE by complex numbers: x (B, T, H, K), channel k the real and k + K/2 the imaginary part."""
    half = x.shape[-1] // 2
    speeds = torch.tensor([theta ** (-k / half) for k in range(half)], dtype=torch.float64)
    angles = torch.arange(x.shape[1], dtype=torch.float64)[:, None, None] * speeds  # (T, 1, K / 2)
    turned = torch.complex(x[..., :half], x[..., half:]) * torch.polar(torch.ones_like(angles), angles)
    return torch.cat([turned.real, turned.imag], dim=-1)


def attend(query, key, value, visible, theta):
    """query (B, T, H, K), key and value (B, T, G, K), visible (B, T, T) -> (B, T, H * K)."""
    sharers = query.shape[2] // key.shape[2]
    query, key = turn(query, theta), turn(key, theta)
    mixed = []
    for head in range(query.shape[2]):
        scores = query[:, :, head] @ key[:, :, head // sharers].transpose(1, 2) / query.shape[-1] ** 0.5
        weights = scores.exp() * visible
        mixed.append(weights / weights.sum(-1, keepdim=True) @ value[:, :, head // sharers])
    return torch.cat(mixed, dim=-1)


def modernbert(config, w, ids, mask):
    def norm(x, name):
        return layer_norm(x, x.shape[-1:], w[name + ".weight"], None, config.norm_eps)

    index = torch.arange(ids.shape[1])
    everything = mask.bool()[:, None, :] | torch.eye(len(index), dtype=torch.bool)  # padding sees itself, no empty row
    nearby = everything & ((index[:, None] - index).abs() <= config.local_window // 2)
    x = norm(w["model.embeddings.tok_embeddings.weight"][ids], "model.embeddings.norm")
    for i in range(config.layers):
        layer, whole = f"model.layers.{i}.", config.is_global(i)
        y = norm(x, layer + "attn_norm") if i else x
        parts = linear(y, w[layer + "attn.Wqkv.weight"]).chunk(3, dim=-1)
        query, key, value = (part.unflatten(-1, (config.heads, -1)) for part in parts)
        theta = config.rope_theta if whole else config.rope_theta_local
        mixed = attend(query, key, value, everything if whole else nearby, theta)
        x = x + linear(mixed, w[layer + "attn.Wo.weight"])
        active, passive = linear(norm(x, layer + "mlp_norm"), w[layer + "mlp.Wi.weight"]).chunk(2, dim=-1)
        x = x + linear(gelu(active) * passive, w[layer + "mlp.Wo.weight"])
    x = norm(gelu(linear(norm(x, "model.final_norm"), w["head.dense.weight"])), "head.norm")
    return linear(x, w["model.embeddings.tok_embeddings.weight"], w["decoder.bias"])


def eurobert(config, w, ids, mask):
    def norm(x, name):
        return w[name + ".weight"] * x / (x.square().mean(-1, keepdim=True) + config.norm_eps).sqrt()

    visible = mask.bool()[:, None, :] | torch.eye(ids.shape[1], dtype=torch.bool)
    x = w["model.embed_tokens.weight"][ids]
    for i in range(config.layers):
        layer = f"model.layers.{i}."
        y = norm(x, layer + "input_layernorm")
        query, key, value = (
            linear(y, w[f"{layer}self_attn.{part}_proj.weight"]).unflatten(-1, (count, -1))
            for part, count in (("q", config.heads), ("k", config.groups), ("v", config.groups))
        )
        mixed = attend(query, key, value, visible, config.rope_theta)
        x = x + linear(mixed, w[layer + "self_attn.o_proj.weight"])
        y = norm(x, layer + "post_attention_layernorm")
        gate, up = (linear(y, w[f"{layer}mlp.{part}_proj.weight"]) for part in ("gate", "up"))
        x = x + linear(silu(gate) * up, w[layer + "mlp.down_proj.weight"])
    return linear(norm(x, "model.norm"), w["lm_head.weight"])


@pytest.mark.parametrize("backend", ANYWHERE)
@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("forward", [modernbert, eurobert], ids=lambda forward: forward.__name__)
def test_logits_loss_and_gradients_at_1e_9(forward, seed, backend):
    config, lengths = random_config(forward.__name__, seed)
    theirs = their_model(MaskedLanguageModel, config, seed, torch.float64)
    ours = translated(MaskedLanguageModel, config, theirs.state_dict(), torch.float64)
    ids, mask, _ = ragged_batch(config, [*lengths, 9, 4], seed=seed)
    answers = pack(ids, mask).roll(3)

    expected = pack(forward(config, dict(theirs.named_parameters()), ids, mask), mask)
    found = pack(ours(ids, mask, backend=backend).logits, mask)
    torch.testing.assert_close(found, expected, rtol=0, atol=ATOL)
    cross_entropy(expected, answers).backward()
    cross_entropy(found, answers).backward()
    assert_same_gradients(ours, theirs, MaskedLanguageModel, ATOL)
