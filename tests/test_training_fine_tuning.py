"""Fine-tuning: losses and gradients as `transformers` has them, and a killed run that ends as an uninterrupted one."""

import dataclasses

import pytest
import torch
from oracles import FAMILIES, assert_same_gradients, both, build, small_config

from minibert.model import SequenceClassifier, SpanReader, TokenClassifier
from minibert.objectives import IGNORE
from minibert.training import Recipe, TrainingDiverged
from minibert.training.fine_tuning import Example, fine_tune, task_loss

LENGTHS = (9, 5, 12)
RECIPE = Recipe(steps=12, learning_rate=1e-3, optimizer="adamw", warmup=2, checkpoint_every=4, seed=3)
NO_DROPOUT = dict.fromkeys(
    ["dropout_embed", "dropout_attn_probs", "dropout_attn_out", "dropout_mlp_out", "dropout_classifier"], 0.0
)


def some_examples(config, labels, lengths=LENGTHS) -> list[Example]:
    """Random texts; the second half of each is segment 1 where the model has segments."""
    generator = torch.Generator().manual_seed(1)
    made = []
    for length, label in zip(lengths, labels, strict=True):
        ids = torch.randint(4, config.vocab_size, (length,), generator=generator)
        segments = (torch.arange(length) >= length // 2).long() * bool(config.segments)
        made.append(Example(tuple(ids.tolist()), tuple(segments.tolist()), label))
    return made


def padded(examples, config) -> dict:
    """The batch that `transformers` reads."""
    width = max(len(example.ids) for example in examples)

    def fill(values, filler):
        return torch.tensor([[*row, *[filler] * (width - len(row))] for row in values])

    batch = dict(
        input_ids=fill([example.ids for example in examples], config.pad_id),
        attention_mask=fill([[1] * len(example.ids) for example in examples], 0),
    )
    if config.segments:
        batch["token_type_ids"] = fill([example.segment_ids for example in examples], 0)
    return batch


def token_labels(lengths=LENGTHS):
    generator = torch.Generator().manual_seed(2)
    drawn = [torch.randint(0, 3, (length,), generator=generator) for length in lengths]
    return [tuple(labels.masked_fill(torch.arange(len(labels)) % 3 == 0, IGNORE).tolist()) for labels in drawn]


CASES = {
    "classes": (SequenceClassifier, {"labels": 3}, LENGTHS, [2, 0, 1]),
    "scores": (SequenceClassifier, {"labels": 1}, LENGTHS, [0.5, -1.0, 2.0]),
    "tokens": (TokenClassifier, {"labels": 3}, LENGTHS, token_labels()),
    "spans": (SpanReader, {}, (9, 9, 9), [(2, 4), (0, 0), (8, 8)]),  # of one length: theirs counts padding as a place
}


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("case", CASES)
def test_loss_and_gradients_are_those_of_transformers(family, case):
    kind, options, lengths, labels = CASES[case]
    if family == "eurobert" and kind is SpanReader:
        pytest.skip("transformers has no EuroBERT that reads spans")
    config = small_config(family)
    exact = family == "bert"  # the others round to float32 inside, whatever their weights are
    ours, theirs = both(kind, config, dtype=torch.float64 if exact else torch.float32, **options)
    examples = some_examples(config, labels, lengths)
    batch = padded(examples, config)
    if kind is SpanReader:
        starts, ends = torch.tensor(labels).T
        batch |= dict(start_positions=starts, end_positions=ends)
    elif kind is TokenClassifier:
        width = batch["input_ids"].shape[1]
        batch |= dict(labels=torch.tensor([[*row, *[IGNORE] * (width - len(row))] for row in labels]))
    else:
        batch |= dict(
            labels=torch.tensor(labels, dtype=next(ours.parameters()).dtype if options["labels"] == 1 else None)
        )
    loss, expected = task_loss(ours, examples), theirs(**batch).loss
    assert loss.item() == pytest.approx(expected.item(), rel=1e-10 if exact else 1e-5)
    loss.backward()
    expected.backward()
    assert_same_gradients(ours, theirs, kind, 1e-10 if exact else 1e-5, **options)


def test_a_span_reader_does_not_look_for_answers_in_padding():
    """The loss of two texts together is the mean of their losses alone, whatever their lengths are."""
    config = small_config("bert")
    model = build(SpanReader, config)
    examples = some_examples(config, [(2, 4), (1, 1)], (9, 5))
    alone = [task_loss(model, [example]).item() for example in examples]
    assert task_loss(model, examples).item() == pytest.approx(sum(alone) / 2, rel=1e-12)


def test_a_whole_epoch_is_that_of_transformers():
    """Ten steps of AdamW in the same order of examples: equal losses to the end."""
    config = small_config("bert", **NO_DROPOUT)
    ours, theirs = both(SequenceClassifier, config, dtype=torch.float64, labels=3)
    lengths = [5 + number % 7 for number in range(20)]
    examples = some_examples(config, [number % 3 for number in range(20)], lengths)
    recipe = Recipe(steps=10, learning_rate=1e-3, optimizer="adamw", warmup=2, weight_decay=0.0, clip=1.0, seed=5)
    result = fine_tune(ours, examples, recipe, batch_size=2)
    optimizer = torch.optim.AdamW(theirs.parameters(), weight_decay=0.0, eps=recipe.eps)
    order = torch.randperm(20, generator=torch.Generator().manual_seed(5)).tolist()
    for step, loss in enumerate(result.losses):
        chosen = [examples[place] for place in order[2 * step : 2 * step + 2]]
        expected = theirs(**padded(chosen, config), labels=torch.tensor([example.label for example in chosen])).loss
        optimizer.zero_grad()
        expected.backward()
        torch.nn.utils.clip_grad_norm_(theirs.parameters(), 1.0)
        for group in optimizer.param_groups:
            group["lr"] = recipe.lr(step)
        optimizer.step()
        assert loss == pytest.approx(expected.item(), rel=1e-8)


def classifier(seed: int = 0) -> SequenceClassifier:
    return SequenceClassifier(small_config("bert"), 2, torch.Generator().manual_seed(seed))


def two_classes(count: int = 24) -> list[Example]:
    """Learnable: class 1 is full of token 7, class 0 of token 8."""
    return [Example((1, *[8 - row % 2] * (3 + row % 4), 2), (0,) * (5 + row % 4), row % 2) for row in range(count)]


class Stopped(Exception):
    """What stands for a kill: it leaves the run between two statements."""


def scores_of(*values, stop_at: int | None = None):
    """A validation that returns these numbers, call by call, or stops the run at one of them."""
    calls = iter(range(10**6))

    def validation(model):
        call = next(calls)
        if call == stop_at:
            raise Stopped
        return values[call]

    return validation


def equal_weights(one, other) -> bool:
    pairs = zip(one.state_dict().items(), other.state_dict().items(), strict=True)
    return all(name == twin and torch.equal(a, b) for (name, a), (twin, b) in pairs)


def test_it_learns_and_keeps_the_best_weights():
    model = classifier()
    at_best = {}

    def validation(trained):
        step = len(at_best)
        at_best[step] = {name: weight.clone() for name, weight in trained.state_dict().items()}
        return (0.1, 0.9, 0.9, 0.2)[step]

    fast = dataclasses.replace(RECIPE, steps=24, learning_rate=1e-2)
    result = fine_tune(model, two_classes(), fast, batch_size=8, validation=validation, validate_every=6)
    assert result.losses[-1] < 0.5 * result.losses[0]
    assert (
        result.scores == ((6, 0.1), (12, 0.9), (18, 0.9), (24, 0.2)) and result.best_step == 12
    )  # the first of equals
    assert all(torch.equal(weight, at_best[1][name]) for name, weight in model.state_dict().items())
    assert not model.training


def test_patience_ends_a_run_early():
    validation = scores_of(0.5, 0.6, 0.6, 0.4, 0.9)
    options = dict(batch_size=4, validation=validation, validate_every=2, patience=2)
    result = fine_tune(classifier(), two_classes(), RECIPE, **options)
    assert (len(result.losses), result.best_step) == (8, 4)


def test_the_seed_decides_everything():
    runs = []
    for seed in (3, 3, 4):
        model = classifier()
        torch.manual_seed(len(runs))  # the caller's generator has no part in it
        before = torch.get_rng_state()
        fine_tune(model, two_classes(), dataclasses.replace(RECIPE, seed=seed), batch_size=4)
        assert torch.equal(torch.get_rng_state(), before)
        runs.append(model)
    assert equal_weights(runs[0], runs[1]) and not equal_weights(runs[0], runs[2])


def test_a_loss_of_ones_own_decides_what_is_learned():
    unlabelled = [dataclasses.replace(example, label=IGNORE) for example in two_classes()]

    def towards_class_1(model, batch):
        assert all(example.label == IGNORE for example in batch)
        return task_loss(model, [dataclasses.replace(example, label=1) for example in batch])

    own, plain = classifier(), classifier()
    found = fine_tune(own, unlabelled, RECIPE, batch_size=4, loss=towards_class_1)
    labelled = [dataclasses.replace(example, label=1) for example in unlabelled]
    assert found == fine_tune(plain, labelled, RECIPE, batch_size=4) and equal_weights(own, plain)
    with pytest.raises(ValueError, match="example 0 has the label -100"):
        fine_tune(own, unlabelled, RECIPE, batch_size=4)


@pytest.mark.parametrize("stop_at", [0, 2, 4])
def test_a_killed_run_ends_as_an_uninterrupted_one(tmp_path, stop_at):
    values = (0.1, 0.5, 0.3, 0.2, 0.4, 0.3)
    options = dict(batch_size=4, validate_every=2)
    whole, killed = classifier(), classifier()
    expected = fine_tune(whole, two_classes(), RECIPE, validation=scores_of(*values), **options)
    with pytest.raises(Stopped):
        stopping = scores_of(*values, stop_at=stop_at)
        fine_tune(killed, two_classes(), RECIPE, validation=stopping, folder=tmp_path, **options)
    seen = stop_at // 2 * 2  # validations that the last checkpoint, one every 4 steps, knows of
    again = classifier(seed=9 if seen else 0)  # weights of its own do not count
    rest = scores_of(*values[seen:])
    result = fine_tune(again, two_classes(), RECIPE, validation=rest, folder=tmp_path, **options)
    assert result == expected and equal_weights(again, whole)
    finished = classifier(seed=8)
    no_more = scores_of()
    assert fine_tune(finished, two_classes(), RECIPE, validation=no_more, folder=tmp_path, **options) == expected
    assert equal_weights(finished, whole)


def test_a_folder_with_another_run_is_refused(tmp_path):
    fine_tune(classifier(), two_classes(), RECIPE, batch_size=4, folder=tmp_path)
    with pytest.raises(ValueError, match="batch_size was 4 and is now 8"):
        fine_tune(classifier(), two_classes(), RECIPE, batch_size=8, folder=tmp_path)
    with pytest.raises(ValueError, match="the token ids are different"):
        fine_tune(classifier(), two_classes()[::-1], RECIPE, batch_size=4, folder=tmp_path)


def test_a_score_may_be_learned_and_frozen_weights_stay():
    model = SequenceClassifier(small_config("bert"), 1, torch.Generator().manual_seed(0))
    model.encoder.requires_grad_(False)
    before = {name: weight.clone() for name, weight in model.encoder.state_dict().items()}
    examples = [dataclasses.replace(example, label=float(example.label)) for example in two_classes()]
    fine_tune(model, examples, RECIPE, batch_size=8)
    assert all(torch.equal(weight, before[name]) for name, weight in model.encoder.state_dict().items())


BAD = {
    "none": (lambda: (classifier(), []), "no examples"),
    "label": (lambda: (classifier(), [Example((1, 2), (0, 0), 2)]), "example 0 has the label 2: .* 0 to 1"),
    "float": (lambda: (classifier(), [Example((1, 2), (0, 0), 1.0)]), "whole number"),
    "segments": (lambda: (classifier(), [Example((1, 2), (0,), 1)]), "2 ids and 1 segment"),
    "long": (lambda: (classifier(), [Example((1,) * 41, (0,) * 41, 1)]), "41 ids .* 1 to 40"),
    "span": (lambda: (build(SpanReader, small_config("bert")), [Example((1, 2), (0, 0), (1, 2))]), "from 0 to 1"),
    "tokens": (
        lambda: (TokenClassifier(small_config("bert"), 3), [Example((1, 2), (0, 0), (1,))]),
        "a tuple of 2 numbers",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_what_does_not_fit_is_refused(name):
    make, message = BAD[name]
    model, examples = make()
    with pytest.raises(ValueError, match=message):
        fine_tune(model, examples, RECIPE)


def test_what_makes_no_sense_is_refused():
    with pytest.raises(ValueError, match="raise batch_size"):
        fine_tune(classifier(), two_classes(), Recipe(steps=2, accumulate=2))
    with pytest.raises(ValueError, match="validation returned nan"):
        fine_tune(classifier(), two_classes(), RECIPE, validation=lambda model: float("nan"))
    with pytest.raises(TrainingDiverged, match="step 1: "):
        model = classifier()
        torch.nn.init.constant_(model.head.classifier.bias, float("inf"))
        fine_tune(model, two_classes(), RECIPE)
