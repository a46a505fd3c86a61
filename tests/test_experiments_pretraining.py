"""The experiments on pre-training: all arms are scored alike, on speeches that none of them has seen."""

import pytest
import torch

from minibert import corpora
from minibert.experiments import few_labels, masking, neighbour_counts, small_bert, warm_start
from minibert.experiments.few_labels import FEW_LABELS, balanced
from minibert.experiments.mask_rate import MASK_RATE
from minibert.experiments.masking import MASKING
from minibert.experiments.warm_start import WARM_START
from minibert.objectives import IGNORE

pytestmark = [
    pytest.mark.data,
    pytest.mark.skipif(not corpora.is_cached("sotu"), reason="needs python -m minibert data fetch"),
]
TINY = MASKING.settings | MASKING.tiny
FEW = FEW_LABELS.settings | FEW_LABELS.tiny


def scored_on(monkeypatch, module, run) -> list[tuple]:
    """What `score` is given while `run` runs."""
    seen = []

    def spy(model, inputs, labels):
        seen.append((inputs.clone(), labels.clone()))
        return small_bert.score(model, inputs, labels)

    monkeypatch.setattr(module, "score", spy)
    run()
    return seen


def alike(seen: list[tuple]) -> bool:
    return all(a.equal(seen[0][0]) and b.equal(seen[0][1]) for a, b in seen)


def test_no_president_is_on_both_sides():
    train, held_out = small_bert.split_speeches(249)
    assert len(train) + len(held_out) == 249 and len({speech.name for speech in [*train, *held_out]}) == 249
    assert not {speech.president for speech in train} & {speech.president for speech in held_out}
    early, late = (sum(len(s.text) for s in held_out if (s.year >= 1900) == side) for side in (False, True))
    assert 0.8 < early / late < 1.25
    texts = small_bert.texts_of(TINY)
    some_train, some_held_out = small_bert.split_speeches(TINY["speeches"])
    assert set(texts.train.year.tolist()) == {speech.year for speech in some_train}
    assert set(texts.held_out.year.tolist()) == {speech.year for speech in some_held_out}


def passages(speech, every: int) -> set[int]:
    """Twenty words each, one beginning at `every` so many words."""
    words = speech.text.lower().split()
    return {hash(tuple(words[i : i + 20])) for i in range(0, len(words) - 20, every)}


def test_hardly_a_passage_is_on_both_sides():
    """Presidents quote laws and each other. They repeat themselves more: a split by speech would be none."""
    train, held_out = small_bert.split_speeches(249)
    seen = set().union(*(passages(speech, 1) for speech in train))
    asked = set().union(*(passages(speech, 10) for speech in held_out))
    assert len(asked) > 20_000 and len(asked & seen) < 0.002 * len(asked)
    written, spoken = (speech for speech in train if speech.name in ("1945-Roosevelt-1", "1945-Roosevelt-2"))
    assert len(passages(spoken, 1) & passages(written, 1)) > 0.3 * len(passages(spoken, 1))


def test_the_tokenizer_has_not_seen_what_is_held_out(monkeypatch):
    given = []
    original = small_bert.WordPieceTokenizer.train

    def spy(texts, *rest):
        given.extend(texts)
        return original(texts, *rest)

    monkeypatch.setattr(small_bert.WordPieceTokenizer, "train", spy)
    small_bert.read_texts.__wrapped__(12, 100, 16)
    train, held_out = small_bert.split_speeches(12)
    assert given == [speech.text for speech in train]
    assert held_out and not {speech.text for speech in held_out} & set(given)


