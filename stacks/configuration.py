"""Reads a stack's configuration and validates it, before any resource is declared."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final, get_args

from pydantic import BaseModel, ValidationError

from errors import UsageError
from stacks import cells
from stacks.settings.base import Settings
from stacks.settings.platform import PlatformSettings
from stacks.settings.tenant import TenantSettings

ENVIRONMENTS: Final = ("sandbox", "dev", "staging", "prod")
PROGRAMS: Final[Mapping[str, type[PlatformSettings] | type[TenantSettings]]] = {
    "platform": PlatformSettings,
    "tenant": TenantSettings,
}
ACCOUNTS: Final = "aws:allowedAccountIds"
_ACCOUNT = re.compile(r"[0-9]{12}", re.ASCII)
_NAMESPACE = "freehold:"


def from_engine(environment: Mapping[str, str] | None = None) -> dict[str, str]:
    """The `freehold:` keys of PULUMI_CONFIG, without that prefix; objects are JSON text.

    An empty text or object is left out: it is the default by which Pulumi.yaml keeps a key from being required.
    Raises UsageError for a key that holds a secret: what is configured ends in names, tags and addresses, which the
    state and the cloud have in clear.
    """
    variables = os.environ if environment is None else environment
    values: dict[str, str] = json.loads(variables.get("PULUMI_CONFIG", "{}"))
    secret: list[str] = json.loads(variables.get("PULUMI_CONFIG_SECRET_KEYS") or "[]")
    if ours := sorted(key for key in secret if key.startswith(_NAMESPACE)):
        raise UsageError(
            "holds a secret, which would lie in the state in clear: no key takes one",
            where=ours[0],
            mend="write it without `secure`; docs/rotate.md says where secrets are put",
        )
    return {
        key.removeprefix(_NAMESPACE): value
        for key, value in values.items()
        if key.startswith(_NAMESPACE) and value not in ("", "{}")
    }


def allowed_accounts(environment: Mapping[str, str] | None = None) -> tuple[str, ...]:
    """The accounts of `aws:allowedAccountIds`; none where the key is not set. Raises UsageError where it is no list.

    The engine itself gives the key to a provider of its own making alone, and the programs make theirs.
    """
    variables = os.environ if environment is None else environment
    text: str = json.loads(variables.get("PULUMI_CONFIG", "{}")).get(ACCOUNTS) or "[]"
    try:
        named = json.loads(text)
    except json.JSONDecodeError:
        named = None
    # Where one is written without quotes, YAML has made a number of it.
    if not isinstance(named, list) or not all(_ACCOUNT.fullmatch(str(one)) for one in named):
        raise UsageError(
            f"{text!r} is no list of accounts", where=ACCOUNTS, mend='write a list of texts, such as ["123456789012"]'
        )
    return tuple(str(one) for one in named)


def environment_of(cell: str) -> str:
    """The environment that a platform stack belongs to: `prod` of `prod`, `prod-eu1` and `prod-gcp`.

    Raises UsageError where its name starts with no known environment.
    """
    environment = cell.split("-", 1)[0]
    if environment not in ENVIRONMENTS:
        raise UsageError(
            f"{cell!r} belongs to no environment",
            where="stack name",
            mend=f"name it {', '.join(ENVIRONMENTS)}, or one of these with a suffix such as prod-eu1",
        )
    return environment


def load(values: Mapping[str, str], stack: str) -> PlatformSettings | TenantSettings:
    """Validated settings of `stack`. Raises UsageError, one line that names every bad key and why."""
    where = f"Pulumi.{stack}.yaml"
    program = values.get("program", "platform")
    if program not in PROGRAMS:
        raise UsageError(
            f"freehold:program is {program!r}", where=where, mend=f"choose one of {', '.join(sorted(PROGRAMS))}"
        )
    model = PROGRAMS[program]
    if not values and program == "platform":
        raise UsageError("holds no freehold: key", where=where, mend="copy Pulumi.dev.yaml and adapt it")
    try:
        settings = model.model_validate_json(json.dumps(_typed(model, values)))
    except ValidationError as error:
        raise UsageError(_explain(error), where=where) from error
    _check_stack(settings, stack)
    return settings


def _typed(model: type[Settings], values: Mapping[str, str]) -> dict[str, Any]:
    """The engine hands over text only: give each key the type that the model expects where the text allows it."""
    fields = {field.alias or name: field for name, field in model.model_fields.items()}
    typed: dict[str, Any] = {}
    for key, text in values.items():
        annotation = fields[key].annotation if key in fields else str
        typed[key] = text
        if annotation is bool and text in ("true", "false"):
            typed[key] = text == "true"
        elif _is_object(annotation):
            try:
                typed[key] = json.loads(text)
            except json.JSONDecodeError:
                continue  # stays text, which the model refuses as "not an object"
    return typed


def _is_object(annotation: Any) -> bool:
    kinds = (annotation, *get_args(annotation))
    return any(kind is dict or (isinstance(kind, type) and issubclass(kind, BaseModel)) for kind in kinds) or (
        getattr(annotation, "__origin__", None) is dict
    )


_LENGTHS: Final = {
    "too_short": "holds {actual_length}, at least {min_length} are wanted",
    "too_long": "holds {actual_length}, at most {max_length} are wanted",
}


def _explain(error: ValidationError) -> str:
    problems = []
    details = error.errors(include_url=False)
    for detail in details:
        if detail["type"] == "too_short" and any(_below(other["loc"], detail["loc"]) for other in details):
            continue  # what it misses are the entries that are told to be wrong
        path = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in detail["loc"]).lstrip(".")
        key = f"{_NAMESPACE}{path}: " if path else ""
        message = detail["msg"].removeprefix("Value error, ")
        if detail["type"] == "extra_forbidden":
            message = "unknown key"
        elif detail["type"] == "missing":
            message = "missing"
        elif detail["input"] is None:
            message = "it is empty: give it a value"
        elif detail["type"] == "string_type" and isinstance(detail["input"], int | float):
            # To YAML, 1.30 is the number 1.3.
            message = f"{message}, not {detail['input']!r}; write it in quotes"
        elif detail["type"] in _LENGTHS:
            message = _LENGTHS[detail["type"]].format(**detail["ctx"])
        elif not detail["type"].startswith("value_error") and isinstance(detail["input"], str | int | float | bool):
            message = f"{message}, not {detail['input']!r}"
        problems.append(f"{key}{message}")
    return "; ".join(problems)


def _below(path: Sequence[int | str], other: Sequence[int | str]) -> bool:
    return len(path) > len(other) and path[: len(other)] == other


def _check_stack(settings: PlatformSettings | TenantSettings, stack: str) -> None:
    if isinstance(settings, PlatformSettings):
        cells.check(stack)
        if environment_of(stack) != "sandbox" and not settings.cluster.admins:
            # Whoever runs `up` first would administer the cluster, and the next one would put another in their place.
            raise UsageError(
                f"{_NAMESPACE}cluster.admins: missing",
                where=f"Pulumi.{stack}.yaml",
                mend="name the IAM roles and users that administer the cluster, the one that runs `up` among them",
            )
        if environment_of(stack) != "sandbox" and not settings.network.zones:
            raise UsageError(
                f"{_NAMESPACE}network.zones: missing",
                where=f"Pulumi.{stack}.yaml",
                mend=f"name three zones of {settings.region}; those that the subnets are in, where there are some",
            )
        if environment_of(stack) != "sandbox" and settings.billing and not settings.billing.authority:
            raise UsageError(
                f"{_NAMESPACE}billing.authority: missing",
                where=f"Pulumi.{stack}.yaml",
                mend="name the file with the certificates of the database's authority (docs/connect-stripe.md)",
            )
        return
    expected = f"tenant.{settings.tenant.cell}.{settings.tenant.id}"
    environment_of(settings.tenant.cell)
    if stack != expected:
        raise UsageError(
            f"the stack of tenant {settings.tenant.id} in cell {settings.tenant.cell} is called {expected}",
            where=f"stack {stack}",
            mend="rename the stack or correct freehold:tenant",
        )
