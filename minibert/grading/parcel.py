"""What travels between two processes: a value as JSON and raw numbers, in which nothing can run where it is read.

Numbers, texts, containers, tensors, arrays and generators travel by value. Functions, classes and modules stay where
they are and get a handle. Only the judge also sends pickles (objects of our own classes, such as a tokenizer), and only
the submission opens them.
"""

import collections
import json
import math
import pickle
import random
import re
import types
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

LARGEST = 2**23  # bytes of JSON; as Python objects they take twenty times as much
DTYPES = {str(kind)[6:]: kind for kind in vars(torch).values() if isinstance(kind, torch.dtype)}
DTYPES = {name: kind for name, kind in DTYPES.items() if re.match("float|bfloat|complex|u?int|bool", name)}
ITERATORS = (types.GeneratorType, zip, map, filter, enumerate, reversed, type(iter([])), type(iter(())), type(iter({})))
FUNCTIONS = (types.FunctionType, types.MethodType, types.BuiltinFunctionType)


def _dice(*state) -> random.Random:
    dice = random.Random()
    dice.setstate(state)
    return dice


KINDS = {  # name on the wire: the type, how a value is taken apart, and how it is made of the parts again
    "ellipsis": (type(...), lambda value: (), lambda: ...),
    "int": (int, lambda value: [hex(value)], lambda text: int(text, 16)),
    "list": (list, iter, lambda *parts: list(parts)),
    "tuple": (tuple, iter, lambda *parts: parts),
    "set": (set, iter, lambda *parts: set(parts)),
    "frozenset": (frozenset, iter, lambda *parts: frozenset(parts)),
    "Size": (torch.Size, iter, lambda *parts: torch.Size(parts)),
    "dict": (dict, dict.items, lambda *pairs: dict(pairs)),
    "Counter": (collections.Counter, dict.items, lambda *pairs: collections.Counter(dict(pairs))),
    "OrderedDict": (collections.OrderedDict, dict.items, lambda *pairs: collections.OrderedDict(pairs)),
    "defaultdict": (collections.defaultdict, dict.items, lambda *pairs: collections.defaultdict(None, pairs)),
    "range": (range, lambda value: (value.start, value.stop, value.step), range),
    "bytes": (bytes, lambda value: [np.array(bytearray(value), np.uint8)], np.ndarray.tobytes),
    "dtype": (torch.dtype, lambda value: [str(value)[6:]], DTYPES.get),
    "Generator": (torch.Generator, lambda value: [value.get_state()], lambda state: torch.Generator().set_state(state)),
    "Random": (random.Random, random.Random.getstate, _dice),
}
NAMES = {kind: name for name, (kind, _, _) in KINDS.items()}
MADE = {name: made for name, (_, _, made) in KINDS.items()}
MADE |= {"array": Tensor.numpy, "scalar": lambda tensor: tensor.numpy()[()], "iterator": iter}
MADE["thing"] = lambda name: type(name, (), {})()  # something that cannot travel


