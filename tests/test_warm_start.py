"""A BERT that starts from counts: what it knows and where it looks before its first step, and `pretrain --start`."""

import json

import pytest
import torch
from click.testing import CliRunner

from minibert import EncoderConfig, MaskedLanguageModel, PretrainingModel
from minibert.commands.pretrain import pretrain
from minibert.corpora import synthetic
from minibert.objectives import IGNORE
from minibert.training import PretrainingData, start_from_counts
from minibert.training.evaluation import forward_losses
from minibert.training.optimizers import Muon, muon_groups, orthogonal
from minibert.training.warm_start import OFFSETS, neighbour_vectors


def test_heads_of_the_first_layer_begin_at_their_neighbours():
    """Among random token vectors, in rows as long as the table: the place at the offset gets most of each head."""
    config = EncoderConfig.preset("bert-nano").replace(vocab_size=400)
    model = PretrainingModel(config, torch.Generator().manual_seed(0))
    sentence = torch.randint(0, 400, (4000,), generator=torch.Generator().manual_seed(1)).tolist()
    start_from_counts(model, [[sentence]])
    with torch.no_grad():
        seen = model(torch.tensor([sentence[:128]]), output_attentions=True).attentions[0][0]  # (H, T, T)
    for head, offset in enumerate(OFFSETS):
        weights = seen[head].diagonal(offset)
        assert weights.mean() > 0.5, (offset, weights.mean())
        assert (seen[head].argmax(-1)[2:-2] == torch.arange(2, 126) + offset).double().mean() > 0.95


def test_tokens_that_stand_together_have_a_larger_product():
    """Pairs 0 1 and 2 3 stand side by side, in random order of the pairs, with other tokens between."""
    generator = torch.Generator().manual_seed(0)
    kinds = torch.randint(0, 2, (500, 1), generator=generator)
    rest = torch.randint(4, 60, (500, 4), generator=generator)
    text = torch.cat([2 * kinds, 2 * kinds + 1, rest], dim=1).flatten()
    vectors = neighbour_vectors([text], 64, 16)
    products = vectors @ vectors.T
    assert vectors.square().mean().item() == pytest.approx(1.0, abs=1e-5)
    assert min(products[0, 1], products[2, 3]) > 3 * products[[0, 0, 1, 1], [2, 3, 2, 3]].max()
    assert neighbour_vectors([text], 64, 16).equal(vectors)  # the same each time


def test_before_the_first_step_the_model_knows_the_frequencies():
    documents = synthetic.documents(60, seed=0)
    from minibert.tokenization import WordPieceTokenizer

    tok = WordPieceTokenizer.train([sentence for document in documents for sentence in document], vocab_size=400)
    data = PretrainingData(documents, tok, pairs=True, max_len=32, batch_tokens=512, seed=0)
    config = EncoderConfig.preset("bert-nano").replace(vocab_size=tok.vocab_size, mask_id=tok.mask_id)
    losses = []
    for first in ("random", "counts"):
        model = PretrainingModel(config, torch.Generator().manual_seed(0))
        if first == "counts":
            start_from_counts(model, data.documents)
        data.restart()
        batch = data.next_batch()
        with torch.no_grad():
            losses.append(float(forward_losses(model, batch)[2]) / int((batch.labels != IGNORE).sum()))
    assert losses[1] < losses[0] - 0.3


def test_models_that_do_not_learn_positions_are_refused():
    model = MaskedLanguageModel(EncoderConfig.preset("modernbert-nano"))
    with pytest.raises(ValueError, match="only a BERT with learned positions"):
        start_from_counts(model, [[[5, 6]]])
    with pytest.raises(ValueError, match="hold no two tokens"):
        neighbour_vectors([torch.tensor([5])], 9, 3)


def test_muon_steps_equally_in_all_directions():
    generator = torch.Generator().manual_seed(0)
    for shape in ((8, 8), (8, 32)):
        values = torch.linalg.svdvals(orthogonal(torch.randn(shape, generator=generator)))
        assert 0.3 < values.min() and values.max() < 1.3
    parameter = torch.nn.Parameter(torch.zeros(24, 8))  # queries, keys and values
    optimizer = Muon([{"params": [parameter], "orthogonal": True, "weight_decay": 0.0}], lr=0.01)
    parameter.grad = (
        torch.randn(24, 8, generator=generator) * torch.tensor([1.0, 100.0, 1e-4]).repeat_interleave(8)[:, None]
    )
    optimizer.step()
    sizes = parameter.detach().view(3, 64).norm(dim=1)
    assert sizes.max() < 1.5 * sizes.min()


def test_muon_moves_the_blocks_and_adamw_the_rest():
    model = PretrainingModel(EncoderConfig.preset("bert-nano"))
    matrices, *others = muon_groups(model, 0.01)
    inside = {id(p) for p in model.encoder.blocks.parameters() if p.ndim == 2}
    assert {id(p) for p in matrices["params"]} == inside and matrices["orthogonal"]
    assert sum(len(group["params"]) for group in (matrices, *others)) == len(list(model.parameters()))
    assert not any(id(p) in inside for group in others for p in group["params"])


# ---- the command

OPTIONS = "--start counts --muon --steps 6 --checkpoint-every 2 --vocab-size 300 --batch-tokens 200 --max-len 32"


@pytest.fixture(scope="module")
def text(tmp_path_factory):
    path = tmp_path_factory.mktemp("text") / "text.txt"
    documents = synthetic.documents(60, seed=1)
    path.write_text("\n\n".join("\n".join(document) for document in documents), encoding="utf-8")
    return path


def call(text, out, *options):
    arguments = [*OPTIONS.split(), "--corpus", str(text), "--out", str(out), *options]
    return CliRunner().invoke(pretrain, arguments)


def test_a_run_from_counts_goes_on_bit_for_bit_and_remembers_its_start(text, tmp_path, monkeypatch):
    assert call(text, tmp_path / "whole").exit_code == 0
    import minibert.training.loop as loop

    update, done = loop.update, []

    def stopping(*arguments):
        done.append(1)
        if len(done) == 5:
            raise KeyboardInterrupt
        return update(*arguments)

    monkeypatch.setattr(loop, "update", stopping)
    assert call(text, tmp_path / "cut").exit_code != 0
    monkeypatch.setattr(loop, "update", update)
    refused = call(text, tmp_path / "cut", "--start", "random")
    assert isinstance(refused.exception, ValueError) and "start" in str(refused.exception)
    assert call(text, tmp_path / "cut").exit_code == 0
    for name in ("model.safetensors", "log.jsonl"):
        assert (tmp_path / "cut" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes(), name
    assert json.loads((tmp_path / "whole" / "run.json").read_text(encoding="utf-8"))["start"] == "counts"


@pytest.mark.parametrize(
    "options, complaint",
    [
        (("--preset", "modernbert-nano"), "--start counts: for a preset of BERT"),
        (("--parallel", "fsdp"), "--muon needs whole matrices"),
    ],
)
def test_what_cannot_start_is_refused(text, tmp_path, options, complaint):
    refused = call(text, tmp_path / "run", *options)
    assert isinstance(refused.exception, ValueError) and complaint in str(refused.exception)
