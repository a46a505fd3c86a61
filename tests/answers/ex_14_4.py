"""Answers to 14.4, the best run of a budget."""

from minibert import EncoderConfig

SHORT = dict(learning_rate=5e-3, rows_a_step=4, mask_rate=0.3)


def bert_well_trained():
    return {}, SHORT


def modern_well_trained():
    block = modern_as_it_stands()[0] | {"init_std": 0.1, "norm_eps": 1e-5}
    return [block, dict(learning_rate=5e-3, rows_a_step=4, mask_rate=0.4, betas=(0.9, 0.98), warmup=20)]


def modern_as_it_stands():
    block = dict(position="rope", rope_theta=10_000.0, segments=0, norm_placement="pre", final_norm=True)
    return block | dict(
        mlp="glu", intermediate=96, attention_bias=False, mlp_bias=False, norm_bias=False, skip_first_attn_norm=True
    ), {}


def a_config():
    return EncoderConfig.preset("bert-nano"), SHORT


RIGHT = {"BERT, well trained": bert_well_trained, "ModernBERT, well trained": modern_well_trained}
WRONG = {
    "BERT as it stands": (lambda: ({}, {}), "bits per byte(?s:.)*learning rate is small"),
    "ModernBERT as it stands": (modern_as_it_stands, "bits per byte(?s:.)*learning rate is small"),
    "another optimizer": (lambda: ({}, {"optimizer": "sgd"}), "optimizer is 'sgd'"),
    "a config": (a_config, "two dictionaries"),
    "nothing": (lambda: None, "best_run returns None"),
    "one dictionary": (lambda: SHORT, "two dictionaries"),
    "too large": (lambda: ({"hidden": 128}, SHORT), "parameters, the budget is 60,000"),
    "unknown field": (lambda: ({"width": 32}, SHORT), "width"),
    "unknown field of the recipe": (lambda: ({}, {"lr": 1e-2}), "lr"),
    "a text": (lambda: ({}, {"learning_rate": "1e-2"}), "learning_rate"),
    "negative": (lambda: ({}, {"learning_rate": -1.0}), "learning_rate"),
    "a function": (lambda: ({}, {"learning_rate": max}), "neither a number"),
    "NaN": (lambda: ({}, {"learning_rate": float("nan")}), "learning_rate"),
    "heads": (lambda: ({"heads": 5}, SHORT), "heads=5"),
    "two runs": (lambda: (SHORT, {}), "learning_rate"),
    "few steps": (lambda: ({}, {"learning_rate": 5e-3, "mask_rate": 0.3}), "bits per byte(?s:.)*few steps"),
}
