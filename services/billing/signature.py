"""Stripe's webhook signatures: https://docs.stripe.com/webhooks#verify-manually."""

from __future__ import annotations

import hmac
import re
from collections.abc import Sequence

TOLERANCE_SECONDS = 300
"""How far the time of signing may lie from ours, before it or after."""

_TIME = re.compile(r"[0-9]{1,12}")
_DIGEST = re.compile(r"[0-9a-f]{64}")
# Stripe sends one for each secret that is valid, during a rotation two.
_MOST_SIGNATURES = 16


class SignatureRefused(Exception):
    """Why a body is not taken for Stripe's, in one line."""


def verify(body: bytes, header: str | None, secrets: Sequence[bytes], now: float) -> None:
    """Return where one of `secrets` signed these very bytes within the tolerance of `now`, in seconds since the epoch.

    Raises SignatureRefused. Only scheme v1 counts: v0 is for Stripe's tests.
    """
    signed_at, digests = _parse(header)
    if abs(now - int(signed_at)) > TOLERANCE_SECONDS:
        raise SignatureRefused(f"signed more than {TOLERANCE_SECONDS} s from now, which is {int(now)}")
    matched = False
    for secret in secrets:
        expected = hmac.digest(secret, signed_at.encode() + b"." + body, "sha256").hex()
        for digest in digests:
            # Every pair is compared, so that the time taken does not tell which secret it was.
            matched |= hmac.compare_digest(expected, digest)
    if not matched:
        raise SignatureRefused("no v1 signature is by a secret that is known here")


def sign(body: bytes, secret: bytes, signed_at: int) -> str:
    """The header that Stripe would send with `body`."""
    digest = hmac.digest(secret, f"{signed_at}.".encode() + body, "sha256")
    return f"t={signed_at},v1={digest.hex()}"


def _parse(header: str | None) -> tuple[str, Sequence[str]]:
    """The time as it was written, and the v1 digests."""
    if not header:
        raise SignatureRefused("there is no Stripe-Signature header")
    times, digests = [], []
    for element in header.split(","):
        name, _, value = element.strip().partition("=")
        if name == "t":
            times.append(value)
        elif name == "v1" and _DIGEST.fullmatch(value):
            digests.append(value)
    if len(times) != 1 or not _TIME.fullmatch(times[0]):
        raise SignatureRefused("the header's t is not one time in seconds")
    if not digests or len(digests) > _MOST_SIGNATURES:
        raise SignatureRefused(f"the header has {len(digests)} v1 signatures")
    return times[0], digests
