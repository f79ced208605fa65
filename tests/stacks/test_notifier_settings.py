"""freehold:notifier."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from stacks.settings.platform import NotifierSettings


def test_an_image_is_optional_and_pinned() -> None:
    assert NotifierSettings.model_validate({"enabled": True}).image is None
    with pytest.raises(ValidationError, match="changes under its name"):
        NotifierSettings.model_validate({"enabled": True, "image": "registry.example.com/freehold/services:latest"})


@pytest.mark.parametrize("wrong", [{"enabled": False}, {"enabled": True, "colour": "red"}])
def test_what_is_unknown_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        NotifierSettings.model_validate(wrong)
