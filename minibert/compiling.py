"""What torch.compile should leave alone: steps whose work depends on the values in a batch, not on its shape."""

from collections.abc import Callable

import torch

_UNCOMPILED: dict[Callable, Callable] = {}


def uncompiled(function: Callable) -> Callable:
    """`function` as plain Python inside a compiled model.

    How many texts a batch has and how long they are decides what the checks, the packing and the attention do;
    compiled, they would be compiled again for nearly every batch. They begin with

        if torch.compiler.is_compiling():
            return uncompiled(this_function)(its arguments)

    and not with the decorator `torch.compiler.disable`, because importing that takes more than a second.

    >>> uncompiled(max)(1, 2)
    2
    """
    if function not in _UNCOMPILED:
        _UNCOMPILED[function] = torch.compiler.disable(function)
    return _UNCOMPILED[function]
