"""The way of a cell's budget alerts to people: a queue, and in the cluster what empties it."""

from __future__ import annotations

import pulumi
from pulumi_kubernetes import Provider as KubernetesProvider

from components.contracts.cluster import Cluster
from components.contracts.notifier import Notifier, NotifierArgs
from components.kubernetes.closed_namespace import ClosedNamespace, ClosedNamespaceArgs
from components.kubernetes.notifier import NAMESPACE, SERVICE_ACCOUNT, NotifierDeployment, NotifierDeploymentArgs
from stacks.site import Site


def run(site: Site, topic: pulumi.Input[str], cluster: Cluster, login: pulumi.Input[str]) -> Notifier:
    """Declares the queue behind `topic`, and who empties it; `login` refers to its way into the control database."""
    return site.cloud.notifier(
        "notifier",
        NotifierArgs(
            ownership=site.ownership,
            place=site.place,
            queue_name=site.named("notifier"),
            topic=topic,
            secret_name=site.named("notifier", "sinks"),
            recovery_days=site.recovery_days,
            role_name=site.named("notifier"),
            oidc_issuer=cluster.oidc_issuer,
            oidc_provider=cluster.oidc_provider,
            service_account=(NAMESPACE, SERVICE_ACCOUNT),
            database_secret=login,
        ),
        site.opts,
    )


def deploy(
    site: Site,
    image: str,
    notifier: Notifier,
    topic: pulumi.Input[str],
    cluster: Cluster,
    login: pulumi.Input[str],
    kubernetes: KubernetesProvider,
) -> None:
    """Declares the notifier itself, in a namespace that nothing reaches."""
    deployed = NotifierDeployment(
        "notifier-deployment",
        NotifierDeploymentArgs(
            ownership=site.ownership,
            image=image,
            service_account_annotations=notifier.service_account_annotations,
            environment={
                "AWS_REGION": site.place.region,
                "NOTIFIER_QUEUE_URL": notifier.queue_url,
                "NOTIFIER_DEAD_LETTER_QUEUE_URL": notifier.dead_letter_queue_url,
                "NOTIFIER_TOPIC_ARN": topic,
                "NOTIFIER_DATABASE_SECRET": login,
                "NOTIFIER_SINKS_SECRET": notifier.sinks_secret,
            },
        ),
        pulumi.ResourceOptions(provider=kubernetes, depends_on=[cluster.ready]),
    )
    ClosedNamespace(
        "notifier-closed",
        ClosedNamespaceArgs(site.ownership, NAMESPACE),
        pulumi.ResourceOptions(provider=kubernetes, depends_on=[deployed]),
    )
