"""An environment's platform stack: which file, which credentials, which engine environment."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from catalog import limits
from errors import FreeholdError, UsageError
from fleet.stack import Stack
from fleet.stack_files import project_name, read_stack_file, structured
from fleet.state import StackState
from fleet.targets import Target
from fleet.working_folders import write
from sandbox.home import CHECKOUT, Home
from sandbox.providers.choice import Providers, chosen, in_use
from sandbox.toolchain import bin_directory
from stacks.contract import OUTPUT, PlatformContract, read

Json = Any

DEFAULT = "sandbox"

POLICIES = CHECKOUT / "policies"
"""The pack that every update runs under."""

AUTHORITY = Path("certificates/rds.pem")
"""In the checkout: the authorities that vouch for a cloud's databases, unless PGSSLROOTCERT names another file. The
images and the billing function take it from there too (docs/images.md)."""

# What would send a real environment's engine to the sandbox.
_SANDBOX_ONLY = ("AWS_ENDPOINT_URL",)
# Perhaps a text, which the program refuses later: this is not the place to judge it.
_WHOLE = re.compile(r"[0-9]{1,9}", re.ASCII)
_ACCOUNT = re.compile(r"[0-9]{12}", re.ASCII)
_ARN_ACCOUNT = re.compile(r"^arn:aws[a-z-]*:[a-z0-9-]*:[a-z0-9-]*:([0-9]{12}):")


@dataclass(frozen=True)
class Environment:
    """A platform stack (a cell) at one target. `engine` is the environment that its engine gets."""

    cell: str
    target: Target
    home: Home
    engine: Mapping[str, str] = field(repr=False)

    @property
    def file(self) -> Mapping[str, Json]:
        """Pulumi.<cell>.yaml."""
        return read_stack_file(stack_file(self.cell))

    def config(self, key: str) -> Json:
        """One `freehold:` key of the stack's file, None where it is not set there."""
        return self.configuration.get(f"freehold:{key}")

    @property
    def configuration(self) -> Mapping[str, Json]:
        """All keys of the stack's file, as they stand there: the program has not judged them."""
        return self.file.get("config") or {}

    def wrong(self, what: str, mend: str) -> UsageError:
        """The error about a value of the stack's file."""
        return UsageError(what, where=stack_file(self.cell).name, mend=mend)

    @property
    def region(self) -> str:
        """Where it is built, as the stack's file says. Raises UsageError where it says nothing, or no region."""
        from pydantic import TypeAdapter, ValidationError

        from stacks.settings.base import Region

        found = self.config("region")
        try:
            return str(TypeAdapter(Region).validate_python(found, strict=True))
        except ValidationError:
            what = "freehold:region is missing" if found in (None, "") else f"freehold:region: {found!r} is no region"
            raise self.wrong(what, "name one, such as us-east-1") from None

    @property
    def tenants_maximum(self) -> int:
        """How many tenants of the bridge tier it can hold."""
        chosen = structured(self.config("redis") or {})
        if not isinstance(chosen, dict):
            raise self.wrong("freehold:redis holds no mapping", "write keys below it, such as `machineType`")
        users = chosen.get("usersMaximum", limits.CACHE_USERS_MAXIMUM)
        if not _WHOLE.fullmatch(str(users)):
            what = f"freehold:redis.usersMaximum: {'it is empty' if users is None else f'{users!r} is no whole number'}"
            raise self.wrong(what, "write the account's quota of users in a user group, or leave it out")
        return limits.tenants_maximum(int(users))

    @property
    def inside_network(self) -> bool:
        """Whether its program runs where the private network is reached; `pulumi config set` writes it as a text."""
        return str(self.config("insideNetwork")).lower() != "false"

    @property
    def secrets_provider(self) -> str | None:
        """What encrypts secrets: the file's cloud key, in the sandbox the passphrase (None)."""
        provider = self.file.get("secretsprovider") if self.target is Target.CLOUD else None
        return str(provider) if provider else None

    @property
    def salt(self) -> str | None:
        """What the platform's key is derived with from a passphrase; None where a cloud key encrypts.

        Tenants' stacks take it too. With the same passphrase it gives the same key, and a run on a tenant, which reads
        the platform's outputs, derives one key in place of two: a quarter of a second of a processor each.
        """
        if self.secrets_provider:
            return None
        salt = read_stack_file(self._folder / f"Pulumi.{self.cell}.yaml").get("encryptionsalt")
        return str(salt) if salt else None

    @property
    def stack(self) -> Stack:
        """The platform stack. It runs in the checkout; the rehearsal of a real environment runs in a folder of its own
        with a copy of the configuration, so that its passphrase and salt never get into the environment's file."""
        if self._folder != CHECKOUT:
            write(self._folder, self.cell, self.configuration)
        return Stack(project(), self.cell, self._folder, self.engine, journaled=self.journaled)

    @property
    def _folder(self) -> Path:
        rehearsed = self.target is Target.SANDBOX and self.cell.split("-")[0] != DEFAULT
        return self.home.rehearsals / self.cell if rehearsed else CHECKOUT

    @property
    def journaled(self) -> bool:
        """Whether its providers journal what they make: the stand-ins do, official plugins do not."""
        return self.target is Target.SANDBOX and in_use(self.home) is Providers.STAND_INS

    def contract(self, state: StackState | None) -> PlatformContract:
        """What the platform exports. Raises FreeholdError where it has not been built."""
        if state is None:
            raise FreeholdError("it has not been built", where=f"environment {self.cell}", mend=f"{self.command('up')}")
        if OUTPUT not in state.outputs:  # told here, where the target is known that `up` was begun for
            what = "it has not been built to its end"
            raise FreeholdError(what, where=f"environment {self.cell}", mend=f"{self.command('up')}")
        return read(self.cell, state.outputs[OUTPUT])

    def renewed(self) -> Environment:
        """The same with the variables as they are now: a sandbox has more of them once its platform is built."""
        return sandboxed(self.cell, self.home) if self.target is Target.SANDBOX else self

    def command(self, name: str) -> str:
        """`./freehold <name>` for this environment, as a person would type it: `up`, `status` and so on."""
        words = ["./freehold", name]
        if self.cell != DEFAULT:
            words += [self.cell, "--target", self.target]
        return " ".join(words)

    @property
    def options(self) -> str:
        """What the commands on tenants, fleet and budget take to reach this environment; with a space before."""
        return "" if self.cell == DEFAULT else f" --env {self.cell} --target {self.target}"


