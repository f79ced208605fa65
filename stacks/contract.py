"""What a platform tells its tenants: one typed, versioned record, exported as the output `contract`.

It holds no secret, only references into the secret manager. A change that a tenant program could not read raises
the version; new fields have defaults.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from catalog.services import Service
from errors import FreeholdError

OUTPUT = "contract"
VERSION = 1


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class NetworkContract(_Record):
    cidr: str
    data_cidrs: tuple[str, ...]
    """Where databases and caches live: what a workload may reach inside the network."""
    service_cidr: str


class ClusterContract(_Record):
    name: str
    endpoint: str
    kubeconfig: str
    """JSON; holds no credential."""
    oidc_issuer: str
    oidc_provider_arn: str


class DatabaseContract(_Record):
    identifier: str
    host: str
    port: int
    database: str
    admin_secret: str
    """Reference to JSON: host, port, database, username, password, sslmode."""
    logins: Mapping[str, str] = {}
    """By service, references to the same for its own role; none in the tenants' database."""

    def login(self, service: Service) -> str:
        """Where the service finds its login; in a platform of an earlier release the administrator's."""
        return self.logins.get(service, self.admin_secret)


class DatabasesContract(_Record):
    tenants: DatabaseContract
    control: DatabaseContract | None
    """None where the platform's settings leave it out."""


class CacheContract(_Record):
    replication_group: str
    host: str
    port: int
    user_group: str
    admin_secret: str
    """Reference to JSON: host, port, username, password."""
    sweeper_secret: str | None = None
    """Reference to the same, of a user that can list and remove tenants' keys and nothing else; None in a platform of
    an earlier release."""


class BucketContract(_Record):
    name: str
    arn: str
    kms_key_arn: str


class NotifierContract(_Record):
    queue_url: str
    dead_letter_queue_url: str
    sinks_secret: str
    """Reference to JSON: see services/notifier/settings.py; without a value until one is put there."""


class AlertsContract(_Record):
    topic_arn: str
    notifier: NotifierContract | None = None
    """None where nobody but the topic's own subscribers is told."""


class BillingContract(_Record):
    url: str
    """Where Stripe sends its events."""
    signing_secret: str
    """Reference to the endpoint's signing secrets, with commas between; without a value until one is put there."""


class TenantsContract(_Record):
    role_boundary: str
    """The most that a tenant's role may be allowed."""


class BudgetContract(_Record):
    name: str
    limit: int
    """USD a month."""


class PlatformContract(_Record):
    version: Literal[1]
    product: str
    environment: str
    cell: str
    cost_centre: str
    cloud: str
    account: str
    region: str
    admits_tenants: bool
    """False until a run from inside the network has closed the shared database and set the rules for tenants."""
    network: NetworkContract
    cluster: ClusterContract
    database: DatabasesContract
    cache: CacheContract
    bucket: BucketContract
    alerts: AlertsContract
    budget: BudgetContract
    tenants: TenantsContract | None = None
    """None in a platform of an earlier release."""
    billing: BillingContract | None = None
    """None where the platform runs no billing webhook."""


def validated(record: Mapping[str, Any]) -> dict[str, Any]:
    """`record` as a contract, in the form in which it is exported. Raises pydantic's ValidationError."""
    return PlatformContract.model_validate(record).model_dump(mode="json")


def read(stack: str, exported: Any, *, product: str | None = None) -> PlatformContract:
    """The contract that `stack` exported. Raises FreeholdError where it is missing or of another version; for a
    tenant of `product` also where it is of another product or admits no tenants yet."""
    if exported is None:
        raise FreeholdError(f"exports no {OUTPUT}", where=f"stack {stack}", mend=f"run {_up(stack)} to its end first")
    same_release = "update the platform and the tenants with the same release"
    if not isinstance(exported, Mapping):
        raise FreeholdError(f"its {OUTPUT} is no record", where=f"stack {stack}", mend=f"run {_up(stack)} again")
    if exported.get("version") != VERSION:
        raise FreeholdError(
            f"its contract has version {exported.get('version')}, this program reads version {VERSION}",
            where=f"stack {stack}",
            mend=same_release,
        )
    try:
        known = PlatformContract.model_validate(exported)
    except ValidationError as error:
        bad = ", ".join(".".join(map(str, detail["loc"])) for detail in error.errors())
        raise FreeholdError(f"its contract is malformed at {bad}", where=f"stack {stack}", mend=same_release) from error
    if product is not None and known.product != product:
        raise FreeholdError(
            f"runs {known.product}, the tenant is one of {product}",
            where=f"stack {stack}",
            mend="correct freehold:blueprint or the tenant's cell",
        )
    if product is not None and not known.admits_tenants:
        raise FreeholdError(
            "its shared database is not closed yet",
            where=f"stack {stack}",
            mend=f"run {_up(stack)} from inside its network, with freehold:insideNetwork true",
        )
    return known


def _up(stack: str) -> str:
    """The command that builds it. Plain `pulumi up` gives the services no rights in the control database."""
    return "`./freehold up`" if stack == "sandbox" else f"`./freehold up {stack} --target cloud` (or `sandbox`)"
