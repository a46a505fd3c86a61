"""InfoNCE against the same sum written out, pair by pair."""

import math

import pytest
import torch

from minibert.objectives import info_nce


def pair(rows: int, width: int = 6, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return tuple(torch.randn(rows, width, generator=generator, dtype=torch.float64) for _ in range(2))


def written_out(queries, documents, temperature: float) -> float:
    """-log of the right one's share, over all queries and then over all documents, in plain numbers."""

    def score(a, b):
        return math.exp(torch.nn.functional.cosine_similarity(a, b, dim=0).item() / temperature)

    rows, losses = range(len(queries)), []
    for i in rows:
        own = score(queries[i], documents[i])
        losses.append(-math.log(own / sum(score(queries[i], documents[j]) for j in rows)))
        losses.append(-math.log(own / sum(score(queries[j], documents[i]) for j in rows)))
    return sum(losses) / len(losses)


@pytest.mark.parametrize("rows", [2, 5, 17])
@pytest.mark.parametrize("temperature", [0.05, 1.0])
def test_it_is_the_sum_written_out(rows, temperature):
    queries, documents = pair(rows)
    assert info_nce(queries, documents, temperature).item() == pytest.approx(
        written_out(queries, documents, temperature), rel=1e-9
    )


def test_it_is_torchs_cross_entropy_in_both_directions():
    queries, documents = pair(7)
    cosine = torch.nn.functional.cosine_similarity(queries[:, None], documents[None], dim=-1)
    one_way = torch.nn.CrossEntropyLoss()(cosine / 0.1, torch.arange(7))
    back = torch.nn.CrossEntropyLoss()(cosine.T / 0.1, torch.arange(7))
    assert torch.allclose(info_nce(queries, documents, 0.1), (one_way + back) / 2)
    assert not torch.allclose(one_way, back), "one direction alone is another loss"
    assert torch.allclose(info_nce(queries, documents, 0.1), info_nce(documents, queries, 0.1))


def test_lengths_do_not_matter_and_gradients_are_right():
    queries, documents = pair(4)
    assert torch.allclose(info_nce(queries * 3, documents / 5), info_nce(queries, documents))
    queries.requires_grad_(), documents.requires_grad_()
    assert torch.autograd.gradcheck(lambda a, b: info_nce(a, b, 0.5), (queries, documents))


@pytest.mark.parametrize(
    ("queries", "documents", "temperature", "complaint"),
    [
        (torch.ones(3, 4), torch.ones(3, 5), 0.1, "expected both"),
        (torch.ones(3), torch.ones(3), 0.1, "expected both"),
        (torch.ones(1, 4), torch.ones(1, 4), 0.1, "needs two"),
        (torch.ones(3, 4), torch.ones(3, 4), 0.0, "above 0"),
    ],
)
def test_bad_batches_are_refused(queries, documents, temperature, complaint):
    with pytest.raises(ValueError, match=complaint):
        info_nce(queries, documents, temperature)
