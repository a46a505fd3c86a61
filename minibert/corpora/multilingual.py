"""multilingual: user-interface texts in English and EuroBERT's fourteen other languages, aligned by message.

Plone's messages are known by keys. The English text is the "Default:" comment of the .po file, the
translation lies in the compiled .mo file, and the standard library's `gettext` reads it. These are
labels, hints and short sentences; some carry HTML or ${placeholders}, some translations are free.
"""

import ast
import gettext
import re
from pathlib import Path

from minibert.corpora.catalogue import LANGUAGES
from minibert.corpora.rows import Translation
from minibert.files import split_lines

_DEFAULT = re.compile(r'^#\. Default: "(.*)"$', re.MULTILINE)
_KEY = re.compile(r'^msgid ((?:".*"\n)+)', re.MULTILINE)


def translations(folder: Path) -> list[Translation]:
    """All pairs of all languages with more than one English word, each English text once per language."""
    rows = []
    for language, place in LANGUAGES.items():
        pairs: dict[str, str] = {}
        for po in sorted(
            (folder / "plone/app/locales/locales" / place / "LC_MESSAGES").glob("*.po"), key=Path.as_posix
        ):
            with po.with_suffix(".mo").open("rb") as file:
                catalog = gettext.GNUTranslations(file)
            for english, key in messages(po.read_text(encoding="utf-8")):
                foreign = catalog.gettext(key)  # the key itself when there is no translation
                if " " in english and foreign not in ("", key, english):
                    pairs.setdefault(english, foreign)
        rows += [Translation(language, english, foreign) for english, foreign in pairs.items()]
    return rows


def messages(po: str) -> list[tuple[str, str]]:
    r"""(English text, message key) of every message of a .po file; the key is the text where no default is noted.

    >>> messages('#. Default: "Log in"\n#: login.py\nmsgid "label_login"\nmsgstr "Anmelden"\n')
    [('Log in', 'label_login')]
    """
    found = []
    for block in po.split("\n\n"):
        if key := _KEY.search(block + "\n"):
            text = "".join(ast.literal_eval(line) for line in split_lines(key[1]))
            default = _DEFAULT.search(block)
            english = ast.literal_eval(f'"{default[1]}"') if default else text
            found.append((" ".join(english.split()), text))
    return found
