"""Answers to 19.1, the parameters of any encoder by kind, and the length at which attention costs as much."""

import torch

from minibert import MaskedLanguageModel
from minibert.course.exercises.ex_19_1 import break_even, table_row
from minibert.model.cost import attention_flops, matrix_weights


def from_the_model(config):
    """Build it without numbers and sort its tensors by name."""
    with torch.device("meta"):
        model = MaskedLanguageModel(config)
    found = dict.fromkeys(("tables", "attention", "feed-forward", "vectors", "head"), 0)
    for name, tensor in model.named_parameters():
        if not name.startswith("encoder."):
            kind = "head"
        elif tensor.dim() == 1:
            kind = "vectors"
        elif "embeddings" in name:
            kind = "tables"
        else:
            kind = "attention" if ".attention." in name else "feed-forward"
        found[kind] += tensor.numel()
    return found


def term_by_term(config):
    D, H, G, K = config.hidden, config.heads, config.groups, config.hidden // config.heads
    rows = [config.vocab_size, config.segments, config.max_len if config.rope_theta is None else 0]
    first = config.intermediate * (2 if config.mlp == "glu" else 1)
    norm = D + D * config.norm_bias
    block = [2 * norm, config.attention_bias * ((H + 2 * G) * K + D) + config.mlp_bias * (first + D)]
    vectors = config.layers * sum(block) + norm * (config.embed_norm + config.final_norm - config.skip_first_attn_norm)
    head = config.vocab_size * (config.decoder_bias + D * (not config.tie))
    if config.mlm_head != "linear":
        head += D * (D + config.head_bias) + norm
    return {
        "head": head,
        "vectors": vectors,
        "feed-forward": config.layers * D * (first + config.intermediate),
        "attention": config.layers * D * K * (2 * H + 2 * G),
        "tables": D * sum(rows),
    }


def by_bisection(config):
    """Doubles, then halves: attention grows faster than the matrices."""

    def reached(T):
        return attention_flops(config, [T]) >= 2 * T * matrix_weights(config)[0]

    low, high = 0, 1
    while not reached(high):
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if reached(middle) else (middle, high)
    return high


def as_if_global(config):
    return -(-(matrix_weights(config)[0]) // (2 * config.hidden * config.layers))


def a_list(config):
    return list(table_row(config).values())


def with_millions(config):
    return {kind: count / 1e6 for kind, count in table_row(config).items()}


def other_keys(config):
    return {kind.replace("-", "_"): count for kind, count in table_row(config).items()}


def with_the_sum(config):
    row = table_row(config)
    return row | {"all": sum(row.values())}


def of_bert(config):
    """Forgets that there are other models: no gate, no groups, a table of positions."""
    D, L, F = config.hidden, config.layers, config.intermediate
    return {
        "tables": (config.vocab_size + config.max_len + 2) * D,
        "attention": 4 * L * D * D,
        "feed-forward": 2 * L * D * F,
        "vectors": L * (9 * D + F) + 2 * D,
        "head": D * D + 3 * D + config.vocab_size,
    }


def final_before_the_end(config):
    extra = config.norm_placement == "pre" and not config.final_norm
    row = table_row(config)
    return row | {"vectors": row["vectors"] + extra * config.hidden * (1 + config.norm_bias)}


def linear_without_bias(config):
    row = table_row(config)
    return row | {"head": row["head"] - (config.mlm_head == "linear" and config.decoder_bias) * config.vocab_size}


def cut_off(config):
    return min(break_even(config), 10_000)


def a_float(config):
    return float(break_even(config))


def within_the_context(config):
    return min(break_even(config), config.max_len)


RIGHT = {
    "from the model": (from_the_model, by_bisection),
    "term by term": [term_by_term, break_even],
}
WRONG = {
    "a list": ((a_list, break_even), "table_row: (?s:.)*dict"),
    "millions": ((with_millions, break_even), "table_row: "),
    "other keys": ((other_keys, break_even), "1 keys are missing, such as 'feed-forward'"),
    "a sum too many": ((with_the_sum, break_even), "unknown, such as 'all'"),
    "BERT only": ((of_bert, break_even), "table_row: "),
    "as if global": ((table_row, as_if_global), "as if they were global"),
    "a final norm in all": ((final_before_the_end, break_even), "stands in final_norm"),
    "a linear head has no bias": ((linear_without_bias, break_even), "where decoder_bias says so"),
    "up to 10,000": ((table_row, cut_off), "answers go beyond"),
    "a float": ((table_row, a_float), "int"),
    "within the context": ((table_row, within_the_context), "break_even: "),
    "one thing": (table_row, "all in parentheses"),
}
