"""Chapter 3, tokenizers: the checks of its exercises: WordPiece's cut, BPE's merges, fertility."""

from minibert.course.checks.chapter_03_fertility import check_fertility
from minibert.course.checks.chapter_03_merges import check_merges
from minibert.course.checks.chapter_03_pieces import check_pieces
from minibert.course.exercise import Exercise

EXERCISES = [
    Exercise(
        number="3.1",
        title="Cut a word as WordPiece does",
        minutes=20,
        difficulty=2,
        signature="wordpiece(word: str, vocab: set of str, max_chars=100) -> list of str",
        hints=(
            "Stand at the beginning of the word. Take the longest piece of the vocabulary that fits there, step\n"
            "behind it, and do the same again. Getting stuck once anywhere spoils the whole word.",
            "a list of pieces, and the place where the next one starts, from 0 to len(word);\n"
            "candidates: all that start there, from the one that reaches the end of the word down to one character;\n"
            "behind the first piece each candidate is looked up, and returned, with ## in front.\n"
            "Two ways out with the single piece [UNK]: before the loop (too long), and inside it (stuck).",
            "too many characters: the answer is unknown\n"
            "start = 0\n"
            "while the word is not used up:\n"
            "    for stop from the end of the word down to start + 1:\n"
            "        candidate = the characters from start to stop, with ## unless start is 0\n"
            "        in the vocabulary? keep it, go on at stop, leave this loop\n"
            "    no candidate was found: the answer is unknown, whatever was kept before\n"
            "return what was kept",
        ),
        check=check_pieces,
    ),
    Exercise(
        number="3.2",
        title="Apply BPE's merges by rank",
        minutes=20,
        difficulty=3,
        signature="bpe_encode(word: str, merges: list of (str, str), first learnt first) -> list of str",
        hints=(
            "Ask the same question again and again: of all pairs of neighbours that stand in the word NOW, which one\n"
            "was learnt earliest? Join it there, and ask again. What was joined is one symbol from then on.",
            "symbols: a list of texts, at first one for each character, one shorter after each step;\n"
            "pairs: (symbols[0], symbols[1]), (symbols[1], symbols[2]), ..., one fewer than symbols;\n"
            "rank of a pair: its place in `merges`; pairs that are not there have none and are never joined.\n"
            "A word of one character has no pairs.",
            "symbols = the characters of the word\n"
            "repeat:\n"
            "    list (rank, place) of every pair of neighbours that is in merges\n"
            "    if there is none: return symbols\n"
            "    take the smallest: lowest rank, and of equals the leftmost place\n"
            "    put one symbol where the two stood",
        ),
        check=check_merges,
    ),
    Exercise(
        number="3.3",
        title="A table of fertility",
        minutes=15,
        difficulty=2,
        signature="fertility_table(tokenizers: dict name -> tokenizer, texts: dict language -> list of texts) "
        "-> dict name -> dict language -> float",
        hints=(
            "Count twice over all texts of a language, tokens and words, and divide once, at the end.\n"
            "[CLS] and [SEP] are the template's and not the text's.",
            "outer dictionary: one row for each tokenizer; a row: one number for each language.\n"
            "tokens of a text: what the tokenizer gives without its template;\n"
            "words of a text: what stands between white space of any kind and length.",
            "for each tokenizer, for each language:\n"
            "    tokens = 0, words = 0\n"
            "    for each text of the language:\n"
            "        tokens += number of its ids, without special tokens\n"
            "        words += number of parts between white space\n"
            "    the table at [tokenizer][language] is tokens over words",
        ),
        check=check_fertility,
    ),
]
