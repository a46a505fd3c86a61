"""Generated corpora: seeded, offline, the same bytes on every platform. For tests, CI and where no real data exists.

documents         coherent texts, a stand-in for a pre-training corpus
polysemy          ambiguous words in context, labelled with their sense
agreement_pairs   minimal pairs for subject-verb agreement
nli, sts          sentence pairs with three labels, with a similarity of 0 to 5
spans             questions whose answers are spans of a context
tagged            named entities in IOB2
sentiment         opinions with negation and contrast
stories           who has what, in 47 words: what a small encoder learns in seconds

Everything with a `split` keeps names, verbs and sentence frames of "test" out of "train".
"""

from minibert.corpora.synthetic.agreement import AgreementPair, agreement_pairs
from minibert.corpora.synthetic.documents import documents
from minibert.corpora.synthetic.nli import LABELS as NLI_LABELS
from minibert.corpora.synthetic.nli import Pair, nli
from minibert.corpora.synthetic.senses import SenseExample, polysemy
from minibert.corpora.synthetic.sentiment import Opinion, sentiment
from minibert.corpora.synthetic.spans import SpanExample, spans
from minibert.corpora.synthetic.stories import stories
from minibert.corpora.synthetic.sts import ScoredPair, sts
from minibert.corpora.synthetic.tagged import TAGS as NER_TAGS
from minibert.corpora.synthetic.tagged import tagged

__all__ = [
    "NER_TAGS",
    "NLI_LABELS",
    "AgreementPair",
    "Opinion",
    "Pair",
    "ScoredPair",
    "SenseExample",
    "SpanExample",
    "agreement_pairs",
    "documents",
    "nli",
    "polysemy",
    "sentiment",
    "spans",
    "stories",
    "sts",
    "tagged",
]
