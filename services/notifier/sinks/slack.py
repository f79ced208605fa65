"""Slack's incoming webhooks, and what takes the same messages (Mattermost, Rocket.Chat, Discord with /slack).

https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks
Slack has no way to tell a repetition: an alert that was sent and not recorded as sent is seen twice.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from services.notifier.alerts import Alert
from services.notifier.message import CONSOLE
from services.notifier.sinks.posting import post

# https://docs.slack.dev/reference/block-kit/blocks/header-block
_HEADER_CHARACTERS = 150


@dataclass(frozen=True)
class SlackSink:
    url: str
    """Whoever knows it can write to the channel: a secret."""
    limit_seconds: float
    name: str = "slack"

    def send(self, alert: Alert) -> None:
        body = json.dumps({"text": _escaped(alert.title), "blocks": _blocks(alert)}).encode()
        post(self.url, body, {"Content-Type": "application/json"}, self.limit_seconds)


def _blocks(alert: Alert) -> list[dict[str, object]]:
    told = "Spent" if alert.type == "ACTUAL" else "Forecast"
    fields = {
        told: alert.spent,
        "Threshold": alert.threshold,
        "Budget": alert.budgeted,
        "Period": alert.period,
        "Account": alert.account,
    }
    return [
        {
            "type": "header",
            "text": {"type": "plain_text", "text": f"Budget {alert.budget}"[:_HEADER_CHARACTERS], "emoji": False},
        },
        {
            "type": "section",
            "fields": [{"type": "mrkdwn", "text": f"*{name}*\n{_escaped(value)}"} for name, value in fields.items()],
        },
        {"type": "context", "elements": [{"type": "mrkdwn", "text": f"<{CONSOLE}|AWS Budgets>"}]},
    ]


def _escaped(text: str) -> str:
    """https://docs.slack.dev/messaging/formatting-message-text#escaping"""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
