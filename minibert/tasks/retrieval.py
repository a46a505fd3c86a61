"""Search: documents as vectors, and for a query those with the highest cosine.

With one vector for a document all of its words share it (`Index`). Late interaction keeps one for every token, and lets
each token of the query look for its best partner in the document (`max_sim`).
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from minibert.tasks.neighbours import check_texts, unit_vectors


class Index:
    """Documents to search in, each as one vector; `names`, where given, are what the answers call them.

    Shape: vectors (T, D) of any length -> `vectors` (T, D) float64 at length 1.

    Raises:
        ValueError: not a finite floating point (T, D), a vector of zeros, or names that do not fit the vectors.

    >>> index = Index(torch.tensor([[1.0, 0.0], [0.0, 2.0]]), ["east", "north"])
    >>> index.search(torch.tensor([[1.0, 5.0]]), count=1)
    [[('north', 0.980580675691)]]
    """

    def __init__(self, vectors: Tensor, names: Sequence[str] | None = None):
        self.vectors = unit_vectors(vectors, "vectors", "(T, D)")
        self.names = range(len(vectors)) if names is None else check_texts(names, len(vectors), "names")

    def cosines(self, queries: Tensor) -> Tensor:
        """The cosine of each query with each document: (Q, D) -> (Q, T), float64 rounded to 12 digits.

        Raises:
            ValueError: not a finite floating point (Q, D), another D than the documents', or a vector of zeros.

        >>> Index(torch.eye(2)).cosines(torch.tensor([[0.0, 7.0]])).tolist()
        [[0.0, 1.0]]
        """
        queries = unit_vectors(queries, "queries", "(Q, D)")
        if queries.shape[1] != self.vectors.shape[1]:
            raise ValueError(
                f"queries are {queries.shape[1]} wide, the documents {self.vectors.shape[1]}: embed both with one model"
            )
        return (queries @ self.vectors.T).clamp(-1, 1).round(decimals=12)

    def search(self, queries: Tensor, count: int = 10) -> list[list[tuple]]:
        """For each query the `count` documents with the highest cosine, best first: (name or number, cosine).

        Of equals the one with the smaller number comes first; with fewer documents than `count`, all of them come.

        Shape: queries (Q, D) -> Q lists of pairs.

        Raises:
            ValueError: as for `cosines`, or a count below 1.

        >>> Index(torch.eye(2)).search(torch.tensor([[3.0, 4.0]]))
        [[(1, 0.8), (0, 0.6)]]
        """
        if isinstance(count, bool) or not isinstance(count, int) or count < 1:
            raise ValueError(f"count={count!r}: expected a whole number of at least 1")
        cosines, order = torch.sort(self.cosines(queries), dim=1, descending=True, stable=True)
        return [
            [(self.names[number], cosine) for number, cosine in zip(best, found, strict=True)]
            for best, found in zip(order[:, :count].tolist(), cosines[:, :count].tolist(), strict=True)
        ]

    def ranks(self, queries: Tensor, right: Tensor) -> Tensor:
        """The rank, from 1, at which each query finds its one right document.

        Documents with the same cosine as the right one count as found before it, so vectors that are all alike do not
        look good. Recall@k is the share of ranks up to k.

        Shape: queries (Q, D), right (Q,) numbers of documents -> (Q,) int64.

        Raises:
            ValueError: as for `cosines`, or `right` holds something else than a document's number for each query.

        >>> Index(torch.eye(3)).ranks(torch.tensor([[9.0, 1.0, 2.0], [1.0, 1.0, 0.0]]), torch.tensor([1, 1])).tolist()
        [3, 2]
        """
        cosines = self.cosines(queries)
        if right.shape != cosines.shape[:1] or right.dtype.is_floating_point or right.dtype == torch.bool:
            raise ValueError(f"right is {right.dtype} {tuple(right.shape)}, expected integers ({len(cosines)},)")
        if int(right.min()) < 0 or int(right.max()) >= cosines.shape[1]:
            raise ValueError(
                f"right spans {int(right.min())}..{int(right.max())}, the documents 0..{cosines.shape[1] - 1}"
            )
        return ranks_of(cosines, right)


def ranks_of(scores: Tensor, right: Tensor) -> Tensor:
    """The rank, from 1, of each query's one right document; what scores the same counts as found before it.

    Shape: scores (Q, T), right (Q,) numbers of documents -> (Q,) int64.

    >>> ranks_of(torch.tensor([[2.0, 1.0], [3.0, 3.0]]), torch.tensor([0, 1])).tolist()
    [1, 2]
    """
    own = scores.gather(1, right[:, None].long())  # (Q, 1)
    return (scores >= own).sum(1)


def max_sim(query: Tensor, document: Tensor) -> Tensor:
    """Late interaction: each query token's highest cosine with any token of the document, summed over the query.

    Padding has no place here: give the real tokens alone.

    Shape: query (Q, D), document (T, D) -> a scalar of at most Q, in the dtype of the query; has a gradient.

    Raises:
        ValueError: not a floating point (Q, D) and (T, D) with the same D, or no token in one of them.

    Source: Khattab and Zaharia 2020 (ColBERT), equation 3.

    >>> query, document = torch.tensor([[2.0, 0.0], [0.0, 1.0]]), torch.tensor([[3.0, 0.0], [1.0, 1.0]])
    >>> round(max_sim(query, document).item(), 4)  # cos 0, and cos of 45 degrees
    1.7071
    """
    for name, tokens in (("query", query), ("document", document)):
        if tokens.dim() != 2 or not len(tokens) or not tokens.is_floating_point():
            raise ValueError(f"{name} is {tokens.dtype} {tuple(tokens.shape)}, expected floating point (tokens, D)")
    if query.shape[1] != document.shape[1]:
        raise ValueError(f"query tokens are {query.shape[1]} wide, document tokens {document.shape[1]}: use one model")
    cosines = F.normalize(query, dim=-1) @ F.normalize(document, dim=-1).T  # (Q, T)
    return cosines.amax(1).sum()
