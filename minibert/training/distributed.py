"""Many processes train one model: who they are, and what they tell each other.

`torchrun --nproc-per-node 8 -m minibert pretrain ...` starts the processes; torch numbers them by `rank`. Each takes
its share of every step. With one process nothing here does anything.
"""

import contextlib
import datetime
import os
from collections.abc import Iterator

import torch
import torch.distributed as dist
from torch import Tensor

PATIENCE = datetime.timedelta(hours=1)  # for a process that is behind, for example while it trains the tokenizer


@contextlib.contextmanager
def process_group(device: str | torch.device) -> Iterator[torch.device]:
    """Join the processes that torchrun started, and yield the device of this one; without torchrun, just `device`.

    A process on "cuda" gets the GPU of its number on the machine. GPUs talk over NCCL, CPUs over gloo. If one process
    fails, torchrun stops the others; without torchrun they give up after an hour.

    Raises:
        ValueError: if there is no such device, or there are more processes than GPUs.

    >>> with process_group("cpu") as device:
    ...     device, rank(), world_size()
    (device(type='cpu'), 0, 1)
    """
    try:
        device = torch.device(device)
    except RuntimeError as error:
        raise ValueError(f"device {device!r}: {str(error).splitlines()[0]}") from None
    if int(os.environ.get("WORLD_SIZE", 1)) == 1:
        yield device
        return
    if device.type == "cuda":
        number = int(os.environ["LOCAL_RANK"])
        if number >= torch.cuda.device_count():
            raise ValueError(f"{torch.cuda.device_count()} GPUs here, but more processes: lower --nproc-per-node")
        device = torch.device("cuda", number)
        torch.cuda.set_device(device)
    if dist.is_initialized():  # by our caller, who also ends it
        yield device
        return
    dist.init_process_group("cpu:gloo,cuda:nccl" if device.type == "cuda" else "gloo", timeout=PATIENCE)
    try:
        yield device
    finally:
        dist.destroy_process_group()


def rank() -> int:
    """The number of this process, from 0; process 0 is the one that writes files.

    >>> rank()
    0
    """
    return dist.get_rank() if dist.is_initialized() else 0


def world_size() -> int:
    """How many processes train together.

    >>> world_size()
    1
    """
    return dist.get_world_size() if dist.is_initialized() else 1


@contextlib.contextmanager
def first_process_first() -> Iterator[None]:
    """Let process 0 through alone, for example to write a file, and the others when it is done, to read it.

    >>> with first_process_first():
    ...     print("process", rank())
    process 0
    """
    if rank() > 0:
        sum_over_processes(0)  # waits for the others
    yield
    if rank() == 0:
        sum_over_processes(0)


def sum_over_processes(*numbers: float) -> list[float]:
    """Each number summed over all processes, in float64, which counts exactly up to 2**53.

    >>> sum_over_processes(3, 0.5)
    [3, 0.5]
    """
    if world_size() == 1:
        return list(numbers)
    total = torch.tensor(numbers, dtype=torch.float64)
    dist.all_reduce(total)
    return total.tolist()


def check_same(name: str, value) -> None:
    """Refuse a run whose processes disagree about `value`.

    Raises:
        ValueError: in every process, with what the processes have.

    >>> check_same("the newest checkpoint", 300)
    """
    if world_size() == 1:
        return
    values = [None] * world_size()
    dist.all_gather_object(values, value)
    if any(other != value for other in values):
        if isinstance(value, dict):  # name only what differs
            odd = [name for name in value if any(other.get(name) != value[name] for other in values)]
            values = [{name: other.get(name) for name in odd} for other in values]
        raise ValueError(
            f"the processes disagree about {name}: {values}; give all of them the same command, corpus and folder (on "
            "several machines a folder that all of them see)"
        )


def from_every_process(tensor: Tensor) -> list[Tensor]:
    """The CPU tensor of each process, which has the same shape everywhere; known to all.

    >>> from_every_process(torch.ones(1))
    [tensor([1.])]
    """
    if world_size() == 1:
        return [tensor]
    gathered = [torch.empty_like(tensor) for _ in range(world_size())]
    dist.all_gather(gathered, tensor)
    return gathered
