"""`aws.iam.getPolicyDocument`: an IAM policy written as statements.

Source: https://www.pulumi.com/registry/packages/aws/api-docs/iam/getpolicydocument/
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from sandbox.providers.interface import Properties, ProviderError


def policy_document(args: Mapping[str, Any]) -> Properties:
    """The document as indented JSON and as minified JSON; later documents override statements of the same sid."""
    version = args.get("version") or "2012-10-17"
    own = [_statement(statement, version) for statement in args.get("statements") or []]
    sids = [statement["Sid"] for statement in own if statement.get("Sid")]
    twice = next((sid for sid in sids if sids.count(sid) > 1), None)
    if twice:
        raise ProviderError(f"statements: the sid {twice!r} is used twice")
    sources = [args["sourceJson"]] if args.get("sourceJson") else []
    overrides = [args["overrideJson"]] if args.get("overrideJson") else []
    merged: list[dict[str, Any]] = []
    for text in [*sources, *(args.get("sourcePolicyDocuments") or [])]:
        for statement in _statements(text, "sourcePolicyDocuments"):
            if statement.get("Sid") and any(s.get("Sid") == statement["Sid"] for s in merged):
                raise ProviderError(f"sourcePolicyDocuments: the sid {statement['Sid']!r} is used twice")
            merged.append(statement)
    merged = _overridden(merged, own)
    for text in [*overrides, *(args.get("overridePolicyDocuments") or [])]:
        merged = _overridden(merged, _statements(text, "overridePolicyDocuments"))
    document: dict[str, Any] = {"Version": version}
    if args.get("policyId"):
        document["Id"] = args["policyId"]
    document["Statement"] = merged
    text = json.dumps(document, indent=2)
    return {**args, "version": version, "id": str(_checksum(text)), "json": text, "minifiedJson": _minified(document)}


def _minified(document: Mapping[str, Any]) -> str:
    return json.dumps(document, separators=(",", ":"))


def _checksum(text: str) -> int:
    import zlib

    return zlib.crc32(text.encode())


def _statements(text: str, where: str) -> list[dict[str, Any]]:
    try:
        found = json.loads(text).get("Statement", [])
    except (ValueError, AttributeError):
        raise ProviderError(f"{where}: a document is not the JSON of a policy") from None
    return list(found) if isinstance(found, list) else [found]


def _overridden(base: list[dict[str, Any]], over: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    result = list(base)
    for statement in over:
        same = next((i for i, s in enumerate(result) if s.get("Sid") and s.get("Sid") == statement.get("Sid")), None)
        if same is None:
            result.append(statement)
        else:
            result[same] = statement
    return result


def _statement(given: Mapping[str, Any], version: str) -> dict[str, Any]:
    made: dict[str, Any] = {}
    if given.get("sid"):
        made["Sid"] = given["sid"]
    made["Effect"] = given.get("effect") or "Allow"
    for source, target in (
        ("actions", "Action"), ("notActions", "NotAction"), ("resources", "Resource"), ("notResources", "NotResource"),
    ):  # fmt: skip
        if given.get(source):
            made[target] = _one_or_many(sorted(given[source], reverse=True))
    for source, target in (("principals", "Principal"), ("notPrincipals", "NotPrincipal")):
        if given.get(source):
            made[target] = _principals(given[source])
    if given.get("conditions"):
        conditions: dict[str, dict[str, list[str]]] = {}
        for condition in given["conditions"]:
            # Said again of the same variable, a test has all the values.
            conditions.setdefault(condition["test"], {}).setdefault(condition["variable"], []).extend(
                condition["values"]
            )
        made["Condition"] = {
            test: {variable: _one_or_many(values) for variable, values in variables.items()}
            for test, variables in conditions.items()
        }
    # The provider's own variables are written &{...}, so that ${...} stays the program's.
    return {key: _variables(value) for key, value in made.items()}


def _principals(given: Sequence[Mapping[str, Any]]) -> Any:
    found: dict[str, list[str]] = {}
    for principal in given:
        found.setdefault(principal["type"], []).extend(principal["identifiers"])
    if found == {"*": ["*"]}:
        return "*"
    return {kind: _one_or_many(sorted(set(names), reverse=True)) for kind, names in found.items()}


def _one_or_many(values: list[str]) -> Any:
    return values[0] if len(values) == 1 else values


def _variables(value: Any) -> Any:
    if isinstance(value, str):
        return value.replace("&{", "${")
    if isinstance(value, list):
        return [_variables(item) for item in value]
    if isinstance(value, Mapping):
        return {key: _variables(item) for key, item in value.items()}
    return value
