"""Numbers are told with the word that fits them."""

from __future__ import annotations

from fleet.counting import counted


def test_one_is_singular_and_none_is_not() -> None:
    assert [counted(number, "tenant") for number in range(3)] == ["0 tenants", "1 tenant", "2 tenants"]
    assert [counted(number, "process", "processes") for number in (1, 2)] == ["1 process", "2 processes"]
