"""The provider's configuration, from its inputs and its environment.

Source: https://www.pulumi.com/registry/packages/kubernetes/api-docs/provider/
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sandbox.providers.configuration import boolean, text
from sandbox.providers.interface import CheckFailure, Properties, ProviderError, Unknown
from sandbox.providers.kubernetes import kubeconfig
from sandbox.providers.kubernetes.kubeconfig import Access

_SERVED = frozenset(
    {
        "kubeconfig",
        "context",
        "cluster",
        "clusterIdentifier",
        "namespace",
        "enableServerSideApply",
        "enableConfigMapMutable",
        "enableSecretMutable",
        "enablePatchForce",
        "upsertExistingObjects",
        "skipUpdateUnreachable",
        "deleteUnreachable",
    }
)
# They tune or silence what the sandbox does not do.
_WITHOUT_EFFECT = frozenset(
    {"suppressDeprecationWarnings", "suppressHelmHookWarnings", "helmReleaseSettings", "kubeClientSettings"}
)
_REFUSED = frozenset({"renderYamlToDirectory", "alwaysRender"})


@dataclass(frozen=True)
class Settings:
    """What one provider instance is configured to do."""

    access: Access | None
    unusable: str
    """Why there is no access; the kubeconfig may only come to be later in the same run."""
    namespace: str
    server_side_apply: bool
    mutable_config_maps: bool
    mutable_secrets: bool
    patch_force: bool
    upsert: bool
    skip_unreachable: bool
    delete_unreachable: bool


def check(inputs: Properties) -> list[CheckFailure]:
    """What is wrong with a provider's inputs."""
    failures = []
    for name, value in inputs.items():
        if name in _REFUSED:
            failures.append(CheckFailure(name, "the sandbox's kubernetes stand-in renders no YAML"))
        elif name not in _SERVED and name not in _WITHOUT_EFFECT:
            failures.append(CheckFailure(name, f"the kubernetes provider has no property {name!r}"))
        elif not isinstance(value, Unknown) and name.startswith(("enable", "skip", "delete", "upsert")):
            try:
                boolean(inputs, name)
            except ProviderError as error:
                failures.append(CheckFailure(name, str(error)))
    return failures


def read(config: Properties, environment: Mapping[str, str]) -> Settings:
    """The settings; a kubeconfig that cannot be used is kept as a reason and not raised."""

    def switch(key: str, variable: str, default: bool = False) -> bool:
        if text(config, key) is not None:
            return boolean(config, key)
        return boolean({variable: environment.get(variable)}, variable, default)

    found, unusable = None, ""
    try:
        found = _access(config, environment)
    except ProviderError as error:
        unusable = str(error)
    return Settings(
        access=found,
        unusable=unusable,
        namespace=text(config, "namespace") or (found.namespace if found else ""),
        server_side_apply=switch("enableServerSideApply", "PULUMI_K8S_ENABLE_SERVER_SIDE_APPLY", True),
        mutable_config_maps=switch("enableConfigMapMutable", "PULUMI_K8S_ENABLE_CONFIGMAP_MUTABLE"),
        mutable_secrets=switch("enableSecretMutable", "PULUMI_K8S_ENABLE_SECRET_MUTABLE"),
        patch_force=switch("enablePatchForce", "PULUMI_K8S_ENABLE_PATCH_FORCE"),
        upsert=switch("upsertExistingObjects", "PULUMI_K8S_UPSERT_EXISTING_OBJECTS"),
        skip_unreachable=switch("skipUpdateUnreachable", "PULUMI_K8S_SKIP_UPDATE_UNREACHABLE"),
        delete_unreachable=switch("deleteUnreachable", "PULUMI_K8S_DELETE_UNREACHABLE"),
    )


def _access(config: Properties, environment: Mapping[str, str]) -> Access:
    given = text(config, "kubeconfig") or _first_path(environment)
    loaded, folder = kubeconfig.load(given, environment)
    return kubeconfig.access(loaded, folder, context=text(config, "context"), cluster=text(config, "cluster"))


def _first_path(environment: Mapping[str, str]) -> str:
    paths = [path for path in environment.get("KUBECONFIG", "").split(":") if path]
    return paths[0] if paths else f"{environment.get('HOME', '')}/.kube/config"


def same_cluster(old: Properties, new: Properties) -> bool:
    """Whether two configurations mean the same cluster. What is not known yet may be another one.

    An identifier decides where both have one; to begin or to stop giving one changes nothing. Without, a cluster is its
    entry in the kubeconfig: another address or another certificate authority is another cluster.
    Source: DiffConfig in github.com/pulumi/pulumi-kubernetes, provider/pkg/provider/provider.go.
    """
    before, after = text(old, "clusterIdentifier"), new.get("clusterIdentifier")
    if before and after:
        return before == after
    if any(isinstance(new.get(key), Unknown) for key in ("kubeconfig", "context", "cluster")):
        return False
    try:
        left, right = (_access(config, {}) for config in (old, new))
    except ProviderError:
        return True
    return _entry(left) == _entry(right)


def _entry(access: Access) -> tuple[str | bool | None, ...]:
    return access.server, access.certificate_authority, access.server_name, access.verify
