"""Which vector of an encoder stands for a text: first token or mean, which layer, and without what all texts share?

Three tests, none of which trains anything: generated pairs with a similarity of 0 to 5 (`sts`, Spearman), pairs of news
sentences that say the same or not (`mrpc`, area under the curve), and questions that look for their paragraph (`squad`,
nDCG@10). The encoders: MiniLM, whose makers tuned the mean of its last layer on a billion pairs; bert-nano and
modernbert-nano, which filled blanks, the former judged next sentences, too; and twins with weights drawn at random.
None of the nanos was asked to compare texts.

Each pooling is measured as it is, without the mean vector of other texts ("centred"), and without the `directions` in
which other texts differ most, too. The seed draws the generated pairs, the paragraphs, and the weights of the twins.
"""

from functools import cache
from random import Random

import torch
from torch import Tensor
from torch.nn.functional import normalize

from minibert import corpora
from minibert.corpora.synthetic.sts import sts
from minibert.experiments.across_languages import gain
from minibert.experiments.record import Experiment
from minibert.model.encoder import Encoder
from minibert.shipped_models import shipped
from minibert.tasks.bags import Bag, words
from minibert.tasks.metrics import auc, spearman
from minibert.tasks.retrieval import Index
from minibert.tasks.sentence_embeddings import combine_layers, common_directions, embed_layers, remove_common
from minibert.tokenization import load_tokenizer

DATA = ("sts", "mrpc", "squad")
TREATMENTS = ("as it is", "centred", "centred, without directions")
_HOW = {
    "mean, second to last": "second_to_last",
    "mean, last four": "last_four",
    "mean, last four joined": "last_four_joined",
}
KINDS = ("[CLS], last", "mean, last", *_HOW, "mean, weighted")
ENCODERS = ("MiniLM", "bert-nano", "modernbert-nano")
ARMS = ("words", *(arm for name in ENCODERS for arm in (name, f"{name} untrained")))
Texts = list[str]
Pair = tuple[Texts, Texts]  # row i of one belongs to row i of the other


def encoder_of(arm: str, seed: int = 0) -> tuple[Encoder, object]:
    """The encoder and the tokenizer of an arm; an untrained one is drawn with this seed.

    >>> encoder_of("bert-nano")[0].config.layers
    4
    """
    name = arm.removesuffix(" untrained")
    folder = corpora.path("minilm") if name == "MiniLM" else shipped(name)
    encoder = Encoder.from_pretrained(folder)
    if arm.endswith("untrained"):
        encoder = Encoder(encoder.config, generator=torch.Generator().manual_seed(seed))
    return encoder, load_tokenizer(folder)


@cache
def questions(words_each: int) -> tuple[tuple[str, str], ...]:
    """SQuAD's questions, one for each paragraph, with the first words of it; the answer is among these."""
    found = {}
    for row in corpora.load("squad"):
        if len(row.context[: row.end].split()) <= words_each:
            found.setdefault(row.context, row.question)
    return tuple((question, " ".join(context.split()[:words_each])) for context, question in found.items())


def drawn_questions(count: int, words_each: int, seed: int) -> tuple[Pair, Pair]:
    """`count` questions with their paragraphs, and as many others."""
    pairs = Random(f"{seed} squad").sample(questions(words_each), 2 * count)
    return tuple(tuple(map(list, zip(*part, strict=True))) for part in (pairs[:count], pairs[count:]))


def _tested(settings: dict, data: str, seed: int) -> tuple[Pair, list[float], Texts]:
    """Both sides of the test, what people or the generator say of row i, and like texts outside the test."""
    count = settings["tested"][data]
    if data == "sts":
        pairs = sts(count, seed=seed, split="test")
        others = [pair.first for pair in sts(settings["others"], seed=seed, split="train")]
        return ([p.first for p in pairs], [p.second for p in pairs]), [p.score for p in pairs], others
    if data == "mrpc":
        pairs = corpora.load("mrpc")[:count]
        news = [corpora.split_sentences(row.text.split("\n")[2])[0] for row in corpora.load("bbc")]
        others = Random(f"{seed} news").sample(list(dict.fromkeys(news)), settings["others"])
        return ([p.first for p in pairs], [p.second for p in pairs]), [p.label == "equivalent" for p in pairs], others
    own, other = drawn_questions(count, settings["words"], seed)
    half = settings["others"] // 2
    return own, [1.0] * count, other[0][:half] + other[1][:half]


def score(data: str, one: Tensor, other: Tensor, gold: list[float]) -> float:
    """Spearman, area under the curve or nDCG@10 of the cosines. Shape: (P, D) and (P, D).

    >>> score("sts", torch.eye(2), torch.tensor([[1.0, 0.0], [1.0, 0.0]]), [5.0, 0.0])
    1.0
    """
    if data == "squad":
        return gain(Index(other).ranks(one, torch.arange(len(one))).tolist())
    cosines = (normalize(one.double(), dim=-1) * normalize(other.double(), dim=-1)).sum(-1).round(decimals=12)
    return (spearman if data == "sts" else auc)(cosines, gold)


