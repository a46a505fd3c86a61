"""The mean of checkpoints: equal to the formula, on files and on state dicts, and strict about what has no mean."""

import pytest
import torch

from minibert import EncoderConfig, MaskedLanguageModel, WordPieceTokenizer
from minibert.corpora import synthetic
from minibert.training import (
    PretrainingData,
    Recipe,
    average_checkpoints,
    average_states,
    load_newest_checkpoint,
    train,
)


def states(count: int) -> list[dict[str, torch.Tensor]]:
    generator = torch.Generator().manual_seed(count)
    return [
        {"w": torch.randn(3, 4, generator=generator), "half": torch.randn(5, generator=generator).bfloat16()}
        for _ in range(count)
    ]


@pytest.mark.parametrize("count", [1, 2, 7])
def test_the_mean_is_that_of_torch_in_double_and_the_given_ones_stay(count):
    given = states(count)
    before = [{name: tensor.clone() for name, tensor in state.items()} for state in given]
    mean = average_states(iter(given))
    for name in ("w", "half"):
        expected = torch.stack([state[name].double() for state in given]).mean(0).to(given[0][name].dtype)
        assert torch.equal(mean[name], expected) and mean[name].dtype == given[0][name].dtype
    mean["w"].zero_()
    assert all(torch.equal(a[name], b[name]) for a, b in zip(given, before, strict=True) for name in a)


def test_whole_numbers_must_agree_and_are_copied():
    one, two = ({"n": torch.tensor([1, 2]), "w": torch.full((2,), x)} for x in (0.0, 1.0))
    mean = average_states([one, two])
    assert mean["n"].tolist() == [1, 2] and mean["w"].tolist() == [0.5, 0.5]
    two["n"] = torch.tensor([1, 3])
    with pytest.raises(ValueError, match="n holds whole numbers that differ"):
        average_states([one, two])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda state: state.pop("w"), "other tensors than the first one: w"),
        (lambda state: state.update(x=torch.ones(1)), "other tensors than the first one: x"),
        (lambda state: state.update(w=torch.ones(4, 3)), r"w is float32 \(3, 4\) .* float32 \(4, 3\) in number 1"),
        (lambda state: state.update(w=state["w"].double()), "w is float32 .* float64"),
        (lambda state: state["w"][0, 0].fill_(torch.nan), "w holds NaN or infinity in state dict 1"),
        (lambda state: state["half"][1].fill_(torch.inf), "half holds NaN or infinity"),
    ],
)
def test_what_cannot_be_averaged_is_named(change, message):
    first, second = states(2)
    change(second)
    with pytest.raises(ValueError, match=message):
        average_states([first, second])


def test_nothing_has_no_mean():
    with pytest.raises(ValueError, match="at least one"):
        average_states([])


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A run with checkpoints after steps 2, 4 and 6, and the model's weights after each."""
    folder = tmp_path_factory.mktemp("run")
    documents = synthetic.documents(14, seed=0)
    tokenizer = WordPieceTokenizer.train([s for d in documents for s in d], vocab_size=200)
    data = PretrainingData(documents, tokenizer, pairs=False, max_len=32, batch_tokens=150)
    config = EncoderConfig.preset("bert-nano").replace(
        vocab_size=200, hidden=16, intermediate=24, layers=1, heads=2, nsp=False, pool="mean"
    )
    model, weights = MaskedLanguageModel(config, torch.Generator().manual_seed(0)), {}

    def keep(step):
        weights[step] = {name: tensor.clone() for name, tensor in model.state_dict().items()}

    train(model, data, Recipe(steps=6, checkpoint_every=2), folder, keep=3, progress=False, on_step=keep)
    return folder / "checkpoints", model, weights


@pytest.mark.parametrize("steps", [None, [2, 6]])
def test_files_and_state_dicts_give_the_same_model(trained, steps):
    folder, model, weights = trained
    averaged = MaskedLanguageModel(model.config, torch.Generator().manual_seed(9))
    average_checkpoints(averaged, folder, steps)
    expected = average_states([weights[step] for step in steps or (2, 4, 6)])
    found = averaged.state_dict()
    assert found.keys() == expected.keys() and all(torch.equal(found[name], expected[name]) for name in expected)
    assert averaged.decoder.weight is averaged.encoder.embeddings.token.weight


def test_the_last_one_alone_is_the_trained_model(trained):
    folder, model, _ = trained
    averaged = MaskedLanguageModel(model.config, torch.Generator().manual_seed(9))
    average_checkpoints(averaged, folder, [6])
    assert all(torch.equal(a, b) for a, b in zip(averaged.parameters(), model.parameters(), strict=True))
    assert load_newest_checkpoint(folder).step == 6


def test_missing_steps_another_model_and_damage_are_named(trained, tmp_path):
    folder, model, _ = trained
    with pytest.raises(ValueError, match=r"after these steps: 2, 4, 6; asked for \[5\]"):
        average_checkpoints(model, folder, [4, 5])
    for empty in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(ValueError, match="after these steps: none; asked for at least one"):
            average_checkpoints(model, empty)
    with pytest.raises(ValueError, match="asked for at least one"):
        average_checkpoints(model, folder, [])
    other = MaskedLanguageModel(model.config.replace(layers=2), torch.Generator().manual_seed(0))
    with pytest.raises(ValueError, match="absent in the checkpoint"):
        average_checkpoints(other, folder)
    for path in folder.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    damaged = tmp_path / "step-00000004.safetensors"
    damaged.write_bytes(damaged.read_bytes()[:-1] + b"x")
    with pytest.raises(ValueError, match=r"step-00000004.json is damaged .*checksum"):
        average_checkpoints(model, tmp_path)
