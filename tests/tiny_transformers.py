"""Small random models of `transformers`, the oracle of the checkpoint tests."""

import torch
import transformers
from transformers import BertConfig, EuroBertConfig, ModernBertConfig

HEADS = {
    "Encoder": "Model",
    "MaskedLanguageModel": "ForMaskedLM",
    "PretrainingModel": "ForPreTraining",
    "SequenceClassifier": "ForSequenceClassification",
    "TokenClassifier": "ForTokenClassification",
    "SpanReader": "ForQuestionAnswering",
}
PREFIXES = {"bert": "Bert", "modernbert": "ModernBert", "eurobert": "EuroBert"}
PAIRS = [
    (family, kind)
    for family in PREFIXES
    for kind in HEADS
    if hasattr(transformers, PREFIXES[family] + HEADS[kind])  # no EuroBERT for spans; only BERT has NSP
]
SIZES = dict(
    vocab_size=61,
    hidden_size=32,
    num_attention_heads=4,
    intermediate_size=40,
    max_position_embeddings=48,
)
IDS = dict(pad_token_id=0, bos_token_id=2, eos_token_id=3)


RELATIVES = {"distilbert": "DistilBert", "roberta": "Roberta", "nomic_bert": "NomicBert", "ultrabert": "Ultrabert"}


def tiny_config(family: str, **changes):
    """A small config of transformers; for `RELATIVES` of the three, too."""
    if family == "distilbert":
        own = dict(vocab_size=61, dim=32, n_heads=4, n_layers=2, hidden_dim=40, max_position_embeddings=48)
        return transformers.DistilBertConfig(**own | dict(mask_token_id=4) | changes)
    if family == "roberta":
        own = dict(num_hidden_layers=2, mask_token_id=4, max_position_embeddings=50, type_vocab_size=1)
        return transformers.RobertaConfig(**SIZES | own | changes)
    if family == "nomic_bert":
        return transformers.NomicBertConfig(**SIZES | dict(num_hidden_layers=2, mask_token_id=4) | changes)
    if family == "ultrabert":
        own = dict(num_hidden_layers=4, num_key_value_heads=2, sliding_window=3, prediction_head_size=12)
        return transformers.UltrabertConfig(**SIZES | IDS | own | changes)
    if family == "bert":
        return BertConfig(**SIZES | dict(num_hidden_layers=2, mask_token_id=4) | changes)
    if family == "modernbert":
        own = dict(num_hidden_layers=5, local_attention=6, cls_token_id=2, sep_token_id=3, mask_token_id=4)
        return ModernBertConfig(**SIZES | IDS | own | changes)
    own = dict(num_hidden_layers=3, num_key_value_heads=2, mask_token_id=4)
    rope = dict(rope_parameters=dict(rope_type="default", rope_theta=250_000.0))
    return EuroBertConfig(**SIZES | IDS | own | rope | changes)


def tiny_model(family: str, kind: str, seed: int = 0, **changes):
    """A model in eval mode, every weight random (norms and biases too), std 0.1."""
    if kind in ("SequenceClassifier", "TokenClassifier"):
        changes = dict(num_labels=3) | changes
    model = getattr(transformers, (PREFIXES | RELATIVES)[family] + HEADS[kind])(tiny_config(family, **changes))
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            centre = 1.0 if parameter.dim() == 1 else 0.0
            parameter.copy_(centre + 0.1 * torch.randn(parameter.shape, generator=generator))
    return model.eval()


def tiny_batch(seed: int = 1):
    """Ragged ids (3, 23) and their mask."""
    ids = torch.randint(5, 61, (3, 23), generator=torch.Generator().manual_seed(seed))
    mask = torch.ones_like(ids)
    mask[1, 13:], mask[2, 1:] = 0, 0
    return ids, mask


@torch.no_grad()
def answers(model, ids, mask) -> list[torch.Tensor]:
    """What a model of ours or of theirs says, in one order: per-token results on real tokens, then per-text ones."""
    out, real = model(ids, attention_mask=mask), mask.bool()
    start, end = getattr(out, "start_logits", None), getattr(out, "end_logits", None)
    results = [
        getattr(out, "last_hidden_state", None) if hasattr(out, "last_hidden_state") else None,
        torch.stack([start, end], -1) if start is not None else None,
        getattr(out, "prediction_logits", None),
        getattr(out, "logits", None),
        getattr(out, "pooler_output", None),
        getattr(out, "seq_relationship_logits", None),
    ]
    return [r[real] if r.dim() == 3 else r for r in results if r is not None]


@torch.no_grad()
def our_answers(model, ids, mask) -> list[torch.Tensor]:
    out, real = model(ids, attention_mask=mask), mask.bool()
    results = [out.hidden, out.pooled] if type(model).__name__ == "Encoder" else [out.logits, out.nsp_logits]
    return [r[real] if r.dim() == 3 else r for r in results if r is not None]
