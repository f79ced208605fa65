"""What is read of an engine's event log while the engine writes it, and begins it anew for its update."""

from __future__ import annotations

import os
from typing import Any

from fleet.events import EventLog, Progress
from tests.fleet.steps import STACK, step


def test_a_piece_of_an_event_is_passed_over_and_the_log_is_read_on() -> None:
    descriptor = os.memfd_create("events")
    log = EventLog(descriptor)
    os.pwrite(descriptor, b'{"sequence": 1}\nce": 2}\n\0\0\n{"sequence": 3}\n', 0)
    assert [event["sequence"] for event in log.read()] == [1, 3]
    os.close(descriptor)


def test_a_log_that_is_begun_anew_is_read_from_its_start_however_alike_it_begins() -> None:
    """A preview and its update can begin in the same second, with the same events, and the second log be longer."""
    descriptor = os.memfd_create("events")
    log = EventLog(descriptor)
    same = b'{"sequence": 0, "of": "both", "config": "%s"}\n' % (b"x" * 300)
    os.pwrite(descriptor, same + b'{"sequence": 1, "of": "preview"}\n', 0)
    assert [event["of"] for event in log.read()] == ["both", "preview"]
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, same + b'{"sequence": 1, "of": "the update"}\n{"sequence": 2, "of": "the update"}\n', 0)
    assert [event["of"] for event in log.read()] == ["both", "the update", "the update"]
    os.pwrite(descriptor, b'{"sequence": 3, "of": "its end"}\n', os.fstat(descriptor).st_size)
    assert [event["of"] for event in log.read()] == ["its end"]
    os.close(descriptor)


def test_what_policies_say_of_an_update_counts_and_not_what_they_said_of_its_preview() -> None:
    """Whether the end of the preview's log is seen before the engine empties it is a matter of luck."""
    unsure = {"policyName": "budget", "enforcementLevel": "advisory", "message": "cannot be told before creation"}
    previewed: list[dict[str, Any]] = [
        {"preludeEvent": {}},
        {"policyAnalyzeSummaryEvent": {"resourceUrn": "urn::network", "passed": ["tags"]}},
        {"policyEvent": unsure},
        {"summaryEvent": {"isPreview": True, "resourceChanges": {"create": 1}}},
    ]
    updated: list[dict[str, Any]] = [{"preludeEvent": {}}, {"policyAnalyzeStackSummaryEvent": {"passed": ["budget"]}}]
    preview, whole, cut = Progress(), Progress(), Progress()
    for event in previewed:
        preview.take(event)
    for event in previewed + updated:
        whole.take(event)
    for event in previewed[:1] + updated:
        cut.take(event)
    assert [one.policy for one in preview.violations] == ["budget"]
    assert (whole.violations, whole.passed, whole.analysed) == ([], {"budget"}, set())
    assert (cut.violations, cut.passed, cut.analysed) == ([], {"budget"}, set())


def test_an_update_whose_preview_was_not_seen_to_end_is_not_previewing() -> None:
    progress = Progress()
    begun: dict[str, Any] = {"preludeEvent": {}}
    step_of_it = step("same", STACK, "random:index:File", "shelf")
    progress.take(begun)
    progress.take(step_of_it)
    assert progress.previewing
    step_of_it["resourcePreEvent"]["planning"] = False
    progress.take(begun)
    progress.take(step_of_it)
    assert (progress.previewing, progress.changing) == (False, False)
