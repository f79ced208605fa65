"""Which version of an add-on goes with which Kubernetes."""

from __future__ import annotations

import pulumi
import pytest

from components.aws.addon_versions import VERSIONS, addon_version
from components.aws.cluster_addons import ADDONS


@pytest.mark.parametrize("version", VERSIONS)
def test_each_known_kubernetes_has_every_addon(version: str) -> None:
    assert set(VERSIONS[version]) == {addon.name for addon in ADDONS}
    assert VERSIONS[version]["kube-proxy"].startswith(f"v{version}.")


def test_an_unknown_kubernetes_is_one_line() -> None:
    with pytest.raises(pulumi.RunError, match=r"no add-on versions are known for Kubernetes 1\.99; choose one of"):
        addon_version("coredns", "1.99")
