"""Bad input is refused at the door, in a sentence that names the argument and says what was expected."""

import pytest
import torch
from oracles import FAMILIES, build, ragged_batch, small_config

from minibert.config import EncoderConfig
from minibert.model import (
    Encoder,
    MaskedLanguageModel,
    PretrainingModel,
    SequenceClassifier,
    SpanReader,
    TokenClassifier,
)

MODELS = (Encoder, MaskedLanguageModel, PretrainingModel, SequenceClassifier, TokenClassifier, SpanReader)
BERT, MODERNBERT = small_config("bert"), small_config("modernbert")  # 31 words; BERT has 40 positions
IDS = torch.tensor([[4, 5, 6], [7, 8, 0]])
MASK = torch.tensor([[1, 1, 1], [1, 1, 0]])


def with_value(tensor, value):
    changed = tensor.clone()
    changed[0, 1] = value
    return changed


PADDED = {
    "id above the vocabulary": (
        dict(input_ids=with_value(IDS, 31)),
        r"ids: 4\.\.31, expected 0\.\.30 \(vocab_size=31\)",
    ),
    "negative id": (dict(input_ids=with_value(IDS, -1)), r"ids: -1\.\.8, expected 0\.\.30"),
    "float ids": (dict(input_ids=IDS.float()), "ids: dtype torch.float32, expected int64 or int32"),
    "bool ids": (dict(input_ids=IDS.bool()), "ids: dtype torch.bool, expected int64 or int32"),
    "byte ids": (dict(input_ids=IDS.to(torch.uint8)), "ids: dtype torch.uint8, expected int64 or int32"),
    "one-dimensional ids": (dict(input_ids=IDS[0]), r"input_ids: shape \(3,\), expected \(B, T\); use .packed"),
    "three-dimensional ids": (dict(input_ids=IDS[None]), r"input_ids: shape \(1, 2, 3\), expected \(B, T\)"),
    "empty batch": (dict(input_ids=IDS[:0]), r"input_ids: shape \(0, 3\) holds no token; pass at least one text"),
    "empty texts": (dict(input_ids=IDS[:, :0]), r"input_ids: shape \(2, 0\) holds no token"),
    "all-padding row": (dict(attention_mask=torch.tensor([[1, 1, 1], [0, 0, 0]])), "attention_mask: row 1 is all padd"),
    "everything padding": (dict(attention_mask=torch.zeros_like(MASK)), "attention_mask: row 0 is all padding"),
    "hole in the mask": (dict(attention_mask=torch.tensor([[1, 0, 1], [1, 1, 0]])), "attention_mask: row 0 has a hole"),
    "mask value 2": (dict(attention_mask=with_value(MASK, 2)), r"attention_mask: values 0\.\.2, expected only 0 and 1"),
    "mask value -1": (dict(attention_mask=with_value(MASK, -1)), r"attention_mask: values -1\.\.1, expected only 0"),
    "float mask": (dict(attention_mask=MASK.float()), "attention_mask: dtype torch.float32, expected bool or integer"),
    "additive mask": (dict(attention_mask=(1.0 - MASK) * -1e4), "attention_mask: dtype torch.float32"),
    "mask too wide": (
        dict(attention_mask=torch.ones(2, 4, dtype=torch.long)),
        r"attention_mask: shape \(2, 4\) does not match input_ids \(2, 3\)",
    ),
    "mask of another batch": (
        dict(attention_mask=MASK[:1]),
        r"attention_mask: shape \(1, 3\) does not match input_ids \(2, 3\)",
    ),
    "four-dimensional mask": (
        dict(attention_mask=MASK[:, None, None]),
        r"attention_mask: shape \(2, 1, 1, 3\) does not match input_ids",
    ),
    "segments too short": (
        dict(segment_ids=torch.zeros(2, 2, dtype=torch.long)),
        r"segment_ids: shape \(2, 2\) does not match input_ids \(2, 3\)",
    ),
    "segment 2": (
        dict(segment_ids=with_value(torch.zeros_like(IDS), 2)),
        r"segment_ids: 0\.\.2, expected 0 \(sentence A\) or 1 \(sentence B\)",
    ),
    "segment -1": (dict(segment_ids=with_value(torch.zeros_like(IDS), -1)), r"segment_ids: -1\.\.0, expected 0"),
    "float segments": (dict(segment_ids=torch.zeros(2, 3)), "segment_ids: .*dtype torch.float32, expected .* int64"),
    "unknown back-end": (dict(backend="flesh"), "attention back-end 'flesh': expected auto or one of"),
    "probabilities from a fast back-end": (
        dict(backend="per_document", output_attentions=True),
        "back-end 'per_document' never forms the attention probabilities: use auto or reference",
    ),
}


