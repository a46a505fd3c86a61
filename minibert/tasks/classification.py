"""One label for a text or for a pair of texts: labelled rows as examples, probabilities, features for a probe."""

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor

from minibert.corpora.rows import LabelledPair, LabelledText, RatedText
from minibert.tasks.inference import inference
from minibert.tasks.sentence_embeddings import pool_tokens
from minibert.training.fine_tuning import Example, run_packed

Text = str | tuple[str, str]  # one text, or a pair


def examples(
    rows: Iterable[LabelledText | LabelledPair | RatedText], tok, labels: Sequence[str] = (), max_length: int = 128
) -> list[Example]:
    """Labelled texts or pairs as examples for `fine_tune`: the number of a row's label among `labels`, or its rating.

    The second text of a pair is segment 1. What is longer than `max_length` tokens is cut, of a pair the longer text
    first.

    Raises:
        ValueError: no rows, or a label that is not one of `labels`; the message names the row.

    Source: Devlin et al. 2019, section 4.1.

    >>> from minibert import WordPieceTokenizer
    >>> tok = WordPieceTokenizer({"[PAD]": 0, "[UNK]": 1, "[CLS]": 2, "[SEP]": 3, "good": 4, "bad": 5})
    >>> examples([LabelledPair("bad", "good", "no")], tok, labels=["no", "yes"])
    [Example(ids=(2, 5, 3, 4, 3), segment_ids=(0, 0, 0, 1, 1), label=0)]
    """
    numbers = {name: number for number, name in enumerate(labels)}
    made = []
    for number, row in enumerate(rows):
        if not isinstance(row, RatedText) and row.label not in numbers:
            raise ValueError(f"row {number} has the label {row.label!r}: expected one of {', '.join(labels)}")
        label = float(row.rating) if isinstance(row, RatedText) else numbers[row.label]
        made.append(_encoded(number, text_of(row), tok, max_length, label))
    if not made:
        raise ValueError("there are no rows; pass at least one")
    return made


def text_of(row: LabelledText | LabelledPair | RatedText) -> Text:
    """What a row asks about: its text, or its pair of texts.

    >>> text_of(LabelledPair("It rains.", "It is wet.", "yes"))
    ('It rains.', 'It is wet.')
    """
    return (row.first, row.second) if isinstance(row, LabelledPair) else row.text


def accuracy(
    rows: Sequence[LabelledText | LabelledPair], model, tok, labels: Sequence[str], max_length: int | None = None
) -> float:
    """The share of rows for which the most likely of the `labels` is the row's own; see `classify`.

    >>> import minibert
    >>> tok = minibert.WordPieceTokenizer.train(["good", "bad"] * 3, vocab_size=30)
    >>> config = minibert.EncoderConfig.preset("bert-nano").replace(vocab_size=tok.vocab_size)
    >>> accuracy([LabelledText("good", "yes")], minibert.SequenceClassifier(config), tok, ("no", "yes")) in (0.0, 1.0)
    True
    """
    found = classify([text_of(row) for row in rows], model, tok, max_length=max_length).argmax(-1).tolist()
    return sum(labels[number] == row.label for number, row in zip(found, rows, strict=True)) / len(rows)


def classify(texts: Sequence[Text], model, tok, batch_size: int = 32, max_length: int | None = None) -> Tensor:
    """How likely each label is for each text or pair, from a `SequenceClassifier`; from one with one label, its scores.

    Shape: B texts -> (B, labels) float32, on the CPU, in the order of the texts. A text that is longer than
    `max_length`, or than the model can read, is cut.

    Raises:
        ValueError: no texts, or something else than texts and pairs.

    >>> import minibert
    >>> tok = minibert.WordPieceTokenizer.train(["the cat sat on the mat"] * 3, vocab_size=40)
    >>> config = minibert.EncoderConfig.preset("bert-nano").replace(vocab_size=tok.vocab_size)
    >>> classify(["the cat", ("a mat", "the mat")], minibert.SequenceClassifier(config, 3), tok).shape
    torch.Size([2, 3])
    """
    found = []
    with inference(model):
        for part in _parts(texts, model, tok, batch_size, max_length):
            logits = run_packed(model, part)[0].logits.float().cpu()
            found.append(logits if model.labels == 1 else logits.softmax(-1))
    return torch.cat(found)


def features(
    texts: Sequence[Text], encoder, tok, pool: str = "mean", batch_size: int = 32, max_length: int | None = None
) -> Tensor:
    """The vectors that an encoder has for texts or pairs, to be read by `fit_probe`; the encoder stays as it is.

    `pool`: "mean", "cls" and the others of `pool_tokens`. Vectors of `embed_texts` are for comparing: at length 1,
    and by the rules of the model's folder.

    Shape: B texts -> (B, D) float32, on the CPU.

    Raises:
        ValueError: as `classify`.

    Source: Devlin et al. 2019, section 5.3, the feature-based approach.

    >>> import minibert
    >>> tok = minibert.WordPieceTokenizer.train(["the cat sat on the mat"] * 3, vocab_size=40)
    >>> config = minibert.EncoderConfig.preset("bert-nano").replace(vocab_size=tok.vocab_size)
    >>> features(["the cat", "a mat"], minibert.Encoder(config), tok, pool="cls").shape
    torch.Size([2, 128])
    """
    found = []
    with inference(encoder):
        for part in _parts(texts, encoder, tok, batch_size, max_length):
            output, cu_seqlens = run_packed(encoder, part)
            found.append(pool_tokens(output.hidden, cu_seqlens, pool).float().cpu())
    return torch.cat(found)


def _parts(texts: Sequence[Text], model, tok, batch_size: int, max_length: int | None) -> Iterable[list[Example]]:
    if isinstance(texts, str) or not len(texts):
        raise ValueError(f"texts is {texts!r:.60}: expected a list of at least one text or pair")
    most = model.config.max_len if max_length is None else min(max_length, model.config.max_len)
    for start in range(0, len(texts), batch_size):
        part = enumerate(texts[start : start + batch_size], start)
        yield [_encoded(row, text, tok, most, 0) for row, text in part]


def _encoded(row: int, text: Text, tok, max_length: int, label: int | float) -> Example:
    pair = (text,) if isinstance(text, str) else text
    if not isinstance(pair, tuple | list) or len(pair) not in (1, 2) or not all(isinstance(one, str) for one in pair):
        raise ValueError(f"row {row} is {text!r:.60}: expected a text, or a pair of texts")
    encoding = tok.encode(*pair, max_length=max_length)
    return Example(tuple(encoding.ids), tuple(encoding.segment_ids), label)
