"""What runs beside the product and works in the control database, each by a login of its own."""

from __future__ import annotations

from enum import StrEnum


class Service(StrEnum):
    """A service, by the name that its database login has in the platform's contract."""

    BILLING = "billing"
    """Takes Stripe's events."""
    NOTIFIER = "notifier"
    """Sends budget alerts."""
    RUNNER = "runner"
    """Does the operations that are asked for."""

    @property
    def role(self) -> str:
        """Its role in the control database: it logs in by it, and may do what `fleet.privileges` says."""
        return f"freehold_{self.value}"
