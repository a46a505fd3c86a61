"""Answers to 15.4, four times the length."""

import torch

from minibert.tasks.open_tasks import encoder, hide, masked_loss, short_encoder


def tuned(weights, rows, theta=10_000.0, steps=160, rate=3e-3, share=0.3, size=4):
    model = encoder(weights, theta).train()
    optimizer = torch.optim.Adam(model.parameters(), lr=rate)
    schedule = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.05, steps)
    for step in range(steps):
        chosen = torch.randperm(len(rows), generator=torch.Generator().manual_seed(step))[:size]
        optimizer.zero_grad()
        masked_loss(model, *hide(rows[chosen], share, 1000 + step)).backward()
        optimizer.step()
        schedule.step()
    return model


def same_theta(weights, rows):
    model = tuned(weights, rows)
    return dict(model.named_parameters()), 10_000


def million(weights, rows):
    model = tuned(weights, rows, theta=1e6, steps=200, rate=4e-3)
    return [dict(model.state_dict()), torch.tensor(1e6)]


def theta_only(weights, rows):
    return weights, 500_000.0


def wrong_theta(weights, rows):
    return tuned(weights, rows).state_dict(), 160_000.0


def few_steps(weights, rows):
    return tuned(weights, rows, steps=8).state_dict(), 10_000.0


def without_labels(weights, rows):
    return tuned(weights, rows, share=0.01, steps=40).state_dict(), 10_000.0


def new_weights(weights, rows):
    return tuned(None, rows, steps=40).state_dict(), 10_000.0


def another_seed(weights, rows):
    return short_encoder(5, 3), 10_000.0


def nan(weights, rows):
    return {name: one * torch.nan for name, one in weights.items()}, 10_000.0


def the_model(weights, rows):
    return encoder(weights), 10_000.0


RIGHT = {"the same theta": same_theta, "a million": million}
WRONG = {
    "theta only": (theta_only, "theta alone"),
    "wrong theta": (wrong_theta, "tune with the theta that you return"),
    "few steps": (few_steps, "more steps"),
    "hardly any labels": (without_labels, "rows of 96"),
    "new weights": (new_weights, "rows of 96"),
    "other weights": (another_seed, "rows of 96"),
    "NaN": (nan, "NaN or infinity"),
    "the model": (the_model, "weights, theta"),
    "nothing": (lambda weights, rows: None, "stretch returns None"),
    "no theta": (lambda weights, rows: weights, "weights, theta"),
    "theta 0": (lambda weights, rows: (weights, 0.0), "theta is 0"),
    "one tensor less": (lambda weights, rows: (dict(list(weights.items())[1:]), 1e4), "other names"),
}
