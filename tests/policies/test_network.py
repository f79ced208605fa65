from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Any

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from policies.addresses import is_world
from policies.rules import UNKNOWN, Planned
from tests.policies.plans import certain, findings, planned, undecided

POLICY = "security-group-no-world-ingress"
GROUP = "aws:ec2/securityGroup:SecurityGroup"
DEFAULT_GROUP = "aws:ec2/defaultSecurityGroup:DefaultSecurityGroup"
RULE = "aws:ec2/securityGroupRule:SecurityGroupRule"
INGRESS_RULE = "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule"
PREFIX_LIST = "aws:ec2/managedPrefixList:ManagedPrefixList"
PREFIX_LIST_ENTRY = "aws:ec2/managedPrefixListEntry:ManagedPrefixListEntry"
FORMS = ("inline", "default-inline", "rule", "ingress-rule")


def opened(form: str, cidr: Any, *, port: Any = 22, last: Any = None, protocol: Any = "tcp") -> Planned:
    """One ingress rule for one block, in each of the ways in which it can be written."""
    ports = {"fromPort": port, "toPort": port if last is None else last}
    six = isinstance(cidr, str) and ":" in cidr
    if form == "ingress-rule":
        return planned(INGRESS_RULE, ipProtocol=protocol, **ports, **{"cidrIpv6" if six else "cidrIpv4": cidr})
    rule = {"protocol": protocol, **ports, "ipv6CidrBlocks" if six else "cidrBlocks": [cidr]}
    if form == "rule":
        return planned(RULE, type="ingress", **rule)
    return planned(GROUP if form == "inline" else DEFAULT_GROUP, ingress=[rule])


@pytest.mark.parametrize("form", FORMS)
class TestEveryForm:
    @pytest.mark.parametrize(
        "cidr", ["0.0.0.0/0", "::/0", "203.0.113.7/0", "0:0:0:0:0:0:0:0/0", "128.0.0.0/1", "2a00::/31"]
    )
    def test_violating(self, form: str, cidr: str) -> None:
        assert certain(findings(POLICY, opened(form, cidr)))

    @pytest.mark.parametrize("cidr", ["10.0.0.0/8", "203.0.113.0/24", "fd00::/8", "2001:db8::/32", "100.64.0.0/10"])
    def test_compliant(self, form: str, cidr: str) -> None:
        assert findings(POLICY, opened(form, cidr)) == []

    @pytest.mark.parametrize("cidr", ["0.0.0.0/0", "::/0"])
    def test_https_may_be_open(self, form: str, cidr: str) -> None:
        assert findings(POLICY, opened(form, cidr, port=443)) == []
        assert findings(POLICY, opened(form, cidr, port=443.0, protocol="6")) == []

    def test_https_and_more_may_not(self, form: str) -> None:
        assert certain(findings(POLICY, opened(form, "0.0.0.0/0", port=443, last=444)))
        assert certain(findings(POLICY, opened(form, "0.0.0.0/0", port=443, protocol="-1")))
        assert certain(findings(POLICY, opened(form, "0.0.0.0/0", port=443, protocol="icmp")))

    def test_absent_ports_mean_all_of_them(self, form: str) -> None:
        assert certain(findings(POLICY, opened(form, "0.0.0.0/0", port=None, protocol="-1")))

    def test_an_unknown_block_cannot_be_told(self, form: str) -> None:
        assert undecided(findings(POLICY, opened(form, UNKNOWN)))
        assert findings(POLICY, opened(form, UNKNOWN, port=443)) == []

    def test_an_unknown_port_cannot_be_told(self, form: str) -> None:
        assert undecided(findings(POLICY, opened(form, "0.0.0.0/0", port=UNKNOWN)))
        assert findings(POLICY, opened(form, "10.0.0.0/16", port=UNKNOWN)) == []

    def test_what_is_no_block_is_a_violation(self, form: str) -> None:
        assert certain(findings(POLICY, opened(form, "everywhere")))

    def test_other_ports_can_be_allowed(self, form: str) -> None:
        assert findings(POLICY, opened(form, "0.0.0.0/0", port=8443), settings={"ports": [443, 8443]}) == []

    def test_what_lies_between_two_allowed_ports_may_not_be_open(self, form: str) -> None:
        assert certain(
            findings(POLICY, opened(form, "0.0.0.0/0", port=443, last=8443), settings={"ports": [443, 8443]})
        )


