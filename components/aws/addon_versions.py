"""Which version of each EKS add-on runs on which version of Kubernetes.

Without a version EKS takes its default of the day, so that two clusters of one program differ. The source is AWS'
tables of versions and what `aws eks describe-addon-versions --kubernetes-version <version>` tells; a later build is
taken up here, by a change that is rehearsed like any other. As of September 2026: EKS' defaults for 1.34 and 1.35 but
for CoreDNS on 1.34, where 1.13 stays; 1.33, which has left standard support, keeps to somewhat older builds.

- https://docs.aws.amazon.com/eks/latest/userguide/managing-vpc-cni.html
- https://docs.aws.amazon.com/eks/latest/userguide/managing-kube-proxy.html
- https://docs.aws.amazon.com/eks/latest/userguide/managing-coredns.html
- https://docs.aws.amazon.com/eks/latest/userguide/workloads-add-ons-available-eks.html
"""

from __future__ import annotations

from collections.abc import Mapping

import pulumi

VERSIONS: Mapping[str, Mapping[str, str]] = {
    "1.33": {
        "vpc-cni": "v1.22.4-eksbuild.3",
        "kube-proxy": "v1.33.10-eksbuild.29",
        "coredns": "v1.13.2-eksbuild.24",
        "metrics-server": "v0.8.1-eksbuild.14",
        "aws-ebs-csi-driver": "v1.63.1-eksbuild.1",
    },
    "1.34": {
        "vpc-cni": "v1.22.4-eksbuild.3",
        "kube-proxy": "v1.34.6-eksbuild.29",
        "coredns": "v1.13.2-eksbuild.24",
        "metrics-server": "v0.9.0-eksbuild.11",
        "aws-ebs-csi-driver": "v1.66.0-eksbuild.1",
    },
    "1.35": {
        "vpc-cni": "v1.22.4-eksbuild.3",
        "kube-proxy": "v1.35.3-eksbuild.29",
        "coredns": "v1.13.2-eksbuild.31",
        "metrics-server": "v0.9.0-eksbuild.11",
        "aws-ebs-csi-driver": "v1.66.0-eksbuild.1",
    },
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
