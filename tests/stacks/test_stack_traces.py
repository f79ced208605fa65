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
    ours = (stack_traces._place, stack_traces._position)
    assert not {whole, resource._get_source_position} & set(ours), "another test left the SDK changed"
    sent: list[tuple[Any, Any]] = []

    def both() -> Any:
        sent.append((whole(), stack_traces._place()))
        return sent[-1][1]

    monkeypatch.setattr(resource, "_get_stack_trace", both)
    declare(lambda: Pair("pair"))
    for long, short in sent:
        assert len(long.frames) > 1
        assert [frame.pc for frame in short.frames] == [long.frames[0].pc]
    of_this_file = [short for _, short in sent if short.frames[0].pc.uri.endswith("test_stack_traces.py")]
    assert len(of_this_file) == 2


@pytest.mark.usefixtures("sdk_as_it_is")
def test_programs_send_the_position_and_no_trace(monkeypatch: pytest.MonkeyPatch) -> None:
    stack_traces.shorten()
    sent: list[tuple[Any, Any]] = []
    shortened = resource._get_source_position

    def watched(trace: Any) -> Any:
        sent.append((shortened(trace), trace))
        return sent[-1][0]

    monkeypatch.setattr(resource, "_get_source_position", watched)
    declare(lambda: Pair("pair"))
    ours = [position for position, _ in sent if position.uri.endswith("test_stack_traces.py")]
    assert len(ours) == 2
    assert len({position.line for position in ours}) == 2
    assert all(len(trace.frames) == 0 for _, trace in sent)
