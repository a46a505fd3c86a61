"""Generated corpora: same bytes everywhere, well formed, and no easier than they claim to be."""

import hashlib
import json

import pytest

from minibert.corpora import synthetic


def digest(items: list) -> str:
    return hashlib.sha256(json.dumps(items, ensure_ascii=False).encode("utf-8")).hexdigest()[:16]


def test_documents_bytes():
    assert digest(synthetic.documents(50, seed=1)) == "ccf7c3a938a9861a"
    assert synthetic.documents(5, seed=1) == synthetic.documents(50, seed=1)[:5]
    assert synthetic.documents(5, seed=1) != synthetic.documents(5, seed=2)


@pytest.mark.parametrize("bad", [0, -1, 1.5, True, "3"])
def test_documents_refuses_bad_counts(bad):
    with pytest.raises(ValueError, match="count must be"):
        synthetic.documents(bad)
