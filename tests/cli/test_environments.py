"""Which environment, which account: refused before anything is touched."""

from __future__ import annotations

from pathlib import Path

import pytest

from errors import FreeholdError, UsageError
from fleet import environments
from fleet.environments import Environment, choose, known_accounts, require_known_account
from fleet.state import StackState
from fleet.targets import Target
from sandbox.home import Home

STATE = StackState(
    (
        {"urn": "urn:pulumi:prod::freehold::aws:s3/bucket:Bucket::b", "type": "aws:s3/bucket:Bucket", "custom": True,
         "id": "b", "outputs": {"arn": "arn:aws:rds:us-east-1:111111111111:db:x"}},
    )
)  # fmt: skip


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("sandbox", "prod", "prod-eu1", "prod-gcp"):
        (tmp_path / f"Pulumi.{name}.yaml").write_text("config: {freehold:region: us-east-1}\n")
    (tmp_path / "Pulumi.yaml").write_text("name: freehold\n")
    monkeypatch.setattr(environments, "CHECKOUT", tmp_path)
    return tmp_path


@pytest.fixture
def prod(checkout: Path) -> Environment:
    return Environment("prod", Target.CLOUD, Home(checkout / "home"), {})


def test_choose(checkout: Path) -> None:
    assert choose(None, None) == ("sandbox", Target.SANDBOX)
    assert choose("prod", Target.SANDBOX) == ("prod", Target.SANDBOX)
    assert choose("prod-eu1", Target.CLOUD) == ("prod-eu1", Target.CLOUD)
    assert choose("prod-gcp", Target.CLOUD) == ("prod-gcp", Target.CLOUD)
    with pytest.raises(UsageError, match="say where to build prod-eu1"):
        choose("prod-eu1", None)


def test_an_account_that_the_state_does_not_know_is_refused(prod: Environment) -> None:
    assert known_accounts(prod, STATE) == {"111111111111"}
    require_known_account(prod, STATE, "111111111111")
    with pytest.raises(FreeholdError, match=r"^environment prod: .* account 222222222222, .*it knows 111111111111"):
        require_known_account(prod, STATE, "222222222222")


def test_before_the_first_build_the_file_must_name_the_account(prod: Environment, checkout: Path) -> None:
    with pytest.raises(
        FreeholdError,
        match=r"it knows none yet.*aws:allowedAccountIds: \[\"222222222222\"\]` to .* Pulumi\.prod\.yaml$",
    ):
        require_known_account(prod, None, "222222222222")
    (checkout / "Pulumi.prod.yaml").write_text('config:\n  aws:allowedAccountIds: ["222222222222"]\n')
    require_known_account(prod, None, "222222222222")


def test_a_malformed_stack_file_is_told_with_its_place(prod: Environment, checkout: Path) -> None:
    (checkout / "Pulumi.prod.yaml").write_text("config:\n\tfreehold:region: us-east-1\n")
    with pytest.raises(FreeholdError, match=r"^.*/Pulumi\.prod\.yaml:2:1: not valid YAML: .*; correct it$"):
        prod.config("region")
    (checkout / "Pulumi.prod.yaml").write_text("- a\n")
    with pytest.raises(FreeholdError, match=r"Pulumi\.prod\.yaml: holds no mapping; it must begin with `config:`$"):
        prod.config("region")


@pytest.mark.parametrize(
    ("cell", "target", "expected"),
    [
        ("sandbox", Target.SANDBOX, ("./freehold up", "")),
        ("prod", Target.SANDBOX, ("./freehold up prod --target sandbox", " --env prod --target sandbox")),
        ("prod", Target.CLOUD, ("./freehold up prod --target cloud", " --env prod --target cloud")),
    ],
)
def test_how_a_person_reaches_it(cell: str, target: Target, expected: tuple[str, str], tmp_path: Path) -> None:
    environment = Environment(cell, target, Home(tmp_path), {})
    assert (environment.command("up"), environment.options) == expected


def test_an_environment_that_was_not_built(prod: Environment) -> None:
    with pytest.raises(
        FreeholdError, match=r"^environment prod: it has not been built; ./freehold up prod --target cloud"
    ):
        prod.contract(None)
