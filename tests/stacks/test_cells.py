"""What cells may be called: no two of them meet in the name of anything."""

from __future__ import annotations

from functools import cache

import pytest

from catalog import blueprints
from components import tenant_names
from errors import UsageError
from stacks import cells, platform
from stacks.settings.platform import RunnerSettings
from tests.components.recording import ACCOUNT, Recording, declare
from tests.stacks.files import load, platform_settings, stack_file
from tests.stacks.test_programs import ANSWERS, tenant_program
from tests.stacks.test_runner_settings import CHOSEN

pytestmark = pytest.mark.usefixtures("no_archive")

_KEYS = ("name", "identifier", "bucket", "replicationGroupId", "userGroupId", "userId", "nodeGroupNamePrefix")
"""The inputs that hold a physical name."""
_APART = ("aws:ec2/securityGroup:SecurityGroup", "aws:elasticache/userGroupAssociation:UserGroupAssociation")
"""Names that are each network's own, and what has no name but those of what it joins."""
ORDINARY = ("dev", "dev-2", "dev-control-2", "dev-postgres-eu1")


@cache
def _platform(cell: str, by_cell_tag: bool = False) -> Recording:
    dev = platform_settings("dev")
    budget = dev.budget.model_copy(update={"by_cell_tag": by_cell_tag})
    runner = RunnerSettings.model_validate(CHOSEN)
    whole = {"runner": runner, "billing": platform_settings("sandbox").billing, "budget": budget}
    return declare(lambda: platform.run(dev.model_copy(update=whole), cell), stack=cell, answers=ANSWERS)


@cache
def _names(cell: str) -> frozenset[tuple[str, str]]:
    """Of each physical name in the cell its kind and itself."""
    return frozenset(
        (one.type, one.plain()[key])
        for one in _platform(cell).resources
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


def test_all_that_is_billed_in_a_cell_has_its_tag_and_its_budget_can_go_by_it() -> None:
    """By the environment's it would count what other cells of it cost."""
    recording = _platform("dev-eu1", by_cell_tag=True)
    for one in (*recording.resources, *tenant_program().resources):
        marks = one.plain().get("tags") if one.type.startswith("aws:") else None
        cell = "sandbox" if marks and "tenant" in marks else "dev-eu1"
        assert marks is None or marks["cell"] == cell, one.urn
    machines = recording.inputs("aws:ec2/launchTemplate:LaunchTemplate")["tagSpecifications"]
    assert {(of["resourceType"], of["tags"]["cell"]) for of in machines} == {
        ("instance", "dev-eu1"),
        ("volume", "dev-eu1"),
    }
    disks = recording.inputs("kubernetes:storage.k8s.io/v1:StorageClass")["parameters"]
    assert "cell=dev-eu1" in disks.values()
    budget = recording.inputs("aws:budgets/budget:Budget")
    assert budget["costFilters"] == [{"name": "TagKeyValue", "values": ["user:cell$dev-eu1"]}]


def test_a_budget_goes_by_one_tag() -> None:
    config = stack_file("dev")["config"]
    both = {**config["freehold:budget"], "byEnvironmentTag": True, "byCellTag": True}
    with pytest.raises(UsageError, match="byEnvironmentTag and byCellTag are both true"):
        load({**config, "freehold:budget": both}, "dev")
