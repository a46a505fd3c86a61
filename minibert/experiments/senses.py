"""Does the vector of an ambiguous word tell its sense? Word vectors, ELMo and BERT on the same sentences."""

from functools import cache

import torch
from torch import Tensor, nn

from minibert.config import EncoderConfig
from minibert.corpora import synthetic
from minibert.experiments.neighbours import Pool, Use, make_pools, nearest_accuracy, use_of
from minibert.experiments.record import Experiment
from minibert.experiments.word_rows import CLS, MASK, PAD, SEP, SPECIAL, batches, packed, row, word_ids
from minibert.model.models import MaskedLanguageModel
from minibert.objectives import mask_tokens
from minibert.training import AdamW, linear_decay
from minibert.word_vectors.elmo import BidirectionalLM
from minibert.word_vectors.elmo_training import pad_rows, train_bilm
from minibert.word_vectors.skipgram import train_word_vectors
from minibert.word_vectors.words import count_corpus


@cache
def _data(train: int, test: int) -> tuple[list[Use], list[Use], list[Pool], list[Pool]]:
    """Sentences to learn from (nobody reads their senses), held-out ones, and who may be whose neighbour there."""
    seen = [use_of(example) for example in synthetic.polysemy(train, seed=0)]
    known = {use.words for use in seen}
    held_out = [use_of(example) for example in synthetic.polysemy(test, seed=1)]
    held_out = [use for use in dict.fromkeys(held_out) if use.words not in known]
    strict, free = (make_pools(held_out, overlap, torch.Generator().manual_seed(0)) for overlap in (False, True))
    return seen, held_out, strict, free


def _skipgram(settings: dict, seen: list[Use], generator: torch.Generator) -> dict[str, Tensor]:
    corpus = count_corpus([use.words for use in seen], min_count=1)
    trained = train_word_vectors(
        corpus,
        width=settings["width"],
        epochs=settings["skipgram_epochs"],
        threshold=settings["skipgram_threshold"],
        generator=generator,
    )
    return {word: trained.vectors[word] for word in corpus.words}


def _elmo(settings: dict, rows: list[list[int]], words: int, trained: bool, generator: torch.Generator) -> nn.Module:
    # Half the width for each direction: [forward; backward] is as wide as the others' vectors.
    model = BidirectionalLM(words, settings["width"] // 2, settings["layers"], generator=generator)
    if trained:
        train_bilm(model, rows, settings["elmo_steps"], batch_size=settings["batch"], generator=generator)
    return model


def _bert(settings: dict, rows: list[list[int]], words: int, trained: bool, generator: torch.Generator) -> nn.Module:
    config = EncoderConfig.preset("bert-nano").replace(
        vocab_size=words,
        hidden=settings["width"],
        intermediate=4 * settings["width"],
        layers=settings["layers"],
        heads=settings["heads"],
        max_len=32,
        init_std=settings["bert_std"],
        pad_id=PAD,
        cls_id=CLS,
        sep_id=SEP,
        mask_id=MASK,
    )
    model = MaskedLanguageModel(config, generator)
    tables = model.encoder.embeddings
    with torch.no_grad():
        # What these give is normalised anyway; but a step of the same size turns a short vector further, and to sort
        # words by topic is to turn their vectors.
        for table in (tables.token, tables.position, tables.segment):
            table.weight.mul_(settings["bert_tables"])
    steps, rate = settings["bert_steps"] if trained else 0, settings["bert_rate"]
    optimizer = AdamW(model.parameters(), betas=(0.9, 0.98), weight_decay=0.01)
    for step, (ids, cu_seqlens) in enumerate(batches(rows, settings["batch"], steps, generator)):
        inputs, labels = mask_tokens(ids, range(len(SPECIAL)), words, MASK, settings["masked"], generator=generator)
        at = (labels >= 0).nonzero().flatten()
        for group in optimizer.param_groups:
            group["lr"] = rate * linear_decay(step + 1, steps + 1, max(1, steps // 20))
        loss = nn.functional.cross_entropy(model.packed(inputs, cu_seqlens, predict_at=at).logits, labels[at])
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
    return model


@torch.no_grad()
def layers_at(model: nn.Module, rows: list[list[int]], places: list[int]) -> Tensor:
    """Each layer's vector of one token of each row, from ELMo or BERT, nothing masked.

    Shape: R rows, places (R,) -> (L + 1, R, D).
    """
    parts = []
    for start in range(0, len(rows), 256):
        part, at = rows[start : start + 256], torch.tensor(places[start : start + 256])
        if isinstance(model, BidirectionalLM):
            parts.append(model(*pad_rows(part, PAD))[:, torch.arange(len(part)), at])
        else:
            ids, cu_seqlens = packed(part)
            states = model.packed(ids, cu_seqlens, predict_at=at[:0], output_hidden_states=True).hidden_states
            parts.append(torch.stack(states)[:, cu_seqlens[:-1].long() + at])
    return torch.cat(parts, dim=1)


def _one(settings: dict, arm: str, seed: int) -> dict[str, float]:
    seen, held_out, strict, free = _data(settings["train"], settings["test"])
    generator = torch.Generator().manual_seed(seed)
    if arm.startswith("skip-gram"):
        table = _skipgram(settings, seen, generator)
        unknown = torch.zeros(settings["width"])
        if "mean" in arm:
            vectors = [torch.stack([table.get(w, unknown) for w in use.words]).mean(0) for use in held_out]
        else:
            vectors = [table[use.word] for use in held_out]
        layers = torch.stack(vectors)[None]  # (1, R, D)
    else:
        ids = word_ids(use.words for use in seen)
        rows = [row(use.words, ids) for use in seen]
        build = _elmo if arm.startswith("ELMo") else _bert
        model = build(settings, rows, len(ids), "untrained" not in arm, generator).eval()
        layers = layers_at(model, [row(use.words, ids) for use in held_out], [use.place + 1 for use in held_out])
    by_layer = {f"layer {i}": nearest_accuracy(layer, strict) for i, layer in enumerate(layers)}
    return {
        "accuracy": by_layer[f"layer {len(layers) - 1}"],
        "overlap allowed": nearest_accuracy(layers[-1], free),
    } | by_layer


SENSES = Experiment(
    name="senses",
    question="Do the vectors of an ambiguous word separate by its sense?",
    settings=dict(
        train=3600,
        test=1080,
        width=64,
        layers=2,
        heads=4,
        batch=32,
        skipgram_epochs=5,
        skipgram_threshold=1e-3,
        elmo_steps=3600,
        bert_steps=2700,
        bert_rate=2e-3,
        bert_std=0.125,
        bert_tables=0.2,
        masked=0.3,
    ),
    arms=("skip-gram", "skip-gram, sentence mean", "ELMo untrained", "ELMo", "BERT untrained", "BERT"),
    measure=_one,
    tiny=dict(train=144, test=180, width=8, heads=2, skipgram_epochs=1, elmo_steps=3, bert_steps=3),
)
