"""The pre-training losses: masked language modelling and next-sentence prediction."""

import torch
import torch.nn.functional as F
from torch import Tensor

from minibert.objectives.masking import IGNORE


def mlm_loss_sum(logits: Tensor, labels: Tensor) -> tuple[Tensor, int]:
    """Return the summed cross-entropy (nats) over the labelled positions, and how many there are.

    Micro-batches hold different numbers of masked tokens, so the mean of their means is not the mean over their
    tokens. Add up sums and counts, divide once.

    Shape: logits (N, V) or (B, T, V); labels (N,) or (B, T), -100 where nothing is predicted -> a scalar and an int.

    Raises:
        ValueError: if the shapes do not match, or a label is neither -100 nor an id, or no integer.

    Source: Devlin et al. 2019, section 3.1.

    >>> total, count = mlm_loss_sum(torch.zeros(3, 4), torch.tensor([1, -100, 2]))
    >>> round(total.item(), 4), count  # twice ln 4
    (2.7726, 2)
    """
    if logits.shape[:-1] != labels.shape:
        raise ValueError(
            f"logits {tuple(logits.shape)} need labels of shape {tuple(logits.shape[:-1])}, got {tuple(labels.shape)}"
        )
    _check_integers(labels)
    labelled = labels != IGNORE
    # Only the labelled rows enter: that is cheaper, and a NaN elsewhere cannot leak into the gradient.
    rows, targets = logits[labelled], labels[labelled].long()  # (M, V), (M,)
    _check_targets(targets, logits.shape[-1], "or -100 where nothing is predicted")
    return F.cross_entropy(_at_least_float32(rows), targets, reduction="sum"), len(targets)


def mlm_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """Return the mean cross-entropy (nats) over the labelled positions; exactly 0 if there are none.

    With no masked token torch's own mean is 0/0 = NaN, which happens easily: 6 tokens at 15 % give none in 38 % of
    draws. BERT's code divides by (count + 1e-5); we divide by max(count, 1), so that loss and gradients are 0.

    Shape: logits (N, V) or (B, T, V); labels (N,) or (B, T), -100 where nothing is predicted -> a scalar.

    Raises:
        ValueError: if the shapes do not match, or a label is neither -100 nor an id, or no integer.

    Source: Devlin et al. 2019, section 3.1.

    >>> logits = torch.zeros(3, 4)
    >>> round(mlm_loss(logits, torch.tensor([1, -100, 2])).item(), 4)  # ln 4: a uniform guess among four
    1.3863
    >>> mlm_loss(logits, torch.tensor([-100, -100, -100])).item()
    0.0
    """
    total, count = mlm_loss_sum(logits, labels)
    return total / max(count, 1)


def nsp_loss_sum(logits: Tensor, labels: Tensor) -> tuple[Tensor, int]:
    """Return the summed next-sentence cross-entropy (nats) and the number of pairs.

    Both classes count. Label 0 means "B really follows A", so a library that ignores class 0, or the label 0, reports
    a loss of 0.0 for a constant guess and looks perfect.

    Shape: logits (B, 2); labels (B,), 0 = is next, 1 = random -> a scalar and an int.

    Raises:
        ValueError: if the shapes do not match, or a label is not 0 or 1, or no integer.

    Source: Devlin et al. 2019, section 3.1 and appendix A.1.

    >>> total, count = nsp_loss_sum(torch.zeros(3, 2), torch.tensor([0, 0, 1]))
    >>> round(total.item(), 4), count  # three times ln 2
    (2.0794, 3)
    """
    if logits.dim() != 2 or logits.shape[1] != 2 or labels.shape != logits.shape[:1]:
        raise ValueError(f"logits must be (B, 2) and labels (B,), got {tuple(logits.shape)} and {tuple(labels.shape)}")
    _check_integers(labels)
    targets = labels.long()
    _check_targets(targets, 2, "with 0 = is next and 1 = random")
    return F.cross_entropy(_at_least_float32(logits), targets, reduction="sum"), len(targets)


def nsp_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """Return the mean next-sentence cross-entropy (nats); 0 for an empty batch.

    Shape: logits (B, 2); labels (B,), 0 = is next, 1 = random -> a scalar.

    Raises:
        ValueError: if the shapes do not match, or a label is not 0 or 1, or no integer.

    Source: Devlin et al. 2019, section 3.1 and appendix A.1.

    >>> round(nsp_loss(torch.tensor([[2.0, 0.0]]), torch.tensor([0])).item(), 4)  # sure that B follows, and right
    0.1269
    """
    total, count = nsp_loss_sum(logits, labels)
    return total / max(count, 1)


def pretraining_loss(logits: Tensor, labels: Tensor, nsp_logits: Tensor, nsp_labels: Tensor) -> Tensor:
    """Return BERT's loss: the mean over masked tokens plus the mean over pairs, unweighted.

    Shape: logits (N, V) or (B, T, V); labels (N,) or (B, T); nsp_logits (B, 2); nsp_labels (B,) -> a scalar.

    Raises:
        ValueError: as `mlm_loss` and `nsp_loss`.

    Source: Devlin et al. 2019, appendix A.2.

    >>> loss = pretraining_loss(torch.zeros(3, 4), torch.tensor([1, -100, 2]), torch.zeros(1, 2), torch.tensor([1]))
    >>> round(loss.item(), 4)  # ln 4 + ln 2
    2.0794
    """
    return mlm_loss(logits, labels) + nsp_loss(nsp_logits, nsp_labels)


def _at_least_float32(logits: Tensor) -> Tensor:
    """Return half-precision logits as float32: a log-softmax over 30,000 classes needs the digits."""
    return logits.float() if logits.dtype in (torch.float16, torch.bfloat16) else logits


def _check_integers(labels: Tensor) -> None:
    if labels.dtype.is_floating_point or labels.dtype.is_complex or labels.dtype == torch.bool:
        raise ValueError(f"labels are {labels.dtype}, expected integers; .long() converts them")


def _check_targets(targets: Tensor, classes: int, hint: str) -> None:
    # On the CPU only: looking at a GPU's labels would wait for it, and torch's own kernel stops at a wrong one there.
    if targets.is_cpu and len(targets) and not (0 <= int(targets.min()) and int(targets.max()) < classes):
        raise ValueError(f"labels span {int(targets.min())}..{int(targets.max())}, expected 0..{classes - 1}, {hint}")
