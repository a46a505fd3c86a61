"""One vector for a document, or one for each token? Questions look for documents of one to eight sentences.

A question of SQuAD looks for the document that has the sentence with its answer. Longer documents are made in two ways.
"of many": the sentence stands, at a place drawn by the seed, among sentences of other articles. "of one": it stands as
in its article, among the sentences before and after it; the paragraphs that SQuAD has of an article are joined in the
order of its rows. Documents of one article do not overlap. At each length the same questions look among as many
documents.

`MaxSim` compares tokens (ColBERT's late interaction), `a vector a sentence` is what one can do with single vectors: cut
the document, and take the best piece. MiniLM was tuned for one vector, not for tokens.
"""

from collections.abc import Sequence
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
KINDS = ("of many", "of one")  # articles
Document = tuple[str, ...]  # sentences


@cache
def _articles() -> tuple[dict[str, list[str]], list[tuple[str, str, int]]]:
    """The sentences of each article, and (question, article, number of the sentence with its answer).

    A question for each such sentence that has 8 to 40 words; the others ask for nothing.
    """
    texts = {}  # article -> its paragraphs, each with its first question
    rows = corpora.load("squad")
    for row in rows:
        texts.setdefault(row.title, {}).setdefault(row.context, [])
        texts[row.title][row.context].append(row)
    articles, asked = {}, {}
    for title, paragraphs in texts.items():
        there = articles[title] = []
        for context, asking in paragraphs.items():
            spans = corpora.sentence_spans(context)
            for row in asking:
                for number, (start, end) in enumerate(spans):
                    if start <= row.start and row.end <= end and 8 <= len(context[start:end].split()) <= 40:
                        asked.setdefault((title, len(there) + number), row.question)
            there += [" ".join(context[start:end].split()) for start, end in spans]
    return articles, [(question, *where) for where, question in asked.items()]


def documents(count: int, lengths: Sequence[int], seed: int) -> tuple[list[str], dict[tuple[str, int], list[Document]]]:
    """Questions, and for each way and length their documents; a longer one holds the sentences of the shorter one."""
    articles, asked = _articles()
    rng, most = Random(f"{seed} documents"), max(lengths)
    with_answer = {(title, number) for _, title, number in asked}
    rest = [
        (sentence, title)
        for title, there in articles.items()
        for number, sentence in enumerate(there)
        if (title, number) not in with_answer and 8 <= len(sentence.split()) <= 40
    ]
    taken, questions = set(), []
    found = {(kind, length): [] for kind in KINDS for length in lengths}
    for question, title, own in rng.sample(asked, len(asked)):
        place, there = rng.random(), articles[title]
        firsts = {n: min(max(own - int(place * n), 0), len(there) - n) for n in lengths}
        around = {(title, number) for number in range(firsts[most], firsts[most] + most)}
        if len(questions) == count or len(there) < most or around & taken:
            continue
        taken |= around
        questions.append(question)
        others = [each for each, of in rng.sample(rest, 4 * most) if of != title][: most - 1]
        for n in lengths:
            mixed = others[: n - 1]
            mixed.insert(int(place * n), there[own])
            found["of many", n].append(tuple(mixed))
            found["of one", n].append(tuple(there[firsts[n] : firsts[n] + n]))
    if len(questions) < count:
        raise ValueError(f"{count} documents of {most} sentences that do not overlap: there are {len(questions)}")
    return questions, found


@cache
def _minilm():
    return encoder_of("MiniLM")


@torch.no_grad()
def _input_embeddings(texts: list[str]) -> list[Tensor]:
    """The rows of the table of input embeddings: tokens without places, and without a word of context."""
    encoder, tok = _minilm()
    table = encoder.embeddings.token.weight
    return [table[torch.tensor(tok.encode(text, add_special_tokens=False).ids)] for text in texts]


@lru_cache(maxsize=16)  # of one seed: the questions, and the documents of each way and length
def _tokens(texts: tuple[str, ...]) -> list[Tensor]:
    return embed_tokens(texts, *_minilm())


@cache
def _known() -> dict[str, Tensor]:
    """The vectors of all sentences that were asked for: longer documents hold those of the shorter ones."""
    return {}


def _vectors(sentences: Sequence[str]) -> Tensor:
    if new := [sentence for sentence in dict.fromkeys(sentences) if sentence not in _known()]:
        _known().update(zip(new, embed_texts(new, *_minilm()), strict=True))
    return torch.stack([_known()[sentence] for sentence in sentences])


def _scores(arm: str, queries: list[str], found: list[Document]) -> Tensor:
    """How well each document fits each query: (Q, Q)."""
    texts = [" ".join(document) for document in found]
    if arm == "words":
        bag = Bag.of([*queries, *texts], words)
        return bag.vectors(queries) @ bag.vectors(texts).T
    if arm == "a vector a sentence":
        own, pieces = _vectors(queries), _vectors([sentence for document in found for sentence in document])
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
    """nDCG@10 and recall@1 by the way and the number of sentences, and how many vectors a document has."""
    queries, found = documents(settings["documents"], settings["sentences"], seed)
    tok, measures = _minilm()[1], {}
    for (kind, length), each in found.items():
        got = ranks_of(_scores(arm, queries, each), torch.arange(len(queries))).tolist()
        measures[f"nDCG@10 at {length}, {kind}"] = round(gain(got), 4)
        measures[f"recall@1 at {length}, {kind}"] = round(first_share(got), 4)
        if arm.startswith("MaxSim"):
            tokens = sum(len(tok.encode(" ".join(document), add_special_tokens=False).ids) for document in each)
            measures[f"vectors at {length}, {kind}"] = tokens / len(each)
        elif arm != "words":
            measures[f"vectors at {length}, {kind}"] = length if arm == "a vector a sentence" else 1
    return measures


LATE_INTERACTION = Experiment(
    name="late_interaction",
    question="How do one vector and one vector for each token find a sentence in documents of growing length?",
    settings=dict(documents=100, sentences=(1, 2, 4, 8)),
    arms=ARMS,
    measure=_one,
    tiny=dict(documents=8, sentences=(1, 2)),
)
