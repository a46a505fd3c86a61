"""What a published encoder brings to a task with few labels: MiniLM's weights against the same net drawn at random.

The task is the sentiment of film snippets, as people rated them: positive or negative, half and half. `tuned`: every
weight is trained, with one recipe for both starts. `probe`: the encoder stays as it is, and a logistic regression reads
the mean of its last states. `bag of words`: a logistic regression on which pieces occur. All see the same n snippets
and are tested on the same other ones.
"""

from functools import cache

import torch
from torch import Tensor, nn

from minibert import corpora
from minibert.experiments.record import Experiment
from minibert.model.encoder import Encoder
from minibert.tasks.inference import inference
from minibert.tasks.probe import fit_probe
from minibert.tokenization import load_tokenizer
from minibert.training import AdamW
from minibert.varlen import cu_seqlens_of

ARMS = ("tuned from MiniLM", "tuned from random", "probe on MiniLM", "probe on random", "bag of words")
Texts = list[list[int]]  # snippets as ids


def _one(settings: dict, arm: str, seed: int) -> dict[str, float]:
    """`accuracy at n` for every n; chance is 0.5. A smaller n is the beginning of a larger one."""
    counts, steps = settings["label_counts"], settings["steps"]
    train, labels, test, test_labels = _snippets(max(counts), settings["test"], settings["longest"], seed)
    found = {}
    for n, some in zip(counts, steps, strict=True):
        if arm.startswith("tuned"):
            net = _Judge(_start(arm, seed), seed)
            net.tune(train[:n], labels[:n], some, settings["batch"], settings["rate"], seed)
            with inference(net):
                right = torch.cat([net(part).argmax(-1) for part in _parts(test)]) == test_labels
            found[f"accuracy at {n}"] = right.double().mean().item()
        else:
            features, test_features = _features(arm, seed, train[:n]), _features(arm, seed, test)
            probe = fit_probe(features, labels[:n], settings["penalty"])
            found[f"accuracy at {n}"] = probe.accuracy(test_features, test_labels)
    return found


@cache
def _snippets(count: int, test: int, longest: int, seed: int) -> tuple[Texts, Tensor, Texts, Tensor]:
    """Ids and labels to train on, and ids and labels to test on; both begin with a positive one and take turns."""
    tokenizer = load_tokenizer(corpora.path("minilm"))
    sides = {True: {}, False: {}}  # as dictionaries, so that a text that stands there twice counts once
    for row in corpora.load("vader-movies"):
        if abs(row.rating) >= 1 and len(row.text.split()) <= longest:
            sides[row.rating > 0][row.text] = None
    generator = torch.Generator().manual_seed(seed)
    turns = []
    for texts in (list(sides[True]), list(sides[False])):
        chosen = torch.randperm(len(texts), generator=generator)[: (count + test) // 2].tolist()
        turns.append([tokenizer.encode(texts[i]).ids for i in chosen])
    ids = [each for pair in zip(*turns, strict=True) for each in pair]
    labels = torch.tensor([1, 0]).repeat(len(ids) // 2)
    return ids[:count], labels[:count], ids[count:], labels[count:]


def _start(arm: str, seed: int) -> Encoder:
    """MiniLM as it was published, or drawn at random with this seed."""
    published = Encoder.from_pretrained(corpora.path("minilm"))
    if arm.endswith("MiniLM"):
        return published
    return Encoder(published.config, generator=torch.Generator().manual_seed(seed))


class _Judge(nn.Module):
    """The mean of the last states, and two scores."""

    def __init__(self, encoder: Encoder, seed: int):
        super().__init__()
        self.encoder = encoder
        self.scores = nn.Linear(encoder.config.hidden, 2)
        with torch.no_grad():
            self.scores.weight.normal_(0.0, 0.02, generator=torch.Generator().manual_seed(seed))
            self.scores.bias.zero_()

    def forward(self, texts: Texts) -> Tensor:
        return self.scores(self.means(texts))  # (B, 2)

    def means(self, texts: Texts) -> Tensor:
        """One vector for each text: (B, D)."""
        sizes = [len(ids) for ids in texts]
        cu_seqlens = cu_seqlens_of(sizes)
        hidden = self.encoder.packed(torch.tensor([id for ids in texts for id in ids]), cu_seqlens).hidden  # (N, D)
        return torch.stack([part.mean(0) for part in hidden.split(sizes)])

    def tune(self, texts: Texts, labels: Tensor, steps: int, batch: int, rate: float, seed: int) -> None:
        """Train all weights; the rate rises for a tenth of the steps and then falls to 0."""
        optimizer, generator = AdamW(self.parameters(), lr=rate), torch.Generator().manual_seed(seed)
        passes = -(-steps * batch // len(texts))
        order = torch.cat([torch.randperm(len(texts), generator=generator) for _ in range(passes)])
        self.eval()  # no dropout: with a few dozen steps its noise costs more than it brings
        for step in range(steps):
            chosen = order[step * batch : (step + 1) * batch].tolist()
            loss = nn.functional.cross_entropy(self([texts[i] for i in chosen]), labels[chosen])
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.param_groups[0]["lr"] = rate * min(10 * (step + 1) / steps, 1 - step / steps)
            optimizer.step()


def _parts(texts: Texts, size: int = 64) -> list[Texts]:
    return [texts[i : i + size] for i in range(0, len(texts), size)]


def _features(arm: str, seed: int, texts: Texts) -> Tensor:
    """What the logistic regression reads: (texts, D), or (texts, V) for the bag of words."""
    if arm == "bag of words":
        size = load_tokenizer(corpora.path("minilm")).vocab_size
        return torch.stack([torch.zeros(size).index_fill(0, torch.tensor(ids), 1.0) for ids in texts])
    judge = _Judge(_start(arm, seed), seed)
    with inference(judge):
        return torch.cat([judge.means(part) for part in _parts(texts)])


PRETRAINED = Experiment(
    name="pretrained",
    question="How much is a published encoder's pre-training worth, with 50 to 800 labels?",
    settings=dict(
        label_counts=(50, 200, 800),
        steps=(40, 75, 150),
        test=600,
        longest=24,  # words of a snippet, so that all of this takes minutes
        batch=8,
        rate=1e-4,
        penalty=30.0,
    ),
    arms=ARMS,
    measure=_one,
    tiny=dict(label_counts=(50,), steps=(1,), test=16),
)
