"""Imports the SDKs, and the classes in them, that the programs of tests use most; their states are as ours are."""

from __future__ import annotations

from stacks import stack_traces


def preload() -> None:
    import pulumi_aws as aws
    import pulumi_kubernetes as k8s
    import pulumi_postgresql as postgresql
    import pulumi_random as random

    stack_traces.shorten()
    # The SDKs put an import off to the first look at a name in it.
    for module, names in {
        k8s.core.v1: ("ConfigMap", "Namespace", "Service"),
        k8s.apps.v1: ("Deployment",),
        k8s.apiextensions: ("CustomResource",),
        aws.s3: ("Bucket",),
        aws.sns: ("Topic",),
        aws.iam: ("Role",),
        aws.ec2: ("SecurityGroup", "Vpc"),
        postgresql: ("Provider", "Role"),
        random: ("RandomPassword",),
    }.items():
        for name in names:
            getattr(module, name)
