"""Who may open a connection from outside."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from policies.addresses import is_world
from policies.rules import UNKNOWN, Finding, Findings, Planned, Settings, Unknown

GROUPS = frozenset({"aws:ec2/securityGroup:SecurityGroup", "aws:ec2/defaultSecurityGroup:DefaultSecurityGroup"})
RULE = "aws:ec2/securityGroupRule:SecurityGroupRule"
INGRESS_RULE = "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule"

_TCP_OR_UDP: Final = frozenset({"tcp", "udp", "6", "17"})


@dataclass(frozen=True)
class Opening:
    """One ingress rule, of whichever resource type."""

    path: str
    protocol: Any
    first_port: Any
    last_port: Any
    networks: Sequence[Any]

    def ports_allowed(self, ports: Sequence[int]) -> bool | Unknown:
        """Whether it opens a single one of `ports`, by TCP or UDP (HTTP/3), and nothing else."""
        parts = (self.protocol, self.first_port, self.last_port)
        wrong = (
            self.protocol is not UNKNOWN and str(self.protocol).lower() not in _TCP_OR_UDP,
            self.first_port is not UNKNOWN and self.first_port not in ports,
            self.last_port is not UNKNOWN and self.last_port not in ports,
            UNKNOWN not in parts and self.first_port != self.last_port,
        )
        if any(wrong):
            return False
        return UNKNOWN if UNKNOWN in parts else True


def openings(resource: Planned) -> Iterator[Opening | Finding]:
    """The ingress rules of a resource; a finding for those that are not known yet."""
    properties = resource.properties
    if resource.type in GROUPS:
        rules = properties.get("ingress")
        if rules is UNKNOWN:
            yield Finding("ingress", "its rules come from another resource", certain=False)
        for index, rule in enumerate(rules if isinstance(rules, Sequence) else ()):
            path = f"ingress[{index}]"
            if rule is UNKNOWN:
                yield Finding(path, "the rule comes from another resource", certain=False)
            else:
                yield _opening(path, rule)
    elif resource.type == INGRESS_RULE:
        networks = [properties[name] for name in ("cidrIpv4", "cidrIpv6") if properties.get(name) is not None]
        yield Opening("", properties.get("ipProtocol"), properties.get("fromPort"), properties.get("toPort"), networks)
    elif properties.get("type") is UNKNOWN:
        yield Finding("type", "it may be an ingress rule", certain=False)
    elif properties.get("type") == "ingress":
        yield _opening("", properties)


def _opening(path: str, rule: Mapping[str, Any]) -> Opening:
    networks: list[Any] = []
    for name in ("cidrBlocks", "ipv6CidrBlocks"):
        blocks = rule.get(name)
        networks.extend([blocks] if blocks is UNKNOWN else blocks or ())
    return Opening(path, rule.get("protocol"), rule.get("fromPort"), rule.get("toPort"), networks)


def security_group_no_world_ingress(resource: Planned, settings: Settings) -> Findings:
    """From the whole internet only the ports of the settings (443) can be reached.

    Looks at CIDR blocks, of IPv4 and IPv6. Rules are judged one by one and, within one security group, together.
    """
    ports = [int(port) for port in settings["ports"]]
    shown = ", ".join(map(str, ports))
    guarded: list[str] = []
    found = False
    for opening in openings(resource):
        if isinstance(opening, Finding):
            yield opening
            continue
        allowed = opening.ports_allowed(ports)
        if allowed is True:
            continue
        known = [network for network in opening.networks if isinstance(network, str)]
        try:
            world = is_world(known)
        except ValueError:
            found = True
            yield Finding(opening.path, "holds something that is no CIDR block")
            continue
        guarded.extend(known if allowed is False else ())
        if world and allowed is False:
            found = True
            yield Finding(opening.path, f"opens other ports than {shown} to the whole internet")
        elif world:
            yield Finding(opening.path, f"opens ports to the whole internet, maybe others than {shown}", certain=False)
        elif len(known) < len(opening.networks):
            yield Finding(opening.path, f"may open other ports than {shown} to the whole internet", certain=False)
    if not found and is_world(guarded):
        yield Finding("ingress", f"opens other ports than {shown} to the whole internet, its rules taken together")
