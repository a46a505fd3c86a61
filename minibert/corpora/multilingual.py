"""multilingual: user-interface texts in English and EuroBERT's fourteen other languages, aligned by message.

Plone's messages are known by keys. The English text is the "Default:" comment of the .po file, the
translation lies in the compiled .mo file, and the standard library's `gettext` reads it. These are
labels, hints and short sentences; some carry HTML or ${placeholders}, some translations are free.

The `#:` comments of a message name the source files that show it. The package of such a file is a part of the
program, and thereby a label that the message has in every language.
"""

import ast
import gettext
import re
from pathlib import Path
from typing import NamedTuple

from minibert.corpora.catalogue import LANGUAGES
from minibert.corpora.rows import Translation
from minibert.files import split_lines

_DEFAULT = re.compile(r'^#\. Default: "(.*)"$', re.MULTILINE)
_KEY = re.compile(r'^msgid ((?:".*"\n)+)', re.MULTILINE)
_REFERENCES = re.compile(r"^#: (.*)$", re.MULTILINE)
_SOURCE_FILE = re.compile(r"(?:\./)?((?:[\w.-]+/)+)[\w.-]+\.\w+(?::\d+)?")  # a path; old files hold notes in prose too


class Message(NamedTuple):
    """One message of a .po file: its English text, its key, and the parts of the program that show it."""

    english: str
    key: str
    parts: tuple[str, ...]


def rows(split: str, folder: Path) -> list[Translation]:
    """The pairs of all languages ("all"), or each English text once, with itself as its translation ("english").

    An English text has more than one word and comes once per language. Its `parts` are those of all languages' files
    together, so they are the same in every language.
    """
    pairs: dict[str, dict[str, str]] = {}  # language -> {English text: translation}
    parts: dict[str, set[str]] = {}
    for language, place in LANGUAGES.items():
        pairs[language] = {}
        for po in sorted(
            (folder / "plone/app/locales/locales" / place / "LC_MESSAGES").glob("*.po"), key=Path.as_posix
        ):
            with po.with_suffix(".mo").open("rb") as file:
                catalog = gettext.GNUTranslations(file)
            for english, key, named in messages(po.read_text(encoding="utf-8")):
                parts.setdefault(english, set()).update(named)
                foreign = catalog.gettext(key)  # the key itself when there is no translation
                if " " in english and foreign not in ("", key, english):
                    pairs[language].setdefault(english, foreign)
    if split == "english":
        pairs = {"en": {english: english for found in pairs.values() for english in found}}
    return [
        Translation(language, english, foreign, tuple(sorted(parts[english])))
        for language, found in pairs.items()
        for english, foreign in found.items()
    ]


def messages(po: str) -> list[Message]:
    r"""Every message of a .po file; the key is the English text where no default is noted.

    >>> messages('#. Default: "Log in"\n#: plone/app/users/login.py:7\nmsgid "label_login"\nmsgstr "Anmelden"\n')
    [Message(english='Log in', key='label_login', parts=('users',))]
    """
    found = []
    for block in po.split("\n\n"):
        if key := _KEY.search(block + "\n"):
            text = "".join(ast.literal_eval(line) for line in split_lines(key[1]))
            default = _DEFAULT.search(block)
            english = ast.literal_eval(f'"{default[1]}"') if default else text
            named = {part_of(word) for line in _REFERENCES.findall(block) for word in line.split()}
            found.append(Message(" ".join(english.split()), text, tuple(sorted(named - {""}))))
    return found


def part_of(reference: str) -> str:
    """The part of the program that a source file belongs to: its package; "" where the reference is no such file.

    >>> [part_of(f) for f in ("plone/app/users/login.py:7", "plone.app.users/plone/app/users/x.py", "pat/upload/u.js")]
    ['users', 'users', 'upload']
    >>> part_of("plone/locking/browser/info.pt"), part_of("CMFPlone/skins/x.pt"), part_of("description")
    ('locking', 'CMFPlone', '')
    """
    file = _SOURCE_FILE.fullmatch(reference)
    if not file:
        return ""
    folders = file[1].strip("/").split("/")
    if "." in folders[0]:  # the folder of the repository, before the path in it
        folders = folders[1:] or folders[0].split(".")
    while len(folders) > 1 and folders[0] in ("plone", "app", "pat"):
        folders = folders[1:]
    return folders[0]
