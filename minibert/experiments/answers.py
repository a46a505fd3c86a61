"""Answers cut out of a text: MiniLM learns to find them in stories and science texts, and is asked about Wikipedia.

It is tuned on questions of CoQA and SciQ whose answer stands in one sentence of the text, each read with this sentence
alone; `without` of them with another sentence of the text, which does not hold the answer. Of CoQA only the questions
that can be understood alone are taken: without "he" or "that", and of five words and more. It is measured on SQuAD, in
the sentence that MiniLM's vectors find most like the question. (Tuned on 1,200 longer pieces and asked for the answer
in whole paragraphs, it had an F1 of 0.10 and found the right sentence in 29 of 100 cases: LOG.md.)

The other arms: a random sentence; the sentence most like the question by tf-idf or by MiniLM's vectors; from the
latter the longest run of words that are new (not in the question, not among the commonest); and MiniLM's net, drawn at
random and tuned in the same way.

"right sentence": does the answer begin in the sentence where the right one does? The arm that starts from MiniLM also
stores where its answers lie in SQuAD's texts, and its logits for a few of them, sentence by sentence.
"""

import random
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from statistics import mean

import torch
from torch import Tensor

from minibert import corpora
from minibert.corpora.rows import SpanQuestion
from minibert.corpora.text import sentence_spans
from minibert.experiments.minilm import one_segment, tokenizer
from minibert.experiments.record import Experiment
from minibert.model.encoder import Encoder
from minibert.model.task_models import SpanReader
from minibert.tasks import Index, embed_texts, squad_score
from minibert.tasks.bags import Bag, words
from minibert.tasks.inference import inference
from minibert.tasks.span_qa import CharSpan, Window, best_answers, label, null_score, windows
from minibert.training.fine_tuning import Example, fine_tune, run_packed, tuning_recipe

SENTENCES = ("random sentence", "sentence by tf-idf", "sentence by MiniLM", "new words of that sentence")
TUNED = ("tuned from random", "tuned from MiniLM")
SIDES = ("start", "end")
ASKED = 40  # tokens of a question, at most
_NEEDS_MORE = re.compile(  # words that point to an earlier question, or to another answer
    r"\b(he|she|it|they|his|hers?|their|its|him|them|this|that|these|those|there|else|then|one|others?|another)\b",
    re.IGNORECASE,
)


def _one(settings: dict, arm: str, seed: int) -> dict[str, float]:
    """Exact match, F1 and right sentences on SQuAD; more for the arm that is tuned in full."""
    rows = tested(settings["tested"])
    if arm in SENTENCES:
        return _scores(rows, [_sentence_answer(row, arm, seed) for row in rows])
    reader, found = _start(arm, seed), {}
    _tune(settings, reader, seed, found)
    spans = [_sentence_answer(row, SENTENCES[2], seed) for row in rows]
    best = [answer_in(settings, reader, row, span) for row, span in zip(rows, spans, strict=True)]
    found |= _scores(rows, best)
    if arm != TUNED[-1]:
        return found
    for number, (start, end) in enumerate(best):
        found |= {f"{number} start": start, f"{number} end": end}
    for number in settings["shown"]:
        cut = by_sentence(settings, rows[number].question, rows[number].context)
        for place, pair in enumerate(torch.cat(logits_of(reader, cut)).tolist()):  # of all sentences, one by one
            found |= {f"{number} logits {place} {side}": round(x, 1) for side, x in zip(SIDES, pair, strict=True)}
    varied = settings["varied"]
    return found | _without_answer(settings, reader, rows) | _other_inputs(settings, reader, rows[:varied], spans)


