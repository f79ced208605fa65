"""Runs a program against Pulumi's mocks and hands back what it declared, once everything has resolved.

A test declares in one step and asserts in the next, on plain data: no assertion sits in an `apply` that might never
run.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import pulumi
import pytest
from google.protobuf import json_format
from pulumi.runtime import mocks
from pulumi.runtime import resource as declaring
from pulumi.runtime.proto import source_pb2
from pulumi.runtime.stack import Stack

PROJECT = "freehold"
ACCOUNT = "123456789012"
CANARY = "hunter2"
"""Part of every generated password: it may appear inside secrets only."""

_WHOLE = declaring._get_stack_trace
_SIGNATURE = "4dabf18193072939515e22adb298388d"
_SECRET = "1b47061264138c4ac30d75fd1eb44270"
_UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"


@dataclass(frozen=True)
class Secret:
    """A value that the program marked secret."""

    value: Any


@dataclass(frozen=True)
class Declared:
    """One resource as the program asked the engine for it; inputs carry their wire names."""

    type: str
    name: str
    urn: str
    parent: str
    custom: bool
    inputs: Mapping[str, Any]
    """With `Secret` around what is secret."""
    protect: bool
    provider: str
    dependencies: frozenset[str]
    ignore_changes: tuple[str, ...]
    timeouts: Mapping[str, str]
    """How long the provider tries, where that is not its own choice: by create, update and delete."""

    def plain(self) -> Any:
        """The inputs with secrets opened."""
        return opened(self.inputs)

    def document(self, key: str = "policy") -> Any:
        """The JSON document that one input holds."""
        return json.loads(self.plain()[key])


@dataclass
class Recording:
    """Everything that one run of a program declared."""

    resources: list[Declared] = field(default_factory=list)
    outputs_registered: list[str] = field(default_factory=list)
    """URNs, one for each call."""
    exports: dict[str, Any] = field(default_factory=dict)
    """With `Secret` around what is secret."""

    def of(self, type: str) -> list[Declared]:
        return [resource for resource in self.resources if resource.type == type]

    def one(self, type: str) -> Declared:
        found = self.of(type)
        assert len(found) == 1, f"{len(found)} resources of type {type}, not one"
        return found[0]

    def inputs(self, type: str) -> Any:
        """Those of the one resource of this type, with secrets opened."""
        return self.one(type).plain()

    def named(self, name: str) -> Declared:
        found = [resource for resource in self.resources if resource.name == name]
        assert len(found) == 1, f"{len(found)} resources named {name}, not one"
        return found[0]

    def components(self) -> list[Declared]:
        return [resource for resource in self.resources if not resource.custom]


def opened(value: Any) -> Any:
    """`value` with every secret in it opened."""
    if isinstance(value, Secret):
        return opened(value.value)
    if isinstance(value, Mapping):
        return {key: opened(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [opened(inner) for inner in value]
    return value


def outside_secrets(value: Any) -> list[str]:
    """Every text in `value` that is not within a secret."""
    if isinstance(value, Secret):
        return []
    if isinstance(value, Mapping):
        return [*value, *(text for inner in value.values() for text in outside_secrets(inner))]
    if isinstance(value, list | tuple):
        return [text for inner in value for text in outside_secrets(inner)]
    return [value] if isinstance(value, str) else []


_EVENT_LOOP = asyncio.new_event_loop()
"""Pulumi's SDK wants the thread to have one, and `asyncio.run` in an earlier test has taken it away. It is kept here:
a loop that is forgotten while it is open is an error."""


class _AtOnce(ThreadPoolExecutor):
    """Answers where it is asked, and not in a thread: the mocks never wait, and handing over takes longer than they."""

    _own = asyncio.new_event_loop()
    """As a thread has: the mocks run a loop to its end, which is none of the caller's business."""

    def submit(self, call: Callable[..., Any], /, *arguments: Any, **named: Any) -> Future[Any]:
        done: Future[Any] = Future()
        asyncio._set_running_loop(None)
        asyncio.set_event_loop(self._own)
        try:
            done.set_result(call(*arguments, **named))
        except Exception as error:
            done.set_exception(error)
        finally:
            asyncio.set_event_loop(_EVENT_LOOP)
            asyncio._set_running_loop(_EVENT_LOOP)
        return done


_EVENT_LOOP.set_default_executor(_AtOnce())


def declare(
    program: Callable[[], object],
    *,
    stack: str = "sandbox",
    preview: bool = False,
    answers: Mapping[str, Any] | None = None,
) -> Recording:
    """Runs `program` and waits for all that it set off. In a preview every computed property is unknown.

    `answers` maps a token of an invoke, or the name of a stack that is referred to, to its result.
    """
    asyncio.set_event_loop(_EVENT_LOOP)
    recording = Recording()
    monitor = _Monitor(_Answers(preview, dict(answers or {})), recording)
    pulumi.runtime.set_mocks(
        monitor.mocks, project=PROJECT, stack=stack, preview=preview, monitor=monitor, organization="organization"
    )
    root = pulumi.runtime.get_root_resource()
    assert isinstance(root, Stack)
    root.outputs = {}
    recording.outputs_registered.clear()
    _to_the_end(program)

    async def read(output: pulumi.Output[Any]) -> Any:
        value = await output.future()
        return Secret(value) if await output.is_secret() else value

    async def read_all() -> None:
        for name, value in root.outputs.items():
            recording.exports[name] = await read(pulumi.Output.from_input(value))

    _to_the_end(lambda: asyncio.ensure_future(read_all()))
    return recording


