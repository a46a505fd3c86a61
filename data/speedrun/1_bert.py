"""A plain BERT of two layers: post-norm, GELU, 15 % hidden, AdamW, a rate that falls in a line. RoPE stands for BERT's
table of places, which a model this small does not learn to use in minutes."""

from minibert import EncoderConfig
from minibert.experiments.small_encoders import Run
from minibert.training.recipe import Recipe


def train(text, seed):
    config = EncoderConfig.preset("bert-nano").replace(layers=2, position="rope", rope_theta=10_000.0, nsp=False)
    recipe = Recipe(steps=900, optimizer="adamw", learning_rate=2e-3, warmup=90)
    run = Run(config, text, recipe, length=64, rows_a_step=32, seed=seed, rate=0.15)
    return run.go(recipe.steps, recipe.lr).model
