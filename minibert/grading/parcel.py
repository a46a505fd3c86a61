"""What travels between two processes: a value as JSON and raw numbers, in which nothing can run where it is read.

Numbers, texts, containers, tensors, arrays and generators travel by value. Functions, classes and modules stay where
they are and get a handle. Only the judge also sends pickles (objects of our own classes, such as a tokenizer), and only
the submission opens them.
"""

import collections
import json
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
PLAIN = {"list": list, "tuple": tuple, "set": set, "frozenset": frozenset, "Size": torch.Size}
MAPPINGS = {"dict": dict, "Counter": collections.Counter, "OrderedDict": collections.OrderedDict}
MAPPINGS["defaultdict"] = collections.defaultdict
ITERATORS = (types.GeneratorType, zip, map, filter, enumerate, reversed, type(iter([])), type(iter(())), type(iter({})))
FUNCTIONS = (types.FunctionType, types.MethodType, types.BuiltinFunctionType)


class Parcel:
    """What one end packs. `ends` knows the handles; with `ties`, tensors say whether they have a gradient.

    >>> parcel = Parcel(None)
    >>> parcel.put((1, [2.5, "a"])), parcel.put(torch.ones(2)), parcel.specs
    (['tuple', 1, ['list', 2.5, 'a']], ['tensor', 0], [[0, 'float32', [2], [0], False, False]])
    """

    def __init__(self, ends: Any, ties: bool = True):
        self.ends, self.ties = ends, ties
        self.tensors, self.specs, self.blobs, self.places = [], [], [], {}

    def contents(self, value: Any) -> tuple:
        """Something that is equal for equal values."""
        return json.dumps(self.put(value)), [spec[1:] for spec in self.specs], self.blobs

    def message(self, kind: str, head: Any, body: Any) -> list[bytes]:
        """The pieces of a message: what it is, what the two ends must know, and a value that was `put`."""
        text = json.dumps([kind, head, body, self.specs, [len(blob) for blob in self.blobs]]).encode()
        return [len(text).to_bytes(4, "big"), text, *self.blobs]

    def blob(self, data: bytes) -> int:
        """Put bytes beside the JSON, and return their place."""
        self.blobs.append(data)
        return len(self.blobs) - 1

    def put(self, value: Any) -> Any:
        """The value as JSON."""
        kind, name = type(value), type(value).__name__
        if value is None or kind in (bool, float, str):
            return value
        if kind is int:
            return value if abs(value) < 2**63 else ["int", hex(value)]
        if PLAIN.get(name) is kind:
            return [name, *map(self.put, value)]
        if MAPPINGS.get(name) is kind:
            return [name, *([self.put(key), self.put(item)] for key, item in value.items())]
        if issubclass(kind, Tensor):
            return ["tensor", self.put_tensor(value)]
        for handle, stand_in in self.ends.theirs.items():
            if stand_in is value:
                return ["yours", handle]
        if kind in WRITERS:
            return [name, *map(self.put, WRITERS[kind](value))]
        if issubclass(kind, np.ndarray | np.generic) and value.dtype.name in DTYPES:
            word = "scalar" if issubclass(kind, np.generic) else "array"
            return [word, self.put(torch.from_numpy(np.array(value)))]
        if kind in ITERATORS and not self.ends.is_judge:
            return ["iterator", self.put(list(value))]
        return self.put_handle(value, kind)

    def put_handle(self, value: Any, kind: type) -> list:
        """Something that stays here and is called here; the judge sends objects of other kinds as pickles."""
        name = str(getattr(value, "__name__", kind.__name__))[:100]
        if self.ends.is_judge:
            ours = kind.__module__.startswith("minibert.course") and callable(value)
            if kind in FUNCTIONS or ours or name == "partial":
                return ["function", self.ends.keep(value), name]
            return ["pickle", self.blob(pickle.dumps(value))]
        if issubclass(kind, type):
            return ["class", self.ends.keep(value), name, issubclass(value, nn.Module)]
        if issubclass(kind, nn.Module):
            return ["module", self.ends.keep(value), kind.__name__[:100], self.put(_parts(value))]
        if callable(value):
            return ["function", self.ends.keep(value), name]
        return ["thing", kind.__name__[:100]]

    def put_tensor(self, value: Tensor) -> int:
        """Put a tensor's numbers beside the JSON, once, and return its place."""
        if id(value) in self.places:
            return self.places[id(value)]
        data = value.detach().as_subclass(Tensor).resolve_conj().resolve_neg()
        order = sorted(range(data.dim()), key=lambda axis: -data.stride(axis))
        if not data.permute(order).is_contiguous():
            order = list(range(data.dim()))
        raw = data.permute(order).contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()
        tied = value.requires_grad and self.ties
        self.tensors.append(value)
        self.places[id(value)] = len(self.specs)
        spec = [self.blob(raw), str(data.dtype)[6:], list(data.shape), order, tied, isinstance(value, nn.Parameter)]
        self.specs.append(spec)
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
        self.kind, self.head, self.body, specs, sizes = json.loads(bytes(data[4 : 4 + size]))
        self.blobs, start = [], 4 + size
        for length in sizes:
            self.blobs.append(data[start : start + length])
            start += length
        self.tensors = [_tensor(self.blobs, *spec) for spec in specs]

    def value(self, ends: Any, body: Any) -> Any:
        """The value that a piece of the body stands for."""
        if not isinstance(body, list):
            return body
        kind, *rest = body
        if kind in MAPPINGS:
            pairs = {self.value(ends, key): self.value(ends, item) for key, item in rest}
            return MAPPINGS[kind](None, pairs) if kind == "defaultdict" else MAPPINGS[kind](pairs)
        parts = [self.value(ends, part) for part in rest]
        if kind in PLAIN:
            return PLAIN[kind](parts)
        if kind == "tensor":
            return self.tensors[parts[0]]
        if kind == "pickle" and not ends.is_judge:
            return pickle.loads(self.blobs[parts[0]])
        if kind == "yours":
            return ends.mine[parts[0]]
        if kind in ("function", "class", "module"):
            return ends.stand_in(kind, *parts)
        return READERS[kind](*parts)


