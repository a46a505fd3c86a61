"""8.3 Open task: a training loop that beats the counts. The check trains and measures."""

import torch
from torch import nn
from torch.nn import functional as F
from torch.nn.modules.module import register_module_forward_hook

from minibert.course.lab import Exercise, Lab, Wrong
from minibert.course.modules import expect_weights
from minibert.course.tools import call_without_data, kind_of
from minibert.model.block import Block
from minibert.tasks.open_pretraining import (
    BUDGET,
    MASK,
    ROW,
    share_counted,
    share_kept,
    share_named,
    training_rows,
    untrained,
)


def pretrain(model, rows):
    """The model, trained on rows (R, 36) of stories: it names words that are hidden by [MASK]."""
    size, peak = 4, 6e-3
    steps = BUDGET // (size * 36)
    generator = torch.Generator().manual_seed(0)
    optimizer = torch.optim.AdamW(model.parameters(), lr=peak, betas=(0.9, 0.98))
    model.train()
    for step in range(steps):
        batch = rows[torch.randint(len(rows), (size,), generator=generator)]  # (B, T)
        hidden = torch.rand(batch.shape, generator=generator) < 0.4
        logits = model(batch.masked_fill(hidden, MASK)).logits  # (B, T, V)
        # Words that are seen are asked, too: an easy question, from which a net learns early where its words stand.
        loss = F.cross_entropy(logits.flatten(0, 1), batch.flatten())
        optimizer.zero_grad()
        loss.backward()
        optimizer.param_groups[0]["lr"] = peak * min((step + 1) / 20, 1 - step / steps)
        optimizer.step()
    return model


MARGIN = 0.1  # how far the share of named words must lie above the count of both neighbours
RETURN = "return the model, or its state_dict()"
OVER = "every token counts that goes through the model, also where you only look at the loss"
UNSPENT = "most of the tokens that you may read are left: more steps"
FEW = "this makes few steps; tokens are what you pay for, so fewer rows a step make more steps"
RARE = "the model copies the words that it sees and is hardly asked for others: hide more of them"
ONLY = "only hidden words are asked for: what would an easy question at the other places do? (80/10/10 asks a few)"
STILL = "the weights have hardly moved: is every part of the step there, and is the learning rate large enough?"
HOT = "the weights have grown far: a lower learning rate, or a longer warm-up"
OPEN = "measure one thing at a time: the learning rate, rows a step, the share of hidden words, what is asked where"


def trained(answer, seed: int) -> tuple[nn.Module, list[int]]:
    """The model that an answer gives back, and how many tokens went through its block each time."""
    read = []

    def count(module, inputs, output):
        if isinstance(module, Block):
            read.append(len(inputs[0]))

    handle = register_module_forward_hook(count)  # of every model, so that none of the answer's own is free
    try:
        got = call_without_data(answer, untrained(seed), training_rows(seed))
    finally:
        handle.remove()
    model = untrained(seed)
    weights = got.state_dict() if isinstance(got, nn.Module) else got
    if not isinstance(weights, dict):
        raise Wrong(f"pretrain returns {kind_of(got)}", "a model", RETURN)
    model.load_state_dict(expect_weights(weights, model.state_dict(), RETURN))
    return model.eval(), read


def measure(answer, rng):
    """Train a model on stories of this seed, and compare what it names with a count of both neighbours."""
    seed = int(torch.randint(2**31, (), generator=rng))
    model, read = trained(answer, seed)
    if sum(read) > BUDGET:
        raise Wrong(f"{sum(read):,} tokens went through the model", f"at most {BUDGET:,}", OVER)
    named, bar = share_named(model, seed), share_counted(seed) + MARGIN
    if named < bar:
        seen = f"the model names {named:.1%} of the hidden words of other stories"
        expected = f"at least {bar:.1%}, {100 * MARGIN:.0f} points above a count of both neighbours"
        raise Wrong(seen, expected, likely(model, read, seed))


def likely(model: nn.Module, read: list[int], seed: int) -> str:
    """What to try first."""
    first = untrained(seed).state_dict()
    moved = max((weight - first[name]).abs().max().item() for name, weight in model.state_dict().items())
    if moved < 0.05:
        return STILL
    if moved > 8:
        return HOT
    if sum(read) < 0.6 * BUDGET:
        return UNSPENT
    if BUDGET / max(read) < 150:
        return FEW
    if share_kept(model, seed) < 0.9:
        return ONLY
    return RARE if share_named(model, seed) < share_counted(seed) else OPEN


LOSS, RATE, STEPS = "F.cross_entropy(logits.flatten(0, 1), batch.flatten())", "6e-3", "BUDGET // (size * 36)"
MISTAKES = {
    STILL: {RATE: "1e-5"},
    HOT: {RATE: "3.0"},
    OVER: {STEPS: f"2 * {STEPS}"},
    UNSPENT: {STEPS: f"{STEPS} // 5"},
    FEW: {"size, peak = 4": "size, peak = 32"},
    RARE: {"< 0.4": "< 0.005"},
    ONLY: {LOSS: "F.cross_entropy(logits[hidden], batch[hidden])"},
    RETURN: {"return model": "return loss"},
}

EXERCISE = Exercise(
    minutes=60,
    difficulty=4,
    signature=f"pretrain(model, rows (R, {ROW}) int64) -> the trained model",
    hints=(
        "Tokens are short here, not text: the same rows may be read again. What does a step cost, and what does it\n"
        "teach? Ask this of the number of rows, of the share of hidden words, and of the places that are not hidden.",
        f"batch (B, {ROW}); hidden (B, {ROW}) bool; model(inputs).logits (B, {ROW}, 52); at the places that are asked\n"
        f"(M, 52) against (M,). {BUDGET:,} tokens are 62 steps of 16 rows.",
        "optimizer = AdamW on all weights\n"
        "for each step that the budget pays for:\n"
        "    draw a few rows, and which of their words are hidden, anew each time\n"
        "    the loss where you ask; gradients; learning rate: a short warm-up, then down to 0\n"
        "which split of chapter 8 learned fastest, and what did it ask that pure [MASK] does not?\n"
        "then change one number at a time, and measure on rows that you keep aside",
    ),
    parts=(Lab(pretrain, lambda rng: [], MISTAKES, after=measure, coarse=True),),
    seconds=120.0,
)
