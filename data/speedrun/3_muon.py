"""Many cheap steps: one layer, 64 wide, 512 tokens a step. Muon moves the matrices of the block, AdamW the rest. Rows
have 16 tokens at first, where neighbours are easy to find, and 64 at last; RoPE turns faster (theta 100). 20 % are
hidden, only by [MASK], as the judge does. Starts from counts as 2_counts."""

import torch

from minibert import EncoderConfig, MaskedLanguageModel
from minibert.experiments.small_bert import ONLY_MASK, order_of
from minibert.experiments.small_encoders import with_ids_of
from minibert.tasks.rows import pack_rows, rows_of
from minibert.training.data import mask_batch
from minibert.training.evaluation import forward_losses
from minibert.training.schedules import trapezoid

STAGES = ((700, 16, 32), (350, 64, 8))  # steps, tokens a row, rows a step
STEPS = sum(steps for steps, _, _ in STAGES)


def train(text, seed):
    config = EncoderConfig.preset("bert-nano").replace(
        layers=1, hidden=64, heads=2, intermediate=256, init_std=0.08,
        position="rope", rope_theta=100.0, nsp=False, tie=False,
    )  # fmt: skip
    model = MaskedLanguageModel(with_ids_of(config, text), torch.Generator().manual_seed(seed))
    start_from_counts(model, torch.cat(text.train), seed)
    matrices = [p for p in model.encoder.blocks.parameters() if p.ndim == 2]
    others = [p for p in model.parameters() if all(p is not matrix for matrix in matrices)]
    optimizers = [
        (Muon(matrices, lr=0.0), 0.02),
        (torch.optim.AdamW(others, betas=(0.9, 0.98), weight_decay=0.0, fused=True), 4e-3),
    ]
    for step, rows in enumerate(stream(text, seed)):
        batch = mask_batch(pack_rows(rows), text.tokenizer, 0.2, ONLY_MASK, seed=1_000_003 * seed + step)
        _, targets, loss, _ = forward_losses(model, batch)
        (loss / len(targets)).backward()
        share = trapezoid(step + 1, STEPS + 1, warmup=STEPS // 20, decay=STEPS // 2, shape="linear")
        for optimizer, rate in optimizers:
            optimizer.param_groups[0]["lr"] = rate * share
            optimizer.step()
            optimizer.zero_grad()
    return model


def stream(text, seed):
    """The rows of each step: (R, T) token ids."""
    for number, (steps, length, size) in enumerate(STAGES):
        rows = rows_of(text.train, length)
        yield from rows[order_of(len(rows), steps * size, seed + 1000 * number)].split(size)


class Muon(torch.optim.Optimizer):
    """A step whose size is the same in all directions: the momentum, made orthogonal (Jordan 2024)."""

    def __init__(self, parameters, lr, momentum=0.95):
        super().__init__(parameters, dict(lr=lr, momentum=momentum))

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            for p in group["params"]:
                mean = self.state[p].setdefault("mean", torch.zeros_like(p))
                mean.mul_(group["momentum"]).add_(p.grad)
                update = orthogonal(p.grad + group["momentum"] * mean)
                p.add_(update, alpha=-group["lr"] * max(1, len(p) / p.shape[1]) ** 0.5)


def orthogonal(x, steps=5):
    """All singular values of x brought near 1, by a polynomial of odd powers (Newton and Schulz)."""
    x = x / (x.norm() + 1e-7)
    if len(x) > x.shape[1]:
        return orthogonal(x.T, steps).T
    for _ in range(steps):
        square = x @ x.T
        x = 3.4445 * x + (-4.7750 * square + 2.0315 * square @ square) @ x
    return x


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
