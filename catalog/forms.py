"""Texts of a given form, refused in a sentence that shows what is wanted."""

from __future__ import annotations

import re

from pydantic import AfterValidator


def form(pattern: str, wanted: str) -> AfterValidator:
    """Takes what matches `pattern` as a whole. `wanted` says what that is, with an example."""
    compiled = re.compile(pattern, re.ASCII)

    def check(text: str) -> str:
        if not compiled.fullmatch(text):
            raise ValueError(f"{text!r} is no {wanted}")
        return text

    return AfterValidator(check)
