"""Exercise 6.2: the formula, and mistakes that its check must recognise."""

from minibert.course.exercise import Mutant


def _count_parameters(V, D, L, F, positions=512, segments=2, pooler=True, mlm=False):
    norm, square = 2 * D, D * D + D
    embeddings = (V + positions + segments) * D + norm
    block = 4 * square + (D * F + F) + (F * D + D) + 2 * norm
    head = square + norm + V  # a dense layer, a norm, a bias; the matrix is the token table
    return embeddings + L * block + (square if pooler else 0) + (head if mlm else 0)


def _forgets_biases(V, D, L, F, positions=512, segments=2, pooler=True, mlm=False):
    block = 4 * D * D + 2 * D * F + 4 * D
    return (V + positions + segments) * D + 2 * D + L * block + pooler * D * D + mlm * (D * D + 2 * D + V)


def _forgets_segments(V, D, L, F, positions=512, segments=2, pooler=True, mlm=False):
    return _count_parameters(V, D, L, F, positions, 0, pooler, mlm)


def _forgets_pooler(V, D, L, F, positions=512, segments=2, pooler=True, mlm=False):
    return _count_parameters(V, D, L, F, positions, segments, False, mlm)


def _always_pools(V, D, L, F, positions=512, segments=2, pooler=True, mlm=False):
    return _count_parameters(V, D, L, F, positions, segments, True, mlm)


def _counts_the_head(V, D, L, F, positions=512, segments=2, pooler=True, mlm=False):
    return _count_parameters(V, D, L, F, positions, segments, pooler, True)


def _counts_the_decoder_again(V, D, L, F, positions=512, segments=2, pooler=True, mlm=False):
    return _count_parameters(V, D, L, F, positions, segments, pooler, mlm) + mlm * V * D


def _three_matrices(V, D, L, F, positions=512, segments=2, pooler=True, mlm=False):
    return _count_parameters(V, D, L, F, positions, segments, pooler, mlm) - L * (D * D + D)


def _no_first_norm_no_positions(V, D, L, F, positions=512, segments=2, pooler=True, mlm=False):
    return _count_parameters(V, D, L, F, 0, segments, pooler, mlm) - 2 * D


def _positions_of_512(V, D, L, F, positions=512, segments=2, pooler=True, mlm=False):
    return _count_parameters(V, D, L, F, 512, segments, pooler, mlm)


def _returns_a_float(V, D, L, F, positions=512, segments=2, pooler=True, mlm=False):
    return float(_count_parameters(V, D, L, F, positions, segments, pooler, mlm))


def _takes_four_times_the_width(V, D, L, F, positions=512, segments=2, pooler=True, mlm=False):
    return _count_parameters(V, D, L, 4 * D, positions, segments, pooler, mlm)


MUTANTS = [
    Mutant("forgets biases", _forgets_biases, "biases of the dense layers are forgotten"),
    Mutant("forgets segments", _forgets_segments, "segment table is forgotten"),
    Mutant("forgets the pooler", _forgets_pooler, "pooler is forgotten"),
    Mutant("always a pooler", _always_pools, "no pooler here"),
    Mutant("counts the prediction head", _counts_the_head, "prediction head is counted"),
    Mutant("counts the token table twice", _counts_the_decoder_again, "used a second time"),
    Mutant("three matrices of attention", _three_matrices, "output projection"),
    Mutant("two things", _no_first_norm_no_positions, "two things: .*position.*norm behind"),
    Mutant("always 512 positions", _positions_of_512, "512 positions, whatever"),
    Mutant("F is 4 D", _takes_four_times_the_width, "this takes 4 D"),
    Mutant("returns nothing", lambda *sizes, **named: None, "`return` missing"),
    Mutant("returns a float", _returns_a_float, "type int"),
]
