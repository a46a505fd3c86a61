"""Answers to 8.3, a training loop that beats the counts on few tokens."""

import torch
from torch.nn import functional as F

import minibert
from minibert import corpora
from minibert.objectives import mask_tokens, mlm_loss
from minibert.tasks.open_pretraining import BUDGET, MASK, ROW


def loop(size=4, peak=6e-3, rate=0.4, split=(1.0, 0.0, 0.0), warmup=20, betas=(0.9, 0.98), tokens=BUDGET, every=True):
    def pretrain(model, rows):
        draws, steps = torch.Generator().manual_seed(1), tokens // (size * ROW)
        optimizer = torch.optim.AdamW(model.parameters(), lr=peak, betas=betas, weight_decay=0.01)
        model.train()
        for step in range(steps):
            batch = rows[torch.randint(len(rows), (size,), generator=draws)]
            inputs, labels = mask_tokens(batch, range(5), 52, MASK, rate, split, generator=draws)
            logits = model(inputs).logits
            loss = mlm_loss(logits.flatten(0, 1), (batch if every else labels).flatten())
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.param_groups[0]["lr"] = peak * min((step + 1) / warmup, 1.0, 2 * (1 - step / steps))
            optimizer.step()
        return model

    return pretrain


def packed_and_weights_only(model, rows):
    """The packed form; visible words count a little less; the rows are read in order, a state_dict comes back."""
    draws, size, peak = torch.Generator().manual_seed(2), 4, 6e-3
    steps = BUDGET // (size * ROW)
    optimizer = torch.optim.Adam(model.parameters(), lr=peak)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, peak, total_steps=steps, pct_start=0.1)
    borders = torch.arange(0, size * ROW + 1, ROW, dtype=torch.int32)
    model.train()
    for step in range(steps):
        ids = rows[torch.arange(size * step, size * (step + 1)) % len(rows)].flatten()
        hidden = torch.rand(ids.shape, generator=draws) < 0.35
        logits = model.packed(ids.masked_fill(hidden, MASK), borders).logits
        optimizer.zero_grad()
        (F.cross_entropy(logits, ids, reduction="none") * torch.where(hidden, 1.0, 0.7)).mean().backward()
        optimizer.step()
        schedule.step()
    return dict(model.state_dict())


def the_chapters_loop(model, rows):
    """16 rows a step, 30 % hidden, 80/10/10, as long as the tokens last."""
    return loop(size=16, peak=3e-3, rate=0.3, split=(0.8, 0.1, 0.1), warmup=50, every=False)(model, rows)


def the_chapters_loop_whole(model, rows):
    return loop(size=16, peak=3e-3, rate=0.3, split=(0.8, 0.1, 0.1), warmup=50, tokens=1000 * 16 * ROW, every=False)(
        model, rows
    )


def a_model_of_its_own(model, rows):
    """Trained in secret for twice the tokens, then copied over."""
    mine = minibert.MaskedLanguageModel(model.config, torch.Generator().manual_seed(0))
    model.load_state_dict(loop(tokens=2 * BUDGET)(mine, rows).state_dict())
    return model


def looks_up_the_stories(model, rows):
    corpora.load("stories", "test")
    return model


def always_the_commonest(model, rows):
    with torch.no_grad():
        model.decoder.bias[int(rows.flatten().bincount().argmax())] = 100.0
    return model


def forgets_the_step(model, rows):
    for step in range(BUDGET // (8 * ROW)):
        batch = rows[8 * step % 800 :][:8]
        hidden = torch.rand(batch.shape, generator=torch.Generator().manual_seed(step)) < 0.4
        F.cross_entropy(model(batch.masked_fill(hidden, MASK)).logits[hidden], batch[hidden]).backward()
    return model


def changes_the_rows(model, rows):
    rows[:] = MASK
    return model


RIGHT = {"90/5/5, clipped": loop(split=(0.9, 0.05, 0.05), rate=0.4), "packed": packed_and_weights_only}
WRONG = {
    "the chapter's loop": (the_chapters_loop, "of the hidden words(?s:.)*few steps"),
    "the chapter's loop, all its steps": (the_chapters_loop_whole, "tokens went through"),
    "a model of its own": (a_model_of_its_own, "tokens went through"),
    "the stories looked up": (looks_up_the_stories, "loads the data set 'stories'"),
    "as it came": (lambda model, rows: model, "hardly moved"),
    "the commonest word": (always_the_commonest, "names (?s:.)*of the hidden words"),
    "no step": (forgets_the_step, "hardly moved"),
    "hidden places only, 15 %": (loop(every=False, rate=0.15), "easy question"),
    "rows changed": (changes_the_rows, "your code changes"),
    "nothing": (lambda model, rows: None, "pretrain returns None"),
    "the loss": (lambda model, rows: torch.tensor(0.5), "pretrain returns"),
    "other weights": (lambda model, rows: {"a": torch.ones(2)}, "other names"),
}
