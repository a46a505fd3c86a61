"""How a model is used once it is trained: without dropout and without gradients."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def inference(model: torch.nn.Module) -> Iterator[torch.device]:
    """Put `model` into evaluation mode, switch gradients off, and say on which device it is.

    Afterwards every part of the model is back in the mode it was in, also when an error ends the block.

    >>> model = torch.nn.Dropout(0.5).train()
    >>> with inference(model) as device:
    ...     model.training, device
    (False, device(type='cpu'))
    >>> model.training
    True
    """
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        with torch.inference_mode():
            yield next((parameter.device for parameter in model.parameters()), torch.device("cpu"))
    finally:
        for module, mode in modes:
            module.training = mode