def known() -> tuple[str, ...]:
    """The cells that the checkout has a stack file of."""
    names = (path.name.removeprefix("Pulumi.").removesuffix(".yaml") for path in CHECKOUT.glob("Pulumi.*.yaml"))
    return tuple(sorted(name for name in names if name))


def stack_file(cell: str) -> Path:
    return CHECKOUT / f"Pulumi.{cell}.yaml"


def project() -> str:
    """The project's name, from Pulumi.yaml."""
    return project_name(CHECKOUT / "Pulumi.yaml")


def cell_asked(environment: str | None, cell: str | None) -> str | None:
    """The name to choose by, where a person may name both an environment and a cell of it (`prod-eu1` of `prod`).
    Raises UsageError where they do not go together, or there is no such environment."""
    if environment is None or cell is None:
        return environment if cell is None else cell
    _require(environment, tuple(sorted({*known(), *(one.split("-")[0] for one in known())})))
    _require(cell, known())
    if cell != environment and not cell.startswith(f"{environment}-"):
        raise UsageError(f"{cell} is no cell of {environment}", mend="leave --env or --cell out")
    return cell


def _require(name: str, choices: Sequence[str]) -> None:
    if name in choices:
        return
    # As where a script's variable is not set: it must not be taken for one that was left out.
    what = f"there is no environment {name!r}" if name.strip() else "the environment's name is empty"
    raise UsageError(what, mend=f"choose one of {', '.join(choices)}")


