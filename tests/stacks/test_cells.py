"""What cells may be called: no two of them meet in the name of anything."""

from __future__ import annotations

from functools import cache

import pytest

from catalog import blueprints
from components import tenant_names
from errors import UsageError
from stacks import cells, platform
from stacks.settings.platform import RunnerSettings
from tests.components.recording import ACCOUNT, declare
from tests.stacks.files import load, platform_settings, stack_file
from tests.stacks.test_programs import ANSWERS
from tests.stacks.test_runner_settings import CHOSEN

pytestmark = pytest.mark.usefixtures("no_archive")

_KEYS = ("name", "identifier", "bucket", "replicationGroupId", "userGroupId", "userId", "nodeGroupNamePrefix")
"""The inputs that hold a physical name."""
_APART = ("aws:ec2/securityGroup:SecurityGroup", "aws:elasticache/userGroupAssociation:UserGroupAssociation")
"""Names that are each network's own, and what has no name but those of what it joins."""
ORDINARY = ("dev", "dev-2", "dev-eu1", "dev-gcp", "dev-spoke", "dev-nodes2", "dev-control-2", "dev-postgres-eu1")


@cache
def _names(cell: str) -> frozenset[tuple[str, str]]:
    """Of each physical name in the cell its kind and itself."""
    whole = {"runner": RunnerSettings.model_validate(CHOSEN), "billing": platform_settings("sandbox").billing}
    settings = platform_settings("dev").model_copy(update=whole)
    recording = declare(lambda: platform.run(settings, cell), stack=cell, answers=ANSWERS)
    return frozenset(
        (one.type, one.plain()[key])
        for one in recording.resources
        for key in _KEYS
        if one.type.startswith("aws:") and one.type not in _APART and key in one.plain()
    )


def _tails() -> set[str]:
    """Each text that makes a name of one cell from its own when it is put behind the cell's name."""
    own = "chronos-cloud-dev"
    parts = [(kind, *name.split(own)) for kind, name in _names("dev") if own in name]
    return {
        longer.removesuffix(end)
        for kind, start, end in parts
        for other, begin, longer in parts
        if (kind, start) == (other, begin) and longer != end and longer.endswith(end)
    }


def _refused(cell: str) -> bool:
    try:
        load(stack_file("dev")["config"], cell)
    except UsageError:
        return True
    return False


def test_a_cell_whose_names_another_has_is_refused() -> None:
    tails = _tails()
    assert {"-postgres", "-control", "-secrets", f"-{ACCOUNT}-us-east-1"} <= tails
    assert [tail for tail in sorted(tails) if not _refused(f"dev{tail}")] == []


def test_no_name_is_refused_without_need() -> None:
    assert set(cells.ENDINGS) == {tail.removeprefix("-") for tail in _tails() if ACCOUNT not in tail}


@pytest.mark.parametrize("cell", [*ORDINARY, "dev-" + "x" * (cells.LIMIT - 4)])
def test_ordinary_cells_share_no_name(cell: str) -> None:
    assert not _refused(cell)
    for other in ORDINARY:
        if other != cell:
            assert not _names(cell) & _names(other)


def test_the_refusal_tells_whose_part_it_would_be() -> None:
    with pytest.raises(UsageError) as refusal:
        cells.check("prod-eu1-postgres")
    told = "prod-eu1-postgres is what a part of prod-eu1 is called; call it something else, such as prod-eu1"
    assert refusal.value.line() == f"stack prod-eu1-postgres: {told}"


@pytest.mark.parametrize(
    "cell", ["prod-EU", "prod-eu.1", "prod--eu", "prod-", "prod_eu", "prod-" + "x" * (cells.LIMIT - 4)]
)
def test_a_name_of_another_form_is_refused(cell: str) -> None:
    """`tenant.prod-eu.1.acme` would be in what the runner of `prod-eu` may write, and long names are cut."""
    with pytest.raises(UsageError, match="lower-case letters"):
        cells.check(cell)


def test_what_the_names_of_tenants_begin_with_holds_all_of_the_cell_s_name() -> None:
    """Cut before, it would be what those of another cell begin with, and the runner's rights go by it."""
    cell = "prod-" + "x" * (cells.LIMIT - 5)
    for product in blueprints.names():
        prefixes = tenant_names.prefixes(product, cell)
        assert prefixes.cache_user == f"{cell}-t-"
        assert prefixes.role == f"{product}-{cell}-t-"
