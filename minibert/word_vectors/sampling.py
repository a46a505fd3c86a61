"""What skip-gram and CBOW draw: which words of the text to read, and which words to use as negatives."""

from torch import Tensor


def keep_probabilities(counts: Tensor, threshold: float = 1e-4) -> Tensor:
    """The probability that subsampling keeps a word: sqrt(threshold / frequency), at most 1.

    Shape: counts (V,) -> (V,) float32.

    Raises:
        ValueError: for counts that are not positive, or a threshold that is not.

    Source: Mikolov et al. 2013b, section 2.3, equation 5 (which gives the probability of dropping). Their released
        program has a slightly different formula.

    >>> import torch
    >>> keep_probabilities(torch.tensor([8, 2]), threshold=0.2)  # frequencies 0.8 and 0.2
    tensor([0.5000, 1.0000])
    """
    _check_counts(counts)
    if not threshold > 0:
        raise ValueError(f"threshold={threshold}: expected a positive frequency, such as 1e-4")
    return (threshold * counts.sum() / counts).sqrt().clamp(max=1)


def noise_probabilities(counts: Tensor, power: float = 0.75) -> Tensor:
    """How often each word is drawn as a negative: its count to the power of 3/4, divided by the sum.

    Shape: counts (V,) -> (V,) float32 that sums to 1.

    Raises:
        ValueError: for counts that are not positive.

    Source: Mikolov et al. 2013b, section 2.2.

    >>> import torch
    >>> noise_probabilities(torch.tensor([16, 1]))  # 8 : 1, not 16 : 1
    tensor([0.8889, 0.1111])
    """
    _check_counts(counts)
    powered = counts.float() ** power
    return powered / powered.sum()


def _check_counts(counts: Tensor) -> None:
    if counts.dim() != 1 or not len(counts) or not (counts > 0).all():
        raise ValueError(f"counts {tuple(counts.shape)}: expected (V,) numbers above 0, one for each word")
