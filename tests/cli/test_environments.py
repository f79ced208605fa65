"""Which environment, which account: refused before anything is touched."""

from __future__ import annotations

from pathlib import Path

import pytest

from errors import FreeholdError, UsageError
from fleet import environments
from fleet.environments import Environment, cell_asked, choose, known_accounts, require_known_account
from fleet.state import StackState
from fleet.targets import Target
from sandbox.home import Home
from sandbox.providers.choice import Providers, keep

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
    (checkout / "Pulumi.sandbox-2.yaml").write_text("")
    for rehearsed in ("sandbox", "sandbox-2"):
        with pytest.raises(UsageError, match=f"^{rehearsed} is only ever rehearsed"):
            choose(rehearsed, Target.CLOUD)


@pytest.mark.parametrize(("cell", "target"), [("sandbox-2", Target.SANDBOX), ("prod", Target.CLOUD)])
def test_its_platform_runs_in_the_checkout(checkout: Path, cell: str, target: Target) -> None:
    assert Environment(cell, target, Home(checkout / "home"), {}).stack.workdir == checkout
    rehearsal = Environment("prod", Target.SANDBOX, Home(checkout / "home"), {}).stack.workdir
    assert rehearsal == checkout / "home/rehearsals/prod"  # with a passphrase that is not the environment's


def test_only_our_stand_ins_journal_what_they_make(checkout: Path) -> None:
    """Of what nobody journals a person decides after a kill."""
    home = Home(checkout / "home")
    assert Environment("prod", Target.SANDBOX, home, {}).journaled
    assert not Environment("prod", Target.CLOUD, home, {}).journaled
    keep(home, Providers.OFFICIAL)
    assert not Environment("prod", Target.SANDBOX, home, {}).journaled


def test_its_variables_are_not_shown(checkout: Path) -> None:
    environment = Environment("prod", Target.CLOUD, Home(checkout / "home"), {"AWS_SECRET_ACCESS_KEY": "hidden"})
    assert "hidden" not in f"{environment!r} {environment.stack!r}"


def test_a_cell_of_an_environment(checkout: Path) -> None:
    for name in ("dev-2", "product"):
        (checkout / f"Pulumi.{name}.yaml").write_text("")
    assert cell_asked(None, None) is None
    assert cell_asked("prod", None) == "prod"
    assert cell_asked(None, "prod-eu1") == "prod-eu1"
    assert cell_asked("prod", "prod") == "prod"
    assert cell_asked("prod", "prod-eu1") == "prod-eu1"
    assert cell_asked("dev", "dev-2") == "dev-2"  # which has no stack file of its own
    for environment, cell in (("prod-eu1", "prod"), ("prod", "dev-2"), ("prod", "sandbox"), ("prod", "product")):
        with pytest.raises(UsageError, match=f"^{cell} is no cell of {environment}; "):
            cell_asked(environment, cell)
    with pytest.raises(UsageError, match=r"^there is no environment 'pro'; choose one of dev, dev-2, prod, "):
        cell_asked("pro", "prod")


@pytest.mark.parametrize("name", ["", " "])
def test_an_empty_name_is_not_the_sandbox(checkout: Path, name: str) -> None:
    with pytest.raises(UsageError, match=r"^the environment's name is empty; choose one of "):
        choose(name, None)


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


@pytest.mark.parametrize("target", list(Target))
def test_one_whose_first_up_failed_is_told_with_the_command_that_goes_on(checkout: Path, target: Target) -> None:
    half = Environment("prod", target, Home(checkout / "home"), {})
    with pytest.raises(FreeholdError) as told:
        half.contract(STATE)
    line = f"environment prod: it has not been built to its end; ./freehold up prod --target {target}"
    assert told.value.line() == line


def written(cell: str, config: str, checkout: Path) -> Environment:
    """The environment with this `config:` in its file."""
    (checkout / f"Pulumi.{cell}.yaml").write_text(f"config: {config}\n")
    return Environment(cell, Target.CLOUD, Home(checkout / "home"), {})


@pytest.mark.parametrize("config", ["[a]", "abc", "7"])
def test_a_configuration_that_is_no_mapping(checkout: Path, config: str) -> None:
    with pytest.raises(FreeholdError, match=r"^.*/Pulumi\.prod\.yaml: config: holds no mapping; write keys .*$"):
        written("prod", config, checkout).config("region")


@pytest.mark.parametrize(
    "ids",
    ['["123456789012", "222222222222"]', "[123456789012, 222222222222]", """'["123456789012", "222222222222"]'"""],
    ids=["texts", "numbers", "JSON text"],
)
def test_accounts_as_they_may_be_written(checkout: Path, ids: str) -> None:
    environment = written("prod", f"{{aws:allowedAccountIds: {ids}}}", checkout)
    assert known_accounts(environment, None) == {"123456789012", "222222222222"}


@pytest.mark.parametrize("ids", ["", "[]", "''", "'[]'"])
def test_no_accounts(checkout: Path, ids: str) -> None:
    assert known_accounts(written("prod", f"{{aws:allowedAccountIds: {ids}}}", checkout), None) == frozenset()


@pytest.mark.parametrize(
    ("ids", "expected"),
    [
        ("123456789012", "holds no list"),
        ('"123456789012"', "holds no list"),
        ("{secure: v1:abc}", "holds no list"),
        ("[1234]", "1234 is no account's id of 12 digits"),
        ('["123456789012", company]', "'company' is no account's id of 12 digits"),
        ("[null]", "None is no account's id of 12 digits"),
    ],
)
def test_what_is_no_list_of_accounts_is_told(checkout: Path, ids: str, expected: str) -> None:
    environment = written("prod", f"{{aws:allowedAccountIds: {ids}}}", checkout)
    with pytest.raises(UsageError) as refused:
        known_accounts(environment, None)
    assert refused.value.line().startswith("Pulumi.prod.yaml: aws:allowedAccountIds")
    assert expected in refused.value.line()
    assert "\n" not in refused.value.line()


@pytest.mark.parametrize("redis", ["{usersMaximum: 200}", '{usersMaximum: "200"}', """'{"usersMaximum": 200}'"""])
def test_how_many_tenants_it_can_hold(checkout: Path, redis: str) -> None:
    assert written("prod", f"{{freehold:redis: {redis}}}", checkout).tenants_maximum == 197
    assert written("prod", "{freehold:redis: }", checkout).tenants_maximum == 97


@pytest.mark.parametrize(
    ("redis", "expected"),
    [
        ("abc", "freehold:redis holds no mapping; "),
        ("[a]", "freehold:redis holds no mapping; "),
        ("{usersMaximum: abc}", "freehold:redis.usersMaximum: 'abc' is no whole number; "),
        ("{usersMaximum: true}", "freehold:redis.usersMaximum: True is no whole number; "),
        ("{usersMaximum: }", "freehold:redis.usersMaximum: it is empty; "),
    ],
)
def test_how_many_tenants_it_can_hold_is_told_where_it_is_wrong(checkout: Path, redis: str, expected: str) -> None:
    with pytest.raises(UsageError) as refused:
        written("prod", f"{{freehold:redis: {redis}}}", checkout).tenants_maximum  # noqa: B018
    assert refused.value.line().startswith(f"Pulumi.prod.yaml: {expected}")
