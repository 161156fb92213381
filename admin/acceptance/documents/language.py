"""Say things in one of the two languages of every paper: Chinese first, English complete."""

from __future__ import annotations

from collections.abc import Callable

from admin.acceptance.documents.svg import printable
from admin.acceptance.report import Text

Say = Callable[[str, str], str]


def chinese(zh: str, en: str) -> str:
    """Choose the Chinese text."""
    return zh


def english(zh: str, en: str) -> str:
    """Choose the English text."""
    return en


def said(text: Text, say: Say) -> str:
    """Return a text of the report in the language of `say`, fit to be printed."""
    return printable(say(text.zh, text.en))
