"""HTTP requests to sinks, with one time limit over all of it, the look-up of the name too: a sink that answers byte by
byte gets no more."""

from __future__ import annotations

import asyncio
import contextlib
import math
import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime

import httpx

from services.notifier.sinks import SinkFailed, SinkRefused
from services.notifier.sinks.resolving import Loop

_LONGEST_WAIT_SECONDS = 3600.0
# What a client did wrong and time may mend: https://www.rfc-editor.org/rfc/rfc9110#section-15.5
_PASSING = frozenset({408, 409, 423, 425, 429})


def post(url: str, body: bytes, headers: Mapping[str, str], limit_seconds: float) -> None:
    """Content with any 2xx; raises SinkFailed or SinkRefused. Redirects are refused: they would take a secret along."""
    try:
        with asyncio.Runner(loop_factory=Loop) as runner:
            status, answer_headers = runner.run(_post(url, body, headers, limit_seconds))
    except TimeoutError:
        raise SinkFailed(f"no answer within {limit_seconds:g} s") from None
    except (httpx.InvalidURL, httpx.UnsupportedProtocol):
        raise SinkRefused("its address is none") from None
    except httpx.HTTPError as error:
        # Only the kind of failure: texts of httpx may hold the address, and that of Slack is a secret.
        raise SinkFailed(f"{type(error).__name__}") from None
    if 200 <= status < 300:
        return
    if status < 500 and status not in _PASSING:
        raise SinkRefused(f"answered {status}")
    raise SinkFailed(f"answered {status}", retry_after=_retry_after(answer_headers))


async def _post(url: str, body: bytes, headers: Mapping[str, str], limit_seconds: float) -> tuple[int, httpx.Headers]:
    async with (
        asyncio.timeout(limit_seconds),
        httpx.AsyncClient(timeout=limit_seconds) as client,
        # The status says it all; the body, of any length, stays unread.
        client.stream("POST", url, content=body, headers=headers) as answer,
    ):
        return answer.status_code, answer.headers


def _retry_after(headers: httpx.Headers) -> float | None:
    """In seconds, or as a date: https://www.rfc-editor.org/rfc/rfc9110#section-10.2.3"""
    text = headers.get("Retry-After", "")
    with contextlib.suppress(ValueError, OverflowError):
        try:
            seconds = float(text)
        except ValueError:
            # One without a zone, which HTTP has not, is taken for this machine's time.
            seconds = parsedate_to_datetime(text).timestamp() - time.time()
        if math.isfinite(seconds):
            return min(max(seconds, 0.0), _LONGEST_WAIT_SECONDS)
    return None
