"""EC2: launch templates; each change is a new version."""

from __future__ import annotations

from typing import Any

from sandbox.providers.aws import tagging
from sandbox.providers.aws.context import Context
from sandbox.providers.aws.requests import parameters
from sandbox.providers.aws.table import AwsType, Call, Read, ec2_tags, page
from sandbox.providers.typed import Autoname, Kind

_DATA = {
    **{
        name: name[0].upper() + name[1:]
        for name in (
            "blockDeviceMappings", "cpuOptions", "creditSpecification", "disableApiStop", "disableApiTermination",
            "ebsOptimized", "enclaveOptions", "iamInstanceProfile", "imageId", "instanceInitiatedShutdownBehavior",
            "instanceType", "keyName", "maintenanceOptions", "metadataOptions", "monitoring", "networkInterfaces",
            "placement", "privateDnsNameOptions", "tagSpecifications", "userData",
        )
    },
    "vpcSecurityGroupIds": "SecurityGroupIds",
}  # fmt: skip
_FIELDS = {name: f"LaunchTemplateData.{api}" for name, api in _DATA.items()}


def _tag_maps(context: Context, inputs: dict[str, Any]) -> dict[str, Any]:
    """The inputs with the tags inside tagSpecifications as EC2's list."""
    made = dict(inputs)
    if made.get("tagSpecifications"):
        made["tagSpecifications"] = [
            {**spec, "tags": [{"key": k, "value": v} for k, v in (spec.get("tags") or {}).items()]}
            for spec in made["tagSpecifications"]
        ]
    return made


def _create(context: Context) -> str:
    request: dict[str, Any] = {"LaunchTemplateName": context.inputs["name"], "LaunchTemplateData": {}}
    if context.inputs.get("description"):
        request["VersionDescription"] = context.inputs["description"]
    parameters(context, Call("create_launch_template", _FIELDS), _tag_maps(context, context.inputs), into=request)
    answer = context.call("create_launch_template", **request, **tagging.create_parameters(context))
    return str(answer["LaunchTemplate"]["LaunchTemplateId"])


def _new_version(context: Context, changed: frozenset[str]) -> None:
    default = context.inputs.get("defaultVersion")
    if changed & {*_DATA, "description"}:
        request: dict[str, Any] = {"LaunchTemplateId": context.id, "LaunchTemplateData": {}}
        if context.inputs.get("description"):
            request["VersionDescription"] = context.inputs["description"]
        call = Call("create_launch_template_version", _FIELDS)
        parameters(context, call, _tag_maps(context, context.inputs), into=request)
        answer = context.call("create_launch_template_version", **request)
        if context.inputs.get("updateDefaultVersion"):
            default = answer["LaunchTemplateVersion"]["VersionNumber"]
    if default is not None:
        context.call("modify_launch_template", LaunchTemplateId=context.id, DefaultVersion=str(default))


def _tags_as_maps(context: Context, found: dict[str, Any]) -> None:
    # Of the template itself moto tells in its own record what it was made with, and nothing that came later.
    own = context.api.all("ec2", "describe_tags", "Tags", Filters=[{"Name": "resource-id", "Values": [context.id]}])
    found["tags"] = found["tagsAll"] = {
        tag["Key"]: tag.get("Value", "") for tag in own if not tag["Key"].startswith("aws:")
    }
    records = context.call("describe_launch_template_versions", LaunchTemplateId=context.id, Versions=["$Latest"])
    data = records["LaunchTemplateVersions"][0]["LaunchTemplateData"]
    if data.get("TagSpecifications"):
        found["tagSpecifications"] = [
            {"resourceType": spec["ResourceType"], "tags": {tag["Key"]: tag["Value"] for tag in spec.get("Tags", [])}}
            for spec in data["TagSpecifications"]
            if spec["ResourceType"] != "launch-template"  # the template's own tags, which moto lists here too
        ]


LAUNCH_TEMPLATE = AwsType(
    token="aws:ec2/launchTemplate:LaunchTemplate",
    kind=Kind.LIVE,
    documentation=page("ec2/launchtemplate"),
    service="ec2",
    autoname=Autoname("name", 125, "namePrefix"),
    conflicts=(
        frozenset({"name", "namePrefix"}),
        frozenset({"defaultVersion", "updateDefaultVersion"}),
        frozenset({"vpcSecurityGroupIds", "networkInterfaces"}),
    ),
    replace_on=frozenset({"name", "namePrefix"}),
    computed=frozenset({"defaultVersion"}),
    sets=frozenset({"vpcSecurityGroupIds"}),
    hooked=frozenset({"name", "description", "defaultVersion", *_DATA}),
    settings=frozenset({"updateDefaultVersion"}),
    volatile=frozenset({"latestVersion"}),
    create_hook=_create,
    reads=(
        Read(
            "describe_launch_templates",
            {"LaunchTemplateIds": ["{id}"]},
            "LaunchTemplates[0]",
            {
                "name": "LaunchTemplateName",
                "defaultVersion": "DefaultVersionNumber",
                "latestVersion": "LatestVersionNumber",
            },
        ),
        Read(
            "describe_launch_template_versions",
            {"LaunchTemplateId": "{id}", "Versions": ["$Latest"]},
            "LaunchTemplateVersions[0]",
            {"description": "VersionDescription"}
            | {name: target for name, target in _FIELDS.items() if name != "tagSpecifications"},
        ),
    ),
    observe=_tags_as_maps,
    after_update=_new_version,
    delete=Call("delete_launch_template", fixed={"LaunchTemplateId": "{id}"}),
    missing=("InvalidLaunchTemplateId.NotFound", "InvalidLaunchTemplateName.NotFoundException"),
    tags=ec2_tags("launch-template"),
    computed_outputs={"arn": "arn:{partition}:ec2:{region}:{account}:launch-template/{id}"},
    operations=(
        "create_launch_template", "create_launch_template_version", "modify_launch_template", "describe_tags",
    ),
)  # fmt: skip

TYPES = (LAUNCH_TEMPLATE,)
