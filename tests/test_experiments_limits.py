"""Chapter 13's experiments: what is compared differs in what it should, and in nothing else."""

import pytest
import torch

from minibert import corpora
from minibert.bench.timing import exponent
from minibert.experiments import cost, distillation, position_cliff, positions, stored
from minibert.experiments.distillation import DISTILLATION, LABELS, DistillationLoss, new_classifier, snippets
from minibert.experiments.position_cliff import POSITION_CLIFF, last_row, repeated, stretched
from minibert.model.cost import attention_flops, model_flops
from minibert.objectives import IGNORE
from minibert.objectives.distillation import hidden_cosine_loss, soft_target_loss
from minibert.training.fine_tuning import Example, run_packed, task_loss

CLIFF = POSITION_CLIFF.settings | POSITION_CLIFF.tiny
needs_minilm = pytest.mark.skipif(not corpora.is_cached("minilm"), reason="needs python -m minibert data fetch minilm")


def test_naive_and_fused_are_the_same_attention():
    config = cost.config_of(cost.COST.settings | cost.COST.tiny)
    calls = [cost._attention_call(config, name, torch.Generator().manual_seed(0)) for name in cost.BACKENDS.values()]
    naive, fused = (call_at(40)()[0] for call_at in calls)
    assert torch.allclose(naive, fused, atol=1e-6)


def test_operations_are_those_of_the_package_and_only_attention_is_quadratic():
    settings = cost.COST.settings
    found, config, lengths = cost.measure(settings, "operations", 0), cost.config_of(settings), settings["lengths"]
    assert found[f"operations at {lengths[0]}"] == model_flops(config, [lengths[0]])
    alone = [found[f"of attention at {length}"] for length in lengths]
    rest = [found[f"operations at {length}"] - part for length, part in zip(lengths, alone, strict=True)]
    assert exponent(lengths, alone) == pytest.approx(2) and exponent(lengths, rest) == pytest.approx(1)
    assert alone[0] == attention_flops(config, [lengths[0]])


def test_the_stored_memory_grows_as_the_scores_do():
    result = stored("cost")
    lengths = result.settings["lengths"][-3:]
    powers = {
        arm: exponent(lengths, [result.mean(f"megabytes at {length}")[arm] for length in lengths])
        for arm in result.arms[:2]
    }
    assert powers["naive"] > 1.8 and powers["fused"] < 1.1


@pytest.mark.parametrize("rows", [repeated, last_row, stretched])
def test_trained_rows_are_all_that_a_filled_table_holds(rows):
    table = torch.arange(10.0)[:, None].repeat(1, 3)
    table[5:] = torch.nan  # untrained
    filled = rows(table, 5)
    assert filled.shape == table.shape and filled.isfinite().all() and filled.min() == 0 and filled.max() == 4


def test_arms_of_the_cliff_share_the_weights_that_they_should():
    one, other = (position_cliff.model_of(CLIFF, arm, 0).state_dict() for arm in ("untrained rows", "rows repeated"))
    differing = [name for name in one if not torch.equal(one[name], other[name])]
    assert differing == ["encoder.embeddings.position.weight"]
    before = positions.new_model(CLIFF, position_cliff.text_of(CLIFF), "learned", 0).state_dict()[differing[0]]
    moved = (one[differing[0]] != before).any(1)
    assert moved[:64].all() and torch.equal(other[differing[0]][64:], other[differing[0]][:64])


def test_untrained_rows_are_worse_than_counting_and_cutting_is_not():
    result = stored("position_cliff")
    beyond = result.mean("loss beyond")
    assert beyond["untrained rows"] > beyond["counts"] > beyond["cut in two"]


@needs_minilm
def test_a_teacher_adds_what_the_formula_says():
    teacher, student = new_classifier(0).eval(), new_classifier(1).eval()
    labelled = [Example((101, 2204, 102), (0, 0, 0), 1), Example((101, 2919, 2143, 102), (0, 0, 0, 0), 0)]
    free = [Example(example.ids, example.segment_ids, IGNORE) for example in labelled]
    loss = DistillationLoss(teacher, temperature=2.0)
    mine, theirs = (run_packed(model, free)[0] for model in (student, teacher))
    taught = soft_target_loss(mine.logits, theirs.logits, 2.0) + hidden_cosine_loss(mine.hidden, theirs.hidden)
    assert torch.allclose(loss(student, free), taught, atol=1e-5)
    assert torch.allclose(loss(student, labelled), taught + task_loss(student, labelled), atol=1e-5)
    soft, hidden = (DistillationLoss(teacher, temperature=2.0, parts=(part,)) for part in ("soft", "hidden"))
    assert torch.allclose(soft(student, free) + hidden(student, free), taught, atol=1e-5)
    assert torch.allclose(hidden(student, free), hidden_cosine_loss(mine.hidden, theirs.hidden), atol=1e-5)
    loss(student, free).backward()
    assert all(parameter.grad is None for parameter in teacher.parameters())
    assert loss(teacher, free).item() == pytest.approx(0, abs=1e-5)


@pytest.mark.skipif(not corpora.is_cached("vader"), reason="needs python -m minibert data fetch vader")
def test_texts_with_and_without_labels_do_not_meet_and_none_is_in_the_test():
    labelled, others = snippets(DISTILLATION.settings, 0)
    assert len(labelled) == DISTILLATION.settings["labels"]
    assert [sum(row.label == label for row in labelled) for label in LABELS] == [len(labelled) // 2] * 2
    assert not {row.text for row in labelled} & {row.text for row in others}
    kept = corpora.without_leaks([*labelled, *others], [row.text for row in corpora.load("sst2")])
    assert len(kept) == len(labelled) + len(others)


def test_the_student_with_a_teacher_beats_the_same_student_without():
    result = stored("distillation")
    accuracy = result.values("accuracy")
    gains = [a - b for a, b in zip(accuracy["teacher, more texts"], accuracy["labels only"], strict=True)]
    assert sum(gains) / len(gains) > 0
    assert {distillation.KINDS[arm][0] for arm in ("teacher, more texts", "labels only")} == {"MiniLM"}
