"""Calls between two processes: the judge asks, the submission answers, and neither sees the other's memory.

Both ends hold a `Wire`. For a function, a class or a module of the other end there is a stand-in that calls it there.
Gradients cross as well: a result that has one is tied to the tensors that were sent. What a call changes in its
arguments is written back. An exception comes over as its built-in type with the same name and words.
"""

import builtins
import contextlib
import copy
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.overrides import TorchFunctionMode, _get_current_function_mode_stack

from minibert.course.explain import Told, where
from minibert.course.limits import Stop
from minibert.course.meter import metered
from minibert.grading.parcel import Message, Parcel, written_back

TOO_LONG = 2_000  # letters of a message about an exception
CHANCE = (functional.dropout, torch.dropout, functional.scaled_dot_product_attention)  # the last drops out by itself


class Gone(BaseException):
    """The other process has ended, does not answer in time, or sends what is no message."""


class Wire:
    """One end. `receive()` gives a message, `send(*pieces)` posts one; the judge's end trusts nothing that comes.

    >>> post = []
    >>> there = Wire(post.pop, lambda *pieces: post.append(b"".join(pieces)), is_judge=False)
    >>> here = Wire(post.pop, lambda *pieces: there.serve(b"".join(pieces)), is_judge=True)
    >>> there.forget(lambda x: x + 1)
    >>> here.call(0, "", torch.ones(2)).tolist()
    [2.0, 2.0]
    """

    def __init__(self, receive: Callable[[], bytes], send: Callable[..., Any], is_judge: bool):
        self.receive, self.send, self.is_judge = receive, send, is_judge
        self.broken: Gone | None = None  # why nothing is read any more
        self.forget()

    def forget(self, *roots: Any) -> None:
        """Take back all that the other end may call, but for `roots`, which get the handles 0, 1, ..."""
        self.mine: list = list(roots)  # what the other end may call, by handle
        self.errors: list[BaseException] = []  # that were told to the other end, which may send them back
        self.theirs: dict[int, Any] = {}  # stand-ins by handle

    def call(self, handle: int, method: str, *arguments, **named) -> Any:
        """Call what the other end keeps under `handle`, and answer its calls; what is raised there is raised here."""
        relay = self.keep(_by_chance) if self.is_judge and _get_current_function_mode_stack() else -1
        parcel = Parcel(self)
        body = parcel.put((arguments, named))
        self.send(*parcel.message("call", [handle, method, torch.is_grad_enabled(), relay], body))
        if self.broken:
            raise self.broken
        while (answer := self._read(lambda: Message(self.receive()))).kind == "call":
            self._answer(answer)
        self._tie(answer, [x for x in parcel.tensors if x.requires_grad])
        value = self._read(lambda: answer.value(self, answer.body))
        if answer.kind == "error":
            raise self._raised(*value)
        result, changed = value
        given = [*arguments, *named.values()]
        for place, new in changed:
            written_back(given[place], new)
        return result

    def serve(self, data: bytes | memoryview) -> None:
        """Answer one call of the other end."""
        self._answer(Message(data))

    def _read(self, read: Callable[[], Any]) -> Any:
        """What comes from a submission may be anything: after what is no message the judge reads no more."""
        try:
            return read()
        except Gone as end:
            self.broken = end
        except Exception as error:
            if not self.is_judge:
                raise
            self.broken = Gone(f"the process sent what is no message ({str(error)[:100]})")
        raise self.broken

    def _tie(self, answer: Message, sent: list[Tensor]) -> None:
        """Let the gradient of results go back to what was sent."""
        tied = [place for place, x in enumerate(answer.tensors) if _is_result(x)]
        if answer.head is not None and sent and tied and torch.is_grad_enabled():
            results = _Across.apply(self, answer.head, [answer.tensors[place].detach() for place in tied], *sent)
            for place, result in zip(tied, results, strict=True):
                answer.tensors[place] = result

    def _answer(self, asked: Message) -> None:
        try:
            parcel = Parcel(self)
            pieces = parcel.message("value", *self._called(asked, parcel))
        except (Stop, Gone):
            raise
        except BaseException as error:
            parcel = Parcel(self)
            pieces = parcel.message("error", None, parcel.put(self._told(error)))
        self.send(*pieces)

    def _called(self, asked: Message, parcel: Parcel) -> tuple[int | None, Any]:
        """The handle of the way back to the arguments, if there is one; the result, and the arguments that changed."""
        handle, method, gradients, relay = asked.head
        arguments, named = self._read(lambda: asked.value(self, asked.body))
        function = self.mine[handle]
        if method and self.is_judge:
            raise PermissionError("a submission calls what it was given, and nothing else")
        if method == "metered":
            function = partial(metered, function)
        elif method:
            function = _synchronised(function, method, arguments, asked.tensors)
        given = [*arguments, *named.values()]
        before = [Parcel(self).contents(one) for one in given]
        chance = _Relay(self, relay) if relay >= 0 and not self.is_judge else contextlib.nullcontext()
        with torch.set_grad_enabled(gradients), chance:
            result = function(*arguments, **named)
        changed = [(place, one) for place, one in enumerate(given) if Parcel(self).contents(one) != before[place]]
        body = parcel.put(result)
        inputs, outputs = [x for x in asked.tensors if x.requires_grad], list(filter(_is_result, parcel.tensors))
        parcel.ties = False
        back = self.keep(partial(_slopes, inputs, outputs)) if inputs and outputs else None
        return back, ["tuple", body, parcel.put(changed)]

    def keep(self, value: Any) -> int:
        """The handle under which the other end can call `value`."""
        for handle, kept in enumerate(self.mine):
            if kept is value:
                return handle
        self.mine.append(value)
        return len(self.mine) - 1

    def _told(self, error: BaseException) -> tuple:
        base = next(kind for kind in type(error).__mro__ if kind.__module__ == "builtins")
        try:
            text = str(error)[:TOO_LONG]
        except BaseException:
            text = ""
        self.errors.append(error)
        back = error.token if isinstance(error, Told) else -1
        return base.__name__, type(error).__name__[:100], text, where(error), len(self.errors) - 1, back

    def _raised(self, base: str, name: str, text: str, place: str, token: int, back: int) -> BaseException:
        if 0 <= back < len(self.errors):
            return self.errors[back]
        kind = vars(builtins).get(base)
        if not isinstance(kind, type) or not issubclass(kind, BaseException) or issubclass(kind, BaseExceptionGroup):
            kind = Exception
        family = type(name[:100], (Told, kind), {})
        error = family.__new__(family)
        error.args, error.text, error.place, error.token = (text[:TOO_LONG],), text[:TOO_LONG], place[:200], token
        return error

    def stand_in(self, kind: str, handle: int, name: str, *more) -> Any:
        """What is called here for something that stays there."""
        if handle not in self.theirs:

            def ask(*arguments, **named):
                return self.call(handle, "", *arguments, **named)

            ask.__name__ = ask.__qualname__ = name
            ask.metered_there = partial(self.call, handle, "metered")
            self.theirs[handle] = ask
            if kind == "class":
                make = {"__new__": lambda cls, *arguments, **named: ask(*arguments, **named)}
                self.theirs[handle] = type(name, (nn.Module,) if more[0] else (), make)
            elif kind == "module":
                self.theirs[handle] = _mirror(self, handle, *more)
        return self.theirs[handle]


