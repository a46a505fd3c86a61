"""What the FlashAttention packages are asked, where there is no GPU to ask them: doubles that record and answer.

A double has the package's own signature and the meaning its documentation gives to each argument (window ends included
on both sides, -1 no end), written here with a mask, so that a wrong argument shows in the numbers too.
"""

import inspect
import sys
import types

import pytest
import torch
from oracles import FAMILIES, build, ragged_batch, small_config
from torch.nn.attention import varlen

from minibert.model import MaskedLanguageModel
from minibert.varlen import Machine, PackedContext, attention, dispatch
from minibert.varlen.flash import flash_attention, flash_attention_4, torch_attention

GPU = Machine("cuda", (9, 0), installed=("flash_attn", "flash_attn_4"))
LENGTHS = (150, 1, 70, 64, 12)
NAMES = ("flash_attn", "torch", "flash_attn_4")
each_name = pytest.mark.parametrize("name", NAMES)
each_family = pytest.mark.parametrize("family", FAMILIES)


def by_the_documentation(q, k, v, borders, longest, left, right, scale, causal=False):
    """Attention in q's dtype; query i sees key j when i - left <= j <= i + right, None being no end."""
    assert borders.dtype == torch.int32 and type(longest) is int and longest == int(borders.diff().max())
    assert all(x.stride(-1) == 1 and x.dtype in (torch.float16, torch.bfloat16) for x in (q, k, v))
    right = 0 if causal else right
    scale = q.shape[-1] ** -0.5 if scale is None else scale
    outputs = []
    for start, end in zip(borders[:-1].tolist(), borders[1:].tolist(), strict=True):
        i, j = torch.arange(end - start)[:, None], torch.arange(end - start)
        hidden = torch.zeros(end - start, end - start, dtype=torch.bool)
        if left is not None:
            hidden = hidden | (j < i - left)
        if right is not None:
            hidden = hidden | (j > i + right)
        heads = []
        for head in range(q.shape[1]):
            shared = head * k.shape[1] // q.shape[1]
            scores = q[start:end, head] @ k[start:end, shared].T * scale
            heads.append(scores.masked_fill(hidden, -torch.inf).softmax(-1) @ v[start:end, shared])
        outputs.append(torch.stack(heads, dim=1))
    return torch.cat(outputs)


def ends(window_size):
    assert isinstance(window_size, tuple) and len(window_size) == 2
    return (None if end in (-1, None) else end for end in window_size)


class Recorder:
    """The calls of one double."""

    def __init__(self):
        self.calls = []

    def flash_attn(
        self,
        q,
        k,
        v,
        cu_seqlens_q,
        cu_seqlens_k,
        max_seqlen_q,
        max_seqlen_k,
        dropout_p=0.0,
        softmax_scale=None,
        causal=False,
        window_size=(-1, -1),
        softcap=0.0,
        alibi_slopes=None,
        deterministic=False,
        return_attn_probs=False,
        block_table=None,
    ):
        self.calls.append(locals())
        assert cu_seqlens_q is cu_seqlens_k and max_seqlen_q == max_seqlen_k
        return by_the_documentation(q, k, v, cu_seqlens_q, max_seqlen_q, *ends(window_size), softmax_scale, causal)

    def flash_attn_4(
        self,
        q,
        k,
        v,
        qv=None,
        cu_seqlens_q=None,
        cu_seqlens_k=None,
        max_seqlen_q=None,
        max_seqlen_k=None,
        softmax_scale=None,
        causal=False,
        window_size=(None, None),
    ):
        self.calls.append(locals())
        assert qv is None and cu_seqlens_q is cu_seqlens_k and max_seqlen_q == max_seqlen_k
        output = by_the_documentation(q, k, v, cu_seqlens_q, max_seqlen_q, *ends(window_size), softmax_scale, causal)
        return output, None  # with the rows' log-sums of exponentials, here none

    def torch(self, query, key, value, cu_seq_q, cu_seq_k, max_q, max_k, **options):
        arguments = dict(query=query, key=key, value=value, cu_seq_q=cu_seq_q, cu_seq_k=cu_seq_k) | options
        inspect.signature(REAL_VARLEN_ATTN).bind(**arguments, max_q=max_q, max_k=max_k)
        self.calls.append(dict(q=query, k=key, v=value, cu_seqlens_q=cu_seq_q, max_seqlen_q=max_q) | options)
        assert cu_seq_q is cu_seq_k and max_q == max_k
        assert options.get("enable_gqa") or query.shape[1] == key.shape[1]
        scale, window_size = options["scale"], options["window_size"]
        return by_the_documentation(query, key, value, cu_seq_q, max_q, *ends(window_size), scale)

    def torch_with_groups(self, query, key, value, cu_seq_q, cu_seq_k, max_q, max_k, *, scale=None,
                          window_size=(-1, -1), enable_gqa=False):  # fmt: skip
        options = dict(scale=scale, window_size=window_size, enable_gqa=enable_gqa)
        return self.torch(query, key, value, cu_seq_q, cu_seq_k, max_q, max_k, **options)

    def torch_without_groups(self, query, key, value, cu_seq_q, cu_seq_k, max_q, max_k, *, scale=None,
                             window_size=(-1, -1)):  # fmt: skip
        options = dict(scale=scale, window_size=window_size)
        return self.torch(query, key, value, cu_seq_q, cu_seq_k, max_q, max_k, **options)