@pytest.mark.parametrize("type", [GROUP, DEFAULT_GROUP])
def test_absent_and_unknown_rules(type: str) -> None:
    assert findings(POLICY, planned(type)) == []
    assert undecided(findings(POLICY, planned(type, ingress=UNKNOWN)))
    assert undecided(findings(POLICY, planned(type, ingress=[UNKNOWN])))


def listed(form: str, id: Any, *, port: Any = 22, **also: Any) -> Planned:
    """One ingress rule for a prefix list, in each of the ways in which it can be written."""
    ports = {"fromPort": port, "toPort": port}
    if form == "ingress-rule":
        return planned(INGRESS_RULE, ipProtocol="tcp", **ports, prefixListId=id)
    rule = {"protocol": "tcp", **ports, "prefixListIds": [id], **also}
    if form == "rule":
        return planned(RULE, type="ingress", **rule)
    return planned(GROUP if form == "inline" else DEFAULT_GROUP, ingress=[rule])


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("id", ["pl-0123", UNKNOWN])
def test_what_a_prefix_list_holds_cannot_be_told_from_a_rule(form: str, id: Any) -> None:
    assert undecided(findings(POLICY, listed(form, id)))
    assert findings(POLICY, listed(form, id, port=443)) == []


def test_a_world_beside_a_prefix_list_is_a_violation() -> None:
    assert certain(findings(POLICY, listed("inline", "pl-0123", cidrBlocks=["0.0.0.0/0"])))


@pytest.mark.parametrize("blocks", [["0.0.0.0/0"], ["::/0"], ["0.0.0.0/1", "128.0.0.0/1"], ["10.0.0.0/8", "::/0"]])
def test_a_prefix_list_of_the_world_is_a_violation(blocks: list[str]) -> None:
    entries = [{"cidr": block, "description": "x"} for block in blocks]
    assert certain(findings(POLICY, planned(PREFIX_LIST, entries=entries)))
    assert any(findings(POLICY, planned(PREFIX_LIST_ENTRY, cidr=block, prefixListId="pl-0123")) for block in blocks)


def test_other_prefix_lists_are_compliant() -> None:
    entries = [{"cidr": "203.0.113.0/24"}, {"cidr": "10.0.0.0/8"}]
    assert findings(POLICY, planned(PREFIX_LIST, entries=entries)) == []
    assert findings(POLICY, planned(PREFIX_LIST, name="later")) == []
    assert findings(POLICY, planned(PREFIX_LIST_ENTRY, cidr="203.0.113.0/24")) == []


@pytest.mark.parametrize("entries", [UNKNOWN, [UNKNOWN], [{"cidr": UNKNOWN}], [{"cidr": "10.0.0.0/8"}, UNKNOWN]])
def test_a_prefix_list_that_is_unknown_cannot_be_told(entries: Any) -> None:
    assert undecided(findings(POLICY, planned(PREFIX_LIST, entries=entries)))
    assert undecided(findings(POLICY, planned(PREFIX_LIST_ENTRY, cidr=UNKNOWN)))


@pytest.mark.parametrize("entries", [[None], ["0.0.0.0/0x"], [{"cidr": "x"}], [{}], [{"cidr": 5}], "x"])
def test_a_malformed_prefix_list_is_a_violation(entries: Any) -> None:
    assert certain(findings(POLICY, planned(PREFIX_LIST, entries=entries)))


@pytest.mark.parametrize("ingress", [[None], ["x"], "x", 5, [5]])
def test_malformed_rules_are_a_violation(ingress: Any) -> None:
    assert certain(findings(POLICY, planned(GROUP, ingress=ingress)))


@pytest.mark.parametrize("blocks", [[None], [5], 5, [{}], [["10.0.0.0/8"]]])
def test_a_malformed_block_is_a_violation(blocks: Any) -> None:
    rule = {"protocol": "tcp", "fromPort": 22, "toPort": 22, "cidrBlocks": blocks}
    assert certain(findings(POLICY, planned(GROUP, ingress=[rule])))
    # A provider takes one block for a list of one.
    assert certain(findings(POLICY, planned(GROUP, ingress=[rule | {"cidrBlocks": "0.0.0.0/0"}])))
    assert findings(POLICY, planned(GROUP, ingress=[rule | {"cidrBlocks": "10.0.0.0/8"}])) == []


