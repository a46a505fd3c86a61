"""Every key of config.json: read, without effect on what `transformers` computes, or refused by its name.

The oracle is `transformers`: a small model is made with the key changed and saved; our model of that folder says the
same, or the folder is refused and the message names the key.
"""

import dataclasses
import json

import pytest
import torch
from tiny_transformers import PREFIXES, RELATIVES, answers, our_answers, tiny_batch, tiny_config, tiny_model

from minibert import model as models

COMMON = {  # of PreTrainedConfig, and keys that folders in the wild carry
    "transformers_version": ["4.30.0"],
    "architectures": [None, ["Nonsense"]],
    "output_hidden_states": [True],
    "return_dict": [True],
    "dtype": ["float16", None],
    "chunk_size_feed_forward": [23],
    "is_encoder_decoder": [True],
    "id2label": [{0: "a", 1: "b", 2: "c"}],
    "label2id": [{"c": 0, "b": 1, "a": 2}],
    "problem_type": ["regression", "multi_label_classification"],
    "pad_token_id": [None, 7],
    "bos_token_id": [7],
    "eos_token_id": [7, [7, 8]],
    "vocab_size": [73],
    "hidden_size": [16],
    "num_hidden_layers": [1, 4],
    "num_attention_heads": [2, 8],
    "intermediate_size": [24],
    "max_position_embeddings": [23, 64],
    "initializer_range": [0.5],
    "tie_word_embeddings": [True, False],
    "attention_dropout": [0.5],
    # no fields of theirs, but read somewhere, or written by somebody
    "is_decoder": [True],
    "is_causal": [True],
    "use_cache": [False],
    "torch_dtype": ["float16"],
    "attn_implementation": ["eager"],
    "partial_rotary_factor": [0.5],
    "head_dim": [16],
    "sliding_window": [8],
    "layer_norm_eps": [0.3],
    "temperature": [7.0],
    "tie_last_hidden_states": [False],
}
KEYS = {
    "bert": COMMON
    | {
        "hidden_act": ["gelu_new", "silu", "relu", "gelu_pytorch_tanh", "quick_gelu"],
        "hidden_dropout_prob": [0.5],
        "attention_probs_dropout_prob": [0.5],
        "type_vocab_size": [1, 4],
        "classifier_dropout": [0.7],
        "add_cross_attention": [True],
        "rope_theta": [3.0],
    },
    "modernbert": COMMON
    | {
        "cls_token_id": [9],
        "sep_token_id": [9],
        "hidden_activation": ["silu", "relu"],
        "classifier_activation": ["silu", "relu"],
        "initializer_cutoff_factor": [1.0],
        "norm_eps": [0.3],
        "norm_bias": [True],
        "attention_bias": [True],
        "mlp_bias": [True],
        "layer_types": [["full_attention"] * 5, ["sliding_attention"] * 5, ["full_attention", "sliding_attention"] * 2],
        "global_attn_every_n_layers": [1, 2],
        "rope_parameters": [
            {"full_attention": {"rope_theta": 90.0}, "sliding_attention": {"rope_theta": 30.0}},
            {"full_attention": {"rope_theta": 90.0}},
            {"full_attention": {"rope_type": "linear", "factor": 4.0, "rope_theta": 90.0}},
        ],
        "rope_scaling": [{"rope_type": "default", "rope_theta": 50.0}, {"rope_type": "linear", "factor": 4.0}],
        "global_rope_theta": [20.0],
        "local_rope_theta": [20.0],
        "rope_theta": [3.0],
        "local_attention": [2, 9],
        "embedding_dropout": [0.5],
        "mlp_dropout": [0.5],
        "decoder_bias": [False],
        "classifier_pooling": ["mean"],
        "classifier_dropout": [0.5],
        "classifier_bias": [True],
        "deterministic_flash_attn": [True],
        "sparse_prediction": [True],
        "sparse_pred_ignore_index": [7],
        "reference_compile": [True],
        "repad_logits_with_grad": [True],
    },
    "eurobert": COMMON
    | {
        "hidden_act": ["gelu", "relu"],
        "num_key_value_heads": [1, 4, None],
        "rms_norm_eps": [0.3],
        "pretraining_tp": [2],
        "rope_parameters": [
            {"rope_type": "default", "rope_theta": 90.0},
            {"rope_type": "default"},
            {"rope_type": "linear", "factor": 4.0, "rope_theta": 90.0},
            {"rope_type": "default", "rope_theta": 90.0, "partial_rotary_factor": 0.5},
        ],
        "rope_scaling": [{"rope_type": "default", "rope_theta": 50.0}, {"rope_type": "linear", "factor": 4.0}],
        "rope_theta": [90.0],
        "attention_bias": [True],
        "mlp_bias": [True],
        "mask_token_id": [9],
        "classifier_pooling": ["mean", "bos"],
    },
}
KEYS["distilbert"] = COMMON | {
    "sinusoidal_pos_embds": [True],
    "n_layers": [1, 4],
    "n_heads": [2, 8],
    "dim": [16],
    "hidden_dim": [24],
    "dropout": [0.5],
    "activation": ["gelu_new", "silu", "relu", "tanh"],
    "qa_dropout": [0.5],
    "seq_classif_dropout": [0.5],
}
KEYS["roberta"] = KEYS["bert"] | {"max_position_embeddings": [25, 64], "pad_token_id": [7]}
KEYS["nomic_bert"] = KEYS["bert"] | {name: KEYS["eurobert"][name] for name in ("rope_parameters", "rope_scaling")}
KEYS["ultrabert"] = KEYS["eurobert"] | {
    "sliding_window": [1, 8],
    "prediction_head_size": [7, 32],
    "classifier_dropout": [0.5],
    "classifier_pooling": ["mean"],
    "layer_types": [["full_attention"] * 4, ["sliding_attention"] * 4, ["full_attention", "sliding_attention"] * 2],
    "attention_windows": [[5, None, 5, None], [None] * 4, [2, 5, None, None]],
    "rope_parameters": KEYS["modernbert"]["rope_parameters"],
    "rope_scaling": [],
    "rope_theta": [[90.0, 90.0, 30.0, 90.0], [90.0, 30.0, 30.0, 90.0]],
}
OLD = {
    "rope_scaling",
    "attention_windows",
    "rope_theta",
    "global_rope_theta",
    "local_rope_theta",
    "global_attn_every_n_layers",
}
HEADS = {"id2label", "label2id", "problem_type", "classifier_pooling", "classifier_bias", "classifier_activation"}
ROWS = [
    (family, key, value, kind)
    for family, keys in KEYS.items()
    for key, values in keys.items()
    for value in values
    for kind in ["MaskedLanguageModel", *["SequenceClassifier"] * (key in HEADS)]
]


