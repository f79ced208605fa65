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
PREFIX_LIST = "aws:ec2/managedPrefixList:ManagedPrefixList"
PREFIX_LIST_ENTRY = "aws:ec2/managedPrefixListEntry:ManagedPrefixListEntry"

_TCP_OR_UDP: Final = frozenset({"tcp", "udp", "6", "17"})


@dataclass(frozen=True)
class Opening:
    """One ingress rule, of whichever resource type."""

    path: str
    protocol: Any
    first_port: Any
    last_port: Any
    networks: Sequence[Any]
    """CIDR blocks."""
    prefix_lists: Sequence[Any]
    """Ids of lists of CIDR blocks."""

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
    """The ingress rules of a resource; a finding for those that are not known yet, or are no rules."""
    properties = resource.properties
    if resource.type in GROUPS:
        rules = properties.get("ingress")
        if rules is UNKNOWN:
            yield Finding("ingress", "its rules come from another resource", certain=False)
        for index, rule in enumerate(() if rules is UNKNOWN else _several(rules)):
            path = f"ingress[{index}]"
            if rule is UNKNOWN:
                yield Finding(path, "the rule comes from another resource", certain=False)
            elif isinstance(rule, Mapping):
                yield _opening(path, rule)
            else:
                yield Finding(path, "is no rule")
    elif resource.type == INGRESS_RULE:
        named = {**properties, "protocol": properties.get("ipProtocol")}
        yield _opening("", named, blocks=("cidrIpv4", "cidrIpv6"), lists="prefixListId")
    elif properties.get("type") is UNKNOWN:
        yield Finding("type", "it may be an ingress rule", certain=False)
    elif properties.get("type") == "ingress":
        yield _opening("", properties)


def _opening(
    path: str,
    rule: Mapping[str, Any],
    blocks: Sequence[str] = ("cidrBlocks", "ipv6CidrBlocks"),
    lists: str = "prefixListIds",
) -> Opening:
    networks = [block for name in blocks for block in _several(rule.get(name))]
    parts = (rule.get("protocol"), rule.get("fromPort"), rule.get("toPort"))
    return Opening(path, *parts, networks, _several(rule.get(lists)))


def _several(value: Any) -> Sequence[Any]:
    """The items of a list; what is none is one item, for providers take one for a list."""
    if value is None:
        return ()
    return value if isinstance(value, Sequence) and not isinstance(value, str) else (value,)


def security_group_no_world_ingress(resource: Planned, settings: Settings) -> Findings:
    """From the whole internet only the ports of the settings (443) can be reached.

    Looks at CIDR blocks, of IPv4 and IPv6. Rules are judged one by one and, within one security group, together. A rule
    may name a list of blocks instead: a list is judged where it is made, and may not hold the world, whatever uses it;
    of a list that is made elsewhere only its id is known.
    """
    if resource.type in (PREFIX_LIST, PREFIX_LIST_ENTRY):
        yield from _prefix_list(resource)
        return
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
        known = [network for network in opening.networks if network is not UNKNOWN]
        world = _world(known)
        if world is None:
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
        elif opening.prefix_lists:
            reason = f"opens other ports than {shown} to a prefix list, which may hold the whole internet"
            yield Finding(opening.path, reason, certain=False)
    if not found and is_world(guarded):
        yield Finding("ingress", f"opens other ports than {shown} to the whole internet, its rules taken together")


def _prefix_list(resource: Planned) -> Findings:
    """A list's entries are judged together, those that are resources of their own one by one."""
    alone = resource.type == PREFIX_LIST_ENTRY
    path = "cidr" if alone else "entries"
    entries = [resource.properties] if alone else _several(resource.properties.get("entries"))
    blocks = [entry.get("cidr") if isinstance(entry, Mapping) else entry for entry in entries]
    known = [block for block in blocks if block is not UNKNOWN]
    world = _world(known)
    if world is None:
        yield Finding(path, "holds something that is no CIDR block")
    elif world:
        yield Finding(path, "holds the whole internet, for every rule that names the list")
    elif len(known) < len(blocks):
        yield Finding(path, "may hold the whole internet, for every rule that names the list", certain=False)


def _world(blocks: Sequence[Any]) -> bool | None:
    """Whether they are the world; None where one of them is no CIDR block."""
    try:
        return is_world(blocks) if all(isinstance(block, str) for block in blocks) else None
    except ValueError:
        return None
