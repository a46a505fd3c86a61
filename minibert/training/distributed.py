"""Many processes train one model: who they are, what they tell each other, and how the model is spread over them.

`torchrun --nproc-per-node 8 -m minibert pretrain ...` starts the processes; torch numbers them by `rank`. Each takes
its share of every step. With one process nothing here does anything. With several, each holds a copy of the model
(DDP) or a slice of it (FSDP).
"""

import contextlib
import datetime
import os
from collections.abc import Callable, Iterator, Mapping

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from minibert.model.outputs import Output

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


def told_by_first(make: Callable):
    """What `make()` gives in process 0, the only one that calls it, in every process.

    >>> told_by_first(lambda: 3)
    3
    """
    values = [make() if rank() == 0 else None]
    if world_size() > 1:
        dist.broadcast_object_list(values, 0)
    return values[0]


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


def parallelize(model: nn.Module, parallel: str) -> nn.Module:
    """Return what to train in place of `model`: itself if there is one process.

    "ddp" keeps the whole model in every process and sums the gradients while they are computed. "fsdp" leaves each
    process a slice of every tensor, of its gradient and of the optimiser's averages, and puts a block together only
    while it works: slower, but a model that fits no GPU fits several. It changes `model` itself.

    All processes start from the weights of process 0.

    Raises:
        ValueError: if `parallel` is neither.

    Source: Li et al. 2020 (DDP); Rajbhandari et al. 2020, section 5 (ZeRO stage 3, the idea of FSDP).

    >>> model = nn.Linear(2, 2)
    >>> parallelize(model, "ddp") is model
    True
    """
    if parallel not in ("ddp", "fsdp"):
        raise ValueError(f"parallel is {parallel!r}; choose 'ddp' or 'fsdp'")
    if world_size() == 1:
        return model
    if parallel == "ddp":
        return Replicated(model)
    from torch.distributed.fsdp import fully_shard, register_fsdp_forward_method  # slow to import

    with torch.no_grad():
        for tensor in model.state_dict().values():
            dist.broadcast(tensor, 0)
    device = next(model.parameters()).device
    mesh = dist.init_device_mesh(device.type, (world_size(),))
    for block in model.encoder.blocks:
        fully_shard(block, mesh=mesh)
    fully_shard(model, mesh=mesh)
    register_fsdp_forward_method(model, "packed")  # FSDP gathers the weights around forward; we train `packed`
    return model


class Replicated(nn.Module):
    """A model that sums its gradients with those of the other processes: DDP around `packed`.

    >>> issubclass(Replicated, nn.Module)
    True
    """

    def __init__(self, model: nn.Module):
        super().__init__()
        self.ddp = DistributedDataParallel(_PackedIsForward(model))

    def packed(self, ids, cu_seqlens, segment_ids=None, predict_at: Tensor | None = None) -> Output:
        """As the model's own, as far as training needs it."""
        return self.ddp(ids, cu_seqlens, segment_ids, predict_at)


class _PackedIsForward(nn.Module):
    def __init__(self, model: nn.Module):
        super().__init__()
        self.model = model

    def forward(self, ids, cu_seqlens, segment_ids, predict_at) -> Output:
        return self.model.packed(ids, cu_seqlens, segment_ids=segment_ids, predict_at=predict_at)


def exchange_gradients(model: nn.Module, now: bool) -> contextlib.AbstractContextManager:
    """Around forward and backward: whether this micro-batch ends with the exchange; one a step is enough for DDP.

    FSDP exchanges after each, because gradients of whole tensors would not fit.

    >>> with exchange_gradients(nn.Linear(2, 2), now=False):
    ...     pass
    """
    return model.ddp.no_sync() if isinstance(model, Replicated) and not now else contextlib.nullcontext()


def whole(tensor: Tensor) -> Tensor:
    """The whole tensor, put together if FSDP has sliced it; then every process must ask for it.

    >>> whole(torch.ones(2))
    tensor([1., 1.])
    """
    return tensor.full_tensor() if _is_sliced(tensor) else tensor


def whole_tensors(tensors: Mapping[str, Tensor]) -> Iterator[tuple[str, Tensor]]:
    """Yield each tensor put together as `whole` does; every process must go through all of them.

    One by one, because a model that is sliced over several GPUs may not fit one.

    >>> [(name, len(tensor)) for name, tensor in whole_tensors({"a": torch.ones(2)})]
    [('a', 2)]
    """
    for name, tensor in tensors.items():
        yield name, whole(tensor.detach())


def whole_weights(model: nn.Module) -> dict[str, Tensor]:
    """The model's state dict on the CPU of process 0, and an empty one elsewhere; every process must ask for it.

    >>> sorted(whole_weights(nn.Linear(2, 2)))
    ['bias', 'weight']
    """
    return {name: tensor.cpu() for name, tensor in whole_tensors(model.state_dict()) if rank() == 0}


def sliced_like(tensor: Tensor, other: Tensor) -> Tensor:
    """This process's slice of `tensor` if `other` is sliced, else the tensor itself: the way back from `whole`.

    >>> sliced_like(torch.ones(2), torch.zeros(2))
    tensor([1., 1.])
    """
    if not _is_sliced(other) or tensor.shape != other.shape:
        return tensor
    from torch.distributed.tensor import distribute_tensor

    tensor = tensor.to(other.device)
    return distribute_tensor(tensor, other.device_mesh, other.placements, src_data_rank=None)


def _is_sliced(tensor: Tensor) -> bool:
    return hasattr(tensor, "full_tensor")  # torch's DTensor, not named here because it is slow to import
