"""One vector for a document, or one for each token? Questions look for documents of one to eight sentences.

A question of SQuAD looks for the sentence with its answer. The longer documents hold the same sentence, at a place
drawn by the seed, among sentences of other articles: whoever reads the right place well loses nothing. As many
documents compete at each length. `MaxSim` compares tokens (ColBERT's late interaction), `a vector a sentence` is what
one can do with single vectors: cut the document, and take the best piece. MiniLM was tuned for one vector, not for
tokens.
"""

from functools import cache, lru_cache
from random import Random

import torch
from torch import Tensor
from torch.nn.functional import normalize

from minibert import corpora
from minibert.experiments.across_languages import first_share, gain
from minibert.experiments.poolings import encoder_of
from minibert.experiments.record import Experiment
from minibert.tasks.bags import Bag, words
from minibert.tasks.retrieval import max_sim, ranks_of
from minibert.tasks.sentence_embeddings import embed_texts, embed_tokens

ARMS = ("words", "one vector", "a vector a sentence", "MaxSim", "MaxSim of input embeddings")
Document = tuple[str, ...]  # sentences


@cache
def _sentences() -> tuple[tuple[tuple[str, str, str], ...], tuple[tuple[str, str], ...]]:
    """(question, sentence with the answer, article), each such sentence once; and (sentence, article) without one."""
    asked, rest = {}, {}
    for row in corpora.load("squad"):
        start = 0
        for sentence in corpora.split_sentences(row.context):
            start = row.context.find(sentence, start) if sentence in row.context[start:] else -1
            if not 8 <= len(sentence.split()) <= 40 or start < 0:
                start = max(start, 0)
                continue
            if start <= row.start and row.end <= start + len(sentence):
                asked.setdefault(sentence, (row.question, sentence, row.title))
            rest.setdefault(sentence, row.title)
            start += len(sentence)
    return tuple(asked.values()), tuple((s, title) for s, title in rest.items() if s not in asked)


def documents(count: int, lengths: tuple[int, ...], seed: int) -> tuple[list[str], dict[int, list[Document]]]:
    """Questions, and for each length their documents; a longer one holds the sentences of the shorter one."""
    asked, rest = _sentences()
    rng = Random(f"{seed} documents")
    chosen = rng.sample(asked, count)
    found = {length: [] for length in lengths}
    for _, sentence, title in chosen:
        others = [each for each, of in rng.sample(rest, 2 * max(lengths)) if of != title][: max(lengths) - 1]
        place = rng.random()
        for length in lengths:
            document = others[: length - 1]
            document.insert(int(place * length), sentence)
            found[length].append(tuple(document))
    return [question for question, _, _ in chosen], found


@cache
def _minilm():
    return encoder_of("MiniLM")


@torch.no_grad()
def _input_embeddings(texts: list[str]) -> list[Tensor]:
    """The rows of the table of input embeddings: tokens without places, and without a word of context."""
    encoder, tok = _minilm()
    table = encoder.embeddings.token.weight
    return [table[torch.tensor(tok.encode(text, add_special_tokens=False).ids)] for text in texts]


@lru_cache(maxsize=8)
def _tokens(texts: tuple[str, ...]) -> list[Tensor]:
    return embed_tokens(texts, *_minilm())


@lru_cache(maxsize=4096)
def _vector(sentence: str) -> Tensor:
    return embed_texts([sentence], *_minilm())[0]


def _scores(arm: str, queries: list[str], found: list[Document]) -> Tensor:
    """How well each document fits each query: (Q, Q)."""
    texts = [" ".join(document) for document in found]
    if arm == "words":
        bag = Bag.of([*queries, *texts], words)
        return bag.vectors(queries) @ bag.vectors(texts).T
    if arm == "a vector a sentence":
        own = torch.stack([_vector(query) for query in queries])
        pieces = torch.stack([_vector(sentence) for document in found for sentence in document])
        parts = (own @ pieces.T).split([len(document) for document in found], dim=1)
        return torch.stack([part.amax(1) for part in parts], dim=1)
    sides = [_tokens(tuple(side)) for side in (queries, texts)]
    if arm == "one vector":  # the mean of all tokens, as MiniLM's makers have it
        one, other = (normalize(torch.stack([tokens.mean(0) for tokens in side]), dim=-1) for side in sides)
        return one @ other.T
    if arm == "MaxSim":  # without [CLS] and [SEP], which would match each other in every document
        sides = [[tokens[1:-1] for tokens in side] for side in sides]
    else:
        sides = [_input_embeddings(side) for side in (queries, texts)]
    return torch.tensor([[float(max_sim(query, document)) for document in sides[1]] for query in sides[0]])


def _one(settings: dict, arm: str, seed: int) -> dict[str, float]:
    """nDCG@10 and recall@1 by the number of sentences, and how many vectors a document has."""
    queries, found = documents(settings["documents"], settings["sentences"], seed)
    tok, measures = _minilm()[1], {}
    for length, each in found.items():
        got = ranks_of(_scores(arm, queries, each), torch.arange(len(queries))).tolist()
        measures[f"nDCG@10 at {length}"] = round(gain(got), 4)
        measures[f"recall@1 at {length}"] = round(first_share(got), 4)
        if arm.startswith("MaxSim"):
            tokens = sum(len(tok.encode(" ".join(document), add_special_tokens=False).ids) for document in each)
            measures[f"vectors at {length}"] = tokens / len(each)
        elif arm != "words":
            measures[f"vectors at {length}"] = length if arm == "a vector a sentence" else 1
    return measures


LATE_INTERACTION = Experiment(
    name="late_interaction",
    question="How do one vector and one vector for each token find a sentence in documents of growing length?",
    settings=dict(documents=100, sentences=(1, 2, 4, 8)),
    arms=ARMS,
    measure=_one,
    tiny=dict(documents=8, sentences=(1, 2)),
)