def mean_cosine(vectors: Tensor) -> float:
    """The mean cosine of all pairs of different vectors: (B, D) -> a number.

    >>> round(mean_cosine(torch.tensor([[1.0, 0.0], [0.0, 2.0], [1.0, 0.0]])), 3)
    0.333
    """
    unit = normalize(vectors.double(), dim=-1)
    count = len(unit)
    return float((unit.sum(0).square().sum() - count) / (count * (count - 1)))


def fit_weights(one: Tensor, other: Tensor, gold: list[float], steps: int) -> Tensor:
    """One weight a layer, all of them positive with the sum 1, for which cosines follow the gold scores most.

    Maximises Pearson's correlation on these pairs, by Adam from equal weights. Shape: (L + 1, P, D) twice -> (L + 1,).
    """
    logits = torch.zeros(len(one), requires_grad=True)
    optimizer = torch.optim.Adam([logits], lr=0.1)
    target = torch.tensor(gold)
    for _ in range(steps):
        sides = (combine_layers(side, "weighted", logits.softmax(0), unit=True) for side in (one, other))
        cosines = torch.nn.functional.cosine_similarity(*sides)
        loss = -torch.corrcoef(torch.stack([cosines, target]))[0, 1]
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return logits.detach().softmax(0)


def _pooled(first: Tensor, mean: Tensor, weights: Tensor) -> dict[str, Tensor]:
    """All poolings of some texts. Shape: (L + 1, B, D) twice."""
    found = {"[CLS], last": first[-1], "mean, last": mean[-1]}
    found |= {name: combine_layers(mean, how, unit=True) for name, how in _HOW.items()}
    found["mean, weighted"] = combine_layers(mean, "weighted", weights, unit=True)
    return found | {f"mean of layer {layer}": vectors for layer, vectors in enumerate(mean)}


def _one(settings: dict, arm: str, seed: int) -> dict[str, float]:
    """`DATA, POOLING, TREATMENT`, and `cosine, DATA, POOLING`: the mean over all pairs of texts of one side."""
    if arm == "words":
        return _words(settings, seed)
    encoder, tok = encoder_of(arm, seed)

    def layers(texts: Texts) -> tuple[Tensor, Tensor]:
        return embed_layers(texts, encoder, tok, ("cls", "mean")).chunk(2, dim=-1)

    train = sts(settings["fitted"], seed=seed, split="train")
    sides = [embed_layers([pair[side] for pair in train], encoder, tok) for side in (0, 1)]
    weights = fit_weights(*sides, [pair.score for pair in train], settings["fit_steps"])
    found = {f"weight of layer {layer}": round(weight, 4) for layer, weight in enumerate(weights.tolist())}
    for data in DATA:
        (first, second), gold, others = _tested(settings, data, seed)
        one, other, rest = (_pooled(*layers(texts), weights) for texts in (first, second, others))
        for name, vectors in one.items():
            mean, directions = common_directions(rest[name], settings["directions"])
            found[f"cosine, {data}, {name}"] = round(mean_cosine(vectors), 4)
            for treatment in TREATMENTS if name in KINDS else TREATMENTS[:2]:
                pair = (vectors, other[name])
                if treatment != "as it is":
                    pair = [remove_common(v, mean, directions if "directions" in treatment else None) for v in pair]
                found[f"{data}, {name}, {treatment}"] = round(score(data, *pair, gold), 4)
    return found


def _words(settings: dict, seed: int) -> dict[str, float]:
    """A bag of words, weighted by how rare each is among the texts outside the test and inside."""
    found = {}
    for data in DATA:
        (first, second), gold, others = _tested(settings, data, seed)
        bag = Bag.of([*first, *second, *others], words)
        found[f"{data}, words"] = round(score(data, bag.vectors(first), bag.vectors(second), gold), 4)
    return found


POOLINGS = Experiment(
    name="poolings",
    question="Which pooling makes the best sentence vectors, with what all texts have in common and without it?",
    settings=dict(
        tested=dict(sts=300, mrpc=408, squad=150),  # pairs; questions and paragraphs
        others=120,  # texts from which the common directions are found
        words=80,  # of a paragraph
        directions=3,
        fitted=120,  # generated training pairs from which the weights of the layers are found
        fit_steps=100,
    ),
    arms=ARMS,
    measure=_one,
    tiny=dict(tested=dict(sts=12, mrpc=20, squad=8), others=10, words=20, fitted=6, fit_steps=2),
)