REAL_VARLEN_ATTN = varlen.varlen_attn


@pytest.fixture
def recorder(monkeypatch):
    """Doubles in the places of the packages, on a machine that pretends to be a GPU."""
    recorder = Recorder()
    package, cute = types.ModuleType("flash_attn"), types.ModuleType("flash_attn.cute")
    package.flash_attn_varlen_func, cute.flash_attn_varlen_func = recorder.flash_attn, recorder.flash_attn_4
    monkeypatch.setitem(sys.modules, "flash_attn", package)
    monkeypatch.setitem(sys.modules, "flash_attn.cute", cute)
    monkeypatch.setattr(varlen, "varlen_attn", recorder.torch_with_groups)
    monkeypatch.setattr(dispatch, "find_machine", lambda device: GPU)
    return recorder


def tensors(heads=4, groups=2, dtype=torch.bfloat16, head_size=8):
    generator = torch.Generator().manual_seed(0)
    shapes = [(sum(LENGTHS), count, head_size) for count in (heads, groups, groups)]
    query, key, value = (torch.randn(shape, generator=generator).to(dtype).requires_grad_() for shape in shapes)
    borders = torch.tensor([0, *LENGTHS]).cumsum(0)  # int64 on purpose
    return query, key, value, borders, max(LENGTHS)


def gradients(output, inputs):
    weights = torch.linspace(-1, 2, output.numel(), dtype=output.dtype).view(output.shape)
    return torch.autograd.grad((output * weights).sum(), inputs)


# ---- the call


def test_the_exact_call_of_flash_attn(recorder):
    query, key, value, borders, longest = tensors()
    attention(query, key, value, borders, longest, window=64, backend="flash_attn")
    attention(query, key, value, borders, longest, dropout=0.25, scale=0.5, backend="flash_attn")
    local, whole = recorder.calls
    for call in (local, whole):
        assert call["q"] is query and call["k"] is key and call["v"] is value  # neither copied nor repeated
        assert call["cu_seqlens_q"].dtype == torch.int32 and call["cu_seqlens_q"].tolist() == borders.tolist()
        assert call["max_seqlen_q"] == call["max_seqlen_k"] == 150
        assert call["causal"] is False and call["return_attn_probs"] is False and call["softcap"] == 0
    assert (local["window_size"], whole["window_size"]) == ((64, 64), (-1, -1))
    assert (local["dropout_p"], whole["dropout_p"]) == (0.0, 0.25)
    assert (local["softmax_scale"], whole["softmax_scale"]) == (None, 0.5)