def choose(name: str | None, target: Target | None) -> tuple[str, Target]:
    """The cell and target that a person asked for; no name at all is the sandbox. Raises UsageError for an unknown one,
    or where the target of an environment other than the sandbox is left unsaid, or FREEHOLD_PROVIDERS has an unknown
    value."""
    cell = DEFAULT if name is None else name
    _require(cell, known())
    if target is None and cell != DEFAULT:
        what = f"say where to build {cell}"
        raise UsageError(what, mend="--target sandbox rehearses it here, --target cloud uses real credentials")
    if target is Target.CLOUD and cell.split("-")[0] == DEFAULT:
        raise UsageError(f"{cell} is only ever rehearsed", mend="choose dev, staging or prod for --target cloud")
    if target is not Target.CLOUD:
        chosen()  # a wrong value is told before anything is started
    return cell, target or Target.SANDBOX


def sandboxed(cell: str, home: Home) -> Environment:
    """The environment rehearsed in the sandbox at `home`, which runs."""
    from sandbox.environment import environment

    inherited = {name: os.environ[name] for name in ("HOME", "LANG", "TERM", "TMPDIR", "USER") if name in os.environ}
    engine = {**inherited, **environment(home)}
    # The person's own passphrase wins, so that a wrong one is told and not papered over.
    if passphrase := os.environ.get("PULUMI_CONFIG_PASSPHRASE"):
        engine["PULUMI_CONFIG_PASSPHRASE"] = passphrase
    return Environment(cell, Target.SANDBOX, home, engine)


def require_real_shell(home: Home) -> None:
    """Raises UsageError where this shell is set up for the sandbox: a real stack meets neither its endpoint nor its
    stand-ins."""
    for name in _SANDBOX_ONLY:
        if name in os.environ:
            raise UsageError(f"{name} is set: this shell is the sandbox's", mend="use a shell without `sandbox env`")
    if os.environ.get("PULUMI_HOME") == str(home.pulumi_home):
        raise UsageError("PULUMI_HOME is the sandbox's", mend="use a shell without `sandbox env`")


def real(cell: str, home: Home) -> Environment:
    """The environment in the cloud, with the credentials of this process."""
    path = f"{bin_directory()}:{CHECKOUT / '.venv' / 'bin'}:{os.environ.get('PATH', '')}"
    engine = {**os.environ, "PATH": path, "PULUMI_SKIP_UPDATE_CHECK": "true"}
    if not engine.get("PGSSLROOTCERT") and (authority := CHECKOUT / AUTHORITY).is_file():
        engine["PGSSLROOTCERT"] = str(authority)
    return Environment(cell, Target.CLOUD, home, engine)


def _allowed_accounts(environment: Environment) -> set[str]:
    key, mend = "aws:allowedAccountIds", 'write a list of texts, such as ["123456789012"]'
    named = structured(environment.configuration.get(key) or [])
    if not isinstance(named, list):
        raise environment.wrong(f"{key} holds no list", mend)
    if wrong := [one for one in named if not _ACCOUNT.fullmatch(str(one))]:
        raise environment.wrong(f"{key}: {wrong[0]!r} is no account's id of 12 digits", mend)
    return {str(account) for account in named}


def known_accounts(environment: Environment, state: StackState | None) -> frozenset[str]:
    """The accounts that the state (ARNs of what was built) and the stack's file (aws:allowedAccountIds) know."""
    accounts = _allowed_accounts(environment)
    for resource in state.managed if state is not None else ():
        match = _ARN_ACCOUNT.match(str((resource.get("outputs") or {}).get("arn", "")))
        if match:
            accounts.add(match[1])
    return frozenset(accounts)


def require_known_account(environment: Environment, state: StackState | None, account: str) -> None:
    """Raises FreeholdError where the credentials are of an account that neither the state nor the file names."""
    accounts = known_accounts(environment, state)
    if account not in accounts:
        expected = f"it knows {', '.join(sorted(accounts))}" if accounts else "it knows none yet"
        raise FreeholdError(
            f"the credentials are of account {account}, which the state does not know ({expected})",
            where=f"environment {environment.cell}",
            mend=f'use other credentials, or add `aws:allowedAccountIds: ["{account}"]` to the config of '
            f"Pulumi.{environment.cell}.yaml",
        )
