"""From many dimensions to two: principal components by the singular value decomposition."""

import torch
from torch import Tensor


def project(vectors: Tensor, dimensions: int = 2) -> Tensor:
    """The coordinates of vectors along the directions in which they differ most, the first direction first.

    A direction has no sign by itself: here the vector that is farthest out lies on the positive side.

    Shape: vectors (S, D) -> (S, dimensions) float64; directions that do not exist (fewer vectors, or all in a line)
    are 0.

    Raises:
        ValueError: not a finite floating point (S, D), or no dimension.

    Source: Pearson 1901, on lines and planes of closest fit.

    >>> project(torch.tensor([[0.0, 1.0], [0.0, 2.0], [0.0, 6.0]]), 1).flatten().tolist()
    [-2.0, -1.0, 3.0]
    """
    check_vectors(vectors, "vectors", "(S, D)")
    if isinstance(dimensions, bool) or not isinstance(dimensions, int) or dimensions < 1:
        raise ValueError(f"dimensions={dimensions!r}: expected a whole number of at least 1")
    centred = vectors.detach().double().cpu()
    centred = centred - centred.mean(0)  # (S, D)
    u, s, _ = torch.linalg.svd(centred, full_matrices=False)
    scores = (u * s)[:, :dimensions]  # (S, up to dimensions)
    scores = scores * (s[:dimensions] > 1e-9 * s[:1].clamp(min=1e-300))  # what is left of a line is rounding
    farthest = scores.abs().argmax(0)
    signs = torch.where(scores.gather(0, farthest[None]) < 0, -1.0, 1.0)
    return torch.nn.functional.pad(scores * signs, (0, dimensions - scores.shape[1])).round(decimals=12) + 0.0


def check_vectors(vectors, name: str, shape: str) -> None:
    """Refuse what is not a finite floating point tensor with as many dimensions as `shape` spells.

    Raises:
        ValueError: something else; the message says what came.

    >>> check_vectors([1.0], "vectors", "(S, D)")
    Traceback (most recent call last):
    ...
    ValueError: vectors: got list, expected a tensor (S, D)
    """
    if not isinstance(vectors, Tensor):
        raise ValueError(f"{name}: got {type(vectors).__name__}, expected a tensor {shape}")
    if vectors.dim() != shape.count(",") + 1 or 0 in vectors.shape:
        raise ValueError(f"{name}: shape {tuple(vectors.shape)}, expected {shape}")
    if not vectors.is_floating_point():
        raise ValueError(f"{name}: dtype {vectors.dtype}, expected floating point")
    if not bool(vectors.isfinite().all()):
        raise ValueError(f"{name}: holds NaN or infinity; look for the text that gave it")
