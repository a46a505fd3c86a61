"""Answers to 13.3, FLOPs."""

from minibert import EncoderConfig
from minibert.course.exercises.ex_13_3 import forward_flops, step_flops
from minibert.model.cost import model_flops


def product(a, b, c):
    return 2 * a * b * c


def by_products(model, lengths, padded):
    """Product by product, as they stand in a forward pass."""
    D, K, layers, classes = model
    total = 0
    for length in [max(lengths)] * len(lengths) if padded else lengths:
        for heads, F in layers:
            for _ in range(heads):
                total += 3 * product(length, D, K) + product(length, K, D)
                total += product(length, K, length) + product(length, length, K)
            total += product(length, D, F) + product(length, F, D)
        total += product(1, D, D) + product(1, D, classes)
    return total


def by_weights(model, lengths, padded):
    """Two operations for each weight that a token meets, and what attention adds."""
    width, size, layers, classes = model
    rows = [max(lengths)] * len(lengths) if padded else list(lengths)
    squares = sum(T**2 for T in rows)
    count = 0
    for kept, inner in layers:
        count += sum(rows) * (4 * width * kept * size + 2 * width * inner) + 2 * squares * kept * size
    return 2 * count + 2 * len(rows) * width * (width + classes)


def step(student, teacher, lengths, padded):
    total = 3 * by_weights(student, lengths, padded)
    if teacher is not None:
        total += by_weights(teacher, lengths, padded)
        if student[0] != teacher[0]:
            total += 6 * (max(lengths) * len(lengths) if padded else sum(lengths)) * student[0] * teacher[0]
    return total


def by_package(model, lengths, padded):
    """The package's count, layer by layer: it knows no heads that were removed, and no pooler."""
    D, _K, layers, _classes = model
    total = 0
    for _heads, F in layers:
        config = EncoderConfig.preset("bert-base").replace(hidden=D, heads=1, layers=1, intermediate=F)
        total += model_flops(config, [max(lengths)] * len(lengths) if padded else lengths)
    return total


def six_n(model, lengths, padded):
    """2 N for each token, with N all weights: the rule of thumb of large models."""
    D, K, layers, classes = model
    return 2 * sum(lengths) * (sum(4 * D * h * K + 2 * D * F for h, F in layers) + D * D + D * classes)


def one_row(model, lengths, padded):
    return forward_flops(model, [sum(lengths)], padded)


def as_float(model, lengths, padded):
    return forward_flops(model, lengths, padded) / 1


def six_times(student, teacher, lengths, padded):
    total = step_flops(student, teacher, lengths, padded)
    return total + 2 * forward_flops(teacher, lengths, padded) if teacher else total


def package_step(student, teacher, lengths, padded):
    total = 3 * forward_flops(student, lengths, padded)
    return total + forward_flops(teacher, lengths, padded) if teacher else total


RIGHT = {"product by product": (by_products, step_flops), "from the weights": (by_weights, step)}
WRONG = {
    "the package's own": ((by_package, step_flops), "removed|pooler"),
    "two for each parameter": ((six_n, step_flops), "count"),
    "one long row": ((one_row, step_flops), "sum of squares|count"),
    "a float": ((as_float, step_flops), "float"),
    "the teacher trains": ((forward_flops, six_times), "it is only asked|through the teacher"),
    "no bridge": ((forward_flops, package_step), "bridge"),
}