def _tune(settings: dict, reader: SpanReader, seed: int, found: dict[str, float]) -> None:
    """Fine-tune, and keep what scores best on pieces of stories and texts that are not learned from."""
    learned, held_out = training_examples(settings, seed), _held_out(settings)
    steps = max(4, settings["passes"] * len(learned) // settings["batch"])
    recipe = tuning_recipe(steps, settings["rate"], bf16=True, seed=seed)

    def held_out_f1(model) -> float:
        spans = [answer_in(settings, model, row, _own_sentence(row)) for row in held_out]
        return _scores(held_out, spans)["f1"]

    options = dict(batch_size=settings["batch"], validation=held_out_f1, validate_every=steps // 4)
    for number, (_, score) in enumerate(fine_tune(reader, learned, recipe, **options).scores[:4], start=1):
        found[f"held-out f1 after {number} quarters"] = score


def _held_out(settings: dict) -> list[SpanQuestion]:
    return [row for rows in _rows("test") for row in random.Random(0).sample(rows, settings["held_out"])]


def answer_in(settings: dict, reader: SpanReader, row: SpanQuestion, span: CharSpan, change=None) -> CharSpan:
    """Where the reader sees the answer, if it is asked about one sentence of the text."""
    text = row.context[span[0] : span[1]]
    cut = [change(window) if change else window for window in read_windows(settings, row.question, text)]
    answer = best_answers(cut, logits_of(reader, cut), text, 1)[0]
    return span[0] + answer.start, span[0] + answer.end


def by_sentence(settings: dict, question: str, text: str) -> list[Window]:
    """The windows of each sentence of the text, with the characters of the text."""
    cut = []
    for start, end in sentence_spans(text):
        for window in read_windows(settings, question, text[start:end]):
            spans = (span and (start + span[0], start + span[1]) for span in window.spans)
            cut.append(replace(window, spans=tuple(spans)))
    return cut


def read_windows(settings: dict, question: str, text: str) -> list[Window]:
    """The windows in which all texts are read, as long as the inputs that were learned from."""
    room = settings["room"]
    return windows(question, text, tokenizer(), max_length=room + ASKED + 3, stride=room * 3 // 4, max_question=ASKED)


@cache
def tested(count: int) -> list[SpanQuestion]:
    """So many of SQuAD's questions, from all articles: what the numbers in the stored result count through."""
    rows = corpora.load("squad", stand_in=False)
    return rows[:: len(rows) // count][:count]


def _start(arm: str, seed: int) -> SpanReader:
    """MiniLM with a new head, or its net drawn at random with this seed."""
    generator = torch.Generator().manual_seed(seed)
    reader = SpanReader.from_pretrained(corpora.path("minilm"), new_head=True, generator=generator)
    return SpanReader(reader.config, generator=generator) if arm == TUNED[0] else reader


# ---- what is learned


def stands_alone(question: str) -> bool:
    """Whether a question of a dialogue can be understood without the turns before it.

    >>> stands_alone("Where did she live then?"), stands_alone("What is the name of the sister?")
    (False, True)
    """
    return not _NEEDS_MORE.search(question) and len(question.split()) >= 5


def training_examples(settings: dict, seed: int) -> list[Example]:
    """Half from CoQA, half from SciQ, in random order; a seed decides which ones, and where they are cut."""
    rng, made = random.Random(seed), []
    for rows in _rows("train"):
        for row in rng.sample(rows, min(settings["examples"] // 2, len(rows))):
            own = _own_sentence(row)
            others = [span for span in sentence_spans(row.context) if span != own]
            low, high = rng.choice(others) if others and rng.random() < settings["without"] else own
            window = read_windows(settings, row.question, row.context[low:high])[0]
            place = label(window, (row.start - low, row.end - low)) if (low, high) == own else (0, 0)
            made.append(Example(window.ids, window.segment_ids, place))
    rng.shuffle(made)
    return made


@cache
def _rows(split: str) -> tuple[list[SpanQuestion], list[SpanQuestion]]:
    """CoQA's questions that stand alone, and SciQ's; those whose answer lies in one sentence."""
    coqa, sciq = corpora.load("coqa", split), corpora.load("sciq", split)
    alone = [row for row in coqa if stands_alone(row.question)]
    return [row for row in alone if _own_sentence(row)], [row for row in sciq if _own_sentence(row)]


def _own_sentence(row: SpanQuestion) -> CharSpan | None:
    return next((span for span in sentence_spans(row.context) if span[0] <= row.start and row.end <= span[1]), None)


# ---- what is measured


def logits_of(reader: SpanReader, cut: Sequence[Window]) -> list[Tensor]:
    """Start and end logits of each window, (T, 2) float32; computed in bfloat16, as in training."""
    with inference(reader), torch.autocast("cpu", dtype=torch.bfloat16):
        return [run_packed(reader, [window])[0].logits.float() for window in cut]


def _scores(rows: Sequence[SpanQuestion], spans: Sequence[CharSpan]) -> dict[str, float]:
    scores = [squad_score(row.context[start:end], row.answer) for row, (start, end) in zip(rows, spans, strict=True)]
    return {
        "exact match": mean(exact for exact, _ in scores),
        "f1": mean(f1 for _, f1 in scores),
        "right sentence": mean(_same_sentence(row, span) for row, span in zip(rows, spans, strict=True)),
    }


def _same_sentence(row: SpanQuestion, span: CharSpan) -> bool:
    return any(start <= row.start < end and start <= span[0] < end for start, end in sentence_spans(row.context))


def _sentence_answer(row: SpanQuestion, arm: str, seed: int) -> CharSpan:
    spans = sentence_spans(row.context)
    if arm == SENTENCES[0]:
        return random.Random(f"{seed} {row.question}").choice(spans)
    sentences = [row.context[start:end] for start, end in spans]
    if arm == SENTENCES[1]:
        queries, vectors = (_bag().vectors(texts) for texts in ([row.question], sentences))
    else:
        queries, vectors = _embedded((row.question,)), _embedded(tuple(sentences))
    start, end = spans[Index(vectors).search(queries, 1)[0][0][0]]
    return (start, end) if arm != SENTENCES[3] else new_words(row.question, row.context, (start, end))


@cache
def _bag() -> Bag:
    contexts = dict.fromkeys(row.context for row in corpora.load("squad", stand_in=False))
    return Bag.of([context[start:end] for context in contexts for start, end in sentence_spans(context)], words)


@cache
def _encoder() -> Encoder:
    return Encoder.from_pretrained(corpora.path("minilm"))


@cache
def _embedded(texts: tuple[str, ...]) -> Tensor:
    return embed_texts(texts, _encoder(), tokenizer())


@cache
def _common() -> frozenset[str]:
    """The hundred commonest words of the texts that are learned from."""
    counts = Counter(word for rows in _rows("train") for row in rows for word in words(row.context))
    return frozenset(word for word, _ in counts.most_common(100))


def new_words(question: str, text: str, span: CharSpan) -> CharSpan:
    """The longest run of words in the span that are neither in the question nor common; the whole span without any."""
    asked, runs, goes_on = set(words(question)), [], False
    for found in re.compile(r"\w+").finditer(text, *span):
        word = found[0].casefold()
        if word in asked or word in _common():
            goes_on = False
            continue
        runs.append((runs.pop()[0] if goes_on else found.start(), found.end()))
        goes_on = True
    return max(runs, key=lambda run: run[1] - run[0], default=span)


def _without_answer(settings: dict, reader: SpanReader, rows: Sequence[SpanQuestion]) -> dict[str, float]:
    """Questions with the sentence of their answer and with another one of the paragraph: which can it tell apart?

    The threshold is the one that tells most questions apart on stories and science texts that were not learned from.
    """
    tried = _margins(settings, reader, _held_out(settings))
    threshold = max((m for m, _ in tried), key=lambda limit: sum((m <= limit) == there for m, there in tried))
    margins = _margins(settings, reader, rows[: settings["varied"]])
    answered, refused = (
        mean((margin <= threshold) == wanted for margin, there in margins if there == wanted)
        for wanted in (True, False)
    )
    return {"threshold": threshold, "answers what it can": answered, "refuses what it cannot": refused}


def _margins(settings: dict, reader: SpanReader, rows: Sequence[SpanQuestion]) -> list[tuple[float, bool]]:
    """How much more the reader is for "no answer" than for its best one, and whether the sentence holds the answer."""
    found, rng = [], random.Random(0)
    for row in rows:
        own = _own_sentence(row)
        others = [span for span in sentence_spans(row.context) if span != own]
        for start, end in [own, *(rng.sample(others, 1) if others else [])] if own else []:
            text = row.context[start:end]
            cut = read_windows(settings, row.question, text)
            logits = logits_of(reader, cut)
            margin = null_score(logits) - best_answers(cut, logits, text, 1)[0].score
            found.append((margin, (start, end) == own))
    return found


def _other_inputs(settings: dict, reader: SpanReader, rows, spans: Sequence[CharSpan]) -> dict[str, float]:
    """F1 of some questions in other texts than the sentence most alike, and with parts of the input taken away."""
    found = {}
    for name, change in (
        ("as learned", None),
        ("all segment 0", one_segment),
        ("no [SEP] between", without_middle_sep),
    ):
        best = [answer_in(settings, reader, *pair, change) for pair in zip(rows, spans, strict=False)]
        found[f"f1, {name}"] = _scores(rows, best)["f1"]
    owns = [_own_sentence(row) or span for row, span in zip(rows, spans, strict=False)]
    best = [answer_in(settings, reader, row, own) for row, own in zip(rows, owns, strict=True)]
    found["f1, in the right sentence"] = _scores(rows, best)["f1"]
    for name, cutting in (("every sentence", by_sentence), ("windows", read_windows)):
        cut = [cutting(settings, row.question, row.context) for row in rows]
        logits = [logits_of(reader, each) for each in cut]
        best = [best_answers(*each, row.context, 1)[0] for *each, row in zip(cut, logits, rows, strict=True)]
        found[f"f1, {name}"] = _scores(rows, [(answer.start, answer.end) for answer in best])["f1"]
    return found


def without_middle_sep(window: Window) -> Window:
    """The same input without the [SEP] between question and text."""
    place = window.segment_ids.index(1) - 1
    parts = (window.ids, window.segment_ids, window.spans, window.central)
    return Window(*(part[:place] + part[place + 1 :] for part in parts))


ANSWERS = Experiment(
    name="answers",
    question="Does an encoder tuned on stories and science texts find answers in Wikipedia beside like sentences?",
    settings=dict(
        examples=1200,
        passes=1,
        room=64,  # tokens of text in a window
        without=0.2,
        batch=16,
        rate=3e-4,
        held_out=40,  # of CoQA, and of SciQ
        tested=200,
        varied=60,
        shown=(10, 38, 97, 131, 150, 198),
    ),
    arms=(*SENTENCES, *TUNED),
    measure=_one,
    tiny=dict(examples=8, batch=4, held_out=2, tested=6, varied=2, shown=()),
)
