"""Chronos Cloud: distributed cron jobs as a service.

Plans, prices, quotas, features, roles and service levels are those of the product's published plan table. The
table names requests per minute as a quota without figures, and says nothing about room in a cluster: those
numbers are ours, and grow by about the ratio of the plans' executions a month.
"""

from __future__ import annotations

from decimal import Decimal

from catalog.plans import Blueprint, Plan, Price, Quota, Tier, Workload, WorkspaceSize

_FEATURES = {
    "dag_workflows": "Visual DAG workflow builder",
    "analytics": "Advanced analytics dashboard",
    "sso": "SSO/SAML authentication",
    "audit_logs": "Comprehensive audit logging",
    "custom_retention": "Custom data retention policies",
    "priority_support": "Priority support queue",
}

FREE = Plan(
    name="free",
    title="Free",
    tier=Tier.POOL,
    price=Price(monthly=Decimal(0)),
    quota=Quota(workspaces=1, members=3, jobs_per_workspace=10, executions_per_month=1_000, api_requests_per_minute=60),
    size=None,
    features=frozenset(),
    analytics="basic",
    support="community",
)

STARTER = Plan(
    name="starter",
    title="Starter",
    tier=Tier.BRIDGE,
    price=Price(monthly=Decimal(29)),
    quota=Quota(
        workspaces=3, members=10, jobs_per_workspace=100, executions_per_month=50_000, api_requests_per_minute=300
    ),
    size=WorkspaceSize(
        cpu_requests="1",
        cpu_limits="2",
        memory_requests="1Gi",
        memory_limits="2Gi",
        storage="10Gi",
        ephemeral_storage="10Gi",
        pods=10,
        services=5,
        secrets=20,
        config_maps=20,
        volume_claims=2,
        jobs=20,
        database_connections=10,
        scheduler_replicas_maximum=2,
    ),
    features=frozenset({"dag_workflows"}),
    analytics="standard",
    support="email",
    sla_percent=Decimal("99.5"),
)

PRO = Plan(
    name="pro",
    title="Pro",
    tier=Tier.BRIDGE,
    price=Price(monthly=Decimal(99)),
    quota=Quota(
        workspaces=10, members=50, jobs_per_workspace=1_000, executions_per_month=500_000, api_requests_per_minute=1_200
    ),
    size=WorkspaceSize(
        cpu_requests="4",
        cpu_limits="8",
        memory_requests="8Gi",
        memory_limits="16Gi",
        storage="100Gi",
        ephemeral_storage="40Gi",
        pods=40,
        services=20,
        secrets=100,
        config_maps=100,
        volume_claims=10,
        jobs=200,
        database_connections=40,
        scheduler_replicas_maximum=5,
    ),
    features=frozenset({"dag_workflows", "analytics", "audit_logs", "priority_support"}),
    analytics="advanced",
    support="priority",
    sla_percent=Decimal("99.9"),
)

ENTERPRISE = Plan(
    name="enterprise",
    title="Enterprise",
    tier=Tier.SILO,
    price=Price(monthly=Decimal(499)),
    quota=Quota(
        workspaces=None, members=None, jobs_per_workspace=None, executions_per_month=None, api_requests_per_minute=6_000
    ),
    size=WorkspaceSize(
        cpu_requests="32",
        cpu_limits="64",
        memory_requests="64Gi",
        memory_limits="128Gi",
        storage="1Ti",
        ephemeral_storage="250Gi",
        pods=250,
        services=100,
        secrets=500,
        config_maps=500,
        volume_claims=50,
        jobs=2_000,
        database_connections=200,
        scheduler_replicas_maximum=20,
    ),
    features=frozenset(_FEATURES),
    analytics="advanced",
    support="dedicated",
    sla_percent=Decimal("99.99"),
)

BLUEPRINT = Blueprint(
    name="chronos-cloud",
    title="Chronos Cloud Platform",
    feature_titles=_FEATURES,
    roles=("owner", "admin", "member", "viewer"),
    plans=(FREE, STARTER, PRO, ENTERPRISE),
    workloads=(
        Workload(
            name="scheduler",
            # The scheduler's image is not published; this one holds its place and only waits.
            image="registry.k8s.io/pause:3.10.1",
            port=8080,
            cpu="100m",
            memory="128Mi",
            replicas_minimum=1,
            cpu_utilisation_percent=70,
        ),
    ),
)
