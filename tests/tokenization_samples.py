"""Texts and comparisons the tokenizer tests share; everything here is made on the spot, nothing is fetched."""

import random
import sysconfig
from pathlib import Path

from hypothesis import strategies as st

from minibert.tokenization import ByteLevelBPETokenizer, WordPieceTokenizer
from minibert.tokenization.rust import RustTokenizer

MULTILINGUAL = [
    "The quick brown fox doesn't jump over 3,141.59 lazy dogs; it's $5.00!",
    "Zażółć gęślą jaźń. Příliš žluťoučký kůň. Ærøskøbing, straße, ẞ, İstanbul, ılık.",
    "Съешь ещё этих мягких французских булок. Πάντες ἄνθρωποι τοῦ εἰδέναι ὀρέγονται φύσει ΟΔΟΣ.",
    "汉字和日本語のテキスト、한국어 문장。 ไทยภาษา हिन्दी देवनागरी தமிழ் 𠀀𪜀",
    "مرحبا بالعالم ١٢٣ עברית שָׁלוֹם",
    "👩‍👩‍👧‍👦 😀 ½ ² ﬁ Ⅷ ﷺ ¡¿ “quotes” ‘single’ — – … ™",
    "cafe\u0301 a\u0323\u0302 \u1112\u1161\u11ab q\u0323\u0344",
    "\u0958 x\u302e\u0323 \U0001d158\U0001d165",
    "tab\tnew\nline\r\nno\u00a0break zero\u200bwidth soft\u00adhyphen \ufeffbom",
    "line\u2028end \u2029 \x00 \x1c \x85 \ufffd \ue000",
    "   leading,  double   triple \n\n\n  trailing   ",
    "[MASK] x[MASK] [MASK].[SEP] [mask] [CLS]a  [MASK]",
    "I'LL we'Ve 'S 'ſ 1234567 12 ab12cd _under_score __init__(self, x=None) -> 0xFF",
    "",
    " ",
    "a" * 150 + " " + "b" * 100,
    "aaa aaaa aaaaa " + "-" * 70,
]
# Characters that meet in the awkward cases: marks, controls, spaces, quotes, ideographs, added tokens.
AWKWARD = "ab Zé\u0301\u0323\u0344\u302e\u0958漢가하\u11ab\x00\x1c\x85\u2028\u00a0\t\n\r'sſ\u200b1½😀İΣς\ufffd\ue000._"

awkward_text = st.text(alphabet=AWKWARD, max_size=30)
# Any text, except characters younger than the library's Unicode tables (see normalization.py, point 4).
settled_text = st.text(alphabet=st.characters(codec="utf-8", max_codepoint=0x2FFF), max_size=40)


def standard_library(limit: int) -> list[str]:
    """Source files of Python's standard library, in a fixed order, about `limit` characters of them."""
    texts: list[str] = []
    folder = Path(sysconfig.get_paths()["stdlib"])
    for path in sorted([*folder.glob("*.py"), *folder.glob("[a-z]*/*.py")]):
        if "site-packages" in path.parts or sum(map(len, texts)) >= limit:
            continue
        try:
            texts.append(path.read_text(encoding="utf-8"))
        except UnicodeDecodeError:
            continue
    return texts


def generated(seed: int, words: int, alphabet: str = "abcd") -> str:
    """Words over a tiny alphabet: full of ties and of overlapping pairs such as "aaa"."""
    rng = random.Random(seed)
    lexicon = ["".join(rng.choices(alphabet, k=rng.randint(1, 9))) for _ in range(60)]
    return " ".join(rng.choices(lexicon, k=words))


def wordpiece(**options) -> WordPieceTokenizer:
    """A WordPiece tokenizer that has seen a little of everything."""
    return WordPieceTokenizer.train([*MULTILINGUAL, *standard_library(100_000)], vocab_size=1500, **options)


def byte_level(**options) -> ByteLevelBPETokenizer:
    """A byte-level tokenizer that has seen a little of everything."""
    return ByteLevelBPETokenizer.train([*MULTILINGUAL, *standard_library(100_000)], vocab_size=1500, **options)


def in_rust(tok, folder: Path) -> RustTokenizer:
    """The same tokenizer, run by the library."""
    tok.save(folder / "tokenizer.json")
    return RustTokenizer.from_file(folder / "tokenizer.json")


def assert_same(ours, theirs, text: str, pair: str | None = None, **options) -> None:
    """Ids, tokens, offsets, segments, special mask and word numbers agree, and `ids` agrees with `encode`."""
    mine, other = ours.encode(text, pair, **options), theirs.encode(text, pair, **options)
    assert mine.tokens == other.tokens, text
    assert mine == other, text
    if pair is None and not options:
        bare = theirs.ids(text)
        assert ours.ids(text) == bare, text
        assert ours.decode(bare) == theirs.decode(bare), text
