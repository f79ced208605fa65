"""The logs of a network's traffic."""

from __future__ import annotations

from components.aws.network import Network
from tests.components import samples
from tests.components.recording import declare


def test_all_traffic_is_logged_for_a_limited_time() -> None:
    recording = declare(lambda: Network("network", samples.network()))
    assert recording.inputs("aws:ec2/flowLog:FlowLog")["trafficType"] == "ALL"
    group = recording.one("aws:cloudwatch/logGroup:LogGroup")
    assert group.plain()["retentionInDays"] == 7
    assert group.urn in recording.one("aws:ec2/flowLog:FlowLog").dependencies
    # A line that comes late must not make the group again after it was deleted.
    write, see = recording.named("network-flow-logs-may-write").document()["Statement"]
    assert see["Action"] == "logs:DescribeLogGroups"
    assert "logs:CreateLogGroup" not in write["Action"]
