"""Exercise 9.3: tests of masking that count too few tokens, the wrong ones, or too generously."""

import torch


def _counts(tokens, tolerance, which=("chosen", "hidden", "kept")):
    def masking_test(mask):
        generator = torch.Generator().manual_seed(0)
        ids = torch.randint(5, 1000, (tokens,), generator=generator)
        inputs, labels = mask(ids, generator)
        chosen = labels != -100
        shares = {
            "chosen": (chosen.float().mean(), 0.15),
            "hidden": ((inputs[chosen] == 4).float().mean(), 0.8),
            "kept": ((inputs[chosen] == ids[chosen]).float().mean(), 0.1),
        }
        for name in which:
            assert abs(shares[name][0] - shares[name][1]) < tolerance, f"{name} {shares[name][0]:.3f}"

    return masking_test


def _exactly(mask):
    _, labels = mask(torch.full((1_000_000,), 7), torch.Generator().manual_seed(0))
    assert (labels != -100).sum() == 150_000


def _special_ids(mask):
    mask(torch.arange(1000), torch.Generator().manual_seed(0))


COUNTS = [
    ("too few tokens", "too few to tell", _counts(3_000, 0.05)),
    ("too strict for so few", r"fails a right `mask`(?s:.)*too few", _counts(3_000, 0.004)),
    ("a generous tolerance", "81/10/9(?s:.)*0.005", _counts(1_000_000, 0.02)),
    ("counts the chosen only", "81/10/9", _counts(1_000_000, 0.004, ("chosen",))),
    ("counts [MASK] only", "80/2/18", _counts(1_000_000, 0.004, ("chosen", "hidden"))),
    ("exactly 15 %", "counts are never exact", _exactly),
    ("special tokens", "calls mask with ids", _special_ids),
]
