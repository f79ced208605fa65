"""docs/alarms.md has an entry for each alarm of a platform, and each alarm says which."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from stacks import platform
from tests.components.recording import declare
from tests.stacks.files import platform_settings
from tests.stacks.test_programs import ANSWERS

PAGE = (Path(platform.__file__).parents[1] / "docs" / "alarms.md").read_text(encoding="utf-8")


@pytest.mark.usefixtures("no_archive")
def test_each_alarm_has_an_entry_that_it_names() -> None:
    recording = declare(lambda: platform.run(platform_settings("sandbox"), "sandbox"), stack="sandbox", answers=ANSWERS)
    alarms = [one.plain() for one in recording.of("aws:cloudwatch/metricAlarm:MetricAlarm")]
    rows = dict(re.findall(r"^\| \[`<cell>-([^`]+)`\]\(#([a-z0-9-]+)\)", PAGE, re.MULTILINE))
    headings = {line[3:].lower().replace(" ", "-") for line in PAGE.splitlines() if line.startswith("## ")}
    named = {}
    for alarm in alarms:
        name = re.sub(r"-memory-[0-9]+$", "-memory-<n>", alarm["name"]).removeprefix("chronos-cloud-sandbox-")
        said = re.search(r"docs/alarms\.md#([a-z0-9-]+)$", alarm["alarmDescription"])
        named[name] = said and said[1]
    assert named == rows
    assert set(rows.values()) <= headings