def test_a_rule_that_names_a_group_is_compliant() -> None:
    assert findings(POLICY, planned(INGRESS_RULE, ipProtocol="-1", referencedSecurityGroupId="sg-1")) == []
    assert findings(POLICY, planned(RULE, type="ingress", protocol="-1", sourceSecurityGroupId="sg-1")) == []


def test_egress_is_left_alone() -> None:
    assert findings(POLICY, planned(RULE, type="egress", protocol="-1", cidrBlocks=["0.0.0.0/0"])) == []
    assert undecided(findings(POLICY, planned(RULE, type=UNKNOWN, protocol="-1", cidrBlocks=["0.0.0.0/0"])))
    egress = [{"protocol": "-1", "fromPort": 0, "toPort": 0, "cidrBlocks": ["0.0.0.0/0"]}]
    assert findings(POLICY, planned(GROUP, egress=egress)) == []


def test_a_certain_violation_is_not_hidden_by_an_unknown_beside_it() -> None:
    world = {"protocol": "tcp", "fromPort": 22, "toPort": 22, "cidrBlocks": [UNKNOWN], "ipv6CidrBlocks": ["::/0"]}
    assert certain(findings(POLICY, planned(GROUP, ingress=[world])))


def test_the_world_cut_into_rules_is_still_the_world() -> None:
    pieces = [
        {"protocol": "tcp", "fromPort": 22, "toPort": 22, "cidrBlocks": [str(piece)]}
        for piece in ip_network("0.0.0.0/0").subnets(new_prefix=8)
    ]
    assert findings(POLICY, planned(GROUP, ingress=pieces[20:21])) == []
    assert certain(findings(POLICY, planned(GROUP, ingress=pieces)))


Block = IPv4Network | IPv6Network


@st.composite
def partitions(draw: st.DrawFn, whole: Block) -> list[Block]:
    """A block cut into pieces at random."""
    pieces: list[Block] = [whole]
    for _ in range(draw(st.integers(0, 12))):
        piece = pieces.pop(draw(st.integers(0, len(pieces) - 1)))
        pieces.extend(piece.subnets(prefixlen_diff=1) if piece.prefixlen < piece.max_prefixlen else [piece])
    return draw(st.permutations(pieces))


@given(st.one_of(partitions(IPv4Network("0.0.0.0/0")), partitions(IPv6Network("::/0"))))
def test_the_world_is_seen_however_it_is_cut(pieces: list[Block]) -> None:
    assert is_world(map(str, pieces))


@given(st.sampled_from(["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7"]), st.data())
def test_private_blocks_are_never_the_world(text: str, data: st.DataObject) -> None:
    assert not is_world(map(str, data.draw(partitions(ip_network(text)))))


@given(st.ip_addresses(v=4), st.integers(0, 32))
@example("10.0.0.0", 6)
def test_one_public_block_is_the_world_when_it_is_wider_than_8_bits(address: object, prefix: int) -> None:
    network = ip_network(f"{address}/{prefix}", strict=False)
    # Half of it is private, and what is left is no wider than 8 bits.
    assume(str(network) != "10.0.0.0/7")
    assert is_world([f"{address}/{prefix}"]) == (prefix < 8)
    assert is_world([str(network)]) == is_world([f"{address}/{prefix}"])


@given(st.lists(st.ip_addresses(v=6).map(lambda address: f"{address}/33"), max_size=2))
def test_two_small_blocks_of_ipv6_are_not_the_world(texts: list[str]) -> None:
    assert not is_world(texts)


@given(st.lists(st.ip_addresses(v=4).map(lambda address: f"{address}/12")), st.ip_addresses(v=4))
def test_one_block_more_never_makes_it_smaller(texts: list[str], more: object) -> None:
    assert is_world([*texts, f"{more}/9"]) or not is_world(texts)


@given(st.text(max_size=20))
def test_any_text_is_either_a_block_or_refused(text: str) -> None:
    found = findings(POLICY, planned(INGRESS_RULE, ipProtocol="tcp", fromPort=22, toPort=22, cidrIpv4=text))
    try:
        ip_network(text.strip(), strict=False)
    except ValueError:
        assert certain(found)
