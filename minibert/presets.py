"""The published encoders and their CPU-sized relatives, as plain dictionaries of EncoderConfig fields.

A family is a dictionary; a size is the same dictionary with other numbers. BERT's values are the defaults.
Sources: Devlin et al. 2019 (section 3, appendix A.2), Warner et al. 2024 (tables 3, 4), Boizard et al. 2025 (table 3).
"""

NO_DROPOUT = dict(
    dropout_embed=0.0,
    dropout_attn_probs=0.0,
    dropout_attn_out=0.0,
    dropout_mlp_inner=0.0,
    dropout_mlp_out=0.0,
    dropout_classifier=0.0,
)
MODERNBERT = NO_DROPOUT | dict(
    vocab_size=50368,
    hidden=768,
    layers=22,
    heads=12,
    intermediate=1152,
    max_len=8192,
    position="rope",
    rope_theta=160_000.0,
    rope_theta_local=10_000.0,
    layer_types=("global", "local", "local"),
    local_window=128,
    segments=0,
    norm_eps=1e-5,
    norm_bias=False,
    norm_placement="pre",
    skip_first_attn_norm=True,
    final_norm=True,
    mlp="glu",
    attention_bias=False,
    mlp_bias=False,
    dropout_attn_out=0.1,  # pre-training used 0.1 here and 0 elsewhere (Warner et al., table 3)
    head_bias=False,
    pool="cls",
    nsp=False,
    init="megatron",
    pad_id=50283,
    mask_id=50284,
    cls_id=50281,
    sep_id=50282,
)
EUROBERT = NO_DROPOUT | dict(
    vocab_size=128256,
    hidden=768,
    layers=12,
    heads=12,
    intermediate=3072,
    kv_heads=12,
    max_len=8192,
    position="rope",
    rope_theta=250_000.0,
    segments=0,
    norm="rmsnorm",
    norm_eps=1e-5,
    norm_bias=False,
    norm_placement="pre",
    embed_norm=False,
    final_norm=True,
    mlp="glu",
    act="silu",
    attention_bias=False,
    mlp_bias=False,
    mlm_head="linear",
    head_bias=False,
    decoder_bias=False,
    tie=False,
    pool="late",
    nsp=False,
    init="normal",
    pad_id=128001,  # the same token as the end of text: never rebuild a mask from `ids != pad_id`
    mask_id=128002,
    cls_id=128000,
    sep_id=128001,
)
ETTIN = MODERNBERT | dict(rope_theta_local=160_000.0)
MMBERT = ETTIN | dict(vocab_size=256_000, pad_id=0, mask_id=4, cls_id=2, sep_id=1)
DISTILBERT = dict(layers=6, segments=0, dropout_attn_out=0.0, dropout_classifier=0.2, pool="relu", nsp=False)
ROBERTA = dict(
    vocab_size=50265,
    position_offset=2,  # a table of 514 rows; the first token has row 2
    segments=1,
    norm_eps=1e-5,
    head_act="gelu",
    nsp=False,
    pad_id=1,
    mask_id=50264,
    cls_id=0,
    sep_id=2,
)
LARGE = dict(hidden=1024, layers=24, heads=16, intermediate=4096)
NOMICBERT = NO_DROPOUT | dict(
    vocab_size=30528,
    max_len=2048,
    position="rope",
    rope_theta=1_000.0,
    mlp="glu",
    act="silu",
    attention_bias=False,
    mlp_bias=False,
    pool="tanh",
    nsp=False,
)
NEOBERT = EUROBERT | dict(
    vocab_size=30522,
    kv_heads=None,
    layers=28,
    intermediate=2048,
    max_len=4096,
    rope_theta=10_000.0,
    dropout_classifier=0.1,
    decoder_bias=True,
    pool="tanh",
    pad_id=0,
    mask_id=103,
    cls_id=101,
    sep_id=102,
)
# The nano models see few steps of small text: dropout would only slow them down. Their ids are those of a tokenizer
# that minibert trained: [PAD] [UNK] [CLS] [SEP] [MASK] = 0 .. 4. The papers' init_std of 0.02 is for vectors of 768 and
# more; at a width of 128 it starts so near to zero that short runs never leave the word frequencies (see LOG.md).
NANO = NO_DROPOUT | dict(vocab_size=8000, hidden=128, heads=4, init_std=0.06, pad_id=0, cls_id=2, sep_id=3, mask_id=4)

PRESETS = {
    "bert-base": {},
    "bert-large": LARGE,
    "modernbert-base": MODERNBERT,
    "modernbert-large": MODERNBERT | dict(hidden=1024, layers=28, heads=16, intermediate=2624),
    "eurobert-210m": EUROBERT,
    "eurobert-610m": EUROBERT | dict(hidden=1152, layers=26, heads=18, kv_heads=6, intermediate=4096),
    "eurobert-2.1b": EUROBERT | dict(hidden=2304, layers=32, heads=18, kv_heads=6, intermediate=6144),
    "distilbert-base": DISTILBERT,
    "roberta-base": ROBERTA,
    "roberta-large": ROBERTA | LARGE,
    "camembert-base": ROBERTA | dict(vocab_size=32005, mask_id=32004),
    "xlm-roberta-base": ROBERTA | dict(vocab_size=250002, mask_id=250001),
    "xlm-roberta-large": ROBERTA | LARGE | dict(vocab_size=250002, mask_id=250001),
    "nomicbert": NOMICBERT,
    "neobert": NEOBERT,
    "ettin-17m": ETTIN | dict(layers=7, hidden=256, intermediate=384, heads=4),
    "ettin-32m": ETTIN | dict(layers=10, hidden=384, intermediate=576, heads=6),
    "ettin-68m": ETTIN | dict(layers=19, hidden=512, intermediate=768, heads=8),
    "ettin-150m": ETTIN,
    "ettin-400m": ETTIN | dict(layers=28, hidden=1024, intermediate=2624, heads=16),
    "ettin-1b": ETTIN | dict(layers=28, hidden=1792, intermediate=3840, heads=28),
    "mmbert-small": MMBERT | dict(hidden=384, heads=6),
    "mmbert-base": MMBERT,
    "bert-nano": NANO | dict(layers=4, intermediate=512, max_len=128),
    "modernbert-nano": MODERNBERT | NANO | dict(layers=4, intermediate=256, max_len=512, local_window=32),
    "eurobert-nano": EUROBERT | NANO | dict(layers=4, kv_heads=2, intermediate=256, max_len=512),
}
