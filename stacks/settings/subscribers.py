"""The endpoints that a budget's topic may be subscribed by."""

from __future__ import annotations

from typing import Annotated, Final
from urllib.parse import urlsplit

from pydantic import AfterValidator


def _subscriber(address: str) -> str:
    """The address may hold a secret, and is not shown."""
    wanted = "an address such as https://alerts.example.com/aws"
    try:
        parts = urlsplit(address)
        host, secret = (parts.hostname or "").rstrip("."), parts.username is not None or parts.password is not None
        parts.port  # noqa: B018 - raises where it is none
    except ValueError as error:
        raise ValueError(f"it is not {wanted}") from error
    if parts.scheme != "https" or not host or any(letter.isspace() for letter in address):
        raise ValueError(f"it is not {wanted}")
    if secret:
        raise ValueError("it holds a password, which would lie in the state: use freehold:notifier")
    if any(host == chat or host.endswith(f".{chat}") for chat in _CHATS):
        raise ValueError(
            f"{host} does not confirm SNS' subscriptions, and so would never be told: use freehold:notifier "
            "(docs/connect-slack.md)"
        )
    return address


_CHATS: Final = ("hooks.slack.com", "discord.com", "discordapp.com", "webhook.office.com", "chat.googleapis.com")
"""Whose incoming webhooks take messages of a form of their own."""
Webhook = Annotated[str, AfterValidator(_subscriber)]
"""An HTTPS endpoint that takes SNS' messages and confirms its subscription; until then it is sent nothing:
https://docs.aws.amazon.com/sns/latest/dg/sns-http-https-endpoint-as-subscriber.html"""
