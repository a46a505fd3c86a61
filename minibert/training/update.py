"""One update of the weights, from one or more micro-batches."""

import math
from collections.abc import Sequence

import torch

from minibert.objectives import IGNORE
from minibert.training.checkpoint import TrainingDiverged
from minibert.training.data import PackedBatch
from minibert.training.distributed import exchange_gradients, sum_over_processes, whole, world_size
from minibert.training.evaluation import forward_losses


def update(
    model, optimizer: torch.optim.Optimizer, batches: Sequence[PackedBatch], lr: float, clip: float | None, bf16: bool
) -> dict[str, float]:
    """Update the weights once from one or more batches, and return loss, mlm_loss, next_loss and grad_norm.

    The gradient is that of one big batch: the sum over all masked tokens divided by their number, plus the same over
    pairs. The mean of the batches' own means would give a token in a batch with few of them a larger weight. If several
    processes train together, the sums and the numbers are those of all their batches.

    Raises:
        TrainingDiverged: before the weights are touched, if the loss or the gradient is not finite.
        ValueError: if the batches have pairs and the model has no next-sentence head.

    Source: Devlin et al. 2019, appendix A.2, for the sum of both losses.

    >>> from minibert import EncoderConfig, MaskedLanguageModel
    >>> from minibert.training.data import _tiny
    >>> config = EncoderConfig.preset("modernbert-nano").replace(vocab_size=128, hidden=16, intermediate=16, layers=1)
    >>> model = MaskedLanguageModel(config)
    >>> optimizer = torch.optim.SGD(model.parameters())
    >>> sorted(update(model, optimizer, [_tiny().next_batch()], lr=0.1, clip=1.0, bf16=False))
    ['grad_norm', 'loss', 'mlm_loss']
    """
    device = next(model.parameters()).device
    masked = sum(int((batch.labels != IGNORE).sum()) for batch in batches)
    pairs = sum(len(batch.next_labels) for batch in batches if batch.next_labels is not None)
    masked, pairs = sum_over_processes(masked, pairs)
    optimizer.zero_grad(set_to_none=True)
    parts = []  # of the loss: what each batch adds to the masked tokens' and to the pairs'
    for number, batch in enumerate(batches, 1):
        with exchange_gradients(model, now=number == len(batches)):
            with torch.autocast(device.type, dtype=torch.bfloat16, enabled=bf16):
                _, _, mlm_sum, next_sum = forward_losses(model, batch, device)
            mlm_part = mlm_sum / max(masked, 1)
            next_part = torch.zeros_like(mlm_part) if next_sum is None else next_sum / pairs
            # DDP and FSDP take the mean of the processes' gradients, but these are parts of a sum.
            (world_size() * (mlm_part + next_part)).backward()
        parts += [mlm_part.detach(), next_part.detach()]
    gradients = [parameter.grad for parameter in model.parameters() if parameter.grad is not None]
    total_norm = whole(torch.nn.utils.get_total_norm(gradients))
    *parts, norm = torch.stack([*parts, total_norm]).tolist()  # the one moment of a step that waits for a GPU
    mlm_loss, next_loss = sum_over_processes(sum(parts[::2]), sum(parts[1::2]))
    if not math.isfinite(mlm_loss + next_loss + norm):
        raise TrainingDiverged(
            f"the loss is {mlm_loss + next_loss} and the norm of the gradient {norm}; try a lower learning rate, a "
            "longer warm-up or a smaller clip"
        )
    if clip is not None:
        torch.nn.utils.clip_grads_with_norm_(model.parameters(), clip, total_norm)
    for group in optimizer.param_groups:
        group["lr"] = lr
    optimizer.step()
    losses = {"loss": mlm_loss + next_loss, "mlm_loss": mlm_loss}
    return losses | ({"next_loss": next_loss} if pairs else {}) | {"grad_norm": norm}