class Mirror(nn.Module):
    """A module of the submission: its parameters are here, its code is there.

    >>> issubclass(Mirror, nn.Module)
    True
    """

    def _ask(self, method: str, *arguments, **named) -> Any:
        wire, handle = vars(self)["_remote"]
        state = dict(self.named_parameters(remove_duplicate=False)) | dict(self.named_buffers(remove_duplicate=False))
        training = {name: part.training for name, part in self.named_modules()}
        return wire.call(handle, method, state, training, *arguments, **named)

    def forward(self, *arguments, **named):
        return self._ask("forward", *arguments, **named)

    def train(self, mode: bool = True):
        for name, flag in self._ask("train", mode).items():
            self.get_submodule(name).training = flag
        return self

    def __deepcopy__(self, memo):
        return self._ask("copy")


def _mirror(wire: Wire, handle: int, parts: list) -> Mirror:
    made = {}
    for path, name, notes, parameters, buffers in parts:
        family = type(name, (nn.Module if path else Mirror,), {})
        part = made[path] = family.__new__(family)
        nn.Module.__init__(part)
        vars(part).update({key: value for key, value in notes.items() if key[0] != "_" and not hasattr(nn.Module, key)})
        for key, value in parameters.items():
            part.register_parameter(key, value)
        for key, (value, persistent) in buffers.items():
            part.register_buffer(key, value, persistent)
        if path:
            owner, _, leaf = path.rpartition(".")
            made[owner].add_module(leaf, part)
    vars(made[""])["_remote"] = wire, handle
    return made[""]


def _synchronised(module: nn.Module, method: str, arguments: tuple, tensors: list[Tensor]) -> Callable:
    """A method of a module that has taken over the numbers of its mirror; its own parameters then get the gradient."""
    state, training = arguments[:2]
    for name, part in state.items():
        owner, _, leaf = name.rpartition(".")
        owner = module.get_submodule(owner)
        old = getattr(owner, leaf)
        if isinstance(old, Tensor) and old.shape == part.shape and old.dtype == part.dtype:
            old.data.copy_(part.data)
            if old.requires_grad != part.requires_grad:
                old.requires_grad_(part.requires_grad)
        else:
            setattr(owner, leaf, part)
        state[name] = getattr(owner, leaf)
        tensors[:] = [state[name] if x is part else x for x in tensors]
    for name, flag in training.items():
        module.get_submodule(name).training = flag

    def run(state, training, *arguments, **named):
        if method == "copy":
            return copy.deepcopy(module)
        if method == "train":
            module.train(*arguments)
            return {name: part.training for name, part in module.named_modules(remove_duplicate=False)}
        return module(*arguments, **named)

    return run


def _slopes(inputs: list[Tensor], outputs: list[Tensor], *slopes) -> tuple:
    """The gradients at the arguments of an earlier call, from those at its results."""
    return torch.autograd.grad(outputs, inputs, slopes, True, allow_unused=True)


class _Across(torch.autograd.Function):
    """Ties results that came back to the tensors that were sent."""

    @staticmethod
    def forward(context, wire, back, results, *sent):
        context.wire, context.back = wire, back
        return tuple(results)

    @staticmethod
    def backward(context, *slopes):
        return None, None, None, *context.wire.call(context.back, "", *slopes)


class _Relay(TorchFunctionMode):
    """The judge decides what falls to dropout, so that two modules in train mode can be compared."""

    def __init__(self, wire: Wire, handle: int):
        super().__init__()
        self.wire, self.handle = wire, handle

    def __torch_function__(self, function, types, args=(), kwargs=None):
        if function in CHANCE:
            return self.wire.call(self.handle, "", CHANCE.index(function), *args, **(kwargs or {}))
        return function(*args, **(kwargs or {}))


def _by_chance(place: int, *arguments, **named) -> Tensor:
    return CHANCE[place](*arguments, **named)


def _is_result(tensor: Tensor) -> bool:
    """Whether a tensor that comes back has a gradient; the parameters of a module that comes back begin one."""
    return tensor.requires_grad and not isinstance(tensor, nn.Parameter)
