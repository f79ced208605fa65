"""What a tenant shall be, from what a person asks, or is refused."""

from __future__ import annotations

import pytest

from errors import UsageError
from fleet.registry import Suspension
from fleet.wishes import Request, Wishes
from tests.fleet.samples import tenant

WISHES = Wishes("prod-eu1", "chronos-cloud", "eu-central-1")


def test_what_is_left_out_follows_from_the_id_and_the_cell() -> None:
    made = WISHES.wanted(Request("acme", "starter"))
    assert (made.name, made.subdomain, made.admin_email) == ("acme", "acme", None)
    assert (made.cell, made.region, made.product) == ("prod-eu1", "eu-central-1", "chronos-cloud")
    assert WISHES.wanted(Request("acme", "starter", region="eu-central-1")) == made


@pytest.mark.parametrize(
    ("request_", "said"),
    [
        (Request("Acme", "starter"), "is not a DNS label.*; choose an id such as"),
        (Request("acme", "gold"), "its plans are free, starter"),
        (
            Request("acme", "free"),
            "^product chronos-cloud: .*of the pool tier.*; choose one of starter, pro$",
        ),
        (Request("acme", "enterprise"), "of the silo tier"),
        (Request("acme", "starter", region="us-east-1"), "^--region: cell prod-eu1 is in eu-central-1; leave --region"),
        (Request("acme", "starter", subdomain="a.b"), "^--subdomain: "),
        (Request("acme", "starter", email="nobody"), "^--email: "),
        (Request("acme", "starter", name="a\nb"), r"^--name: 'a\\nb' holds '\\n', which breaks"),
        (Request("acme", "starter", name="a\u2028b"), "^--name: "),
        (Request("acme", "starter", name="a\u202eb"), "^--name: "),
        (Request("acme", "starter", name=" "), "^--name: it is blank"),
    ],
)
def test_what_is_wrong_is_named(request_: Request, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        WISHES.wanted(request_)


@pytest.mark.parametrize("name", ["Zoë 株式会社\u3000東京", "\u0645\u06cc\u200c\u062e", "👩\u200d🚀 Rockets [red]"])
def test_a_name_is_of_any_script(name: str) -> None:
    assert WISHES.wanted(Request("acme", "starter", name=name)).name == name


def test_a_tenant_that_was_named_so_before_gets_another_plan_still() -> None:
    row = tenant("acme", cell="prod-eu1").model_copy(update={"name": "a\nb"})
    assert WISHES.with_plan(row, "pro").name == "a\nb"


def test_another_plan_changes_nothing_else() -> None:
    row = tenant("acme", cell="prod-eu1").model_copy(
        update={
            "name": "Acme Inc.",
            "subdomain": "shop",
            "admin_email": "a@acme.example",
            "region": "eu-central-1",
            "suspended_for": Suspension.OPERATOR,
        }
    )
    changed, same = WISHES.with_plan(row, "pro"), WISHES.with_plan(row, "starter")
    assert (changed.plan, changed.limits["workspaces"], same.limits["workspaces"]) == ("pro", 10, 3)
    kept = {"id", "product", "name", "subdomain", "admin_email", "tier", "cell", "region", "suspended_for"}
    assert changed.model_dump(include=kept) == row.model_dump(include=kept)
    with pytest.raises(UsageError, match="of the silo tier"):
        WISHES.with_plan(row, "enterprise")
