"""What no tenant may ask of a cluster, whatever its roles allow."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
from pulumi_kubernetes.admissionregistration import v1

from components import tags
from components.tags import Ownership

TENANT_LABEL = "freehold.dev/tenant"


@dataclass(frozen=True)
class TenantRulesArgs:
    ownership: Ownership


class TenantRules(pulumi.ComponentResource):
    """An admission policy for services in tenants' namespaces: neither external names nor external addresses.

    Quotas and roles cannot express it, and with either a tenant can draw other tenants' traffic to itself
    (CVE-2020-8554).
    """

    def __init__(self, name: str, args: TenantRulesArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("freehold:kubernetes:TenantRules", name, None, opts)
        labels = tags.kubernetes(args.ownership)
        policy = v1.ValidatingAdmissionPolicy(
            f"{name}-services",
            metadata={"name": "freehold-tenant-services", "labels": labels},
            spec={
                "failure_policy": "Fail",
                "match_constraints": {
                    "resource_rules": [
                        {
                            "api_groups": [""],
                            "api_versions": ["v1"],
                            "operations": ["CREATE", "UPDATE"],
                            "resources": ["services"],
                        }
                    ]
                },
                "validations": [
                    {
                        "expression": "!has(object.spec.type) || object.spec.type != 'ExternalName'",
                        "message": "services of tenants may not be of type ExternalName",
                    },
                    {
                        "expression": "!has(object.spec.externalIPs) || size(object.spec.externalIPs) == 0",
                        "message": "services of tenants may not have external IPs",
                    },
                ],
            },
            opts=pulumi.ResourceOptions(parent=self),
        )
        v1.ValidatingAdmissionPolicyBinding(
            f"{name}-services-in-tenants",
            metadata={"name": "freehold-tenant-services", "labels": labels},
            spec={
                "policy_name": policy.metadata.apply(lambda metadata: str(metadata["name"])),
                "validation_actions": ["Deny"],
                "match_resources": {
                    "namespace_selector": {"match_expressions": [{"key": TENANT_LABEL, "operator": "Exists"}]}
                },
            },
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.register_outputs({})
