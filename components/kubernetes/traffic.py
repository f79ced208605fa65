"""Whom a workspace may talk to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network

import pulumi
from pulumi_kubernetes.networking import v1

from components import tags
from components.tags import Ownership

NOT_PUBLIC = ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "169.254.0.0/16")
"""Private networks, carrier-grade NAT and link-local addresses, the machine's metadata service among them."""


@dataclass(frozen=True)
class TrafficArgs:
    ownership: Ownership
    namespace: pulumi.Input[str]
    data_cidrs: pulumi.Input[Sequence[str]]
    """Where the shared databases and caches are."""
    data_ports: pulumi.Input[Sequence[int]]
    service_cidr: pulumi.Input[str]
    """Addresses of the cluster's services; the first is the API server's."""
    suspended: bool = False
    """Nothing is let out or in."""


class Traffic(pulumi.ComponentResource):
    """NetworkPolicies: everything is denied in both directions, then let out are

    - name resolution
    - the workspace's own pods
    - the shared databases and caches, on their ports
    - the Kubernetes API, at the address of its service and nowhere else: the workspace's service account carries the
      role `operator` for the programs' own use, and only a pod that asks for the account's token can log in
    - HTTPS to public addresses, among them the cloud's own services: a pod takes its role at the public address of the
      token service (AWS: STS) and uses the bucket at its public address, through NAT and the gateway endpoint

    Other namespaces, other nodes, the control plane's own addresses and the machine's metadata service stay out of
    reach. So would private endpoints of cloud services: who adds one, with its private name, lets workspaces reach its
    addresses here first. A pod's own node is in reach on EKS, whose network lets its address through whatever a policy
    says (https://github.com/aws/aws-network-policy-agent/pull/65): what listens there needs a login, or 127.0.0.1.

    Of a suspended workspace all stay denied: what may still run in it reaches nothing.

    That holds once the network has taken the policies up for a pod. EKS' own does so while the pod starts, and lets
    everything through until then, for a moment (docs/limits.md): what must never be reached needs a login as well.
    """

    def __init__(self, name: str, args: TrafficArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("freehold:kubernetes:Traffic", name, None, opts)
        ports = pulumi.Output.from_input(args.data_ports).apply(_ports)
        data = pulumi.Output.from_input(args.data_cidrs).apply(_blocks)
        api_server = pulumi.Output.from_input(args.service_cidr).apply(_first_service)
        policies: dict[str, v1.NetworkPolicySpecArgsDict] = {
            "default-deny": {"pod_selector": {}, "policy_types": ["Ingress", "Egress"]},
            "allow-own-pods": {
                "pod_selector": {},
                "policy_types": ["Ingress", "Egress"],
                "ingress": [{"from_": [{"pod_selector": {}}]}],
                "egress": [{"to": [{"pod_selector": {}}]}],
            },
            "allow-dns": {
                "pod_selector": {},
                "policy_types": ["Egress"],
                "egress": [
                    {
                        "to": [
                            {
                                "namespace_selector": {"match_labels": {"kubernetes.io/metadata.name": "kube-system"}},
                                "pod_selector": {"match_labels": {"k8s-app": "kube-dns"}},
                            }
                        ],
                        "ports": [{"protocol": protocol, "port": 53} for protocol in ("UDP", "TCP")],
                    }
                ],
            },
            "allow-data": {
                "pod_selector": {},
                "policy_types": ["Egress"],
                "egress": [{"to": data, "ports": ports}],
            },
            "allow-kubernetes-api": {
                "pod_selector": {},
                "policy_types": ["Egress"],
                "egress": [{"to": api_server, "ports": [{"protocol": "TCP", "port": 443}]}],
            },
            "allow-public-https": {
                "pod_selector": {},
                "policy_types": ["Egress"],
                "egress": [
                    {
                        "to": [{"ip_block": {"cidr": "0.0.0.0/0", "except_": list(NOT_PUBLIC)}}],
                        "ports": [{"protocol": "TCP", "port": 443}],
                    }
                ],
            },
        }
        if args.suspended:
            policies = {"default-deny": policies["default-deny"]}
        for policy, spec in policies.items():
            v1.NetworkPolicy(
                f"{name}-{policy}",
                metadata={"name": policy, "namespace": args.namespace, "labels": tags.kubernetes(args.ownership)},
                spec=spec,
                opts=pulumi.ResourceOptions(parent=self),
            )
        self.register_outputs({})


def _blocks(cidrs: Sequence[str]) -> Sequence[v1.NetworkPolicyPeerArgsDict]:
    return [{"ip_block": {"cidr": cidr}} for cidr in cidrs]


def _first_service(cidr: str) -> Sequence[v1.NetworkPolicyPeerArgsDict]:
    """The service `kubernetes` has the first address, and EKS' network add-on holds its policies against a packet
    before the service's address becomes an endpoint's:
    https://kubernetes.io/docs/reference/command-line-tools-reference/kube-apiserver/ (--service-cluster-ip-range) and
    https://github.com/aws/amazon-network-policy-controller-k8s/issues/222
    """
    return _blocks([f"{IPv4Network(cidr)[1]}/32"])


def _ports(ports: Sequence[int]) -> Sequence[v1.NetworkPolicyPortArgsDict]:
    return [{"protocol": "TCP", "port": port} for port in ports]
