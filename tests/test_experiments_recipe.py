"""What the experiments of chapter 17 share: runs that branch exactly, counted operations, a planted bad batch."""

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from minibert import one_page
from minibert.experiments import growth
from minibert.experiments.bad_batch import bad_step
from minibert.experiments.small_encoders import Run, read, small_modernbert, train, with_ids_of
from minibert.experiments.trapezoid import branch_of, falling
from minibert.model.cost import token_flops
from minibert.model.models import MaskedLanguageModel
from minibert.tasks.rows import pack_rows, rows_of
from minibert.training import Recipe, trapezoid, update
from minibert.training.data import mask_batch

CONFIG = small_modernbert(2, 16, 2, 24)
RECIPE = Recipe(steps=6, optimizer="stable_adamw", learning_rate=1e-2, clip=None, schedule="trapezoid", decay=3)


@pytest.fixture(scope="module")
def text():
    return read("stories", 160, 40)


def new(text, seed=0, **changes) -> Run:
    return Run(CONFIG, text, RECIPE, 16, 5, seed, **changes)


def weights(run) -> list[torch.Tensor]:
    return [p.detach().clone() for p in run.model.parameters()]


def equal(one: list, two: list) -> bool:
    return all(torch.equal(a, b) for a, b in zip(one, two, strict=True))


def test_a_run_is_a_plain_loop_over_shuffled_rows(text):
    """The oracle: the loop written out, over more than one pass through the rows; `train` is a run of all steps."""
    recipe = Recipe(steps=60, optimizer="adamw", learning_rate=1e-3)
    rows = rows_of(text.train, 16)
    model = MaskedLanguageModel(with_ids_of(CONFIG, text), torch.Generator().manual_seed(3))
    optimizer = recipe.make_optimizer(model)
    shuffled = torch.randperm(len(rows), generator=torch.Generator().manual_seed(3))
    for step in range(60):
        batch = pack_rows(rows[shuffled[torch.arange(5 * step, 5 * step + 5) % len(rows)]])
        batch = mask_batch(batch, text.tokenizer, 0.3, (0.8, 0.1, 0.1), seed=4_000_000 + step)
        update(model, optimizer, [batch], recipe.lr(step), recipe.clip, bf16=False)
    run = Run(CONFIG, text, recipe, 16, 5, 3).go(60, recipe.lr)
    assert 60 * 5 > len(run.rows) and equal(weights(run), [p.detach() for p in model.parameters()])
    assert equal(weights(run), [p.detach() for p in train(CONFIG, text, recipe, 16, 5, 3).parameters()])


def test_a_branch_goes_on_as_the_run_would_have_and_touches_nothing_of_it(text):
    whole = weights(new(text).go(6, RECIPE.lr))
    run = new(text).go(3, RECIPE.lr)
    before, twin = weights(run), run.branch()
    assert twin.text is run.text and twin.model is not run.model
    assert equal(weights(twin.go(3, RECIPE.lr)), whole) and equal(weights(run), before)
    assert equal(weights(run.go(3, RECIPE.lr)), whole)


def test_the_bad_step_is_bad_once(text):
    """Its gradient is far larger; afterwards no hook stays, and the run goes on."""
    run, twin = new(text).go(2, RECIPE.lr), new(text).go(2, RECIPE.lr)
    bad_step(run, 1e-2, factor=50.0)
    twin.go(1, lambda step: 1e-2)
    assert run.step == twin.step == 3 and not equal(weights(run), weights(twin))
    assert not any(p._backward_hooks for p in run.model.parameters())
    largest = [max(s["square"].max().item() for s in each.optimizer.state.values()) for each in (run, twin)]
    assert largest[0] > 100 * largest[1], "the gradient is far larger in the bad step"


@pytest.mark.parametrize("config", [CONFIG, small_modernbert(3, 24, 3, 8)])
@pytest.mark.parametrize("length", [8, 32])
def test_operations_are_those_that_torch_counts(text, config, length):
    config = with_ids_of(config, text)
    state = MaskedLanguageModel(config, torch.Generator().manual_seed(0)).state_dict()
    ids = torch.full((2, length), 7)
    labels = torch.full_like(ids, -100)
    labels[0, :3] = 5
    with FlopCounterMode(display=False) as counter:
        hidden = one_page.encode(state, config, ids, torch.ones_like(ids))
    body, head = token_flops(config, length)
    assert counter.get_total_flops() == 2 * length * body
    with FlopCounterMode(display=False) as counter:
        one_page.masked_token_loss(state, config, hidden, labels)
    assert counter.get_total_flops() == 3 * head


def test_schedules_of_equal_length_end_at_zero_and_a_branch_shares_the_plateau():
    for shape in ("linear", "cosine"):
        multiplier = falling(shape, 100, 10)
        assert multiplier(100) == 0 and multiplier(9) == 1 and multiplier(10) == 1
        assert all(multiplier(s) >= multiplier(s + 1) for s in range(10, 100))
    start, steps = branch_of(100, 0.25)
    assert (start, steps) == (75, 25) and trapezoid(start, 100, decay=steps) == 1


@pytest.fixture(scope="module")
def settings():
    return growth.GROWTH.settings | growth.GROWTH.tiny


def test_each_start_of_growth_changes_what_it_says(settings):
    made = {arm: growth.start(settings, arm, 0).state_dict() for arm in growth.ARMS}
    grown, table = made["grown"], "encoder.embeddings.token.weight"
    assert torch.equal(made["table only"][table], grown[table]) and not torch.equal(made["random"][table], grown[table])
    for arm in ("heads cut", "layers shuffled"):
        assert any(not torch.equal(made[arm][name], grown[name]) for name in grown), arm
        for name in grown:
            if name.startswith(("head", "decoder", "encoder.embeddings", "encoder.final")):
                assert torch.equal(made[arm][name], grown[name]), (arm, name)
    order = settings["order"]
    assert sorted(order) == list(range(6)) and order[0] == 0
    for place, layer in enumerate(order[1:], 1):
        name = "encoder.blocks.{}.attention.output.weight".format
        assert torch.equal(made["layers shuffled"][name(place)], grown[name(layer)])


def test_cut_heads_are_halves_of_two(settings):
    config = growth.start(settings, "grown", 0).config
    half = config.head_size // 2
    grown, cut = (growth.start(settings, arm, 0).state_dict() for arm in ("grown", "heads cut"))
    name = "encoder.blocks.1.attention.query_key_value.weight"
    query, moved = grown[name][: config.hidden], cut[name][: config.hidden]
    assert torch.equal(moved[half:], query[:-half]) and torch.equal(moved[:half], query[-half:])