def _to_the_end(program: Callable[[], object]) -> None:
    """Runs `program` until nothing that it set off is outstanding; raises what any of it raised.

    The SDK walks the stack of calls at each resource, a fifth of a run, and nothing here reads it: where the SDK is as
    it comes, none is sent.
    """
    run: Callable[[], None] = pulumi.runtime.test(program)  # type: ignore[no-untyped-call]
    with pytest.MonkeyPatch.context() as patched:
        if declaring._get_stack_trace is _WHOLE:
            patched.setattr(declaring, "_get_stack_trace", source_pb2.StackTrace)
        run()


class _Answers(mocks.Mocks):
    """The cloud's side: a resource's outputs are its inputs and what a cloud would add."""

    def __init__(self, preview: bool, answers: dict[str, Any]) -> None:
        self.preview, self.answers = preview, answers

    def new_resource(self, args: mocks.MockResourceArgs) -> tuple[str | None, dict[str, Any]]:
        if args.typ == "pulumi:pulumi:StackReference":
            return args.name, {"name": args.name, "outputs": self.answers[args.name], "secretOutputNames": []}
        if not args.custom or args.typ.startswith("pulumi:"):
            return (None if not args.custom else args.name), args.inputs
        if self.preview:
            return None, args.inputs
        # A bucket's id is its name.
        id = args.inputs.get("bucket") if args.typ == "aws:s3/bucket:Bucket" else None
        return id or f"{args.name}-id", {**args.inputs, **_computed(args.typ, args.name)}

    def call(self, args: mocks.MockCallArgs) -> tuple[dict[str, Any], list[tuple[str, str]] | None]:
        if args.token not in self.answers:
            raise AssertionError(f"no answer is set for {args.token} {args.args}")
        answer = self.answers[args.token]
        return (answer(args.args) if callable(answer) else answer), []


def _computed(type: str, name: str) -> dict[str, Any]:
    service = type.split(":")[1].split("/")[0] if type.startswith("aws:") else ""
    computed: dict[str, Any] = {"arn": f"arn:aws:{service}:us-east-1:{ACCOUNT}:{name}"} if service else {}
    if type == "random:index/randomPassword:RandomPassword":
        computed["result"] = pulumi.Output.secret(f"{CANARY}{name.replace('-', '')}")
    elif type == "random:index/randomId:RandomId":
        computed["hex"] = "0a1b2c3d"
    elif type == "aws:eks/cluster:Cluster":
        computed |= {
            "endpoint": "https://0A1B.gr7.us-east-1.eks.amazonaws.com",
            "certificateAuthority": {"data": "Q0E="},
            "identities": [{"oidcs": [{"issuer": "https://oidc.eks.us-east-1.amazonaws.com/id/0A1B"}]}],
        }
    elif type == "aws:rds/instance:Instance":
        computed |= {"address": f"{name}.rds.amazonaws.com", "port": 5432}
    elif type == "aws:elasticache/replicationGroup:ReplicationGroup":
        computed |= {"primaryEndpointAddress": f"{name}.cache.amazonaws.com", "port": 6379}
    elif type == "aws:ec2/launchTemplate:LaunchTemplate":
        computed["latestVersion"] = 1
    elif type == "aws:sqs/queue:Queue":
        computed["url"] = f"https://sqs.us-east-1.amazonaws.com/{ACCOUNT}/{name}"
    elif type == "aws:lambda/functionUrl:FunctionUrl":
        computed["functionUrl"] = f"https://{name}.lambda-url.us-east-1.on.aws/"
    elif type == "aws:kms/key:Key":
        computed["keyId"] = f"{name}-key-id"
    return computed


class _Monitor(mocks.MockMonitor):
    def __init__(self, answers: _Answers, recording: Recording) -> None:
        super().__init__(answers)
        self._recording = recording

    def RegisterResource(self, request: Any) -> Any:
        response: Any = super().RegisterResource(request)  # type: ignore[no-untyped-call]
        if request.type != "pulumi:pulumi:Stack":
            self._recording.resources.append(
                Declared(
                    type=request.type,
                    name=request.name,
                    urn=response.urn,
                    parent=request.parent,
                    custom=request.custom,
                    inputs=_wrapped(json.loads(json_format.MessageToJson(request.object))),
                    protect=request.protect,
                    provider=request.provider,
                    dependencies=frozenset(request.dependencies),
                    ignore_changes=tuple(request.ignoreChanges),
                    timeouts=json_format.MessageToDict(request.customTimeouts),
                )
            )
        return response

    def RegisterResourceOutputs(self, request: Any) -> Any:
        self._recording.outputs_registered.append(request.urn)
        return super().RegisterResourceOutputs(request)  # type: ignore[no-untyped-call]


def _wrapped(value: Any) -> Any:
    if isinstance(value, dict):
        if value.get(_SIGNATURE) == _SECRET:
            return Secret(_wrapped(value["value"]))
        return {key: _wrapped(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_wrapped(inner) for inner in value]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return None if value == _UNKNOWN else value
