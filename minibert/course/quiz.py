"""The quiz of chapter 19: a question for each chapter, and its answer to open."""

from collections.abc import Mapping
from html import escape

QUIZ = {  # chapter: question, answer
    "05": (
        "Twelve heads, 100 tokens: how many attention weights has one layer?",
        "12 · 100 · 100 = 120,000; each row of 100 sums to 1.",
    ),
    "06": (
        "BERT-base: which part has most of the parameters, and which share?",
        "The feed-forward matrices: 57 of 110 million, about half.",
    ),
    "07": (
        "An encoder gives “bank” two vectors in two sentences. Has it understood the senses?",
        "That is not shown: an untrained encoder gives two vectors as well. Compare with it.",
    ),
    "08": (
        "A masked model has a loss of 0.2 nats on its training text. Is that good?",
        "It is too good: the model knows the text by heart. Look at text that was held out.",
    ),
    "09": (
        "A next-sentence task is solved to 97 %. What might the model have used?",
        "Words that both sentences share: a random sentence is about something else.",
    ),
    "14": (
        "What does the bias of the keys do in BERT?",
        "Nothing: it adds the same to all scores of a query, and softmax ignores that. (RoPE would turn it.)",
    ),
    "15": (
        "A text moves 1,000 places to the right. What changes in the scores with RoPE?",
        "Nothing: they depend on the distance of two tokens alone.",
    ),
    "16": (
        "A local layer has a window of 128. How many keys does a query see?",
        "129 at most: 64 to each side and itself.",
    ),
    "17": (
        "Clipping or StableAdamW: which of them keeps a bad gradient out of Adam's averages?",
        "Clipping. StableAdamW shortens the one step; the averages are AdamW's.",
    ),
    "18": (
        "18 query heads share 6 key heads. Whose keys does query head 7 (counted from 0) use?",
        "Those of group 7 // 3 = 2.",
    ),
}


def quiz_html(questions: Mapping[str, tuple[str, str]] = QUIZ) -> str:
    """The questions as HTML that works without scripts: a click, or the Enter key, opens an answer.

    >>> quiz_html({"05": ("1 < 2?", "Yes.")}).count("&lt;")
    1
    """
    rows = [
        f"<details><summary><b>{chapter}</b> {escape(question)}</summary><p>{escape(answer)}</p></details>"
        for chapter, (question, answer) in questions.items()
    ]
    return "\n".join(rows)
