"""EC2: security groups and their rules."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from sandbox.providers.aws import tagging
from sandbox.providers.aws.context import Context
from sandbox.providers.aws.table import AwsType, Call, Read, ec2_tags, page, same
from sandbox.providers.interface import CheckFailure, Properties, ProviderError
from sandbox.providers.typed import Autoname, Kind, exactly_one_of

_ARN = "arn:{partition}:ec2:{region}:{account}:"
_DIRECTIONS = ("ingress", "egress")

# Property of an inline rule -> (list in the permission, member of its entries).
_SOURCES = {
    "cidrBlocks": ("IpRanges", "CidrIp"),
    "ipv6CidrBlocks": ("Ipv6Ranges", "CidrIpv6"),
    "prefixListIds": ("PrefixListIds", "PrefixListId"),
    "securityGroups": ("UserIdGroupPairs", "GroupId"),
}


def _permission(context: Context, rule: Mapping[str, Any]) -> dict[str, Any]:
    """An inline rule as the API's IpPermission."""
    made: dict[str, Any] = {"IpProtocol": str(rule["protocol"])}
    if str(rule["protocol"]) != "-1":
        made.update(FromPort=int(rule["fromPort"]), ToPort=int(rule["toPort"]))
    described = {"Description": rule["description"]} if rule.get("description") else {}
    for name, (key, member) in _SOURCES.items():
        entries = [{member: item, **described} for item in rule.get(name) or []]
        if name == "securityGroups" and rule.get("self"):
            entries.append({member: context.id, **described})
        if entries:
            made[key] = entries
    return made