def _tensor(blobs: list[bytes], place: int, dtype: str, shape: list, order: list, tied: bool, learns: bool) -> Tensor:
    if sorted(order) != list(range(len(shape))):
        raise ValueError(f"axes {order}")
    data = bytearray(blobs[place])
    flat = torch.frombuffer(data, dtype=DTYPES[dtype]) if data else torch.empty(0, dtype=DTYPES[dtype])
    tensor = flat.reshape([shape[axis] for axis in order]).permute([order.index(axis) for axis in range(len(order))])
    return nn.Parameter(tensor, tied) if learns else tensor.requires_grad_(tied)


def _parts(module: nn.Module) -> list:
    """What a mirror is made of: for each part its path, its class if it is PyTorch's, notes, parameters, buffers."""
    found = []
    for path, part in module.named_modules(remove_duplicate=False):
        kind = type(part)
        known = kind.__name__ if getattr(nn, kind.__name__, None) is kind else ""
        notes = {key: value for key, value in vars(part).items() if type(value) in (bool, int, float, str, tuple)}
        buffers = {key: (value, key not in part._non_persistent_buffers_set) for key, value in part._buffers.items()}
        found.append((path, known, notes, dict(part._parameters), buffers))
    return found


def write_back(old: Any, new: Any) -> None:
    """Change arguments in place, as they were changed in the other process.

    >>> numbers = [1, [torch.zeros(2)]]
    >>> write_back(numbers, [1, [torch.ones(2)], 3])
    >>> numbers
    [1, [tensor([1., 1.])], 3]
    """
    if isinstance(old, Tensor) and isinstance(new, Tensor):
        if old.shape == new.shape and old.dtype == new.dtype:
            old.data.copy_(new.data)
        else:
            old.data = new.data
    elif isinstance(old, torch.Generator) and isinstance(new, torch.Generator):
        old.set_state(new.get_state())
    elif isinstance(old, random.Random) and isinstance(new, random.Random):
        old.setstate(new.getstate())
    elif type(old) is type(new) and type(old) in (list, tuple) and (len(old) == len(new) or type(old) is tuple):
        for one, other in zip(old, new, strict=False):
            write_back(one, other)
        if type(old) is list:
            old[:] = [b if type(b) in (bool, int, float, str) else a for a, b in zip(old, new, strict=True)]
    elif type(old) is type(new) and isinstance(old, list):
        old[:] = new
    elif type(old) is type(new) and isinstance(old, dict | set):
        if isinstance(old, dict) and old.keys() == new.keys():
            for key in old:
                write_back(old[key], new[key])
                old[key] = new[key] if type(new[key]) in (bool, int, float, str) else old[key]
        else:
            old.clear()
            old.update(new)


def _generator(state: Tensor) -> torch.Generator:
    return torch.Generator().set_state(state)


def _dice(version: int, numbers: bytes, gauss: float | None) -> random.Random:
    dice = random.Random()
    dice.setstate((version, tuple(np.frombuffer(numbers, np.int64).tolist()), gauss))
    return dice


WRITERS = {  # what has a name of its own on the wire, and its parts
    type(...): lambda value: (),
    torch.dtype: lambda value: (str(value)[6:],),
    torch.Generator: lambda value: (value.get_state(),),
    random.Random: lambda value: [np.array(x).tobytes() if type(x) is tuple else x for x in value.getstate()],
    range: lambda value: (value.start, value.stop, value.step),
    bytes: lambda value: (np.frombuffer(value, np.uint8) if value else np.empty(0, np.uint8),),
}
READERS = {
    "ellipsis": lambda: ...,
    "int": lambda text: int(text, 16),
    "dtype": DTYPES.get,
    "Generator": _generator,
    "Random": _dice,
    "range": range,
    "bytes": lambda array: array.tobytes(),
    "array": Tensor.numpy,
    "scalar": lambda tensor: tensor.numpy()[()],
    "iterator": iter,
    "thing": lambda name: type(name, (), {})(),
}
