"""What the servicer makes of a provider's answers: what was half made is in the journal, what was previewed is not,
secrets stay secret, and only the loopback is served."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NoReturn

import grpc
import psutil
import pytest
from google.rpc.status_pb2 import Status  # type: ignore[import-untyped]
from pulumi.runtime.proto import plugin_pb2, provider_pb2

from sandbox.home import Home
from sandbox.providers import host
from sandbox.providers.creations import Creations, current
from sandbox.providers.host import Host
from sandbox.providers.interface import (
    Created,
    Diff,
    DiffKind,
    Found,
    PartialFailure,
    Properties,
    ProviderError,
    Resource,
)
from sandbox.providers.registry import CLASSES, provider_class
from sandbox.providers.servicer import Servicer, serve
from sandbox.providers.values import SECRET, SIGNATURE

URN = "urn:pulumi:s::p::random:index/randomId:RandomId::subject"


class Ended(Exception):
    """The call, with this code and line."""


class Context:
    """As much of gRPC's as a call that fails needs."""

    ended: tuple[grpc.StatusCode, str] | None = None
    metadata: tuple[tuple[str, bytes], ...] = ()

    def code(self) -> grpc.StatusCode | None:
        return self.ended and self.ended[0]

    def abort(self, code: grpc.StatusCode, details: str) -> NoReturn:
        self.ended = code, details
        raise Ended

    def abort_with_status(self, status: Any) -> NoReturn:
        self.metadata = status.trailing_metadata
        self.abort(status.code, status.details)


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Creations]:
    with Creations(Home(tmp_path)) as creations:
        yield creations


@pytest.fixture
def servicer(journal: Creations) -> Servicer:
    return Servicer(provider_class("random")(), {}, journal)


def test_what_was_half_made_is_in_the_journal_and_told_in_one_line(
    servicer: Servicer, journal: Creations, monkeypatch: pytest.MonkeyPatch
) -> None:
    def create(*_: object, **__: object) -> Created:
        raise PartialFailure("half", {}, {}, ["not\n ready", "nor will it be"])

    monkeypatch.setattr(servicer.provider, "create", create)
    context = Context()
    with pytest.raises(Ended):
        servicer.Create(provider_pb2.CreateRequest(urn=URN), context)
    assert context.ended == (grpc.StatusCode.UNKNOWN, "not ready; nor will it be")
    ((_, packed),) = context.metadata
    detail = provider_pb2.ErrorResourceInitFailed()
    assert Status.FromString(packed).details[0].Unpack(detail)
    assert (detail.id, list(detail.reasons)) == ("half", ["not ready", "nor will it be"])
    assert journal.ids(URN) == ("half",)
    assert not journal.under_way(URN)