@pytest.mark.parametrize("what", PADDED)
@pytest.mark.parametrize("model_class", MODELS)
def test_a_bad_padded_batch_is_refused(model_class, what):
    change, message = PADDED[what]
    model = build(model_class, BERT)
    arguments = dict(input_ids=IDS, attention_mask=MASK) | change
    if "input_ids" in change and change["input_ids"].shape != IDS.shape:
        del arguments["attention_mask"]
    with pytest.raises(ValueError, match=message):
        model(**arguments)


@pytest.mark.parametrize("model_class", MODELS)
@pytest.mark.parametrize("name", ["input_ids", "attention_mask", "segment_ids"])
def test_lists_are_refused_by_name(model_class, name):
    arguments = dict(input_ids=IDS, attention_mask=MASK, segment_ids=torch.zeros_like(IDS))
    arguments[name] = arguments[name].tolist()
    with pytest.raises(ValueError, match=f"{name}: a list, expected a tensor"):
        build(model_class, BERT)(**arguments)


def borders(*values, dtype=torch.int32):
    return torch.tensor(values, dtype=dtype)


PACKED_IDS = torch.tensor([4, 5, 6, 7, 8])
PACKED = {
    "list of ids": (dict(ids=[4, 5]), "ids: a list, expected a tensor"),
    "list of borders": (dict(cu_seqlens=[0, 5]), "cu_seqlens: a list, expected a tensor"),
    "does not start at 0": (dict(cu_seqlens=borders(1, 3, 5)), r"cu_seqlens: runs from 1 to 5.*expected 0 to N=5"),
    "stops short": (dict(cu_seqlens=borders(0, 3, 4)), r"cu_seqlens: runs from 0 to 4.*expected 0 to N=5"),
    "runs over": (dict(cu_seqlens=borders(0, 3, 6)), r"cu_seqlens: runs from 0 to 6.*expected 0 to N=5"),
    "decreases": (dict(cu_seqlens=borders(0, 4, 2, 5)), r"cu_seqlens: .*shortest text -2; expected .* at least one"),
    "empty text": (dict(cu_seqlens=borders(0, 3, 3, 5)), r"cu_seqlens: .*shortest text 0; .*at least one token"),
    "no text": (dict(cu_seqlens=borders(0)), r"cu_seqlens: shape \(1,\).*expected \(B \+ 1,\) int32"),
    "scalar": (dict(cu_seqlens=torch.tensor(5)), r"cu_seqlens: shape \(\).*expected \(B \+ 1,\)"),
    "float": (dict(cu_seqlens=torch.tensor([0.0, 5.0])), r"cu_seqlens: .*dtype torch.float32, expected .*int32"),
    "padded ids": (dict(ids=IDS), r"ids: shape \(2, 3\), expected \(N,\) with at least one token"),
    "no ids": (dict(ids=PACKED_IDS[:0], cu_seqlens=borders(0, 0)), r"ids: shape \(0,\), expected \(N,\) with at least"),
    "id above the vocabulary": (dict(ids=PACKED_IDS + 30), r"ids: 34\.\.38, expected 0\.\.30.*another tokenizer"),
    "negative id": (dict(ids=PACKED_IDS - 5), r"ids: -1\.\.3, expected 0\.\.30"),
    "float ids": (dict(ids=PACKED_IDS.double()), "ids: dtype torch.float64, expected int64 or int32"),
    "segments too short": (
        dict(segment_ids=torch.zeros(4, dtype=torch.long)),
        r"segment_ids: shape \(4,\).*expected \(5,\) int64",
    ),
    "float segments": (dict(segment_ids=torch.zeros(5)), r"segment_ids: .*dtype torch.float32, expected \(5,\) int64"),
    "segment 2": (dict(segment_ids=torch.tensor([0, 0, 1, 1, 2])), r"segment_ids: 0\.\.2, expected 0 .* or 1"),
    "unknown back-end": (dict(backend="flesh"), "attention back-end 'flesh': expected auto or one of"),
    "probabilities from a fast back-end": (
        dict(backend="per_document", output_attentions=True),
        "back-end 'per_document' never forms the attention probabilities",
    ),
}


