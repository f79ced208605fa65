"""The role by which a service logs in to a database."""

from __future__ import annotations

from components.service_login import ServiceLogin
from tests.components import samples
from tests.components.recording import Recording, declare


def _made() -> Recording:
    return declare(lambda: ServiceLogin("login", samples.service_login()))


def test_it_may_log_in_and_is_nobody_special() -> None:
    role = _made().one("postgresql:index/role:Role").plain()
    assert (role["name"], role["login"]) == ("freehold_notifier", True)
    special = ("superuser", "createDatabase", "createRole", "replication", "bypassRowLevelSecurity")
    assert {role[one] for one in special} == {False}
    assert not role.get("roles")


def test_it_connects_to_one_database_and_makes_nothing_in_it() -> None:
    grants = [one.plain() for one in _made().of("postgresql:index/grant:Grant")]
    assert {(one["role"], one["database"], one["objectType"], *one["privileges"]) for one in grants} == {
        ("freehold_notifier", "control", "database", "CONNECT"),
        ("freehold_notifier", "control", "schema", "USAGE"),
    }
