"""Answers cut out of a text: MiniLM learns to find them in stories and science texts, and is asked about Wikipedia.

It is tuned on questions of CoQA and SciQ whose answer stands in one sentence of the text, each read with this sentence
alone; `without` of them with another sentence of the text, which does not hold the answer. Of CoQA only the questions
that can be understood alone are taken: without "he" or "that", and of five words and more. It is measured on SQuAD, in
the sentence that MiniLM's vectors find most like the question. (Tuned on 1,200 longer pieces and asked for the answer
in whole paragraphs, it had an F1 of 0.10 and found the right sentence in 29 of 100 cases: LOG.md.)

That look was at 200 of SQuAD's questions, so they took part in choosing the design: "first f1" and the other measures
with "first" are on them. All other measures are on 200 questions that nobody looked at before.

The other arms: a random sentence; the sentence most like the question by tf-idf or by MiniLM's vectors; from the
latter the longest run of words that are new (not in the question, not among the commonest); and MiniLM's net, drawn at
random and tuned in the same way, which is measured on the first questions only. (With a learning rate of 1e-3: LOG.md.)

"right sentence": does the answer begin in the sentence where the right one does? "change, X": how much the F1 of a
question rises where the reader gets X instead of what it learned with, the mean; its standard error is over questions.
The arm that starts from MiniLM also stores where its answers lie in SQuAD's texts, and its logits for a few of them,
sentence by sentence.
"""

import random
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from statistics import mean, stdev

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
from minibert.tasks.metrics import auc
from minibert.tasks.span_qa import CharSpan, Window, best_answers, label, null_score, windows
from minibert.training.fine_tuning import Example, fine_tune, run_packed, tuning_recipe

SENTENCES = ("random sentence", "sentence by tf-idf", "sentence by MiniLM", "new words of that sentence")
TUNED = ("tuned from random", "tuned from MiniLM")
PARTS = ("first ", "")  # of SQuAD's questions: those that took part in choosing the design, and new ones
SIDES = ("start", "end")
ASKED = 40  # tokens of a question, at most
_NEEDS_MORE = re.compile(  # words that point to an earlier question, or to another answer
    r"\b(he|she|it|they|his|hers?|their|its|him|them|this|that|these|those|there|else|then|one|others?|another)\b",
    re.IGNORECASE,
)


def _one(settings: dict, arm: str, seed: int) -> dict[str, float]:
    """Exact match, F1 and right sentences on the parts of SQuAD; more for the arm that starts from MiniLM."""
    found, reader = {}, None
    if arm in TUNED:
        reader = _start(arm, seed)
        _tune(settings, reader, seed, found)
    for part in PARTS[:1] if arm == TUNED[0] else PARTS:
        rows = tested(settings["tested"], part)
        spans = [_sentence_answer(row, arm if arm in SENTENCES else SENTENCES[2], seed) for row in rows]
        pairs = zip(rows, spans, strict=True)
        best = [answer_in(settings, reader, *pair) for pair in pairs] if reader else spans
        found |= {f"{part}{name}": score for name, score in _scores(rows, best).items()}
        if arm == TUNED[-1] and part:
            found |= _logits_shown(settings, reader, rows)
        elif arm == TUNED[-1]:
            some = [each[:: settings["every"]] for each in (rows, spans, best)]
            found |= _other_inputs(settings, reader, *some) | _without_answer(settings, reader, some[0])
        for place in () if arm != TUNED[-1] else settings["shown"] if part else range(len(rows)):
            found |= {f"{part}{place} start": best[place][0], f"{part}{place} end": best[place][1]}
    return found


def _logits_shown(settings: dict, reader: SpanReader, rows: Sequence[SpanQuestion]) -> dict[str, float]:
    """The logits for a few questions, with all sentences of the text one by one."""
    found = {}
    for number in settings["shown"]:
        cut = by_sentence(settings, rows[number].question, rows[number].context)
        for place, pair in enumerate(torch.cat(logits_of(reader, cut)).tolist()):
            found |= {f"{number} logits {place} {side}": round(x, 1) for side, x in zip(SIDES, pair, strict=True)}
    return found


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
def tested(count: int, part: str = PARTS[0]) -> list[SpanQuestion]:
    """So many of SQuAD's questions, from all articles, of one of `PARTS`: what the stored numbers count through."""
    rows = corpora.load("squad", stand_in=False)
    return rows[PARTS.index(part) :: len(rows) // count][:count]


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
        output, borders = run_packed(reader, cut)
    return list(output.logits.float().split(borders.diff().tolist()))


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
    "area": with what share of all pairs of both kinds the reader is more for "no answer" where there is none; a coin
    has 0.5, and no threshold matters.
    """
    tried, margins = (_margins(settings, reader, some) for some in (_held_out(settings), rows))
    threshold = max((m for m, _ in tried), key=lambda limit: sum((m <= limit) == there for m, there in tried))
    found = {"threshold": threshold, "asked with": sum(there for _, there in margins), "asked": len(margins)}
    for name, wanted in (("answers what it can", True), ("refuses what it cannot", False)):
        found[name] = mean((margin <= threshold) == wanted for margin, there in margins if there == wanted)
    for name, some in (("area", margins), ("held-out area", tried)):
        found[name] = auc([margin for margin, _ in some], [not there for _, there in some])
    return found


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


def _other_inputs(settings: dict, reader: SpanReader, rows, spans: Sequence[CharSpan], best) -> dict[str, float]:
    """F1 in other texts than the sentence most alike, and with parts of the input taken away, beside `best`."""
    read = {"all segment 0": one_segment, "no [SEP] between": without_middle_sep}
    pairs = list(zip(rows, spans, strict=True))
    others = {name: [answer_in(settings, reader, *pair, change) for pair in pairs] for name, change in read.items()}
    others["in the right sentence"] = [
        answer_in(settings, reader, row, _own_sentence(row) or span) for row, span in pairs
    ]
    for name, cutting in (("every sentence", by_sentence), ("windows", read_windows)):
        cut = [cutting(settings, row.question, row.context) for row in rows]
        found = [
            best_answers(each, logits_of(reader, each), row.context, 1)[0] for each, row in zip(cut, rows, strict=True)
        ]
        others[name] = [(answer.start, answer.end) for answer in found]
    as_learned, measured = _f1s(rows, best), {}
    for name, there in others.items():
        f1 = _f1s(rows, there)
        changes = [one - other for one, other in zip(f1, as_learned, strict=True)]
        measured |= {f"f1, {name}": mean(f1), f"change, {name}": mean(changes)}
        measured[f"standard error of the change, {name}"] = stdev(changes) / len(changes) ** 0.5
    return measured | {"standard error of f1": stdev(as_learned) / len(as_learned) ** 0.5}


def _f1s(rows: Sequence[SpanQuestion], spans: Sequence[CharSpan]) -> list[float]:
    return [squad_score(row.context[start:end], row.answer)[1] for row, (start, end) in zip(rows, spans, strict=True)]


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
        tested=200,  # questions that are new, and as many of the first ones
        every=2,  # which of the new ones are also asked in other ways
        shown=(10, 38, 97, 131, 150, 198),
    ),
    arms=(*SENTENCES, *TUNED),
    measure=_one,
    tiny=dict(examples=8, batch=4, held_out=2, tested=4, every=1, shown=()),
)