@pytest.mark.parametrize("what", PACKED)
@pytest.mark.parametrize("model_class", MODELS)
def test_a_bad_packed_batch_is_refused(model_class, what):
    change, message = PACKED[what]
    with pytest.raises(ValueError, match=message):
        build(model_class, BERT).packed(**(dict(ids=PACKED_IDS, cu_seqlens=borders(0, 3, 5)) | change))


@pytest.mark.parametrize("model_class", MODELS)
def test_a_text_longer_than_the_learned_positions_is_refused(model_class):
    model = build(model_class, BERT)
    message = "a text has 41 tokens, but this model learned 40 positions: truncate with max_length=40"
    with pytest.raises(ValueError, match=message):
        model(torch.full((1, 41), 5))
    with pytest.raises(ValueError, match=message):
        model.packed(torch.full((43,), 5), borders(0, 2, 43))
    # what counts is the text, not the row
    ids, mask, _ = ragged_batch(BERT, (40, 3), width=60)
    assert model(ids, mask).hidden.shape == (2, 60, 24)


@pytest.mark.parametrize("family", ["modernbert", "eurobert"])
def test_segment_ids_for_a_model_without_segments_are_refused(family):
    model = build(MaskedLanguageModel, small_config(family))
    message = "segment_ids: this model has no segment embedding; leave them out"
    with pytest.raises(ValueError, match=message):
        model(IDS, MASK, segment_ids=torch.zeros_like(IDS))
    with pytest.raises(ValueError, match=message):
        model.packed(PACKED_IDS, borders(0, 5), segment_ids=torch.zeros(5, dtype=torch.long))


@pytest.mark.parametrize("family", FAMILIES)
def test_wrong_ids_on_padding_are_harmless(family):
    """Some tokenizers pad with -100 or -1; those places are never looked up."""
    model = build(MaskedLanguageModel, small_config(family))
    ids = IDS.clone()
    ids[1, 2] = -100
    assert torch.equal(model(ids, MASK).logits, model(IDS, MASK).logits)


def test_a_config_without_next_sentence_prediction_makes_no_pretraining_model():
    with pytest.raises(ValueError, match="this config has nsp=False: use MaskedLanguageModel"):
        PretrainingModel(MODERNBERT)


@pytest.mark.parametrize("labels", [0, -1, 2.0, True, "2", None])
@pytest.mark.parametrize("model_class", [SequenceClassifier, TokenClassifier])
def test_a_number_of_labels_that_is_none_is_refused(model_class, labels):
    with pytest.raises(ValueError, match=f"labels={labels!r}: expected a whole number of at least 1"):
        model_class(BERT, labels=labels)


@pytest.mark.parametrize("what", PADDED)
def test_a_refused_input_is_left_alone(what):
    change, _ = PADDED[what]
    given = dict(input_ids=IDS.clone(), attention_mask=MASK.clone()) | change
    before = {name: value.clone() if isinstance(value, torch.Tensor) else value for name, value in given.items()}
    with pytest.raises(ValueError):
        build(Encoder, BERT)(**given)
    for name, value in given.items():
        assert torch.equal(value, before[name]) if isinstance(value, torch.Tensor) else value == before[name]


@pytest.mark.parametrize("index", [[-1], [3], [0.5]])
def test_predict_at_outside_the_batch_is_refused(index):
    model = MaskedLanguageModel(EncoderConfig.preset("bert-nano"))
    with pytest.raises(ValueError, match="predict_at"):
        model.packed(torch.tensor([2, 9, 3]), torch.tensor([0, 3]), predict_at=torch.tensor(index))


def test_predict_at_is_refused_where_there_is_one_answer_a_text():
    with pytest.raises(ValueError, match="predict_at: this model has one answer for each text"):
        build(SequenceClassifier, BERT).packed(PACKED_IDS, borders(0, 5), predict_at=torch.tensor([1]))


@pytest.mark.parametrize("model_class", [MaskedLanguageModel, PretrainingModel, TokenClassifier, SpanReader])
def test_predict_at_gives_the_rows_of_the_full_logits(model_class):
    model, at = build(model_class, BERT), torch.tensor([4, 0])
    full, some = (model.packed(PACKED_IDS, borders(0, 3, 5), predict_at=which).logits for which in (None, at))
    torch.testing.assert_close(some, full[at], rtol=0, atol=1e-12)


def test_a_preset_name_is_not_a_config():
    with pytest.raises(ValueError, match=r"EncoderConfig\.preset"):
        MaskedLanguageModel("bert-nano")