def test_the_exact_call_of_flash_attn_4(recorder):
    query, key, value, borders, longest = tensors()
    attention(query, key, value, borders, longest, window=64, scale=0.5, backend="flash_attn_4")
    attention(query, key, value, borders, longest, backend="flash_attn_4")
    local, whole = recorder.calls
    assert local["k"] is key and local["cu_seqlens_q"].dtype == torch.int32
    assert (local["window_size"], whole["window_size"]) == ((64, 64), (None, None))
    assert (local["softmax_scale"], whole["softmax_scale"]) == (0.5, None)


@pytest.mark.parametrize("groups", [1, 2, 4])
def test_the_exact_call_of_torch(recorder, groups):
    query, key, value, borders, longest = tensors(groups=groups)
    attention(query, key, value, borders, longest, window=64, scale=0.5, backend="torch")
    attention(query, key, value, borders, longest, backend="torch")
    local, whole = recorder.calls
    assert local["q"] is query and local["k"] is key and local["v"] is value
    assert local["enable_gqa"] is (groups < 4)
    assert local["cu_seqlens_q"].dtype == torch.int32 and local["max_seqlen_q"] == 150
    assert (local["window_size"], whole["window_size"]) == ((64, 64), (-1, -1))
    assert (local["scale"], whole["scale"]) == (0.5, None)


@pytest.mark.parametrize("groups", [1, 2, 4])
def test_torch_without_grouped_queries_gets_repeated_heads(recorder, monkeypatch, groups):
    query, key, value, borders, longest = tensors(groups=groups)
    with_groups, _ = attention(query, key, value, borders, longest, window=3, backend="torch")
    monkeypatch.setattr(varlen, "varlen_attn", recorder.torch_without_groups)
    without, _ = attention(query, key, value, borders, longest, window=3, backend="torch")
    assert torch.equal(without, with_groups)
    assert recorder.calls[-1]["k"].shape == recorder.calls[-1]["v"].shape == query.shape
    assert "enable_gqa" not in recorder.calls[-1]


@pytest.mark.parametrize("groups", [2, 4])
@pytest.mark.parametrize("window", [None, 64])
def test_the_real_kernel_of_torch_takes_the_call(groups, window):
    """On the meta device it computes shapes only, but it reads every argument."""
    query, key, value = (torch.empty(9, heads, 8, dtype=torch.bfloat16, device="meta") for heads in (4, groups, groups))
    borders = torch.tensor([0, 4, 9], dtype=torch.int32)
    assert torch_attention(query, key, value, PackedContext(borders, 5, window=window)).shape == query.shape


@each_name
def test_the_last_axis_is_made_contiguous_and_slices_are_not_copied(recorder, name):
    *_, borders, longest = tensors()
    fused = torch.randn(sum(LENGTHS), 3, 8, dtype=torch.bfloat16)
    turned = torch.randn(sum(LENGTHS), 8, 1, dtype=torch.bfloat16).transpose(1, 2).expand(-1, 1, -1)
    spread = torch.randn(sum(LENGTHS), 1, 16, dtype=torch.bfloat16)[..., ::2]
    attention(fused[:, :1], turned, spread, borders, longest, backend=name)
    (call,) = recorder.calls
    assert call["q"].data_ptr() == fused.data_ptr() and not call["q"].is_contiguous()
    assert call["v"].stride(-1) == 1 and torch.equal(call["v"], spread)


@each_name
@pytest.mark.parametrize("groups", [1, 2, 4])
@pytest.mark.parametrize("window", [None, 0, 1, 11, 63, 64, 150])
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_what_the_double_answers_is_the_reference(recorder, name, groups, window, dtype):
    query, key, value, borders, longest = tensors(groups=groups, dtype=dtype)
    results = []
    for backend in (name, "reference"):
        output, _ = attention(query, key, value, borders, longest, window=window, backend=backend)
        results.append([output, *gradients(output, (query, key, value))])
    assert len(recorder.calls) == 1
    for mine, theirs in zip(*results, strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-2, atol=1e-2)
    assert torch.equal(results[0][0], results[1][0])


