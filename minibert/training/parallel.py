"""How a model is spread over several processes: a copy in each (DDP), or a slice in each (FSDP)."""

import contextlib

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from minibert.model.outputs import Output
from minibert.training.distributed import rank, world_size


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


def whole_weights(model: nn.Module) -> dict[str, Tensor]:
    """The model's state dict on the CPU of process 0, and an empty one elsewhere; every process must ask for it.

    >>> sorted(whole_weights(nn.Linear(2, 2)))
    ['bias', 'weight']
    """
    weights = {}
    for name, tensor in model.state_dict().items():
        tensor = whole(tensor)  # one by one: a model that is sliced over several GPUs may not fit one
        if rank() == 0:
            weights[name] = tensor.cpu()
    return weights


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
