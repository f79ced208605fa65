"""Official downloads, from a server on the loopback interface."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import http.server
import subprocess
import threading
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from errors import FreeholdError
from sandbox.toolchain import ensure
from sandbox.toolchain.find import Origin, find
from sandbox.toolchain.progress import Silent
from sandbox.toolchain.tools import TOOLS
from tests.toolchain import tiny

PUBLISHED = b"#!/bin/sh\necho published 1.2.3\n"


@pytest.fixture
def releases(
    own_cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[Path, http.server.HTTPServer]]:
    """A folder of releases that is served, and its server; the tool `tiny` is published there, or built."""
    folder = tmp_path / "releases" / "v1.2.3"
    folder.mkdir(parents=True)
    (folder / "tiny").write_bytes(PUBLISHED)
    (folder / "tiny.sha256").write_text(f"{hashlib.sha256(PUBLISHED).hexdigest()}\n", encoding="ascii")
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(tmp_path / "releases"))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    address = f"http://127.0.0.1:{server.server_port}/v{{version}}/{{name}}"
    made = dataclasses.replace(tiny.tool(tiny.write(tmp_path / "modules")), download=address)
    monkeypatch.setitem(TOOLS, "tiny", made)
    monkeypatch.setenv("FREEHOLD_DOWNLOADS", "1")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    yield folder, server
    server.shutdown()
    server.server_close()


def origin() -> Origin:
    found = find("tiny")
    assert found is not None
    return found.origin


def test_a_published_tool_is_downloaded(releases: tuple[Path, http.server.HTTPServer]) -> None:
    program = ensure(["tiny"], Silent())["tiny"]
    assert subprocess.run([program], capture_output=True, check=True).stdout == b"published 1.2.3\n"
    assert origin() is Origin.DOWNLOADED


def test_a_wrong_checksum_is_refused_and_nothing_is_kept(releases: tuple[Path, http.server.HTTPServer]) -> None:
    (releases[0] / "tiny").write_bytes(PUBLISHED + b"# and more\n")
    with pytest.raises(FreeholdError, match="SHA-256"):
        ensure(["tiny"], Silent())
    assert find("tiny") is None


@pytest.mark.parametrize("lost", ["tiny", "tiny.sha256", "the server", "the checksum"])
def test_what_cannot_be_had_is_built(lost: str, releases: tuple[Path, http.server.HTTPServer]) -> None:
    if lost == "the server":
        releases[1].shutdown()
        releases[1].server_close()
    elif lost == "the checksum":  # a page in its place, as a portal answers
        (releases[0] / "tiny.sha256").write_text("<html>Log in</html>", encoding="ascii")
    else:
        (releases[0] / lost).unlink()
    ensure(["tiny"], Silent())
    assert origin() is Origin.BUILT


def test_nothing_is_downloaded_unasked(
    releases: tuple[Path, http.server.HTTPServer], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("FREEHOLD_DOWNLOADS")
    ensure(["tiny"], Silent())
    assert origin() is Origin.BUILT


def test_a_server_that_stalls_is_not_waited_for_for_ever(
    releases: tuple[Path, http.server.HTTPServer], monkeypatch: pytest.MonkeyPatch
) -> None:
    waits, really = list[float | None](), urllib.request.urlopen

    def urlopen(address: str, timeout: float | None = None) -> Any:
        waits.append(timeout)
        return really(address, timeout=timeout)

    monkeypatch.setattr(urllib.request, "urlopen", urlopen)
    ensure(["tiny"], Silent())
    assert [wait is not None and wait <= 30 for wait in waits] == [True, True]