def _rules(context: Context, permissions: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The API's permissions as inline rules: one for each protocol, port range and description."""
    grouped: dict[tuple[Any, ...], dict[str, Any]] = {}
    for permission in permissions:
        for name, (key, member) in _SOURCES.items():
            for entry in permission.get(key) or []:
                protocol, text = permission["IpProtocol"], entry.get("Description", "")
                low, high = permission.get("FromPort") or 0, permission.get("ToPort") or 0
                rule = grouped.setdefault(
                    (protocol, low, high, text), {"protocol": protocol, "fromPort": low, "toPort": high}
                )
                if text:
                    rule["description"] = text
                if name == "securityGroups" and entry[member] == context.id:
                    rule["self"] = True
                else:
                    rule.setdefault(name, []).append(entry[member])
    return list(grouped.values())


def _current(context: Context) -> Mapping[str, Any]:
    found: dict[str, Any] = context.call("describe_security_groups", GroupIds=[context.id])["SecurityGroups"][0]
    return found


def _replace_rules(context: Context, directions: Iterable[str], *, revoke_unmanaged: bool) -> None:
    group = _current(context)
    for direction in directions:
        there = group["IpPermissions" if direction == "ingress" else "IpPermissionsEgress"]
        wanted = context.inputs.get(direction)
        if there and (wanted is not None or revoke_unmanaged):
            context.call(
                f"revoke_security_group_{direction}", GroupId=context.id, IpPermissions=[_sent(p) for p in there]
            )
        if wanted:
            permissions = [_permission(context, rule) for rule in wanted]
            context.call(f"authorize_security_group_{direction}", GroupId=context.id, IpPermissions=permissions)


def _sent(permission: Mapping[str, Any]) -> dict[str, Any]:
    """A described permission as a request takes it: without empty lists, and without whose group it is."""
    made = {key: value for key, value in permission.items() if value not in ([], None)}
    if "UserIdGroupPairs" in made:
        made["UserIdGroupPairs"] = [{"GroupId": pair["GroupId"]} for pair in made["UserIdGroupPairs"]]
    return made


def _first_rules(context: Context) -> None:
    # EC2 gives every new group an egress rule that allows all; the provider takes it away.
    _replace_rules(context, _DIRECTIONS, revoke_unmanaged=True)


def _changed_rules(context: Context, changed: frozenset[str]) -> None:
    _replace_rules(context, [d for d in _DIRECTIONS if d in changed], revoke_unmanaged=False)


def _observe_rules(context: Context, found: dict[str, Any]) -> None:
    found["ingress"] = _rules(context, context.answer.get("IpPermissions") or [])
    found["egress"] = _rules(context, context.answer.get("IpPermissionsEgress") or [])


_RULE_LISTS = frozenset(
    f"{direction}.{name}" for direction in _DIRECTIONS for name in ("cidrBlocks", "ipv6CidrBlocks", "securityGroups")
) | frozenset(_DIRECTIONS)
_RULE_OPERATIONS = tuple(f"{verb}_security_group_{d}" for verb in ("authorize", "revoke") for d in _DIRECTIONS)


def _description(inputs: Properties) -> Iterable[CheckFailure]:
    """EC2 takes no apostrophe, no quotation mark and nothing outside ASCII:
    https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateSecurityGroup.html and API_IpRange.html"""
    described = {"description": inputs.get("description")}
    for direction in _DIRECTIONS:
        rules = inputs.get(direction)
        for index, rule in enumerate(rules if isinstance(rules, list) else []):
            if isinstance(rule, Mapping):
                described[f"{direction}[{index}].description"] = rule.get("description")
    for path, text in described.items():
        if isinstance(text, str) and not _DESCRIBABLE.fullmatch(text):
            yield CheckFailure(
                path, f"EC2 takes at most 255 letters, digits, spaces and ._-:/()#,@[]+=&;{{}}!$*; got {text!r}"
            )


_DESCRIBABLE = re.compile(r"[a-zA-Z0-9 ._\-:/()#,@\[\]+=&;{}!$*]{0,255}")
_GROUP_READ = Read(
    "describe_security_groups",
    {"GroupIds": ["{id}"]},
    "SecurityGroups[0]",
    {"name": "GroupName", "description": "Description", "vpcId": "VpcId", "ownerId": "OwnerId"},
)

SECURITY_GROUP = AwsType(
    token="aws:ec2/securityGroup:SecurityGroup",
    kind=Kind.LIVE,
    documentation=page("ec2/securitygroup"),
    service="ec2",
    autoname=Autoname("name", 255, "namePrefix"),
    conflicts=(frozenset({"name", "namePrefix"}),),
    defaults={"description": "Managed by Pulumi", "revokeRulesOnDelete": False},
    rules=(_description,),
    create=Call("create_security_group", {"name": "GroupName", "description": "Description", "vpcId": "VpcId"}),
    id_answer="GroupId",
    replace_on=frozenset({"name", "namePrefix", "description", "vpcId"}),
    # Rules may be resources of their own (aws.vpc.SecurityGroupIngressRule): then the group's lists are not managed.
    computed=frozenset({"vpcId", *_DIRECTIONS}),
    sets=_RULE_LISTS,
    hooked=frozenset(_DIRECTIONS),
    settings=frozenset({"revokeRulesOnDelete"}),
    reads=(_GROUP_READ,),
    observe=_observe_rules,
    after_create=_first_rules,
    after_update=_changed_rules,
    delete=Call("delete_security_group", fixed={"GroupId": "{id}"}),
    missing=("InvalidGroup.NotFound",),
    tags=ec2_tags("security-group"),
    computed_outputs={"arn": _ARN + "security-group/{id}"},
    operations=_RULE_OPERATIONS,
)


def _default_group(context: Context) -> str:
    """The VPC's default group: the provider's page says that this resource takes it over."""
    vpc = context.inputs.get("vpcId") or _default_vpc(context)
    filters = [{"Name": "group-name", "Values": ["default"]}, {"Name": "vpc-id", "Values": [vpc]}]
    groups = context.call("describe_security_groups", Filters=filters)["SecurityGroups"]
    if not groups:
        raise ProviderError(f"{vpc} has no default security group")
    return str(groups[0]["GroupId"])


def _default_vpc(context: Context) -> str:
    found = context.call("describe_vpcs", Filters=[{"Name": "is-default", "Values": ["true"]}])["Vpcs"]
    if not found:
        raise ProviderError("vpcId: is not given, and the region has no default VPC")
    return str(found[0]["VpcId"])


def _take_over(context: Context) -> None:
    tagging.apply(context, {}, context.inputs.get("tags") or {})
    # Rules that the program does not name are taken away: the default group then allows nothing.
    _replace_rules(context, _DIRECTIONS, revoke_unmanaged=True)


DEFAULT_SECURITY_GROUP = AwsType(
    token="aws:ec2/defaultSecurityGroup:DefaultSecurityGroup",
    kind=Kind.LIVE,
    documentation=page("ec2/defaultsecuritygroup"),
    service="ec2",
    replace_on=frozenset({"vpcId"}),
    computed=frozenset({"vpcId"}),
    defaults={"revokeRulesOnDelete": False},
    sets=_RULE_LISTS,
    rules=(_description,),
    hooked=frozenset({"vpcId", *_DIRECTIONS}),
    settings=frozenset({"revokeRulesOnDelete"}),
    create_hook=_default_group,
    after_create=_take_over,
    after_update=_changed_rules,
    reads=(_GROUP_READ,),
    observe=_observe_rules,
    # A default group cannot be deleted: the provider only stops managing it.
    delete_hook=lambda context: None,
    missing=("InvalidGroup.NotFound",),
    tags=ec2_tags("security-group"),
    computed_outputs={"arn": _ARN + "security-group/{id}"},
    operations=(*_RULE_OPERATIONS, "describe_vpcs"),
)

_RULE_SOURCES = ("cidrIpv4", "cidrIpv6", "prefixListId", "referencedSecurityGroupId")


def _rule_permission(context: Context) -> dict[str, Any]:
    rule = context.inputs
    made: dict[str, Any] = {"IpProtocol": rule["ipProtocol"]}
    made.update(
        {api: int(rule[wire]) for wire, api in (("fromPort", "FromPort"), ("toPort", "ToPort")) if wire in rule}
    )
    described = {"Description": rule["description"]} if rule.get("description") else {}
    forms = {
        "cidrIpv4": ("IpRanges", "CidrIp"),
        "cidrIpv6": ("Ipv6Ranges", "CidrIpv6"),
        "prefixListId": ("PrefixListIds", "PrefixListId"),
        "referencedSecurityGroupId": ("UserIdGroupPairs", "GroupId"),
    }
    for wire, (key, member) in forms.items():
        if rule.get(wire):
            made[key] = [{member: rule[wire], **described}]
    return made


def _authorize(context: Context, direction: str) -> str:
    answer = context.call(
        f"authorize_security_group_{direction}",
        GroupId=context.inputs["securityGroupId"],
        IpPermissions=[_rule_permission(context)],
        **tagging.create_parameters(context),
    )
    return str(answer["SecurityGroupRules"][0]["SecurityGroupRuleId"])


_RULE_FIELDS = {
    **same("ipProtocol", "fromPort", "toPort", "cidrIpv4", "cidrIpv6", "prefixListId", "description"),
    "referencedSecurityGroupId": "ReferencedGroupId",
}


def _modify_rule(context: Context, changed: frozenset[str]) -> None:
    if changed & set(_RULE_FIELDS):
        rule = {api: context.inputs[wire] for wire, api in _RULE_FIELDS.items() if wire in context.inputs}
        if "description" in changed:
            rule.setdefault("Description", "")  # taken away
        if rule["IpProtocol"] == "-1":
            rule |= {"FromPort": -1, "ToPort": -1}
        context.call(
            "modify_security_group_rules",
            GroupId=context.inputs["securityGroupId"],
            SecurityGroupRules=[{"SecurityGroupRuleId": context.id, "SecurityGroupRule": rule}],
        )


def _without_all_ports(context: Context, found: dict[str, Any]) -> None:
    if found.get("ipProtocol") == "-1":  # every port, told as -1
        found.pop("fromPort", None)
        found.pop("toPort", None)


def _rule_type(direction: str, name: str) -> AwsType:
    return AwsType(
        token=f"aws:vpc/securityGroup{name}:SecurityGroup{name}",
        kind=Kind.LIVE,
        documentation=page(f"vpc/securitygroup{name.lower()}"),
        service="ec2",
        create_hook=lambda context: _authorize(context, direction),
        replace_on=frozenset({"securityGroupId"}),
        rules=(exactly_one_of(*_RULE_SOURCES), _description),
        hooked=frozenset({"securityGroupId", *_RULE_FIELDS}),
        after_update=_modify_rule,
        reads=(
            Read(
                "describe_security_group_rules",
                {"SecurityGroupRuleIds": ["{id}"]},
                "SecurityGroupRules[0]",
                {
                    "securityGroupRuleId": "SecurityGroupRuleId",
                    "securityGroupId": "GroupId",
                    **_RULE_FIELDS,
                    "referencedSecurityGroupId": "ReferencedGroupInfo.GroupId",
                },
            ),
        ),
        observe=_without_all_ports,
        delete=Call(
            f"revoke_security_group_{direction}",
            fixed={"GroupId": "{securityGroupId}", "SecurityGroupRuleIds": ["{id}"]},
        ),
        missing=("InvalidSecurityGroupRuleId.NotFound", "InvalidGroup.NotFound", "InvalidPermission.NotFound"),
        tags=ec2_tags("security-group-rule"),
        computed_outputs={"arn": _ARN + "security-group-rule/{id}"},
        operations=(f"authorize_security_group_{direction}", "modify_security_group_rules"),
    )


TYPES = (
    SECURITY_GROUP,
    DEFAULT_SECURITY_GROUP,
    _rule_type("ingress", "IngressRule"),
    _rule_type("egress", "EgressRule"),
)
