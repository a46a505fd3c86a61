"""What the statements of exercises show is what their checks ask."""

import json
from pathlib import Path

import pytest
import torch
from torch.nn import functional as F

from minibert import EncoderConfig, MaskedLanguageModel, SequenceClassifier
from minibert.course.exercises import find
from minibert.course.exercises.ex_9_2 import CLUES, reported_loss
from minibert.course.exercises.ex_13_3 import forward_flops
from minibert.course.exercises.ex_14_3 import count_parameters
from minibert.course.meter import Meter

NOTEBOOK = Path(__file__).parents[1] / "solutions/09_next_sentence/09_next_sentence.ipynb"
CELLS = ["".join(cell["source"]) for cell in json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]]
NAMES = ("norm", "pool", "loss", "score", "mask")


def test_the_table_of_9_2_is_the_one_that_is_checked():
    for row, (logits, labels) in enumerate(CLUES, 1):
        pairs = ", ".join(f"({a:.0f}, {b:.0f})" for a, b in logits)
        said = reported_loss(torch.tensor(logits), torch.tensor(labels)).item()
        assert f"| {row} | {pairs} | {', '.join(map(str, labels))} | {said:.4f} |" in "".join(CELLS)


def shown_in_9_3() -> dict:
    """The broken functions that the exercise shows, run as the learner runs them."""
    names = {"torch": torch, "F": F}
    exec(compile(next(cell for cell in CELLS if "def norm(x)" in cell), "exercise", "exec"), names)
    return names


@pytest.mark.parametrize("place", range(5))
def test_each_function_shown_in_9_3_is_broken_as_the_text_says(place):
    with pytest.raises(AssertionError):
        find("9.3").solution[place](shown_in_9_3()[NAMES[place]])


def test_the_masking_shown_in_9_3_really_comes_out_at_81_10_9():
    ids = torch.randint(5, 1000, (400_000,), generator=torch.Generator().manual_seed(0))
    inputs, labels = shown_in_9_3()["mask"](ids, torch.Generator().manual_seed(1))
    chosen = labels != -100
    shares = [(inputs[chosen] == 4).float().mean(), (inputs[chosen] == ids[chosen]).float().mean()]
    assert [round(share.item(), 2) for share in shares] == [0.81, 0.09]


@pytest.mark.parametrize("sizes", [(50368, 768, 22, 1152), (90, 128, 1, 48)])
def test_the_count_of_14_3_is_that_of_the_package(sizes):
    V, D, L, F = sizes
    special = dict(pad_id=0, cls_id=2, sep_id=3, mask_id=4)
    config = EncoderConfig.preset("modernbert-base")
    config = config.replace(vocab_size=V, hidden=D, layers=L, heads=D // 64, intermediate=F, **special)
    with torch.device("meta"):
        model = MaskedLanguageModel(config)
    assert count_parameters(*sizes) == sum(parameter.numel() for parameter in model.parameters())


def test_the_formula_of_13_3_is_what_the_counter_of_its_statement_shows():
    sizes = dict(vocab_size=50, hidden=48, heads=3, layers=2, intermediate=100)
    config = EncoderConfig.preset("bert-nano").replace(**sizes)
    with Meter() as meter, torch.no_grad():
        SequenceClassifier(config, labels=2).eval()(torch.randint(5, 50, (1, 20)))
    assert forward_flops((48, 16, [(3, 100)] * 2, 2), [20], False) == 2 * meter.cost.multiplications