def test_a_create_is_under_way_and_its_preview_is_not(
    servicer: Servicer, journal: Creations, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A preview that dies has made nothing that anybody would have to look for."""
    seen = []

    def create(resource: Resource, *_: object, preview: bool, **__: object) -> Created:
        seen.append((preview, journal.under_way(resource.urn), current() is not None))
        return Created("" if preview else "one", {})

    monkeypatch.setattr(servicer.provider, "create", create)
    for preview in (True, False):
        servicer.Create(provider_pb2.CreateRequest(urn=URN, preview=preview), Context())
    assert seen == [(True, False, False), (False, True, True)]


def test_what_has_no_id_is_a_failure(servicer: Servicer, journal: Creations, monkeypatch: pytest.MonkeyPatch) -> None:
    """The engine could never find it again."""
    monkeypatch.setattr(servicer.provider, "create", lambda *_, **__: Created("", {}))
    context = Context()
    with pytest.raises(Ended):
        servicer.Create(provider_pb2.CreateRequest(urn=URN), context)
    assert context.ended is not None
    assert context.ended[0] is grpc.StatusCode.FAILED_PRECONDITION and "without an id" in context.ended[1]
    assert journal.ids(URN) == ()


def test_a_delete_that_fails_leaves_it_in_the_journal(
    servicer: Servicer, journal: Creations, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object, **__: object) -> None:
        raise ProviderError("it is in use")

    journal.record(URN, "one")
    with monkeypatch.context() as patched, pytest.raises(Ended):
        patched.setattr(servicer.provider, "delete", refused)
        servicer.Delete(provider_pb2.DeleteRequest(urn=URN, id="one"), Context())
    assert journal.ids(URN) == ("one",)
    servicer.Delete(provider_pb2.DeleteRequest(urn=URN, id="one"), Context())
    assert journal.ids(URN) == ()


def test_what_is_secret_is_secret_in_every_answer(servicer: Servicer, monkeypatch: pytest.MonkeyPatch) -> None:
    held: Properties = {"password": "hunter2", "length": 7}
    monkeypatch.setattr(servicer.provider, "secret_outputs", lambda _: frozenset({"password"}))
    monkeypatch.setattr(servicer.provider, "create", lambda *_, **__: Created("one", held))
    monkeypatch.setattr(servicer.provider, "read", lambda *_: Found("one", held, held))
    monkeypatch.setattr(servicer.provider, "update", lambda *_, **__: held)
    read = servicer.Read(provider_pb2.ReadRequest(urn=URN, id="one"), Context())
    told = (
        servicer.Create(provider_pb2.CreateRequest(urn=URN), Context()).properties,
        servicer.Update(provider_pb2.UpdateRequest(urn=URN, id="one"), Context()).properties,
        read.properties,
        read.inputs,
    )
    for answer in told:
        assert answer["password"][SIGNATURE] == SECRET
        assert answer["length"] == 7


def test_changes_that_the_program_ignores_are_none(servicer: Servicer, monkeypatch: pytest.MonkeyPatch) -> None:
    found = Diff({"tags.a": DiffKind.UPDATE, "length": DiffKind.UPDATE_REPLACE})
    monkeypatch.setattr(servicer.provider, "diff", lambda *_: found)

    def diff(*ignored: str) -> Any:
        return servicer.Diff(provider_pb2.DiffRequest(urn=URN, id="one", ignoreChanges=ignored), Context())

    assert (list(diff().diffs), list(diff().replaces)) == (["length", "tags"], ["length"])
    assert (list(diff("length").diffs), list(diff("length").replaces)) == (["tags"], [])
    assert diff("length", "tags").changes == provider_pb2.DiffResponse.DIFF_NONE


def test_an_engine_that_does_not_listen_fails_nothing(servicer: Servicer) -> None:
    servicer.Attach(plugin_pb2.PluginAttach(address="127.0.0.1:1"), Context())
    servicer.provider.tell(URN, "a remark", warning=True)
    servicer.close()


def test_only_the_loopback_is_served(servicer: Servicer) -> None:
    with ThreadPoolExecutor(1) as pool:
        server = grpc.server(pool)
        port = serve(servicer, server)
        server.start()
        listening = {one.laddr for one in psutil.Process().net_connections("tcp") if one.status == psutil.CONN_LISTEN}
        server.stop(None).wait()
    assert {one.ip.removeprefix("::ffff:") for one in listening if one.port == port} == {"127.0.0.1"}


def test_a_plugin_of_another_version_is_refused(tmp_path: Path) -> None:
    """The engine would take this version's answers for that one's."""
    request: tuple[Any, ...] = ("random", "0.0.1", "/", {})
    with pytest.raises(ProviderError, match=r"the random SDK is .* now and the plugin was installed for 0\.0\.1"):
        Host(Home(tmp_path))._instance(request)


def test_one_broken_stand_in_does_not_take_the_others_down(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def broken(name: str) -> None:
        asked.append(name)
        raise SyntaxError(name)

    monkeypatch.setattr(host, "provider_class", broken)
    Host(Home(tmp_path)).preload()
    assert asked == list(CLASSES)
