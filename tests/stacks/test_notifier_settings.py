"""freehold:notifier, and what the platform makes of it."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from stacks import platform
from stacks.settings.platform import NotifierSettings, PlatformSettings
from tests.components.recording import declare
from tests.stacks.files import load, stack_file
from tests.stacks.test_programs import ANSWERS


def test_an_image_is_optional_and_pinned() -> None:
    assert NotifierSettings.model_validate({"enabled": True}).image is None
    with pytest.raises(ValidationError, match="changes under its name"):
        NotifierSettings.model_validate({"enabled": True, "image": "registry.example.com/freehold/services:latest"})


@pytest.mark.parametrize("wrong", [{"enabled": False}, {"enabled": True, "colour": "red"}])
def test_what_is_unknown_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        NotifierSettings.model_validate(wrong)


def test_it_comes_after_the_nodes_and_up_does_not_wait_for_it() -> None:
    image = "registry.example.com/freehold/services@sha256:" + "0" * 64
    config = {**stack_file("dev")["config"], "freehold:notifier": {"enabled": True, "image": image}}
    settings = load(config, "dev")
    assert isinstance(settings, PlatformSettings)
    recording = declare(lambda: platform.run(settings, "dev"), stack="dev", answers=ANSWERS)
    deployment = recording.named("notifier-deployment-deployment")
    # It is ready when its tables and its rights are there, and those a command makes after the engine's run.
    assert deployment.plain()["metadata"]["annotations"]["pulumi.com/skipAwait"] == "true"
    driver = next(a for a in recording.of("aws:eks/addon:Addon") if a.plain()["addonName"] == "aws-ebs-csi-driver")
    assert driver.urn in recording.named("notifier-deployment").dependencies
