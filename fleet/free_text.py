"""What people name as they like: any script, but one line, and nothing that a terminal or a log takes for a command."""

from __future__ import annotations

import unicodedata

from errors import UsageError

KEY_CHARACTERS = 200

# Control characters, what is no UTF-8, and breaks of lines and paragraphs.
_CATEGORIES = frozenset({"Cc", "Cs", "Zl", "Zp"})
# What turns the direction of all that follows it on the line. Joiners stay: names in Persian and emoji have them.
_TURNS = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def require_line(text: str, option: str) -> None:
    """Raises UsageError where `text`, given by `option`, would break a line of a table or of a log, or is no text but
    the next option."""
    found = next((one for one in text if unicodedata.category(one) in _CATEGORIES or one in _TURNS), None)
    if found is not None:
        what = f"{text!r} holds {found!a}, which breaks what shows it"
        raise UsageError(what, where=option, mend="leave control characters and line breaks out")
    if text.startswith("--"):
        # A parser of options takes what follows one for its value, whatever that is.
        raise UsageError(
            f"{text} looks like an option, not like its value", where=option, mend="give it one, or leave it out"
        )
    if text.isspace():
        raise UsageError("it is blank", where=option, mend="leave it out, or give a text")


def require_key(key: str) -> None:
    """Raises UsageError where an idempotency key tells nothing apart, or is too long for the index that finds it."""
    option = "--idempotency-key"
    if not key:
        raise UsageError("it is empty", where=option, mend="leave it out, or give one of its own to each request")
    require_line(key, option)
    if len(key) > KEY_CHARACTERS:
        what = f"it has {len(key)} characters, at most {KEY_CHARACTERS} are allowed"
        raise UsageError(what, where=option, mend="give a shorter one, such as a UUID")
