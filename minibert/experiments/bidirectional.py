"""One hidden word, three ways to read what is around it: from the left, from both sides apart, from both together."""

import re
from collections import Counter
from functools import cache

import torch
from torch import Tensor, nn

from minibert import corpora
from minibert.config import EncoderConfig
from minibert.experiments.reading_sides import Concatenated, Deep, LeftToRight
from minibert.experiments.record import Experiment
from minibert.experiments.rota import rota_sentences
from minibert.experiments.word_rows import CLS, MASK, PAD, SEP, SPECIAL, batches, packed, row, word_ids
from minibert.objectives import mask_tokens
from minibert.training import AdamW, linear_decay

Place = tuple[list[int], int]  # a sentence as ids, and which of them is to be found


@cache
def _speeches(settings: tuple) -> tuple[list[list[int]], list[Place], int]:
    """Training rows and places to test, of the speeches; the same places for every arm and seed."""
    chosen = dict(settings)
    train, test = [], []
    for speech in corpora.load("sotu"):
        part = test if corpora.is_held_out(speech.name, 10) else train
        for sentence in speech.sentences():
            words = re.findall(r"[a-z]+(?:['’][a-z]+)?", sentence.lower())
            if chosen["shortest"] <= len(words) <= chosen["longest"]:
                part.append(words)
    ids = word_ids(train, chosen["vocabulary"])
    generator = torch.Generator().manual_seed(0)
    places = []
    for sentence in (row(words, ids) for words in test):
        known = [place for place, id in enumerate(sentence) if id >= len(SPECIAL)]
        if known:
            places.append((sentence, known[int(torch.randint(len(known), (), generator=generator))]))
    keep = torch.randperm(len(places), generator=generator)[: chosen["places"]].tolist()
    return [row(words, ids) for words in train], [places[i] for i in keep], len(ids)


@cache
def rota_places(sentences: int, places: int) -> tuple[list[Place], list[Place], int]:
    """Duties to learn and duties to test, of the generated rota, and how many words there are.

    >>> [len(part) for part in rota_places(30, 10)[:2]]
    [30, 10]
    """
    drawn = rota_sentences(sentences + places, torch.Generator().manual_seed(0))
    ids = word_ids(words for words, _ in drawn)
    rows = [(row(words, ids), place + 1) for words, place in drawn]
    return rows[places:], rows[:places], len(ids)


def reader(arm: str, settings: dict, words: int, generator: torch.Generator) -> nn.Module:
    """The net of an arm, for a vocabulary of `words` entries."""
    config = EncoderConfig.preset("modernbert-nano").replace(
        vocab_size=words,
        hidden=settings["width"],
        intermediate=2 * settings["width"],
        layers=settings["layers"],
        heads=settings["heads"],
        layer_types=("global",),
        local_window=None,
        rope_theta_local=None,
        rope_theta=10_000.0,
        dropout_attn_out=0.0,
        pad_id=PAD,
        cls_id=CLS,
        sep_id=SEP,
        mask_id=MASK,
    )
    if arm.startswith("left to right"):
        return LeftToRight(config, generator)
    if arm.startswith("concatenated"):
        return Concatenated(config, "dense" in arm, generator)
    return Deep(config, generator)


def learn(model: nn.Module, optimizer, rate: float, inputs: Tensor, cu_seqlens: Tensor, at: Tensor, answers: Tensor):
    """One step towards the right words at these places, gradients clipped to a norm of 1.

    Shape: inputs (N,), cu_seqlens (B + 1,), at and answers (B,).

    >>> model = _Unigram([[2, 5, 3]], 6)
    >>> model.scores = nn.Parameter(torch.zeros(6))
    >>> ids, cu_seqlens, at, answers = questions([([2, 5, 3], 1)], hides=False)
    >>> learn(model, torch.optim.SGD(model.parameters(), lr=1.0), 1.0, ids, cu_seqlens, at, answers)
    >>> int(model.scores.argmax())
    5
    """
    for group in optimizer.param_groups:
        group["lr"] = rate
    optimizer.zero_grad()
    nn.functional.cross_entropy(model(inputs, cu_seqlens, at), answers).backward()
    nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()


