"""What is read of an engine's event log while the engine writes it, and begins it anew for its update."""

from __future__ import annotations

import os

from fleet.events import EventLog


def test_a_piece_of_an_event_is_passed_over_and_the_log_is_read_on() -> None:
    descriptor = os.memfd_create("events")
    log = EventLog(descriptor)
    os.pwrite(descriptor, b'{"sequence": 1}\nce": 2}\n\0\0\n{"sequence": 3}\n', 0)
    assert [event["sequence"] for event in log.read()] == [1, 3]
    os.close(descriptor)