def test_rows_are_the_speech_in_order():
    texts, speech = small_bert.texts_of(TINY), small_bert.split_speeches(TINY["speeches"])[0][0]
    ids = texts.tokenizer.ids(speech.text)
    rows = texts.train.ids[: len(ids) // 16]
    assert rows.flatten().tolist() == ids[: len(rows) * 16]
    assert set(texts.train.year[: len(rows)].tolist()) == {speech.year}


@pytest.mark.parametrize("experiment, module", [(MASK_RATE, "mask_rate"), (MASKING, "masking")])
def test_every_arm_and_seed_is_scored_on_the_same_places(monkeypatch, experiment, module):
    import importlib

    module = importlib.import_module(f"minibert.experiments.{module}")
    arms = [arm for arm in experiment.arms if arm not in neighbour_counts.CONTROLS]
    settings = experiment.settings | experiment.tiny | {"steps": 2}

    def run():
        for arm in arms:
            experiment.measure(settings, arm, 0)
        experiment.measure(settings, arms[0], 1)

    seen = scored_on(monkeypatch, module, run)
    each = len(seen) // (len(arms) + 1)
    assert each == {"mask_rate": 1, "masking": 3}[experiment.name]
    for kind in range(each):
        assert alike(seen[kind::each]), "the arms would differ by what they are asked"
    _, masked, labels = small_bert.held_out_places(settings)
    assert seen[0][0].equal(masked) and seen[0][1].equal(labels)


def test_an_evaluation_with_the_arms_own_corruption_would_be_seen(monkeypatch):
    """The planted mistake: each arm is scored on text that is corrupted as its training text was."""
    from minibert.objectives import mask_tokens

    def own_corruption(settings, arm, seed):
        texts = small_bert.texts_of(settings)
        intact, _, _ = small_bert.held_out_places(settings)
        split, tokenizer = settings["splits"][arm], texts.tokenizer
        generator = torch.Generator().manual_seed(0)
        inputs, labels = mask_tokens(
            intact, tokenizer.special_ids, tokenizer.vocab_size, tokenizer.mask_id, 0.15, split, generator=generator
        )
        return masking.score(small_bert.new_model(settings, seed).eval(), inputs, labels)

    seen = scored_on(monkeypatch, masking, lambda: [own_corruption(TINY, arm, 0) for arm in ("80/10/10", "0/100/0")])
    assert not alike(seen)


def test_the_places_are_fifteen_per_cent_and_all_become_mask():
    intact, masked, labels = small_bert.held_out_places(TINY | {"held_out_rows": 1000})
    texts = small_bert.texts_of(TINY | {"held_out_rows": 1000})
    asked = labels != IGNORE
    assert abs(asked.double().mean().item() - 0.15) < 0.01
    assert (masked[asked] == texts.tokenizer.mask_id).all() and masked[~asked].equal(intact[~asked])
    assert labels[asked].equal(intact[asked])
    assert len({tuple(row) for row in intact.tolist()}) > 0.99 * len(intact)


def test_all_splits_and_rates_hide_the_same_places_of_the_same_rows(monkeypatch):
    batches = []

    def watch(model, optimizer, batch, *rest, **more):
        batches.append(batch[0])

    monkeypatch.setattr(small_bert, "update", watch)
    for rate, split in ((0.15, (0.8, 0.1, 0.1)), (0.15, (0.0, 1.0, 0.0)), (0.5, (1.0, 0.0, 0.0))):
        small_bert.pretrain(TINY, rate, split, seed=3)
    steps = TINY["steps"]
    bert, random, half = (batches[i * steps : (i + 1) * steps] for i in range(3))
    for a, b, c in zip(bert, random, half, strict=True):
        assert a.labels.equal(b.labels)
        assert not a.ids.equal(b.ids)
        assert c.labels[a.labels != IGNORE].equal(a.labels[a.labels != IGNORE])
        assert (c.labels != IGNORE).sum() > 2 * (a.labels != IGNORE).sum()
    small_bert.pretrain(TINY, 0.15, (0.8, 0.1, 0.1), seed=4)
    assert not batches[-1].labels.equal(bert[-1].labels), "another seed, other rows"


def test_a_seed_decides_everything_and_torchs_own_generator_nothing():
    one = MASKING.measure(TINY, "80/20/0", 1)
    torch.manual_seed(99)
    assert MASKING.measure(TINY, "80/20/0", 1) == one
    assert MASKING.measure(TINY, "80/20/0", 2) != one


def test_counts_of_neighbours_against_a_count_by_hand(monkeypatch):
    """Two words that always alternate: with a neighbour the next word is sure, without it is a coin."""
    ids = torch.tensor([5, 6] * 8).repeat(50, 1)
    texts = small_bert.Texts(
        small_bert.WordPieceTokenizer({"[PAD]": 0, "[UNK]": 1, "[CLS]": 2, "[SEP]": 3, "[MASK]": 4, "a": 5, "b": 6}),
        small_bert.Rows(ids, torch.zeros(50)),
        small_bert.Rows(ids, torch.zeros(50)),
    )
    inputs, labels = ids.clone(), torch.full_like(ids, IGNORE)
    inputs[:, 5], labels[:, 5] = 4, 6
    monkeypatch.setattr(neighbour_counts, "texts_of", lambda settings: texts)
    monkeypatch.setattr(neighbour_counts, "held_out_places", lambda settings: (ids, inputs, labels))
    settings = {"steps": 10, "rows_a_step": 5}
    none, left, both = (neighbour_counts.score_counts(settings, kind, 0) for kind in neighbour_counts.CONTROLS)
    assert abs(none["loss"] - 0.693) < 0.01
    assert left["accuracy"] == both["accuracy"] == 1.0
    # 0.9 from the counts and a tenth of one half: -ln 0.95; two neighbours: 0.95^2 / (0.95^2 + 0.05^2)
    assert abs(left["loss"] - 0.0513) < 0.001 and abs(both["loss"] - 0.00277) < 0.0005
    inputs[:, 4] = 4  # the left neighbour is hidden too
    assert abs(neighbour_counts.score_counts(settings, "left neighbour", 0)["loss"] - 0.693) < 0.01


def test_capitals_are_those_of_the_text():
    settings = MASKING.settings | MASKING.tiny
    key = (settings["speeches"], settings["vocab_size"], settings["row"], 40, 40)
    (ids, labels), (test_ids, test_labels) = masking._capital_rows(*key)
    train, held_out = small_bert.split_speeches(settings["speeches"])
    tokenizer = small_bert.texts_of(settings).tokenizer
    for rows, found, speech in ((ids, labels, train[0]), (test_ids, test_labels, held_out[0])):
        encoded = tokenizer.encode(speech.text, add_special_tokens=False)
        assert rows[0].tolist() == encoded.ids[:16]
        for label, token, (start, _) in zip(found[0].tolist(), encoded.tokens, encoded.offsets, strict=False):
            word = not token.startswith("##") and token[0].isalpha()
            assert label == (int(speech.text[start].isupper()) if word else IGNORE)
    assert {0, 1} <= set(labels.flatten().tolist()) and {0, 1} <= set(test_labels.flatten().tolist())


def test_shift_is_nought_without_a_mask():
    model = small_bert.new_model(TINY, 0).eval()
    intact, masked, labels = small_bert.held_out_places(TINY)
    before, after = small_bert.states(model.encoder, intact), small_bert.states(model.encoder, masked)
    assert masking._shift(before, before, labels == IGNORE) == 0.0
    assert 0.0 < masking._shift(before, after, labels == IGNORE) < masking._shift(before, after, labels != IGNORE)


def test_every_number_of_labels_is_balanced_and_begins_the_next():
    texts = small_bert.texts_of(FEW)
    ids, labels = balanced(texts.train, 50, 1)
    for n in (2, 10, 50):
        assert labels[:n].sum() == n // 2
    assert len({tuple(row) for row in ids.tolist()}) == 50
    years = {tuple(row): year for row, year in zip(texts.train.ids.tolist(), texts.train.year.tolist(), strict=True)}
    assert [int(years[tuple(row)] >= 1900) for row in ids.tolist()] == labels.tolist()


def test_arms_of_few_labels_see_the_same_labels_and_start_where_they_say(monkeypatch):
    seen = []

    def watch(model, ids, labels, *rest):
        seen.append((ids, labels, {name: weight.clone() for name, weight in model.state_dict().items()}))

    monkeypatch.setattr(few_labels, "fine_tune", watch)
    for arm in few_labels.ARMS[:2]:
        FEW_LABELS.measure(FEW, arm, 0)
    (ids, labels, tuned), (other_ids, other_labels, drawn) = seen
    assert ids.equal(other_ids) and labels.equal(other_labels)
    heads = [name for name in tuned if not name.startswith("encoder.")]
    assert heads and all(tuned[name].equal(drawn[name]) for name in heads), "the heads begin alike"
    fresh = small_bert.new_model(FEW, 0).state_dict()
    trained = small_bert.pretrain(FEW, FEW["rate"], FEW["split"], 0).state_dict()
    for name in tuned:
        if name.startswith("encoder."):
            assert drawn[name].equal(fresh[name]) and tuned[name].equal(trained[name])
    assert not tuned["encoder.embeddings.token.weight"].equal(drawn["encoder.embeddings.token.weight"])


def test_a_probe_leaves_the_shared_model_as_it_was():
    model = few_labels._start(FEW, "probe on masked words", 0)
    before = {name: weight.clone() for name, weight in model.state_dict().items()}
    for arm in few_labels.ARMS:
        FEW_LABELS.measure(FEW, arm, 0)
    assert model is few_labels._start(FEW, "tuned from masked words", 0)
    assert all(weight.equal(before[name]) for name, weight in model.state_dict().items())


def test_a_bag_of_words_has_no_order():
    ids = torch.tensor([[5, 6, 6], [6, 5, 5]])
    bags = few_labels._bag(ids, 8)
    assert bags[0].equal(bags[1]) and bags[0].nonzero().flatten().tolist() == [5, 6]


def test_too_few_rows_of_one_side_are_refused():
    rows = small_bert.Rows(torch.zeros(4, 2, dtype=torch.long), torch.tensor([1800, 1801, 1802, 1900]))
    with pytest.raises(ValueError, match="there are 1 of one"):
        balanced(rows, 4, 0)


def test_a_relative_bias_of_zero_changes_nothing_and_a_warm_one_looks_at_neighbours():
    settings = WARM_START.settings | WARM_START.tiny
    ids = torch.randint(5, settings["vocab_size"], (3, settings["row"]), generator=torch.Generator().manual_seed(0))
    nets = {arm: warm_start.new_net(settings, arm, seed=0).eval() for arm in warm_start.NETS}
    with torch.no_grad():
        plain, cold, warm = (net(ids).logits for net in nets.values())
    assert torch.allclose(plain, cold, atol=1e-5) and not torch.allclose(plain, warm, atol=1e-2)
    bias = nets["bias from +5"].encoder.blocks[0].attention.bias
    middle = settings["row"] - 1
    assert bias.nonzero().tolist() == [[0, middle - 1], [1, middle + 1]] and bias.max() == 5


def test_letters_are_cut_as_they_stand():
    texts = small_bert.texts_of(TINY | dict(letters=True, row=16))
    known = small_bert.SPECIAL + tuple(small_bert.LETTERS)
    shown = "".join(known[i] for i in texts.train.ids[0].tolist())
    begins = "".join(c for c in small_bert.split_speeches(12)[0][0].text.lower() if c in small_bert.LETTERS)
    assert shown == begins[:16] and texts.tokenizer.vocab_size == len(known) and texts.tokenizer.mask_id == 4
