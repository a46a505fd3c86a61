"""The stream of batches: what is in it, and that it can be resumed at any batch."""

import itertools

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from minibert import ByteLevelBPETokenizer, WordPieceTokenizer
from minibert.corpora import synthetic
from minibert.objectives import Example
from minibert.training import Checkpoint, PretrainingData, pack
from minibert.training import data as training_data
from minibert.training.checkpoint import restore

DOCUMENTS = synthetic.documents(30, seed=0)
WORDPIECE = WordPieceTokenizer.train([s for d in DOCUMENTS for s in d], vocab_size=300)
BYTES = ByteLevelBPETokenizer.train([s for d in DOCUMENTS for s in d], vocab_size=300, pattern="gpt2")


def make(pairs=True, tokenizer=WORDPIECE, documents=DOCUMENTS, **changes):
    options = {"max_len": 48, "batch_tokens": 256, "validation_share": 0.2, "seed": 3} | changes
    return PretrainingData(documents, tokenizer, pairs=pairs, **options)


def equal(a, b):
    tensors = [(getattr(a, n), getattr(b, n)) for n in ("ids", "cu_seqlens", "segment_ids", "labels", "next_labels")]
    return all(x is y is None or torch.equal(x, y) for x, y in tensors)


def originals(batch):
    """The ids of each example before they were masked."""
    ids = torch.where(batch.labels == -100, batch.ids, batch.labels).tolist()
    bounds = batch.cu_seqlens.tolist()
    return [tuple(ids[a:b]) for a, b in itertools.pairwise(bounds)]


@pytest.mark.parametrize("pairs", [True, False])
def test_batches_are_well_formed(pairs):
    data = make(pairs)
    for _ in range(40):
        batch = data.next_batch()
        bounds = batch.cu_seqlens.long()
        assert batch.cu_seqlens.dtype == torch.int32 and bounds[0] == 0 and bounds[-1] == len(batch.ids) <= 256
        assert 5 <= int(bounds.diff().max()) <= 48 and int(bounds.diff().min()) >= 3
        assert (bounds.diff(n=2) >= 0).all(), "texts of one length stand side by side: attention takes them in one call"
        assert (batch.ids[bounds[:-1]] == WORDPIECE.cls_id).all() and (
            batch.ids[bounds[1:] - 1] == WORDPIECE.sep_id
        ).all()
        assert (batch.labels[bounds[:-1]] == -100).all() and (batch.labels[bounds[1:] - 1] == -100).all()
        assert batch.ids.shape == batch.labels.shape == batch.segment_ids.shape
        if pairs:
            assert set(batch.next_labels.tolist()) <= {0, 1} and len(batch.next_labels) == len(bounds) - 1
        else:
            assert batch.next_labels is None and not batch.segment_ids.any()


def test_an_epoch_shows_every_example_once_and_the_next_one_in_another_order():
    data = make(pairs=False)
    epochs = []
    for number in range(2):
        shown = []
        while data.epoch == number and not (shown and data.batch == len(data.batches)):
            shown += originals(data.next_batch())
        epochs.append(shown)
        if number == 0:
            assert sorted(shown) == sorted(tuple(e.ids) for e in data.examples)
            following = originals(data.next_batch())
            assert data.epoch == 1
            data.batch = 0
            assert following != shown[: len(following)]
    assert sorted(epochs[0]) == sorted(epochs[1]) and epochs[0] != epochs[1]


def test_pairs_are_cut_anew_every_epoch_and_masks_drawn_anew():
    data = make()
    first = {tuple(e.ids) for e in data.examples}
    data._go_to(1, 0)
    assert first != {tuple(e.ids) for e in data.examples}
    data, hidden = make(pairs=False), []
    same = data.batches[0]
    for epoch in (0, 1):
        data._go_to(epoch, 0)
        data.batches = [same, same]  # the same examples at four places of the stream
        hidden += [data.next_batch(), data.next_batch()]
    assert all(originals(batch) == originals(hidden[0]) for batch in hidden)
    labels = {tuple(batch.labels.tolist()) for batch in hidden}
    assert len(labels) == 4, "another batch or epoch hides other tokens"


def test_validation_is_always_the_same_and_shares_no_document_with_training():
    data = make(pairs=False)
    before = list(data.validation_batches())
    data.next_batch()
    after = list(data.validation_batches())
    assert before and all(equal(a, b) for a, b in zip(before, after, strict=True))
    assert len(data.validation_documents) == 6 and len(data.documents) == 24
    held_out = {tuple(d) for d in data.validation_documents}
    assert not held_out & {tuple(d) for d in data.documents}
    seen = [t for batch in before for example in originals(batch) for t in example[1:-1]]
    assert sorted(seen) == sorted(t for d in data.validation_documents for t in d)


def test_validating_does_not_move_the_stream():
    data, twin = make(), make()
    list(data.validation_batches())
    assert equal(data.next_batch(), twin.next_batch())


def test_no_validation_when_none_is_asked_for():
    data = make(validation_share=0.0)
    assert list(data.validation_batches()) == [] and len(data.documents) == 30


