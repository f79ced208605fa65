"""The way into a cluster."""

from __future__ import annotations

from collections.abc import Sequence

import pulumi
from pulumi_kubernetes import Provider


def cluster_provider(
    kubeconfig: pulumi.Input[str],
    oidc_issuer: pulumi.Input[str],
    *,
    takes_fields_back: bool = False,
    after: Sequence[pulumi.Resource] = (),
) -> Provider:
    """A provider for the cluster whose service account tokens `oidc_issuer` signs; what goes through it is made after
    `after`, and deleted before.

    By the issuer the provider knows the cluster again. Without, a new certificate authority or address would replace
    all objects in it, tenants' namespaces among them, and so it would look in a preview that does not know the
    kubeconfig yet. A cluster that is made anew under the old name, and so with the old ARN, has another issuer: all its
    objects are to be made again.
    https://www.pulumi.com/registry/packages/kubernetes/api-docs/provider/ (clusterIdentifier)

    With `takes_fields_back` an update sets what the program declares, whoever has changed it since. Without, one that
    finds a field changed is refused, which is right where administrators alone could have done so.
    https://www.pulumi.com/registry/packages/kubernetes/api-docs/provider/ (enablePatchForce)
    """
    return Provider(
        "kubernetes",
        kubeconfig=kubeconfig,
        cluster_identifier=oidc_issuer,
        enable_server_side_apply=True,
        enable_patch_force=takes_fields_back or None,
        opts=pulumi.ResourceOptions(depends_on=list(after)),
    )