@pytest.mark.parametrize("call", [flash_attention, flash_attention_4, torch_attention])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("wide", [0, 1, 2])
def test_full_precision_is_refused_and_never_cast(recorder, call, dtype, wide):
    inputs = [torch.ones(3, 1, 8, dtype=torch.bfloat16) for _ in range(3)]
    inputs[wide] = inputs[wide].to(dtype)
    with pytest.raises(ValueError, match=f"got {dtype}, needs float16 or bfloat16; convert the model"):
        call(*inputs, PackedContext(torch.tensor([0, 3]), 3))
    assert recorder.calls == []


@pytest.mark.parametrize("call", [flash_attention_4, torch_attention])
def test_dropout_is_refused_where_there_is_none(recorder, call):
    x = torch.ones(3, 1, 8, dtype=torch.bfloat16)
    with pytest.raises(ValueError, match=r"dropout=0\.1, but it has no dropout"):
        call(x, x, x, PackedContext(torch.tensor([0, 3]), 3, dropout=0.1))
    assert recorder.calls == []


# ---- the model


def small_model(family, **changes):
    changes |= dict(hidden=32, heads=4, max_len=200) | (dict(local_window=128) if family == "modernbert" else {})
    config = small_config(family, **changes)
    return config, build(MaskedLanguageModel, config, dtype=torch.bfloat16), ragged_batch(config, LENGTHS)


@each_name
@each_family
def test_a_whole_model_through_the_double_is_the_reference(recorder, name, family):
    config, model, batch = small_model(family)
    with torch.no_grad():
        mine, theirs = model(*batch, backend=name), model(*batch, backend="reference")
    assert torch.equal(mine.logits, theirs.logits) and torch.equal(mine.hidden, theirs.hidden)
    windows = [(64, 64) if not config.is_global(layer) else (-1, -1) for layer in range(config.layers)]
    assert (family == "modernbert") == ((64, 64) in windows)
    if name == "flash_attn_4":
        windows = [(None, None) if window == (-1, -1) else window for window in windows]
    assert [call["window_size"] for call in recorder.calls] == windows
    for call in recorder.calls:
        assert type(call["max_seqlen_q"]) is int and call["max_seqlen_q"] == 150
        assert call["cu_seqlens_q"].tolist() == [0, 150, 151, 221, 285, 297]
        assert call["k"].shape == call["v"].shape == (297, config.groups, config.head_size)
        assert call["q"].shape == (297, config.heads, config.head_size)
        assert call.get("dropout_p", 0.0) == 0.0  # in eval mode


@each_family
def test_gradients_flow_through_the_double(recorder, family):
    results = []
    for backend in ("flash_attn", "reference"):
        _, model, batch = small_model(family)
        model(*batch, backend=backend).logits.float().tanh().mean().backward()
        results.append([parameter.grad for parameter in model.parameters()])
    for mine, theirs in zip(*results, strict=True):
        torch.testing.assert_close(mine, theirs, rtol=5e-2, atol=1e-4)


def test_dropout_reaches_the_kernel_in_training_only(recorder):
    _, model, batch = small_model("bert", dropout_attn_probs=0.1)
    model(*batch, backend="flash_attn")
    model.train()(*batch, backend="flash_attn")
    assert [call["dropout_p"] for call in recorder.calls] == [0.0, 0.0, 0.1, 0.1]
    with pytest.raises(ValueError, match="back-end torch: has no dropout"):
        model(*batch, backend="torch")


@each_family
def test_auto_takes_flash_attn_on_a_gpu_that_has_it(recorder, family):
    config, model, batch = small_model(family)
    model(*batch)
    assert len(recorder.calls) == config.layers and "dropout_p" in recorder.calls[0]


def test_whoever_looks_inside_does_not_get_a_fused_kernel(recorder):
    _, model, batch = small_model("bert")
    model(*batch, output_attentions=True)
    model(*batch, output_hidden_states=True)
    assert recorder.calls == []
