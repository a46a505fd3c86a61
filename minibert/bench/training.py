"""Training steps: masked-language-model loss, backward, optimiser, ours against `transformers`' on the same batch.

Ours scores the vocabulary at the masked positions; `transformers` takes labels and does as it does. Both train
float32 weights with AdamW; "bf16" means autocast.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from minibert.bench import opponents
from minibert.bench.cases import run_cases
from minibert.bench.inference import compare, peak_bytes
from minibert.bench.limit import products, weight_matrices
from minibert.bench.report import DTYPES, Case, Settings, bench_config
from minibert.bench.timing import in_turns, waiter
from minibert.bench.workloads import Workload, masked_batch
from minibert.model.cost import model_flops
from minibert.objectives import IGNORE, mlm_loss
from minibert.training import AdamW
from minibert.training.recipe import FAMILY_MASKING
from minibert.varlen import find_packing, unpad

LEARNING_RATE = 1e-5
NOTES = (
    "One training step in train mode: padded ids and labels, loss, backward, AdamW (theirs: torch.optim.AdamW), no "
    "clipping; tokens are real tokens. Masked: 15 % (BERT), 30 % (ModernBERT), 50 % (EuroBERT). Dropout is equal: 0.1 "
    "for BERT, 0 for the others. 'sparse' is transformers' ModernBERT with sparse_prediction, which also scores masked "
    "positions only. bf16: autocast over float32 weights, on both sides; 'sdpa fp32' is transformers without it. "
    "'matmuls' is the products with the weight matrices alone, forward and backward. Speedup: their seconds over ours. "
    "Memory: bytes at the worst moment; on the CPU gradients and optimiser state included, on a GPU what the optimiser "
    "holds between steps is not."
)


def run(settings: Settings, save: Callable[[dict], None] = lambda report: None, say=lambda line: None) -> dict:
    """Measure all cases of `settings`; `save` gets the report after each, `say` a line of progress.

    Raises:
        ValueError: settings that cannot be run, or losses of the two sides that differ.

    >>> report = run(Settings(models=("bert-nano",), workloads=("2x8",), repeats=1, memory=False))
    >>> sorted(report["results"][0]["contenders"])
    ['matmuls', 'ours', 'sdpa']
    """
    opponents.check_opponents(settings.opponents, settings.device)
    return run_cases("training", settings, NOTES, measure, save, say)


def measure(case: Case, settings: Settings, peak: float) -> dict:
    """One case: equal losses first, then the times in turns, then the memory.

    >>> case = Case("bert-nano", bench_config("bert-nano"), Workload("mine", (3, 5)), "fp32")
    >>> found = measure(case, Settings(repeats=1, memory=False), peak=1e9)
    >>> found["masked_tokens"], found["speedup"]["sdpa"]["of_medians"] > 0
    (1, True)
    """
    device, wait = settings.device, waiter(settings.device)
    theirs = opponents.their_language_model(case.config, settings.seed)
    ours = opponents.with_their_weights(opponents.our_language_model(case.config), theirs)
    ours, theirs = ours.to(device), theirs.to(device)
    batch = masked_batch(case.workload, case.config, FAMILY_MASKING[case.config.family]["mask_rate"], settings.seed)
    batch = tuple(tensor.to(device) for tensor in batch)
    agreement = equal_scores(ours, theirs, batch)
    sparse = ("sparse",) if hasattr(theirs, "sparse_prediction") else ()
    steps = Steps(ours, theirs, batch, (*settings.opponents, *sparse))
    bf16 = case.dtype == "bf16"
    calls: dict[str, Callable] = {"ours": lambda: steps.ours(bf16)}
    if bf16 and "sdpa" in settings.opponents:
        calls["sdpa fp32"] = lambda: steps.theirs("sdpa", bf16=False)
    for name in (*settings.opponents, *sparse):
        calls[name] = lambda name=name: steps.theirs(name, bf16)
    masked = int((batch[2] != IGNORE).sum())
    weights = [(case.workload.tokens, weight) for weight in weight_matrices(ours.encoder.blocks)]
    weights += [(masked, weight) for weight in [*weight_matrices(ours.head), ours.decoder.weight.detach()]]
    cast = [(rows, weight.to(DTYPES[case.dtype])) for rows, weight in weights]
    calls["matmuls"] = products(cast, backward=True)
    seconds, _ = in_turns(calls, settings.repeats, wait=wait)
    flops = model_flops(case.config, case.workload.lengths, masked, training=True)
    found = compare(case, seconds, flops, peak) | {"masked_tokens": masked, "before_training": agreement}
    del weights, cast
    if settings.memory:
        found["peak_bytes"] = peak_bytes("training", calls, case, settings)
    return found


@torch.no_grad()
def equal_scores(ours: nn.Module, theirs: nn.Module, batch: tuple[Tensor, Tensor, Tensor]) -> dict:
    """How far apart both sides' scores of the masked tokens are without dropout, and their losses in nats.

    Raises:
        ValueError: the scores differ, so the models are not the same.

    >>> config = bench_config("bert-nano")
    >>> theirs = opponents.their_language_model(config)
    >>> ours = opponents.with_their_weights(opponents.our_language_model(config), theirs)
    >>> sorted(equal_scores(ours, theirs, masked_batch(Workload("mine", (9,)), config, 0.2)))
    ['largest_difference', 'our_loss', 'their_loss']
    """
    ours.eval(), theirs.eval()
    ids, mask, labels = batch
    expected = theirs(input_ids=ids, attention_mask=mask).logits[labels != IGNORE]  # (M, V)
    output, targets = our_scores(ours, *batch)
    difference = opponents.check_agreement(output, expected)
    losses = {"our_loss": float(mlm_loss(output, targets)), "their_loss": float(their_loss(theirs, *batch))}
    return {"largest_difference": difference} | losses


def our_scores(model: nn.Module, ids: Tensor, mask: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """The scores (M, V) at the masked tokens of a padded batch, and what stood there (M,).

    >>> config = bench_config("bert-nano")
    >>> batch = masked_batch(Workload("mine", (9,)), config, 0.2)
    >>> our_scores(opponents.our_language_model(config), *batch)[0].shape
    torch.Size([2, 8000])
    """
    packing = find_packing(mask)
    labels = unpad(labels, packing)  # (N,)
    predict_at = (labels != IGNORE).nonzero().squeeze(1)  # (M,)
    output = model.packed(unpad(ids, packing), packing.cu_seqlens, predict_at=predict_at)
    return output.logits, labels[predict_at]


def our_loss(model: nn.Module, ids: Tensor, mask: Tensor, labels: Tensor) -> Tensor:
    """The mean loss over the masked tokens, from the padded batch; the vocabulary is scored there alone.

    >>> config = bench_config("bert-nano")
    >>> batch = masked_batch(Workload("mine", (9,)), config, 0.2)
    >>> our_loss(opponents.our_language_model(config), *batch).dim()
    0
    """
    return mlm_loss(*our_scores(model, ids, mask, labels))


def their_loss(model: nn.Module, ids: Tensor, mask: Tensor, labels: Tensor) -> Tensor:
    """The same from `transformers`, as its users call it.

    >>> config = bench_config("bert-nano")
    >>> batch = masked_batch(Workload("mine", (9,)), config, 0.2)
    >>> their_loss(opponents.their_language_model(config), *batch).dim()
    0
    """
    return model(input_ids=ids, attention_mask=mask, labels=labels).loss


class Steps:
    """Both models in train mode, each with its optimiser; a call is one step.

    `attentions` are those of `transformers`; all share one set of weights. "sparse" is sdpa with the vocabulary scored
    at the masked positions only.

    >>> config = bench_config("bert-nano")
    >>> batch = masked_batch(Workload("mine", (9,)), config, 0.2)
    >>> steps = Steps(opponents.our_language_model(config), None, batch)
    >>> losses = [steps.ours(bf16=False) for _ in range(2)]
    """

    def __init__(
        self,
        ours: nn.Module | None,
        theirs: nn.Module | None,
        batch: tuple[Tensor, Tensor, Tensor],
        attentions: tuple[str, ...] = ("sdpa",),
    ):
        self.batch, self.our_model, self.their_models = batch, ours, {}
        if ours is not None:
            self.our_optimizer = AdamW(ours.train().parameters(), lr=LEARNING_RATE)
        if theirs is not None:
            self.their_optimizer = torch.optim.AdamW(theirs.train().parameters(), lr=LEARNING_RATE)
            for name in attentions:
                twin = opponents.with_attention(theirs, "sdpa" if name == "sparse" else name)
                twin.sparse_prediction = name == "sparse"
                self.their_models[name] = twin

    def ours(self, bf16: bool) -> Tensor:
        """One step of ours; the loss."""
        return self._step(self.our_model, self.our_optimizer, our_loss, bf16)

    def theirs(self, attention: str, bf16: bool) -> Tensor:
        """One step of `transformers` with this attention; "sparse" is sdpa with the vocabulary at masked positions."""
        return self._step(self.their_models[attention], self.their_optimizer, their_loss, bf16)

    def _step(self, model: nn.Module, optimizer: torch.optim.Optimizer, loss_of: Callable, bf16: bool) -> Tensor:
        with torch.autocast(self.batch[0].device.type, dtype=torch.bfloat16, enabled=bf16):
            loss = loss_of(model, *self.batch)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        return loss.detach()


def alone(spec: dict) -> Callable[[], object]:
    """One contender in a process of its own, its weights in place; no step was made before.

    >>> alone(dict(contender="ours", model="bert-nano", lengths=[3, 5], dtype="fp32"))().dim()
    0
    """
    config, bf16 = bench_config(spec["model"]), spec["dtype"] == "bf16"
    batch = masked_batch(Workload("alone", tuple(spec["lengths"])), config, FAMILY_MASKING[config.family]["mask_rate"])
    if spec["contender"] == "ours":
        steps = Steps(opponents.our_language_model(config), None, batch)
        return lambda: steps.ours(bf16)
    steps = Steps(None, opponents.their_language_model(config), batch, (spec["contender"],))
    return lambda: steps.theirs(spec["contender"], bf16)
