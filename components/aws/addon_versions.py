"""Which version of each EKS add-on runs on which version of Kubernetes.

Without a version EKS takes its default of the day, so that two clusters of one program differ. The source is AWS'
tables of versions and what `aws eks describe-addon-versions --kubernetes-version <version>` tells; a later build is
taken up here, by a change that is rehearsed like any other.

- https://docs.aws.amazon.com/eks/latest/userguide/managing-vpc-cni.html
- https://docs.aws.amazon.com/eks/latest/userguide/managing-kube-proxy.html
- https://docs.aws.amazon.com/eks/latest/userguide/managing-coredns.html
- https://docs.aws.amazon.com/eks/latest/userguide/workloads-add-ons-available-eks.html
"""

from __future__ import annotations

from collections.abc import Mapping

import pulumi

_SAME_FOR_ALL = {
    "vpc-cni": "v1.21.1-eksbuild.7",
    "coredns": "v1.13.2-eksbuild.4",
    "metrics-server": "v0.8.1-eksbuild.5",
    "aws-ebs-csi-driver": "v1.58.0-eksbuild.1",
}
VERSIONS: Mapping[str, Mapping[str, str]] = {
    "1.33": {**_SAME_FOR_ALL, "kube-proxy": "v1.33.10-eksbuild.2"},
    "1.34": {**_SAME_FOR_ALL, "kube-proxy": "v1.34.6-eksbuild.2"},
    "1.35": {**_SAME_FOR_ALL, "kube-proxy": "v1.35.3-eksbuild.2"},
}
"""By Kubernetes' version, then by add-on."""


def addon_version(addon: str, kubernetes_version: str) -> str:
    """Raises RunError for a version of Kubernetes that the table does not know."""
    if kubernetes_version not in VERSIONS:
        raise pulumi.RunError(
            f"no add-on versions are known for Kubernetes {kubernetes_version}; choose one of {', '.join(VERSIONS)} "
            "(freehold:cluster, version) or add it to components/aws/addon_versions.py"
        )
    return VERSIONS[kubernetes_version][addon]
