"""Official downloads: an executable that its project publishes with a checksum beside it. Off unless asked for.

`FREEHOLD_DOWNLOADS=1` turns them on; docs/decisions/0004-tools-are-built-unless-downloads-are-asked-for.md says why.
"""

from __future__ import annotations

import hashlib
import http.client
import os
import platform
import re
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

from errors import FreeholdError
from sandbox.toolchain.tools import Tool

MARKER = "downloaded"
"""A file of this name in a cache entry says that its tool was downloaded."""

# The checksum is asked for first, so this is also how long a network that drops packets is waited for.
_CHECKSUM_SECONDS = 5.0
_STALL_SECONDS = 30.0
_CHUNK = 1 << 20
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


def wanted() -> bool:
    """Whether the user asked for downloads."""
    return os.environ.get("FREEHOLD_DOWNLOADS", "") == "1"


def fetch(tool: Tool, folder: Path, show: Callable[[str], None]) -> bool:
    """Put `tool` into `folder`; False where it is not published for this machine or cannot be reached.

    A download that does not have the published SHA-256 is a FreeholdError: that is no reason to try something else.
    """
    architecture = _ARCHITECTURES.get(platform.machine())
    if not tool.download or architecture is None or platform.system() != "Linux":
        return False
    address = tool.download.format(name=tool.name, version=tool.version, architecture=architecture)
    target = folder / tool.name
    try:
        published = _checksum(f"{address}.sha256")
        digest = _save(address, target, lambda done: show(f"downloading {tool.name}: {done >> 20} MB"))
    except (urllib.error.URLError, http.client.HTTPException, TimeoutError, ConnectionError) as error:
        target.unlink(missing_ok=True)
        show(f"{address} cannot be had ({error}): building it")
        return False
    if digest != published:
        target.unlink()
        raise FreeholdError(
            f"{address} has SHA-256 {digest}, published is {published}", mend="unset FREEHOLD_DOWNLOADS"
        )
    target.chmod(0o755)
    (folder / MARKER).touch()
    return True


def _checksum(address: str) -> str:
    with urllib.request.urlopen(address, timeout=_CHECKSUM_SECONDS) as answer:
        content = answer.read(4096).decode("ascii", errors="replace")
    found = re.match(r"\s*([0-9a-f]{64})\b", content)
    if found is None:
        raise http.client.HTTPException("no SHA-256 is published")
    return found.group(1)


def _save(address: str, target: Path, progress: Callable[[int], None]) -> str:
    digest = hashlib.sha256()
    done = 0
    with urllib.request.urlopen(address, timeout=_STALL_SECONDS) as answer, open(target, "wb") as file:
        while chunk := answer.read(_CHUNK):
            digest.update(chunk)
            file.write(chunk)
            done += len(chunk)
            progress(done)
    return digest.hexdigest()