def _read_speeches(
    model: nn.Module, rows: list[list[int]], words: int, steps: int, share: float, settings: dict, generator
) -> tuple[int, int]:
    """Train in place; return how many tokens were read and how many words were predicted.

    A model that hides its words gets them masked as BERT does; any other predicts them from what it may see.
    """
    optimizer = AdamW(model.parameters(), betas=(0.9, 0.98), weight_decay=0.01)
    read = predicted = 0
    for step, (ids, cu_seqlens) in enumerate(batches(rows, settings["batch"], steps, generator)):
        inputs, labels = mask_tokens(ids, range(len(SPECIAL)), words, MASK, share, generator=generator)
        at = (labels >= 0).nonzero().flatten()
        rate = settings["rate"] * linear_decay(step + 1, steps + 1, max(1, steps // 20))
        learn(model, optimizer, rate, inputs if model.hides else ids, cu_seqlens, at, labels[at])
        read, predicted = read + len(ids), predicted + len(at)
    return read, predicted


def _read_rota(model: nn.Module, train: list[Place], test: list[Place], settings: dict, generator) -> int:
    """Train in place on the duties alone; return after how many steps nine of ten were right, all steps if never."""
    optimizer = AdamW(model.parameters(), betas=(0.9, 0.98), weight_decay=0.01)
    solved = settings["rota_steps"]
    for step in range(1, settings["rota_steps"] + 1):
        chosen = torch.randint(len(train), (settings["rota_batch"],), generator=generator).tolist()
        inputs, cu_seqlens, at, answers = questions([train[i] for i in chosen], model.hides)
        learn(model, optimizer, settings["rota_rate"], inputs, cu_seqlens, at, answers)
        if step < solved and step % 25 == 0 and find_words(model, test[:200])[0] >= 0.9:
            solved = step
    return solved


def questions(places: list[Place], hides: bool) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """ids (N,), cu_seqlens (B + 1,), the places to find (B,) and their words (B,); [MASK] there, if the model hides.

    >>> ids, _, at, answers = questions([([2, 7, 8, 3], 2)], hides=True)
    >>> ids.tolist(), at.tolist(), answers.tolist()
    ([2, 7, 4, 3], [2], [8])
    """
    ids, cu_seqlens = packed([sentence for sentence, _ in places])
    at = cu_seqlens[:-1].long() + torch.tensor([place for _, place in places])
    return ids.index_fill(0, at, MASK) if hides else ids, cu_seqlens, at, ids[at]


@torch.no_grad()
def find_words(model: nn.Module, places: list[Place]) -> tuple[float, float]:
    """Share of the places where the right word has the highest score, and the mean loss in nats."""
    hits, loss = 0, 0.0
    for start in range(0, len(places), 256):
        ids, cu_seqlens, at, answers = questions(places[start : start + 256], model.hides)
        logits = model(ids, cu_seqlens, at)
        hits += int((logits.argmax(1) == answers).sum())
        loss += nn.functional.cross_entropy(logits, answers, reduction="sum").item()
    return hits / len(places), loss / len(places)


class _Unigram(nn.Module):
    """The word frequencies of the training rows, whatever stands around."""

    hides = False

    def __init__(self, rows: list[list[int]], words: int):
        super().__init__()
        counts = Counter(id for sentence in rows for id in sentence if id >= len(SPECIAL))
        self.scores = torch.tensor([float(counts[id]) for id in range(words)]).log()  # -inf for what never occurs

    def forward(self, ids: Tensor, cu_seqlens: Tensor, at: Tensor) -> Tensor:
        return self.scores.expand(len(at), -1)


def _one(settings: dict, arm: str, seed: int) -> dict[str, float]:
    rows, places, words = _speeches(tuple(sorted(settings.items())))
    generator = torch.Generator().manual_seed(seed)
    model = _Unigram(rows, words) if arm == "unigram" else reader(arm, settings, words, generator)
    read = predicted = 0
    if arm not in ("unigram", "untrained"):
        steps = settings["steps"] * (settings["longer"] if "longer" in arm else 1)
        share = 0.30 if "30 %" in arm else 0.15 if model.hides or "15 %" in arm else 1.0
        read, predicted = _read_speeches(model, rows, words, steps, share, settings, generator)
    accuracy, loss = find_words(model, places)
    parameters = sum(parameter.numel() for parameter in model.parameters())
    measures = {"accuracy": accuracy, "loss": loss}
    measures |= {"parameters": parameters, "tokens": read, "predictions": predicted}
    if arm in ("left to right", "concatenated", "concatenated, dense", "deep"):
        train, test, words = rota_places(settings["rota_sentences"], settings["places"])
        model = reader(arm, settings, words, generator)
        solved = _read_rota(model, train, test, settings, generator)
        accuracy, loss = find_words(model, test)
        measures |= {"rota accuracy": accuracy, "rota loss": loss, "rota steps": solved}
    return measures


BIDIRECTIONAL = Experiment(
    name="bidirectional",
    question="What is gained when every layer sees both sides of a hidden word?",
    settings=dict(
        vocabulary=1500,
        shortest=6,
        longest=24,
        places=2000,
        width=64,
        layers=2,
        heads=4,
        batch=64,
        rate=3e-3,
        steps=800,
        longer=3,
        rota_sentences=6000,
        rota_batch=32,
        rota_rate=1e-3,
        rota_steps=600,
    ),
    arms=(
        "unigram",
        "untrained",
        "left to right",
        "concatenated",
        "concatenated, dense",
        "deep",
        "left to right, 15 %",
        "concatenated, 15 %",
        "deep, 30 %",
        "deep, longer",
    ),
    measure=_one,
    tiny=dict(vocabulary=200, places=50, width=8, heads=2, batch=8, steps=2, rota_sentences=100, rota_steps=2),
)
