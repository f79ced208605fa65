"""What a shell or an engine needs to work with the sandbox: the variables that `freehold sandbox env` prints."""

from __future__ import annotations

import os
import sysconfig
from urllib.parse import quote

from pydantic import BaseModel, ValidationError

from errors import FreeholdError
from sandbox.aws_cli import ensure_aws_command
from sandbox.files import damaged, unreadable, unwritable
from sandbox.home import Home
from sandbox.processes.aws.spec import aws_endpoint
from sandbox.processes.billing_webhook import NAME as BILLING_WEBHOOK
from sandbox.processes.billing_webhook import webhook_url
from sandbox.processes.postgres import database_url
from sandbox.processes.redis import cache_url
from sandbox.processes.site import Site
from sandbox.providers.choice import VARIABLE, Providers, in_use
from sandbox.supervisor.definitions import CacheDefinition, DatabaseDefinition, DefinitionStore, WebhookDefinition
from sandbox.supervisor.ports import Ports
from sandbox.toolchain import bin_directory

PASSPHRASE = "freehold-sandbox"
"""Of the sandbox's stacks. It is public: what it encrypts is worth nothing outside the sandbox."""

REGION = "us-east-1"

_CONTROL = "control"
"""Part of the control database's identifier, where there is more than one database."""


class _OperatorKey(BaseModel):
    access_key_id: str
    secret_access_key: str


def environment(home: Home) -> dict[str, str]:
    """The variables, from what the sandbox at `home` keeps on disk; raises FreeholdError where it never ran.

    DATABASE_URL is the control database's, REDIS_URL the first cache's; what does not exist is left out.
    """
    # Without the FREEHOLD_*_PORT variables of this shell: the sandbox may have been started with others.
    site = Site(home, Ports(home.data / "ports.json", {}))
    key = _operator_key(home)
    endpoint = aws_endpoint(site)
    scripts = sysconfig.get_path("scripts")
    variables = {
        "PATH": os.pathsep.join(_path(str(ensure_aws_command(home)), str(bin_directory()), scripts)),
        "FREEHOLD_HOME": str(home.root),
        "PULUMI_HOME": str(home.pulumi_home),
        # Without a file of attributes beside each file: nobody reads them, and writing them costs time at each step.
        "PULUMI_BACKEND_URL": f"file://{quote(str(home.backend))}?metadata=skip",
        # States of a sixteenth of the size: an update keeps copies of them, and writing them whole takes longer.
        "PULUMI_DIY_BACKEND_GZIP": "true",
        "PULUMI_CONFIG_PASSPHRASE": PASSPHRASE,
        "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
        "PULUMI_SKIP_UPDATE_CHECK": "true",
        "KUBECONFIG": str(home.root / "kubeconfig"),
        # What kubectl remembers of a cluster's kinds goes with the sandbox, and not into the user's own folder.
        "KUBECACHEDIR": str(home.kube_cache),
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ACCESS_KEY_ID": key.access_key_id,
        "AWS_SECRET_ACCESS_KEY": key.secret_access_key,
        # Instead of seconds of asking a metadata service that is not there, when a key is missing.
        "AWS_EC2_METADATA_DISABLED": "true",
        "PGSSLROOTCERT": str(site.authority.certificate_path),
        **dict.fromkeys(("NO_PROXY", "no_proxy"), _without_proxy()),
        "FREEHOLD_CACHE_AUTHORITY": str(site.authority.certificate_path),
    }
    if in_use(home) is Providers.OFFICIAL:
        # The aws plugin tags buckets through S3 Control, whose clients put the account's id before the host, which an
        # address of numbers does not bear: https://docs.aws.amazon.com/sdkref/latest/guide/feature-ss-endpoints.html
        variables |= {VARIABLE: str(Providers.OFFICIAL), "AWS_ENDPOINT_URL_S3_CONTROL": _by_name(endpoint)}
    try:
        home.backend.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise unwritable(home.backend, error) from None
    databases = [one for one in DefinitionStore(home, "databases", DatabaseDefinition).all() if one.complete]
    control = databases if len(databases) == 1 else [one for one in databases if _CONTROL in one.name]
    if control:
        variables["DATABASE_URL"] = database_url(site, control[0], control[0].username, control[0].password)
    webhook = DefinitionStore(home, "webhooks", WebhookDefinition).get(BILLING_WEBHOOK)
    if webhook is not None:
        variables |= {"FREEHOLD_WEBHOOK_URL": webhook_url(site), "STRIPE_WEBHOOK_SECRET": webhook.secret}
    caches = [one for one in DefinitionStore(home, "caches", CacheDefinition).all() if one.complete]
    if caches:
        variables["REDIS_URL"] = cache_url(site, caches[0])
    return variables


def _path(*first: str) -> list[str]:
    """PATH with the sandbox's folders in front, each once however often it has been set."""
    inherited = os.environ.get("PATH", os.defpath).split(os.pathsep)
    return [*first, *(folder for folder in inherited if folder not in first)]


def _without_proxy() -> str:
    """NO_PROXY with this machine in it, which no proxy can reach; some tools read one spelling alone."""
    inherited = os.environ.get("no_proxy") or os.environ.get("NO_PROXY") or ""
    if inherited.strip() == "*":
        return inherited
    hosts = [host.strip() for host in inherited.split(",") if host.strip()]
    return ",".join(dict.fromkeys((*hosts, "127.0.0.1", "localhost")))


def _by_name(endpoint: str) -> str:
    return endpoint.replace("//127.0.0.1:", "//localhost:")


def _operator_key(home: Home) -> _OperatorKey:
    path = home.credentials / "aws.json"
    try:
        return _OperatorKey.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        what = "the sandbox has not run yet"
        raise FreeholdError(what, where=str(home.root), mend="./freehold sandbox start") from None
    except OSError as error:
        raise unreadable(path, error) from None
    except ValidationError:
        raise damaged(path) from None