def folder_with(family: str, kind: str, key: str, value, folder):
    """A folder of theirs with one key changed; None where they refuse the value themselves."""
    try:
        theirs = tiny_model(family, kind, **{} if key in OLD else {key: value})
    except Exception:  # of any kind: torch, strict dataclasses and their own checks
        return None
    theirs.save_pretrained(folder)
    raw = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    if key in OLD:  # an old spelling counts where the new one is absent
        raw = {name: value for name, value in raw.items() if name not in ("rope_parameters", "layer_types")}
    (folder / "config.json").write_text(json.dumps(raw | {key: value}), encoding="utf-8")
    return type(theirs).from_pretrained(folder, dtype=torch.float32).eval()  # as they read it


@pytest.mark.parametrize("family", PREFIXES | RELATIVES)
def test_no_key_of_theirs_is_left_out(family):
    fields = {field.name for field in dataclasses.fields(type(tiny_config(family)))}
    assert fields <= KEYS[family].keys(), "a new key: say here what it does"


@pytest.mark.parametrize(("family", "key", "value", "kind"), ROWS, ids=lambda x: str(x)[:40])
def test_a_key_is_read_or_without_effect_or_refused_by_name(family, key, value, kind, tmp_path):
    theirs = folder_with(family, kind, key, value, tmp_path)
    if theirs is None:
        pytest.skip("transformers refuses it")
    try:
        ours = getattr(models, kind).from_pretrained(tmp_path)
    except ValueError as error:
        also = {"mlp_bias": "attention_bias", "hidden_activation": "classifier_activation"}.get(key, key)
        assert key in str(error) or also in str(error)
        return
    theirs.config.output_hidden_states = False
    ids, mask = tiny_batch()
    for got, wanted in zip(our_answers(ours, ids, mask), answers(theirs, ids, mask), strict=True):
        assert (got - wanted).abs().max() < 2e-5
