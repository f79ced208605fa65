"""What version a program says it is, remembered as long as the program stays the file that it was.

To ask kubectl takes a tenth of a second, and every command wants to know it.
"""

from __future__ import annotations

import contextlib
import functools
import json
import os
import re
import subprocess
from pathlib import Path

from sandbox.toolchain.cache import cache_root

_SECONDS = 20
_ELF = b"\x7fELF"


@functools.cache
def asked(program: Path, arguments: tuple[str, ...]) -> str:
    """The version that `program` prints with `arguments`; empty if it fails or prints none."""
    try:
        answer = subprocess.run(
            [program, *arguments],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            check=False,
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    found = re.search(r"(?<![\d.])(\d+\.\d+(?:\.\d+)?)", answer.stdout) if answer.returncode == 0 else None
    return found.group(1) if found else ""


def remembered(program: Path, arguments: tuple[str, ...]) -> str:
    """The same, not asked again of a program that has answered and has not changed since.

    A script is asked each time: what it runs may be another program by now, as those of version managers do.
    """
    try:
        real = program.resolve()
        seen = real.stat()
        with real.open("rb") as file:
            compiled = file.read(len(_ELF)) == _ELF
    except OSError:
        return ""
    if not compiled:
        return asked(program, arguments)
    kept = _kept()
    key = " ".join((str(real), str(seen.st_size), str(seen.st_mtime_ns), *arguments))
    if key not in kept and (version := asked(program, arguments)):
        kept = {name: told for name, told in kept.items() if not name.startswith(f"{real} ")} | {key: version}
        _keep(kept)
    return kept.get(key, "")


def _file() -> Path:
    return cache_root() / "versions.json"


def _kept() -> dict[str, str]:
    """Empty where nothing is kept yet, or what is kept cannot be read: then programs are asked."""
    try:
        kept = json.loads(_file().read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return kept if isinstance(kept, dict) else {}


def _keep(versions: dict[str, str]) -> None:
    file = _file()
    partial = file.with_name(f"{file.name}.{os.getpid()}")
    with contextlib.suppress(OSError):  # a cache that cannot be written is done without
        file.parent.mkdir(parents=True, exist_ok=True)
        partial.write_text(json.dumps(versions, indent=1), encoding="utf-8")
        os.replace(partial, file)
