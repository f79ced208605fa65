"""The archive of the billing webhook: built before the program runs, and only found by it."""

from __future__ import annotations

from pathlib import Path

from errors import UsageError
from services import package
from stacks.settings.platform import BillingSettings

TARGET = package.Target()


def build(authority: str | None) -> Path:
    """Builds it, where that has not been done; `authority` is `freehold:billing.authority`. Raises FreeholdError."""
    return package.built(TARGET, _certificates(authority))


def archive(settings: BillingSettings) -> Path:
    """What was built. Raises UsageError, with the command that builds it, where nothing was."""
    found = package.found(TARGET, _certificates(settings.authority))
    if found is None:
        chosen = f" --authority {settings.authority}" if settings.authority else ""
        raise UsageError(
            "its archive is not built",
            where="billing webhook",
            mend=f"run: .venv/bin/python -m services.package{chosen}",
        )
    return found


def _certificates(authority: str | None) -> bytes:
    if authority is None:
        return b""
    file = (package.CHECKOUT / authority).resolve()
    if not file.is_relative_to(package.CHECKOUT.resolve()):
        raise UsageError(
            f"{authority} leads out of the checkout", where="freehold:billing.authority", mend="copy the file into it"
        )
    try:
        return file.read_bytes()
    except OSError as error:
        raise UsageError(
            f"{authority}: {error.strerror}",
            where="freehold:billing.authority",
            mend="docs/connect-stripe.md tells where the certificates come from",
        ) from None