@given(st.integers(0, 60), st.booleans(), st.integers(0, 5))
@settings(max_examples=25, deadline=None)
def test_the_stream_resumes_at_any_batch(taken, pairs, seed):
    data = make(pairs, documents=DOCUMENTS[:8], seed=seed, max_len=24, batch_tokens=100)
    for _ in range(taken):
        data.next_batch()
    twin = make(pairs, documents=DOCUMENTS[:8], seed=seed, max_len=24, batch_tokens=100)
    twin.load_state_dict(data.state_dict())
    for _ in range(15):
        assert equal(data.next_batch(), twin.next_batch())


@pytest.mark.parametrize("forget", ["epoch", "batch"])
def test_each_part_of_the_state_matters(forget):
    """A resume that forgets one of the two gives another stream: the test above can fail."""
    data, twin = make(max_len=24, batch_tokens=100), make(max_len=24, batch_tokens=100)
    while data.epoch < 1 or data.batch < 10:
        data.next_batch()
    twin.load_state_dict(data.state_dict() | {forget: twin.state_dict()[forget]})
    assert not equal(data.next_batch(), twin.next_batch())


@pytest.mark.parametrize("pairs", [True, False])
def test_a_skipped_batch_is_a_batch_taken(pairs, monkeypatch):
    """Two processes that share a stream see it whole, over the ends of epochs."""
    one, first, second = (make(pairs, documents=DOCUMENTS[:8]) for _ in range(3))
    for step in range(3 * len(one.batches)):
        mine, other = (first, second) if step % 2 == 0 else (second, first)
        with monkeypatch.context() as patch:
            patch.setattr(training_data, "pack", pytest.fail)  # skipping builds nothing
            number = other.skip_batch()
        assert equal(mine.next_batch(), one.next_batch())
        state = {"epoch": one.epoch, "pool": 0, "batch": number + 1}
        assert one.state_dict() == first.state_dict() == second.state_dict() == state
    assert one.epoch >= 2


def test_batches_are_filled_by_best_fit():
    data = make(pairs=False, max_len=20, batch_tokens=400)
    fill = [sum(len(e.ids) for e in batch) / 400 for batch in data.batches]
    assert max(fill) <= 1 and sum(fill[:-1]) / len(fill[:-1]) >= 0.99
    in_order = [len(e.ids) for e in data.examples]
    assert sum(in_order) == sum(len(e.ids) for batch in data.batches for e in batch)


def test_the_seed_decides():
    assert equal(make().next_batch(), make().next_batch())
    assert not equal(make().next_batch(), make(seed=4).next_batch())
    data, other = make(), make(seed=4)
    other.batches = data.batches  # the masks alone
    assert not torch.equal(data.next_batch().labels, other.next_batch().labels)


def test_describe_tells_other_texts_and_settings_apart():
    same = make().describe()
    assert same == make().describe()
    assert make(documents=DOCUMENTS[1:]).describe()["tokens_sha256"] != same["tokens_sha256"]
    assert make(mask_rate=0.3).describe() != same and make(whole_words=True).describe() != same


def test_a_run_whose_batches_were_filled_another_way_is_refused():
    """Checkpoints from before the packing say nothing of an order; those from another one say which."""
    now = {f"data.{name}": value for name, value in make().describe().items()}
    before = {name: value for name, value in now.items() if name != "data.order"}
    for saved, was in ((before, "absent"), (now | {"data.order": "one after the other"}, "one after the other")):
        with pytest.raises(ValueError, match=f"data.order was '{was}' and is now 'best fit .* a folder of its own"):
            restore(Checkpoint(1, {}, {"settings": saved}), None, None, make(), now)


def test_byte_level_sentences_are_joined_with_their_spaces():
    data = make(pairs=False, tokenizer=BYTES, documents=[["One day.", "Another day."]], validation_share=0.0)
    assert BYTES.decode(data.documents[0]) == "One day. Another day."


def test_whole_words_are_masked_together():
    data = make(whole_words=True, mask_rate=0.5)
    for _ in range(20):
        batch = data.next_batch()
        ids = torch.where(batch.labels == -100, batch.ids, batch.labels)
        for i in range(1, len(ids)):
            if WORDPIECE.id_to_token(int(ids[i])).startswith("##") and int(ids[i - 1]) not in WORDPIECE.special_ids:
                assert (batch.labels[i] == -100) == (batch.labels[i - 1] == -100)


