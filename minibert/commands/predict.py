"""`python -m minibert predict`: what a fine-tuned model says, one JSON object a line."""

import json
from collections.abc import Iterator

import click

from minibert.commands.shared import TextCommand, bf16_option, find_folder, open_model, print_json, read_texts

BATCH = 32  # lines that are answered together


@click.command(cls=TextCommand)
@click.argument("folder")
@click.argument("texts", nargs=-1)
@click.option("--pair", help="The second text of a pair; for each of TEXTS.")
@click.option("--question", help="What is asked of each of TEXTS, by a model that finds answers.")
@click.option("--max-length", type=click.IntRange(min=8), help="Tokens; default: 384 for answers, else the model's.")
@bf16_option
def predict(folder, texts, pair, question, max_length, bf16):
    """Let the model in FOLDER answer TEXTS, or the lines of standard input; one JSON object a line.

    A line of standard input is a text, or an object: {"text": ...}, {"first": ..., "second": ...},
    {"question": ..., "context": ...} or {"tokens": [...]}. The model's head decides what comes back: the most likely
    label and how likely each is; the answer, where it stands, and how much the model is for it; or the words' tags.

    Example: python -m minibert predict runs/sentiment "A film to remember." "So dull, so long."
    """
    import minibert
    from minibert.checkpoints import model_folder, read_json, stated_kind

    where = find_folder(folder)
    kind = stated_kind(read_json(model_folder(where) / "config.json"))
    if kind not in ANSWERS:
        raise ValueError(f"{folder} holds a model without a task: fine-tune it (python -m minibert finetune --help)")
    lines = [_read(line, number, pair, question) for number, line in enumerate(read_texts(texts), 1)]
    model = open_model(kind, where, bf16)
    tok = minibert.load_tokenizer(model_folder(where))
    wanted = WANTED[kind]
    for number, fields in enumerate(lines, 1):
        if not any(set(names) <= set(fields) for names in wanted):
            expected = " or ".join(" and ".join(names) for names in wanted)
            raise ValueError(f"text {number} has {', '.join(fields)}; this model needs {expected}")
    for start in range(0, len(lines), BATCH):
        for answer in ANSWERS[kind](lines[start : start + BATCH], model, tok, max_length):
            print_json(answer)


def _read(line: str, number: int, pair: str | None, question: str | None) -> dict:
    """The named texts of a line: those of its JSON object, or the line itself."""
    fields = {"text": line}
    if line.lstrip().startswith("{"):
        try:
            found = json.loads(line)
        except ValueError:  # a text that begins with a brace
            found = None
        fields = found if isinstance(found, dict) else fields
    for name, value in fields.items():
        if name in NAMES and not isinstance(value, list if name == "tokens" else str):
            raise ValueError(f"text {number}: {name} is {value!r:.60}, expected a text (tokens: a list of words)")
    if pair is not None and "text" in fields:
        fields = {"first": fields["text"], "second": pair}
    if question is not None and "text" in fields:
        fields = {"question": question, "context": fields["text"]}
    return {name: fields[name] for name in NAMES if name in fields}


NAMES = ("text", "first", "second", "question", "context", "tokens")
WANTED = {
    "SequenceClassifier": [("text",), ("first", "second")],
    "SpanReader": [("question", "context")],
    "TokenClassifier": [("text",), ("tokens",)],
}


def _labels(lines: list[dict], model, tok, max_length: int | None) -> Iterator[dict]:
    from minibert.tasks.classification import classify

    texts = [(fields["first"], fields["second"]) if "first" in fields else fields["text"] for fields in lines]
    names = _names(model)
    for fields, row in zip(lines, classify(texts, model, tok, max_length=max_length).tolist(), strict=True):
        if len(names) == 1:
            yield fields | {"score": round(row[0], 4)}
        else:
            likely = {name: round(value, 4) for name, value in zip(names, row, strict=True)}
            yield fields | {"label": max(likely, key=likely.get), "probabilities": likely}


def _answers(lines: list[dict], model, tok, max_length: int | None) -> Iterator[dict]:
    from minibert.tasks.span_qa import read_answers

    for fields in lines:
        found, none = read_answers(fields["question"], fields["context"], model, tok, 1, max_length=max_length or 384)
        best = found[0]
        yield {
            "question": fields["question"],
            "answer": best.text,
            "start": best.start,
            "end": best.end,
            "score": round(best.score, 4),
            "no_answer": round(none, 4),
        }


def _tags(lines: list[dict], model, tok, max_length: int | None) -> Iterator[dict]:
    from minibert.tasks.metrics import entities
    from minibert.tasks.tagging import tag

    words = [fields["tokens"] if "tokens" in fields else fields["text"].split() for fields in lines]
    for tokens, tags in zip(words, tag(words, model, tok, _names(model)), strict=True):
        answer = {"tokens": tokens, "tags": tags}
        if all(name == "O" or name[:2] in ("B-", "I-") for name in _names(model)):
            found = [{"kind": kind, "text": " ".join(tokens[start:end])} for kind, start, end in entities(tags)]
            answer |= {"entities": found}
        yield answer


def _names(model) -> tuple[str, ...]:
    return model.label_names or tuple(f"LABEL_{number}" for number in range(model.labels))


ANSWERS = {"SequenceClassifier": _labels, "SpanReader": _answers, "TokenClassifier": _tags}
