"""What the notifier counts; see `/metrics`."""

from __future__ import annotations

from prometheus_client import REGISTRY, CollectorRegistry, Counter, Gauge


class Metrics:
    def __init__(self, registry: CollectorRegistry = REGISTRY) -> None:
        self.registry = registry
        self.messages = Counter(
            "freehold_notifier_messages",
            "Messages taken from the queue: recorded, repeated, passed-over, refused or postponed.",
            ["outcome"],
            registry=registry,
        )
        self.deliveries = Counter(
            "freehold_notifier_deliveries",
            "Attempts to hand an alert to a sink: sent, postponed or dead.",
            ["sink", "outcome"],
            registry=registry,
        )
        self.pending = Gauge(
            "freehold_notifier_deliveries_pending", "Deliveries that are not settled.", registry=registry
        )
        self.last_alert = Gauge(
            "freehold_notifier_last_alert_timestamp_seconds",
            "When the last new alert was recorded.",
            registry=registry,
        )
