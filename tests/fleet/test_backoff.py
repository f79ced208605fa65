"""How long it is waited before something is tried again."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from fleet.backoff import Backoff


@given(failures=st.integers(1, 10_000), chance=st.floats(0, 1, exclude_max=True))
def test_the_wait_doubles_up_to_the_longest_and_half_of_it_is_sure(failures: int, chance: float) -> None:
    backoff = Backoff(first=2, longest=300)
    whole = 2 * 2 ** (failures - 1) if failures < 9 else 300
    assert min(whole, 300) / 2 <= backoff.delay(failures, chance) <= min(whole, 300)


def test_what_failed_together_does_not_come_back_together() -> None:
    assert len({Backoff().delay(3) for _ in range(20)}) > 1


def test_it_gives_up_at_the_limit() -> None:
    backoff = Backoff(limit=3)
    assert [backoff.given_up(failures) for failures in (1, 2, 3, 4)] == [False, False, True, True]