def test_bad_input_is_explained():
    with pytest.raises(ValueError, match="too few"):
        make(documents=DOCUMENTS[:3])  # pairs need two to train on and two to validate
    with pytest.raises(ValueError, match="too few"):
        make(pairs=False, documents=[["  "], ["One."]])
    with pytest.raises(ValueError, match="under 1"):
        make(validation_share=1.0)
    with pytest.raises(ValueError, match="one full example"):
        make(batch_tokens=47)
    with pytest.raises(ValueError, match="lies beyond"):
        make().load_state_dict(make().state_dict() | {"batch": 10**6})
    with pytest.raises(ValueError, match=r"the state holds epoch, generator, pool, position, .* start anew"):
        make().load_state_dict({"epoch": 0, "position": 3, "generator": torch.Generator().get_state()})
    with pytest.raises(ValueError, match="at least one"):
        pack([])
    with pytest.raises(ValueError, match="some are not"):
        pack([Example([1, 2], [0, 0], None), Example([1, 2], [0, 0], 1)])
    with pytest.raises(ValueError, match="no cls_id, sep_id, mask_id"):
        make(tokenizer="a folder")
    with pytest.raises(ValueError, match="mask_id"):
        make(tokenizer=type("NoMask", (), {"cls_id": 1, "sep_id": 2, "mask_id": None})())


@pytest.mark.parametrize("pairs", [True, False])
@pytest.mark.parametrize(
    "documents, message",
    [
        ("abc", "documents is a str, 'abc'; give a list of documents"),
        (
            ["the cat sat", "the dog"],
            r"documents\[0\] is a str, 'the cat sat'; .* write \[\[text\] for text in texts\]",
        ),
        ([["One."], "two"], r"documents\[1\] is a str, 'two'"),
        ([["One."], ["Two.", 3]], r"documents\[1\] holds a int, 3"),
        ([[["One."]], [["Two."]]], r"documents\[0\] holds a list, \['One.'\]; a sentence is a str"),
        ([7], r"documents\[0\] is a int, 7"),
        (None, "documents is a NoneType"),
    ],
)
def test_text_where_a_list_belongs_is_not_taken_letter_by_letter(pairs, documents, message):
    with pytest.raises(ValueError, match=message):
        make(pairs, documents=documents)


@pytest.mark.parametrize(
    "settings, message",
    [
        ({"mask_rate": 5}, "mask rate must lie between 0 and 1, got 5"),
        ({"mask_rate": float("nan")}, "mask rate must"),
        ({"mask_split": (0.8, 0.1)}, "split must be three"),
        ({"mask_split": (0.8, 0.1, float("nan"))}, "split must be three"),
        ({"short_seq_prob": float("nan")}, "short_seq_prob must be at least 0 and at most 1"),
        ({"validation_share": float("nan")}, "validation_share must"),
        ({"max_len": 4}, "max_len must be a whole number of at least 5"),
        ({"max_len": 48.0}, "max_len must be a whole number"),
        ({"batch_tokens": 256.5}, "batch_tokens must be a whole number"),
        ({"seed": 2**63}, "seed must be a whole number"),
        ({"seed": "0"}, "seed must be a whole number"),
        ({"whole_words": "no"}, "whole_words must be True or False"),
        ({"pairs": None}, "pairs must be True or False"),
    ],
)
def test_unusable_settings_are_refused_by_the_constructor(settings, message):
    with pytest.raises(ValueError, match=message):
        make(**settings)


def test_the_largest_seed_draws_a_validation_batch_too():
    data = make(seed=2**63 - 1)
    assert data.next_batch() and next(data.validation_batches())


def test_whole_words_need_wordpiece_and_say_so_before_anything_is_tokenised(monkeypatch):
    monkeypatch.setattr(BYTES, "ids", pytest.fail, raising=False)
    with pytest.raises(ValueError, match="whole words need a WordPiece tokenizer"):
        make(tokenizer=BYTES, whole_words=True)
    headings = ByteLevelBPETokenizer.train(["## one", "## two"] * 9, vocab_size=270, pattern="gpt2")
    assert headings.token_to_id("##") is not None  # a piece that looks like WordPiece's
    with pytest.raises(ValueError, match="byte-level text"):
        make(tokenizer=headings, whole_words=True)
    whole = WordPieceTokenizer({"[PAD]": 0, "[UNK]": 1, "[CLS]": 2, "[SEP]": 3, "[MASK]": 4, "the": 5})
    with pytest.raises(ValueError, match="none that begin with ##"):
        make(tokenizer=whole, whole_words=True)


def test_one_document_is_explained_to_users_of_the_command_line_too():
    with pytest.raises(ValueError, match="documents with text: 1, too few for 2 to validate") as caught:
        make(documents=[["One.", "Two."]])
    assert "in a text file an empty line ends a document" in str(caught.value)


def test_documents_to_validate_with_can_be_given_and_none_of_the_others_is_set_aside():
    documents, apart = [["abc"], ["de"], ["fgh"]], [["ij"], [" "], ["kl"]]
    letters = training_data._tiny().tokenizer
    data = PretrainingData(documents, letters, pairs=False, max_len=8, batch_tokens=16, validation=apart)
    assert sorted(map(tuple, data.documents)) == sorted(tuple(d[0].encode()) for d in documents)
    assert [bytes(document).decode() for document in data.validation_documents] == ["ij", "kl"]
    assert data.count()["validation_documents"] == 2 and data.count()["sentences"] == 3
    other = PretrainingData(documents, letters, pairs=False, max_len=8, batch_tokens=16, validation=[["ij"]])
    assert data.describe() != other.describe(), "a run is not resumed with others"
