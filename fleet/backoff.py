"""How long to wait before something that failed is tried again."""

from __future__ import annotations

import random
from dataclasses import dataclass


@dataclass(frozen=True)
class Backoff:
    """Doubles from `first` to `longest`, in seconds; `limit` failures are the last."""

    first: float = 2.0
    longest: float = 300.0
    limit: int = 12
    """As it is, a service may be ill for a quarter of an hour before what needs it is given up."""

    def given_up(self, failures: int) -> bool:
        """Whether there is no further try after so many failures."""
        return failures >= self.limit

    def delay(self, failures: int, chance: float | None = None) -> float:
        """Seconds to wait after the failure of that number (from 1): half of it is sure, the other half by chance,
        so that what failed together does not come back together. `chance` is of [0, 1), drawn where it is left out."""
        whole = min(self.longest, self.first * 2.0 ** min(failures - 1, 60))
        return whole / 2 * (1 + (random.random() if chance is None else chance))
