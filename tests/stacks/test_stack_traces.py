from __future__ import annotations

from typing import Any

import pulumi
import pulumi_random as random
import pytest
from pulumi.runtime import resource

from stacks import stack_traces
from tests.components.recording import declare


class Pair(pulumi.ComponentResource):
    def __init__(self, name: str) -> None:
        super().__init__("freehold:test:Pair", name)
        random.RandomId(f"{name}-id", byte_length=4, opts=pulumi.ResourceOptions(parent=self))
        self.register_outputs({})


def test_the_place_is_the_first_frame_that_the_sdk_would_send(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = resource._get_stack_trace
    assert whole is not stack_traces._place, "another test left the SDK changed"
    sent: list[tuple[Any, Any]] = []

    def both() -> Any:
        sent.append((whole(), stack_traces._place()))
        return sent[-1][1]

    monkeypatch.setattr(resource, "_get_stack_trace", both)
    declare(lambda: Pair("pair"))
    for long, short in sent:
        assert len(long.frames) > 1
        assert [frame.pc for frame in short.frames] == [long.frames[0].pc]
    ours = [short for _, short in sent if short.frames[0].pc.uri.endswith("test_stack_traces.py")]
    assert len(ours) == 2


def test_programs_send_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resource, "_get_stack_trace", resource._get_stack_trace)
    stack_traces.shorten()
    assert len(resource._get_stack_trace().frames) <= 1
