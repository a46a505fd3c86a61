"""The mean of several checkpoints of one run: a model that was never trained, and often a better one.

ModernBERT-base is the mean of four checkpoints from its decay: the three best and the last one. Checkpoints can be
averaged where the straight line between them stays in one valley of the loss: those of one run, not too far apart.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path

import torch
from torch import Tensor

from minibert.training.checkpoint import checkpoint_files, put_weights, read_checkpoint, weights_of


def average_states(states: Iterable[dict[str, Tensor]]) -> dict[str, Tensor]:
    """The mean of each tensor over several state dicts, as a new state dict; the given ones stay as they are.

    Sums are kept in double precision, one state dict is held at a time, and a tensor keeps its own type. Whole numbers,
    such as the steps that a norm has counted, cannot be averaged: they must be equal, and are copied.

    Raises:
        ValueError: no state dict; other names, shapes or types than the first one's; NaN or infinity; unequal whole
            numbers. The message names the tensor.

    Source: Izmailov et al. 2018; Warner et al. 2024, appendix A.5.

    >>> average_states([{"w": torch.tensor([1.0, 2.0])}, {"w": torch.tensor([3.0, 6.0])}])["w"].tolist()
    [2.0, 4.0]
    """
    first, sums, count = {}, {}, 0
    for number, state in enumerate(states):
        if not count:
            first = {name: tensor.detach() for name, tensor in state.items()}
            sums = {name: torch.zeros_like(tensor, dtype=torch.float64) for name, tensor in first.items()}
        _check_like(first, state, number)
        for name, tensor in state.items():
            sums[name] += tensor.detach().to(sums[name].device)
        count += 1
    if not count:
        raise ValueError("there is no state dict to average; give at least one")
    return {
        name: (sums[name] / count).to(tensor.dtype) if tensor.is_floating_point() else tensor.clone()
        for name, tensor in first.items()
    }


def _check_like(first: dict[str, Tensor], state: dict[str, Tensor], number: int) -> None:
    if others := sorted(first.keys() ^ state.keys()):
        raise ValueError(
            f"state dict {number} has other tensors than the first one: {', '.join(others[:3])}"
            f"{' ...' if len(others) > 3 else ''}; average checkpoints of one model"
        )
    for name, tensor in state.items():
        mine, theirs = ((tuple(t.shape), str(t.dtype).removeprefix("torch.")) for t in (first[name], tensor))
        if mine != theirs:
            raise ValueError(
                f"{name} is {mine[1]} {mine[0]} in the first state dict and {theirs[1]} {theirs[0]} in number "
                f"{number}; average checkpoints of one model"
            )
        if not tensor.is_floating_point():
            if not torch.equal(first[name], tensor):
                raise ValueError(f"{name} holds whole numbers that differ in state dict {number}; they have no mean")
        elif not tensor.isfinite().all():
            raise ValueError(f"{name} holds NaN or infinity in state dict {number}; leave that checkpoint out")


def average_checkpoints(model, folder: str | Path, steps: Sequence[int] | None = None) -> None:
    """Put the mean of a run's checkpoints into `model`: those after `steps`, or all that the folder holds.

    `folder` is where `train` wrote them, `checkpoints` in the run's folder; the run must have been told to `keep` that
    many. Each file is checked against its checksum.

    Raises:
        ValueError: no checkpoint there, or none after one of the steps (the message lists what there is), a damaged
            one, or one of another model.

    Source: Warner et al. 2024, appendix A.5.

    >>> import tempfile
    >>> from minibert.training.checkpoint import Checkpoint, save_checkpoint
    >>> model = torch.nn.Linear(1, 1, bias=False)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     for step, value in ((10, 1.0), (20, 4.0)):
    ...         _ = save_checkpoint(folder, Checkpoint(step, {"model.weight": torch.tensor([[value]])}, {}))
    ...     average_checkpoints(model, folder, [10, 20])
    >>> model.weight.item()
    2.5
    """
    files = checkpoint_files(Path(folder))
    chosen = sorted(files) if steps is None else list(steps)
    missing = [step for step in chosen if step not in files]
    if missing or not chosen:
        there = ", ".join(map(str, sorted(files))) or "none"
        raise ValueError(
            f"{folder} has checkpoints after these steps: {there}; asked for {missing or 'at least one'}; give the "
            "folder `checkpoints` of a run, and train with a larger `keep` to have more of them"
        )
    put_weights(model, average_states(_weights(files[step]) for step in chosen))


def _weights(path: Path) -> dict[str, Tensor]:
    try:
        return weights_of(read_checkpoint(path))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ValueError(f"checkpoint {path.name} is damaged ({error}); leave its step out") from error
