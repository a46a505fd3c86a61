"""Do segment ids help to read pairs? MiniLM learns whether one text says what the other says, with them and without.

"they painted roses" says that "they painted flowers", and not the other way round. So the words are the same in both
cases, and what decides is which text is the first. In the usual form, [CLS] first [SEP] second [SEP], order tells it,
and segments say it once more. In a drawn order a coin decides which text stands in front, and only segments tell: 0
marks the first text, wherever it stands. Without them a pair and its mirror image are the same input, so each model has
one half by construction, trained or not. Kinds, things and verbs of the test are others than those of training. The
control is a bag of words of each text.

The usual form is also read with other position rows: those of places that training never reached, and random ones.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from minibert.corpora.synthetic.morphology import past, plural
from minibert.corpora.synthetic.world import ACTIONS, KINDS
from minibert.experiments.minilm import ignore_segments, one_segment, tokenizer, with_new_head
from minibert.experiments.record import Experiment
from minibert.model.task_models import SequenceClassifier
from minibert.tasks.bags import Bag, words
from minibert.tasks.inference import inference
from minibert.tasks.probe import best_probe
from minibert.training.fine_tuning import Example, fine_tune, run_packed, tuning_recipe

ARMS = (
    "usual order",
    "usual order, one segment",
    "drawn order",
    "two bags of words",
)
NEW_KINDS = {
    "flower": ("rose", "tulip", "daisy", "lily", "orchid"), "bird": ("crow", "eagle", "sparrow", "owl", "robin"),
    "jewel": ("ruby", "emerald", "diamond", "pearl", "sapphire"), "tree": ("oak", "pine", "birch", "maple", "willow"),
    "insect": ("bee", "ant", "beetle", "moth", "wasp"), "boat": ("canoe", "ferry", "yacht", "kayak", "raft"),
    "vegetable": ("carrot", "onion", "potato", "cabbage", "radish"),
    "building": ("castle", "barn", "church", "hotel", "cottage"),
}  # fmt: skip
AWAY = 128  # the first place whose row stands in for that of place 0
Pair = tuple[str, str]
Ask = Callable[[Sequence[Pair], bool], Tensor]  # pairs, and is the second in front? -> how much each is a yes


def _one(settings: dict, arm: str, seed: int) -> dict[str, float]:
    """The share of new pairs that have a higher score than their mirror image; a tie counts one half."""
    train, test = pairs("train"), pairs("test")[:: settings["every"]]
    order = torch.randperm(len(train), generator=torch.Generator().manual_seed(seed))[: settings["pairs"]].tolist()
    train = [train[place] for place in order]
    if arm == "two bags of words":
        return {"right": share_right(_bags(train, settings["penalties"]), test)}
    model = with_new_head(SequenceClassifier, seed, labels=2)
    rows = [_example(arm, pair, turned, label) for pair, turned, label in _labelled(arm, train, seed)]
    fine_tune(model, rows, tuning_recipe(settings["steps"], settings["rate"], seed=seed), batch_size=settings["batch"])
    ask = _reader(model, arm)
    found = {"right": share_right(ask, test, arm.startswith("drawn"))}
    if arm.startswith("usual"):
        found |= _with_other_rows(model, lambda: share_right(ask, test), seed)
    if arm == "usual order":
        ignore_segments(model)
        found["right, segments taken away"] = share_right(ask, test)
    return found


def pairs(split: str) -> list[Pair]:
    """All pairs whose first text says what the second says, of the kinds and verbs of one split.

    >>> pairs("test")[0], len(pairs("train")), len(pairs("test"))
    (('they purchased roses', 'they purchased flowers'), 800, 400)
    """
    kinds = {"train": KINDS, "test": NEW_KINDS}[split]
    return [
        (f"they {past(verb)} {plural(thing)}", f"they {past(verb)} {plural(kind)}")
        for verb in ACTIONS[split]
        for kind, things in kinds.items()
        for thing in things
    ]


def share_right(ask: Ask, test: Sequence[Pair], is_drawn: bool = False) -> float:
    """How often a pair has a higher score than the same two texts as (second, first), in both orders if it is drawn.

    >>> share_right(lambda pairs, turned: torch.tensor([float(len(first)) for first, _ in pairs]), [("rose", "flower")])
    0.0
    """
    mirrored = [(second, first) for first, second in test]
    found = []
    for turned in (False, True)[: 1 + is_drawn]:
        yes, no = ask(test, turned), ask(mirrored, turned)
        found.append((yes > no).double() + (yes == no).double() / 2)
    return torch.cat(found).mean().item()


def _labelled(arm: str, train: Sequence[Pair], seed: int) -> list[tuple[Pair, bool, int]]:
    """Each pair as a yes and its mirror image as a no; in a drawn order a coin says whether the second is in front."""
    coin = torch.Generator().manual_seed(seed)
    rows = []
    for first, second in train:
        for pair, label in (((first, second), 1), ((second, first), 0)):
            turned = arm.startswith("drawn") and bool(torch.randint(2, (), generator=coin))
            rows.append((pair, turned, label))
    return rows


def _example(arm: str, pair: Pair, turned: bool, label: int) -> Example:
    """What the model reads: segment 0 for the first text and 1 for the second, wherever they stand."""
    encoding = tokenizer().encode(*(pair[::-1] if turned else pair))
    segments = tuple(1 - segment if turned else segment for segment in encoding.segment_ids)
    row = Example(tuple(encoding.ids), segments, label)
    return one_segment(row) if arm.endswith("one segment") else row


def _reader(model: SequenceClassifier, arm: str, size: int = 32) -> Ask:
    def ask(pairs: Sequence[Pair], turned: bool) -> Tensor:
        rows = [_example(arm, pair, turned, 0) for pair in pairs]
        with inference(model):
            parts = (rows[start : start + size] for start in range(0, len(rows), size))
            return torch.cat([run_packed(model, part)[0].logits @ torch.tensor([-1.0, 1.0]) for part in parts])

    return ask


def _with_other_rows(model: SequenceClassifier, measure: Callable[[], float], seed: int) -> dict[str, float]:
    """Measured with the position rows of places that training never reached, and with random ones; then put back."""
    table = model.encoder.embeddings.position.weight.data
    learned, found = table.clone(), {}
    draw = torch.Generator().manual_seed(seed)
    others = {
        f"right, rows of places {AWAY} on": learned[AWAY : 2 * AWAY],
        "right, rows drawn": learned.std() * torch.randn(AWAY, table.shape[1], generator=draw),
    }
    for name, rows in others.items():
        table[:AWAY] = rows
        found[name] = measure()
        table.copy_(learned)
    return found


def _bags(train: Sequence[Pair], penalties: Sequence[float]) -> Ask:
    """A logistic regression on the words of the first text beside the words of the second."""
    bags = [Bag.of([pair[side] for pair in (*train, *((b, a) for a, b in train))], words) for side in (0, 1)]

    def features(pairs: Sequence[Pair]) -> Tensor:
        return torch.cat([bag.vectors([pair[side] for pair in pairs]) for side, bag in enumerate(bags)], dim=1)

    both = [pair for first, second in train for pair in ((first, second), (second, first))]
    probe = best_probe(features(both), torch.tensor([1, 0]).repeat(len(train)), penalties)
    return lambda pairs, turned: probe.logits(features(pairs)) @ torch.tensor([-1.0, 1.0], dtype=torch.double)


SEGMENTS = Experiment(
    name="segments",
    question="Do segments help MiniLM to read pairs, in the usual order and where they alone say which text is first?",
    settings=dict(pairs=640, every=3, steps=80, batch=16, rate=1e-4, penalties=(1.0, 10.0, 100.0)),
    arms=ARMS,
    measure=_one,
    tiny=dict(pairs=8, every=100, steps=1, batch=2, penalties=(1.0,)),
)