class Parcel:
    """What one end packs. `ends` knows the handles; with `ties`, tensors say whether they have a gradient.

    >>> parcel = Parcel(None)
    >>> parcel.put((1, [2.5, "a"])), parcel.put(torch.ones(2)), parcel.specs
    (['tuple', 1, ['list', 2.5, 'a']], ['tensor', 0], [['float32', [2], [0], False, False]])
    """

    def __init__(self, ends: Any, ties: bool = True):
        self.ends, self.ties = ends, ties
        self.tensors, self.specs, self.numbers, self.places = [], [], [], {}

    def contents(self, value: Any) -> tuple:
        """Something that is equal for equal values."""
        return json.dumps(self.put(value)), self.specs, self.numbers

    def message(self, kind: str, head: Any, body: Any) -> list[bytes]:
        """The pieces of a message: what it is, what the two ends must know, and a value that was `put`."""
        text = json.dumps([kind, head, body, self.specs]).encode()
        return [len(text).to_bytes(4, "big"), text, *self.numbers]

    def put(self, value: Any) -> Any:
        """The value as JSON."""
        kind = type(value)
        if value is None or kind in (bool, float, str) or (kind is int and abs(value) < 2**63):
            return value
        if issubclass(kind, Tensor):
            return ["tensor", self._tensor(value)]
        if name := NAMES.get(kind):
            return [name, *map(self.put, KINDS[name][1](value))]
        for handle, stand_in in self.ends.theirs.items():
            if stand_in is value:
                return ["yours", handle]
        if issubclass(kind, np.ndarray | np.generic) and value.dtype.name in DTYPES:
            word = "scalar" if issubclass(kind, np.generic) else "array"
            return [word, self.put(torch.from_numpy(np.array(value)))]
        if kind in ITERATORS and not self.ends.is_judge:
            return ["iterator", self.put(list(value))]
        return self._handle(value, kind)

    def _handle(self, value: Any, kind: type) -> list:
        """Something that stays here and is called here; the judge sends objects of other kinds as pickles."""
        name = str(getattr(value, "__name__", kind.__name__))[:100]
        if self.ends.is_judge:
            ours = kind.__module__.startswith("minibert.course") and callable(value)
            if kind in FUNCTIONS or ours or name == "partial":
                return ["function", self.ends.keep(value), name]
            return ["pickle", self.put(pickle.dumps(value))]
        if issubclass(kind, type):
            return ["class", self.ends.keep(value), name, issubclass(value, nn.Module)]
        if issubclass(kind, nn.Module):
            return ["module", self.ends.keep(value), kind.__name__[:100], self.put(_parts(value))]
        return ["function", self.ends.keep(value), name] if callable(value) else ["thing", kind.__name__[:100]]

    def _tensor(self, value: Tensor) -> int:
        """Put a tensor's numbers beside the JSON, once, and return its place."""
        if id(value) not in self.places:
            data = value.detach().as_subclass(Tensor).resolve_conj().resolve_neg()
            order = sorted(range(data.dim()), key=lambda axis: -data.stride(axis))
            if not data.permute(order).is_contiguous():
                order = list(range(data.dim()))
            self.numbers.append(data.permute(order).contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
            tied, learns = value.requires_grad and self.ties, isinstance(value, nn.Parameter)
            self.places[id(value)] = len(self.specs)
            self.specs.append([str(data.dtype)[6:], list(data.shape), order, tied, learns])
            self.tensors.append(value)
        return self.places[id(value)]


class Message:
    """What the other end has packed; `value` may be asked for once the tensors are what they should be.

    >>> parcel = Parcel(None)
    >>> Message(b"".join(bytes(piece) for piece in parcel.message("call", 0, parcel.put(2.5)))).kind
    'call'
    """

    def __init__(self, data: bytes | memoryview):
        size = int.from_bytes(data[:4], "big")
        if size > LARGEST:
            raise ValueError(f"{size:,} bytes of JSON")
        self.kind, self.head, self.body, specs = json.loads(bytes(data[4 : 4 + size]))
        self.tensors, start = [], 4 + size
        for dtype, shape, order, tied, learns in specs:
            end = start + math.prod(shape) * DTYPES[dtype].itemsize
            numbers, kind = bytearray(data[start:end]), DTYPES[dtype]
            flat = torch.frombuffer(numbers, dtype=kind) if numbers else torch.empty(0, dtype=kind)
            back = [order.index(axis) for axis in range(len(order))]
            tensor = flat.reshape([shape[axis] for axis in order]).permute(back)
            self.tensors.append(nn.Parameter(tensor, tied) if learns else tensor.requires_grad_(tied))
            start = end

    def value(self, ends: Any, body: Any) -> Any:
        """The value that a piece of the body stands for."""
        if not isinstance(body, list):
            return body
        kind, *parts = body
        parts = [self.value(ends, part) for part in parts]
        if kind == "tensor":
            return self.tensors[parts[0]]
        if kind == "yours":
            return ends.mine[parts[0]]
        if kind in ("function", "class", "module"):
            return ends.stand_in(kind, *parts)
        if kind == "pickle" and not ends.is_judge:
            return pickle.loads(parts[0])
        return MADE[kind](*parts)


def _parts(module: nn.Module) -> list:
    """What a mirror is made of: for each part its path, the name of its class, notes, parameters, buffers."""
    found = []
    for path, part in module.named_modules(remove_duplicate=False):
        notes = {key: value for key, value in vars(part).items() if type(value) in (bool, int, float, str, tuple)}
        buffers = {key: (value, key not in part._non_persistent_buffers_set) for key, value in part._buffers.items()}
        found.append((path, type(part).__name__[:100], notes, dict(part._parameters), buffers))
    return found


def written_back(old: Any, new: Any) -> Any:
    """An argument changed in place, as it was changed in the other process; `new` where it cannot be.

    >>> numbers = [1, [torch.zeros(2)]]
    >>> written_back(numbers, [2, [torch.ones(2)], 3]) is numbers, numbers
    (True, [2, [tensor([1., 1.])], 3])
    """
    if isinstance(old, Tensor) and isinstance(new, Tensor):
        if old.shape == new.shape and old.dtype == new.dtype:
            old.data.copy_(new.data)  # others may look at the same numbers
        else:
            old.data = new.data
    elif type(old) is not type(new):
        return new
    elif isinstance(old, torch.Generator):
        old.set_state(new.get_state())
    elif isinstance(old, random.Random):
        old.setstate(new.getstate())
    elif isinstance(old, list):
        old[:] = [*map(written_back, old, new), *new[len(old) :]]
    elif isinstance(old, dict | set):
        if isinstance(old, dict):
            new = {key: written_back(old.get(key, value), value) for key, value in new.items()}
        old.clear()
        old.update(new)
    elif isinstance(old, tuple) and len(old) == len(new):
        return type(old)(map(written_back, old, new))
    else:
        return new
    return old
