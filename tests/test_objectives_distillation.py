"""Distillation: losses beside torch's own, and students that are made of their teacher's layers."""

import pytest
import torch
from torch import nn

from minibert import Encoder, EncoderConfig, MaskedLanguageModel, SequenceClassifier
from minibert.objectives import hidden_cosine_loss, keep_layers, soft_target_loss


def draw(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0, 7.0])
@pytest.mark.parametrize("shape", [(6, 11), (1, 2), (2, 3, 5)])
def test_soft_targets_are_torchs_divergence_times_the_squared_temperature(shape, temperature):
    student, teacher = draw(*shape).requires_grad_(), draw(*shape, seed=1).requires_grad_()
    loss = soft_target_loss(student, teacher, temperature)
    rows = [tensor.reshape(-1, shape[-1]) / temperature for tensor in (student, teacher.detach())]
    expected = nn.KLDivLoss(reduction="batchmean")(rows[0].log_softmax(-1), rows[1].softmax(-1)) * temperature**2
    assert torch.allclose(loss, expected, atol=1e-12)
    gradient, *_ = torch.autograd.grad(loss, student, retain_graph=True)
    assert torch.allclose(gradient, torch.autograd.grad(expected, student)[0], atol=1e-12)
    loss.backward()
    assert teacher.grad is None


def test_the_gradient_hardly_depends_on_the_temperature():
    teacher, sizes = draw(50, 20, seed=1) * 0.1, []
    for temperature in (1.0, 10.0):
        student = (draw(50, 20) * 0.1).requires_grad_()
        soft_target_loss(student, teacher, temperature).backward()
        sizes.append(student.grad.norm().item())
    assert sizes[0] == pytest.approx(sizes[1], rel=0.1)


def test_at_temperature_1_and_a_sure_teacher_it_is_cross_entropy():
    student, labels = draw(4, 5), torch.tensor([1, 0, 4, 2])
    teacher = torch.full((4, 5), -1e4, dtype=torch.float64).scatter(1, labels[:, None], 0.0)
    assert torch.allclose(soft_target_loss(student, teacher, 1.0), nn.functional.cross_entropy(student, labels))


def test_hidden_states_are_compared_as_torch_compares_them():
    student, teacher = draw(7, 4).requires_grad_(), draw(7, 4, seed=1)
    loss = hidden_cosine_loss(student, teacher)
    expected = nn.CosineEmbeddingLoss()(student, teacher, torch.ones(7, dtype=torch.float64))
    assert torch.allclose(loss, expected, atol=1e-10)
    assert torch.allclose(hidden_cosine_loss(3 * student, teacher), loss)


def test_without_a_row_there_is_no_loss():
    assert soft_target_loss(draw(0, 5), draw(0, 5)) == 0 and hidden_cosine_loss(draw(0, 5), draw(0, 5)) == 0


@pytest.mark.parametrize("kind", [MaskedLanguageModel, lambda config: SequenceClassifier(config, labels=3)])
@pytest.mark.parametrize("name", ["bert-nano", "eurobert-nano"])
def test_a_student_with_all_layers_is_its_teacher_and_one_with_fewer_has_their_weights(name, kind):
    teacher = kind(EncoderConfig.preset(name)).eval()
    before = {key: value.clone() for key, value in teacher.state_dict().items()}
    ids = torch.tensor([[2, 9, 11, 3]])
    same, student = keep_layers(teacher, range(4)), keep_layers(teacher, [0, 2])
    with torch.no_grad():
        assert torch.equal(same(ids).logits, teacher(ids).logits)
        assert student(ids).logits.shape == teacher(ids).logits.shape
        hidden = teacher.encoder(ids, output_hidden_states=True).hidden_states
        assert torch.equal(student.encoder(ids, output_hidden_states=True).hidden_states[1], hidden[1])
    theirs = student.state_dict()
    for key, value in before.items():
        if key.startswith("encoder.blocks."):
            layer, rest = key.removeprefix("encoder.blocks.").split(".", 1)
            if layer in "02":
                assert torch.equal(theirs[f"encoder.blocks.{int(layer) // 2}.{rest}"], value)
        else:
            assert torch.equal(theirs[key], value)
    next(student.encoder.blocks.parameters()).data.zero_()
    assert all(torch.equal(value, before[key]) for key, value in teacher.state_dict().items())
    assert teacher.config.layers == 4


def test_a_student_is_saved_and_opened(tmp_path):
    student = keep_layers(MaskedLanguageModel(EncoderConfig.preset("bert-nano")), [0, 3])
    student.save_pretrained(tmp_path)
    again = MaskedLanguageModel.from_pretrained(tmp_path)
    assert all(torch.equal(value, again.state_dict()[key]) for key, value in student.state_dict().items())
    assert again.decoder.weight is again.encoder.embeddings.token.weight
    assert student.decoder.weight is student.encoder.embeddings.token.weight  # tied, as the teacher's are


MODERN = EncoderConfig.preset("modernbert-nano")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: keep_layers(Encoder(MODERN), []), "one or more of 0 ... 3"),
        (lambda: keep_layers(Encoder(MODERN), [0, 4]), "one or more of 0 ... 3"),
        (lambda: keep_layers(Encoder(MODERN), [0, 3]), "layers \\[3\\] would change"),
        (
            lambda: keep_layers(
                Encoder(MODERN.replace(layer_types=("global",), local_window=None, rope_theta_local=None)), [1, 2]
            ),
            "no norm",
        ),
        (lambda: soft_target_loss(draw(2, 3), draw(2, 4)), "student's are \\(2, 3\\)"),
        (lambda: soft_target_loss(draw(2, 3), draw(2, 3), 0.0), "temperature is 0.0"),
        (lambda: hidden_cosine_loss(draw(2, 3), draw(2, 6)), "hidden states"),
    ],
)
def test_what_does_not_fit_is_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()
