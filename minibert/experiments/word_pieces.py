"""Real text in word pieces: does a plain BERT beat the counts of neighbours in a run of under a minute?

The rule of the split, the net and the controls are those of `warm_start`, without any bias of distances; the tokens are
4,000 word pieces instead of letters. The rows are short and the learning rate is low, because what else was tried did
not leave the word frequencies in this time (LOG.md). The result says nothing about a long run.
"""

from minibert.experiments.neighbour_counts import CONTROLS, JOINT
from minibert.experiments.record import Experiment
from minibert.experiments.warm_start import WARM_START

WORD_PIECES = Experiment(
    name="word_pieces",
    question="On speeches in 4,000 word pieces: does a short run of BERT beat the counts of neighbours?",
    settings=WARM_START.settings
    | dict(
        letters=False,
        vocab_size=4000,
        row=8,
        width=128,
        feed_forward=512,
        rows_a_step=64,
        steps=1000,
        learning_rate=2e-3,
        held_out_rows=4000,
    ),
    arms=("learned positions", *CONTROLS, JOINT),
    measure=WARM_START.measure,
    tiny=WARM_START.tiny | dict(vocab_size=200),
)
