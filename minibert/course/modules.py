"""How a class is asked: its weights are given, dropout falls as it is told, gradients are compared."""

from collections.abc import Mapping
from types import FunctionType
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from minibert.course.exercise import Wrong
from minibert.course.lab import slopes
from minibert.course.tools import call, kind_of, make_module


class FixedDropout(TorchFunctionMode):
    """Inside, dropout depends on the number of entries and the share alone, so that two modules can be compared.

    It reaches `nn.Dropout`, `functional.dropout` and attention of PyTorch's own that drops its weights by itself.

    >>> with FixedDropout():
    ...     one, two = (functional.dropout(torch.ones(3, 4), 0.5, training=True) for _ in range(2))
    >>> torch.equal(one, two)
    True
    """

    def __torch_function__(self, function, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        if function in (functional.dropout, torch.dropout):
            return self._drop(*args, **{"training" if name == "train" else name: x for name, x in kwargs.items()})
        if function is functional.scaled_dot_product_attention:
            return self._attend(*args, **kwargs)
        if function is functional.multi_head_attention_forward:
            with self:  # its own dropout, too
                return _HEADS(*args, **kwargs)
        return function(*args, **kwargs)

    def _drop(self, input, p=0.5, training=True, inplace=False):
        return self._dropped(input, p) if training and p > 0 else input

    @staticmethod
    def _dropped(input, p):
        keep = torch.rand(input.numel(), generator=torch.Generator().manual_seed(input.numel())) >= p
        return input * keep.view(input.shape) / (1 - p)

    def _attend(self, query, key, value, attn_mask=None, dropout_p=0.0, is_causal=False, scale=None, enable_gqa=False):
        if dropout_p == 0:
            rest = dict(attn_mask=attn_mask, is_causal=is_causal, scale=scale, enable_gqa=enable_gqa)
            return functional.scaled_dot_product_attention(query, key, value, **rest)
        scores = query @ key.mT * (query.shape[-1] ** -0.5 if scale is None else scale)
        if attn_mask is not None:
            scores = scores.masked_fill(~attn_mask, -torch.inf) if attn_mask.dtype == torch.bool else scores + attn_mask
        return self._drop(scores.softmax(-1), dropout_p) @ value


class SmoothDropout(FixedDropout):
    """Inside, dropout is a function of each number, x (1 - p cos x), wherever it stands: axes may lie in any order.

    >>> with SmoothDropout():
    ...     one, two = (functional.dropout(x, 0.5) for x in (torch.arange(6.0).view(2, 3), torch.arange(6.0)))
    >>> torch.equal(one.flatten(), two)
    True
    """

    @staticmethod
    def _dropped(input, p):
        return input * (1 - p * input.cos())


_all_heads = functional.multi_head_attention_forward
_HEADS = FunctionType(  # the same, but it does not ask anew who would like to run it in its place
    _all_heads.__code__, _all_heads.__globals__ | {"has_torch_function": lambda tensors: False}, "heads"
)
_HEADS.__defaults__, _HEADS.__kwdefaults__ = _all_heads.__defaults__, _all_heads.__kwdefaults__


def expect_parameters(module: nn.Module, right: nn.Module) -> None:
    """Refuse a module that saves anything but the parameters of the right one: names, shapes, each for itself.

    >>> expect_parameters(nn.Linear(2, 3), nn.Linear(2, 3))
    """
    found, wanted = (dict(one.named_parameters(remove_duplicate=False)) for one in (module, right))
    for name, parameter in wanted.items():
        owner = name.rpartition(".")[0]
        if name not in found:
            kind = type(right.get_submodule(owner)).__name__
            seen = f"there is no parameter {name}; there are: {', '.join(found) or 'none'}"
            cause = f"make self.{owner} an nn.{kind}" if owner else f"self.{name} = nn.Parameter(...)"
            if any(one.startswith(f"{owner}.") for one in found):
                cause = f"self.{owner} is made without it: look at what it is made with, such as bias=False"
            if not owner and (there := getattr(module, name, None)) is not None:
                cause = f"self.{name} is {kind_of(there)}, which no optimizer will find: wrap it, {cause}"
            raise Wrong(seen, f"{name} {tuple(parameter.shape)}", cause)
        if found[name].shape != parameter.shape:
            seen = f"{name} has shape {tuple(found[name].shape)}"
            raise Wrong(seen, f"{tuple(parameter.shape)}", "look at the sizes it is made with")
        if not found[name].requires_grad:
            raise Wrong(f"{name} does not learn", "a parameter that learns", "requires_grad is switched off")
    if surplus := sorted(set(found) - set(wanted)):
        raise Wrong(f"there are more parameters: {', '.join(surplus[:4])}", ", ".join(wanted))
    twice = [name for name in wanted if sum(found[name] is other for other in found.values()) > 1]
    if twice:
        raise Wrong(f"{' and '.join(twice)} are the same parameter", "each has numbers of its own")
    if buffers := sorted(set(module.state_dict()) - set(right.state_dict())):
        cause = "weights saved without it do not load: register_buffer(..., persistent=False), or make it in forward"
        raise Wrong(f"state_dict() holds {', '.join(buffers[:4])} besides the parameters", "parameters alone", cause)


def run_module(
    answer: Any, sizes: tuple, weights: dict[str, Tensor], train: bool, *inputs, dropout: type = FixedDropout
) -> Any:
    """What a module of the learner's class, made with `sizes`, gives with these weights; dropout as `dropout` does it.

    >>> weights = {"weight": torch.ones(1, 2), "bias": torch.zeros(1)}
    >>> run_module(nn.Linear, (2, 1), weights, False, torch.ones(3, 2)).tolist()
    [[2.0], [2.0], [2.0]]
    """
    module = _loaded(answer, sizes, weights).train(train)
    with dropout():
        return call(module, *inputs)


def module_gradients(answer: Any, sizes: tuple, weights: dict[str, Tensor], train: bool, *inputs) -> dict[str, Tensor]:
    """The gradient of a weighted sum of the output at each parameter and input of floats; `Wrong` if one gets none.

    >>> weights = {"weight": torch.ones(1, 2), "bias": torch.zeros(1)}
    >>> sorted(module_gradients(nn.Linear, (2, 1), weights, False, torch.ones(3, 2)))
    ['bias', 'the input', 'weight']
    """
    module = _loaded(answer, sizes, weights).train(train)
    floats = [place for place, x in enumerate(inputs) if isinstance(x, Tensor) and x.is_floating_point()]
    names = ["the input"] if len(floats) == 1 else [f"the input {n}" for n in range(1, len(floats) + 1)]
    ends = dict(module.named_parameters())

    def ask(*given):
        learnt = [*ends.values(), *(given[place].requires_grad_() for place in floats)]
        return slopes(module(*given), learnt)

    with FixedDropout():
        found = dict(zip([*ends, *names], call(ask, *inputs), strict=True))
    if silent := [name for name, slope in found.items() if slope is None]:
        cause = "detach, .data, no_grad or torch.tensor(...) on the way, or a part that is made and not used"
        raise Wrong(f"no gradient reaches {', '.join(silent[:4])}", "the loss reaches every parameter and input", cause)
    return found


def _loaded(answer: Any, sizes: tuple, weights: dict[str, Tensor]) -> nn.Module:
    module = make_module(answer, *sizes)
    if missing := sorted(set(weights) - set(module.state_dict())):
        cause = "names and shapes are part of the exercise"
        raise Wrong(f"there is no parameter {missing[0]}", ", ".join(weights), cause)
    for dtype in {weight.dtype for weight in weights.values()} - {torch.get_default_dtype()}:
        module.to(dtype)
    module.load_state_dict(weights, strict=False)
    return module


def expect_weights(got: Any, like: dict[str, Tensor], cause: str) -> dict[str, Tensor]:
    """The weights that an answer gives back, with the names and shapes of `like`; `Wrong` with this cause otherwise.

    >>> expect_weights({"bias": torch.ones(2, dtype=torch.float64)}, {"bias": torch.zeros(2)}, "")["bias"].dtype
    torch.float32
    """
    if not isinstance(got, Mapping):
        raise Wrong(f"the weights are {kind_of(got)}", f"a dict of {len(like)} tensors", cause)
    new = dict(got)
    if "decoder.weight" in like:  # the token table under another name
        new.setdefault("decoder.weight", new.get("encoder.embeddings.token.weight"))
    if new.keys() != like.keys():
        strange = sorted(map(str, new.keys() ^ like.keys()))
        raise Wrong(f"the weights have other names: {', '.join(strange[:3])}", f"{len(like)} names", cause)
    for name, old in like.items():
        if not isinstance(new[name], Tensor) or new[name].shape != old.shape:
            raise Wrong(f"{name} is {kind_of(new[name])}", kind_of(old), cause)
        if not new[name].isfinite().all():
            raise Wrong(f"{name} holds NaN or infinity", "finite numbers", "a lower learning rate")
    return {name: new[name].detach().to(old) for name, old in like.items()}
