"""1_bert that starts from counts. Both token tables begin as word vectors, made from how often tokens stand within two
places of each other; the output's bias begins as the tokens' frequencies. The output has a table of its own: tied to
the input's, what it learns about rare tokens would move those of the input, too."""

import torch

from minibert import EncoderConfig
from minibert.experiments.small_encoders import Run
from minibert.training.recipe import Recipe


def train(text, seed):
    config = EncoderConfig.preset("bert-nano").replace(
        layers=2, position="rope", rope_theta=10_000.0, nsp=False, tie=False
    )
    recipe = Recipe(steps=380, optimizer="adamw", learning_rate=2e-3, warmup=38)
    run = Run(config, text, recipe, length=64, rows_a_step=32, seed=seed, rate=0.15)
    start_from_counts(run.model, torch.cat(text.train), seed)
    return run.go(recipe.steps, recipe.lr).model


@torch.no_grad()
def start_from_counts(model, ids, seed, reach=2):
    """Positive pointwise mutual information of neighbours, factored: tokens that meet often have a large product."""
    V, D = model.decoder.weight.shape
    pairs = sum(torch.bincount(ids[:-k] * V + ids[k:], minlength=V * V) for k in range(1, reach + 1))
    pairs = (pairs.view(V, V) + pairs.view(V, V).T).double()
    by_chance = pairs.sum(0) * pairs.sum(1, keepdim=True) / pairs.sum()
    information = (pairs / by_chance.clamp(min=1e-9)).clamp(min=1).log()
    torch.manual_seed(seed)  # the factoring begins with random vectors
    u, s, _ = torch.svd_lowrank(information.float(), q=D, niter=4)
    vectors = u * s.sqrt()
    vectors *= model.config.init_std / vectors.std()
    model.encoder.embeddings.token.weight.copy_(vectors)
    model.decoder.weight.copy_(vectors)
    frequency = torch.bincount(ids, minlength=V) + 1.0
    model.decoder.bias.copy_((frequency / frequency.sum()).log())
