"""How often a cache is tried. Imports its client, so it is imported where one is made."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from redis.backoff import ExponentialWithJitterBackoff
from redis.exceptions import AuthenticationError
from redis.retry import Retry

T = TypeVar("T")


class UnlessRefused(Retry):
    """As the client does it by itself where there is no way to the cache; a login that was refused, which the client
    takes for a lost connection, is refused again."""

    def __init__(self) -> None:
        super().__init__(ExponentialWithJitterBackoff(base=1, cap=10), 3)

    def call_with_retry(
        self,
        do: Callable[[], T],
        fail: Callable[[Exception], Any] | Callable[[Exception, int], Any],
        is_retryable: Callable[[Exception], bool] | None = None,
        with_failure_count: bool = False,
    ) -> T:
        def passes(error: Exception) -> bool:
            return not isinstance(error, AuthenticationError) and (is_retryable is None or is_retryable(error))

        return super().call_with_retry(do, fail, passes, with_failure_count)
