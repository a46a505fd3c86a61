"""torch.compile(model) gives the same results and gradients as the model, for whatever lengths a batch has.

The back-ends that are tried here trace and differentiate as the default one does, but generate no C++, which takes
minutes.
"""

import pytest
import torch
from oracles import FAMILIES, ragged_batch, small_config

from minibert.model import Encoder, MaskedLanguageModel, SequenceClassifier

pytestmark = pytest.mark.filterwarnings("default")  # torch, while it traces, warns itself
NO_DROPOUT = {f"dropout_{place}": 0.0 for place in ("embed", "attn_probs", "attn_out", "mlp_out", "classifier")}
BATCHES = [(7, 3, 5), (4, 9), (2, 6, 6, 1)]  # lengths


def losses_and_gradients(model, called, config, lengths, padded):
    ids, mask, segments = ragged_batch(config, lengths if padded else [max(lengths)] * len(lengths))
    model.zero_grad()
    logits = called(ids, mask if padded else None, segments).logits
    logits.square().sum().backward()
    return logits.detach(), {name: weight.grad.clone() for name, weight in model.named_parameters()}


@pytest.mark.parametrize("family", FAMILIES)
def test_a_compiled_model_gives_the_same_logits_and_gradients(family):
    torch.compiler.reset()
    config = small_config(family, **NO_DROPOUT)
    model = MaskedLanguageModel(config, generator=torch.Generator().manual_seed(0))
    compiled = torch.compile(model, backend="aot_eager")
    for lengths, padded in [((7, 3, 5), True), ((4, 9), True), ((6, 6), False)]:
        wanted, wanted_gradients = losses_and_gradients(model, model, config, lengths, padded)
        logits, gradients = losses_and_gradients(model, compiled, config, lengths, padded)
        torch.testing.assert_close(logits, wanted, atol=1e-5, rtol=1e-5)
        torch.testing.assert_close(gradients, wanted_gradients, atol=1e-4, rtol=1e-4)


def test_new_lengths_are_not_compiled_again():
    torch.compiler.reset()
    torch._dynamo.utils.counters.clear()
    config = small_config("modernbert")
    model = MaskedLanguageModel(config).eval()
    compiled = torch.compile(model, backend="eager")
    frames = []
    with torch.no_grad():
        for lengths in [*BATCHES, (3, 3), (10, 2, 8, 4, 1), (5, 11)]:
            ids, mask, _ = ragged_batch(config, lengths)
            torch.testing.assert_close(compiled(ids, mask).logits, model(ids, mask).logits, atol=1e-6, rtol=1e-5)
            frames.append(torch._dynamo.utils.counters["frames"]["total"])
    assert frames[-1] == frames[4]  # the first ones teach it which sizes change


def test_the_other_ways_to_call_a_compiled_model(tmp_path):
    torch.compiler.reset()
    config = small_config("bert")
    ids, mask, segments = ragged_batch(config, (5, 3))
    encoder = Encoder(config).eval()
    compiled = torch.compile(encoder, backend="eager")
    with torch.inference_mode():
        wanted = encoder(ids, mask, segments, output_attentions=True, output_hidden_states=True)
        got = compiled(ids, mask, segments, output_attentions=True, output_hidden_states=True)
        torch.testing.assert_close(got.attentions, wanted.attentions)
        torch.testing.assert_close(got.hidden_states, wanted.hidden_states)
        torch.testing.assert_close(got.pooled, wanted.pooled)
        with pytest.raises(ValueError, match="is all padding"):
            compiled(ids, 0 * mask)
        with pytest.raises(ValueError, match="was the text made by another tokenizer"):
            compiled(ids + 1000, mask)
    compiled.save_pretrained(tmp_path)
    assert torch.equal(Encoder.from_pretrained(tmp_path)(ids, mask).hidden, encoder(ids, mask).hidden)
    classifier = SequenceClassifier(config, labels=3).eval()
    classifier.encoder = torch.compile(classifier.encoder, backend="eager")
    assert classifier(ids, mask).logits.shape == (2, 3)
