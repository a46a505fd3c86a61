"""What a published encoder brings to a task with few labels: MiniLM's weights against the same net drawn at random.

Three tasks. Sentiment: film snippets, which people rated as positive or negative. `topics`: the beginning of a news
article, five topics. `pairs`: a headline and the beginning of a paragraph; are they from one article, or from two of
the same topic? All labels are equally common, and no text is for training and for testing.

`tuned`: every weight is trained, with one recipe for both starts and all tasks. `probe`: the encoder stays as it is,
and a logistic regression reads the mean of its last states. `bag of words`: a logistic regression on which pieces
occur. All see the same n labelled texts; a pair is one text to all of them, without segments. The penalty of the
regressions is fixed on sentiment; on the other tasks each chooses its own, on the last fifth of its labels.
"""

from collections.abc import Iterator
from functools import cache

import torch
from torch import Tensor, nn

from minibert import corpora
from minibert.corpora.topics import LABELS as TOPICS
from minibert.corpora.topics import PAIRS, headline_pairs
from minibert.experiments.minilm import tokenizer
from minibert.experiments.record import Experiment
from minibert.model.encoder import Encoder
from minibert.tasks.inference import inference
from minibert.tasks.probe import best_probe, fit_probe
from minibert.training import AdamW
from minibert.varlen import cu_seqlens_of

ARMS = ("tuned from MiniLM", "tuned from random", "probe on MiniLM", "probe on random", "bag of words")
Texts = list[list[int]]  # snippets, or pairs, as ids
Rows = tuple[Texts, Tensor, Texts, Tensor]  # ids and labels to train on, ids and labels to test on


def _one(settings: dict, arm: str, seed: int) -> dict[str, float]:
    """`accuracy at n` on sentiment for every n, `topics at n`, `pairs at n`; chance is 0.5, for topics 0.2.

    A smaller n is the beginning of a larger one.
    """
    steps = dict(zip(settings["label_counts"], settings["steps"], strict=True))
    found = {}
    for n in steps:
        rows = _snippets(max(steps), settings["test"], settings["longest"], seed)
        found[f"accuracy at {n}"] = _accuracy(settings, arm, seed, rows, n, steps[n], (settings["penalty"],))
    for name in ("topics", "pairs"):
        counts = settings[f"{name}_counts"]
        for n in counts:
            rows = _news(name, max(counts), settings["news"], settings["tokens"], seed)
            found[f"{name} at {n}"] = _accuracy(settings, arm, seed, rows, n, steps[n], settings["penalties"])
    return found


def _accuracy(settings: dict, arm: str, seed: int, rows: Rows, n: int, steps: int, penalties: tuple) -> float:
    """Learn from the first n, and be tested on all the rest."""
    train, labels, test, test_labels = rows
    train, labels = train[:n], labels[:n]
    if arm.startswith("tuned"):
        net = _Judge(_start(arm, seed), seed, classes=int(test_labels.max()) + 1)
        net.tune(train, labels, steps, settings["batch"], settings["rate"], seed)
        with inference(net):
            right = torch.cat([net(part).argmax(-1) for part in _parts(test)]) == test_labels
        return right.double().mean().item()
    features, test_features = _features(arm, seed, train), _features(arm, seed, test)
    if len(penalties) == 1:
        return fit_probe(features, labels, *penalties).accuracy(test_features, test_labels)
    return best_probe(features, labels, penalties).accuracy(test_features, test_labels)


@cache
def _snippets(count: int, test: int, longest: int, seed: int) -> Rows:
    """Film snippets of at most `longest` words; both parts begin with a positive one and take turns."""
    sides = {True: {}, False: {}}  # as dictionaries, so that a text that stands there twice counts once
    for row in corpora.load("vader-movies"):
        if abs(row.rating) >= 1 and len(row.text.split()) <= longest:
            sides[row.rating > 0][row.text] = None
    generator = torch.Generator().manual_seed(seed)
    turns = []
    for texts in (list(sides[True]), list(sides[False])):
        chosen = torch.randperm(len(texts), generator=generator)[: (count + test) // 2].tolist()
        turns.append([tokenizer().encode(texts[i]).ids for i in chosen])
    ids = [each for pair in zip(*turns, strict=True) for each in pair]
    labels = torch.tensor([1, 0]).repeat(len(ids) // 2)
    return ids[:count], labels[:count], ids[count:], labels[count:]


@cache
def _news(task: str, count: int, test: int, tokens: int, seed: int) -> Rows:
    """News of at most `tokens` tokens, to train on as the seed draws them, to test on the same for every seed."""
    parts = []
    for split, most, chosen_by in (("train", count, seed + 1), ("test", test, 0)):
        sides = {topic: [] for topic in TOPICS}
        for row in corpora.load("bbc", split):
            sides[row.label].append(row.text)
        generator = torch.Generator().manual_seed(chosen_by)
        drawn = [
            [texts[i] for i in torch.randperm(len(texts), generator=generator).tolist()] for texts in sides.values()
        ]
        made = list(zip(range(most), (_topics if task == "topics" else _pairs)(drawn), strict=False))
        parts += [[tokenizer().encode(*text, max_length=tokens).ids for _, (text, _) in made]]
        parts += [torch.tensor([label for _, (_, label) in made])]
    return tuple(parts)


def _topics(drawn: list[list[str]]) -> Iterator[tuple[tuple[str, ...], int]]:
    """Articles and the numbers of their topics, which take turns."""
    for turn in zip(*drawn, strict=False):
        yield from (((text,), topic) for topic, text in enumerate(turn))


def _pairs(drawn: list[list[str]]) -> Iterator[tuple[tuple[str, ...], int]]:
    """Headline and paragraph of one article (1) or of two (0): see `headline_pairs`."""
    for pair in headline_pairs(drawn):
        yield (pair.first, pair.second), PAIRS.index(pair.label)


def _start(arm: str, seed: int) -> Encoder:
    """MiniLM as it was published, or drawn at random with this seed."""
    published = Encoder.from_pretrained(corpora.path("minilm"))
    if arm.endswith("MiniLM"):
        return published
    return Encoder(published.config, generator=torch.Generator().manual_seed(seed))


class _Judge(nn.Module):
    """The mean of the last states, and a score for each class."""

    def __init__(self, encoder: Encoder, seed: int, classes: int = 2):
        super().__init__()
        self.encoder = encoder
        self.scores = nn.Linear(encoder.config.hidden, classes)
        with torch.no_grad():
            self.scores.weight.normal_(0.0, 0.02, generator=torch.Generator().manual_seed(seed))
            self.scores.bias.zero_()

    def forward(self, texts: Texts) -> Tensor:
        return self.scores(self.means(texts))  # (B, classes)

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
        size = tokenizer().vocab_size
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
        topics_counts=(50,),
        pairs_counts=(200,),
        news=200,
        tokens=32,
        penalties=(1.0, 10.0, 100.0, 1000.0),
    ),
    arms=ARMS,
    measure=_one,
    tiny=dict(label_counts=(50,), steps=(1,), test=16, pairs_counts=(), tokens=8, news=16),
)
